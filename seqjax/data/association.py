"""How much a feature tells of a class: scores of all features at once, and the best of them.

A score is a function of `counts` (features by class: column 0 the negative, 1 the positive) and of the `totals` of both
classes, either of profiles or of tokens. Choose features by the training part alone: what is judged must not choose.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Shaped
from scipy import special

from seqjax.data.events import DataError
from seqjax.data.features import FeatureCounts

Counts = Int[np.ndarray, "word 2"]
Totals = Int[np.ndarray, "2"]
Score = Float[np.ndarray, "word"]
Method = Callable[[Counts, Totals], Score]

RATES = (0.0005, 0.9995)  # Forman (2003), section 2.2: keeps the normal quantiles finite
NORMAL = special.ndtri(0.975)  # half the width of a 95 % interval, in standard deviations


class Selected(NamedTuple):
    """Features in the order of their score, the best first."""

    index: Int[np.ndarray, "k"]  # place among the features that were given
    words: Shaped[np.ndarray, "k"]
    score: Float[np.ndarray, "k"]
    probability: Float[np.ndarray, "k"]  # P(positive | feature); nan where the feature never occurs
    count: Int[np.ndarray, "k"]
    low: Float[np.ndarray, "k"]  # Wilson's 95 % interval of the probability
    high: Float[np.ndarray, "k"]


def exact(counts: Counts, totals: Totals) -> Score:
    """Mutual information of the presence of a feature and the class, in nats: all four cells, 0 log 0 = 0.

    Raises DataError for a count above the total of its class.

    >>> exact(np.array([[200, 600], [800, 400], [300, 300]]), np.array([1000, 1000])).round(8).tolist()
    [0.08630462, 0.08630462, 0.0]
    """
    observed, expected, above = _cells(counts, totals)
    ratio = np.maximum(_divide(above, expected), -1.0)
    cells = special.xlog1py(observed, ratio) - above  # what is above sums to 0; without it no cell is below 0
    sides = np.maximum(cells, 0.0).sum(1)  # classes first, so that neither swap changes a bit
    return (sides[:, 0] + sides[:, 1]) / totals.sum()


def present_only(counts: Counts, totals: Totals) -> Score:
    """The two cells of the mutual information in which the feature is present, in nats.

    >>> present_only(np.array([[200, 600], [800, 400]]), np.array([1000, 1000])).round(8).tolist()
    [0.05232481, 0.03397981]
    """
    return article(counts, totals, floor=0.0)


def article(counts: Counts, totals: Totals, *, floor: float = 0.001) -> Score:
    """The two present cells as an article on the gender of profiles computes them, in nats; it ranks by frequency.

    Inside the logarithm a joint probability is at least `floor`. Where both lie below, which is so of all but the most
    frequent features, the score is p log(floor / p), whatever the class.

    >>> article(np.array([[1, 1], [0, 2]]), np.array([1000, 1000])).round(8).tolist()
    [0.00069315, 0.00069315]
    """
    joint = counts / totals.sum()
    share, either = totals / totals.sum(), joint.sum(1, keepdims=True)
    cells = special.xlogy(joint, _divide(np.maximum(joint, floor), share * either))
    return cells[:, 0] + cells[:, 1]


def chi_square(counts: Counts, totals: Totals) -> Score:
    """Pearson's statistic of the table of presence by class, with the absent cells, without continuity correction.

    Raises DataError for a count above the total of its class.

    >>> chi_square(np.array([[200, 600], [800, 400]]), np.array([1000, 1000])).round(3).tolist()
    [333.333, 333.333]
    """
    _, expected, above = _cells(counts, totals)
    sides = _divide(above**2, expected).sum(1)
    return sides[:, 0] + sides[:, 1]


def pmi(counts: Counts, totals: Totals) -> Score:
    """Pointwise mutual information log P(positive | feature) / P(positive), in nats; below 0 where it is rarer.

    Church and Hanks (1990). Differs: a feature never seen with the positive class has half a count of it, so that the
    score stays finite and grows with the evidence.

    >>> pmi(np.array([[200, 600], [800, 400], [1, 0]]), np.array([1000, 1000])).round(4).tolist()
    [0.4055, -0.4055, 0.0]
    """
    count, share = counts.sum(1), totals[1] / totals.sum()
    odds = _divide(np.maximum(counts[:, 1], 0.5), count * share)
    return np.log(np.where(count > 0, odds, 1.0))


def normalised_pmi(counts: Counts, totals: Totals) -> Score:
    """Pointwise mutual information over -log P(feature, positive): 1 where they come only together, 0 independent.

    Bouma (2009), section 3. Differs: half a count for none, as in `pmi`, where the limit would be -1.

    >>> normalised_pmi(np.array([[0, 1000], [300, 300]]), np.array([1000, 1000])).round(4).tolist()
    [1.0, 0.0]
    """
    return pmi(counts, totals) / -np.log(np.maximum(counts[:, 1], 0.5) / totals.sum())


def log_odds(counts: Counts, totals: Totals, *, prior: float = 1.0) -> Score:
    """z-score of the log-odds ratio, positive over negative, under a Dirichlet prior of the pooled counts.

    Monroe et al. (2008), eq. 15 to 22; the variance keeps the terms of the odds' denominators, which presence of
    common features needs. prior: how often the pooled counts are added to either class, above 0. Raises DataError for
    a count above the total of its class.

    >>> log_odds(np.array([[200, 600], [600, 200], [300, 300]]), np.array([1000, 1000])).round(2).tolist()
    [10.5, -10.5, 0.0]
    """
    observed, _, _ = _cells(counts, totals)
    posterior = observed + prior * observed.sum(2, keepdims=True)
    there = (observed.sum(2) > 0).all(1)  # neither nowhere nor everywhere
    posterior = np.where(there[:, None, None], posterior, 1.0)
    odds = np.log(posterior[:, 0]) - np.log(posterior[:, 1])
    return (odds[:, 1] - odds[:, 0]) / np.sqrt((1.0 / posterior).sum((1, 2)))


def bi_normal(counts: Counts, totals: Totals) -> Score:
    """Bi-normal separation |F⁻¹(P(feature | positive)) - F⁻¹(P(feature | negative))|, F the normal distribution.

    Forman (2003), section 2.2; rates are kept within `RATES`. Raises DataError for a count above its class's total.

    >>> bi_normal(np.array([[500, 841], [300, 300]]), np.array([1000, 1000])).round(2).tolist()
    [1.0, 0.0]
    """
    _refuse_excess(counts, totals)
    normal = special.ndtri(np.clip(counts / totals, *RATES))
    return np.abs(normal[:, 1] - normal[:, 0])


def conditional(counts: Counts, totals: Totals, *, least: int = 10) -> Score:
    """The larger P(class | feature); -inf for features that count less than `least` in all.

    >>> conditional(np.array([[2, 18], [0, 2]]), np.array([1000, 1000])).tolist()
    [0.9, -inf]
    """
    return _frequent(_share(counts.max(1), counts), counts, least)


def frequency(counts: Counts, totals: Totals) -> Score:
    """The share of profiles, or of tokens, that a feature has; the class plays no part."""
    return counts.sum(1) / totals.sum()


def bits(score: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Nats as bits.

    >>> round(float(bits(np.log(np.array([8.0])))[0]), 9)
    3.0
    """
    return score / np.log(2.0)


