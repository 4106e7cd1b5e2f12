from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest

from seqjax.nn.memory import PeriodicMemory, Slots, covariance_norm, covariance_penalty, due

TIME = 30
quick = partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})


def wave(shift, *shape):
    """0.5 sin(1.3 k + shift) at the k-th place, from 1 on."""
    return (0.5 * np.sin(1.3 * np.arange(1, np.prod(shape) + 1) + shift)).reshape(shape)


@cache
def golden_memory():
    """Memory after every one of eight events, of two layers' width two with weights by rule."""
    params = {}
    for layer in range(3):
        gates, candidate = wave(10 * layer, 4, 4), wave(10 * layer + 5, 4, 2)
        weights = np.concatenate([gates, candidate], axis=1)
        params[f"cells_{layer}"] = {
            "kernel": weights[:2],
            "recurrent": weights[2:],
            "bias": np.array([1, 1, 1, 1, 0, 0]),
        }
    memory, x = PeriodicMemory(2, 2, (1, 2, 4)), 2.0 * wave(3, 8, 2)
    np.testing.assert_allclose(x[[0, -1]].ravel(), [-0.91616594, -0.63126664, -0.48717451, -0.97179845], atol=1e-8)
    params, x = jax.tree.map(jnp.float32, (params, x))
    return quick(memory.apply)({"params": params}, memory.init_memory(), x, jnp.int32(8))


@pytest.mark.parametrize(("events", "slots"), [
    (1, [[-0.0376224960, -0.0347938585], [0.0, 0.0], [0.0, 0.0]]),
    (4, [[0.0060826639, -0.1127874498], [-0.0028161691, -0.0241218057], [0.0015397931, 0.0027842412]]),
    (5, [[-0.0338922446, 0.0782132383], [-0.0028161691, -0.0241218057], [0.0015397931, 0.0027842412]]),
    (7, [[0.0370259048, 0.0705181125], [0.0024457965, -0.0135361871], [0.0015397931, 0.0027842412]]),
    (8, [[-0.0328160682, 0.0773383491], [0.0060214583, 0.0034618864], [0.0017317221, 0.0020480399]]),
])  # fmt: skip
def test_golden_values(events, slots):
    last, after = golden_memory()
    np.testing.assert_allclose(after.slots[events - 1], slots, atol=1e-6)
    assert after.count[events - 1] == events
    if events == 8:
        np.testing.assert_allclose(last.slots, slots, atol=1e-6)


def test_golden_covariance():
    slots = golden_memory()[0].slots
    np.testing.assert_allclose(covariance_norm(slots), 1.0044246532738e-4, rtol=1e-4)
    np.testing.assert_allclose(covariance_penalty(slots), 5.0443444205e-9, rtol=1e-4)


@pytest.mark.parametrize("slots", [np.ones((1, 4)), np.zeros((3, 4)), np.ones((3, 4)), np.zeros((1, 1))], ids=np.shape)
@pytest.mark.parametrize("penalty", [covariance_penalty, covariance_norm])
def test_where_nothing_varies_together_value_and_gradient_are_zero(penalty, slots):
    value, gradient = jax.value_and_grad(penalty)(jnp.float32(slots))
    assert value == 0.0
    np.testing.assert_array_equal(gradient, 0.0)


def test_covariance_has_the_published_gradient():
    slots = np.random.default_rng(0).normal(size=(3, 5))

    def norm(flat):
        centred = flat.reshape(3, 5) - flat.reshape(3, 5).mean(axis=1, keepdims=True)
        covariance = centred @ centred.T / 5
        return np.sqrt((covariance**2).sum() - (np.diag(covariance) ** 2).sum())

    expected = oracles.gradient(norm, slots.ravel()).reshape(3, 5)
    value, gradient = jax.value_and_grad(covariance_norm)(jnp.float32(slots))
    np.testing.assert_allclose(gradient, expected, atol=1e-5)
    np.testing.assert_allclose(value, norm(slots.ravel()), rtol=1e-5)
    np.testing.assert_allclose(covariance_penalty(jnp.float32(slots)), value**2 / 2, rtol=1e-5)


