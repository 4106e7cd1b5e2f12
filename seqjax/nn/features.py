"""Features of an event or of a target, each a vector, side by side."""

from __future__ import annotations

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from seqjax.nn.init import block_uniform
from seqjax.nn.table import Table
from seqjax.types import Event

TABLES = ("item", "user")
"""Features whose vectors are the rows of a table, so that a step may be given a view of it; others are dense."""


class Features(nn.Module):
    """One vector of `width` numbers for every feature of `sizes` (name, entries), concatenated in that order.

    A feature may have several values (attributes of an item): its vector is their mean, 0 where there is none. Of a
    feature that is missing (the rating of what is only asked about) the vector is that of id 0. Events on one item need
    not name it.
    """

    sizes: tuple[tuple[str, int], ...]
    width: int = 16

    def setup(self):
        """Makes the vectors of every feature."""
        self.item = Table(dict(self.sizes)["item"], self.width)
        if "user" in dict(self.sizes):
            self.user = Table(dict(self.sizes)["user"], self.width)
        dense = [(name, size) for name, size in self.sizes if name not in TABLES]
        self.dense = {name: self.param(name, block_uniform(skip=1), (size + 1, self.width)) for name, size in dense}

    def __call__(self, event: Event, names: tuple[str, ...] = ()) -> Float[Array, "*time features"]:
        """The vectors of the ids of one event, or of many; of the named features only, if any are named."""
        return jnp.concatenate([self._vector(name, event) for name in names or dict(self.sizes)], axis=-1)

    def _vector(self, name: str, event: Event) -> Float[Array, "*time features"]:
        item: Int[Array, "*time"] = event["item"] if "item" in event else next(iter(event.values()))
        ids = event.get(name, jnp.zeros_like(item))
        rows = getattr(self, name)(ids) if name in TABLES else self.dense[name][ids]
        if ids.ndim == item.ndim:
            return rows
        there = (ids > 0)[..., None]
        return jnp.sum(jnp.where(there, rows, 0.0), axis=-2) / jnp.maximum(jnp.sum(there, axis=-2), 1)


def embedded(
    sizes: tuple[tuple[str, int], ...],
    features: tuple[str, ...],
    candidate: tuple[str, ...],
    width: int,
    others: tuple[str, ...] = (),
) -> tuple[Features, int, int]:
    """The vectors of events (`features`), targets (`candidate`) and others, and the widths of one of the first two.

    Raises ValueError for a feature that the data do not have.
    """
    vectors = Features(kept(sizes, tuple(dict.fromkeys(features + candidate + others))), width)
    return vectors, width * len(features), width * len(candidate)


def kept(sizes: tuple[tuple[str, int], ...], names: tuple[str, ...]) -> tuple[tuple[str, int], ...]:
    """The sizes of the named features, in the order of the names.

    Raises ValueError for a name that the data do not have.

    >>> kept((("item", 5), ("category", 2)), ("category",))
    (('category', 2),)
    """
    if unknown := [name for name in names if name not in dict(sizes)]:
        raise ValueError(f"the data have no feature {unknown[0]!r}; there are {[name for name, _ in sizes]}")
    return tuple((name, dict(sizes)[name]) for name in names)
