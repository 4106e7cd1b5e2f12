"""Labels of buyers by hand."""

import numpy as np
import pytest
from purchase_logs import WORDS, ids, log_of

from seqjax.data import purchases
from seqjax.data.events import DataError
from seqjax.data.purchases import (
    NEVER,
    Question,
    article,
    balanced,
    ids_of,
    next_bought,
    one_to_one,
    purchase_samples,
    related,
    repeat,
    seen_before,
    split_users,
    tenths,
)
from seqjax.data.split import DAY


def random_log(seed, users=30, categories=4):
    """Users of 0 .. 12 purchases within 20 s, many in the same second."""
    random = np.random.default_rng(seed)
    lives = [np.sort(random.integers(0, 20, random.integers(0, 13))) for _ in range(users)]
    return log_of(*([(second, random.choice(WORDS[:categories])) for second in life] for life in lives), unit=1)


def told(question):
    """(user, day, label) of every question."""
    return list(zip(question.sequence.tolist(), (question.moment / DAY).tolist(), question.label.tolist(), strict=True))


# Places in time


@pytest.mark.parametrize("seed", range(5))
def test_seen_and_next_are_what_a_loop_finds(seed):
    log = random_log(seed)
    random = np.random.default_rng(seed + 100)
    sequence, moment = random.integers(0, log.sequences, 300), random.integers(-5, 30, 300)
    wanted = random.choice(4, random.integers(1, 4), replace=False) + 1
    seen, bought = seen_before(log, sequence, moment), next_bought(log, wanted, sequence, moment)
    for row in range(300):
        here = slice(log.offsets[sequence[row]], log.offsets[sequence[row] + 1])
        life = list(zip(log.columns["time"][here].tolist(), log.columns["item"][here].tolist(), strict=True))
        assert seen[row] == sum(time < moment[row] for time, _ in life)
        assert bought[row] == min((t for t, item in life if t >= moment[row] and item in wanted), default=NEVER)


def test_nothing_wanted_is_never_bought():
    log = random_log(0, categories=3)
    assert (next_bought(log, ids("d"), np.arange(30), np.zeros(30, np.int64)) == NEVER).all()
    assert (next_bought(log, ids(""), np.arange(30), np.zeros(30, np.int64)) == NEVER).all()


def test_times_of_few_bits_do_not_run_over():
    log = log_of(*[[(0, "a"), (17_000, "b")]] * 3)
    log.columns["time"] = log.columns["time"].astype(np.int32)
    sequence = np.array([0, 1, 2], np.int32)
    assert seen_before(log, sequence, np.full(3, DAY)).tolist() == [1, 1, 1]
    assert (next_bought(log, ids("b"), sequence, np.full(3, DAY)) == 17_000 * DAY).all()


def test_a_log_out_of_order_is_refused():
    log = log_of([(1, "a")], [(1, "a"), (3, "b"), (2, "b")])
    where = np.array([0]), np.array([DAY])
    message = "event 3 is earlier than one before it: order every user's purchases by time"
    for call in (lambda: seen_before(log, *where), lambda: next_bought(log, ids("b"), *where)):
        with pytest.raises(DataError, match=message):
            call()
    with pytest.raises(DataError, match=message):
        purchase_samples(log, Question(np.array([0, 1]), np.full(2, DAY * 5), np.array([True, False])), ids("ab"))


def test_ids_of_names_the_nearest():
    log = log_of([(0, "CAT FOOD")], words=np.array(["CAT FOOD", "Cat Litter", "BEEF"]))
    assert ids_of(log, ["BEEF", "CAT FOOD"]).tolist() == [3, 1] and ids_of(log, ("BEEF",)).dtype == np.int32
    with pytest.raises(DataError, match="there is no category 'cat foods'; near it are CAT FOOD"):
        ids_of(log, ["BEEF", "cat foods"])
    with pytest.raises(DataError, match="'litter'; near it are Cat Litter"):
        ids_of(log, ["litter"])
    with pytest.raises(DataError, match="'qqqq'; near it are CAT FOOD, Cat Litter, BEEF"):
        ids_of(log, ["qqqq"])
    with pytest.raises(DataError, match="name at least one"):
        ids_of(log, [])


# Repeat


def test_repeat_by_hand():
    second = 1 / DAY
    log = log_of(
        [(0, "b"), (10, "a")],  # at the moment itself: bought, and not seen
        [(0, "a"), (9, "b"), (15 - second, "a")],  # in the last second of the horizon
        [(0, "a"), (15, "a")],  # in the second after it
        [(10, "a")],  # had bought nothing before
        [],
        [(10 - second, "a"), (12, "b")],  # the one purchase of the category is seen
        [(0, "b"), (30, "a")],
    )
    question = repeat(log, ids("a"), 10 * DAY, 5.0)
    assert told(question) == [(0, 10, True), (1, 10, True), (2, 10, False), (5, 10, False), (6, 10, False)]
    samples = purchase_samples(log, question, np.full(5, 1))
    assert samples.cutoff.tolist() == samples.place.tolist() == [1, 2, 1, 1, 1]
    assert (samples.moment == 10 * DAY).all() and samples.kind is None and samples.kinds == ()
    assert repeat(log, ids("a"), 10 * DAY).label.tolist() == [True, True, True, False, True]
    assert repeat(log, ids("cb"), 10 * DAY, 5.0).label.tolist() == [False, False, False, True, False]
    assert told(question.take(np.array([1, 3]))) == [(1, 10, True), (5, 10, False)]


