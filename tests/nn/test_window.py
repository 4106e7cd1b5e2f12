"""Gaps, resets and windows, against loops that read one event after the other."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.nn.window import close, held

PATTERNS = 30


def patterns(time, seed=0):
    """Which times are valid and which begin a series; the first two patterns are all and nothing."""
    random = np.random.default_rng(seed)
    valid, fresh = random.random((PATTERNS, time)) < 0.6, random.random((PATTERNS, time)) < 0.3
    valid[0], valid[1] = True, False
    return fresh, valid


@pytest.mark.parametrize("time", [1, 9])
def test_held_is_the_last_valid_value(time):
    _, valid = patterns(time)
    random = np.random.default_rng(1)
    values = {"pair": random.normal(size=(PATTERNS, time, 2)), "id": random.integers(9, size=(PATTERNS, time))}
    before = {"pair": random.normal(size=(PATTERNS, 2)), "id": random.integers(9, size=PATTERNS)}
    given = jax.tree.map(jnp.asarray, (values, valid, before))
    out = jax.jit(jax.vmap(held))(*given)
    for index in range(PATTERNS):
        now = {name: given[2][name][index] for name in before}
        for at in range(time):
            if valid[index, at]:
                now = {name: given[0][name][index, at] for name in before}
            for name in before:
                np.testing.assert_array_equal(out[name][index, at], now[name])


def read_one_by_one(ring, present, new, fresh, valid):
    """The window after every time: what it holds, and which places belong to the series that goes on."""
    ring, present, after = list(ring), list(present), []
    for value, begins, there in zip(new, fresh, valid, strict=True):
        if there:
            present = [False] * len(ring) if begins else present
            ring, present = [*ring, value][1:], [*present, True][1:]
        after.append((ring, present))
    return after


@pytest.mark.parametrize(("size", "time"), [(1, 9), (3, 9), (12, 9), (12, 1)])
def test_window_after_every_time(size, time):
    """Present places hold the last events of the running series, oldest first; values are those of a loop."""
    fresh, valid = patterns(time)
    random = np.random.default_rng(2)
    ring, new = random.integers(1, 99, (PATTERNS, size)), random.integers(1, 99, (PATTERNS, time))
    present = np.arange(size) >= random.integers(0, size + 1, (PATTERNS, 1))

    @jax.jit
    @jax.vmap
    def windows(ring, present, new, fresh, valid):
        window = close(present, fresh, valid)
        joint = window.joint(ring, new)
        return jax.vmap(lambda at: (window.at(joint, at), window.present(at)))(jnp.arange(time))

    values, marks = windows(*map(jnp.asarray, (ring, present, new, fresh, valid)))
    for index in range(PATTERNS):
        expected = read_one_by_one(ring[index], present[index], new[index], fresh[index], valid[index])
        for at, (held_values, held_marks) in enumerate(expected):
            assert marks[index, at].tolist() == held_marks
            assert values[index, at][marks[index, at]].tolist() == np.array(held_values)[held_marks].tolist()


def test_a_window_of_nothing_holds_nothing():
    window = close(jnp.zeros(0, bool), jnp.array([True, False]), jnp.array([False, True]))
    assert window.present(1).shape == window.at(window.segment, 1).shape == (0,)


def test_close_by_hand():
    """Two events behind a window of three: the second one begins a series, between and after them are gaps."""
    valid, fresh = jnp.array([False, True, False, True]), jnp.array([True, False, False, True])
    window = close(jnp.array([False, True, True]), fresh, valid)
    assert window.order.tolist() == [1, 3, 0, 2]
    assert window.count.tolist() == [0, 1, 1, 2]
    assert window.segment.tolist() == [-1, 0, 0, 0, 1, -1, -1]  # the gap's `fresh` counts for nothing
    assert [window.present(at).tolist() for at in range(4)] == [
        [False, True, True], [True, True, True], [True, True, True], [False, False, True],
    ]  # fmt: skip
