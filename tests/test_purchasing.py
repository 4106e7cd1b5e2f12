"""Whom to contact: effects of events against a loop that deletes them, and a target list by hand."""

import re

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from purchase_logs import log_of
from scipy import special

from seqjax.data.events import DataError, EventLog
from seqjax.data.kindred import KINDRED, MOST, kin_words
from seqjax.data.recency import DERIVED, GAPS, TIMES, WAITS
from seqjax.data.samples import Samples
from seqjax.data.split import DAY
from seqjax.evaluate.calibration import platt
from seqjax.evaluate.drift import tenths
from seqjax.evaluate.purchase import scaled, scalings
from seqjax.evaluate.response import predict
from seqjax.models.cnn_lstm import CNNLSTM
from seqjax.models.day_image import DayImage
from seqjax.models.gru_response import GRUResponse
from seqjax.purchasing import explained, moved, occlusion, prepared, score_purchases, told_of

SIZES = (("item", 9), ("gap", 8))
ASK = {"sizes": SIZES, "features": ("item", "gap"), "candidate": ("item",), "width": 3, "hidden": 4, "head": (5,)}
MODELS = {"GRU": GRUResponse(**ASK), "CNN-LSTM": CNNLSTM(**ASK, filters=4, kernel=3, window=7)}
TIME = 16


@pytest.fixture(scope="module", params=MODELS)
def model(request):
    model, random = MODELS[request.param], np.random.default_rng(0)
    shapes = jax.eval_shape(model.init, jax.random.key(0))["params"]
    return model, jax.tree.map(lambda leaf: jnp.float32(random.normal(0, 0.5, leaf.shape)), shapes)


def alone(model, params, events, places, target):
    """Log-odds after these events, one after the other."""
    state = model.init_state()
    for place in places:
        event = {name: ids[place] for name, ids in events.items()}
        state = model.apply({"params": params}, state, event, method="step")
    return float(model.apply({"params": params}, state, target, method="read"))


@pytest.mark.parametrize(("events", "last"), [(12, 5), (4, 5), (0, 5), (1, 1)])
def test_an_effect_is_what_deleting_the_event_takes_away(model, events, last):
    """Of the last events only; gaps between events and what stands in them change nothing."""
    random = np.random.default_rng(events)
    ids = {"item": jnp.array(random.integers(1, 10, TIME)), "gap": jnp.array(random.integers(1, 9, TIME))}
    there = np.sort(random.choice(TIME, events, replace=False))
    valid, target = np.isin(np.arange(TIME), there), {"item": jnp.int32(2)}
    held = occlusion(*model, ids, jnp.array(valid), target, last=last)
    whole, tried = alone(*model, ids, there, target), there[-last:]
    expected = [whole - alone(*model, ids, there[there != place], target) for place in tried]
    missing = last - len(tried)
    assert held.log_odds == pytest.approx(whole, abs=1e-5)
    assert held.there.tolist() == [False] * missing + [True] * len(tried)
    assert held.place[missing:].tolist() == tried.tolist()
    np.testing.assert_allclose(held.effect, [0.0] * missing + expected, atol=1e-5)


def test_lives_of_one_length_are_one_program():
    model = MODELS["GRU"]
    params = jax.jit(model.init)(jax.random.key(0))["params"]
    ids, before = {"item": jnp.ones(TIME, jnp.int32), "gap": jnp.ones(TIME, jnp.int32)}, occlusion._cache_size()
    for count in range(3):
        occlusion(model, params, ids, jnp.arange(TIME) < count, {"item": jnp.int32(count)}, last=3)
    assert occlusion._cache_size() == before + 1
    with pytest.raises(ValueError, match="last=0: leave out 1 event or more"):
        occlusion(model, params, ids, jnp.arange(TIME) < 2, {"item": jnp.int32(1)}, last=0)


class Additive(nn.Module):
    """Log-odds: a weight for every event by its item, and one by the number of times that the target is told."""

    features: tuple[str, ...] = ("item", "wait")
    candidate: tuple[str, ...] = ("item", "times")

    def setup(self):
        self.item = self.param("item", nn.initializers.zeros, (5,))
        self.times = self.param("times", nn.initializers.zeros, (8,))

    def init_state(self):
        return jnp.float32(0.0)

    def encode(self, state, events, valid, noise=None):
        values = jnp.where(valid, self.item[events["item"]], 0.0)
        return state + jnp.sum(values), state + jnp.cumsum(values)

    def read(self, state, target, noise=None):
        return state + self.times[target.get("times", 0)]


