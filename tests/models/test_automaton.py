import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.data.process import echo, sample, true_log_prob, true_next_dist
from seqjax.data.windows import asked
from seqjax.models.automaton import automaton

PROCESS = echo()
MODEL, PARAMS = automaton(PROCESS)


def call(method):
    return jax.jit(lambda params, *given: MODEL.apply({"params": params}, *given, method=method))


STEP, ENCODE, READ = map(call, ("step", "encode", "read"))


@pytest.mark.parametrize("flags", [False, True], ids=["boundary alone", "fresh flags"])
def test_log_probabilities_of_series_are_those_of_the_process(flags):
    """All series in a row: the boundary symbol begins a new one, with a flag or without."""
    log = sample(PROCESS, 300, seed=0)
    row, owner, place = asked(log)
    events = {"item": jnp.asarray(row[:-1])} | ({"fresh": jnp.asarray(place == 0)} if flags else {})
    _, nodes = ENCODE(PARAMS, MODEL.init_state(), events, jnp.ones(len(owner), bool))
    law = np.asarray(jax.jit(jax.vmap(READ, (None, 0)))(PARAMS, nodes), np.float64)
    said = np.bincount(owner, law[np.arange(len(owner)), row[1:]])
    np.testing.assert_allclose(said, true_log_prob(PROCESS, log), atol=1e-4)


def test_encode_is_the_fold_of_step():
    random = np.random.default_rng(0)
    items, valid, fresh = random.integers(1, 12, 60), random.random(60) < 0.7, random.random(60) < 0.2
    node, after = jnp.int32(77), []
    for item, there, begins in zip(items, valid, fresh, strict=True):
        start = MODEL.init_state() if begins else node
        node = STEP(PARAMS, start, {"item": jnp.int32(item)}) if there else node
        after.append(int(node))
    events = {"item": jnp.asarray(items, jnp.int32), "fresh": jnp.asarray(fresh)}
    last, nodes = ENCODE(PARAMS, jnp.int32(77), events, jnp.asarray(valid))
    assert nodes.tolist() == after and int(last) == after[-1]


def test_read_is_the_law_of_the_next_symbol():
    node, _ = ENCODE(PARAMS, MODEL.init_state(), {"item": jnp.array([11, 2, 3, 4])}, jnp.ones(4, bool))
    law = READ(PARAMS, node)
    np.testing.assert_allclose(np.exp(law), true_next_dist(PROCESS, [2, 3, 4]), atol=1e-7)
    assert law[0] == -np.inf and law[2] == -np.inf
    assert READ(PARAMS, node, {"item": jnp.int32(5)}) == law[5]


def test_the_boundary_leads_to_the_begin_from_everywhere():
    everywhere = jnp.arange(MODEL.nodes)
    after = jax.vmap(STEP, (None, 0, None))(PARAMS, everywhere, {"item": jnp.int32(11)})
    assert len(after) == 463 and not after.any()
