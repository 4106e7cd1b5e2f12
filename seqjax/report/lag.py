"""What a page shows of a study of lags: how far back each model reaches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from seqjax.evaluate.intervals import t_interval
from seqjax.report.finished import Finished
from seqjax.report.html import drawn, facts, section
from seqjax.report.plots import BLUE, MUTED, Series, curves
from seqjax.report.tables import spoken

ENOUGH = 0.75


def lag_sections(results: Mapping[str, Mapping[int, Finished]]) -> Sequence[str]:
    """For experiments named `model_lag`: mean AUC by lag, and the horizon of every model."""
    held: dict[str, dict[int, list[float]]] = {}
    for key, runs in results.items():
        model, _, lag = key.rpartition("_")
        held.setdefault(model, {})[int(lag)] = [run.numbers["auc"] for run in runs.values()]
    rows, reached = [], {}
    for model, areas in held.items():
        lags = sorted(areas)
        means = [t_interval(areas[lag]) if len(areas[lag]) > 1 else (areas[lag][0],) * 3 for lag in lags]
        ink = BLUE if model == list(held)[-1] else MUTED
        rows.append(Series(spoken(model, " "), lags, *map(list, zip(*means, strict=True)), ink=ink))
        reached[spoken(model, " ")] = told(horizon({lag: mean[0] for lag, mean in zip(lags, means, strict=True)}))
    caption = "Mean AUC over seeds with 95 % t-intervals; .5 is chance."
    figure = drawn(curves(rows, "events between cue and question", "AUC"), "AUC by lag", caption)
    title = f"Horizon: the largest lag with a mean AUC of {ENOUGH:g} or more"
    return (section("How far back", figure), section(title, facts(reached)))


def horizon(means: Mapping[int, float]) -> int:
    """The largest lag whose mean AUC is enough; 0 if none is.

    >>> horizon({8: 1.0, 16: 0.76, 32: 0.52})
    16
    """
    return max((lag for lag, mean in means.items() if mean >= ENOUGH), default=0)


def told(lag: int) -> str:
    """A horizon as text."""
    return f"{lag} events" if lag else "below the smallest lag"
