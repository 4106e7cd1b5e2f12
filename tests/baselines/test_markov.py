"""Witten-Bell chains against numbers by hand, a recursion over lists, and what is known of `echo`."""

from collections import Counter, defaultdict
from itertools import pairwise

import numpy as np
import pytest

from seqjax.baselines import markov as module
from seqjax.baselines.markov import markov, markov_process, truth, unigram
from seqjax.data.events import EventLog, take
from seqjax.data.process import echo, node_after, sample, true_log_prob, true_next_dist


def log_of(series, items):
    offsets = np.concatenate([[0], np.cumsum([len(actions) for actions in series])]).astype(int)
    item = np.array([action for actions in series for action in actions], np.int32)
    return EventLog(offsets, {"item": item}, {"item": np.array([f"i{i}" for i in range(items)])})


def random_log(seed, items=3, sequences=12):
    random = np.random.default_rng(seed)
    return log_of([random.integers(1, items + 1, random.integers(0, 7)).tolist() for _ in range(sequences)], items)


def recursive(log, order):
    """The law after any history, from counts of tuples; the boundary is the last id."""
    end = len(log.vocabulary["item"]) + 1
    counts = defaultdict(Counter)
    for a, b in pairwise(log.offsets):
        row = [end, *log.columns["item"][a:b].tolist(), end]
        for place in range(1, len(row)):
            for length in range(min(order, place) + 1):
                counts[tuple(row[place - length : place])][row[place]] += 1

    def law(context):
        shorter = law(context[1:]) if context else np.append(0.0, np.full(end, 1.0 / end))
        seen = counts[context]
        own = np.array([seen[symbol] for symbol in range(end + 1)])
        return (own + len(seen) * shorter) / (own.sum() + len(seen)) if seen else shorter

    return lambda history: law(tuple([end, *history][max(len(history) + 1 - order, 0) :]))


A, B, END = 1, 2, 3


@pytest.mark.parametrize(
    ("order", "history", "law"),
    [
        (0, [], [3 / 8, 2 / 8, 3 / 8]),
        (0, [A, B], [3 / 8, 2 / 8, 3 / 8]),
        (1, [], [19 / 24, 2 / 24, 3 / 24]),
        (1, [A], [3 / 16, 6 / 16, 7 / 16]),
        (1, [A, B], [3 / 16, 2 / 16, 11 / 16]),
        (2, [], [19 / 24, 2 / 24, 3 / 24]),
        (2, [A], [3 / 32, 14 / 32, 15 / 32]),  # after the boundary and a
        (2, [A, B], [3 / 32, 2 / 32, 27 / 32]),
        (2, [B, B], [3 / 16, 2 / 16, 11 / 16]),  # unseen: stands for b
        (2, [A, B, A], [3 / 16, 6 / 16, 7 / 16]),  # unseen in mid-series: stands for a, not for a at the begin
        (9, [A], [3 / 32, 14 / 32, 15 / 32]),
    ],
)
def test_probabilities_by_hand(order, history, law):
    """Of the series `a b` and `a`."""
    process = markov_process(log_of([[A, B], [A]], 2), order)
    assert true_next_dist(process, history)[1:] == pytest.approx(law)


@pytest.mark.parametrize("order", [0, 1, 2, 3, 5])
@pytest.mark.parametrize("seed", range(4))
def test_every_history_has_the_law_of_the_recursion(seed, order):
    log = random_log(seed)
    process, law = markov_process(log, order), recursive(log, order)
    random = np.random.default_rng(seed)
    for _ in range(40):  # histories that training has, and others
        history = random.integers(1, 4, random.integers(0, 9)).tolist()
        for length in range(len(history) + 1):
            assert true_next_dist(process, history[:length]) == pytest.approx(law(history[:length]))


