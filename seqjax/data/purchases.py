"""Who will buy in a category: labels inferred from a log of purchases, as pure functions.

Nobody says what they need; what they buy later does. Two protocols of one question. `repeat`: at a moment, will the
user buy in the category within the horizon; earlier purchases of it may be seen. `article`: the first purchase among
related categories is taken for the day the need began; users without any are negatives; nothing related may be seen.

Sequences of the log are users, whose events come in the order of time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from seqjax.data.events import DataError, EventLog
from seqjax.data.samples import Samples, ask, checked
from seqjax.data.split import DAY

BALANCES = ("uniform", "activity", "hard")
BALANCED, REST = 0, 1
"""Kinds of samples: those of the 1:1 set, and all others; together they have the natural prevalence."""
NEVER = np.iinfo(np.int64).max


class Question(NamedTuple):
    """Whom is asked about, when, and what came."""

    sequence: Int[np.ndarray, "sample"]
    moment: Int[np.ndarray, "sample"]  # Unix second: nothing from then on may be seen
    label: Bool[np.ndarray, "sample"]

    def take(self, chosen: np.ndarray) -> Question:
        """The chosen questions."""
        return Question(*(column[chosen] for column in self))


def ids_of(log: EventLog, words: Sequence[str]) -> Int[np.ndarray, "item"]:
    """Ids of categories by name; raises DataError for none, and for one that the log lacks, naming the nearest."""
    if not len(words):
        raise DataError("there are no categories: name at least one")
    number = {word: row for row, word in enumerate(log.vocabulary["item"].tolist(), start=1)}
    for word in words:
        if word not in number:
            plain = {known.upper(): known for known in number}
            near = [plain[found] for found in get_close_matches(word.upper(), plain, 3, 0.3)] or list(number)[:3]
            raise DataError(f"there is no category {word!r}; near it are {', '.join(near)}")
    return np.array([number[word] for word in words], np.int32)


def seen_before(
    log: EventLog, sequence: Int[np.ndarray, "sample"], moment: Int[np.ndarray, "sample"]
) -> Int[np.ndarray, "sample"]:
    """How many events of each user come before the moment; raises DataError for a log that is not in order of time.

    >>> log = EventLog(np.array([0, 3]), {"item": np.array([1, 2, 1]), "time": np.array([5, 7, 7])}, {})
    >>> seen_before(log, np.array([0, 0, 0]), np.array([5, 7, 8])).tolist()
    [0, 1, 3]
    """
    return _rank(log, np.arange(log.events), sequence, moment) - log.offsets[:-1][sequence]


def next_bought(
    log: EventLog,
    wanted: Int[np.ndarray, "item"],
    sequence: Int[np.ndarray, "sample"],
    moment: Int[np.ndarray, "sample"],
) -> Int[np.ndarray, "sample"]:
    """The second at which each user first buys a wanted category from the moment on; `NEVER` where that does not come.

    Raises DataError where the purchases of these categories are not in order of time.

    >>> log = EventLog(np.array([0, 3]), {"item": np.array([1, 2, 1]), "time": np.array([5, 7, 9])}, {})
    >>> next_bought(log, np.array([1]), np.array([0, 0]), np.array([5, 6])).tolist()
    [5, 9]
    """
    event = np.flatnonzero(np.isin(log.columns["item"], wanted))
    rank = _rank(log, event, sequence, moment)
    there = rank < np.searchsorted(event, log.offsets[1:][sequence])
    return np.where(there, log.columns["time"][np.append(event, 0)[rank]], NEVER)


def _rank(
    log: EventLog, event: Int[np.ndarray, "chosen"], sequence: Int[np.ndarray, "sample"], moment: np.ndarray
) -> Int[np.ndarray, "sample"]:
    """How many of the chosen events (ascending) stand before each user's moment, those of earlier users included."""
    time = log.columns["time"][event].astype(np.int64)
    low, span = (int(time.min()), int(np.ptp(time)) + 2) if len(event) else (0, 2)
    place = (np.searchsorted(log.offsets, event, side="right") - 1) * span + (time - low)
    if (np.diff(place) < 0).any():
        row = int(event[np.argmax(np.diff(place) < 0) + 1])
        raise DataError(f"event {row} is earlier than one before it: order every user's purchases by time")
    return np.searchsorted(place, sequence.astype(np.int64) * span + np.clip(moment - low, 0, span - 1))


