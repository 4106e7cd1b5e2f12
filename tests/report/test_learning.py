"""How fast a loss falls: journals by hand, and what stands on the page."""

import doctest
import json
import re

import pytest
from scipy import stats

from seqjax.report import learning as module
from seqjax.report.finished import Finished
from seqjax.report.learning import Learned, learned, learning_sections, reached
from seqjax.report.plots import BLUE, MUTED


def run(folder, losses, steps=100, seconds=2.0):
    """A finished run whose epochs have these validation losses."""
    folder.mkdir(parents=True)
    lines = [{"kind": "train", "step": 1, "loss": 0.7, "seconds": 1.0}]
    for epoch, loss in enumerate(losses, start=1):
        line = {"kind": "epoch", "epoch": epoch, "step": steps * epoch, "seconds": seconds * epoch, "loss": 0.5}
        lines.append(line | {"validation/log_loss": loss, "validation/auc": 1 - loss})
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return Finished(folder, {}, {})


@pytest.fixture
def results(tmp_path):
    """The first reaches .6 with seeds 0, 1 and 2, the other with 1, 2 and 3, the last with none."""
    held = {
        "CNN_LSTM": [(0.65, 0.6, 0.5), (0.6, 0.7, 0.5), (0.7, 0.65, 0.55), (0.7, 0.69, 0.68)],
        "LSTM": [(0.69, 0.68, 0.67), (0.7, 0.6, 0.5), (0.59, 0.7, 0.7), (0.55, 0.6, 0.7)],
        "<slow>": [(0.7, 0.7, 0.7)] * 4,
    }
    return {
        key: {s: run(tmp_path / str(place) / str(s), losses, 100 + s) for s, losses in enumerate(runs)}
        for place, (key, runs) in enumerate(held.items())
    }


@pytest.fixture
def drawings(monkeypatch):
    """What the figure was asked to draw."""
    held, curves = [], module.curves
    monkeypatch.setattr(module, "curves", lambda *given: held.append(given) or curves(*given))
    return held


def test_examples():
    assert doctest.testmod(module).failed == 0


def test_a_journal_is_read_by_epoch(results):
    held = learned(results["LSTM"][1], "log_loss")
    assert held == Learned([1, 2, 3], [101, 202, 303], [2.0, 4.0, 6.0], [0.7, 0.6, 0.5])
    assert learned(results["LSTM"][1], "auc").loss == pytest.approx([0.3, 0.4, 0.5])
    with pytest.raises(ValueError, match=r"metrics.jsonl: no epoch has validated 'mrr'; name another metric"):
        learned(results["LSTM"][1], "mrr")


def test_the_first_epoch_at_the_target_counts():
    runs = {
        4: Learned([1, 2, 3], [10, 20, 30], [0.5, 1.0, 1.5], [0.7, 0.6, 0.61]),
        5: Learned([1, 2, 3], [10, 20, 30], [0.5, 1.0, 1.5], [0.7, 0.65, 0.601]),
        6: Learned([1], [10], [0.5], [0.1]),
    }
    assert reached(runs, "step", 0.6) == {4: 20.0, 6: 10.0}
    assert reached(runs, "epoch", 0.6) == {4: 2.0, 6: 1.0} and reached(runs, "seconds", 0.6) == {4: 1.0, 6: 0.5}
    assert reached(runs, "step", 0.05) == {}


def test_lines_are_means_over_seeds_with_intervals(results, drawings):
    text = learning_sections(results, target=0.6)[0]
    ((rows, x, y, bottom),) = drawings
    assert (x, y, bottom) == ("updates", "validation log-loss", min(min(row.values) for row in rows))
    assert [(row.name, row.ink) for row in rows] == [("CNN LSTM", BLUE), ("LSTM", MUTED), ("<slow>", MUTED)]
    assert rows[0].places == [102, 203, 304] and text.count("<svg") == 1  # users differ by seed, so do the updates
    for epoch, losses in enumerate(([0.65, 0.6, 0.7, 0.7], [0.6, 0.7, 0.65, 0.69], [0.5, 0.5, 0.55, 0.68])):
        low, high = stats.t.interval(0.95, 3, sum(losses) / 4, stats.sem(losses))
        found = rows[0].values[epoch], rows[0].low[epoch], rows[0].high[epoch]
        assert found == pytest.approx((sum(losses) / 4, low, high))


def cells(text):
    rows = re.findall("<tr>.*?</tr>", text)[1:]
    return {re.search('<th scope="row">(.*?)</th>', row)[1]: re.findall("<td>(.*?)</td>", row) for row in rows}


def test_times_and_differences_are_paired_by_seed(results):
    text = learning_sections(results, target=0.6)[1]
    assert "Until a validation loss of 0.6" in text
    heads = re.findall('<th scope="col">(.*?)</th>', text)
    assert heads == [
        *("", "epochs", "CNN LSTM minus it", "updates", "CNN LSTM minus it"),
        *("seconds", "CNN LSTM minus it", "reached"),
    ]
    held = cells(text)
    first, other = [2, 1, 3], [2, 1, 1]  # epochs of the seeds 0, 1, 2 and 1, 2, 3
    for key, epochs in (("CNN LSTM", first), ("LSTM", other)):
        low, high = stats.t.interval(0.95, 2, sum(epochs) / 3, stats.sem(epochs))
        assert held[key][0] == f"{sum(epochs) / 3:.1f} <small>[{low:.1f}, {high:.1f}]</small>".replace("-", "\u2212")
        assert held[key][-1] == "3 of 4"
    assert held["CNN LSTM"][1::2][:3] == ["", "", ""]
    apart = [1 - 2, 3 - 1]  # seeds 1 and 2
    low, high = stats.t.interval(0.95, 1, 0.5, stats.sem(apart))
    assert held["LSTM"][1] == f"+0.5 <small>[{low:+.1f}, {high:+.1f}]</small>".replace("-", "\u2212")
    assert held["LSTM"][3].startswith(f"+{(101 - 202 + 306 - 102) / 2:.1f} ")
    assert held["&lt;slow&gt;"] == ["\u2013"] * 6 + ["0 of 4"]


def test_one_seed_has_no_interval(results, drawings):
    alone = {key: {1: runs[1]} for key, runs in results.items()}
    text = learning_sections(alone, target=0.6)[1]
    assert [row.values == row.low == row.high for row in drawings[0][0]] == [True] * 3
    assert cells(text) == {
        "CNN LSTM": ["1.0", "", "101.0", "", "2.0", "", "1 of 1"],
        "LSTM": ["2.0", "\u22121.0", "202.0", "\u2212101.0", "4.0", "\u22122.0", "1 of 1"],
        "&lt;slow&gt;": ["\u2013"] * 6 + ["0 of 1"],
    }


def test_seeds_in_which_only_one_reaches_are_no_pair(results):
    some = {"CNN_LSTM": {0: results["CNN_LSTM"][0]}, "LSTM": {0: results["LSTM"][0]}}
    held = cells(learning_sections(some, target=0.6)[1])
    assert held["CNN LSTM"][0] == "2.0" and held["LSTM"] == ["\u2013"] * 6 + ["0 of 1"]


def test_runs_that_stopped_early_are_drawn_as_far_as_all_go(tmp_path, drawings):
    runs = {"GRU": {0: run(tmp_path / "0", (0.7, 0.6, 0.5)), 1: run(tmp_path / "1", (0.6, 0.5))}}
    text = learning_sections(runs, target=0.5)[1]
    (row,) = drawings[0][0]
    assert row.places == [100, 200] and row.values == pytest.approx([0.65, 0.55])
    assert cells(text)["GRU"][-1] == "2 of 2"
