from functools import partial
from itertools import pairwise, product

import jax
import numpy as np
import pytest
from scipy import special

from seqjax.baselines.response import history
from seqjax.data import stages
from seqjax.data.samples import ask
from seqjax.metrics import roc_auc

WORLDS = [
    stages.life_stage,
    partial(stages.life_stage, balanced=False, horizon=30),
    stages.order_only,
    partial(stages.order_only, balanced=False, horizon=12),
    stages.counts_only,
]


def area(score, label):
    return roc_auc(score[label].astype(float), score[~label].astype(float))


def by_enumeration(chain, said):
    """Log-odds of one user from the sum over all paths through stages, up to the end of the horizon."""
    nodes, total = len(chain.onward), chain.steps + chain.horizon
    mass = [0.0, 0.0]
    for path in product(range(nodes + 1), repeat=total):
        if path[0] != 0 or nodes in path[: chain.steps]:
            continue
        weight = np.exp(sum(said[step, path[step]] for step in range(chain.steps)))
        for here, there in pairwise(path):
            onward = chain.onward[here] if here < nodes else 0.0
            weight *= {here: 1.0 - onward, here + 1: onward}.get(there, 0.0)
        mass[path[-1] == nodes] += weight
    return np.log(mass[1] / mass[0])


@pytest.mark.parametrize("onward, steps, horizon", [((0.3, 0.4), 4, 2), ((0.2, 0.6), 1, 3), ((0.5, 0.2, 0.7), 3, 3)])
def test_forward_algorithm_is_the_sum_over_paths(onward, steps, horizon):
    chain = stages.Chain(onward, steps, horizon)
    said = np.random.default_rng(0).normal(size=(5, steps, len(onward)))
    truth = [by_enumeration(chain, one) for one in said]
    np.testing.assert_allclose(stages.log_odds(chain, said), truth, rtol=1e-9)
    prior = by_enumeration(chain, np.zeros(said.shape[1:]))
    np.testing.assert_allclose(stages.log_odds(chain, said, balanced=True), truth - prior, rtol=1e-9, atol=1e-12)


def test_forward_algorithm_stands_long_lives():
    chain = stages.Chain((0.01, 0.05), 2000, 5)
    said = np.full((1, 2000, 2), -50.0)
    np.testing.assert_allclose(stages.log_odds(chain, said), stages.log_odds(chain, 0.0 * said), atol=1e-6)


def test_life_stage_score_by_enumeration():
    """From the law as it is documented: Poisson numbers a day, categories of a stage."""
    world, score = stages.life_stage(0, days=4, horizon=2, onward=(0.3, 0.4), rate=(0.5, 1.5), users=64, tests=64)
    log, law, chain = world.split.test.log, np.ones((2, 12)) / 12, stages.Chain((0.3, 0.4), 4, 2)
    law[1] = np.where(np.arange(12) < 3, 6.0, 1.0) / 27
    prior = by_enumeration(chain, np.zeros((4, 2)))
    for user in range(64):
        said = np.zeros((4, 2))
        here = slice(*log.offsets[user : user + 2])
        days, items = log.columns["time"][here] // stages.DAY, log.columns["item"][here]
        for day, node in product(range(4), range(2)):
            bought, rate = items[days == day], (0.5, 1.5)[node]
            said[day, node] = len(bought) * np.log(rate) - rate - special.gammaln(len(bought) + 1)
            said[day, node] += np.log(law[node, bought - 1]).sum()
        np.testing.assert_allclose(score[user], by_enumeration(chain, said) - prior, rtol=1e-9)


def test_order_only_score_by_enumeration():
    settings = {"pairs": 4, "horizon": 2, "onward": (0.3, 0.4), "noise": 0.2, "balanced": False}
    world, score = stages.order_only(0, **settings, users=64, tests=64)
    for user in range(64):
        here = slice(*world.split.test.log.offsets[user : user + 2])
        cues = [item for item in world.split.test.log.columns["item"][here] if item <= 2]
        said = [[np.log(0.2 if swapped != node else 0.8) for node in (0, 1)] for swapped in np.array(cues[::2]) == 2]
        truth = by_enumeration(stages.Chain((0.3, 0.4), 4, 2), np.array(said))
        np.testing.assert_allclose(score[user], truth, rtol=1e-9)


def test_counts_only_score_is_naive_bayes_whatever_the_order():
    world, score = stages.counts_only(0, rate=(3.0, 5.0), lift=2.0, related=1, categories=3, users=64, tests=64)
    counts = history(world.split.test).toarray()[:, 1:4]
    each = np.stack([3.0 / 3 * np.ones(3), 5.0 / 4 * np.array([2.0, 1.0, 1.0])])  # expected number of every category
    truth = (counts * np.log(each[1] / each[0])).sum(axis=1) - 2.0
    np.testing.assert_allclose(score, truth, rtol=1e-9)


