"""The report on a generator, of the true process and of Markov chains, whose numbers are known exactly."""

from pathlib import Path

import numpy as np
import pytest
from tiny_series import lists, log_of

from seqjax.baselines.markov import markov, markov_process
from seqjax.data.events import join
from seqjax.data.process import echo, sample, true_log_prob, true_next_dist
from seqjax.evaluate.behaviour import behaviour
from seqjax.evaluate.calibration import brier, calibration_error, calibration_floor
from seqjax.experiment import read_experiment
from seqjax.models.automaton import automaton

ECHO = echo()
TRAIN, LOG = sample(ECHO, 500, 0), sample(ECHO, 300, 1)
CHAIN = markov_process(TRAIN, 1)
QUICK = {"series": 300, "permutations": 9, "replicates": 60}
ENDS = ("", "/low", "/high")


def nats(process, log, given=0):
    """Nats a symbol of a process with a known law; every series is judged on its symbols from `given` on."""
    return -true_log_prob(process, log, given).sum() / np.maximum(log.lengths + 1 - given, 0).sum()


def leaving(process, log, given=0):
    """P(end) before every judged symbol, by walking through each series, and whether it was the end."""
    places = [(actions, place) for actions in lists(log) for place in range(given, len(actions) + 1)]
    said = [true_next_dist(process, actions[:place])[process.end] for actions, place in places]
    return np.array(said), np.array([place == len(actions) for actions, place in places])


@pytest.fixture(scope="module")
def chain():
    """The report on a first-order chain, beside the truth and itself."""
    baselines = {"truth": automaton(ECHO), "twin": markov(TRAIN, order=1)}
    return behaviour(*automaton(CHAIN), LOG, train=TRAIN, baselines=baselines, **QUICK)


@pytest.fixture(scope="module")
def truth():
    """The report on the truth, beside itself and a chain, the first action given."""
    baselines = {"truth": automaton(ECHO), "markov": automaton(CHAIN)}
    return behaviour(*automaton(ECHO), LOG, train=TRAIN, baselines=baselines, given=1, **QUICK)


def test_all_numbers_are_finite(chain, truth):
    for held in (chain, truth):
        assert [name for name, value in held.numbers.items() if not np.isfinite(value)] == []
        assert all(type(value) is float for value in held.numbers.values())


def test_the_truth_is_no_better_than_itself(truth):
    numbers = truth.numbers
    assert [numbers[f"excess{end}"] for end in ENDS] == [0.0] * 3 and numbers["hazard_rmse"] == 0.0
    assert {value for name, value in numbers.items() if name.startswith("minus/truth/")} == {0.0}
    assert [numbers[f"truth/nats{end}"] for end in ENDS] == [numbers[f"nats{end}"] for end in ENDS]


def test_a_baseline_that_is_the_model_generates_the_same_series(chain, truth):
    for held, name in ((chain, "twin"), (truth, "truth")):
        own = {key: value for key, value in held.numbers.items() if key.startswith("jsd/")}
        assert len(own) == 12 and own == pytest.approx({key: held.numbers[f"{name}/{key}"] for key in own}, rel=1e-9)
    assert truth.numbers["markov/jsd/trigram"] > 1.5 * truth.numbers["jsd/trigram"]


def test_excess_is_the_difference_to_the_truth(chain):
    numbers = chain.numbers
    assert numbers["nats"] == pytest.approx(nats(CHAIN, LOG), rel=1e-5)
    assert numbers["truth/nats"] == pytest.approx(nats(ECHO, LOG), rel=1e-5)
    assert numbers["excess"] == pytest.approx(nats(CHAIN, LOG) - nats(ECHO, LOG), rel=1e-4)
    assert 0.1 < numbers["excess/low"] < numbers["excess"] < numbers["excess/high"]
    assert all(numbers[f"excess{end}"] == numbers[f"minus/truth/nats{end}"] for end in ENDS)
    assert {value for name, value in numbers.items() if name.startswith("minus/twin/")} == {0.0}


def test_no_truth_no_excess():
    numbers = behaviour(*automaton(ECHO), LOG, baselines={"markov": automaton(CHAIN)}, **QUICK).numbers
    assert "excess" not in numbers and "hazard_rmse" not in numbers
    assert numbers["minus/markov/nats"] == pytest.approx(nats(ECHO, LOG) - nats(CHAIN, LOG), rel=1e-4)
    assert "memorisation_gap" not in numbers and "nats_train" not in numbers  # these need training series


def test_chances_of_leaving_against_the_laws(chain):
    said, ended = leaving(CHAIN, LOG)
    numbers, error = chain.numbers, said - leaving(ECHO, LOG)[0]
    assert numbers["hazard_rmse"] == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-4)
    assert numbers["leave/said"] == pytest.approx(said.mean()) and numbers["leave/came"] == ended.mean()
    assert numbers["leave/brier"] == pytest.approx(brier(said, ended))
    assert numbers["leave/brier_constant"] == pytest.approx(ended.mean() * (1.0 - ended.mean()))
    said = said.astype(np.float32).astype(np.float64)  # equal ones must stay equal
    assert numbers["leave/ece"] == pytest.approx(calibration_error(said, ended), rel=0.02)
    assert numbers["leave/ece_floor"] == pytest.approx(calibration_floor(said), rel=0.1)


