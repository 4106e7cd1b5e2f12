"""Popularity and user frequency against counting loops, and their figures on real data."""

import doctest
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from seqjax.baselines import popularity as module
from seqjax.baselines.popularity import popularity, user_frequency
from seqjax.data.events import EventLog
from seqjax.evaluate.ranking import rank_scores, summary

DATA = os.environ.get("SEQJAX_DATA")


def random_log(seed, users, items=6, sequences=20):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, 6, sequences)
    return EventLog(
        np.concatenate([[0], np.cumsum(lengths)]),
        {"item": rng.integers(1, items + 1, lengths.sum()).astype(np.int32)},
        {"item": np.array([f"i{i}" for i in range(items)])},
        {"user": rng.choice(users, sequences)},
    )


def targets(log):
    return np.flatnonzero(~log.first())


def test_examples():
    assert doctest.testmod(module).failed == 0


def test_popularity_counts_training_events():
    train, test = random_log(0, ["a"]), random_log(1, ["a"])
    count = Counter(train.columns["item"].tolist())
    scores = popularity(train)(test, targets(test))
    assert scores.dtype == np.float32
    assert scores.tolist() == [[count[i] for i in range(7)]] * len(targets(test))


def test_user_frequency_counts_the_users_own_events():
    train, test = random_log(0, ["ann", "bob", "cleo"]), random_log(1, ["bob", "cleo", "dan"])
    total = Counter(train.columns["item"].tolist())
    own = Counter((train.keys["user"][s], i) for s, i in zip(train.sequence, train.columns["item"], strict=True))
    at = targets(test)
    scores = user_frequency(train)(test, at)
    assert scores.dtype == np.float32
    for row, sequence in zip(scores, test.sequence[at], strict=True):
        user = test.keys["user"][sequence]
        expected = [own[user, i] + total[i] / (1 + max(total.values())) for i in range(7)]
        np.testing.assert_allclose(row, expected, rtol=1e-6)
        if user == "dan":
            assert np.argsort(row).tolist() == np.argsort(popularity(train)(test, at[:1])[0]).tolist()


def test_user_frequency_names_the_keys_there_are():
    with pytest.raises(ValueError, match=r"no key 'household', only \['user'\]"):
        user_frequency(random_log(0, ["a"]), key="household")


@pytest.mark.skipif(DATA is None, reason="SEQJAX_DATA names no folder of public data")
def test_figures_on_complete_journey():
    """Ours, order seed 0; popularity by purchase lines instead of baskets is weaker (recall@20 .161)."""
    from seqjax.data.sources.complete_journey import baskets

    split = baskets(Path(DATA) / "completejourney")
    for baseline, recall, mrr in ((popularity, 0.176, 0.056), (user_frequency, 0.275, 0.085)):
        numbers = summary(rank_scores(baseline(split.train), split.test, exclude_seen=True), (20,), replicates=0)
        assert numbers["targets"] == 43_497
        assert numbers["recall@20"] == pytest.approx(recall, abs=0.002)
        assert numbers["mrr@20"] == pytest.approx(mrr, abs=0.002)


@pytest.mark.skipif(DATA is None, reason="SEQJAX_DATA names no folder of public data")
def test_figures_on_diginetica():
    from seqjax.data.sources.diginetica import read

    split = read(Path(DATA) / "diginetica")
    numbers = summary(rank_scores(popularity(split.train), split.test), (20,), replicates=0)
    assert numbers["recall@20"] == pytest.approx(0.0093, abs=1e-4)
