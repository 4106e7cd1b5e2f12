"""Means and intervals over seeds against scipy; differences are paired by seed."""

import io
import re
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from scipy import stats

from seqjax.report import plots
from seqjax.report.finished import Finished
from seqjax.report.plots import BLUE, MUTED
from seqjax.report.study import over_seeds, seeds_figure, seeds_table, study_page
from seqjax.report.tables import Estimate, written

HEADLINE = ("nats", "jsd/length")
OURS, THEIRS = {0: 1.21, 1: 1.27, 2: 1.24}, {2: 1.30, 0: 1.36, 1: 1.31}  # in another order


def runs(nats, **more):
    """A finished run for every seed."""
    return {
        seed: Finished(Path(), {}, {"nats": value, "jsd/length": value / 10, **{n: v[seed] for n, v in more.items()}})
        for seed, value in nats.items()
    }


def printed(rows, width=200):
    console = Console(width=width, file=io.StringIO())
    console.print(seeds_table(rows))
    return console.file.getvalue()


def interval(values):
    """Mean and 95 % t-interval by scipy."""
    return np.mean(values), *stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))


def test_means_have_the_t_interval_of_their_seeds():
    first, second = over_seeds({"stream_reset": runs(OURS), "packed": runs(THEIRS)}, HEADLINE)
    for row, title, values in ((first, "stream reset", OURS), (second, "packed", THEIRS)):
        assert (row.title, row.baseline, row.seeds, list(row.held)) == (title, False, 3, list(HEADLINE))
        assert row.held["nats"] == pytest.approx(interval(list(values.values())))
        assert row.held["jsd/length"] == pytest.approx(interval([value / 10 for value in values.values()]))


def test_differences_are_paired_by_seed_whatever_the_order():
    first, second = over_seeds({"ours": runs(OURS), "theirs": runs(THEIRS)}, HEADLINE)
    paired = stats.ttest_rel([OURS[seed] for seed in range(3)], [THEIRS[seed] for seed in range(3)])
    expected = (-0.25 / 3, *paired.confidence_interval(0.95))
    assert second.difference == pytest.approx(expected) and first.difference == Estimate(None)
    unpaired = stats.ttest_rel(list(OURS.values()), list(THEIRS.values())).confidence_interval(0.95)
    assert abs(unpaired.low - expected[1]) > 0.01  # the order would have mattered


def test_seeds_that_one_side_lacks_count_in_means_only():
    _, second = over_seeds({"ours": runs(OURS), "theirs": runs({2: 1.30, 7: 1.9, 0: 1.36})}, HEADLINE)
    assert second.held["nats"] == pytest.approx(interval([1.30, 1.9, 1.36])) and second.seeds == 3
    paired = stats.ttest_rel([OURS[0], OURS[2]], [1.36, 1.30]).confidence_interval(0.95)
    assert second.difference == pytest.approx((-0.105, *paired))
    _, apart = over_seeds({"ours": runs(OURS), "theirs": runs({7: 1.9, 8: 1.8})}, HEADLINE)
    assert apart.difference == Estimate(None) and apart.held["nats"].value == pytest.approx(1.85)


def test_one_seed_has_no_interval():
    rows = over_seeds({"ours": runs({4: 1.25}), "theirs": runs({4: 1.5})}, HEADLINE)
    assert rows[0].held["nats"] == Estimate(1.25) and rows[1].difference == Estimate(-0.25)
    for shown in (printed(rows), study_page("one", rows, [])):
        assert "1.250" in shown and "\u2212.250" in shown and not re.search(r"\[[.\u2212]", shown)


def test_baselines_are_those_of_the_first_experiment():
    peer = {"unigram/nats": [1.7, 1.8, 1.9], "unigram/jsd/length": [0.5, 0.5, 0.6], "minus/unigram/nats": [0, 0, 0]}
    rows = over_seeds({"ours": runs(OURS, **peer), "theirs": runs(THEIRS, **{"bigram/nats": [1, 1, 1]})}, HEADLINE)
    assert [(row.title, row.baseline) for row in rows] == [("ours", False), ("theirs", False), ("unigram", True)]
    assert rows[2].held["nats"] == pytest.approx(interval(peer["unigram/nats"]))
    expected = stats.ttest_rel(list(OURS.values()), peer["unigram/nats"]).confidence_interval(0.95)
    assert rows[2].difference[1:] == pytest.approx(tuple(expected))


