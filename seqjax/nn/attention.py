"""Causal self-attention over a window of events, as a body of sequence models (see `nn.recurrence`)."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PyTree

from seqjax.nn.dropout import Noise, dropout
from seqjax.nn.init import block_uniform
from seqjax.nn.recurrence import Reading
from seqjax.nn.window import Window, close


class Transformer(nn.Module):
    """Transformer decoder, Vaswani et al. (2017), with relative positions of keys, Shaw et al. (2018), eq. 4.

    Every layer sees the last `window` events, the present one included, so that the memory has one size however long
    the series; it holds the keys and values of those events. Normalisation stands before each part (Xiong et al.
    2020); feed-forward layers are four times as wide, with GELU. Dropout rate: `noise.rates["hidden"]` after each part.

    With `alibi`, scores also fall with the distance, in head h of H by 2^(-8 h / H) an event (Press et al. 2022, sec.
    3): some heads begin with what is near and some with all alike, where vectors alone begin with all alike.
    """

    features: int = 32
    layers: int = 2
    heads: int = 2
    window: int = 32
    inputs: int | None = None
    alibi: bool = False

    def setup(self):
        """Makes the layers."""
        if self.features % self.heads:
            raise ValueError(f"features={self.features}: choose a multiple of heads={self.heads}")
        if self.inputs is not None:
            self.enter = nn.Dense(self.features)
        self.blocks = [Block(self.features, self.heads, self.window, self.alibi) for _ in range(self.layers)]
        self.norm = nn.LayerNorm()

    @property
    def row(self) -> int:
        """Width of an input made to measure."""
        return self.features

    @property
    def width(self) -> int:
        """Width of the output."""
        return self.features

    def init_memory(self) -> PyTree:
        """No event present; keys and values of every layer, most recent last."""
        ring = jnp.zeros((self.window - 1, self.features))
        return jnp.zeros(self.window - 1, bool), ((ring, ring),) * self.layers

    def __call__(
        self,
        memory: PyTree,
        x: Float[Array, "time features"],
        fresh: Bool[Array, "time"],
        valid: Bool[Array, "time"],
        noise: Noise | None = None,
    ) -> Reading:
        """Reads the valid times."""
        present, rings = memory
        window = close(present, fresh, valid)
        x = x if self.inputs is None else self.enter(x)
        joints = []
        for layer, (block, ring) in enumerate(zip(self.blocks, rings, strict=True)):
            x, joint = block(ring, x, window, noise and noise.at(layer))
            joints.append(joint)

        def memory_at(time: int | Array) -> PyTree:
            rings = tuple(tuple(window.at(part, time) for part in joint) for joint in joints)
            return window.present(time), rings

        times = jnp.arange(valid.shape[0])
        return memory_at(times[-1]), jax.vmap(memory_at)(times), self.norm(x)


class Block(nn.Module):
    """Attention and a feed-forward layer, each added to what it read."""

    features: int
    heads: int
    window: int
    alibi: bool

    def setup(self):
        """Makes the products."""
        self.before = [nn.LayerNorm(), nn.LayerNorm()]
        self.query, self.key, self.value, self.out = (nn.Dense(self.features) for _ in range(4))
        self.wide, self.narrow = nn.Dense(4 * self.features), nn.Dense(self.features)
        self.distance = self.param("distance", block_uniform(), (self.window, self.features))

    def __call__(
        self, ring: PyTree, x: Float[Array, "time features"], window: Window, noise: Noise | None
    ) -> tuple[Float[Array, "time features"], PyTree]:
        """The new vectors, and keys and values along the joint axis."""
        h = self.before[0](x)
        keys, values = window.joint(ring[0], self.key(h)), window.joint(ring[1], self.value(h))
        x = x + dropout(self.out(self.attend(self.query(h), keys, values, window)), noise and noise.at(0), "hidden")
        h = self.narrow(jax.nn.gelu(self.wide(self.before[1](x))))
        return x + dropout(h, noise and noise.at(1), "hidden"), (keys, values)

    def attend(
        self,
        query: Float[Array, "time features"],
        keys: Float[Array, "joint features"],
        values: Float[Array, "joint features"],
        window: Window,
    ) -> Float[Array, "time features"]:
        """Mean of the visible values, by softmax of query (key + the distance's vector) / sqrt(width of a head)."""

        def heads(vectors: Array) -> Float[Array, "*joint head width"]:
            return vectors.reshape(*vectors.shape[:-1], self.heads, -1)

        time, joint = len(query), len(keys)
        place = self.window - 1 + jnp.maximum(window.count, 1) - 1  # where each time stands on the joint axis
        distance = place[:, None] - jnp.arange(joint)[None]
        seen = (distance >= 0) & (distance < self.window) & (window.segment[None] == window.segment[place][:, None])
        seen = seen & (window.segment >= 0)[None] | (
            distance == 0
        )  # a place without events sees itself: finite, unused
        query = heads(query) / jnp.sqrt(jnp.float32(self.features // self.heads))
        near = jnp.einsum("thw,dhw->thd", query, heads(self.distance))
        near = jnp.take_along_axis(near, jnp.clip(distance, 0, self.window - 1)[:, None], axis=2)
        if self.alibi:
            near = near - distance[:, None] * slopes(self.heads)[None, :, None]
        scores = jnp.einsum("thw,jhw->thj", query, heads(keys)) + near
        weight = jax.nn.softmax(jnp.where(seen[:, None], scores, -jnp.inf), axis=-1)
        return jnp.einsum("thj,jhw->thw", weight, heads(values)).reshape(time, self.features)


def slopes(heads: int) -> Float[np.ndarray, "head"]:
    """How much the score of each head falls per event of distance, Press et al. (2022).

    >>> slopes(4).tolist()
    [0.25, 0.0625, 0.015625, 0.00390625]
    """
    return np.float32(2.0) ** np.float32(-8.0 * np.arange(1, heads + 1) / heads)
