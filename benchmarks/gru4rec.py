"""GRU4Rec against Cornac's port of the authors' PyTorch code, pair by pair in one process on one core.

    SEQJAX_DATA=... python benchmarks/gru4rec.py steps              milliseconds a step, interleaved
    SEQJAX_DATA=... python benchmarks/gru4rec.py epochs --seeds 3   whole epochs, everything included, and their losses
    python benchmarks/gru4rec.py size                               a step at 17 k and at 1 M items
    python benchmarks/gru4rec.py runs                               1, 4, 16, 64 vmapped runs against one
    SEQJAX_DATA=... python benchmarks/gru4rec.py alone              seqjax only: events and mini-batches a second

Times are process CPU time on one core; those of `runs` and `alone` are wall time, for accelerators: add `--core all`.
The first two need the extra `bench`. Diginetica's sessions are read from SEQJAX_DATA.
"""

from __future__ import annotations

import argparse
import os
import sys

# Threads take the cores of the process that makes them, so it is held to one before jax is imported (XLA's flags for a
# single thread do not hold any more). `--core all` leaves it free, as on an accelerator.
CORE = sys.argv[sys.argv.index("--core") + 1] if "--core" in sys.argv else "0"
if CORE != "all":
    os.sched_setaffinity(0, {int(CORE)})
os.environ["OMP_NUM_THREADS"] = "1"

import jax  # noqa: E402
import numpy as np  # noqa: E402
from seqjax_side import Ours, synthetic_sessions, time_runs, train_epochs  # noqa: E402
from settings import SETTINGS, read_diginetica  # noqa: E402


def steps(options: argparse.Namespace) -> None:
    """Interleaves chunks of steps of both programs; the ratio is the median of the pairs' ratios."""
    import cornac_peer

    sessions = read_diginetica()
    for name in options.settings:
        count = max(20, options.steps // (10 if SETTINGS[name].features > 256 else 1))
        peer, ours = cornac_peer.build(sessions, SETTINGS[name]), Ours(sessions, SETTINGS[name])
        ours.run(count)  # compiles
        pairs = np.array([
            (cornac_peer.run_steps(peer, count, position=20 + 5 * r).cpu / count, ours.run(count).cpu / count)
            for r in range(options.rounds)
        ])  # fmt: skip
        ratios = pairs[:, 0] / pairs[:, 1]
        theirs, mine = 1e3 * np.median(pairs, axis=0)
        spread = f"{ratios.min():.2f} to {ratios.max():.2f} in {options.rounds} rounds of {count} steps"
        print(
            f"{name:6} cornac {theirs:7.2f} ms  seqjax {mine:7.3f} ms  ratio {np.median(ratios):.2f} ({spread})",
            flush=True,
        )


def epochs(options: argparse.Namespace) -> None:
    """Trains whole epochs with both, from the session list on, and compares time and mean loss."""
    import cornac_peer

    sessions = read_diginetica()
    for name in options.settings:
        losses, ratios = [], []
        for seed in range(options.seeds):
            peer = cornac_peer.build(sessions, SETTINGS[name], seed)
            theirs = cornac_peer.run_epochs(peer, options.epochs)
            their_cpu = theirs.prepare.cpu + sum(epoch.cpu for epoch in theirs.epochs)
            mine, taken = train_epochs(sessions, SETTINGS[name], seed, options.epochs)
            losses.append((theirs.losses, mine))
            ratios.append(their_cpu / taken.cpu)
            print(
                f"{name} seed {seed}: cornac {their_cpu:.1f} s, seqjax {taken.cpu:.1f} s, ratio {ratios[-1]:.2f}",
                flush=True,
            )
        cornac, seqjax = np.mean(losses, axis=0)
        apart = ", ".join(f"{100 * (b / a - 1):+.2f} %" for a, b in zip(cornac, seqjax, strict=True))
        print(f"{name:6} epoch losses: cornac {cornac.round(4)}, seqjax {seqjax.round(4)}: {apart}")
        print(
            f"{name:6} end to end: ratio {np.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})", flush=True
        )


def size(options: argparse.Namespace) -> None:
    """Times the same step with a small and with a large item table."""
    setting = SETTINGS["xe100"]._replace(logq=0.0, alpha=0.0)
    small, large = (Ours(synthetic_sessions(items), setting) for items in (17_376, 1_000_000))
    small.run(options.steps), large.run(options.steps)
    pairs = np.array([(small.run(options.steps).cpu, large.run(options.steps).cpu) for _ in range(options.rounds)])
    ratios = pairs[:, 1] / pairs[:, 0]
    milliseconds = 1e3 * np.median(pairs, axis=0) / options.steps
    print(f"17 k items {milliseconds[0]:.3f} ms, 1 M items {milliseconds[1]:.3f} ms: ratio {np.median(ratios):.2f}")


def runs(options: argparse.Namespace) -> None:
    """Times K vmapped runs against one, at H = 100, 50 lanes, 512 negatives."""
    setting = SETTINGS["xe100"]._replace(negatives=512)
    sessions = synthetic_sessions(10_000, sessions=20_000)
    one = None
    for count in (1, 4, 16, 64):
        seconds = time_runs(sessions, setting, count, options.steps, options.rounds)
        one = one or seconds
        print(
            f"{count:3} runs: {1e3 * seconds:.3f} ms a step, {seconds / one:.2f} x one run, "
            f"{count * one / seconds:.1f} x throughput",
            flush=True,
        )


def alone(options: argparse.Namespace) -> None:
    """Prints how fast seqjax trains on this device."""
    try:
        sessions = read_diginetica()
    except (KeyError, FileNotFoundError):
        print("SEQJAX_DATA is unset: random sessions over 43,097 items")
        sessions = synthetic_sessions(43_097)
    print(jax.devices()[0].device_kind)
    for name in options.settings:
        ours = Ours(sessions, SETTINGS[name])
        ours.run(options.steps)
        wall = np.median([ours.run(options.steps).wall for _ in range(options.rounds)]) / options.steps
        print(
            f"{name:6} {1e3 * wall:.3f} ms, {1 / wall:,.0f} mini-batches/s, "
            f"{SETTINGS[name].lanes / wall:,.0f} events/s",
            flush=True,
        )


def main() -> None:
    """Runs one comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "what", nargs="?", default="steps", choices=[what.__name__ for what in (steps, epochs, size, runs, alone)]
    )
    parser.add_argument("--settings", nargs="+", default=list(SETTINGS), choices=list(SETTINGS))
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--core", default="0", help="the core to run on, or all")
    options = parser.parse_args()
    globals()[options.what](options)


if __name__ == "__main__":
    main()
