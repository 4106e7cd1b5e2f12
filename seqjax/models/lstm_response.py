"""A user as the last cell and hidden vector of an LSTM over the whole life."""

from __future__ import annotations

from typing import Literal

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from seqjax.nn.activation import tanh
from seqjax.nn.dropout import Noise
from seqjax.nn.features import embedded
from seqjax.nn.lstm import LSTMCell, Memory
from seqjax.nn.perceptron import Perceptron
from seqjax.nn.recurrence import recur
from seqjax.types import Event


class LSTMResponse(nn.Module):
    """Log-odds from a perceptron of [v, s, s W * v], s = [c, h] of an LSTM after all events; one user, one event.

        (c_i, h_i) = LSTM(x_i, (c_(i-1), h_(i-1)))        c_0 = h_0 = 0

    Hochreiter and Schmidhuber (1997), as HPMN's authors set it beside their memory: cell and hidden vector both go to
    the head, and 1 is added to the forget gate. `candidate` names the features of a target (default: `features`).

    Differs: the released baseline ("release") reads the target as the last event, so that s is another one for every
    candidate, and the head sees s alone; its batch normalisation never leaves its initial statistics (normalise
    "affine"). Weights begin uniform by gate, there Glorot-uniform over x, h and all gates together.
    """

    sizes: tuple[tuple[str, int], ...]
    features: tuple[str, ...] = ("item",)
    candidate: tuple[str, ...] = ()
    width: int = 16
    hidden: int = 32
    form: Literal["product", "release"] = "product"
    head: tuple[int, ...] = (200, 80)
    normalise: Literal["layer", "affine", "none"] = "layer"

    def setup(self):
        """Makes the vectors, the cell and the head."""
        candidate = self.candidate or self.features
        self.embed, inputs, asked = embedded(self.sizes, self.features, candidate, self.width)
        self.cell = LSTMCell(self.hidden, inputs)
        self.project = nn.Dense(asked, use_bias=False)
        self.perceptron = Perceptron(
            2 * self.hidden + (2 * asked if self.form == "product" else 0), self.head, tanh, self.normalise
        )

    def init_state(self) -> Memory:
        """Cell and hidden vector of a user without events: zeros."""
        return jnp.zeros(self.hidden), jnp.zeros(self.hidden)

    def step(self, state: Memory, event: Event, noise: Noise | None = None) -> Memory:
        """One event in."""
        del noise
        return self.cell(state, self.embed(event, self.features))

    def encode(
        self, state: Memory, events: Event, valid: Bool[Array, "time"], noise: Noise | None = None
    ) -> tuple[Memory, tuple[Float[Array, "time hidden"], Float[Array, "time hidden"]]]:
        """Reads the valid events; returns the last state and the state after every event."""
        del noise
        x, fresh = self.embed(events, self.features), jnp.zeros_like(valid)
        (last,), (states,), _ = recur([self.cell], (state,), x, fresh, valid, None)
        return last, states

    def read(self, state: Memory, target: Event, noise: Noise | None = None) -> Float[Array, ""]:
        """Log-odds of a response to the target."""
        if self.form == "release":
            return self.perceptron(jnp.concatenate(self.step(state, target)), noise)
        s, v = jnp.concatenate(state), self.embed(target, self.candidate or self.features)
        return self.perceptron(jnp.concatenate([v, s, self.project(s) * v]), noise)

    def __call__(self) -> Float[Array, ""]:
        """Touches every parameter; serves `init`."""
        event = {name: jnp.int32(1) for name, _ in self.sizes}
        return self.read(self.step(self.init_state(), event), event)
