"""Uncertainty of a figure: over the users or sessions that were judged (bootstrap), and over seeds (Student's t)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Num
from scipy import special

DRAWS = 1 << 21  # resampled clusters held at once: 8 bytes each, in three arrays


class Interval(NamedTuple):
    """A mean and the ends of its confidence interval."""

    mean: float
    low: float
    high: float


class Comparison(NamedTuple):
    """A mean difference, the ends of its confidence interval, and the two-sided p of no difference."""

    mean: float
    low: float
    high: float
    p: float


def bootstrap(
    sums: Num[np.ndarray, "sequence ..."],
    counts: Num[np.ndarray, "sequence"],
    replicates: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[Float[np.ndarray, "..."], Float[np.ndarray, "..."]]:
    """Percentile bootstrap of sum(sums) / sum(counts), sequences resampled whole: (low, high) for every trailing entry.

    Efron and Tibshirani (1993), ch. 13. Targets of one sequence depend on each other; a resample therefore repeats or
    leaves out whole sequences: it weighs them by multinomial counts. The same seed draws the same resamples, so that
    figures of one evaluation move together.

    >>> low, high = bootstrap(np.array([1.0, 0.0, 2.0, 1.0]), np.array([2, 1, 2, 2]))
    >>> bool(0 <= low < 4 / 7 < high <= 1)
    True
    """
    clusters = len(sums)
    if clusters == 0 or len(counts) != clusters or replicates < 1:
        raise ValueError(f"{clusters} sums, {len(counts)} counts, replicates={replicates}: give one of each or more")
    generator = np.random.default_rng(seed)
    parts = np.column_stack([counts, sums.reshape(clusters, -1)]).astype(np.float64)
    block = max(1, DRAWS // clusters)
    totals = []
    for begin in range(0, replicates, block):
        size = min(block, replicates - begin)
        drawn = generator.integers(clusters, size=(size, clusters)) + clusters * np.arange(size)[:, None]
        totals.append(np.bincount(drawn.ravel(), minlength=size * clusters).reshape(size, clusters) @ parts)
    total = np.concatenate(totals)
    low, high = np.quantile(total[:, 1:] / total[:, :1], [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low.reshape(sums.shape[1:]), high.reshape(sums.shape[1:])


def t_interval(values: Sequence[float] | Num[np.ndarray, "seed"], level: float = 0.95) -> Interval:
    """Mean over seeds with Student's t interval (two seeds or more).

    >>> [round(number, 2) for number in t_interval([1.0, 2.0, 3.0])]
    [2.0, -0.48, 4.48]
    """
    values = np.asarray(values, np.float64)
    if len(values) < 2:
        raise ValueError(f"{len(values)} value: an interval over seeds needs two runs or more")
    mean = float(values.mean())
    quantile = special.stdtrit(len(values) - 1, (1 + level) / 2)  # scipy.stats takes a second to import
    reach = float(quantile * values.std(ddof=1) / np.sqrt(len(values)))
    return Interval(mean, mean - reach, mean + reach)


def paired_t(
    ours: Sequence[float] | Num[np.ndarray, "seed"],
    theirs: Sequence[float] | Num[np.ndarray, "seed"],
    level: float = 0.95,
) -> Comparison:
    """Mean of ours - theirs, run by run over the same seeds, with Student's t interval and p.

    >>> paired_t([1.0, 2.0, 4.0], [0.5, 1.5, 2.5]).mean.__round__(3)
    0.833
    """
    if len(ours) != len(theirs):
        raise ValueError(f"{len(ours)} runs against {len(theirs)}: pair runs of the same seeds")
    mean, low, high = t_interval(np.asarray(ours, np.float64) - np.asarray(theirs, np.float64), level)
    if low == high:  # all differences equal: t is 0 / 0 or infinite
        return Comparison(mean, low, high, 1.0 if mean == 0.0 else 0.0)
    degrees = len(ours) - 1
    error = (high - mean) / special.stdtrit(degrees, (1 + level) / 2)
    return Comparison(mean, low, high, float(2 * special.stdtr(degrees, -abs(mean) / error)))
