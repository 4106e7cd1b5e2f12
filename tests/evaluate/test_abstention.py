"""Decisions of several networks: laws, tables by hand, and what is gained by deciding about fewer profiles."""

import numpy as np
import pytest
from scipy import special

from seqjax.evaluate.abstention import (
    abstains,
    accuracy_coverage,
    averaged,
    ensemble,
    ensemble_logit,
    stronger,
)
from seqjax.evaluate.calibration import wilson


def responses(seed, kind=np.float64, count=500):
    """Of two networks, some equal and some saturated."""
    random = np.random.default_rng(seed)
    positive, negative = random.random((2, count)).astype(kind)
    negative[:50] = positive[:50]
    positive[50:60], negative[55:65] = 0.0, 1.0
    return positive, negative


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_the_stronger_response_decides_as_the_mean_does(seed, kind):
    positive, negative = responses(seed, kind)
    np.testing.assert_array_equal(stronger(positive, negative), averaged(positive, negative) > 0.5)
    np.testing.assert_allclose(averaged(positive, negative), (positive + (1 - negative)) / 2, atol=1e-6)


def test_decisions_of_two_networks_by_hand():
    positive, negative = np.array([0.9, 0.2, 0.5, 1e-20, 1.0]), np.array([0.4, 0.3, 0.5, 0.0, 0.0])
    assert stronger(positive, negative).tolist() == [True, False, False, True, True]
    assert averaged(positive, negative) == pytest.approx([0.75, 0.45, 0.5, 0.5, 1.0])


def test_exchanged_networks_decide_the_other_way():
    positive, negative = responses(0)
    differ = positive != negative
    np.testing.assert_array_equal(stronger(positive, negative)[differ], ~stronger(negative, positive)[differ])
    np.testing.assert_allclose(averaged(positive, negative), 1 - averaged(negative, positive))


def test_two_networks_averaged_are_an_ensemble_of_both():
    positive, negative = responses(1)
    np.testing.assert_allclose(averaged(positive, negative), ensemble(np.stack([positive, 1 - negative])))


def test_ensembles_by_hand():
    probability = np.array([[0.9, 0.5, 0.2], [0.5, 0.5, 0.8], [0.1, 0.5, 0.2]])
    np.testing.assert_allclose(ensemble(probability), [0.5, 0.5, 0.4])
    np.testing.assert_allclose(ensemble_logit(probability), [0, 0, -np.log(4) / 3], atol=1e-12)


def test_ensembles_of_one_network_or_of_equal_ones_are_that_network():
    probability = np.random.default_rng(2).random(100)
    for networks in (1, 4):
        many = np.tile(probability, (networks, 1))
        np.testing.assert_allclose(ensemble(many), probability)
        np.testing.assert_allclose(special.expit(ensemble_logit(many)), probability)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_log_odds_of_certain_networks_are_finite_and_cancel(kind):
    held = ensemble_logit(np.array([[0, 1, 1], [1, 1, 0.5]], kind))
    assert np.isfinite(held).all() and held[1] > 2 * held[2] - 1e-6 > 10
    assert held[0] == pytest.approx(0.0, abs=1e-3)


def test_abstaining_by_hand():
    positive, negative = np.array([0.1, 0.6, 0.9, 0.5]), np.array([0.2, 0.5, 0.1, 0.25])
    assert abstains(positive, negative).tolist() == [False] * 4
    assert abstains(positive, negative, least=0.3).tolist() == [True, False, False, False]
    assert abstains(positive, negative, margin=0.2).tolist() == [True, True, False, False]
    assert abstains(positive, negative, margin=0.25).tolist() == [True, True, False, False]  # just as far is decided
    assert abstains(positive, negative, least=0.55, margin=0.2).tolist() == [True, True, False, True]


def test_abstaining_grows_with_both_bounds_and_does_not_depend_on_the_class():
    positive, negative = responses(3)
    before = abstains(positive, negative)
    for bound in (0.2, 0.5, 0.9, 1.1):
        after = abstains(positive, negative, least=bound, margin=bound)
        assert (after >= before).all()
        np.testing.assert_array_equal(after, abstains(negative, positive, least=bound, margin=bound))
        before = after
    assert before.all()


