"""Whether two sets of series could come from one law: distances of distributions, each beside its noise floor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Num
from scipy import sparse

from seqjax.data.events import EventLog, join
from seqjax.data.windows import asked

GRAMS = ("action", "bigram", "trigram", "4-gram", "5-gram", "6-gram")
LAGS = range(2, 6)
BLOCK = 32  # shuffles computed at once


class Distance(NamedTuple):
    """How far two distributions are apart, and how far two samples of one law would be."""

    jsd: float  # Jensen-Shannon divergence in nats
    floor: float  # its median between two samples of real series
    p: float  # share of shuffles of the series among both sets that are as far apart or farther


def jensen_shannon(p: Num[np.ndarray, "..."], q: Num[np.ndarray, "..."]) -> Float[np.ndarray | np.float64, "..."]:
    """Jensen-Shannon divergence in nats of the distributions that counts along the first axis give, Lin (1991).

    (KL(p || m) + KL(q || m)) / 2 with m = (p + q) / 2, at most log 2. Its root is a metric; this is not the root.
    Where nothing was counted at all, that is a kind of its own: 0 from nothing, log 2 from anything else.

    >>> round(float(jensen_shannon(np.array([1, 0]), np.array([0, 3]))), 4)  # log 2
    0.6931
    """
    totals = [x.sum(axis=0, dtype=np.float64) for x in (p, q)]
    p, q = (x / np.where(total > 0.0, total, 1.0) for x, total in zip((p, q), totals, strict=True))
    alone = (totals[0] > 0.0) != (totals[1] > 0.0)
    middle = (p + q) / 2.0

    def divergence(x: np.ndarray) -> Float[np.ndarray | np.float64, "..."]:
        some = x > 0.0
        return (x * np.log(np.where(some, x, 1.0) / np.where(some, middle, 1.0))).sum(axis=0)

    return np.maximum(0.5 * (divergence(p) + divergence(q) + alone * np.log(2.0)), 0.0)


def distances(
    real: EventLog,
    synthetic: EventLog,
    *,
    more: EventLog | None = None,
    given: int = 0,
    longest: int = 200,
    resamples: int = 40,
    permutations: int = 499,
    seed: int = 0,
) -> dict[str, Distance]:
    """The distance of every distribution of `features` between two logs of one vocabulary.

    Events of one series depend on each other, so series are drawn and shuffled whole. The floor is the median distance
    of two samples of these sizes, drawn with replacement from the real series and from `more` of them (those of the
    training, say): kinds that none of them has are missing, which makes it a few percent too low where kinds are many.
    p = (1 + shuffles as far apart) / (1 + permutations). Raises ValueError where a set is empty or the vocabularies
    differ.
    """
    sizes = real.sequences, synthetic.sequences
    if not min(sizes):
        raise ValueError(f"{sizes[0]} real and {sizes[1]} synthetic series: compare one or more of each")
    both = join(real, synthetic)
    both = both if more is None else join(both, more)
    random = np.random.default_rng(seed)
    pool = np.flatnonzero((np.arange(both.sequences) < sizes[0]) | (np.arange(both.sequences) >= sum(sizes)))
    samples = [_samples(random, pool, both.sequences, size, resamples) for size in sizes]
    shuffles = [
        _shuffles(random, sizes, both.sequences, min(BLOCK, permutations - begin))
        for begin in range(0, permutations, BLOCK)
    ]
    found = {}
    for name, table in features(both, given, longest):
        kinds = table.T.tocsr()
        mine, whole = table[: sizes[0]].sum(axis=0), table[: sum(sizes)].sum(axis=0)
        jsd = float(jensen_shannon(mine, whole - mine))
        floor = float(np.median(jensen_shannon(*(kinds @ sample for sample in samples)))) if resamples else 0.0
        drawn = [jensen_shannon(part, whole[:, None] - part) for part in (kinds @ shuffle for shuffle in shuffles)]
        under = np.concatenate([np.zeros(0), *drawn])
        found[name] = Distance(jsd, floor, float((1 + (under >= jsd).sum()) / (1 + permutations)))
    return found


def features(log: EventLog, given: int = 0, longest: int = 200) -> Iterator[tuple[str, sparse.csr_array]]:
    """Counts of every series, [sequence, kind], by name: what the distances are taken of.

    length: actions of a series, above `longest` together. action, bigram, .. 6-gram: so many symbols in a row, the end
    among them, and from bigrams on the begin too unless first actions are `given` (then which comes first is no draw).
    lag 2 .. 5: pairs of symbols so far apart. run: lengths of runs of one action, above `longest` together.
    """
    yield "length", _table(np.arange(log.sequences), np.minimum(log.lengths, longest), log.sequences)
    row, owner, place = asked(log)
    first = 0 if given else -1  # the place where the earliest symbol of a tuple may stand
    gram = row[1:].astype(np.int64)
    for n, name in enumerate(GRAMS, start=1):
        there = np.flatnonzero(place - (n - 1) >= (first if n > 1 else 0))
        if n > 1:
            longer = gram[there] * (int(row.max()) + 1) + row[there + 2 - n]
            gram[there] = np.unique(longer, return_inverse=True)[1]
        yield name, _table(owner[there], gram[there], log.sequences)
    for lag in LAGS:
        there = np.flatnonzero(place - lag >= first)
        pair = row[there + 1 - lag].astype(np.int64) * (int(row.max()) + 1) + row[there + 1]
        yield f"lag {lag}", _table(owner[there], pair, log.sequences)
    begin, length = runs(log)
    yield "run", _table(log.sequence[begin], np.minimum(length, longest), log.sequences)


def runs(log: EventLog) -> tuple[Int[np.ndarray, "row"], Int[np.ndarray, "row"]]:
    """Where runs of one action begin, and their lengths.

    >>> log = EventLog(np.array([0, 4]), {"item": np.array([1, 1, 2, 1])}, {"item": np.array(["a", "b"])})
    >>> [column.tolist() for column in runs(log)]
    [[0, 2, 3], [2, 1, 1]]
    """
    item = log.columns["item"]
    begin = np.flatnonzero(log.first() | (item != np.concatenate([[0], item[:-1]])))
    return begin, np.diff(np.append(begin, len(item)))


def _samples(
    random: np.random.Generator, pool: Int[np.ndarray, "chosen"], count: int, size: int, replicates: int
) -> Float[np.ndarray, "sequence replicate"]:
    """How often each of `count` series is in each sample of `size` series of the pool."""
    weights = np.zeros((count, replicates), np.float32)
    weights[pool] = random.multinomial(size, np.full(len(pool), 1.0 / len(pool)), replicates).T
    return weights


def _shuffles(
    random: np.random.Generator, sizes: tuple[int, int], count: int, replicates: int
) -> Float[np.ndarray, "sequence replicate"]:
    """Marks, for every shuffle, as many series as are real among the real and the synthetic ones."""
    marks = np.zeros((count, replicates), np.float32)
    for replicate in range(replicates):
        marks[random.permutation(sum(sizes))[: sizes[0]], replicate] = 1.0
    return marks


def _table(owner: Int[np.ndarray, "row"], kind: Int[np.ndarray, "row"], sequences: int) -> sparse.csr_array:
    """How often each series has each kind."""
    kinds, column = np.unique(kind, return_inverse=True)
    ones = np.ones(len(column), np.float32)
    return sparse.csr_array((ones, (owner, column)), shape=(sequences, max(len(kinds), 1)))
