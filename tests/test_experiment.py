"""Settings by dotted name, and experiments as data: printed, read back, and harmless when others wrote them."""

import dataclasses
import doctest
import json
from functools import partial
from pathlib import Path

import pytest
import tiny

from seqjax import experiment as module
from seqjax import losses, optim
from seqjax.experiment import (
    SettingError,
    call,
    describe,
    override,
    parse_setting,
    read_experiment,
    read_settings,
    resolve,
    settings_of,
)
from seqjax.nn.activation import elu
from seqjax.objectives import session as objectives

FILES = sorted((Path(__file__).parent.parent / "experiments").glob("*.py"))


@pytest.fixture
def experiment(tmp_path):
    return tiny.experiment(tmp_path)


def change(experiment, text):
    return override(experiment, *parse_setting(text))


def test_examples():
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(("text", "value"), [
    ("a.b=3", 3), ("a.b=1e-3", 1e-3), ("a.b=(64,32)", (64, 32)), ("a.b=true", True), ("a.b=False", False),
    ("a.b=none", None), ("a.b=top1_max", "top1_max"), ("a.b=dir/file=1.tsv", "dir/file=1.tsv"),
    ("a.b='7'", "7"), ("a.b=", ""),
])  # fmt: skip
def test_values_of_the_command_line(text, value):
    assert parse_setting(text) == ("a.b", value)


@pytest.mark.parametrize(("text", "reach", "value"), [
    ("model.features=64", lambda e: e.model.keywords["features"], 64),
    ("model.features=(64,32)", lambda e: e.model.keywords["features"], (64, 32)),
    ("model.embedding=separate", lambda e: e.model.keywords["embedding"], "separate"),
    ("objective.loss=top1_max", lambda e: e.objective.keywords["loss"], losses.top1_max),
    ("objective.activation=elu", lambda e: e.objective.keywords["activation"], elu),
    ("hparams.learning_rate=0.3", lambda e: e.hparams.learning_rate, 0.3),
    ("hparams.learning_rate=1", lambda e: e.hparams.learning_rate, 1),
    ("hparams.loss.penalty=0.9", lambda e: e.hparams.loss, {"penalty": 0.9}),
    ("stop.epochs=7", lambda e: e.stop.epochs, 7),
    ("stop.patience=2", lambda e: e.stop.patience, 2),
    ("draw=batch_negatives", lambda e: e.draw, objectives.batch_negatives),
    ("optimizer=adam", lambda e: e.optimizer, optim.adam),
    ("data.train=some/where.tsv", lambda e: e.data.keywords["train"], "some/where.tsv"),
    ("data.time=none", lambda e: e.data.keywords["time"], None),
    ("evaluate.cutoffs=(3,9)", lambda e: e.evaluate.keywords["cutoffs"], (3, 9)),
    ("chunk_steps=50", lambda e: e.chunk_steps, 50),
])  # fmt: skip
def test_override_reaches_every_depth_and_changes_nothing_else(experiment, text, reach, value):
    changed = change(experiment, text)
    assert reach(changed) == value
    head = text.split(".")[0].split("=")[0]
    for field in dataclasses.fields(experiment):
        if field.name != head:
            assert getattr(changed, field.name) is getattr(experiment, field.name)


def test_keywords_of_a_function_that_was_put_in_place(experiment):
    changed = change(change(experiment, "objective.activation=elu"), "objective.activation.alpha=0.5")
    assert describe(changed.objective.keywords["activation"]) == {"function": "seqjax.nn.activation.elu", "alpha": 0.5}


