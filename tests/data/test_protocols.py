import numpy as np
import pytest

from seqjax.data.events import DataError, EventLog
from seqjax.data.protocols import beside, by_protocol, hashed, hpmn2019, leave_last
from seqjax.data.samples import Samples


def make_log(seed=0, users=600, items=40, longest=20, time=True):
    """Users of 1 .. longest events; small items are common; users' last events spread over time."""
    random = np.random.default_rng(seed)
    lengths = random.integers(1, longest + 1, users)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    item = np.minimum(random.geometric(0.1, offsets[-1]), items).astype(np.int32)
    columns = {"item": item} | ({"time": np.arange(offsets[-1])} if time else {})
    words = np.array([f"i{number}" for number in range(items)])
    return EventLog(offsets, columns, {"item": words}, {"user": np.array([f"u{number}" for number in range(users)])})


def users_of(samples):
    return set(samples.keys["user"][samples.sequence].tolist())


def assert_equal(one, other):
    for name in ("sequence", "cutoff", "place", "label", "kind"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name
    assert np.array_equal(one.target["item"], other.target["item"])


# hpmn2019


@pytest.mark.parametrize("time", [True, False])
def test_hpmn2019_asks_every_user_once_about_the_last_event(time):
    log = make_log(time=time, users=4_000)
    split = hpmn2019(log, seed=3)
    assert split.validation is None and split.notes["protocol"] == "hpmn2019"
    assert isinstance(split.train, Samples) and isinstance(split.test, Samples)
    learned, judged = users_of(split.train), users_of(split.test)
    assert not learned & judged
    assert learned | judged == set(log.keys["user"][log.lengths >= 2].tolist())
    for part in (split.train, split.test):
        assert len(np.unique(part.sequence)) == part.size
        assert (part.cutoff == part.lengths[part.sequence] - 1).all() and (part.place == part.cutoff).all()
        own = part.log.columns["item"][part.log.offsets[1:] - 1][part.sequence]
        assert ((part.target["item"] == own) == part.label).all()
        assert abs(part.label.mean() - 0.5) < 4 * 0.5 / np.sqrt(part.size)
    other = np.concatenate([part.target["item"][~part.label] for part in (split.train, split.test)])
    assert np.bincount(other, minlength=41)[1:].min() > 0.5 * len(other) / 40  # uniform, rare items as well


def test_hpmn2019_cuts_users_at_the_quantile_of_last_times():
    split = hpmn2019(make_log(), share=0.7)
    last = split.train.log.columns["time"][split.train.log.offsets[1:] - 1]
    assert last[split.train.sequence].max() < last[split.test.sequence].min()
    total = split.train.size + split.test.size
    assert split.train.size / total == pytest.approx(0.7, abs=1.5 / total)
    assert hpmn2019(make_log(), share=0.4).train.size < split.train.size


def test_hpmn2019_without_times_splits_by_the_hash_of_a_name():
    log = make_log(time=False)
    split = hpmn2019(log)
    assert split.train.size / (split.train.size + split.test.size) == pytest.approx(0.7, abs=0.08)
    again = hpmn2019(log, seed=99)
    assert users_of(again.train) == users_of(split.train)
    shuffled = log._replace(keys={"user": log.keys["user"][::-1]})
    assert users_of(hpmn2019(shuffled).train) & users_of(split.test) == set()  # the name decides, not the place


def test_the_hash_is_the_same_everywhere():
    number = hashed(make_log(users=3))
    assert number.tolist() == pytest.approx([0.6162129724055005, 0.7324525745899982, 0.4243470897329921])  # a record
    assert hashed(make_log(users=2_000)).mean() == pytest.approx(0.5, abs=0.03)
    bare = make_log(users=2)._replace(keys={})
    assert len(hashed(bare)) == 2


def test_hpmn2019_repeats_with_its_seed():
    one, again, other = (hpmn2019(make_log(), seed=seed) for seed in (5, 5, 6))
    assert_equal(one.train, again.train)
    assert_equal(one.test, again.test)
    assert (one.test.label != other.test.label).any()


def test_hpmn2019_errors():
    with pytest.raises(DataError, match=r"1 items, .*there is nothing to ask about"):
        hpmn2019(make_log(items=1))
    with pytest.raises(DataError, match="0 users of two events or more"):
        hpmn2019(make_log(longest=1))
    with pytest.raises(DataError, match="test: there are no samples"):
        hpmn2019(make_log(), share=1.0)


# leave_last

SMALL = EventLog(
    np.array([0, 5, 8, 12]),
    {"item": np.int32([1, 2, 3, 4, 5, 1, 2, 3, 6, 5, 4, 3])},
    {"item": np.array(list("abcdef"))},
    {"user": np.array(["five", "three", "four"])},
)
LIKED = np.array([1, 0, 1, 0, 1, 1, 1, 0, 0, 1, 1, 0], bool)


def test_leave_last_by_hand():
    split = leave_last(SMALL, LIKED)
    told = {
        name: list(zip(part.sequence.tolist(), part.place.tolist(), part.label.tolist(), strict=True))
        for name, part in zip(("train", "validation", "test"), split[:3], strict=True)
    }
    assert told == {
        "train": [(0, 1, False), (0, 2, True), (1, 1, True), (1, 2, False), (2, 1, True)],
        "validation": [(0, 3, False), (2, 2, True)],
        "test": [(0, 4, True), (2, 3, False)],
    }
    for part in split[:3]:
        assert (part.cutoff == part.place).all() and part.kinds == () and part.kind is None
        begin = SMALL.offsets[:-1][part.sequence]
        assert (part.target["item"] == SMALL.columns["item"][begin + part.place]).all()
    assert dict(split.notes) == {"protocol": "leave_last", "users_that_only_train": 1}


def test_leave_last_begins_where_it_is_told():
    log = make_log()
    split = leave_last(log, np.arange(log.events) % 2 == 0, least=4)
    assert all(part.place.min() >= 4 for part in split[:3])
    assert split.notes["users_that_only_train"] == np.count_nonzero(log.lengths < 7)
    assert split.test.size == split.validation.size == np.count_nonzero(log.lengths >= 7)
    assert split.train.size == np.maximum(log.lengths - 4, 0).sum() - 2 * split.test.size


def test_leave_last_drops_users_without_events():
    log = SMALL._replace(offsets=np.array([0, 5, 5, 8, 12]), keys={"user": np.array(["five", "none", "three", "four"])})
    split = leave_last(log, LIKED)
    assert split.train.sequences == 3 and users_of(split.train) == {"five", "three", "four"}


def test_leave_last_without_labels_draws_items_that_the_user_never_had():
    log = make_log(items=30)
    group = np.array([0, *(number % 5 + 1 for number in range(30))])
    kinds = ("uniform", "popularity", "category")
    split = leave_last(log, side={"colour": group}, negatives=kinds, seed=1)
    assert split.train.label.all() and split.train.kind is None
    had = {(user, item) for user, item in zip(log.sequence.tolist(), log.columns["item"].tolist(), strict=True)}
    for part in (split.validation, split.test):
        assert part.kinds == kinds
        assert (part.label == (part.kind == 0)).all()
        taken = {
            user: (item, place)
            for user, item, place, kind in zip(
                part.sequence.tolist(),
                part.target["item"].tolist(),
                part.place.tolist(),
                part.kind.tolist(),
                strict=True,
            )
            if kind == 0
        }
        for number in (1, 2, 3):
            of = part.take(np.flatnonzero(part.kind == number))
            assert len(np.unique(of.sequence)) == of.size > 0.9 * len(taken)  # one of each kind for almost every user
            for user, item, place in zip(
                of.sequence.tolist(), of.target["item"].tolist(), of.place.tolist(), strict=True
            ):
                assert (user, item) not in had
                assert place == taken[user][1]
                assert number != 3 or group[item] == group[taken[user][0]]
                assert item > 0


def test_a_category_of_several_features_is_the_first():
    log = make_log(items=30)
    group = np.zeros((31, 2), np.int32)
    group[1:] = np.array([np.arange(30) % 3 + 1, np.arange(30) % 7 + 4]).T
    test = leave_last(log, side={"colour": group}, negatives=("category",)).test
    negative = test.take(np.flatnonzero(test.kind == 1))
    positive = dict(zip(test.sequence[test.kind == 0], test.target["item"][test.kind == 0], strict=True))
    assert [group[item, 0] for item in negative.target["item"]] == [
        group[positive[user], 0] for user in negative.sequence
    ]


def test_popularity_follows_counts_and_uniform_does_not():
    """Users of five events among 30 items: what is drawn is hardly bent by what a user had."""
    random = np.random.default_rng(0)
    item = np.minimum(random.geometric(0.1, 5 * 6_000), 30).astype(np.int32)
    log = EventLog(np.arange(6_001) * 5, {"item": item}, {"item": np.arange(30).astype(str)})
    split = leave_last(log, negatives=("uniform", "popularity"))
    count = split.train.counts()[1:]
    assert count.sum() == 6_000 * 2
    drawn = [np.bincount(split.test.target["item"][split.test.kind == kind], minlength=31)[1:] for kind in (1, 2)]
    assert np.corrcoef(drawn[1], count)[0, 1] > 0.95
    assert drawn[1][0] > 5 * drawn[1][20:29].mean()
    assert drawn[0].min() > 0.5 * drawn[0].mean()


def test_leave_last_repeats_with_its_seed():
    one, again, other = (leave_last(make_log(), seed=seed) for seed in (1, 1, 2))
    for name in ("train", "validation", "test"):
        assert_equal(getattr(one, name), getattr(again, name))
    assert (one.test.target["item"] != other.test.target["item"]).any()
    assert (one.test.target["item"][one.test.label] == other.test.target["item"][other.test.label]).all()
    half = one.test.size // 2
    assert (one.test.target["item"][half:] != one.validation.target["item"][half:]).any()  # not the same draws


def test_a_kind_is_left_out_where_there_is_no_such_item():
    """Two users had all three items, the third had one; items 1 and 2 are of one category and item 3 alone."""
    log = EventLog(
        np.array([0, 4, 8, 12]),
        {"item": np.int32([1, 2, 3, 1, 3, 2, 1, 3, 1, 1, 1, 1])},
        {"item": np.array(["a", "b", "c"])},
    )
    side = {"colour": np.array([0, 1, 1, 2])}
    test = leave_last(log, side=side, negatives=("uniform", "category")).test
    assert (test.sequence.tolist(), test.kind.tolist()) == ([0, 1, 2, 2, 2], [0, 0, 0, 1, 2])
    assert test.target["item"].tolist()[:3] == [1, 3, 1]
    assert test.target["item"].tolist()[3] in (2, 3) and test.target["item"].tolist()[4] == 2


def test_leave_last_errors():
    with pytest.raises(DataError, match="negatives='hard': there are uniform, popularity, category"):
        leave_last(make_log(), negatives=("hard",))
    with pytest.raises(DataError, match="negatives='category': items have no side features"):
        leave_last(make_log(), negatives=("category",))
    with pytest.raises(DataError, match=r"validation: all .* labels are True"):
        leave_last(make_log(), negatives=())
    with pytest.raises(DataError, match="validation: there are no samples"):
        leave_last(make_log(longest=3))
    with pytest.raises(DataError, match=r"train: all .* labels are False"):
        leave_last(SMALL, np.zeros(12, bool))


def test_beside_keeps_further_target_features():
    log = make_log()
    log = log._replace(
        columns={**log.columns, "user": log.sequence + 1}, vocabulary={**log.vocabulary, "user": log.keys["user"]}
    )
    samples = leave_last(log).train
    both = beside(samples, ("uniform",), samples.counts(), np.random.default_rng(0))
    assert (both.target["user"] == both.sequence + 1).all() and both.size > samples.size


# By name


def test_by_protocol_is_the_protocol_of_that_name():
    log = make_log()
    side = {"colour": np.arange(41) % 3}
    assert_equal(by_protocol(log, "hpmn2019", side=side, seed=4).test, hpmn2019(log, side=side, seed=4).test)
    named = by_protocol(log, "leave_last", side=side, seed=4, negatives=("category",))
    assert_equal(named.test, leave_last(log, side=side, seed=4, negatives=("category",)).test)
    with pytest.raises(DataError, match="protocol='hpmn2020': there are leave_last, hpmn2019"):
        by_protocol(log, "hpmn2020")
