"""The text form gives every weight back to the bit, and names what is wrong with a text that is none."""

import json
from itertools import pairwise

import numpy as np
import pytest

from seqjax.data.events import DataError
from seqjax.data.layers import Layers, forward, from_neuraln, rebuilt, strongest, to_neuraln

TINY = "3 2 2 1 0.3 0.1 2 0.5 1 -1 -0.25 0.5 2 0.125 3 -4"


def network(*sizes, kind=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    weights = [rng.standard_normal(pair).astype(kind) for pair in pairwise(sizes)]
    return Layers(tuple(weights), tuple(rng.standard_normal(size).astype(kind) for size in sizes[1:]))


def same(one, other):
    pairs = zip((*one.weights, *one.biases), (*other.weights, *other.biases), strict=True)
    return all(a.shape == b.shape and a.astype(np.float64).tobytes() == b.tobytes() for a, b in pairs)


def logistic(value):
    return 1 / (1 + np.exp(-value))


@pytest.mark.parametrize("sizes", [(4, 3, 1), (5, 1), (1, 1), (6, 5, 4, 2)])
@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_a_round_trip_is_exact_to_the_bit(sizes, kind):
    layers = network(*sizes, kind=kind)
    again = from_neuraln(to_neuraln(layers))
    assert same(layers, again) and again.sizes == layers.sizes == sizes
    assert all(array.dtype == np.float64 for array in (*again.weights, *again.biases))
    assert to_neuraln(again) == to_neuraln(layers)


def test_extreme_numbers_come_back_too():
    held = np.array([5e-324, 1.7976931348623157e308, -0.0, 0.1 + 0.2, 1 / 3, -2.2250738585072014e-308])
    layers = Layers((held[:, None],), (np.array([np.nextafter(1.0, 2.0)]),))
    assert same(layers, from_neuraln(to_neuraln(layers)))


def test_a_tiny_text_by_hand():
    layers = from_neuraln(TINY)
    assert [array.tolist() for array in layers.weights] == [[[1.0, 0.5], [-1.0, 2.0]], [[3.0], [-4.0]]]
    assert [array.tolist() for array in layers.biases] == [[1.0, -0.5], [0.25]]  # bias weights times 2
    assert to_neuraln(layers, bias=2.0).split()[6:] == TINY.split()[6:]
    assert to_neuraln(layers, rate=0.5, momentum=0.0).split()[:7] == ["3", "2", "2", "1", "0.5", "0", "1"]
    assert to_neuraln(layers).split()[4:6] == ["0.29999999999999999", "0.10000000000000001"]
    assert from_neuraln("\n".join(TINY.split()) + "\n").biases[1].tolist() == [0.25]


def test_forward_follows_the_tiny_text():
    first, hidden, output = forward(from_neuraln(TINY), np.array([[1, 0], [1, 1]]))
    assert first.tolist() == [[1.0, 0.0], [1.0, 1.0]]
    assert hidden == pytest.approx(np.array([[logistic(2.0), logistic(0.0)], [logistic(1.0), logistic(2.0)]]))
    by_hand = [0.25 + 3 * one - 4 * other for one, other in hidden]
    assert output[:, 0] == pytest.approx([logistic(value) for value in by_hand])


def test_forward_is_exact_in_float64_and_calm_far_out():
    layers = network(7, 4, 2, kind=np.float32)
    assert all(values.dtype == np.float64 for values in forward(layers, np.ones((3, 7), bool)))
    far = Layers((np.array([[1e4]]),), (np.zeros(1),))
    assert forward(far, np.array([[1.0], [-1.0], [-0.005]]))[-1][:, 0].tolist() == pytest.approx(
        [1.0, 0.0, np.exp(-50)]
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "ends after 0 numbers"),
        ("3 2 2", "size of layer 3 of 3"),
        ("1 2 0.3 0.1 1", "number 1 is '1'.*at least 2"),
        ("2 2.5 1", "number 2 is '2.5'.*whole"),
        ("2 3 0 0.3 0.1 1", "number 3 is '0'.*at least 1"),
        ("2 -3 1 0.3 0.1 1", "number 2 is '-3'"),
        ("many", "number 1 is 'many'"),
        (TINY.rsplit(" ", 1)[0], "has 15 numbers.*2-2-1 has 16"),
        (TINY + " 1", "has 17 numbers.*2-2-1 has 16"),
        (TINY.replace("-0.25", "-0,25"), "number 11 is '-0,25', which is no number"),
        (TINY.replace("-0.25", "nan"), "number 11 is 'nan'.*finite"),
        (TINY.replace("-0.25", "1e999"), "number 11 is '1e999'.*finite"),
    ],
)
def test_a_broken_text_is_refused_by_name_and_place(text, said):
    with pytest.raises(DataError, match=said):
        from_neuraln(text)


def test_what_cannot_be_written_is_refused():
    with pytest.raises(DataError, match="layer 1 holds nan"):
        to_neuraln(Layers((np.array([[np.nan]]),), (np.zeros(1),)))
    with pytest.raises(ValueError, match=r"bias is 0\.0"):
        to_neuraln(network(2, 1), bias=0.0)


def test_the_strongest_links_alone_make_the_network_again():
    random = np.random.default_rng(0)
    layers = Layers((random.normal(size=(7, 3)), random.normal(size=(3, 2))), (np.arange(3.0), np.ones(2)))
    again = rebuilt(json.loads(json.dumps(strongest(layers, 27))))
    for one, other in zip(layers, again, strict=True):
        assert all((a == b).all() for a, b in zip(one, other, strict=True))
    some = rebuilt(strongest(layers, 5))
    whole = np.sort(np.abs(np.concatenate([weight.ravel() for weight in layers.weights])))
    kept = np.abs(np.concatenate([weight.ravel() for weight in some.weights]))
    assert np.sort(kept[kept > 0]).tolist() == whole[-5:].tolist() and some.sizes == (7, 3, 2)
