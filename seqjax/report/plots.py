"""Figures as small pure functions: series of numbers in, a matplotlib Figure or its inline SVG out.

Colours are names for a page: `svg` writes each as a CSS variable with the light value as fallback, so that one figure
reads on a light page, on a dark one and in print. Blue and vermilion are those of Okabe and Ito (2008), which
colour-blind readers tell apart; everything that is not the point of a figure is grey.
"""

from __future__ import annotations

import hashlib
import html
import io
import math
import re
import warnings
from collections.abc import Callable, Sequence
from functools import wraps
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, RULE, PAPER = "#1f2328", "#6b7280", "#d5d9df", "#fefefe"
BLUE, VERMILION = "#0072b2", "#d55e00"
VARIABLES = {INK: "ink", MUTED: "muted", RULE: "rule", PAPER: "paper", BLUE: "blue", VERMILION: "vermilion"}
WIDTH = 9.0  # inches: 648 SVG points, 864 CSS pixels, the measure of the page
STYLE = {
    "font.size": 10,
    "text.color": INK,
    "text.parse_math": False,  # names from data may hold dollar signs
    "axes.labelcolor": INK,
    "axes.edgecolor": RULE,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "figure.facecolor": "none",
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "lines.linewidth": 1.5,
    "lines.markersize": 4.5,
    "svg.fonttype": "none",
    "svg.hashsalt": "seqjax",
}


class Series(NamedTuple):
    """Values at places, perhaps with the ends of their intervals; hollow marks a series that is not on a par."""

    name: str
    places: Sequence
    values: Sequence[float]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None
    ink: str = MUTED
    hollow: bool = False


def styled(figure: Callable[..., Figure]) -> Callable[..., Figure]:
    """Draws under the project's style and leaves matplotlib's settings as they were."""

    @wraps(figure)
    def draw(*arguments, **keywords):
        import matplotlib

        with matplotlib.rc_context(STYLE):
            return figure(*arguments, **keywords)

    return draw


def number(value: float | None, digits: int = 3, sign: bool = False) -> str:
    """A rate as printed in tables: no zero before the point, a true minus sign, two digits of it if it is small.

    >>> number(0.2234), number(-0.0312), number(0.016, sign=True), number(1.0), number(None)
    ('.223', '\u2212.031', '+.016', '1.000', '\u2013')
    >>> number(0.00423), number(-0.000112), number(0.0000091)
    ('.0042', '\u2212.00011', '9.1e-6')
    """
    if value is None:
        return "\u2013"
    if not math.isfinite(value):
        return "not finite"
    power = math.floor(math.log10(abs(value))) if value else 0
    if digits and power < -4:
        mantissa, _, exponent = f"{abs(value):.1e}".partition("e")
        size = f"{mantissa}e{int(exponent)}"
    else:
        size = f"{abs(value):.{max(digits, 1 - power) if digits else 0}f}"
    before = "" if float(size) == 0.0 else "\u2212" if value < 0 else "+" if sign else ""
    return before + (size.removeprefix("0") if digits and size[0] == "0" else size)


@styled
def comparison(rows: Sequence[Series], zero: Sequence[str] = ()) -> Figure:
    """One line per row, one panel per place: a point with its interval. Panels named in `zero` show differences."""
    panels = list(dict.fromkeys(place for row in rows for place in row.places))
    figure, (axes,) = canvas(0.75 + 0.28 * len(rows), 1, len(panels), sharey=True)
    figure.get_layout_engine().set(wspace=0.08)
    for axis, panel in zip(axes, panels, strict=True):
        for line, row in enumerate(rows):
            held = [index for index, place in enumerate(row.places) if place == panel]
            points(axis, row, held, [-line] * len(held), upright=False)
        if panel in zero:
            axis.axvline(0.0, color=INK, linewidth=0.8, zorder=0)
        axis.set_xlabel(panel)
        axis.margins(x=0.12)
        axis.set_ylim(-len(rows) + 0.4, 0.6)
        axis.spines["left"].set_visible(False)
        axis.tick_params(axis="y", length=0)
        axis.grid(axis="y", color=RULE, linewidth=0.6)
        rates(axis.xaxis, 4)
    axes[0].set_yticks([-line for line in range(len(rows))], [row.name for row in rows])
    for label, row in zip(axes[0].get_yticklabels(), rows, strict=True):
        label.set_color(INK if row.ink == MUTED else row.ink)
    return figure


