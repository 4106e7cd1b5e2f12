"""Predictions against events read one by one, areas against loops, and every number of the report by hand."""

import math
from itertools import pairwise
from statistics import NormalDist

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.baselines.response import target_popularity
from seqjax.data.events import EventLog
from seqjax.data.protocols import leave_last
from seqjax.data.samples import ask
from seqjax.evaluate import response as module
from seqjax.evaluate.calibration import brier, calibration_error, calibration_floor
from seqjax.evaluate.response import ResponseCases, bootstrap_auc, grouped_auc, predict, response
from seqjax.metrics import roc_auc
from seqjax.models.hpmn import HPMN
from seqjax.models.sum_pooling import SumPooling

ITEMS, ATTRIBUTES = 9, 5
SIZES = (("item", ITEMS), ("attribute", ATTRIBUTES))
FEATURES = ("item", "attribute")
MODELS = {
    "pool": SumPooling(SIZES, FEATURES, width=4, head=(6,)),
    "hpmn": HPMN(SIZES, FEATURES, width=4, hidden=4, periods=(1, 3), hops=1, head=(6,)),
}


def random_log(seed, lengths):
    random = np.random.default_rng(seed)
    items = random.integers(1, ITEMS + 1, sum(lengths)).astype(np.int32)
    words = {"item": np.array([f"i{n}" for n in range(ITEMS)]), "attribute": np.array([f"a{n}" for n in range(5)])}
    return EventLog(np.concatenate([[0], np.cumsum(lengths)]), {"item": items}, words)


def attributes(seed=0):
    side = np.random.default_rng(seed).integers(0, ATTRIBUTES + 1, (ITEMS + 1, 2)).astype(np.int32)
    side[0] = 0
    return {"attribute": side}


@pytest.fixture(scope="module")
def samples():
    """Users of 0 to 20 events, one of them asked 40 times, others once or not at all; cutoffs from 0 on."""
    log = random_log(0, [20, 1, 0, 12, 5, 17, 9])
    random = np.random.default_rng(1)
    sequence = np.array([0] * 40 + [1, 3, 3, 3, 4, 4, 5, 5, 5, 6])
    place = np.array([random.integers(log.lengths[user]) for user in sequence])
    place[[0, 40, 41]] = 0
    place[1] = 19
    item = random.integers(1, ITEMS + 1, len(place)).astype(np.int32)
    order = random.permutation(len(place))
    held = ask(log, sequence, place, random.random(len(place)) < 0.5, item, side=attributes()).take(order)
    return held._replace(cutoff=np.maximum(held.cutoff - (np.arange(held.size) % 3), 0))  # some see less than they may


def params_of(model, seed=0):
    shapes = jax.eval_shape(model.init, jax.random.key(0))["params"]
    random = np.random.default_rng(seed)
    return jax.tree.map(lambda leaf: jnp.asarray(random.normal(0, 0.5, leaf.shape), jnp.float32), shapes)


def one_by_one(model, params, samples):
    """Log-odds by folding `step` over every life and then reading each target from the state at its cutoff."""
    step, read = (
        jax.jit(lambda *given, method=method: model.apply({"params": params}, *given, method=method))
        for method in ("step", "read")
    )

    def event(item):
        return {"item": jnp.int32(item), **{name: jnp.asarray(column[item]) for name, column in samples.side.items()}}

    states = []
    for begin, end in pairwise(samples.log.offsets):
        states.append([model.init_state()])
        for item in samples.log.columns["item"][begin:end]:
            states[-1].append(step(states[-1][-1], event(item)))
    asked = zip(samples.sequence, samples.cutoff, samples.target["item"], strict=True)
    return np.array([float(read(states[user][cutoff], event(item))) for user, cutoff, item in asked])


@pytest.mark.parametrize("name", MODELS)
def test_predictions_are_those_of_events_read_one_by_one(name, samples):
    model = MODELS[name]
    params = params_of(model)
    expected = one_by_one(model, params, samples)
    assert {0, 18} <= set(samples.cutoff.tolist()) and expected.std() > 0.1
    for lanes, block in ((256, 64), (3, 16)):  # all in one block, and in one or two
        found = predict(model, params, samples, lanes=lanes, block=block)
        np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-5, err_msg=f"{lanes} lanes, blocks of {block}")


