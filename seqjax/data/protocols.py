"""From logs to samples: which targets are asked about, against what, and how users or times are split."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Int

from seqjax.data.events import DataError, EventLog, Split, at_least
from seqjax.data.item_lives import ItemLives, item_lives
from seqjax.data.samples import Samples, ask, checked

Side = Mapping[str, Int[np.ndarray, "row ..."]]
NEGATIVES = ("uniform", "popularity", "category")
PROTOCOLS = ("leave_last", "hpmn2019")


def by_protocol(
    log: EventLog,
    protocol: str,
    *,
    side: Side | None = None,
    seed: int = 0,
    negatives: Sequence[str] = ("uniform",),
    item_history: int = 0,
) -> Split:
    """The log split by the protocol of a name, without labels; raises DataError for a name not in `PROTOCOLS`."""
    if protocol not in PROTOCOLS:
        raise DataError(f"protocol={protocol!r}: there are {', '.join(PROTOCOLS)}")
    if protocol == "hpmn2019":
        return hpmn2019(log, side=side, seed=seed, item_history=item_history)
    return leave_last(log, side=side, seed=seed, negatives=negatives, item_history=item_history)


def hpmn2019(
    log: EventLog, *, side: Side | None = None, seed: int = 0, share: float = 0.7, item_history: int = 0
) -> Split:
    """The protocol of Ren et al. (2019) as released: one sample per user, half of them about another item.

    Of each user with two events or more the last one is asked about; with probability 1/2 its item is replaced by
    another one, drawn uniformly (label 0). Users whose last event comes after the `share` quantile of last events are
    the test (without times, a hash of the user's name decides), so that no user is in both; there is no validation.
    Users are a feature of events and targets, as published, though those of the test are strangers to a model.
    item_history: so many of the newest users of a target are seen, those before its time (0: none); the release adds
    the pair that is asked about. Raises DataError where there are fewer than two items, and where a part has no samples
    or one label only.
    """
    log, lives = with_lives(with_users(at_least(log, 2)), item_history)
    random, items = np.random.default_rng(seed), len(log.vocabulary["item"])
    if items < 2 or not log.sequences:
        raise DataError(f"{items} items, {log.sequences} users of two events or more: there is nothing to ask about")
    place = log.lengths - 1
    own = log.columns["item"][log.offsets[1:] - 1]
    label = random.random(log.sequences) < 0.5
    other = (own - 1 + random.integers(1, items, log.sequences)) % items + 1
    samples = ask(log, np.arange(log.sequences), place, label, np.where(label, own, other), side=side, items=lives)
    if "time" in log.columns:
        last = log.columns["time"][log.offsets[1:] - 1]
        late = last > np.quantile(last, share)
    else:
        late = hashed(log) >= share
    train, test = (samples.take(np.flatnonzero(chosen)) for chosen in (~late, late))
    return Split(checked(train, "train"), None, checked(test, "test"), {"protocol": "hpmn2019"})


def with_users(log: EventLog) -> EventLog:
    """The log with an id column that says whose every event is.

    >>> log = EventLog(np.array([0, 1, 3]), {"item": np.array([1, 2, 1])}, {"item": np.array(["a", "b"])})
    >>> with_users(log).columns["user"].tolist()
    [1, 2, 2]
    """
    names = log.keys.get("user", np.arange(1, log.sequences + 1).astype(np.str_))
    return log._replace(
        columns={**log.columns, "user": log.sequence + np.int32(1)}, vocabulary={**log.vocabulary, "user": names}
    )


def with_lives(log: EventLog, window: int) -> tuple[EventLog, ItemLives | None]:
    """The log with users as a feature, and the lives of its items; or as it is, and None, for a window of 0."""
    if not window:
        return log, None
    log = with_users(log)
    return log, item_lives(log, window)


def hashed(log: EventLog) -> np.ndarray:
    """A number in [0, 1) for every user, from the user's name alone: the same in every run and on every machine."""
    names = log.keys.get("user", next(iter(log.keys.values()), np.arange(log.sequences)))
    digests = (hashlib.sha256(str(name).encode()).digest()[:8] for name in names)
    return np.array([int.from_bytes(digest) for digest in digests]) / 2.0**64


def leave_last(
    log: EventLog,
    label: Bool[np.ndarray, "event"] | None = None,
    *,
    side: Side | None = None,
    seed: int = 0,
    negatives: Sequence[str] = ("uniform",),
    least: int = 1,
    item_history: int = 0,
) -> Split:
    """Several targets per user in training, the last but one for choosing, the last for judging; time goes forward.

    Every event from the `least`-th on is a target with its own `label` (liked or not). Without labels all are taken
    (label 1): training draws its negatives anew in every step (`drawn_negatives`), and beside every target of
    validation and test stands one item of each kind of `negatives`, none of which the user ever had: "uniform";
    "popularity", with P proportional to the count in training; "category", uniform among items that share the target's
    first side feature. Users of fewer than `least` + 3 events only train. item_history: see `hpmn2019`.
    """
    log, lives = with_lives(at_least(log, 1), item_history)
    long = log.lengths >= least + 3
    place = np.arange(log.events) - log.offsets[:-1][log.sequence]
    from_end = np.where(long[log.sequence], log.lengths[log.sequence] - 1 - place, 2)  # 0 test, 1 validation
    parts = []
    for name, chosen in (("train", from_end >= 2), ("validation", from_end == 1), ("test", from_end == 0)):
        event = np.flatnonzero(chosen & (place >= least))
        taken = np.ones(len(event), bool) if label is None else label[event]
        samples = ask(log, log.sequence[event], place[event], taken, side=side, items=lives)
        if label is None and name != "train":
            seen = parts[0].counts()
            samples = beside(samples, negatives, seen, np.random.default_rng((seed, len(parts))))
        parts.append(checked(samples, name, both=label is not None or name != "train"))
    return Split(*parts, {"protocol": "leave_last", "users_that_only_train": int(np.count_nonzero(~long))})


def beside(
    samples: Samples, negatives: Sequence[str], counts: Int[np.ndarray, "row"], random: np.random.Generator
) -> Samples:
    """The samples, and for each of them one about an item of each kind of negatives that its user never had.

    A kind is left out where 100 draws give no such item. Raises DataError for an unknown kind, and for "category"
    where items have no side features.
    """
    if unknown := [kind for kind in negatives if kind not in NEGATIVES]:
        raise DataError(f"negatives={unknown[0]!r}: there are {', '.join(NEGATIVES)}")
    if "category" in negatives and not samples.side:
        raise DataError("negatives='category': items have no side features; leave this kind out, or read them")
    if samples.life is not None:
        raise DataError("what is known of an item belongs to each sample: negatives drawn have none; read no lives")
    log, items = samples.log, len(samples.vocabulary["item"])
    had = np.unique(log.sequence.astype(np.int64) * (items + 1) + log.columns["item"])
    parts = [samples]
    for number, kind in enumerate(negatives, start=1):
        item = _drawn(samples, kind, counts, random, had)
        other = samples._replace(
            target={**samples.target, "item": item},
            label=np.zeros(samples.size, bool),
            kind=np.full(samples.size, number, np.int8),
        )
        parts.append(other.take(np.flatnonzero(item)))
    parts[0] = samples._replace(kind=np.zeros(samples.size, np.int8))
    columns = ("sequence", "cutoff", "place", "label", "kind", *(() if samples.moment is None else ("moment",)))
    joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in columns}
    target = {name: np.concatenate([part.target[name] for part in parts]) for name in samples.target}
    return samples._replace(**joined, target=target, kinds=tuple(negatives))


