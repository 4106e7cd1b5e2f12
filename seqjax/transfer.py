"""Starting from a finished run: its rows, weights and optimizer state under a newer, larger vocabulary."""

from __future__ import annotations

from pathlib import Path

import jax
import numpy as np
from jaxtyping import PyTree

from seqjax.data.events import Split, expressed
from seqjax.data.vocabulary import extend, lookup
from seqjax.experiment import Experiment, SettingError, call
from seqjax.train import checkpoint
from seqjax.train.step import TrainState
from seqjax.train.view import table_of


def share_vocabulary(split: Split, vocabulary: dict[str, np.ndarray]) -> tuple[Split, dict[str, int]]:
    """The split with its ids counted in an older vocabulary, extended by the keys that are new; and both counts."""
    counted = {}
    for name, words in vocabulary.items():
        present = split.train.vocabulary[name]
        union = extend(words, present)
        logs = {part: getattr(split, part) for part in ("train", "validation", "test")}
        split = split._replace(**{part: log and expressed(log, union, name) for part, log in logs.items()})
        counted[f"known_{name}s"] = int((lookup(words, present) > 0).sum())
        counted[f"new_{name}s"] = len(union) - len(words)
    return split, counted


def graft(state: TrainState, experiment: Experiment, place: Path, sizes: dict[str, int]) -> TrainState:
    """`state` with the parameters and optimizer state saved in `place` by a run whose vocabularies had `sizes`.

    Old ids come first in the new vocabulary: their rows (parameters and accumulators) are copied, rows of new ids stay
    fresh. Raises CheckpointError or SettingError if that run had another model or optimizer.
    """
    model = call(experiment.model, **sizes)
    params = jax.eval_shape(model.init, jax.random.key(0))["params"]
    like = {
        "params": params,
        "opt_state": jax.eval_shape(call(experiment.optimizer, experiment.hparams, steps=1).init, params),
    }
    old, _, _ = checkpoint.restore(place, like, part=True)

    def write(path: tuple, new: jax.Array, saved: jax.Array) -> jax.Array:
        if new.shape == saved.shape:
            return saved
        if table_of(path) is None or new.shape[1:] != saved.shape[1:]:
            name = jax.tree_util.keystr(path, simple=True, separator=".")
            raise SettingError(f"{name} is {saved.shape} in {place} and {new.shape} here: use the settings of that run")
        return new.at[: len(saved)].set(saved)

    merge: PyTree = jax.tree.map_with_path(write, {"params": state.params, "opt_state": state.opt_state}, old)
    return state.replace(**merge)
