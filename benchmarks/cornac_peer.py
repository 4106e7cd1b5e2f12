"""Cornac's PyTorch GRU4Rec as a peer: its data set, iterator, sampler, loss, optimizer and `fit`, timed from outside.

Driven by `gru4rec.py`. Needs the extra `bench`.

Differs from Cornac's `fit` as shipped in one point: sessions come in the given order instead of shuffled every epoch.
Differs from the authors' program (as written, so not repaired here):
- negatives are drawn at every step with `RandomState.choice`, whose cost grows with the number of items; no store;
- the loss of a step is divided by its live rows, not by the configured lanes, so tail steps are larger;
- BPR-max leaves the weights of the negatives unnormalised on steps with a single live row;
- initial weights always come from numpy's seed 42; `seed` moves only the negatives and the dropout.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import NamedTuple
from unittest import mock

import numpy as np
import torch
from cornac.data.dataset import SequentialDataset
from cornac.models.gru4rec import recom_gru4rec
from cornac.models.seq_utils import losses
from settings import Sessions, Setting, Timing, clock


class Peer(NamedTuple):
    """What Cornac needs to train: its data set, the setting and the seed of negatives and dropout."""

    dataset: SequentialDataset
    setting: Setting
    seed: int
    built: Timing  # what it took to make the data set of the sessions


class Training(NamedTuple):
    """Whole epochs: the fitted recommender, each epoch's loss and time, and the time before the first epoch.

    `losses` weights each step's loss by its live rows, a step's loss being its row sum / lanes, as the authors report
    it; `row_losses` is the mean over rows, the number in Cornac's progress bar. `prepare` begins at the session list.
    """

    recommender: recom_gru4rec.GRU4Rec
    losses: list[float]
    row_losses: list[float]
    epochs: list[Timing]
    prepare: Timing


class InOrder(SequentialDataset):
    """A data set whose sessions leave Cornac's pool, a stack refilled block by block, in the order they were given."""

    def s_iter(self, batch_size: int = 1, shuffle: bool = False) -> Iterator:
        """Yields blocks of sessions, never shuffled, last session of the block first."""
        for sessions, events in super().s_iter(batch_size, shuffle=False):
            yield sessions[::-1], events[::-1]


def build(sessions: Sessions, setting: Setting, seed: int = 0) -> Peer:
    """Puts the sessions into Cornac's data set, item ids kept, and holds torch to one thread.

    Raises ValueError where fewer sessions than lanes have a next item: Cornac's iterator would fail.
    """
    usable = int((np.diff(sessions.offsets) > 1).sum())
    if usable < setting.lanes:
        raise ValueError(f"{usable} sessions of two or more events: Cornac needs one for each of {setting.lanes} lanes")
    torch.set_num_threads(1)
    start = clock()
    session = np.repeat(np.arange(len(sessions.offsets) - 1), np.diff(sessions.offsets))
    rows = list(zip(session.tolist(), sessions.items.tolist(), range(len(session)), strict=True))  # position as time
    vocabulary = OrderedDict((item, item) for item in range(int(sessions.items.max()) + 1))
    dataset = InOrder.build(rows, fmt="SIT", global_iid_map=vocabulary, seed=seed)
    return Peer(dataset, setting, seed, Timing(0, *(clock() - start).tolist()))


def recommender(peer: Peer, epochs: int) -> recom_gru4rec.GRU4Rec:
    """Cornac's recommender with the peer's setting in Cornac's words."""
    setting = peer.setting
    torch.manual_seed(peer.seed)  # Cornac seeds negatives and weights, not dropout
    return recom_gru4rec.GRU4Rec(
        layers=[setting.features],
        loss=setting.loss,
        batch_size=setting.lanes,
        dropout_p_embed=setting.dropout_embed,
        dropout_p_hidden=setting.dropout_hidden,
        learning_rate=setting.learning_rate,
        momentum=setting.momentum,
        sample_alpha=setting.alpha,
        n_sample=setting.negatives,
        constrained_embedding=True,
        n_epochs=epochs,
        bpreg=setting.penalty,
        elu_param=setting.elu,
        logq=setting.logq,
        device="cpu",
        seed=peer.seed,
    )


@contextmanager
def iterating(wrap: Callable[[Iterator], Iterator]) -> Iterator[None]:
    """Lets `wrap` stand between Cornac's batch iterator and its training loop."""
    batches = recom_gru4rec.io_iter
    with mock.patch.object(recom_gru4rec, "io_iter", lambda **arguments: wrap(batches(**arguments))):
        yield


@contextmanager
def recording(loss: str, record: Callable[[float, int], None]) -> Iterator[None]:
    """Calls `record(loss, live rows)` at every step that Cornac trains."""
    original = losses.LOSS_FUNCTIONS[loss]

    def recorded(scores: torch.Tensor, **arguments) -> torch.Tensor:
        value = original(scores, **arguments)
        record(value.item(), len(scores))
        return value

    with mock.patch.dict(losses.LOSS_FUNCTIONS, {loss: recorded}):
        yield


def steps_per_epoch(peer: Peer) -> int:
    """Steps that Cornac's iterator makes of the sessions, tail included."""
    data = peer.dataset
    return sum(1 for _ in recom_gru4rec.io_iter(data.s_iter, data.uir_tuple, batch_size=peer.setting.lanes))


def run_steps(peer: Peer, count: int, position: int = 100, warm: int = 20) -> Timing:
    """Times `count` steps of a fresh model, drawing included, that begin at step `position` of the epoch.

    The `warm` steps before them are trained too but not timed; of the steps before those only the batches are drawn.
    Raises ValueError where the epoch is shorter than that.
    """
    marks = []

    def window(batches: Iterator) -> Iterator:
        batches = islice(batches, max(position - warm, 0), position + count)
        yield from islice(batches, min(position, warm))
        marks.append(clock())
        trained = 0
        for batch in batches:
            trained += 1
            yield batch
        marks.append(clock())
        if trained < count:
            raise ValueError(f"the epoch has fewer than {position + count} steps: lower {position=} or {count=}")

    with iterating(window):
        recommender(peer, epochs=1).fit(peer.dataset)
    return Timing(count, *(marks[1] - marks[0]).tolist())


def run_epochs(peer: Peer, epochs: int) -> Training:
    """Trains whole epochs with Cornac's `fit`."""
    marks, rows = [clock()], []

    def epoch(batches: Iterator) -> Iterator:
        marks.append(clock())
        rows.append([])
        yield from batches
        if len(rows) == epochs:
            marks.append(clock())

    with iterating(epoch), recording(peer.setting.loss, lambda *row: rows[-1].append(row)):
        fitted = recommender(peer, epochs).fit(peer.dataset)
    taken = np.diff(marks, axis=0).tolist()
    steps = [np.array(row).T for row in rows]
    return Training(
        recommender=fitted,
        losses=[float((loss * live**2).sum() / live.sum() / peer.setting.lanes) for loss, live in steps],
        row_losses=[float((loss * live).sum() / live.sum()) for loss, live in steps],
        epochs=[Timing(len(row), *seconds) for row, seconds in zip(rows, taken[1:], strict=True)],
        prepare=Timing(0, *np.add(peer.built[1:], taken[0]).tolist()),
    )
