import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest

from seqjax.nn.attention import Transformer


def block(p, x, heads, window, alibi):
    """Pre-normalised attention over the last `window` events, a vector for every distance added to the key."""
    h = oracles.layer_norm(p["before_0"], x)
    query, key, value = (oracles.dense(p[name], h) for name in ("query", "key", "value"))
    mean = np.zeros_like(query)
    for number, head in enumerate(np.split(np.arange(query.shape[1]), heads), 1):
        for time in range(len(x)):
            past = np.arange(max(0, time - window + 1), time + 1)
            keys = key[past][:, head] + p["distance"][time - past][:, head]
            score = keys @ query[time, head] / np.sqrt(len(head))
            weight = np.exp(score - alibi * (time - past) / 2 ** (8 * number / heads))
            mean[time, head] = weight / weight.sum() @ value[past][:, head]
    x = x + oracles.dense(p["out"], mean)
    h = oracles.gelu(oracles.dense(p["wide"], oracles.layer_norm(p["before_1"], x)))
    return x + oracles.dense(p["narrow"], h)


@pytest.mark.parametrize("alibi", [False, True])
@pytest.mark.parametrize(("heads", "window", "inputs"), [(1, 3, 5), (2, 4, None), (4, 20, 3)])
def test_transformer_equals_the_equations(heads, window, inputs, alibi):
    body, time = Transformer(8, 2, heads, window, inputs, alibi), 9
    random = np.random.default_rng(0)
    x = random.normal(size=(time, inputs or body.row))
    given = body.init_memory(), jnp.float32(x), jnp.zeros(time, bool), jnp.ones(time, bool)
    shapes = jax.eval_shape(body.init, jax.random.key(0), *given)["params"]
    assert shapes["blocks_0"]["distance"].shape == (window, 8)
    assert shapes["blocks_0"]["wide"]["kernel"].shape == (8, 32)
    params = jax.tree.map(lambda leaf: random.normal(0, 0.5, leaf.shape), shapes)
    output = jax.jit(body.apply)({"params": jax.tree.map(jnp.float32, params)}, *given)[2]
    expected = x if inputs is None else oracles.dense(params["enter"], x)
    for layer in range(2):
        expected = block(params[f"blocks_{layer}"], expected, heads, window, alibi)
    np.testing.assert_allclose(output, oracles.layer_norm(params["norm"], expected), atol=1e-5)


def test_features_that_heads_cannot_share_are_refused():
    body = Transformer(features=6, heads=4, inputs=2)
    given = body.init_memory(), jnp.zeros((1, 2)), jnp.zeros(1, bool), jnp.ones(1, bool)
    with pytest.raises(ValueError, match="features=6: choose a multiple of heads=4"):
        jax.eval_shape(body.init, jax.random.key(0), *given)
