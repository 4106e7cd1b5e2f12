"""Linear recurrent units, trained by a parallel scan, as a body of sequence models (see `nn.recurrence`)."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Bool, Float, PyTree

from seqjax.nn.dropout import Noise, dropout
from seqjax.nn.recurrence import Reading

Pair = tuple[Float[Array, "... hidden"], Float[Array, "... hidden"]]
"""Real and imaginary part of h, at one time or at every time."""


class LRU(nn.Module):
    """Blocks of linear recurrent units, Orvieto et al. (2023), sec. 3 and appendix A.

    One unit: h_t = lambda h_(t-1) + gamma B x_t with a complex diagonal lambda = exp(-exp(nu) + i exp(theta)), |lambda|
    first uniform on a ring between `shortest` and `longest`, gamma = sqrt(1 - |lambda|^2) at first, and
    y_t = Re(C h_t) + D x_t. All times at once by an associative scan, so that depth in time costs a logarithm. A block
    normalises, runs the unit, then GELU and a gated linear unit, and adds what it read. Dropout rate:
    `noise.rates["hidden"]` after each block.
    """

    features: int = 32
    layers: int = 2
    units: int = 32
    shortest: float = 0.0
    longest: float = 0.99
    inputs: int | None = None

    def setup(self):
        """Makes the blocks."""
        if self.inputs is not None:
            self.enter = nn.Dense(self.features)
        self.blocks = [LinearBlock(self.features, self.units, self.shortest, self.longest) for _ in range(self.layers)]
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
        """Real and imaginary part of h in every block: zeros."""
        return ((jnp.zeros(self.units), jnp.zeros(self.units)),) * self.layers

    def __call__(
        self,
        memory: PyTree,
        x: Float[Array, "time features"],
        fresh: Bool[Array, "time"],
        valid: Bool[Array, "time"],
        noise: Noise | None = None,
    ) -> Reading:
        """Reads the valid times."""
        x = x if self.inputs is None else self.enter(x)
        memories = []
        for layer, (block, start) in enumerate(zip(self.blocks, memory, strict=True)):
            h, y = block(start, x, fresh & valid, valid)
            memories.append(h)
            x = x + dropout(y, noise and noise.at(layer), "hidden")
        last = jax.tree.map(lambda leaf: leaf[-1], tuple(memories))
        return last, tuple(memories), self.norm(x)


class LinearBlock(nn.Module):
    """A linear recurrent unit between normalisation and a gated linear unit."""

    features: int
    units: int
    shortest: float
    longest: float

    def setup(self):
        """Makes lambda's parameters and the matrices, complex ones as pairs."""

        def nu(key: jax.Array, shape: tuple[int, ...], dtype: DTypeLike = jnp.float32) -> Float[Array, "hidden"]:
            square = jax.random.uniform(key, shape, dtype, self.shortest**2, self.longest**2)
            return jnp.log(-0.5 * jnp.log(jnp.maximum(square, 1e-12)))

        def theta(key: jax.Array, shape: tuple[int, ...], dtype: DTypeLike = jnp.float32) -> Float[Array, "hidden"]:
            return jnp.log(jax.random.uniform(key, shape, dtype, 1e-3, 2 * np.pi))

        def normal(width: int):
            return jax.nn.initializers.normal(1.0 / np.sqrt(width))

        self.norm = nn.LayerNorm()
        self.nu, self.theta = self.param("nu", nu, (self.units,)), self.param("theta", theta, (self.units,))
        self.gamma = self.param("gamma", lambda key, shape: 0.5 * jnp.log1p(-jnp.exp(-2 * jnp.exp(self.nu))), None)
        self.into = self.param("into", normal(2 * self.features), (2, self.features, self.units))
        self.out_of = self.param("out_of", normal(self.units), (2, self.units, self.features))
        self.skip = self.param("skip", jax.nn.initializers.normal(1.0), (self.features,))
        self.gate = nn.Dense(2 * self.features)

    def __call__(
        self, start: Pair, x: Float[Array, "time features"], fresh: Bool[Array, "time"], valid: Bool[Array, "time"]
    ) -> tuple[Pair, Float[Array, "time features"]]:
        """h after every time, and what the block adds."""
        x = self.norm(x)
        size, angle = jnp.exp(-jnp.exp(self.nu))[None], jnp.exp(self.theta)[None]
        keep, stay = (valid & ~fresh)[:, None], jnp.where(valid, 0.0, 1.0)[:, None]
        # An invalid time keeps h as it is, a fresh one loses it.
        decay = jnp.where(keep, size * jnp.cos(angle), stay), jnp.where(keep, size * jnp.sin(angle), 0.0)
        gain = jnp.where(valid[:, None], jnp.exp(self.gamma)[None], 0.0)
        drive = tuple(gain * jnp.dot(x, part) for part in self.into)
        first = multiply(tuple(part[0] for part in decay), start)
        drive = tuple(part.at[0].add(carried) for part, carried in zip(drive, first, strict=True))
        _, h = jax.lax.associative_scan(follow, (decay, drive))
        y = jnp.dot(h[0], self.out_of[0]) - jnp.dot(h[1], self.out_of[1]) + self.skip[None] * x
        value, gate = jnp.split(self.gate(jax.nn.gelu(y)), 2, axis=-1)
        return h, value * jax.nn.sigmoid(gate)


def multiply(a: Pair, b: Pair) -> Pair:
    """Product of two complex numbers."""
    return a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]


def follow(earlier: tuple[Pair, Pair], later: tuple[Pair, Pair]) -> tuple[Pair, Pair]:
    """One affine map h -> decay h + drive after another."""
    carried = multiply(later[0], earlier[1])
    return multiply(later[0], earlier[0]), (carried[0] + later[1][0], carried[1] + later[1][1])
