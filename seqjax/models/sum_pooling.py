"""A user as the sum of all events, whatever their order: the deep network that sequence models must beat."""

from __future__ import annotations

from typing import Literal

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from seqjax.nn.activation import tanh
from seqjax.nn.dropout import Noise
from seqjax.nn.features import embedded
from seqjax.nn.perceptron import Perceptron
from seqjax.types import Event


class SumPooling(nn.Module):
    """Log-odds from a perceptron of [v, s, s W * v], with s the sum of the vectors of all events; one user, one event.

    The embedding-and-pooling network that Zhou et al. (2018), sec. 4.2, take as base model. `pool` also gives the mean,
    or the sum over the root of the number.

    Differs: HPMN's released baseline ("release") feeds [v, s] without the product; there the target is one of the
    events, here never.
    """

    sizes: tuple[tuple[str, int], ...]
    features: tuple[str, ...] = ("item",)
    candidate: tuple[str, ...] = ()
    width: int = 16
    pool: Literal["sum", "mean", "root"] = "sum"
    form: Literal["product", "release"] = "product"
    head: tuple[int, ...] = (200, 80)
    normalise: Literal["layer", "affine", "none"] = "layer"

    def setup(self):
        """Makes the vectors and the head."""
        candidate = self.candidate or self.features
        self.embed, inputs, asked = embedded(self.sizes, self.features, candidate, self.width)
        self.project = nn.Dense(asked, use_bias=False)
        products = asked if self.form == "product" else 0
        self.perceptron = Perceptron(inputs + asked + products, self.head, tanh, self.normalise)

    def init_state(self) -> tuple[Float[Array, "features"], Float[Array, ""]]:
        """The sum and the number of no events."""
        return jnp.zeros(self.width * len(self.features)), jnp.float32(0.0)

    def step(self, state: tuple[Array, Array], event: Event, noise: Noise | None = None) -> tuple[Array, Array]:
        """One event in."""
        del noise
        return state[0] + self.embed(event, self.features), state[1] + 1.0

    def encode(
        self, state: tuple[Array, Array], events: Event, valid: Bool[Array, "time"], noise: Noise | None = None
    ) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        """Reads the valid events; returns the last state and the state after every event."""
        del noise
        x = jnp.where(valid[:, None], self.embed(events, self.features), 0.0)
        last = state[0] + jnp.sum(x, axis=0), state[1] + jnp.sum(valid)
        return last, (state[0][None] + jnp.cumsum(x, axis=0), state[1] + jnp.cumsum(valid).astype(jnp.float32))

    def read(self, state: tuple[Array, Array], target: Event, noise: Noise | None = None) -> Float[Array, ""]:
        """Log-odds of a response to the target."""
        total, count = state
        power = {"sum": 0.0, "root": 0.5, "mean": 1.0}[self.pool]
        s, v = total / jnp.maximum(count, 1.0) ** power, self.embed(target, self.candidate or self.features)
        parts = [v, s, self.project(s) * v] if self.form == "product" else [v, s]
        return self.perceptron(jnp.concatenate(parts), noise)

    def __call__(self) -> Float[Array, ""]:
        """Touches every parameter; serves `init`."""
        event = {name: jnp.int32(1) for name, _ in self.sizes}
        return self.read(self.step(self.init_state(), event), event)