@pytest.mark.parametrize("make", WORLDS)
def test_what_bayes_says_comes_true(make):
    """The mean probability is the share of labels, over all and in every tenth of the samples."""
    world, score = make(5, users=64, tests=20_000)
    label, said = world.split.test.label, special.expit(score)
    for part in [np.arange(20_000), *np.array_split(np.argsort(score), 10)]:
        noise = np.sqrt((said[part] * (1.0 - said[part])).sum()) / len(part)
        assert abs(said[part].mean() - label[part].mean()) < 4.0 * noise + 1e-9
    np.testing.assert_allclose(area(score, label)[0], world.ceiling["auc"], rtol=1e-9)
    binary = special.entr(said) + special.entr(1.0 - said)
    np.testing.assert_allclose(binary.mean(), world.entropy, atol=0.02)


def test_default_worlds_leave_something_to_know_and_something_to_chance():
    for make in (stages.life_stage, stages.order_only, stages.counts_only):
        world, _ = made = make(0)
        assert 0.83 < world.ceiling["auc"] < 0.92
        assert made.share(0.5) == 0.0 and made.share(world.ceiling["auc"]) == 1.0
        assert world.split.train.label.mean() == world.split.test.label.mean() == 0.5


def test_no_count_tells_anything_where_order_is_all():
    samples = stages.order_only(0, users=64, tests=20_000).world.split.test
    counts = history(samples).toarray()
    assert (counts[:, 1:3] == 12).all()
    for count in (*counts[:, 3:7].T, samples.cutoff):
        said, error = area(count, samples.label)
        assert abs(said - 0.5) < 4.0 * error


def test_the_last_cue_tells_some_and_the_newest_five_pairs_more():
    made = stages.order_only(0, users=64, tests=20_000)
    test = made.world.split.test
    items = test.log.columns["item"]
    swapped = items[items <= 2].reshape(20_000, 24)[:, 1::2] == 1
    last, newest = swapped[:, -1], swapped[:, -5:].sum(axis=1)
    assert 0.5 < made.share(area(last, test.label)[0]) < 0.75 < made.share(area(newest, test.label)[0]) < 1.0


@pytest.mark.parametrize("make", WORLDS)
def test_nothing_behind_the_cut_off_and_one_question_a_user(make):
    split = make(2, users=512, tests=256).world.split
    for samples, users in ((split.train, 512), (split.test, 256)):
        target = len(samples.vocabulary["item"])
        assert samples.vocabulary["item"][-1] == "target" and (samples.target["item"] == target).all()
        assert (samples.log.columns["item"] < target).all() and (samples.log.columns["item"] >= 1).all()
        np.testing.assert_array_equal(samples.sequence, np.arange(users))
        np.testing.assert_array_equal(samples.cutoff, samples.lengths)  # no event that the sample cannot see
        time = samples.log.columns.get("time")
        if time is not None:
            assert time.max() < 60 * stages.DAY and (np.diff(time)[~samples.log.first()[1:]] >= 0).all()
        said, error = area(samples.sequence, samples.label)
        assert abs(said - 0.5) < 4.0 * error  # nor do users come by their answers
        again = ask(samples.log, samples.sequence, samples.place, ~samples.label, samples.target["item"])
        assert again.log is samples.log  # a label stands in no column


@pytest.mark.parametrize("make", WORLDS)
def test_seed_decides_and_both_parts_share_the_law(make):
    one, again, other = (make(seed, users=256, tests=256) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one.score, again.score)
    for here, there in zip(one.world.split[::2], again.world.split[::2], strict=True):
        np.testing.assert_array_equal(here.log.columns["item"], there.log.columns["item"])
        np.testing.assert_array_equal(here.label, there.label)
    train, test = one.world.split[::2]
    assert not np.array_equal(test.log.columns["item"], other.world.split.test.log.columns["item"])
    assert not np.array_equal(train.log.columns["item"], test.log.columns["item"])
    assert train.vocabulary["item"].tolist() == test.vocabulary["item"].tolist()
    more = make(3, users=512, tests=256)
    np.testing.assert_array_equal(one.score, more.score)  # the test is the same, however many users train


@pytest.mark.parametrize("make", WORLDS)
def test_a_world_as_data_notes_what_bayes_reaches(make):
    made, split = make(3, users=64, tests=256), stages.known_best(draw=make, seed=3, users=64, tests=256)
    jax.tree.map(np.testing.assert_array_equal, split[:3], made.world.split[:3])
    score, label = made.score, split.test.label
    assert split.notes == {"bayes_auc": pytest.approx(area(score, label)[0])}


def test_settings_that_nobody_could_be_asked_in_are_refused():
    random = np.random.default_rng(0)
    with pytest.raises(ValueError, match="between 0 and 1"):
        stages.lives(stages.Chain((0.1, 1.0), 5, 2), random, 8)
    with pytest.raises(ValueError, match="can be asked"):
        stages.lives(stages.Chain((0.9, 0.9), 50, 2), random, 8)
    with pytest.raises(ValueError, match="can be asked"):
        stages.lives(stages.Chain((0.1, 0.1), 1, 1), random, 8, balanced=True)
