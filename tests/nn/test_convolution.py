import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest

from seqjax.nn.convolution import TCN


def convolution(p, x, dilation):
    """One output after the other, from the taps that lie within the sequence."""
    taps = [p[f"tap_{tap}"] for tap in range(len(p) - 1)]
    return np.array([
        p["bias"] + sum(x[time - tap * dilation] @ w for tap, w in enumerate(taps) if time >= tap * dilation)
        for time in range(len(x))
    ])  # fmt: skip


@pytest.mark.parametrize(("kernel", "dilations", "inputs"), [(2, (1, 2), 3), (3, (1, 4), None), (1, (1,), 2)])
def test_network_equals_the_equations(kernel, dilations, inputs):
    body, time = TCN(6, kernel, dilations, inputs), 15
    random = np.random.default_rng(0)
    x = random.normal(size=(time, inputs or body.row))
    given = body.init_memory(), jnp.float32(x), jnp.zeros(time, bool), jnp.ones(time, bool)
    params = jax.eval_shape(body.init, jax.random.key(0), *given)["params"]
    params = jax.tree.map(lambda leaf: random.normal(0, 0.4, leaf.shape), params)
    output = jax.jit(body.apply)({"params": jax.tree.map(jnp.float32, params)}, *given)[2]
    y = x if inputs is None else oracles.dense(params["enter"], x)
    for index, dilation in enumerate(dilations):
        h = y
        for half in (0, 1):
            h = np.maximum(convolution(params[f"convolutions_{2 * index + half}"], h, dilation), 0.0)
        y = np.maximum(y + h, 0.0)
    np.testing.assert_allclose(output, y, atol=1e-5)


@pytest.mark.parametrize(("kernel", "dilations", "reach"), [(2, (1, 2, 4), 14), (3, (1, 2), 12), (1, (1, 8), 0)])
def test_memory_is_as_long_as_the_network_sees(kernel, dilations, reach):
    """Two convolutions a block, each of which reaches (kernel - 1) dilations back."""
    present, ring = TCN(5, kernel, dilations).init_memory()
    assert present.shape == (reach,) and ring.shape == (reach, 5) and not present.any()
