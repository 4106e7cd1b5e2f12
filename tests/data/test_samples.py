import numpy as np
import pytest

from seqjax.data import store
from seqjax.data.events import DataError, EventLog
from seqjax.data.samples import Samples, ask, checked, target_plan

WORDS = np.array(["a", "b", "c", "d"])


def life():
    """Users "u" (items a b a c, two of them in one second) and "v" (items d b)."""
    columns = {"item": np.int32([1, 2, 1, 3, 4, 2]), "time": np.array([10, 20, 20, 30, 5, 6])}
    return EventLog(np.array([0, 4, 6]), columns, {"item": WORDS}, {"user": np.array(["u", "v"])})


def small(log=None):
    """Three samples: u at its third event, u at its last, v at its last."""
    return ask(life() if log is None else log, np.array([0, 0, 1]), np.array([2, 3, 1]), np.array([True, False, True]))


def random_samples(seed, users=40, longest=60):
    """Every event but the first is asked about, of users with 1 .. longest events."""
    random = np.random.default_rng(seed)
    lengths = random.integers(1, longest + 1, users)
    log = EventLog(
        np.concatenate([[0], np.cumsum(lengths)]),
        {"item": random.integers(1, 5, lengths.sum()).astype(np.int32)},
        {"item": WORDS},
    )
    place = np.arange(log.events) - log.offsets[:-1][log.sequence]
    event = np.flatnonzero(place > 0)
    return ask(log, log.sequence[event], place[event], random.random(len(event)) < 0.5)


# Samples


def test_samples_stand_for_their_log():
    samples = small()
    assert (samples.size, samples.sequences, samples.events) == (3, 2, 6)
    assert samples.lengths.tolist() == [4, 2] and samples.keys["user"].tolist() == ["u", "v"]
    assert samples.vocabulary["item"] is WORDS


def test_counts_are_of_events_that_some_sample_may_see():
    assert small().counts().tolist() == [0, 2, 1, 0, 1]  # u's first three events and v's first
    assert small().take(np.array([2])).counts().tolist() == [0, 0, 0, 0, 1]
    assert small().take(np.array([], np.int64)).counts().tolist() == [0] * 5


def test_take_and_head_keep_everything_together():
    samples = small()._replace(
        side={"colour": np.arange(5)}, kind=np.array([0, 1, 2], np.int8), kinds=("uniform", "popularity")
    )
    taken = samples.take(np.array([2, 0]))
    assert (taken.sequence.tolist(), taken.cutoff.tolist(), taken.place.tolist()) == ([1, 0], [1, 2], [1, 2])
    assert (taken.target["item"].tolist(), taken.label.tolist(), taken.kind.tolist()) == ([2, 1], [True, True], [2, 0])
    assert (taken.log, taken.side, taken.kinds) == (samples.log, samples.side, samples.kinds)
    assert samples.head(2).target["item"].tolist() == [1, 3] and samples.head(99).size == 3


def test_ask_takes_what_stands_there_or_what_is_given():
    assert small().target["item"].tolist() == [1, 3, 2] and set(small().target) == {"item"}
    assert small().cutoff.tolist() == small().place.tolist() == [2, 3, 1]
    given = ask(life(), np.array([1]), np.array([2]), np.array([False]), np.array([3]))  # behind the last event
    assert given.target["item"].tolist() == [3] and checked(given, both=False) is given
    log = life()
    log = log._replace(
        columns={**log.columns, "user": np.int32([1, 1, 1, 1, 2, 2])},
        vocabulary={**log.vocabulary, "user": log.keys["user"]},
    )
    samples = ask(log, np.array([1, 0]), np.array([1, 0]), np.array([True, False]), side={"colour": np.arange(5)})
    assert samples.target["user"].tolist() == [2, 1] and samples.target["user"].dtype == np.int32
    assert samples.side["colour"].tolist() == [0, 1, 2, 3, 4]


# What must not be seen


