"""Drawing 10,000 series many at once, against one by one, against a call per action, and against DeepEcho's PAR.

    python benchmarks/generate.py                  the three ways of this project, which give the same series
    python benchmarks/generate.py peer             and DeepEcho's sampler: pip install deepecho (source-available)

Interleaved in one process on one core; process CPU time. The slow ways draw fewer series, and their time is scaled up.
"""

from __future__ import annotations

import argparse
import os
import sys
from functools import partial

# Threads take the cores of the process that makes them, so it is held to one before jax is imported.
CORE = sys.argv[sys.argv.index("--core") + 1] if "--core" in sys.argv else "0"
if CORE != "all":
    os.sched_setaffinity(0, {int(CORE)})
os.environ["OMP_NUM_THREADS"] = "1"

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from settings import clock  # noqa: E402

from seqjax import losses, optim  # noqa: E402
from seqjax.data.process import echo, sample  # noqa: E402
from seqjax.data.windows import stream_reset, symbols  # noqa: E402
from seqjax.generation import Chooser, draw, generate, state_after  # noqa: E402
from seqjax.models.next_action import NextAction  # noqa: E402
from seqjax.objectives.sequence import SequenceHparams, sequence_objective, symbol_batch  # noqa: E402
from seqjax.train.step import init_train_state, make_chunk, make_step, per_lane  # noqa: E402

LONGEST = 200


def trained(series: int = 10_000, epochs: int = 3):
    """A two-layer LSTM of 20 units that has seen the process often enough to end its series in time."""
    log, model = sample(echo(), series, seed=0), NextAction(10)
    plan = partial(stream_reset, log, lanes=20, window=20)
    optimizer = partial(optim.adam_cosine, steps=epochs * plan().steps)
    step = make_step(partial(sequence_objective, model=model, loss=losses.next_symbol), optimizer, {})
    chunk, hparams = make_chunk(step, symbol_batch), jax.tree.map(jnp.float32, SequenceHparams())
    params = model.init(jax.random.key(0))["params"]
    state = init_train_state(jax.random.key(1), params, optimizer, hparams, per_lane(model.init_state(), 20), {})
    for epoch in range(epochs):
        state, _ = chunk(state, plan(epoch=epoch), jnp.array(symbols(log)), hparams)
    return model, state.params


def make_one(model, params):
    """A jitted call that draws one whole series: (key, number of the series) -> symbols, 0 behind the end."""
    start, chooser = state_after(model, params, np.zeros(0, np.int32)), Chooser()
    apply = partial(model.apply, {"params": params})

    @jax.jit
    def one(key, series):
        key = jax.random.fold_in(key, series)

        def go_on(carry):
            _, place, last, _ = carry
            return (last != 11) & (place < LONGEST)

        def step(carry):
            state, place, _, out = carry
            law = chooser.law(apply(state, method="read"))
            symbol = draw(jax.random.fold_in(key, place), law)
            state = apply(state, {"item": jnp.where(symbol == 11, 1, symbol)}, method="step")
            return state, place + 1, symbol, out.at[place].set(symbol)

        begin = start, jnp.int32(0), jnp.int32(0), jnp.zeros(LONGEST, jnp.int32)
        return jax.lax.while_loop(go_on, step, begin)[3]

    return one


def make_action(model, params):
    """A jitted call that draws one action: (key, series, place, state) -> symbol and the state after it."""
    apply, chooser = partial(model.apply, {"params": params}), Chooser()

    @jax.jit
    def action(key, series, place, state):
        law = chooser.law(apply(state, method="read"))
        symbol = draw(jax.random.fold_in(jax.random.fold_in(key, series), place), law)
        return symbol, apply(state, {"item": jnp.where(symbol == 11, 1, symbol)}, method="step")

    start = state_after(model, params, np.zeros(0, np.int32))

    def series_of(key, series):
        state, drawn = start, []
        while not drawn or (drawn[-1] != 11 and len(drawn) < LONGEST):
            symbol, state = action(key, series, len(drawn), state)
            drawn.append(int(symbol))
        return drawn

    return series_of


