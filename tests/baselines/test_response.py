"""Baselines of responses against loops over samples, by hand, blind to what comes later, and on real data."""

import doctest
import math
import os
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from seqjax.baselines import counts, response
from seqjax.baselines.counts import boosted_trees, counter, logistic, together
from seqjax.baselines.response import (
    both_means,
    frequency,
    item_mean,
    last_item,
    learned,
    overlap,
    recency,
    target_popularity,
    user_mean,
)
from seqjax.data.events import EventLog
from seqjax.data.protocols import hpmn2019, leave_last
from seqjax.data.samples import ask
from seqjax.metrics import roc_auc

DATA = os.environ.get("SEQJAX_DATA")
ITEMS, ATTRIBUTES = 7, 4
TAKEN = (target_popularity, last_item, overlap, frequency, recency, boosted_trees, logistic)
RATED = (item_mean, user_mean, both_means)


def log_of(lives, items=ITEMS, **columns):
    """A log of lists of items."""
    offsets = np.concatenate([[0], np.cumsum([len(life) for life in lives])]).astype(int)
    flat = np.array([item for life in lives for item in life], np.int32)
    words = {"item": np.array([f"i{n}" for n in range(items)]), "attribute": np.array([f"a{n}" for n in range(4)])}
    return EventLog(offsets, {"item": flat, **columns}, words)


def random_log(seed, users=40):
    random = np.random.default_rng(seed)
    return log_of([random.integers(1, ITEMS, random.integers(1, 10)).tolist() for _ in range(users)])


def attributes(seed):
    """Up to three values of every item, some twice, and one feature with a single value."""
    random = np.random.default_rng(seed)
    several = random.integers(0, ATTRIBUTES + 1, (ITEMS + 1, 3))
    several[0] = 0
    return {"attribute": several, "brand": np.array([0, *random.integers(0, 3, ITEMS)])}


def random_split(seed):
    return leave_last(random_log(seed), side=attributes(seed), seed=seed, negatives=("uniform", "popularity"))


def rated_split(seed):
    log, random = random_log(seed), np.random.default_rng((seed, 1))
    rating = random.integers(1, 6, log.events).astype(np.float64)
    log = log._replace(columns={**log.columns, "rating": rating})
    return leave_last(log, rating >= 4)


def life(samples, row):
    """All positions of a sample's user, and those that it may see."""
    begin, end = samples.log.offsets[samples.sequence[row]], samples.log.offsets[samples.sequence[row] + 1]
    return range(begin, end), range(begin, begin + samples.cutoff[row])


def each(samples):
    """(target, items of the history, newest last) of every sample."""
    item = samples.log.columns["item"]
    for row, target in enumerate(samples.target["item"].tolist()):
        yield target, [int(item[event]) for event in life(samples, row)[1]]


def known_events(train):
    """Positions that training knows, by a loop over its samples."""
    known = set()
    for row, target in enumerate(train.target["item"].tolist()):
        whole, seen = life(train, row)
        known |= set(seen)
        place = whole.start + int(train.place[row])
        if place < whole.stop and train.log.columns["item"][place] == target:
            known.add(place)
    return known


def known_counts(train):
    return np.bincount([train.log.columns["item"][event] for event in known_events(train)], minlength=ITEMS + 1)


def values(side, item):
    """The attributes of an item, each once."""
    return {(name, int(one)) for name, column in side.items() for one in np.atleast_1d(column[item]) if one}


def test_examples():
    assert doctest.testmod(response).failed == doctest.testmod(counts).failed == 0


def test_what_training_knows_by_hand():
    """User 0 is asked about as it was, user 1 about another item, user 2 not at all; nobody's last event is seen."""
    log = log_of([[1, 2, 3, 4], [1, 5, 5], [6, 6]])
    place = np.array([2, 2])
    train = ask(log, np.array([0, 1]), place, np.array([True, False]), np.array([3, 4], np.int32))
    assert learned(train).tolist() == [True, True, True, False, True, True, False, False, False]
    assert target_popularity(train)(train).tolist() == [1.0, 0.0]


@pytest.mark.parametrize("split", [random_split(0), hpmn2019(random_log(4), seed=4), rated_split(3)])
def test_what_training_knows(split):
    assert np.flatnonzero(learned(split.train)).tolist() == sorted(known_events(split.train))


@pytest.mark.parametrize("seed", range(3))
def test_popularity(seed):
    split = random_split(seed)
    expected = known_counts(split.train)[split.test.target["item"]]
    assert target_popularity(split.train)(split.test).tolist() == expected.tolist()


