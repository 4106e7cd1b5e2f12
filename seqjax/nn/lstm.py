"""Long short-term memory."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from seqjax.nn.init import block_uniform

Memory = tuple[Float[Array, "hidden"], Float[Array, "hidden"]]
"""Cell and hidden vector."""


class LSTMCell(nn.Module):
    """One step of an LSTM for one example, Hochreiter and Schmidhuber (1997), Gers et al. (2000) for the forget gate:

        i, f, o = sigmoid(x W + h U + b)      g = tanh(x W_g + h U_g + b_g)
        c' = f c + i g                        h' = o tanh(c')

    `inputs=None` means that x is already x W, as when a one-hot x picks a row of W. `forget_bias` is added to f's b
    (Jozefowicz et al. 2015: 1, so that a new cell remembers).
    """

    features: int
    inputs: int | None
    forget_bias: float = 1.0

    def setup(self):
        """Makes the gate matrices side by side, in the order input, forget, cell, output."""
        width = 4 * self.features
        if self.inputs is not None:
            self.kernel = self.param("kernel", block_uniform(4), (self.inputs, width))
        self.recurrent = self.param("recurrent", block_uniform(4), (self.features, width))
        self.bias = self.param("bias", nn.initializers.zeros, (width,))

    def init_memory(self) -> Memory:
        """The memory before any event: zeros."""
        return jnp.zeros(self.features), jnp.zeros(self.features)

    def project(self, x: Float[Array, "time features"]) -> Float[Array, "time gate"]:
        """The part of the gates that depends on x alone: one product for all times."""
        return (x if self.inputs is None else jnp.dot(x, self.kernel)) + self.bias[None]

    def update(self, memory: Memory, projected: Float[Array, "gate"]) -> Memory:
        """The next memory, from the present one and a projected input."""
        c, h = memory
        i, f, g, o = jnp.split(projected + jnp.dot(h, self.recurrent), 4)
        c = jax.nn.sigmoid(f + self.forget_bias) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        return c, jax.nn.sigmoid(o) * jnp.tanh(c)

    def unroll(
        self,
        memory: Memory,
        x: Float[Array, "time features"],
        valid: Bool[Array, "time"],
        fresh: Bool[Array, "time"],
    ) -> PyTree:
        """The memory after every time; it stays at an invalid one, and forgets the past at a `fresh` one."""

        def body(cell: LSTMCell, memory: Memory, now: tuple[Array, Array, Array]) -> tuple[Memory, Memory]:
            projected, valid, fresh = now
            start = jax.tree.map(lambda leaf: jnp.where(fresh, 0.0, leaf), memory)
            memory = jax.tree.map(lambda new, old: jnp.where(valid, new, old), cell.update(start, projected), memory)
            return memory, memory

        return nn.scan(body, variable_broadcast="params")(self, memory, (self.project(x), valid, fresh))[1]

    def output(self, memory: PyTree) -> Float[Array, "*time hidden"]:
        """What the next layer sees: the hidden vector."""
        return memory[1]

    def __call__(self, memory: Memory, x: Float[Array, "features"]) -> Memory:
        """The next memory."""
        return self.update(memory, self.project(x[None])[0])
