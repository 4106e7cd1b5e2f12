"""Figures of two sets of series hold the numbers that they are given."""

import numpy as np
import pytest

from seqjax.report import overlays, plots
from seqjax.report.plots import BLUE, MUTED, Series

GROUPS = {"said": [0.1, 0.3, 0.5], "came": [0.12, 0.2, 0.6], "low": [0.08, 0.1, 0.4], "high": [0.2, 0.4, 0.7]}
FLAT = {"share": [0.3, 0.2, 0.1, 0.4], "flat": [0.25, 0.2, 0.3]}


def shares(count, seed=0):
    return np.random.default_rng(seed).dirichlet(np.ones(count)).tolist()


def heights(axis):
    return [bar.get_height() for bar in axis.patches]


def names(axis):
    return [label.get_text() for label in axis.get_xticklabels()]


def curve(line):
    return [np.asarray(line.get_xdata()).tolist(), np.asarray(line.get_ydata()).tolist()]


@pytest.mark.parametrize(("count", "style"), [(5, ("None", "o")), (16, ("-", "None"))])
def test_real_shares_are_bars_and_synthetic_ones_points_or_a_line(count, style):
    """A line from sixteen numbers on."""
    places, real, synthetic = list(range(3, 3 + count)), shares(count), shares(count, 1)
    (axis,) = overlays.overlay(places, real, synthetic, "actions in a series").axes
    assert heights(axis) == real
    assert [bar.get_x() + bar.get_width() / 2 for bar in axis.patches] == pytest.approx(places)
    (line,) = axis.lines
    assert curve(line) == [places, synthetic] and line.get_color() == BLUE
    assert (line.get_linestyle(), line.get_marker()) == style
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("actions in a series", "share")
    assert sorted(text.get_text() for text in axis.get_legend().get_texts()) == ["real", "synthetic"]


def test_kinds_are_named_in_their_order():
    (axis,) = overlays.overlay(["buy", "ask", "end"], [0.5, 0.2, 0.3], [0.1, 0.1, 0.8], "action").axes
    assert names(axis) == ["buy", "ask", "end"] and heights(axis) == [0.5, 0.2, 0.3]
    assert curve(axis.lines[0]) == [[0, 1, 2], [0.1, 0.1, 0.8]]
    assert axis.get_xlim()[0] < -0.5 and axis.get_xlim()[1] > 2.5


@pytest.mark.parametrize(("count", "width", "rotation"), [(4, 3, 0), (11, 8, 0), (12, 8, 90), (60, 12, 90)])
def test_many_long_names_are_upright(count, width, rotation):
    """Side by side they have room for 110 characters, two between names."""
    kinds = [f"{number:0{width}d}" for number in range(count)]
    axis = overlays.overlay(kinds, shares(count), shares(count), "action").axes[0]
    assert names(axis) == kinds
    assert {label.get_rotation() for label in axis.get_xticklabels()} == {rotation}


@pytest.mark.parametrize("longer", ["real", "synthetic"])
def test_a_long_tail_is_cut_where_both_sets_have_998_of_a_thousand(longer):
    tails = [0.7 ** np.arange(200), 0.9 ** np.arange(200)]
    short, long = (tail / tail.sum() for tail in tails)
    sets = {"real": short, "synthetic": short, longer: long}
    places = list(range(2, 202))
    (axis,) = overlays.overlay(places, sets["real"].tolist(), sets["synthetic"].tolist(), "length").axes
    last = places[int(np.searchsorted(np.cumsum(long), 0.998))]
    assert last == 60  # 1 - .9^59 >= .998: the 59th place from 2 on
    assert last + 0.5 < axis.get_xlim()[1] < last + 1
    assert len(heights(axis)) == 200


def test_shares_that_are_not_all_there_are_shown_whole():
    """The rounding of sums differs between Python versions: ten tenths of nine are there."""
    (axis,) = overlays.overlay(list(range(10)), [0.09] * 10, [0.01] * 10, "length").axes
    assert axis.get_xlim()[1] > 9.5


def test_names_of_any_script_are_written_without_a_warning():
    text = plots.svg(overlays.overlay(["\u8cb7", "<b>", "$x$"], [0.2, 0.3, 0.5], [0.2, 0.3, 0.5], "action"), "a")
    assert all(f">{name}</text>" in text for name in ("\u8cb7", "&lt;b&gt;", "$x$"))