def test_good_samples_pass():
    samples = small()
    assert checked(samples) is samples
    earlier = samples._replace(cutoff=samples.cutoff - 1)  # may see less than all before
    assert checked(earlier) is earlier
    none = samples._replace(cutoff=np.zeros(3, np.int64), place=np.zeros(3, np.int64))
    assert checked(none) is none


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cutoff": np.array([2, 4, 1])}, r"test, sample 1 \(user u\): sees its target .* cutoff 4, target at 3; cut"),
        ({"cutoff": np.array([2, 3, 99])}, r"test, sample 2 \(user v\): sees its target .* cutoff 99, target at 1"),
        ({"cutoff": np.array([-1, 3, 1])}, r"test, sample 0 \(user u\): lies outside .* cutoff -1 of 4"),
        ({"place": np.array([2, 3, 3])}, r"test, sample 2 \(user v\): lies outside the user's life: cutoff 1 of 2"),
        ({"target": {"item": np.int32([1, 5, 2])}}, r"test, sample 1: item 5 is outside 1\.\.4"),
        ({"target": {"item": np.int32([0, 1, 2])}}, r"test, sample 0: item 0 is outside 1\.\.4"),
        ({"label": np.ones(3, bool)}, r"test: all 3 labels are True: there is nothing to tell apart"),
        ({"label": np.zeros(3, bool)}, r"test: all 3 labels are False"),
    ],
)
def test_smuggled_answers_are_refused(change, message):
    with pytest.raises(DataError, match=message):
        checked(small()._replace(**change), "test")


def test_an_event_that_is_later_than_the_target_is_refused():
    """By position it comes before the target; its time says otherwise. The same second is not later."""
    late = life()
    late.columns["time"][1] = 21
    with pytest.raises(DataError, match=r"sample 0 \(user u\): sees an event that is later than its target: cutoff 2"):
        checked(small(late))
    assert checked(small()).size == 3
    assert checked(small(late).take(np.array([1, 2]))).size == 2
    del late.columns["time"]
    assert checked(small(late)).size == 3  # no times, nothing to tell


def test_a_late_event_does_not_hide_behind_an_earlier_one():
    """A log out of order: the newest visible event is early, one before it is not."""
    late = life()
    late.columns["time"][:4] = [25, 10, 20, 30]
    with pytest.raises(DataError, match=r"sample 0 \(user u\): sees an event that is later than its target: cutoff 2"):
        checked(small(late))
    late.columns["time"][:4] = [10, 20, 20, 99]  # another user's late event is none of v's business
    assert checked(small(late)).size == 3


def test_an_event_that_is_not_there_cannot_be_asked_about():
    with pytest.raises(DataError, match=r"sample 1: event 4 of 4 is asked about; give the items"):
        ask(life(), np.array([1, 0]), np.array([1, 4]), np.array([True, False]))


def test_an_empty_set_and_one_label():
    with pytest.raises(DataError, match="validation: there are no samples; choose other cuts"):
        checked(small().head(0), "validation")
    assert checked(small().head(1), both=False).size == 1
    empty = EventLog(np.array([0, 2, 2]), {"item": np.int32([1, 2]), "time": np.array([1, 2])}, {"item": WORDS})
    first = ask(empty, np.array([1, 0]), np.array([0, 1]), np.array([True, False]), np.array([1, 2]))
    assert checked(first).size == 2  # a user without events can be asked, too


# Plans


