"""Samples of responses: a user, a target, what may be seen of the user's life, and whether the user took it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int, Shaped

from seqjax.data.events import DataError, EventLog
from seqjax.data.item_lives import ItemLives, checked_lives
from seqjax.data.plan import by_length


class Samples(NamedTuple):
    """Questions about users, each user's life stored once.

    Sample i asks whether user `sequence[i]`, of whose life the first `cutoff[i]` events may be seen, takes the target.
    `place[i]` is where the target stands, or would stand, among the user's events: nothing from there on may be seen.
    """

    log: EventLog  # a sequence is the whole life of a user
    sequence: Int[np.ndarray, "sample"]
    cutoff: Int[np.ndarray, "sample"]
    place: Int[np.ndarray, "sample"]
    target: Mapping[str, Int[np.ndarray, "sample"]]  # feature ids: "item", and "user" where it has a vocabulary
    label: Bool[np.ndarray, "sample"]
    side: Mapping[str, Int[np.ndarray, "row ..."]] = {}  # features of an item by its id (0: none), one or several
    kind: Int[np.ndarray, "sample"] | None = None  # 0, or 1, 2, .. for a negative of kinds[0], kinds[1], ..
    kinds: tuple[str, ...] = ()  # how negatives were drawn; the first kind is judged first
    moment: Int[np.ndarray, "sample"] | None = None  # second at which is asked: nothing from then on may be seen
    items: ItemLives | None = None  # who had the target before
    life: Int[np.ndarray, "sample"] | None = None  # whose life of `items` tells of a target (default: the item's own)

    @property
    def vocabulary(self) -> Mapping[str, Shaped[np.ndarray, "word"]]:
        """Words of every feature."""
        return self.log.vocabulary

    @property
    def sequences(self) -> int:
        """Number of users."""
        return self.log.sequences

    @property
    def events(self) -> int:
        """Number of events of all lives."""
        return self.log.events

    @property
    def lengths(self) -> Int[np.ndarray, "sequence"]:
        """Events of every life."""
        return self.log.lengths

    @property
    def keys(self) -> Mapping[str, Shaped[np.ndarray, "sequence"]]:
        """Names of the users."""
        return self.log.keys

    @property
    def size(self) -> int:
        """Number of samples."""
        return len(self.label)

    @property
    def asked_at(self) -> Int[np.ndarray, "sample"]:
        """Second from which on nothing on the target may be seen: the moment, and no later than its own event.

        Raises DataError where neither is known.
        """
        own = np.full(self.size, np.iinfo(np.int64).max) if self.moment is None else self.moment
        inside = self.place < self.lengths[self.sequence]
        if self.moment is None and not inside.all():
            row = int(np.argmin(inside))
            raise DataError(f"sample {row} is asked behind its user's last event: give moments, or leave items out")
        at = np.where(inside, self.log.offsets[:-1][self.sequence] + self.place, 0)
        return np.where(inside, np.minimum(own, self.log.columns["time"][at]), own)

    def counts(self, column: str = "item") -> Int[np.ndarray, "row"]:
        """How often each id occurs among the events that some sample may see; index 0 (padding) is 0."""
        last = np.zeros(self.sequences, np.int64)
        np.maximum.at(last, self.sequence, self.cutoff)
        seen = np.arange(self.events) - self.log.offsets[:-1][self.log.sequence] < last[self.log.sequence]
        return np.bincount(self.log.columns[column][seen], minlength=len(self.vocabulary[column]) + 1)

    def take(self, chosen: Int[np.ndarray, "chosen"]) -> Samples:
        """The chosen samples, about the same users."""
        target = {name: column[chosen] for name, column in self.target.items()}
        parts = (column[chosen] for column in (self.sequence, self.cutoff, self.place))
        kind, moment, life = (
            None if column is None else column[chosen] for column in (self.kind, self.moment, self.life)
        )
        label = self.label[chosen]
        return Samples(self.log, *parts, target, label, self.side, kind, self.kinds, moment, self.items, life)

    def head(self, count: int) -> Samples:
        """The first so many samples."""
        return self.take(np.arange(min(count, self.size)))


def checked(samples: Samples, name: str = "samples", *, both: bool = True) -> Samples:
    """The samples, if none of them can see its own answer.

    Raises DataError for a history that holds its target or a later event, by position or (where the log has times) by
    time, or an event that is not before the moment; for lives of items that are not the log's own, or cannot be cut
    before a question; for an empty set, an id outside its vocabulary, and (with `both`) a label that is the same in
    all.
    """
    if not samples.size:
        raise DataError(f"{name}: there are no samples; choose other cuts")
    for column, ids in samples.target.items():
        top = len(samples.vocabulary[column])
        if ((ids < 1) | (ids > top)).any():
            row = int(np.argmax((ids < 1) | (ids > top)))
            raise DataError(f"{name}, sample {row}: {column} {ids[row]} is outside 1..{top}: express it in the words")
    words = samples.log.keys.get("user", np.arange(samples.sequences).astype(str))
    length = samples.lengths[samples.sequence]
    for fault, what in (
        (samples.cutoff > samples.place, "sees its target or later events: cutoff {cutoff}, target at {place}"),
        ((samples.cutoff < 0) | (samples.place > length), "lies outside the user's life: cutoff {cutoff} of {length}"),
        (_sees_later_times(samples), "sees an event that is later than its target: cutoff {cutoff}, target at {place}"),
        (_sees_its_moment(samples), "sees an event at or after the moment of asking about {item!r}: cutoff {cutoff}"),
    ):
        if fault.any():
            row = int(np.argmax(fault))
            item = str(samples.vocabulary["item"][samples.target["item"][row] - 1])
            told = what.format(cutoff=samples.cutoff[row], place=samples.place[row], length=length[row], item=item)
            raise DataError(f"{name}, sample {row} (user {words[samples.sequence[row]]}): {told}; cut earlier")
    if samples.items is not None and samples.life is None:
        checked_lives(samples.items, samples.log, name)
        _ = samples.asked_at
    if both and (samples.label.all() or not samples.label.any()):
        raise DataError(f"{name}: all {samples.size} labels are {samples.label[0]}: there is nothing to tell apart")
    return samples


def _latest(log: EventLog) -> Shaped[np.ndarray, "event"]:
    """The latest time of each user's events so far, whatever their order."""
    time = log.columns["time"]
    shift = log.sequence.astype(np.int64) * (np.ptp(time) + 1)  # keeps the latest time of one life from the next
    return np.maximum.accumulate(time + shift) - shift


