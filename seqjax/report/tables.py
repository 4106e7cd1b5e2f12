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

from seqjax.report.plots import number

NEXT_ITEM = ("recall@20", "mrr@20", "ndcg@20")
"""What is shown of a run whose experiment names no headline."""
LABELS = {
    "mrr": "MRR",
    "ndcg": "NDCG",
    "nats": "nats a symbol",
    "excess": "excess nats a symbol",
    "jsd": "JSD of",
    "brier": "Brier",
    "ece": "calibration error",
    "auc": "AUC",
    "gauc": "AUC by user",
    "log_loss": "log-loss",
}
LOWER_IS_BETTER = {"nats", "excess", "bits", "perplexity", "jsd", "brier", "ece", "log_loss"}
NO_BASELINES = {
    *("minus", "by_position", "by_popularity", "by_length", "by_category", "validation", "train"),
    *("natural", "later", "removed", "followed", "calibration", "by_class", "share"),
}
"""First parts of flat names that are no baselines."""
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
    held: dict[str, Estimate]  # by name of the metric
    difference: Estimate  # model minus baseline, in the first metric


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
    metrics: Mapping[str, float],
    title_of_model: str,
    sees_more: Sequence[str] = (),
    headline: Sequence[str] = NEXT_ITEM,
) -> Table:
    """The model and its baselines, strongest first, each number with its interval."""
    headline = recorded(headline, metrics)
    rows = comparison_rows(metrics, title_of_model, sees_more, headline)
    table = terminal_table("", map(label, headline))
    if len(rows) > 1:
        table.add_column("model minus baseline", justify="right", min_width=14)
    for row in rows:
        cells = [Cell(written(held)) for held in row.held.values()]
        cells += [Cell(written(row.difference, sign=True))] * (len(rows) > 1)
        table.add_row(Text(row.title), *cells, style="bold" if row.baseline is None else "")
    table.caption = "\n".join(notes_on(rows)) or None
    return table


def comparison_rows(
    metrics: Mapping[str, float], title_of_model: str, sees_more: Sequence[str], headline: Sequence[str]
) -> list[Row]:
    """The model, then the baselines that see what it sees, then those that see more; each group strongest first."""
    first, *_ = headline
    names = {found[1] for name in metrics for metric in headline if (found := re.fullmatch(f"([^/]+)/{metric}", name))}

    def row(baseline: str | None) -> Row:
        before = "" if baseline is None else f"{baseline}/"
        more = baseline in sees_more
        title = title_of_model if baseline is None else spoken(baseline) + f" {DAGGER}" * more
        held = {name: estimate(metrics, f"{before}{name}") for name in headline}
        return Row(title, baseline, more, held, estimate(metrics, f"minus/{before}{first}"))

    def strength(row: Row) -> float:
        value = row.held[first].value or 0.0
        return value if lower_is_better(first) else -value

    rows = [row(name) for name in sorted(names - NO_BASELINES)]
    return [row(None), *sorted(rows, key=lambda row: (row.sees_more, strength(row)))]


def notes_on(rows: Sequence[Row]) -> list[str]:
    """What the signs of a comparison mean, where it has them."""
    intervals = any(held.low is not None for held in rows[0].held.values())
    return [BRACKETS] * intervals + [SEES_MORE] * any(row.sees_more for row in rows)


def recorded(headline: Sequence[str], metrics: Mapping[str, float]) -> tuple[str, ...]:
    """The names of a headline; where their cut-off was not judged, that of the longest list that was.

    >>> recorded(("recall@20", "mrr@20"), {"recall@5": 0.1, "recall@10": 0.2})
    ('recall@10', 'mrr@10')
    """
    stem, at, _ = headline[0].partition("@")
    cutoffs = [int(found[1]) for name in metrics if (found := re.fullmatch(rf"{stem}@(\d+)", name))]
    if not at or headline[0] in metrics or not cutoffs:
        return tuple(headline)
    return tuple(re.sub(r"@\d+", f"@{max(cutoffs)}", name) for name in headline)


def label(name: str) -> str:
    """A metric's name as printed.

    >>> label("mrr@20"), label("recall@5"), label("jsd/length"), label("nats")
    ('MRR@20', 'recall@5', 'JSD of length', 'nats a symbol')
    """
    stem = re.match(r"[^@/]+", name)[0]
    return spoken((LABELS.get(stem, stem) + name[len(stem) :]).replace("/", " "), " ")


def lower_is_better(name: str) -> bool:
    """Whether a smaller value of this metric is the better one."""
    return re.match(r"[^@/]+", name)[0] in LOWER_IS_BETTER


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
