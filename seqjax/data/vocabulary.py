"""Vocabularies: lists of original keys, whose place (from 1) is the id."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int, Shaped


def lookup(words: Shaped[np.ndarray, "word"], keys: Shaped[np.ndarray, "event"]) -> Int[np.ndarray, "event"]:
    """The id of every key; 0 for a key that the vocabulary does not have.

    >>> lookup(np.array(["b", "a"]), np.array(["a", "c", "b"])).tolist()
    [2, 0, 1]
    """
    if len(words) == 0:
        return np.zeros(len(keys), np.int32)
    order = np.argsort(words)
    place = np.minimum(np.searchsorted(words, keys, sorter=order), len(words) - 1)
    found = order[place]
    return np.where(words[found] == keys, found + 1, 0).astype(np.int32)


def plural(name: str) -> str:
    """The name of many words of a vocabulary.

    >>> plural("item"), plural("class"), plural("times")
    ('items', 'classes', 'times')
    """
    if name.endswith("s"):
        return f"{name}es" if name.endswith("ss") else name
    return f"{name}s"


def extend(old: Shaped[np.ndarray, "known"], new: Shaped[np.ndarray, "word"]) -> Shaped[np.ndarray, "..."]:
    """The old vocabulary, its ids unchanged, followed by the keys that only the new one has."""
    return np.concatenate([old, new[lookup(old, new) == 0]])
