"""Activations, for hidden layers and for final scores; named functions, so that a setting can choose one."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def linear(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """x."""
    return x


def tanh(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Hyperbolic tangent."""
    return jnp.tanh(x)


def logistic(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """1 / (1 + e^-x)."""
    return jax.nn.sigmoid(x)


def gelu(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """x times the normal distribution function of x, Hendrycks and Gimpel (2016), by the tanh form."""
    return jax.nn.gelu(x)


def relu(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """x above 0, else 0."""
    return jax.nn.relu(x)


def leaky_relu(x: Float[Array, "*shape"], slope: float = 0.01) -> Float[Array, "*shape"]:
    """x above 0, else slope x."""
    return jnp.where(x > 0, x, slope * x)


def elu(x: Float[Array, "*shape"], alpha: float = 1.0) -> Float[Array, "*shape"]:
    """x above 0, else alpha (e^x - 1), Clevert et al. (2016); GRU4Rec's final activation with BPR-max."""
    return jnp.where(x > 0, x, alpha * jnp.expm1(jnp.minimum(x, 0.0)))


def selu(x: Float[Array, "*shape"], scale: float = 1.0507009873554805, alpha: float = 1.6732632423543772):
    """scale elu(x), Klambauer et al. (2017)."""
    return scale * elu(x, alpha)
