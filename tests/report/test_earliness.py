"""How early models foretell: means over seeds by the number of purchases removed."""

import json

import pytest

from seqjax.report.earliness import curves_of, earliness_sections
from seqjax.report.finished import Finished


def runs(folder, name, *tables):
    """A finished run for every seed, with its curves on disk."""
    found = {}
    for seed, table in enumerate(tables):
        (folder / f"{name}-{seed}").mkdir()
        (folder / f"{name}-{seed}" / "tables.json").write_text(json.dumps({"earliness": table}))
        found[seed] = Finished(folder / f"{name}-{seed}", {}, {})
    return found


@pytest.fixture
def results(tmp_path):
    first = ({"model": [0.8, 0.8, 0.8, 0.7, 0.6], "trees": [0.9] * 5}, {"model": [0.9] * 5, "trees": [0.7] * 5})
    other = ({"model": [0.5] * 5, "trees": [0.1] * 5}, {"model": [0.6] * 5, "trees": [0.1] * 5})
    return {
        "GRU": runs(tmp_path, "GRU", *first),
        "GRU_shifted": runs(tmp_path, "shifted", *other),
        "told": runs(tmp_path, "told", {"model": []}, {"model": []}),
    }


def test_baselines_are_those_of_the_first_and_empty_curves_are_left_out(results):
    curves = curves_of(results)
    assert set(curves) == {"GRU", "trees", "GRU shifted"}
    assert curves["trees"] == [[0.9] * 5, [0.7] * 5] and curves["GRU shifted"] == [[0.5] * 5, [0.6] * 5]


def test_the_page_has_means_of_every_curve(results):
    (page,) = earliness_sections(results)
    for written in (".850", ".750", ".800", ".550"):
        assert written in page
    assert "t-intervals" in page and "told" not in page


def test_without_curves_there_is_no_section(results):
    assert earliness_sections({"told": results["told"]}) == ()
