"""Figures of two sets of series: real ones grey, new ones blue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

from seqjax.report.plots import BLUE, INK, MUTED, PAPER, RULE, Series, canvas, name_ends, rates, styled, ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROOM, LINED = 110, 16  # characters that fit side by side; numbers from which on a line joins them
SHOWN = 0.998  # of a set of numbers


@styled
def overlay(places: Sequence, real: Sequence[float], synthetic: Sequence[float], x_label: str) -> Figure:
    """Shares of kinds: bars for the real set, points (a line where kinds are many numbers) for the new one."""
    numeric = all(isinstance(place, int | float) for place in places)
    along = list(places) if numeric else range(len(places))
    upright = not numeric and sum(len(str(place)) + 2 for place in places) > ROOM
    figure, ((axis,),) = canvas(3.0 if upright else 2.6, 1, 1)
    axis.bar(along, real, width=0.9 if numeric else 0.7, color=RULE, label="real")
    lined = numeric and len(places) >= LINED
    axis.plot(along, synthetic, "-" if lined else "o", color=BLUE, label="synthetic", markersize=4)
    axis.set(xlabel=x_label, ylabel="share")
    if numeric:
        axis.set_xlim(right=_most(places, real, synthetic) + 0.6)
        axis.xaxis.set_major_locator(ticks(10, integer=True))
    else:
        size = 10 if len(places) <= 24 else 8 if len(places) <= 48 else 6.5
        axis.set_xticks(along, [str(place) for place in places], rotation=90 if upright else 0, fontsize=size)
        axis.set_xlim(-0.7, len(places) - 0.3)
        axis.tick_params(axis="x", length=0)
    axis.legend(frameon=False, loc="lower right", bbox_to_anchor=(1.0, 0.98), ncols=2, labelcolor=INK)
    rates(axis.yaxis, 5)
    return figure


def _most(places: Sequence[float], *sets: Sequence[float]) -> float:
    """The place up to which 99.8 % of every set lie: the rest of a long tail is not seen anyway."""
    totals = [list(accumulate(shares)) for shares in sets]
    return places[max(next(at for at, some in enumerate(row) if some >= min(SHOWN, row[-1])) for row in totals)]


@styled
def ladder(names: Sequence[str], rows: Sequence[Series]) -> Figure:
    """Distances over their noise floors, a line for each set of series; 1 is what two samples of one law have."""
    figure, ((axis,),) = canvas(3.1, 1, 1)
    axis.axhline(1.0, color=INK, linewidth=0.8, zorder=0)
    for row in rows:
        style = (0, (3, 2)) if row.hollow else "-"
        face = PAPER if row.hollow else row.ink
        axis.plot(row.places, row.values, "o", linestyle=style, color=row.ink, markerfacecolor=face, linewidth=1.2)
    axis.set_yscale("log")
    axis.set_xticks(range(len(names)), names)
    axis.set(ylabel="distance / noise floor")
    axis.yaxis.set_major_formatter("{x:g}")
    axis.tick_params(axis="x", length=0)
    axis.minorticks_off()
    name_ends(axis, rows)
    return figure


@styled
def hazard(steps: Sequence[int], curves: Mapping[str, Sequence[float]]) -> Figure:
    """P(end | so many actions) in both sets; the band is the real one's interval."""
    figure, ((axis,),) = canvas(2.6, 1, 1)
    axis.fill_between(steps, curves["real/low"], curves["real/high"], color=RULE, linewidth=0)
    axis.plot(steps, curves["real"], color=MUTED, linewidth=1.0)
    axis.plot(steps, curves["synthetic"], color=BLUE, linewidth=1.4)
    axis.set(xlabel="actions so far", ylabel="share that ends here")
    axis.set_ylim(bottom=0.0)
    axis.xaxis.set_major_locator(ticks(10, integer=True))
    rates(axis.yaxis, 5)
    ends = [Series("real", steps, curves["real"]), Series("synthetic", steps, curves["synthetic"], ink=BLUE)]
    name_ends(axis, ends)
    return figure


@styled
def hazards(real: Series, rows: Sequence[Series]) -> Figure:
    """P(end | so many actions) of several generators over the real one, a panel for each."""
    figure, axes = canvas(1.9 * -(-len(rows) // 3), -(-len(rows) // 3), 3, sharex=True, sharey=True)
    panels = [axis for line in axes for axis in line]
    for axis, row in zip(panels, rows, strict=False):
        axis.plot(real.places, real.values, color=MUTED, linewidth=1.0)
        axis.plot(row.places, row.values, color=BLUE, linewidth=1.4)
        axis.set_title(row.name)
        axis.set_ylim(0.0, 2.5 * max(real.values[: len(real.values) // 2]) or 1.0)
        rates(axis.yaxis, 3)
    for axis in panels[len(rows) :]:
        axis.set_visible(False)
    figure.supxlabel("actions so far", fontsize=10)
    figure.supylabel("share that ends here", fontsize=10)
    return figure


@styled
def reliabilities(panels: Mapping[str, Mapping[str, Sequence[float]]], x_label: str, y_label: str) -> Figure:
    """What came against what was said, in groups with intervals; a panel for each kind of prediction."""
    figure, (axes,) = canvas(2.6 if len(panels) > 2 else 2.9, 1, len(panels))
    for axis, (title, held) in zip(axes, panels.items(), strict=True):
        _reliability(axis, held)
        axis.set(xlabel=x_label, title=title)
    if len(panels) == 1:
        axes[0].set_box_aspect(1)
        axes[0].set_anchor("W")
    axes[0].set_ylabel(y_label)
    return figure


@styled
def calibration(reliability: Mapping[str, Sequence[float]] | None, transform: Mapping[str, Sequence[float]]) -> Figure:
    """Left, if there are predictions: what came against what was said. Right: lengths as quantiles of the new ones."""
    figure, (axes,) = canvas(2.8, 1, 2 if reliability else 1)
    if reliability:
        _reliability(axes[0], reliability)
        axes[0].set(xlabel="predicted P(end)", ylabel="share that ended")
    axis, share = axes[-1], transform["share"]
    flat, low, high = transform["flat"]
    axis.fill_between([0.0, 1.0], [low] * 2, [high] * 2, color=RULE, linewidth=0)
    axis.plot([0.0, 1.0], [flat] * 2, color=MUTED, linewidth=1.0)
    axis.step([i / len(share) for i in range(len(share) + 1)], [*share, share[-1]], where="post", color=BLUE)
    axis.set(xlabel="real length as a quantile of the synthetic lengths", ylabel="share", xlim=(0, 1))
    axis.set_ylim(bottom=0.0, top=1.25 * max([*share, high]))
    rates(axis.xaxis, 5)
    rates(axis.yaxis, 5)
    return figure


def _reliability(axis: Axes, held: Mapping[str, Sequence[float]]) -> None:
    """Groups of like predictions with their intervals, and the diagonal where they should lie."""
    most = min(1.0, 1.08 * max([*held["said"], *held["high"]]))
    axis.plot([0.0, most], [0.0, most], color=RULE, zorder=0)
    for place, low, high in zip(held["said"], held["low"], held["high"], strict=True):
        axis.plot([place, place], [low, high], color=BLUE, linewidth=1.4)
    axis.plot(held["said"], held["came"], "o", color=BLUE, markersize=4)
    axis.set(xlim=(0, most), ylim=(0, most))
    rates(axis.xaxis, 4)
    rates(axis.yaxis, 4)
