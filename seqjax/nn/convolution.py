"""Causal convolution: dilated, as a body of sequence models (see `nn.recurrence`), and over the places of a window."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from seqjax.nn.dropout import Noise, dropout
from seqjax.nn.init import block_uniform
from seqjax.nn.recurrence import Reading
from seqjax.nn.window import close


class TCN(nn.Module):
    """Temporal convolutional network, Bai et al. (2018), sec. 3: residual blocks of two dilated causal convolutions.

    A convolution does not reach into the series before. The memory is the input of the last events, as many as the
    network sees: 2 (kernel - 1) (sum of dilations). Dropout rate: `noise.rates["hidden"]` after each convolution.

    Differs: no weight normalisation.
    """

    features: int = 32
    kernel: int = 2
    dilations: tuple[int, ...] = (1, 2, 4)
    inputs: int | None = None

    def setup(self):
        """Makes the convolutions."""
        if self.inputs is not None:
            self.enter = nn.Dense(self.features)
        self.convolutions = [
            Convolution(self.features, self.kernel, dilation) for dilation in self.dilations for _ in range(2)
        ]

    @property
    def row(self) -> int:
        """Width of an input made to measure."""
        return self.features

    @property
    def width(self) -> int:
        """Width of the output."""
        return self.features

    def init_memory(self) -> PyTree:
        """No event present, and the inputs of the last events, most recent last."""
        reach = 2 * (self.kernel - 1) * sum(self.dilations)
        return jnp.zeros(reach, bool), jnp.zeros((reach, self.features))

    def __call__(
        self,
        memory: PyTree,
        x: Float[Array, "time features"],
        fresh: Bool[Array, "time"],
        valid: Bool[Array, "time"],
        noise: Noise | None = None,
    ) -> Reading:
        """Reads the valid times."""
        present, ring = memory
        window = close(present, fresh, valid)
        joint = window.joint(ring, x if self.inputs is None else self.enter(x))
        y = joint
        for index, (first, second) in enumerate(zip(self.convolutions[::2], self.convolutions[1::2], strict=True)):
            h = dropout(jax.nn.relu(first(y, window.segment)), noise and noise.at(2 * index), "hidden")
            h = dropout(jax.nn.relu(second(h, window.segment)), noise and noise.at(2 * index + 1), "hidden")
            y = jax.nn.relu(y + h)

        def memory_at(time: int | Array) -> PyTree:
            return window.present(time), window.at(joint, time)

        times = jnp.arange(valid.shape[0])
        output = y[len(ring) + jnp.maximum(window.count, 1) - 1]
        return memory_at(times[-1]), jax.vmap(memory_at)(times), output


class Convolution(nn.Module):
    """y_t = b + sum over k < kernel of W_k x_(t - k dilation), over the events of t's own series."""

    features: int
    kernel: int
    dilation: int

    def setup(self):
        """Makes a matrix for every tap."""
        self.taps = [
            self.param(f"tap_{tap}", block_uniform(), (self.features, self.features)) for tap in range(self.kernel)
        ]
        self.bias = self.param("bias", nn.initializers.zeros, (self.features,))

    def __call__(
        self, x: Float[Array, "joint features"], segment: Int[Array, "joint"]
    ) -> Float[Array, "joint features"]:
        """The convolution at every place of the joint axis."""
        y = jnp.dot(x, self.taps[0]) + self.bias[None]
        for tap, matrix in enumerate(self.taps[1:], start=1):
            back = tap * self.dilation
            same = jnp.pad(segment, (back, 0), constant_values=-2)[: len(segment)] == segment
            shifted = jnp.pad(x, ((back, 0), (0, 0)))[: len(segment)]
            y = y + jnp.dot(jnp.where(same[:, None], shifted, 0.0), matrix)
        return y


class CausalConvolution(nn.Module):
    """y_t = b + sum over k < kernel of x_(t-k) W_k, over the places of one window.

    A place that is missing, or before the window, counts as x = 0, whatever stands in it; y there is not to be used.
    Rows of the taps: those of W_(kernel-1) first, those of W_0 (the present place) last.
    """

    inputs: int
    features: int
    kernel: int

    def setup(self):
        """Makes a matrix for every distance."""
        self.taps = self.param("taps", block_uniform(), (self.kernel * self.inputs, self.features))
        self.bias = self.param("bias", nn.initializers.zeros, (self.features,))

    def __call__(
        self, x: Float[Array, "window features"], there: Bool[Array, "window"]
    ) -> Float[Array, "window hidden"]:
        """The convolution at every place.

        One product with the last `kernel` places side by side: within a loop, where training steps are, XLA's own
        convolution was measured 70 times slower on a CPU.
        """
        x, time = jnp.where(there[:, None], x, 0.0), len(x)
        back = [jnp.pad(x, ((lag, 0), (0, 0)))[:time] for lag in reversed(range(self.kernel))]
        return jnp.dot(jnp.concatenate(back, axis=1), self.taps) + self.bias[None]
