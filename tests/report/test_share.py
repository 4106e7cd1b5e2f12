"""Shares of what can be known: by world, over seeds, baselines beside models."""

import re
from pathlib import Path

import pytest
from scipy import stats

from seqjax.report.finished import Finished
from seqjax.report.share import areas, share_sections


def runs(bayes, areas, **others):
    """A finished run for every seed, in a world whose Bayes AUC differs by seed."""
    notes = [{"data": {"notes": {"bayes_auc": best}}} for best in bayes]
    rows = [{"auc": area, **{f"{k}/auc": v[seed] for k, v in others.items()}} for seed, area in enumerate(areas)]
    return {seed: Finished(Path(), note, row) for seed, (note, row) in enumerate(zip(notes, rows, strict=True))}


RESULTS = {
    "order_GRU": runs((0.9, 0.8), (0.88, 0.77), bag_trees=(0.5, 0.5)),
    "order_sum_pooling": runs((0.9, 0.8), (0.5, 0.5)),
    "life_GRU": runs((0.7, 0.7), (0.6, 0.7), bag_trees=(0.55, 0.65)),
}


def rows_of(text):
    """The cells of every row of the table, by its head."""
    found = re.findall(r'<th scope="row">(.*?)</th>(.*?)</tr>', text, re.S)
    return {name: [re.sub(r"<.*?>", " ", one).split() for one in re.findall(r"<td.*?</td>", of)] for name, of in found}


def test_every_model_and_baseline_is_a_row_of_shares_by_world():
    (text,) = share_sections(RESULTS)
    held = rows_of(text)
    assert list(held) == ["GRU", "bag trees", "sum pooling", "AUC of Bayes' rule"]
    shares = [0.38 / 0.4, 0.27 / 0.3]
    expected = sum(shares) / 2, *stats.t.interval(0.95, 1, sum(shares) / 2, stats.sem(shares))
    assert [float(one.strip("[,]")) for one in held["GRU"][0]] == pytest.approx(expected, abs=5e-4)
    assert float(held["GRU"][1][0]) == pytest.approx(0.75) and float(held["bag trees"][1][0]) == pytest.approx(0.5)
    assert float(held["sum pooling"][0][0]) == 0.0
    assert float(held["AUC of Bayes' rule"][0][0]) == pytest.approx(0.85)


def test_only_the_auc_of_the_whole_set_counts():
    numbers = {"auc": 0.7, "trees/auc": 0.6, "minus/trees/auc": 0.1, "trees/auc/low": 0.5, "log_loss": 0.6}
    assert areas("GRU", numbers) == {"GRU": 0.7, "trees": 0.6}