def test_a_baseline_without_a_number_in_one_run_has_no_difference():
    results = runs(OURS, **{"unigram/nats": [1.7, 1.8, 1.9]})
    del results[1].numbers["unigram/nats"]
    _, peer = over_seeds({"ours": results}, HEADLINE)
    assert peer.held["nats"] == pytest.approx(interval([1.7, 1.9])) and peer.held["jsd/length"] == Estimate(None)
    assert peer.difference == Estimate(None)


def test_an_experiment_that_does_not_know_the_metric_has_an_empty_cell():
    other = {seed: Finished(Path(), {}, {"recall@20": 0.1}) for seed in OURS}
    _, row = over_seeds({"ours": runs(OURS), "other": other}, HEADLINE)
    assert row.held["nats"] == row.difference == Estimate(None)


def test_a_metric_that_nobody_knows_has_no_column():
    rows = over_seeds({"ours": runs(OURS), "theirs": runs(THEIRS)}, ("nats", "gauc", "jsd/length"))
    assert [list(row.held) for row in rows] == [list(HEADLINE)] * 2
    assert [list(row.held) for row in over_seeds({"ours": runs(OURS)}, ("gauc", "brier"))] == [["gauc"]]


def test_a_cut_off_that_was_not_judged_gives_way_to_the_longest_that_was():
    results = {seed: Finished(Path(), {}, {"recall@5": value, "recall@10": 0.5}) for seed, value in OURS.items()}
    assert list(over_seeds({"ours": results}, ("recall@20",))[0].held) == ["recall@10"]


ODD = {"ours [/b] <i>": runs(OURS, **{"unigram/nats": [1.7, 1.8, 1.9]}), "theirs [red]": runs(THEIRS)}


def test_terminal_and_page_show_every_mean_and_difference():
    """Names stay as they are: neither brackets nor angles are markup."""
    rows = over_seeds(ODD, HEADLINE)
    shown, page = printed(rows), study_page("my_study <1>", rows, ["<p>more</p>"])
    text = re.sub(r"\s+", " ", unescape(re.sub("<[^>]*>", " ", page)))
    for row in rows:
        line = next(line for line in shown.splitlines() if line.strip().startswith(row.title))
        for estimate in row.held.values():
            assert written(estimate) in line and written(estimate) in text
        assert written(row.difference, sign=True) in line and written(row.difference, sign=True) in text
        assert row.title in text
    for told in (shown, text):
        assert "ours [/b] <i> minus it" in told and "over seeds; differences are paired by seed" in told
    assert f"nats a symbol {written(rows[0].held['nats'])} over 3 seeds." in text
    assert "my study &lt;1&gt;" in page and "<i>" not in page and "<p>more</p>" in page
    assert not re.search(r"https?:|<script", page)


def test_the_figure_has_every_mean_with_its_interval(monkeypatch):
    drawn, comparison = [], plots.comparison
    monkeypatch.setattr(plots, "comparison", lambda series: drawn.extend(series) or comparison(series))
    rows = over_seeds(ODD, HEADLINE)
    rows[1].held["nats"] = Estimate(0.5, 0.0, 1.0)
    assert "<svg" in seeds_figure(rows)
    assert [(one.name, one.ink) for one in drawn] == [
        ("ours [/b] <i>", BLUE),
        ("theirs [red]", BLUE),
        ("unigram", MUTED),
    ]
    assert drawn[0].places == ["nats a symbol", "JSD of length"] and drawn[2].places == ["nats a symbol"]
    for row, one in zip(rows, drawn, strict=True):
        held = [estimate for estimate in row.held.values() if estimate.value is not None]
        assert list(zip(one.values, one.low, one.high, strict=True)) == held  # an end at 0 is an end


def test_experiments_are_compared_on_the_same_data_only():
    """Each data set has its own first line, which its baselines and the other experiments on it are held against."""

    def judged(checksum, nats):
        manifest = {"data": {"test": {"checksum": checksum}}}
        held = runs(nats, **{"markov/nats": {seed: value + 0.5 for seed, value in nats.items()}})
        return {seed: run._replace(manifest=manifest) for seed, run in held.items()}

    results = {"one": judged("a", OURS), "far": judged("b", THEIRS), "near": judged("a", THEIRS)}
    rows = over_seeds(results, HEADLINE)
    assert [row.title for row in rows] == ["one", "near", "one: markov", "far", "far: markov"]
    assert [row.difference.value for row in rows] == [None, pytest.approx(-0.25 / 3), pytest.approx(-0.5), None,
                                                      pytest.approx(-0.5)]  # fmt: skip
    assert "first on the same data minus it" in re.sub(r"\s+", " ", printed(rows, 300))
