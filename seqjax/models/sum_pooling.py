"""A user as the sum of all events, whatever their order: the deep network that sequence models must beat."""

from __future__ import annotations

from typing import Literal

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from seqjax.nn.activation import tanh
from seqjax.nn.bag import Bag, Pool, add, add_all, empty, pooled
from seqjax.nn.dropout import Noise, drop_items
from seqjax.nn.features import embedded
from seqjax.nn.perceptron import Perceptron
from seqjax.types import Event


class SumPooling(nn.Module):
    """Log-odds from a perceptron of [v, s, s W * v], with s the sum of the vectors of all events; one user, one event.

    The embedding-and-pooling network that Zhou et al. (2018), sec. 4.2, take as base model. `pool` also gives the mean,
    or the sum over the root of the number. Dropout rates: `noise.rates["item"]` of whole items, all events of one in a
    life at once, and `noise.rates["hidden"]` in the perceptron.

    Differs: HPMN's released baseline ("release") feeds [v, s] without the product; there the target is one of the
    events, here never.
    """

    sizes: tuple[tuple[str, int], ...]
    features: tuple[str, ...] = ("item",)
    candidate: tuple[str, ...] = ()
    width: int = 16
    pool: Pool = "sum"
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

    def vectors(self, events: Event, noise: Noise | None) -> Float[Array, "*time features"]:
        """The vectors of one event, or of many, less the items that are dropped."""
        return drop_items(self.embed(events, self.features), events["item"], dict(self.sizes)["item"] + 1, noise)

    def init_state(self) -> Bag:
        """The sum and the number of no events."""
        return empty(self.width * len(self.features))

    def step(self, state: Bag, event: Event, noise: Noise | None = None) -> Bag:
        """One event in."""
        return add(state, self.vectors(event, noise))

    def encode(
        self, state: Bag, events: Event, valid: Bool[Array, "time"], noise: Noise | None = None
    ) -> tuple[Bag, Bag]:
        """Reads the valid events; returns the last state and the state after every event."""
        return add_all(state, self.vectors(events, noise), valid)

    def read(self, state: Bag, target: Event, noise: Noise | None = None) -> Float[Array, ""]:
        """Log-odds of a response to the target."""
        s, v = pooled(state, self.pool), self.embed(target, self.candidate or self.features)
        parts = [v, s, self.project(s) * v] if self.form == "product" else [v, s]
        return self.perceptron(jnp.concatenate(parts), noise)

    def __call__(self) -> Float[Array, ""]:
        """Touches every parameter; serves `init`."""
        event = {name: jnp.int32(1) for name, _ in self.sizes}
        return self.read(self.step(self.init_state(), event), event)