def select(features: FeatureCounts, k: int, method: Method = exact) -> Selected:
    """The `k` features of the highest score, ties by count, the larger first, then by word; all where k is more.

    The scores that have a sign, `pmi`, `normalised_pmi` and `log_odds`, rank by size and keep it in the table. Features
    scored -inf are left out. Raises DataError for k below 1, no features, a class without profiles, a count above its
    class's total, and where all are left out.

    >>> features = FeatureCounts(np.array(["a", "b"]), np.array([[5, 5], [9, 1]]), np.array([10, 10]))
    >>> select(features, 1).words.tolist()
    ['b']
    """
    _refuse(features, k)
    return _best(features, k, method(features.counts, features.totals))


def top(features: FeatureCounts, count: int, positive: bool, least: int = 10) -> Selected:
    """The `count` features of the highest P(positive | feature), or P(negative | feature), of `least` counts or more.

    Raises DataError as `select`.

    >>> features = FeatureCounts(np.array(["a", "b"]), np.array([[5, 5], [9, 1]]), np.array([10, 10]))
    >>> top(features, 1, positive=False).score.tolist()
    [0.9]
    """
    _refuse(features, count)
    share = _share(features.counts[:, int(positive)], features.counts)
    return _best(features, count, _frequent(share, features.counts, least))


