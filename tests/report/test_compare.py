"""Runs side by side: two paired over sessions, several seeds by their spread."""

import json
import shutil

import numpy as np
import pytest
import tiny
from rich.console import Console

from seqjax.evaluate.intervals import paired_t, t_interval
from seqjax.evaluate.ranking import Ranks
from seqjax.experiment import SettingError
from seqjax.report.compare import compare_runs
from seqjax.report.finished import finished
from seqjax.report.tables import Estimate, estimate, written


@pytest.fixture
def run(tmp_path):
    """Copies of the finished run under another seed or setting, its ranks moved and its numbers with them."""

    def copy(name, seed=0, features=6, worse=0.0, recall=None):
        folder = tmp_path / name
        shutil.copytree(tiny.finished() / "run", folder)
        manifest = json.loads((folder / "manifest.json").read_text())
        manifest |= {"seed": seed}
        manifest["settings"]["model"]["features"] = features
        (folder / "manifest.json").write_text(json.dumps(manifest))
        with np.load(folder / "cases.npz") as cases:
            arrays = dict(cases)
        np.savez(folder / "cases.npz", **(arrays | {"rank": arrays["rank"] + np.float32(worse)}))
        numbers = json.loads((folder / "metrics.json").read_text())
        numbers |= {} if recall is None else {"recall@20": recall}
        (folder / "metrics.json").write_text(json.dumps(numbers))
        return folder

    return copy


def printed(table):
    console = Console(width=300)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def test_two_runs_are_paired_by_target(run):
    good, bad = run("good"), run("bad", features=7, worse=3.0)
    shown = printed(compare_runs([good, bad], ["recall@5", "mrr@5"]))
    expected = finished(bad).cases().minus(finished(good).cases(), ["recall@5", "mrr@5"])
    assert "bad minus good" in shown
    for name in ("recall@5", "mrr@5"):
        assert written(estimate(expected, name), sign=True) in shown


def test_three_seeds_of_two_settings(run):
    values = {"small": [0.5, 0.6, 0.7], "large": [0.7, 0.7, 0.8]}
    folders = [
        run(f"{name}{seed}", seed=seed, features=features, recall=value)
        for features, (name, row) in enumerate(values.items())
        for seed, value in enumerate(row)
    ]
    shown = printed(compare_runs(folders))
    for row in values.values():
        assert written(Estimate(*t_interval(row))) in shown
    apart = Estimate(*paired_t(values["small"], values["large"])[:3])
    assert "small0 and its seeds minus it" in shown and written(apart, sign=True) in shown


def test_what_cannot_be_compared(run, tmp_path):
    good, other = run("good"), run("other", features=7)
    with pytest.raises(SettingError, match=r"is not a finished run: it has no metrics.json"):
        compare_runs([good, tmp_path])
    with pytest.raises(SettingError, match=r"--metrics recall@7: .*good has recall@1"):
        compare_runs([good, other], ["recall@7"])
    manifest = json.loads((other / "manifest.json").read_text())
    manifest["data"]["test"]["events"] += 1
    (other / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(SettingError, match="was judged on another test log than"):
        compare_runs([good, other])


def test_cases_come_back(run):
    ranks = finished(run("good")).cases()
    assert isinstance(ranks, Ranks) and len(ranks.rank) == 36
