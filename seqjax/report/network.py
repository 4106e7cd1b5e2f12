"""A fully connected network as SVG: its strong links, how it came to one decision, and what its hidden units do.

Colours follow the page as those of other figures do: blue is positive, vermilion negative. Under the pointer, a unit's
incoming links stand out and names that were cut are shown in full.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple
from unicodedata import east_asian_width

import numpy as np
from jaxtyping import Float

from seqjax.data.layers import HiddenUnit, Layers, contributions, forward
from seqjax.report.html import grid
from seqjax.report.plots import BLUE, INK, MUTED, PAPER, RULE, VERMILION, number

WIDTH, TOP, ROW, UNIT, LEAST = 864, 84, 12, 19, 130  # pixels: the page's measure, heads, a name, a unit, a drawing
NAME, CLASS, LETTERS = 140, 104, 20  # pixels: a column of names, the classes; letters: the longest name
ONE_COLUMN = 60  # names that stand below each other; more, where they are narrow, stand in two columns, staggered
FAINT, FULL, THIN, THICK = 0.4, 0.95, 0.9, 2.8  # opacity and width in pixels of the weakest and the strongest link
SIGNS = "blue is positive, vermilion negative, the strongest nodes stand on top"
BEND = 0.35  # of a gap: how far a link stays level at its ends
INK_OF_PAGE, PAPER_OF_PAGE = f"var(--ink, {INK})", f"var(--paper, {PAPER})"
NO_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
STYLE = (
    "<style>.network .link{transition:opacity .1s}.network:has(.unit:hover) .link{opacity:.12}"
    ".network .unit:hover .link{opacity:1;stroke-opacity:1}</style>"
)
ROWS = 20  # hidden units in the table, the strongest
TABLE_CAPTION = (
    "An enabler speaks for {name}, an inhibitor against. Drawn are incoming links with a weight above {threshold} or "
    "below \u2212{threshold}; unseen is the share of a unit's incoming weight, signs aside, that the others hold."
)


class _Link(NamedTuple):
    layer: int  # that it leaves
    source: int
    target: int
    size: float


class _Column(NamedTuple):
    kind: str
    of: int  # nodes that could be drawn
    names: Sequence[str]
    tips: Sequence[str]  # shown under the pointer
    levels: Sequence[float]  # how full each node is, 0 to 1


class _Picture(NamedTuple):
    columns: Sequence[_Column]
    links: Sequence[_Link]  # weakest first
    strong: int  # links above the threshold, drawn or not
    threshold: float
    quantity: str
    title: str


Places = list[dict[int, tuple[float, float]]]  # of every column's drawn nodes, from the top


def network_drawing(
    layers: Layers,
    names: Sequence[str],
    classes: tuple[str, str],
    *,
    threshold: float = 0.8,
    links: int = 400,
    title: str = "",
) -> str:
    """The links with |weight| above a threshold, at most the `links` strongest of them, layers as columns.

    Nodes stand by falling sum of their drawn |weights|; inputs without a drawn link are left out. One output is named
    `classes[1]`. Raises ValueError for a number of names or outputs that does not fit.
    """
    columns = _columns(layers, names, classes)
    return _svg(_Picture(columns, *_strongest(layers.weights, threshold, links), threshold, "weight", title))


def decision_drawing(
    layers: Layers,
    names: Sequence[str],
    present: Sequence[int],
    classes: tuple[str, str],
    *,
    threshold: float = 0.3,
    links: int = 400,
    title: str = "",
) -> str:
    """How the input whose features `present` (places from 0) are 1 came to its output: every node with its activation,
    and the links that contributed more than a threshold, at most the `links` strongest.

    Raises ValueError for a number of names or outputs, or a place of a feature, that does not fit.
    """
    first, *others = _columns(layers, names, classes)
    row = _row(layers.sizes[0], present)
    values, parts = forward(layers, row[None])[1:], contributions(layers, row)
    drawn, strong = _strongest(parts, threshold, links)
    columns = [first._replace(kind="present inputs", of=int(row.sum()))]
    for layer, column in enumerate(others):
        held = [link for link in drawn if link.layer == layer]
        columns.append(_decided(column, held, parts[layer].sum(0), layers.biases[layer], values[layer][0]))
    return _svg(_Picture(columns, drawn, strong, threshold, "contribution", title))


def hidden_table(units: Sequence[HiddenUnit], classes: tuple[str, str], *, threshold: float = 0.8) -> str:
    """The summary of hidden units as an HTML table with its caption; nothing without a unit."""
    body = [
        f'<tr><th scope="row">h{unit.unit}</th><td>{number(unit.output_weight, 2, sign=True)}</td>'
        f"<td>{unit.kind}</td><td>{unit.drawn:,}</td><td>{number(unit.positive_share, 2)}</td>"
        f"<td>{number(unit.unseen, 2)}</td></tr>"
        for unit in units[:ROWS]
    ]
    heads = ["hidden unit", "output weight", "works as", "links drawn", "positive among them", "unseen"]
    caption = TABLE_CAPTION.format(name=html.escape(classes[1]), threshold=f"{threshold:g}")
    return grid(heads, body) + f'<p class="note">{caption}</p>' if body else ""


def _row(inputs: int, present: Sequence[int]) -> Float[np.ndarray, "features"]:
    """The input whose features `present` are 1."""
    if outside := [place for place in present if not 0 <= place < inputs]:
        raise ValueError(f"feature {outside[0]} is present: the network has the inputs 0 to {inputs - 1}")
    return np.isin(np.arange(inputs), present).astype(np.float64)


def _columns(layers: Layers, names: Sequence[str], classes: tuple[str, str]) -> list[_Column]:
    """Layers by name: features; h1 and on, or h1.2 for the second of the first hidden layer of several; classes."""
    inputs, *hidden, outputs = layers.sizes
    if len(names) != inputs:
        raise ValueError(f"{len(names)} names for {inputs} inputs: give one each")
    if outputs not in (1, 2):
        raise ValueError(f"the network has {outputs} outputs: 1 or 2 can be drawn")
    before = [f"h{layer}." if len(hidden) > 1 else "h" for layer in range(1, len(hidden) + 1)]
    units = [[f"{start}{unit}" for unit in range(1, size + 1)] for start, size in zip(before, hidden, strict=True)]
    kinds = ["inputs", *["hidden units"] * len(hidden), "outputs" if outputs > 1 else "output"]
    labels = [names, *units, classes[-outputs:]]
    return [_Column(kind, len(of), of, of, np.zeros(len(of))) for kind, of in zip(kinds, labels, strict=True)]


def _decided(column: _Column, drawn: Sequence[_Link], sums: np.ndarray, bias: np.ndarray, level: np.ndarray) -> _Column:
    """A layer with its activations, and for every node where its sum comes from."""
    names = [f"{name} {number(value, 2)}" for name, value in zip(column.names, level.tolist(), strict=True)]
    seen = [sum(link.size for link in drawn if link.target == node) for node in range(len(names))]
    tips = [
        f"{name}: {number(one, 2, sign=True)} from the links drawn, {number(rest, 2, sign=True)} from others, "
        f"{number(shift, 2, sign=True)} bias"
        for name, one, rest, shift in zip(names, seen, (sums - seen).round(9).tolist(), bias.tolist(), strict=True)
    ]
    return column._replace(names=names, tips=tips, levels=level)


def _strongest(matrices: Sequence[Float[np.ndarray, "..."]], threshold: float, most: int) -> tuple[list[_Link], int]:
    """The strongest links above a threshold, weakest first, and how many there are above it."""
    held = []
    for layer, matrix in enumerate(matrices):
        source, target = np.nonzero(np.abs(matrix.astype(np.float64)) > threshold)
        links = zip(source.tolist(), target.tolist(), matrix[source, target].tolist(), strict=True)
        held += [_Link(layer, *link) for link in links]
    held.sort(key=lambda link: -abs(link.size))
    return held[:most][::-1], len(held)


def _svg(picture: _Picture) -> str:
    """The drawing: heads and legend, inputs, and for every unit a group of its incoming links and itself."""
    places, height = _places(picture)
    title = picture.title or "-".join(str(len(column.names)) for column in picture.columns)
    parts = [_legend(picture, places, title), _inputs(picture.columns[0], places[0])]
    for layer in range(len(places) - 1, 0, -1):  # a unit's name lies on the links that leave it
        parts += [_unit(picture, places, layer, node) for node in places[layer]]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="network" role="img" aria-label="{_safe(title)}" '
        f'width="{WIDTH}" height="{height:.0f}" viewBox="0 0 {WIDTH} {height:.0f}" font-size="10.5" '
        f'fill="{INK_OF_PAGE}" font-family="system-ui, sans-serif">{STYLE}'
        f'<rect width="100%" height="100%" fill="{PAPER_OF_PAGE}"/>{"".join(parts)}</svg>'
    )


def _places(picture: _Picture) -> tuple[Places, float]:
    """Where the nodes of every column stand, the strongest first, and how high the drawing is."""
    strength = [np.zeros(len(column.names)) for column in picture.columns]
    for link in picture.links:
        strength[link.layer][link.source] += abs(link.size)
        strength[link.layer + 1][link.target] += abs(link.size)
    order = [np.argsort(-held, kind="stable").tolist() for held in strength]
    order[0] = [node for node in order[0] if strength[0][node] > 0]
    units = max(max(map(len, order[1:])) * UNIT, LEAST)
    wide = len(order[0]) * ROW > max(units, ONE_COLUMN * ROW)
    height = max(len(order[0]) * ROW / (1 + wide), units)
    left, gaps = NAME * (1 + wide) + 14, len(order)  # the first gap, which most links cross, is as wide as two
    across = [left, *(left + (WIDTH - CLASS - left) * gap / gaps for gap in range(2, gaps + 1))]
    return [
        {node: (x, TOP + height * (line + 0.5) / len(nodes)) for line, node in enumerate(nodes)}
        for x, nodes in zip(across, order, strict=True)
    ], TOP + height + 10


def _legend(picture: _Picture, places: Places, title: str) -> str:
    """Title, what colours and their strength mean, how many links are drawn, and a head for every column."""
    drawn, strong = len(picture.links), picture.strong
    many = f"the strongest {drawn:,} of {strong:,}" if drawn < strong else f"all {drawn:,}"
    said = f"{many} links with a {picture.quantity} beyond \u00b1{picture.threshold:g}"
    parts = [
        f'<text y="15" font-size="14" font-weight="650" fill="{INK_OF_PAGE}">{_safe(title)}</text>',
        f'<text y="54">{said}; {SIGNS}</text>',
    ]
    weakest, strongest = (abs(picture.links[place].size) for place in (0, -1)) if drawn else (0.0, 0.0)
    for place, size in enumerate((weakest, (weakest + strongest) / 2, strongest) * 2 if drawn else ()):
        x, signed = 80 * place + 16 * (place > 2), -size if place > 2 else size
        parts.append(f'<path class="key" d="M{x} 34h34" {_stroke(picture, signed)}/>')
        parts.append(f'<text x="{x + 39}" y="37.5">{number(signed, 2, sign=True)}</text>')
    for column, held in zip(picture.columns, places, strict=True):
        count = f"{len(held):,} of {column.of:,}" if len(held) < column.of else f"{column.of:,}"
        x, anchor = next(iter(held.values()), (NAME, 0.0))[0], "end" if held is places[0] else "start"
        parts.append(f'<text x="{x:.0f}" y="{TOP - 6}" text-anchor="{anchor}">{count} {column.kind}</text>')
    return f'<g fill="var(--muted, {MUTED})">{"".join(parts)}</g>'


def _inputs(column: _Column, places: dict[int, tuple[float, float]]) -> str:
    """The drawn inputs with their names, of which every other one stands further out where there are many."""
    parts = []
    for line, (node, (x, y)) in enumerate(places.items()):
        end = x - 10 - NAME * (line % int(x // NAME))
        parts.append(
            f'<g class="input" data-node="{node}"><title>{_safe(column.tips[node])}</title>'
            f'<path d="M{end + 3} {y:.1f}H{x}" stroke="var(--rule, {RULE})" stroke-width=".8"/>'
            f'<circle cx="{x}" cy="{y:.1f}" r="1.8" fill="var(--muted, {MUTED})"/>'
            f'<text x="{end}" y="{y + 3.5:.1f}" text-anchor="end">{_safe(_short(column.names[node]))}</text></g>'
        )
    return "".join(parts)


def _unit(picture: _Picture, places: Places, layer: int, node: int) -> str:
    """A unit behind the input: the links into it, the weakest first, and its circle, as full as it is active."""
    column, (x, y) = picture.columns[layer], places[layer][node]
    links = [link for link in picture.links if (link.layer, link.target) == (layer - 1, node)]
    bold = ' font-weight="650" font-size="12"' if layer == len(places) - 1 else ""
    paths, circle = "".join(_path(picture, places, link) for link in links), f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" '
    return (
        f'<g class="unit" data-layer="{layer}" data-node="{node}">{paths}<g>'
        f'<title>{_safe(column.tips[node])}</title>{circle}fill="{PAPER_OF_PAGE}"/>'
        f'{circle}fill-opacity="{column.levels[node]:.3f}" stroke="{INK_OF_PAGE}"/>'
        f'<text x="{x + 9:.1f}" y="{y + 3.8:.1f}" stroke="{PAPER_OF_PAGE}" stroke-width="3" stroke-linejoin="round" '
        f'paint-order="stroke"{bold}>{_safe(_short(column.names[node]))}</text></g></g>'
    )


def _path(picture: _Picture, places: Places, link: _Link) -> str:
    """A link as a curve from node to node."""
    (x, y), (to_x, to_y) = places[link.layer][link.source], places[link.layer + 1][link.target]
    bend = (to_x - x) * BEND
    source, target = (picture.columns[link.layer + side].names[link[1 + side]] for side in (0, 1))
    return (
        f'<path class="link" data-layer="{link.layer}" data-source="{link.source}" data-target="{link.target}" '
        f'data-{picture.quantity}="{link.size!r}" fill="none" {_stroke(picture, link.size)} '
        f'd="M{x:.1f} {y:.1f}C{x + bend:.1f} {y:.1f} {to_x - bend:.1f} {to_y:.1f} {to_x:.1f} {to_y:.1f}">'
        f"<title>{_safe(source)} \u2192 {_safe(target)}: {number(link.size, 2, sign=True)}</title></path>"
    )


def _stroke(picture: _Picture, size: float) -> str:
    """Colour by sign; opacity and width by the size, from the weakest to the strongest link drawn."""
    weakest, strongest = abs(picture.links[0].size), abs(picture.links[-1].size)
    share = ((abs(size) - weakest) / (strongest - weakest)) ** 0.7 if strongest > weakest else 1.0
    colour, name = (BLUE, "blue") if size > 0 else (VERMILION, "vermilion")
    return (
        f'stroke="var(--{name}, {colour})" stroke-opacity="{FAINT + (FULL - FAINT) * share:.4f}" '
        f'stroke-width="{THIN + (THICK - THIN) * share:.2f}"'
    )


def _short(name: str) -> str:
    """A name cut to the room that it has; wide letters count twice."""
    ends = accumulate(1 + (east_asian_width(letter) in "WF") for letter in name)
    held = sum(end <= LETTERS for end in ends)
    return name if held == len(name) else name[: held - 1] + "\u2026"


def _safe(text: str) -> str:
    """Text for XML: marks escaped, letters that XML does not have replaced."""
    return html.escape(NO_XML.sub("\ufffd", text))
