"""Gated recurrent unit."""

from __future__ import annotations

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Bool, Float

from seqjax.nn import native
from seqjax.nn.activation import tanh
from seqjax.nn.init import block_uniform


class GRUCell(nn.Module):
    """One step of a GRU for one example, Cho et al. (2014), eq. 5 to 8, in GRU4Rec's convention (z writes).

    With r, z = sigmoid(x W + h U + b) for the reset and update gates:

        candidate = activation(x W_h + (r * h) U_h + b_h)         h' = (1 - z) h + z candidate

    `reset_after` is the form of cuDNN and PyTorch: candidate = activation(x W_h + b_h + r * (h U_h + c_h)), with a
    second bias c. `inputs=None` means that x is already x W, as when a one-hot x picks a row of W.

    `keep` is TensorFlow's cell, with which HPMN and DIEN were released: z keeps, h' = z h + (1 - z) candidate, both
    gates begin with the bias 1, which remembers long, and weights are Glorot-uniform over x and h together.
    """

    features: int
    inputs: int | None
    reset_after: bool = False
    activation: Callable = tanh
    keep: bool = False

    def setup(self):
        """Makes the gate matrices side by side, in the order reset, update, candidate."""
        width, weights, bias = 3 * self.features, block_uniform(3), nn.initializers.zeros
        if self.keep:
            weights, bias = together(self.features, self.inputs or 0), gates_one(self.features)
        if self.inputs is not None:
            self.kernel = self.param("kernel", weights, (self.inputs, width))
        self.recurrent = self.param("recurrent", weights, (self.features, width))
        self.bias = self.param("bias", bias, (width,))
        if self.reset_after:
            self.recurrent_bias = self.param("recurrent_bias", nn.initializers.zeros, (width,))

    def init_memory(self) -> Float[Array, "hidden"]:
        """The memory before any event: zeros."""
        return jnp.zeros(self.features)

    def project(self, x: Float[Array, "time features"]) -> Float[Array, "time gate"]:
        """The part of the gates that depends on x alone: one product for all times."""
        return (x if self.inputs is None else jnp.dot(x, self.kernel)) + self.bias[None]

    def update(self, h: Float[Array, "hidden"], projected: Float[Array, "gate"]) -> Float[Array, "hidden"]:
        """The next hidden state, from the present one and a projected input."""
        z, candidate = self.gate(h, projected)
        return z * h + (1.0 - z) * candidate if self.keep else (1.0 - z) * h + z * candidate

    def gate(
        self, h: Float[Array, "hidden"], projected: Float[Array, "gate"]
    ) -> tuple[Float[Array, "hidden"], Float[Array, "hidden"]]:
        """The update gate z and the candidate."""
        x, gates = projected, 2 * self.features
        if self.reset_after:
            u = jnp.dot(h, self.recurrent) + self.recurrent_bias
            r, z = jnp.split(jax.nn.sigmoid(x[:gates] + u[:gates]), 2)
            return z, self.activation(x[gates:] + r * u[gates:])
        r, z = jnp.split(jax.nn.sigmoid(x[:gates] + jnp.dot(h, self.recurrent[:, :gates])), 2)
        return z, self.activation(x[gates:] + jnp.dot(r * h, self.recurrent[:, gates:]))

    def unroll(
        self,
        h: Float[Array, "hidden"],
        x: Float[Array, "time features"],
        weight: Float[Array, "time"] | Bool[Array, "time"] | None = None,
        fresh: Bool[Array, "time"] | None = None,
    ) -> Float[Array, "time hidden"]:
        """The hidden state after every time; at a `fresh` time it forgets what was before.

        `weight` is the part of each step that is made: h + weight (h' - h), so that 0 leaves the state as it is. Runs
        `nn.native` where it can, else a scan.
        """
        weight = jnp.ones(len(x)) if weight is None else weight.astype(x.dtype)
        fresh = jnp.zeros(len(x), bool) if fresh is None else fresh
        plain = self.activation is tanh and not self.reset_after and x.dtype == h.dtype == jnp.float32
        if plain and native.ready(self.features):
            kernel = jnp.zeros((0, 3 * self.features)) if self.inputs is None else self.kernel
            return native.gru(x, kernel, self.bias, self.recurrent, h, weight, fresh, self.keep)

        def body(cell: GRUCell, h: Array, now: tuple[Array, Array, Array]) -> tuple[Array, Array]:
            projected, weight, fresh = now
            h = jnp.where(fresh, 0.0, h)
            z, candidate = cell.gate(h, projected)
            h = h + weight * (1.0 - z if cell.keep else z) * (candidate - h)
            return h, h

        return nn.scan(body, variable_broadcast="params")(self, h, (self.project(x), weight, fresh))[1]

    def output(self, memory: Float[Array, "*time hidden"]) -> Float[Array, "*time hidden"]:
        """What the next layer sees: the hidden state."""
        return memory

    def __call__(self, h: Float[Array, "hidden"], x: Float[Array, "features"]) -> Float[Array, "hidden"]:
        """The next hidden state."""
        return self.update(h, self.project(x[None])[0])


def together(features: int, inputs: int) -> Callable[..., Float[Array, "..."]]:
    """Glorot-uniform weights of [reset, update, candidate], as if x and h were one vector and the gates one matrix."""

    def init(key: jax.Array, shape: tuple[int, ...], dtype: DTypeLike = jnp.float32) -> Float[Array, "..."]:
        bound = [(6.0 / (inputs + features + columns)) ** 0.5 for columns in (2 * features, features)]
        bound = jnp.repeat(jnp.array(bound, dtype), jnp.array([2 * features, features]), total_repeat_length=shape[1])
        return jax.random.uniform(key, shape, dtype, -1.0, 1.0) * bound[None]

    return init


def gates_one(features: int) -> Callable[..., Float[Array, "..."]]:
    """Biases 1 of both gates and 0 of the candidate."""

    def init(key: jax.Array, shape: tuple[int, ...], dtype: DTypeLike = jnp.float32) -> Float[Array, "..."]:
        del key
        return jnp.zeros(shape, dtype).at[: 2 * features].set(1.0)

    return init
