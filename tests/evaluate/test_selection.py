"""Whom a score selects: answers by hand, loops over users, scikit-learn, laws of gain, and the table of prevalences."""

from itertools import permutations

import numpy as np
import pytest
from scipy import special
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, precision_recall_curve, precision_recall_fscore_support, roc_curve

from seqjax.evaluate.calibration import isotonic, platt
from seqjax.evaluate.selection import (
    Confusion,
    among_unlabelled,
    at_threshold,
    average_precision,
    best_threshold,
    cost_threshold,
    cumulative_gain,
    deciles,
    f1_at_prevalence,
    lift,
    precision_at_prevalence,
    shift_logit,
)

PREVALENCES = np.array([0.5, 0.2, 0.1, 0.05, 0.02, 0.01])
DECIMALS = [0, 1, None]


def users(seed, count=200, decimals=None):
    """Scores, rounded so that many are equal, and labels that are likelier where they are high."""
    random = np.random.default_rng(seed)
    label = random.random(count) < 0.3
    score = random.normal(size=count) + label
    return (score if decimals is None else score.round(decimals)), label


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("decimals", DECIMALS)
def test_average_precision_agrees_with_scikit_learn(seed, decimals):
    score, label = users(seed, decimals=decimals)
    assert average_precision(score, label) == pytest.approx(average_precision_score(label, score))


def test_average_precision_by_hand():
    label = np.array([True, False, True, False])
    assert average_precision(np.array([4.0, 3.0, 2.0, 1.0]), label) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision(np.zeros(4), label) == 0.5  # all equal: the prevalence
    assert average_precision(label.astype(float), label) == 1.0
    assert np.isnan(average_precision(np.zeros(4), np.zeros(4, bool)))


@pytest.mark.parametrize("threshold", [-1.0, 0.5, 1.0, 2.0])
def test_rates_at_a_threshold_agree_with_scikit_learn(threshold):
    score, label = users(1, decimals=1)
    held = at_threshold(score, label, threshold)
    precision, recall, f1, _ = precision_recall_fscore_support(label, score >= threshold, average="binary")
    assert (held.precision, held.recall, held.f1) == pytest.approx((precision, recall, f1))
    assert sum(held) == len(label) and held.true_positive + held.false_negative == label.sum()
    false, _, at = roc_curve(label, score, drop_intermediate=False)
    assert held.false_positive_rate == pytest.approx(false[at >= threshold][-1])


@pytest.mark.parametrize(
    ("confusion", "rates"),
    [
        (Confusion(3, 1, 2, 4), (3 / 4, 3 / 5, 6 / 9, 1 / 5)),
        (Confusion(0, 0, 2, 4), (0.0, 0.0, 0.0, 0.0)),  # nobody selected
        (Confusion(0, 3, 0, 1), (0.0, 0.0, 0.0, 3 / 4)),  # nobody positive
        (Confusion(2, 0, 0, 0), (1.0, 1.0, 1.0, 0.0)),  # nobody negative
        (Confusion(0, 0, 0, 0), (0.0, 0.0, 0.0, 0.0)),
    ],
)
def test_rates_by_hand(confusion, rates):
    assert (confusion.precision, confusion.recall, confusion.f1, confusion.false_positive_rate) == pytest.approx(rates)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("decimals", DECIMALS)
def test_the_best_threshold_has_the_highest_f1_of_scikit_learns_curve(seed, decimals):
    score, label = users(seed, decimals=decimals)
    precision, recall, _ = precision_recall_curve(label, score)
    best = np.max(2 * precision * recall / np.maximum(precision + recall, 1e-12))
    threshold = best_threshold(score, label)
    assert at_threshold(score, label, threshold).f1 == pytest.approx(best)
    higher = [value for value in score if value > threshold]
    assert all(at_threshold(score, label, value).f1 < best - 1e-12 for value in higher)


def test_of_equally_good_thresholds_the_highest():
    label = np.array([True, False, False, True])  # F1 is 2/3 for the first alone, and for all
    assert best_threshold(np.array([0.9, 0.8, 0.7, 0.6]), label) == 0.9


def test_a_threshold_of_single_precision_selects_its_own_user():
    score = np.array([0.1, 0.7, 0.3], np.float32)
    label = np.array([False, True, False])
    assert at_threshold(score, label, best_threshold(score, label)) == Confusion(1, 0, 0, 2)


def test_no_threshold_without_positives():
    with pytest.raises(ValueError, match="0 positives among 3 users"):
        best_threshold(np.zeros(3), np.zeros(3, bool))


def test_gain_of_a_perfect_a_reversed_and_a_constant_score():
    label = np.arange(100) < 10
    share = np.linspace(0, 1, 21)
    np.testing.assert_allclose(cumulative_gain(label.astype(float), label), np.minimum(share / 0.1, 1), atol=1e-12)
    np.testing.assert_allclose(
        cumulative_gain(-label.astype(float), label), np.maximum(share - 0.9, 0) / 0.1, atol=1e-12
    )
    np.testing.assert_allclose(cumulative_gain(np.zeros(100), label), share)


