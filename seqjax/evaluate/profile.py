"""The report on classes of profiles: accuracy, ranking, calibration, whom to leave undecided, and shares of groups."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import flax.linen as nn
import numpy as np
from jaxtyping import Bool, Float, Int, PyTree
from scipy import special

from seqjax.data.association import select, top
from seqjax.data.features import counted_log
from seqjax.data.layers import HiddenUnit, hidden_summary, strongest
from seqjax.data.samples import Samples
from seqjax.evaluate.abstention import accuracy_coverage
from seqjax.evaluate.audience import Share, adjusted_count, calibrated_sum, counted_share, rates
from seqjax.evaluate.calibration import brier, calibration_error, calibration_floor, platt, reliability, wilson
from seqjax.evaluate.evaluation import Evaluation
from seqjax.evaluate.response import ResponseCases, predict
from seqjax.metrics import roc_auc
from seqjax.models.profile_net import ProfileNet, layers_of
from seqjax.nn.activation import logistic
from seqjax.nn.bag import POWER

Predictor = Callable[[Samples], Float[np.ndarray, "profile"]]

LISTED, TYPICAL = 20, 10
"""Features in a table, and profiles that have a feature that is typical; fewer where no feature has so many."""


class ProfileCases(NamedTuple):
    """Every judged profile: what was said of it, and what it is."""

    score: Float[np.ndarray, "profile"]  # log-odds of the positive class
    label: Bool[np.ndarray, "profile"]
    sequence: Int[np.ndarray, "profile"]

    def minus(self, other: ProfileCases, names: Sequence[str] = (), replicates: int = 1000) -> dict[str, float]:
        """Accuracy and AUC less another model's, paired by profile, with 95 % intervals.

        Raises ValueError where the two judge different profiles.
        """
        apart = ResponseCases(*self).minus(ResponseCases(*other), names, replicates)
        gain = (decided(self.score) == self.label).astype(float) - (decided(other.score) == self.label)
        reach = 1.96 * gain.std(ddof=1) / np.sqrt(len(gain)) if len(gain) > 1 else float("nan")
        mean = float(gain.mean())
        return apart | {"accuracy": mean, "accuracy/low": mean - reach, "accuracy/high": mean + reach}


def decided(score: Float[np.ndarray, "profile"]) -> Bool[np.ndarray, "profile"]:
    """Log-odds above 0."""
    return score > 0.0


def profile(
    model: nn.Module,
    params: PyTree,
    samples: Samples,
    *,
    train: Samples | None = None,
    validation: Samples | None = None,
    baselines: Mapping[str, Predictor] | None = None,
    replicates: int = 500,
) -> Evaluation:
    """Accuracy, AUC, log-loss and calibration beside baselines; accuracy and shares by class, and by every other key.

    majority: accuracy of always saying training's larger class. coverage: mean number of known features of a profile;
    empty: share of profiles without one, of which nothing is known but how common the classes are in training.
    share/true, /counted, /adjusted, /calibrated: the share of the positive class in the judged profiles as it is, as
    the classifier counts it, and as corrected by its errors on validation; calibration/: Platt's sigmoid on validation;
    neither where validation has one class only. Without `baselines`, as for validation: the plain numbers.
    """
    score = predict(model, params, samples)
    cases = ProfileCases(score, samples.label, samples.sequence)
    if baselines is None:
        return Evaluation(plain(score, samples.label), cases)
    numbers = judged(cases, replicates) | groups(score, samples)
    numbers |= {"coverage": float(samples.cutoff.mean()), "empty": float((samples.cutoff == 0).mean())}
    if train is not None:
        numbers["majority"] = float((samples.label == (train.label.mean() > 0.5)).mean())
    if validation is not None and len(np.unique(validation.label)) == 2:
        held = predict(model, params, validation)
        numbers |= shares(score, samples.label, held, validation.label)
        numbers |= {f"calibration/{key}": float(value) for key, value in platt(held, validation.label).keywords.items()}
    for name, predictor in baselines.items():
        theirs = cases._replace(score=np.asarray(predictor(samples), np.float64))
        numbers |= {f"{name}/{key}": value for key, value in judged(theirs, replicates).items()}
        numbers |= {f"minus/{name}/{key}": value for key, value in cases.minus(theirs, (), replicates).items()}
    probability = special.expit(score.astype(np.float64))
    tables = {"abstention": accuracy_coverage(probability, samples.label, points=10)}
    tables["reliability"] = {k: v.tolist() for k, v in reliability(probability, samples.label)._asdict().items()}
    if isinstance(model, ProfileNet):
        tables |= network_tables(model, params, samples)
    return Evaluation(numbers, cases, tables | ({} if train is None else feature_tables(train)))


def plain(score: Float[np.ndarray, "profile"], label: Bool[np.ndarray, "profile"]) -> dict[str, float]:
    """Accuracy, AUC (nan where one class is missing), log-loss and Brier score."""
    z = score.astype(np.float64)
    return {
        "accuracy": float((decided(z) == label).mean()),
        "auc": roc_auc(z[label], z[~label])[0],
        "log_loss": float(np.logaddexp(0.0, np.where(label, -z, z)).mean()),
        "brier": brier(special.expit(z), label),
    }


def judged(cases: ProfileCases, replicates: int) -> dict[str, float]:
    """The plain numbers with intervals, and calibration."""
    right = decided(cases.score) == cases.label
    low, high = ends(right)
    numbers = plain(cases.score, cases.label) | {"accuracy/low": low, "accuracy/high": high}
    area, error = roc_auc(cases.score[cases.label], cases.score[~cases.label])
    probability = special.expit(cases.score.astype(np.float64))
    numbers |= {"auc/low": area - 1.96 * error, "auc/high": area + 1.96 * error}
    return numbers | {
        "ece": calibration_error(probability, cases.label),
        "ece_floor": calibration_floor(probability),
        "profiles": float(len(right)),
        "positive": float(cases.label.mean()),
    }


def ends(right: Bool[np.ndarray, "profile"]) -> tuple[float, float]:
    """Wilson's 95 % interval of the share that is decided rightly."""
    low, high = wilson(np.array([right.sum()]), np.array([len(right)]))
    return float(low[0]), float(high[0])