@cache
def run(periods):
    """Parameters, and the memory's program for lanes side by side."""
    memory, random = PeriodicMemory(3, 2, periods), np.random.default_rng(1)
    one = (memory.init_memory(), jnp.zeros((TIME, 3)), jnp.int32(1))
    shapes = jax.eval_shape(memory.init, jax.random.key(0), *one)["params"]
    params = jax.tree.map(lambda leaf: random.normal(size=leaf.shape), shapes)
    single = jax.tree.map(jnp.float32, params)
    return params, quick(jax.vmap(lambda *arguments: memory.apply({"params": single}, *arguments)))


def naive(params, periods, slots, count, x):
    """Event by event, layer by layer; also how often each layer was renewed."""
    slots, fired, after = [np.array(slot) for slot in slots], np.zeros(len(periods), int), []
    for event in x:
        count, below = count + 1, event
        for layer, period in enumerate(periods):
            if count % period:
                break
            below = slots[layer] = oracles.keep_gru(params[f"cells_{layer}"], slots[layer], below)
            fired[layer] += 1
        after.append(np.array(slots))
    return np.array(after).reshape(-1, len(periods), 2), fired


@pytest.mark.parametrize("periods", [(1,), (1, 2, 4, 12), (1, 3), (2, 4), (3, 3, 6)], ids=str)
def test_memory_is_a_loop_over_events_and_layers_from_any_count(periods):
    params, program = run(periods)
    random, lanes = np.random.default_rng(2), 26
    counts, valid = np.arange(lanes), np.append(random.integers(1, TIME, lanes - 2), [0, TIME])
    slots, x = random.normal(size=(lanes, len(periods), 2)), random.normal(size=(lanes, TIME, 3))
    start = Slots(jnp.float32(slots), jnp.int32(counts))
    last, states = jax.device_get(program(start, jnp.float32(x), jnp.int32(valid)))
    for lane, (count, here) in enumerate(zip(counts, valid, strict=True)):
        after, _ = naive(params, periods, slots[lane], count, x[lane, :here])
        np.testing.assert_allclose(states.slots[lane, :here], after, atol=1e-5)
        end = after[-1] if here else slots[lane]
        np.testing.assert_allclose(last.slots[lane], end, atol=1e-5)
        np.testing.assert_allclose(
            states.slots[lane, here:], np.broadcast_to(end, (TIME - here, *end.shape)), atol=1e-5
        )
        np.testing.assert_array_equal(states.count[lane], count + np.minimum(np.arange(1, TIME + 1), here))
        assert last.count[lane] == count + here


@pytest.mark.parametrize("periods", [(1, 2, 4, 12), (1, 3), (2, 4)], ids=str)
def test_a_layer_is_renewed_at_every_multiple_of_its_period(periods):
    params, program = run(periods)
    x = np.random.default_rng(3).normal(size=(1, TIME, 3))
    start = jax.tree.map(lambda leaf: leaf[None], PeriodicMemory(3, 2, periods).init_memory())
    _, states = jax.device_get(program(start, jnp.float32(x), jnp.full(1, TIME)))
    before = np.concatenate([np.zeros((1, len(periods), 2)), states.slots[0, :-1]])
    moved = (states.slots[0] != before).any(axis=-1)  # [time, slot]
    np.testing.assert_array_equal(moved, np.arange(1, TIME + 1)[:, None] % np.array(periods) == 0)
    fired = naive(params, periods, np.zeros((len(periods), 2)), 0, x[0])[1]
    np.testing.assert_array_equal(moved.sum(axis=0), fired)
    np.testing.assert_array_equal(fired, [TIME // period for period in periods])


@pytest.mark.parametrize("period", [1, 2, 5])
def test_due_are_every_so_many_of_what_comes(period):
    for time in (1, 4, 5, 11):
        for before in range(2 * period):
            expected = [index for index in range(time) if (before + index + 1) % period == 0]
            chosen = due(jnp.arange(float(time))[:, None], jnp.int32(before), period)
            assert len(chosen) == -(-time // period)
            np.testing.assert_array_equal(chosen[: len(expected), 0], expected)


@pytest.mark.parametrize("periods", [(), (0,), (-1,), (2, 3), (1, 4, 2), (1, 2, 4, 6)], ids=str)
def test_each_period_must_be_a_multiple_of_the_one_below(periods):
    memory = PeriodicMemory(2, 2, periods)
    with pytest.raises(ValueError, match=r"multiple of the one before"):
        memory.init(
            jax.random.key(0), Slots(jnp.zeros((len(periods), 2)), jnp.int32(0)), jnp.zeros((4, 2)), jnp.int32(4)
        )
