"""Purchase predictions on a page: every number where it belongs, and no part of what was not judged."""

import re

import numpy as np
import pytest

from seqjax.evaluate.purchase import REMOVED
from seqjax.report import purchase as module
from seqjax.report.page import Page
from seqjax.report.plots import BLUE, MUTED, number
from seqjax.report.purchase import SELECTED, purchase_sections
from seqjax.report.selection import GAIN_CAPTION, LIFT_CAPTION
from seqjax.report.tables import comparison_rows

RELIABILITY = {"said": [0.1, 0.4], "came": [0.2, 0.5], "low": [0.1, 0.4], "high": [0.3, 0.6]}
CATEGORIES = ("CAT FOOD", "<BABY FOODS>", "MEAT/POULTRY")
ROWS = {"": 0.9, "purchase_trees/": 0.8, "truth/": 0.7}
TITLES = ["&lt;CNN&gt;", "purchase-trees", "truth \u2020"]


def page_of(categories=CATEGORIES, rows=ROWS, early=True):
    """A model with the name <CNN> beside baselines, of which one sees more."""
    metrics = {"ece": 0.0123, "ece_floor": 0.0045, "natural/positive": 0.0625}
    for before, level in rows.items():
        names = ("auc", *SELECTED, "natural/auc")
        metrics |= {f"{before}{name}": level - place / 100 for place, name in enumerate(names)}
        metrics |= {
            f"{before}by_category/{word}/auc": level - 0.3 + place / 10 for place, word in enumerate(categories)
        }
    metrics |= {f"followed/{group}": 0.2 - place / 20 for place, group in enumerate(GROUPS)}
    metrics |= {f"removed/{n}/auc": 0.9 - n / 100 for n in REMOVED if early}
    names = {before: before[:-1] or "model" for before in rows}
    tables = {
        "gain": {name: np.linspace(0, 1, 21).tolist() for name in names.values()},
        "lift": {name: np.linspace(2, 0, 10).tolist() for name in names.values()},
        "earliness": {name: [rows[b] - n / 100 for n in REMOVED] if early else [] for b, name in names.items()},
        "reliability": RELIABILITY,
    }
    held = comparison_rows(metrics, "<CNN>", ["truth"], ["auc"])
    return Page({}, metrics, [], tables, ("auc",), held)


GROUPS = ("selected", "everybody", "like_activity")


def cells(text):
    """The rows of a table: name and cells."""
    rows = re.findall("<tr.*?</tr>", text)[1:]
    return {re.search('<th scope="row">(.*?)</th>', row)[1]: re.findall("<td>(.*?)</td>", row) for row in rows}


@pytest.fixture
def drawings(monkeypatch):
    """What the figures of a page were asked to draw, by name of the figure."""
    held = {}
    for name in ("gain_figure", "lift_figure", "earliness_figure"):
        figure = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *given, f=figure, n=name: held.update({n: given}) or f(*given))
    return held


def test_a_page_has_six_sections():
    parts = purchase_sections(page_of())
    assert len(parts) == 6 and all(part.startswith("<section><h2>") for part in parts)
    assert [part.count("<svg") for part in parts] == [0, 2, 1, 0, 1, 0]


def test_sets_and_curves_are_no_baselines():
    assert [row.title for row in page_of().rows] == ["<CNN>", "purchase-trees", "truth \u2020"]


def test_selection_at_even_odds_and_at_natural_prevalence():
    page, text = page_of(), purchase_sections(page_of())[0]
    heads = re.findall('<th scope="col">(.*?)</th>', text)
    assert heads == ["", *"precision|recall|f1|best f1|average precision".split("|"), *heads[6:]]
    assert heads[6:] == ["natural precision", "natural f1", "later auc"]
    assert cells(text) == {
        title: [number(page.metrics[f"{before}{name}"]) for name in SELECTED]
        for title, before in zip(TITLES, ROWS, strict=True)
    }
    assert text.count('class="model"') == 1 and "at natural prevalence precision .062" in text


def test_what_was_not_judged_has_no_column():
    page = page_of()
    numbers = {name: value for name, value in page.metrics.items() if "later" not in name}
    text = purchase_sections(page._replace(metrics=numbers))[0]
    assert "later" not in text and {len(row) for row in cells(text).values()} == {len(SELECTED) - 1}


def test_gain_and_lift_name_the_rows(drawings):
    page = page_of()
    text = purchase_sections(page)[1]
    for name, caption in (("gain", GAIN_CAPTION), ("lift", LIFT_CAPTION)):
        ((curves,),) = (drawings[f"{name}_figure"],)
        assert list(curves) == ["<CNN>", "purchase-trees", "truth \u2020"] and caption in text
        assert list(curves.values()) == list(page.tables[name].values())


def test_earliness_begins_with_the_model_and_has_no_intervals(drawings):
    page = page_of()
    text = purchase_sections(page)[2]
    rows, label = drawings["earliness_figure"]
    assert [(row.name, row.ink) for row in rows] == [
        ("<CNN>", BLUE),
        ("purchase-trees", MUTED),
        ("truth \u2020", MUTED),
    ]
    assert label == "AUC" and all(row.places == list(REMOVED) and row.low is None for row in rows)
    assert rows[0].values == pytest.approx([page.metrics[f"removed/{n}/auc"] for n in REMOVED])
    assert "interval" not in text


def test_without_earliness_there_is_no_part_of_it():
    parts = purchase_sections(page_of(early=False))
    assert not parts[2] and all(part for place, part in enumerate(parts) if place != 2)


def test_categories_stand_in_the_order_of_the_model():
    page, text = page_of(), purchase_sections(page_of())[3]
    assert re.findall('<th scope="col">(.*?)</th>', text) == ["", *TITLES]
    held = cells(text)
    assert list(held) == ["Meat/poultry", "&lt;baby foods&gt;", "Cat food"]
    for word, row in zip(reversed(CATEGORIES), held.values(), strict=True):
        assert row == [number(page.metrics[f"{before}by_category/{word}/auc"]) for before in ROWS]


def test_one_category_has_no_table_of_its_own():
    assert purchase_sections(page_of(CATEGORIES[:1]))[3] == ""


def test_reliability_is_that_of_responses():
    assert "Calibration error .012; true probabilities would have .0045." in purchase_sections(page_of())[4]


def test_the_followed_stand_beside_two_groups():
    text = purchase_sections(page_of())[5]
    assert re.findall("<dd>(.*?)</dd>", text) == [".200", ".150", ".100"]
    assert re.findall("<dt>(.*?)</dt>", text)[0] == "the tenth with the highest scores"


def test_a_model_alone():
    parts = purchase_sections(page_of(rows={"": 0.9}))
    assert list(cells(parts[0])) == ["&lt;CNN&gt;"] and [part.count("<svg") for part in parts] == [0, 2, 1, 0, 1, 0]


def test_a_run_without_any_of_it():
    page = page_of(categories=())
    few = {name: value for name, value in page.metrics.items() if "followed" not in name}
    assert list(purchase_sections(page._replace(metrics=few, tables={})))[1:] == [""] * 5
