"""Who will buy: every set apart, priors by hand, and the numbers of a tiny model beside those of its log-odds."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from seqjax.data.events import EventLog
from seqjax.data.purchases import BALANCED, REST, Question, one_to_one, purchase_samples
from seqjax.data.samples import shift
from seqjax.data.split import DAY
from seqjax.evaluate import following as module
from seqjax.evaluate.calibration import brier, calibration_error, calibration_floor
from seqjax.evaluate.following import followed
from seqjax.evaluate.purchase import REMOVED, Prior, earliness, judged, priors, purchase
from seqjax.evaluate.response import bootstrap_auc, predict
from seqjax.evaluate.selection import average_precision, best_threshold, cumulative_gain, lift, shift_logit
from seqjax.models.gru_response import GRUResponse

WORDS = np.array(["a", "b", "c", "d", "e"])
MODEL = GRUResponse((("item", 5),), width=4, hidden=4, head=(6,))
FIRST, LATER = 60 * DAY, 100 * DAY


def random_log(seed, users):
    """Users of very different numbers of purchases over 120 days, one of them before all moments."""
    random = np.random.default_rng(seed)
    lengths = 1 + random.geometric(1 / 80, users)
    time = [np.append(0, np.sort(random.integers(0, 120 * DAY, length - 1))) for length in lengths]
    item = random.choice(np.arange(1, 6), lengths.sum(), p=[0.4, 0.3, 0.1, 0.1, 0.1]).astype(np.int32)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return EventLog(offsets, {"item": item, "time": np.concatenate(time)}, {"item": WORDS}, {})


def asked(seed, users=80, items=(1, 2), moments=(FIRST, LATER), share=0.2):
    """Everybody at both moments, in no order; 1:1 in every category at every moment."""
    log, random = random_log(seed, users), np.random.default_rng((seed, 1))
    kinds, parts = [], []
    for moment in moments:
        for item in items:
            label = random.random(users) < share * item
            kinds.append(np.where(one_to_one(label, random), BALANCED, REST).astype(np.int8))
            parts.append((np.arange(users), np.full(users, moment), label, np.full(users, item, np.int32)))
    *question, item = map(np.concatenate, zip(*parts, strict=True))
    samples = purchase_samples(log, Question(*question), item, kind=np.concatenate(kinds))
    return samples.take(random.permutation(samples.size))


def random_score(samples, seed=0):
    """Scores that know something, some equal."""
    random = np.random.default_rng(seed)
    return (random.normal(size=samples.size) + samples.label + 0.5 * samples.target["item"]).round(1)


def part_of(samples, kind=None, moment=FIRST):
    """The rows of one kind at one moment, by a loop."""
    held = zip(samples.kind.tolist(), samples.moment.tolist(), strict=True)
    return np.array([row for row, (k, m) in enumerate(held) if m == moment and kind in (None, k)])


def area_by_pairs(score, label):
    pairs = [(p > n) + 0.5 * (p == n) for p in score[label] for n in score[~label]]
    return sum(pairs) / len(pairs)


def mean_over_categories(metric, score, samples, rows):
    item = samples.target["item"][rows]
    return np.mean([metric(score[rows][item == one], samples.label[rows][item == one]) for one in np.unique(item)])


def loss_of(odds, label):
    chance = special.expit(odds)
    return -np.log(np.where(label, chance, 1 - chance)).mean()


NOTHING = Prior(np.zeros(6), np.zeros(6))


# Sets


def test_the_even_set_the_natural_set_and_the_later_set_are_kept_apart():
    samples = asked(0)
    score = random_score(samples)
    numbers = judged(score, samples, NOTHING, 0.0)
    sets = {"": part_of(samples, BALANCED), "natural/": part_of(samples), "later/": part_of(samples, BALANCED, LATER)}
    assert len({len(rows) for rows in sets.values()}) == 3
    for before, rows in sets.items():
        for name, metric in (("auc", area_by_pairs), ("average_precision", average_precision)):
            expected = mean_over_categories(metric, score, samples, rows)
            assert numbers[f"{before}{name}"] == pytest.approx(expected), f"{before}{name}"
    assert len({round(numbers[f"{before}auc"], 6) for before in sets}) == 3
    assert numbers["natural/positive"] == samples.label[part_of(samples)].mean()
    for item, word in ((1, "a"), (2, "b")):
        rows = part_of(samples)[samples.target["item"][part_of(samples)] == item]
        assert numbers[f"by_category/{word}/auc"] == pytest.approx(area_by_pairs(score[rows], samples.label[rows]))
    assert numbers["auc"] != pytest.approx(area_by_pairs(score[sets[""]], samples.label[sets[""]]))  # no one pool


def test_a_category_of_one_label_is_left_out_of_the_means():
    samples = asked(1, items=(1, 2, 3))
    third = samples.target["item"] == 3
    numbers = judged(random_score(samples), samples._replace(label=samples.label & ~third), NOTHING, 0.0)
    without = samples.take(np.flatnonzero(~third))
    again = judged(random_score(samples)[~third], without, NOTHING, 0.0)
    for name in ("auc", "average_precision", "natural/auc", "later/auc", "by_category/a/auc"):
        assert numbers[name] == again[name]
    assert "by_category/c/auc" not in numbers
    none = judged(random_score(samples), samples._replace(label=np.zeros(samples.size, bool)), NOTHING, 0.0)
    assert math.isnan(none["auc"]) and math.isnan(none["average_precision"])


def test_users_who_are_asked_at_moments_of_their_own_are_all_asked_first():
    """As where the moment is the day on which a need began: none of them is later than another."""
    samples = asked(2, moments=(FIRST,))
    moment = samples.moment + samples.sequence * 60
    own = samples._replace(moment=moment)
    score = random_score(samples)
    assert judged(score, own, NOTHING, 0.0) == judged(score, samples, NOTHING, 0.0)
    assert not any(name.startswith("later/") for name in judged(score, own, NOTHING, 0.0))


@pytest.mark.parametrize("missing", [{"moment": None}, {"kind": None}, {"moment": None, "kind": None}])
def test_samples_that_are_not_divided_are_one_set(missing):
    samples = asked(3, moments=(FIRST,))._replace(**missing)
    score = random_score(samples)
    numbers = judged(score, samples, NOTHING, 0.0)
    every = np.arange(samples.size)
    use = every if samples.kind is None else np.flatnonzero(samples.kind == BALANCED)
    assert numbers["auc"] == pytest.approx(mean_over_categories(area_by_pairs, score, samples, use))
    assert numbers["natural/auc"] == pytest.approx(mean_over_categories(area_by_pairs, score, samples, every))
    assert not any(name.startswith("later/") for name in numbers)
    assert bool(followed(score, samples)) == (samples.moment is not None)


# Prevalence


def prevalences(samples, items=(1, 2)):
    return {item: samples.label[samples.target["item"] == item].mean() for item in items}


def test_log_odds_are_moved_from_the_prevalence_of_training_to_that_of_the_set():
    train, validation, samples = (asked(seed, share=share) for seed, share in ((4, 0.35), (5, 0.1), (6, 0.15)))
    prior, score = priors(train, validation), random_score(samples)
    sampled, true, item = prevalences(train), prevalences(validation), samples.target["item"]
    even, natural = np.zeros((2, samples.size))
    for one in (1, 2):
        here = item == one
        even[here] = shift_logit(score[here], sampled[one], 0.5)
        natural[here] = shift_logit(score[here], sampled[one], true[one])
    numbers = judged(score, samples, prior, 0.3)
    rows, every = part_of(samples, BALANCED), part_of(samples)
    label, chance = samples.label[rows], special.expit(even[rows])
    assert numbers["log_loss"] == pytest.approx(loss_of(even[rows], label))
    assert numbers["brier"] == pytest.approx(brier(chance, label))
    assert numbers["ece"] == pytest.approx(calibration_error(chance, label))
    assert numbers["ece_floor"] == pytest.approx(calibration_floor(chance))
    assert numbers["natural/log_loss"] == pytest.approx(loss_of(natural[every], samples.label[every]))
    for before, odds, use in (("", even, rows), ("natural/", natural, every)):
        taken, label = odds[use] >= 0, samples.label[use]
        right = (taken & label).sum()
        parts = right / taken.sum(), right / label.sum(), 2 * right / (taken.sum() + label.sum())
        assert [numbers[f"{before}{name}"] for name in ("precision", "recall", "f1")] == pytest.approx(parts)
    rows = part_of(samples, BALANCED)
    taken, label = even[rows] >= 0.3, samples.label[rows]
    assert numbers["best_f1"] == pytest.approx(2 * (taken & label).sum() / (taken.sum() + label.sum()))
    assert numbers["best_f1/threshold"] == pytest.approx(special.expit(0.3))


def test_even_training_leaves_log_odds_as_they_are():
    train = asked(7)
    train = train.take(np.flatnonzero(train.kind == BALANCED))
    assert priors(train, None).trained == pytest.approx(np.zeros(6))
    assert priors(train, None).natural == pytest.approx(np.zeros(6))


def test_of_a_category_with_one_label_nothing_is_known():
    train = asked(8)
    held = priors(train._replace(label=train.label & (train.target["item"] == 1)), None)
    assert np.flatnonzero(held.trained).tolist() == [1]
    samples = asked(9)
    nobody = priors(None, None)
    score = random_score(samples)
    assert judged(score, samples, nobody, 0.0) == judged(score, samples, NOTHING, 0.0)


# Activity and earliness


def busy_by_loops(samples, row):
    """Whether the user makes more than 10 purchases in more than 3 categories in the 15 days from the moment on."""
    here = slice(*samples.log.offsets[samples.sequence[row] :][:2])
    time, item = (samples.log.columns[name][here] for name in ("time", "item"))
    near = (time >= samples.moment[row]) & (time < samples.moment[row] + 15 * DAY)
    return near.sum() > 10 and len(set(item[near].tolist())) > 3


def test_busy_users_are_those_of_a_loop():
    samples = asked(10, users=200)
    busy = module._busy(samples)
    assert busy.tolist() == [busy_by_loops(samples, row) for row in range(samples.size)]
    assert 0.02 < busy.mean() < 0.9


@pytest.mark.parametrize("items", [(1,), (1, 2)])
def test_who_is_followed(items):
    samples = asked(11, users=200, items=items)
    first = samples.take(part_of(samples))
    rank = np.argsort(np.argsort(first.cutoff, kind="stable"))
    score = np.zeros(samples.size)
    score[part_of(samples)] = random_score(first) + rank / first.size
    numbers = followed(score, samples)
    order = np.argsort(-score[part_of(samples)], kind="stable")[: first.size // 10]
    busy = np.array([busy_by_loops(first, row) for row in range(first.size)])
    assert numbers["followed/selected"] == busy[order].mean() and numbers["followed/everybody"] == busy.mean()
    assert 0.0 < numbers["followed/like_activity"] < 1.0 and len(numbers) == 3


def test_users_of_like_activity_are_the_nearest_of_the_rest():
    random = np.random.default_rng(12)
    for _ in range(20):
        activity = random.integers(0, 30, 50)
        selected, rest = np.split(random.permutation(50), [10])
        near = module._alike(activity, selected, rest)
        assert set(near.tolist()) <= set(rest.tolist())
        for one, other in zip(selected, near, strict=True):
            assert abs(activity[one] - activity[other]) == np.abs(activity[one] - activity[rest]).min()


def test_who_is_selected_for_one_category_is_not_compared_with_themselves(monkeypatch):
    samples = asked(13, users=40)
    first, held = samples.take(part_of(samples)), []
    alike = module._alike
    monkeypatch.setattr(module, "_alike", lambda *given: held.append(given) or alike(*given))
    followed(random_score(samples), samples)
    ((_, selected, rest),) = held
    assert not np.isin(first.sequence[rest], first.sequence[selected]).any() and len(selected) == 8
    alone = samples.take(np.flatnonzero(samples.sequence == 3))
    assert math.isnan(followed(random_score(alone), alone)["followed/like_activity"])
    timeless = samples._replace(log=samples.log._replace(columns={"item": samples.log.columns["item"]}))
    assert followed(random_score(samples), timeless) == {}


def counting(samples):
    """A score of what may be seen alone."""
    return np.sin(samples.cutoff + samples.target["item"]) + samples.cutoff / 50


def test_earliness_is_the_area_of_shifted_samples():
    samples = asked(14)
    rows = part_of(samples, BALANCED)
    areas = earliness(counting, samples)
    for removed, area in zip(REMOVED, areas, strict=True):
        score = counting(shift(samples, removed))
        assert area == pytest.approx(mean_over_categories(area_by_pairs, score, samples, rows))
    assert areas[0] == judged(counting(samples), samples, NOTHING, 0.0)["auc"] and len(set(areas)) == 5


def test_targets_that_tell_of_the_history_have_no_earliness():
    samples = asked(15)
    told = samples._replace(target={**samples.target, "gap": np.ones(samples.size, np.int32)})
    assert earliness(counting, told) == []
    user = samples._replace(target={**samples.target, "user": samples.sequence + 1})
    assert earliness(counting, user) == earliness(counting, samples)


# A model


def params_of(model, seed=0):
    shapes = jax.eval_shape(model.init, jax.random.key(0))["params"]
    random = np.random.default_rng(seed)
    return jax.tree.map(lambda leaf: jnp.asarray(random.normal(0, 0.7, leaf.shape), jnp.float32), shapes)


@pytest.fixture(scope="module")
def split():
    return asked(20, 60), asked(21, 50), asked(22, 60)


@pytest.fixture(scope="module")
def held(split):
    """The evaluation of a model beside two baselines."""
    train, validation, test = split
    baselines = {"counting": counting, "constant": lambda samples: np.zeros(samples.size)}
    return purchase(
        MODEL, params_of(MODEL), test, train=train, validation=validation, baselines=baselines, replicates=20
    )


def test_numbers_are_those_of_the_log_odds_and_of_the_threshold_of_validation(split, held):
    train, validation, test = split
    params, prior = params_of(MODEL), priors(train, validation)
    for before, predictor in (("", lambda part: predict(MODEL, params, part)), ("counting/", counting)):
        rows = part_of(validation, BALANCED)
        even = np.asarray(predictor(validation), np.float64) - prior.trained[validation.target["item"]]
        threshold = best_threshold(even[rows], validation.label[rows])
        expected = judged(np.asarray(predictor(test)), test, prior, threshold)
        numbers = {name: held.numbers[f"{before}{name}"] for name in expected}
        assert numbers == pytest.approx(expected, abs=1e-6)
    other = test._replace(label=~test.label)  # labels of the test choose nothing
    baselines = {"counting": counting}
    again = purchase(MODEL, params, other, train=train, validation=validation, baselines=baselines, replicates=5)
    for name in ("best_f1/threshold", "counting/best_f1/threshold"):
        assert again.numbers[name] == held.numbers[name] != 0.5
    assert held.numbers["constant/auc"] == 0.5


def test_curves_are_of_everybody_at_the_first_moment(split, held):
    test, params = split[2], params_of(MODEL)
    rows = part_of(test)
    for name, score in (("model", predict(MODEL, params, test)), ("counting", counting(test))):
        label = test.label[rows]
        assert held.tables["gain"][name] == pytest.approx(cumulative_gain(score[rows], label).tolist())
        assert held.tables["lift"][name] == pytest.approx(lift(score[rows], label).tolist())
    assert set(held.tables["gain"]) == set(held.tables["lift"]) == set(held.tables["earliness"])
    early = held.tables["earliness"]
    assert early["counting"] == earliness(counting, test)
    assert early["model"] == [held.numbers[f"removed/{n}/auc"] for n in REMOVED]
    assert early["model"][0] == pytest.approx(held.numbers["auc"])
    assert sum(held.tables["reliability"]["count"]) == len(held.cases.label) == len(part_of(test, BALANCED))


def test_differences_to_baselines_are_paired_where_there_is_one_category(split, held):
    assert not any(name.startswith("minus/") for name in held.numbers)
    train, validation, test = (part.take(np.flatnonzero(part.target["item"] == 2)) for part in split)
    given = {"train": train, "validation": validation, "baselines": {"counting": counting}, "replicates": 30}
    numbers = purchase(MODEL, params_of(MODEL), test, **given).numbers
    assert numbers["minus/counting/auc"] == pytest.approx(numbers["auc"] - numbers["counting/auc"])
    assert numbers["minus/counting/auc/low"] < numbers["minus/counting/auc"] < numbers["minus/counting/auc/high"]


def test_intervals_resample_users_with_all_that_they_are_asked():
    samples = asked(3, users=200, share=0.4)
    score, prior = random_score(samples) + samples.label - 1.0, Prior(np.zeros(0), np.zeros(0))
    numbers = judged(score, samples, prior, 0.0)
    for name in ("auc", "precision", "recall"):
        low, high = numbers[f"{name}/low"], numbers[f"{name}/high"]
        assert low < numbers[name] < high and 0.02 < high - low < 0.3
    one = samples.take(np.flatnonzero(samples.target["item"] == 1))
    rows = part_of(one, BALANCED)
    said = random_score(one) + one.label - 1.0
    areas = bootstrap_auc(said[None, rows], one.label[rows], one.sequence[rows], 300)[0, 1:]
    held = judged(said, one, prior, 0.0)
    assert [held["auc/low"], held["auc/high"]] == pytest.approx(np.quantile(areas, (0.025, 0.975)))
    twice = one._replace(
        **{k: np.tile(getattr(one, k), 2) for k in ("sequence", "cutoff", "place", "label", "kind", "moment")}
    )
    twice = twice._replace(target={name: np.tile(ids, 2) for name, ids in one.target.items()})
    again = judged(np.tile(said, 2), twice, prior, 0.0)  # to ask a user twice adds nothing
    assert again["precision/low"] == pytest.approx(held["precision/low"])


def test_validation_has_the_plain_numbers_of_the_even_set(split):
    validation, params = split[1], params_of(MODEL)
    numbers, cases, tables = purchase(MODEL, params, validation)
    score, rows = predict(MODEL, params, validation), part_of(validation, BALANCED)
    assert set(numbers) == {"auc", "average_precision", "log_loss"} and not tables and cases is None
    assert numbers["auc"] == pytest.approx(mean_over_categories(area_by_pairs, score, validation, rows))
    assert numbers["log_loss"] == pytest.approx(loss_of(score[rows], validation.label[rows]), abs=1e-6)
    few = validation.take(np.flatnonzero(validation.kind == REST)[:5])  # as a first look may have it
    assert all(map(math.isnan, purchase(MODEL, params, few).numbers.values()))


@pytest.mark.parametrize("missing", [{"moment": None}, {"kind": None}, {"moment": None, "kind": None}])
def test_sets_without_kinds_or_moments_are_judged(split, missing):
    train, validation, test = (part.take(part_of(part))._replace(**missing) for part in split)
    given = {"train": train, "validation": validation, "baselines": {"counting": counting}, "replicates": 5}
    held = purchase(MODEL, params_of(MODEL), test, **given)
    assert held.numbers["natural/positive"] == test.label.mean()
    bare = purchase(MODEL, params_of(MODEL), test, baselines={})
    assert bare.numbers["auc"] == held.numbers["auc"] and bare.numbers["best_f1/threshold"] == 0.5