@styled
def curves(rows: Sequence[Series], x_label: str, y_label: str, bottom: float = 0.0) -> Figure:
    """Lines over numeric places, each named at its right end, from `bottom` or lower up; hollow series are dashed."""
    figure, ((axis,),) = canvas(3.2, 1, 1)
    for row in sorted(rows, key=lambda row: row.ink != MUTED):  # the point of the figure lies on top
        axis.plot(row.places, row.values, color=row.ink, linestyle=(0, (3, 2)) if row.hollow else "-", linewidth=1.2)
        points(axis, row, range(len(row.places)), row.values, upright=True)
    axis.set(xlabel=x_label, ylabel=y_label, xticks=sorted({place for row in rows for place in row.places}))
    axis.set_ylim(bottom=min(bottom, axis.get_ylim()[0]))
    rates(axis.yaxis, 5)
    name_ends(axis, rows)
    return figure


@styled
def training(chunks: Series, epochs: Series, validation: Sequence[Series] = (), falling: Sequence[str] = ()) -> Figure:
    """Loss over steps, per chunk as a grey line, per epoch as a bar as long as it; validation metrics by epoch.

    Of every metric the best epoch is labelled: the highest, or the lowest of those named as `falling`.
    """
    figure, (axes,) = canvas(2.9, 1, 1 + len(validation), width_ratios=[1.6, *[1.0] * len(validation)])
    axes[0].plot(chunks.places, chunks.values, color=MUTED, linewidth=0.9)
    begins = [0, *epochs.places[:-1]] if len(epochs.places) else []
    axes[0].hlines(epochs.values, begins, epochs.places, color=epochs.ink, linewidth=2.2, zorder=3)
    axes[0].set(xlabel="optimizer step", ylabel="training loss, mean per event")
    axes[0].xaxis.set_major_formatter("{x:,.0f}")
    axes[0].xaxis.set_major_locator(ticks(5, integer=True))
    name_ends(axes[0], [row for row in (chunks, epochs) if len(row.places)])
    for axis, row in zip(axes[1:], validation, strict=True):
        axis.plot(row.places, row.values, "o-", color=row.ink)
        axis.set(xlabel="epoch", ylabel=row.name)
        best = (min if row.name in falling else max)(range(len(row.values)), key=row.values.__getitem__)
        label_point(axis, row.places[best], row.values[best], number(row.values[best]))
        axis.xaxis.set_major_locator(ticks(6, integer=True))
        axis.margins(0.1, 0.18)
        rates(axis.yaxis, 5)
    return figure


@styled
def breakdown(
    groups: Sequence[Series],
    counts: Sequence[Sequence[float]],
    y_label: str,
    count_label: str,
    bottom: float = 0.0,
) -> Figure:
    """Values by group from `bottom` up, the groups' sizes as bars below; each series is one panel, its name the label
    of the axis.
    """
    widths = [max(len(group.places), 3) for group in groups]
    figure, (above, below) = canvas(3.4, 2, len(groups), sharey="row", sharex="col", width_ratios=widths)
    figure.get_layout_engine().set(hspace=0.06)
    for top, bars, group, count in zip(above, below, groups, counts, strict=True):
        places = range(len(group.places))
        points(top, group._replace(places=places), places, group.values, upright=True)
        bars.bar(places, count, color=RULE, width=0.6)
        bars.set_xticks(places, [str(place) for place in group.places])
        bars.set(xlabel=group.name, xlim=(-0.6, len(places) - 0.4))
        bars.tick_params(axis="x", length=0)
        top.tick_params(axis="x", length=0)
        top.margins(y=0.15)
    for axis in above:
        axis.set_ylim(bottom=bottom)
    above[0].set_ylabel(y_label)
    below[0].set_ylabel(count_label)
    figure.align_ylabels()
    below[0].yaxis.set_major_formatter("{x:,.0f}")
    below[0].yaxis.set_major_locator(ticks(2))
    above[0].get_gridspec().set_height_ratios([2.2, 1.0])
    rates(above[0].yaxis, 5)
    return figure


