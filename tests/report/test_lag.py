"""How far back models reach: means over seeds by lag, and the largest lag at which they are enough."""

import re
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from seqjax.report import lag as module
from seqjax.report.finished import Finished
from seqjax.report.lag import ENOUGH, horizon, lag_sections, told
from seqjax.report.plots import BLUE, MUTED


def runs(*areas):
    """A finished run for every seed."""
    return {seed: Finished(Path(), {}, {"auc": area, "auc/low": 0.0}) for seed, area in enumerate(areas)}


RESULTS = {
    "sum_pooling_64": runs(0.50, 0.52, 0.51),
    "sum_pooling_8": runs(0.70, 0.72, 0.74),
    "hpmn_8": runs(0.99, 1.00, 0.98),
    "hpmn_256": runs(0.55, 0.75, 0.59),
    "hpmn_64": runs(0.60, 0.85, 0.84),
}


@pytest.fixture
def drawings(monkeypatch):
    """What the figure was asked to draw."""
    held, curves = [], module.curves
    monkeypatch.setattr(module, "curves", lambda *given: held.append(given) or curves(*given))
    return held


def test_every_model_is_a_line_over_rising_lags_with_t_intervals(drawings):
    text = lag_sections(RESULTS)[0]
    ((rows, *labels),) = drawings
    assert labels == ["events between cue and question", "AUC"] and text.count("<svg") == 1
    assert [row.name for row in rows] == ["sum pooling", "hpmn"]
    assert [list(row.places) for row in rows] == [[8, 64], [8, 64, 256]]  # 256 comes after 64, not before 8
    for row, model in zip(rows, ("sum_pooling", "hpmn"), strict=True):
        for lag, mean, low, high in zip(row.places, row.values, row.low, row.high, strict=True):
            areas = [run.numbers["auc"] for run in RESULTS[f"{model}_{lag}"].values()]
            expected = stats.t.interval(0.95, len(areas) - 1, np.mean(areas), stats.sem(areas))
            assert (mean, low, high) == pytest.approx((np.mean(areas), *expected))


def test_the_last_model_stands_out(drawings):
    lag_sections(RESULTS)
    assert [row.ink for row in drawings[0][0]] == [MUTED, BLUE]
    lag_sections(dict(reversed(RESULTS.items())))
    assert [(row.name, row.ink) for row in drawings[1][0]] == [("hpmn", MUTED), ("sum pooling", BLUE)]


def test_horizons_are_told_beside_the_bar():
    """By the mean over seeds: a single seed that reaches the bar does not count."""
    text = lag_sections(RESULTS)[1]
    assert f"Horizon: the largest lag with a mean AUC of {ENOUGH:g} or more" in text
    pairs = re.findall("<dt>(.*?)</dt><dd>(.*?)</dd>", text)
    assert pairs == [("sum pooling", "below the smallest lag"), ("hpmn", "64 events")]


def test_one_seed_has_no_interval(drawings):
    lag_sections({"hpmn_8": runs(0.9)})
    (row,) = drawings[0][0]
    assert (list(row.values), list(row.low), list(row.high)) == ([0.9], [0.9], [0.9])


@pytest.mark.parametrize(
    ("means", "lag", "text"),
    [
        ({8: ENOUGH, 16: 0.7}, 8, "8 events"),
        ({64: 0.8, 8: 0.9}, 64, "64 events"),
        ({8: 0.9, 16: 0.6, 32: 0.8}, 32, "32 events"),
        ({8: 0.74}, 0, "below the smallest lag"),
        ({8: float("nan")}, 0, "below the smallest lag"),
        ({}, 0, "below the smallest lag"),
    ],
)
def test_horizon(means, lag, text):
    assert horizon(means) == lag and told(lag) == text
