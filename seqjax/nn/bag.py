"""A bag of vectors: what is kept of a set, whatever its order."""

from __future__ import annotations

from typing import Literal

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

Bag = tuple[Float[Array, "..."], Float[Array, "..."]]
"""The sum of the vectors so far [*time, features], and their number [*time]."""

Pool = Literal["sum", "mean", "root"]
POWER: dict[Pool, float] = {"sum": 0.0, "root": 0.5, "mean": 1.0}
"""The sum is divided by this power of the number."""


def empty(features: int) -> Bag:
    """The bag of no vectors."""
    return jnp.zeros(features), jnp.float32(0.0)


def add(bag: Bag, x: Float[Array, "features"]) -> Bag:
    """One vector in."""
    return bag[0] + x, bag[1] + 1.0


def add_all(bag: Bag, x: Float[Array, "time features"], valid: Bool[Array, "time"]) -> tuple[Bag, Bag]:
    """The valid ones of many vectors in; returns the last bag and the bag after every time."""
    x = jnp.where(valid[:, None], x, 0.0)
    last = bag[0] + jnp.sum(x, axis=0), bag[1] + jnp.sum(valid)
    return last, (bag[0][None] + jnp.cumsum(x, axis=0), bag[1] + jnp.cumsum(valid).astype(jnp.float32))


def pooled(bag: Bag, pool: Pool) -> Float[Array, "features"]:
    """The sum, the mean, or the sum over the root of the number; zeros for an empty bag.

    >>> pooled((jnp.array([6.0]), jnp.float32(4.0)), "root").tolist()
    [3.0]
    """
    return bag[0] / jnp.maximum(bag[1], 1.0) ** POWER[pool]
