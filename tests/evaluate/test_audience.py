"""The share of a class in a group: by hand, laws, the literal EM, and how often intervals hold the true share."""

import numpy as np
import pytest
from scipy import special

from seqjax.evaluate.audience import (
    Rates,
    adjusted_count,
    calibrated_sum,
    counted_share,
    probability_sum,
    rates,
)
from seqjax.evaluate.calibration import platt, wilson

APART = np.sqrt(2) * special.ndtri(0.85)  # of two Gaussians with an area under the curve of 0.85
Z = 1.959964


def profiles(random, count, share):
    """Exact log-odds at equal classes, and labels: two Gaussians of spread 1."""
    label = random.random(count) < share
    return APART * (random.normal(size=count) + APART * (label - 0.5)), label


def groups(share, groups=400, count=500, labelled=500):
    """Simulated groups, each with its own labelled profiles; scores are log-odds on another scale."""
    random = np.random.default_rng(round(1000 * share))
    for _ in range(groups):
        held, label = profiles(random, labelled, 0.5)
        yield 1.7 * profiles(random, count, share)[0], 1.7 * held, label


def holds(share, interval):
    return interval.low <= share <= interval.high


def called(positives, count):
    """Probabilities of which the first ones are at least 0.5."""
    return np.where(np.arange(count) < positives, 0.9, 0.1)


def test_rates_by_hand():
    label = np.array([True, True, True, False, False])
    held = rates(np.array([0.5, 0.8, 0.4, 0.7, 0.2]), label)
    assert held == Rates(2, 1, 3, 2)
    assert (held.true_positive_rate, held.false_positive_rate) == (2 / 3, 1 / 2)
    assert rates(np.array([0.5, 0.8, 0.4, 0.7, 0.2]), label, 0.75) == Rates(1, 0, 3, 2)


def test_a_counted_share_has_wilsons_interval():
    held = counted_share(called(3, 10))
    low, high = wilson(np.array([3]), np.array([10]))
    assert (held.share, held.count) == (0.3, 10)
    assert (held.low, held.high) == (low[0], high[0])
    assert counted_share(called(3, 10), 0.95).share == 0.0


@pytest.mark.parametrize(
    ("positives", "share"),
    [
        (44, 0.4),
        (26, 0.1),
        (20, 0.0),
        (10, 0.0),
        (80, 1.0),
        (95, 1.0),
    ],  # of 100: (x - 0.2) / (0.8 - 0.2), within 0 to 1
)
def test_adjusted_counts_by_hand(positives, share):
    held = adjusted_count(called(positives, 100), Rates(80, 40, 100, 200))
    assert held.share == pytest.approx(share) and held.count == 100
    assert 0.0 <= held.low <= held.share <= held.high <= 1.0


def test_a_corrected_interval_by_hand():
    """Nearly certain counts: one more of each kind makes rates of 0.75 and 0.25, and the rest is arithmetic."""
    held = adjusted_count(called(500_000, 1_000_000), Rates(5, 1, 6, 6))  # (5 + 1) / (6 + 2), (1 + 1) / (6 + 2)
    reach = Z * np.sqrt(2 * 0.25 * 0.75 * 0.25 / 8) / 0.5  # variance 0.75 * 0.25 / 8 twice, times (1/2)^2
    assert (held.low, held.high) == pytest.approx((max(0.5 - reach, 0), min(0.5 + reach, 1)), abs=1e-3)
    many = adjusted_count(called(500_000, 1_000_000), Rates(749, 249, 998, 998))
    reach = Z * np.sqrt(2 * 0.25 * 0.75 * 0.25 / 1000) / 0.5
    assert (many.low, many.high) == pytest.approx((0.5 - reach, 0.5 + reach), abs=1e-3)


def test_a_perfect_classifier_gives_the_plain_share():
    perfect = Rates(10**8, 0, 10**8, 10**8)
    held, plain = adjusted_count(called(30, 100), perfect), counted_share(called(30, 100))
    assert held.share == plain.share == 0.3
    middle, weight = (30 + Z**2 / 2) / (100 + Z**2), 100 + Z**2  # Agresti and Coull: Wilson's middle, a little wider
    reach = Z * np.sqrt(middle * (1 - middle) / weight)
    assert (held.low, held.high) == pytest.approx((middle - reach, middle + reach), abs=1e-6)
    label = np.arange(400) < 200
    sure = calibrated_sum(20.0 * called(30, 100) - 10.0, 20.0 * called(200, 400) - 10.0, label)
    assert sure.share == pytest.approx(0.3, abs=0.01)
    assert (sure.low, sure.high) == pytest.approx((plain.low, plain.high), abs=0.02)


def test_a_group_with_the_share_of_the_labelled_profiles_has_that_share():
    odds, label = profiles(np.random.default_rng(0), 2000, 0.3)
    probability = special.expit(odds)
    share = label.mean()
    assert adjusted_count(probability, rates(probability, label)).share == pytest.approx(share)
    assert calibrated_sum(odds, odds, label).share == pytest.approx(share, abs=1e-5)
    assert probability_sum(platt(odds, label)(odds)).share == pytest.approx(share, abs=1e-5)


def test_a_calibrated_sum_is_what_the_em_of_the_paper_converges_to():
    random = np.random.default_rng(1)
    held, label = profiles(random, 500, 0.4)
    odds, _ = profiles(random, 300, 0.1)
    calibrated = platt(held, label)
    prior, said = calibrated(held).mean(), calibrated(odds)
    share = prior
    for _ in range(2000):
        one, other = said * share / prior, (1 - said) * (1 - share) / (1 - prior)
        share = np.mean(one / (one + other))
    assert calibrated_sum(odds, held, label).share == pytest.approx(share, abs=1e-8)
    assert probability_sum(said).share - share > 0.05  # the plain mean stays near the prior


