from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest

from seqjax.nn.activation import relu
from seqjax.nn.gru import GRUCell


@pytest.mark.parametrize("reset_after", [False, True])
@pytest.mark.parametrize("inputs", [3, None])
def test_cell_equals_the_equations(reset_after, inputs):
    random = np.random.default_rng(0)
    cell = GRUCell(4, inputs, reset_after)
    x, h = random.normal(size=inputs or 12), random.normal(size=4)
    shapes = jax.eval_shape(cell.init, jax.random.key(0), jnp.float32(h), jnp.float32(x))["params"]
    assert ("kernel" in shapes) == (inputs is not None) and ("recurrent_bias" in shapes) == reset_after
    params = jax.tree.map(lambda leaf: random.normal(size=leaf.shape), shapes)
    single = jax.tree.map(jnp.float32, params)
    after = jax.jit(cell.apply)({"params": single}, jnp.float32(h), jnp.float32(x))
    np.testing.assert_allclose(after, oracles.gru(params, h, x, reset_after), atol=1e-6)


def test_update_gate_writes():
    """With the gate shut (large negative bias) the state stays; with it open the candidate replaces it."""
    cell = GRUCell(2, None)
    params = {"recurrent": jnp.zeros((2, 6)), "bias": jnp.zeros(6)}
    h, x = jnp.array([0.3, -0.2]), jnp.array([0.0, 0.0, -99.0, 99.0, 0.5, 0.5])
    np.testing.assert_allclose(cell.apply({"params": params}, h, x), [0.3, np.tanh(0.5)], atol=1e-6)


def test_activation_is_a_field():
    cell = GRUCell(1, None, activation=relu)
    params = {"recurrent": jnp.zeros((1, 3)), "bias": jnp.zeros(3)}
    run = partial(cell.apply, {"params": params}, jnp.zeros(1))
    np.testing.assert_allclose(run(jnp.array([0.0, 99.0, 3.0])), [3.0], atol=1e-6)
    np.testing.assert_allclose(run(jnp.array([0.0, 99.0, -3.0])), [0.0], atol=1e-6)


@pytest.mark.parametrize("reset_after", [False, True])
@pytest.mark.parametrize("inputs", [3, None])
def test_project_and_update_compose_to_the_call(reset_after, inputs):
    """What depends on the inputs alone is one product for all times; the rest is a step from state to state."""
    cell = GRUCell(4, inputs, reset_after)
    h, x = jax.random.normal(jax.random.key(0), (4,)), jax.random.normal(jax.random.key(1), (6, inputs or 12))
    params = jax.jit(cell.init)(jax.random.key(2), h, x[0])
    project, update = (jax.jit(partial(cell.apply, params, method=method)) for method in ("project", "update"))
    call, projected = jax.jit(partial(cell.apply, params)), project(x)
    assert projected.shape == (6, 12)
    for time in range(6):
        after = update(h, projected[time])
        np.testing.assert_allclose(after, call(h, x[time]), atol=1e-6)
        np.testing.assert_array_equal(cell.output(after), after)
        h = after


@pytest.mark.parametrize("inputs", [3, 4])
def test_keep_is_the_cell_of_tensorflow(inputs):
    """[r, u] = sigmoid([x, h] W_g + b_g), c = tanh([x, r h] W_c + b_c), h' = u h + (1 - u) c."""
    random, cell = np.random.default_rng(0), GRUCell(4, inputs, keep=True)
    x, h = random.normal(size=inputs), random.normal(size=4)
    shapes = jax.eval_shape(cell.init, jax.random.key(0), jnp.float32(h), jnp.float32(x))["params"]
    params = jax.tree.map(lambda leaf: random.normal(size=leaf.shape), shapes)
    run = partial(cell.apply, {"params": jax.tree.map(jnp.float32, params)})
    np.testing.assert_allclose(run(jnp.float32(h), jnp.float32(x)), oracles.keep_gru(params, h, x), atol=1e-6)
    gate = run(jnp.float32(h), run(jnp.float32(x)[None], method="project")[0], method="gate")
    np.testing.assert_allclose(gate, oracles.keep_gates(params, h, x), atol=1e-6)


def test_keep_begins_with_a_long_memory():
    """Gate biases 1, and weights Glorot-uniform over x and h together: of both gates, and of the candidate."""
    features, inputs = 40, 60
    params = jax.jit(GRUCell(features, inputs, keep=True).init)(
        jax.random.key(0), jnp.zeros(features), jnp.zeros(inputs)
    )
    params = params["params"]
    np.testing.assert_array_equal(params["bias"], np.repeat([1.0, 0.0], [2 * features, features]))
    for columns, outputs in ((slice(0, 2 * features), 2 * features), (slice(2 * features, None), features)):
        bound = np.sqrt(6 / (inputs + features + outputs))
        for name in ("kernel", "recurrent"):
            largest = np.abs(params[name][:, columns]).max()
            assert 0.98 * bound < largest <= bound, name
