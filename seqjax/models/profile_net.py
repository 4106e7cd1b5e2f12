"""A small feed-forward network on the features that a profile has: which of two classes it belongs to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from seqjax.data.layers import Layers
from seqjax.nn.activation import logistic
from seqjax.nn.bag import Bag, Pool, add, add_all, empty, pooled
from seqjax.nn.dropout import Noise, dropout
from seqjax.nn.table import Table
from seqjax.types import Event, Params


class ProfileNet(nn.Module):
    """Fully connected layers on a vector with a 1 for every feature that the profile has; one profile, one feature.

        h_1 = W_1 x + b_1      h_(l+1) = W_(l+1) a(h_l) + b_(l+1)

    `hidden` are the widths between input and output: () is a linear classifier. The vector x is never made: its product
    with the first layer is the sum of that layer's rows of the features that occur (`pool` "mean" or "root" divides it
    by their number or its root), which is also all that has to be kept of a profile. A feature that occurs several
    times counts as often. One output is the log-odds of the positive class; of two, one a class, half the difference.
    `activation` stands between layers; every output is logistic, which the loss applies. Dropout: `rates["hidden"]`.
    """

    sizes: tuple[tuple[str, int], ...]
    hidden: tuple[int, ...] = ()
    outputs: Literal[1, 2] = 1
    pool: Pool = "sum"
    activation: Callable = logistic

    def setup(self):
        """Makes the layers, the first as a table of rows."""
        widths = (*self.hidden, self.outputs)
        self.item = Table(dict(self.sizes)["item"], widths[0])
        self.bias = self.param("bias", nn.initializers.zeros, (widths[0],))
        self.layers = [nn.Dense(width) for width in widths[1:]]

    def init_state(self) -> Bag:
        """The product and the number of no features."""
        return empty((*self.hidden, self.outputs)[0])

    def step(self, state: Bag, event: Event, noise: Noise | None = None) -> Bag:
        """One more feature."""
        del noise
        return add(state, self.item(event["item"]))

    def encode(
        self, state: Bag, events: Event, valid: Bool[Array, "time"], noise: Noise | None = None
    ) -> tuple[Bag, Bag]:
        """Takes the valid features; returns the last state and the state after every feature."""
        del noise
        return add_all(state, self.item(events["item"]), valid)

    def respond(self, state: Bag, noise: Noise | None = None) -> Float[Array, "output"]:
        """What every output is before its logistic function."""
        x = pooled(state, self.pool) + self.bias
        for index, layer in enumerate(self.layers):
            x = layer(dropout(self.activation(x), noise and noise.at(index), "hidden"))
        return x

    def read(self, state: Bag, target: Event | None = None, noise: Noise | None = None) -> Float[Array, ""]:
        """Log-odds of the positive class; the profile itself is asked about, there is no target."""
        del target
        outputs = self.respond(state, noise)
        return 0.5 * (outputs[1] - outputs[0]) if self.outputs == 2 else outputs[0]

    def __call__(self) -> Float[Array, ""]:
        """Touches every parameter; serves `init`."""
        return self.read(self.step(self.init_state(), {"item": jnp.int32(1)}))


def layers_of(params: Params) -> Layers:
    """The network as plain arrays, its inputs in the order of the vocabulary."""
    dense = [params[f"layers_{place}"] for place in range(sum(name.startswith("layers_") for name in params))]
    weights = (np.asarray(params["item"]["rows"])[1:], *(np.asarray(layer["kernel"]) for layer in dense))
    return Layers(weights, (np.asarray(params["bias"]), *(np.asarray(layer["bias"]) for layer in dense)))


def params_of(layers: Layers) -> Params:
    """The parameters of a `ProfileNet` whose network is this one, in float32."""
    weights, biases = ([jnp.asarray(one, jnp.float32) for one in part] for part in layers)
    params = {"item": {"rows": jnp.pad(weights[0], ((1, 0), (0, 0)))}, "bias": biases[0]}
    for place, (kernel, bias) in enumerate(zip(weights[1:], biases[1:], strict=True)):
        params[f"layers_{place}"] = {"kernel": kernel, "bias": bias}
    return params
