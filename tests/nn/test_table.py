import jax
import jax.numpy as jnp
import numpy as np

from seqjax.nn.table import Table


def test_rows_padding_and_initial_values():
    params = Table(5, 3).init(jax.random.key(0), jnp.int32(1))["params"]
    assert params["rows"].shape == (6, 3)
    assert not params["rows"][0].any() and params["rows"][1:].all()
    bias = Table(5).init(jax.random.key(0), jnp.int32(1))["params"]
    np.testing.assert_array_equal(bias["rows"], np.zeros(6))


def test_takes_the_rows_that_stand_in_for_it():
    """A view of two rows serves ids 0 and 1, although the table was made for a hundred."""
    table, rows = Table(100, 3), jnp.arange(6.0).reshape(2, 3)
    one = table.apply({"params": {"rows": rows}}, jnp.int32(1))
    np.testing.assert_array_equal(one, [3.0, 4.0, 5.0])
    two = table.apply({"params": {"rows": rows}}, jnp.array([1, 0]))
    np.testing.assert_array_equal(two, [[3.0, 4.0, 5.0], [0.0, 1.0, 2.0]])
    scores = table.apply({"params": {"rows": rows}}, jnp.array([1.0, 0.0, 2.0]), method="attend")
    np.testing.assert_allclose(scores, [4.0, 13.0])
