"""What a page shows of classes of profiles: features, groups, undecided profiles, shares, and the network itself."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from seqjax.data.layers import HiddenUnit, Layers, contributions, rebuilt
from seqjax.report.html import cell, drawn, facts, grid, section
from seqjax.report.network import decision_drawing, hidden_table, network_drawing
from seqjax.report.page import Page
from seqjax.report.plots import BLUE, Series, curves, number
from seqjax.report.response import reliability_figure
from seqjax.report.tables import Estimate, estimate, spoken, written

LINKS, SHOWN = 200, 12
SHARES = {
    "share/true": "in the judged profiles",
    "share/counted": "counted, as the classifier decides",
    "share/adjusted": "adjusted for its error rates on validation",
    "share/calibrated": "from probabilities, calibrated on validation",
}


def profile_sections(page: Page) -> Sequence[str]:
    """Features, groups, undecided profiles, the share of an audience, calibration, and drawings of the network."""
    return (
        section("What tells the classes apart", features_html(page)),
        section("On whom it errs", groups_html(page)),
        section("Deciding only when sure", abstention_html(page)),
        section("The share of an audience", shares_html(page)),
        section("Do the probabilities mean what they say?", reliability_figure(page, f"is {classes_of(page)[1]}")),
        section("The network", network_html(page)),
        section("One decision", decision_html(page)),
    )


def classes_of(page: Page) -> tuple[str, str]:
    """The names of the negative and the positive class."""
    found = [m[1] for name in page.metrics if (m := re.fullmatch(r"by_class/(.+)/accuracy", name))]
    told = (page.manifest.get("data") or {}).get("notes", {}).get("classes", "")
    named = tuple(told.split(" | ")) if told else ()
    return named if len(named) == 2 else (*found, "0", "1")[:2]


def features_html(page: Page) -> str:
    """The most informative features, and those most typical of either class."""
    negative, positive = classes_of(page)
    titles = {
        "informative": "Most informative, by mutual information in nats",
        "positive": f"Most typical of {positive}",
        "negative": f"Most typical of {negative}",
    }
    parts = []
    for name, title in titles.items():
        table = page.tables.get(f"features_{name}")
        if table:
            rows = zip(*(table[k] for k in ("words", "score", "probability", "low", "high", "count")), strict=True)
            body = [
                f'<tr><th scope="row">{html.escape(str(word))}</th><td>{number(score)}</td>'
                f"{cell(Estimate(share, low, high))}<td>{count:,}</td></tr>"
                for word, score, share, low, high, count in rows
            ]
            heads = ["feature", "score", f"P({positive} | feature)", "profiles"]
            parts.append(f"<div><h3>{html.escape(title)}</h3>{grid(heads, body[:SHOWN])}</div>")
    note = '<p class="note">Of the selected features, counted in training; intervals are Wilson\'s.</p>'
    return f'<div class="beside">{"".join(parts)}</div>{note}' if parts else ""


def groups_html(page: Page) -> str:
    """Accuracy by class and by what else is known of the profiles."""
    pattern = re.compile(r"by_([^/]+)/(.+)/accuracy")
    found = [m.groups() for name in page.metrics if (m := pattern.fullmatch(name))]
    body = []
    for kind, value in found:
        title, held = f"{spoken(kind, ' ')}: {value}", estimate(page.metrics, f"by_{kind}/{value}/accuracy")
        body.append(f'<tr><th scope="row">{html.escape(title)}</th>{cell(held)}</tr>')
    note = '<p class="note">Share decided rightly within each group; the accuracy of a class is its recall. Two labels '
    note += "do not describe everybody: use groups, not single people.</p>"
    return grid(["", "accuracy"], body) + note if body else ""


def abstention_html(page: Page) -> str:
    """Accuracy of what is decided, by the share that is."""
    table = page.tables.get("abstention")
    if not table:
        return ""
    order = np.argsort(table["coverage"])
    held = [[float(table[name][place]) for place in order] for name in ("accuracy", "low", "high")]
    places = [round(100 * table["coverage"][place]) for place in order]
    row = Series("decided rightly", places, *held, ink=BLUE)
    bottom = min(0.5, *held[1])
    figure = curves([row], "% of profiles that are decided", "accuracy", bottom=bottom)
    caption = "Profiles whose probability is nearest to one half are left undecided first. 95 % intervals."
    return drawn(figure, "Accuracy by coverage", caption)


def shares_html(page: Page) -> str:
    """The share of the positive class in the judged profiles: true, counted, corrected."""
    held = {title: written(estimate(page.metrics, name)) for name, title in SHARES.items() if name in page.metrics}
    if len(held) < 2:
        return ""
    note = f'<p class="note">Share of {html.escape(classes_of(page)[1])}, with 95 % intervals for the population that '
    return facts(held) + note + "the profiles are drawn from.</p>"


def network_html(page: Page) -> str:
    """The strongest links, and what the hidden units do."""
    table = page.tables.get("network")
    if not table:
        return ""
    layers, named = rebuilt(table), dict(zip(map(int, table["names"][0]), table["names"][1], strict=True))
    names = [named.get(place, "") for place in range(layers.sizes[0])]
    threshold = drawn_from(layers.weights, 0.8)
    held = page.tables.get("hidden_units") or {}
    units = [HiddenUnit(*row) for row in zip(*(held[name] for name in HiddenUnit._fields), strict=True)] if held else []
    drawing = network_drawing(
        layers, names, classes_of(page), threshold=threshold, links=LINKS if units else LINKS // 4
    )
    return f"<figure>{drawing}</figure>" + hidden_table(units, classes_of(page))


def drawn_from(links: Sequence[Float[np.ndarray, "..."]], threshold: float, least: int = 30) -> float:
    """The size from which links are drawn: `threshold`, or less where fewer than `least` links exceed it."""
    sizes = np.sort(np.abs(np.concatenate([part.ravel() for part in links])))[::-1]
    at = sizes[min(least, len(sizes)) - 1]
    return threshold if at > threshold else float(f"{at:.1g}") * 0.9


def decision_html(page: Page) -> str:
    """How the network decided about one profile."""
    table = page.tables.get("decision")
    if not table:
        return ""
    layers = Layers(*(tuple(np.array(one) for one in table[name]) for name in ("weights", "biases")))
    present = range(layers.sizes[0])
    threshold = drawn_from(contributions(layers, np.ones(len(present))), 0.3)
    drawing = decision_drawing(layers, table["names"], present, classes_of(page), threshold=threshold, links=LINKS)
    return f"<figure>{drawing}<figcaption>A judged profile of the median number of features.</figcaption></figure>"
