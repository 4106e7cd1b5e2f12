"""Whether users are still those that a model was calibrated on: the stability of its scores."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import stats


class Tenths(NamedTuple):
    """The scores of some users in about ten groups: upper edges of all but the last group, and the share up to each."""

    edges: Float[np.ndarray, "group"]
    below: Float[np.ndarray, "group"]
    users: int


class Stability(NamedTuple):
    """How far scores have moved, and how far they would by chance."""

    index: float
    bound: float  # 95 % of samples of the same users lie below


def tenths(score: Float[np.ndarray, "target"]) -> Tenths:
    """The groups of reference users; fewer than ten where many share a score. Raises ValueError without users.

    >>> tenths(np.array([0.0, 0.0, 0.0, 0.5, 1.0, 1.5])).below.round(2).tolist()
    [0.5, 0.67, 0.83]
    """
    if not len(score):
        raise ValueError("no scores: give those of 1 user or more")
    edges = np.unique(np.quantile(score, np.arange(1, 10) / 10, method="inverted_cdf"))
    below = np.searchsorted(np.sort(score), edges, side="right") / len(score)
    return Tenths(edges[below < 1.0], below[below < 1.0], len(score))


def stability(reference: Tenths, score: Float[np.ndarray, "target"]) -> Stability:
    """The population stability index of scores against reference users.

    sum over groups of (p - q) log(p / q), Kullback's J divergence, with q the reference's share and p that of the
    scores, half a user added to each group. Among the same users index / (1 / n + 1 / m) is about chi squared with a
    degree of freedom per edge, Yurdakul and Naranjo (2020), which gives the bound; 0 where there is one group. Raises
    ValueError without scores.

    >>> found = stability(tenths(np.arange(100.0)), np.arange(0.0, 100.0, 10.0))
    >>> round(found.index, 3), round(found.bound, 2)
    (0.0, 1.86)
    """
    if not len(score):
        raise ValueError("no scores: give those of 1 user or more")
    expected = np.diff(np.concatenate([[0.0], reference.below, [1.0]]))
    count = np.bincount(np.searchsorted(reference.edges, score), minlength=len(expected))
    share = (count + 0.5) / (len(score) + 0.5 * len(count))
    index = float(np.sum((share - expected) * np.log(share / expected))) if len(count) > 1 else 0.0
    bound = stats.chi2.ppf(0.95, len(count) - 1) if len(count) > 1 else 0.0
    return Stability(index, float(bound) * (1.0 / reference.users + 1.0 / len(score)))
