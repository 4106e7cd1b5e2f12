"""seqjax's side of the comparison: the library's own parts at the peer's settings."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from settings import Sessions, Setting, Timing, clock

from seqjax import losses, optim
from seqjax.data.events import EventLog, Split
from seqjax.data.plan import session_plan
from seqjax.evaluate.next_item import next_item
from seqjax.experiment import Experiment
from seqjax.models.gru4rec import GRU4Rec
from seqjax.nn.activation import elu, linear
from seqjax.objectives.session import (
    SessionHparams,
    popularity_negatives,
    session_batch,
    session_corpus,
    session_objective,
)
from seqjax.run import assemble
from seqjax.train.runs import over_runs, stack
from seqjax.train.step import make_step


def experiment(setting: Setting) -> Experiment:
    """The setting as an experiment; `reset_after`, the epsilon in the logarithm: as in the peer."""
    bpr = setting.loss == "bpr-max"
    loss = losses.bpr_max if bpr else partial(losses.cross_entropy, epsilon=losses.EPSILON)
    return Experiment(
        data=None,
        corpus=partial(session_corpus, alpha=setting.alpha),
        plan=partial(session_plan, lanes=setting.lanes),
        gather=session_batch,
        draw=partial(popularity_negatives, count=setting.negatives),
        model=partial(GRU4Rec, features=setting.features, reset_after=True),
        objective=partial(session_objective, loss=loss, activation=partial(elu, alpha=setting.elu) if bpr else linear),
        optimizer=optim.adagrad_momentum if setting.momentum else optim.adagrad,
        views={"item": ("item", "bias", "input")},
        hparams=SessionHparams(
            learning_rate=setting.learning_rate,
            momentum=setting.momentum,
            dropout_embedding=setting.dropout_embed,
            dropout_hidden=setting.dropout_hidden,
            logq=setting.logq,
            loss={"penalty": setting.penalty} if bpr else {},
        ),
        evaluate=next_item,
    )


def as_log(sessions: Sessions) -> EventLog:
    """The sessions as an event log; ids begin at 1."""
    words = np.arange(int(sessions.items.max()) + 1).astype(np.str_)
    return EventLog(sessions.offsets, {"item": (sessions.items + 1).astype(np.int32)}, {"item": words})


def synthetic_sessions(items: int, sessions: int = 100_000, length: int = 10) -> Sessions:
    """Sessions of uniformly drawn items."""
    draws = np.random.default_rng(0).integers(0, items, sessions * length)
    draws[-1] = items - 1
    return Sessions(draws, np.arange(sessions + 1) * length)


class Ours:
    """A model in training: every call of `run` continues where the last one stopped."""

    def __init__(self, sessions: Sessions, setting: Setting, seed: int = 0):
        """Plans, initialises and places everything on the device."""
        log = as_log(sessions)
        self.parts = assemble(experiment(setting), Split(log, None, log), seed)
        self.plan, self.state, self.row = self.parts.plan(0), self.parts.state, 0

    def run(self, steps: int) -> Timing:
        """Trains `steps` steps in one device call and waits for their losses."""
        start = clock()
        if self.row + steps > self.plan.steps:
            self.row = 0
        rows = jax.tree.map(lambda leaf: leaf[self.row : self.row + steps], self.plan)
        self.state, metrics = self.parts.chunk(self.state, rows, self.parts.corpus, self.parts.hparams)
        self.losses = np.asarray(metrics["loss"], np.float64), np.asarray(metrics["events"])
        self.row += steps
        return Timing(steps, *(clock() - start).tolist())


def train_epochs(sessions: Sessions, setting: Setting, seed: int, epochs: int) -> tuple[list[float], Timing]:
    """Whole epochs from the session list on, compilation included: each epoch's mean loss, and the time of it all."""
    start, losses_of_epochs = clock(), []
    ours = Ours(sessions, setting, seed)
    for _ in range(epochs):
        loss = events = 0.0
        ours.row = 0
        while ours.row < ours.plan.steps:
            ours.run(min(200, ours.plan.steps - ours.row))
            loss, events = loss + ours.losses[0].sum(), events + ours.losses[1].sum()
        losses_of_epochs.append(loss / events)
    return losses_of_epochs, Timing(epochs * ours.plan.steps, *(clock() - start).tolist())


def time_runs(sessions: Sessions, setting: Setting, count: int, steps: int, rounds: int) -> float:
    """Wall seconds of one step of `count` vmapped runs, the median of the rounds."""
    log = as_log(sessions)
    parts = [assemble(experiment(setting), Split(log, None, log), seed) for seed in range(count)]
    values = experiment(setting)

    def objective(*arguments: Any) -> Any:
        return values.objective(*arguments, model=parts[0].model)

    step = over_runs(make_step(objective, values.optimizer, values.views, values.draw))
    corpus, plan = parts[0].corpus, parts[0].plan(0)

    @partial(jax.jit, donate_argnums=0)
    def chunk(state: Any, rows: Any, hparams: Any) -> Any:
        return jax.lax.scan(lambda state, row: step(state, session_batch(corpus, row), hparams), state, rows)

    state, hparams = stack([part.state for part in parts]), stack([part.hparams for part in parts])
    taken = []
    for r in range(rounds + 1):
        rows = jax.tree.map(lambda leaf: jnp.asarray(leaf[r * steps : (r + 1) * steps]), plan)  # noqa: B023
        start = clock()
        state, metrics = chunk(state, rows, hparams)
        jax.block_until_ready(metrics)
        taken.append((clock() - start)[1] / steps)
    return float(np.median(taken[1:]))
