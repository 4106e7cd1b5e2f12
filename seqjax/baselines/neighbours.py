"""Items that go together: co-occurrence, nearest neighbours and sequential rules, as sparse products."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse

from seqjax.data.events import EventLog

Scorer = Callable[[EventLog, Int[np.ndarray, "target"]], Float[np.ndarray, "target row"]]

BLOCK = 4096  # items whose neighbours are computed at once


def co_occurrence(train: EventLog, *, discount: float = 0.0) -> Scorer:
    """Scores every item by the share of an item's training sequences that have it too, summed over the items so far.

    Deshpande and Karypis (2004), eq. 5: shared sequences / (sequences of the earlier item x sequences of the scored
    item^discount). With 0 that is P(scored | earlier); more holds frequent items back.

    >>> train = EventLog(np.array([0, 2, 5]), {"item": np.array([1, 2, 3, 2, 1])}, {"item": np.array(["a", "b", "c"])})
    >>> co_occurrence(train)(train, np.array([3, 4])).tolist()  # after c, and after c and b
    [[0.0, 1.0, 1.0, 0.0], [0.0, 2.0, 1.0, 0.5]]
    """
    taken = _taken(train)
    sequences = np.maximum(np.asarray(taken.sum(axis=0)), 1)
    rules = _apart(taken.T @ taken)
    row, column = rules.coords
    rules.data /= sequences[row] * sequences[column] ** discount
    return _follow(rules, last=None)


def item_knn(train: EventLog, *, last: int | None = 1, neighbours: int = 100, shrinkage: float = 20.0) -> Scorer:
    """Scores every item by its cosine similarity to the `last` items (None: all so far), summed over them.

    Similarity of two items = shared sequences / (sqrt(product of their sequences) + shrinkage), kept for the
    `neighbours` most similar of each item. Hidasi et al. (2016), sec. 4: their item-KNN baseline, `last=1`.
    """
    taken = _taken(train)
    sequences = np.asarray(taken.sum(axis=0))
    similar = []
    for begin in range(0, taken.shape[1], BLOCK):
        together = _apart(taken[:, begin : begin + BLOCK].T @ taken, begin)
        row, column = together.coords
        value = together.data / (np.sqrt(sequences[begin + row] * sequences[column]) + shrinkage)
        order = np.lexsort((-value, row))
        row = row[order]
        kept = np.arange(len(row)) - np.searchsorted(row, row) < neighbours
        order, row = order[kept], row[kept]
        similar.append(sparse.csr_array((value[order], (row, column[order])), shape=together.shape, dtype=np.float32))
    return _follow(sparse.vstack(similar), last)


def sequential_rules(train: EventLog, *, reach: int = 5, repeats: bool = True) -> Scorer:
    """Scores every item by how often it came within `reach` steps after the last item, at distance d counting 1 / d.

    Ludewig and Jannach (2018), sec. 3.1.3. Without `repeats` an item is no rule for itself.

    >>> train = EventLog(np.array([0, 3]), {"item": np.array([1, 2, 3])}, {"item": np.array(["a", "b", "c"])})
    >>> sequential_rules(train)(train, np.array([1])).tolist()  # after a
    [[0.0, 0.0, 1.0, 0.5]]
    """
    item, sequence = train.columns["item"], train.sequence
    rows = len(train.vocabulary["item"]) + 1
    rules = sparse.csr_array((rows, rows), dtype=np.float32)
    for distance in range(1, reach + 1):
        inside = sequence[distance:] == sequence[:-distance]
        pair = item[:-distance][inside], item[distance:][inside]
        rules += sparse.csr_array((np.full(len(pair[0]), 1 / distance, np.float32), pair), shape=(rows, rows))
    return _follow(rules if repeats else _apart(rules), last=1)


def _taken(train: EventLog) -> sparse.csr_array:
    """Marks the items of every sequence, once each: [sequence, row]."""
    pairs = train.sequence, train.columns["item"]
    shape = train.sequences, len(train.vocabulary["item"]) + 1
    taken = sparse.csr_array((np.ones(train.events, np.float32), pairs), shape=shape)  # sums repeats
    taken.data[:] = 1.0
    return taken


def _apart(together: sparse.sparray, first: int = 0) -> sparse.coo_array:
    """Without what an item shares with itself; row 0 is item `first`."""
    together = together.tocoo()
    row, column = together.coords
    other = row + first != column
    return sparse.coo_array((together.data[other], (row[other], column[other])), shape=together.shape)


def _follow(rules: sparse.sparray, last: int | None) -> Scorer:
    """Sums the rows of the `last` items before each target, or of all of them in its sequence."""
    rules = rules.tocsr()

    def scorer(log: EventLog, at: Int[np.ndarray, "target"]) -> Float[np.ndarray, "target row"]:
        start = log.offsets[np.searchsorted(log.offsets, at, side="right") - 1]
        start = start if last is None else np.maximum(start, at - last)
        bounds = np.concatenate([[0], np.cumsum(at - start)])
        event = np.arange(bounds[-1]) + np.repeat(start - bounds[:-1], at - start)
        shape = len(at), rules.shape[0]
        before = sparse.csr_array((np.ones(len(event), np.float32), log.columns["item"][event], bounds), shape=shape)
        return (before @ rules).toarray()

    return scorer
