"""Sums over the automaton against published figures of `echo`, results by hand, naive loops and samples."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from seqjax.data.events import EventLog
from seqjax.data.process import (
    Process,
    echo,
    entropy,
    exact_ngrams,
    expected_count,
    markov_cross_entropy,
    node_after,
    occurs,
    remaining_entropy,
    sample,
    sampled,
    true_log_prob,
    true_next_dist,
    visits,
)

ECHO = echo()


def ids(actions):
    """Ids of actions written as digits: action 0 has the id 1."""
    return [int(action) + 1 for action in actions.split()]


def series_log(process, series):
    offsets = np.concatenate([[0], np.cumsum([len(actions) for actions in series])]).astype(int)
    item = np.array([action for actions in series for action in actions], np.int32)
    return EventLog(offsets, {"item": item}, {"item": process.vocabulary})


def lists(log):
    return [log.columns["item"][a:b].tolist() for a, b in pairwise(log.offsets)]


# Published figures of echo


def test_entropy_of_echo():
    assert entropy(ECHO, given=1) == pytest.approx(0.7449861025, abs=1e-10)
    assert remaining_entropy(ECHO)[0] == pytest.approx(7.449861, abs=1e-6)
    assert visits(ECHO, skip=1).sum() == pytest.approx(10.0)  # draws a series after its first action


def test_entropy_of_echo_step_by_step():
    later = [entropy(ECHO, given) * 10.0 for given in range(1, 7)]  # of all draws to come, given that there are any
    steps = [now - 0.9 * then for now, then in pairwise(later)]
    assert steps == pytest.approx([0.32508, 0.94335, 0.94335, 0.66856, 0.76949], abs=1e-5)


def test_best_accuracy_and_share_of_coinciding_branches_of_echo():
    weight, best = visits(ECHO, skip=1), ECHO.probability.max(axis=1)
    assert weight @ best / weight.sum() == pytest.approx(0.628335, abs=1e-6)
    assert weight @ (best > 0.8) / weight.sum() == pytest.approx(0.320837, abs=1e-6)


@pytest.mark.parametrize(
    ("order", "nats"),
    [(0, 2.235143), (1, 1.078437), (2, 0.954007), (3, 0.853746), (4, 0.779496), (5, 0.744986), (6, 0.744986)],
)
def test_best_markov_models_of_echo(order, nats):
    assert markov_cross_entropy(ECHO, order, given=1) == pytest.approx(nats, abs=1e-6)


@pytest.mark.parametrize(("n", "count"), [(2, 52), (3, 162), (4, 374), (5, 708), (6, 1188)])
def test_reachable_ngrams_of_echo(n, count):
    law = exact_ngrams(ECHO, n)
    assert len(law) == count and min(law.values()) > 0.0
    assert sum(law.values()) == pytest.approx(1.0)


def test_action_marginal_of_echo():
    law = exact_ngrams(ECHO, 1)
    expected = [0.023411, 0.127782, 0.194027, 0.150352, 0.099947, 0.054769, 0.086261, 0.074924, 0.057654, 0.039965]
    assert [law[symbol,] for symbol in range(1, 12)] == pytest.approx([*expected, 0.090909], abs=1e-6)


DECISIONS = {  # prefix: next distribution, P(0, 1, 5, 7, 9 occurs before leaving), expected 7s, remaining entropy
    "1": ({2: 0.9}, (0.210470, 0.189423, 0.492372, 0.381096, 0.263228), 0.824162, 7.449861),
    "1 2": ({3: 0.5, 2: 0.4}, (0.233856, 0.210470, 0.547080, 0.423440, 0.292476), 0.915736, 7.916420),
    "1 2 3": ({4: 0.5, 2: 0.4}, (0.275243, 0.247718, 0.643901, 0.498379, 0.344238), 1.077800, 7.714243),
    "1 2 2": ({3: 0.5, 2: 0.4}, (0.240586, 0.216527, 0.562824, 0.435626, 0.300893), 0.942089, 7.789876),
    "1 2 3 4 5 6 7": ({8: 0.5, 6: 0.4}, (0.556017, 0.500415, 0.237676, 0.559060, 0.693147), 1.012252, 8.105083),
    "1 2 3 4 5 6 7 8 9 0": ({1: 0.9}, (0.182723, 0.900000, 0.427461, 0.330855, 0.228526), 0.715511, 7.503334),
}


@pytest.fixture(scope="module")
def future():
    """What is to come of echo from every node: P(0, 1, 5, 7, 9 occurs), expected 7s, nats, expected actions."""
    counts = [expected_count(ECHO, action) for action in range(1, 11)]
    return np.column_stack([
        *(occurs(ECHO, action + 1) for action in (0, 1, 5, 7, 9)), counts[7], remaining_entropy(ECHO), sum(counts),
    ])  # fmt: skip


@pytest.mark.parametrize(("prefix", "expected"), DECISIONS.items())
def test_decision_figures_of_echo(future, prefix, expected):
    following, occurring, sevens, nats = expected
    law = np.zeros(12)
    law[[11, *(action + 1 for action in following)]] = [0.1, *following.values()]
    assert true_next_dist(ECHO, ids(prefix)) == pytest.approx(law)
    assert future[node_after(ECHO, ids(prefix))] == pytest.approx([*occurring, sevens, nats, 9.0], abs=1e-6)


def test_leaving_and_an_action_within_three_events_of_echo():
    assert occurs(ECHO, ECHO.end, within=3)[1:] == pytest.approx(np.full(462, 0.271))
    assert occurs(ECHO, 6, within=3)[node_after(ECHO, ids("1 2 3"))] == pytest.approx(0.25)


def test_length_law_of_echo():
    left = np.array([occurs(ECHO, ECHO.end, within)[0] for within in range(1, 40)])  # index k - 1, the end counted
    assert left[0] == 0.0
    assert np.diff(left) == pytest.approx([0.1 * 0.9 ** (k - 2) for k in range(2, 40)])
    lengths = sample(ECHO, 20_000, seed=3).lengths + 1
    assert lengths.min() == 2
    assert lengths.mean() == pytest.approx(11.0, abs=5 * 9.487 / np.sqrt(20_000))


def test_echo_follows_its_rule():
    """The rule written down once more, action by action, on sampled histories."""
    for actions in lists(sample(ECHO, 150, seed=1)):
        history = [action - 1 for action in actions]
        assert history[0] == 1
        for length in range(1, len(history) + 1):
            last, n = history[length - 1], history[length - 1] % 5 + 1
            law = np.zeros(12)
            law[11] = 0.1
            law[(last + 1) % 10 + 1] += 0.5
            law[(history[length - min(n, length)] + 1) % 10 + 1] += 0.4
            assert true_next_dist(ECHO, actions[:length]) == pytest.approx(law)


# A process of two nodes, by hand: after an `a` comes no other. Of 3 draws a series, 2 are in node 0 and 1 in node 1.

LN2 = np.log(2.0)
TINY = Process(
    np.array([[0.0, 1 / 2, 1 / 4, 1 / 4], [0.0, 0.0, 1 / 2, 1 / 2]]),
    np.array([[0, 1, 0, 0], [0, 0, 0, 0]]),
    np.array(["a", "b"]),
)


def test_tiny_process_by_hand():
    assert visits(TINY) == pytest.approx([2, 1]) and visits(TINY, skip=1) == pytest.approx([1, 1])
    assert occurs(TINY, 1) == pytest.approx([2 / 3, 1 / 3])
    assert occurs(TINY, 1, within=2) == pytest.approx([5 / 8, 1 / 4])
    assert occurs(TINY, 3, within=2) == pytest.approx([9 / 16, 5 / 8])
    assert occurs(TINY, 2, within=0) == pytest.approx([0, 0])
    for action, counts in ((1, [1, 1 / 2]), (2, [1, 1]), (3, [1, 1])):
        assert expected_count(TINY, action) == pytest.approx(counts)
    assert remaining_entropy(TINY) == pytest.approx([4 * LN2, 3 * LN2])
    assert entropy(TINY) == pytest.approx(4 * LN2 / 3) and entropy(TINY, given=1) == pytest.approx(1.25 * LN2)
    assert exact_ngrams(TINY, 1) == pytest.approx({(1,): 1 / 3, (2,): 1 / 3, (3,): 1 / 3})
    pairs = {(1, 2): 1 / 4, (1, 3): 1 / 4, (2, 1): 1 / 4, (2, 2): 1 / 8, (2, 3): 1 / 8}
    assert exact_ngrams(TINY, 2) == pytest.approx(pairs)
    assert markov_cross_entropy(TINY, 0) == pytest.approx(np.log(3.0))
    assert markov_cross_entropy(TINY, 1) == pytest.approx(entropy(TINY))
    shares = np.array([1 / 4, 3 / 8, 3 / 8])  # of what is drawn after the first symbol
    assert markov_cross_entropy(TINY, 0, given=1) == pytest.approx(-shares @ np.log(shares))


def test_tiny_log_prob_by_hand():
    log = series_log(TINY, [[1, 2], [], [1], [2, 2], [1, 1], [1, 1, 2]])
    expected = np.array([1 / 16, 1 / 4, 1 / 4, 1 / 64, 0, 0])
    with np.errstate(divide="ignore"):
        assert true_log_prob(TINY, log) == pytest.approx(np.log(expected))
    assert true_log_prob(TINY, log, given=1)[:4] == pytest.approx(np.log([1 / 8, 1, 1 / 2, 1 / 16]))


# Laws


@pytest.mark.parametrize("given", [0, 1, 3])
@pytest.mark.parametrize("process", [ECHO, TINY], ids=["echo", "tiny"])
def test_log_prob_equals_the_loop_over_next_distributions(process, given):
    log = sample(process, 120, seed=2)
    expected = []
    for actions in lists(log):
        drawn = [*actions, process.end]
        chances = [true_next_dist(process, actions[:k])[drawn[k]] for k in range(given, len(drawn))]
        expected.append(np.log(chances).sum())
    assert true_log_prob(process, log, given) == pytest.approx(expected)


def test_log_prob_of_a_large_sample_is_its_entropy():
    log = sample(ECHO, 20_000, seed=5)
    nats = -true_log_prob(ECHO, log, given=1)
    assert nats.mean() == pytest.approx(7.449861, abs=4 * nats.std() / np.sqrt(20_000))


@pytest.mark.parametrize("process", [ECHO, TINY], ids=["echo", "tiny"])
def test_ngrams_of_a_large_sample(process):
    counts = Counter(
        pair for actions in lists(sample(process, 20_000, seed=4)) for pair in pairwise([*actions, process.end])
    )
    law, total = exact_ngrams(process, 2), counts.total()
    assert counts.keys() <= law.keys()
    for pair, chance in law.items():
        assert counts[pair] / total == pytest.approx(chance, abs=6 * np.sqrt(chance / total))


@pytest.mark.parametrize(("actions", "leave", "onward"), [(10, 0.1, 0.5), (7, 0.3, 0.2), (3, 0.5, 0.5)])
def test_rows_are_laws_and_lead_somewhere(actions, leave, onward):
    process = echo(actions, leave, onward)
    assert process.probability.sum(axis=1) == pytest.approx(np.ones(len(process.probability)))
    assert (process.probability >= 0).all() and not process.probability[:, 0].any()
    assert (process.probability[1:, process.end] == leave).all() and process.end == actions + 1
    assert occurs(process, process.end) == pytest.approx(np.ones(len(process.probability)))
    assert process.following.min() >= 0 and process.following.max() < len(process.following)


def test_samples_differ_by_seed_and_from_training_to_test():
    one, again, other = (sampled(seed=seed, series=40, test=40) for seed in (1, 1, 2))
    assert lists(one.train) == lists(again.train) and lists(one.test) == lists(again.test)
    assert lists(one.train) != lists(other.train) and lists(one.test) != lists(other.test)
    assert lists(one.train) != lists(one.test)
    tiny = sampled(process=lambda: TINY, series=20, test=5)
    assert (tiny.train.sequences, tiny.validation, tiny.test.sequences) == (20, None, 5)
    assert tiny.test.vocabulary["item"].tolist() == ["a", "b"]


# Errors


def test_what_cannot_happen():
    with pytest.raises(ValueError, match=r"action id 5 cannot follow \[2, 3\] in this process"):
        node_after(ECHO, [2, 3, 5])
    with pytest.raises(ValueError, match=r"action id 1 cannot follow \[\]"):
        true_next_dist(ECHO, [1])
    assert true_log_prob(ECHO, series_log(ECHO, [ids("1 2 4"), ids("2"), []])).tolist() == [-np.inf] * 3
    assert true_log_prob(ECHO, series_log(ECHO, [ids("2 3")]), given=1).tolist() == [-np.inf]
    with pytest.raises(ValueError, match=r"action id 11 cannot follow"):
        node_after(ECHO, [2, 11])
