"""Stability of scores: what chance moves, what a shift moves, and ties."""

import numpy as np
import pytest

from seqjax.evaluate.drift import Tenths, stability, tenths


def test_groups_by_hand():
    found = tenths(np.arange(20.0))
    assert found.edges.tolist() == [1, 3, 5, 7, 9, 11, 13, 15, 17] and found.users == 20
    assert found.below.tolist() == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])
    assert tenths(np.full(5, 0.2)) == Tenths(pytest.approx([]), pytest.approx([]), 5)


def test_the_index_by_hand():
    """An edge belongs to the group below it."""
    reference = Tenths(np.array([1.0, 2.0]), np.array([0.5, 0.8]), 50)
    share = (np.array([30, 0, 10]) + 0.5) / 41.5
    expected = np.sum((share - [0.5, 0.3, 0.2]) * np.log(share / [0.5, 0.3, 0.2]))
    assert stability(reference, np.repeat([1.0, 2.1], [30, 10])).index == pytest.approx(expected)


def ties(random, size):
    """A third of the users have one score."""
    return np.where(random.random(size) < 0.345, 0.2, random.uniform(0.2, 1.0, size))


def no_ties(random, size):
    return random.normal(size=size)


@pytest.mark.parametrize("draw", [no_ties, ties])
@pytest.mark.parametrize(("known", "users"), [(300, 700), (2000, 300)])
def test_the_same_users_lie_below_the_bound_in_95_of_100(draw, known, users):
    below = []
    for seed in range(400):
        random = np.random.default_rng(seed)
        found = stability(tenths(draw(random, known)), draw(random, users))
        below.append(found.index < found.bound)
    assert np.mean(below) == pytest.approx(0.95, abs=0.03)


def test_users_who_have_moved_lie_above():
    random = np.random.default_rng(0)
    found = stability(tenths(random.normal(size=2000)), random.normal(0.5, 1.0, 2000))
    assert found.index > 5 * found.bound and found.index == pytest.approx(0.25, abs=0.05)  # of two normals: shift^2


def test_one_score_is_one_group():
    assert stability(tenths(np.full(9, 0.2)), np.full(5, 0.2)) == (0.0, 0.0)


def test_nothing_to_compare():
    for call in (lambda: tenths(np.zeros(0)), lambda: stability(tenths(np.arange(9.0)), np.zeros(0))):
        with pytest.raises(ValueError, match="no scores: give those of 1 user or more"):
            call()