def _sees_later_times(samples: Samples) -> Bool[np.ndarray, "sample"]:
    """Marks samples that see an event later than the one at the target's place."""
    time = samples.log.columns.get("time")
    inside = samples.place < samples.lengths[samples.sequence]
    if time is None or not inside.any():
        return np.zeros(samples.size, bool)
    begin = samples.log.offsets[:-1][samples.sequence]
    positions = begin + samples.cutoff - 1, begin + samples.place
    last, asked = (np.clip(at, 0, samples.events - 1) for at in positions)  # of those outside the caller complains
    return inside & (samples.cutoff > 0) & (_latest(samples.log)[last] > time[asked])


def _sees_its_moment(samples: Samples) -> Bool[np.ndarray, "sample"]:
    """Marks samples that see an event from the moment on at which they are asked; all where the log has no times."""
    if samples.moment is None or not samples.events:
        return np.zeros(samples.size, bool)
    if "time" not in samples.log.columns:
        return samples.cutoff > 0
    last = samples.log.offsets[:-1][samples.sequence] + samples.cutoff - 1
    return (samples.cutoff > 0) & (_latest(samples.log)[np.clip(last, 0, samples.events - 1)] >= samples.moment)


def asked_first(samples: Samples) -> Bool[np.ndarray, "sample"]:
    """Marks what every user is asked first about a category; all samples where moments are not known."""
    if samples.moment is None:
        return np.ones(samples.size, bool)
    rows = len(samples.vocabulary["item"]) + 1
    _, pair = np.unique(samples.sequence.astype(np.int64) * rows + samples.target["item"], return_inverse=True)
    first = np.full(samples.size, samples.moment.max(initial=0))
    np.minimum.at(first, pair, samples.moment)
    return samples.moment == first[pair]


def ask(
    log: EventLog,
    sequence: Int[np.ndarray, "sample"],
    place: Int[np.ndarray, "sample"],
    label: Bool[np.ndarray, "sample"],
    item: Int[np.ndarray, "sample"] | None = None,
    *,
    side: Mapping[str, Int[np.ndarray, "row ..."]] | None = None,
    items: ItemLives | None = None,
) -> Samples:
    """Samples that see all events before `place`, asked about the item that stands there or about another one.

    Raises DataError where no item is given and none stands there.

    >>> log = EventLog(np.array([0, 3]), {"item": np.array([1, 2, 1])}, {"item": np.array(["a", "b"])})
    >>> ask(log, np.array([0]), np.array([2]), np.array([True])).target["item"].tolist()
    [1]
    """
    begin = log.offsets[:-1][sequence]
    if item is None and (past := place >= log.lengths[sequence]).any():
        row = int(np.argmax(past))
        raise DataError(
            f"sample {row}: event {place[row]} of {log.lengths[sequence[row]]} is asked about; give the items"
        )
    target = {"item": log.columns["item"][begin + place] if item is None else item}
    if "user" in log.vocabulary:
        target["user"] = log.columns["user"][begin]
    target = {name: ids.astype(np.int32) for name, ids in target.items()}
    return Samples(log, sequence.astype(np.int32), place, place, target, label, side or {}, items=items)