def test_the_ladder_has_a_line_for_each_set_above_names():
    rows = [Series("chain", range(3), [4.0, 90.0, 1.5]), Series("truth", range(3), [1.0, 0.9, 1.1], hollow=True)]
    (axis,) = overlays.ladder(
        ["length", "action", "run"], [*rows, Series("LSTM", range(3), [2.0, 3, 1], ink=BLUE)]
    ).axes
    one, *lines = axis.lines
    assert set(one.get_ydata()) == {1.0} and axis.get_yscale() == "log"
    assert [curve(line)[1] for line in lines] == [[4.0, 90.0, 1.5], [1.0, 0.9, 1.1], [2.0, 3, 1]]
    assert [line.get_color() for line in lines] == [MUTED, MUTED, BLUE]
    assert lines[1].is_dashed() and not lines[0].is_dashed()
    assert names(axis) == ["length", "action", "run"] and axis.get_ylabel() == "distance / noise floor"
    assert sorted(text.get_text() for text in axis.texts) == ["LSTM", "chain", "truth"]


def test_the_hazard_has_both_curves_and_the_band_of_the_real_one():
    steps = [1, 2, 3]
    curves = {"real": [0.1, 0.2, 0.3], "synthetic": [0.3, 0.2, 0.1], "real/low": [0.05, 0.1, 0.2]}
    curves |= {"real/high": [0.2, 0.3, 0.4], "synthetic/low": [0, 0, 0], "synthetic/high": [1, 1, 1]}
    (axis,) = overlays.hazard(steps, curves).axes
    assert [curve(line) for line in axis.lines] == [[steps, curves["real"]], [steps, curves["synthetic"]]]
    corners = axis.collections[0].get_paths()[0].vertices
    for step, low, high in zip(steps, curves["real/low"], curves["real/high"], strict=True):
        assert {low, high} <= {round(y, 6) for x, y in corners if x == step}
    assert axis.get_ylim()[0] == 0.0 and axis.get_xlabel() == "actions so far"
    assert sorted(text.get_text() for text in axis.texts) == ["real", "synthetic"]


@pytest.mark.parametrize("count", [1, 3, 4])
def test_every_generator_has_a_panel_beside_the_real_hazard(count):
    real = Series("real", [1, 2, 3, 4], [0.1, 0.2, 0.3, 0.9])
    rows = [Series(f"layout {n}", [1, 2], [0.1 * n, 0.2]) for n in range(count)]
    figure = overlays.hazards(real, rows)
    panels = [axis for axis in figure.axes if axis.get_visible()]
    assert [axis.get_title(loc="left") for axis in panels] == [row.name for row in rows]
    for axis, row in zip(panels, rows, strict=True):
        assert [curve(line) for line in axis.lines] == [[real.places, real.values], [row.places, row.values]]
    assert figure.get_supxlabel() == "actions so far" and figure.get_supylabel() == "share that ends here"


def holds_groups(axis):
    diagonal, *intervals, came = axis.lines
    assert curve(diagonal)[0] == curve(diagonal)[1]
    assert [curve(line)[0] for line in intervals] == [[said, said] for said in GROUPS["said"]]
    assert [curve(line)[1] for line in intervals] == np.stack([GROUPS["low"], GROUPS["high"]], 1).tolist()
    assert curve(came) == [GROUPS["said"], GROUPS["came"]]
    assert axis.get_xlim() == axis.get_ylim() and 0.7 < axis.get_xlim()[1] <= 1.0


def test_reliability_has_a_panel_for_every_kind_of_prediction():
    panels = {f"within {days} days": GROUPS for days in (3, 7, 14)}
    figure = overlays.reliabilities(panels, "predicted", "came back")
    assert [axis.get_title(loc="left") for axis in figure.axes] == list(panels)
    assert [axis.get_ylabel() for axis in figure.axes] == ["came back", "", ""]
    for axis in figure.axes:
        holds_groups(axis)
        assert axis.get_xlabel() == "predicted"


def test_calibration_shows_predictions_where_there_are_any_and_the_quantiles_of_lengths():
    ends, quantiles = overlays.calibration(GROUPS, FLAT).axes
    holds_groups(ends)
    assert ends.get_xlabel() == "predicted P(end)"
    (alone,) = overlays.calibration(None, FLAT).axes
    for axis in (quantiles, alone):
        flat, steps = axis.lines
        assert curve(flat)[1] == [0.25, 0.25] and steps.get_drawstyle() == "steps-post"
        assert curve(steps) == [[0.0, 0.25, 0.5, 0.75, 1.0], [*FLAT["share"], 0.4]]
        corners = axis.collections[0].get_paths()[0].vertices
        assert set(np.round(corners[:, 1], 6)) == {0.2, 0.3} and axis.get_ylim()[0] == 0.0
