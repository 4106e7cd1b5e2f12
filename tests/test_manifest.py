"""The run's id, its folder, and what may change between a run and its continuation."""

import json
import shutil
from functools import partial

import numpy as np
import pytest
import tiny

from seqjax.data.events import EventLog, Split
from seqjax.experiment import SettingError, override
from seqjax.manifest import check_space, make_manifest, open_folder, write_json


@pytest.fixture
def made(tmp_path):
    """make_manifest of the tiny experiment, with settings changed."""
    experiment = tiny.experiment(tmp_path)

    def make(settings=(), seed=0, items=(1, 2), judged=(1, 2), start="", name="tiny"):
        changed, words = experiment, {"item": np.array(["a", "b"])}
        train, test = (EventLog(np.array([0, 2]), {"item": np.array(ids)}, words) for ids in (items, judged))
        for setting in dict(settings).items():
            changed = override(changed, *setting)
        return make_manifest(changed, Split(train, None, test), name, seed, start)

    return make


@pytest.mark.parametrize("change", [
    {"settings": {"model.features": 7}}, {"settings": {"objective.loss": "top1_max"}},
    {"settings": {"hparams.learning_rate": 0.2}}, {"settings": {"stop.epochs": 4}}, {"settings": {"data.train": "x"}},
    {"seed": 1}, {"items": (2, 1)}, {"judged": (2, 1)}, {"start": "0f0f0f0f"},
])  # fmt: skip
def test_the_id_changes_with_everything_that_changes_a_result(made, change):
    assert made()["run"] == made()["run"] != made(**change)["run"]


def test_what_a_manifest_says(made):
    manifest = made(name="other")
    assert manifest["run"] == made()["run"]  # the name of the file is no part of the id
    assert manifest["data"]["train"] == manifest["data"]["test"]
    assert manifest["data"]["train"].items() >= {"sequences": 1, "events": 2, "items": 2}.items()
    assert "validation" not in manifest["data"]
    assert {"jax", "numpy", "seqjax", "python"} <= manifest["versions"].keys()
    json.dumps(manifest)


def test_a_folder_belongs_to_one_run(made, tmp_path):
    folder, manifest = tmp_path / "a" / "run", made()
    assert open_folder(folder, manifest, resume=False) == []
    write_json(folder / "manifest.json", manifest)
    with pytest.raises(SettingError, match=f"holds run {manifest['run']} already: add --resume to continue it"):
        open_folder(folder, manifest, resume=False)
    assert open_folder(folder, manifest, resume=True) == []
    other = made({"model.features": 9, "stop.epochs": 5}, seed=2)
    with pytest.raises(SettingError, match=r"another run: seed was 0, is 2; .*features was 6, is 9; .*epochs"):
        open_folder(folder, other, resume=True)


def test_other_versions_are_reported_and_do_no_harm(made, tmp_path):
    write_json(tmp_path / "manifest.json", made() | {"device": "1 x abacus", "versions": {"jax": "0.0"}})
    (versions, device) = open_folder(tmp_path, made(), resume=True)
    assert versions.startswith("versions was {'jax': '0.0'}, is {") and device.startswith("device was 1 x abacus, is ")


def test_a_folder_of_something_else_is_left_alone(made, tmp_path):
    (tmp_path / "thesis.tex").write_text("do not overwrite")
    with pytest.raises(SettingError, match="holds other files: choose another --out"):
        open_folder(tmp_path, made(), resume=False)


def test_a_folder_that_cannot_be_made(made, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingError, match=r"file/run: cannot be written \(Not a directory\); choose another --out"):
        open_folder(tmp_path / "file" / "run", made(), resume=False)


def test_a_full_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(9, 6, 3_000_000))
    check_space(tmp_path, 3_000_000)
    with pytest.raises(OSError, match=r"has 3 MB free, this run saves 4 MB: choose another --out"):
        check_space(tmp_path, 4_000_000)


def test_json_is_replaced_as_a_whole(tmp_path):
    write_json(tmp_path / "a.json", {"a": 1})
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", {"a": partial})
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": 1}
