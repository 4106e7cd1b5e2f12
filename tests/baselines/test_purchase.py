"""Recency, frequency and money by loops over events, and the classifiers that are fitted to them."""

import sys
from itertools import pairwise

import numpy as np
import pytest

from seqjax.baselines.purchase import (
    NEVER,
    WINDOWS,
    bag,
    bag_of_categories,
    purchase_logistic,
    purchase_trees,
    purchase_xgboost,
    table,
)
from seqjax.data.events import EventLog
from seqjax.data.purchases import Question, purchase_samples
from seqjax.data.samples import ask
from seqjax.data.split import DAY
from seqjax.metrics import roc_auc

WORDS = np.array(["a", "b", "c", "d", "e"])
FACTORIES = (purchase_trees, purchase_xgboost, purchase_logistic, bag_of_categories)


def random_log(seed, users=25, days=120, most=20, **columns):
    """Users of 0 .. `most` purchases at whole half days, so that many stand in one basket."""
    random = np.random.default_rng(seed)
    lengths = np.append([0, 0, 1], random.integers(0, most + 1, users - 3))
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    time = np.concatenate([np.sort(random.integers(0, 2 * days, n)) * (DAY // 2) for n in lengths])
    columns = {"item": random.integers(1, len(WORDS) + 1, offsets[-1]).astype(np.int32), "time": time} | columns
    return EventLog(offsets, columns, {"item": WORDS}, {})


def with_money(log):
    random = np.random.default_rng(8)
    return log._replace(columns={**log.columns, "value": random.gamma(2.0, 3.0, log.events).astype(np.float32)})


def random_samples(seed, size=200, **settings):
    """Questions about any user, at any of four moments, in no order; many of one user."""
    log, random = with_money(random_log(seed, **settings)), np.random.default_rng((seed, 1))
    moment = np.array([1, 40, 90, 119])[random.integers(4, size=size)] * DAY
    question = Question(random.integers(log.sequences, size=size), moment, random.random(size) < 0.5)
    return purchase_samples(log, question, random.integers(1, len(WORDS) + 1, size).astype(np.int32))


def seen(samples, row):
    """(category, second, money) of every event that a sample may see."""
    begin = samples.log.offsets[samples.sequence[row]]
    here = slice(begin, begin + samples.cutoff[row])
    money = samples.log.columns.get("value", np.zeros(samples.events))[here]
    parts = (samples.log.columns["item"][here], samples.log.columns["time"][here], money)
    return list(zip(*(part.tolist() for part in parts), strict=True))


def described(events, moment, target, windows=WINDOWS):
    """All columns of one sample by loops."""
    days = [(moment - time) / DAY for _, time, _ in events]
    times = sorted({time for _, time, _ in events})
    last, first = (days[-1], days[0]) if days else (0.0, 0.0)
    apart = [(b - a) / DAY for a, b in pairwise(times)]
    user = [last, first, len(times), len(events), sum(value for *_, value in events), np.mean(apart) if apart else 0.0]
    user += [sum(day <= window for day in days) for window in windows]
    counts = [sum(item == kind for item, *_ in events) for kind in range(1, len(WORDS) + 1)]
    own = [day for day, (item, *_) in zip(days, events, strict=True) if item == target]
    return [*user, *counts, min(own, default=NEVER), *(sum(day <= w for day in own) for w in windows), len(own)]


@pytest.mark.parametrize("windows", [WINDOWS, (2, 60)])
@pytest.mark.parametrize("seed", range(3))
def test_every_column_is_that_of_a_loop(seed, windows):
    samples = random_samples(seed)
    held = table(samples, windows)
    expected = [
        described(seen(samples, row), samples.moment[row], samples.target["item"][row], windows)
        for row in range(samples.size)
    ]
    np.testing.assert_allclose(held.of(np.arange(samples.size)), expected, rtol=1e-5)
    assert (samples.cutoff == 0).any() and (held.own[:, 0] == NEVER).any() and (held.own[:, 0] != NEVER).any()
    some = np.array([7, 3, 3])
    np.testing.assert_array_equal(held.of(some), held.of(np.arange(samples.size))[some])
    np.testing.assert_array_equal(table(samples.take(some), windows).of(np.arange(3)), held.of(some))


def test_a_user_without_purchases_has_zeros_and_has_bought_nothing():
    samples = random_samples(0)
    held, nobody = table(samples), np.flatnonzero(samples.cutoff == 0)
    assert len(nobody) and not held.row[held.where[nobody]].any()
    assert (held.own[nobody, 0] == NEVER).all() and not held.own[nobody, 1:].any()


def test_a_row_is_one_user_at_one_moment():
    samples = random_samples(1)
    held = table(samples)
    pairs = list(zip(samples.sequence.tolist(), samples.moment.tolist(), strict=True))
    assert len(held.row) == len(set(pairs)) < samples.size
    assert len({*zip(pairs, held.where.tolist(), strict=True)}) == len(set(pairs))
    one = random_log(1).lengths.argmax()
    question = Question(np.array([one, one]), np.array([200, 300]) * DAY, np.array([True, False]))
    twice = table(purchase_samples(samples.log, question, np.array([1, 1], np.int32)))
    assert twice.where.tolist() == [0, 1]  # the same purchases seen, from another moment
    assert twice.row[1, 0] == twice.row[0, 0] + 100 and twice.own[1, 0] == twice.own[0, 0] + 100


def test_without_moments_a_user_is_asked_a_second_after_the_last_purchase():
    samples = random_samples(2)
    plain = samples._replace(moment=None)
    held = table(plain).of(np.arange(samples.size))
    for row in range(samples.size):
        events = seen(samples, row)
        moment = events[-1][1] + 1 if events else 0
        np.testing.assert_allclose(held[row], described(events, moment, samples.target["item"][row]), rtol=1e-5)


def test_without_a_column_of_money_there_is_none():
    log = random_log(3)
    question = Question(np.arange(log.sequences), np.full(log.sequences, 100 * DAY), np.arange(log.sequences) < 5)
    samples = purchase_samples(log, question, np.ones(log.sequences, np.int32))
    assert not table(samples).row[:, 4].any() and table(samples).row[:, 3].any()


def test_a_bag_is_the_counts_and_needs_no_times():
    samples = random_samples(4)
    columns = {"item": samples.log.columns["item"]}
    timeless = samples._replace(log=samples.log._replace(columns=columns), moment=None)
    counts = [[sum(item == kind for item, *_ in seen(samples, row)) for kind in range(1, 6)] for row in range(200)]
    for held in (bag(samples), bag(timeless)):
        assert held.own is None
        np.testing.assert_array_equal(held.of(np.arange(200)), counts)
    with pytest.raises(ValueError, match=r"the log has no times.*take `bag_of_categories`"):
        table(timeless)


def known_samples(seed, size=400):
    """Category a is bought again where it was bought often, c where b was bought last month; d never is, e always."""
    random, users = np.random.default_rng(seed), size // 4
    log = with_money(random_log(seed, users=users, most=12))
    sequence, item = np.repeat(np.arange(users), 4), np.tile(np.array([1, 3, 4, 5], np.int32), users)
    moment = np.full(size, 120 * DAY)
    samples = purchase_samples(log, Question(sequence, moment, random.random(size) < 0.5), item)
    held = table(samples)
    often, month = held.row[held.where, 12 + 0] >= 2, np.zeros(size, bool)
    for row in range(size):
        month[row] = any(kind == 2 and time >= 90 * DAY for kind, time, _ in seen(samples, row))
    label = np.select([item == 1, item == 3], [often, month], item == 5)
    return samples._replace(label=label ^ ((random.random(size) < 0.05) & (item < 4)))


@pytest.fixture(scope="module")
def known():
    pytest.importorskip("sklearn")
    return known_samples(0, 1600), known_samples(1)


def area(samples, score, item):
    here = samples.target["item"] == item
    return roc_auc(score[here & samples.label], score[here & ~samples.label])[0]


@pytest.mark.parametrize("factory", FACTORIES)
def test_every_category_has_a_classifier_of_its_own(factory, known):
    train, test = known
    score = factory(train)(test)
    assert area(test, score, 1) > 0.85 and score.shape == (test.size,)
    assert not score[test.target["item"] >= 4].any()  # all labels of training are the same
    alone = train.take(np.flatnonzero(train.target["item"] == 1))
    once = factory(alone)(test)
    np.testing.assert_allclose(once[test.target["item"] == 1], score[test.target["item"] == 1], atol=1e-6)
    assert not once[test.target["item"] != 1].any()


def test_what_only_times_tell_is_known_to_trees_alone(known):
    """b was bought, but how long ago no count of the whole life says; the windows say when anything was bought."""
    train, test = known
    trees, counts = (area(test, factory(train)(test), 3) for factory in (purchase_trees, bag_of_categories))
    assert trees > counts > 0.5


@pytest.mark.parametrize("factory", FACTORIES)
def test_the_order_of_samples_does_not_matter(factory, known):
    train, test = known
    order, other = (np.random.default_rng(2).permutation(part.size) for part in known)
    score = factory(train)(test)
    again = factory(train.take(order))(test.take(other))
    np.testing.assert_allclose(again, score[other], atol=1e-3)


@pytest.mark.parametrize("factory", FACTORIES)
def test_later_purchases_change_nothing(factory, known):
    train, test = known
    place = np.arange(test.events) - test.log.offsets[:-1][test.log.sequence]
    cutoff = np.zeros(test.sequences, np.int64)
    cutoff[test.sequence] = test.cutoff // 2
    half = test._replace(cutoff=test.cutoff // 2)
    later = place >= cutoff[test.log.sequence]
    columns = {name: np.where(later, column[::-1], column) for name, column in test.log.columns.items()}
    changed = half._replace(log=test.log._replace(columns=columns))
    score = factory(train)
    assert later.any() and not np.array_equal(columns["item"], test.log.columns["item"])
    np.testing.assert_array_equal(score(changed), score(half))


def test_samples_of_a_log_without_times_have_a_bag(known):
    del known
    log = EventLog(np.arange(41) * 3, {"item": np.tile([1, 1, 2, 2, 3, 3], 20).astype(np.int32)}, {"item": WORDS}, {})
    label = np.arange(40) % 2 == 0
    samples = ask(log, np.arange(40), np.full(40, 3), label, np.full(40, 5, np.int32))
    score = bag_of_categories(samples)(samples)
    assert roc_auc(score[label], score[~label])[0] == 1.0


@pytest.mark.parametrize("factory", FACTORIES)
def test_without_scikit_learn_the_extra_is_named(factory, monkeypatch):
    for room in ("sklearn.ensemble", "sklearn.preprocessing", "sklearn.pipeline", "sklearn.linear_model", "xgboost"):
        monkeypatch.setitem(sys.modules, room, None)
    with pytest.raises(ImportError, match=r"install the extra `trees`, seqjax\[trees\]"):
        factory(random_samples(0))
