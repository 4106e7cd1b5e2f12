from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest

from seqjax.nn.features import Features, kept

SIZES = (("item", 5), ("user", 2), ("category", 3))


def make(sizes=SIZES, width=2):
    model, random = Features(sizes, width), np.random.default_rng(0)
    event = {name: jnp.int32(1) for name, _ in sizes}
    shapes = jax.eval_shape(model.init, jax.random.key(0), event)["params"]
    params = jax.tree.map(lambda leaf: random.normal(size=leaf.shape), shapes)
    return params, partial(model.apply, {"params": jax.tree.map(jnp.float32, params)})


@pytest.mark.parametrize("names", [(), ("category", "item"), ("user",)], ids=str)
def test_the_vectors_of_the_named_features_stand_side_by_side(names):
    params, apply = make()
    event = {"item": jnp.int32(4), "user": jnp.int32(2), "category": jnp.int32(3)}
    expected = oracles.features(params, event, names or dict(SIZES))
    np.testing.assert_allclose(apply(event, names), expected, atol=1e-6)


def test_many_events_are_each_one_alone():
    _, apply = make()
    events = {"item": jnp.array([[4, 0, 1], [2, 2, 5]]), "user": jnp.array([[1] * 3, [2] * 3])}
    vectors = apply(events)
    assert vectors.shape == (2, 3, 6)
    for place in np.ndindex(2, 3):
        np.testing.assert_array_equal(vectors[place], apply({name: ids[place] for name, ids in events.items()}))


def test_a_missing_feature_has_the_vector_of_id_0():
    params, apply = make()
    alone = apply({"item": jnp.int32(1)}, ("category", "user"))
    np.testing.assert_allclose(alone, [*params["category"][0], *params["user"]["rows"][0]], atol=1e-6)


def test_several_values_are_the_mean_of_those_there():
    params, apply = make()
    several = jnp.array([[1, 3, 0], [0, 2, 0], [0, 0, 0]])
    rows = params["category"]
    expected = [(rows[1] + rows[3]) / 2, rows[2], np.zeros(2)]
    np.testing.assert_allclose(
        apply({"item": jnp.ones(3, int), "category": several}, ("category",)), expected, atol=1e-6
    )
    moved = jax.grad(lambda rows: jnp.sum(Features(SIZES, 2).apply(
        {"params": {**jax.tree.map(jnp.float32, params), "category": rows}},
        {"item": jnp.int32(1), "category": several[0]}, ("category",),
    )))(jnp.float32(rows))  # fmt: skip
    np.testing.assert_allclose(moved[:, 0], [0.0, 0.5, 0.0, 0.5], atol=1e-6)  # padding is not moved


def test_items_and_users_are_rows_of_tables_and_padding_begins_at_zero():
    params = jax.jit(Features(SIZES, 2).init)(jax.random.key(0), {"item": jnp.int32(1)})["params"]
    shapes = {"item": {"rows": (6, 2)}, "user": {"rows": (3, 2)}, "category": (4, 2)}
    assert jax.tree.map(jnp.shape, params) == shapes
    for leaf in jax.tree.leaves(params):
        assert not leaf[0].any() and leaf[1:].all()


def test_unknown_names_are_refused():
    assert kept(SIZES, ("category", "item")) == (("category", 3), ("item", 5))
    with pytest.raises(ValueError, match=r"no feature 'price'.*'item', 'user', 'category'"):
        kept(SIZES, ("item", "price"))
