"""Groups of users against loops, and measures against trying every one of them."""

import numpy as np
import pytest

from seqjax.decide import Measure, choose, segment

LEAVES, RETURNS = 0.2, 0.3  # "likely to leave" from 20 %, "likely to return" from 30 %


def named(chances, thresholds, otherwise="neither"):
    """The segment of one user, by a loop."""
    held = [name for name, bound in thresholds.items() if chances[name] >= bound]
    return " and ".join(held) if held else otherwise


def test_segments_by_hand():
    leaves = np.array([0.1999, 0.2, 0.9, 0.0, 1.0])
    returns = np.array([0.2999, 0.1, 0.3, 0.3, 1.0])
    found = segment({"leaves": leaves, "returns": returns}, {"leaves": LEAVES, "returns": RETURNS})
    assert found.tolist() == ["neither", "leaves", "leaves and returns", "returns", "leaves and returns"]


@pytest.mark.parametrize("order", [("leaves", "returns", "buys"), ("buys", "leaves"), ("returns",)])
def test_segments_against_a_loop(order):
    """Names are joined in the order of the thresholds; a probability without a threshold has no part."""
    random = np.random.default_rng(0)
    chances = {name: random.random(200).round(1) for name in ("returns", "buys", "leaves")}
    bounds = {name: bound for name, bound in {"leaves": 0.2, "returns": 0.3, "buys": 0.9}.items() if name in order}
    bounds = {name: bounds[name] for name in order}
    users = [{name: chance[user] for name, chance in chances.items()} for user in range(200)]
    assert segment(chances, bounds, "rest").tolist() == [named(user, bounds, "rest") for user in users]


def test_everybody_is_of_the_rest_where_nothing_is_asked():
    assert segment({"leaves": np.array([0.1, 0.9])}, {}, "rest").tolist() == ["rest", "rest"]
    assert segment({"leaves": np.zeros(0)}, {"leaves": LEAVES}).tolist() == []


@pytest.mark.parametrize("bound", [0.0, 1.0])
def test_the_ends_of_the_range_are_thresholds(bound):
    found = segment({"leaves": np.array([0.0, 0.5, 1.0])}, {"leaves": bound})
    assert (found == "leaves").tolist() == [bound == 0.0, bound == 0.0, True]


def test_an_event_without_a_probability_is_refused():
    with pytest.raises(ValueError, match=r"'buys' has a threshold and no probability; there are \['leaves'\]"):
        segment({"leaves": np.array([0.5])}, {"leaves": LEAVES, "buys": 0.5})


@pytest.mark.parametrize("bound", [-0.01, 1.01, 20.0, np.nan])
def test_a_threshold_that_is_no_probability_is_refused(bound):
    with pytest.raises(ValueError, match=f"the threshold of 'leaves' is {bound}: choose a probability, 0 to 1"):
        segment({"leaves": np.array([0.5])}, {"leaves": bound})


@pytest.mark.parametrize("seed", range(4))
def test_the_chosen_measure_has_the_highest_expected_worth(seed):
    """What a user is worth in the end, over both outcomes of every measure and of none."""
    random = np.random.default_rng(seed)
    measures = [Measure(f"m{n}", cost, effect) for n, (cost, effect) in enumerate(random.random((4, 2)) * [3.0, 0.6])]
    leave, worth = random.random(100), 10.0
    chosen, gain = choose(leave, worth, measures)
    assert {-1} < set(chosen.tolist())  # some are left alone, some are not
    for user, chance in enumerate(leave):
        outcomes = {-1: (1.0 - chance) * worth}
        for number, (_, cost, effect) in enumerate(measures):
            outcomes[number] = (1.0 - chance * (1.0 - effect)) * worth - cost
        assert outcomes[int(chosen[user])] == pytest.approx(max(outcomes.values()))
        assert gain[user] == pytest.approx(max(outcomes.values()) - outcomes[-1])


def test_of_equals_nothing_comes_first_and_then_the_order_of_the_measures():
    even = Measure("even", cost=1.0, effect=0.5)  # 0.5 x 0.25 x 8 = 1
    assert [part.tolist() for part in choose(np.array([0.25]), 8.0, [even])] == [[-1], [0.0]]
    assert [part.tolist() for part in choose(np.array([0.5]), 8.0, [even, even])] == [[0], [1.0]]


@pytest.mark.parametrize(("worth", "measures"), [
    (8.0, []), (0.0, [Measure("call", 0.1, 1.0)]), (8.0, [Measure("letter", 0.1, 0.0), Measure("visit", 9.0, 1.0)]),
], ids=["none at all", "users worth nothing", "no effect, or too dear"])  # fmt: skip
def test_where_no_measure_gains_nothing_is_done(worth, measures):
    chosen, gain = choose(np.array([0.0, 0.5, 1.0]), worth, measures)
    assert chosen.tolist() == [-1, -1, -1] and gain.tolist() == [0.0, 0.0, 0.0]
