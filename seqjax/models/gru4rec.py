"""GRU4Rec: recurrent next-item recommendation, Hidasi et al. (2016), Hidasi and Karatzoglou (2018)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from seqjax.nn.activation import tanh
from seqjax.nn.dropout import Noise, dropout
from seqjax.nn.gru import GRUCell
from seqjax.nn.init import block_uniform
from seqjax.nn.table import Table
from seqjax.types import Event

State = tuple[Float[Array, "..."], ...]
"""Hidden vector of every GRU layer, lowest first."""


class GRU4Rec(nn.Module):
    """Scores the next item of a session from the items so far; one session, one step.

    `embedding` says where the input vector comes from:
      shared    the output rows (constrained embedding; the authors' recommendation): no extra parameters;
      separate  a table of its own, `embedding_features` wide (default: the width of the first layer);
      onehot    the row of the first layer's input matrix, which a one-hot vector would pick: never a matrix product.

    Rates in `noise`: "embedding" on the input vector, "hidden" on the output of every GRU layer; the dropped vector is
    also what the layer carries to the next step, as in the authors' code.

    Differs: the authors' PyTorch code resets after the product (`reset_after=True`), the paper and their Theano code
    before it (default). With one-hot input it also uses the embedding rate on the first layer's output
    (`onehot_rate="embedding"`) where the Theano code uses the hidden rate (default).
    """

    items: int
    features: int | tuple[int, ...] = 100
    embedding: Literal["shared", "separate", "onehot"] = "shared"
    embedding_features: int | None = None
    feedforward: tuple[int, ...] = ()
    reset_after: bool = False
    activation: Callable = tanh
    onehot_rate: Literal["hidden", "embedding"] = "hidden"

    def setup(self):
        """Makes the tables, the GRU layers and the feed-forward layers behind them."""
        layers = self.layers
        width = (*layers, *self.feedforward)[-1]
        self.item = Table(self.items, width)
        self.bias = Table(self.items)
        match self.embedding:
            case "shared":
                inputs = width
            case "separate":
                inputs = self.embedding_features or layers[0]
                self.input = Table(self.items, inputs)
            case "onehot":
                inputs = None
                self.input = Table(self.items, 3 * layers[0], block_uniform(3, skip=1))
            case other:
                raise ValueError(f"embedding={other!r}: use 'shared', 'separate' or 'onehot'")
        self.cells = [
            GRUCell(features, below, self.reset_after, self.activation)
            for features, below in zip(layers, (inputs, *layers), strict=False)
        ]
        self.dense = [nn.Dense(features, kernel_init=block_uniform()) for features in self.feedforward]

    @property
    def layers(self) -> tuple[int, ...]:
        """Units of every GRU layer."""
        return (self.features,) if isinstance(self.features, int) else tuple(self.features)

    def init_state(self) -> State:
        """The state before any event: zeros."""
        return tuple(jnp.zeros(features) for features in self.layers)

    def step(self, state: State, event: Event, noise: Noise | None = None) -> State:
        """One event in."""
        table = self.item if self.embedding == "shared" else self.input
        x = table(event["item"])
        if self.embedding != "onehot":
            x = dropout(x, noise and noise.at(0), "embedding")
        carried = []
        for layer, (cell, h) in enumerate(zip(self.cells, state, strict=True)):
            rate = self.onehot_rate if layer == 0 and self.embedding == "onehot" else "hidden"
            x = dropout(cell(h, x), noise and noise.at(layer + 1), rate)
            carried.append(x)
        return tuple(carried)

    def encode(
        self, state: State, events: Event, valid: Bool[Array, "time"], noise: Noise | None = None
    ) -> tuple[State, State]:
        """Folds `step` over the valid events; returns the last state and the state after every event."""

        def body(self: GRU4Rec, state: State, xs: tuple) -> tuple[State, State]:
            index, event, keep = xs
            after = self.step(state, event, noise and noise.at(index))
            state = jax.tree.map(lambda new, old: jnp.where(keep, new, old), after, state)
            return state, state

        steps = jnp.arange(valid.shape[0])
        return nn.scan(body, variable_broadcast="params")(self, state, (steps, events, valid))

    def read(self, state: State, target: Event | None = None) -> Float[Array, ""] | Float[Array, "row"]:
        """Score of `target`, or of every row of the item table (row 0 is padding: never rank it)."""
        x = state[-1]
        for layer in self.dense:
            x = self.activation(layer(x))
        if target is None:
            return self.item.attend(x) + self.bias.rows
        return jnp.dot(self.item(target["item"]), x) + self.bias(target["item"])

    def __call__(self) -> Float[Array, "row"]:
        """Touches every parameter; serves `init`."""
        return self.read(self.step(self.init_state(), {"item": jnp.int32(1)}))
