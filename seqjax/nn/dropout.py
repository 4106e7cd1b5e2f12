"""Dropout whose rate may be traced, so that runs with different rates share one program."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Float, Int


class Noise(struct.PyTreeNode):
    """What makes a training pass random: a key and the drop probabilities (0 <= rate < 1) by name.

    life: a key that is the same at all places of one life, for what must be drawn once for the whole of it.
    """

    key: jax.Array
    rates: Mapping[str, Float[Array, ""] | float]
    life: jax.Array | None = None

    def at(self, index: int | jax.Array) -> Noise:
        """Independent noise for one of several places (layers, time steps)."""
        return self.replace(key=jax.random.fold_in(self.key, index))


def dropout(x: Float[Array, "*shape"], noise: Noise | None, name: str) -> Float[Array, "*shape"]:
    """Inverted dropout (Srivastava et al. 2014): zero with the probability `noise.rates[name]`, else x / (1 - rate).

    The probability is rounded to a multiple of 2^-16; nothing is drawn while the rate is 0. `noise` is consumed: give
    every place its own by `Noise.at`. None means evaluation: x is returned.
    """
    if noise is None:
        return x
    keep = 1.0 - noise.rates[name]
    key = jax.random.key_data(noise.key)  # over runs the branch becomes a selection, which takes no keys

    def drop(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        words = jax.random.bits(jax.random.wrap_key_data(key, impl=jax.random.key_impl(noise.key)), (-(-x.size // 2),))
        halves = jax.lax.bitcast_convert_type(words, jnp.uint16).ravel()[: x.size].reshape(x.shape)
        return jnp.where(halves < keep * 2.0**16, x / keep, 0.0)

    return jax.lax.cond(keep < 1.0, drop, lambda x: x, x)


def drop_items(
    x: Float[Array, "*time features"], item: Int[Array, "*time"], items: int, noise: Noise | None
) -> Float[Array, "*time features"]:
    """Dropout of whole items, all events of one at once: Gal and Ghahramani (2016), sec. 4.2, for words.

    items: all ids are below. The rate is `noise.rates["item"]`, the key `noise.life`: a life that is read in parts
    loses the same items in each.
    """
    if noise is None:
        return x
    return x * dropout(jnp.ones(items), noise.replace(key=noise.life), "item")[item][..., None]
