"""Optimizer factories: each builds a plain optax transform from the (traced) hyper-parameters of a run."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import jax.numpy as jnp
import optax
from jaxtyping import Array, Int, Scalar


@runtime_checkable
class Rates(Protocol):
    """The hyper-parameters that these factories read."""

    learning_rate: Scalar | float
    momentum: Scalar | float


def adagrad(hparams: Rates) -> optax.GradientTransformation:
    """Adagrad, Duchi et al. (2011), as used in GRU4Rec: acc += g^2; p -= rate g / sqrt(acc + 1e-6), acc from 0.

    Differs: optax's own default starts the accumulator at 0.1, with which GRU4Rec hardly trains.
    """
    return optax.chain(_scale_by_adagrad(), optax.scale(-hparams.learning_rate))


def adagrad_momentum(hparams: Rates) -> optax.GradientTransformation:
    """Adagrad with heavy-ball momentum: v = momentum v - rate g / sqrt(acc + 1e-6); p += v.

    The authors call it Nesterov momentum; their code is this classical form. Differs: where a step touches an id in one
    table only (the bias of an item that is input and no candidate), its rows in the other tables of the same view keep
    moving by their velocity; in the authors' code they rest.
    """
    return optax.chain(_scale_by_adagrad(), optax.scale(-hparams.learning_rate), optax.trace(hparams.momentum))


@runtime_checkable
class ClippedRates(Protocol):
    """The hyper-parameters that `adam_cosine` reads."""

    learning_rate: Scalar | float
    clip: Scalar | float


def adam_cosine(hparams: ClippedRates, *, steps: int) -> optax.GradientTransformation:
    """Adam on gradients cut to the norm `clip`; the rate falls as half a cosine to 0 over `steps`, the whole training.

    Loshchilov and Hutter (2017), eq. 5, without restarts.
    """

    def fall(count: Int[Array, ""]) -> Scalar:
        share = jnp.minimum(count / steps, 1.0)
        return -hparams.learning_rate * 0.5 * (1.0 + jnp.cos(jnp.pi * share))

    return optax.chain(optax.clip_by_global_norm(hparams.clip), optax.scale_by_adam(), optax.scale_by_schedule(fall))


def sgd_momentum(hparams: Rates) -> optax.GradientTransformation:
    """Gradient descent with heavy-ball momentum: v = momentum v - rate g; p += v, Rumelhart et al. (1986), eq. 16.

    On the rows of a view the velocity of a row rests while no step touches it; without a view it decays and moves on.
    """
    return optax.sgd(hparams.learning_rate, hparams.momentum)


def adam(hparams: Rates) -> optax.GradientTransformation:
    """Adam, Kingma and Ba (2015), with its default moments; on the rows of a view it is the lazy form."""
    return optax.adam(hparams.learning_rate)


@runtime_checkable
class DecayedRates(Protocol):
    """The hyper-parameters that `adam_decay` reads."""

    learning_rate: Scalar | float
    clip: Scalar | float
    decay: Scalar | float


def adam_decay(hparams: DecayedRates) -> optax.GradientTransformation:
    """Adam on gradients cut to the norm `clip`, with decoupled weight decay, Loshchilov and Hutter (2019), alg. 2.

    On the rows of a view only the rows that a step touches decay.
    """
    return optax.chain(
        optax.clip_by_global_norm(hparams.clip),
        optax.scale_by_adam(),
        optax.add_decayed_weights(hparams.decay),
        optax.scale(-hparams.learning_rate),
    )


def adam_clipped(hparams: DecayedRates) -> optax.GradientTransformation:
    """Adam on gradients of which every element is cut to -1 .. 1, as HPMN was released."""
    return optax.chain(optax.clip(1.0), optax.adam(hparams.learning_rate))


def _scale_by_adagrad() -> optax.GradientTransformation:
    return optax.scale_by_rss(initial_accumulator_value=0.0, eps=1e-6)
