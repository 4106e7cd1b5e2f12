"""Forecasts of returns against loops over users and visits, with a model whose hazards anyone can compute."""

from functools import partial
from itertools import pairwise
from pathlib import Path

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from seqjax.baselines.returning import constant_hazard, own_rate
from seqjax.data.events import take
from seqjax.data.split import DAY
from seqjax.data.visits import visit_log
from seqjax.evaluate.calibration import calibration_floor
from seqjax.evaluate.intervals import bootstrap
from seqjax.evaluate.returning import ReturnCases, predict_returns, returning
from seqjax.experiment import read_experiment

UNTIL, DAYS = 80 * DAY, (1, 3, 7)
HAZARD = np.random.default_rng(0).uniform(0.02, 0.5, (7, 8))  # by weekday from Monday on, and by day after the visit


class ByWeekday(nn.Module):
    """The log-odds of every day's hazard depend on the weekday of the last visit alone."""

    def init_state(self):
        return jnp.int32(0)

    def encode(self, state, events, valid):
        return events["weekday"][-1], events["weekday"]

    def read(self, state):
        return self.get_variable("params", "odds")[state - 1]


def by_weekday(hazard=HAZARD):
    return ByWeekday(), {"odds": jnp.float32(special.logit(hazard))}


def log_of(users, until=UNTIL):
    """A log of the visit times of every user."""
    offsets = np.concatenate([[0], np.cumsum([len(times) for times in users])]).astype(int)
    time = np.array([moment for times in users for moment in times], np.int64)
    return visit_log(offsets, time, np.ones(len(time), int), until, np.array([f"u{n}" for n in range(len(users))]))


def random_log(seed, users=30, judged=None):
    """Users with up to eleven visits, some of none; with `judged`, that share of the visits is marked."""
    random = np.random.default_rng(seed)
    log = log_of([np.sort(random.integers(0, UNTIL, random.integers(0, 12))).tolist() for _ in range(users)])
    return log if judged is None else marked(log, random.random(log.events) < judged)


def marked(log, judged):
    return log._replace(columns=log.columns | {"judged": judged})