def _drawn(
    samples: Samples, kind: str, counts: Int[np.ndarray, "row"], random: np.random.Generator, had: np.ndarray
) -> Int[np.ndarray, "sample"]:
    """One item for every sample, drawn again until its user never had it; 0 where that does not happen."""
    items = len(samples.vocabulary["item"])
    group = next(iter(samples.side.values())) if kind == "category" else np.zeros(items + 1, np.int64)
    group = group if group.ndim == 1 else group[:, 0]
    order = np.lexsort((np.arange(items + 1), group))
    weight = np.maximum(counts, 0.5)[order] if kind == "popularity" else np.ones(items + 1)
    total = np.concatenate([[0.0], np.cumsum(np.where(order == 0, 0.0, weight))])  # id 0 is padding and never drawn
    first, end = (np.searchsorted(group[order], group[samples.target["item"]], side) for side in ("left", "right"))
    low, high = total[first], total[end]
    item, wrong = np.zeros(samples.size, np.int32), np.arange(samples.size)
    for _ in range(100):
        at = low[wrong] + random.random(len(wrong)) * (high - low)[wrong]
        drawn = order[np.minimum(np.searchsorted(total, at, "right"), end[wrong]) - 1]  # rounding may give at == high
        code = samples.sequence[wrong].astype(np.int64) * (items + 1) + drawn
        fits = had[np.minimum(np.searchsorted(had, code), len(had) - 1)] != code
        item[wrong[fits]] = drawn[fits]
        wrong = wrong[~fits]
    return item
