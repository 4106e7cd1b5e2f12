"""The report on profiles: numbers by hand, whom they are of, and what is drawn."""

import math

import numpy as np
import pytest
from profile_sets import counted, plain_outputs, profiles_of, random_params, random_profiles
from scipy import special

from seqjax.data.layers import Layers, forward
from seqjax.evaluate.audience import adjusted_count, calibrated_sum, counted_share, rates
from seqjax.evaluate.calibration import calibration_error, calibration_floor, platt, wilson
from seqjax.evaluate.profile import ProfileCases, decided, groups, judged, plain, profile, shares
from seqjax.models.profile_net import ProfileNet, params_of
from seqjax.nn.activation import relu

WORDS = ["a", "b", "c"]
SIZES = (("item", 3), ("class", 2))
LINEAR = ProfileNet(SIZES)
WEIGHT = {"a": 2.0, "b": -1.0, "c": 0.5}
PARAMS = params_of(Layers((np.array([[WEIGHT[word]] for word in WORDS]),), (np.array([-0.25]),)))

HELD = [(["a"], True), (["a", "b"], False), (["b"], False), (["c"], True), ([], True), (["b", "c"], False)]
SCORE = np.array([1.75, 0.75, -1.25, 0.25, -0.25, -0.75])
KNOWN = dict(age=["1", "1", "9", "9", "9", "1"], user=list("uvwxyz"))


def six():
    tokens, label = zip(*HELD, strict=True)
    return profiles_of(tokens, np.array(label), WORDS, **KNOWN)


def by_hand(score, label):
    """Of every pair the better, and logarithms."""
    pairs = [(p > n) + 0.5 * (p == n) for p in score[label] for n in score[~label]]
    chance = special.expit(score)
    return {
        "accuracy": ((score > 0) == label).mean(),
        "auc": np.mean(pairs),
        "log_loss": -np.log(np.where(label, chance, 1 - chance)).mean(),
        "brier": ((chance - label) ** 2).mean(),
    }


def test_numbers_by_hand():
    label = six().label
    numbers = plain(SCORE, label)
    assert numbers == pytest.approx(by_hand(SCORE, label))
    assert (numbers["accuracy"], numbers["auc"]) == pytest.approx((4 / 6, 7 / 9))
    assert decided(np.array([0.0, 1e-9, -1.0])).tolist() == [False, True, False]


def test_judged_adds_intervals_and_calibration():
    random = np.random.default_rng(0)
    label = random.random(300) < 0.4
    score = random.normal(label * 1.5 - 0.5, 1.0)
    cases = ProfileCases(score, label, np.arange(300))
    numbers = judged(cases, 10)
    right = int(((score > 0) == label).sum())
    low, high = wilson(np.array([right]), np.array([300]))
    assert (numbers["accuracy/low"], numbers["accuracy/high"]) == pytest.approx((low[0], high[0]))
    wins = np.array([(p > score[~label]).mean() for p in score[label]])
    losses = np.array([(n > score[label]).mean() for n in score[~label]])
    error = np.sqrt(wins.var(ddof=1) / len(wins) + losses.var(ddof=1) / len(losses))  # DeLong et al.
    assert numbers["auc/high"] - numbers["auc"] == pytest.approx(1.96 * error)
    assert numbers["auc"] - numbers["auc/low"] == pytest.approx(1.96 * error)
    chance = special.expit(score)
    assert numbers["ece"] == calibration_error(chance, label) and numbers["ece_floor"] == calibration_floor(chance)
    assert (numbers["profiles"], numbers["positive"]) == (300, label.mean())


def test_groups_by_class_and_by_every_key_of_few_values():
    samples = six()
    numbers = groups(SCORE, samples)
    assert {name: value for name, value in numbers.items() if name.endswith("accuracy")} == {
        "by_class/no/accuracy": 2 / 3,
        "by_class/yes/accuracy": 2 / 3,
        "by_age/1/accuracy": 2 / 3,  # u and z, not v
        "by_age/9/accuracy": 2 / 3,
    }
    low, high = wilson(np.array([2]), np.array([3]))
    assert [numbers[f"by_age/1/accuracy/{end}"] for end in ("low", "high")] == pytest.approx([low[0], high[0]])
    turned = samples.take(np.array([5, 0]))  # keys are of sequences, not of rows
    assert groups(SCORE[[5, 0]], turned)["by_age/1/accuracy"] == 1.0
    assert "by_age/9/accuracy" not in groups(SCORE[[5, 0]], turned)
    assert not any(name.startswith("by_age") for name in groups(SCORE, samples, most=1))
    assert [name for name in numbers if name.startswith("by_class") and name.endswith("accuracy")] == [
        "by_class/no/accuracy",
        "by_class/yes/accuracy",
    ]
    women = samples._replace(log=samples.log._replace(vocabulary={**samples.vocabulary, "class": np.array(["M", "F"])}))
    assert next(iter(groups(SCORE, women))) == "by_class/M/accuracy"  # the negative class first
    one = samples._replace(label=np.ones(6, bool))
    assert [n for n in groups(SCORE, one) if n.startswith("by_class") and n.count("/") == 2] == [
        "by_class/yes/accuracy"
    ]