PARAMS = {
    "item": jnp.array([9.0, 0.5, -1.0, 0.25, 0.001]),  # padding, a, b, c, d
    "times": jnp.array([0.0, -2.0, 0.125, 0.0625, 0.0, 0.0, 0.0, 0.0]),
}
WORDS = {"item": np.array(["a", "b", "c", "d"]), **DERIVED}
LIVES = [
    [(0, "a"), (1, "b"), (1.5, "c"), (3, "d")],
    [(2, "z")],  # no category that the run knows
    [(0, "a"), (8, "a"), (8, "a")],  # the same basket twice
    [(0, "d")],
    [(0, "c"), (9, "a")],
]
OTHER = np.array(["z", "d", "c", "b", "a"])  # another order of words than the run's
LOG = log_of(*LIVES, words=OTHER)
LOG_ODDS = np.array([0.5 - 1.0 + 0.25 + 0.001 + 0.125, -2.0, 1.0 + 0.0625, 0.001 - 2.0, 0.75 + 0.125])
SCALING = {"calibration/a/scale": 2.0, "calibration/a/shift": -0.5}


def score(log=LOG, model=None, **settings):
    settings = {"words": WORDS, "numbers": SCALING, "category": "a", "last": 3, **settings}
    return score_purchases(model or Additive(), PARAMS, log, **settings)


def test_a_target_list_by_hand():
    columns = score(cost=1.0, gain=4.0)
    assert list(columns) == ["probability", "calibrated", "decile", "selected", "because_1", "because_2", "because_3"]
    probability = special.expit(2.0 * LOG_ODDS - 0.5)
    np.testing.assert_allclose(columns["probability"], probability, rtol=1e-6)
    assert columns["calibrated"].all()
    assert columns["selected"].tolist() == (probability >= 0.25).tolist() == [True, False, True, False, True]
    assert columns["decile"].tolist() == [6, 10, 2, 8, 4]
    because = list(zip(*(columns[f"because_{rank}"].tolist() for rank in (1, 2, 3)), strict=True))
    assert because == [  # of the first user's four events, the last three; d moves nobody by 0.01
        ("b -1.00", "c +0.25", ""), ("", "", ""), ("a +0.50", "a +0.50", ""), ("", "", ""), ("a +0.50", "c +0.25", ""),
    ]  # fmt: skip


def test_without_calibration_the_models_own_probability():
    for numbers in ({}, None, {"calibration/b/scale": 1.0, "calibration/b/shift": 0.0}):
        columns = score(numbers=numbers, top=0)
        assert list(columns) == ["probability", "calibrated", "decile"] and not columns["calibrated"].any()
        np.testing.assert_allclose(columns["probability"], special.expit(LOG_ODDS), rtol=1e-6)


@pytest.mark.parametrize("lanes", [1, 2, 3])
def test_batches_change_nothing(lanes):
    long = log_of(*LIVES, [(day, "b") for day in range(70)], words=OTHER)  # two blocks of events
    whole = score(long, top=2)
    assert score(long, top=2, lanes=lanes).keys() == whole.keys()
    for name, column in score(long, top=2, lanes=lanes).items():
        assert column.tolist() == whole[name].tolist()


def test_columns_are_those_of_training():
    known = prepared(LOG, WORDS, ("item", "gap", "wait"), seed=0)
    assert known.offsets.tolist() == [0, 4, 4, 6, 7, 9] and known.vocabulary["item"].tolist() == list("abcd")
    for name, words, told in (
        ("gap", GAPS, "first first first first | first 8-14 | first | first first"),
        ("times", TIMES, "0 0 0 0 | 0 1 | 0 | 0 0"),
        ("wait", WAITS, "first 1 0 1 | first 8-14 | first | first 8-14"),
    ):
        assert words[known.columns[name] - 1].tolist() == told.replace("| ", "").split()
    mixed = np.array([3, 1, 0, 2, 4, 6, 7, 5, 8, 10, 9])  # events of a user in any order
    shuffled = LOG._replace(columns={name: column[mixed] for name, column in LOG.columns.items()})
    again = prepared(shuffled, WORDS, ("gap",), seed=3)
    assert {name: column.tolist() for name, column in again.columns.items()} == {
        name: column.tolist() for name, column in known.columns.items()
    }
    basket = log_of([(1, kind) for kind in "abcd"])
    orders = {tuple(prepared(basket, WORDS, (), seed=seed).columns["item"].tolist()) for seed in range(9)}
    assert len(orders) > 3 and all(sorted(order) == [1, 2, 3, 4] for order in orders)


