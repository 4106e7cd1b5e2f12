"""Gated recurrent unit."""

from __future__ import annotations

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from seqjax.nn.activation import tanh
from seqjax.nn.init import block_uniform


class GRUCell(nn.Module):
    """One step of a GRU for one example, Cho et al. (2014), eq. 5 to 8, in GRU4Rec's convention (z writes).

    With r, z = sigmoid(x W + h U + b) for the reset and update gates:

        candidate = activation(x W_h + (r * h) U_h + b_h)         h' = (1 - z) h + z candidate

    `reset_after` is the form of cuDNN and PyTorch: candidate = activation(x W_h + b_h + r * (h U_h + c_h)), with a
    second bias c. `inputs=None` means that x is already x W, as when a one-hot x picks a row of W.

    Differs: Flax's and TensorFlow's cells keep with z where this one writes.
    """

    features: int
    inputs: int | None
    reset_after: bool = False
    activation: Callable = tanh

    def setup(self):
        """Makes the gate matrices side by side, in the order reset, update, candidate."""
        width = 3 * self.features
        if self.inputs is not None:
            self.kernel = self.param("kernel", block_uniform(3), (self.inputs, width))
        self.recurrent = self.param("recurrent", block_uniform(3), (self.features, width))
        self.bias = self.param("bias", nn.initializers.zeros, (width,))
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
        x, gates = projected, 2 * self.features
        if self.reset_after:
            u = jnp.dot(h, self.recurrent) + self.recurrent_bias
            r, z = jnp.split(jax.nn.sigmoid(x[:gates] + u[:gates]), 2)
            return (1.0 - z) * h + z * self.activation(x[gates:] + r * u[gates:])
        r, z = jnp.split(jax.nn.sigmoid(x[:gates] + jnp.dot(h, self.recurrent[:, :gates])), 2)
        return (1.0 - z) * h + z * self.activation(x[gates:] + jnp.dot(r * h, self.recurrent[:, gates:]))

    def output(self, memory: Float[Array, "*time hidden"]) -> Float[Array, "*time hidden"]:
        """What the next layer sees: the hidden state."""
        return memory

    def __call__(self, h: Float[Array, "hidden"], x: Float[Array, "features"]) -> Float[Array, "hidden"]:
        """The next hidden state."""
        return self.update(h, self.project(x[None])[0])
