"""Two sets of series side by side, whoever made them: distances, copies, and what figures show of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Num

from seqjax.baselines.markov import markov_process
from seqjax.data.events import EventLog, take
from seqjax.data.process import true_log_prob
from seqjax.data.windows import asked
from seqjax.evaluate.calibration import wilson
from seqjax.evaluate.evaluation import Evaluation
from seqjax.evaluate.fidelity import distances, runs
from seqjax.evaluate.intervals import t_interval
from seqjax.evaluate.memorisation import copies, nearest
from seqjax.metrics import roc_auc

Tables = dict[str, dict[str, list[Any]]]
SHOWN = 60  # most actions or pairs that a figure shows
SMALL = 400  # largest alphabet whose pairs are counted for the figure


def compare_series(
    real: EventLog,
    synthetic: EventLog,
    *,
    train: EventLog | None = None,
    given: int = 0,
    longest: int = 200,
    permutations: int = 499,
    seed: int = 0,
) -> Evaluation:
    """What can be said of two sets of series without knowing how either was made.

    `jsd/name`, its `floor/name` and `p/name` for every distribution of `fidelity.features`; mean lengths; the share of
    pairs that the reference never has (`unseen/`), of copies of its series (`copies/`), and the edit distance to its
    nearest series (`nearest/`), each for both sets; and how well a classifier tells the sets apart
    (`two_sample_auc`, .5 for the same law). The reference is `train`; without it the real series, each judged by the
    others. Raises ValueError for fewer than two series of a set, and for what `distances` refuses.
    """
    if min(real.sequences, synthetic.sequences) < 2:
        sizes = f"{real.sequences} real and {synthetic.sequences} synthetic series"
        raise ValueError(f"{sizes}: compare two or more of each")
    if given < 0:
        raise ValueError(f"given={given}: choose 0 or more")
    apart = distances(real, synthetic, more=train, given=given, longest=longest, permutations=permutations, seed=seed)
    numbers = {f"{kind}/{name}": getattr(d, kind) for name, d in apart.items() for kind in ("jsd", "floor", "p")}
    for kind, log in (("real", real), ("synthetic", synthetic)):
        numbers |= _mean(f"mean_length/{kind}", log.lengths)
    numbers |= _unseen(real, synthetic, train) | _copied(real, synthetic, train, seed)
    numbers |= _told_apart(real, synthetic, seed) | {
        "sequences/real": float(real.sequences),
        "sequences/synthetic": float(synthetic.sequences),
    }
    return Evaluation(numbers, None, _tables(real, synthetic, given, longest, seed))


def _mean(name: str, values: Num[np.ndarray, "..."]) -> dict[str, float]:
    """A mean with its interval; nothing of fewer than two values."""
    if len(values) < 2:
        return {}
    mean, low, high = t_interval(values)
    return {name: mean, f"{name}/low": low, f"{name}/high": high}


def _unseen(real: EventLog, synthetic: EventLog, train: EventLog | None) -> dict[str, float]:
    """Share of pairs of neighbouring symbols, begin and end among them, that no reference series has.

    Without `train`, the real share is Good's (1953) estimate: pairs that one series alone has.
    """

    def pairs(log: EventLog) -> np.ndarray:
        row = asked(log)[0].astype(np.int64)
        return row[:-1] * (len(log.vocabulary["item"]) + 2) + row[1:]

    known = np.unique(pairs(real if train is None else train))
    unseen = {"unseen/synthetic": float(np.mean(~np.isin(pairs(synthetic), known)))}
    if train is not None:
        return unseen | {"unseen/real": float(np.mean(~np.isin(pairs(real), known)))}
    both = np.unique(np.column_stack([pairs(real), asked(real)[1]]), axis=0)[:, 0]
    kinds, owners = np.unique(both, return_counts=True)
    return unseen | {"unseen/real": float(np.mean(np.isin(pairs(real), kinds[owners == 1])))}


def _copied(real: EventLog, synthetic: EventLog, train: EventLog | None, seed: int) -> dict[str, float]:
    """Copies of reference series and edit distances to the nearest; without `train` of one half of the real ones."""
    judged, reference = (real, train) if train is not None else _halves(real, seed)
    numbers = {}
    for kind, log in (("synthetic", synthetic), ("real", judged)):
        numbers |= {f"copies/{kind}": float(copies(log, reference).mean())}
        numbers |= _mean(f"nearest/{kind}", nearest(log, reference, seed))
    return numbers


def _told_apart(real: EventLog, synthetic: EventLog, seed: int) -> dict[str, float]:
    """AUC of a likelihood-ratio classifier: Markov chains of one half of each set judge the other halves.

    Of order 2, or 1 where the alphabet is large.
    """
    order = 2 if len(real.vocabulary["item"]) < SMALL else 1
    (learn_real, judge_real), (learn_made, judge_made) = (_halves(log, seed) for log in (real, synthetic))
    chains = [markov_process(log, order) for log in (learn_real, learn_made)]
    ratios = [true_log_prob(chains[0], log) - true_log_prob(chains[1], log) for log in (judge_real, judge_made)]
    area, error = roc_auc(*ratios)
    return {
        "two_sample_auc": area,
        "two_sample_auc/low": area - 1.96 * error,
        "two_sample_auc/high": area + 1.96 * error,
    }


def _halves(log: EventLog, seed: int) -> tuple[EventLog, EventLog]:
    order = np.random.default_rng(seed).permutation(log.sequences)
    return take(log, order[: log.sequences // 2]), take(log, order[log.sequences // 2 :])


def _tables(real: EventLog, synthetic: EventLog, given: int, longest: int, seed: int) -> Tables:
    """What the figures show of both sets."""
    kinds = {"real": real, "synthetic": synthetic}
    words = [*map(str, real.vocabulary["item"]), "end"]
    symbol = {kind: asked(log)[0][1:] - 1 for kind, log in kinds.items()}
    count = sum(np.bincount(column, minlength=len(words)) for column in symbol.values())
    most = np.sort(np.argsort(-count, kind="stable")[:SHOWN])
    found = {
        "length": _shares({kind: np.minimum(log.lengths, longest) for kind, log in kinds.items()}),
        "action": _shares(symbol, most.tolist(), [words[one] for one in most]),
        "run": _shares({kind: np.minimum(runs(log)[1], longest) for kind, log in kinds.items()}),
        "hazard": _hazard(kinds, given),
        "transform": _transform(real, synthetic, seed),
    }
    return found | ({"bigram": _pairs(kinds, words, given)} if len(words) < SMALL else {})


def _pairs(kinds: Mapping[str, EventLog], words: Sequence[str], given: int) -> dict[str, list[Any]]:
    """The shares of the most frequent pairs of neighbouring symbols, in the order of the alphabet."""
    size, pair = len(words) + 1, {}
    for kind, log in kinds.items():
        row, _, place = asked(log)
        there = np.flatnonzero(place >= (1 if given else 0))
        before = np.where(place[there] == 0, 0, row[there])  # the begin stands first
        pair[kind] = before.astype(np.int64) * size + row[there + 1]
    count = sum(np.bincount(column, minlength=size * size) for column in pair.values())
    most = np.sort(np.argsort(-count, kind="stable")[: min(SHOWN, np.count_nonzero(count))])
    named = ("begin", *words)
    return _shares(pair, most.tolist(), [f"{named[one // size]} {named[one % size]}" for one in most])


def _shares(
    values: Mapping[str, Num[np.ndarray, "row"]], kinds: Sequence[int] | None = None, names: Sequence[str] | None = None
) -> dict[str, list[Any]]:
    """The share of every kind in both sets."""
    kinds = np.unique(np.concatenate(list(values.values()))) if kinds is None else np.asarray(kinds)
    shares = {}
    for name, column in values.items():
        known, count = (part.tolist() for part in np.unique(column, return_counts=True))
        held = dict(zip(known, count, strict=True))
        shares[name] = [held.get(kind, 0) / max(len(column), 1) for kind in kinds.tolist()]
    return {"value": list(names) if names else kinds.tolist(), **shares}


def _hazard(kinds: Mapping[str, EventLog], given: int, least: int = 30) -> dict[str, list[Any]]:
    """P(end | so many actions) by the number of actions, with Wilson's interval, while `least` series have as many."""
    most = max(int(log.lengths.max()) for log in kinds.values())
    steps = np.arange(given, most + 1)
    held: dict[str, Any] = {}
    enough = np.ones(len(steps), bool)
    for kind, log in kinds.items():
        there = log.sequences - np.searchsorted(np.sort(log.lengths), steps, side="left")
        ended = np.bincount(log.lengths, minlength=most + 1)[steps]
        held[kind], (held[f"{kind}/low"], held[f"{kind}/high"]) = ended / np.maximum(there, 1), wilson(ended, there)
        enough &= there >= least
    enough = np.cumprod(enough).astype(bool)
    return {"actions": steps[enough].tolist(), **{name: column[enough].tolist() for name, column in held.items()}}


def _transform(real: EventLog, synthetic: EventLog, seed: int, bins: int = 20) -> dict[str, list[Any]]:
    """Probability integral transform of real lengths under the synthetic ones, drawn within ties: flat if they match.

    Czado et al. (2009). With the interval that a flat histogram's bars have.
    """
    made = np.sort(synthetic.lengths)
    below, upto = (np.searchsorted(made, real.lengths, side) / len(made) for side in ("left", "right"))
    value = below + np.random.default_rng(seed).random(len(below)) * (upto - below)
    count = np.histogram(value, bins, (0.0, 1.0))[0]
    low, high = wilson(np.array([real.sequences / bins]), np.array([real.sequences]))
    return {
        "value": ((np.arange(bins) + 0.5) / bins).tolist(),
        "share": (count / real.sequences).tolist(),
        "flat": [1.0 / bins, float(low[0]), float(high[0])],
    }
