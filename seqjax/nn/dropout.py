"""Dropout whose rate may be traced, so that runs with different rates share one program."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Float


class Noise(struct.PyTreeNode):
    """What makes a training pass random: a key and the drop probabilities (0 <= rate < 1) by name."""

    key: jax.Array
    rates: Mapping[str, Float[Array, ""] | float]

    def at(self, index: int | jax.Array) -> Noise:
        """Independent noise for one of several places (layers, time steps)."""
        return self.replace(key=jax.random.fold_in(self.key, index))


def dropout(x: Float[Array, "*shape"], noise: Noise | None, name: str) -> Float[Array, "*shape"]:
    """Inverted dropout (Srivastava et al. 2014): zero with the probability `noise.rates[name]`, else x / (1 - rate).

    `noise` is consumed: give every place its own by `Noise.at`. None means evaluation: x is returned.
    """
    if noise is None:
        return x
    keep = 1.0 - noise.rates[name]
    return jnp.where(jax.random.uniform(noise.key, x.shape) < keep, x / keep, 0.0)
