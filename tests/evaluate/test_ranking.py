"""Ranks against a loop that follows the definition, and the figures made of them."""

import math
from itertools import pairwise
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.data.events import EventLog, take
from seqjax.evaluate import ranking
from seqjax.evaluate.ranking import Ranks, breakdown, difference, rank_scores, rank_sessions, summary
from seqjax.models.gru4rec import GRU4Rec

ITEMS = 9
WORDS = np.array([f"i{i}" for i in range(1, ITEMS + 1)])
TIES = ("standard", "conservative", "median", "random")


class Last(NamedTuple):
    """State of `Chain`: the last item, and how many there were."""

    item: jax.Array
    seen: jax.Array


class Chain(nn.Module):
    """Scores from a table of transitions: easy to do by hand, and full of ties."""

    def setup(self):
        self.table = self.param("table", nn.initializers.zeros, (ITEMS + 1, ITEMS + 1))

    def init_state(self):
        return Last(jnp.int32(0), jnp.int32(0))

    def step(self, state, event, noise=None):
        return Last(event["item"], state.seen + 1)

    def read(self, state, target=None):
        return self.table[state.item] + 0.5 * (state.seen % 2) * jnp.arange(ITEMS + 1)


def random_log(seed=0, sequences=13, longest=7):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, longest + 1, sequences)
    items = rng.integers(1, ITEMS + 1, lengths.sum()).astype(np.int32)
    return EventLog(np.concatenate([[0], np.cumsum(lengths)]), {"item": items}, {"item": WORDS})


def random_table(seed=0):
    return {"table": np.random.default_rng(seed).integers(-2, 3, (ITEMS + 1, ITEMS + 1)).astype(np.float32)}


def naive(table, log, ties="conservative", exclude_seen=False, candidates=None):
    """(rank, sequence, position, item) of every target, straight from the definition."""
    rows = []
    for sequence in range(log.sequences):
        items = log.columns["item"][log.offsets[sequence] : log.offsets[sequence + 1]].tolist()
        for place in range(1, len(items)):
            target, seen = items[place], items[:place]
            score = table[items[place - 1]] + 0.5 * (place % 2) * np.arange(ITEMS + 1)
            others = [i for i in (range(1, ITEMS + 1) if candidates is None else candidates) if i != target]
            others = [i for i in others if not (exclude_seen and i in seen)]
            above = sum(not score[i] <= score[target] for i in others)
            equal = 1 + sum(score[i] == score[target] for i in others)
            rank = {"standard": above + 1, "conservative": above + equal, "median": above + 0.5 * (equal - 1) + 1}
            rows.append((rank[ties], sequence, place + 1, target))
    return np.array(rows)


def scorer_of(table):
    def scorer(log, at):
        sequence = np.searchsorted(log.offsets, at, side="right") - 1
        odd = (at - log.offsets[sequence]) % 2
        return (table[log.columns["item"][at - 1]] + 0.5 * odd[:, None] * np.arange(ITEMS + 1)).astype(np.float32)

    return scorer


def same(ranks, rows):
    return all(np.array_equal(column, rows[:, i]) for i, column in enumerate(ranks))


@pytest.mark.parametrize("ties", ["standard", "conservative", "median"])
@pytest.mark.parametrize("exclude_seen", [False, True])
@pytest.mark.parametrize("candidates", [None, np.array([2, 3, 7])])
def test_ranks_follow_the_definition(ties, exclude_seen, candidates):
    log, params = random_log(), random_table()
    expected = naive(params["table"], log, ties, exclude_seen, candidates)
    options = {"ties": ties, "exclude_seen": exclude_seen, "candidates": candidates}
    assert same(rank_sessions(Chain(), params, log, lanes=3, chunk=4, **options), expected)
    assert same(rank_scores(scorer_of(params["table"]), log, block=5, **options), expected)


