"""Figures of whom a score selects: gain, lift, and how early it knows.

Each has a caption that says what it is compared with. The first of several curves is the model, blue; others are grey.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from seqjax.report.plots import (
    BLUE,
    INK,
    MUTED,
    PAPER,
    RULE,
    Series,
    canvas,
    name_ends,
    number,
    rates,
    styled,
    ticks,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GAIN_CAPTION = (
    "Share of all positives among the users who score highest; right: the first fifth. Compared with users drawn at "
    "random, whose gain is their share."
)
LIFT_CAPTION = (
    "Positives within each tenth of the users by falling score, as a multiple of what users drawn at random have: 1, "
    "the line. Outlined in blue beside a baseline: the model."
)
EARLINESS_CAPTION = (
    "The same users and labels without the last purchases of every history, compared with the whole history, at 0"
)

TOP = 0.2  # of the users, that the right panel of the gain shows
ACROSS = 4  # panels of lift side by side
APART = 0.07  # removed purchases between the points of neighbouring lines, so that intervals do not hide each other


@styled
def gain_figure(curves: Mapping[str, Sequence[float]]) -> Figure:
    """Cumulative gains over the share of users, from 0 to 1: all of it, and the first fifth with the curves' names.

    Raises ValueError for a gain with fewer than two numbers.
    """
    short = [name for name, gain in curves.items() if len(gain) < 2]
    if short:
        raise ValueError(
            f"the gain of {short[0]!r} has {len(curves[short[0]])} numbers: give it at 0, at 1 and between"
        )
    rows = [_spread(name, gain, BLUE if line == 0 else MUTED) for line, (name, gain) in enumerate(curves.items())]
    figure, ((whole, first),) = canvas(3.4, 1, 2, width_ratios=[1.0, 0.8])
    top = [_until(row, TOP) for row in rows]
    random = Series("random", [0.0, TOP], [0.0, TOP], ink=INK)
    for axis, held in ((whole, rows), (first, top)):
        axis.plot([0.0, 1.0], [0.0, 1.0], color=INK, linewidth=0.8, zorder=0)
        for row in reversed(held):  # the model lies on top
            axis.plot(row.places, row.values, color=row.ink, linewidth=1.8 if row.ink == BLUE else 1.2)
        axis.set(xlabel="share of users, highest scores first", ylim=(0.0, None), xlim=(0.0, None))
        rates(axis.xaxis, 5)
        rates(axis.yaxis, 5)
    whole.set(ylabel="share of all positives", xlim=(0.0, 1.0), ylim=(0.0, 1.02))
    whole.annotate("random", (0.7, 0.7), (6, -6), textcoords="offset points", color=INK, va="top")
    first.set(xlim=(0.0, TOP), ylim=(0.0, min(1.02, 1.1 * max([TOP, *(row.values[-1] for row in top)]))))
    name_ends(first, [*top, random])
    return figure


@styled
def lift_figure(curves: Mapping[str, Sequence[float]]) -> Figure:
    """Lift of every tenth of the users as bars, a panel for each score; the line at 1 is no model at all."""
    down = -(-len(curves) // ACROSS)
    across = -(-len(curves) // down)
    figure, axes = canvas(0.5 + 2.2 * down, down, across, sharex=True, sharey=True)
    panels = [axis for line in axes for axis in line]
    model = next(iter(curves.values()))
    for line, (axis, (name, held)) in enumerate(zip(panels, curves.items(), strict=False)):
        ink = MUTED if line else BLUE
        axis.bar(range(1, len(held) + 1), held, width=0.8, color=RULE if line else BLUE)
        if line:
            axis.stairs(model, [place + 0.5 for place in range(len(model) + 1)], color=BLUE, linewidth=1.2)
        axis.axhline(1.0, color=INK, linewidth=0.8)
        axis.annotate("no model", (len(held) + 0.5, 1.0), (0, 3), textcoords="offset points", color=INK, ha="right")
        axis.text(
            1.0, 0.98, f"{number(held[0], 2)} in the first", color=ink, ha="right", va="top", transform=axis.transAxes
        )
        axis.set_title(name, color=ink)
        axis.set(xlim=(0.4, len(held) + 0.6), xticks=range(1, len(held) + 1))
        axis.tick_params(axis="x", length=0, labelbottom=True)
    panels[0].set_ylim(0.0, 1.15 * max(1.0, *(max(held) for held in curves.values())))
    panels[0].yaxis.set_major_locator(ticks(5))
    for axis in panels[len(curves) :]:
        axis.set_visible(False)
    figure.supxlabel("tenth of the users, highest scores first", fontsize=10)
    figure.supylabel("lift", fontsize=10)
    return figure


@styled
def earliness_figure(rows: Sequence[Series], y_label: str) -> Figure:
    """A metric over the number of purchases removed from the end, a named line with intervals for every model.

    Places are numbers of purchases; hollow series are dashed; the points of neighbours stand a little apart.
    """
    figure, ((axis,),) = canvas(3.2, 1, 1)
    middle = (len(rows) - 1) / 2
    apart = [
        row._replace(places=[place + APART * (line - middle) for place in row.places]) for line, row in enumerate(rows)
    ]
    for row in apart:
        top = 3 if row.ink == MUTED else 4  # the point of the figure lies above what is grey
        style = {"color": row.ink, "zorder": top, "markerfacecolor": PAPER if row.hollow else row.ink}
        axis.plot(row.places, row.values, "o", linestyle=(0, (3, 2)) if row.hollow else "-", linewidth=1.2, **style)
        if row.low is not None and row.high is not None:
            axis.vlines(row.places, row.low, row.high, color=row.ink, linewidth=1.4, zorder=top - 0.5)
    axis.set(xlabel="purchases removed from the end of the history", ylabel=y_label)
    axis.set_xticks(sorted({place for row in rows for place in row.places}))
    axis.margins(x=0.03, y=0.08)
    rates(axis.yaxis, 5)
    name_ends(axis, apart)
    return figure


def _spread(name: str, gain: Sequence[float], ink: str) -> Series:
    """A gain over equal steps of the share of users, from 0 to 1."""
    return Series(name, [place / (len(gain) - 1) for place in range(len(gain))], gain, ink=ink)


def _until(row: Series, end: float) -> Series:
    """The part of a line from its begin up to a place, its value there interpolated."""
    import numpy as np

    places = [*(place for place in row.places if place < end), end]
    return row._replace(places=places, values=np.interp(places, row.places, row.values).tolist())
