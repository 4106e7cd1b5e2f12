"""What a page shows of purchase predictions: whom to select, how early, and what is left at natural prevalence."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from seqjax.evaluate.purchase import REMOVED
from seqjax.report.html import cell, drawn, facts, grid, section
from seqjax.report.page import Page
from seqjax.report.plots import BLUE, MUTED, Series, number
from seqjax.report.response import reliability_figure
from seqjax.report.selection import (
    EARLINESS_CAPTION,
    GAIN_CAPTION,
    LIFT_CAPTION,
    earliness_figure,
    gain_figure,
    lift_figure,
)
from seqjax.report.tables import estimate, label, spoken

SELECTED = ("precision", "recall", "f1", "best_f1", "average_precision", "natural/precision", "natural/f1", "later/auc")


def purchase_sections(page: Page) -> Sequence[str]:
    """Selection at 1:1 and at natural prevalence, gain and lift, earliness, categories, calibration, follow-up."""
    return (
        section("Selecting at even odds", selection_html(page)),
        section("Whom to ask first", gain_html(page), lift_html(page)),
        section("How early", earliness_html(page)),
        section("Category by category", categories_html(page)),
        section("Do the probabilities mean what they say?", reliability_figure(page)),
        section("What the selected do next", followed_html(page)),
    )


def selection_html(page: Page) -> str:
    """Precision, recall and F1 of model and baselines, at 1:1 and at natural prevalence."""
    names = [name for name in SELECTED if name in page.metrics]
    body = []
    for row in page.rows:
        before = "" if row.baseline is None else f"{row.baseline}/"
        cells = "".join(cell(estimate(page.metrics, f"{before}{name}")) for name in names)
        mark = ' class="model"' if row.baseline is None else ""
        body.append(f'<tr{mark}><th scope="row">{html.escape(row.title)}</th>{cells}</tr>')
    share = page.metrics.get("natural/positive")
    note = "Selected: log-odds above 0; best F1: above the threshold that is best on validation. At 1:1, to select all "
    note += (
        f"has precision .5 and F1 .667; at natural prevalence precision {number(share)}. The source article reports "
    )
    note += "precision and recall above .8 at 1:1 on its own data."
    return grid(["", *(label(name) for name in names)], body) + f'<p class="note">{note}</p>'


def curves_of(page: Page, table: str) -> dict[str, list[float]]:
    """The curves of one table, the model's first, under the names of the rows."""
    held = page.tables.get(table, {})
    titles = {row.baseline or "model": row.title for row in page.rows}
    return {titles.get(name, spoken(name)): curve for name, curve in held.items()}


def gain_html(page: Page) -> str:
    """Cumulative gain."""
    curves = curves_of(page, "gain")
    return drawn(gain_figure(curves), "Cumulative gain", GAIN_CAPTION) if curves else ""


def lift_html(page: Page) -> str:
    """Lift by tenths."""
    curves = curves_of(page, "lift")
    return drawn(lift_figure(curves), "Lift", LIFT_CAPTION) if curves else ""


def earliness_html(page: Page) -> str:
    """AUC without the last purchases."""
    curves = {name: curve for name, curve in curves_of(page, "earliness").items() if curve}
    if not curves:
        return ""
    rows = [
        Series(name, list(REMOVED), curve, ink=MUTED if line else BLUE)
        for line, (name, curve) in enumerate(curves.items())
    ]
    return drawn(earliness_figure(rows, "AUC"), "AUC without the last purchases", f"{EARLINESS_CAPTION}.")


def categories_html(page: Page) -> str:
    """AUC of every category, of the model and of the baselines; nothing where there is one category."""
    found = [m[1] for name in page.metrics if (m := re.fullmatch(r"by_category/(.+)/auc", name))]
    if len(found) < 2:
        return ""
    body = []
    for word in sorted(found, key=lambda word: -page.metrics[f"by_category/{word}/auc"]):
        befores = ("" if row.baseline is None else f"{row.baseline}/" for row in page.rows)
        cells = "".join(cell(estimate(page.metrics, f"{before}by_category/{word}/auc")) for before in befores)
        body.append(f'<tr><th scope="row">{html.escape(word.capitalize())}</th>{cells}</tr>')
    note = '<p class="note">ROC-AUC among all users at the moment; .5 is chance.</p>'
    return grid(["", *(row.title for row in page.rows)], body) + note


def followed_html(page: Page) -> str:
    """The share of busy users among the selected, beside two groups that were not."""
    names = {
        "the tenth with the highest scores": "followed/selected",
        "all users": "followed/everybody",
        "other users of like activity": "followed/like_activity",
    }
    if any(name not in page.metrics for name in names.values()):
        return ""
    note = '<p class="note">Share with more than 10 purchases in more than 3 categories in the 15 days after the '
    note += "moment. The source article names 24 % of the selected, without a group to compare with.</p>"
    return facts({title: number(page.metrics[name]) for title, name in names.items()}) + note