def repeat(log: EventLog, wanted: Int[np.ndarray, "item"], moment: int, horizon: float | None = None) -> Question:
    """Will a user who bought anything before the moment buy a wanted category within `horizon` days from it on?

    horizon: None for all the time that the log goes on. Raises DataError for a moment outside the log, and for a
    horizon that ends more than a day after it.
    """
    first, last = _span(log)
    end = last + 1 if horizon is None else int(moment + horizon * DAY)
    if not first < moment <= last or not moment < end <= last + DAY:
        days = max(0.0, (last - moment) / DAY)
        raise DataError(
            f"the moment {_day(moment)} and a horizon of {(end - moment) / DAY:g} days do not fit the log, "
            f"{_day(first)} to {_day(last)}: {days:.0f} days are left; choose another moment or horizon"
        )
    users = np.flatnonzero(log.lengths)
    users = users[log.columns["time"][log.offsets[users]] < moment]
    moments = np.full(len(users), moment, np.int64)
    return Question(users, moments, next_bought(log, wanted, users, moments) < end)


def article(
    log: EventLog,
    wanted: Int[np.ndarray, "item"],
    related: Int[np.ndarray, "word"],
    begin: int,
    random: np.random.Generator,
    *,
    days: float = 365.0,
    gap: float = 0.0,
) -> Question:
    """Will a need begin, over the window of `days` from second `begin` on, as an article on category buyers infers it?

    A user's feature day is the second of the first purchase in `related` or `wanted` inside the window. Users who have
    one are positive and are asked `gap` days before it. Users without any such purchase are negative and are asked at a
    moment drawn from the positives'. Left out are users with nothing to see at their moment, and those who bought
    something related before it (then before the window). Raises DataError for a window that does not fit the log, by
    more than a day, and without positives.
    """
    start, last, end = *_span(log), int(begin + days * DAY)
    if begin < start - DAY or end > last + DAY or end <= begin:
        raise DataError(
            f"the window {_day(begin)} to {_day(end)} does not fit the log, {_day(start)} to {_day(last)}: "
            "choose another begin or fewer days"
        )
    if gap < 0:
        raise DataError(f"gap={gap}: use 0 or more days; the feature day itself tells the answer")
    signs, users = np.union1d(wanted, related), np.arange(log.sequences)
    first = next_bought(log, signs, users, np.full(len(users), begin))
    earliest = next_bought(log, signs, users, np.full(len(users), start))
    label = first < end
    moments = np.where(label, first - int(gap * DAY), 0)
    use = label & (seen_before(log, users, moments) > 0) & (earliest >= moments)
    if not use.any():
        raise DataError(
            f"{np.count_nonzero(label)} users buy in the categories inside the window, none of them with other "
            "purchases alone before: there are no positives; choose a wider window or another category"
        )
    moments[~label] = random.choice(moments[use], np.count_nonzero(~label))
    use |= ~label & (seen_before(log, users, moments) > 0) & (earliest >= moments)
    return Question(users[use], moments[use], label[use])


def related(
    log: EventLog, wanted: Int[np.ndarray, "item"], *, least: float = 2.0, support: int = 30
) -> Int[np.ndarray, "word"]:
    """Categories c, but the wanted ones, with a lift P(wanted | c) / P(wanted) over users of `least` or more.

    support: the number of users who bought c, at least.
    """
    rows = len(log.vocabulary["item"]) + 1
    pairs = np.unique(log.sequence.astype(np.int64) * rows + log.columns["item"])
    user, item = np.divmod(pairs, rows)
    has = np.zeros(log.sequences, bool)
    has[user[np.isin(item, wanted)]] = True
    holders = np.bincount(item, minlength=rows)
    both = np.bincount(item[has[user]], minlength=rows)
    lift = both / np.maximum(holders, 1) / max(has.mean(), 1e-12)
    found = np.flatnonzero((lift >= least) & (holders >= support))
    return np.setdiff1d(found, wanted).astype(np.int32)


def one_to_one(
    label: Bool[np.ndarray, "sample"], random: np.random.Generator, stratum: Int[np.ndarray, "sample"] | None = None
) -> Bool[np.ndarray, "sample"]:
    """Marks as many negatives as positives within every stratum; the more numerous of them are drawn uniformly.

    stratum: groups of like activity, say, so that activity does not tell positives from negatives; without, one group.

    >>> one_to_one(np.array([True, False, False, True]), np.random.default_rng(0), np.array([0, 0, 1, 2])).tolist()
    [True, True, False, False]
    """
    stratum = np.zeros(len(label), np.int64) if stratum is None else stratum
    order = np.lexsort((random.random(len(label)), label, stratum))
    group = stratum[order] * 2 + label[order]
    begin = np.searchsorted(group, group)
    positive, negative = (np.bincount(stratum[label == side], minlength=stratum.max(initial=0) + 1) for side in (1, 0))
    most = np.minimum(positive, negative)
    marked = np.zeros(len(label), bool)
    marked[order] = np.arange(len(label)) - begin < most[stratum[order]]
    return marked


