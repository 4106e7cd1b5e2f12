import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest

from seqjax.nn.linear_recurrence import LRU

TIME = 9


def arguments(body, x):
    return body.init_memory(), jnp.float32(x), jnp.zeros(TIME, bool), jnp.ones(TIME, bool)


def block(p, x):
    """h_t = lambda h_(t-1) + gamma B x_t in complex numbers, y_t = Re(C h_t) + D x_t, GELU, a gated linear unit."""
    decay = np.exp(-np.exp(p["nu"]) + 1j * np.exp(p["theta"]))
    into, out_of = (p[name][0] + 1j * p[name][1] for name in ("into", "out_of"))
    h, after, added = np.zeros(len(decay), complex), [], []
    for vector in oracles.layer_norm(p["norm"], x):
        h = decay * h + np.exp(p["gamma"]) * (vector @ into)
        y = (h @ out_of).real + p["skip"] * vector
        value, gate = np.split(oracles.dense(p["gate"], oracles.gelu(y)), 2)
        after.append(h)
        added.append(value * oracles.sigmoid(gate))
    return np.array(after), x + np.array(added)


@pytest.mark.parametrize("inputs", [3, None])
def test_network_equals_the_equations(inputs):
    body = LRU(features=6, layers=2, units=4, inputs=inputs)
    random = np.random.default_rng(0)
    x = random.normal(size=(TIME, inputs or body.row))
    shapes = jax.eval_shape(body.init, jax.random.key(0), *arguments(body, x))["params"]
    params = jax.tree.map(lambda leaf: random.normal(-0.5, 0.5, leaf.shape), shapes)
    single = {"params": jax.tree.map(jnp.float32, params)}
    last, memories, output = jax.jit(body.apply)(single, *arguments(body, x))
    expected = x if inputs is None else oracles.dense(params["enter"], x)
    for layer in range(2):
        h, expected = block(params[f"blocks_{layer}"], expected)
        np.testing.assert_allclose(memories[layer][0] + 1j * memories[layer][1], h, atol=1e-5)
        np.testing.assert_allclose(last[layer][0] + 1j * last[layer][1], h[-1], atol=1e-5)
    np.testing.assert_allclose(output, oracles.layer_norm(params["norm"], expected), atol=1e-5)


def test_units_start_on_the_ring():
    """|lambda|^2 is uniform between the squares of the radii, and gamma keeps the size of h: sqrt(1 - |lambda|^2)."""
    body = LRU(features=2, layers=1, units=4000, shortest=0.4, longest=0.9)
    params = jax.jit(body.init)(jax.random.key(0), *arguments(body, np.zeros((TIME, 2))))["params"]["blocks_0"]
    square = np.exp(-2.0 * np.exp(params["nu"]))
    assert 0.4**2 - 1e-4 < square.min() < 0.17 and 0.8 < square.max() < 0.9**2 + 1e-4
    error = (0.9**2 - 0.4**2) / np.sqrt(12 * 4000)
    assert abs(square.mean() - (0.4**2 + 0.9**2) / 2) < 4.0 * error
    np.testing.assert_allclose(np.exp(params["gamma"]), np.sqrt(1.0 - square), atol=1e-5)
    assert 0.0 < np.exp(params["theta"]).min() and np.exp(params["theta"]).max() < 2.0 * np.pi + 1e-4
