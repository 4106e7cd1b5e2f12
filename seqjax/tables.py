"""Tables of runs for the terminal: a model beside its baselines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from rich import box
from rich.console import Console, ConsoleOptions
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from seqjax.plots import number

RANKINGS = {"recall": "recall", "mrr": "MRR", "ndcg": "NDCG"}  # name in metrics.json -> as printed
NOT_BASELINES = {"train", "validation", "minus", "by_position", "by_popularity"}
DAGGER = "\u2020"
SEES_MORE = f"{DAGGER} sees more than the model does: no peer"
BRACKETS = "[95 % bootstrap interval over sequences]"


class Estimate(NamedTuple):
    """A number of metrics.json and the ends of its interval, each None where it was not recorded."""

    value: float | None
    low: float | None = None
    high: float | None = None


class Row(NamedTuple):
    """One line of the comparison: the model (`baseline` None) or a baseline."""

    title: str
    baseline: str | None
    sees_more: bool
    rankings: dict[str, Estimate]
    difference: Estimate


class Cell(NamedTuple):
    """An estimate in a terminal table: where the column is narrow, its interval stands on a second line."""

    text: str

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """Width with and without the break."""
        return Measurement(max(map(len, self.text.split(" ", 1))), len(self.text)).with_maximum(options.max_width)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        """The text in the width that there is."""
        fits = len(self.text) <= options.max_width
        yield Text(self.text if fits else self.text.replace(" ", "\n", 1), justify="right")


def comparison_table(
    metrics: Mapping[str, float], title_of_model: str, sees_more: Sequence[str] = (), cutoff: int = 20
) -> Table:
    """The model and its baselines, strongest first, each number with its interval."""
    rows = comparison_rows(metrics, title_of_model, sees_more, cutoff)
    table = terminal_table("", [f"{title}@{cutoff}" for title in RANKINGS.values()])
    if len(rows) > 1:
        table.add_column("model minus baseline", justify="right", min_width=14)
    for row in rows:
        cells = [Cell(written(held)) for held in row.rankings.values()]
        cells += [Cell(written(row.difference, sign=True))] * (len(rows) > 1)
        table.add_row(Text(row.title), *cells, style="bold" if row.baseline is None else "")
    notes = [BRACKETS] * (rows[0].rankings["recall"].low is not None) + [SEES_MORE] * any(row.sees_more for row in rows)
    table.caption = "\n".join(notes) or None
    return table


def comparison_rows(
    metrics: Mapping[str, float], title_of_model: str, sees_more: Sequence[str], cutoff: int
) -> list[Row]:
    """The model, then the baselines that see what it sees, then those that see more; each group strongest first."""
    baselines = {found[1] for name in metrics if (found := re.fullmatch(r"([^/]+)/(?:recall|mrr|ndcg)@\d+", name))}

    def row(baseline: str | None) -> Row:
        before = "" if baseline is None else f"{baseline}/"
        more = baseline in sees_more
        title = title_of_model if baseline is None else spoken(baseline) + f" {DAGGER}" * more
        rankings = {name: estimate(metrics, f"{before}{name}@{cutoff}") for name in RANKINGS}
        return Row(title, baseline, more, rankings, estimate(metrics, f"minus/{before}recall@{cutoff}"))

    rows = [row(baseline) for baseline in sorted(baselines - NOT_BASELINES)]
    return [row(None), *sorted(rows, key=lambda row: (row.sees_more, -(row.rankings["recall"].value or 0.0)))]


def estimate(metrics: Mapping[str, float], name: str) -> Estimate:
    """A metric with its interval."""
    return Estimate(metrics.get(name), metrics.get(f"{name}/low"), metrics.get(f"{name}/high"))


def written(estimate: Estimate, sign: bool = False) -> str:
    """An estimate as text.

    >>> written(Estimate(0.2234, 0.219, 0.227)), written(Estimate(0.5))
    ('.223 [.219, .227]', '.500')
    """
    if estimate.value is None:
        return ""
    interval = "" if estimate.low is None else f" [{number(estimate.low)}, {number(estimate.high)}]"
    return number(estimate.value, sign=sign) + interval


def spoken(name: str, between: str = "-") -> str:
    """A Python name as words."""
    return name.replace("_", between)


def terminal_table(title: str, rankings: Iterable[str]) -> Table:
    """A table of rankings without rules but one under its head."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), caption_justify="left")
    table.add_column(title, no_wrap=True)
    for ranking in rankings:
        table.add_column(ranking, justify="right", min_width=12)  # an interval
    return table
