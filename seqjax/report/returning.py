"""What a page shows of predicted returns."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from seqjax.report import overlays
from seqjax.report.html import drawn, grid, section
from seqjax.report.page import Page
from seqjax.report.plots import number


def returning_sections(page: Page) -> Sequence[str]:
    """Reliability of P(back within d days) for every d, and calibration errors beside their floors."""
    days = sorted(int(found[1]) for name in page.tables if (found := re.fullmatch(r"reliability@(\d+)", name)))
    if not days:
        return ()
    panels = {f"within {day} day{'s' * (day > 1)}": page.tables[f"reliability@{day}"] for day in days}
    caption = "Visits in twenty groups of like predictions: the mean prediction and the share that came back, 95 %."
    figure = drawn(overlays.reliabilities(panels, "predicted", "came back"), "Reliability", caption)
    return (section("Do the probabilities mean what they say?", figure, calibration_html(page, days)),)


def calibration_html(page: Page, days: Sequence[int]) -> str:
    """Calibration errors of the model and of the baselines, and what true probabilities would have."""
    body = []
    for row in page.rows:
        before = "" if row.baseline is None else f"{row.baseline}/"
        cells = [
            f"{number(page.metrics[f'{before}ece@{day}'])} <small>({number(page.metrics[f'{before}ece_floor@{day}'])})"
            "</small>"
            for day in days
        ]
        kind = ' class="model"' if row.baseline is None else ""
        title, row_of_cells = html.escape(row.title), "".join(f"<td>{text}</td>" for text in cells)
        body.append(f'<tr{kind}><th scope="row">{title}</th>{row_of_cells}</tr>')
    note = "Expected calibration error; in brackets what the same probabilities would have if they were true."
    heads = ["", *(f"within {day} day{'s' * (day > 1)}" for day in days)]
    return grid(heads, body) + f'<p class="note">{note}</p>'
