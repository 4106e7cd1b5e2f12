"""The lives of items: all events on each of them, of which a question may see those that came before it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from seqjax.data.events import DataError, EventLog


class ItemLives(NamedTuple):
    """The other side of a log: who had each item, and when.

    Sequence i of `log` is what is known of item i, oldest event first, with the users and other features of its events;
    sequence 0 is empty. What happened at the time of a question or later is never seen.
    """

    log: EventLog
    window: int  # the newest events that are read


def item_lives(log: EventLog, window: int = 100) -> ItemLives:
    """The lives of all items of a log, ties in the log's order.

    Raises DataError for a window that is not positive, and where the log has no times: then nothing tells which events
    on an item came before a question.

    >>> columns = {"item": np.array([1, 2, 1]), "user": np.array([1, 1, 2]), "time": np.array([5, 6, 3])}
    >>> words = {"item": np.array(["a", "b"]), "user": np.array(["u", "v"])}
    >>> lives = item_lives(EventLog(np.array([0, 2, 3]), columns, words)).log
    >>> lives.offsets.tolist(), lives.columns["user"].tolist()
    ([0, 0, 2, 3], [2, 1, 1])
    """
    if window < 1:
        raise DataError(f"item_history={window}: read 1 event or more of an item's life, or 0 to leave items out")
    if "time" not in log.columns:
        raise DataError(f"item_history={window}: the log has no times, which tell what came before; set item_history=0")
    item, time = log.columns["item"], log.columns["time"]
    if log.events and np.ptp(time) >= 2**31:
        raise DataError(f"item_history={window}: times span more than 68 years; drop the stray ones")
    order = np.lexsort((time, item))
    words = {name: entries for name, entries in log.vocabulary.items() if name in log.columns and name != "item"}
    columns = {name: log.columns[name][order] for name in (*words, "time")}
    return ItemLives(EventLog(np.append(0, np.cumsum(log.counts())), columns, words), window)


def checked_lives(lives: ItemLives, log: EventLog, name: str) -> None:
    """Raises DataError where an item's life is not in order of time, or not the one that the log tells of."""
    item, held = log.columns["item"], lives.log
    time = held.columns["time"]
    same = np.diff(held.sequence) == 0
    if (np.diff(time)[same] < 0).any():
        row = int(np.argmax((np.diff(time) < 0) & same))
        raise DataError(f"{name}: the life of item {held.sequence[row]} is not in order of time at event {row}; sort")
    rows = len(log.vocabulary["item"]) + 1
    first = log.columns["time"].min(initial=0)
    told, real = (
        np.bincount(owner, at - first + 1, minlength=rows)  # an event earlier than it was would be seen too soon
        for owner, at in ((held.sequence, time), (item, log.columns["time"]))
    )
    if not np.array_equal(told, real):
        row = int(np.argmax(told != real))
        raise DataError(f"{name}: the life of item {row} is not that of the log; make it by `item_lives`")
