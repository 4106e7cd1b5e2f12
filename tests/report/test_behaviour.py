"""The part of a page that shows a generator: every distance beside its floor, and nothing that a name can break."""

import io
import json
import re
from html import unescape
from xml.etree import ElementTree

import numpy as np
import pytest
from rich.console import Console
from tiny_series import log_of, random_log

from seqjax.evaluate.series import compare_series
from seqjax.report import behaviour, overlays
from seqjax.report.finished import Finished
from seqjax.report.page import Page
from seqjax.report.plots import number
from seqjax.report.tables import comparison_rows

ODD = np.array(["<b>look</b>", "a & b", "$x^2$", "[/red]", "\u8cb7"])
TITLES = [
    "The three distributions", "Distances and noise floors", "When a series ends", "Runs of one action",
    "New, or learned by heart",
]  # fmt: skip
GROUPS = {"said": [0.1, 0.3], "came": [0.12, 0.2], "low": [0.08, 0.1], "high": [0.2, 0.4], "count": [50, 50]}


@pytest.fixture(scope="module")
def compared():
    """Numbers and tables of two sets of series whose actions have odd names."""
    held = compare_series(random_log(0, 80, ODD), random_log(1, 60, ODD, longest=7), permutations=19)
    return held.numbers, held.tables


@pytest.fixture(scope="module")
def page(compared):
    return behaviour.fidelity_page("Fidelity <of> series", "real: 80 series of <a&b>.csv", *compared)


def words(text):
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", text)))


def apart(**distances):
    """Metrics of named distances and floors."""
    held = {}
    for name, (jsd, floor) in distances.items():
        held |= {f"jsd/{name}": jsd, f"floor/{name}": floor, f"p/{name}": 0.5}
    return held


@pytest.mark.parametrize(("jsd", "floor", "expected"), [
    (0.0, 0.0, 1.0), (0.2, 0.0, np.inf), (0.0, 0.1, 0.0), (0.3, 0.1, 3.0),
])  # fmt: skip
def test_ratio_to_a_floor_of_0_is_1_or_infinite(jsd, floor, expected):
    metrics = apart(run=(jsd, floor)) | {"peer/jsd/run": 2 * jsd}
    assert behaviour.ratio(metrics, "run") == pytest.approx(expected)
    assert behaviour.ratio(metrics, "run", "peer/") == pytest.approx(expected if jsd == 0 else 2 * expected)


def test_summary_counts_what_lies_within_twice_the_floor():
    metrics = apart(length=(0.2, 0.1), action=(0.201, 0.1), run=(0.0, 0.0), bigram=(0.01, 0.1))
    said = "3 of 4 distributions lie within twice their noise floor; farthest is action at 2.0 x its floor."
    assert behaviour.summary(metrics) == said
    never = behaviour.summary(metrics | apart(run=(0.1, 0.0)))
    assert never.startswith("2 of 4 ") and "; run never varies among the real series" in never


def test_every_distance_stands_beside_its_floor_and_p(compared):
    metrics, _ = compared
    rows = re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', behaviour.distances_html(metrics, behaviour.NAMES))
    assert [name for name, _ in rows] == list(behaviour.NAMES)
    for name, cells in rows:
        jsd, bits, floor, times, p = re.findall("<td>(.*?)</td>", cells)
        assert (jsd, floor, p) == tuple(number(metrics[f"{kind}/{name}"]) for kind in ("jsd", "floor", "p"))
        assert bits == number(metrics[f"jsd/{name}"] / np.log(2.0))  # a nat is 1 / log 2 bits
        assert float(times) == pytest.approx(metrics[f"jsd/{name}"] / metrics[f"floor/{name}"], abs=0.005)


def test_the_terminal_shows_the_same_distances_and_the_summary(compared):
    metrics, _ = compared
    console = Console(width=300, file=io.StringIO())
    console.print(behaviour.distances_table(metrics | apart(run=(0.25, 0.0))))
    shown = console.file.getvalue()
    lines = {line.split("  ")[0].strip(): line.split()[-4:] for line in shown.splitlines() if line.strip()}
    for name in behaviour.NAMES[:-1]:
        jsd, floor, times, p = lines[name]
        assert (jsd, floor, p) == tuple(number(metrics[f"{kind}/{name}"]) for kind in ("jsd", "floor", "p"))
        assert times == f"{behaviour.ratio(metrics, name):.2f}"
    assert lines["run"] == [".250", ".000", "\u221e", ".500"]
    assert behaviour.summary(metrics | apart(run=(0.25, 0.0))) in re.sub(r"\s+", " ", shown)


