"""The report on who will buy: ranking, selection and calibration at 1:1 and at natural prevalence, early and later."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import flax.linen as nn
import numpy as np
from jaxtyping import Bool, Float, PyTree
from scipy import special

from seqjax.data.purchases import BALANCED
from seqjax.data.samples import Samples, asked_first, shift
from seqjax.evaluate.calibration import brier, calibration_error, calibration_floor, platt, reliability
from seqjax.evaluate.drift import tenths
from seqjax.evaluate.evaluation import Evaluation
from seqjax.evaluate.following import followed
from seqjax.evaluate.intervals import bootstrap
from seqjax.evaluate.response import ResponseCases, bootstrap_auc, predict
from seqjax.evaluate.selection import at_threshold, average_precision, best_threshold, cumulative_gain, lift
from seqjax.metrics import roc_auc

REMOVED = (0, 1, 2, 5, 10)
"""Last purchases that are taken away for the earliness curve."""

Predictor = Callable[[Samples], Float[np.ndarray, "sample"]]


class Prior(NamedTuple):
    """What share of samples bought, as log-odds, by id of the category."""

    trained: Float[np.ndarray, "row"]  # among the training samples
    natural: Float[np.ndarray, "row"]  # among all users


def purchase(
    model: nn.Module,
    params: PyTree,
    samples: Samples,
    *,
    train: Samples | None = None,
    validation: Samples | None = None,
    baselines: Mapping[str, Predictor] | None = None,
    replicates: int = 500,
) -> Evaluation:
    """Who will buy: the 1:1 set first, `natural/` everybody, `later/` the same users asked later, all beside baselines.

    auc, average_precision: means over categories. precision, recall, f1 at log-odds 0, and `best_f1` at the threshold
    that is best on validation; log_loss, brier and calibration of probabilities, corrected from the prevalence in
    training to that of the set (Elkan 2001, theorem 2), the natural one as in validation. natural/ece: after Platt's
    scaling of each category on everybody in validation, calibration/category. removed/n/auc: without the last n
    purchases. followed: of the tenth with the highest scores, the share that make more than 10 purchases in more than 3
    categories within 15 days, beside everybody's and that of users of like activity. Without `baselines`, as for
    validation: auc, average_precision and log_loss of the 1:1 set. Samples without kinds or moments are one set.
    """
    prior = priors(train, validation)
    if baselines is None:
        score, use = predict(model, params, samples), _main(samples)
        loss = _loss(_at(score, samples, prior.trained)[use], samples.label[use])
        return Evaluation(_ranked(score, samples, use) | {"log_loss": loss})
    ours = judgement(partial(predict, model, params), samples, validation, prior)
    main, single = np.flatnonzero(_main(samples)), len(np.unique(samples.target["item"])) == 1
    cases = ResponseCases(_at(ours.score, samples, prior.trained)[main], samples.label[main], samples.sequence[main])
    numbers = ours.numbers | followed(ours.score, samples)
    numbers |= {f"calibration/{key}": value for key, value in ours.scaling.items()}
    early = zip(REMOVED, ours.curves["earliness"], strict=False)
    numbers |= {f"removed/{n}/auc": area for n, area in early}
    every = {"model": ours}
    for name, predictor in baselines.items():
        every[name] = theirs = judgement(predictor, samples, validation, prior)
        numbers |= {f"{name}/{key}": value for key, value in theirs.numbers.items()}
        if single:
            apart = cases.minus(cases._replace(score=theirs.score[main]), (), replicates)
            numbers |= {f"minus/{name}/{key}": value for key, value in apart.items()}
    tables = {kind: {name: one.curves[kind] for name, one in every.items()} for kind in ours.curves}
    tables["tenths"] = ours.tenths
    bins = reliability(special.expit(cases.score), cases.label)
    return Evaluation(numbers, cases, tables | {"reliability": {k: v.tolist() for k, v in bins._asdict().items()}})


class Judgement(NamedTuple):
    """What a predictor said of every sample, and what that was worth."""

    score: Float[np.ndarray, "sample"]
    numbers: dict[str, float]
    scaling: dict[str, float]
    curves: dict[str, list[float]]  # gain and lift among everybody, earliness
    tenths: dict[str, Mapping[str, list[float] | int]]  # of everybody in validation, by category


def judgement(predictor: Predictor, samples: Samples, validation: Samples | None, prior: Prior) -> Judgement:
    """Judges a predictor, its threshold and scaling chosen on validation."""
    score = np.asarray(predictor(samples), np.float64)
    held = None if validation is None else np.asarray(predictor(validation), np.float64)
    scaling, everybody = scalings(held, validation), asked_first(samples)
    numbers = judged(score, samples, prior, _threshold(held, validation, prior)) | scaled(score, samples, scaling)
    curves = {"gain": cumulative_gain(score[everybody], samples.label[everybody]).tolist()}
    curves["lift"] = lift(score[everybody], samples.label[everybody]).tolist()
    curves["earliness"] = earliness(predictor, samples)
    return Judgement(score, numbers, scaling, curves, references(held, validation, scaling))


def scalings(score: Float[np.ndarray, "sample"] | None, validation: Samples | None) -> dict[str, float]:
    """`<category>/scale` and `/shift` of Platt's sigmoid, fitted on everybody in validation; {} without one.

    Of categories that all or none of them buy there is none.
    """
    if validation is None:
        return {}
    part, numbers = np.flatnonzero(asked_first(validation)), {}
    validation, score = validation.take(part), score[part]
    for item in np.unique(validation.target["item"]):
        here = validation.target["item"] == item
        took = validation.label[here]
        if took.any() and not took.all() and np.isfinite(score[here]).all():
            word, held = validation.vocabulary["item"][item - 1], platt(score[here], took).keywords
            numbers |= {f"{word}/{key}": float(value) for key, value in held.items()}
    return numbers


def references(
    score: Float[np.ndarray, "sample"] | None, validation: Samples | None, scaling: Mapping[str, float]
) -> dict[str, Mapping[str, list[float] | int]]:
    """The `tenths` of everybody's calibrated probabilities in validation, by category that has a scaling."""
    if validation is None:
        return {}
    found, everybody = {}, asked_first(validation)
    for number, word in enumerate(validation.vocabulary["item"].tolist(), start=1):
        if f"{word}/scale" in scaling:
            z = score[everybody & (validation.target["item"] == number)]
            held = tenths(special.expit(scaling[f"{word}/scale"] * z + scaling[f"{word}/shift"]))
            found[word] = {"edges": held.edges.tolist(), "below": held.below.tolist(), "users": held.users}
    return found


