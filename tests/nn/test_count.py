from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest

from seqjax.nn.count import multiply_adds, parameters
from seqjax.nn.gru import GRUCell

SIDE, NODES, FIELD = 1000, 10**6, 10


def shape(*sizes):
    return jax.ShapeDtypeStruct(sizes, jnp.float32)


def square(x):
    return x @ x


IMAGE = shape(1, 1, SIDE, SIDE)
SHARED = shape(1, 1, FIELD, FIELD)


def convolve(image, kernel):
    return jax.lax.conv_general_dilated(image, kernel, (1, 1), "SAME")


def test_a_million_nodes_on_an_image_fully_connected():
    weights = jax.eval_shape(lambda: jnp.zeros((SIDE * SIDE, NODES)))
    assert parameters({"kernel": weights}) == 10**12
    assert multiply_adds(jnp.dot, shape(SIDE * SIDE), weights) == 10**12


def test_a_million_nodes_each_with_a_field_of_its_own():
    kernel = shape(1, FIELD * FIELD, SIDE, SIDE)  # [output, field, height, width]
    local = partial(
        jax.lax.conv_general_dilated_local, window_strides=(1, 1), padding="SAME", filter_shape=(FIELD, FIELD)
    )
    assert jax.eval_shape(local, IMAGE, kernel).shape == (1, 1, SIDE, SIDE)  # a million nodes
    assert parameters(kernel) == 10**8


def test_a_million_nodes_that_share_one_kernel():
    """Sharing saves weights, not products: there are as many as with fields of their own."""
    assert jax.eval_shape(convolve, IMAGE, SHARED).shape == (1, 1, SIDE, SIDE)
    assert parameters(SHARED) == 100
    assert multiply_adds(convolve, IMAGE, SHARED) == 10**8


def test_parameters_are_those_of_arrays_and_of_their_shapes():
    layer = nn.Dense(7)
    params = layer.init(jax.random.key(0), jnp.zeros(5))
    assert parameters(params) == parameters(jax.eval_shape(lambda: params)) == 5 * 7 + 7
    assert parameters({}) == 0


def test_dense_layer_alone_in_a_batch_and_under_vmap():
    layer = nn.Dense(7)
    params = layer.init(jax.random.key(0), jnp.zeros(5))
    assert multiply_adds(layer.apply, params, shape(5)) == 5 * 7
    assert multiply_adds(jax.jit(layer.apply), params, shape(11, 5)) == 11 * 5 * 7
    assert multiply_adds(jax.vmap(layer.apply, in_axes=(None, 0)), params, shape(11, 5)) == 11 * 5 * 7


def test_products_with_several_batch_and_contracted_axes():
    assert multiply_adds(partial(jnp.einsum, "abmk,abkn->abmn"), shape(2, 3, 4, 5), shape(2, 3, 5, 6)) == 720
    assert multiply_adds(partial(jnp.einsum, "mkl,kln->mn"), shape(4, 5, 6), shape(5, 6, 7)) == 4 * 7 * 30
    assert multiply_adds(lambda x: jnp.exp(x) * x + x.sum(), shape(9)) == 0


@pytest.mark.parametrize(
    "groups, stride, padding, places", [(1, 1, "SAME", 20), (1, 1, "VALID", 16), (4, 2, "SAME", 10)]
)
def test_convolution(groups, stride, padding, places):
    """places x kernel x input channels of a group x output channels, for each of the batch."""
    call = partial(
        jax.lax.conv_general_dilated,
        window_strides=(stride,),
        padding=padding,
        dimension_numbers=("NWC", "WIO", "NWC"),
        feature_group_count=groups,
    )
    assert multiply_adds(call, shape(3, 20, 8), shape(5, 8 // groups, 12)) == 3 * places * 5 * (8 // groups) * 12


def test_scan_of_a_gru_cell():
    """Three gates, each a product with the input and one with the state, at each of 50 steps in each of 4 lanes."""
    cell = GRUCell(16, 8)
    params = cell.init(jax.random.key(0), jnp.zeros(16), jnp.zeros(8))
    assert parameters(params) == 3 * 16 * (8 + 16 + 1)

    def read(params, xs):
        return jax.lax.scan(lambda h, x: (cell.apply(params, h, x), None), jnp.zeros(16), xs)[0]

    once = 3 * 16 * (8 + 16)
    assert multiply_adds(read, params, shape(50, 8)) == 50 * once
    assert multiply_adds(jax.jit(jax.vmap(read, in_axes=(None, 0))), params, shape(4, 50, 8)) == 4 * 50 * once


def test_backward_pass_of_a_product_is_two_more():
    loss = jax.value_and_grad(lambda w, x: jnp.tanh(x @ w).sum(), argnums=(0, 1))
    assert multiply_adds(loss, shape(5, 7), shape(3, 5)) == 3 * (3 * 5 * 7)


def test_calls_count_what_they_call():
    derived = jax.custom_jvp(square)
    derived.defjvp(lambda primals, tangents: (square(*primals), *tangents))
    ruled = jax.custom_vjp(square)
    ruled.defvjp(lambda x: (square(x), x), lambda x, g: (g @ x,))
    for call in (jax.jit(square), jax.checkpoint(square), derived, ruled, jax.jit(jax.jit(square))):
        assert multiply_adds(call, shape(3, 3)) == 27
    assert multiply_adds(lambda x: jax.lax.map(square, x), shape(4, 3, 3)) == 4 * 27
    assert multiply_adds(lambda x: jax.lax.fori_loop(0, 6, lambda i, x: x @ x, x), shape(3, 3)) == 6 * 27


def test_the_most_expensive_branch_counts():
    def either(which, x):
        return jax.lax.switch(which, [lambda x: x, square, lambda x: x @ x @ x], x)

    assert multiply_adds(either, jax.ShapeDtypeStruct((), jnp.int32), shape(3, 3)) == 2 * 27


def test_a_loop_of_unknown_length_is_refused_if_it_multiplies():
    def until(body, x):
        return jax.lax.while_loop(lambda x: x.sum() < 9.0, body, x)

    with pytest.raises(ValueError, match="27 multiply-adds a turn"):
        multiply_adds(partial(until, square), shape(3, 3))
    assert multiply_adds(partial(until, lambda x: x + x), shape(3, 3)) == 0
