"""Forecasts of the true process against what is known of it exactly."""

from functools import cache

import jax
import numpy as np
import pytest
from scipy import stats

from seqjax.data.events import EventLog
from seqjax.data.process import Process, echo, node_after, occurs
from seqjax.forecasting import forecast, score_series
from seqjax.models.automaton import automaton

ECHO = echo()
TABLE = {  # actions so far: P(next) by action, P(action occurs before the end) by action, E[number of sevens to come]
    (1,): ({2: 0.9}, {0: 0.210470, 1: 0.189423, 5: 0.492372, 7: 0.381096, 9: 0.263228}, 0.824162),
    (1, 2): ({3: 0.5, 2: 0.4}, {0: 0.233856, 1: 0.210470, 5: 0.547080, 7: 0.423440, 9: 0.292476}, 0.915736),
    (1, 2, 3): ({4: 0.5, 2: 0.4}, {0: 0.275243, 1: 0.247718, 5: 0.643901, 7: 0.498379, 9: 0.344238}, 1.077800),
    (1, 2, 2): ({3: 0.5, 2: 0.4}, {0: 0.240586, 1: 0.216527, 5: 0.562824, 7: 0.435626, 9: 0.300893}, 0.942089),
    (1, 2, 3, 4, 5, 6, 7): (
        {8: 0.5, 6: 0.4}, {0: 0.556017, 1: 0.500415, 5: 0.237676, 7: 0.559060, 9: 0.693147}, 1.012252,
    ),
    (1, 2, 3, 4, 5, 6, 7, 8, 9, 0): (
        {1: 0.9}, {0: 0.182723, 1: 0.900000, 5: 0.427461, 7: 0.330855, 9: 0.228526}, 0.715511,
    ),
}  # fmt: skip


def padded(prefixes, width=None, fill=0):
    """Action ids (one more than the action's number) side by side, and which are there."""
    width = width or max(map(len, prefixes))
    valid = np.arange(width) < np.array([len(prefix) for prefix in prefixes])[:, None]
    ids = np.full(valid.shape, fill, np.int32)
    ids[valid] = np.concatenate([np.array(prefix) + 1 for prefix in prefixes])
    return ids, valid


@cache
def to_the_end():
    """The forecasts of the table, so far ahead that nothing is left."""
    return forecast(*automaton(ECHO), jax.random.key(0), *padded(list(TABLE)), horizon=150, paths=2000)


@cache
def one_ahead():
    return forecast(*automaton(ECHO), jax.random.key(0), *padded(list(TABLE)), horizon=1, paths=2)


def within_five_errors(estimate, at, truth):
    value, low, high = (float(part[at]) for part in estimate)
    error = max(value - low, high - value) / stats.t.ppf(0.975, 1999)  # one end may stop at 0 or 1
    assert abs(value - truth) <= 5.0 * error + 2e-6, (value, truth, error)


@pytest.mark.parametrize("number", range(len(TABLE)), ids=[str(prefix) for prefix in TABLE])
def test_decision_table(number):
    following, occurrence, sevens = list(TABLE.values())[number]
    law = np.zeros(12)
    law[[action + 1 for action in following]] = list(following.values())
    law[11] = 0.1
    np.testing.assert_allclose(one_ahead().occur.value[number], law, atol=1e-6)  # exact, from two paths
    held = to_the_end()
    for action, chance in occurrence.items():
        within_five_errors(held.occur, (number, action + 1), chance)
    within_five_errors(held.count, (number, 7 + 1), sevens)


def test_leaving_has_no_memory():
    """P(leave now) = .1 and within m draws 1 - .9^m in every state, nine actions to come: no draw changes it."""
    held = to_the_end()
    for part in held.leave:
        np.testing.assert_allclose(part, np.broadcast_to(1.0 - 0.9 ** np.arange(1, 151), part.shape), atol=2e-6)
    np.testing.assert_allclose(held.remaining, 9.0, atol=1e-4)
    np.testing.assert_allclose(held.occur.value[:, 11], 1.0, atol=1e-5)
    for level, quantile in ((0.05, 0), (0.5, 6), (0.95, 28), (1.0, -1)):
        assert (held.remaining_quantile(level) == quantile).all()


def test_an_action_within_three_draws():
    """P(action 5 within 3 | 1 2 3) = 1/4, as 3 4 5 is the only way."""
    held = forecast(*automaton(ECHO), jax.random.key(1), *padded([(1, 2, 3)]), horizon=3, paths=2000)
    within_five_errors(held.occur, (0, 6), 0.25)


