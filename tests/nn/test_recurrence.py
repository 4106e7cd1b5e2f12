import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest

from seqjax.nn.recurrence import GRU, LSTM

TIME = 7


def read(body, seed=0):
    """Random parameters, memory and input of a body, and what it gives: float64 where the oracle needs it."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(TIME, body.inputs or body.row))
    memory = jax.tree.map(lambda leaf: random.normal(size=leaf.shape), body.init_memory())
    given = jax.tree.map(jnp.float32, (memory, x))
    every, first = jnp.ones(TIME, bool), jnp.zeros(TIME, bool)
    shapes = jax.eval_shape(body.init, jax.random.key(0), *given, first, every)["params"]
    params = jax.tree.map(lambda leaf: random.normal(0, 0.5, leaf.shape), shapes)
    single = {"params": jax.tree.map(jnp.float32, params)}
    return params, memory, x, jax.jit(body.apply)(single, *given, first, every)


@pytest.mark.parametrize("inputs", [3, None])
def test_lstm_equals_the_equations(inputs):
    params, memory, x, (last, memories, output) = read(LSTM((5, 4), inputs))
    memory = list(memory)
    for time in range(TIME):
        h = x[time]
        for layer in range(2):
            memory[layer] = oracles.lstm(params[f"cells_{layer}"], memory[layer], h)
            h = memory[layer][1]
            np.testing.assert_allclose(memories[layer][0][time], memory[layer][0], atol=2e-6)
            np.testing.assert_allclose(memories[layer][1][time], memory[layer][1], atol=2e-6)
        np.testing.assert_allclose(output[time], h, atol=2e-6)
    jax.tree.map(lambda end, after: np.testing.assert_array_equal(end, after[-1]), last, memories)


@pytest.mark.parametrize("reset_after", [False, True])
@pytest.mark.parametrize("inputs", [3, None])
def test_gru_equals_the_equations(inputs, reset_after):
    params, memory, x, (last, memories, output) = read(GRU((5, 4), inputs, reset_after))
    memory = list(memory)
    for time in range(TIME):
        h = x[time]
        for layer in range(2):
            h = memory[layer] = oracles.gru(params[f"cells_{layer}"], memory[layer], h, reset_after)
            np.testing.assert_allclose(memories[layer][time], h, atol=2e-6)
        np.testing.assert_allclose(output[time], h, atol=2e-6)
    jax.tree.map(lambda end, after: np.testing.assert_array_equal(end, after[-1]), last, memories)


@pytest.mark.parametrize(("body", "gates"), [(LSTM, 4), (GRU, 3)])
def test_an_input_made_to_measure_is_as_wide_as_the_gates(body, gates):
    layers = body((5, 4))
    assert (layers.row, layers.width) == (gates * 5, 4)
    assert not any(leaf.any() for leaf in jax.tree.leaves(layers.init_memory()))
