"""Who buys anything next, of the users of Taobao's log (see `taobao` for the data), from what they looked at."""

from __future__ import annotations

import datetime
from pathlib import Path

import numpy as np

from seqjax.data.events import DataError, EventLog, Split, keep
from seqjax.data.purchases import BALANCED, REST, Question, one_to_one, purchase_samples, repeat, split_users
from seqjax.data.sources.taobao import BEHAVIOURS, CHINA, users
from seqjax.data.split import DAY

ANY = "any category"


def purchases(
    path: str | Path | None = None,
    *,
    seed: int = 0,
    moment: str = "2017-12-01",
    horizon: float = 3.0,
    test_share: float = 0.3,
    validation_share: float = 0.1,
) -> Split:
    """Whether a user buys, whatever the category, in the `horizon` days after the moment (China time): samples.

    Events are categories (column `item`) and what was done with them (`behaviour`); training is 1:1, validation and
    test hold the 1:1 set (kind 0) and all other users (kind 1), users split by `seed`. `path` as in `taobao.users`.
    Raises DataError for a moment that is no date, for one, or a horizon, that does not fit the nine days, for shares
    that leave a part empty, and where nobody of a part, or everybody, buys.
    """
    items, side, notes = users(path)
    words = np.append(items.vocabulary["category"], ANY)
    columns = {"item": side["category"][items.columns["item"]], "time": items.columns["time"]}
    columns["behaviour"] = items.columns["behaviour"]
    log = EventLog(items.offsets, columns, {"item": words, "behaviour": BEHAVIOURS}, items.keys)
    random = np.random.default_rng((seed, 1))
    part = split_users(log.sequences, test_share, validation_share, random)
    question = asked(log, second_of(moment), horizon)
    parts = []
    for number, name in enumerate(("train", "validation", "test")):
        here = question.take(np.flatnonzero(part[question.sequence] == number))
        if here.label.all() or not here.label.any():
            raise DataError(f"{name}: of {len(here.label)} users all or none buy; choose another moment or horizon")
        marked = one_to_one(here.label, random)
        use = np.flatnonzero(marked | (number > 0))
        kind = np.where(marked, BALANCED, REST).astype(np.int8)[use]
        target = np.full(len(use), len(words), np.int32)
        parts.append(purchase_samples(log, here.take(use), target, kind=kind, name=name))
    return Split(*parts, notes)


def second_of(moment: str) -> int:
    """The second of a date, or of a date and a time, in China; raises DataError for another text."""
    try:
        return int(datetime.datetime.fromisoformat(moment).replace(tzinfo=CHINA).timestamp())
    except ValueError as error:
        raise DataError(f"moment={moment!r} is no date: write it as 2017-12-01") from error


def asked(log: EventLog, moment: int, horizon: float) -> Question:
    """Every user with an event before the moment, and whether one buys within so many days of it."""
    everyone = repeat(log, np.arange(1, len(log.vocabulary["item"])), moment, horizon)
    bought = keep(log, log.columns["behaviour"] == 1 + BEHAVIOURS.tolist().index("buy"))
    end = moment + int(horizon * DAY)
    later = (bought.columns["time"] >= moment) & (bought.columns["time"] < end)
    buyers = np.unique(bought.sequence[later])
    return everyone._replace(label=np.isin(everyone.sequence, buyers))
