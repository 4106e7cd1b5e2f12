"""How many profiles of each class have a feature, counted out of core here or on a warehouse elsewhere.

A table of profiles has a column of token lists and a boolean column of labels. Profiles without a label, and tokens
that are null, are set aside.
"""

from __future__ import annotations

from typing import NamedTuple

import ibis
import numpy as np
from jaxtyping import Bool, Int, Shaped

from seqjax.data.events import DataError, EventLog


class FeatureCounts(NamedTuple):
    """Features and how often each occurs in the negative class (column 0) and in the positive (column 1).

    By presence, counts and totals are of profiles; else of tokens. Totals include features that were set aside.
    """

    words: Shaped[np.ndarray, "word"]
    counts: Int[np.ndarray, "word 2"]
    totals: Int[np.ndarray, "2"]


def feature_counts(
    profiles: ibis.Table, *, tokens: str = "tokens", label: str = "label", presence: bool = True, least: int = 1
) -> ibis.Table:
    """The columns `feature`, `negative` and `positive`: how often a feature occurs in either class, in no order.

    presence: a feature counts once a profile, else as often as it occurs. least: features that count less in all are
    dropped. Raises DataError where a column is missing or of another type.
    """
    known = _labelled(profiles, tokens, label)
    each = known.tokens.unique() if presence else known.tokens
    spread = known.select("positive", feature=each.unnest()).filter(lambda table: table.feature.notnull())
    counts = spread.group_by("feature").agg(
        negative=spread.count(where=~spread.positive), positive=spread.count(where=spread.positive)
    )
    return counts.filter(counts.negative + counts.positive >= least)


def class_totals(
    profiles: ibis.Table, *, tokens: str = "tokens", label: str = "label", presence: bool = True
) -> ibis.Table:
    """One row, `negative` and `positive`: the profiles of either class, or without `presence` their tokens.

    Raises DataError where a column is missing or of another type.
    """
    known = _labelled(profiles, tokens, label)
    if presence:
        return known.aggregate(negative=known.count(where=~known.positive), positive=known.count(where=known.positive))
    size = known.tokens.filter(lambda token: token.notnull()).length()
    negative, positive = size.sum(where=~known.positive), size.sum(where=known.positive)
    return known.aggregate(negative=negative.fill_null(0), positive=positive.fill_null(0))


def counted(
    profiles: ibis.Table, *, tokens: str = "tokens", label: str = "label", presence: bool = True, least: int = 1
) -> FeatureCounts:
    """The counts of `feature_counts` and the totals of `class_totals` as arrays: features by count, then by word.

    Raises DataError where a column is missing or of another type.

    >>> import pyarrow
    >>> rows = pyarrow.table({"tokens": [["a", "b", "a"], ["b"], []], "label": [True, False, True]})
    >>> [column.tolist() for column in counted(ibis.memtable(rows))]
    [['b', 'a'], [[1, 1], [0, 1]], [1, 2]]
    """
    columns = {"tokens": tokens, "label": label, "presence": presence}
    found = feature_counts(profiles, **columns, least=least).to_pyarrow()
    totals = class_totals(profiles, **columns).to_pyarrow()
    return _ordered(np.asarray(found["feature"].to_pylist(), np.str_), _sides(found), _sides(totals)[0])


def merge(first: FeatureCounts, second: FeatureCounts) -> FeatureCounts:
    """The counts of two disjoint sets of profiles as of one, features by count, then by word.

    Exact where neither set dropped rare features: drop them afterwards.

    >>> part = FeatureCounts(np.array(["a"]), np.array([[1, 0]]), np.array([3, 2]))
    >>> merge(part, part._replace(words=np.array(["b"]), counts=np.array([[1, 1]]))).counts.tolist()
    [[1, 1], [1, 0]]
    """
    words, place = np.unique(np.concatenate([first.words, second.words]), return_inverse=True)
    counts = np.zeros((len(words), 2), np.int64)
    np.add.at(counts, place, np.concatenate([first.counts, second.counts]))
    return _ordered(words, counts, first.totals + second.totals)


def counted_log(log: EventLog, label: Bool[np.ndarray, "sequence"], *, presence: bool = True) -> FeatureCounts:
    """The counts of a log whose sequences are profiles and whose items are tokens, words as in its vocabulary.

    Words that do not occur count 0. Raises DataError where there is not one label a sequence.

    >>> log = EventLog(np.array([0, 3, 4]), {"item": np.array([1, 2, 1, 2])}, {"item": np.array(["a", "b"])})
    >>> counted_log(log, np.array([True, False])).counts.tolist()
    [[0, 1], [1, 1]]
    """
    if len(label) != log.sequences:
        raise DataError(f"{len(label)} labels for {log.sequences} sequences: give one a sequence")
    rows = len(log.vocabulary["item"]) + 1
    sequence, item = log.sequence, log.columns["item"]
    if presence:
        sequence, item = np.divmod(np.unique(sequence.astype(np.int64) * rows + item), rows)
    side = label[sequence].astype(np.int64)
    counts = np.bincount(2 * item.astype(np.int64) + side, minlength=2 * rows).reshape(rows, 2)
    totals = np.bincount(label if presence else side, minlength=2)
    return FeatureCounts(log.vocabulary["item"], counts[1:].astype(np.int64), totals.astype(np.int64))


def _labelled(profiles: ibis.Table, tokens: str, label: str) -> ibis.Table:
    """The profiles that have a label, as the columns `tokens` and `positive`."""
    schema = profiles.schema()
    for name in (tokens, label):
        if name not in schema:
            raise DataError(f"there is no column {name!r}: the table has {', '.join(schema)}")
    if not (schema[tokens].is_array() and schema[tokens].value_type.is_string()):
        raise DataError(f"column {tokens!r} is {schema[tokens]}: make it lists of text")
    if not schema[label].is_boolean():
        raise DataError(f"column {label!r} is {schema[label]}: make it boolean, true for the positive class")
    return profiles.select(tokens=profiles[tokens], positive=profiles[label]).filter(lambda row: row.positive.notnull())


def _sides(table) -> Int[np.ndarray, "word 2"]:
    """The columns `negative` and `positive` of an Arrow table."""
    return np.column_stack([table[side].to_numpy().astype(np.int64) for side in ("negative", "positive")])


def _ordered(
    words: Shaped[np.ndarray, "word"], counts: Int[np.ndarray, "word 2"], totals: Int[np.ndarray, "2"]
) -> FeatureCounts:
    """The features by count, the most frequent first, then by word."""
    order = np.lexsort((words, -counts.sum(1)))
    return FeatureCounts(words[order], counts[order], totals)
