"""Starting from a run: what both logs know stays to the bit, what is new begins fresh."""

import json

import numpy as np
import pytest
import tiny

from seqjax.data.events import EventLog, Split
from seqjax.data.files import read_files
from seqjax.experiment import SettingError, override
from seqjax.run import assemble, load, train
from seqjax.train import checkpoint
from seqjax.train.checkpoint import CheckpointError
from seqjax.transfer import graft, share_vocabulary


@pytest.fixture(scope="module")
def newer(tmp_path_factory):
    """Logs with 15 items where the finished run knew 12, and the experiment on them."""
    folder = tmp_path_factory.mktemp("newer")
    logs = [tiny.write_log(folder / f"{name}.tsv", seed, 24, items=15) for name, seed in (("train", 5), ("test", 6))]
    split = read_files(*logs, validation_share=0.25)
    experiment = tiny.experiment(folder)
    for name, log in zip(("train", "test"), logs, strict=True):
        experiment = override(experiment, f"data.{name}", str(log))
    return split, override(experiment, "stop.epochs", 1)


def test_old_ids_come_first_and_logs_keep_their_words():
    words = {"item": np.array(["c", "a"])}
    log = EventLog(np.array([0, 3]), {"item": np.array([1, 2, 3], np.int32)}, {"item": np.array(["a", "b", "c"])})
    split, counted = share_vocabulary(Split(log, None, log), words)
    assert split.train.vocabulary["item"].tolist() == ["c", "a", "b"]
    assert split.train.columns["item"].tolist() == split.test.columns["item"].tolist() == [2, 3, 1]
    assert counted == {"known_items": 2, "new_items": 1} and split.validation is None


def test_known_rows_and_accumulators_are_kept_and_new_ones_fresh(newer):
    split, experiment = newer
    start = load(tiny.finished() / "run")
    split, counted = share_vocabulary(split, start.vocabulary)
    assert counted == {"known_items": 12, "new_items": 3}
    state = assemble(experiment, split, 0).state
    place = tiny.finished() / "run/checkpoints/best"
    grafted = graft(state, experiment, place, {"items": 12})
    small = assemble(experiment, read_files(*(tiny.finished() / f"{part}.tsv" for part in ("train", "test"))), 0).state
    old, _, _ = checkpoint.restore(place, {"params": small.params, "opt_state": small.opt_state}, part=True)
    tables = [
        (grafted.params["item"], old["params"]["item"], state.params["item"]),
        (grafted.opt_state[0].sum_of_squares["item"], old["opt_state"][0].sum_of_squares["item"], None),
        (grafted.opt_state[2].trace["bias"], old["opt_state"][2].trace["bias"], None),
    ]
    for new, before, fresh in tables:
        np.testing.assert_array_equal(new["rows"][:13], before["rows"])
        np.testing.assert_array_equal(new["rows"][13:], 0 if fresh is None else fresh["rows"][13:])
    for name, leaf in old["params"]["cells_0"].items():
        np.testing.assert_array_equal(grafted.params["cells_0"][name], leaf)


def test_a_run_from_a_run_counts_both_in_its_manifest(newer, tmp_path):
    _, experiment = newer
    records = []
    place = tiny.finished() / "run"
    folder = train(experiment, lambda _: tmp_path / "next", name="tiny", start=place, log=records.append)
    manifest = json.loads((folder / "manifest.json").read_text())
    first = json.loads((place / "manifest.json").read_text())
    assert manifest["start"] == {"run": first["run"], "known_items": 12, "new_items": 3}
    assert manifest["run"] != first["run"]
    assert load(folder).vocabulary["item"][:12].tolist() == load(place).vocabulary["item"].tolist()


@pytest.mark.parametrize(("setting", "value", "said"), [
    ("model.features", 7, r"bias is float32\[18\] there, float32\[21\] here"),
    ("optimizer", "adam", r"opt_state.0.count is missing there"),
])  # fmt: skip
def test_another_size_or_optimizer_is_refused_before_training(newer, tmp_path, setting, value, said):
    _, experiment = newer
    changed = override(experiment, setting, value)
    with pytest.raises((CheckpointError, SettingError), match=f"saved from another model or optimizer: .*{said}"):
        train(changed, lambda _: tmp_path / "next", name="tiny", start=tiny.finished() / "run")
    assert not (tmp_path / "next/metrics.jsonl").exists()