def test_a_memory_whose_layers_all_fire_last_reads_every_life_at_once(samples):
    model = MODELS["hpmn"].clone(phase="right", periods=(1, 3, 6))
    params, seen = params_of(model), jax.jit(lambda *given: model.apply({"params": params}, *given, method="encode")[0])
    read = jax.jit(lambda state, target: model.apply({"params": params}, state, target, method="read"))
    found = predict(model, params, samples, lanes=3, block=4)  # blocks in which no layer would fire where it should
    for at in range(0, samples.size, 3):
        begin = samples.log.offsets[samples.sequence[at]]
        item = np.zeros(24, np.int32)
        item[: samples.cutoff[at]] = samples.log.columns["item"][begin : begin + samples.cutoff[at]]
        events, target = (
            {"item": ids, **{k: v[ids] for k, v in samples.side.items()}} for ids in (item, samples.target["item"][at])
        )
        state = seen(model.init_state(), events, np.arange(24) < samples.cutoff[at])
        np.testing.assert_allclose(found[at], read(state, target), rtol=2e-4, atol=2e-5)


def test_users_without_any_history_are_read_from_the_start(samples):
    model = MODELS["hpmn"]
    params = params_of(model)
    cold = samples._replace(cutoff=np.zeros_like(samples.cutoff))
    np.testing.assert_allclose(predict(model, params, cold), one_by_one(model, params, cold), rtol=1e-4, atol=1e-5)


def drawn(seed, users=30, most=9, decimals=None):
    """Scores (rounded: many are equal), labels and owners, some of whom have one label only."""
    random = np.random.default_rng(seed)
    sequence = np.repeat(random.permutation(users), random.integers(1, most, users))
    label = random.random(len(sequence)) < 0.4
    score = random.normal(size=len(label)) + label
    order = random.permutation(len(label))
    return (score if decimals is None else score.round(decimals))[order], label[order], sequence[order]


def area_by_pairs(score, label):
    """The share of pairs in which the positive one scores higher, ties half."""
    pairs = [(p > n) + 0.5 * (p == n) for p in score[label] for n in score[~label]]
    return sum(pairs) / len(pairs)


@pytest.mark.parametrize("decimals", [None, 1, 0])
@pytest.mark.parametrize("seed", range(3))
def test_grouped_auc_is_the_weighted_mean_of_a_loop(seed, decimals):
    score, label, sequence = drawn(seed, decimals=decimals)
    total = weight = 0
    for user in set(sequence.tolist()):
        own = sequence == user
        if label[own].any() and not label[own].all():
            total += own.sum() * area_by_pairs(score[own], label[own])
            weight += own.sum()
    assert 0 < weight < len(score)
    assert grouped_auc(score, label, sequence) == pytest.approx(total / weight)
    assert grouped_auc(score.astype(np.float32) * 8, label, sequence) == pytest.approx(total / weight)


def test_grouped_auc_by_hand():
    """User 4: .5 over two samples; user 7: 3/4 over three, one tie; user 1 has one label only."""
    score = np.array([0.0, 0.0, 5.0, 1.0, 1.0, 2.0])
    label = np.array([True, False, True, True, False, True])
    sequence = np.array([4, 4, 1, 7, 7, 7])
    assert grouped_auc(score, label, sequence) == pytest.approx((2 * 0.5 + 3 * 0.75) / 5)
    assert math.isnan(grouped_auc(score, np.ones(6, bool), sequence))
    assert math.isnan(grouped_auc(score, label, np.arange(6)))


@pytest.mark.parametrize("decimals", [None, 0])
def test_areas_of_resamples_are_those_of_repeated_samples(decimals):
    score, label, sequence = drawn(3, decimals=decimals)
    scores = np.stack([score, -score, np.zeros_like(score)])
    found = bootstrap_auc(scores, label, sequence, 20, seed=5)
    assert found.shape == (3, 21)
    users, random = np.unique(sequence), np.random.default_rng(5)
    for column in range(21):
        chosen = users[random.integers(len(users), size=len(users))] if column else users
        rows = np.concatenate([np.flatnonzero(sequence == user) for user in chosen])
        for row, held in enumerate(scores):
            assert found[row, column] == pytest.approx(area_by_pairs(held[rows], label[rows]))
    for row, held in enumerate(scores):
        assert found[row, 0] == pytest.approx(roc_auc(held[label], held[~label])[0])


@pytest.mark.parametrize("sides", [([], [1.0]), ([1.0], []), ([], [])])
def test_an_empty_side_has_no_area(sides):
    assert all(map(math.isnan, roc_auc(*map(np.array, sides))))


