"""Metrics of one prediction, from the rank of the item that came next (1 is best; halves where ties are split).

Pure and array-agnostic: numpy and jax arrays of any shape go in, the same kind comes out. A figure is the mean over
predictions.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Array, Float, Shaped

Rank = Shaped[np.ndarray | Array, "*shape"]
Value = Float[np.ndarray | Array, "*shape"]


def recall(rank: Rank, cutoff: int) -> Value:
    """1 if the item is among the first `cutoff`, else 0; also called hit rate, with one relevant item precision x k.

    >>> recall(np.array([1.0, 20.0, 21.0]), 20).tolist()
    [1.0, 1.0, 0.0]
    """
    return 1.0 * (rank <= cutoff)


def reciprocal_rank(rank: Rank, cutoff: int) -> Value:
    """1 / rank if the item is among the first `cutoff`, else 0; its mean is MRR@cutoff, Hidasi et al. (2016), sec. 4.

    >>> reciprocal_rank(np.array([1.0, 4.0, 21.0]), 20).tolist()
    [1.0, 0.25, 0.0]
    """
    return (rank <= cutoff) / rank


def ndcg(rank: Rank, cutoff: int) -> Value:
    """1 / log2(1 + rank) if the item is among the first `cutoff`, else 0: Järvelin and Kekäläinen (2002), one relevant.

    >>> ndcg(np.array([1.0, 3.0, 21.0]), 20).tolist()
    [1.0, 0.5, 0.0]
    """
    return (rank <= cutoff) / rank.__array_namespace__().log2(1.0 + rank)


def roc_auc(positive: Float[np.ndarray, "target"], negative: Float[np.ndarray, "known"]) -> tuple[float, float]:
    """Probability that a positive case scores above a negative one, ties counting half, and its standard error.

    The area under the ROC curve as Mann and Whitney's statistic; the error is that of DeLong et al. (1988). Both are
    nan where one side has no case.

    >>> roc_auc(np.array([2.0, 3.0]), np.array([1.0, 2.0]))[0]
    0.875
    """

    def above(these: np.ndarray, those: np.ndarray) -> np.ndarray:
        those = np.sort(those)
        return 0.5 * (np.searchsorted(those, these, "left") + np.searchsorted(those, these, "right")) / len(those)

    if not (len(positive) and len(negative)):
        return float("nan"), float("nan")
    wins, losses = above(positive, negative), 1.0 - above(negative, positive)
    variance = sum(np.var(part, ddof=1) / len(part) for part in (wins, losses) if len(part) > 1)
    return float(wins.mean()), float(np.sqrt(variance))