def scaled(score: np.ndarray, samples: Samples, scaling: Mapping[str, float]) -> dict[str, float]:
    """Calibration of everybody's probabilities after `scalings`, of the categories that have one."""
    words = samples.vocabulary["item"].tolist()
    pairs = [(scaling.get(f"{word}/scale", np.nan), scaling.get(f"{word}/shift", np.nan)) for word in words]
    scale, shifted = np.array(pairs).T[:, samples.target["item"] - 1]
    use = asked_first(samples) & np.isfinite(scale)
    if not use.any():
        return {}
    probability, label = special.expit(scale * score + shifted)[use], samples.label[use]
    return {
        "natural/ece": calibration_error(probability, label),
        "natural/ece_floor": calibration_floor(probability),
    }


def priors(train: Samples | None, validation: Samples | None) -> Prior:
    """Log-odds of the label by category; 0 for a category of which nothing is known."""

    def of(samples: Samples | None) -> Float[np.ndarray, "row"]:
        if samples is None:
            return np.zeros(0)
        rows = len(samples.vocabulary["item"]) + 1
        asked, took = (np.bincount(samples.target["item"], weight, rows) for weight in (None, samples.label))
        share = np.where((took > 0) & (took < asked), took / np.maximum(asked, 1), 0.5)
        return special.logit(share)

    trained = of(train)
    natural = of(validation)
    return Prior(trained, natural if len(natural) else np.zeros_like(trained))


def judged(score: Float[np.ndarray, "sample"], samples: Samples, prior: Prior, threshold: float) -> dict[str, float]:
    """The numbers of one score: the 1:1 set, everybody, and later."""
    main, everybody = _main(samples), asked_first(samples)
    selected = _at(score, samples, prior.trained) > 0.0
    later = ~everybody & _balanced(samples)
    numbers = _ranked(score, samples, main) | _selected(score, samples, prior, threshold, main)
    numbers |= _intervals(score, selected, samples, main)
    numbers |= {f"natural/{key}": value for key, value in _ranked(score, samples, everybody).items()}
    natural = _at(score, samples, prior.trained) + _odds(prior.natural, samples)
    numbers["natural/log_loss"] = _loss(natural[everybody], samples.label[everybody])
    numbers["natural/positive"] = float(samples.label[everybody].mean())
    picked = at_threshold(natural[everybody], samples.label[everybody], 0.0)
    numbers |= {"natural/precision": picked.precision, "natural/recall": picked.recall, "natural/f1": picked.f1}
    if later.any():
        numbers |= {f"later/{key}": value for key, value in _ranked(score, samples, later).items()}
    for item in np.unique(samples.target["item"]):
        here = everybody & (samples.target["item"] == item)
        if (here & samples.label).any() and (here & ~samples.label).any():
            word = samples.vocabulary["item"][item - 1]
            numbers[f"by_category/{word}/auc"] = roc_auc(score[here & samples.label], score[here & ~samples.label])[0]
    return numbers


