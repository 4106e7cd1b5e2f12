"""Dense layers on one vector."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from seqjax.nn.activation import elu, relu
from seqjax.nn.dropout import Noise, dropout


class Perceptron(nn.Module):
    """Normalisation, dense layers with an activation and dropout, and one number: the head of a response model.

    Dropout rate: `noise.rates["hidden"]`. normalise: "layer" is LayerNorm; "affine" a trained scale and shift, which is
    what batch normalisation comes to where it never leaves its initial statistics (as in HPMN's released code).
    """

    inputs: int
    features: tuple[int, ...] = (200, 80)
    activation: Callable = elu
    normalise: Literal["layer", "affine", "none"] = "layer"

    def setup(self):
        """Makes the layers."""
        self.layers = [nn.Dense(features) for features in self.features]
        self.last = nn.Dense(1)
        if self.normalise == "layer":
            self.norm = nn.LayerNorm()
        elif self.normalise == "affine":
            self.scale = self.param("scale", nn.initializers.ones, (self.inputs,))
            self.shift = self.param("shift", nn.initializers.zeros, (self.inputs,))

    def __call__(self, x: Float[Array, "features"], noise: Noise | None = None) -> Float[Array, ""]:
        """The number."""
        if self.normalise == "layer":
            x = self.norm(x)
        elif self.normalise == "affine":
            x = x * self.scale + self.shift
        for index, layer in enumerate(self.layers):
            x = dropout(self.activation(layer(x)), noise and noise.at(index), "hidden")
        return self.last(x)[0]


class Relevance(nn.Module):
    """How much a vector has to do with a query: a perceptron of [q, m, q - m, q m], Zhou et al. (2018), fig. 2.

    The first layer's product is that of m with a matrix made for the query, plus what depends on q alone: with the four
    blocks of its kernel, q (A + C) + m (B - C + diag(q) D). No vector four times as wide is ever made.
    """

    inputs: int
    features: tuple[int, ...] = (80, 40)
    activation: Callable = relu

    def setup(self):
        """Makes the layers."""
        self.kernel = self.param("kernel", nn.initializers.lecun_normal(), (4 * self.inputs, self.features[0]))
        self.bias = self.param("bias", nn.initializers.zeros, (self.features[0],))
        self.layers = [nn.Dense(features) for features in self.features[1:]]
        self.last = nn.Dense(1)

    def __call__(self, query: Float[Array, "features"], keys: Float[Array, "*slot features"]) -> Float[Array, "*slot"]:
        """A score for every key."""
        of_query, of_key, difference, product = jnp.split(self.kernel, 4)
        alone = jnp.dot(query, of_query + difference) + self.bias
        x = jnp.dot(keys, of_key - difference + query[:, None] * product)
        x = self.activation(x + jnp.broadcast_to(alone, x.shape))
        for layer in self.layers:
            x = self.activation(layer(x))
        return self.last(x)[..., 0]
