"""The alphabet of a behaviour model: what goes in as an action, and what comes out as scores of the next one."""

from __future__ import annotations

from typing import NamedTuple

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from seqjax.nn.init import block_uniform


class SeriesState(NamedTuple):
    """What a behaviour model remembers of a series."""

    memory: PyTree  # what the model's layers carry on
    output: Float[Array, "*time hidden"]  # what the next symbol is read from
    last: Int[Array, "*time"]  # the last symbol, 0 before any


class Symbols(nn.Module):
    """Rows for actions 1 .. `items` and the boundary `items` + 1 as input, and scores of them by id as output.

    A series begins with the boundary and ends with it. Input is the row of a matrix that a one-hot vector picks;
    `tied` takes it from the output matrix instead (Press and Wolf 2017), then `inputs` is `features`.

    `direct` adds a score for every pair of last and next symbol, the direct connections of Mikolov et al. (2011):
    with them a trained model gives every pair the share that it has in training, as a first-order Markov model does.
    """

    items: int
    inputs: int
    features: int
    direct: bool = False
    tied: bool = False
    blocks: int = 1  # matrices that stand side by side in an input row: the gates of a recurrent cell

    def setup(self):
        """Makes the matrices. The padding id 0 has neither row nor column: parameters count V + 1 symbols."""
        symbols = self.items + 1
        if not self.tied:
            self.rows_in = self.param("input", block_uniform(self.blocks), (symbols, self.inputs))
        self.kernel = self.param("kernel", block_uniform(), (self.features, symbols))
        self.bias = self.param("bias", nn.initializers.zeros, (symbols,))
        if self.direct:
            self.pairs = self.param("pairs", nn.initializers.zeros, (symbols, symbols))

    def embed(self, ids: Int[Array, "*ids"]) -> Float[Array, "*ids features"]:
        """Input rows of ids; that of the padding is some row, to be masked."""
        return (self.kernel.T if self.tied else self.rows_in)[jnp.maximum(ids, 1) - 1]

    def scores(self, output: Float[Array, "hidden"], last: Int[Array, ""]) -> Float[Array, "symbol"]:
        """Scores of the next symbol by id, after the symbol `last` (0: none); the padding's is minus infinity."""
        scores = jnp.dot(output, self.kernel) + self.bias
        if self.direct:
            scores = scores + jnp.where(last > 0, self.pairs[jnp.maximum(last, 1) - 1], 0.0)
        return jnp.concatenate([jnp.full(1, -jnp.inf), scores])
