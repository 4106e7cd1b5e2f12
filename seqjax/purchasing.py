"""Whom to contact: calibrated probabilities of a purchase, and the events that speak most for and against it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PyTree, Shaped
from scipy import special

from seqjax.data.day_image import dated
from seqjax.data.events import DataError, EventLog, expressed
from seqjax.data.kindred import KINDRED, kin_of, kindred_count
from seqjax.data.purchases import ids_of
from seqjax.data.recency import DERIVED, as_of, derived
from seqjax.data.samples import Samples
from seqjax.data.split import DAY
from seqjax.evaluate.drift import Tenths, stability
from seqjax.evaluate.selection import cost_threshold, deciles
from seqjax.types import Event

BLOCK = 64  # lengths are padded to 1, 2, 4, .. blocks of so many events


class Occlusion(NamedTuple):
    """What is said of one user, and how the last events moved it, oldest first."""

    log_odds: Float[Array | np.ndarray, "..."]
    effect: Float[Array | np.ndarray, "... window"]  # positive speaks for a purchase; 0 where there is no event
    place: Int[Array | np.ndarray, "... window"]  # which event of the user's
    there: Bool[Array | np.ndarray, "... window"]


@partial(jax.jit, static_argnames=("model", "last"))
def occlusion(
    model: nn.Module, params: PyTree, events: Event, valid: Bool[Array, "time"], target: Event, last: int = 20
) -> Occlusion:
    """The log-odds of one user's response to a target, and what each of the last valid events adds to them.

    An event's effect is the log-odds with all valid events less those without it; features of other events and of the
    target stay as they are. What comes before the last events is read once. Raises ValueError for `last` below 1.
    """
    if last < 1:
        raise ValueError(f"last={last}: leave out 1 event or more, one at a time")
    apply = partial(model.apply, {"params": params})
    count = jnp.cumsum(valid)
    rank = count[-1] - jnp.arange(last)[::-1]  # among the valid events, from 1
    there = rank > 0
    place = jnp.minimum(jnp.searchsorted(count, jnp.maximum(rank, 1)), len(valid) - 1)
    before, _ = apply(model.init_state(), events, valid & (count <= count[-1] - last), method="encode")
    some = jax.tree.map(lambda leaf: leaf[place], events)

    def ask(use: Array) -> Array:
        state, _ = apply(before, some, use, method="encode")
        return apply(state, target, method="read")

    log_odds = jax.vmap(ask)(there[None] & ~jnp.eye(last + 1, last, dtype=bool))  # the last row leaves out nothing
    return Occlusion(log_odds[-1], jnp.where(there, log_odds[-1] - log_odds[:-1], 0.0), place, there)


def score_purchases(
    model: nn.Module,
    params: PyTree,
    log: EventLog,
    *,
    words: Mapping[str, Shaped[np.ndarray, "word"]],
    numbers: Mapping[str, Any] | None = None,
    category: str = "",
    told: Sequence[str] | None = None,
    seed: int = 0,
    top: int = 3,
    last: int = 20,
    cost: float = 0.0,
    gain: float = 0.0,
    lanes: int = 32,
) -> dict[str, Shaped[np.ndarray, "sequence"]]:
    """Who will buy in a category after the end of a log, a row per user: columns for `seqjax score`.

    `probability` and its `decile`, 1 the highest; `calibrated`: by the run's `numbers`, else the model's own, which are
    those of the prevalence in training. `selected`, with a `cost` of a contact and the `gain` of a purchase: where the
    probability is cost / gain or more. `because_1`, ..: of the `last` events, those whose `occlusion` has the largest
    effects on the log-odds, as CAT FOOD +0.41; empty where no other moves them by 0.01.

    words: the run's vocabularies; events of other categories are left out. told: features of its targets beside the
    item, as of the end of the log (default: those of `model.candidate`). A run whose log had days is asked on the day
    after the log's last. Raises DataError for a category that the run does not know, a feature that does not follow
    from categories and times, and sequences that are not users; ValueError for costs that select everybody or nobody,
    and for `top`, `last` or `lanes` out of range.
    """
    if not 0 <= top <= last or min(last, lanes) < 1:
        raise ValueError(f"top={top}, last={last}, lanes={lanes}: use top up to last, and 1 or more events and lanes")
    threshold = cost_threshold(gain, cost) if cost or gain else None
    known, target = asked(model, log, words, category, model.candidate if told is None else told, seed)
    held = explained(model, params, known, target, last, lanes)
    scale, shift = ((numbers or {}).get(f"calibration/{category}/{name}") for name in ("scale", "shift"))
    calibrated = scale is not None and shift is not None
    log_odds = held.log_odds.astype(np.float64)
    probability = special.expit(scale * log_odds + shift if calibrated else log_odds)
    columns = {"probability": probability, "calibrated": np.full(log.sequences, calibrated)}
    columns["decile"] = deciles(probability)
    if threshold is not None:
        columns["selected"] = probability >= threshold
    return columns | because(known, held, top)


def asked(
    model: nn.Module,
    log: EventLog,
    words: Mapping[str, Shaped[np.ndarray, "word"]],
    category: str,
    told: Sequence[str],
    seed: int,
) -> tuple[EventLog, dict[str, Int[np.ndarray, "sequence"]]]:
    """A log `prepared` for a model, and what every user is asked about at its end; see `score_purchases`."""
    told = [name for name in told if name not in {"item", "day"} & words.keys()]
    known = prepared(log, words, (*model.features, *model.candidate, *told), seed)
    if not category:
        raise DataError(f"no category: give category=NAME; there are {', '.join(words['item'][:8])}, ...")
    target = {"item": np.full(log.sequences, ids_of(known, [category])[0])}
    if told:
        kin = words.get("kin", words["item"][:0])
        target |= told_of(known, target, told, int(log.columns["time"].max()) + 1, kin_of(kin, words["item"]))
    return with_days(known, target) if "day" in words else (known, target)


def moved(probability: Float[np.ndarray, "sequence"], tables: Mapping[str, Any], category: str) -> dict[str, str]:
    """Whether these users are still like those that a run's calibration knew, by its `tables`; {} where it had none.

    `score_drift` is the stability index of their probabilities; see `evaluate.drift.stability`.
    """
    if (held := tables.get("tenths", {}).get(category)) is None:
        return {}
    reference = Tenths(np.asarray(held["edges"]), np.asarray(held["below"]), held["users"])
    index, bound = stability(reference, probability)
    verdict = "as validation's users" if index < bound else "the users have changed: calibrate anew"
    return {"score_drift": f"{index:.3f}, by chance up to {bound:.3f}: {verdict}"}


def prepared(
    log: EventLog, words: Mapping[str, Shaped[np.ndarray, "word"]], features: Sequence[str], seed: int
) -> EventLog:
    """A log in a run's words, its baskets as in training; a user without a known event stays.

    Raises DataError for sequences that are not users, and for features that cannot be derived.
    """
    users = log.keys.get("user")
    if users is not None and (count := len(np.unique(users))) < log.sequences:
        raise DataError(f"{count} users have {log.sequences} sequences: a row is a whole user, so use --session none")
    needed = [name for name in dict.fromkeys(features) if name != "item"]
    follows = DERIVED | {"kindred": KINDRED}
    for name in needed:
        if name not in follows or not np.array_equal(words.get(name, []), follows[name]):
            known = ", ".join(follows)
            raise DataError(f"the model reads {name!r}, which does not follow from categories and times as {known} do")
    if needed and "time" not in log.columns:
        raise DataError(f"the log has no times, and the model reads {needed[0]!r}: name their column (--time NAME)")
    known = expressed(log, words["item"])
    if not known.events:
        some, ours = (", ".join(part["item"][:3]) for part in (log.vocabulary, words))
        raise DataError(f"none of the log's categories ({some}, ..) is one of the run's ({ours}, ..): write them alike")
    return in_baskets(known, seed) if "time" in log.columns else known


def in_baskets(log: EventLog, seed: int) -> EventLog:
    """The log by time, one event of a category at a second, in a drawn order within it; with the derived columns."""
    columns = np.stack([log.sequence, log.columns["time"], log.columns["item"]])
    order = np.lexsort(columns[::-1])
    owner, time, item = columns[:, order[np.append(True, (np.diff(columns[:, order]) != 0).any(axis=0))]]
    order = np.lexsort((np.random.default_rng(seed).random(len(owner)), time, owner))
    offsets = np.searchsorted(owner, np.arange(log.sequences + 1))
    log = log._replace(offsets=offsets, columns={"item": item[order].astype(np.int32), "time": time[order]})
    return log._replace(columns=log.columns | derived(log), vocabulary=log.vocabulary | DERIVED)


def told_of(
    log: EventLog,
    target: Mapping[str, Int[np.ndarray, "sequence"]],
    told: Sequence[str],
    moment: int,
    kin: Int[np.ndarray, "row k"] | None = None,
) -> dict[str, Int[np.ndarray, "sequence"]]:
    """What every user's target is told at a moment after the log's events; `kindred` counts the items of `kin`."""
    everybody = _everybody(log, target, moment)
    known = as_of(everybody)
    if "kindred" in told:
        known["kindred"] = kindred_count(everybody, kin)
    return {name: known[name] for name in told}


def with_days(
    log: EventLog, target: Mapping[str, Int[np.ndarray, "sequence"]]
) -> tuple[EventLog, dict[str, Int[np.ndarray, "sequence"]]]:
    """The log with the day of every event, and the targets with the day after its last: images are of whole days.

    Raises DataError for a log without times.
    """
    last = int(log.columns["time"].max()) // DAY if "time" in log.columns else 0
    asked = dated(_everybody(log, target, (last + 1) * DAY))
    return asked.log, dict(asked.target)


def _everybody(log: EventLog, target: Mapping[str, Int[np.ndarray, "sequence"]], moment: int) -> Samples:
    """Every user asked once, after all events of the log."""
    everyone, label = np.arange(log.sequences), np.zeros(log.sequences, bool)
    return Samples(log, everyone, log.lengths, log.lengths, target, label, moment=np.full(log.sequences, moment))


def explained(
    model: nn.Module,
    params: PyTree,
    log: EventLog,
    target: Mapping[str, Int[np.ndarray, "sequence"]],
    last: int,
    lanes: int,
) -> Occlusion:
    """The `occlusion` of every user, of all events of the log: log_odds [sequence], effect [sequence, window], .."""
    order, parts = np.argsort(log.lengths, kind="stable"), []
    lanes = min(lanes, log.sequences)
    for first in range(0, len(order), lanes):
        users = order[first : first + lanes]
        filled = np.append(users, np.repeat(users[-1:], lanes - len(users)))
        length = log.lengths[filled][:, None]
        blocks = 1 << (max(-(-int(length.max()) // BLOCK), 1) - 1).bit_length()  # few shapes, each compiled once
        place = np.arange(blocks * BLOCK)
        valid = place < length
        position = np.where(valid, log.offsets[:-1][filled][:, None] + place, 0)
        read = {"item", "day", *model.features} & set(log.columns)
        events = {name: np.where(valid, log.columns[name][position], 0) for name in read}
        asked = {name: ids[filled] for name, ids in target.items()}
        parts.append(jax.device_get(_explain(model, params, events, valid, asked, last)))
    back = np.argsort(order)  # what fills the last batch up comes behind
    return jax.tree.map(lambda *pieces: np.concatenate(pieces)[back], *parts)


@partial(jax.jit, static_argnames=("model", "last"))
def _explain(
    model: nn.Module, params: PyTree, events: Event, valid: Bool[Array, "lane time"], target: Event, last: int
) -> Occlusion:
    return jax.vmap(partial(occlusion, model, params, last=last))(events, valid, target)


def because(log: EventLog, held: Occlusion, top: int) -> dict[str, Shaped[np.ndarray, "sequence"]]:
    """Columns `because_1`, ..: the category and the effect of the events that moved each user's score most."""
    event = np.minimum(log.offsets[:-1][:, None] + held.place, log.events - 1)
    word = log.vocabulary["item"][log.columns["item"][event] - 1]
    order = np.argsort(-np.abs(held.effect), axis=1, kind="stable")
    columns = {}
    for rank in range(top):
        effect, name = (np.take_along_axis(part, order[:, rank, None], 1)[:, 0] for part in (held.effect, word))
        said = [f"{n} {e:+.2f}" if abs(e) >= 0.005 else "" for n, e in zip(name, effect, strict=True)]
        columns[f"because_{rank + 1}"] = np.array(said, np.str_)
    return columns
