"""A run's folder is enough to get the model back, and nothing in it is executed."""

import json
import shutil

import jax
import numpy as np
import pytest
import tiny

import seqjax
from seqjax.data.files import read_files
from seqjax.evaluate.next_item import next_item
from seqjax.experiment import SettingError, override
from seqjax.run import assemble, load, train
from seqjax.train import checkpoint
from seqjax.train.checkpoint import CheckpointError


@pytest.fixture
def folder(tmp_path):
    """A copy of the finished run."""
    return shutil.copytree(tiny.finished() / "run", tmp_path / "run")


def logs():
    return {part: str(tiny.finished() / f"{part}.tsv") for part in ("train", "test")}


def test_loaded_scores_are_the_scores_of_the_best_epoch(folder):
    run = seqjax.load(folder)
    split = read_files(**logs(), validation_share=0.25)
    parts = assemble(tiny.experiment(folder.parent), split, 0)
    assert run.model == parts.model
    best, _, _ = checkpoint.restore(folder / "checkpoints/best", parts.state.replace(slot={}))
    jax.tree.map(np.testing.assert_array_equal, run.params, best.params)
    numbers, ranks, _ = next_item(run.model, run.params, split.test)
    recorded = json.loads((folder / "metrics.json").read_text())
    assert numbers["mrr@20"] == recorded["mrr@20"]
    with np.load(folder / "cases.npz") as held:
        np.testing.assert_array_equal(held["rank"], ranks.rank)
    assert run.vocabulary["item"].tolist() == split.train.vocabulary["item"].tolist()
    np.testing.assert_array_equal(run.counts, split.train.counts())


def test_a_manifest_records_what_was_trained(folder):
    manifest = load(folder).manifest
    assert manifest["timing"]["epochs"] == 3 and 1 <= manifest["timing"]["best_epoch"] <= 3
    assert manifest["parameters"] == 13 * 6 + 13 + 6 * 18 * 2 + 18
    assert manifest["data"]["train"].items() >= {"sequences": 36, "events": 144, "items": 12}.items()


@pytest.mark.parametrize("model", [
    {"function": "os.system", "command": "echo harm > harm"},
    {"function": "seqjax.manifest.write_json", "file": "harm", "value": 1},
    {"function": "seqjax.cli.main", "arguments": ["data", "get"]},
    {"function": "seqjax.models.gru4rec.GRU4Rec", "items": {"function": "os.getcwd"}},
    {"items": 3}, [], None,
])  # fmt: skip
def test_a_malicious_manifest_is_refused(folder, monkeypatch, model):
    monkeypatch.chdir(folder.parent)
    manifest = json.loads((folder / "manifest.json").read_text()) | {"model": model}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(SettingError, match=r"manifest.json cannot be used"):
        load(folder)
    assert not (folder.parent / "harm").exists()


def test_damaged_unfinished_or_missing_runs(folder, tmp_path):
    with pytest.raises(SettingError, match=r"nowhere is not a run: it has no manifest.json"):
        load(tmp_path / "nowhere")
    for note in folder.glob("checkpoints/best/*/note.json"):
        note.write_text("{")
    with pytest.raises(CheckpointError, match=r"note.json is unreadable; .*best holds no intact checkpoint"):
        load(folder)
    (folder / "metrics.json").unlink()
    with pytest.raises(SettingError, match="has not finished: continue it with --resume"):
        load(folder)
    (folder / "metrics.json").write_text("{}")
    (folder / "manifest.json").write_text('{"model": ')
    with pytest.raises(SettingError, match=r"manifest.json cannot be used"):
        load(folder)


def test_what_is_wrong_is_said_before_training(tmp_path):
    experiment = tiny.experiment(tmp_path)
    for part, log in logs().items():
        experiment = override(experiment, f"data.{part}", log)
    with pytest.raises(SettingError, match=r"stop.metric='auc': validation has recall@1"):
        train(override(experiment, "stop.metric", "auc"), lambda _: tmp_path / "run", name="tiny")
    assert not (tmp_path / "run/metrics.jsonl").exists()
    with pytest.raises(SettingError, match="the plan has no steps"):
        train(override(experiment, "plan.least", 5), lambda _: tmp_path / "other", name="tiny")


def test_patience_without_validation_is_mentioned(tmp_path):
    experiment = tiny.experiment(tmp_path)
    for name, value in (("stop.patience", 1), ("data.validation_share", 0.0), ("stop.epochs", 0)):
        experiment = override(experiment, name, value)
    for part, log in logs().items():
        experiment = override(experiment, f"data.{part}", log)
    records = []
    train(experiment, lambda _: tmp_path / "run", name="tiny", log=records.append)
    warnings = [record["message"] for record in records if record["kind"] == "warning"]
    assert warnings == ["stop.patience=1 has no effect without a validation log: all epochs are trained"]
