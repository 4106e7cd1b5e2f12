"""Figures of a selection hold the numbers that they are given, name what they compare, and keep words apart."""

import re
from itertools import combinations

import numpy as np
import pytest

from seqjax.report import plots, selection
from seqjax.report.plots import BLUE, INK, MUTED, RULE, Series

GAINS = {"model": [0.0, 0.6, 0.9, 1.0], "a < $b$": [0.0, 0.5, 0.8, 1.0]}
LIFTS = {f"score {line}": np.linspace(2 - line / 9, line / 9, 10).tolist() for line in range(5)}
PLACES = [0, 1, 2, 5, 10]
ROWS = [
    Series("shifted", PLACES, [0.8, 0.8, 0.7, 0.7, 0.6], [0.7] * 5, [0.9] * 5, BLUE),
    Series("plain", PLACES, [0.8, 0.7, 0.6, 0.6, 0.5], [0.4] * 5, [0.8] * 5, BLUE, hollow=True),
    Series("trees", PLACES, [0.7, 0.7, 0.6, 0.6, 0.5]),
]


def curve(line):
    return [np.asarray(line.get_xdata()).tolist(), np.asarray(line.get_ydata()).tolist()]


def holds_no_overlap(figure):
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for axis in figure.axes for text in axis.texts]
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))


def test_gain_runs_from_0_to_1_beside_the_diagonal():
    whole, first = selection.gain_figure(GAINS).axes
    diagonal, baseline, model = whole.lines
    assert curve(diagonal) == [[0.0, 1.0], [0.0, 1.0]] and diagonal.get_color() == INK
    for line, (name, ink) in zip((model, baseline), zip(GAINS, (BLUE, MUTED), strict=True), strict=True):
        assert curve(line) == [pytest.approx([0, 1 / 3, 2 / 3, 1]), GAINS[name]] and line.get_color() == ink
    assert [text.get_text() for text in whole.texts] == ["random"]
    assert whole.get_ylabel() and all(axis.get_xlabel() for axis in (whole, first))


def test_the_first_fifth_of_the_gain_is_interpolated_and_names_every_curve():
    first = selection.gain_figure(GAINS).axes[1]
    assert first.get_xlim() == (0.0, 0.2)
    assert curve(first.lines[2]) == [[0.0, 0.2], pytest.approx([0.0, 0.6 * 0.2 * 3])]
    assert {text.get_text(): text.get_color() for text in first.texts} == {
        "model": BLUE,
        "a < $b$": MUTED,
        "random": INK,
    }
    holds_no_overlap(first.figure)


def test_the_gain_of_twentieths_has_its_own_points_in_the_first_fifth():
    gain = np.linspace(0, 1, 21) ** 0.5
    first = selection.gain_figure({"model": gain.tolist()}).axes[1]
    assert curve(first.lines[1]) == [pytest.approx([0, 0.05, 0.1, 0.15, 0.2]), pytest.approx(gain[:5])]


def test_a_gain_of_one_number_is_refused():
    with pytest.raises(ValueError, match="'model' has 1 numbers"):
        selection.gain_figure({"model": [1.0]})


@pytest.mark.parametrize(("count", "shape"), [(1, (1, 1)), (4, (1, 4)), (5, (2, 3))])
def test_every_lift_is_a_panel_with_the_line_of_no_model(count, shape):
    held = dict(list(LIFTS.items())[:count])
    figure = selection.lift_figure(held)
    panels = [axis for axis in figure.axes if axis.get_visible()]
    assert panels[0].get_gridspec().get_geometry() == shape
    assert [axis.get_title(loc="left") for axis in panels] == list(held)
    for line, (axis, values) in enumerate(zip(panels, held.values(), strict=True)):
        bars, outlines = axis.containers[0].patches, [patch for patch in axis.patches if hasattr(patch, "get_data")]
        assert [bar.get_height() for bar in bars] == values
        assert curve(axis.lines[0])[1] == [1.0, 1.0]
        assert [text.get_text() for text in axis.texts] == ["no model", f"{plots.number(values[0], 2)} in the first"]
        assert [outline.get_data().values.tolist() for outline in outlines] == [LIFTS["score 0"]] * bool(line)
        assert bars[0].get_facecolor() == pytest.approx(colour(RULE if line else BLUE))
    holds_no_overlap(figure)
    assert figure.get_supylabel() == "lift" and "highest scores first" in figure.get_supxlabel()


def colour(name):
    from matplotlib.colors import to_rgba

    return to_rgba(name)


def test_earliness_has_a_named_line_with_intervals_for_every_model():
    (axis,) = selection.earliness_figure(ROWS, "F1").axes
    assert axis.get_xticks().tolist() == PLACES and axis.get_ylabel() == "F1"
    assert len(axis.collections) == 2  # the third has no intervals
    for row, line in zip(ROWS, axis.lines, strict=True):
        places, values = curve(line)
        assert values == row.values and places == pytest.approx(PLACES, abs=0.25) and line.get_color() == row.ink
        assert (line.get_linestyle() == "--") is row.hollow
    for row, bars in zip(ROWS, axis.collections, strict=False):
        ends = np.array([segment[:, 1] for segment in bars.get_segments()])
        np.testing.assert_allclose(ends, np.column_stack([row.low, row.high]))
    apart = [line.get_xdata()[0] for line in axis.lines]
    assert len(set(apart)) == 3 and sum(apart) == pytest.approx(0.0)
    assert {text.get_text() for text in axis.texts} == {"shifted", "plain", "trees"}
    holds_no_overlap(axis.figure)


@pytest.mark.parametrize(
    "figure",
    [selection.gain_figure(GAINS), selection.lift_figure(LIFTS), selection.earliness_figure(ROWS, "F1")],
    ids=["gain", "lift", "earliness"],
)
def test_figures_follow_the_page(figure):
    text = plots.svg(figure, "a figure")
    assert text.count("<svg") == 1 and "black" not in text
    colours = set(re.findall(r'(?<!href=")(?<!url\()#[0-9a-f]{6}', text))
    assert colours <= set(plots.VARIABLES)


@pytest.mark.parametrize("name", ["GAIN", "LIFT", "EARLINESS"])
def test_captions_say_what_is_compared(name):
    assert re.search("[Cc]ompared with|multiple of", getattr(selection, f"{name}_CAPTION"))
