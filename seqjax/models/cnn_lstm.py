"""A user as what an LSTM makes of the patterns that convolutions find in the last events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from seqjax.nn.activation import tanh
from seqjax.nn.convolution import CausalConvolution
from seqjax.nn.dropout import Noise
from seqjax.nn.features import embedded
from seqjax.nn.lstm import LSTMCell
from seqjax.nn.perceptron import Perceptron
from seqjax.nn.recent import Recent, Windowed, present
from seqjax.nn.recurrence import recur
from seqjax.types import Event


class CNNLSTM(Windowed):
    """Log-odds from a perceptron of [v, h, h W * v], h the last state of an LSTM over convolved events; one user.

        `blocks` times: `convolutions` times x = ReLU(causal convolution of x), then x = maximum over `pool` neighbours
        h = LSTM(x)                                                             over the last `window` events

    Convolutions before an LSTM before dense layers: Sainath et al. (2015), "Convolutional, Long Short-Term Memory,
    Fully Connected Deep Neural Networks", who do so for speech. The mask is pooled with the data (`pooled`), and groups
    are counted from the most recent event, so that an answer does not depend on how many places of the window are
    empty; to a convolution, what is missing is zeros. `pool=1` shortens nothing. `candidate` names the features of a
    target (default: `features`).

    Differs: the convolutions run over time alone, not over time and frequency; one LSTM layer, there two, and what is
    asked about, v, joins in the head.
    """

    sizes: tuple[tuple[str, int], ...]
    features: tuple[str, ...] = ("item",)
    candidate: tuple[str, ...] = ()
    width: int = 32
    filters: int = 64
    kernel: int = 5
    convolutions: int = 1
    blocks: int = 2
    pool: int = 2
    hidden: int = 64
    window: int = 256
    head: tuple[int, ...] = (64,)
    normalise: Literal["layer", "affine", "none"] = "layer"

    def setup(self):
        """Makes the vectors, the convolutions, the cell and the head."""
        candidate = self.candidate or self.features
        self.embed, inputs, asked = embedded(self.sizes, self.features, candidate, self.width)
        *below, top = inputs, *[self.filters] * (self.blocks * self.convolutions)
        self.layers = [CausalConvolution(row, self.filters, self.kernel) for row in below]
        self.cell = LSTMCell(self.hidden, top)
        self.project = nn.Dense(asked, use_bias=False)
        self.perceptron = Perceptron(self.hidden + 2 * asked, self.head, tanh, self.normalise)

    def read(self, state: Recent, target: Event, noise: Noise | None = None) -> Float[Array, ""]:
        """Log-odds of a response to the target."""
        h, v = self.summary(state), self.embed(target, self.candidate or self.features)
        return self.perceptron(jnp.concatenate([v, h, self.project(h) * v]), noise)

    def summary(self, state: Recent) -> Float[Array, "hidden"]:
        """The LSTM's hidden vector after the shortened sequence; zeros where there was no event."""
        x, there = shortened(state.vectors, present(state), self.layers, self.blocks, self.convolutions, self.pool)
        memory = self.cell.init_memory()
        ((_, h),), _, _ = recur([self.cell], (memory,), x, jnp.zeros_like(there), there, None)
        return h

    def __call__(self) -> Float[Array, ""]:
        """Touches every parameter; serves `init`."""
        event = {name: jnp.int32(1) for name, _ in self.sizes}
        return self.read(self.step(self.init_state(), event), event)


def shortened(
    x: Float[Array, "window features"],
    there: Bool[Array, "window"],
    layers: Sequence[CausalConvolution],
    blocks: int,
    convolutions: int,
    pool: int,
) -> tuple[Float[Array, "slot hidden"], Bool[Array, "slot"]]:
    """So many convolutions, each with ReLU, and then pooling, in each of the blocks."""
    for block in range(blocks):
        for layer in layers[block * convolutions :][:convolutions]:
            x = jax.nn.relu(layer(x, there))
        x, there = pooled(x, there, pool)
    return x, there


def pooled(
    x: Float[Array, "window features"], there: Bool[Array, "window"], size: int
) -> tuple[Float[Array, "slot features"], Bool[Array, "slot"]]:
    """Maximum over groups of `size` neighbours, counted from the last place, and which groups are there.

    A group is there if any of its places is; its maximum is over these alone, and 0 in a group that is not.

    >>> x, there = pooled(jnp.array([[9.0], [-1.0], [4.0], [2.0], [3.0]]), jnp.arange(5) >= 1, 2)
    >>> x.ravel().tolist(), there.tolist()
    ([0.0, 4.0, 3.0], [False, True, True])
    """
    before = -len(x) % size
    x = jnp.pad(jnp.where(there[:, None], x, -jnp.inf), ((before, 0), (0, 0)), constant_values=-jnp.inf)
    there = jnp.pad(there, (before, 0)).reshape(-1, size).any(axis=1)
    return jnp.where(there[:, None], x.reshape(len(there), size, -1).max(axis=1), 0.0), there