def test_a_target_is_told_of_the_whole_life():
    """The last user's last event, too; days count to the second after the log's last event."""
    known = prepared(LOG, WORDS, ("gap",), seed=0)
    target = {"item": np.full(5, 1, np.int32)}
    held = told_of(known, target, ["gap", "times", "wait"], moment=int(LOG.columns["time"].max()) + 1)
    assert GAPS[held["gap"] - 1].tolist() == ["8-14", "first", "0-1", "first", "0-1"]
    assert TIMES[held["times"] - 1].tolist() == ["1", "0", "2", "0", "1"]
    assert WAITS[held["wait"] - 1].tolist() == ["4-7", "first", "1", "8-14", "0"]
    plain = score(told=(), numbers=None)["probability"]  # what is told takes part only where the run's targets had it
    np.testing.assert_allclose(plain, special.expit([-0.249, 0.0, 1.0, 0.001, 0.75]), rtol=1e-5)


def test_kindred_categories_are_those_of_the_run():
    """However the log spells its vocabulary; of a: b and d, together."""
    kin = np.zeros((5, MOST), np.int32)
    kin[1, :2] = [2, 4]
    words = WORDS | {"kindred": KINDRED, "kin": kin_words(kin, WORDS["item"])}

    class Kindred(Additive):
        candidate = ("item", "kindred")

        def read(self, state, target, noise=None):
            return state + 0.5 * target["kindred"]

    said = score(model=Kindred(), words=words, numbers=None, told=("kindred",))["probability"]
    counted = [[3, 1, 1, 2, 1][user] for user in range(5)]  # ids: 2, 0, 0, 1, 0 purchases of b and d
    np.testing.assert_allclose(said, special.expit([-0.249 + 1.5, 0.5, 1.5, 1.001, 1.25]), rtol=1e-5)
    assert [KINDRED[place - 1] for place in counted] == ["2", "0", "0", "1", "0"]
    with pytest.raises(DataError, match="the model reads 'kindred', which does not follow"):
        score(model=Kindred(), told=("kindred",))  # a run without them


def test_log_odds_are_those_of_evaluation(model):
    known = prepared(LOG, WORDS, model[0].features, seed=0)
    target, everyone = {"item": np.full(5, 2, np.int32)}, np.arange(5)
    samples = Samples(known, everyone, known.lengths, known.lengths, target, np.zeros(5, bool))
    held = explained(*model, known, target, last=2, lanes=2)
    np.testing.assert_allclose(held.log_odds, predict(*model, samples), atol=1e-5)
    assert held.effect.shape == held.place.shape == (5, 2)


