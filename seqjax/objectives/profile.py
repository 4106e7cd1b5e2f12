"""Classes of profiles: what the features of a profile say of it, for every lane."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from flax import struct
from jaxtyping import Array, Float, Scalar

from seqjax.nn.dropout import Noise
from seqjax.objectives.response import ResponseBatch, states_at
from seqjax.types import Carry, Metrics, Params

Loss = Callable[[Float[Array, "output"], Scalar], Scalar]


class ProfileHparams(struct.PyTreeNode):
    """What a sweep may vary without a new program: every field is traced."""

    learning_rate: Scalar | float = 1e-3
    momentum: Scalar | float = 0.1
    clip: Scalar | float = 1.0  # largest norm of a gradient
    decay: Scalar | float = 0.0  # weight decay, of tables on the rows that a step touches
    dropout_hidden: Scalar | float = 0.0
    positive: Scalar | float = 1.0  # weight of a profile of the positive class


def wanted(outputs: Float[Array, "output"], label: Scalar) -> Float[Array, "output"]:
    """What the outputs should be: the label, or of two 1 for the class that it is and 0 for the other.

    >>> wanted(jnp.zeros(2), jnp.float32(1.0)).tolist(), wanted(jnp.zeros(1), jnp.float32(1.0)).tolist()
    ([0.0, 1.0], [1.0])
    """
    return jnp.stack([1.0 - label, label])[-len(outputs) :]


def squared_error(outputs: Float[Array, "output"], label: Scalar) -> Scalar:
    """Mean over outputs of the squared difference of their logistic function from what is wanted.

    >>> squared_error(jnp.array([0.0, 0.0]), jnp.float32(1.0)).item()
    0.25
    """
    return jnp.mean((jax.nn.sigmoid(outputs) - wanted(outputs, label)) ** 2)


def cross_entropy(outputs: Float[Array, "output"], label: Scalar) -> Scalar:
    """Mean over outputs of the cross-entropy of their logistic function with what is wanted, in nats.

    >>> round(cross_entropy(jnp.array([0.0]), jnp.float32(1.0)).item(), 4)
    0.6931
    """
    return jnp.mean(optax.sigmoid_binary_cross_entropy(outputs, wanted(outputs, label)))


def profile_objective(
    params: Params,
    carry: Carry,
    batch: ResponseBatch,
    hparams: ProfileHparams,
    key: jax.Array,
    *,
    model: nn.Module,
    loss: Loss = cross_entropy,
    block: int = 64,
) -> tuple[Scalar, tuple[Carry, Metrics]]:
    """The loss of every profile, summed and divided by the epoch's mean number of profiles a step.

    block: features are read so many at a time, see `objectives.blocks`. Metrics: `loss` sums the profiles' losses
    without weights, `events` counts profiles.
    """
    noise, apply = Noise(key, {"hidden": hparams.dropout_hidden}), partial(model.apply, {"params": params})
    states = jax.tree.map(lambda leaf: leaf[:, 0], states_at(apply, model.init_state(), batch, None, block))

    def judge(state: tuple, label: Scalar, lane: Array) -> Scalar:
        return loss(apply(state, noise.at(lane), method="respond"), label)

    label, live = batch.label[:, 0, 0], batch.live[:, 0, 0]
    each = jnp.where(live, jax.vmap(judge)(states, label, jnp.arange(len(label))), 0.0)
    weight = jnp.where(label > 0.5, hparams.positive, 1.0)
    return jnp.sum(weight * each) / batch.divisor, (carry, {"loss": jnp.sum(each), "events": jnp.sum(live)})
