"""What a page shows of a study of early prediction: AUC by how many of the last purchases are taken away."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

from seqjax.evaluate.purchase import REMOVED
from seqjax.report.finished import Finished
from seqjax.report.html import cell, drawn, grid, section
from seqjax.report.plots import BLUE, MUTED, Series
from seqjax.report.seeds import mean_over
from seqjax.report.selection import EARLINESS_CAPTION, earliness_figure
from seqjax.report.tables import spoken


def earliness_sections(results: Mapping[str, Mapping[int, Finished]]) -> Sequence[str]:
    """AUC without the last n purchases, mean over seeds, for every experiment and the baselines of the first.

    Experiments whose names end in "shifted", trained with that augmentation, are blue. One that recorded no curve is
    left out.
    """
    rows, body = [], []
    for title, curves in curves_of(results).items():
        held = [mean_over(column) for column in zip(*curves, strict=True)]
        blue = BLUE if title.endswith("shifted") else MUTED
        ends = (None, None) if held[0].low is None else ([e.low for e in held], [e.high for e in held])
        rows.append(Series(title, list(REMOVED), [e.value for e in held], *ends, ink=blue))
        body.append(f'<tr><th scope="row">{html.escape(title)}</th>{"".join(map(cell, held))}</tr>')
    if not rows:
        return ()
    heads = ["removed", *map(str, REMOVED)]
    caption = EARLINESS_CAPTION + ("; means over seeds with 95 % t-intervals." if rows[0].low else "; one seed.")
    figure = drawn(earliness_figure(rows, "AUC"), "AUC without the last purchases", caption)
    return (section("How early", figure, grid(heads, body)),)


def curves_of(results: Mapping[str, Mapping[int, Finished]]) -> dict[str, list[Sequence[float]]]:
    """The curves of every seed by title, experiments first, then the baselines of the first one."""
    found: dict[str, list[Sequence[float]]] = {}
    for number, (key, runs) in enumerate(results.items()):
        for run in runs.values():
            for name, curve in run.tables.get("earliness", {}).items():
                if curve and (name == "model" or number == 0):
                    found.setdefault(spoken(key if name == "model" else name, " "), []).append(curve)
    return found