@pytest.mark.parametrize("targets", [1, 3])
@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize(("window", "period"), [(100, 1), (7, 1), (7, 4), (8, 8)])
def test_every_sample_comes_once_and_its_window_ends_at_the_last_target(targets, shuffle, window, period):
    samples = random_samples(0)
    settings = dict(lanes=8, window=window, targets=targets, pool=3, period=period, shuffle=shuffle)
    plan = target_plan(samples, seed=1, **settings)
    assert np.sort(plan.sample[plan.live]).tolist() == list(range(samples.size))
    assert plan.sample.shape == plan.live.shape == (plan.steps, 8, targets)
    assert plan.begin.shape == plan.length.shape == (plan.steps, 8)
    assert plan.divisor.tolist() == pytest.approx([samples.size / plan.steps] * plan.steps)
    assert (plan.place == np.arange(min(window, samples.cutoff.max()))).all()
    start = samples.log.offsets[:-1]
    for begin, length, sample, live in zip(
        plan.begin.ravel(), plan.length.ravel(), plan.sample.reshape(-1, targets), plan.live.reshape(-1, targets),
        strict=True,
    ):  # fmt: skip
        if not live.any():
            assert length == 0
            continue
        asked = sample[live]
        user = samples.sequence[asked[0]]
        dropped, last = begin - start[user], samples.cutoff[asked].max()
        assert (samples.sequence[asked] == user).all()
        assert dropped + length == last
        assert dropped % period == 0
        assert dropped == 0 if last <= window else window - period < length <= window
    assert not plan.length[~plan.live.any(axis=-1)].any()
    assert plan.occupancy == plan.live.any(axis=-1).mean() > 0.8


def test_orders_differ_by_epoch_and_seed_and_repeat():
    samples = random_samples(1)

    def order(**settings):
        return target_plan(samples, lanes=4, window=9, **settings).sample.ravel().tolist()

    assert order(seed=3, epoch=2) == order(seed=3, epoch=2)
    drawn = [order(seed=seed, epoch=epoch) for seed in (0, 1) for epoch in (0, 1)]
    assert len({tuple(one) for one in drawn}) == 4
    assert order(shuffle=False) == order(shuffle=False)


def test_without_shuffling_lanes_come_by_length():
    plan = target_plan(random_samples(2), lanes=4, window=1000, shuffle=False)
    length = plan.length.ravel()[plan.live.any(axis=-1).ravel()]
    assert (np.diff(length) >= 0).all()


def test_pools_make_steps_of_like_length():
    samples = random_samples(3, users=300)
    spread = [
        np.mean([np.ptp(row[live.any(axis=-1)]) for row, live in zip(plan.length, plan.live, strict=True)])
        for plan in (target_plan(samples, lanes=8, pool=pool, window=1000) for pool in (1, 32))
    ]
    assert spread[1] < 0.3 * spread[0]


def test_no_samples_make_no_steps():
    plan = target_plan(small().head(0), lanes=2)
    assert (plan.steps, plan.occupancy, len(plan.divisor)) == (0, 0.0, 0)


@pytest.mark.parametrize("setting", ["lanes", "window", "targets", "pool", "period"])
def test_settings_are_positive(setting):
    with pytest.raises(DataError, match=rf"{setting}=0.*use 1 or more"):
        target_plan(small(), **{setting: 0})


def test_a_period_fits_the_window():
    with pytest.raises(DataError, match="period=8 is more than window=5"):
        target_plan(small(), window=5, period=8)


# Checksums


@pytest.mark.parametrize(
    "change",
    [
        lambda one: {"label": ~one.label},
        lambda one: {"target": {"item": one.target["item"][::-1].copy()}},
        lambda one: {"cutoff": one.cutoff - 1},
        lambda one: {"place": one.place - 1},
        lambda one: {"sequence": one.sequence[::-1].copy()},
        lambda one: {"side": {"colour": np.arange(5)[::-1].copy()}},
        lambda one: {"side": {}},
        lambda one: {"kind": np.zeros(3, np.int8)},
        lambda one: {"log": one.log._replace(keys={"user": np.array(["u", "w"])})},
    ],
)
def test_a_checksum_tells_samples_apart(change):
    one = small()._replace(side={"colour": np.arange(5)})
    assert isinstance(one, Samples)
    assert store.checksum(one) == store.checksum(small()._replace(side={"colour": np.arange(5)}))
    assert store.checksum(one._replace(**change(one))) != store.checksum(one)
    assert store.checksum(one) != store.checksum(one.log)
