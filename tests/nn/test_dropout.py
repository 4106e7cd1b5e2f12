import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.nn.dropout import Noise, drop_items, dropout


@pytest.mark.parametrize("rate", [0.0, 0.2, 0.8])
def test_rate_is_the_probability_to_drop_and_the_mean_stays(rate):
    x = jnp.full(20_000, 3.0)
    dropped = dropout(x, Noise(jax.random.key(0), {"hidden": rate, "embedding": 0.9}), "hidden")
    share = np.mean(dropped == 0.0)
    assert abs(share - rate) < 4 * np.sqrt(rate * (1 - rate) / x.size) + 1e-9
    np.testing.assert_allclose(dropped[dropped != 0.0], 3.0 / (1.0 - rate), rtol=1e-6)


def test_evaluation_returns_the_input_itself():
    x = jnp.arange(4.0)
    assert dropout(x, None, "hidden") is x


def test_traced_rates_share_one_program_and_dropped_entries_have_no_gradient():
    @jax.jit
    def grad(rate):
        noise = Noise(jax.random.key(1), {"hidden": rate})
        return jax.value_and_grad(lambda x: jnp.sum(dropout(x, noise, "hidden") ** 2))(jnp.ones(50))[1]

    for rate in (0.1, 0.5):
        slope = grad(jnp.float32(rate))
        assert 0 < np.count_nonzero(slope == 0.0) < 50
    assert grad._cache_size() == 1


def test_places_draw_apart():
    noise, x = Noise(jax.random.key(2), {"hidden": 0.5}), jnp.ones(200)
    one, two, again = (dropout(x, noise.at(index), "hidden") for index in (0, 1, 0))
    np.testing.assert_array_equal(one, again)
    assert (one != two).any()


def test_items_are_dropped_whole_at_their_rate_and_the_same_in_every_part_of_a_life():
    x, item = jnp.full((9_000, 2), 3.0), jnp.tile(jnp.arange(3_000), 3)
    noise = Noise(jax.random.key(3), {"item": 0.25}, life=jax.random.key(4))
    dropped = drop_items(x, item, 3_000, noise).reshape(3, 3_000, 2)
    np.testing.assert_array_equal(dropped, np.broadcast_to(dropped[:1, :, :1], dropped.shape))
    np.testing.assert_allclose(np.unique(dropped), [0.0, 4.0], rtol=1e-6)
    assert abs(np.mean(dropped[0, :, 0] == 0.0) - 0.25) < 4 * np.sqrt(0.25 * 0.75 / 3_000)
    np.testing.assert_array_equal(drop_items(x[:5], item[7:12], 3_000, noise.at(8)), dropped[0, 7:12])
    other = drop_items(x, item, 3_000, noise.replace(life=jax.random.key(5))).reshape(dropped.shape)
    assert (other != dropped).any()


def test_evaluation_drops_no_item():
    x = jnp.ones((4, 2))
    assert drop_items(x, jnp.arange(4), 5, None) is x


def test_single_events_lose_the_items_that_the_whole_life_loses():
    x, item = jnp.ones((50, 2)), jnp.arange(50) % 7
    noise = Noise(jax.random.key(6), {"item": 0.5}, life=jax.random.key(7))
    each = jax.vmap(lambda x, item: drop_items(x, item, 7, noise))(x, item)
    np.testing.assert_array_equal(each, drop_items(x, item, 7, noise))
    assert 0 < np.count_nonzero(each) < each.size
