import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest

from seqjax import optim
from seqjax.objectives.session import SessionHparams


@pytest.mark.parametrize(("factory", "momentum"), [(optim.adagrad, 0.0), (optim.adagrad_momentum, 0.4)])
def test_equals_the_published_update(factory, momentum):
    """Accumulator from 0, eps inside the root, heavy ball over the scaled gradient; rates are traced."""
    random = np.random.default_rng(0)
    p = random.normal(size=6)
    acc = velocity = np.zeros(6)
    params = {"w": jnp.float32(p)}
    hparams = SessionHparams(learning_rate=jnp.float32(0.1), momentum=jnp.float32(momentum))
    state = factory(hparams).init(params)

    @jax.jit
    def update(params, state, grads, hparams):
        updates, state = factory(hparams).update(grads, state, params)
        return jax.tree.map(jnp.add, params, updates), state

    for step in range(5):
        g = random.normal(size=6) * 10.0 ** -np.arange(6)  # small gradients tell where the eps stands
        g[0] = 0.0
        params, state = update(params, state, {"w": jnp.float32(g)}, hparams)
        p, acc, velocity = oracles.adagrad(p, g, acc, velocity, 0.1, momentum)
        np.testing.assert_allclose(params["w"], p, atol=3e-6, err_msg=str(step))
    assert update._cache_size() == 1
    other = update(params, state, {"w": jnp.ones(6)}, hparams.replace(learning_rate=jnp.float32(0.5)))[0]
    assert update._cache_size() == 1 and np.isfinite(other["w"]).all()


def test_no_momentum_keeps_no_velocity():
    params = {"w": jnp.ones(3)}
    hparams = SessionHparams()
    count = [len(jax.tree.leaves(make(hparams).init(params))) for make in (optim.adagrad, optim.adagrad_momentum)]
    assert count == [1, 2]


def test_gradient_descent_with_a_heavy_ball_by_hand():
    """v = momentum v - rate g; p += v, with both rates traced."""
    params, hparams = {"w": jnp.array([1.0, -2.0])}, SessionHparams(learning_rate=0.5, momentum=0.25)
    p, v, state = np.array([1.0, -2.0]), np.zeros(2), optim.sgd_momentum(hparams).init(params)
    for g in ([1.0, 2.0], [0.0, 4.0], [-2.0, 0.0]):
        updates, state = optim.sgd_momentum(hparams).update({"w": jnp.float32(g)}, state, params)
        params = jax.tree.map(jnp.add, params, updates)
        v = 0.25 * v - 0.5 * np.array(g)
        p = p + v
        np.testing.assert_array_equal(params["w"], p)
    assert p.tolist() == [1.0 - 0.5 - 0.125 - 0.03125 + 1.0, -2.0 - 1.0 - 0.25 - 2.0 - 0.0625 - 0.5]


def test_adam_is_the_textbook_form():
    random = np.random.default_rng(1)
    hparams = SessionHparams(learning_rate=0.01)
    params = {"w": jnp.zeros(4)}
    state, p, m, v = optim.adam(hparams).init(params), np.zeros(4), np.zeros(4), np.zeros(4)
    for step in range(1, 4):
        g = random.normal(size=4)
        updates, state = optim.adam(hparams).update({"w": jnp.float32(g)}, state, params)
        params = jax.tree.map(jnp.add, params, updates)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        p = p - 0.01 * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
        np.testing.assert_allclose(params["w"], p, atol=1e-6)
