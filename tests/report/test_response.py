"""Response predictions on a page: reliability, areas by length of history, and by what targets stand against."""

import re

import pytest

from seqjax.report import overlays, plots
from seqjax.report.page import Page
from seqjax.report.response import response_sections
from seqjax.report.tables import comparison_rows

KINDS = ("uniform", "popularity", "other_shop")
LENGTHS = ("1000+", "1-4", "0", "10-19")
RELIABILITY = {"said": [0.1, 0.4], "came": [0.2, 0.5], "low": [0.1, 0.4], "high": [0.3, 0.6]}


def page_of(**changes):
    """A model with the name <HPMN> beside two baselines, of which one sees more; lengths in no order."""
    metrics = {"ece": 0.0123, "ece_floor": 0.0045}
    for rank, before in enumerate(("", "popularity/", "truth/")):
        metrics |= {f"{before}auc": 0.8 - rank / 10, f"{before}auc/low": 0.79, f"{before}auc/high": 0.81}
        metrics |= {f"{before}auc_{kind}": 0.7 - rank / 10 - place / 100 for place, kind in enumerate(KINDS)}
    for place, name in enumerate(LENGTHS):
        area = 0.6 + place / 100
        numbers = {"auc": area, "auc/low": area - 0.05, "auc/high": area + 0.05, "targets": 100.0 * place}
        metrics |= {f"by_length/{name}/{key}": value for key, value in numbers.items()}
    metrics |= changes.pop("metrics", {})
    rows = comparison_rows(metrics, "<HPMN>", ["truth"], ["auc"])
    return Page({}, metrics, [], {"reliability": RELIABILITY}, ("auc",), rows)._replace(**changes)


@pytest.fixture
def drawings(monkeypatch):
    """What the figures of a page were asked to draw, by name of the figure."""
    held = {}
    for room, name in ((overlays, "reliabilities"), (plots, "breakdown")):
        figure = getattr(room, name)

        def draw(*given, figure=figure, name=name, **keywords):
            held[name] = (given, keywords)
            return figure(*given, **keywords)

        monkeypatch.setattr(room, name, draw)
    return held


def test_reliability_is_one_panel_with_the_error_and_its_floor(drawings):
    text = response_sections(page_of())[0]
    assert drawings["reliabilities"][0] == ({"": RELIABILITY}, "predicted", "took it")
    assert text.count("<svg") == 1
    assert "Calibration error .012; true probabilities would have .0045." in text


def test_groups_of_length_come_in_order_with_intervals_and_sizes(drawings):
    text = response_sections(page_of())[1]
    ((group,), (count,), *labels), keywords = drawings["breakdown"]
    assert list(group.places) == ["0", "1\u20134", "10\u201319", "1000+"] and labels == ["AUC", "targets"]
    assert list(group.values) == [0.62, 0.61, 0.63, 0.6] and count == [200.0, 100.0, 300.0, 0.0]
    assert list(group.low) == pytest.approx([0.57, 0.56, 0.58, 0.55])
    assert list(group.high) == pytest.approx([0.67, 0.66, 0.68, 0.65])
    assert keywords == {"bottom": 0.5} and "the axis begins at chance, .5." in text


def test_areas_below_chance_are_not_cut_off(drawings):
    text = response_sections(page_of(metrics={"by_length/0/auc": 0.41, "by_length/0/auc/low": 0.38}))[1]
    assert drawings["breakdown"][1] == {"bottom": 0.38} and "; .5 is chance." in text
    figure = plots.breakdown(*drawings["breakdown"][0], bottom=0.38)
    assert figure.axes[0].get_ylim()[0] == 0.38


def test_every_row_has_its_area_against_every_kind():
    text = response_sections(page_of())[2]
    head, *rows = re.findall("<tr.*?</tr>", text)
    heads = ["", "any other item", "an item drawn by popularity", "other shop"]
    assert re.findall('<th scope="col">(.*?)</th>', head) == heads
    assert [re.findall("<td>(.*?)</td>", row) for row in rows] == [
        [".700", ".690", ".680"],
        [".600", ".590", ".580"],
        [".500", ".490", ".480"],
    ]
    names = [re.search('<th scope="row">(.*?)</th>', row)[1] for row in rows]
    assert names == ["&lt;HPMN&gt;", "popularity", "truth \u2020"]
    assert ['class="model"' in row for row in rows] == [True, False, False]
    assert ['class="more"' in row for row in rows] == [False, False, True]


def test_what_was_not_judged_has_no_part():
    page = page_of()
    alone = {name: value for name, value in page.metrics.items() if not re.search("by_length|auc_(?!uniform)", name)}
    assert list(response_sections(page._replace(metrics=alone, tables={}))) == ["", "", ""]
    assert response_sections(page._replace(metrics=alone))[0]  # one kind alone is the comparison's own
