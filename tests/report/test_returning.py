"""Predicted returns on a page: a panel for every number of days, every calibration error beside its floor."""

import re

import pytest

from seqjax.report import overlays
from seqjax.report.page import Page
from seqjax.report.plots import number
from seqjax.report.returning import returning_sections
from seqjax.report.tables import comparison_rows

DAYS = (1, 3, 14)


@pytest.fixture
def page():
    """A model with the name <GRU> beside two baselines; days stand in the tables in another order."""
    metrics = {}
    for rank, before in enumerate(("", "hazard/", "truth/")):
        for day in DAYS:
            metrics |= {
                f"{before}brier@{day}": 0.1 + rank / 100,
                f"{before}ece@{day}": (day + rank) / 1000,
                f"{before}ece_floor@{day}": (day + rank) / 3000,
            }
    tables = {
        f"reliability@{day}": {"said": [0.01 * day], "came": [0.2], "low": [0.1], "high": [0.3]} for day in (14, 1, 3)
    }
    rows = comparison_rows(metrics, "<GRU>", ["truth"], ["brier@14"])
    return Page({}, metrics, [], tables, ("brier@14",), rows)


def test_there_is_a_panel_for_every_number_of_days(page, monkeypatch):
    drawn = []
    reliabilities = overlays.reliabilities
    monkeypatch.setattr(overlays, "reliabilities", lambda *given: drawn.append(given) or reliabilities(*given))
    (text,) = returning_sections(page)
    ((panels, *_),) = drawn
    assert list(panels) == ["within 1 day", "within 3 days", "within 14 days"]
    assert [held["said"] for held in panels.values()] == [[0.01], [0.03], [0.14]]
    assert text.count("<svg") == 1


def test_every_row_has_its_calibration_errors_beside_their_floors(page):
    (text,) = returning_sections(page)
    head, *rows = re.findall("<tr.*?</tr>", text)
    assert re.findall('<th scope="col">(.*?)</th>', head) == ["", "within 1 day", "within 3 days", "within 14 days"]
    assert len(rows) == 3 and "model" in rows[0] and "model" not in "".join(rows[1:])
    known = {"&lt;GRU&gt;": "", "hazard": "hazard/", "truth \u2020": "truth/"}
    for row, (title, before) in zip(rows, known.items(), strict=True):
        assert f'<th scope="row">{title}</th>' in row
        pairs = re.findall(r"<td>(\S+) <small>\((\S+)\)</small></td>", row)
        names = [(f"{before}ece@{day}", f"{before}ece_floor@{day}") for day in DAYS]
        assert pairs == [tuple(number(page.metrics[name]) for name in pair) for pair in names]


def test_a_run_without_reliability_has_no_such_part(page):
    assert returning_sections(page._replace(tables={"length": {"value": [1]}})) == ()
