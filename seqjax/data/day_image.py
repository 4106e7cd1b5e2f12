"""Purchases as images: a row per day, a column per category; and the days that a model needs to make its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import ibis
import numpy as np
import pyarrow as pa
from jaxtyping import Float, Shaped

from seqjax.data.events import DataError, EventLog
from seqjax.data.purchases import ids_of
from seqjax.data.samples import Samples
from seqjax.data.split import DAY

COLUMNS = ("user", "item", "time")


class DayImages(NamedTuple):
    """How often each user bought in each category on each day, the oldest day first."""

    counts: Float[np.ndarray, "sequence day item"]
    users: Shaped[np.ndarray, "sequence"]
    categories: Shaped[np.ndarray, "item"]


def daily_counts(events: ibis.Table, until: float, days: int) -> ibis.Table:
    """How many events (`count`) every `user` has of an `item` on a `day`, as an Ibis expression.

    Day `days` - 1 is the last before the day of second `until`, day 0 the oldest; other events are left out.
    """
    day = (events.time / DAY).floor().cast("int64") - int(until // DAY) + days
    near = events.mutate(day=day).filter(lambda table: (table.day >= 0) & (table.day < days))
    return near.group_by("user", "item", "day").agg(count=near.count())


def day_image(
    events: ibis.Table, until: float, *, days: int = 365, categories: Sequence[str] | None = None
) -> DayImages:
    """The image of every user of a table as of a second, of the `days` whole days before that second's own.

    events: one row per purchase: `user`, `item` (the category), `time` in seconds since 1970. Nothing of the day of
    `until` counts, nor anything later. Users come in the order of their text, also those who bought nothing in these
    days, who have zeros; so do categories, unless they are named. Memory: users x days x categories x 4 bytes.

    Raises DataError for less than a day, for a column that is missing, has no value in some row or (time) is no number,
    and for a named category that the table lacks.
    """
    if days < 1:
        raise DataError(f"days={days}: an image has 1 day or more")
    check(events)
    words = {name: _words(events, name) for name in ("user", "item")}
    if categories is not None:
        ids_of(EventLog(np.zeros(1, np.int64), {}, {"item": words["item"]}), categories)
        words["item"] = np.asarray(categories, dtype=np.str_)
    numbered = daily_counts(events, until, days)
    for name, entries in words.items():
        table = ibis.memtable(pa.table({name: entries.tolist(), f"{name}_place": np.arange(len(entries))}))
        numbered = numbered.mutate(**{name: numbered[name].cast("string")}).join(table, name)
    found = numbered.select("user_place", "day", "item_place", "count").to_pyarrow()
    place = tuple(found[name].to_numpy() for name in ("user_place", "day", "item_place"))
    counts = np.zeros((len(words["user"]), days, len(words["item"])), np.float32)
    counts[place] = found["count"].to_numpy()
    return DayImages(counts, words["user"], words["item"])


def check(events: ibis.Table) -> None:
    """Raises DataError for a table of which no images can be made; see `day_image`."""
    if absent := [name for name in COLUMNS if name not in events.columns]:
        raise DataError(
            f"the table has no column {absent[0]!r}; its columns are {list(events.columns)}: "
            f"rename one of them, events.rename({absent[0]}=...)"
        )
    if not events.time.type().is_numeric():
        raise DataError(
            f"column 'time' is {events.time.type()}, no seconds since 1970: take events.time.epoch_seconds()"
        )
    empty = events.aggregate(**{name: events[name].isnull().sum() for name in COLUMNS}).to_pyarrow().to_pylist()[0]
    for name in COLUMNS:
        if empty[name]:
            raise DataError(f"column {name!r} has no value in {empty[name]} rows: leave them out, or fill them")


def _words(events: ibis.Table, name: str) -> Shaped[np.ndarray, "word"]:
    """The entries of a column as text, in order."""
    words = events.select(events[name].cast("string").name(name)).distinct().to_pyarrow()[name].to_pylist()
    return np.array(sorted(words), dtype=np.str_)


def dated(samples: Samples) -> Samples:
    """The samples with a feature `day` of every event, and of every target the day of its moment.

    Days are numbered from 1, the day of the log's first event, and called by their dates, to the day after the last.
    Raises DataError where the log has no times or the samples no moments.

    >>> log = EventLog(np.array([0, 2]), {"item": np.array([1, 2]), "time": np.array([5, DAY])}, {})
    >>> asked = (np.array([0]), np.array([1]), np.array([1]), {"item": np.array([2])}, np.array([True]))
    >>> known = dated(Samples(log, *asked, moment=np.array([DAY])))
    >>> known.log.columns["day"].tolist(), known.target["day"].tolist(), known.vocabulary["day"].tolist()
    ([1, 2], [2], ['1970-01-01', '1970-01-02', '1970-01-03'])
    """
    log, time = samples.log, samples.log.columns.get("time")
    if time is None or samples.moment is None:
        raise DataError("days need the times of events and the moments of asking: there are none, leave `day` out")
    first, last = (int(edge) // DAY for edge in (time.min(), time.max()))
    words = np.datetime_as_string(np.arange(first, last + 2).astype("datetime64[D]"))
    columns = {**log.columns, "day": (1 + time // DAY - first).astype(np.int32)}
    log = log._replace(columns=columns, vocabulary={**log.vocabulary, "day": words})
    moment = (1 + samples.moment // DAY - first).astype(np.int32)
    return samples._replace(log=log, target={**samples.target, "day": moment})