def test_distributions_that_were_not_compared_are_left_out():
    console = Console(width=300, file=io.StringIO())
    console.print(behaviour.distances_table(apart(length=(0.2, 0.1))))
    assert "length" in console.file.getvalue() and "bigram" not in console.file.getvalue()
    assert behaviour.series_sections({"nats": 1.0}, {}, "LSTM", {}) == ()


def test_the_fidelity_page_has_every_part_and_number(page, compared):
    metrics, _ = compared
    assert re.findall("<h2>(.*?)</h2>", page) == [*TITLES, "All numbers"]
    assert page.count("<svg") == 7  # three distributions, ladder, hazard, calibration, runs
    text = words(page)
    assert f"{behaviour.summary(metrics)} real: 80 series of <a&b>.csv" in text
    for name, value in metrics.items():
        assert name.removesuffix("/low").removesuffix("/high") in text
        assert (f"{value:.0f}" if value.is_integer() else f"{value:,.5f}") in text
    for name in behaviour.DRAWN:
        jsd, floor = metrics[f"jsd/{name}"], metrics[f"floor/{name}"]
        bits = f"({number(jsd / np.log(2.0))} bits), {jsd / floor:.1f} x the floor of {number(floor)}"
        assert f"JSD {number(jsd)} nats {bits}" in text


def test_the_fidelity_page_is_well_formed_and_loads_nothing(page):
    ElementTree.fromstring(page[page.index("<body>") : page.index("</html>")])
    ids = re.findall(r' id="([^"]*)"', page)
    assert len(set(ids)) == len(ids)
    assert not re.search(r"https?:|//|@import|<script|<link|<img|<iframe| src=|url\((?!#)", page)
    assert page.count("<!doctype html>") == 1 and "nan" not in words(page).split()


def test_names_of_actions_and_files_are_text(page):
    for name in ("&lt;b&gt;look&lt;/b&gt;", "a &amp; b", "$x^2$", "[/red]", "\u8cb7", "begin &lt;b&gt;look"):
        assert f">{name}" in page or f" {name}" in page
    assert "<b>" not in page and "Fidelity &lt;of&gt; series" in page and "&lt;a&amp;b&gt;.csv" in page


def run_page(compared, **more):
    """A run's page: a model beside a Markov chain, whose series are twice as far away, and the truth."""
    metrics, tables = compared
    peers = {f"{peer}/nats": 1.0 for peer in ("markov", "truth", "silent")} | {"nats": 0.9, "cut": 0.0}
    for peer, times in (("markov", 2.0), ("truth", 0.5)):
        peers |= {f"{peer}/{name}": times * value for name, value in metrics.items() if name.startswith("jsd/")}
    metrics = metrics | peers | more
    rows = comparison_rows(metrics, "LSTM", ["truth"], ["nats"])
    return Page({}, metrics, [], tables | {"reliability": GROUPS}, ("nats",), rows)


LEAVING = {
    "leave/brier": 0.0812, "leave/brier_constant": 0.0934, "leave/said": 0.1011, "leave/came": 0.1001,
    "leave/ece": 0.0123, "leave/ece_floor": 0.0045, "hazard_rmse": 0.0311, "memorisation_gap": -0.0021,
    "nats_train": 1.2345, "cut": 0.0125,
}  # fmt: skip


