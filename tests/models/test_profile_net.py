"""A network on the features of a profile: the dense network, its state, and its layers as plain arrays."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from profile_sets import plain_outputs, random_params

from seqjax.data.layers import forward
from seqjax.models.profile_net import ProfileNet, layers_of, params_of
from seqjax.nn.activation import relu
from seqjax.nn.count import parameters
from seqjax.nn.dropout import Noise

WORDS, PROFILES, TIME = 9, 12, 7
SIZES = (("item", WORDS), ("class", 2))
MODELS = {
    "linear": ProfileNet(SIZES),
    "linear, two outputs": ProfileNet(SIZES, outputs=2, pool="root"),
    "one hidden layer": ProfileNet(SIZES, (4,), pool="mean"),
    "two hidden layers, two outputs": ProfileNet(SIZES, (4, 3), outputs=2),
    "relu": ProfileNet(SIZES, (4, 3), pool="root", activation=relu),
}
each_model = pytest.mark.parametrize("name", MODELS)
same = partial(np.testing.assert_allclose, atol=1e-5, rtol=1e-5)


def draw(seed=0):
    """Features of every profile, and which of them are there: none of the first profile, all of the second."""
    random = np.random.default_rng(seed)
    ids, valid = random.integers(1, WORDS + 1, (PROFILES, TIME)), random.random((PROFILES, TIME)) < 0.6
    valid[:2] = [[False], [True]]
    return jnp.asarray(ids, jnp.int32), jnp.asarray(valid)


def dense(ids, valid):
    return np.array([np.bincount(row[there], minlength=WORDS + 1)[1:] for row, there in zip(ids, valid, strict=True)])


quick = partial(jax.jit, static_argnums=0)


@quick
def state_of(model, params, ids, valid):
    """The state behind every profile."""

    def one(ids, valid):
        return model.apply({"params": params}, model.init_state(), {"item": ids}, valid, method="encode")[0]

    return jax.vmap(one)(ids, valid)


@quick
def outputs_of(model, params, ids, valid):
    state = state_of(model, params, ids, valid)
    return jax.vmap(partial(model.apply, {"params": params}, method="respond"))(state)


@quick
def read(model, params, ids, valid):
    return jax.vmap(partial(model.apply, {"params": params}, method="read"))(state_of(model, params, ids, valid))


@quick
def gradient_of(model, params, ids, valid):
    return jax.grad(lambda params: jnp.sum(jnp.sin(outputs_of(model, params, ids, valid))))(params)


def plain(name, params, matrix):
    activation = {"activation": lambda x: np.maximum(x, 0.0)} if name == "relu" else {}
    return plain_outputs(params, matrix, MODELS[name].pool, **activation)


@each_model
def test_equals_the_dense_network(name):
    model = MODELS[name]
    params, (ids, valid) = random_params(model), draw()
    assert dense(ids, valid).max() > 1  # counts, not only presence
    expected = plain(name, params, dense(ids, valid))
    same(outputs_of(model, params, ids, valid), expected)
    two = (expected[:, -1] - expected[:, 0]) / 2  # what either says of its own class, averaged
    same(read(model, params, ids, valid), two if model.outputs == 2 else expected[:, 0])


@each_model
def test_folding_step_is_encode_and_order_and_padding_change_nothing(name):
    model, (ids, valid) = MODELS[name], draw(1)
    params = random_params(model)
    step = jax.jit(lambda state, item: model.apply({"params": params}, state, {"item": item}, method="step"))
    encode = jax.jit(lambda *given: model.apply({"params": params}, *given, method="encode"))
    state = step(model.init_state(), jnp.int32(3))  # from any state
    last, after = encode(state, {"item": ids[2]}, valid[2])
    assert 0 < valid[2].sum() < TIME
    for time in range(TIME):
        state = step(state, ids[2, time]) if valid[2, time] else state
        jax.tree.map(same, jax.tree.map(lambda leaf, time=time: leaf[time], after), state)
    jax.tree.map(same, last, state)
    order = np.random.default_rng(0).permutation(TIME)
    other = jnp.where(valid, ids, WORDS)[:, order], valid[:, order]
    same(outputs_of(model, params, *other), outputs_of(model, params, ids, valid))


@each_model
def test_without_a_feature_the_biases_answer_and_every_parameter_is_reached(name):
    model = MODELS[name]
    params = random_params(model)
    ids, valid = draw()
    nothing = jnp.zeros_like(valid)
    same(outputs_of(model, params, ids, nothing), plain(name, params, np.zeros((PROFILES, WORDS))))
    gradient = gradient_of(model, params, ids, nothing)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))
    assert not np.asarray(gradient["item"]["rows"]).any() and np.asarray(gradient["bias"]).any()
    whole = gradient_of(model, params, ids, valid)
    seen = np.unique(ids[np.asarray(valid)])
    assert np.abs(whole["item"]["rows"][seen]).sum(axis=1).min() > 1e-6
    assert all(np.abs(leaf).max() > 1e-6 for leaf in jax.tree.leaves(whole))


@each_model
def test_layers_and_parameters_are_the_same_bits_both_ways(name):
    model = MODELS[name]
    params = random_params(model)
    layers = layers_of(params)
    assert layers.sizes == (WORDS, *model.hidden, model.outputs)
    again = params_of(layers)
    assert not again["item"]["rows"][0].any()  # padding is no input of the network
    known = {**params, "item": {"rows": params["item"]["rows"].at[0].set(0.0)}}
    jax.tree.map(np.testing.assert_array_equal, again, known)
    jax.tree.map(np.testing.assert_array_equal, layers_of(again), layers)
    ids, valid = draw(2)
    np.testing.assert_array_equal(outputs_of(model, again, ids, valid), outputs_of(model, params, ids, valid))
    if model.activation is not relu and model.pool == "sum":
        said = forward(layers, dense(ids, valid))[-1]
        same(jax.nn.sigmoid(outputs_of(model, params, ids, valid)), said)


@pytest.mark.parametrize(("sizes", "hidden", "outputs", "count"), [
    (10_000, (50,), 1, 500_101),
    (2000, (50,), 2, 2000 * 50 + 50 + 50 * 2 + 2),
    (4000, (), 2, 8002),
    (10_000, (), 1, 10_001),
])  # fmt: skip
def test_published_networks_have_the_published_size(sizes, hidden, outputs, count):
    """Without the row of padding, which is no weight of the network."""
    model = ProfileNet((("item", sizes),), hidden, outputs)
    params = jax.eval_shape(model.init, jax.random.key(0))["params"]
    assert parameters(params) - params["item"]["rows"].shape[1] == count


def test_dropout_is_of_hidden_units_alone():
    ids, valid = draw(3)
    noise = Noise(jax.random.key(0), {"hidden": jnp.float32(0.5)})
    for name, moved in (("linear", False), ("one hidden layer", True)):
        model = MODELS[name]
        params = random_params(model)
        state = jax.tree.map(lambda leaf: leaf[1], state_of(model, params, ids, valid))
        say = partial(model.apply, {"params": params}, state, method="respond")
        assert bool(np.any(say(noise) != say())) == moved
        still = noise.replace(rates={"hidden": jnp.float32(0.0)})
        np.testing.assert_array_equal(say(still), say())
