"""seqjax: models of what users do next, as pure functions on JAX arrays.

The public names below are imported when first used, so that `import seqjax.data` brings no jax.
"""

from __future__ import annotations

import importlib
from typing import Any

from seqjax.version import __version__

_HOME = {
    "Experiment": "seqjax.experiment",
    "Study": "seqjax.experiment",
    "Stop": "seqjax.train.fit",
    "load": "seqjax.run",
    "recommend": "seqjax.recommender",
    "recommend_many": "seqjax.recommender",
    "generate": "seqjax.generation",
    "forecast": "seqjax.forecasting",
    "GRU4Rec": "seqjax.models.gru4rec",
    "NextAction": "seqjax.models.next_action",
    "EventLog": "seqjax.data.events",
    "Split": "seqjax.data.events",
    "read_log": "seqjax.data.read",
    "session_plan": "seqjax.data.plan",
    "make_step": "seqjax.train.step",
    "make_chunk": "seqjax.train.step",
    "init_train_state": "seqjax.train.step",
    "over_runs": "seqjax.train.runs",
}

__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> Any:
    """Resolves a public name (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'seqjax' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