@pytest.mark.parametrize("lanes, chunk", [(1, 1), (4, 32), (50, 3)])
def test_lanes_and_chunks_change_nothing(lanes, chunk):
    log, params = random_log(1), random_table(1)
    expected = rank_sessions(Chain(), params, log, lanes=3, chunk=4, exclude_seen=True, ties="random")
    ranks = rank_sessions(Chain(), params, log, lanes=lanes, chunk=chunk, exclude_seen=True, ties="random")
    for ours, theirs in zip(ranks, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_order_of_sequences_changes_nothing():
    log, params = random_log(2), random_table()
    order = np.random.default_rng(0).permutation(log.sequences)
    ranks = rank_sessions(Chain(), params, take(log, order), lanes=3)
    home = order[ranks.sequence]
    back = np.lexsort((ranks.position, home))
    rows = np.stack([ranks.rank[back], home[back], ranks.position[back], ranks.item[back]], axis=1)
    assert np.array_equal(rows, naive(params["table"], log))


def test_gru4rec_against_one_session_at_a_time():
    log, model = random_log(3, sequences=6), GRU4Rec(ITEMS, features=(5, 5))
    params = jax.jit(model.init)(jax.random.key(0))["params"]
    advance = jax.jit(lambda state, item: model.apply({"params": params}, state, {"item": item}, method="step"))
    read = jax.jit(lambda state: model.apply({"params": params}, state, method="read"))
    ranks = rank_sessions(model, params, log, lanes=4)
    expected = []
    for sequence in range(log.sequences):
        items = log.columns["item"][log.offsets[sequence] : log.offsets[sequence + 1]]
        state = model.init_state()
        for current, target in pairwise(items):
            state = advance(state, current)
            scores = np.asarray(read(state))[1:]
            expected.append((scores >= scores[target - 1]).sum())
    np.testing.assert_array_equal(ranks.rank, expected)


def test_only_judged_events_are_ranked():
    log, params = random_log(4), random_table()
    judged = np.random.default_rng(0).random(log.events) < 0.4
    every = naive(params["table"], log)
    at = log.offsets[every[:, 1].astype(int)] + every[:, 2].astype(int) - 1
    marked = log._replace(columns={**log.columns, "judged": judged})
    assert same(rank_sessions(Chain(), params, marked, lanes=3, chunk=2), every[judged[at]])
    assert same(rank_scores(scorer_of(params["table"]), marked), every[judged[at]])


def test_one_program_for_logs_of_any_length():
    params = random_table()
    before = ranking._follow._cache_size()
    for seed, sequences in enumerate((1, 5, 40)):
        rank_sessions(Chain(), params, random_log(seed, sequences), lanes=6, chunk=7)
    assert ranking._follow._cache_size() == before + 1


@pytest.mark.parametrize("ties", TIES)
def test_nan_is_never_a_good_rank(ties):
    log = EventLog(np.array([0, 2]), {"item": np.array([1, 2], np.int32)}, {"item": WORDS})
    table = np.arange((ITEMS + 1) ** 2, dtype=np.float32).reshape(ITEMS + 1, -1)
    table[1, 2] = np.nan
    assert rank_sessions(Chain(), {"table": table}, log, ties=ties).rank == ITEMS
    assert rank_scores(scorer_of(table), log, ties=ties).rank == ITEMS
    table[1] = np.nan
    assert rank_sessions(Chain(), {"table": table}, log, ties=ties).rank == ITEMS
    table[1] = 1.0
    table[1, 3:5] = np.nan  # others' NaN count as better than the target
    assert rank_scores(lambda log, at: table[log.columns["item"][at - 1]], log, ties="standard").rank == 3


def test_random_ties_are_uniform_over_the_tied():
    log = EventLog(np.arange(0, 4001, 2), {"item": np.full(4000, 3, np.int32)}, {"item": WORDS})
    ranks = rank_scores(lambda log, at: np.zeros((len(at), ITEMS + 1), np.float32), log, ties="random", seed=1)
    share = np.bincount(ranks.rank.astype(int), minlength=ITEMS + 1)[1:] / 2000
    assert np.all(np.abs(share - 1 / ITEMS) < 4 * math.sqrt(1 / ITEMS / 2000))


def test_a_log_without_targets():
    log = EventLog(np.array([0, 0, 1]), {"item": np.array([4], np.int32)}, {"item": WORDS})
    for ranks in (rank_sessions(Chain(), random_table(), log), rank_scores(scorer_of(random_table()["table"]), log)):
        assert [len(column) for column in ranks] == [0, 0, 0, 0]
    with pytest.raises(ValueError, match="no target"):
        summary(ranks)


def test_errors_name_the_remedy():
    log = EventLog(np.array([0, 2]), {"item": np.array([1, 10], np.int32)}, {"item": WORDS})
    with pytest.raises(ValueError, match=r"item 10 .* 9 items"):
        rank_sessions(Chain(), random_table(), log)
    with pytest.raises((ValueError, TypeError), match="conservative"):  # the annotation is checked in tests only
        rank_sessions(Chain(), random_table(), random_log(), ties="best")


def made(rank, sequence, position=None, item=None):
    size = len(rank)
    return Ranks(
        np.array(rank, np.float32),
        np.array(sequence, np.int32),
        np.array(position if position is not None else np.full(size, 2), np.int32),
        np.array(item if item is not None else np.ones(size), np.int32),
    )


def test_summary_by_hand():
    numbers = summary(made([1, 4, 21, 2], [0, 0, 1, 3]), cutoffs=(1, 20), replicates=200)
    assert numbers["recall@1"] == 0.25
    assert numbers["recall@20"] == 0.75
    assert numbers["mrr@20"] == pytest.approx((1 + 0.25 + 0.5) / 4)
    assert numbers["ndcg@20"] == pytest.approx((1 + 1 / math.log2(5) + 1 / math.log2(3)) / 4)
    assert numbers["targets"] == 4 and numbers["sequences"] == 3
    for name in ("recall@1", "recall@20", "mrr@1", "mrr@20", "ndcg@20"):
        assert numbers[f"{name}/low"] <= numbers[name] <= numbers[f"{name}/high"]
    assert set(summary(made([1], [0]), (20,), replicates=0)) == {
        "recall@20",
        "mrr@20",
        "ndcg@20",
        "targets",
        "sequences",
    }


def test_ndcg_agrees_with_scikit_learn():
    from sklearn.metrics import ndcg_score

    rng = np.random.default_rng(0)
    scores = rng.normal(size=(30, ITEMS))
    target = rng.integers(ITEMS, size=30)
    rank = 1 + (scores > scores[np.arange(30), target][:, None]).sum(axis=1)
    expected = ndcg_score(np.eye(ITEMS)[target], scores, k=5)
    assert summary(made(rank, np.arange(30)), (5,), replicates=0)["ndcg@5"] == pytest.approx(expected)


def test_difference_is_paired():
    rng = np.random.default_rng(0)
    sequence = np.repeat(np.arange(300), 3)
    theirs = rng.integers(1, 40, 900)
    ours = np.maximum(theirs - 1, 1)  # always one better: a small, certain gain
    numbers = difference(made(ours, sequence), made(theirs, sequence), (20,))
    gain = np.mean(ours <= 20) - np.mean(theirs <= 20)
    assert numbers["recall@20"] == pytest.approx(gain)
    assert 0 < numbers["recall@20/low"] < gain < numbers["recall@20/high"] < 2.5 * gain
    for other in (made(theirs, sequence[::-1]), made(theirs[1:], sequence[1:]), made(theirs, sequence, item=theirs)):
        with pytest.raises(ValueError, match="different targets"):
            difference(made(ours, sequence), other, (20,))


def test_breakdown_by_hand():
    counts = np.array([0, 50, 40, 9, 1, 0])  # of 100: item 1 starts in the first third, 2 in the second, 3 and 4 after
    ranks = made([1, 30, 2, 40, 5], [0, 0, 0, 1, 1], position=[2, 3, 12, 10, 11], item=[1, 2, 3, 4, 5])
    numbers = breakdown(ranks, counts, cutoffs=(20,))
    assert numbers["by_position/2/recall@20"] == 1 and numbers["by_position/3/recall@20"] == 0
    assert numbers["by_position/10+/targets"] == 3
    assert numbers["by_position/10+/recall@20"] == pytest.approx(2 / 3)
    assert numbers["by_position/10+/mrr@20"] == pytest.approx((1 / 2 + 1 / 5) / 3)
    assert not any(name.startswith("by_position/4/") for name in numbers)
    assert [numbers[f"by_popularity/{group}/targets"] for group in ("head", "middle", "tail")] == [1, 1, 3]