def test_a_resample_of_one_label_has_no_area():
    score, label = np.array([1.0, 0.0]), np.array([True, False])
    found = bootstrap_auc(score[None], label, np.array([0, 1]), 50)[0]
    assert found[0] == 1.0 and set(found[np.isfinite(found)]) == {1.0} and np.isnan(found).any()
    assert module._ends(found[1:]) == {"auc/low": 1.0, "auc/high": 1.0}
    none = bootstrap_auc(score[None], np.ones(2, bool), np.array([0, 1]), 3)
    assert np.isnan(none).all()
    assert all(map(math.isnan, module._ends(none[0]).values()))


def test_intervals_cover():
    """Users with a level of their own, so that their samples hang together: samples alone would cover less."""
    random, inside = np.random.default_rng(0), []
    truth = NormalDist().cdf(1.0 / math.sqrt(2 * (1 + 1.0)))
    for _ in range(200):
        sequence = np.repeat(np.arange(60), 4)
        label = random.random(240) < 0.5
        score = random.normal(size=240) + random.normal(size=60)[sequence] + label
        ends = module._ends(bootstrap_auc(score[None], label, sequence, 150)[0, 1:])
        inside.append(ends["auc/low"] <= truth <= ends["auc/high"])
    assert np.mean(inside) == pytest.approx(0.95, abs=0.04)


def test_minus_is_paired():
    score, label, sequence = drawn(4, users=80)
    mine, theirs = ResponseCases(score, label, sequence), ResponseCases(score + 1e-3 * label, label, sequence)
    found = mine.minus(theirs)
    areas = [area_by_pairs(cases.score, label) for cases in (mine, theirs)]
    assert found["auc"] == pytest.approx(areas[0] - areas[1])
    assert found["auc/low"] <= found["auc"] <= found["auc/high"] <= 0.0
    single = module._interval(mine, 1000)
    assert found["auc/high"] - found["auc/low"] < 0.1 * (single["auc/high"] - single["auc/low"])
    assert mine.minus(mine) == {"auc": 0.0, "auc/low": 0.0, "auc/high": 0.0}


@pytest.mark.parametrize("change", ["label", "sequence"])
def test_other_samples_are_refused(change):
    mine = ResponseCases(*drawn(4))
    other = mine._replace(**{change: np.roll(getattr(mine, change), 1)})
    with pytest.raises(ValueError, match="judged on different samples"):
        mine.minus(other)


@pytest.fixture(scope="module")
def split():
    lengths = np.random.default_rng(2).integers(4, 9, 60).tolist()
    return leave_last(random_log(2, lengths), side=attributes(), negatives=("popularity", "uniform"))


@pytest.fixture(scope="module")
def judged(split):
    """A model's evaluation beside two baselines, and its log-odds."""
    model = MODELS["pool"]
    params = params_of(model)
    baselines = {"popularity": target_popularity(split.train), "constant": lambda samples: np.zeros(samples.size)}
    held = response(model, params, split.test, train=split.train, baselines=baselines, replicates=50)
    return held, predict(model, params, split.test), baselines


def test_numbers_by_hand(split, judged):
    (numbers, cases, tables), score, _ = judged
    first = split.test.kind <= 1  # negatives by popularity come first
    label, sequence = split.test.label[first], split.test.sequence[first]
    assert np.array_equal(cases.score, score[first]) and np.array_equal(cases.label, label)
    assert numbers["auc"] == numbers["auc_popularity"] == pytest.approx(area_by_pairs(score[first], label))
    assert numbers["gauc"] == pytest.approx(grouped_auc(score[first], label, sequence))
    chance = 1 / (1 + np.exp(-score[first].astype(float)))
    said = np.where(label, chance, 1 - chance)
    assert numbers["log_loss"] == pytest.approx(-np.log(said).mean())
    assert numbers["brier"] == pytest.approx(((1 - said) ** 2).mean())
    assert numbers["brier_constant"] == pytest.approx(brier(np.full(len(label), label.mean()), label))
    assert numbers["ece"] == pytest.approx(calibration_error(chance, label))
    assert numbers["ece_floor"] == pytest.approx(calibration_floor(chance))
    assert (numbers["targets"], numbers["sequences"]) == (len(label), len(set(sequence.tolist())))
    assert numbers["positive"] == label.mean()
    assert numbers["auc/low"] < numbers["auc"] < numbers["auc/high"]
    assert sum(tables["reliability"]["count"]) == len(label)


def test_every_kind_of_negatives_is_judged_against_the_same_positives(split, judged):
    (numbers, _, _), score, _ = judged
    assert split.test.kinds == ("popularity", "uniform")
    for number, kind in enumerate(split.test.kinds, start=1):
        chosen = (split.test.kind == 0) | (split.test.kind == number)
        assert numbers[f"auc_{kind}"] == pytest.approx(area_by_pairs(score[chosen], split.test.label[chosen]))
    assert numbers["auc_popularity"] != numbers["auc_uniform"]


