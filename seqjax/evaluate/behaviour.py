"""The report on a behaviour generator: its likelihood beside baselines, and its series beside real ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import numpy as np
from jaxtyping import Bool, Float, PyTree

from seqjax.data.events import EventLog, take
from seqjax.data.windows import asked
from seqjax.evaluate.calibration import brier, calibration_error, calibration_floor, reliability
from seqjax.evaluate.evaluation import Evaluation
from seqjax.evaluate.fidelity import distances
from seqjax.evaluate.likelihood import Likelihoods, Predictions, likelihoods, predict
from seqjax.evaluate.series import compare_series
from seqjax.generation import generate

LIKE = 20_000  # training series whose likelihood is compared with that of the judged ones


def behaviour(
    model: nn.Module,
    params: PyTree,
    log: EventLog,
    *,
    train: EventLog | None = None,
    baselines: Mapping[str, tuple[nn.Module, PyTree]] | None = None,
    seed: int = 0,
    given: int = 0,
    series: int = 10_000,
    longest: int = 200,
    permutations: int = 499,
    replicates: int = 1000,
) -> Evaluation:
    """Likelihood of a log, calibration of P(end), and fidelity of `series` new ones to it, all beside baselines.

    given: so many first symbols of a series were handed to the user and are not judged. Every baseline is judged on the
    same symbols (`name/nats`, `minus/name/nats` paired, with bootstrap intervals over series) and generates as many
    series (`name/jsd/length`, ...). A baseline `truth` also gives `excess`, the nats a symbol above the true law, and
    the error of P(end) as `hazard_rmse`. Without `baselines`, as for validation: the likelihood alone. Without `train`,
    what needs it is left out.
    """
    said = predict(model, params, log)
    mine = likelihoods(said, log, given)
    if baselines is None:
        return Evaluation(mine.numbers(), mine)
    numbers = mine.numbers(replicates) | _leaving(said, log, given)
    numbers |= {} if train is None else _gap(model, params, mine, train, given, seed)
    for name, (peer, tables) in baselines.items():
        theirs = predict(peer, tables, log)
        held = likelihoods(theirs, log, given)
        numbers |= {f"{name}/{key}": value for key, value in held.numbers(replicates).items()}
        numbers |= {f"minus/{name}/{key}": value for key, value in mine.minus(held, (), replicates).items()}
        numbers |= _above(numbers, said, theirs, asked(log).place >= given) if name == "truth" else {}

    def draw(model: nn.Module, params: PyTree) -> tuple[EventLog, float]:
        most = 2 * int((log if train is None else train).lengths.max(initial=1))
        drawn = generate(model, params, jax.random.fold_in(jax.random.key(seed), 1), series, max_len=most)
        return drawn.log(log.vocabulary["item"]), float(drawn.cut.mean())

    made, cut = draw(model, params)
    fidelity = compare_series(
        log, made, train=train, given=given, longest=longest, permutations=permutations, seed=seed
    )
    for name, peer in baselines.items():
        apart = distances(log, draw(*peer)[0], given=given, longest=longest, resamples=0, permutations=0, seed=seed)
        numbers |= {f"{name}/jsd/{key}": distance.jsd for key, distance in apart.items()}
    tables = dict(fidelity.tables) | {"reliability": _reliability(said, log, given)}
    return Evaluation(numbers | fidelity.numbers | {"cut": cut}, mine, tables)


def _above(
    numbers: Mapping[str, float], said: Predictions, truth: Predictions, judged: Bool[np.ndarray, "symbol"]
) -> dict[str, float]:
    """Nats a symbol above the true law, and the error of P(end)."""
    excess = {f"excess{end}": numbers[f"minus/truth/nats{end}"] for end in ("", "/low", "/high")}
    return excess | {"hazard_rmse": float(np.sqrt(np.mean((said.leave - truth.leave)[judged] ** 2)))}


def _gap(
    model: nn.Module, params: PyTree, judged: Likelihoods, train: EventLog, given: int, seed: int
) -> dict[str, float]:
    """Nats a symbol on training series, and how much more the judged ones need: a sign of learning by heart."""
    some = take(train, np.random.default_rng(seed).permutation(train.sequences)[:LIKE])
    learned = likelihoods(predict(model, params, some), some, given).numbers()["nats"]
    return {"nats_train": learned, "memorisation_gap": judged.numbers()["nats"] - learned}


def _leaving(said: Predictions, log: EventLog, given: int) -> dict[str, float]:
    """Brier score and calibration of P(end), beside the constant share of ends and the error of true probabilities."""
    leave, ended = _judged(said, log, given)
    share = np.full(len(leave), ended.mean())
    return {
        "leave/said": float(leave.mean()),
        "leave/came": float(ended.mean()),
        "leave/brier": brier(leave, ended),
        "leave/brier_constant": brier(share, ended),
        "leave/ece": calibration_error(leave, ended),
        "leave/ece_floor": calibration_floor(leave),
    }


def _judged(
    said: Predictions, log: EventLog, given: int
) -> tuple[Float[np.ndarray, "symbol"], Bool[np.ndarray, "symbol"]]:
    """P(end) before every judged symbol, and whether it was the end."""
    row, _, place = asked(log)
    judged = place >= given
    return said.leave[judged].astype(np.float64), (row[1:] == len(log.vocabulary["item"]) + 1)[judged]


def _reliability(said: Predictions, log: EventLog, given: int) -> dict[str, list[Any]]:
    """Predicted and observed share of ends, in groups of like predictions."""
    return {name: column.tolist() for name, column in reliability(*_judged(said, log, given))._asdict().items()}
