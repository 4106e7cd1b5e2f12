"""A member of a population computes what it would compute alone."""

import jax
import numpy as np
import pytest
import tiny

from seqjax.data.files import read_files
from seqjax.experiment import override
from seqjax.objectives.session import session_batch
from seqjax.run import assemble
from seqjax.train.runs import member, over_runs, stack
from seqjax.train.step import make_step

SETTINGS = [
    {"learning_rate": 0.1, "dropout_hidden": 0.0, "loss": {"penalty": 0.0}},
    {"learning_rate": 0.05, "dropout_hidden": 0.3, "loss": {"penalty": 1.0}},
    {"learning_rate": 0.2, "dropout_embedding": 0.2, "momentum": 0.5, "loss": {"penalty": 0.5}},
]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The experiment, and one assembled run per setting, each with its own seed; all share the plan of the first."""
    folder = tmp_path_factory.mktemp("data")
    train, test = tiny.write_log(folder / "train.tsv", 1, 24), tiny.write_log(folder / "test.tsv", 2, 4)
    split = read_files(train, test)
    experiment = override(tiny.experiment(folder), "objective.loss", "bpr_max")
    changed = [override(experiment, "hparams", experiment.hparams.replace(**s)) for s in SETTINGS]
    return experiment, [assemble(e, split, seed) for seed, e in enumerate(changed)]


def test_vmapped_members_equal_solo_runs(runs):
    experiment, solo = runs
    first = solo[0]

    def objective(*arguments):
        return experiment.objective(*arguments, model=first.model)

    step = make_step(objective, experiment.optimizer, experiment.views, experiment.draw)
    rows = jax.tree.map(lambda leaf: leaf[:5], first.plan(0))

    def trained(step, state, hparams):
        return jax.lax.scan(lambda state, row: step(state, session_batch(first.corpus, row), hparams), state, rows)

    states, hparams = stack([run.state for run in solo]), stack([run.hparams for run in solo])
    together, metrics = jax.jit(lambda *given: trained(over_runs(step), *given))(states, hparams)
    alone = jax.jit(lambda *given: trained(step, *given))
    for index, run in enumerate(solo):
        state, expected = alone(run.state, run.hparams)
        np.testing.assert_allclose(metrics["loss"][:, index], expected["loss"], rtol=1e-5)
        np.testing.assert_array_equal(metrics["events"][:, index], expected["events"])
        for own, whole in zip(*map(jax.tree.leaves, (member(together.params, index), state.params)), strict=True):
            np.testing.assert_allclose(own, whole, rtol=1e-4, atol=1e-5)  # float32 sums in another order
    losses = np.asarray(metrics["loss"])
    assert len(np.unique(losses[0])) == len(SETTINGS)  # seeds and settings do differ


def test_stack_and_member_are_inverse(runs):
    _, solo = runs
    for index, run in enumerate(solo):
        back = member(stack([other.state.params for other in solo]), index)
        jax.tree.map(np.testing.assert_array_equal, back, run.state.params)
