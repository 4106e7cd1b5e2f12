"""Layers of recurrent cells over time, as bodies of sequence models.

A body reads vectors of one series, `[time, inputs]`, and gives a vector after each. It has `init_memory()`, `row` (the
width that its input has where `inputs` is None: rows that somebody else made to measure) and `width` (of its output);
called with (memory, x, fresh, valid, noise) it returns the last memory, the memory after every time, and the output.
At a `fresh` time it forgets what was before; what comes at an invalid time it does not read, and its output there is
not to be used.
"""

from __future__ import annotations

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from seqjax.nn.dropout import Noise, dropout
from seqjax.nn.gru import GRUCell
from seqjax.nn.lstm import LSTMCell

Reading = tuple[PyTree, PyTree, Float[Array, "time hidden"]]
"""Last memory, the memory after every time, the output at every time."""


class LSTM(nn.Module):
    """Layers of LSTM cells, Zaremba et al. (2014), sec. 3, lowest first."""

    features: tuple[int, ...] = (20, 20)
    inputs: int | None = None

    def setup(self):
        """Makes the cells."""
        below = (self.inputs, *self.features)
        self.cells = [LSTMCell(features, inputs) for features, inputs in zip(self.features, below, strict=False)]

    @property
    def row(self) -> int:
        """Width of an input that comes already multiplied: four gates."""
        return 4 * self.features[0]

    @property
    def width(self) -> int:
        """Width of the output."""
        return self.features[-1]

    def init_memory(self) -> PyTree:
        """Cell and hidden vector of every layer: zeros."""
        return tuple((jnp.zeros(features), jnp.zeros(features)) for features in self.features)

    def __call__(
        self,
        memory: PyTree,
        x: Float[Array, "time features"],
        fresh: Bool[Array, "time"],
        valid: Bool[Array, "time"],
        noise: Noise | None = None,
    ) -> Reading:
        """Reads the valid times."""
        return recur(self.cells, memory, x, fresh, valid, noise)


class GRU(nn.Module):
    """Layers of GRU cells, Cho et al. (2014), lowest first."""

    features: tuple[int, ...] = (20, 20)
    inputs: int | None = None
    reset_after: bool = False

    def setup(self):
        """Makes the cells."""
        self.cells = [
            GRUCell(features, inputs, self.reset_after)
            for features, inputs in zip(self.features, (self.inputs, *self.features), strict=False)
        ]

    @property
    def row(self) -> int:
        """Width of an input that comes already multiplied: three gates."""
        return 3 * self.features[0]

    @property
    def width(self) -> int:
        """Width of the output."""
        return self.features[-1]

    def init_memory(self) -> PyTree:
        """Hidden vector of every layer: zeros."""
        return tuple(jnp.zeros(features) for features in self.features)

    def __call__(
        self,
        memory: PyTree,
        x: Float[Array, "time features"],
        fresh: Bool[Array, "time"],
        valid: Bool[Array, "time"],
        noise: Noise | None = None,
    ) -> Reading:
        """Reads the valid times."""
        return recur(self.cells, memory, x, fresh, valid, noise)


def recur(
    cells: Sequence[LSTMCell | GRUCell],
    memory: tuple[PyTree, ...],
    x: Float[Array, "time features"],
    fresh: Bool[Array, "time"],
    valid: Bool[Array, "time"],
    noise: Noise | None,
) -> Reading:
    """Runs layer by layer.

    Dropout with the rate `noise.rates["hidden"]` stands between layers and after the last, never on what a layer
    carries on (Zaremba et al. 2014).
    """
    last, memories = [], []
    for layer, (cell, start) in enumerate(zip(cells, memory, strict=True)):
        after = cell.unroll(start, x, valid, fresh & valid)
        last.append(jax.tree.map(lambda leaf: leaf[-1], after))
        memories.append(after)
        x = dropout(cell.output(after), noise and noise.at(layer), "hidden")
    return tuple(last), tuple(memories), x
