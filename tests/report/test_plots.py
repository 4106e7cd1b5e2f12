import re
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest

from seqjax.report import plots
from seqjax.report.plots import BLUE, Series

ROWS = [
    Series("model", ["recall", "difference"], [0.22, 0.0], [0.21, 0.0], [0.23, 0.0], BLUE),
    Series("a < $b$", ["recall"], [0.2], [0.19], [0.21], hollow=True),
]
CURVES = [Series("one", [1, 5, 20], [0.1, 0.2, 0.3]), Series("two", [1, 5, 20], [0.1, 0.2, 0.301])]
GROUPS = [Series("position", ["2", "3", "4+"], [0.1, 0.2, 0.3]), Series("popularity", ["head"], [0.3])]


@pytest.mark.parametrize(
    "figure",
    [
        plots.comparison(ROWS, zero=["difference"]),
        plots.curves(CURVES, "cut-off", "recall"),
        plots.training(
            Series("chunk", [1, 2], [3.0, 2.0]), Series("epoch", [2], [2.5]), [Series("recall", [1], [0.1])]
        ),
        plots.training(Series("chunk", [], []), Series("epoch", [], [])),
        plots.breakdown(GROUPS, [[3, 2, 1], [6]], "recall", "targets"),
    ],
    ids=["comparison", "curves", "training", "untrained", "breakdown"],
)
def test_svg_stands_alone_and_follows_the_page(figure):
    text = plots.svg(figure, "a figure")
    assert text.startswith("<svg role=") and text.count("<svg") == text.count("</svg>") == 1
    assert not re.search(r"https?:|xlink|<style|<metadata|<image", text)
    assert "var(--ink, #1f2328)" in text and "black" not in text
    used, there = (set(re.findall(pattern, text)) for pattern in (r'(?:href="|url\()#([^")]+)', r' id="([^"]*)"'))
    assert used == there


def test_names_from_data_are_written_as_they_are():
    assert "a &lt; $b$</text>" in plots.svg(plots.comparison(ROWS), "a figure")


def test_every_axis_has_a_label():
    for figure in (plots.curves(CURVES, "cut-off", "recall"), plots.comparison(ROWS)):
        assert all(axis.get_xlabel() for axis in figure.axes)
    above, _, below, _ = plots.breakdown(GROUPS, [[3, 2, 1], [6]], "recall", "targets").axes
    assert (above.get_ylabel(), below.get_ylabel(), below.get_xlabel()) == ("recall", "targets", "position")


def test_the_best_epoch_is_the_lowest_of_what_shall_fall():
    metrics = [Series(name, [1, 2, 3], [0.3, 0.1, 0.2]) for name in ("recall", "log-loss")]
    figure = plots.training(Series("chunk", [], []), Series("epoch", [], []), metrics, ["log-loss"])
    assert [[text.get_text() for text in axis.texts] for axis in figure.axes[1:]] == [[".300"], [".100"]]


def test_names_at_line_ends_do_not_overlap():
    figure = plots.curves([Series(str(n), [1, 20], [0.1, 0.2 + n / 1e4]) for n in range(5)], "cut-off", "recall")
    figure.draw_without_rendering()
    boxes = sorted((label.get_window_extent() for label in figure.axes[0].texts), key=lambda box: box.y0)
    assert len(boxes) == 5
    assert all(lower.y1 <= upper.y0 for lower, upper in pairwise(boxes))


def test_ids_differ_between_the_figures_of_a_page_and_repeat_between_runs():
    first, again, other = (plots.svg(plots.curves(CURVES, "x", "y"), title) for title in ("a", "a", "b"))
    assert first == again
    names = [set(re.findall(r' id="([^"]*)"', text)) for text in (first, other)]
    assert names[0] and not names[0] & names[1]


def test_figures_leave_matplotlib_as_it_was():
    code = """if True:
        import sys, matplotlib
        from seqjax.report import plots
        before = [matplotlib.rcParams[name] for name in plots.STYLE]
        plots.svg(plots.curves([plots.Series("one", [1, 2], [0.1, 0.2])], "x", "y"), "a")
        assert before == [matplotlib.rcParams[name] for name in plots.STYLE]
        assert "matplotlib.pyplot" not in sys.modules
    """
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.99961, "1.000"),
        (-0.0004, "\u2212.00040"),
        (0.0, ".000"),
        (-6e-6, "\u22126.0e-6"),
        (12.5, "12.500"),
        (np.nan, "not finite"),
    ],
)
def test_number(value, text):
    assert plots.number(value) == text


def test_ticks_drop_only_the_zero_before_the_point():
    axis = plots.curves([Series("large", [1, 2], [-0.5, 10.5])], "x", "y").axes[0]
    written = [axis.yaxis.get_major_formatter()(value, 0) for value in (-0.5, 0.0, 0.05, 10.5)]
    assert written == ["\u2212.5", "0", ".05", "10.5"]
