"""A user as the output of a causal Transformer after the last event."""

from __future__ import annotations

from typing import Literal, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from seqjax.nn.activation import tanh
from seqjax.nn.attention import Transformer
from seqjax.nn.dropout import Noise
from seqjax.nn.features import embedded
from seqjax.nn.perceptron import Perceptron
from seqjax.nn.window import held
from seqjax.types import Event


class Attended(NamedTuple):
    """What later events will attend to, and the output at the last event; zeros before the first."""

    memory: PyTree
    output: Float[Array, "*time hidden"]


class TransformerResponse(nn.Module):
    """Log-odds from a perceptron of [v, h, h W * v], h the output of a Transformer at the last event; one user.

    The body is `nn.attention.Transformer`, Vaswani et al. (2017) with relative positions: `hidden` wide, each layer
    sees the last `window` events, with `alibi` the nearer ones more at first. `candidate` names the features of a
    target (default: `features`).

    Differs: a target is not among the events (as in SASRec, Kang and McAuley 2018; not as in BST, Chen et al. 2019), so
    that one reading of a life answers about many.
    """

    sizes: tuple[tuple[str, int], ...]
    features: tuple[str, ...] = ("item",)
    candidate: tuple[str, ...] = ()
    width: int = 32
    hidden: int = 64
    layers: int = 2
    heads: int = 2
    window: int = 64
    alibi: bool = False
    head: tuple[int, ...] = (64,)
    normalise: Literal["layer", "affine", "none"] = "layer"

    def setup(self):
        """Makes the vectors, the body and the head."""
        candidate = self.candidate or self.features
        self.embed, inputs, asked = embedded(self.sizes, self.features, candidate, self.width)
        self.body = Transformer(self.hidden, self.layers, self.heads, self.window, inputs, self.alibi)
        self.project = nn.Dense(asked, use_bias=False)
        self.perceptron = Perceptron(self.hidden + 2 * asked, self.head, tanh, self.normalise)

    def init_state(self) -> Attended:
        """The state of a user without events."""
        body = Transformer(self.hidden, self.layers, self.heads, self.window, parent=None)
        return Attended(body.init_memory(), jnp.zeros(self.hidden))

    def step(self, state: Attended, event: Event, noise: Noise | None = None) -> Attended:
        """One event in."""
        return self.encode(state, jax.tree.map(lambda leaf: leaf[None], dict(event)), jnp.ones(1, bool), noise)[0]

    def encode(
        self, state: Attended, events: Event, valid: Bool[Array, "time"], noise: Noise | None = None
    ) -> tuple[Attended, Attended]:
        """Reads the valid events; returns the last state and the state after every event."""
        x, fresh = self.embed(events, self.features), jnp.zeros_like(valid)
        last, memory, output = self.body(state.memory, x, fresh, valid, noise)
        output = held(output, valid, state.output)
        return Attended(last, output[-1]), Attended(memory, output)

    def read(self, state: Attended, target: Event, noise: Noise | None = None) -> Float[Array, ""]:
        """Log-odds of a response to the target."""
        h, v = state.output, self.embed(target, self.candidate or self.features)
        return self.perceptron(jnp.concatenate([v, h, self.project(h) * v]), noise)

    def __call__(self) -> Float[Array, ""]:
        """Touches every parameter; serves `init`."""
        event = {name: jnp.int32(1) for name, _ in self.sizes}
        return self.read(self.step(self.init_state(), event), event)
