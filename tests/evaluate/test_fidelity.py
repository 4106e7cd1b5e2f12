"""Distances of sets of series against scipy, counting loops, published noise floors and exact tests."""

from collections import Counter
from itertools import groupby

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import jensenshannon
from tiny_series import WORDS, lists, log_of, random_log

from seqjax.baselines.markov import markov_process
from seqjax.data.process import echo, sample
from seqjax.evaluate.fidelity import GRAMS, LAGS, distances, features, jensen_shannon, runs

ECHO = echo()
NAMES = ["length", *GRAMS, *(f"lag {lag}" for lag in LAGS), "run"]


@pytest.fixture(scope="module")
def samples():
    """Three independent samples of one law, as many series as the published floors are of."""
    return [sample(ECHO, 10_000, seed) for seed in (1, 2, 3)]


# The distance


@pytest.mark.parametrize("seed", range(3))
def test_jensen_shannon_is_the_square_of_scipys(seed):
    p, q = np.random.default_rng(seed).poisson(1.0, (2, 30))
    assert jensen_shannon(p, q) == pytest.approx(jensenshannon(p, q) ** 2)
    assert jensen_shannon(q, p) == pytest.approx(jensen_shannon(p, q))


def test_jensen_shannon_lies_between_0_and_log_2():
    p = np.array([0, 3, 0, 1, 7])
    assert jensen_shannon(p, 5 * p) == 0.0
    assert jensen_shannon(p, np.array([2, 0, 9, 0, 0])) == pytest.approx(np.log(2.0))


def test_jensen_shannon_of_columns_is_that_of_each():
    p, q = np.random.default_rng(3).poisson(2.0, (2, 12, 5)) + 1.0
    each = [jensen_shannon(p[:, column], q[:, column]) for column in range(5)]
    np.testing.assert_allclose(jensen_shannon(p, q), each)


# What is counted


def counted(actions, name, given, longest):
    """How often one series has each kind, by a loop over its symbols."""
    if name == "length":
        return Counter([min(len(actions), longest)])
    if name == "run":
        return Counter(min(len(list(run)), longest) for _, run in groupby(actions))
    row = ([] if given or name == "action" else ["begin"]) + [*actions, "end"]
    if name in GRAMS:
        n = GRAMS.index(name) + 1
        return Counter(tuple(row[k : k + n]) for k in range(len(row) - n + 1))
    lag = int(name.split()[1])
    return Counter((row[k], row[k + lag]) for k in range(len(row) - lag))


def columns(table):
    """The counts of every kind over the series, in an order that does not depend on the kinds' numbers."""
    return sorted(column for column in np.asarray(table, int).T.tolist() if any(column))


@pytest.mark.parametrize("longest", [200, 3])
@pytest.mark.parametrize("given", [0, 1])
@pytest.mark.parametrize("seed", range(3))
def test_features_against_a_counting_loop(seed, given, longest):
    log = random_log(seed)
    assert 0 in log.lengths
    found = dict(features(log, given, longest))
    assert list(found) == NAMES
    for name, table in found.items():
        each = [counted(actions, name, given, longest) for actions in lists(log)]
        kinds = set().union(*each)
        assert columns(table.toarray()) == columns([[count[kind] for kind in kinds] for count in each]), name


def test_series_without_actions():
    log = log_of([[], [1], []])
    held = {name: table.toarray().sum(axis=1).tolist() for name, table in features(log)}
    assert held["length"] == [1, 1, 1] and held["run"] == [0, 1, 0]
    assert held["action"] == [1, 2, 1] and held["bigram"] == [1, 2, 1] and held["trigram"] == [0, 1, 0]
    assert sum(table.sum() for name, table in features(log, given=1) if name not in ("length", "action", "run")) == 1


def test_runs_end_with_their_series():
    begin, length = runs(log_of([[1, 1, 2], [], [2, 2], [2]]))
    assert begin.tolist() == [0, 2, 3, 5] and length.tolist() == [2, 1, 2, 1]


# Noise floors and permutation tests


