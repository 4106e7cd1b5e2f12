"""Counts of features by class against a loop."""

from collections import Counter

import ibis
import numpy as np
import pyarrow as pa
import pytest

from seqjax.data.events import DataError, EventLog
from seqjax.data.features import FeatureCounts, class_totals, counted, counted_log, feature_counts, merge

BOOLEAN = pa.bool_()


def table_of(profiles, label=BOOLEAN):
    """Profiles (tokens, label) as a table."""
    columns = ([profile[column] for profile in profiles] for column in (0, 1))
    arrays = (pa.array(column, kind) for column, kind in zip(columns, (pa.list_(pa.string()), label), strict=True))
    return ibis.memtable(pa.table(dict(zip(("tokens", "label"), arrays, strict=True))))


def random_profiles(seed, profiles=60, words=12):
    """Profiles of 0 .. 9 tokens with repeats, of any script."""
    random = np.random.default_rng(seed)
    known = [f"#{chr(code)}" for code in random.choice(range(0x61, 0x3100), words, replace=False)]
    tokens = [[known[at] for at in random.integers(words, size=size)] for size in random.integers(0, 10, profiles)]
    return list(zip(tokens, (random.random(profiles) < 0.4).tolist(), strict=True))


def naive(profiles, presence, least=1):
    """Words, counts and totals, by a loop."""
    sides, totals = (Counter(), Counter()), [0, 0]
    for tokens, label in profiles:
        tokens = [token for token in tokens if token is not None]
        sides[label].update(set(tokens) if presence else tokens)
        totals[label] += 1 if presence else len(tokens)
    both = sides[0] + sides[1]
    words = sorted((word for word in both if both[word] >= least), key=lambda word: (-both[word], word))
    return words, [[sides[0][word], sides[1][word]] for word in words], totals


def plain(features):
    """The counts as lists."""
    return tuple(part.tolist() for part in features)


@pytest.mark.parametrize("presence", [True, False])
@pytest.mark.parametrize("least", [1, 20])
def test_counts_are_those_of_a_loop(presence, least):
    profiles = random_profiles(0)
    found = counted(table_of(profiles), presence=presence, least=least)
    assert plain(found) == naive(profiles, presence, least) and 0 < len(found.words)
    assert (len(found.words) < 12) == (least > 1)
    assert found.counts.dtype == found.totals.dtype == np.int64


def test_other_columns_and_an_engine():
    connection = ibis.duckdb.connect()
    profiles = random_profiles(1)
    table = connection.create_table("profiles", table_of(profiles)).rename(tags="tokens", female="label")
    assert plain(counted(table, tokens="tags", label="female")) == naive(profiles, True)
    expression = feature_counts(table, tokens="tags", label="female")
    assert isinstance(expression, ibis.Table) and set(expression.columns) == {"feature", "negative", "positive"}


def test_nulls_are_set_aside():
    profiles = [(["a", None, "a"], True), (None, True), ([], False), (["b"], None), ([None], False)]
    table = table_of(profiles)
    assert plain(counted(table)) == (["a"], [[0, 1]], [2, 2])
    assert plain(counted(table, presence=False)) == (["a"], [[0, 2]], [0, 2])


def test_nothing_to_count():
    found = counted(table_of([]))
    assert found.words.shape == (0,) and found.counts.shape == (0, 2) and found.totals.tolist() == [0, 0]
    found = counted(table_of([([], True)]), presence=False)
    assert found.counts.shape == (0, 2) and found.totals.tolist() == [0, 0]


@pytest.mark.parametrize("presence", [True, False])
def test_parts_merge_to_the_whole(presence):
    profiles = random_profiles(2)
    parts = [counted(table_of(part), presence=presence) for part in (profiles[:7], profiles[7:20], profiles[20:])]
    whole = plain(counted(table_of(profiles), presence=presence))
    assert plain(merge(merge(parts[0], parts[1]), parts[2])) == whole
    assert plain(merge(parts[2], merge(parts[1], parts[0]))) == whole
    none = counted(table_of([]), presence=presence)
    assert plain(merge(none, counted(table_of(profiles), presence=presence))) == whole


@pytest.mark.parametrize("presence", [True, False])
def test_a_log_counts_as_its_table(presence):
    profiles = random_profiles(3)
    words = np.array([*sorted({token for tokens, _ in profiles for token in tokens}), "never"])
    number = {word: at for at, word in enumerate(words.tolist(), start=1)}
    offsets = np.cumsum([0, *(len(tokens) for tokens, _ in profiles)])
    item = np.array([number[token] for tokens, _ in profiles for token in tokens], np.int32)
    log = EventLog(offsets, {"item": item}, {"item": words})
    found = counted_log(log, np.array([label for _, label in profiles]), presence=presence)
    assert found.words.tolist() == words.tolist() and found.counts[-1].tolist() == [0, 0]
    assert found.counts.dtype == found.totals.dtype == np.int64
    seen = FeatureCounts(found.words[:-1], found.counts[:-1], found.totals)
    none = FeatureCounts(words[:0], found.counts[:0], np.zeros(2, np.int64))
    assert plain(merge(seen, none)) == plain(counted(table_of(profiles), presence=presence))


def test_unfit_columns_are_refused():
    table = table_of(random_profiles(4))
    with pytest.raises(DataError, match="no column 'tags': the table has tokens, label"):
        counted(table, tokens="tags")
    with pytest.raises(DataError, match="column 'label' is array<string>: make it boolean"):
        class_totals(table.select("tokens", label="tokens"))
    with pytest.raises(DataError, match="column 'tokens' is boolean: make it lists of text"):
        feature_counts(table.select("label", tokens="label"))
    with pytest.raises(DataError, match="column 'label' is int64: make it boolean"):
        counted(table_of([(["a"], 1)], label=pa.int64()))


def test_labels_of_another_length_are_refused():
    log = EventLog(np.array([0, 1]), {"item": np.array([1], np.int32)}, {"item": np.array(["a"])})
    with pytest.raises(DataError, match="2 labels for 1 sequences"):
        counted_log(log, np.array([True, False]))
