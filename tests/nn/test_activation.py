import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.nn import activation

X = np.array([-1e4, -200.0, -2.0, -1e-3, 0.0, 1e-3, 2.0, 1e4])


SCALE, ALPHA = 1.0507009873554805, 1.6732632423543772
BELOW = np.minimum(X, 0)

CASES = {  # name: (function, values, slopes)
    "linear": (activation.linear, X, np.ones_like(X)),
    "tanh": (activation.tanh, np.tanh(X), 1 - np.tanh(X) ** 2),
    "relu": (activation.relu, np.maximum(X, 0), 1.0 * (X > 0)),
    "leaky_relu": (activation.leaky_relu, np.where(X > 0, X, 0.01 * X), np.where(X > 0, 1, 0.01)),
    "elu": (activation.elu, np.where(X > 0, X, np.expm1(BELOW)), np.where(X > 0, 1, np.exp(BELOW))),
    "selu": (
        activation.selu,
        SCALE * np.where(X > 0, X, ALPHA * np.expm1(BELOW)),
        SCALE * np.where(X > 0, 1, ALPHA * np.exp(BELOW)),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_values_and_slopes(name):
    """Also far out, where an untaken branch would overflow; at 0 itself the slope is a convention."""
    function, values, expected = CASES[name]
    np.testing.assert_allclose(function(jnp.float32(X)), values, rtol=1e-6)
    slopes = jax.vmap(jax.grad(function))(jnp.float32(X))
    assert np.isfinite(slopes).all()
    np.testing.assert_allclose(slopes[X != 0], expected[X != 0], rtol=1e-4, atol=1e-7)


def test_elu_has_the_published_parameter():
    np.testing.assert_allclose(activation.elu(jnp.array([-1.0, 2.0]), alpha=0.5), [0.5 * np.expm1(-1), 2.0], rtol=1e-6)
