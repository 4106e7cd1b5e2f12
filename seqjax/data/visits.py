"""Visits of users over time: what is known at each, and when the next one comes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from seqjax.data.events import DataError, EventLog, Split, at_least, keep
from seqjax.data.split import DAY

GAPS = (0.25, 0.75, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5, 8.5, 10.5, 13.5, 14.5, 17.5, 21.5, 28.5, 45.5)  # days
SIZES = (1, 2, 4, 8, 16, 32, 64)
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
HOURS = 3  # hours that count as one time of the day

WORDS = {
    "gap": np.array(["first", "to 0.25", *(f"above {days:g}" for days in GAPS)]),
    "weekday": np.array(WEEKDAYS),
    "hour": np.array([f"{hour}:00" for hour in range(0, 24, HOURS)]),
    "size": np.array([f"{size} or more" for size in SIZES]),
}
"""The vocabulary of every feature of a visit: days since the last one, when it is, and how large."""


class Returns(NamedTuple):
    """For every visit, when the next one of the same user came, in days counted from 1 (within one day, ...)."""

    interval: Int[np.ndarray, "event"]  # 0 where none came while one looked
    seen: Int[np.ndarray, "event"]  # whole days that were observed after the visit


def visit_log(
    offsets: Int[np.ndarray, "offset"],
    time: Int[np.ndarray, "event"],
    size: Int[np.ndarray, "event"],
    until: int,
    users: np.ndarray,
) -> EventLog:
    """The visits of every user, oldest first, with their features as ids, observed up to the second `until`.

    time: seconds since 1970, local where times of the day matter. Raises DataError where times run backwards.
    """
    first = np.zeros(len(time), bool)
    first[offsets[:-1][np.diff(offsets) > 0]] = True
    gap = np.diff(time, prepend=time[:1]) / DAY
    if (gap[~first] < 0).any():
        raise DataError(f"visit {int(np.flatnonzero((gap < 0) & ~first)[0])} is earlier than the one before: sort them")
    day = time // DAY
    columns = {
        "gap": np.where(first, 1, 2 + np.searchsorted(GAPS, gap)),
        "weekday": (day + 3) % 7 + 1,  # 1970-01-01 was a Thursday
        "hour": time % DAY // (HOURS * 3600) + 1,
        "size": np.maximum(np.searchsorted(SIZES, size, side="right"), 1),
    }
    ids = {name: column.astype(np.int32) for name, column in columns.items()}
    return EventLog(offsets, ids | {"time": time, "until": np.full(len(time), until)}, WORDS, {"user": users})


def returns(log: EventLog) -> Returns:
    """When the user of every visit came back, and how long one has looked."""
    time, until = log.columns["time"], log.columns["until"]
    last = np.zeros(log.events, bool)
    last[log.offsets[1:][log.lengths > 0] - 1] = True
    wait = np.where(last, 0, np.diff(time, append=time[-1:]))
    interval = np.maximum(-(-wait // DAY), 1)  # the same second, too, is within the first day
    return Returns(np.where(last, 0, interval).astype(np.int32), ((until - time) // DAY).astype(np.int32))


def split_visits(log: EventLog, days: float = 28.0, follow: float = 14.0) -> Split:
    """Visits before the last `days` + `follow` days for training, those of the `days` after that are judged.

    Training sees nothing later than its cut: a return after it counts as not yet seen. The column `judged` of the test
    marks its visits; each is followed for at least `follow` days. Raises DataError where one side is empty.
    """
    time, end = log.columns["time"], int(log.columns["until"][0])
    cut = int(end - (days + follow) * DAY)
    early = at_least(keep(log, time < cut), 1)
    judged = (time >= cut) & (time <= end - follow * DAY)
    if not early.events or not judged.any():
        raise DataError(f"{early.events} visits to train on, {judged.sum()} to judge by: choose other days or follow")
    early = early._replace(columns={**early.columns, "until": np.full(early.events, cut)})
    return Split(early, None, log._replace(columns={**log.columns, "judged": judged}))


def past_returns(log: EventLog, days: tuple[int, ...]) -> tuple[Float[np.ndarray, "event"], Float[np.ndarray, "..."]]:
    """For every visit, the user's waits so far, and how many of them were at most so many days: [event, days]."""
    interval = returns(log).interval
    waited = np.concatenate([[0], interval[:-1]])  # the wait that ended with this visit
    waited[log.offsets[:-1][log.lengths > 0]] = 0
    marks = np.column_stack([waited > 0, *((waited > 0) & (waited <= day) for day in days)]).astype(np.float64)
    total = np.cumsum(marks, axis=0)
    before = np.repeat(
        total[log.offsets[:-1][log.lengths > 0]] - marks[log.offsets[:-1][log.lengths > 0]],
        log.lengths[log.lengths > 0],
        axis=0,
    )
    return (total - before)[:, 0], (total - before)[:, 1:]
