"""The report on response predictions: ranking, calibration, where histories are short or long, all beside baselines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import flax.linen as nn
import jax
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PyTree, Shaped
from scipy import special

from seqjax.data.samples import Samples, target_plan
from seqjax.evaluate.calibration import brier, calibration_error, calibration_floor, reliability
from seqjax.evaluate.evaluation import Evaluation
from seqjax.metrics import roc_auc
from seqjax.objectives.response import (
    ResponseCorpus,
    for_model,
    no_negatives,
    respond,
    response_batch,
    response_corpus,
)

LENGTHS = (0, 1, 5, 10, 20, 50, 100, 200, 500, 1000)
"""Lower ends of the groups of history lengths."""

Predictor = Callable[[Samples], Float[np.ndarray, "sample"]]


class ResponseCases(NamedTuple):
    """Every judged sample: what was said of it, what came, and whose it is."""

    score: Float[np.ndarray, "sample"]  # log-odds, or any score of a baseline
    label: Bool[np.ndarray, "sample"]
    sequence: Int[np.ndarray, "sample"]

    def minus(self, other: ResponseCases, names: Sequence[str] = ("auc",), replicates: int = 1000) -> dict[str, float]:
        """AUC less another model's, with a 95 % bootstrap interval over users.

        Raises ValueError where the two judge different samples.
        """
        del names
        if not np.array_equal(self.label, other.label) or not np.array_equal(self.sequence, other.sequence):
            raise ValueError("the two models were judged on different samples: give both one test and one seed")
        scores = np.stack([self.score, other.score])
        areas = bootstrap_auc(scores, self.label, self.sequence, replicates)
        apart = areas[0] - areas[1]
        return {"auc": float(apart[0])} | _ends(apart[1:])


def response(
    model: nn.Module,
    params: PyTree,
    samples: Samples,
    *,
    train: Samples | None = None,
    baselines: Mapping[str, Predictor] | None = None,
    replicates: int = 1000,
    block: int = 64,
) -> Evaluation:
    """AUC, grouped AUC, log-loss, Brier score and calibration of predicted responses, beside baselines.

    auc is judged on the samples of the first kind of negatives, `auc_kind` of every other; gauc is the mean over users
    with both labels, weighed by their samples. Intervals are bootstrapped over users, differences paired. Without
    `baselines`, as for validation: the plain numbers.
    """
    score = predict(model, params, samples, block=block)
    first = _of_kind(samples, 0)
    cases = ResponseCases(score[first], samples.label[first], samples.sequence[first])
    numbers = _plain(cases) | _by_kind(score, samples)
    if baselines is None:
        return Evaluation(numbers, cases)
    probability = special.expit(cases.score.astype(np.float64))
    numbers |= _interval(cases, replicates) | _by_length(cases, samples.cutoff[first])
    numbers |= {
        "brier_constant": brier(np.full(len(cases.label), cases.label.mean()), cases.label),
        "ece": calibration_error(probability, cases.label),
        "ece_floor": calibration_floor(probability),
        "targets": float(len(cases.label)),
        "sequences": float(len(np.unique(cases.sequence))),
        "positive": float(cases.label.mean()),
    }
    for name, predictor in baselines.items():
        said = np.asarray(predictor(samples), np.float64)
        theirs = cases._replace(score=said[first])
        numbers |= {f"{name}/{key}": value for key, value in _ranked(theirs).items()}
        numbers |= {f"{name}/{key}": value for key, value in _by_kind(said, samples).items()}
        numbers |= {f"{name}/{key}": value for key, value in _interval(theirs, replicates).items()}
        numbers |= {f"minus/{name}/{key}": value for key, value in cases.minus(theirs, (), replicates).items()}
    tables = {"reliability": {k: v.tolist() for k, v in reliability(probability, cases.label)._asdict().items()}}
    return Evaluation(numbers, cases, tables)


def predict(
    model: nn.Module, params: PyTree, samples: Samples, *, lanes: int = 256, block: int = 64
) -> Float[np.ndarray, "sample"]:
    """Log-odds of every sample, from the user's whole life up to its cutoff.

    A life is read once for all its samples; lanes of like lengths are read together, in `block` events at a time. By a
    model that is `whole` it is read for every sample anew, all at once.
    """
    whole = getattr(model, "whole", False)
    most = 1 if whole else int(np.bincount(samples.sequence).max(initial=1))
    plan = target_plan(
        samples,
        lanes=min(lanes, samples.size),
        window=max(int(samples.cutoff.max(initial=0)), 1),
        targets=min(most, 32),
        shuffle=False,
    )
    corpus, said = jax.device_put(response_corpus(samples)), np.zeros(samples.size, np.float32)
    for step in range(plan.steps):
        row = jax.tree.map(lambda leaf, step=step: leaf[step], plan)
        blocks = 1 << (max(-(-int(row.length.max()) // block), 1) - 1).bit_length()  # few shapes, each compiled once
        row = row._replace(place=np.arange(blocks * block, dtype=np.int32))
        logits = np.asarray(_respond(model, params, corpus, row, 0 if whole else block))
        said[row.sample[row.live]] = logits[row.live]
    return said


@partial(jax.jit, static_argnames=("model", "block"))
def _respond(
    model: nn.Module, params: PyTree, corpus: ResponseCorpus, row: PyTree, block: int
) -> Float[Array, "lane moment"]:
    batch = for_model(model, no_negatives(None, response_batch(corpus, row), None))
    logits, _ = respond(partial(model.apply, {"params": params}), model.init_state(), batch, None, block)
    return logits[..., 0]


def grouped_auc(
    score: Float[np.ndarray, "sample"], label: Bool[np.ndarray, "sample"], sequence: Int[np.ndarray, "sample"]
) -> float:
    """Mean AUC of the users that have both labels, weighed by their numbers of samples, Zhu et al. (2017); nan if none.

    >>> grouped_auc(np.array([1.0, 2.0, 9.0]), np.array([False, True, True]), np.array([0, 0, 1]))
    1.0
    """
    _, user = np.unique(sequence, return_inverse=True)
    order = np.lexsort((score, user))
    value, user, took = score[order], user[order], label[order]
    tie = np.cumsum(np.append(False, (np.diff(user) != 0) | (np.diff(value) != 0)))
    won, lost, tied = np.bincount(user, took), np.bincount(user, ~took), np.bincount(tie, ~took)
    below = (np.cumsum(tied) - 0.5 * tied)[tie] - (np.cumsum(lost) - lost)[user]  # negatives of this user, ties half
    both = (won > 0) & (lost > 0)
    area = np.bincount(user, took * below)[both] / (won * lost)[both]
    return float(np.average(area, weights=(won + lost)[both])) if both.any() else float("nan")


def bootstrap_auc(
    scores: Float[np.ndarray, "row sample"],
    label: Bool[np.ndarray, "sample"],
    sequence: Int[np.ndarray, "sample"],
    replicates: int,
    seed: int = 0,
    users: int = 0,
) -> Float[np.ndarray, "row replicate"]:
    """AUC of each row of scores: first of the samples as they are, then of resamples of whole users.

    It is nan where one label is missing. users: resample users 0 .. users - 1, whether they have samples or not, so
    that several calls draw the same ones (0: those that occur).
    """
    user = sequence if users else np.unique(sequence, return_inverse=True)[1]
    random, users = np.random.default_rng(seed), users or int(user.max()) + 1
    rows = []
    for score in scores:
        order = np.argsort(score[~label], kind="stable")
        bounds = (np.searchsorted(score[~label][order], score[label], side) for side in ("left", "right"))
        rows.append((user[~label][order], *bounds))
    out = np.full((len(scores), replicates + 1), np.nan)
    for column in range(replicates + 1):
        drawn = random.integers(users, size=users) if column else np.arange(users)
        weight = np.bincount(drawn, minlength=users)
        won = weight[user[label]]
        if pairs := won.sum() * weight[user[~label]].sum():
            for row, (owner, left, right) in enumerate(rows):
                below = np.concatenate([[0], np.cumsum(weight[owner])])
                out[row, column] = won @ (below[left] + below[right]) / (2 * pairs)  # ties count half
    return out


def _of_kind(samples: Samples, number: int) -> Shaped[np.ndarray, "chosen"]:
    """The positives and the negatives of one kind."""
    if samples.kind is None:
        return np.arange(samples.size)
    return np.flatnonzero((samples.kind == 0) | (samples.kind == number + 1))


def _by_kind(score: Float[np.ndarray, "sample"], samples: Samples) -> dict[str, float]:
    numbers = {}
    for number, kind in enumerate(samples.kinds):
        chosen = _of_kind(samples, number)
        took = samples.label[chosen]
        numbers[f"auc_{kind}"] = roc_auc(score[chosen][took], score[chosen][~took])[0]
    return numbers


def _ranked(cases: ResponseCases) -> dict[str, float]:
    """AUC and grouped AUC, nan if all labels are the same; no grouped AUC where only no user has both."""
    area = roc_auc(cases.score[cases.label], cases.score[~cases.label])[0]
    grouped = grouped_auc(cases.score, cases.label, cases.sequence)
    return {"auc": area} | ({} if np.isnan(grouped) and not np.isnan(area) else {"gauc": grouped})


def _plain(cases: ResponseCases) -> dict[str, float]:
    z = cases.score.astype(np.float64)
    loss = np.logaddexp(0.0, np.where(cases.label, -z, z)).mean()
    return _ranked(cases) | {"log_loss": float(loss), "brier": brier(special.expit(z), cases.label)}


def _interval(cases: ResponseCases, replicates: int) -> dict[str, float]:
    return _ends(bootstrap_auc(cases.score[None], cases.label, cases.sequence, replicates)[0, 1:])


def _ends(areas: Float[np.ndarray, "..."]) -> dict[str, float]:
    """The ends of a 95 % interval, from the resamples that have both labels."""
    areas = areas[np.isfinite(areas)]
    low, high = np.quantile(areas, (0.025, 0.975)) if len(areas) else (np.nan, np.nan)
    return {"auc/low": float(low), "auc/high": float(high)}


def _by_length(cases: ResponseCases, length: Int[np.ndarray, "sample"], least: int = 50) -> dict[str, float]:
    """AUC by the number of events that could be seen, where a group has `least` samples of either label.

    Intervals are the area's 1.96 standard errors, DeLong et al. (1988): samples count as independent.
    """
    numbers, group = {}, np.searchsorted(LENGTHS, length, side="right") - 1
    for number, (low, above) in enumerate(zip(LENGTHS, (*LENGTHS[1:], None), strict=True)):
        here = group == number
        took = cases.label & here, ~cases.label & here
        if min(part.sum() for part in took) >= least:
            area, error = roc_auc(*(cases.score[part] for part in took))
            name = f"{low}+" if above is None else f"{low}" if above == low + 1 else f"{low}-{above - 1}"
            held = {"auc": area, "auc/low": area - 1.96 * error, "auc/high": area + 1.96 * error}
            held["targets"] = float(here.sum())
            numbers |= {f"by_length/{name}/{key}": value for key, value in held.items()}
    return numbers
