"""Drawings hold the links above their threshold and no others, in the colours, order and strength that they explain."""

import re
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest

from seqjax.data.layers import Layers, contributions, forward, hidden_summary
from seqjax.report.network import decision_drawing, hidden_table, network_drawing
from seqjax.report.plots import BLUE, VERMILION

CLASSES = ("male", "female")
AWKWARD = ['<b>&"', "it's", "#\x00\ud800bell", "漢字" * 20, "a" * 50]


def network(*sizes, seed=0):
    rng = np.random.default_rng(seed)
    weights = [rng.standard_normal(pair) for pair in pairwise(sizes)]
    return Layers(tuple(weights), tuple(rng.standard_normal(size) for size in sizes[1:]))


def words(layers):
    return [f"#{place}" for place in range(layers.sizes[0])]


def found(svg, kind):
    return [part for part in ElementTree.fromstring(svg).iter() if part.get("class") == kind]


def drawn(svg, quantity="weight"):
    places = ("data-layer", "data-source", "data-target")
    return {
        tuple(int(link.get(name)) for name in places): float(link.get(f"data-{quantity}"))
        for link in found(svg, "link")
    }


def above(matrices, threshold):
    return {
        (layer, *place): float(matrix[place])
        for layer, matrix in enumerate(matrices)
        for place in np.ndindex(matrix.shape)
        if abs(matrix[place]) > threshold
    }


def shown(group):
    """The name beside a node, which is the last text of its group."""
    return [part.text for part in group.iter() if part.tag.endswith("}text")][-1]


def nodes(svg, layer):
    """Places of a layer's nodes, from the top."""
    units = [group for group in found(svg, "unit") if group.get("data-layer") == str(layer)]
    held = found(svg, "input") if layer == 0 else units
    high = [next(part for part in group.iter() if part.tag.endswith("}circle")) for group in held]
    pairs = zip(
        (float(circle.get("cy")) for circle in high), (int(group.get("data-node")) for group in held), strict=True
    )
    return [node for _, node in sorted(pairs)]


def said(svg):
    return " ".join(ElementTree.fromstring(svg).itertext())


@pytest.mark.parametrize("sizes", [(30, 5, 1), (30, 1), (30, 4, 2), (20, 6, 3, 1), (200, 3, 1)])
@pytest.mark.parametrize("threshold", [0.8, 1.5])
def test_the_links_drawn_are_those_above_the_threshold(sizes, threshold):
    layers = network(*sizes)
    svg = network_drawing(layers, words(layers), CLASSES, threshold=threshold, links=1000)
    expected = above(layers.weights, threshold)
    assert drawn(svg) == expected and expected
    assert f"all {len(expected):,} links with a weight beyond \u00b1{threshold}" in said(svg)
    assert set(nodes(svg, 0)) == {source for layer, source, _ in expected if layer == 0}
    for layer, size in enumerate(sizes[1:], 1):
        assert sorted(nodes(svg, layer)) == list(range(size)), "units are drawn with and without links"


def test_beyond_the_limit_the_strongest_are_drawn_and_the_drawing_says_so():
    layers = network(50, 5, 1)
    every = above(layers.weights, 0.8)
    svg = network_drawing(layers, words(layers), CLASSES, links=20)
    strongest = sorted(every, key=lambda place: -abs(every[place]))[:20]
    assert drawn(svg) == {place: every[place] for place in strongest}
    assert f"the strongest 20 of {len(every):,} links" in said(svg)
    assert f"{len(nodes(svg, 0))} of 50 inputs" in said(svg)


def test_colours_follow_the_sign_and_strength_the_size():
    layers = network(40, 5, 1)
    links = found(network_drawing(layers, words(layers), CLASSES), "link")
    for link in links:
        name, colour = ("blue", BLUE) if float(link.get("data-weight")) > 0 else ("vermilion", VERMILION)
        assert link.get("stroke") == f"var(--{name}, {colour})"
    links.sort(key=lambda link: abs(float(link.get("data-weight"))))
    for name in ("stroke-opacity", "stroke-width"):
        strength = [float(link.get(name)) for link in links]
        assert strength == sorted(strength) and strength[0] < strength[-1] and strength[0] > 0.3


def test_the_legend_shows_weakest_and_strongest_as_they_are_drawn():
    layers = network(40, 5, 1)
    svg = network_drawing(layers, words(layers), CLASSES)
    size = [abs(weight) for weight in drawn(svg).values()]
    opacity = [link.get("stroke-opacity") for link in found(svg, "link")]
    keys = [key.get("stroke-opacity") for key in found(svg, "key")]
    assert keys[:3] == keys[3:] and (keys[0], keys[2]) == (min(opacity), max(opacity))
    assert all(f"{sign}{max(size):.2f}" in said(svg) for sign in "+\u2212")


