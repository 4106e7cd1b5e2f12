import numpy as np
import pytest

from seqjax.data import worlds


def walks(log):
    return log.columns["item"].reshape(log.sequences, -1) - 1


@pytest.mark.parametrize("make", [worlds.cycle, worlds.order2, worlds.popularity_only])
def test_seed_decides_and_both_parts_share_the_law(make):
    one, again, other = make(3), make(3), make(4)
    np.testing.assert_array_equal(one.split.test.columns["item"], again.split.test.columns["item"])
    assert (one.split.test.columns["item"] != other.split.test.columns["item"]).any()
    assert (one.split.test.columns["item"] != one.split.train.columns["item"]).any()
    words = one.split.train.vocabulary["item"]
    assert words.tolist() == one.split.test.vocabulary["item"].tolist()
    assert one.split.train.columns["item"].min() == 1 and one.split.train.columns["item"].max() == 12
    assert one.ceiling["recall@1"] <= one.ceiling["mrr@5"] <= one.ceiling["recall@5"] <= 1.0


def test_cycle_goes_round():
    walk = walks(worlds.cycle(0).split.train)
    assert (np.diff(walk, axis=1) % 12 == 1).all()


def test_order2_is_told_by_two_items_and_not_by_one():
    """The best predictor from pairs reaches the ceiling; from the last item alone it reaches chance."""
    world = worlds.order2(0, items=6, sessions=20_000, surprise=0.2)
    train, test = walks(world.split.train), walks(world.split.test)
    pair, alone = np.zeros((6, 6, 6)), np.zeros((6, 6))
    for step in range(2, train.shape[1]):
        np.add.at(pair, (train[:, step - 2], train[:, step - 1], train[:, step]), 1)
        np.add.at(alone, (train[:, step - 1], train[:, step]), 1)
    hits = [pair.argmax(axis=2)[test[:, s - 2], test[:, s - 1]] == test[:, s] for s in range(2, test.shape[1])]
    recall = (np.sum(hits) + len(test) / 6) / (len(test) * (test.shape[1] - 1))
    np.testing.assert_allclose(recall, world.ceiling["recall@1"], atol=0.01)
    blind = [alone.argmax(axis=1)[test[:, s - 1]] == test[:, s] for s in range(2, test.shape[1])]
    np.testing.assert_allclose(np.mean(blind), 1 / 6, atol=0.02)
    law = pair / pair.sum(axis=2, keepdims=True)
    surprise = [-np.log(law[test[:, s - 2], test[:, s - 1], test[:, s]]) for s in range(2, test.shape[1])]
    np.testing.assert_allclose((np.log(6) + 3 * np.mean(surprise)) / 4, world.entropy, atol=0.02)


def test_popularity_only_is_reached_by_counting():
    world = worlds.popularity_only(0, items=9, sessions=20_000)
    counts, test = world.split.train.counts()[1:], walks(world.split.test)[:, 1:]
    order = np.argsort(-counts)
    rank = np.argsort(order)[test] + 1
    for cutoff in (1, 5):
        np.testing.assert_allclose(np.mean(rank <= cutoff), world.ceiling[f"recall@{cutoff}"], atol=0.01)
    np.testing.assert_allclose(np.mean((rank <= 5) / rank), world.ceiling["mrr@5"], atol=0.01)
    law = counts / counts.sum()
    np.testing.assert_allclose(-np.log(law)[test].mean(), world.entropy, atol=0.01)
