"""What everybody takes, and what this user always takes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse

from seqjax.data.events import EventLog
from seqjax.data.vocabulary import lookup

Scorer = Callable[[EventLog, Int[np.ndarray, "target"]], Float[np.ndarray, "target row"]]


def popularity(train: EventLog) -> Scorer:
    """Scores every item by its number of training events.

    >>> train = EventLog(np.array([0, 3]), {"item": np.array([2, 1, 2])}, {"item": np.array(["a", "b"])})
    >>> popularity(train)(train, np.array([1])).tolist()
    [[0.0, 1.0, 2.0]]
    """
    return popularity_of_counts(train.counts())


def popularity_of_counts(counts: Int[np.ndarray, "row"]) -> Scorer:
    """Scores every item by its count."""
    scores = counts.astype(np.float32)

    def scorer(log: EventLog, at: Int[np.ndarray, "target"]) -> Float[np.ndarray, "target row"]:
        return np.broadcast_to(scores, (len(at), len(scores)))

    return scorer


def user_frequency(train: EventLog, key: str = "user") -> Scorer:
    """Scores every item by how often the sequence's user has it in training, equal counts by popularity.

    The user of a sequence is its `keys[key]`. This sees more than the session: beating it from the session alone is
    no small thing. A user without training events gets popularity.
    """
    if key not in train.keys:
        raise ValueError(f"the log has no key {key!r}, only {sorted(train.keys)}: name the one that holds users")
    users, user = np.unique(train.keys[key], return_inverse=True)
    counts = train.counts().astype(np.float32)
    pairs = (np.ones(train.events, np.float32), (user[train.sequence] + 1, train.columns["item"]))
    taken = sparse.csr_array(pairs, shape=(len(users) + 1, len(counts)))  # row 0: unknown users
    share = counts / (1.0 + counts.max())

    def scorer(log: EventLog, at: Int[np.ndarray, "target"]) -> Float[np.ndarray, "target row"]:
        sequence = np.searchsorted(log.offsets, at, side="right") - 1
        return taken[lookup(users, log.keys[key][sequence])].toarray() + share

    return scorer
