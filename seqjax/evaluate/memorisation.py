"""Whether new series are copies of those that a model learned from."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cdist

from seqjax.data.events import EventLog, take

QUERIES, REFERENCES = 1000, 10_000  # series that are looked at: more change the last digits only


def copies(log: EventLog, train: EventLog) -> Bool[np.ndarray, "sequence"]:
    """Marks the series that stand in `train`, action by action; both logs have one vocabulary."""
    known = set(_texts(train))
    return np.array([text in known for text in _texts(log)], bool)


def nearest(log: EventLog, train: EventLog, seed: int = 0) -> Float[np.ndarray, "chosen"]:
    """Edit distance of series of a log to the nearest training series, divided by the length of the longer of the two.

    Of at most `QUERIES` series with the median training length or more (short ones cannot but be alike), against at
    most `REFERENCES`, all drawn from `seed`: the same references for every log, so that two logs can be compared.
    """
    random = np.random.default_rng(seed)
    references = take(train, random.permutation(train.sequences)[:REFERENCES])
    long = np.flatnonzero(log.lengths >= np.median(train.lengths))
    queries = take(log, random.permutation(long)[:QUERIES])
    apart = cdist(_texts(queries), _texts(references), scorer=Levenshtein.normalized_distance, workers=-1)
    return apart.min(axis=1).astype(np.float64)


def _texts(log: EventLog) -> list[str]:
    """Every series as a text, a character an action (without surrogates, which are no characters)."""
    code = log.columns["item"].astype(np.uint32)
    code = np.where(code < 0xD800, code, code + 0x800)
    whole = code.astype("<u4").tobytes().decode("utf-32-le")
    return [whole[begin:end] for begin, end in zip(log.offsets[:-1], log.offsets[1:], strict=True)]