def test_baselines_that_generate_stand_on_the_ladder(compared, monkeypatch):
    drawn = {}
    ladder = overlays.ladder
    monkeypatch.setattr(
        overlays, "ladder", lambda names, rows: drawn.update(names=names, rows=rows) or ladder(names, rows)
    )
    run = run_page(compared, **LEAVING)
    assert [re.search("<h2>(.*?)</h2>", part)[1] for part in behaviour.behaviour_sections(run)] == TITLES
    assert drawn["names"] == [name for name in behaviour.NAMES if run.metrics[f"jsd/{name}"] > 0.0]
    times = {row.name: row.values for row in drawn["rows"]}
    assert set(times) == {"markov", "truth \u2020", "LSTM"} and drawn["rows"][-1].name == "LSTM"
    expected = [run.metrics[f"jsd/{name}"] / run.metrics[f"floor/{name}"] for name in drawn["names"]]
    np.testing.assert_allclose(times["LSTM"], expected)
    np.testing.assert_allclose(times["markov"], 2.0 * np.array(expected))
    assert [row.hollow for row in drawn["rows"]] == [row.name[:5] == "truth" for row in drawn["rows"]]


def test_what_the_model_says_of_the_end_is_shown_where_it_was_judged(compared):
    text = words("".join(behaviour.behaviour_sections(run_page(compared, **LEAVING))))
    for fact in (
        "Brier score of P(end) .0812; .0934 for the constant share", "mean P(end) .1011; .1001 ended",
        "P(end) .031 against the true law", "cut before their end 1.25% of the synthetic",
        "held-out less training nats \u2212.0021 a symbol; training 1.2345",
        "Calibration error .012; true probabilities would have .0045. Right: real lengths",
    ):  # fmt: skip
        assert fact in text
    bare = words("".join(behaviour.series_sections(*compared, "synthetic", {})))
    assert "Brier" not in bare and "Calibration error" not in bare and "training nats" not in bare


def test_the_hazard_of_few_series_is_not_drawn():
    """Under thirty series have no hazard worth a line; the page shows the rest."""
    held = compare_series(log_of([[1, 2], [2]] * 5), log_of([[1], [2, 2]] * 5), permutations=9)
    text = behaviour.fidelity_page("Few", "", held.numbers, held.tables)
    assert "Hazard" not in text and "Calibration" in text and "mean length" in text


def test_a_generator_without_any_action_has_a_page():
    held = compare_series(random_log(0), log_of([[]] * 40), permutations=9)
    for name in ("run", "6-gram"):
        assert held.numbers[f"jsd/{name}"] == pytest.approx(np.log(2.0))  # nothing in common
    text = behaviour.fidelity_page("None", "", held.numbers, held.tables)
    assert "not finite" not in text and text.count("<svg") == 6  # all but the hazard


@pytest.fixture
def layout(tmp_path):
    """Makes the run of one seed, as far as its hazard goes."""

    def make(steps, real, synthetic):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        held = {"hazard": {"actions": steps, "real": real, "synthetic": synthetic}}
        (folder / "tables.json").write_text(json.dumps(held))
        return {7: Finished(folder, {}, {})}

    return make


def test_layouts_show_each_generators_hazard_beside_the_longest_real_one(layout, monkeypatch):
    given = []
    hazards = overlays.hazards
    monkeypatch.setattr(overlays, "hazards", lambda *drawn: given.extend(drawn) or hazards(*drawn))
    short = layout([1, 2], [0.1, 0.1], [0.2, 0.3])
    long = layout([1, 2, 3], [0.1, 0.1, 0.2], [0.5, 0.6, 0.7])
    (text,) = behaviour.layout_sections({"stream_reset": short, "a<b": long})
    real, rows = given
    assert (real.places, real.values) == ([1, 2, 3], [0.1, 0.1, 0.2])
    assert [(row.name, row.values) for row in rows] == [("stream reset", [0.2, 0.3]), ("a<b", [0.5, 0.6, 0.7])]
    assert "a&lt;b" in text and "a<b" not in text


@pytest.mark.parametrize("hazard", [([], [], []), ([1], [0.5], [0.4])])
def test_layouts_of_too_few_series_have_no_figure(layout, hazard):
    assert behaviour.layout_sections({"one": layout(*hazard), "two": layout(*hazard)}) == ()


def test_layouts_of_series_that_never_end_early_are_drawn(layout):
    """All real series have one length: the first half of the curve is 0."""
    fixed = layout([1, 2, 3, 4], [0.0, 0.0, 0.0, 1.0], [0.1, 0.0, 0.2, 1.0])
    assert "<svg" in behaviour.layout_sections({"one": fixed})[0]
