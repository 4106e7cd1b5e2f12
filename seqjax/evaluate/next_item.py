"""The next-item report: a model ranked against every item, beside its baselines, with intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import flax.linen as nn
import numpy as np
from jaxtyping import Int, PyTree

from seqjax.data.events import EventLog
from seqjax.evaluate.evaluation import Evaluation
from seqjax.evaluate.ranking import Ties, breakdown, difference, rank_scores, rank_sessions, summary

Scorer = Callable[..., object]


def next_item(
    model: nn.Module,
    params: PyTree,
    log: EventLog,
    *,
    counts: Int[np.ndarray, "row"] | None = None,
    baselines: Mapping[str, Scorer] | None = None,
    cutoffs: Sequence[int] = (1, 5, 10, 20),
    ties: Ties = "conservative",
    exclude_seen: bool = False,
    replicates: int = 1000,
) -> Evaluation:
    """Recall, MRR and NDCG of every next item of `log`, all items ranked; the cases are the ranks.

    With `counts`, the training events of every item: also 95 % bootstrap intervals over sessions (`name/low`,
    `name/high`), the break-down by position and popularity, every baseline (`baseline/name`) and the paired difference
    to it (`minus/baseline/name`). Without, as for validation: the plain numbers.
    """
    ranks = rank_sessions(model, params, log, ties=ties, exclude_seen=exclude_seen)
    if counts is None:
        return Evaluation(summary(ranks, cutoffs, replicates=0), ranks)
    numbers = summary(ranks, cutoffs, replicates) | breakdown(ranks, counts, cutoffs)
    for name, scorer in (baselines or {}).items():
        theirs = rank_scores(scorer, log, ties=ties, exclude_seen=exclude_seen)
        numbers |= {f"{name}/{key}": value for key, value in summary(theirs, cutoffs, replicates).items()}
        paired = difference(ranks, theirs, cutoffs, replicates)
        numbers |= {f"minus/{name}/{key}": value for key, value in paired.items()}
    return Evaluation(numbers, ranks)
