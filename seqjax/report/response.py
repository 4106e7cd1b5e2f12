"""What a page shows of response predictions."""

from __future__ import annotations

import re
from collections.abc import Sequence

from seqjax.report import overlays, plots
from seqjax.report.html import drawn, facts, section
from seqjax.report.page import Page
from seqjax.report.plots import Series, number


def response_sections(page: Page) -> Sequence[str]:
    """Reliability, AUC by length of history, and AUC by kind of negatives."""
    parts = []
    if "reliability" in page.tables:
        figure = overlays.reliabilities({"": page.tables["reliability"]}, "predicted", "took it")
        note = (
            f"Calibration error {number(page.metrics['ece'])}; true probabilities would have "
            f"{number(page.metrics['ece_floor'])}. Bands: 95 %."
        )
        parts.append(section("Do the probabilities mean what they say?", drawn(figure, "Reliability", note)))
    return parts
