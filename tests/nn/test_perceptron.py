from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest

from seqjax.nn.activation import elu, linear, tanh
from seqjax.nn.dropout import Noise
from seqjax.nn.perceptron import Perceptron, Relevance


def weights(model, *example):
    """Parameters none of which is zero."""
    random, shapes = np.random.default_rng(0), jax.eval_shape(model.init, jax.random.key(0), *example)["params"]
    return jax.tree.map(lambda leaf: random.normal(0, 0.7, leaf.shape), shapes)


def bound(model, params):
    return partial(model.apply, {"params": jax.tree.map(jnp.float32, params)})


@pytest.mark.parametrize("normalise", ["layer", "affine", "none"])
@pytest.mark.parametrize(("activation", "oracle"), [(elu, oracles.elu), (tanh, np.tanh)])
def test_perceptron_equals_the_equations(normalise, activation, oracle):
    model, x = Perceptron(6, (4, 3), activation, normalise), np.random.default_rng(1).normal(size=6)
    params = weights(model, jnp.float32(x))
    assert {"norm", "scale", "shift"} & set(params) == {"layer": {"norm"}, "affine": {"scale", "shift"}}.get(
        normalise, set()
    )
    score = bound(model, params)(jnp.float32(x))
    assert score.shape == ()
    np.testing.assert_allclose(score, oracles.perceptron(params, x, oracle), atol=1e-5)


def test_affine_begins_as_nothing():
    x = jnp.arange(3.0)
    params = jax.jit(Perceptron(3, (4,), normalise="affine").init)(jax.random.key(0), x)["params"]
    plain = {name: params[name] for name in ("layers_0", "last")}
    np.testing.assert_allclose(
        Perceptron(3, (4,), normalise="affine").apply({"params": params}, x),
        Perceptron(3, (4,), normalise="none").apply({"params": plain}, x),
        atol=1e-6,
    )


def test_only_noise_drops_and_every_layer_draws_its_own():
    """Counted by a sum with a power of 2 for every unit: a half is left, of two layers a half of a half."""
    model, x = Perceptron(3, (8, 8), linear, "none"), jnp.full(3, 1 / 3)
    ones, identity = ({"kernel": kernel, "bias": jnp.zeros(8)} for kernel in (jnp.ones((3, 8)), jnp.eye(8)))
    params = {"layers_0": ones, "layers_1": identity}
    params["last"] = {"kernel": 2.0 ** jnp.arange(8)[:, None], "bias": jnp.zeros(1)}

    @partial(jax.jit, static_argnums=0)
    @partial(jax.vmap, in_axes=(None, 0))
    def scores(rate, seed):
        return bound(model, params)(x, Noise(jax.random.key(seed), {"hidden": rate}))

    np.testing.assert_allclose(scores(0.0, jnp.arange(2)), bound(model, params)(x), atol=1e-4)
    left = np.asarray(scores(0.5, jnp.arange(64))).round().astype(int) // 4  # what is left is doubled by each layer
    np.testing.assert_array_equal(left[:2], np.asarray(scores(0.5, jnp.arange(2))).round().astype(int) // 4)
    kept = np.array([int(units).bit_count() for units in left]) / 8
    assert abs(kept.mean() - 0.25) < 0.08 and len(set(left)) > 30


@pytest.mark.parametrize(("activation", "oracle"), [(None, oracles.relu), (jax.nn.sigmoid, oracles.sigmoid)])
def test_relevance_equals_the_equations(activation, oracle):
    model = Relevance(3, (5, 4)) if activation is None else Relevance(3, (5, 4), activation)
    query, keys = np.random.default_rng(2).normal(size=3), np.random.default_rng(3).normal(size=(6, 3))
    single = jnp.float32(query), jnp.float32(keys)
    params = weights(model, *single)
    assert params["kernel"].shape == (12, 5)
    scores = bound(model, params)(*single)
    np.testing.assert_allclose(scores, oracles.relevance(params, query, keys, oracle), atol=1e-5)
    np.testing.assert_allclose(bound(model, params)(single[0], single[1][0]), scores[0], atol=1e-5)


def test_relevance_has_the_published_size():
    query = jnp.zeros(32)
    shapes = jax.eval_shape(Relevance(32).init, jax.random.key(0), query, query)["params"]
    assert sum(leaf.size for leaf in jax.tree.leaves(shapes)) == 128 * 80 + 80 + 80 * 40 + 40 + 40 + 1