def test_repeat_stays_within_the_log():
    log = log_of([(1, "a"), (11, "a")])
    assert repeat(log, ids("a"), 10 * DAY, 2.0).label.tolist() == [True]  # a day of grace
    for moment, horizon in ((1, 5.0), (12, 0.5), (10, 2.1), (10, 0.0), (10, -1.0)):
        with pytest.raises(DataError, match=r"do not fit the log, 1970-01-02 to 1970-01-12: \d+ days are left; choose"):
            repeat(log, ids("a"), moment * DAY, horizon)
    with pytest.raises(
        DataError, match=r"the moment 1970-01-11 and a horizon of 5 days do not fit .*: 1 days are left"
    ):
        repeat(log, ids("a"), 10 * DAY, 5.0)


# The article's labels


def article_log():
    """Wanted a, related b; a window from day 10 to 40."""
    return log_of(
        [(0, "c"), (12, "d"), (20, "b"), (25, "a")],  # feature day 20, of the related one
        [(0, "c"), (15, "a"), (20, "b")],  # feature day 15, of the wanted one
        [(0, "b"), (14, "a")],  # a sign before the window
        [(16, "a"), (17, "c")],  # nothing before the feature day
        [(0, "c"), (30, "d")],  # no sign
        [(0, "d"), (40, "a")],  # the sign comes as the window ends
        [(0, "a"), (12, "c")],  # no sign inside, one before
        [(39, "c"), (45, "d")],  # no sign, and nothing to see when the others are asked
        [],
    )


def test_article_by_hand():
    found = [told(article(article_log(), ids("a"), ids("b"), 10 * DAY, np.random.default_rng(seed), days=30.0))
             for seed in range(20)]  # fmt: skip
    for one in found:
        assert [(user, label) for user, _, label in one] == [(0, True), (1, True), (4, False), (5, False)]
        assert [day for _, day, label in one if label] == [20, 15]
    assert {day for one in found for _, day, label in one if not label} == {15, 20}


def test_article_asks_a_gap_before_the_feature_day():
    random = np.random.default_rng(0)
    question = article(article_log(), ids("a"), ids("b"), 10 * DAY, random, days=30.0, gap=6.0)
    assert [one for one in told(question) if one[2]] == [(0, 14, True), (1, 9, True)]
    assert {day for _, day, label in told(question) if not label} <= {14, 9}
    samples = purchase_samples(article_log(), question, np.full(len(question.label), 1), hidden=ids("ab"))
    assert samples.cutoff[:2].tolist() == [2, 1]
    alone = article(article_log(), ids("a"), ids(""), 10 * DAY, random, days=30.0)  # b tells nothing
    assert [one for one in told(alone) if one[2]] == [(0, 25, True), (1, 15, True), (2, 14, True)]