@pytest.mark.parametrize("seed", range(3))
def test_last_item(seed):
    split = random_split(seed)
    known, item, sequence = known_events(split.train), split.train.log.columns["item"], split.train.log.sequence
    follows = np.zeros((ITEMS + 1, ITEMS + 1))
    for event in known:
        if event + 1 in known and sequence[event] == sequence[event + 1]:
            follows[item[event], item[event + 1]] += 1
    popular = known_counts(split.train) / (1 + known_counts(split.train).max())
    cold = split.test._replace(cutoff=split.test.cutoff * (np.arange(split.test.size) % 5 > 0))
    expected = [(follows[past[-1], target] if past else 0) + popular[target] for target, past in each(cold)]
    assert follows.max() > 1 and last_item(split.train)(cold) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(3))
def test_overlap(seed):
    split = random_split(seed)
    cold = split.test._replace(cutoff=split.test.cutoff * (np.arange(split.test.size) % 5 > 0))
    expected = []
    for target, past in each(cold):
        occur = [one for item in past for one in values(cold.side, item)]
        expected.append(sum(one in values(cold.side, target) for one in occur) / max(len(occur), 1))
    assert overlap(split.train)(cold) == pytest.approx(expected)
    with pytest.raises(ValueError, match="no side features"):
        overlap(split.train)(cold._replace(side={}))


@pytest.mark.parametrize("seed", range(3))
def test_frequency_and_recency(seed):
    split = random_split(seed)
    assert any(target in past for target, past in each(split.test))
    often = [past.count(target) / max(len(past), 1) for target, past in each(split.test)]
    recent = [1 / (past[::-1].index(target) + 1) if target in past else 0 for target, past in each(split.test)]
    assert frequency(split.train)(split.test) == pytest.approx(often)
    assert recency(split.train)(split.test) == pytest.approx(recent)


@pytest.mark.parametrize("weight", [0.5, 5.0])
@pytest.mark.parametrize("seed", range(2))
def test_means(seed, weight):
    split = rated_split(seed)
    train, test, rating = split.train, split.test, split.test.log.columns["rating"]
    prior = train.label.mean()
    items, users = [], []
    for row, target in enumerate(test.target["item"]):
        own, seen = train.label[train.target["item"] == target], rating[list(life(test, row)[1])] >= 4
        items.append((own.sum() + weight * prior) / (len(own) + weight))
        users.append((seen.sum() + weight * prior) / (len(seen) + weight))
    items, users = (np.log(np.array(part) / (1 - np.array(part))) for part in (items, users))
    assert item_mean(train, weight=weight)(test) == pytest.approx(items)
    assert user_mean(train, weight=weight)(test) == pytest.approx(users)
    assert both_means(train, weight=weight)(test) == pytest.approx(items + users - math.log(prior / (1 - prior)))


def test_ratings_may_be_words():
    split = rated_split(0)
    log = split.test.log
    words = log._replace(
        columns={**log.columns, "rating": log.columns["rating"].astype(np.int32)},
        vocabulary={**log.vocabulary, "rating": np.array(["1", "2", "3", "4", "5"])},
    )
    expected = user_mean(split.train, liked=3)(split.test)
    assert user_mean(split.train, liked=3)(split.test._replace(log=words)).tolist() == expected.tolist()


def test_what_means_cannot_tell_is_refused():
    split = random_split(0)
    for factory in RATED:
        with pytest.raises(ValueError, match="all training labels are the same"):
            factory(split.train)
    labels = split.train._replace(label=split.train.target["item"] > 2)
    with pytest.raises(ValueError, match=r"no column 'rating', only \['item'\]"):
        user_mean(labels)(split.test)


def counted(train, samples, own=False):
    """The four counts by loops; with `own`, a user's life does not hold a target that the history lacks."""
    lives = [set() for _ in range(train.sequences)]
    for event in known_events(train):
        lives[train.log.sequence[event]].add(int(train.log.columns["item"][event]))
    rows = []
    for row, (target, past) in enumerate(each(samples)):
        others = [set(held) for held in lives]
        if own and target not in past:
            others[samples.sequence[row]].discard(target)
        holders = sum(target in held for held in others)
        both = [sum({target, item} <= held for held in others) for item in past]
        either = [sum(item in held for held in lives) + holders - n for item, n in zip(past, both, strict=True)]
        similar = [n / max(of, 1) for n, of in zip(both, either, strict=True)]
        occur = [one for item in past for one in values(samples.side, item)]
        common = sum(one in values(samples.side, target) for one in occur) / max(len(occur), 1)
        means = [sum(part) / max(len(past), 1) for part in (both, similar)]
        rows.append([math.log1p(holders), common, math.log1p(means[0]), means[1]])
    return np.array(rows)


@pytest.mark.parametrize("room", [1, 30, 2**22])
@pytest.mark.parametrize("seed", range(2))
def test_four_counts_are_those_of_loops(seed, room, monkeypatch):
    """`room` cuts the work into parts and blocks, down to single columns."""
    monkeypatch.setattr(counts, "ROOM", room)
    split = random_split(seed)
    count = counter(split.train)
    np.testing.assert_allclose(count(split.test), counted(split.train, split.test))
    np.testing.assert_allclose(count(split.train, own=True), counted(split.train, split.train, own=True))
    assert not np.allclose(count(split.train), count(split.train, own=True))  # else nothing was betrayed