def _best(features: FeatureCounts, k: int, score: Score) -> Selected:
    """The k features of the largest score in size, as a table."""
    size, total = np.where(score > -np.inf, np.abs(score), -np.inf), features.counts.sum(1)
    bar = np.partition(size, -k)[-k] if k < len(size) else -np.inf
    near = np.flatnonzero((size >= bar) & (size > -np.inf))  # the rest need no sorting
    if not len(near):
        raise DataError(f"none of {len(size)} features counts enough to be scored: ask for fewer counts (`least`)")
    best = near[np.lexsort((features.words[near], -total[near], -size[near]))][:k]
    counts = features.counts[best]
    probability = np.where(total[best] > 0, _share(counts[:, 1], counts), np.nan)
    return Selected(best, features.words[best], score[best], probability, total[best], *_wilson(counts))


def _wilson(counts: Counts) -> tuple[Score, Score]:
    """Interval of P(positive | feature), Wilson (1927), eq. 6; (0, 1) for a feature that never occurs."""
    trials = counts.sum(1) + NORMAL**2
    centre = (counts[:, 1] + NORMAL**2 / 2.0) / trials
    spread = _share(counts[:, 1], counts) * counts[:, 0] + NORMAL**2 / 4.0
    reach = NORMAL * np.sqrt(spread) / trials
    return np.maximum(centre - reach, 0.0), np.minimum(centre + reach, 1.0)


def _cells(counts: Counts, totals: Totals) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Observed counts by feature, presence and class, those expected of independence, and how far above they are."""
    _refuse_excess(counts, totals)
    observed = np.stack([counts, totals - counts], 1).astype(np.float64)
    total = totals.sum().astype(np.float64)
    expected = observed.sum(2, keepdims=True) * (totals / total)
    above = (observed[:, 0, 1] * totals[0] - observed[:, 0, 0] * totals[1]) / total  # 0 to the bit if independent
    return observed, expected, above[:, None, None] * np.array([[-1.0, 1.0], [1.0, -1.0]])


def _share(part: Shaped[np.ndarray, "word"], counts: Counts) -> Score:
    """A part of each feature's count, over that count; 0 for a feature that never occurs."""
    return part / np.maximum(counts.sum(1), 1)


def _frequent(score: Score, counts: Counts, least: int) -> Score:
    """The score, -inf for features that count less."""
    return np.where(counts.sum(1) >= least, score, -np.inf)


def _divide(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """The quotient, 0 over 0 being 0."""
    return np.divide(part, whole, out=np.zeros(np.broadcast_shapes(part.shape, whole.shape)), where=whole > 0)


def _refuse(features: FeatureCounts, k: int) -> None:
    """Raises DataError for features that nothing can be chosen from."""
    if k < 1:
        raise DataError(f"{k} features are asked for: ask for 1 or more")
    if not len(features.words):
        raise DataError("there are no features: count tokens that occur, or drop fewer of the rare")
    if min(features.totals) < 1:
        lacking, negative, positive = ("negative", "positive")[int(features.totals[0] > 0)], *features.totals.tolist()
        raise DataError(f"{negative} negatives and {positive} positives: the {lacking} class needs profiles, too")
    _refuse_excess(features.counts, features.totals, features.words)


def _refuse_excess(counts: Counts, totals: Totals, words: Shaped[np.ndarray, "word"] | None = None) -> None:
    """Raises DataError for a feature that more of a class have than there are."""
    if (excess := counts > totals).any():
        row, side = (int(at[0]) for at in np.nonzero(excess))
        which = f"feature {row}" if words is None else f"feature {str(words[row])!r}"
        raise DataError(
            f"{which} counts {counts[row, side]} in the {('negative', 'positive')[side]} class, whose total is "
            f"{totals[side]}: count presence with totals of profiles, occurrences with totals of tokens"
        )
