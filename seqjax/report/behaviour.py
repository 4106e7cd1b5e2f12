"""What a page shows of a behaviour generator, or of two sets of series whoever made them."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

import numpy as np
from rich.table import Table

from seqjax.report import overlays
from seqjax.report.finished import Finished
from seqjax.report.html import drawn, facts, grid, section, sheet
from seqjax.report.page import Page, everything_html
from seqjax.report.plots import BLUE, MUTED, Series, number
from seqjax.report.tables import estimate, spoken, terminal_table, written

NAMES = (
    *("length", "action", "bigram", "trigram", "4-gram", "5-gram", "6-gram"),
    *("lag 2", "lag 3", "lag 4", "lag 5", "run"),
)
DRAWN = ("length", "action", "bigram")  # the three plots
LABELS = {
    "length": "actions in a series",
    "action": "action",
    "bigram": "two symbols in a row",
    "run": "length of a run of one action",
}
BITS = 1.0 / float(np.log(2.0))


def behaviour_sections(page: Page) -> Sequence[str]:
    """Distances with their floors, the plots, calibration, and signs of learning by heart."""
    peers = [row for row in page.rows[1:] if f"{row.baseline}/jsd/length" in page.metrics]
    return series_sections(page.metrics, page.tables, page.rows[0].title, {row.title: row.baseline for row in peers})


def fidelity_page(title: str, below: str, metrics: Mapping[str, float], tables: Mapping[str, Mapping]) -> str:
    """The page of `seqjax fidelity`: two sets of series, whoever made them."""
    parts = [*series_sections(metrics, tables, "synthetic", {}), section("All numbers", everything_html(metrics))]
    return sheet(title, summary(metrics), below, parts)


def series_sections(
    metrics: Mapping[str, float], tables: Mapping[str, Mapping], title: str, peers: Mapping[str, str]
) -> Sequence[str]:
    """The parts of a page on two sets of series, the synthetic one called `title`; distances of `peers` (baselines by
    their titles) are drawn too.
    """
    names = [name for name in NAMES if f"jsd/{name}" in metrics]
    if not names:
        return ()
    three = [overlaid(name, metrics, tables) for name in DRAWN]
    return (
        section("The three distributions", f"<p>{html.escape(summary(metrics))}</p>", *three),
        section("Distances and noise floors", distances_html(metrics, names), ladder_html(metrics, title, peers)),
        section("When a series ends", hazard_html(tables), calibration_html(metrics, tables), ending_html(metrics)),
        section("Runs of one action", overlaid("run", metrics, tables)),
        section("New, or learned by heart", heart_html(metrics)),
    )


def summary(metrics: Mapping[str, float]) -> str:
    """One sentence on how many distributions lie near their floor, and which is the farthest from it."""
    ratios = {name: ratio(metrics, name) for name in NAMES if f"jsd/{name}" in metrics}
    near = sum(value <= 2.0 for value in ratios.values())
    worst = max(ratios, key=ratios.__getitem__)
    farthest = f"farthest is {worst} at {ratios[worst]:.1f} x its floor"
    if ratios[worst] == float("inf"):
        farthest = f"{worst} never varies among the real series, but does among the synthetic ones"
    return f"{near} of {len(ratios)} distributions lie within twice their noise floor; {farthest}."


def ratio(metrics: Mapping[str, float], name: str, peer: str = "") -> float:
    """A distance over its floor; 1 where both are 0."""
    jsd, floor = metrics[f"{peer}jsd/{name}"], metrics[f"floor/{name}"]
    return jsd / floor if floor > 0.0 else 1.0 if jsd == 0.0 else float("inf")


def times(value: float, digits: int = 2) -> str:
    """A multiple as text."""
    return f"{value:.{digits}f}" if np.isfinite(value) else "\u221e"


def ladder_html(metrics: Mapping[str, float], title: str, peers: Mapping[str, str]) -> str:
    """Distances over floors: of the baselines in grey, of the judged set in blue."""
    sets = {**peers, title: ""}
    known = [name for name in NAMES if metrics.get(f"floor/{name}", 0.0) > 0.0]
    names = [name for name in known if all(metrics[f"{before(peer)}jsd/{name}"] > 0.0 for peer in sets.values())]
    if not names:
        return ""
    rows = []
    for name_of_set, peer in sets.items():
        ratios = [ratio(metrics, name, before(peer)) for name in names]
        ink = MUTED if peer else BLUE
        rows.append(Series(name_of_set, range(len(names)), ratios, ink=ink, hollow=peer == "truth"))
    caption = (
        "Jensen-Shannon divergence over the floor: what two samples of real series of these sizes have. Above about 2 "
        "a difference is real, whatever its size."
    )
    return drawn(overlays.ladder(names, rows), "Distances", caption)


def before(peer: str) -> str:
    """What stands before the names of a baseline's numbers."""
    return f"{peer}/" if peer else ""


def overlaid(name: str, metrics: Mapping[str, float], tables: Mapping[str, Mapping]) -> str:
    """One distribution of both sets, with its distance in nats and bits and the floor."""
    if not (held := tables.get(name)):
        return ""
    jsd, floor = metrics[f"jsd/{name}"], metrics[f"floor/{name}"]
    caption = (
        f"JSD {number(jsd)} nats ({number(BITS * jsd)} bits), {times(ratio(metrics, name), 1)} x the floor of "
        f"{number(floor)}; as far apart by chance: p = {number(metrics[f'p/{name}'])}."
    )
    if name in ("action", "bigram") and sum(held["real"]) < 0.995:
        caption += f" The {len(held['value'])} most frequent kinds are shown, {sum(held['real']):.0%} of the real ones."
    figure = overlays.overlay(held["value"], held["real"], held["synthetic"], LABELS[name])
    return drawn(figure, f"Distribution of {LABELS[name]}", caption)