def test_a_calibrated_sum_does_not_depend_on_scale_order_or_direction():
    random = np.random.default_rng(2)
    (odds, _), (held, label) = profiles(random, 200, 0.2), profiles(random, 300, 0.5)
    plain = calibrated_sum(odds, held, label)
    for moved in (
        calibrated_sum(3.0 * odds - 7.0, 3.0 * held - 7.0, label),
        calibrated_sum(-odds, -held, label),
        calibrated_sum(odds[::-1], held[::-1], label[::-1]),
    ):
        assert moved == pytest.approx(plain, abs=1e-5)
    other = calibrated_sum(odds, held, ~label)  # the other class
    assert (1 - other.share, 1 - other.high, 1 - other.low) == pytest.approx(plain[:3], abs=1e-5)


@pytest.mark.parametrize(("odds", "end"), [(-6.0, 0.0), (6.0, 1.0)])
def test_a_group_of_one_class_has_an_interval_to_that_end(odds, end):
    held, label = profiles(np.random.default_rng(3), 500, 0.5)
    share = calibrated_sum(np.full(50, odds), held, label)
    assert share.share == end and end in (share.low, share.high)
    assert 0.01 < share.high - share.low < 0.2
    assert calibrated_sum(np.array([1e6, -1e6]), held, label).share == pytest.approx(0.5, abs=1e-6)


def test_without_a_difference_of_classes_every_share_is_possible():
    held = np.tile([-1.0, 1.0], 50)
    assert calibrated_sum(np.array([-1.0, 1.0, 1.0]), held, np.arange(100) < 50)[1:3] == (0.0, 1.0)
    held = adjusted_count(called(5, 10), Rates(15, 1, 100, 10))  # 0.15 and 0.1, but 16/102 < 2/12
    assert (held.low, held.high) == (0.0, 1.0)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.8])
def test_corrected_intervals_hold_the_true_share_as_often_as_said(share):
    held = []
    for odds, labelled, label in groups(share):
        probability = special.expit(odds)
        known = rates(special.expit(labelled), label)
        shares = (adjusted_count(probability, known), calibrated_sum(odds, labelled, label), counted_share(probability))
        held.append([holds(share, each) for each in shares])
    adjusted, calibrated, counted = np.mean(held, axis=0)
    assert 0.92 <= adjusted <= 0.98
    assert 0.92 <= calibrated <= 0.98
    assert share != 0.1 or counted < 0.5


def test_intervals_that_took_the_labelled_profiles_for_certain_would_hold_it_less_often():
    held = []
    for odds, labelled, label in groups(0.3, groups=100, count=2000, labelled=200):
        probability, known = special.expit(odds), rates(special.expit(labelled), label)
        certain = Rates(*(1000 * count for count in known))
        repeated = np.tile(labelled, 50), np.tile(label, 50)
        shares = (
            adjusted_count(probability, known),
            calibrated_sum(odds, labelled, label),
            adjusted_count(probability, certain),
            calibrated_sum(odds, *repeated),
        )
        held.append([holds(0.3, each) for each in shares])
    honest, wrong = np.split(np.mean(held, axis=0), 2)
    assert (honest >= 0.9).all() and (wrong < 0.8).all()


def test_calibrated_sums_use_more_than_counts_and_are_nearer():
    off = []
    for odds, labelled, label in groups(0.3, groups=200):
        known = rates(special.expit(labelled), label)
        off.append([adjusted_count(special.expit(odds), known).share, calibrated_sum(odds, labelled, label).share])
    adjusted, calibrated = np.sqrt(np.mean((np.array(off) - 0.3) ** 2, axis=0))
    assert calibrated < adjusted < 0.1


@pytest.mark.parametrize("label", [np.zeros(3, bool), np.ones(3, bool)])
def test_labels_of_one_class_are_refused(label):
    with pytest.raises(ValueError, match="give some of both classes"):
        rates(np.array([0.1, 0.5, 0.9]), label)
    with pytest.raises(ValueError, match="give some of both classes"):
        calibrated_sum(np.zeros(1), np.arange(3.0), label)


@pytest.mark.parametrize("known", [Rates(5, 5, 10, 10), Rates(1, 5, 10, 10), Rates(0, 0, 10, 10)])
def test_a_classifier_no_better_than_chance_is_refused(known):
    with pytest.raises(ValueError, match="no better than chance"):
        adjusted_count(np.array([0.5]), known)


@pytest.mark.parametrize("probability", [np.array([0.5, 1.5]), np.array([0.5, np.nan]), np.array([-0.1]), np.zeros(0)])
def test_what_is_no_probability_is_refused(probability):
    for function in (counted_share, probability_sum):
        with pytest.raises(ValueError, match=r"not 0\.0 to 1\.0"):
            function(probability)
    with pytest.raises(ValueError, match=r"not 0\.0 to 1\.0"):
        rates(probability, np.arange(len(probability)) == 0)


def test_too_few_or_unusable_log_odds_are_refused():
    label = np.array([True, False])
    with pytest.raises(ValueError, match="give 2 or more"):
        probability_sum(np.array([0.5]))
    for odds in (np.zeros(0), np.array([np.inf]), np.array([np.nan])):
        with pytest.raises(ValueError, match="give 1 or more"):
            calibrated_sum(odds, np.array([1.0, 0.0]), label)
    with pytest.raises(ValueError, match=r"all labelled profiles have log-odds 2\.0"):
        calibrated_sum(np.zeros(1), np.array([2.0, 2.0]), label)
