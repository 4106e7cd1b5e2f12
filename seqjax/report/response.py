"""What a page shows of response predictions."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from seqjax.report import overlays, plots
from seqjax.report.html import cell, drawn, grid, section
from seqjax.report.page import Page, series_of
from seqjax.report.plots import number
from seqjax.report.tables import estimate, spoken

CHANCE = 0.5
AGAINST = {
    "uniform": "any other item",
    "popularity": "an item drawn by popularity",
    "category": "an item of the same category",
}
"""What the targets of each kind of negatives stand against."""


def response_sections(page: Page) -> Sequence[str]:
    """Reliability, AUC by length of history, and AUC by kind of negatives."""
    return (
        section("Do the probabilities mean what they say?", reliability_figure(page)),
        section("AUC by length of history", length_figure(page)),
        section("AUC by what the target stands against", kinds_html(page)),
    )


def reliability_figure(page: Page, came: str = "took it") -> str:
    """What came against what was said."""
    if "reliability" not in page.tables:
        return ""
    figure = overlays.reliabilities({"": page.tables["reliability"]}, "predicted", came)
    caption = (
        f"Samples in twenty groups of like predictions: the mean prediction and the share that {came}, with 95 % "
        f"intervals. Calibration error {number(page.metrics['ece'])}; true probabilities would have "
        f"{number(page.metrics['ece_floor'])}."
    )
    return drawn(figure, "Reliability", caption)


def length_figure(page: Page) -> str:
    """AUC of the model by the number of events that could be seen, with the number of targets."""
    found = (re.fullmatch(r"by_length/((\d+)[^/]*)/auc", name) for name in page.metrics)
    names = sorted((name[1] for name in found if name), key=lambda name: int(re.match(r"\d+", name)[0]))
    if not names:
        return ""
    held = [estimate(page.metrics, f"by_length/{name}/auc") for name in names]
    places = [name.replace("-", "\u2013") for name in names]
    group = series_of(None, places, held)._replace(name="visible events before the target")
    counts = [page.metrics[f"by_length/{name}/targets"] for name in names]
    bottom = min([CHANCE, *group.low])
    figure = plots.breakdown([group], [counts], "AUC", "targets", bottom=bottom)
    caption = "Above: AUC within each group, with 95 % intervals"
    caption += "; the axis begins at chance, .5." if bottom == CHANCE else "; .5 is chance."
    return drawn(figure, "AUC by length of history", caption + " Below: how many targets it has.")


def kinds_html(page: Page) -> str:
    """AUC of the model and of every baseline against each kind of negatives, where there are several."""
    kinds = [found[1] for name in page.metrics if (found := re.fullmatch(r"auc_(\w+)", name))]
    if len(kinds) < 2:
        return ""
    body = []
    for row in page.rows:
        before = "" if row.baseline is None else f"{row.baseline}/"
        cells = [cell(estimate(page.metrics, f"{before}auc_{kind}")) for kind in kinds]
        kind_of_row = ' class="model"' if row.baseline is None else ' class="more"' if row.sees_more else ""
        body.append(f'<tr{kind_of_row}><th scope="row">{html.escape(row.title)}</th>{"".join(cells)}</tr>')
    heads = ["", *(AGAINST.get(kind, spoken(kind, " ")) for kind in kinds)]
    note = "AUC of what users took against items that they never had. .5 is chance."
    return grid(heads, body) + f'<p class="note">{note}</p>'
