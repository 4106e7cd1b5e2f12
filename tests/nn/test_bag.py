"""A bag of vectors is a product with a matrix that is never made."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.nn.bag import add, add_all, empty, pooled

WORDS, WIDTH, TIME = 11, 3, 8
POWER = {"sum": 0.0, "root": 0.5, "mean": 1.0}
each_pool = pytest.mark.parametrize("pool", POWER)
same = partial(np.testing.assert_allclose, atol=1e-6, rtol=1e-6)


def rows(seed=0):
    return np.random.default_rng(seed).normal(size=(WORDS, WIDTH)).astype(np.float32)


def read(weights, ids, valid, pool="sum", start=None):
    """What is made of the valid ids of one profile."""
    bag = empty(WIDTH) if start is None else start
    return pooled(add_all(bag, jnp.asarray(weights)[np.asarray(ids)], jnp.asarray(valid))[0], pool)


@pytest.mark.parametrize("repeats", [False, True])
@each_pool
def test_equals_the_dense_product(pool, repeats):
    """Of a vector of 0 and 1, and of counts, divided by a power of their sum."""
    random, weights = np.random.default_rng(1), rows()
    for size in (1, 2, 5, TIME):
        ids = random.choice(WORDS, size, replace=repeats)
        x = np.bincount(ids, minlength=WORDS)
        assert (x.max() > 1) == repeats or size < 5
        expected = weights.T.astype(np.float64) @ x / x.sum() ** POWER[pool]
        same(read(weights, ids, np.ones(size, bool), pool), expected)


def test_pools_by_hand():
    bag = jnp.array([6.0, -2.0]), jnp.float32(4.0)
    for pool, said in (("sum", [6.0, -2.0]), ("root", [3.0, -1.0]), ("mean", [1.5, -0.5])):
        assert pooled(bag, pool).tolist() == said


@each_pool
def test_order_and_padding_change_nothing(pool):
    random, weights = np.random.default_rng(2), rows()
    ids = random.integers(0, WORDS, 5)
    whole = read(weights, ids, np.ones(5, bool), pool)
    for _ in range(5):
        place = np.sort(random.choice(TIME, 5, replace=False))
        padded, valid = random.integers(0, WORDS, TIME), np.isin(np.arange(TIME), place)
        padded[place] = random.permutation(ids)
        same(read(weights, padded, valid, pool), whole)
    broken = np.concatenate([ids, [0, 1, 2]])
    spoilt = weights.copy()
    spoilt[[place for place in range(WORDS) if place not in ids]] = np.nan  # what stands at padding is never read
    broken[5:] = next(place for place in range(WORDS) if place not in ids)
    same(read(spoilt, broken, np.arange(TIME) < 5, pool), whole)


def test_adding_one_by_one_is_adding_all_from_any_bag():
    x, valid = jnp.asarray(rows()[:TIME]), np.array([1, 0, 1, 1, 0, 0, 1, 0], bool)
    for start in (empty(WIDTH), (jnp.array([1.0, 2.0, 3.0]), jnp.float32(4.0))):
        last, after = add_all(start, x, jnp.asarray(valid))
        bag = start
        for time in range(TIME):
            bag = add(bag, x[time]) if valid[time] else bag
            jax.tree.map(same, jax.tree.map(lambda leaf, time=time: leaf[time], after), bag)
        jax.tree.map(same, last, bag)
        assert float(last[1]) == float(start[1]) + valid.sum()


@each_pool
def test_an_empty_bag_is_zero_and_so_is_its_gradient(pool):
    none = np.zeros(TIME, bool)
    value, gradient = jax.value_and_grad(lambda weights: jnp.sum(read(weights, np.arange(TIME), none, pool)))(
        jnp.asarray(rows())
    )
    assert value == 0.0 and not np.asarray(gradient).any()


@each_pool
def test_a_row_has_the_gradient_of_its_occurrences_and_no_other_has_any(pool):
    ids, valid = np.array([2, 2, 5, 7]), np.array([True, True, True, False])
    gradient = jax.grad(lambda weights: jnp.sum(read(weights, ids, valid, pool)))(jnp.asarray(rows()))
    x = np.bincount(ids[:3], minlength=WORDS)
    same(gradient, np.repeat(x[:, None] / 3.0 ** POWER[pool], WIDTH, axis=1))
