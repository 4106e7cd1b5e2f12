"""Ranking losses over sampled columns: one example in, one number out.

A training step scores each *distinct* candidate once. `Columns` says how often each of them stands in the sampled
score matrix of the paper, so that every loss below equals, to rounding, the loss over that matrix with its repeats.
Hidasi et al. (2016) give BPR and TOP1, Hidasi and Karatzoglou (2018) the -max forms and score regularisation.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Scalar

EPSILON = 1e-24  # inside the logarithm of the authors' code


class Columns(NamedTuple):
    """The columns of a sampled score matrix, repeats folded together.

    count: how often each candidate stands among the live columns.
    weight: sum over those columns of Q^-logq (equal to `count` without logq correction).
    shift: sum over those columns of -logq log Q.
    own: -logq log Q of the column that a candidate has as somebody's target.
    total: number of live columns, repeats counted.
    """

    count: Float[Array, "column"]
    weight: Float[Array, "column"]
    shift: Float[Array, "column"]
    own: Float[Array, "column"]
    total: Scalar


def every(columns: int) -> Columns:
    """Each candidate once: the exact loss over the whole vocabulary."""
    ones, zeros = jnp.ones(columns), jnp.zeros(columns)
    return Columns(ones, ones, zeros, zeros, jnp.float32(columns))


def cross_entropy(
    scores: Float[Array, "column"],
    target: Int[Array, ""],
    columns: Columns,
    epsilon: Scalar | float = 0.0,
) -> Scalar:
    """-log softmax of the target's own column.

    Differs: the authors' PyTorch code adds 1e-24 to the probability, which caps the loss at 55.26 and ends its
    gradient there (`epsilon=EPSILON`); the default is the log-sum-exp form of their `xe_logit`.

    >>> round(float(cross_entropy(jnp.zeros(4), jnp.int32(0), every(4))), 4)  # log 4
    1.3863
    """
    log_q = scores[target] + columns.own[target] - _log_partition(scores, columns)
    return -jnp.logaddexp(log_q, jnp.log(epsilon))


def smoothed_cross_entropy(
    scores: Float[Array, "column"],
    target: Int[Array, ""],
    columns: Columns,
    smoothing: Scalar | float = 0.0,
) -> Scalar:
    """Cross-entropy with label smoothing e over the n sampled columns, as in the authors' Theano code:

    (1 - e n / (n - 1)) (-log q_target) + e / (n - 1) sum_j -log q_j.
    """
    partition, n = _log_partition(scores, columns), columns.total
    own = partition - scores[target] - columns.own[target]
    every_column = n * partition - jnp.sum(columns.count * scores + columns.shift)
    return (1.0 - smoothing * n / (n - 1.0)) * own + smoothing / (n - 1.0) * every_column


def bpr(scores: Float[Array, "column"], target: Int[Array, ""], columns: Columns) -> Scalar:
    """Sum over all columns of -log sigmoid(target's score - score), the target's own column (log 2) included."""
    return jnp.sum(columns.count * jax.nn.softplus(scores - scores[target]))


def top1(scores: Float[Array, "column"], target: Int[Array, ""], columns: Columns) -> Scalar:
    """Mean over columns of sigmoid(score - target's) + sigmoid(score^2), less the target's own regularisation."""
    positive = scores[target]
    terms = jax.nn.sigmoid(scores - positive) + jax.nn.sigmoid(scores**2)
    return (jnp.sum(columns.count * terms) - jax.nn.sigmoid(positive**2)) / columns.total


def bpr_max(
    scores: Float[Array, "column"], target: Int[Array, ""], columns: Columns, penalty: Scalar | float = 0.0
) -> Scalar:
    """-log sum_j s_j sigmoid(target's score - r_j) + penalty sum_j s_j r_j^2, with s the softmax over the negatives.

    The softmax is differentiated through. Differs: its maximum is taken over the negatives alone, where the authors'
    code includes a zero, which is 0/0 in float32 once all negatives lie below about -104. The value is the same.
    """
    s = _negative_softmax(scores, target, columns)
    chance = jnp.sum(s * jax.nn.sigmoid(scores[target] - scores))
    return -jnp.log(chance + EPSILON) + penalty * jnp.sum(s * scores**2)


def top1_max(scores: Float[Array, "column"], target: Int[Array, ""], columns: Columns) -> Scalar:
    """Sum over the negatives of s_j (sigmoid(r_j - target's score) + sigmoid(r_j^2))."""
    s = _negative_softmax(scores, target, columns)
    return jnp.sum(s * (jax.nn.sigmoid(scores - scores[target]) + jax.nn.sigmoid(scores**2)))


def next_symbol(scores: Float[Array, "symbol"], target: Int[Array, ""]) -> Scalar:
    """-log softmax of the symbol that came, in nats; a score of minus infinity is no candidate.

    >>> round(float(next_symbol(jnp.array([-jnp.inf, 0.0, 0.0]), jnp.int32(2))), 4)  # log 2
    0.6931
    """
    return -jax.nn.log_softmax(scores)[target]


class Return(NamedTuple):
    """When somebody came back, in intervals of time counted from 1 (a day each, say)."""

    interval: Int[Array, "..."]  # of the return; beyond `seen`, or of any size, where nobody came while one looked
    seen: Int[Array, "..."]  # whole intervals that were observed


def discrete_hazard(scores: Float[Array, "interval"], target: Return) -> Scalar:
    """-log likelihood of a return, h_k = sigmoid(scores[k - 1]) its hazard in interval k if it has not come before.

    -log h_b - sum over k < b of log(1 - h_k) for a return in interval b; where none was seen, the sum over the seen
    intervals. Singer and Willett (1993), eq. 8; what lies beyond the scores is not asked for.

    >>> value = discrete_hazard(jnp.zeros(3), Return(jnp.int32(2), jnp.int32(9)))
    >>> round(float(value), 4)  # two fair coins
    1.3863
    """
    interval = jnp.arange(1, scores.shape[0] + 1)
    came = (interval == target.interval) & (interval <= target.seen)
    survived = (interval < target.interval) & (interval <= target.seen)
    return jnp.sum(jnp.where(came, jax.nn.softplus(-scores), 0.0) + jnp.where(survived, jax.nn.softplus(scores), 0.0))


def _log_partition(scores: Float[Array, "column"], columns: Columns) -> Scalar:
    """log sum_v weight_v e^score_v."""
    scores = scores + jnp.log(columns.weight)
    top = jax.lax.stop_gradient(jnp.max(scores))
    return jnp.log(jnp.sum(jnp.exp(scores - top))) + top


def _negative_softmax(
    scores: Float[Array, "column"], target: Int[Array, ""], columns: Columns
) -> Float[Array, "column"]:
    """Softmax over all columns but the target's own; further copies of the target do count as negatives.

    Zero where there is no negative at all.
    """
    own = jnp.arange(scores.shape[0]) == target
    others = jnp.log(jnp.maximum(columns.count[target] - 1.0, 0.0))
    scores = scores + jnp.where(own, others, jnp.log(columns.count))
    weight = jnp.exp(scores - jax.lax.stop_gradient(jnp.maximum(jnp.max(scores), -1e30)))
    return weight / jnp.maximum(jnp.sum(weight), 0.5)  # at least 1 where there is a negative