def groups(score: Float[np.ndarray, "profile"], samples: Samples, most: int = 20) -> dict[str, float]:
    """Accuracy by class and by every key of few values, with intervals: where a classifier errs, and on whom."""
    right, numbers = decided(score) == samples.label, {}
    words = samples.vocabulary["class"]
    parts = {"class": words[samples.label.astype(int)]}
    parts |= {name: key[samples.sequence] for name, key in samples.keys.items() if name != "user"}
    for name, value in parts.items():
        known = [word for word in words if (value == word).any()] if name == "class" else np.unique(value)
        for word in known if len(known) <= most else ():
            here = right[value == word]
            low, high = ends(here)
            held = {"accuracy": float(here.mean()), "accuracy/low": low, "accuracy/high": high}
            numbers |= {f"by_{name}/{word}/{key}": number for key, number in held.items()}
    return numbers


def shares(
    score: Float[np.ndarray, "profile"],
    label: Bool[np.ndarray, "profile"],
    held_score: Float[np.ndarray, "known"],
    held: Bool[np.ndarray, "known"],
) -> dict[str, float]:
    """The share of the positive class, true, counted and corrected."""
    ours, theirs = (special.expit(one.astype(np.float64)) for one in (score, held_score))
    found: dict[str, Share] = {"counted": counted_share(ours)}
    for name, estimate in (
        ("adjusted", partial(adjusted_count, ours, rates(theirs, held))),
        ("calibrated", partial(calibrated_sum, score, held_score, held)),
    ):
        try:
            found[name] = estimate()
        except ValueError:  # a classifier no better than chance: nothing can be corrected
            continue
    numbers = {"share/true": float(label.mean())}
    for name, share in found.items():
        numbers |= {f"share/{name}": share.share, f"share/{name}/low": share.low, f"share/{name}/high": share.high}
    return numbers


def feature_tables(train: Samples) -> dict[str, dict[str, list]]:
    """Of the selected features, those most informative of the class, and most typical of either, in training."""
    counts = counted_log(train.log, train.label)
    least = min(TYPICAL, int(counts.counts.sum(axis=1).max()))
    held = {
        "informative": select(counts, LISTED),
        "negative": top(counts, LISTED, False, least),
        "positive": top(counts, LISTED, True, least),
    }
    return {
        f"features_{name}": {k: np.asarray(v).tolist() for k, v in one._asdict().items()} for name, one in held.items()
    }


def network_tables(model: ProfileNet, params: PyTree, samples: Samples) -> dict[str, dict[str, list]]:
    """What is drawn of a network: its strongest links, its hidden units, and one decision, of a typical profile."""
    layers, words = layers_of(params), samples.vocabulary["item"]
    held = strongest(layers)
    first = [source for source, layer in zip(held["source"], held["layer"], strict=True) if layer == 0]
    names = {str(place): str(words[place]) for place in sorted(set(first))}
    tables = {"network": held | {"names": [list(names), list(names.values())]}}
    units = hidden_summary(layers)
    tables["hidden_units"] = {name: [getattr(unit, name) for unit in units] for name in HiddenUnit._fields}
    typical = int(np.argsort(samples.cutoff, kind="stable")[samples.size // 2])
    begin = samples.log.offsets[samples.sequence[typical]]
    has, times = np.unique(samples.log.columns["item"][begin : begin + samples.cutoff[typical]], return_counts=True)
    if model.activation is not logistic or not len(has):
        return tables
    scale = times / times.sum() ** POWER[model.pool]
    weights = [(layers.weights[0][has - 1] * scale[:, None]).tolist(), *(one.tolist() for one in layers.weights[1:])]
    decision = {"weights": weights, "biases": [bias.tolist() for bias in layers.biases]}
    return tables | {"decision": decision | {"names": words[has - 1].tolist()}}