def test_attributes_are_no_condition_of_counting():
    split = random_split(0)
    count = counter(split.train)
    bare = split.test._replace(side={})
    np.testing.assert_array_equal(count(bare)[:, 1], 0.0)
    np.testing.assert_array_equal(count(bare)[:, [0, 2, 3]], count(split.test)[:, [0, 2, 3]])


def tastes(seed, users=300, items=40):
    """Users who only take items of their own half, and items without attributes."""
    random = np.random.default_rng(seed)
    return log_of([random.permutation(20)[:6] + 1 + 20 * random.integers(2) for _ in range(users)], items)


@pytest.mark.parametrize("factory", [boosted_trees, logistic])
def test_classifiers_learn_tastes(factory):
    split = leave_last(tastes(0))
    score = factory(split.train)(split.test)
    area = roc_auc(score[split.test.label], score[~split.test.label])[0]
    assert area > 0.7  # of the 34 items that a user lacks 14 are of its own half: .79 is the most
    few = factory(split.train, limit=60)(split.test)
    assert not np.array_equal(few, score)
    assert np.array_equal(factory(split.train, limit=60)(split.test), few)


def test_nothing_is_drawn_beside_samples_of_both_labels(monkeypatch):
    monkeypatch.setattr(counts, "beside", None)
    split = leave_last(tastes(1))
    asked = split.validation._replace(kind=None, kinds=())
    score = logistic(asked, limit=10_000)(split.test)
    assert roc_auc(score[split.test.label], score[~split.test.label])[0] > 0.7


def test_without_scikit_learn_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    with pytest.raises(ImportError, match=r"install the extra `trees`, seqjax\[trees\]"):
        boosted_trees(random_split(0).train)


def test_pairs_of_no_life_are_none():
    from scipy import sparse

    taken = sparse.csc_array(np.zeros((3, 4), np.float32))
    assert together(taken, np.array([1, 2]), np.array([3, 3])).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("factory", [*TAKEN, *RATED])
def test_later_events_change_nothing(factory):
    """Neither events at or after the cutoff of a judged sample, nor any that training does not know."""
    split = rated_split(5) if factory in RATED else random_split(5)
    fitted = factory(split.train)
    expected, random = fitted(split.test), np.random.default_rng(6)

    def changed(keep):
        columns = {name: column.copy() for name, column in split.train.log.columns.items()}
        for column in columns.values():
            column[~keep] = random.integers(1, 6, np.count_nonzero(~keep))
        return split.train.log._replace(columns=columns)

    for cutoff in np.unique(split.test.cutoff):
        rows = np.flatnonzero(split.test.cutoff == cutoff)
        place = np.arange(split.test.log.events) - split.test.log.offsets[:-1][split.test.log.sequence]
        judged = split.test.take(rows)._replace(log=changed(place < cutoff))
        np.testing.assert_array_equal(fitted(judged), expected[rows])
    known = learned(split.train)
    assert not known.all()
    again = factory(split.train._replace(log=changed(known)))
    np.testing.assert_array_equal(again(split.test), expected)


def area(factory, train, test):
    score = factory(train)(test)
    return roc_auc(score[test.label], score[~test.label])[0]


@pytest.mark.skipif(DATA is None, reason="SEQJAX_DATA names no folder of public data")
def test_figures_on_amazon_beauty():
    """The last product against one that the user never had: popularity .644 and overlap .700, measured independently.

    They count all events but the judged ones; the training samples know one less of every user.
    """
    from seqjax.data.sources import amazon_beauty

    split = amazon_beauty.read(Path(DATA) / "amazon_beauty")
    assert area(overlap, split.train, split.test) == pytest.approx(0.700, abs=0.004)
    asked = split.validation.take(np.flatnonzero(split.validation.label))
    assert area(target_popularity, asked, split.test) == pytest.approx(0.644, abs=0.004)
    assert area(target_popularity, split.train, split.test) == pytest.approx(0.626, abs=0.003)
    assert area(last_item, split.train, split.test) == pytest.approx(0.641, abs=0.003)
    for factory, expected in ((boosted_trees, 0.786), (logistic, 0.764)):
        assert area(partial(factory, limit=20_000), split.train, split.test) == pytest.approx(expected, abs=0.004)


@pytest.mark.skipif(DATA is None, reason="SEQJAX_DATA names no folder of public data")
def test_figures_on_movielens():
    """Whether the last film is rated 4 or more: item mean .749, user mean .668, both .778, measured independently."""
    from seqjax.data.sources import movielens

    log = movielens.ratings(Path(DATA) / "ml-1m")
    split = leave_last(log, log.columns["rating"] >= 4)
    for factory, expected in ((item_mean, 0.749), (user_mean, 0.668), (both_means, 0.778)):
        assert area(factory, split.train, split.test) == pytest.approx(expected, abs=0.003)
