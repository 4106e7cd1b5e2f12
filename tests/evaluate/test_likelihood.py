"""What a model expects of every symbol, against the exact law of a process, and differences paired by series."""

import numpy as np
import pytest
from tiny_series import lists, log_of

from seqjax.baselines.markov import markov, unigram
from seqjax.data.process import Process, echo, sample, true_log_prob, true_next_dist
from seqjax.evaluate import likelihood
from seqjax.evaluate.intervals import bootstrap
from seqjax.evaluate.likelihood import Likelihoods, likelihoods, predict
from seqjax.evaluate.reading import WINDOW
from seqjax.models.automaton import automaton

ECHO = echo()
LOG = sample(ECHO, 300, seed=0)


@pytest.fixture(scope="module")
def said():
    return predict(*automaton(ECHO), LOG)


@pytest.fixture(scope="module")
def chain():
    """What a first-order chain says of the same series."""
    return likelihoods(predict(*markov(sample(ECHO, 300, seed=1), order=1), LOG), LOG)


def test_every_symbol_against_the_true_law(said):
    laws, asked = [], []
    for actions in lists(LOG):
        laws += [true_next_dist(ECHO, actions[:place]) for place in range(len(actions) + 1)]
        asked += [*actions, ECHO.end]
    laws, asked = np.array(laws), np.array(asked)
    np.testing.assert_allclose(said.log_prob, np.log(laws[np.arange(len(asked)), asked]), atol=1e-6)
    np.testing.assert_allclose(said.leave, laws[:, ECHO.end], atol=1e-6)
    assert said.hit.tolist() == (laws.argmax(axis=1) == asked).tolist()


@pytest.mark.parametrize("given", [0, 1, 4])
@pytest.mark.parametrize("lanes", [1, 7, 256])
def test_series_longer_than_a_window_have_their_true_likelihood(lanes, given):
    process = echo(leave=0.02)
    log = sample(process, 40, seed=0)
    assert (log.lengths > 2 * WINDOW).any()
    held = likelihoods(predict(*automaton(process), log, lanes=lanes), log, given)
    np.testing.assert_allclose(held.log_prob, true_log_prob(process, log, given), rtol=1e-5, atol=1e-6)
    assert held.symbols.tolist() == np.maximum(log.lengths + 1 - given, 0).tolist()


def test_a_large_alphabet_is_read_on_fewer_lanes(said, monkeypatch):
    monkeypatch.setattr(likelihood, "SCORES", 3 * WINDOW * (len(ECHO.vocabulary) + 2))
    wanted = []
    read = likelihood.read_series
    monkeypatch.setattr(likelihood, "read_series", lambda *a, lanes: wanted.append(lanes) or read(*a, lanes=lanes))
    fewer = predict(*automaton(ECHO), LOG)
    assert wanted == [3]
    for column, same in zip(fewer, said, strict=True):
        np.testing.assert_allclose(column, same, atol=1e-6)


def test_numbers_by_hand():
    held = Likelihoods(np.array([2, 3]), -np.log(2.0) * np.array([1.0, 9.0]), np.array([1, 3]))
    assert held.numbers() == pytest.approx({
        "nats": 2 * np.log(2.0), "bits": 2.0, "perplexity": 4.0, "accuracy": 0.8, "log_likelihood": -2 * np.log(2.0),
        "nats_a_series": 5 * np.log(2.0), "symbols": 5.0, "sequences": 2.0,
    })  # fmt: skip


def test_intervals_are_bootstrapped_over_series(said):
    held = likelihoods(said, LOG)
    numbers = held.numbers(replicates=200)
    low, high = bootstrap(np.column_stack([-held.log_prob, held.hits]), held.symbols, replicates=200)
    assert [numbers["nats/low"], numbers["accuracy/low"]] == pytest.approx(low)
    assert [numbers["nats/high"], numbers["accuracy/high"]] == pytest.approx(high)
    assert numbers["bits/high"] == pytest.approx(numbers["nats/high"] / np.log(2.0))


def test_the_truth_is_better_than_a_chain_by_a_paired_difference(said, chain):
    mine = likelihoods(said, LOG)
    apart = mine.minus(chain, replicates=300)
    for name in ("nats", "bits", "accuracy"):
        assert apart[name] == pytest.approx(mine.numbers()[name] - chain.numbers()[name])
    assert apart["nats/low"] < apart["nats"] < apart["nats/high"] < 0.0
    ends = bootstrap(chain.log_prob - mine.log_prob, mine.symbols, replicates=300)
    np.testing.assert_allclose([apart["nats/low"], apart["nats/high"]], ends)


def test_a_model_less_itself_is_nothing(chain):
    assert set(chain.minus(chain).values()) == {0.0}


def test_other_series_cannot_be_paired(said, chain):
    with pytest.raises(ValueError, match="judged on different series: give both one log"):
        chain.minus(likelihoods(said, LOG, given=1))


def test_of_equally_likely_symbols_the_lowest_id_is_the_guess():
    coin = Process(np.array([[0.0, 0.4, 0.4, 0.2]]), np.zeros((1, 4), np.int32), np.array(["head", "tail"]))
    log = log_of([[2, 1, 1], [2]], coin.vocabulary)
    assert predict(*automaton(coin), log).hit.tolist() == [False, True, True, False, False, False]


def test_series_of_no_action_are_judged_by_their_end_alone():
    log = log_of([[], [1, 2], []])
    held = likelihoods(predict(*unigram(log), log), log)
    assert held.symbols.tolist() == [1, 3, 1]
    assert held.log_prob[0] == held.log_prob[2] == pytest.approx(np.log((3 + 3 / 6) / (5 + 3)))  # Witten and Bell
    assert likelihoods(predict(*unigram(log), log), log, given=1).symbols.tolist() == [0, 2, 0]


def test_an_empty_log_is_refused():
    with pytest.raises(ValueError, match="the log has no series to judge"):
        predict(*automaton(ECHO), log_of([], ECHO.vocabulary))
