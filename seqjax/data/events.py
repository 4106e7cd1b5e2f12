"""The event log: sequences of events as flat columns, one sequence after the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int, Shaped


class EventLog(NamedTuple):
    """Events of many sequences (sessions, users, series), each sequence contiguous and oldest event first.

    A column that has a vocabulary holds ids 1..V (0 is padding and never occurs in a log); the id `i` stands for
    `vocabulary[name][i - 1]`. Other columns are plain numbers. `time` is in seconds since 1970-01-01 UTC.
    """

    offsets: Int[np.ndarray, "sequence+1"]  # sequence s holds the events offsets[s] .. offsets[s + 1] - 1
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

    def counts(self, column: str = "item") -> Int[np.ndarray, "word+1"]:
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