def test_differences_are_paired_by_profile():
    random = np.random.default_rng(1)
    label = random.random(400) < 0.5
    ours, theirs = (random.normal(label * reach, 1.0) for reach in (2.0, 1.0))
    one, other = (ProfileCases(score - 0.5, label, np.arange(400)) for score in (ours, theirs))
    gain = one.minus(other, (), 50)
    each = ((ours > 0.5) == label).astype(int) - ((theirs > 0.5) == label).astype(int)
    assert gain["accuracy"] == pytest.approx(each.mean()) and each.mean() > 0
    reach = 1.96 * np.sqrt(((each - each.mean()) ** 2).sum() / 399 / 400)
    assert (gain["accuracy/low"], gain["accuracy/high"]) == pytest.approx((each.mean() - reach, each.mean() + reach))
    areas = [plain(case.score, label)["auc"] for case in (one, other)]
    assert gain["auc"] == pytest.approx(areas[0] - areas[1]) and gain["auc/low"] < gain["auc"] < gain["auc/high"]
    same = one.minus(one, (), 20)
    assert all(same[f"accuracy{end}"] == 0.0 for end in ("", "/low", "/high")) and same["auc"] == 0.0
    with pytest.raises(ValueError):
        one.minus(ProfileCases(theirs, ~label, np.arange(400)), (), 5)


def test_shares_are_those_of_the_audience():
    random = np.random.default_rng(2)
    label, held = random.random(500) < 0.2, random.random(300) < 0.5
    score, held_score = (random.normal(2.0 * own - 1.0, 1.0) for own in (label, held))
    numbers = shares(score, label, held_score, held)
    chance, held_chance = special.expit(score), special.expit(held_score)
    expected = {
        "counted": counted_share(chance),
        "adjusted": adjusted_count(chance, rates(held_chance, held)),
        "calibrated": calibrated_sum(score, held_score, held),
    }
    for name, share in expected.items():
        told = [numbers[f"share/{name}{end}"] for end in ("", "/low", "/high")]
        assert told == [share.share, share.low, share.high]
        assert (share.low < label.mean() < share.high) == (name != "counted")
    assert numbers["share/true"] == label.mean() < numbers["share/counted"]
    useless = shares(score, label, -held_score, held)  # worse than chance on validation
    assert "share/counted" in useless and "share/adjusted" not in useless


# A whole report


def counting(samples):
    """How many words a profile has, less one."""
    return samples.cutoff - 1.0


def test_numbers_of_a_network_are_those_of_its_log_odds():
    samples, train = six(), profiles_of([["a"]] * 3 + [["b"]] * 2, np.array([True, True, False, False, False]), WORDS)
    numbers, cases, tables = profile(
        LINEAR, PARAMS, samples, train=train, baselines={"counting": counting}, replicates=9
    )
    np.testing.assert_allclose(cases.score, SCORE, atol=1e-6)
    for before, score in (("", SCORE), ("counting/", counting(samples))):
        said = {name: numbers[f"{before}{name}"] for name in ("accuracy", "auc", "log_loss", "brier")}
        assert said == pytest.approx(by_hand(score, samples.label), abs=1e-6)
    assert numbers["minus/counting/accuracy"] == numbers["accuracy"] - numbers["counting/accuracy"]
    few = samples.take(np.array([0, 1, 3, 4]))  # most are positive; of training two fifths: all are called negative
    assert profile(LINEAR, PARAMS, few, train=train, baselines={}, replicates=5).numbers["majority"] == 0.25
    assert (numbers["coverage"], numbers["empty"]) == (7 / 6, 1 / 6)
    assert numbers["by_age/9/accuracy"] == 2 / 3 and numbers["profiles"] == 6
    assert not any(name.startswith(("share/", "calibration/")) for name in numbers)  # without validation
    assert tables["abstention"]["accuracy"][-1] == numbers["accuracy"] and tables["abstention"]["coverage"][-1] == 1.0
    assert sum(tables["reliability"]["count"]) == 6
    assert tables["features_positive"]["words"] == tables["features_negative"]["words"] == ["a"]  # the most common


def test_validation_has_the_plain_numbers():
    samples = six()
    numbers, cases, tables = profile(LINEAR, PARAMS, samples)
    assert numbers == pytest.approx(by_hand(SCORE, samples.label), abs=1e-6) and not tables
    assert cases.label.tolist() == samples.label.tolist()
    other = profile(LINEAR, PARAMS, samples, train=samples, validation=samples)
    assert other.numbers == numbers


