"""A fully connected network as plain arrays: what it answers, what its hidden units do, and its text form."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Shaped

from seqjax.data.events import DataError


class Layers(NamedTuple):
    """Weights of a fully connected network, input to output."""

    weights: tuple[Float[np.ndarray, "..."], ...]  # [inputs, outputs] each
    biases: tuple[Float[np.ndarray, "..."], ...]  # [outputs] each

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of nodes of every layer, the input first."""
        return (len(self.weights[0]), *map(len, self.biases))


class HiddenUnit(NamedTuple):
    """What a hidden unit does for the output, and what it listens to."""

    unit: int  # from 1
    output_weight: float  # of two outputs, the second's weight less the first's
    kind: Literal["enabler", "inhibitor"]  # speaks for the second class, or against it
    positive_share: float | None  # of the drawn incoming links; None if there are none
    drawn: int  # incoming links above the threshold
    unseen: float  # share of the sum of |incoming weight| that is not drawn


def forward(
    layers: Layers, inputs: Shaped[np.ndarray, "sample features"]
) -> tuple[Float[np.ndarray, "sample ..."], ...]:
    """Activations of every layer, the input itself first: logistic of the weighted sum and the bias, in float64.

    >>> layers = Layers((np.array([[2.0], [-2.0]]),), (np.array([0.0]),))
    >>> forward(layers, np.array([[1, 1], [1, 0]]))[-1].round(3).tolist()
    [[0.5], [0.881]]
    """
    values = [inputs.astype(np.float64)]
    for weight, bias in zip(layers.weights, layers.biases, strict=True):
        before = values[-1] @ weight.astype(np.float64) + bias
        values.append(np.exp(-np.logaddexp(0.0, -before)))
    return tuple(values)


def contributions(layers: Layers, row: Shaped[np.ndarray, "features"]) -> tuple[Float[np.ndarray, "..."], ...]:
    """What every link adds to its target for one input, weight times value of its source: [inputs, outputs] each.

    The sum over inputs, and the bias, is what the logistic is taken of.

    >>> layers = Layers((np.array([[2.0], [-1.0], [4.0]]),), (np.array([0.5]),))
    >>> contributions(layers, np.array([1, 1, 0]))[0].tolist()
    [[2.0], [-1.0], [0.0]]
    """
    values = forward(layers, row[None])
    return tuple(value[0][:, None] * weight for value, weight in zip(values, layers.weights, strict=False))


def hidden_summary(layers: Layers, *, threshold: float = 0.8) -> list[HiddenUnit]:
    """The units of the last hidden layer, the strongest |output weight| first; none without a hidden layer."""
    if len(layers.weights) < 2:
        return []
    incoming, outgoing = (weight.astype(np.float64) for weight in layers.weights[-2:])
    speaks = outgoing[:, -1] - (outgoing[:, 0] if outgoing.shape[1] > 1 else 0.0)
    units = []
    for place in np.argsort(-np.abs(speaks), kind="stable").tolist():
        size = np.abs(incoming[:, place])
        drawn = size > threshold
        count, whole = int(drawn.sum()), float(size.sum())
        share = float((incoming[drawn, place] > 0).mean()) if count else None
        kind = "enabler" if speaks[place] > 0 else "inhibitor"
        unseen = float(size[~drawn].sum()) / whole if whole else 0.0
        units.append(HiddenUnit(place + 1, float(speaks[place]), kind, share, count, unseen))
    return units


def strongest(layers: Layers, links: int = 2000) -> dict[str, list]:
    """The links with the largest |weight| of a network, sizes and biases, as a small table: see `rebuilt`."""
    sizes = [np.abs(weight).ravel() for weight in layers.weights]
    starts = np.concatenate([[0], np.cumsum([len(size) for size in sizes])])
    order = np.argsort(-np.concatenate(sizes), kind="stable")[:links]
    layer = np.searchsorted(starts, order, side="right") - 1
    table: dict[str, list] = {"sizes": list(layers.sizes), "biases": [bias.tolist() for bias in layers.biases]}
    place = [divmod(int(at - starts[of]), layers.weights[of].shape[1]) for at, of in zip(order, layer, strict=True)]
    table |= {"layer": layer.tolist(), "source": [p[0] for p in place], "target": [p[1] for p in place]}
    weights = [float(layers.weights[of][p]) for of, p in zip(layer, place, strict=True)]
    return table | {"weight": weights}