def test_baselines_have_numbers_and_paired_differences(split, judged):
    (numbers, cases, _), _, baselines = judged
    first = split.test.kind <= 1
    for name, predictor in baselines.items():
        said = predictor(split.test)
        theirs = cases._replace(score=said[first])
        assert numbers[f"{name}/auc"] == pytest.approx(area_by_pairs(said[first], cases.label))
        assert numbers[f"{name}/gauc"] == pytest.approx(grouped_auc(said[first], cases.label, cases.sequence))
        for number, kind in enumerate(split.test.kinds, start=1):
            chosen = (split.test.kind == 0) | (split.test.kind == number)
            area = area_by_pairs(said[chosen], split.test.label[chosen])
            assert numbers[f"{name}/auc_{kind}"] == pytest.approx(area)
        apart = {key: numbers[f"minus/{name}/{key}"] for key in ("auc", "auc/low", "auc/high")}
        assert apart == cases.minus(theirs, (), 50)
        assert apart["auc"] == pytest.approx(numbers["auc"] - numbers[f"{name}/auc"])
        assert not any(name.endswith("log_loss") for name in numbers if "/" in name)
    assert numbers["constant/auc"] == numbers["constant/auc/low"] == numbers["constant/auc/high"] == 0.5


def test_validation_has_the_plain_numbers(split):
    model = MODELS["pool"]
    held = response(model, params_of(model), split.validation)
    assert set(held.numbers) == {"auc", "gauc", "log_loss", "brier", "auc_popularity", "auc_uniform"}
    assert not held.tables


def test_samples_of_one_label_have_no_area_and_no_warning(split):
    """As the first samples of a validation set, which a check before training looks at."""
    model, few = MODELS["pool"], split.validation.head(8)
    assert few.label.all()
    numbers = response(model, params_of(model), few).numbers
    areas = {name for name, value in numbers.items() if math.isnan(value)}
    assert areas == {"auc", "gauc", "auc_popularity", "auc_uniform"}
    whole = response(model, params_of(model), few, baselines={"zero": lambda samples: np.zeros(samples.size)}).numbers
    assert math.isnan(whole["minus/zero/auc"]) and math.isnan(whole["auc/low"]) and whole["positive"] == 1.0


@pytest.mark.parametrize("sizes", [(0, 3), (3, 0), (0, 0)])
def test_an_empty_side_has_neither_area_nor_error(sizes):
    assert all(map(math.isnan, roc_auc(*(np.arange(size) * 1.0 for size in sizes))))


def test_without_users_of_both_labels_there_is_no_grouped_area(samples):
    model = MODELS["pool"]
    alone = samples.take(np.array([np.flatnonzero(samples.sequence == user)[0] for user in (0, 1, 3, 4, 5, 6)]))
    alone = alone._replace(label=np.arange(6) % 2 == 0)
    assert set(response(model, params_of(model), alone).numbers) == {"auc", "log_loss", "brier"}


def test_areas_by_length_of_history():
    random = np.random.default_rng(7)
    length = np.repeat([0, 1, 4, 7, 60, 99, 1000, 5000], 150)
    label = random.random(len(length)) < 0.5
    label[length == 7] = np.arange(150) < 49  # too few of one label
    score = random.normal(size=len(length)) + label
    found = module._by_length(ResponseCases(score, label, length), length)
    groups = {"0": (0, 0), "1-4": (1, 4), "50-99": (50, 99), "1000+": (1000, 5000)}
    assert {name.split("/")[1] for name in found} == set(groups)
    for name, (low, high) in groups.items():
        here = (length >= low) & (length <= high)
        area, error = roc_auc(score[here & label], score[here & ~label])
        numbers = {key: found[f"by_length/{name}/{key}"] for key in ("auc", "auc/low", "auc/high", "targets")}
        ends = {"auc/low": area - 1.96 * error, "auc/high": area + 1.96 * error}
        assert numbers == pytest.approx({"auc": area, "targets": here.sum(), **ends})


def test_lengths_are_those_of_what_may_be_seen(split):
    model, twenty = MODELS["pool"], split.test.take(np.tile(np.arange(split.test.size), 2))
    seen = twenty._replace(cutoff=np.where(np.arange(twenty.size) % 2, 1, 0))
    numbers = response(model, params_of(model), seen, baselines={}, replicates=5).numbers
    lengths = {name.split("/")[1] for name in numbers if name.startswith("by_length/")}
    assert lengths == {"0", "1-4"}