def cases(log, days, hazard=HAZARD):
    """By user (those of judged visits): what was said of every judged visit, and whether they came; by loops."""
    users = []
    for a, b in pairwise(log.offsets):
        said, came = [], []
        times = [*log.columns["time"][a:b].tolist(), None]
        for event, (now, following) in zip(range(a, b), pairwise(times), strict=True):
            if UNTIL - now < max(days) * DAY or not log.columns.get("judged", np.ones(log.events, bool))[event]:
                continue
            law = hazard[(now // DAY + 3) % 7]  # 1970-01-01 was a Thursday
            said.append([1.0 - np.prod(1.0 - law[:day]) for day in days])
            came.append([following is not None and following - now <= day * DAY for day in days])
        if said:
            users.append((np.array(said), np.array(came)))
    return users


@pytest.mark.parametrize("judged", [None, 0.4])
@pytest.mark.parametrize("seed", range(3))
def test_brier_scores_against_a_loop_over_users(seed, judged):
    log = random_log(seed, judged=judged)
    users = cases(log, DAYS)
    squares = np.array([((said - came) ** 2).sum(axis=0) for said, came in users])
    visits = np.array([len(said) for said, _ in users])
    held = returning(*by_weekday(), log, baselines={}, days=DAYS, replicates=50)
    assert held.cases.visits.tolist() == visits.tolist() and held.cases.days.tolist() == list(DAYS)
    np.testing.assert_allclose(held.cases.squares, squares, rtol=1e-5)
    came = np.concatenate([came for _, came in users])
    for day, total, share in zip(DAYS, squares.sum(axis=0), came.mean(axis=0), strict=True):
        assert held.numbers[f"brier@{day}"] == pytest.approx(total / visits.sum(), rel=1e-5)
        assert held.numbers[f"came@{day}"] == pytest.approx(share)
        table = held.tables[f"reliability@{day}"]
        assert sum(table["count"]) == visits.sum()
        assert np.dot(table["count"], table["came"]) == pytest.approx(share * visits.sum())
    assert held.numbers["targets"] == visits.sum() and held.numbers["sequences"] == len(users)
    assert np.isfinite(list(held.numbers.values())).all()


def test_brier_scores_by_hand():
    """Two visits are judged: one followed by another after two days, one by none; half a chance every day."""
    log = log_of([[0, 2 * DAY], [79 * DAY + 1]])
    held = returning(*by_weekday(np.full((7, 4), 0.5)), log, baselines={}, days=(1, 2), replicates=10)
    assert held.cases.visits.tolist() == [2]
    assert held.numbers["brier@1"] == pytest.approx((0.5**2 + 0.5**2) / 2)
    assert held.numbers["brier@2"] == pytest.approx((0.25**2 + 0.75**2) / 2)
    assert held.numbers["came@1"] == 0.0 and held.numbers["came@2"] == 0.5


def test_a_visit_that_was_not_judged_is_read_all_the_same():
    """What is said of a visit stands at that visit, whichever are judged."""
    log = random_log(4)
    said = predict_returns(*by_weekday(), log, DAYS)
    weekday = (log.columns["time"] // DAY + 3) % 7
    np.testing.assert_allclose(said, 1.0 - np.cumprod(1.0 - HAZARD, axis=1)[weekday][:, np.array(DAYS) - 1], atol=1e-6)


@pytest.fixture(scope="module")
def compared():
    """The model beside a user's own rate and itself, and the log that all were judged on."""
    log, model = random_log(5, users=60, judged=0.6), by_weekday()
    peers = {"own": own_rate(random_log(6)), "twin": partial(predict_returns, *model)}
    return returning(*model, log, baselines=peers, days=DAYS, replicates=200), log, peers["own"]


def test_baselines_are_judged_on_the_same_visits(compared):
    held, log, peer = compared
    alone = returning(*by_weekday(), log, baselines={}, days=DAYS, replicates=200).numbers
    assert alone == {name: value for name, value in held.numbers.items() if name in alone}
    chosen = log.columns["judged"] & (UNTIL - log.columns["time"] >= 7 * DAY)
    said, came = peer(log, DAYS)[chosen], np.concatenate([came for _, came in cases(log, DAYS)])
    expected = dict(zip(DAYS, ((said - came) ** 2).mean(axis=0), strict=True))
    for day in DAYS:
        assert held.numbers[f"own/brier@{day}"] == pytest.approx(expected[day])
        apart = held.numbers[f"brier@{day}"] - expected[day]
        assert held.numbers[f"minus/own/brier@{day}"] == pytest.approx(apart)
        for name in ("brier", "ece", "ece_floor"):
            assert held.numbers[f"twin/{name}@{day}"] == held.numbers[f"{name}@{day}"]
    assert {value for name, value in held.numbers.items() if name.startswith("minus/twin/")} == {0.0}


def test_intervals_are_bootstrapped_over_users_and_hold_their_mean(compared):
    held, log, peer = compared
    chosen = log.columns["judged"] & (UNTIL - log.columns["time"] >= 7 * DAY)
    came = np.concatenate([came for _, came in cases(log, DAYS)])
    owner = np.unique(log.sequence[chosen], return_inverse=True)[1]
    theirs = np.zeros((owner.max() + 1, len(DAYS)))
    np.add.at(theirs, owner, (peer(log, DAYS)[chosen] - came) ** 2)
    mine, visits = held.cases.squares, held.cases.visits
    for before, squares in (("", mine), ("own/", theirs), ("minus/own/", mine - theirs)):
        low, high = bootstrap(squares, visits, replicates=200)
        for place, day in enumerate(DAYS):
            mean, *ends = (held.numbers[f"{before}brier@{day}{end}"] for end in ("", "/low", "/high"))
            assert ends == pytest.approx([low[place], high[place]]) and ends[0] < mean < ends[1]


def test_other_visits_cannot_be_paired(compared):
    mine, log, _ = compared
    days = returning(*by_weekday(), log, days=(1, 2, 7)).cases
    users = returning(*by_weekday(), take(log, np.arange(40)), days=DAYS).cases
    visits = returning(*by_weekday(), marked(log, ~log.columns["judged"]), days=DAYS).cases
    for other in (days, users, visits):
        with pytest.raises(ValueError, match="judged on different visits: give both one log and the same days"):
            mine.cases.minus(other)
    less = ReturnCases(np.array([1, 2]), np.array([[0.5], [1.0]]), np.array([7]))
    numbers = less.minus(less._replace(squares=less.squares / 2), replicates=100)
    assert numbers["brier@7"] == pytest.approx(0.25) and numbers["brier@7/low"] == pytest.approx(0.25)  # for each user


@pytest.mark.parametrize("log", [random_log(0, judged=0.0), log_of([[UNTIL - 7 * DAY + 1, UNTIL]])])
def test_a_log_that_was_not_followed_long_enough_is_refused(log):
    with pytest.raises(ValueError, match="no visit was followed for 7 days: ask for fewer days, or give a longer log"):
        returning(*by_weekday(), log, days=DAYS)


def test_a_visit_followed_for_exactly_the_longest_days_is_judged():
    numbers = returning(*by_weekday(), log_of([[UNTIL - 7 * DAY, UNTIL]]), baselines={}, days=DAYS).numbers
    assert numbers["targets"] == 1.0 and numbers["came@7"] == 1.0 and numbers["came@3"] == 0.0


def test_for_validation_the_scores_alone(compared):
    held, log, _ = compared
    alone = returning(*by_weekday(), log, days=DAYS)
    names = [f"brier@{day}" for day in DAYS]
    assert alone.numbers == {name: held.numbers[name] for name in names} | {
        "negative_brier": pytest.approx(-sum(held.numbers[name] for name in names))
    }
    assert alone.tables == {}


def test_the_experiment_shows_numbers_that_there_are():
    experiment = read_experiment(Path(__file__).parents[2] / "experiments/behaviour_return.py")
    days = experiment.evaluate.keywords["days"]
    numbers = returning(*by_weekday(np.full((7, 14), 0.1)), random_log(0), baselines={}, days=days).numbers
    assert set(experiment.headline) <= set(numbers)


def test_true_hazards_are_calibrated_as_far_as_chance_allows():
    """Users who come back with the same chance every day: the law, one twice as high, and a single share of all."""
    random, hazard = np.random.default_rng(1), 0.15
    users = [np.cumsum(np.append(random.integers(0, 9), random.geometric(hazard, 40))) * DAY for _ in range(300)]
    log = log_of([times[times <= UNTIL].tolist() for times in users])
    peers = {"fitted": constant_hazard(log), "always": lambda log, days: np.ones((log.events, len(days)))}
    numbers = returning(*by_weekday(np.full((7, 8), hazard)), log, baselines=peers, days=DAYS, replicates=20).numbers
    twice = returning(*by_weekday(np.full((7, 8), 2 * hazard)), log, baselines={}, days=DAYS, replicates=20).numbers
    for day in DAYS:
        chance = 1.0 - (1.0 - hazard) ** day
        assert numbers[f"ece@{day}"] == pytest.approx(abs(chance - numbers[f"came@{day}"]), abs=1e-6)  # one group
        floor = calibration_floor(np.full(int(numbers["targets"]), chance))
        assert numbers[f"ece_floor@{day}"] == pytest.approx(floor, rel=0.1) and floor > 0.0
        assert numbers[f"ece@{day}"] < 4 * numbers[f"ece_floor@{day}"]
        assert twice[f"ece@{day}"] > 10 * twice[f"ece_floor@{day}"]
        assert abs(numbers[f"minus/fitted/brier@{day}"]) < 1e-3
        never = 1.0 - numbers[f"came@{day}"]
        assert numbers[f"always/ece@{day}"] == numbers[f"always/brier@{day}"] == pytest.approx(never)
        assert numbers[f"always/ece_floor@{day}"] == 0.0  # what is certain has no chance error


@pytest.mark.parametrize("day", [0, 9])
def test_days_that_the_model_does_not_tell_are_refused(day):
    with pytest.raises(ValueError, match=f"days={day}: the model tells 1 to 8 days"):
        predict_returns(*by_weekday(), random_log(0), (1, day))
