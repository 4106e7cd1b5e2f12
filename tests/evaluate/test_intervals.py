"""Intervals: known answers, scipy, and how often they cover the truth."""

import doctest

import numpy as np
import pytest
from scipy import stats

from seqjax.evaluate import intervals
from seqjax.evaluate.intervals import bootstrap, paired_t, t_interval


def test_examples():
    assert doctest.testmod(intervals).failed == 0


def test_bootstrap_equals_a_loop_over_resamples():
    rng = np.random.default_rng(0)
    sums, counts = rng.random((7, 2)), rng.integers(1, 5, 7)
    low, high = bootstrap(sums, counts, replicates=50, seed=3)
    drawn = np.random.default_rng(3).integers(7, size=(50, 7))
    ratios = [sums[picked].sum(axis=0) / counts[picked].sum() for picked in drawn]
    np.testing.assert_allclose([low, high], np.quantile(ratios, [0.025, 0.975], axis=0))


def test_bootstrap_in_blocks_is_the_same(monkeypatch):
    sums, counts = np.random.default_rng(1).random(20), np.full(20, 2)
    whole = bootstrap(sums, counts, replicates=64, seed=0)
    monkeypatch.setattr(intervals, "DRAWS", 7 * 20)
    np.testing.assert_allclose(bootstrap(sums, counts, replicates=64, seed=0), whole)


def test_bootstrap_of_a_mean_agrees_with_scipy():
    values = np.random.default_rng(2).exponential(size=200)
    ours = bootstrap(values, np.ones(200), replicates=4000)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=4000, method="percentile", rng=0).confidence_interval
    np.testing.assert_allclose(ours, theirs, rtol=0.02)


def test_bootstrap_covers_clustered_data():
    """Targets of a session share its luck: intervals over sessions cover, those over targets would not."""
    rng, covered, naive = np.random.default_rng(3), 0, 0
    for trial in range(200):
        chance = rng.beta(0.5, 0.5, 80)  # mean 0.5
        counts = rng.integers(1, 20, 80)
        sums = rng.binomial(counts, chance)
        low, high = bootstrap(sums, counts, replicates=300, seed=trial)
        covered += low <= 0.5 <= high
        mean = sums.sum() / counts.sum()
        naive += abs(mean - 0.5) <= 1.96 * np.sqrt(mean * (1 - mean) / counts.sum())
    assert covered / 200 > 0.90
    assert naive / 200 < 0.80


def test_bootstrap_refuses_nothing():
    with pytest.raises(ValueError, match="0 sums"):
        bootstrap(np.zeros(0), np.zeros(0))


def test_t_interval_agrees_with_scipy():
    values = np.random.default_rng(4).normal(size=5)
    expected = stats.ttest_1samp(values, 0.0).confidence_interval(0.9)
    assert t_interval(values, level=0.9) == pytest.approx((values.mean(), expected.low, expected.high))
    with pytest.raises(ValueError, match="two runs"):
        t_interval([1.0])


def test_t_interval_covers():
    values = np.random.default_rng(5).normal(3.0, 2.0, (400, 4))
    covered = [interval.low <= 3.0 <= interval.high for interval in map(t_interval, values)]
    assert abs(np.mean(covered) - 0.95) < 0.035


def test_paired_t_agrees_with_scipy():
    rng = np.random.default_rng(6)
    theirs = rng.normal(size=6)
    ours = theirs + rng.normal(0.3, 0.2, 6)
    expected = stats.ttest_rel(ours, theirs)
    interval = expected.confidence_interval()
    assert paired_t(ours, theirs) == pytest.approx(
        (np.mean(ours - theirs), interval.low, interval.high, expected.pvalue)
    )
    assert paired_t([2.0, 3.0], [2.0, 3.0]) == (0.0, 0.0, 0.0, 1.0)
    assert paired_t([3.0, 4.0], [2.0, 3.0]) == (1.0, 1.0, 1.0, 0.0)
    with pytest.raises(ValueError, match="same seeds"):
        paired_t([1.0, 2.0], [1.0])
