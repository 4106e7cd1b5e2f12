"""Baselines of profiles against scikit-learn on dense matrices."""

import numpy as np
import pytest
from profile_sets import counted, profiles_of, random_profiles
from scipy import special

from seqjax.baselines.profile import boosted_logistic, linear_svc, logistic_regression, majority, naive_bayes

TRAIN, TEST = random_profiles(0, count=120), random_profiles(1, count=50)


def dense(samples):
    """What scikit-learn is given; some profiles are empty, and some words occur twice."""
    matrix = counted(samples)
    assert matrix.max() > 1 and (matrix.sum(axis=1) == 0).any()
    return matrix


def test_majority_is_the_share_of_training():
    said = majority(TRAIN)(TEST)
    assert said.shape == (50,) and len(set(said.tolist())) == 1
    assert special.expit(said[0]) == pytest.approx(TRAIN.label.mean())


@pytest.mark.parametrize("smoothing", [1.0, 0.1])
def test_naive_bayes_is_that_of_scikit_learn(smoothing):
    bayes = pytest.importorskip("sklearn.naive_bayes").BernoulliNB(alpha=smoothing).fit(dense(TRAIN), TRAIN.label)
    said = bayes.predict_log_proba(dense(TEST))
    np.testing.assert_allclose(naive_bayes(TRAIN, smoothing=smoothing)(TEST), said[:, 1] - said[:, 0], atol=1e-9)


def test_naive_bayes_by_hand():
    """Of three positives two have a, of one negative none; smoothed (2 + 1) / 5 against (0 + 1) / 3, and so on."""
    train = profiles_of([["a", "a"], ["a"], [], ["b"]], np.array([True, True, True, False]))
    asked = profiles_of([["a"], ["b"], [], ["a", "b"]], train.label)
    a, b = np.array([[1 / 3, 3 / 5], [2 / 3, 1 / 5]])
    chance = {
        place: np.array([1, 3]) * (a if "a" in held else 1 - a) * (b if "b" in held else 1 - b)
        for place, held in enumerate(("a", "b", "", "ab"))
    }
    expected = [np.log(chance[place][1] / chance[place][0]) for place in range(4)]
    np.testing.assert_allclose(naive_bayes(train)(asked), expected)


def scaled(matrix, rows):
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    return preprocessing.Normalizer().fit_transform(matrix) if rows else matrix


@pytest.mark.parametrize("rows", [False, True])
def test_logistic_regression_is_that_of_scikit_learn(rows):
    linear = pytest.importorskip("sklearn.linear_model")
    fitted = linear.LogisticRegression(C=0.7, max_iter=500).fit(scaled(dense(TRAIN), rows), TRAIN.label)
    expected = fitted.decision_function(scaled(dense(TEST), rows))
    said = logistic_regression(TRAIN, strength=0.7, rows=rows)(TEST)
    np.testing.assert_allclose(said, expected, atol=2e-3)
    assert np.ptp(said) > 0.5


@pytest.mark.parametrize("rows", [False, True])
def test_the_margin_is_that_of_scikit_learn(rows):
    machine = pytest.importorskip("sklearn.svm").LinearSVC(C=0.2, random_state=0)
    expected = machine.fit(scaled(dense(TRAIN), rows), TRAIN.label).decision_function(scaled(dense(TEST), rows))
    np.testing.assert_allclose(linear_svc(TRAIN, strength=0.2, rows=rows)(TEST), expected, atol=5e-3)


def boosted_by_hand(train, label, test, rounds, strength):
    """Freund and Schapire (1997): the votes of reweighted regressions, each with the log-odds of being right."""
    linear = pytest.importorskip("sklearn.linear_model")
    weight, votes, total = np.full(len(label), 1.0 / len(label)), np.zeros(len(test)), 0.0
    for _ in range(rounds):
        fitted = linear.LogisticRegression(C=strength, max_iter=500).fit(train, label, sample_weight=weight)
        wrong = fitted.predict(train) != label
        vote = np.log((1.0 - weight[wrong].sum()) / weight[wrong].sum())
        votes += vote * np.where(fitted.predict(test), 1.0, -1.0)
        total += vote
        weight = weight * np.exp(vote * wrong)
        weight /= weight.sum()
    return votes, total


def test_boosting_weighs_the_votes():
    votes, total = boosted_by_hand(dense(TRAIN), TRAIN.label, dense(TEST), 4, 1.0)
    said = boosted_logistic(TRAIN, rounds=4, strength=1.0, rows=False)(TEST)
    np.testing.assert_allclose(said, 2.0 * votes / total, atol=1e-6)
    assert 2 < len(set(said.round(6).tolist()))


def test_baselines_know_a_class_that_a_word_decides():
    train, test = (profiles_of([["x", "y"]] * 20 + [["y"]] * 20, np.repeat([True, False], 20)) for _ in range(2))
    pytest.importorskip("sklearn")
    for baseline in (naive_bayes, logistic_regression, linear_svc):
        assert ((baseline(train)(test) > 0) == test.label).all()