def test_days_are_whole_and_asked_about_is_the_next():
    """Everything counts up to the log's last day, however late its last event comes."""
    model = DayImage((("item", 4),), width=3, filters=4, kernel=3, hidden=4, days=12, head=(5,))
    shapes, random = jax.eval_shape(model.init, jax.random.key(0))["params"], np.random.default_rng(0)
    params = jax.tree.map(lambda leaf: jnp.float32(random.normal(0, 0.5, leaf.shape)), shapes)
    words = {**WORDS, "day": np.array(["2017-01-01"])}  # of another log: only distances of days matter
    found = score_purchases(model, params, LOG, words=words, category="a", last=3)
    told = score_purchases(model, params, LOG, words=words, category="a", last=3, told=("day", "gap"))  # as a run says
    assert told["probability"].tolist() == found["probability"].tolist()
    late = LOG._replace(columns={**LOG.columns, "time": LOG.columns["time"] + DAY // 4})  # the same days
    assert found["probability"].tolist() == score_purchases(
        model, params, late, words=words, category="a", last=3
    )["probability"].tolist()  # fmt: skip
    for user, life in enumerate(LIVES):
        state = model.init_state()
        for day, category in dict.fromkeys(life):
            if category in "abcd":
                event = {"item": jnp.int32(1 + "abcd".index(category)), "day": jnp.int32(100 + day)}
                state = model.apply({"params": params}, state, event, method="step")
        z = model.apply({"params": params}, state, {"item": jnp.int32(1), "day": jnp.int32(110)}, method="read")
        assert found["probability"][user] == pytest.approx(special.expit(float(z)), abs=1e-6)
    with pytest.raises(DataError, match="days need the times of events and the moments of asking"):
        score_purchases(model, params, timeless(), words=words, category="a")


def test_users_who_changed_are_told_of():
    random = np.random.default_rng(0)
    known = tenths(random.random(500))
    tables = {"tenths": {"a": {"edges": known.edges.tolist(), "below": known.below.tolist(), "users": 500}}}
    assert re.fullmatch(r"0\.0\d\d, by chance up to 0\.0\d\d: as validation's users", moved(
        random.random(500), tables, "a")["score_drift"])  # fmt: skip
    assert moved(random.random(500) ** 2, tables, "a")["score_drift"].endswith("the users have changed: calibrate anew")
    assert moved(random.random(500), tables, "b") == moved(random.random(500), {}, "a") == {}


class Strange(Additive):
    features: tuple[str, ...] = ("item", "behaviour")


def timeless(log=LOG):
    return log._replace(columns={"item": log.columns["item"]})


ERRORS = {
    "no category": ({"category": ""}, DataError, r"no category: give category=NAME; there are a, b, c, d"),
    "unknown category": ({"category": "tea"}, DataError, r"there is no category 'tea'; near it are a"),
    "a feature": ({"model": Strange()}, DataError, r"the model reads 'behaviour', .* lately, kindred do"),
    "other words": ({"words": {**WORDS, "wait": np.array(["x"])}}, DataError, r"the model reads 'wait'"),
    "told": ({"told": ("price",)}, DataError, r"the model reads 'price', which does not follow from categories"),
    "no times": ({"log": timeless()}, DataError, r"no times, and the model reads 'wait': name their column \(--time"),
    "nothing known": (
        {"log": log_of([(1, "z")], words=OTHER)}, DataError, r"none of the log's categories \(z, d, c, \.\.\) is one of"
    ),
    "baskets": (
        {"log": LOG._replace(keys={"user": np.array(["u"] * 5)})}, DataError, "1 users have 5 sequences: .* --session"
    ),
    "cost": ({"cost": 2.0, "gain": 1.0}, ValueError, r"cost=2\.0, gain=1\.0: a threshold needs 0 < cost < gain"),
    "gain alone": ({"gain": 1.0}, ValueError, r"cost=0\.0, gain=1\.0"),
    "top": ({"top": 4}, ValueError, r"top=4, last=3, lanes=32"),
    "lanes": ({"lanes": 0}, ValueError, r"lanes=0"),
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name):
    settings, kind, message = ERRORS[name]
    with pytest.raises(kind, match=message):
        score(**settings)


def test_times_are_needed_only_where_they_are_read():
    model = Additive(features=("item",), candidate=("item",))
    log = timeless(EventLog(np.array([0, 1]), {"item": np.array([5], np.int32)}, {"item": OTHER}))
    columns = score(log, model, numbers=None)
    np.testing.assert_allclose(columns["probability"], special.expit([0.5]), rtol=1e-6)
    assert columns["because_1"].tolist() == ["a +0.50"]


def samples_of(score, label, item, moment):
    """Samples of users whose only event is their score."""
    log = EventLog(np.arange(len(score) + 1), {"item": np.ones(len(score), np.int32)}, {"item": WORDS["item"]})
    sequence = np.arange(len(score))
    cut = np.ones(len(score), int)
    return Samples(log, sequence, cut, cut, {"item": item}, label, moment=moment)


def test_scaling_is_platts_on_everybody_of_a_category():
    random = np.random.default_rng(0)
    z, item = random.normal(size=400), np.repeat([1, 2, 3], [200, 150, 50]).astype(np.int32)
    label = (random.random(400) < special.expit(3.0 * z - 1.0)) & (item < 3)  # nobody takes the third
    samples = samples_of(z, label, item, np.zeros(400, int))
    numbers = scalings(z[samples.sequence], samples)
    assert list(numbers) == ["a/scale", "a/shift", "b/scale", "b/shift"]
    held = platt(z[:200], label[:200]).keywords
    assert {"a/scale": held["scale"], "a/shift": held["shift"]}.items() <= numbers.items()
    found = scaled(z, samples, numbers)
    assert found.keys() == {"natural/ece", "natural/ece_floor"}
    assert found["natural/ece"] < 2.0 * found["natural/ece_floor"]
    assert scaled(z, samples, {"a/scale": 3.0, "a/shift": 5.0})["natural/ece"] > 0.3  # of the first category alone
    assert scaled(z, samples, {}) == {} and scalings(z, None) == {}