@pytest.mark.parametrize("order", [0, 1, 3])
def test_rows_are_laws_and_the_next_series_begins_where_all_begin(order):
    log = random_log(5)
    process = markov_process(log, order)
    assert process.probability.sum(axis=1) == pytest.approx(np.ones(len(process.probability)))
    assert not process.probability[:, 0].any() and (process.probability[:, 1:] > 0).all()
    assert (process.following[:, process.end] == 0).all()
    assert process.end == 4 and process.vocabulary is log.vocabulary["item"]


def test_order_zero_is_the_smoothed_share_of_every_symbol():
    log = random_log(6, items=5, sequences=30)
    counts = np.append(log.counts()[1:], log.sequences)
    kinds = np.count_nonzero(counts)
    process = markov_process(log, 0)
    assert process.probability.shape == (1, 7)
    assert process.probability[0, 1:] == pytest.approx((counts + kinds / 6) / (counts.sum() + kinds))


def test_an_order_beyond_the_longest_series_adds_nothing():
    log = random_log(7)
    longest, beyond = (markov_process(log, order) for order in (int(log.lengths.max()) + 1, 40))
    assert len(beyond.probability) == len(longest.probability)
    assert true_log_prob(beyond, log) == pytest.approx(true_log_prob(longest, log))


def test_a_begin_is_not_taken_for_the_same_actions_in_mid_series():
    """Here `a` at the begin goes on with b, and another `a` ends: pooled, both would have an even chance."""
    log = log_of([[A, B, A]] * 100, 2)
    pooled = true_next_dist(markov_process(log, 1), [A])
    assert pooled[[B, END]] == pytest.approx([0.5, 0.5], abs=0.01)
    process = markov_process(log, 2)
    assert true_next_dist(process, [A])[B] > 0.98 and true_next_dist(process, [A, B, A])[END] > 0.98


@pytest.mark.parametrize(("order", "excess"), [(1, 0.333451), (2, 0.209021), (3, 0.108760), (5, 0.0)])
def test_chains_of_echo_lose_what_their_order_must(order, excess):
    """Nats per drawn symbol above the true law, which has 0.744986, on other series than those of the fit."""
    train, test = sample(echo(), 10_000, seed=0), sample(echo(), 10_000, seed=1)
    process, drawn = markov_process(train, order), test.lengths.sum()
    lost = true_log_prob(echo(), test, given=1) - true_log_prob(process, test, given=1)
    assert lost.sum() / drawn == pytest.approx(excess, abs=0.01)
    assert lost.sum() / drawn > excess - 4 * lost.std() * np.sqrt(test.sequences) / drawn


@pytest.mark.parametrize("order", [0, 2])
def test_models_hold_the_tables_of_the_process(order):
    log = random_log(8)
    process = markov_process(log, order)
    model, params = unigram(log) if order == 0 else markov(log, order)
    assert (model.items, model.nodes) == (3, len(process.probability))
    with np.errstate(divide="ignore"):
        np.testing.assert_allclose(params["log_prob"], np.log(process.probability), rtol=1e-6)
    assert (np.asarray(params["following"]) == process.following).all()


def test_truth_is_the_process_of_the_same_actions():
    log = sample(echo(), 5, seed=0)
    _, params = truth(log)
    node = node_after(echo(), [2, 3])
    assert np.exp(params["log_prob"][node]) == pytest.approx(echo().probability[node])
    for words in (["1", "2"], [str(action) for action in range(1, 11)]):
        with pytest.raises(ValueError, match="the log was not made by this process: their actions differ"):
            truth(log._replace(vocabulary={"item": np.array(words)}))


def test_orders_that_cannot_be(monkeypatch):
    for log, order in ((random_log(0), -1), (take(random_log(0), np.arange(0)), 1)):
        with pytest.raises(ValueError, match=rf"order={order}, {log.sequences} series: choose 0 \(no memory\) or more"):
            markov_process(log, order)
    monkeypatch.setattr(module, "MOST", 40)  # 10 rows of 3 actions and the end
    assert len(markov_process(random_log(0), 1).probability) == 5
    with pytest.raises(ValueError, match=r"order=3: \d+ contexts of 4 symbols are too many; choose less"):
        markov_process(random_log(0), 3)