def test_validation_corrects_shares_and_calibrates():
    train, held, test = random_profiles(0, 200), random_profiles(1, 150), random_profiles(2, 150)
    model = ProfileNet((("item", 12),), (3,), outputs=2)
    params = random_params(model)
    numbers = profile(model, params, test, train=train, validation=held, baselines={}, replicates=5).numbers
    ours, theirs = (
        (outputs[:, 1] - outputs[:, 0]) / 2
        for outputs in (plain_outputs(params, counted(part)) for part in (test, held))
    )
    assert numbers["accuracy"] == by_hand(ours, test.label)["accuracy"]
    assert numbers["share/counted"] == (ours >= 0).mean() and numbers["share/true"] == test.label.mean()
    for name, value in platt(theirs, held.label).keywords.items():
        assert numbers[f"calibration/{name}"] == pytest.approx(float(value), abs=1e-4)
    single = held.take(np.flatnonzero(held.label))
    bare = profile(model, params, test, train=train, validation=single, baselines={}, replicates=5).numbers
    assert bare == {name: n for name, n in numbers.items() if not name.startswith(("share/", "calibration/"))}
    turned = profile(
        model, params, test, validation=held._replace(label=~held.label), baselines={}, replicates=5
    ).numbers
    assert turned["share/counted"] == numbers["share/counted"]
    assert turned["calibration/scale"] == pytest.approx(-numbers["calibration/scale"], abs=1e-3)


@pytest.mark.parametrize("own", [True, False])
def test_one_class_alone_can_be_judged(own):
    samples = six()._replace(label=np.full(6, own))
    held = profile(LINEAR, PARAMS, samples, validation=six(), baselines={"counting": counting}, replicates=5)
    numbers = held.numbers
    assert (
        math.isnan(numbers["auc"]) and math.isnan(numbers["counting/auc"]) and math.isnan(numbers["minus/counting/auc"])
    )
    assert numbers["accuracy"] == ((SCORE > 0) == own).mean() and numbers["positive"] == own
    assert math.isnan(profile(LINEAR, PARAMS, samples).numbers["auc"])


# Tables


def test_tables_of_features_count_training():
    train = profiles_of([["a"]] * 12 + [["a", "b"]] * 4 + [["b"]] * 14 + [["c"]] * 3, np.arange(33) < 16, WORDS)
    tables = profile(LINEAR, PARAMS, six(), train=train, baselines={}, replicates=5).tables
    assert tables["features_informative"]["words"][0] == "a" and len(tables["features_informative"]["words"]) == 3
    assert tables["features_positive"]["words"] == ["a", "b"]  # c is too rare to be typical of anything
    assert tables["features_positive"]["probability"] == [1.0, 4 / 18]
    assert tables["features_negative"]["words"] == ["b", "a"] and tables["features_negative"]["count"] == [18, 16]


def test_a_network_is_drawn_with_its_names_and_its_units():
    model = ProfileNet(SIZES, (2,))
    weights = np.array([[1.0, -2.0], [0.5, 0.0], [3.0, -0.25]]), np.array([[2.0], [-4.0]])
    params = params_of(Layers(weights, (np.array([0.1, 0.2]), np.array([0.3]))))
    tables = profile(model, params, six(), baselines={}, replicates=5).tables
    network = tables["network"]
    assert network["sizes"] == [3, 2, 1] and network["names"] == [["0", "1", "2"], WORDS]
    assert network["weight"] == [-4.0, 3.0, -2.0, 2.0, 1.0, 0.5, -0.25, 0.0]
    assert tables["hidden_units"]["unit"] == [2, 1] and tables["hidden_units"]["output_weight"] == [-4.0, 2.0]
    assert tables["hidden_units"]["kind"] == ["inhibitor", "enabler"]


@pytest.mark.parametrize("pool", ["sum", "root", "mean"])
def test_one_decision_is_that_of_the_typical_profile(pool):
    """Its weights hold how often each feature occurs and the pool, so that a 1 for each gives the network's answer."""
    samples = profiles_of([["a"], ["c", "a", "c", "b"], ["b", "c", "a"] * 3, [], ["b"] * 7], np.arange(5) < 2, WORDS)
    model = ProfileNet(SIZES, (2,), pool=pool)
    params = random_params(model)
    held = profile(model, params, samples, baselines={}, replicates=5)
    decision = held.tables["decision"]
    assert decision["names"] == ["a", "b", "c"]  # of the second profile: 4 is the median of 1, 4, 9, 0 and 7
    layers = Layers(*(tuple(np.array(one) for one in decision[part]) for part in ("weights", "biases")))
    said = special.logit(forward(layers, np.ones((1, 3)))[-1][0, 0])
    assert said == pytest.approx(held.cases.score[1], abs=1e-5)


def test_what_cannot_be_drawn_is_left_out():
    empty = profiles_of([[], [], ["a"]], np.array([True, False, True]), WORDS)
    tables = profile(LINEAR, PARAMS, empty, baselines={}, replicates=5).tables
    assert "decision" not in tables and "network" in tables and tables["hidden_units"]["unit"] == []
    model = ProfileNet(SIZES, (2,), activation=relu)  # drawings are of logistic units
    assert "decision" not in profile(model, random_params(model), six(), baselines={}, replicates=5).tables
