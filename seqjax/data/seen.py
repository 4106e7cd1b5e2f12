"""What samples may see, laid out for counting: events, and how often each item."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from seqjax.data.samples import Samples


def visible(samples: Samples) -> tuple[Int[np.ndarray, "event"], Int[np.ndarray, "event"]]:
    """Every event that a sample may see, sample after sample: which sample, and its position in the log."""
    bounds = np.concatenate([[0], np.cumsum(samples.cutoff)])
    owner = np.repeat(np.arange(samples.size), samples.cutoff)
    return owner, np.arange(bounds[-1]) + (samples.log.offsets[:-1][samples.sequence] - bounds[:-1])[owner]


def moments(samples: Samples) -> tuple[Int[np.ndarray, "sample"], Samples]:
    """Which user at which moment each sample is about, numbered; and one sample for each of these."""
    when = samples.cutoff if samples.moment is None else samples.moment
    asked = np.stack([samples.sequence, samples.cutoff, when])
    _, first, where = np.unique(asked, axis=1, return_index=True, return_inverse=True)
    return where.ravel(), samples.take(first)


def item_counts(
    samples: Samples, owner: Int[np.ndarray, "event"], event: Int[np.ndarray, "event"]
) -> Float[np.ndarray, "sample word"]:
    """How often every item occurs among the visible events of each sample."""
    words = len(samples.vocabulary["item"])
    place = owner * words + samples.log.columns["item"][event] - 1
    return np.bincount(place, minlength=samples.size * words).reshape(samples.size, words).astype(np.float32)
