"""Calibration against scikit-learn, loops over targets, published intervals and simulated coverage."""

import numpy as np
import pytest
from scipy import stats
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from seqjax.evaluate.calibration import brier, calibration_error, calibration_floor, reliability, wilson


def predictions(seed, count=200, decimals=None):
    """Probabilities, rounded so that many are equal, and events that follow their squares: not calibrated."""
    random = np.random.default_rng(seed)
    probability = random.random(count)
    probability = probability if decimals is None else probability.round(decimals)
    return probability, random.random(count) < probability**2


def grouped(probability, event, groups):
    """(count, said, came) of every group: a value's group is that of the middle rank of its equals."""
    held = {}
    for value, came in zip(probability.tolist(), event.tolist(), strict=True):
        below, equal = (probability < value).sum(), (probability == value).sum()
        held.setdefault(int(groups * (below + equal / 2) / len(probability)), []).append((value, came))
    return [(len(group), *np.mean(group, axis=0)) for _, group in sorted(held.items())]


@pytest.mark.parametrize("seed", range(3))
def test_brier_agrees_with_scikit_learn(seed):
    probability, event = predictions(seed)
    assert brier(probability, event) == pytest.approx(brier_score_loss(event, probability))


@pytest.mark.parametrize("groups", [1, 4, 10])
def test_reliability_of_different_predictions_agrees_with_scikit_learn(groups):
    probability, event = predictions(1)
    came, said = calibration_curve(event, probability, n_bins=groups, strategy="quantile")
    held = reliability(probability, event, groups)
    np.testing.assert_allclose(held.said, said)
    np.testing.assert_allclose(held.came, came)
    assert held.count.tolist() == [200 // groups] * groups


@pytest.mark.parametrize("decimals", [1, 2, None])
@pytest.mark.parametrize("groups", [1, 7, 20])
def test_reliability_and_its_error_against_a_loop(decimals, groups):
    probability, event = predictions(2, 150, decimals)
    expected = grouped(probability, event, groups)
    held = reliability(probability, event, groups)
    np.testing.assert_allclose(np.column_stack([held.count, held.said, held.came]), expected)
    for came, count, *ends in zip(held.came, held.count, held.low, held.high, strict=True):
        exact = stats.binomtest(round(came * count), count).proportion_ci(method="wilson")
        assert ends == pytest.approx([exact.low, exact.high])
    gap = sum(count * abs(said - came) for count, said, came in expected) / 150
    assert calibration_error(probability, event, groups) == pytest.approx(gap)


def test_equal_predictions_stay_in_one_group():
    held = reliability(np.repeat([0.1, 0.2, 0.9], [60, 25, 15]), np.zeros(100, bool), groups=20)
    assert held.count.tolist() == [60, 25, 15] and held.said == pytest.approx([0.1, 0.2, 0.9])


def test_calibration_error_by_hand():
    said = np.repeat([0.0, 0.25, 0.5, 1.0], [3, 4, 2, 1])
    event = np.array([0, 0, 0, 1, 0, 0, 0, 1, 0, 1], bool)  # as often as said
    assert calibration_error(said, event) == 0.0
    assert calibration_error(0.9 * said + 0.1, event) == pytest.approx(0.1 * (3 + 4 * 0.75 + 2 * 0.5) / 10)
    assert calibration_error(said, ~event) == pytest.approx((3 * 1.0 + 4 * 0.5 + 2 * 0.0 + 1 * 1.0) / 10)
    assert calibration_error(said, ~event, groups=1) == pytest.approx(abs(said.mean() - 0.7))


def test_calibration_floor_is_the_mean_error_of_true_probabilities():
    probability, random = predictions(3, 300)[0], np.random.default_rng(9)
    errors = [calibration_error(probability, random.random(300) < probability) for _ in range(400)]
    floor = calibration_floor(probability, replicates=400)
    assert floor == pytest.approx(np.mean(errors), abs=4 * np.sqrt(2 / 400) * np.std(errors))
    assert floor > 0.03  # true probabilities have an error too


def test_calibration_floor_of_one_group_is_the_mean_deviation_of_a_binomial():
    expected = stats.binom(50, 0.3).expect(lambda k: abs(k / 50 - 0.3))
    assert calibration_floor(np.full(50, 0.3), replicates=4000) == pytest.approx(expected, rel=0.05)
    assert calibration_floor(np.array([0.0, 1.0, 1.0])) == 0.0  # nothing can vary


def test_calibration_floor_depends_on_the_seed_alone():
    probability = predictions(4)[0]
    assert calibration_floor(probability) == calibration_floor(probability, seed=0)
    assert calibration_floor(probability) != calibration_floor(probability, seed=1)


@pytest.mark.parametrize(
    ("successes", "trials", "ends"),  # Newcombe (1998), table I, method 3
    [
        (81, 263, (0.2553, 0.3662)),
        (15, 148, (0.0624, 0.1605)),
        (0, 20, (0.0, 0.1611)),
        (1, 29, (0.0061, 0.1718)),
        (0, 0, (0.0, 1.0)),  # without a trial nothing is known
    ],
)
def test_wilson_as_published(successes, trials, ends):
    low, high = wilson(np.array([successes]), np.array([trials]))
    assert (low[0], high[0]) == pytest.approx(ends, abs=6e-5)


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_wilson_covers(level):
    random = np.random.default_rng(5)
    chance = random.uniform(0.05, 0.95, 8000)
    low, high = wilson(random.binomial(40, chance), np.full(8000, 40), level)
    assert np.mean((low <= chance) & (chance <= high)) == pytest.approx(level, abs=0.015)