def test_gain_of_a_random_score_is_the_share_of_users():
    random = np.random.default_rng(0)
    label = random.random(20_000) < 0.2
    np.testing.assert_allclose(cumulative_gain(random.random(20_000), label), np.linspace(0, 1, 21), atol=0.02)
    np.testing.assert_allclose(lift(random.random(20_000), label), 1.0, atol=0.15)


@pytest.mark.parametrize("parts", [1, 3, 5, 10])
def test_gain_among_equals_is_the_mean_over_their_orders(parts):
    """Five users, four of them equal: every order, with the part of a user that a share ends in."""
    score, label = np.array([2.0, 1.0, 1.0, 1.0, 1.0]), np.array([False, True, False, True, True])
    orders = []
    for order in permutations(range(1, 5)):
        held = np.append(0, np.cumsum(label[[0, *order]]))
        whole, rest = np.divmod(np.arange(parts + 1) * 5 / parts, 1)
        first = whole.astype(int)
        orders.append(((1 - rest) * held[first] + rest * held[np.minimum(first + 1, 5)]) / 3)
    np.testing.assert_allclose(cumulative_gain(score, label, parts), np.mean(orders, axis=0), atol=1e-12)


@pytest.mark.parametrize("decimals", DECIMALS)
def test_gain_rises_from_0_to_1_whatever_the_order_and_the_scale(decimals):
    score, label = users(2, 173, decimals)
    gain = cumulative_gain(score, label)
    assert gain[0] == 0.0 and gain[-1] == 1.0 and (np.diff(gain) >= 0).all() and len(gain) == 21
    shuffled = np.random.default_rng(0).permutation(173)
    np.testing.assert_allclose(cumulative_gain(score[shuffled], label[shuffled]), gain)
    np.testing.assert_allclose(cumulative_gain(np.exp(score), label), gain)


def test_lift_is_precision_within_a_tenth_over_the_prevalence():
    score, label = users(3)
    order = np.argsort(-score)
    np.testing.assert_allclose(lift(score, label), label[order].reshape(10, 20).mean(axis=1) / label.mean())
    assert lift(score.round(0), label).mean() == pytest.approx(1.0)
    assert lift(np.zeros(200), label) == pytest.approx(np.ones(10))


def test_gain_and_lift_are_unknown_without_positives():
    assert np.isnan(cumulative_gain(np.arange(4.0), np.zeros(4, bool))).all()
    assert np.isnan(lift(np.arange(4.0), np.zeros(4, bool))).all()


def test_deciles_of_different_scores_are_equal_in_number():
    score = users(4)[0]
    held = deciles(score)
    assert np.bincount(held).tolist() == [0, *[20] * 10]
    assert held[np.argmax(score)] == 1 and held[np.argmin(score)] == 10
    np.testing.assert_array_equal(held[np.argsort(-score)], np.repeat(np.arange(1, 11), 20))


@pytest.mark.parametrize("decimals", [0, 1])
def test_equal_scores_are_in_the_decile_of_their_middle(decimals):
    score = users(5, 97, decimals)[0]
    for value, tenth in zip(score, deciles(score), strict=True):
        middle = (score > value).sum() + (score == value).sum() / 2
        assert tenth == int(10 * middle / 97) + 1
    assert deciles(np.array([3, 3, 3])).tolist() == [6, 6, 6]


@pytest.mark.parametrize("function", [average_precision, best_threshold, cumulative_gain, lift, isotonic, platt])
def test_a_score_that_is_no_number_is_refused(function):
    with pytest.raises(ValueError, match="1 of 3 scores are n"):
        function(np.array([1.0, np.nan, 2.0]), np.array([True, False, True]))


@pytest.mark.parametrize(
    ("rate", "precision", "f1"),  # precision = recall = rate at one positive in two
    [
        (0.80, [0.800, 0.500, 0.308, 0.174, 0.075, 0.039], [0.800, 0.615, 0.444, 0.286, 0.138, 0.074]),
        (0.87, [0.870, 0.626, 0.426, 0.260, 0.120, 0.063], [0.870, 0.728, 0.572, 0.401, 0.211, 0.118]),
    ],
)
def test_precision_and_f1_at_other_prevalences_as_tabulated(rate, precision, f1):
    assert precision_at_prevalence(rate, 1 - rate, PREVALENCES).round(3).tolist() == precision
    assert f1_at_prevalence(rate, 1 - rate, PREVALENCES).round(3).tolist() == f1


def test_rates_at_the_prevalence_of_the_sample_are_those_of_the_sample():
    score, label = users(6)
    held = at_threshold(score, label, 0.8)
    rates = (held.recall, held.false_positive_rate, float(label.mean()))
    assert precision_at_prevalence(*rates) == pytest.approx(held.precision)
    assert f1_at_prevalence(*rates) == pytest.approx(held.f1)
    assert precision_at_prevalence(0.0, 0.0, 0.1) == f1_at_prevalence(0.0, 0.0, 0.0) == 0.0