class TargetPlan(NamedTuple):
    """At every step each lane reads a window of one user's life and is asked about some targets within it."""

    begin: Int[np.ndarray, "step lane"]  # position of the window's first event in the log
    length: Int[np.ndarray, "step lane"]  # events in the window
    place: Int[np.ndarray, "step time"]  # 0, 1, .. window - 1, in every step
    sample: Int[np.ndarray, "step lane moment"]
    live: Bool[np.ndarray, "step lane moment"]
    divisor: Shaped[np.ndarray, "step"]  # mean number of samples a step

    @property
    def steps(self) -> int:
        """Number of steps."""
        return len(self.begin)

    @property
    def occupancy(self) -> float:
        """Share of lane-steps that ask anything."""
        return float(self.live.any(axis=-1).mean()) if self.live.size else 0.0


def target_plan(
    samples: Samples,
    *,
    seed: int = 0,
    epoch: int = 0,
    lanes: int = 128,
    window: int = 100,
    targets: int = 1,
    pool: int = 16,
    period: int = 1,
    shuffle: bool = True,
) -> TargetPlan:
    """Every sample once, in an order drawn anew for every epoch; up to `targets` of one user share a lane.

    window: the newest events that a lane may see; older ones are dropped in multiples of `period`, so that a memory
    that counts events keeps its phase. The last target of a lane sees a whole window, the others what it holds. pool:
    lanes are sorted by length among so many steps' worth, so that steps can be short; the steps are shuffled again.
    Raises DataError where a setting is not positive, and for a period longer than the window.
    """
    if min(lanes, window, targets, pool, period) < 1:
        raise DataError(
            f"lanes={lanes}, window={window}, targets={targets}, pool={pool}, period={period}: use 1 or more"
        )
    if period > window:
        raise DataError(f"period={period} is more than window={window}: use a longer window, or a shorter period")
    random = np.random.default_rng((seed, epoch))
    sample = _together(samples, targets, random)
    last = samples.cutoff[sample].max(axis=1, initial=0, where=sample >= 0)
    dropped = -(-np.maximum(last - window, 0) // period) * period
    begin, length = samples.log.offsets[:-1][samples.sequence[sample[:, 0]]] + dropped, last - dropped
    group = random.permutation(len(sample)) if shuffle else np.argsort(length, kind="stable")
    group = by_length(group, length, pool * lanes) if shuffle and pool > 1 else group
    steps = -(-len(group) // lanes)
    group = np.append(group, np.full(steps * lanes - len(group), -1)).reshape(steps, lanes)
    group = random.permutation(group) if shuffle else group
    begin, length = (np.append(column, 0)[group].astype(np.int32) for column in (begin, length))
    sample = np.concatenate([sample, np.full((1, targets), -1)])[group]
    live, width = sample >= 0, max(1, min(window, int(last.max(initial=1))))
    place = np.broadcast_to(np.arange(width, dtype=np.int32), (steps, width))
    mean = np.full(steps, live.sum() / max(steps, 1), np.float32)
    return TargetPlan(begin, length, place, np.where(live, sample, 0).astype(np.int32), live, mean)


def _together(samples: Samples, targets: int, random: np.random.Generator) -> Int[np.ndarray, "row moment"]:
    """Up to `targets` samples of one user in a row, by cutoff and otherwise in random order; -1 where there is none."""
    order = np.lexsort((random.random(samples.size), samples.cutoff, samples.sequence))
    user = samples.sequence[order]
    rank = np.arange(len(order)) - np.searchsorted(user, user, side="left")
    row = np.cumsum(rank % targets == 0) - 1
    together = np.full((row.max(initial=-1) + 1, targets), -1)
    together[row, rank % targets] = order
    return together


def shift(samples: Samples, count: int, least: int = 1) -> Samples:
    """The samples as if the last `count` events that each may see had not happened yet; at least `least` stay.

    Where there are fewer than `least`, all of them stay. Raises DataError for a negative number, and where targets have
    features of their own, or lives of items are known, which would still tell of what has not happened.

    >>> log = EventLog(np.array([0, 3]), {"item": np.array([1, 2, 1])}, {"item": np.array(["a", "b"])})
    >>> shift(ask(log, np.array([0, 0]), np.array([2, 0]), np.array([True, False])), 5).cutoff.tolist()
    [1, 0]
    """
    if min(count, least) < 0:
        raise DataError(f"count={count}, least={least}: use 0 or more")
    if count and (own := sorted(set(samples.target) - {"item", "user"})):
        raise DataError(f"targets have features of their own, {own}, which tell of every event: leave them out")
    if count and samples.items is not None:
        raise DataError("the lives of items tell of every event: set item_history=0")
    return samples._replace(cutoff=np.maximum(samples.cutoff - count, np.minimum(samples.cutoff, least)))
