"""Boosted trees on what other baselines say: how far one comes without a model, all of them taken together."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float

from seqjax.baselines.learners import boosted
from seqjax.baselines.response import Predictor
from seqjax.data.samples import Samples


def stacked(
    train: Samples, *, of: Sequence[Callable[[Samples], Predictor]], limit: int = 200_000, seed: int = 0
) -> Predictor:
    """Log-odds of gradient-boosted trees on the scores of other baselines, Wolpert (1992), "Stacked Generalization".

    Further columns: the length of the history, and what features the target has of its own. A training sample is scored
    by baselines that were fitted on the other half of the users: a column that had seen its label would promise more
    than it holds. At most `limit` training samples are drawn. Raises ValueError where `of` is empty or training has
    one user only, ImportError without scikit-learn.
    """
    if not of:
        raise ValueError("of is empty: name the baselines whose scores the trees shall read")
    random = np.random.default_rng(seed)
    users = random.permutation(np.unique(train.sequence))
    if len(users) < 2:
        raise ValueError(
            "all training samples are of one user, so that there is no other half: leave this baseline out"
        )
    first = np.isin(train.sequence, users[: len(users) // 2])
    halves = tuple(train.take(np.flatnonzero(half)) for half in (first, ~first))
    share = [random.permutation(half.size)[: max(1, limit * half.size // train.size)] for half in halves]
    asked = [half.take(np.sort(chosen)) for half, chosen in zip(halves, share, strict=True)]
    columns = [_columns(held, [b(other) for b in of]) for held, other in zip(asked, halves[::-1], strict=True)]
    trees = boosted(seed).fit(np.concatenate(columns), np.concatenate([held.label for held in asked]))
    predictors = [baseline(train) for baseline in of]
    return lambda samples: trees.decision_function(_columns(samples, predictors))


def _columns(samples: Samples, predictors: Sequence[Predictor]) -> Float[np.ndarray, "sample features"]:
    """The scores, the length of the history, and features of the target other than who and what it is."""
    own = [column for name, column in sorted(samples.target.items()) if name not in ("item", "user")]
    return np.column_stack([*(predictor(samples) for predictor in predictors), samples.cutoff, *own])
