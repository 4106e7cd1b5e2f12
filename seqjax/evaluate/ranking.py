"""Ranking every next item of a log against the whole vocabulary, and what is reported of the ranks.

No sampled candidates: a rank among sampled items is another quantity and orders models differently (Krichene and
Rendle 2020).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PyTree

from seqjax.data.events import EventLog
from seqjax.data.plan import lane_plan
from seqjax.evaluate.intervals import bootstrap
from seqjax.metrics import ndcg, recall, reciprocal_rank

Ties = Literal["standard", "conservative", "median", "random"]
"""Rank of a target among candidates of equal score: the first of them, the last, the middle, or drawn.

These are the four modes of GRU4Rec's evaluator ("random" is its "tie-breaking"). Ties are a symptom of saturated
scores, and "standard", its default, rewards them: a constant score would have rank 1.
"""

SCORE_BYTES = 1 << 28  # largest block of scores (lanes x rows, float32) unless `lanes` says otherwise
MEASURES = {"recall": recall, "mrr": reciprocal_rank, "ndcg": ndcg}
CUTOFFS = (1, 5, 10, 20)
LAST_POSITION = 10  # later positions are reported together


class Ranks(NamedTuple):
    """One row per judged target, by sequence, then position."""

    rank: Float[np.ndarray, "target"]  # 1 is best; halves where the median of ties is taken
    sequence: Int[np.ndarray, "target"]  # index into the log
    position: Int[np.ndarray, "target"]  # place of the target in its sequence, from 1 (so the first is judged at 2)
    item: Int[np.ndarray, "target"]

    def minus(self, other: Ranks, names: Sequence[str]) -> dict[str, float]:
        """`difference` in the named metrics."""
        return difference(self, other, sorted({int(name.partition("@")[2]) for name in names}))


class Steps(NamedTuple):
    """Steps of all lanes: what each reads and what it is then asked for."""

    item: Int[np.ndarray, "step lane"]
    target: Int[np.ndarray, "step lane"]
    fresh: Bool[np.ndarray, "step lane"]
    judged: Bool[np.ndarray, "step lane"]


def rank_sessions(
    model: nn.Module,
    params: PyTree,
    log: EventLog,
    *,
    lanes: int | None = None,
    ties: Ties = "conservative",
    exclude_seen: bool = False,
    candidates: Int[np.ndarray, "column"] | None = None,
    chunk: int = 32,
    seed: int = 0,
) -> Ranks:
    """Ranks the next item of every event of every sequence, lanes in parallel, each sequence from a fresh state.

    A log with a column `judged` (bool) is asked only for the events that it marks. Ranks are among all items, or the
    `candidates` and the target; `exclude_seen` takes out the items of the sequence so far (never the target).
    Scores stay on the device. `lanes` (default: as many as `SCORE_BYTES` allows, 256 at most) and `chunk`, the steps
    of one device call, change the speed and not the result. `seed` serves random ties.
    """
    start = model.init_state()
    rows = jax.eval_shape(partial(_read, model), params, start).shape[0]
    highest = log.columns["item"].max(initial=0)
    if highest >= rows:
        raise ValueError(f"item {highest} of the log is beyond the model's {rows - 1} items: give both one vocabulary")
    lanes = lanes or max(1, min(256, SCORE_BYTES // (4 * rows)))
    steps, event = _steps(log, lanes, chunk)
    state = jax.tree.map(lambda x: jnp.broadcast_to(x, (lanes, *jnp.shape(x))), start)
    carry = state, (jnp.zeros((lanes, rows), bool) if exclude_seen else None)
    among = jnp.asarray(_among(candidates, rows))
    counted = []
    for begin in range(0, len(event), chunk):
        piece = Steps(*(column[begin : begin + chunk] for column in steps))
        carry, counts = _follow(model, params, carry, piece, among)
        counted.append(counts)  # not waited for: the host prepares the next chunk while this one runs
    above, equal = (np.concatenate(parts)[steps.judged] for parts in zip(*counted, strict=True))
    return _ranks(log, event[steps.judged], above, equal, ties, seed)


def rank_scores(
    scorer: Callable[[EventLog, np.ndarray], np.ndarray],
    log: EventLog,
    *,
    ties: Ties = "conservative",
    exclude_seen: bool = False,
    candidates: Int[np.ndarray, "column"] | None = None,
    block: int = 512,
    seed: int = 0,
) -> Ranks:
    """Ranks as `rank_sessions` does, by a baseline on the host.

    `scorer(log, at)` gives float32 scores [target, row] of all items for the targets at the events `at`, none of them
    the first of its sequence, from earlier events of the same sequence.
    """
    at = np.flatnonzero(_judged(log) & ~log.first())
    above, equal = np.zeros(len(at), np.int32), np.zeros(len(at), np.int32)
    for begin in range(0, len(at), block):
        part = slice(begin, begin + block)
        scores = scorer(log, at[part])
        line, target = np.arange(len(scores)), log.columns["item"][at[part]]
        others = np.tile(_among(candidates, scores.shape[1]), (len(scores), 1))
        if exclude_seen:
            owner, event = _before(log, at[part])
            others[owner, log.columns["item"][event]] = False
        others[line, target] = False
        own = scores[line, target][:, None]
        above[part] = (others & ~(scores <= own)).sum(axis=1)
        equal[part] = 1 + (others & (scores == own)).sum(axis=1)
    return _ranks(log, at, above, equal, ties, seed)


def summary(ranks: Ranks, cutoffs: Sequence[int] = CUTOFFS, replicates: int = 1000, seed: int = 0) -> dict[str, float]:
    """Means over targets by flat name: `recall@20`, `mrr@20`, `ndcg@20`, ..., and how many `targets` and `sequences`.

    With `name/low` and `name/high`, a 95 % bootstrap interval over sequences, unless `replicates` is 0.
    """
    names, values = _values(ranks, cutoffs)
    sequences = len(np.unique(ranks.sequence))
    return _means(names, values, ranks.sequence, replicates, seed) | {
        "targets": float(len(ranks.rank)),
        "sequences": float(sequences),
    }


def difference(
    ours: Ranks, theirs: Ranks, cutoffs: Sequence[int] = CUTOFFS, replicates: int = 1000, seed: int = 0
) -> dict[str, float]:
    """Means over targets of ours - theirs, by the names of `summary`, with intervals over sequences.

    Raises ValueError unless both judge the same targets.
    """
    for name in ("sequence", "position", "item"):
        if not np.array_equal(getattr(ours, name), getattr(theirs, name)):
            raise ValueError(f"the two rankings judge different targets (by {name}): rank one log, judged alike")
    names, values = _values(ours, cutoffs)
    return _means(names, values - _values(theirs, cutoffs)[1], ours.sequence, replicates, seed)


def breakdown(ranks: Ranks, counts: Int[np.ndarray, "row"], cutoffs: Sequence[int] = CUTOFFS) -> dict[str, float]:
    """Means by position of the target (`by_position/3/recall@20`, from 10 on together) and by its popularity.

    Popularity groups split the training events, of which `counts` has the number per item, in thirds:
    `by_popularity/head/...` are the most frequent items that make the first third, then `middle`, then `tail`, where
    items without training events are too. Every group has its number of `targets`; groups without any are left out.
    """
    names, values = _values(ranks, cutoffs)
    order = np.argsort(-counts, kind="stable")
    third = np.full(len(counts), 2)
    third[order] = np.minimum(3 * (np.cumsum(counts[order]) - counts[order]) // max(1, counts.sum()), 2)
    third[counts == 0] = 2
    place = np.minimum(ranks.position, LAST_POSITION)
    groups = {f"by_position/{p}{'+' * (p == LAST_POSITION)}": place == p for p in range(1, LAST_POSITION + 1)}
    groups |= {f"by_popularity/{name}": third[ranks.item] == t for t, name in enumerate(("head", "middle", "tail"))}
    numbers = {}
    for group, member in groups.items():
        if member.any():
            means = dict(zip(names, values[member].mean(axis=0).tolist(), strict=True))
            means["targets"] = float(member.sum())
            numbers |= {f"{group}/{name}": value for name, value in means.items()}
    return numbers


def _read(model: nn.Module, params: PyTree, state: PyTree) -> Float[Array, "row"]:
    """Scores of one lane."""
    return model.apply({"params": params}, state, method="read")


@partial(jax.jit, static_argnames="model")
def _follow(model: nn.Module, params: PyTree, carry: PyTree, steps: Steps, among: Bool[Array, "row"]) -> PyTree:
    """Reads a chunk of steps; counts, per step and lane, the candidates above and level with the target."""
    fresh_state = model.init_state()

    def advance(state, seen, fresh, item):
        state = jax.tree.map(lambda new, old: jnp.where(fresh, new, old), fresh_state, state)
        seen = None if seen is None else jnp.where(fresh, False, seen).at[item].set(True)
        return model.apply({"params": params}, state, {"item": item}, method="step"), seen

    def count(state, seen, target):
        scores = _read(model, params, state).astype(jnp.float32)
        others = among & (jnp.arange(scores.shape[0]) != target)
        others = others if seen is None else others & ~seen
        own = scores[target]
        return jnp.sum(others & ~(scores <= own)), 1 + jnp.sum(others & (scores == own))  # NaN: the target is last

    def body(carry, step):
        carry = jax.vmap(advance)(*carry, step.fresh, step.item)
        silent = (jnp.zeros(step.target.shape, jnp.int32),) * 2
        return carry, jax.lax.cond(
            jnp.any(step.judged), lambda: jax.vmap(count)(*carry, step.target), lambda: silent
        )  # padding steps, and those where nobody is asked, cost no scores

    return jax.lax.scan(body, carry, steps)


def _steps(log: EventLog, lanes: int, chunk: int) -> tuple[Steps, Int[np.ndarray, "step lane"]]:
    """The plan of a log in whole chunks (silent rows at the end), and the event that each step is asked for."""
    plan = lane_plan(log.offsets, lanes, np.argsort(-log.lengths, kind="stable"))  # longest first: the fewest steps
    silent = max(chunk, -(-plan.steps // chunk) * chunk) - plan.steps
    position, fresh, live = (np.pad(column, ((0, silent), (0, 0))) for column in plan)
    event = np.where(live, position + 1, 0)
    item, judged = (np.append(column, column.dtype.type(0)) for column in (log.columns["item"], _judged(log)))
    judged = live & judged[event]
    return Steps(np.where(live, item[position], 0), np.where(judged, item[event], 0), fresh, judged), event


def _judged(log: EventLog) -> Bool[np.ndarray, "event"]:
    """The events that are asked for, first events of sequences aside."""
    return log.columns.get("judged", np.ones(log.events, bool))


def _among(candidates: Int[np.ndarray, "column"] | None, rows: int) -> Bool[np.ndarray, "row"]:
    """Marks the rows that a target is ranked against; padding never is."""
    among = np.zeros(rows, bool)
    among[slice(1, None) if candidates is None else candidates] = True
    among[0] = False
    return among


def _before(log: EventLog, at: Int[np.ndarray, "target"]) -> tuple[Int[np.ndarray, "event"], Int[np.ndarray, "event"]]:
    """The events before each target in its sequence, as pairs (index into `at`, event)."""
    start = log.offsets[np.searchsorted(log.offsets, at, side="right") - 1]
    lengths = at - start
    within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return np.repeat(np.arange(len(at)), lengths), within + np.repeat(start, lengths)


def _ranks(log: EventLog, event: np.ndarray, above: np.ndarray, equal: np.ndarray, ties: Ties, seed: int) -> Ranks:
    """Ranks in the order of the log from counts in any order."""
    order = np.argsort(event, kind="stable")
    event, above, equal = event[order], above[order], equal[order]
    match ties:
        case "standard":
            rank = above + 1
        case "conservative":
            rank = above + equal
        case "median":
            rank = above + 0.5 * (equal - 1) + 1
        case "random":
            rank = above + np.random.default_rng(seed).integers(1, equal, endpoint=True)
        case other:
            raise ValueError(f"ties={other!r}: use one of {', '.join(Ties.__args__)}")
    sequence = np.searchsorted(log.offsets, event, side="right") - 1
    position = event - log.offsets[sequence] + 1
    item = log.columns["item"][event]
    return Ranks(rank.astype(np.float32), *(column.astype(np.int32) for column in (sequence, position, item)))


def _values(ranks: Ranks, cutoffs: Sequence[int]) -> tuple[list[str], Float[np.ndarray, "target column"]]:
    """Every measure at every cutoff for every target, with their names."""
    if len(ranks.rank) == 0:
        raise ValueError("no target to judge: the log has no sequence of two events, or `judged` marks none")
    rank = ranks.rank.astype(np.float64)
    columns = {f"{name}@{cutoff}": at(rank, cutoff) for name, at in MEASURES.items() for cutoff in cutoffs}
    return list(columns), np.column_stack(list(columns.values()))


def _means(
    names: Sequence[str], values: Float[np.ndarray, "target column"], sequence: np.ndarray, replicates: int, seed: int
) -> dict[str, float]:
    """Means over targets, and bootstrap intervals over sequences unless `replicates` is 0."""
    numbers = dict(zip(names, values.mean(axis=0).tolist(), strict=True))
    if replicates == 0:
        return numbers
    _, cluster = np.unique(sequence, return_inverse=True)
    sums = np.column_stack([np.bincount(cluster, column) for column in values.T])
    for end, bound in zip(("low", "high"), bootstrap(sums, np.bincount(cluster), replicates, seed), strict=True):
        numbers |= {f"{name}/{end}": value for name, value in zip(names, bound.tolist(), strict=True)}
    return numbers
