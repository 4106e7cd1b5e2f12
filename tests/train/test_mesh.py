"""A population over devices: the same losses, and tables that really lie in parts."""

import os
import subprocess
import sys

import jax
import pytest

from seqjax.train.mesh import make_mesh

FOUR_DEVICES = """
import jax, jax.numpy as jnp, numpy as np
from functools import partial
from seqjax import losses, optim
from seqjax.objectives import session as objectives
from seqjax.data.events import EventLog
from seqjax.data.plan import session_plan
from seqjax.models.gru4rec import GRU4Rec
from seqjax.train.mesh import make_mesh, shard_runs
from seqjax.train.runs import over_runs, stack
from seqjax.train.step import init_train_state, make_step, per_lane

random = np.random.default_rng(0)
log = EventLog(np.arange(0, 49, 4), {"item": random.integers(1, 24, 48).astype(np.int32)},
               {"item": np.arange(23).astype(str)})
model, views, hparams = GRU4Rec(23, features=6), {"item": ("item", "bias")}, objectives.SessionHparams(momentum=0.2)
corpus, rows = jax.device_put(objectives.session_corpus(log)), session_plan(log, lanes=4)
draw = partial(objectives.popularity_negatives, count=3)
step = make_step(partial(objectives.session_objective, model=model, loss=losses.cross_entropy),
                 optim.adagrad_momentum, views, draw)
hparams = jax.tree.map(jnp.float32, hparams)

def start(seed):
    carry = per_lane(model.init_state(), 4)
    params = model.init(jax.random.key(seed))["params"]
    return init_train_state(jax.random.key(seed + 9), params, optim.adagrad_momentum, hparams, carry, views)

@jax.jit
def train(states, hparams):
    body = lambda states, row: over_runs(step)(states, objectives.session_batch(corpus, row), hparams)
    return jax.lax.scan(body, states, rows)

states = stack([start(0), start(1)])
rates = stack([hparams, hparams.replace(learning_rate=jnp.float32(0.05))])
_, expected = train(states, rates)
mesh = make_mesh(2, 2)
sharded = shard_runs(states, mesh)
quarters = {shard.data.shape for shard in sharded.params["item"]["rows"].addressable_shards}
assert quarters == {(1, 12, 6)}, quarters
accumulator = sharded.opt_state[0].sum_of_squares["bias"]["rows"]
assert {shard.data.shape for shard in accumulator.addressable_shards} == {(1, 12)}
assert {shard.data.shape for shard in sharded.key.addressable_shards} == {(1,)}
after, metrics = train(sharded, shard_runs(rates, mesh))
np.testing.assert_allclose(metrics["loss"], expected["loss"], rtol=1e-5)
assert len(after.params["item"]["rows"].sharding.device_set) == 4
"""


def test_four_devices_give_the_same_losses_from_quarters_of_the_tables():
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=4", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run([sys.executable, "-c", FOUR_DEVICES], env=os.environ | flags, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_mesh_needs_its_devices():
    count = jax.device_count()
    with pytest.raises(ValueError, match=rf"a 7 x 2 mesh needs 14 devices, found {count}"):
        make_mesh(7, 2)
