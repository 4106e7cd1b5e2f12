"""Rows of a vocabulary."""

from __future__ import annotations

from collections.abc import Callable

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from seqjax.nn.init import block_uniform


class Table(nn.Module):
    """One row per id 0..size (0 is padding): a vector of `features` numbers, or a single number if `features` is None.

    After `init` it takes whatever rows it is given, so the rows that one batch touches (a view) may stand in for the
    whole table, with ids renumbered to match.
    """

    size: int
    features: int | None = None
    init_rows: Callable = block_uniform(skip=1)

    def setup(self):
        """Makes the rows, or takes those that were passed in."""
        if not self.is_initializing():
            self.rows = self.get_variable("params", "rows")
        elif self.features is None:
            self.rows = self.param("rows", nn.initializers.zeros, (self.size + 1,))
        else:
            self.rows = self.param("rows", self.init_rows, (self.size + 1, self.features))

    def __call__(self, ids: Int[Array, "*ids"]) -> Float[Array, "*ids features"] | Float[Array, "*ids"]:
        """The rows of the given ids."""
        return self.rows.at[ids].get(mode="promise_in_bounds")

    def attend(self, query: Float[Array, "features"]) -> Float[Array, "row"]:
        """Inner product of `query` with every row."""
        return jnp.dot(query, self.rows.T)