def tenths(activity: Int[np.ndarray, "sample"], label: Bool[np.ndarray, "sample"]) -> Int[np.ndarray, "sample"]:
    """The tenth of the positives' activities that each sample's activity falls into."""
    return np.searchsorted(np.quantile(activity[label], np.arange(1, 10) / 10), activity, side="right")


def balanced(
    log: EventLog,
    question: Question,
    balance: str,
    random: np.random.Generator,
    near: Int[np.ndarray, "item"] | None = None,
) -> Bool[np.ndarray, "sample"]:
    """Marks the 1:1 set of a question; its negatives are "uniform", of like "activity", or "hard".

    "activity": within tenths of the number of visible events. "hard": those who visibly bought a category of `near`.
    Raises DataError for another balance, and where nothing can be marked.
    """
    if balance not in BALANCES:
        raise DataError(f"balance={balance!r}: there are {', '.join(BALANCES)}")
    label, stratum, use = question.label, None, np.ones(len(question.label), bool)
    if balance == "activity" and label.any():
        stratum = tenths(seen_before(log, question.sequence, question.moment), label)
    if balance == "hard":
        bought = next_bought(log, near, question.sequence, np.full(len(label), _span(log)[0]))
        use = label | (bought < question.moment)
    marked = np.zeros(len(label), bool)
    marked[use] = one_to_one(label[use], random, stratum)
    if not marked.any():
        raise DataError(
            f"balance={balance!r}: {label.sum()} of {use.sum()} users are positive: nothing can be 1:1; choose another "
            "category, moment or horizon, or balance='uniform'"
        )
    return marked


def split_users(users: int, test: float, validation: float, random: np.random.Generator) -> Int[np.ndarray, "sequence"]:
    """0 train, 1 validation, 2 test, for every user; raises DataError where a part would be empty."""
    counts = round(test * users), round(validation * users)
    if min(counts) < 1 or sum(counts) >= users:
        raise DataError(f"test_share={test}, validation_share={validation}: of {users} users a part would be empty")
    part = np.zeros(users, np.int64)
    order = random.permutation(users)
    part[order[: counts[0]]] = 2
    part[order[counts[0] : sum(counts)]] = 1
    return part


def purchase_samples(
    log: EventLog,
    question: Question,
    item: Int[np.ndarray, "sample"],
    *,
    kind: Int[np.ndarray, "sample"] | None = None,
    hidden: Int[np.ndarray, "item"] | None = None,
    side: Mapping[str, np.ndarray] | None = None,
    name: str = "samples",
) -> Samples:
    """Samples that see what comes before each moment, asked about a category.

    hidden: categories of which no event may be seen. Raises DataError for a sample that sees one, that sees an event at
    or after its moment, and as `samples.checked`.
    """
    place = seen_before(log, question.sequence, question.moment)
    samples = ask(log, question.sequence, place, question.label, item, side=side)
    samples = samples._replace(moment=question.moment, kind=kind, kinds=() if kind is None else ("rest",))
    return refuse(checked(samples, name), hidden, name)


def refuse(samples: Samples, hidden: Int[np.ndarray, "item"] | None, name: str = "samples") -> Samples:
    """The samples, if none sees an event of the hidden categories; else raises DataError."""
    if hidden is None:
        return samples
    secret = np.isin(samples.log.columns["item"], hidden)
    before = np.append(0, np.cumsum(secret))
    begin = samples.log.offsets[:-1][samples.sequence]
    if (fault := before[begin + samples.cutoff] > before[begin]).any():
        row = int(np.argmax(fault))
        here = slice(begin[row], begin[row] + samples.cutoff[row])
        which = str(samples.vocabulary["item"][samples.log.columns["item"][here][secret[here]][0] - 1])
        raise DataError(
            f"{name}, sample {row}: sees a purchase of {which!r}, which is related to "
            "what is asked about; cut earlier, or leave the user out"
        )
    return samples


def _span(log: EventLog) -> tuple[int, int]:
    """The first and the last second of a log."""
    return int(log.columns["time"].min()), int(log.columns["time"].max())


def _day(second: int) -> str:
    return str(np.datetime64(second, "s").astype("datetime64[D]"))
