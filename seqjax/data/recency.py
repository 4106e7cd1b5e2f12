"""How long ago and how often: id columns that follow from a log's items and times, and the same as of a moment.

Sequences of the log are users, whose events come in the order of time; events of one second are one basket.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

from seqjax.data.events import EventLog
from seqjax.data.samples import Samples
from seqjax.data.split import DAY

GAPS = np.array(["first", "0-1", "2-3", "4-7", "8-14", "15-28", "29-56", "57+"])
"""Whole days since the user last had the item, as the words of the column `gap`."""
TIMES = np.array(["0", "1", "2", "3-4", "5-8", "9-16", "17+"])
"""How often the user had had the item before, as the words of the column `times`."""
WAITS = np.array(["first", "same basket", "0", "1", "2-3", "4-7", "8-14", "15+"])
"""Whole days since the event before, as the words of the column `wait`."""
LATELY = np.array(["0", "1", "2", "3-4", "5-8", "9+"])
"""How often the user had had the item in the 56 days before, as the words of the column `lately`."""
LATE = 57 * DAY - 1  # seconds: 56 whole days, as in `gap`
DERIVED = {"gap": GAPS, "times": TIMES, "wait": WAITS, "lately": LATELY}
"""Words of the columns that `derived` gives."""


def derived(log: EventLog) -> dict[str, Int[np.ndarray, "event"]]:
    """The columns `gap`, `times`, `wait` and `lately` of every event.

    >>> log = EventLog(np.array([0, 3]), {"item": np.array([1, 2, 1]), "time": np.array([0, 0, 5 * 86400])}, {})
    >>> [words[derived(log)[name] - 1].tolist() for name, words in DERIVED.items()]
    [['first', 'first', '4-7'], ['0', '0', '1'], ['first', 'same basket', '4-7'], ['0', '0', '1']]
    """
    time, pair = log.columns["time"], _pairs(log.sequence, log.columns["item"])
    order = np.argsort(pair, kind="stable")
    count, apart, recent = (np.zeros(log.events, np.int64) for _ in range(3))
    count[order] = np.arange(log.events) - np.searchsorted(pair[order], pair[order])
    apart[order[1:]] = np.diff(time[order])
    group = np.cumsum(np.diff(pair[order], prepend=-1) != 0) - 1
    recent[order] = np.arange(log.events) - _first_since(group, time[order], group, time[order] - LATE)
    since = np.diff(time, prepend=0)
    wait = np.where(log.first(), 1, np.where(since == 0, 2, _wait(since // DAY))).astype(np.int32)
    gap = np.where(count > 0, _gap(apart // DAY), 1)
    return {"gap": gap, "times": _times(count), "wait": wait, "lately": _lately(recent)}


def as_of(samples: Samples) -> dict[str, Int[np.ndarray, "sample"]]:
    """The columns of an event of the target at each sample's moment, after the events that it may see."""
    log, item, time = samples.log, samples.target["item"], samples.log.columns["time"]
    end = log.offsets[:-1][samples.sequence] + samples.cutoff
    known, group = np.unique(_pairs(log.sequence, log.columns["item"]), return_inverse=True)
    place = group * (log.events + 1) + np.arange(log.events)
    order = np.argsort(place)  # by user and item, then by time
    pair = _pairs(samples.sequence, item)  # the sample's own user: the event at `end` may be another's
    asked = np.searchsorted(known, pair)
    first, last = (np.searchsorted(place[order], asked * (log.events + 1) + at) for at in (np.zeros_like(end), end))
    some = np.append(known, -1)[asked] == pair
    rank = np.where(some, last - first, 0)
    days = (samples.moment - time[order[np.maximum(last - 1, 0)]]) // DAY
    idle = (samples.moment - time[np.maximum(end - 1, 0)]) // DAY
    wait = np.where(samples.cutoff > 0, _wait(idle), 1).astype(np.int32)
    recent = last - _first_since(group[order], time[order], asked, samples.moment - LATE)
    gap, lately = np.where(rank > 0, _gap(days), 1), _lately(np.where(some, np.minimum(recent, rank), 0))
    return {"gap": gap, "times": _times(rank), "wait": wait, "lately": lately}


def _pairs(sequence: Int[np.ndarray, "chosen"], item: Int[np.ndarray, "chosen"]) -> Int[np.ndarray, "chosen"]:
    """One number for a user and an item."""
    return sequence.astype(np.int64) * 2**32 + item


def _first_since(
    group: Int[np.ndarray, "event"], time: Int[np.ndarray, "event"], asked: np.ndarray, since: np.ndarray
) -> Int[np.ndarray, "chosen"]:
    """The place of the first event of each asked group that is not before a second; groups, and their times, ascend."""
    begin, span = (int(time.min()), int(np.ptp(time)) + 2) if len(time) else (0, 2)
    place = group.astype(np.int64) * span + (time - begin)
    return np.searchsorted(place, asked.astype(np.int64) * span + np.clip(since - begin, 0, span - 1))


def _gap(days: Int[np.ndarray, "chosen"]) -> Int[np.ndarray, "chosen"]:
    return (2 + np.searchsorted([2, 4, 8, 15, 29, 57], days, side="right")).astype(np.int32)


def _times(count: Int[np.ndarray, "chosen"]) -> Int[np.ndarray, "chosen"]:
    return (1 + np.searchsorted([1, 2, 3, 5, 9, 17], count, side="right")).astype(np.int32)


def _lately(count: Int[np.ndarray, "chosen"]) -> Int[np.ndarray, "chosen"]:
    return (1 + np.searchsorted([1, 2, 3, 5, 9], count, side="right")).astype(np.int32)


def _wait(days: Int[np.ndarray, "chosen"]) -> Int[np.ndarray, "chosen"]:
    return (3 + np.searchsorted([1, 2, 4, 8, 15], days, side="right")).astype(np.int32)
