"""Profiles of words by Zipf's law: what Bayes knows of them, by counting every pattern of a few words."""

import numpy as np
import pytest
from profile_sets import counted

from seqjax.data.association import frequency
from seqjax.data.zipf import zipf, zipf_profiles

FEW = {"words": 5, "tokens": 4.0, "informative": 1.0, "effect": 1.5}


@pytest.fixture(scope="module")
def world():
    """Of five words there are 32 patterns, each seen often in training."""
    return zipf_profiles(0, profiles=40_000, tests=20_000, **FEW)


def has(samples):
    """Which words each profile has."""
    made = np.zeros((samples.size, len(samples.vocabulary["item"])), bool)
    made[samples.log.sequence, samples.log.columns["item"] - 1] = True
    return made


def entropy(odds, label):
    return np.logaddexp(0.0, np.where(label, -odds, odds)).mean()


def test_the_ceiling_is_that_of_the_frequencies_of_all_patterns(world):
    """Of each pattern the more common class, nothing assumed of how words come about."""
    train, _, test = world.split[:3]
    pattern, asked = (has(part) @ 2 ** np.arange(5) for part in (train, test))
    counts = np.stack([np.bincount(pattern[train.label == own], minlength=32) for own in (False, True)])
    assert counts.sum(axis=0).min() > 30
    odds = (np.log(counts[1] + 0.5) - np.log(counts[0] + 0.5))[asked]
    accuracy = ((odds > 0) == test.label).mean()
    assert 0.6 < accuracy < 0.95
    assert world.ceiling["accuracy"] == pytest.approx(accuracy, abs=0.004)
    assert accuracy <= world.ceiling["accuracy"] + 1.0 / np.sqrt(test.size)  # chance alone
    assert world.entropy == pytest.approx(entropy(odds, test.label), abs=0.004)


def test_log_odds_are_the_sum_over_words_that_are_there_and_that_are_not(world):
    train, _, test = world.split[:3]
    rate = np.stack([has(train)[train.label == own].mean(axis=0) for own in (False, True)])
    there = has(test)
    odds = np.where(there, np.log(rate[1] / rate[0]), np.log((1 - rate[1]) / (1 - rate[0]))).sum(axis=1)
    assert world.ceiling["accuracy"] == pytest.approx(((odds > 0) == test.label).mean(), abs=0.004)
    assert world.entropy == pytest.approx(entropy(odds, test.label), abs=0.002)


def test_classes_are_even_and_words_come_as_zipf_says():
    world = zipf_profiles(1, profiles=20_000, tests=2000, words=50, tokens=6.0, informative=0.0)
    train, chosen, test = world.split[:3]
    assert [part.size for part in (train, chosen, test)] == [20_000, 1000, 2000]
    assert abs(train.label.mean() - 0.5) < 4 * 0.5 / np.sqrt(20_000)
    law = 6.0 / np.arange(1, 51) / (1.0 / np.arange(1, 51)).sum()
    assert np.abs(counted_words(train) / 20_000 - law).max() < 4 * np.sqrt(law[0] / 20_000)
    assert abs(train.lengths.mean() - 6.0) < 4 * np.sqrt(6.0 / 20_000)
    assert abs(train.lengths.var() - 6.0) < 0.3  # Poisson's
    coverage = (1.0 - np.exp(-law)).sum()  # words that a profile has, on average
    assert abs(has(train).sum(axis=1).mean() - coverage) < 0.05
    assert world.ceiling["accuracy"] == (~test.label).mean()  # nothing can be known: all are called negative
    assert world.entropy == pytest.approx(np.log(2.0))


def counted_words(samples):
    return np.bincount(samples.log.columns["item"] - 1, minlength=len(samples.vocabulary["item"]))


def test_parts_are_drawn_apart_and_seeds_make_worlds():
    one, same, other = (zipf_profiles(seed, profiles=300, tests=300, words=40) for seed in (2, 2, 3))
    assert (one.split.train.log.columns["item"] == same.split.train.log.columns["item"]).all()
    assert one.ceiling == same.ceiling != other.ceiling
    columns = [part.log.columns["item"][:200].tolist() for part in one.split[:3]]
    assert columns[0] != columns[1] != columns[2] != columns[0]
    wider = zipf_profiles(2, profiles=600, tests=300, words=40)  # more to learn from, the same to judge
    assert wider.ceiling == one.ceiling
    assert (wider.split.test.log.columns["item"] == one.split.test.log.columns["item"]).all()


def test_no_classifier_beats_bayes():
    """Logistic regression comes near on enough profiles, and any gain over Bayes is noise of the paired decisions."""
    linear = pytest.importorskip("sklearn.linear_model")
    world = zipf_profiles(4, profiles=6000, tests=6000, words=30, tokens=8.0, informative=1.0, effect=0.6)
    train, _, test = world.split[:3]
    fitted = linear.LogisticRegression(C=1.0, max_iter=200).fit(has(train), train.label)
    right = fitted.predict(has(test)) == test.label
    noise = np.sqrt(0.1 / test.size)  # decisions differ on fewer than one profile in ten
    assert world.ceiling["accuracy"] - 0.02 < right.mean() < world.ceiling["accuracy"] + 3 * noise
    assert world.entropy < entropy(fitted.decision_function(has(test)), test.label) + 0.003


SMALL = {"profiles": 200, "tests": 100, "tokens": 20.0}


def test_a_split_is_of_the_best_features_and_tells_what_bayes_knows():
    split = zipf(1, **SMALL, features=30)
    world = zipf_profiles(1, **SMALL)
    assert len(split.train.vocabulary["item"]) == split.notes["features_selected"] == 30
    assert split.notes["bayes_accuracy"] == world.ceiling["accuracy"] > 0.5
    assert split.validation.size == 50 and zipf(1, **SMALL, features=30, validation=False).validation is None
    place = [world.split.test.vocabulary["item"].tolist().index(word) for word in split.test.vocabulary["item"]]
    np.testing.assert_array_equal(counted(split.test), has(world.split.test)[:, place])
    often = zipf(1, **SMALL, features=30, method=frequency, presence=False, occurrences=True)
    assert counted(often.test).max() > 1
    assert set(often.train.vocabulary["item"]) >= {"word 1", "word 2", "word 3"}  # the most frequent


def test_flipped_is_the_other_class_and_parts_are_apart():
    plain = zipf(1, **SMALL, features=30)
    other = zipf(1, **SMALL, features=30, flipped=True)
    for one, turned in zip(plain[:3], other[:3], strict=True):
        assert (one.label != turned.label).all()
        assert (one.log.columns["item"] == turned.log.columns["item"]).all()
    assert zipf(1, **SMALL, flipped=True, validation=False).validation is None
    halves = [zipf(1, **SMALL, features=30, part=part, parts=2).train for part in (0, 1)]
    assert [half.size for half in halves] == [100, 100]
    np.testing.assert_array_equal(counted(halves[1]), counted(plain.train)[1::2])