def test_shifted_log_odds_are_those_of_another_prevalence():
    """Two Gaussians one apart have log-odds score - 1/2 + logit(prevalence), exactly."""
    score = np.linspace(-3, 3, 13)
    for sampled, true in ((0.5, 0.02), (0.3, 0.9)):
        shifted = shift_logit(score - 0.5 + special.logit(sampled), sampled, true)
        np.testing.assert_allclose(shifted, score - 0.5 + special.logit(true))
    np.testing.assert_allclose(shift_logit(score, 0.2, 0.2), score)


@pytest.mark.parametrize(("sampled", "true"), [(0.0, 0.5), (0.5, 1.0), (0.5, float("nan"))])
def test_no_shift_from_or_to_certainty(sampled, true):
    with pytest.raises(ValueError, match="between 0 and 1"):
        shift_logit(np.zeros(1), sampled, true)


def test_contacting_breaks_even_at_the_cost_threshold():
    assert cost_threshold(gain=40.0, cost=1.0) * 40.0 == 1.0


@pytest.mark.parametrize(("gain", "cost"), [(1.0, 0.0), (1.0, 1.0), (1.0, 2.0), (-1.0, 0.5), (float("nan"), 1.0)])
def test_no_threshold_where_everybody_or_nobody_pays(gain, cost):
    with pytest.raises(ValueError, match="0 < cost < gain"):
        cost_threshold(gain, cost)


@pytest.mark.parametrize("decimals", DECIMALS)
def test_isotonic_agrees_with_scikit_learn(decimals):
    score, label = users(7, decimals=decimals)
    oracle = IsotonicRegression(y_min=1 / 400, y_max=399 / 400, out_of_bounds="clip").fit(score, label)
    np.testing.assert_allclose(isotonic(score, label)(score), oracle.predict(score), atol=1e-12)


def test_isotonic_by_hand():
    """The second and third violate the order and are pooled; between and beyond the scores the last step holds."""
    calibrated = isotonic(np.array([1.0, 2.0, 3.0, 4.0]), np.array([False, True, False, True]))
    assert calibrated(np.array([0.0, 1.5, 2.0, 3.9, 4.0, 9.0])).tolist() == [1 / 8, 1 / 8, 0.5, 0.5, 7 / 8, 7 / 8]
    assert np.isnan(calibrated(np.array([np.nan]))).all()
    assert calibrated(np.zeros((2, 3))).shape == (2, 3)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (1e-4, 3.0), (-50.0, 1e3)])
def test_platt_agrees_with_logistic_regression_on_its_targets(seed, scale, shift):
    """Every user twice, as positive and as negative, weighed by the smoothed target: of the score before scaling."""
    score, label = users(seed)
    aim = np.where(label, (label.sum() + 1) / (label.sum() + 2), 1 / ((~label).sum() + 2))
    oracle = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000)
    oracle.fit(np.tile(score, 2)[:, None], np.repeat([True, False], 200), np.append(aim, 1 - aim))
    calibrated = platt(scale * score + shift, label)
    np.testing.assert_allclose(calibrated(scale * score + shift), oracle.predict_proba(score[:, None])[:, 1], atol=1e-5)


@pytest.mark.parametrize(
    ("score", "label", "said"),
    [
        (np.array([0.0, 0.0, 1.0, 1.0]), np.array([False, False, True, True]), [0.25, 0.25, 0.75, 0.75]),  # separated
        (np.full(6, 7.0), np.arange(6) < 2, [(2 * 3 / 4 + 4 / 6) / 6] * 6),  # constant: the mean target
        (np.array([0, 1, 2]), np.ones(3, bool), [0.8] * 3),  # one label only
    ],
)
def test_platt_where_plain_logistic_regression_has_no_answer(score, label, said):
    np.testing.assert_allclose(platt(score, label)(score), said, atol=1e-6)


def test_platt_of_far_outliers_converges():
    score, label = users(8)
    score = np.append(score, [1e4, -1e4])
    calibrated, label = platt(score, np.append(label, [False, True])), np.append(label, [False, True])
    aim = np.where(label, (label.sum() + 1) / (label.sum() + 2), 1 / ((~label).sum() + 2))
    assert np.mean(calibrated(score) - aim) == pytest.approx(0.0, abs=1e-5)


@pytest.mark.parametrize("calibrate", [isotonic, platt])
def test_calibrated_scores_are_as_frequent_as_said(calibrate):
    said = calibrate(*users(9, 4000))(users(10, 4000)[0])
    label = users(10, 4000)[1]
    for part in np.array_split(np.argsort(said), 5):
        assert said[part].mean() == pytest.approx(label[part].mean(), abs=0.06)


def test_positives_that_nobody_labelled():
    """A third of the positives are labelled, at random: what is learned of labels is a third of the truth."""
    random = np.random.default_rng(0)
    truth = random.random(50_000)
    positive = random.random(50_000) < truth
    labelled = positive & (random.random(50_000) < 1 / 3)
    found = among_unlabelled(truth / 3, (truth / 3)[labelled])
    # The mean over labelled users is c E[p^2] / E[p] rather than c where positives are not certain: here 2/3 of it.
    np.testing.assert_allclose(found, np.minimum(truth / 3 / (2 / 9), 1.0), rtol=0.02)