def distances_html(metrics: Mapping[str, float], names: Sequence[str]) -> str:
    """Every distance beside its floor."""
    body = []
    for name in names:
        jsd, floor, p = (metrics[f"{kind}/{name}"] for kind in ("jsd", "floor", "p"))
        cells = (number(jsd), number(BITS * jsd), number(floor), times(ratio(metrics, name)), number(p))
        body.append(f'<tr><th scope="row">{name}</th>{"".join(f"<td>{text}</td>" for text in cells)}</tr>')
    note = (
        "Floor: median distance of two samples of real series. p: share of shuffles of whole series between the sets "
        "that are as far apart. With many series a small p can go with a difference too small to matter."
    )
    heads = ["", "JSD, nats", "bits", "floor, nats", "JSD / floor", "p"]
    return grid(heads, body) + f'<p class="note">{note}</p>'


def distances_table(metrics: Mapping[str, float]) -> Table:
    """Every distance beside its floor, for the terminal."""
    table = terminal_table("", ["JSD, nats", "floor, nats", "JSD / floor", "p"])
    for name in NAMES:
        if f"jsd/{name}" in metrics:
            jsd, floor, p = (number(metrics[f"{kind}/{name}"]) for kind in ("jsd", "floor", "p"))
            table.add_row(name, jsd, floor, times(ratio(metrics, name)), p)
    table.caption = summary(metrics)
    return table


def hazard_html(tables: Mapping[str, Mapping]) -> str:
    """The share of series that end after so many actions."""
    held = tables.get("hazard")
    if not held or len(held["actions"]) < 2:
        return ""
    figure = overlays.hazard(held["actions"], held)
    return drawn(figure, "Hazard", "Of the series that have so many actions, the share that ends there; band: 95 %.")


def calibration_html(metrics: Mapping[str, float], tables: Mapping[str, Mapping]) -> str:
    """Reliability of P(end), where it was predicted, and the lengths as quantiles."""
    if "transform" not in tables:
        return ""
    caption = "Real lengths as quantiles of the synthetic ones are uniform if the laws agree (grey: 95 % of a bar)."
    if "reliability" in tables:
        caption = (
            f"Left: P(end) before every symbol, in groups of like predictions, with 95 % intervals. Calibration error "
            f"{number(metrics['leave/ece'])}; true probabilities would have {number(metrics['leave/ece_floor'])}. "
            f"Right: {caption[0].lower()}{caption[1:]}"
        )
    return drawn(overlays.calibration(tables.get("reliability"), tables["transform"]), "Calibration", caption)


def layout_sections(results: Mapping[str, Mapping[int, Finished]]) -> Sequence[str]:
    """For a study of training layouts: when the series of each end, in the run of its first seed."""
    rows, real = [], Series("real", [], [])
    for key, runs in results.items():
        held = next(iter(runs.values())).tables["hazard"]
        rows.append(Series(spoken(key, " "), held["actions"], held["synthetic"]))
        real = max(real, Series("real", held["actions"], held["real"]), key=lambda series: len(series.places))
    if len(real.places) < 2:
        return ()
    caption = "Blue: the share of generated series that end after so many actions; grey: of real series (.1 in truth)."
    return (section("When series end", drawn(overlays.hazards(real, rows), "Hazard by layout", caption)),)


def ending_html(metrics: Mapping[str, float]) -> str:
    """How long series are, and how good P(end) is."""
    held = {"mean length": against(metrics, "mean_length", "real series")}
    if "leave/brier" in metrics:
        constant = f"{number(metrics['leave/brier_constant'], 4)} for the constant share"
        held["Brier score of P(end)"] = f"{number(metrics['leave/brier'], 4)}; {constant}"
        held["mean P(end)"] = f"{number(metrics['leave/said'], 4)}; {number(metrics['leave/came'], 4)} ended"
    if "hazard_rmse" in metrics:
        held["root mean square error of P(end)"] = f"{number(metrics['hazard_rmse'])} against the true law"
    if metrics.get("cut"):
        held["cut before their end"] = f"{metrics['cut']:.2%} of the synthetic series"
    return facts(held)


def against(metrics: Mapping[str, float], name: str, other: str) -> str:
    """A number of the synthetic set beside that of the real one, with intervals."""
    made, real = (estimate(metrics, f"{name}/{kind}") for kind in ("synthetic", "real"))
    return f"{written(made)}; {other} {written(real)}"


def heart_html(metrics: Mapping[str, float]) -> str:
    """Copies, nearest series, unseen pairs, the classifier and the likelihood gap, each beside what it would be."""
    held = {
        "copies of training series": against(metrics, "copies", "held-out real series"),
        "edit distance to the nearest (longer half)": against(metrics, "nearest", "held-out real series"),
        "pairs never seen in training": against(metrics, "unseen", "held-out real series"),
        "told apart by a classifier": f"AUC {written(estimate(metrics, 'two_sample_auc'))}; .5 for the same law",
    }
    if "memorisation_gap" in metrics:
        gap, trained = metrics["memorisation_gap"], metrics["nats_train"]
        held["held-out less training nats"] = f"{number(gap, 4, sign=True)} a symbol; training {number(trained, 4)}"
    return facts(held)
