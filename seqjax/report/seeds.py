"""A number over seeds, as an estimate that tables show."""

from __future__ import annotations

from collections.abc import Sequence

from seqjax.evaluate.intervals import paired_t, t_interval
from seqjax.report.tables import Estimate


def mean_over(values: Sequence[float | None]) -> Estimate:
    """The mean over seeds of what was recorded, with Student's t interval where there are two or more.

    >>> mean_over([0.5, None]), mean_over([])
    (Estimate(value=0.5, low=None, high=None), Estimate(value=None, low=None, high=None))
    """
    held = [float(value) for value in values if value is not None]
    return Estimate(*t_interval(held)) if len(held) > 1 else Estimate(held[0] if held else None)


def paired_over(ours: Sequence[float | None], theirs: Sequence[float | None]) -> Estimate:
    """The mean of ours - theirs, paired by seed, as `mean_over`; nothing where one of them was not recorded."""
    if None in (*ours, *theirs) or not ours:
        return Estimate(None)
    return Estimate(*paired_t(ours, theirs)[:3]) if len(ours) > 1 else Estimate(ours[0] - theirs[0])
