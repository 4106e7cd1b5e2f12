"""What a page shows of a study of learning speed: validation loss by updates, and what it takes to reach a target."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from seqjax.evaluate.intervals import t_interval
from seqjax.report.finished import Finished
from seqjax.report.html import drawn, grid, section
from seqjax.report.plots import BLUE, MUTED, Series, curves
from seqjax.report.seeds import mean_over, paired_over
from seqjax.report.tables import Estimate, label, spoken

NOTE = "Means over the seeds that reach it with 95 % t-intervals; differences over those in which both do, in pairs."
UNITS = {"epoch": "epochs", "step": "updates", "seconds": "seconds"}


class Learned(NamedTuple):
    """A validation loss after every epoch of one run."""

    epoch: Sequence[float]
    step: Sequence[float]
    seconds: Sequence[float]
    loss: Sequence[float]


def learning_sections(
    results: Mapping[str, Mapping[int, Finished]], *, target: float, metric: str = "log_loss"
) -> Sequence[str]:
    """Loss by updates, and epochs, updates and seconds until validation's `metric` is `target` or less, by experiment.

    Differences are the first experiment less the others, paired by seed, over the seeds in which both reach the target.
    """
    held = {key: {seed: learned(run, metric) for seed, run in runs.items()} for key, runs in results.items()}
    lines = [
        _line(key, list(runs.values()), BLUE if line == 0 else MUTED) for line, (key, runs) in enumerate(held.items())
    ]
    caption = "Validation loss after every epoch, mean over seeds with 95 % t-intervals. The axis does not begin at 0."
    lowest = min(min(line.values) for line in lines)
    figure = drawn(curves(lines, "updates", f"validation {label(metric)}", lowest), "Validation loss", caption)
    return (
        section("How the loss falls", figure),
        section(f"Until a validation loss of {target:g}", reached_html(held, target)),
    )


def reached_html(held: Mapping[str, Mapping[int, Learned]], target: float) -> str:
    """What every experiment takes until the target, and what the first one takes less the others."""
    first, body = next(iter(held)), []
    for key, runs in held.items():
        cells = []
        for unit in UNITS:
            own, peer = (reached(held[name], unit, target) for name in (key, first))
            both = sorted(own.keys() & peer.keys())
            apart = paired_over([peer[seed] for seed in both], [own[seed] for seed in both])
            cells += [_count(mean_over(list(own.values()))), "<td></td>" if key == first else _count(apart, sign=True)]
        body.append(
            f'<tr><th scope="row">{html.escape(spoken(key, " "))}</th>{"".join(cells)}'
            f"<td>{len(reached(runs, 'step', target))} of {len(runs)}</td></tr>"
        )
    heads = ["", *(head for unit in UNITS.values() for head in (unit, f"{spoken(first, ' ')} minus it")), "reached"]
    return grid(heads, body) + f'<p class="note">{NOTE}</p>'


def learned(run: Finished, metric: str) -> Learned:
    """The journal's epochs; raises ValueError where none has validated the metric."""
    lines = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
    epochs = [line for line in lines if line.get("kind") == "epoch" and f"validation/{metric}" in line]
    if not epochs:
        raise ValueError(f"{run.folder / 'metrics.jsonl'}: no epoch has validated {metric!r}; name another metric")
    names = ("epoch", "step", "seconds", f"validation/{metric}")
    return Learned(*([line[name] for line in epochs] for name in names))


def reached(runs: Mapping[int, Learned], unit: str, target: float) -> dict[int, float]:
    """By seed, where the loss first is the target or less; seeds in which it never is are left out.

    >>> reached({0: Learned([1, 2], [10, 20], [1.0, 2.0], [0.7, 0.6])}, "step", 0.65)
    {0: 20.0}
    """
    found = {}
    for seed, run in runs.items():
        if (low := np.flatnonzero(np.array(run.loss) <= target)).size:
            found[seed] = float(getattr(run, unit)[low[0]])
    return found


def _count(held: Estimate, sign: bool = False) -> str:
    """A table cell of epochs, updates or seconds, to one decimal."""
    if held.value is None:
        return "<td>\u2013</td>"
    value, *ends = (f"{one:{'+' if sign else ''},.1f}".replace("-", "\u2212") for one in held if one is not None)
    return f"<td>{value} <small>[{', '.join(ends)}]</small></td>" if ends else f"<td>{value}</td>"


def _line(name: str, runs: Sequence[Learned], ink: str) -> Series:
    """Mean loss over seeds by their mean number of updates, as far as all seeds go."""
    length = min(len(run.loss) for run in runs)
    steps = np.mean([run.step[:length] for run in runs], axis=0).round().astype(int).tolist()
    losses = np.array([run.loss[:length] for run in runs]).T
    means = [t_interval(row) if len(row) > 1 else (row[0],) * 3 for row in losses]
    return Series(spoken(name, " "), steps, *map(list, zip(*means, strict=True)), ink=ink)