def test_nodes_stand_by_the_sum_of_their_drawn_weights():
    layers = network(100, 7, 2)
    svg = network_drawing(layers, words(layers), CLASSES, threshold=1.2)
    strength = [np.zeros(size) for size in layers.sizes]
    for (layer, source, target), weight in drawn(svg).items():
        strength[layer][source] += abs(weight)
        strength[layer + 1][target] += abs(weight)
    for layer, held in enumerate(strength):
        falling = [held[node] for node in nodes(svg, layer)]
        assert falling == sorted(falling, reverse=True)


def test_nodes_have_their_names():
    layers = network(30, 4, 2)
    svg = network_drawing(layers, words(layers), CLASSES, title="Tags & more")
    assert {group.get("data-node"): shown(group) for group in found(svg, "input")} == {
        str(node): f"#{node}" for node in nodes(svg, 0)
    }
    units = {(int(unit.get("data-layer")), int(unit.get("data-node"))): shown(unit) for unit in found(svg, "unit")}
    assert units == {**{(1, node): f"h{node + 1}" for node in range(4)}, (2, 0): "male", (2, 1): "female"}
    assert "Tags & more" in said(svg) and 'aria-label="Tags &amp; more"' in svg
    one = network(3, 2, 2, 1)
    names = [shown(unit) for unit in found(network_drawing(one, words(one), CLASSES), "unit")]
    assert sorted(names) == ["female", "h1.1", "h1.2", "h2.1", "h2.2"]


def test_names_are_escaped_cut_and_whole_under_the_pointer():
    layers = Layers((np.arange(5.0)[:, None] + 1,), (np.zeros(1),))
    for svg in (
        network_drawing(layers, AWKWARD, ("<", "&"), title="<&>"),
        decision_drawing(layers, AWKWARD, range(5), ("<", "&"), title="<&>"),
    ):
        text = {int(group.get("data-node")): (shown(group), group[0].text) for group in found(svg, "input")}
        assert text[0] == ('<b>&"', '<b>&"') and text[1][0] == "it's"
        assert text[2][0] == "#\ufffd\ufffdbell"
        assert text[3] == ("漢字漢字漢字漢字漢\u2026", AWKWARD[3]) and text[4] == ("a" * 19 + "\u2026", "a" * 50)
        assert "<b>" not in svg


def test_names_do_not_stand_on_each_other():
    for inputs in (5, 60, 61, 150, 400):
        layers = Layers((np.linspace(1, 2, inputs)[:, None],), (np.zeros(1),))
        svg = network_drawing(layers, words(layers), CLASSES)
        texts = [group[-1] for group in found(svg, "input")]
        by_column = {}
        for text in texts:
            by_column.setdefault(text.get("x"), []).append(float(text.get("y")))
        assert len(texts) == inputs and len(by_column) == (2 if inputs > 60 else 1)
        assert all(np.diff(sorted(held)).min() > 11.8 for held in by_column.values())
        height = float(ElementTree.fromstring(svg).get("height"))
        assert max(max(held) for held in by_column.values()) < height < 2600


def test_a_network_without_strong_links_is_drawn_without_inputs():
    layers = network(10, 3, 1)
    for svg in (
        network_drawing(layers, words(layers), CLASSES, threshold=9.0),
        network_drawing(layers, words(layers), CLASSES, links=0),
        decision_drawing(layers, words(layers), [], CLASSES, threshold=9.0),
    ):
        assert not drawn(svg) and not found(svg, "key") and len(found(svg, "unit")) == 4


def test_equal_weights_are_all_drawn_in_full():
    layers = Layers((np.full((4, 1), -2.0),), (np.zeros(1),))
    links = found(network_drawing(layers, words(layers), CLASSES), "link")
    assert {link.get("stroke-opacity") for link in links} == {"0.9500"}