PUBLISHED = {
    **{"length": 2.15e-3, "bigram": 1.10e-4, "trigram": 4.35e-4, "4-gram": 1.15e-3, "5-gram": 2.48e-3},
    **{"6-gram": 4.60e-3, "lag 2": 1.39e-4, "lag 3": 1.79e-4, "lag 5": 2.68e-4},
}


def test_floors_of_ten_thousand_series_of_echo(samples):
    real, synthetic, more = samples
    found = distances(real, synthetic, more=more, given=1, permutations=0)
    for name, floor in PUBLISHED.items():
        assert found[name].floor == pytest.approx(floor, rel=0.25), name
        assert found[name].jsd == pytest.approx(floor, rel=0.4), name  # one draw of what the floor is a median of


def test_a_first_order_chain_is_told_from_echo_by_trigrams_only(samples):
    real, _, train = samples
    synthetic = sample(markov_process(train, 1), 10_000, 4)
    found = distances(real, synthetic, given=1, resamples=10, permutations=39)
    for name in ("length", "action", "bigram"):
        assert found[name].jsd < 4 * found[name].floor and found[name].p > 1 / 40
    assert found["trigram"].p == found["6-gram"].p == 1 / 40
    assert found["trigram"].jsd == pytest.approx(3.17e-2, rel=0.1)  # published
    assert found["6-gram"].jsd == pytest.approx(0.2715, rel=0.05)


def test_p_values_of_one_law_are_uniform():
    pairs = [(sample(ECHO, 60, (seed, 0)), sample(ECHO, 60, (seed, 1))) for seed in range(80)]
    held = [distances(*pair, resamples=0, permutations=19) for pair in pairs]
    for name in ("length", "bigram", "trigram"):
        p = np.array([found[name].p for found in held])
        assert p.mean() == pytest.approx(0.525, abs=4 * 0.29 / np.sqrt(80))  # 1/20, 2/20, .. 1
        assert np.mean(p <= 0.1) < 0.1 + 4 * 0.3 / np.sqrt(80)


def test_series_are_shuffled_whole():
    """Series of one action five times over: exact is the hypergeometric law of series, not of events."""
    real, synthetic = ([[1] * 5] * ones + [[2] * 5] * (30 - ones) for ones in (20, 14))
    found = distances(log_of(real), log_of(synthetic), resamples=0, permutations=4000)
    law = stats.hypergeom(60, 34, 30)
    exact = law.cdf(14) + law.sf(19)
    assert found["action"].p == pytest.approx(exact, abs=4 * np.sqrt(exact / 4000))
    assert exact > 0.15 and stats.hypergeom(300, 170, 150).sf(99) < 0.001


def test_series_are_resampled_whole():
    """Actions that agree within their series vary ten times as much as ones that do not, and balanced ones never."""
    random = np.random.default_rng(0)
    alike = log_of([[action] * 10 for action in random.integers(1, 3, 2000)])
    mixed = log_of(random.integers(1, 3, (2000, 10)).tolist())
    balanced = log_of([[1, 2] * 5, [2, 1] * 5] * 1000)
    floors = {
        name: distances(log, log, resamples=200, permutations=0)["action"].floor
        for name, log in (("alike", alike), ("mixed", mixed), ("balanced", balanced))
    }
    assert floors["alike"] / floors["mixed"] == pytest.approx(10, rel=0.4)
    assert floors["balanced"] == 0.0


def test_identical_sets_have_distance_0_and_p_1():
    log = random_log(5)
    assert all(held.jsd == 0.0 and held.p == 1.0 and held.floor > 0.0 for held in distances(log, log).values())


def test_the_seed_draws_resamples_and_shuffles():
    one, again, other = (distances(random_log(1), random_log(2), permutations=99, seed=seed) for seed in (0, 0, 1))
    assert one == again
    assert all(one[name].jsd == other[name].jsd and one[name].floor != other[name].floor for name in NAMES)


def test_sets_that_cannot_be_compared():
    log = random_log(0, 3)
    with pytest.raises(ValueError, match="3 real and 0 synthetic series: compare one or more of each"):
        distances(log, log_of([]))
    with pytest.raises(ValueError, match="the vocabularies of 'item' differ"):
        distances(log, random_log(0, 3, words=WORDS[::-1]))
