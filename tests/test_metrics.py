"""Metrics against scikit-learn and by hand."""

import doctest

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import label_ranking_average_precision_score, ndcg_score, top_k_accuracy_score

from seqjax import metrics
from seqjax.metrics import ndcg, recall, reciprocal_rank


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