def test_accuracy_by_coverage_by_hand():
    probability = np.array([1.0, 0.0, 0.75, 0.25, 0.625])
    label = np.array([True, False, True, True, False])  # wrong about the last two
    held = accuracy_coverage(probability, label, points=5)  # ties of two: coverage 1/5 and 3/5 end within them
    assert held["coverage"] == [2 / 5, 4 / 5, 1.0]
    assert held["accuracy"] == [1.0, 3 / 4, 3 / 5]
    assert held["threshold"] == [0.5, 0.25, 0.125]
    low, high = wilson(np.array([2, 3, 3]), np.array([2, 4, 5]))
    assert (held["low"], held["high"]) == (low.tolist(), high.tolist())


@pytest.mark.parametrize("points", [1, 3, 20, 1000])
def test_coverage_grows_to_everybody_and_each_point_is_that_of_its_threshold(points):
    random = np.random.default_rng(4)
    probability = random.random(300).round(2)
    label = random.random(300) < probability
    held = accuracy_coverage(probability, label, points)
    assert held["coverage"][-1] == 1.0 and len(held["coverage"]) <= points
    assert (np.diff(held["coverage"]) > 0).all() and (np.diff(held["threshold"]) < 0).all()
    for coverage, accuracy, low, high, threshold in zip(*held.values(), strict=True):
        decided = np.abs(probability - 0.5) >= threshold
        assert decided.mean() == coverage and low < accuracy < high + 1e-9
        assert accuracy == pytest.approx(np.mean((probability > 0.5)[decided] == label[decided]))


def test_calibrated_probabilities_are_more_accurate_about_fewer():
    random = np.random.default_rng(5)
    probability = random.random(20_000)
    held = accuracy_coverage(probability, random.random(20_000) < probability)
    assert len(held["coverage"]) == 20
    expected = 1 - np.array(held["coverage"]) / 4  # uniform: mean of max(p, 1 - p) over the outer share
    np.testing.assert_allclose(held["accuracy"], expected, atol=0.02)


@pytest.mark.parametrize("value", [0.0, 0.3, 0.5, 1.0])
def test_equal_confidence_leaves_no_choice_but_all(value):
    held = accuracy_coverage(np.full(10, value), np.arange(10) < 4)
    assert held["coverage"] == [1.0] and held["threshold"] == [abs(value - 0.5)]
    assert held["accuracy"] == [0.4 if value > 0.5 else 0.6]


@pytest.mark.parametrize("function", [stronger, averaged, abstains])
def test_responses_of_unequal_length_are_refused(function):
    with pytest.raises(ValueError, match="2 positive and 3 negative"):
        function(np.zeros(2), np.zeros(3))


@pytest.mark.parametrize("wrong", [-0.1, 1.1, np.nan, np.inf])
def test_what_is_not_within_0_and_1_is_refused(wrong):
    good, bad = np.array([0.5, 0.5]), np.array([0.5, wrong])
    for function in (stronger, averaged, abstains):
        for pair in ((good, bad), (bad, good)):
            with pytest.raises(ValueError, match="1 of 2 are not 0 to 1"):
                function(*pair)
    for function in (ensemble, ensemble_logit):
        with pytest.raises(ValueError, match="1 of 4 are not 0 to 1"):
            function(np.stack([good, bad]))
    with pytest.raises(ValueError, match="1 of 2 are not 0 to 1"):
        accuracy_coverage(bad, np.array([True, False]))


def test_nothing_to_decide_about_is_refused():
    for function in (ensemble, ensemble_logit):
        with pytest.raises(ValueError, match="0 networks"):
            function(np.zeros((0, 3)))
    for count, labels, points in ((2, 3, 20), (2, 2, 0), (0, 0, 20)):
        with pytest.raises(ValueError, match="give 1 or more"):
            accuracy_coverage(np.zeros(count), np.zeros(labels, bool), points)