def test_groups_of_the_reliability_table_are_all_symbols(chain):
    table, (said, ended) = chain.tables["reliability"], leaving(CHAIN, LOG)
    count = np.array(table["count"])
    assert count.sum() == len(said) and count @ np.array(table["came"]) == pytest.approx(ended.sum())
    assert count @ np.array(table["said"]) == pytest.approx(said.sum())
    assert {"length", "action", "bigram", "hazard", "run", "transform"} < set(chain.tables)


def test_first_symbols_that_were_given_are_not_judged(truth):
    numbers = truth.numbers
    assert numbers["nats"] == pytest.approx(nats(ECHO, LOG, 1), rel=1e-5)
    assert numbers["minus/markov/nats"] == pytest.approx(nats(ECHO, LOG, 1) - nats(CHAIN, LOG, 1), rel=1e-4)
    assert numbers["symbols"] == LOG.events == len(leaving(ECHO, LOG, 1)[0])
    assert numbers["leave/came"] == pytest.approx(300 / LOG.events)
    assert numbers["leave/said"] == pytest.approx(0.1)  # after every action, and never before the first
    assert sum(truth.tables["reliability"]["count"]) == LOG.events and truth.tables["hazard"]["actions"][0] == 1
    assert not any(name.startswith("begin") for name in truth.tables["bigram"]["value"])
    peer = behaviour(*automaton(CHAIN), LOG, baselines={"truth": automaton(ECHO)}, given=1, **QUICK).numbers
    error = leaving(CHAIN, LOG, 1)[0] - 0.1
    assert peer["hazard_rmse"] == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-4)


def test_the_truth_does_not_learn_by_heart_and_a_chain_of_long_memory_does(truth):
    """The gap is what judged symbols need beyond training ones; turned round, it is negative."""
    few = sample(ECHO, 60, 2)
    heart = automaton(markov_process(few, 4))
    numbers = behaviour(*heart, LOG, train=few, baselines={}, **QUICK).numbers
    assert numbers["nats_train"] == pytest.approx(nats(markov_process(few, 4), few), rel=1e-5)
    assert numbers["memorisation_gap"] == pytest.approx(numbers["nats"] - numbers["nats_train"])
    assert numbers["memorisation_gap"] > 0.3
    turned = behaviour(*heart, few, train=LOG, baselines={}, **QUICK).numbers
    assert turned["memorisation_gap"] == pytest.approx(-numbers["memorisation_gap"], rel=1e-4)
    gap = nats(ECHO, LOG, 1) - nats(ECHO, TRAIN, 1)  # chance alone
    assert truth.numbers["memorisation_gap"] == pytest.approx(gap, abs=1e-5) and abs(gap) < 0.05


def test_for_validation_the_likelihood_alone():
    held = behaviour(*automaton(ECHO), LOG, train=TRAIN, given=1, series=10**9)  # none is drawn
    assert set(held.numbers) == {
        "nats", "bits", "perplexity", "accuracy", "log_likelihood", "nats_a_series", "symbols", "sequences",
    }  # fmt: skip
    assert held.numbers["log_likelihood"] == pytest.approx(-nats(ECHO, LOG, 1), rel=1e-5)
    assert held.tables == {} and held.cases.symbols.tolist() == LOG.lengths.tolist()


def test_the_experiment_stops_by_and_shows_numbers_that_there_are(truth):
    experiment = read_experiment(Path(__file__).parents[2] / "experiments/behaviour.py")
    assert experiment.stop.metric in behaviour(*automaton(ECHO), LOG).numbers
    assert set(experiment.headline) <= set(truth.numbers)


def test_the_report_depends_on_the_seed_alone():
    def report(seed):
        return behaviour(*automaton(ECHO), LOG, baselines={}, seed=seed, **QUICK).numbers

    one, again, other = report(3), report(3), report(4)
    assert one == again and one["nats"] == other["nats"] and one["jsd/length"] != other["jsd/length"]


def test_new_series_are_cut_at_twice_the_longest_training_series():
    """Of nine series in ten the second action leaves no room for an end where training has one action at most."""
    train = log_of([[1], [1]], ECHO.vocabulary)
    held = behaviour(*automaton(ECHO), LOG, train=train, baselines={}, given=1, **QUICK).numbers
    assert held["cut"] == pytest.approx(0.9, abs=4 * np.sqrt(0.09 / 300))
    assert held["mean_length/synthetic"] == pytest.approx(1.0 + held["cut"])
    alone = behaviour(*automaton(ECHO), join(LOG, LOG), baselines={}, given=1, **QUICK).numbers
    assert alone["cut"] == 0.0  # without training series the judged ones decide
    error = np.sqrt(0.9) / 0.1 / np.sqrt(300)
    assert alone["mean_length/synthetic"] == pytest.approx(10.0, abs=4 * error)
