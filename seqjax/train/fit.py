"""The host loop: runs chunks of steps, validates, stops, saves, resumes. No number depends on what it decides."""

from __future__ import annotations

import dataclasses
import json
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import PyTree

from seqjax.train import checkpoint
from seqjax.train.step import TrainState

Chunk = Callable[[TrainState, PyTree, PyTree, PyTree], tuple[TrainState, Mapping[str, jax.Array]]]
Log = Callable[[dict[str, Any]], None]

JOURNAL, LATEST = "metrics.jsonl", "checkpoints/latest"


@dataclasses.dataclass(frozen=True)
class Stop:
    """When training ends: after `epochs`, or after `patience` epochs in which the validation `metric` did not rise.

    target: training also ends with the first epoch whose mean training loss, each step's before its update, is at most
    this.
    """

    epochs: int = 10
    patience: int | None = None
    metric: str = "mrr@20"
    target: float | None = None


@dataclasses.dataclass
class Progress:
    """Where a run stands, beside its state; saved with every checkpoint, exactly."""

    epoch: int = 0
    row: int = 0  # steps done in this epoch
    loss: float = 0.0  # sums over this epoch
    events: float = 0.0
    best: float = -math.inf
    best_epoch: int = -1
    last: float = math.inf  # mean training loss of the last whole epoch
    seconds: float = 0.0  # spent in training steps, over all sessions


class NotFinite(ArithmeticError):
    """A loss or gradient was not finite."""


class Interrupted(Exception):
    """Training was asked to stop and has saved its state."""


class Loop(NamedTuple):
    """What stays the same while a run trains."""

    chunk: Chunk
    corpus: PyTree
    hparams: PyTree
    folder: Path
    stop: Stop
    validate: Callable[[PyTree], Mapping[str, float]] | None
    log: Log

    def record(self, line: dict[str, Any]) -> None:
        """Appends a line to `metrics.jsonl` and shows it."""
        with (self.folder / JOURNAL).open("a") as stream:
            stream.write(json.dumps(line) + "\n")
        self.log(line)

    def save(self, kind: str, state: TrainState, note: dict[str, Any], keep: int = 2) -> None:
        """Saves the state as the newest checkpoint of one kind: latest, best or last_good."""
        checkpoint.save(self.folder / "checkpoints" / kind, int(state.step), _kept(state), note, keep)


def fit(
    state: TrainState,
    plan: Callable[[int], PyTree],
    chunk: Chunk,
    corpus: PyTree,
    hparams: PyTree,
    *,
    folder: Path,
    stop: Stop,
    validate: Callable[[PyTree], Mapping[str, float]] | None = None,
    log: Log = lambda record: None,
    chunk_steps: int = 200,
    save_seconds: float = 30.0,
    resume: bool = False,
) -> tuple[PyTree, Progress]:
    """Trains until `stop`; returns the parameters of the best validated epoch (else the last) and the progress.

    plan: the rows of an epoch, a tree of arrays with a leading step axis; a row of zeros is silent. `folder` receives
    `metrics.jsonl` and `checkpoints/`; saves fall on multiples of `chunk_steps` from the epoch's start, so that a
    resumed run executes the same program on the same rows. Raises NotFinite (the last good state is saved in
    `checkpoints/last_good`) and Interrupted (SIGTERM or SIGINT, after saving at the next chunk boundary).
    """
    loop, progress = Loop(chunk, corpus, hparams, folder, stop, validate, log), Progress()
    if resume:
        state, progress = _resume(state, folder, log)
    if not checkpoint.finished(folder / LATEST):
        loop.save("latest", state, dataclasses.asdict(progress))  # a folder that cannot be written shows now
    with _interruptions() as interrupted:
        while progress.epoch < stop.epochs and not _ended(progress, stop):
            state = _epoch(loop, state, plan(progress.epoch), progress, interrupted, chunk_steps, save_seconds)
    if progress.best_epoch < 0:
        return state.params, progress
    return checkpoint.restore(folder / "checkpoints/best", _kept(state))[0].params, progress


def _epoch(
    loop: Loop,
    state: TrainState,
    rows: PyTree,
    progress: Progress,
    interrupted: threading.Event,
    chunk_steps: int,
    save_seconds: float,
) -> TrainState:
    """Runs what is left of one epoch, chunk by chunk, saving now and then and at its end."""
    total, saved = jax.tree.leaves(rows)[0].shape[0], time.monotonic()
    for begin in range(progress.row, total, chunk_steps):
        steps = min(chunk_steps, total - begin)
        state = _advance(loop, state, _part(rows, begin, steps, chunk_steps), progress, steps, total)
        if progress.row == total:
            _finish_epoch(loop, state, progress)
        elif not interrupted.is_set() and time.monotonic() - saved < save_seconds:
            continue
        loop.save("latest", state, dataclasses.asdict(progress))
        saved = time.monotonic()
        if interrupted.is_set():
            raise Interrupted(f"stopped by a signal and saved at step {int(state.step)}: continue with --resume")
    return state