def _intervals(
    score: np.ndarray,
    selected: Bool[np.ndarray, "sample"],
    samples: Samples,
    use: Bool[np.ndarray, "sample"],
    replicates: int = 300,
) -> dict[str, float]:
    """95 % bootstrap intervals over users of AUC, precision and recall, all from the same resamples."""
    every, user = np.unique(samples.sequence[use], return_inverse=True)
    score, selected, label, item = (part[use] for part in (score, selected, samples.label, samples.target["item"]))
    areas = [
        bootstrap_auc(score[None, here], label[here], user[here], replicates, users=len(every))[0, 1:]
        for here in (item == one for one in np.unique(item))
        if label[here].any() and not label[here].all()
    ]
    numbers = {}
    if areas:
        low, high = np.nanquantile(np.nanmean(areas, axis=0), (0.025, 0.975))
        numbers = {"auc/low": float(low), "auc/high": float(high)}
    for name, of in (("precision", selected), ("recall", label)):
        hits, all_of = (np.bincount(user, part, len(every)) for part in (selected & label, of))
        if all_of.any():
            low, high = bootstrap(hits, np.maximum(all_of, 1e-9), replicates)
            numbers |= {f"{name}/low": float(low), f"{name}/high": float(high)}
    return numbers


def _balanced(samples: Samples) -> Bool[np.ndarray, "sample"]:
    """Marks the 1:1 sets of all moments; all samples where there are no kinds."""
    return np.ones(samples.size, bool) if samples.kind is None else samples.kind == BALANCED


def _main(samples: Samples) -> Bool[np.ndarray, "sample"]:
    """Marks the 1:1 set at the first moment; all samples of a set that is not divided so."""
    return _balanced(samples) & asked_first(samples)


def _odds(prior: Float[np.ndarray, "row"], samples: Samples) -> Float[np.ndarray, "sample"]:
    """The log-odds that are known of each sample's category; 0 where nothing is known of any."""
    return prior[samples.target["item"]] if len(prior) else np.zeros(samples.size)


def _at(score: np.ndarray, samples: Samples, prior: Float[np.ndarray, "row"]) -> Float[np.ndarray, "sample"]:
    """Log-odds at 1:1, from log-odds at a prevalence by category."""
    return score - _odds(prior, samples)


def _ranked(score: np.ndarray, samples: Samples, use: Bool[np.ndarray, "sample"]) -> dict[str, float]:
    """ROC-AUC and average precision, means over the categories that have both labels."""
    areas, precisions = [], []
    for item in np.unique(samples.target["item"][use]):
        here = use & (samples.target["item"] == item)
        took = samples.label[here]
        if took.any() and not took.all():
            areas.append(roc_auc(score[here][took], score[here][~took])[0])
            precisions.append(average_precision(score[here], took))
    if not areas:
        return {"auc": float("nan"), "average_precision": float("nan")}
    return {"auc": float(np.mean(areas)), "average_precision": float(np.mean(precisions))}


def _selected(
    score: np.ndarray, samples: Samples, prior: Prior, threshold: float, use: Bool[np.ndarray, "sample"]
) -> dict[str, float]:
    z, label = _at(score, samples, prior.trained)[use], samples.label[use]
    half, best = at_threshold(z, label, 0.0), at_threshold(z, label, threshold)
    probability = special.expit(z)
    return {
        "precision": half.precision,
        "recall": half.recall,
        "f1": half.f1,
        "best_f1": best.f1,
        "best_f1/threshold": float(special.expit(threshold)),
        "log_loss": _loss(z, label),
        "brier": brier(probability, label),
        "ece": calibration_error(probability, label),
        "ece_floor": calibration_floor(probability),
    }


def _loss(z: np.ndarray, label: Bool[np.ndarray, "sample"]) -> float:
    return float(np.logaddexp(0.0, np.where(label, -z, z)).mean()) if len(z) else float("nan")


def _threshold(score: np.ndarray | None, validation: Samples | None, prior: Prior) -> float:
    """The log-odds at 1:1 with the best F1 on the 1:1 set of validation; 0 without one."""
    if validation is None:
        return 0.0
    use = _main(validation)
    return best_threshold(_at(score, validation, prior.trained)[use], validation.label[use])


def earliness(predictor: Predictor, samples: Samples) -> list[float]:
    """AUC of the 1:1 set without the last 0, 1, 2, 5, 10 purchases of every user.

    Nothing where targets have features of their own, which would still tell of what is removed.
    """
    if samples.target.keys() - {"item", "user"}:
        return []
    part = samples.take(np.flatnonzero(_main(samples)))
    every = np.ones(part.size, bool)
    parts = (shift(part, removed) for removed in REMOVED)
    return [_ranked(np.asarray(predictor(early)), part, every)["auc"] for early in parts]
