"""Two logs of series compared from the command line: what is written, and what every mistake says."""

import json
import re

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from test_cli import failure, run_in_process
from tiny_series import write_series

from seqjax.report.behaviour import NAMES


@pytest.fixture
def series(tmp_path):
    return write_series(tmp_path / "series.csv", 1, 80)


def fidelity(capsys, tmp_path, *arguments):
    """Runs the command: numbers, tables, the page and what the terminal shows."""
    out = tmp_path / "[/red] out"  # brackets in a name are no markup
    shown = run_in_process(capsys, ["fidelity", *arguments, "--out", out, "--permutations", 19])
    numbers, tables = (json.loads((out / f"{part}.json").read_text()) for part in ("metrics", "tables"))
    assert f"page of plots: {out / 'report.html'}" in shown
    return numbers, tables, (out / "report.html").read_text(), shown


def test_identical_sets_have_distance_0_and_p_1(series, tmp_path, capsys):
    numbers, tables, page, shown = fidelity(capsys, tmp_path, series, series)
    for name in NAMES:
        assert numbers[f"jsd/{name}"] == 0.0 and numbers[f"p/{name}"] == 1.0 and name in shown
        assert numbers[f"floor/{name}"] > 0.0
    assert tables["length"]["real"] == tables["length"]["synthetic"]
    assert numbers["two_sample_auc"] == 0.5 and numbers["sequences/real"] == 80
    assert "12 of 12 distributions lie within twice their noise floor" in re.sub(r"\s+", " ", shown)
    assert f"real: 80 series of {series}, synthetic: 80 series of {series}" in page and "train" not in tables


def test_logs_of_different_actions_are_joined(tmp_path, capsys):
    """Actions that one log lacks count as 0 there; series are shorter than the longest tuples."""
    (tmp_path / "real.txt").write_text("a b\n" * 6)
    (tmp_path / "new.csv").write_text("session,item\n" + "".join(f"{s},{a}\n" for s in range(9) for a in "cb"))
    numbers, tables, page, _ = fidelity(capsys, tmp_path, tmp_path / "real.txt", tmp_path / "new.csv")
    assert tables["action"]["value"] == ["a", "b", "c", "end"]
    real, new = np.array([1, 1, 0, 1]) / 3, np.array([0, 1, 1, 1]) / 3
    np.testing.assert_allclose([tables["action"]["real"], tables["action"]["synthetic"]], [real, new])
    assert numbers["jsd/action"] == pytest.approx(jensenshannon(real, new) ** 2)
    assert numbers["jsd/6-gram"] == 0.0 and numbers["p/6-gram"] == 1.0  # neither has six symbols in a row
    assert all(np.isfinite(value) for value in numbers.values()) and "not finite" not in page


def test_copies_of_the_training_series_are_told(series, tmp_path, capsys):
    (tmp_path / "real.txt").write_text("look ask\nask look buy\n" * 5)
    numbers, _, page, _ = fidelity(capsys, tmp_path, tmp_path / "real.txt", series, "--train", series)
    assert numbers["copies/synthetic"] == 1.0 and numbers["nearest/synthetic"] == numbers["unseen/synthetic"] == 0.0
    assert numbers["copies/real"] < 1.0 and f"train: 80 series of {series}" in page


GOOD = "session,item\n" + "".join(f"{s},{a}\n" for s in range(5) for a in "xy")
MISTAKES = {  # the real log, further words, and what is said
    "empty file": ("", [], r"real.csv: the file is empty"),
    "no events": ("session,item\n", [], r"real.csv: the log has no events"),
    "unknown column": (GOOD, ["--item", "sku"], r"real.csv: no column 'sku'; its columns are \['session', 'item'\]"),
    "missing file": (None, [], r"real.csv: there is no such file"),
    "one series": (GOOD[:21], [], r"1 real and 5 synthetic series: compare two or more of each"),
    "negative given": (GOOD, ["--given", -1], r"given=-1: choose 0 or more"),
    "out is a file": (GOOD, ["--out", "new.csv"], r"new.csv: is a file; name a folder"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_what_cannot_be_compared(tmp_path, capsys, monkeypatch, case):
    text, more, said = MISTAKES[case]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "new.csv").write_text(GOOD)
    if text is not None:
        (tmp_path / "real.csv").write_text(text)
    assert re.search(said, failure(capsys, ["fidelity", "real.csv", "new.csv", "--out", "out", *more]))
    assert not (tmp_path / "out").exists()


def test_more_given_actions_than_any_series_has(series, tmp_path, capsys):
    _, tables, page, _ = fidelity(capsys, tmp_path, series, series, "--given", 1000)
    assert tables["hazard"]["actions"] == [] and "Hazard" not in page
