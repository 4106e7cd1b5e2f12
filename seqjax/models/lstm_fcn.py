"""A user as the mean of what convolutions find in the last events, beside what an LSTM remembers of them."""

from __future__ import annotations

from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from seqjax.nn.activation import tanh
from seqjax.nn.convolution import CausalConvolution
from seqjax.nn.dropout import Noise, dropout
from seqjax.nn.features import embedded
from seqjax.nn.lstm import LSTMCell
from seqjax.nn.perceptron import Perceptron
from seqjax.nn.recent import Recent, Windowed, present
from seqjax.nn.recurrence import recur
from seqjax.types import Event


class LSTMFCN(Windowed):
    """Log-odds from a perceptron of [v, s, s W * v], s = [m, h] of two branches over the last events; one user.

        m = mean over the events of the last of x = ReLU(LayerNorm(causal convolution of x)), three in a row
        h = dropout(LSTM(x)) after the last                                     over the last `window` events

    Karim et al. (2018), "LSTM Fully Convolutional Networks for Time Series Classification", fig. 1. An answer does not
    depend on how many places of the window are empty: they are zeros to a convolution, the mean is over the others
    (zeros if there are none), and the LSTM passes them over. Dropout rate: `noise.rates["hidden"]` (paper: 0.8).
    `candidate` names the features of a target (default: `features`).

    Differs: LayerNorm over channels stands for batch normalisation, which would need the events of other users.
    Convolutions are causal, the paper's centred. The LSTM reads event by event; the paper's, after its "dimension
    shuffle", reads a series of one variable in a single step.
    """

    sizes: tuple[tuple[str, int], ...]
    features: tuple[str, ...] = ("item",)
    candidate: tuple[str, ...] = ()
    width: int = 32
    filters: tuple[int, ...] = (128, 256, 128)
    kernels: tuple[int, ...] = (8, 5, 3)
    cells: int = 8
    window: int = 256
    head: tuple[int, ...] = (64,)
    normalise: Literal["layer", "affine", "none"] = "layer"

    def setup(self):
        """Makes the vectors, both branches and the head."""
        candidate = self.candidate or self.features
        self.embed, inputs, asked = embedded(self.sizes, self.features, candidate, self.width)
        shapes = zip((inputs, *self.filters[:-1]), self.filters, self.kernels, strict=True)
        self.layers = [CausalConvolution(*shape) for shape in shapes]
        self.norms = [nn.LayerNorm() for _ in self.filters]
        self.cell = LSTMCell(self.cells, inputs)
        self.project = nn.Dense(asked, use_bias=False)
        self.perceptron = Perceptron(self.filters[-1] + self.cells + 2 * asked, self.head, tanh, self.normalise)

    def read(self, state: Recent, target: Event, noise: Noise | None = None) -> Float[Array, ""]:
        """Log-odds of a response to the target."""
        mean, h = self.branches(state)
        s = jnp.concatenate([mean, dropout(h, noise and noise.at(0), "hidden")])
        v = self.embed(target, self.candidate or self.features)
        return self.perceptron(jnp.concatenate([v, s, self.project(s) * v]), noise and noise.at(1))

    def branches(self, state: Recent) -> tuple[Float[Array, "features"], Float[Array, "hidden"]]:
        """Mean of the convolutions' output over the events, and the LSTM's hidden vector after them."""
        there = present(state)
        x = jnp.where(there[:, None], state.vectors, 0.0)
        memory = self.cell.init_memory()
        ((_, h),), _, _ = recur([self.cell], (memory,), x, jnp.zeros_like(there), there, None)
        for layer, norm in zip(self.layers, self.norms, strict=True):
            x = jax.nn.relu(norm(layer(x, there)))
        return jnp.sum(jnp.where(there[:, None], x, 0.0), axis=0) / jnp.maximum(state.count, 1), h

    def __call__(self) -> Float[Array, ""]:
        """Touches every parameter; serves `init`."""
        event = {name: jnp.int32(1) for name, _ in self.sizes}
        return self.read(self.step(self.init_state(), event), event)