def rebuilt(table: Mapping[str, list]) -> Layers:
    """A network with the links of a table and no others.

    >>> layers = Layers((np.array([[2.0], [-1.0]]),), (np.array([0.5]),))
    >>> rebuilt(strongest(layers, 1)).weights[0].tolist()
    [[2.0], [0.0]]
    """
    weights = tuple(np.zeros(shape) for shape in pairwise(table["sizes"]))
    for layer, source, target, weight in zip(*(table[k] for k in ("layer", "source", "target", "weight")), strict=True):
        weights[layer][source, target] = weight
    return Layers(weights, tuple(np.array(bias) for bias in table["biases"]))


def to_neuraln(layers: Layers, *, rate: float = 0.3, momentum: float = 0.1, bias: float = 1.0) -> str:
    """The network in the text form of `neuraln`, with the 17 significant digits that give every float64 back.

    Numbers with a space between: how many layers, their sizes, learning rate, momentum, bias; then for every node
    behind the input, layer by layer, its bias weight and its incoming weights. `neuraln` adds bias weight times `bias`:
    with a `bias` that is no power of 2, biases may come back changed in the last digit. Raises DataError for a weight
    that is not finite, and ValueError for a `bias` of 0.

    Differs: `neuraln` itself writes 6 digits.
    """
    if not bias or not math.isfinite(bias):
        raise ValueError(f"bias is {bias}: biases are written as multiples of it, give a finite number that is not 0")
    blocks = [
        np.vstack([shift.astype(np.float64) / bias, weight]).T
        for weight, shift in zip(layers.weights, layers.biases, strict=True)
    ]
    for place, block in enumerate(blocks, 1):
        if not np.isfinite(block).all():
            raise DataError(f"layer {place} holds {block[~np.isfinite(block)][0]}: only finite weights can be written")
    sizes = layers.sizes
    numbers = [rate, momentum, bias, *(value for block in blocks for value in block.ravel().tolist())]
    return " ".join([str(len(sizes)), *map(str, sizes), *(f"{value:.17g}" for value in numbers)])


def from_neuraln(text: str) -> Layers:
    """The network of a text that `to_neuraln` or `neuraln` wrote, its bias folded into the biases, in float64.

    Raises DataError for too few or too many numbers, for a word that is no number or not finite, and for sizes below 1.
    """
    words = text.split()
    sizes = _sizes(words)
    begin = 1 + len(sizes) + 3  # learning rate, momentum, bias
    expected = begin + sum((inputs + 1) * outputs for inputs, outputs in pairwise(sizes))
    if len(words) != expected:
        shape = "-".join(map(str, sizes))
        raise DataError(f"the text has {len(words):,} numbers: a network {shape} has {expected:,}, is it whole?")
    numbers = _numbers(words)
    bias, weights, biases = numbers[begin - 1], [], []
    for inputs, outputs in pairwise(sizes):
        end = begin + (inputs + 1) * outputs
        block = numbers[begin:end].reshape(outputs, inputs + 1)
        weights.append(block[:, 1:].T.copy())
        biases.append(block[:, 0] * bias)
        begin = end
    return Layers(tuple(weights), tuple(biases))


def _sizes(words: Sequence[str]) -> list[int]:
    """The sizes of the layers, which a text names after their number."""
    count = _whole(words, 0, 2, "the number of layers, input and output among them")
    return [_whole(words, place, 1, f"the size of layer {place} of {count}") for place in range(1, count + 1)]


def _whole(words: Sequence[str], place: int, least: int, meaning: str) -> int:
    """The whole number at a place, of at least a size."""
    if place >= len(words):
        raise DataError(f"the text ends after {len(words)} numbers: expected is {meaning}, at least {least}")
    if not (words[place].isascii() and words[place].isdigit() and int(words[place]) >= least):
        raise DataError(f"number {place + 1} is {words[place]!r}: expected is {meaning}, whole and at least {least}")
    return int(words[place])


def _numbers(words: Sequence[str]) -> Float[np.ndarray, "word"]:
    """All words as finite numbers."""
    numbers = np.empty(len(words))
    for place, word in enumerate(words):
        try:
            numbers[place] = float(word)
        except ValueError:
            raise DataError(f"number {place + 1} is {word!r}, which is no number: export the text again") from None
    broken = np.flatnonzero(~np.isfinite(numbers))
    if len(broken):
        raise DataError(f"number {broken[0] + 1} is {words[broken[0]]!r}: weights are finite, was training stable?")
    return numbers