def svg(figure: Figure, title: str) -> str:
    """The figure as an `<svg>` element to stand inside an HTML page: text stays text, colours follow the page."""
    import matplotlib

    stream = io.StringIO()
    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # the reader's fonts will have it
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = stream.getvalue()
    body = text[text.index(">", text.index("<svg")) + 1 :]
    body = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", body, flags=re.DOTALL)
    body = body.replace("xlink:href", "href")
    used = set(re.findall(r'(?:href="|url\()#([^")]+)', body))
    body = re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in used else "", body)
    mark = hashlib.sha256(title.encode()).hexdigest()[:8]  # ids must differ between the figures of one page
    body = re.sub(r'( id="|href="#|url\(#)', rf"\g<1>f{mark}-", body)
    for colour, name in VARIABLES.items():
        body = body.replace(colour, f"var(--{name}, {colour})")
    width, height = (72.0 * inches for inches in figure.get_size_inches())
    return (
        f'<svg role="img" aria-label="{html.escape(title)}" width="{width:g}pt" height="{height:g}pt" '
        f'viewBox="0 0 {width:g} {height:g}">{body}'
    )


def canvas(height: float, rows: int, columns: int, **layout) -> tuple[Figure, Sequence[Sequence[Axes]]]:
    """An empty figure of the page's width, made without pyplot, and its axes by row and column."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, **{"width_ratios": [1.0] * columns} | layout)
    return figure, axes


def points(axis: Axes, row: Series, held: Sequence[int], across: Sequence[float], upright: bool) -> None:
    """Draws the points `held` of a series with their intervals, upright (value is y) or lying (value is x)."""
    face = PAPER if row.hollow else row.ink
    for index, other in zip(held, across, strict=True):
        value = row.values[index]
        if row.low is not None and row.high is not None:
            ends = (row.low[index], row.high[index])
            place = (row.places[index],) * 2 if upright else (other,) * 2
            axis.plot(*((place, ends) if upright else (ends, place)), color=row.ink, linewidth=1.6)
        spot = (row.places[index], value) if upright else (value, other)
        axis.plot(*spot, "o", color=row.ink, markerfacecolor=face, markeredgewidth=1.2)


def name_ends(axis: Axes, rows: Sequence[Series]) -> None:
    """Writes each series' name right of its last value, moved up or down as little as keeps the names apart."""
    from scipy.optimize import isotonic_regression

    scale = axis.yaxis.get_transform()  # names are spread as the eye sees heights, on a logarithmic axis too
    low, high = scale.transform(axis.get_ylim())
    gap = 15.0 / (0.72 * 72.0 * axis.figure.get_figheight()) * (high - low)  # a line of text
    order = sorted(rows, key=lambda row: row.values[-1])
    spread = [float(scale.transform(row.values[-1])) - line * gap for line, row in enumerate(order)]
    heights = [place + line * gap for line, place in enumerate(isotonic_regression(spread).x)] if order else []
    end = max((row.places[-1] for row in rows), default=0.0)
    for row, height in zip(order, scale.inverted().transform(heights) if order else [], strict=True):
        place = {"xy": (end, float(height)), "xytext": (10, 0), "textcoords": "offset points"}
        axis.annotate(row.name, **place, annotation_clip=False, color=row.ink, va="center")


def label_point(axis: Axes, place: float, value: float, text: str) -> None:
    """Writes a value above its point."""
    axis.annotate(text, (place, value), (0, 7), textcoords="offset points", color=INK, ha="center")


def rates(axis, most: int) -> None:
    """Ticks of an axis of rates, at most so many, written without a zero before the point."""
    axis.set_major_locator(ticks(most))
    axis.set_major_formatter(lambda value, _: re.sub(r"^(-?)0(?=\.)", r"\1", f"{value:g}").replace("-", "\u2212"))


def ticks(most: int, integer: bool = False):
    """At most `most` + 1 round ticks."""
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(most, integer=integer, steps=[1, 2, 5, 10])