@pytest.mark.parametrize("sizes", [(30, 5, 1), (30, 1), (30, 6, 2)])
def test_a_decision_shows_contributions_that_sum_to_what_the_logistic_takes(sizes):
    layers, present = network(*sizes), [1, 4, 7, 8, 20]
    row = np.isin(np.arange(30), present).astype(float)
    values, parts = forward(layers, row[None]), contributions(layers, row)
    for part, bias, after in zip(parts, layers.biases, values[1:], strict=True):
        assert 1 / (1 + np.exp(-(part.sum(0) + bias))) == pytest.approx(after[0])
    whole = drawn(decision_drawing(layers, words(layers), present, CLASSES, threshold=0.0), "contribution")
    for target in range(sizes[1]):
        before = sum(size for (layer, _, to), size in whole.items() if layer == 0 and to == target)
        assert before == pytest.approx(layers.weights[0][present, target].sum())
    svg = decision_drawing(layers, words(layers), present, CLASSES)
    assert drawn(svg, "contribution") == above(parts, 0.3)
    assert set(nodes(svg, 0)) <= set(present) and re.search(r"5 present inputs", said(svg))


def test_a_decision_shows_every_activation_and_where_it_comes_from():
    layers = Layers((np.array([[2.0, 0.1], [-1.0, 0.2], [5.0, 5.0]]), np.array([[3.0], [-4.0]])), (
        np.array([0.5, 0.0]),
        np.array([-1.0]),
    ))  # fmt: skip
    svg = decision_drawing(layers, ["a", "b", "c"], [0, 1], CLASSES)
    units = {shown(unit): unit for unit in found(svg, "unit")}
    first, second = 1 / (1 + np.exp(-1.5)), 1 / (1 + np.exp(-0.3))
    answer = 1 / (1 + np.exp(1.0 - 3 * first + 4 * second))
    assert set(units) == {f"{name} {value:.2f}".replace(" 0", " ") for name, value in (
        ("h1", first), ("h2", second), ("female", answer),
    )}  # fmt: skip
    levels = {part.get("fill-opacity") for unit in units.values() for part in unit.iter() if part.get("fill-opacity")}
    assert levels == {f"{value:.3f}" for value in (first, second, answer)}
    assert "h1 .82: +1.00 from the links drawn, .00 from others, +.50 bias" in said(svg)
    assert "h2 .57: .00 from the links drawn, +.30 from others, .00 bias" in said(svg)
    assert "a \u2192 h1 .82: +2.00" in said(svg)


def test_hidden_units_by_hand():
    layers = Layers(
        (np.array([[1.0, -2.0, 0.1], [-1.0, 0.5, 0.3], [2.0, -0.5, 0.0]]), np.array([[0.5], [-3.0], [2.0]])),
        (np.zeros(3), np.zeros(1)),
    )
    assert hidden_summary(layers) == [
        (2, -3.0, "inhibitor", 0.0, 1, pytest.approx(1 / 3)),
        (3, 2.0, "enabler", None, 0, pytest.approx(1.0)),
        (1, 0.5, "enabler", pytest.approx(2 / 3), 3, 0.0),
    ]
    assert hidden_summary(layers, threshold=0.2)[1][3:] == (1.0, 1, pytest.approx(0.25))
    two = layers._replace(weights=(layers.weights[0], np.array([[1.0, 0.5], [2.0, -1.0], [-2.0, 2.0]])))
    assert [(unit.unit, unit.output_weight) for unit in hidden_summary(two)] == [(3, 4.0), (2, -3.0), (1, -0.5)]
    assert hidden_summary(network(4, 1)) == [] and hidden_table([], CLASSES) == ""
    silent = Layers((np.zeros((2, 1)), np.zeros((1, 1))), (np.zeros(1), np.zeros(1)))
    assert hidden_summary(silent) == [(1, 0.0, "inhibitor", None, 0, 0.0)]


def test_the_table_of_hidden_units_holds_the_summary():
    layers = network(20, 3, 1)
    table = hidden_table(hidden_summary(layers), ("a", "b<"))
    rows = re.findall(r'<th scope="row">(\w+)</th><td>(.*?)</td><td>(\w+)</td><td>(\d+)</td>', table)
    held = hidden_summary(layers)
    assert [(name, kind, int(count)) for name, _, kind, count in rows] == [
        (f"h{unit.unit}", unit.kind, unit.drawn) for unit in held
    ]
    assert "b&lt;" in table and "above 0.8" in table


def test_what_does_not_fit_is_refused():
    layers = network(3, 2, 1)
    with pytest.raises(ValueError, match="2 names for 3 inputs"):
        network_drawing(layers, ["a", "b"], CLASSES)
    with pytest.raises(ValueError, match="3 outputs"):
        network_drawing(network(2, 3), ["a", "b"], CLASSES)
    for place in (3, -1):
        with pytest.raises(ValueError, match=f"feature {place} is present.*0 to 2"):
            decision_drawing(layers, ["a", "b", "c"], [0, place], CLASSES)
