"""Reading a log in lanes against a loop over its series, with a model whose reading anyone can compute."""

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import pytest
from tiny_series import log_of

from seqjax.data.windows import Spans, spans, symbols
from seqjax.evaluate.reading import WINDOW, read_series

LENGTHS = [3, 0, WINDOW - 1, WINDOW, WINDOW + 1, 1, 3 * WINDOW + 5, 0, 2 * WINDOW]


class Tally(nn.Module):
    """Remembers how many events it read, and the sum of their items; reads both."""

    def init_state(self):
        return jnp.zeros(2, jnp.int32)

    def encode(self, state, events, valid):
        gained = jnp.where(valid[:, None], jnp.stack([jnp.ones_like(events["item"]), events["item"]], axis=1), 0)
        states = state[None] + jnp.cumsum(gained, axis=0)
        return states[-1], states

    def read(self, state):
        return state


def note(read, target):
    """Both sums, and whether the second one is above the target."""
    return [read, read[1] > target["bound"]]


def a_log(seed=0):
    random = np.random.default_rng(seed)
    return log_of([random.integers(1, 6, length) for length in random.permutation(LENGTHS)])


@pytest.mark.parametrize("boundary", [True, False])
@pytest.mark.parametrize("lanes", [1, 2, 4, len(LENGTHS), 1000])
def test_notes_of_any_lanes_against_a_loop(lanes, boundary):
    log = a_log()
    item = symbols(log)[:-1] if boundary else log.columns["item"]
    held = spans(log, boundary)
    bound = np.random.default_rng(1).integers(0, 300, len(item))
    sums, above = read_series(Tally(), {}, {"item": item}, held, note, {"bound": bound}, lanes=lanes)
    expected = []
    for begin, length in zip(*held, strict=True):
        read = item[begin : begin + length].tolist()
        expected += [(place, sum(read[:place])) for place in range(1, length + 1)]
    assert sums.tolist() == [list(pair) for pair in expected]
    assert above.dtype == bool and above.tolist() == (sums[:, 1] > bound).tolist()


def test_series_may_lie_in_any_order():
    """What is said of a position stands at that position, whichever series holds it."""
    item = np.array([1, 2, 3, 4, 5], np.int32)
    (sums,) = read_series(Tally(), {}, {"item": item}, Spans(np.array([3, 0]), np.array([2, 3])), lambda s, _: [s])
    assert sums[:, 1].tolist() == [1, 3, 6, 4, 9]


def test_logs_of_any_lengths_are_one_program():
    """Windows are of one shape: what differs from log to log is data."""
    traced = []

    def counting(read, target):
        traced.append(target)
        return [read]

    for log in (a_log(1), log_of([[1] * 100] * 5), log_of([[2]] * 50)):
        read_series(Tally(), {}, {"item": log.columns["item"]}, spans(log, boundary=False), counting, lanes=4)
    assert len(traced) == 1
