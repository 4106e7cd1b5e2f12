"""What the two sides of a comparison share: sessions, settings and the clock. Imports neither torch nor jax."""

from __future__ import annotations

import gzip
import os
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np


class Sessions(NamedTuple):
    """Sessions in training order: session s holds the item ids (0-based) items[offsets[s]:offsets[s + 1]]."""

    items: np.ndarray
    offsets: np.ndarray


class Setting(NamedTuple):
    """One setting in seqjax's words; the input embedding is always the output embedding."""

    features: int
    lanes: int
    negatives: int
    loss: str = "cross-entropy"
    logq: float = 0.0
    alpha: float = 0.5
    elu: float = 0.0
    penalty: float = 0.0
    learning_rate: float = 0.1
    momentum: float = 0.0
    dropout_embed: float = 0.0
    dropout_hidden: float = 0.0


SETTINGS = {
    "tiny": Setting(64, 32, 128),
    "xe100": Setting(100, 50, 2048, logq=1.0, dropout_hidden=0.2),
    "bm100": Setting(
        *(100, 50, 2048, "bpr-max"),
        alpha=0.3,
        elu=1.0,
        penalty=0.9,
        learning_rate=0.05,
        momentum=0.2,
        dropout_embed=0.3,
        dropout_hidden=0.1,
    ),
    "xe512": Setting(512, 240, 2048, logq=1.0, learning_rate=0.065),
}


class Timing(NamedTuple):
    """Seconds of this process's CPU and of the wall clock that `steps` training steps took."""

    steps: int
    cpu: float
    wall: float


def read_diginetica(folder: str | Path | None = None) -> Sessions:
    """Reads the training sessions in file order from `folder`, or from SEQJAX_DATA."""
    path = Path(folder or os.environ["SEQJAX_DATA"]) / "diginetica" / "train_sessions.txt.gz"
    with gzip.open(path, "rt") as file:
        sessions = [np.array(line.split(), np.int64) for line in file]
    offsets = np.concatenate([[0], np.cumsum([len(session) for session in sessions])])
    return Sessions(np.concatenate(sessions) - 1, offsets)


def clock() -> np.ndarray:
    """Seconds of process CPU and of wall."""
    return np.array([time.process_time(), time.perf_counter()])
