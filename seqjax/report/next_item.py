"""What a page shows of a next-item run beside the comparison."""

from __future__ import annotations

import re
from collections.abc import Sequence

from seqjax.report import plots
from seqjax.report.html import drawn, section
from seqjax.report.page import Page, series_of
from seqjax.report.tables import estimate, spoken


def next_item_sections(page: Page) -> Sequence[str]:
    """Recall by length of the list, and by position and popularity of the target."""
    return (
        section("Recall by length of the list", cutoff_figure(page)),
        section("Recall by position and popularity", breakdown_figure(page)),
    )


def cutoff_figure(page: Page) -> str:
    """Recall of the model and its baselines against the cut-off."""
    metrics, rows = page.metrics, page.rows
    cutoffs = sorted({int(found[1]) for name in metrics if (found := re.fullmatch(r"recall@(\d+)", name))})
    if len(cutoffs) < 2:
        return ""
    series = []
    for row in rows:
        before = "" if row.baseline is None else f"{row.baseline}/"
        held = {place: estimate(metrics, f"{before}recall@{place}") for place in cutoffs}
        held = {place: recall for place, recall in held.items() if recall.value is not None}
        series.append(series_of(row, list(held), list(held.values())))
    figure = plots.curves([row for row in series if row.places], "cut-off: items recommended", "recall")
    return drawn(figure, "Recall against cut-off", "Share of next items that are among the recommended ones.")


def breakdown_figure(page: Page) -> str:
    """Recall of the model by position in the sequence and by popularity of the target, with the number of targets."""
    metrics, cutoff = page.metrics, page.headline[0].partition("@")[2]
    groups, counts = [], []
    labels = {"by_position": "position of the target in its sequence", "by_popularity": "popularity of the target"}
    for kind, label in labels.items():
        pattern = re.compile(rf"{kind}/([^/]+)/recall@{cutoff}")
        names = [found[1] for name in metrics if (found := pattern.fullmatch(name))]
        names.sort(key=lambda name: int(found[0]) if (found := re.match(r"\d+", name)) else 0)  # stable for words
        held = [estimate(metrics, f"{kind}/{name}/recall@{cutoff}") for name in names]
        if names:
            groups.append(series_of(None, [spoken(name, " ") for name in names], held)._replace(name=label))
            counts.append([metrics.get(f"{kind}/{name}/targets", 0) for name in names])
    if not groups:
        return ""
    figure = plots.breakdown(groups, counts, f"recall@{cutoff}", "targets")
    return drawn(
        figure, "Recall by position and popularity", "Above: recall within each group. Below: how many targets it has."
    )
