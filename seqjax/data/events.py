"""The event log: sequences of events as flat columns, one sequence after the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int, Shaped

from seqjax.data.vocabulary import lookup


class DataError(ValueError):
    """A log that cannot be used: the message names the file, the row, the value and the remedy."""


class EventLog(NamedTuple):
    """Events of many sequences (sessions, users, series), each sequence contiguous and oldest event first.

    A column that has a vocabulary holds ids 1..V (0 is padding and never occurs in a log); the id `i` stands for
    `vocabulary[name][i - 1]`. Other columns are plain numbers. `time` is in seconds since 1970-01-01 UTC.
    """

    offsets: Int[np.ndarray, "offset"]  # sequence s holds the events offsets[s] .. offsets[s + 1] - 1
    columns: Mapping[str, Shaped[np.ndarray, "event"]]  # "item": int32 ids, "time": int64 seconds, ...
    vocabulary: Mapping[str, Shaped[np.ndarray, "word"]]  # per id column, the original keys as text
    keys: Mapping[str, Shaped[np.ndarray, "sequence"]] = {}  # per sequence: "session", "user", ... as text

    @property
    def events(self) -> int:
        """Number of events."""
        return int(self.offsets[-1])

    @property
    def sequences(self) -> int:
        """Number of sequences."""
        return len(self.offsets) - 1

    @property
    def lengths(self) -> Int[np.ndarray, "sequence"]:
        """Events of each sequence."""
        return np.diff(self.offsets)

    @property
    def sequence(self) -> Int[np.ndarray, "event"]:
        """The sequence that each event belongs to."""
        return np.repeat(np.arange(self.sequences, dtype=np.int32), self.lengths)

    def first(self) -> Bool[np.ndarray, "event"]:
        """Marks the first event of every sequence."""
        mark = np.zeros(self.events, bool)
        mark[self.offsets[:-1][self.lengths > 0]] = True
        return mark

    def head(self, count: int) -> EventLog:
        """The first so many sequences."""
        return take(self, np.arange(min(count, self.sequences)))

    def counts(self, column: str = "item") -> Int[np.ndarray, "row"]:
        """How often each id occurs; index 0 (padding) is always 0."""
        return np.bincount(self.columns[column], minlength=len(self.vocabulary[column]) + 1)


class Split(NamedTuple):
    """A log for training, an optional one for choosing (early stopping), and one for judging.

    All three share the vocabularies of `train`; what preparation dropped or decided is counted in `notes`.
    """

    train: EventLog
    validation: EventLog | None
    test: EventLog
    notes: Mapping[str, int | float | str] = {}


def take(log: EventLog, sequences: Int[np.ndarray, "chosen"]) -> EventLog:
    """The log of the chosen sequences, in the given order, vocabularies unchanged.

    >>> log = EventLog(np.array([0, 2, 3]), {"item": np.array([1, 2, 2])}, {"item": np.array(["a", "b"])})
    >>> take(log, np.array([1, 0])).columns["item"].tolist()
    [2, 1, 2]
    """
    lengths = log.lengths[sequences]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    events = np.arange(offsets[-1]) + np.repeat(log.offsets[:-1][sequences] - offsets[:-1], lengths)
    return EventLog(
        offsets,
        {name: column[events] for name, column in log.columns.items()},
        log.vocabulary,
        {name: key[sequences] for name, key in log.keys.items()},
    )


def join(first: EventLog, second: EventLog) -> EventLog:
    """The series of two logs of one vocabulary, one log after the other, with the columns that both have.

    Raises ValueError where the vocabularies differ.

    >>> log = EventLog(np.array([0, 2]), {"item": np.array([1, 2])}, {"item": np.array(["a", "b"])})
    >>> join(log, log).offsets.tolist()
    [0, 2, 4]
    """
    for name, words in first.vocabulary.items():
        if not np.array_equal(words, second.vocabulary.get(name)):
            raise ValueError(f"the vocabularies of {name!r} differ: express both logs in one")
    columns = {
        name: np.concatenate([column, second.columns[name]])
        for name, column in first.columns.items()
        if name in second.columns
    }
    offsets = np.concatenate([first.offsets, first.events + second.offsets[1:]])
    return EventLog(offsets, columns, first.vocabulary)


def padded(
    log: EventLog, sequences: Int[np.ndarray, "chosen"]
) -> tuple[Int[np.ndarray, "chosen time"], Bool[np.ndarray, "chosen time"]]:
    """The items of the chosen sequences side by side, filled up with padding, and where there is an event."""
    lengths = log.lengths[sequences]
    valid = np.arange(lengths.max(initial=0)) < lengths[:, None]
    position = log.offsets[:-1][sequences][:, None] + np.arange(lengths.max(initial=0))
    return np.where(valid, np.append(log.columns["item"], 0)[np.where(valid, position, -1)], 0), valid


def keep(log: EventLog, events: Bool[np.ndarray, "event"]) -> EventLog:
    """The log of the marked events: neighbours of removed ones become adjacent, a sequence may become empty.

    >>> log = EventLog(np.array([0, 2, 3]), {"item": np.array([1, 2, 2])}, {"item": np.array(["a", "b"])})
    >>> keep(log, np.array([True, False, False])).offsets.tolist()
    [0, 1, 1]
    """
    kept = np.concatenate([[0], np.cumsum(events)])
    columns = {name: column[events] for name, column in log.columns.items()}
    return log._replace(offsets=kept[log.offsets], columns=columns)


def at_least(log: EventLog, events: int = 2) -> EventLog:
    """The log of the sequences that have this many events or more, in the same order.

    >>> log = EventLog(np.array([0, 2, 3]), {"item": np.array([1, 2, 2])}, {"item": np.array(["a", "b"])})
    >>> at_least(log, 2).sequences
    1
    """
    return take(log, np.flatnonzero(log.lengths >= events))


def first_appearance(ids: Int[np.ndarray, "event"], size: int) -> Int[np.ndarray, "word"]:
    """The ids below `size` that occur, in the order of their first occurrence.

    >>> first_appearance(np.array([3, 1, 3, 2]), size=5).tolist()
    [3, 1, 2]
    """
    first = np.full(size, len(ids))
    first[ids[::-1]] = np.arange(len(ids))[::-1]  # of repeated indices numpy keeps the last, here the earliest event
    order = np.argsort(first, kind="stable")
    return order[: np.count_nonzero(first < len(ids))]


def grouped(
    owner: Int[np.ndarray, "event"], time: Shaped[np.ndarray, "event"] | None = None
) -> tuple[Int[np.ndarray, "event"], Int[np.ndarray, "offset"]]:
    """The order that lays events out owner by owner, and the offsets of the owners in it.

    Events of one owner come by time, ties and everything without times in the given order; owners come by their first
    event. Owners are integers from 0; one without events gets no sequence.

    >>> order, offsets = grouped(np.array([1, 0, 1]), time=np.array([7, 3, 5]))
    >>> order.tolist(), offsets.tolist()
    ([1, 2, 0], [0, 1, 3])
    """
    order = np.arange(len(owner)) if time is None else np.argsort(time, kind="stable")
    size = int(owner.max()) + 1 if len(owner) else 0
    present = first_appearance(owner[order], size)
    rank = np.zeros(size, np.int64)
    rank[present] = np.arange(len(present))
    sequence = rank[owner[order]]
    lengths = np.bincount(sequence, minlength=len(present))
    return order[np.argsort(sequence, kind="stable")], np.concatenate([[0], np.cumsum(lengths)])


def renumbered(log: EventLog, column: str = "item") -> EventLog:
    """The log with this column's vocabulary cut to the words that occur, numbered by first appearance.

    >>> log = EventLog(np.array([0, 2]), {"item": np.array([3, 1])}, {"item": np.array(["a", "b", "c"])})
    >>> renumbered(log).vocabulary["item"].tolist()
    ['c', 'a']
    """
    words = log.vocabulary[column]
    present = first_appearance(log.columns[column], len(words) + 1)
    number = np.zeros(len(words) + 1, np.int32)
    number[present] = np.arange(1, len(present) + 1)
    return log._replace(
        columns={**log.columns, column: number[log.columns[column]]},
        vocabulary={**log.vocabulary, column: words[present - 1]},
    )


RARE = "(rare)"
"""What stands for all rare words of a vocabulary."""


def bucketed(log: EventLog, least: int, column: str = "item") -> tuple[EventLog, int]:
    """The log with one word, `RARE`, for all that occur fewer than `least` times, and how many events that replaced.

    >>> log = EventLog(np.array([0, 3]), {"item": np.array([1, 2, 1])}, {"item": np.array(["a", "b"])})
    >>> bucketed(log, 2)[0].vocabulary["item"].tolist()
    ['a', '(rare)']
    """
    words, count = log.vocabulary[column], log.counts(column)[1:]
    rare = count < least
    if not rare.any():
        return log, 0
    often = ~rare & (words != RARE)  # a log whose rare words were joined before has that word already
    number = np.where(often, np.cumsum(often), often.sum() + 1)
    ids = np.concatenate([[0], number]).astype(np.int32)[log.columns[column]]
    kept = np.append(words[often], RARE)
    log = log._replace(columns={**log.columns, column: ids}, vocabulary={**log.vocabulary, column: kept})
    return log, int(count[rare].sum())


def expressed(log: EventLog, words: Shaped[np.ndarray, "word"], column: str = "item") -> EventLog:
    """The log in another vocabulary, without the events whose word is not in it (neighbours become adjacent).

    >>> log = EventLog(np.array([0, 3]), {"item": np.array([1, 2, 1])}, {"item": np.array(["a", "b"])})
    >>> expressed(log, np.array(["z", "a"])).columns["item"].tolist()
    [2, 2]
    """
    ids = np.concatenate([[0], lookup(words, log.vocabulary[column])]).astype(np.int32)[log.columns[column]]
    log = log._replace(columns={**log.columns, column: ids}, vocabulary={**log.vocabulary, column: words})
    return keep(log, ids > 0)


def in_time_order(log: EventLog) -> EventLog:
    """The log without empty sequences, sequences by their first event, ties and a log without times as they are."""
    log = at_least(log, 1)
    if "time" not in log.columns:
        return log
    return take(log, np.argsort(log.columns["time"][log.offsets[:-1]], kind="stable"))
