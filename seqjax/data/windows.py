"""Layouts of whole series for training: which symbol stands where, as integer arrays; five ways, one form.

A series a_1 .. a_L is read as begin, a_1, .., a_L and asked for a_1, .., a_L, end. Begin and end are one symbol, the
boundary, with the id V + 1, so that the symbols of a log in order (`symbols`) hold both what is read at a position and,
one further, what is asked there. A layout says which positions stand in which window, in steps of lanes. With
`boundary=False` there is no begin: positions are those of the log's own events.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from seqjax.data.events import DataError, EventLog
from seqjax.data.plan import by_length


class WindowPlan(NamedTuple):
    """At every step each lane reads a window of symbols, going on from its window of the step before.

    Where `fresh`, a lane forgets first: a series begins. Where not `valid`, there is nothing.
    """

    position: Int[np.ndarray, "step lane time"]
    fresh: Bool[np.ndarray, "step lane time"]
    valid: Bool[np.ndarray, "step lane time"]
    divisor: Float[np.ndarray, "step"]  # mean number of valid symbols a step, the same for every step

    @property
    def steps(self) -> int:
        """Number of steps."""
        return len(self.position)

    @property
    def occupancy(self) -> float:
        """Share of places that hold data."""
        return float(self.valid.mean()) if self.valid.size else 0.0


def symbols(log: EventLog) -> Int[np.ndarray, "symbol"]:
    """All series in a row, the boundary before, between and after them.

    >>> log = EventLog(np.array([0, 2, 3]), {"item": np.array([1, 2, 2])}, {"item": np.array(["a", "b"])})
    >>> symbols(log).tolist()
    [3, 1, 2, 3, 2, 3]
    """
    row = np.full(log.events + log.sequences + 1, len(log.vocabulary["item"]) + 1, np.int32)
    row[np.arange(log.events) + log.sequence + 1] = log.columns["item"]
    return row


class Spans(NamedTuple):
    """Where every series begins among the positions, and how many of them it has."""

    begin: Int[np.ndarray, "sequence"]
    length: Int[np.ndarray, "sequence"]


def spans(log: EventLog, boundary: bool = True) -> Spans:
    """The positions of every series: in `symbols`, its begin and its actions; or those of its events."""
    extra = np.arange(log.sequences) if boundary else 0
    return Spans(log.offsets[:-1] + extra, log.lengths + boundary)


class Asked(NamedTuple):
    """The symbols of a log in a row; and of each but the first, which is asked for, its series and its place there."""

    symbol: Int[np.ndarray, "..."]
    series: Int[np.ndarray, "symbol"]
    place: Int[np.ndarray, "symbol"]  # a_1 has place 0


def asked(log: EventLog) -> Asked:
    """What a log asks for, series after series: a_1 .. a_L and the end of each.

    >>> log = EventLog(np.array([0, 2, 3]), {"item": np.array([1, 2, 2])}, {"item": np.array(["a", "b"])})
    >>> asked(log).place.tolist()
    [0, 1, 2, 0, 1]
    """
    begin, length = spans(log)
    place = np.arange(length.sum()) - np.repeat(begin, length)
    return Asked(symbols(log), np.repeat(np.arange(log.sequences), length), place)


def per_series(
    log: EventLog, *, seed: int = 0, epoch: int = 0, lanes: int = 40, pool: int = 1, boundary: bool = True
) -> WindowPlan:
    """One whole series a lane and step, in an order drawn anew for every epoch; the window fits the longest.

    pool: series are sorted by length among so many steps' worth, which saves time where a step only runs as far as its
    longest series, at the price of steps that are alike (1 sorts nothing).
    """
    begin, length = spans(log, boundary)
    order = _order(log, seed, epoch)
    order = by_length(order, length, pool * lanes) if pool > 1 else order
    steps = -(-len(order) // lanes)
    grid = np.append(order, np.full(steps * lanes - len(order), -1)).reshape(steps, lanes)
    if pool > 1:
        grid = np.random.default_rng((seed, epoch, 1)).permutation(grid)
    begin, length = np.append(begin, 0)[grid], np.append(length, 0)[grid]
    time = np.arange(length.max(initial=0))
    valid = time < length[..., None]
    return _plan(begin[..., None] + time, valid & (time == 0), valid)


def stream(
    log: EventLog,
    *,
    seed: int = 0,
    epoch: int = 0,
    lanes: int = 40,
    window: int = 20,
    shuffle: bool = True,
    boundary: bool = True,
) -> WindowPlan:
    """All series as one stream, folded into lanes and cut into windows; a lane forgets nothing after its first event.

    The layout of the PTB language-model example (Zaremba et al. 2014), with `shuffle=False`. It teaches what follows
    the end of another series and the middle of one cut by the fold, but hardly how a series begins from nothing.
    """
    held = spans(log, boundary)
    return _fold(held, _series(held, _order(log, seed, epoch, shuffle)), lanes, window, reset=False)


def stream_reset(
    log: EventLog,
    *,
    seed: int = 0,
    epoch: int = 0,
    lanes: int = 40,
    window: int = 20,
    shuffle: bool = True,
    boundary: bool = True,
) -> WindowPlan:
    """`stream`, but a lane forgets wherever a series begins."""
    held = spans(log, boundary)
    return _fold(held, _series(held, _order(log, seed, epoch, shuffle)), lanes, window, reset=True)


def pad_to_multiple(
    log: EventLog,
    *,
    seed: int = 0,
    epoch: int = 0,
    lanes: int = 40,
    window: int = 20,
    shuffle: bool = True,
    boundary: bool = True,
    reset: bool = False,
) -> WindowPlan:
    """`stream`, every series filled up to a multiple of `window`, so that none begins inside a window.

    Padding is not asked for and leaves the state alone; without `reset` the state of one series runs into the next.
    """
    held, order = spans(log, boundary), _order(log, seed, epoch, shuffle)
    length = held.length[order]
    whole = -(-length // window) * window
    places = np.full(whole.sum(), -1)
    shift = np.concatenate([[0], np.cumsum(whole - length)[:-1]]) if len(order) else whole
    places[np.arange(length.sum()) + np.repeat(shift, length)] = _series(held, order)
    return _fold(held, places, lanes, window, reset)


def row_packed(
    log: EventLog, *, seed: int = 0, epoch: int = 0, lanes: int = 4, window: int = 0, boundary: bool = True
) -> WindowPlan:
    """Whole series packed into rows of `window` positions (0: the longest series), each forgetting the one before.

    No series is cut, and little is wasted: in an order drawn for the epoch, each series goes into the row whose rest it
    fills best. Raises DataError where a series does not fit.
    """
    held, order = spans(log, boundary), _order(log, seed, epoch)
    longest = int(held.length.max(initial=1))
    window = window or longest
    if longest > window:
        raise DataError(
            f"a series takes {longest} places and does not fit a row of window={window}: choose {longest} or more, or "
            "the layout stream_reset, which carries the state from window to window"
        )
    length = held.length[order]
    row, column = _pack(length.tolist(), window)
    steps = -(-(int(row.max(initial=-1)) + 1) // lanes)
    places = np.full((steps * lanes, window), -1)
    within = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
    places[np.repeat(row, length), np.repeat(column, length) + within] = _series(held, order)
    places = np.random.default_rng((seed, epoch, 1)).permutation(places).reshape(steps, lanes, window)
    return _plan(places, _begins(held)[places], places >= 0)


def _order(log: EventLog, seed: int, epoch: int, shuffle: bool = True) -> Int[np.ndarray, "sequence"]:
    if not shuffle:
        return np.arange(log.sequences)
    return np.random.default_rng((seed, epoch)).permutation(log.sequences)


def _series(held: Spans, order: Int[np.ndarray, "sequence"]) -> Int[np.ndarray, "event"]:
    """The positions of the series in this order, one series after the other."""
    begin, length = held.begin[order], held.length[order]
    return np.arange(length.sum()) + np.repeat(begin - (np.cumsum(length) - length), length)


def _begins(held: Spans) -> Bool[np.ndarray, "event"]:
    """Marks the begin of every series among the positions; the last entry, for no position, is not marked."""
    mark = np.zeros(held.length.sum() + 1, bool)
    mark[held.begin[held.length > 0]] = True
    return mark


def _fold(held: Spans, stream: Int[np.ndarray, "event"], lanes: int, window: int, reset: bool) -> WindowPlan:
    """A stream of positions (-1: padding) in lanes of equal length, cut into windows."""
    steps = -(-len(stream) // (lanes * window))
    places = np.append(stream, np.full(steps * lanes * window - len(stream), -1))
    places = places.reshape(lanes, steps, window).swapaxes(0, 1)
    fresh = _begins(held)[places] if reset else np.zeros(places.shape, bool)
    fresh[:1, :, 0] = True
    return _plan(places, fresh, places >= 0)


def _plan(position: np.ndarray, fresh: np.ndarray, valid: np.ndarray) -> WindowPlan:
    steps = len(position)
    mean = np.float32(valid.sum() / max(steps, 1))
    return WindowPlan(np.where(valid, position, 0).astype(np.int32), fresh & valid, valid, np.full(steps, mean))


def _pack(lengths: list[int], window: int) -> tuple[np.ndarray, np.ndarray]:
    """Best fit: the row and the column where each length goes, in order.

    Rows with the same room left wait in a stack; the bits of `rooms` say which rooms there are.
    """
    row, column = np.empty(len(lengths), np.int64), np.empty(len(lengths), np.int64)
    waiting: list[list[int]] = [[] for _ in range(window + 1)]
    rooms = opened = 0
    for index, length in enumerate(lengths):  # once per series and epoch, off the training path
        fitting = rooms >> length
        if fitting:
            room = length + (fitting & -fitting).bit_length() - 1
            chosen = waiting[room].pop()
            if not waiting[room]:
                rooms ^= 1 << room
        else:
            room, chosen, opened = window, opened, opened + 1
        row[index], column[index] = chosen, window - room
        if left := room - length:
            waiting[left].append(chosen)
            rooms |= 1 << left
    return row, column
