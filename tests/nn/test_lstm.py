import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest

from seqjax.nn.lstm import LSTMCell


@pytest.mark.parametrize("forget_bias", [1.0, -0.5])
@pytest.mark.parametrize("inputs", [3, None])
def test_cell_equals_the_equations(inputs, forget_bias):
    random = np.random.default_rng(0)
    cell = LSTMCell(4, inputs, forget_bias)
    x, memory = random.normal(size=inputs or 16), tuple(random.normal(size=(2, 4)))
    single = tuple(map(jnp.float32, memory))
    shapes = jax.eval_shape(cell.init, jax.random.key(0), single, jnp.float32(x))["params"]
    assert ("kernel" in shapes) == (inputs is not None)
    params = jax.tree.map(lambda leaf: random.normal(size=leaf.shape), shapes)
    weights = {"params": jax.tree.map(jnp.float32, params)}
    after = jax.jit(cell.apply)(weights, single, jnp.float32(x))
    for vector, expected in zip(after, oracles.lstm(params, memory, x, forget_bias), strict=True):
        np.testing.assert_allclose(vector, expected, atol=1e-6)
    projected = cell.apply(weights, jnp.float32(x)[None], method="project")[0]
    composed = cell.apply(weights, single, projected, method="update")
    np.testing.assert_allclose(composed, after, atol=1e-6)
    np.testing.assert_array_equal(cell.output(after), after[1])


SHUT, OPEN = -99.0, 99.0


@pytest.mark.parametrize(("gates", "cell", "hidden"), [
    ((SHUT, OPEN, 0.5, OPEN), 0.3, np.tanh(0.3)),
    ((OPEN, SHUT, 0.5, OPEN), np.tanh(0.5), np.tanh(np.tanh(0.5))),
    ((OPEN, OPEN, 0.5, OPEN), 0.3 + np.tanh(0.5), np.tanh(0.3 + np.tanh(0.5))),
    ((SHUT, OPEN, 0.5, SHUT), 0.3, 0.0),
], ids=["keeps", "replaces", "adds", "hides"])  # fmt: skip
def test_gates_keep_replace_add_and_hide(gates, cell, hidden):
    """Input, forget, cell and output gate of one unit, whose cell holds 0.3."""
    params = {"recurrent": jnp.zeros((1, 4)), "bias": jnp.zeros(4)}
    memory = jnp.array([0.3]), jnp.array([0.7])
    after = LSTMCell(1, None).apply({"params": params}, memory, jnp.array(gates))
    np.testing.assert_allclose(after, [[cell], [hidden]], atol=1e-6)


def test_a_new_cell_remembers_by_its_forget_bias():
    params = {"recurrent": jnp.zeros((1, 4)), "bias": jnp.zeros(4)}
    for bias, kept in ((0.0, 0.5), (1.0, 0.7310586), (99.0, 1.0)):
        after = LSTMCell(1, None, bias).apply({"params": params}, (jnp.ones(1), jnp.zeros(1)), jnp.zeros(4))
        np.testing.assert_allclose(after[0], [kept], atol=1e-6)
    assert not any(vector.any() for vector in LSTMCell(3, None).init_memory())
