"""Labels of buyers by hand, and what nobody may see."""

import numpy as np
import pytest

from seqjax.data import purchases
from seqjax.data.events import DataError, EventLog
from seqjax.data.purchases import (
    NEVER,
    Question,
    article,
    balanced,
    ids_of,
    next_bought,
    one_to_one,
    purchase_samples,
    refuse,
    related,
    repeat,
    seen_before,
    split_users,
    tenths,
)
from seqjax.data.samples import checked
from seqjax.data.split import DAY

WORDS = np.array(["a", "b", "c", "d"])


def log_of(*users, words=WORDS, unit=DAY):
    """Users as lists of (day, category)."""
    events = [event for user in users for event in user]
    item = np.array([words.tolist().index(kind) + 1 for _, kind in events], np.int32)
    time = np.array([round(day * unit) for day, _ in events], np.int64)
    names = np.array([f"u{number}" for number in range(len(users))])
    offsets = np.concatenate([[0], np.cumsum([len(user) for user in users])])
    return EventLog(offsets, {"item": item, "time": time}, {"item": words}, {"user": names})


def random_log(seed, users=30, categories=4):
    """Users of 0 .. 12 purchases within 20 s, many in the same second."""
    random = np.random.default_rng(seed)
    lives = [np.sort(random.integers(0, 20, random.integers(0, 13))) for _ in range(users)]
    return log_of(*([(second, random.choice(WORDS[:categories])) for second in life] for life in lives), unit=1)


def ids(text):
    return np.array([WORDS.tolist().index(kind) + 1 for kind in text], np.int32)


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
    log = log_of(*lives, [(99, "d")])
    question, random = repeat(log, ids("a"), 55 * DAY, 30.0), np.random.default_rng(0)
    seen = seen_before(log, question.sequence, question.moment)
    assert question.label.sum() == 20
    plain, alike, hard = (balanced(log, question, name, random, ids("b")) for name in ("uniform", "activity", "hard"))
    for marked in (plain, alike, hard):
        assert marked[question.label].sum() == marked[~question.label].sum()
    assert plain.sum() == 40 and alike.sum() == 8  # two positives in the first tenth and two in the last
    assert sorted(seen[alike & ~question.label].tolist()) == [1, 1, 20, 20]
    assert hard.sum() == 40 and (question.sequence[hard & ~question.label] % 3 != 2).all()
    with pytest.raises(DataError, match="balance='fair': there are uniform, activity, hard"):
        balanced(log, question, "fair", random)
    with pytest.raises(DataError, match="balance='hard': 20 of 20 users are positive: nothing can be 1:1; choose"):
        balanced(log, question, "hard", random, ids(""))
    for label in (True, False):
        alike = question._replace(label=np.full(140, label))
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


# Nothing is smuggled


def smuggled():
    """Users u0 and u1 with a b at day 3 and 6, asked at day 5 about c; nobody may see a."""
    log = log_of([(0, "d"), (3, "b"), (5, "a"), (8, "c")], [(0, "d"), (1, "a"), (5, "c"), (6, "b")])
    question = Question(np.array([0, 1, 0]), np.array([5, 1, 3]) * DAY, np.array([True, False, True]))
    return log, purchase_samples(log, question, ids("ccb"), hidden=ids("a"))


def test_what_may_be_seen_passes():
    samples = smuggled()[1]
    assert samples.cutoff.tolist() == [2, 1, 1]
    assert checked(samples) is samples and refuse(samples, ids("a")) is samples
    assert refuse(samples, None) is samples and refuse(samples, ids("")) is samples
    less = samples._replace(cutoff=np.zeros(3, np.int64))
    assert checked(less) is less and refuse(less, ids("abcd")) is less


def refused_by_moment(samples, row, user, item):
    message = rf"part, sample {row} \(user {user}\): sees an event at or after the moment of asking about '{item}'"
    with pytest.raises(DataError, match=message):
        checked(samples, "part")


def test_events_from_the_moment_on_are_refused():
    samples = smuggled()[1]
    later = np.array([2, 3, 1])  # u1 sees day 1, which is the moment itself
    refused_by_moment(samples._replace(cutoff=later, place=later), 1, "u1", "c")
    refused_by_moment(samples._replace(moment=samples.moment - np.array([0, 0, 3 * DAY])), 2, "u0", "b")
    last = np.array([4, 1, 1])
    refused_by_moment(samples._replace(cutoff=last, place=last), 0, "u0", "c")
    refused_by_moment(samples._replace(sequence=np.array([0, 1, 1]), cutoff=last[::-1], place=last[::-1]), 2, "u1", "b")
    by_hand = samples.take(np.array([2, 1]))._replace(moment=np.array([0, DAY]))
    refused_by_moment(by_hand, 0, "u0", "b")


def test_times_that_lie_are_refused():
    log, samples = smuggled()
    late = np.array(log.columns["time"])
    late[0] = 9 * DAY  # an event by its place early, by its time late, and behind it an early one
    moved = log._replace(columns={**log.columns, "time": late})
    beyond = samples._replace(log=moved, place=np.array([4, 4, 4]))
    refused_by_moment(beyond, 0, "u0", "c")
    with pytest.raises(DataError, match=r"event 1 is earlier than one before it"):
        purchase_samples(moved, Question(samples.sequence, samples.moment, samples.label), ids("ccb"))
    timeless = samples._replace(log=log._replace(columns={"item": log.columns["item"]}))
    refused_by_moment(timeless, 0, "u0", "c")
    shifted = samples._replace(log=log._replace(columns={**log.columns, "time": log.columns["time"] + 40 * DAY}))
    refused_by_moment(shifted, 0, "u0", "c")


def test_hidden_categories_are_refused():
    log, samples = smuggled()

    def refused(samples, row, word, hidden):
        with pytest.raises(DataError, match=rf"part, sample {row}: sees a purchase of '{word}', which is related to"):
            refuse(samples, hidden, "part")

    refused(samples, 0, "b", ids("b"))
    refused(samples, 0, "d", ids("bd"))
    refused(samples.take(np.array([1, 2, 0])), 2, "b", ids("ab"))
    refused(samples._replace(cutoff=np.array([2, 2, 1])), 1, "a", ids("a"))
    other = np.array(log.columns["item"])
    other[1] = 1
    refused(samples._replace(log=log._replace(columns={**log.columns, "item": other})), 0, "a", ids("a"))
    question = Question(np.array([0, 1]), np.array([5, 2]) * DAY, np.array([True, False]))
    with pytest.raises(DataError, match="part, sample 1: sees a purchase of 'a'"):
        purchase_samples(log, question, ids("cc"), hidden=ids("a"), name="part")


def test_kinds_and_sides_are_carried():
    log, samples = smuggled()
    question = Question(samples.sequence, samples.moment, samples.label)
    kind, side = np.array([0, 1, 0], np.int8), {"department": np.arange(5, dtype=np.int32)}
    full = purchase_samples(log, question, ids("ccb"), kind=kind, side=side)
    assert full.kind is kind and full.kinds == ("rest",) and full.side == side
