"""Visits as a batch for the sequence objective: what is known at each, and when the next one came."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, Shaped

from seqjax.data.events import EventLog
from seqjax.data.visits import WORDS, returns
from seqjax.data.windows import WindowPlan
from seqjax.losses import Return
from seqjax.types import WindowBatch


class VisitCorpus(NamedTuple):
    """What the device holds of a log of visits."""

    events: Mapping[str, Shaped[np.ndarray | Array, "event"]]
    interval: Int[np.ndarray | Array, "event"]
    seen: Int[np.ndarray | Array, "event"]


def visit_corpus(log: EventLog) -> VisitCorpus:
    """The features of every visit, the day of the next one, and how many days were observed."""
    truth = returns(log)
    far = np.iinfo(np.int32).max
    return VisitCorpus(
        {name: log.columns[name] for name in WORDS}, np.where(truth.interval > 0, truth.interval, far), truth.seen
    )


def visit_batch(corpus: VisitCorpus, row: WindowPlan) -> WindowBatch:
    """Gathers one row of a window plan over visits (`boundary=False`)."""
    return WindowBatch(
        ids={},
        events={name: jnp.where(row.valid, column[row.position], 0) for name, column in corpus.events.items()},
        target=Return(corpus.interval[row.position], jnp.where(row.valid, corpus.seen[row.position], 0)),
        fresh=row.fresh,
        valid=row.valid,
        divisor=row.divisor,
    )