def test_moments_of_negatives_are_those_of_positives():
    """Of moments that remain: a positive user who is left out lends nobody a moment."""
    positives = [[(0, "c"), (day, "a")] for day in (10, 20, 20, 20)]
    log = log_of(*positives, *[[(5, "a")]] * 50, *[[(0, "c"), (30, "d")]] * 4_000)
    question = article(log, ids("a"), ids("b"), 0, np.random.default_rng(0), days=30.0)
    days, count = np.unique(question.moment[~question.label] // DAY, return_counts=True)
    assert days.tolist() == [10, 20] and abs(count[0] / 4_000 - 0.25) < 0.03


def test_article_errors():
    log, random = article_log(), np.random.default_rng(0)
    for begin, days in ((-5, 30.0), (10, 37.0), (50, 5.0), (10, 0.0)):
        with pytest.raises(DataError, match=r"the window 19\S+ to \S+ does not fit the log, 1970-01-01 to 1970-02-15"):
            article(log, ids("a"), ids("b"), begin * DAY, random, days=days)
    with pytest.raises(DataError, match=r"1 users buy .*none of them with other purchases alone before: there are no"):
        article(log_of([(1, "a"), (5, "c")], [(0, "c"), (40, "d")]), ids("a"), ids("b"), 0, random, days=30.0)
    with pytest.raises(DataError, match="0 users buy in the categories inside the window"):
        article(log_of([(0, "c"), (40, "d")]), ids("a"), ids("b"), 0, random, days=30.0)
    with pytest.raises(DataError, match=r"gap=-1\.0: use 0 or more"):
        article(log, ids("a"), ids("b"), 10 * DAY, random, days=30.0, gap=-1.0)


# Related


def test_lift_by_hand():
    """a: 4 of 10 users. b: 4 of its 5 (lift 2), c: 2 of 6 (lift 5/6), d: 1 of 1 (lift 2.5), however often."""
    kinds = ["ab", "abc", "abbb", "abcd", "b", "c", "c", "c", "c", ""]
    log = log_of(*([(day, kind) for day, kind in enumerate(text)] for text in kinds))

    def found(**limits):
        return WORDS[related(log, ids("a"), **limits) - 1].tolist()

    assert found(least=2.0, support=1) == ["b", "d"] and related(log, ids("a")).dtype == np.int32
    assert found(least=2.1, support=1) == ["d"] and found(least=2.0, support=2) == ["b"]
    assert found(least=2.0, support=5) == ["b"] and found(least=2.0, support=6) == []
    assert found(least=0.8, support=1) == ["b", "c", "d"] and found() == []
    assert related(log, ids("ab"), least=0.0, support=1).tolist() == [3, 4]
    assert related(log_of([(0, "a")]), ids("d"), least=2.0, support=0).tolist() == []


# One to one


def test_one_to_one_overall_and_within_strata():
    random = np.random.default_rng(0)
    for share in (0.1, 0.5, 0.9):
        label = random.random(500) < share
        marked = one_to_one(label, random)
        least = min(label.sum(), (~label).sum())
        assert marked[label].sum() == marked[~label].sum() == least
        stratum = random.integers(0, 7, 500)
        marked = one_to_one(label, random, stratum)
        for one in range(7):
            here = stratum == one
            least = min((label & here).sum(), (~label & here).sum())
            assert (marked & label & here).sum() == (marked & ~label & here).sum() == least
    assert one_to_one(np.zeros(0, bool), random).tolist() == []
    assert not one_to_one(np.ones(3, bool), random).any()


def test_one_to_one_draws_uniformly_and_repeats():
    for label in (np.array([True, True, False, False, False, False]), np.array([False] + [True] * 4)):
        random = np.random.default_rng(0)
        often = sum(one_to_one(label, random).astype(int) for _ in range(4_000)) / 4_000
        few = label if label.sum() * 2 < len(label) else ~label
        assert (often[few] == 1).all()
        assert abs(often[~few] - few.sum() / (~few).sum()).max() < 0.03
    label = np.arange(100) % 5 == 0
    one, same, other = (one_to_one(label, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert (one == same).all() and (one != other).any()


def test_tenths_are_of_the_positives():
    activity, label = np.append(np.arange(100), [-3, 500, 10]), np.append(np.ones(100, bool), [False] * 3)
    tenth = tenths(activity, label)
    assert np.bincount(tenth[label]).tolist() == [10] * 10
    assert tenth[~label].tolist() == [0, 9, 1]


def test_balances():
    """Positives have 1 to 20 events; negatives 1 or 20, most of them 20; two in three of those saw a b."""
    lives = [[(day, "c") for day in range(size)] + [(60, "a")] for size in range(1, 21)]
    lives += [[(50, "c")]] * 30 + [
        [(day, "b" if day == user % 3 else "d") for day in range(1, 21)] for user in range(90)
    ]
    lives += [[(0, "d"), (55, "b")]] * 30  # a b comes at the moment: not seen
    log = log_of(*lives, [(99, "d")])
    question, random = repeat(log, ids("a"), 55 * DAY, 30.0), np.random.default_rng(0)
    seen = seen_before(log, question.sequence, question.moment)
    assert question.label.sum() == 20
    plain, alike, hard = (balanced(log, question, name, random, ids("b")) for name in ("uniform", "activity", "hard"))
    for marked in (plain, alike, hard):
        assert marked[question.label].sum() == marked[~question.label].sum()
    assert plain.sum() == 40 and alike.sum() == 8  # two positives in the first tenth and two in the last
    assert sorted(seen[alike & ~question.label].tolist()) == [1, 1, 20, 20]
    against = question.sequence[hard & ~question.label]
    assert hard.sum() == 40 and (against % 3 != 2).all() and against.max() < 140
    with pytest.raises(DataError, match="balance='fair': there are uniform, activity, hard"):
        balanced(log, question, "fair", random)
    with pytest.raises(DataError, match="balance='hard': 20 of 20 users are positive: nothing can be 1:1; choose"):
        balanced(log, question, "hard", random, ids(""))
    for label in (True, False):
        alike = question._replace(label=np.full(len(seen), label))
        for name in purchases.BALANCES:
            with pytest.raises(DataError, match="nothing can be 1:1"):
                balanced(log, alike, name, random, ids("b"))


def test_users_are_split_once():
    part = split_users(50, 0.3, 0.1, np.random.default_rng(0))
    assert np.bincount(part).tolist() == [30, 5, 15]
    assert (part == split_users(50, 0.3, 0.1, np.random.default_rng(0))).all()
    assert (part != split_users(50, 0.3, 0.1, np.random.default_rng(1))).any()
    for test, validation in ((0.0, 0.1), (0.3, 0.0), (0.9, 0.1), (0.3, 0.001), (-0.1, 0.5)):
        with pytest.raises(DataError, match=rf"test_share={test}, validation_share={validation}: of 50 users a part"):
            split_users(50, test, validation, np.random.default_rng(0))
