"""A user as the last state of a GRU over the whole life: GRU4Rec's network, asked for responses."""

from __future__ import annotations

from typing import Literal

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from seqjax.nn.activation import tanh
from seqjax.nn.dropout import Noise
from seqjax.nn.features import embedded
from seqjax.nn.gru import GRUCell
from seqjax.nn.perceptron import Perceptron
from seqjax.nn.recurrence import recur
from seqjax.types import Event


class GRUResponse(nn.Module):
    """Log-odds from a perceptron of [v, h, h W * v], with h the state of a GRU after all events; one user, one event.

        h_i = GRU(x_i, h_(i-1))        h_0 = 0

    Hidasi et al. (2016), "Session-based Recommendations with Recurrent Neural Networks", whose scores of all items are
    here the answer about one target v. The cell is TensorFlow's (`nn.gru.GRUCell`, keep). `candidate` names the
    features of a target (default: `features`).

    Differs: HPMN's released baseline ("release") reads the target as the last event, so that h is another one for every
    candidate, and the head sees h alone; its batch normalisation never leaves its initial statistics (normalise
    "affine").
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
        self.cell = GRUCell(self.hidden, inputs, keep=True)
        self.project = nn.Dense(asked, use_bias=False)
        self.perceptron = Perceptron(
            self.hidden + (2 * asked if self.form == "product" else 0), self.head, tanh, self.normalise
        )

    def init_state(self) -> Float[Array, "hidden"]:
        """The state of a user without events: zeros."""
        return jnp.zeros(self.hidden)

    def step(self, state: Float[Array, "hidden"], event: Event, noise: Noise | None = None) -> Float[Array, "hidden"]:
        """One event in."""
        del noise
        return self.cell(state, self.embed(event, self.features))

    def encode(
        self, state: Float[Array, "hidden"], events: Event, valid: Bool[Array, "time"], noise: Noise | None = None
    ) -> tuple[Float[Array, "hidden"], Float[Array, "time hidden"]]:
        """Reads the valid events; returns the last state and the state after every event."""
        del noise
        x, fresh = self.embed(events, self.features), jnp.zeros_like(valid)
        (last,), (states,), _ = recur([self.cell], (state,), x, fresh, valid, None)
        return last, states

    def read(self, state: Float[Array, "hidden"], target: Event, noise: Noise | None = None) -> Float[Array, ""]:
        """Log-odds of a response to the target."""
        if self.form == "release":
            return self.perceptron(self.step(state, target), noise)
        v = self.embed(target, self.candidate or self.features)
        return self.perceptron(jnp.concatenate([v, state, self.project(state) * v]), noise)

    def __call__(self) -> Float[Array, ""]:
        """Touches every parameter; serves `init`."""
        event = {name: jnp.int32(1) for name, _ in self.sizes}
        return self.read(self.step(self.init_state(), event), event)
