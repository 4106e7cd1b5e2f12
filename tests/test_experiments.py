"""Every published experiment: importable anywhere, printable, and able to make two steps on a stand-in for its data."""

import dataclasses
import json
from functools import partial
from pathlib import Path

import jax
import numpy as np
import pytest
import tiny
from profile_sets import random_profiles

from seqjax.data.events import Split
from seqjax.data.files import read_files
from seqjax.data.protocols import with_users
from seqjax.data.split import DAY
from seqjax.data.visits import split_visits, visit_log
from seqjax.data.worlds import planted
from seqjax.experiment import Study, describe, override, read_experiment, resolve, settings_of
from seqjax.run import assemble

FILES = sorted((Path(__file__).parent.parent / "experiments").glob("*.py"))


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    return partial(read_files, tiny.write_log(folder / "train.tsv", 1, 200), tiny.write_log(folder / "test.tsv", 2, 4))


def visits():
    """A hundred users who come on eighty days in a row."""
    offsets, time = np.arange(101) * 80, np.tile(DAY * np.arange(80), 100)
    return split_visits(visit_log(offsets, time, np.ones(8000, np.int64), 80 * DAY, np.arange(100).astype(str)))


def samples():
    """Lives with one cue, and every feature that an experiment may ask for."""
    return Split(*(attributed(part) if part else None for part in planted(users=64, tests=32)[:3]))


def attributed(part):
    words = {**part.vocabulary, **{name: np.array(["x", "y"]) for name in FEATURES}}
    ids = {name: np.ones(part.events, np.int32) for name in FEATURES}
    log = with_users(part.log._replace(vocabulary=words, columns={**ids, **part.log.columns}))
    return part._replace(log=log, target={**part.target, "user": part.sequence + 1})


def profiles():
    """Some profiles, of two classes."""
    return Split(*(random_profiles(part, count=40) for part in range(3)))


FEATURES = ("attribute", "category", "genre", "rating", "gap", "times", "lately", "wait", "kindred", "behaviour")
OTHERS = {"behaviour_return": visits}  # stand-ins for data of another kind than sessions of items


def test_there_are_experiments():
    assert {"gru4rec", "gru4rec_diginetica", "gru4rec_complete_journey"} <= {file.stem for file in FILES}


def experiments():
    """Every experiment, and the first of every study, by the name of its file."""
    for file in FILES:
        found = read_experiment(file)
        yield file.stem, next(iter(found.experiments.values())) if isinstance(found, Study) else found


SMALL = {  # two steps of any experiment
    **{"model.features": 8, "draw.count": 16},
    **{"plan.lanes": 4, "plan.period": 1, "plan.window": 8, "model.periods": (1, 2), "model.hops": 1},
}


@pytest.mark.parametrize(("name", "experiment"), list(experiments()), ids=[file.stem for file in FILES])
def test_two_steps(name, experiment, stand_in, monkeypatch):
    monkeypatch.delenv("SEQJAX_DATA", raising=False)
    described = json.loads(json.dumps(describe(experiment)))
    assert describe(resolve(described)) == described
    kinds = {"lifelong": samples, "purchase": samples, "profile": profiles}
    data = kinds.get(name.partition("_")[0]) or OTHERS.get(name, stand_in)
    experiment = dataclasses.replace(experiment, data=data)
    for setting, value in SMALL.items():
        place, _, last = setting.partition(".")
        held = settings_of(getattr(experiment, place)).get(last, "")
        if isinstance(held, tuple if isinstance(value, tuple) else int | None):
            experiment = override(experiment, setting, value)
    parts = assemble(experiment, experiment.data(), seed=0)
    rows = jax.tree.map(lambda leaf: leaf[:2], parts.plan(0))
    state, metrics = parts.chunk(parts.state, rows, parts.corpus, parts.hparams)
    assert int(state.step) == 2 and np.isfinite(metrics["loss"]).all() and (np.asarray(metrics["loss"]) > 0).all()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_experiment_of_a_study_can_be_printed(file):
    found = read_experiment(file)
    for experiment in found.experiments.values() if isinstance(found, Study) else [found]:
        described = json.loads(json.dumps(describe(experiment)))
        assert describe(resolve(described)) == described