@pytest.mark.parametrize(("text", "words"), [
    ("modle.features=1", "modle.features: no setting 'modle'; there are baselines, chunk_steps, corpus, data"),
    ("model.feature=1", "model.feature: no setting 'feature'; there are activation, embedding, .*, features"),
    ("hparams.rate=1", "hparams.rate: no setting 'rate'; there are dropout_embedding, .*learning_rate"),
    ("data.trian=x", "no setting 'trian'; there are item, session, test, test_days, time, time_unit, train, user"),
    ("objective.loss=top2", "no 'top2' in seqjax.losses; there are .*bpr_max, cross_entropy.* top1_max"),
    ("objective.loss=_log_partition", "no '_log_partition' in seqjax.losses"),
    ("stop.epochs.deep=1", "no setting 'deep'; there are none"),
    ("model.features=wide", "expected a whole number or several values"),
    ("model.features=2.5", "expected a whole number"),
    ("model.embedding=shred", "expected 'shared' or 'separate' or 'onehot'"),
    ("model.reset_after=1", "expected true or false"),
    ("hparams.learning_rate=fast", "hparams.learning_rate='fast': expected a number"),
    ("hparams.learning_rate=(1,2)", "expected a number"),
    ("stop.epochs=true", "expected a whole number"),
    ("stop=3", "stop=3: expected a Stop"),
    ("draw=3", "draw=3: expected the name of a function"),
    ("evaluate.cutoffs=20", "expected a tuple"),
    ("no_equals_sign", "write dotted.name=value"),
])  # fmt: skip
def test_wrong_names_and_kinds_are_refused(experiment, text, words):
    with pytest.raises(SettingError, match=words):
        change(experiment, text)


def test_settings_of_a_config_file(experiment, tmp_path):
    file = tmp_path / "a.toml"
    file.write_text("chunk_steps = 9\nmodel.features = [8, 4]\n[hparams]\nlearning_rate = 0.5\nloss.penalty = 1.5\n")
    settings = read_settings(file)
    assert settings["hparams.loss.penalty"] == 1.5
    for setting in settings.items():
        experiment = override(experiment, *setting)
    assert (experiment.chunk_steps, experiment.model.keywords["features"]) == (9, (8, 4))
    file.write_text("model.features = = 1\n")
    with pytest.raises(SettingError, match=r"a.toml: .*line 1"):
        read_settings(file)
    with pytest.raises(SettingError, match=r"b.toml: no such file"):
        read_settings(tmp_path / "b.toml")


def test_a_file_without_an_experiment(tmp_path):
    (tmp_path / "a.py").write_text("experiment = 3\n")
    with pytest.raises(SettingError, match=r"a.py defines no `experiment`"):
        read_experiment(tmp_path / "a.py")
    with pytest.raises(SettingError, match=r"b.py: no such experiment file"):
        read_experiment(tmp_path / "b.py")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_described_and_resolved_is_the_same(file):
    described = json.loads(json.dumps(describe(read_experiment(file))))
    assert describe(resolve(described)) == described


@pytest.mark.parametrize("name", [
    "os.system", "subprocess.run", "builtins.eval", "seqjax.manifest.os.system", "seqjax.manifest.subprocess",
    "seqjax.manifest.version", "seqjax.experiment._public", "seqjax.train._hidden.step", "seqjax.losses.EPSILON",
    "seqjax.losses.no_such", "seqjax.no_such.module", "seqjaxx.run", "", "system",
])  # fmt: skip
def test_only_public_functions_of_seqjax_are_looked_up(name):
    with pytest.raises(SettingError, match="is not a public function of this version of seqjax"):
        resolve({"model": [{"function": name, "command": "true"}]})


def test_what_cannot_be_printed_is_refused(experiment):
    with pytest.raises(SettingError, match=r"a lambda stands in the experiment: use functools.partial"):
        describe(dataclasses.replace(experiment, draw=lambda key, batch, hparams: batch))
    with pytest.raises(SettingError, match=r"activation.elu is given values without names in the experiment"):
        describe(partial(elu, 0.5))


def test_call_offers_only_what_is_taken():
    def takes(a, *, b=1):
        return a, b

    assert call(takes, 0, b=2, c=3) == (0, 2)
    assert call(partial(takes, b=5), 0, b=2) == (0, 5)
    assert settings_of(partial(takes, b=5)) == {"a": None, "b": 5}