def series_in(symbols_of_one) -> list[int]:
    """The actions of a series, without its end and what stands behind."""
    return [int(symbol) for symbol in symbols_of_one if 0 < symbol < 11]


def ways(options: argparse.Namespace) -> None:
    """Times the three ways, checks that they give the same series, and prints the ratios."""
    model, params = trained()
    key, count, few = jax.random.key(7), options.series, options.series // 50
    one, by_action = make_one(model, params), make_action(model, params)

    def batched():
        return generate(model, params, key, count, max_len=LONGEST)

    made = batched()
    parts = [made.item[made.offsets[s] : made.offsets[s + 1]].tolist() for s in range(few)]
    assert parts == [series_in(np.asarray(one(key, s))) for s in range(few)]
    assert parts[:20] == [series_in(by_action(key, s)) for s in range(20)]
    drawn = (len(made.item) + count) / count  # the end is drawn, too
    rows = []
    for _ in range(options.rounds):
        begin = clock()
        batched()
        middle = clock()
        for s in range(10 * few):
            one(key, s).block_until_ready()
        late = clock()
        for s in range(few):
            by_action(key, s)
        rows.append([(middle - begin)[0], (late - middle)[0] * count / (10 * few), (clock() - late)[0] * count / few])
    rows = np.array(rows)
    seconds, ratios = np.median(rows, axis=0), rows / rows[:, :1]
    print(f"{count:,} series of {drawn:.1f} draws, {jax.devices()[0].device_kind}, {options.rounds} rounds")
    for name, index in (("batched", 0), ("a jitted call a series", 1), ("a call an action", 2)):
        low, high = ratios[:, index].min(), ratios[:, index].max()
        print(
            f"{name:24} {seconds[index]:8.2f} s  {1e6 * seconds[index] / count / drawn:8.2f} us a draw  "
            f"{np.median(ratios[:, index]):6.1f} x ({low:.1f} to {high:.1f})"
        )
    print(f"batched: {count * drawn / seconds[0]:,.0f} draws a second")


def peer(options: argparse.Namespace) -> None:
    """Times DeepEcho's PAR, which draws one series at a time, against the batched way; per drawn action."""
    import torch
    from deepecho import PARModel

    torch.set_num_threads(1)
    log = sample(echo(), 300, seed=0)
    series = [log.columns["item"][log.offsets[s] : log.offsets[s + 1]].tolist() for s in range(log.sequences)]
    par = PARModel(epochs=options.peer_epochs, cuda=False, verbose=False)
    par.fit_sequences([{"context": [], "data": [s]} for s in series], [], ["categorical"])
    model, params = trained()
    generate(model, params, jax.random.key(0), options.series, max_len=LONGEST)
    ratios = []
    for round_ in range(options.rounds):
        begin = clock()
        made = generate(model, params, jax.random.key(round_), options.series, max_len=LONGEST)
        ours = (clock() - begin)[0] / (len(made.item) + options.series)
        begin, draws = clock(), 0
        for _ in range(options.peer_series):
            draws += len(par.sample_sequence([])[0]) + 1
        theirs = (clock() - begin)[0] / draws
        ratios.append(theirs / ours)
        print(f"DeepEcho {1e6 * theirs:.0f} us a draw ({draws} draws), seqjax {1e6 * ours:.2f}: {ratios[-1]:.0f} x")
    print(f"ratio {np.median(ratios):.0f} ({min(ratios):.0f} to {max(ratios):.0f}) in {options.rounds} rounds")


def main() -> None:
    """Runs one comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", default="ways", choices=["ways", "peer"])
    parser.add_argument("--series", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peer-series", type=int, default=100)
    parser.add_argument("--peer-epochs", type=int, default=128)
    parser.add_argument("--core", default="0", help="the core to run on, or all")
    options = parser.parse_args()
    globals()[options.what](options)


if __name__ == "__main__":
    main()
