"""The window against a list of the last events, the convolution against its sum."""

from functools import partial
from operator import itemgetter

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest

from seqjax.nn.convolution import CausalConvolution
from seqjax.nn.recent import Recent, empty, extended, present, pushed

quick = partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})


def held(recent):
    """The vectors that a window holds, oldest first, and nothing but zeros before them."""
    vectors, there = np.asarray(recent.vectors), np.asarray(present(recent))
    assert not vectors[~there].any() and not there[: len(there) - int(recent.count)].any()
    return vectors[there].tolist()


def test_pushing_keeps_the_last_events():
    recent, x = empty(3, 2), np.arange(1.0, 11.0, dtype=np.float32).reshape(5, 2)
    for time, vector in enumerate(x):
        recent = pushed(recent, jnp.asarray(vector))
        assert held(recent) == x[max(0, time - 2) : time + 1].tolist()


@pytest.mark.parametrize(("before", "new"), [(0, 0), (0, 2), (2, 4), (4, 1), (1, 5)])
def test_extending_is_pushing_each(before, new):
    """What stands behind the valid events is never taken in."""
    x = np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32)
    start = empty(3, 2)
    for vector in x[:before]:
        start = pushed(start, jnp.asarray(vector))
    given = {"x": jnp.where(jnp.arange(5)[:, None] < new, x, 99.0)}
    last, states = quick(partial(extended, embed=itemgetter("x")))(
        start, events=given, count=jnp.minimum(1 + jnp.arange(5), new)
    )
    now = start
    for time in range(5):
        now = pushed(now, jnp.asarray(x[time])) if time < new else now
        jax.tree.map(np.testing.assert_array_equal, jax.tree.map(lambda leaf, at=time: leaf[at], states), now)
    jax.tree.map(np.testing.assert_array_equal, last, now)


def test_windows_that_nobody_uses_are_not_made():
    """The last window costs the same bytes however long the life before it; all windows grow with it."""

    def temporary(time, part):
        program = jax.jit(lambda recent, *given: extended(recent, itemgetter("x"), *given)[part])
        given = empty(64, 8), {"x": jnp.zeros((time, 8))}, jnp.zeros(time, jnp.int32)
        memory = program.lower(*given).compile().memory_analysis()
        return memory.temp_size_in_bytes + memory.output_size_in_bytes

    assert temporary(256, 0) < (64 + 256 + 64) * 8 * 4 + 1024
    assert temporary(256, 1) > 256 * 64 * 8 * 4


@pytest.mark.parametrize("count", [0, 1, 4, 6])
@pytest.mark.parametrize("kernel", [1, 3, 8])
def test_convolution_equals_the_sum(kernel, count):
    """Over the places that are there alone: neither their vectors nor the bias come out of the others."""
    layer, random = CausalConvolution(2, 4, kernel), np.random.default_rng(0)
    x, there = random.normal(size=(6, 2)), np.arange(6) >= 6 - count
    shapes = jax.eval_shape(layer.init, jax.random.key(0), jnp.float32(x), jnp.asarray(there))["params"]
    assert shapes["taps"].shape == (kernel * 2, 4)
    params = jax.tree.map(lambda leaf: random.normal(size=leaf.shape), shapes)
    y = quick(layer.apply)({"params": jax.tree.map(jnp.float32, params)}, jnp.float32(x), there)
    expected = oracles.convolution(params, x[6 - count :], kernel).reshape(count, 4)
    np.testing.assert_allclose(y[6 - count :], expected, rtol=1e-5, atol=1e-5)


def test_a_missing_place_has_no_gradient_even_where_it_holds_no_number():
    layer, there = CausalConvolution(2, 3, 2), jnp.array([False, True, True])
    x = jnp.array([[jnp.nan, jnp.inf], [1.0, 2.0], [3.0, 4.0]])
    params = layer.init(jax.random.key(0), x, there)

    def total(params, x):
        return jnp.sum(jnp.where(there[:, None], layer.apply(params, x, there), 0.0))

    of_params, of_x = quick(jax.grad(total, (0, 1)))(params, x)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(of_params))
    assert not of_x[0].any() and of_x[1:].any()


def test_present_are_the_last_places():
    for count in range(4):
        there = present(Recent(jnp.zeros((3, 1)), jnp.int32(count)))
        assert there.tolist() == [place >= 3 - count for place in range(3)]
