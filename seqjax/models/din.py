"""DIN: of the last events, those that have to do with the candidate."""

from __future__ import annotations

from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from seqjax.nn.activation import elu
from seqjax.nn.dropout import Noise
from seqjax.nn.features import embedded
from seqjax.nn.perceptron import Perceptron, Relevance
from seqjax.nn.recent import Recent, Windowed, present
from seqjax.types import Event


class DIN(Windowed):
    """Deep interest network, Zhou et al. (2018), "Deep Interest Network for Click-Through Rate Prediction"; one user.

        s = sum_i a_i x_i        a_i = MLP([v, x_i, v - x_i, v * x_i])        over the last `window` events

    Score: a perceptron of [v, s, v * s]. Weights are not normalised, so that s also tells how strong an interest
    is; `weigh="softmax"` normalises them. `candidate` names the features of a target (default: `features`); a target
    whose vector is of another width than an event's is projected to it before it is compared.

    Differs: ELU stands for Dice, which needs the statistics of a batch, in the head, and ReLU in the attention. The
    paper's attention has an outer product (fig. 2) where v - x_i and v * x_i stand here, and its head has no v * s.
    """

    sizes: tuple[tuple[str, int], ...]
    features: tuple[str, ...] = ("item",)
    candidate: tuple[str, ...] = ()
    width: int = 16
    window: int = 50
    weigh: Literal["sum", "softmax"] = "sum"
    attention: tuple[int, ...] = (80, 40)
    head: tuple[int, ...] = (200, 80)
    normalise: Literal["layer", "affine", "none"] = "layer"

    def setup(self):
        """Makes the vectors, the attention and the head."""
        candidate = self.candidate or self.features
        self.embed, inputs, asked = embedded(self.sizes, self.features, candidate, self.width)
        self.project = nn.Dense(inputs, use_bias=False) if asked != inputs else None
        self.relevance = Relevance(inputs, self.attention)
        self.perceptron = Perceptron(asked + 2 * inputs, self.head, elu, self.normalise)

    def read(
        self, state: Recent, target: Event, noise: Noise | None = None, weights: bool = False
    ) -> Float[Array, ""] | Float[Array, "window"]:
        """Log-odds of a response to the target; or, with `weights`, the attention on every event of the window."""
        v = self.embed(target, self.candidate or self.features)
        query = v if self.project is None else self.project(v)
        there = present(state)
        a = self.relevance(query, state.vectors)
        if self.weigh == "softmax":
            a = jax.nn.softmax(jnp.where(there, a, -1e30))  # finite: a window without events has no largest score
        a = jnp.where(there, a, 0.0)
        s = jnp.dot(a, state.vectors)
        return a if weights else self.perceptron(jnp.concatenate([v, s, query * s]), noise)

    def __call__(self) -> Float[Array, ""]:
        """Touches every parameter; serves `init`."""
        event = {name: jnp.int32(1) for name, _ in self.sizes}
        return self.read(self.step(self.init_state(), event), event)
