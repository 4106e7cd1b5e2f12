"""Metrics against scikit-learn and by hand."""

import doctest

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import label_ranking_average_precision_score, ndcg_score, roc_auc_score, top_k_accuracy_score

from seqjax import metrics
from seqjax.metrics import ndcg, recall, reciprocal_rank, roc_auc


def test_examples():
    assert doctest.testmod(metrics).failed == 0


@pytest.mark.parametrize("cutoff", [1, 5, 11])
def test_means_agree_with_scikit_learn(cutoff):
    rng = np.random.default_rng(0)
    scores, target = rng.normal(size=(50, 11)), np.concatenate([np.arange(11), rng.integers(11, size=39)])
    rank = 1 + (scores > scores[np.arange(50), target][:, None]).sum(axis=1)
    relevant = np.eye(11)[target]
    if cutoff < 11:
        assert recall(rank, cutoff).mean() == pytest.approx(top_k_accuracy_score(target, scores, k=cutoff))
    else:
        expected = label_ranking_average_precision_score(relevant, scores)
        assert reciprocal_rank(rank, cutoff).mean() == pytest.approx(expected)
    assert ndcg(rank, cutoff).mean() == pytest.approx(ndcg_score(relevant, scores, k=cutoff))


@pytest.mark.parametrize("metric", [recall, reciprocal_rank, ndcg])
def test_numpy_and_jax_alike(metric):
    rank = np.array([[1, 2, 20], [20.5, 21, 7]], np.float32)
    traced = jax.jit(metric, static_argnums=1)(jnp.asarray(rank), 20)
    np.testing.assert_allclose(traced, metric(rank, 20), rtol=1e-6)
    assert traced.dtype == jnp.float32


def scores(seed, positives=40, negatives=60, decimals=1):
    """Two overlapping sets of scores; rounded, many are equal."""
    random = np.random.default_rng(seed)
    return random.normal(0.7, 1.0, positives).round(decimals), random.normal(0.0, 1.5, negatives).round(decimals)


@pytest.mark.parametrize("decimals", [0, 1, 9])
@pytest.mark.parametrize("seed", range(3))
def test_area_agrees_with_scikit_learn(seed, decimals):
    positive, negative = scores(seed, decimals=decimals)
    expected = roc_auc_score(np.repeat([1, 0], [40, 60]), np.concatenate([positive, negative]))
    assert roc_auc(positive, negative)[0] == pytest.approx(expected)
    assert roc_auc(negative, positive)[0] == pytest.approx(1.0 - expected)


@pytest.mark.parametrize("sizes", [(40, 60), (2, 5), (1, 9), (9, 1)])
@pytest.mark.parametrize("seed", range(3))
def test_error_of_the_area_against_delongs_components(seed, sizes):
    """Each case's mean over all pairs that it is in; a side of one case says nothing about how it varies."""
    positive, negative = scores(seed, *sizes)
    pairs = np.array([[1.0 if p > n else 0.5 if p == n else 0.0 for n in negative] for p in positive])
    parts = [pairs.mean(axis=1), pairs.mean(axis=0)]
    spread = [sum((part - pairs.mean()) ** 2) / (len(part) - 1) / len(part) for part in parts if len(part) > 1]
    area, error = roc_auc(positive, negative)
    assert area == pytest.approx(pairs.mean()) and error == pytest.approx(np.sqrt(sum(spread)))


def test_error_of_the_area_is_how_much_it_varies():
    found = np.array([roc_auc(*scores(seed)) for seed in range(400)])
    assert found[:, 1].mean() == pytest.approx(found[:, 0].std(), rel=4 / np.sqrt(2 * 400))


@pytest.mark.parametrize(("positive", "negative", "area"), [
    ([2.0, 3.0], [1.0, 1.5], 1.0), ([1.0, 1.5], [2.0, 3.0], 0.0), ([1.0, 1.0], [1.0] * 3, 0.5), ([1.0], [0.0], 1.0),
])  # fmt: skip
def test_areas_without_an_error(positive, negative, area):
    assert roc_auc(np.array(positive), np.array(negative)) == (area, 0.0)