def test_intervals_cover_the_truth_as_often_as_they_say():
    """A thousand forecasts with 64 paths each, of what varies from path to path."""
    prefixes = [(1, 2, 3), (1, 2), (1, 2, 3, 4, 5, 6, 7)] * 334
    nodes = [node_after(ECHO, [action + 1 for action in prefix]) for prefix in prefixes]
    held = forecast(*automaton(ECHO), jax.random.key(2), *padded(prefixes), horizon=12, paths=64)
    covered = []
    for action in range(10):
        truth, (value, low, high) = occurs(ECHO, action + 1, 12)[nodes], (part[:, action + 1] for part in held.occur)
        varies = high > low + 1e-6
        assert (np.abs(value - truth)[~varies] < 1e-5).all()
        covered.append(((low <= truth) & (truth <= high))[varies].mean())
    assert (np.abs(np.array(covered) - 0.95) < 0.03).all(), covered
    assert len(np.unique(held.count.value[::3, 8])) > 330  # every forecast has paths of its own


def test_a_forecast_does_not_depend_on_its_neighbours_or_on_padding():
    given = [(1, 2, 3), (1,), (1, 2, 2, 3)]

    def run(ids, valid):
        return forecast(*automaton(ECHO), jax.random.key(3), ids, valid, horizon=5, paths=16)

    held, others = run(*padded(given)), run(*padded([(1, 2, 3), (1, 2), (1, 2, 2, 3), (1,)], 9, fill=7))
    ids, valid = padded(given, 9)
    gaps = run(*(np.roll(column, 4, axis=1) for column in (ids, valid)))
    for row, same in ((0, others), (2, others), (0, gaps), (1, gaps), (2, gaps)):
        jax.tree.map(lambda one, two, row=row: np.testing.assert_allclose(one[row], two[row], atol=1e-6), held, same)


def test_scores_of_series():
    """The columns of a score, in the order of the log; the empty series among them is a begin."""
    prefixes = [(1, 2, 3, 4, 5, 6, 7), (1,), (), (1, 2, 3)]
    ids = np.concatenate([np.array(prefix, np.int32) + 1 for prefix in prefixes])
    offsets = np.cumsum([0, *map(len, prefixes)])
    log = EventLog(offsets, {"item": ids.astype(np.int32)}, {"item": ECHO.vocabulary})
    scores = score_series(*automaton(ECHO), log, within=3, paths=64, leaves=0.05)
    np.testing.assert_allclose(scores["leaves_now"], [0.1, 0.1, 0.0, 0.1], atol=1e-6)
    for end in ("", "_low", "_high"):
        expected = [0.271, 0.271, 0.19, 0.271]
        np.testing.assert_allclose(scores[f"leaves_within_3{end}"], expected, atol=1e-6)
    np.testing.assert_allclose(scores["actions_within_3"], [2.439, 2.439, 2.71, 2.439], atol=1e-5)
    assert scores["likeliest_action"].tolist() == ["8", "2", "1", "4"]
    np.testing.assert_allclose(scores["likeliest_probability"], [0.5, 0.9, 1.0, 0.5], atol=1e-6)
    assert scores["segment"].tolist() == ["leaves", "leaves", "stays", "leaves"]


def test_what_can_only_end_is_over():
    """Where leaving is certain, no action comes and none is counted."""
    model, params = automaton(Process(np.array([[0.0, 0.0, 0.0, 1.0]]), np.zeros((1, 4), int), np.array(["a", "b"])))
    held = forecast(model, params, jax.random.key(0), np.array([[1, 2]]), horizon=4, paths=8)
    for part in (held.occur.value, held.count.value):
        np.testing.assert_allclose(part, [[0.0, 0.0, 0.0, 1.0]], atol=1e-6)
    np.testing.assert_allclose(held.leave.value, np.ones((1, 4)), atol=1e-6)


@pytest.mark.parametrize(("prefix", "settings", "message"), [
    ([1, 11], {}, "action 11 of a prefix is none of the model's: ids are 1 to 10"),
    ([0, 2], {}, "action 0 of a prefix"),
    ([2, 3], {"horizon": 0}, "horizon=0"),
    ([2, 3], {"paths": 1}, "paths=1"),
])  # fmt: skip
def test_what_cannot_be_used_is_refused(prefix, settings, message):
    with pytest.raises(ValueError, match=message):
        forecast(*automaton(ECHO), jax.random.key(0), np.array([prefix]), **settings)
