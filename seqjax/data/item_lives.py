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
    """Raises DataError where an item's life is not the one that the log tells of, event by event.

    One told of as if it had been earlier would be seen before it happened.
    """
    held, real = lives.log, item_lives(log, lives.window).log
    if not np.array_equal(held.offsets, real.offsets):
        size = min(len(held.offsets), len(real.offsets))
        row = int(np.argmax(np.append(held.offsets[:size] != real.offsets[:size], True))) - 1
    else:
        differs = np.zeros(real.events, bool)
        for column, told in real.columns.items():
            differs |= held.columns[column] != told
        if not differs.any():
            return
        row = int(real.sequence[np.argmax(differs)])
    raise DataError(f"{name}: the life of item {row} is not that of the log; make it by `item_lives`")
