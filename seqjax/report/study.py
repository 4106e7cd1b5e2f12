"""Several seeds of several experiments: means with intervals, on the terminal and on a page."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from itertools import compress
from typing import NamedTuple

from rich.table import Table
from rich.text import Text

from seqjax.report import plots
from seqjax.report.finished import Finished
from seqjax.report.html import cell, drawn, grid, section, sheet
from seqjax.report.page import PANELS
from seqjax.report.plots import BLUE, MUTED, Series
from seqjax.report.seeds import mean_over, paired_over
from seqjax.report.tables import NO_BASELINES, Cell, Estimate, label, recorded, spoken, terminal_table, written

OVER_SEEDS = "mean [95 % t-interval] over seeds; differences are paired by seed"


class SeedRow(NamedTuple):
    """One line: an experiment, or a baseline of the first one."""

    title: str
    baseline: bool
    held: dict[str, Estimate]  # by name of the metric
    difference: Estimate  # the first line minus this one, in the first metric
    seeds: int


def over_seeds(results: Mapping[str, Mapping[int, Finished]], headline: Sequence[str]) -> list[SeedRow]:
    """A line for every experiment, data set by data set, and for the baselines of the first on each.

    Differences are to the first experiment on the same data. Of the headline's metrics those are left out that no line
    has; the first stays.
    """
    together: dict[str, dict[str, Mapping[int, Finished]]] = {}
    for key, runs in results.items():
        judged = next(iter(runs.values())).manifest.get("data", {}).get("test", {}).get("checksum", "")
        together.setdefault(judged, {})[key] = runs
    rows = []
    for group in together.values():
        rows += _rows(group, headline, "" if len(together) == 1 else f"{spoken(next(iter(group)), ' ')}: ")
    columns = zip(*(row.held.values() for row in rows), strict=True)
    there = [at == 0 or any(held.value is not None for held in column) for at, column in enumerate(columns)]
    return [row._replace(held=dict(compress(row.held.items(), there))) for row in rows]


def _rows(results: Mapping[str, Mapping[int, Finished]], headline: Sequence[str], before: str) -> list[SeedRow]:
    """The lines of experiments on the same data, and of the baselines of the first, which all share."""
    numbers = {key: {seed: run.numbers for seed, run in runs.items()} for key, runs in results.items()}
    own = numbers[next(iter(results))]
    known = next(iter(own.values()))
    headline = recorded(headline, known)
    peers = sorted({name.split("/")[0] for name in known if name.endswith(f"/{headline[0]}")} - NO_BASELINES)
    lines = [(spoken(key, " "), False, held) for key, held in numbers.items()]
    for peer in peers:
        held = {s: {name: n.get(f"{peer}/{name}") for name in headline} for s, n in own.items()}
        lines.append((f"{before}{spoken(peer)}", True, held))
    rows = []
    for title, baseline, held in lines:
        estimates = {name: mean_over([n.get(name) for n in held.values()]) for name in headline}
        seeds = [seed for seed in own if seed in held]
        pair = [[side[seed].get(headline[0]) for seed in seeds] for side in (own, held)]
        apart = Estimate(None) if held is own else paired_over(*pair)
        rows.append(SeedRow(title, baseline, estimates, apart, len(held)))
    return rows


def reference(rows: Sequence[SeedRow]) -> str:
    """What every line is subtracted from."""
    return rows[0].title if sum(row.difference.value is None for row in rows) == 1 else "first on the same data"


def seeds_table(rows: Sequence[SeedRow]) -> Table:
    """The lines for the terminal."""
    table = terminal_table("", map(label, rows[0].held))
    if len(rows) > 1:
        table.add_column(Text(f"{reference(rows)} minus it"), justify="right", min_width=14)
    for row in rows:
        cells = [Cell(written(held)) for held in row.held.values()]
        cells += [Cell(written(row.difference, sign=True))] * (len(rows) > 1)
        table.add_row(Text(row.title), *cells, style="" if row.baseline else "bold")
    table.caption = f"{rows[0].seeds} seed{'s' * (rows[0].seeds != 1)}: {OVER_SEEDS}"
    return table


def study_page(name: str, rows: Sequence[SeedRow], sections: Sequence[str]) -> str:
    """The page of a study."""
    first = next(iter(rows[0].held))
    body = []
    for row in rows:
        cells = [cell(held) for held in row.held.values()]
        cells += [cell(row.difference, sign=True)] * (len(rows) > 1)
        kind = ' class="more"' if row.baseline else ""
        body.append(f'<tr{kind}><th scope="row">{html.escape(row.title)}</th>{"".join(cells)}</tr>')
    heads = ["", *map(label, rows[0].held)] + [f"{reference(rows)} minus it, {label(first)}"] * (len(rows) > 1)
    note = f'<p class="note">{OVER_SEEDS}</p>'
    answer = f"{rows[0].title}: {label(first)} {written(rows[0].held[first])} over {rows[0].seeds} seeds."
    comparison = section("Means over seeds", grid(heads, body) + note, seeds_figure(rows))
    return sheet(spoken(name, " "), answer, f"{rows[0].seeds} seeds each", [comparison, *sections])


def seeds_figure(rows: Sequence[SeedRow]) -> str:
    """Means with their intervals, a panel a metric."""
    names = list(rows[0].held)[: PANELS + 1]
    series = []
    for row in rows:
        held = {name: row.held[name] for name in names if row.held[name].value is not None}
        values = [one.value for one in held.values()]
        ends = [[one.value if one[end] is None else one[end] for one in held.values()] for end in (1, 2)]
        series.append(Series(row.title, [label(n) for n in held], values, *ends, MUTED if row.baseline else BLUE))
    return drawn(plots.comparison(series), "Means", "Means over seeds with 95 % t-intervals; grey: baselines.")