def _part(rows: PyTree, begin: int, steps: int, length: int) -> PyTree:
    """`steps` rows of a plan, filled up to `length` with zeros, which are silent: one program serves every chunk."""

    def take(leaf: np.ndarray) -> np.ndarray:
        return np.pad(leaf[begin : begin + steps], ((0, length - steps), *[(0, 0)] * (leaf.ndim - 1)))

    return jax.tree.map(take, rows)


def _advance(loop: Loop, state: TrainState, part: PyTree, progress: Progress, steps: int, total: int) -> TrainState:
    """Runs one chunk and adds its sums to the progress."""
    begin = time.monotonic()
    state, metrics = loop.chunk(state, part, loop.corpus, loop.hparams)
    loss, events = (float(np.asarray(metrics[name], np.float64).sum()) for name in ("loss", "events"))
    if not bool(state.healthy):
        loop.save("last_good", state, dataclasses.asdict(progress))
        raise NotFinite(
            f"loss or gradient is not finite at step {int(state.step)} (epoch {progress.epoch + 1}) with "
            f"{_settings(loop.hparams)}; the state before it is in checkpoints/last_good: lower the learning rate"
        )
    progress.seconds += time.monotonic() - begin
    progress.row += steps
    progress.loss, progress.events = progress.loss + loss, progress.events + events
    line = {"kind": "train", "step": int(state.step), "epoch": progress.epoch, "loss": loss / max(events, 1.0)}
    loop.record(line | {"events": events, "of_epoch": progress.row / total, "seconds": progress.seconds})
    return state


def _finish_epoch(loop: Loop, state: TrainState, progress: Progress) -> None:
    """Validates, remembers the best parameters, and moves the progress to the next epoch."""
    epoch, stop = progress.epoch + 1, loop.stop
    line = {"kind": "epoch", "step": int(state.step), "epoch": epoch}
    progress.last = progress.loss / max(progress.events, 1.0)
    line |= {"loss": progress.last, "events": progress.events}
    if loop.validate is not None:
        scores = loop.validate(state.params)
        if stop.metric not in scores:
            raise ValueError(f"stop.metric={stop.metric!r} is not validated: choose one of {sorted(scores)}")
        line |= {f"validation/{name}": value for name, value in scores.items()}
        if scores[stop.metric] > progress.best:
            progress.best, progress.best_epoch = float(scores[stop.metric]), epoch
            loop.save("best", state, {"epoch": epoch}, keep=1)
    progress.epoch, progress.row, progress.loss, progress.events = epoch, 0, 0.0, 0.0
    loop.record(line | {"seconds": progress.seconds})


def _resume(state: TrainState, folder: Path, log: Log) -> tuple[TrainState, Progress]:
    """The newest intact checkpoint, with the journal cut back to it; the fresh state if nothing was saved yet."""
    journal = folder / JOURNAL
    if not checkpoint.finished(folder / LATEST):
        journal.unlink(missing_ok=True)
        return state, Progress()
    kept, note, problems = checkpoint.restore(folder / LATEST, _kept(state))
    for problem in problems:
        log({"kind": "warning", "message": f"{problem}; continuing from the checkpoint before it"})
    progress = Progress(**note)
    _cut_journal(journal, int(kept.step))
    log({"kind": "resume", "step": int(kept.step), "epoch": progress.epoch, "row": progress.row})
    return kept.replace(slot=state.slot), progress


def _cut_journal(journal: Path, step: int) -> None:
    """Drops the lines that were written after `step`, and a last line that a kill cut short."""
    lines = journal.read_text().splitlines() if journal.exists() else []
    kept = []
    for line in lines:
        try:
            if json.loads(line)["step"] <= step:
                kept.append(line + "\n")
        except ValueError:
            break
    partial = journal.with_suffix(".partial")
    partial.write_text("".join(kept))
    partial.replace(journal)


def _kept(state: TrainState) -> TrainState:
    """The part of a state that results depend on."""
    return state.replace(slot={})


def _ended(progress: Progress, stop: Stop) -> bool:
    """Whether a whole epoch has met the target, or too many have passed since the best."""
    if progress.row or not progress.epoch:
        return False
    patient = stop.patience is None or progress.best_epoch < 0 or progress.epoch - progress.best_epoch < stop.patience
    return not patient or (stop.target is not None and progress.last <= stop.target)


def _settings(hparams: PyTree) -> str:
    leaves = jax.tree.leaves_with_path(hparams)
    named = ((jax.tree_util.keystr(path, simple=True, separator="."), float(leaf)) for path, leaf in leaves)
    return ", ".join(f"{name}={value:g}" for name, value in named)


@contextmanager
def _interruptions() -> Iterator[threading.Event]:
    """Turns SIGTERM and SIGINT into a flag while the block runs (main thread only: others get no signals)."""
    flag, old = threading.Event(), {}
    if threading.current_thread() is not threading.main_thread():
        yield flag
        return

    def ask(number: int, frame: Any) -> None:
        flag.set()
        if number == signal.SIGINT:
            signal.signal(number, old[number])  # a second Ctrl-C does not wait

    for number in (signal.SIGTERM, signal.SIGINT):
        old[number] = signal.signal(number, ask)
    try:
        yield flag
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
