import numpy as np
import pytest

from seqjax.data.events import (
    EventLog,
    at_least,
    expressed,
    first_appearance,
    grouped,
    keep,
    renumbered,
    take,
)


def test_properties():
    log = EventLog(np.array([0, 2, 2, 3]), {"item": np.array([1, 2, 2])}, {"item": np.array(["a", "b"])})
    assert (log.events, log.sequences, log.lengths.tolist()) == (3, 3, [2, 0, 1])
    assert log.first().tolist() == [True, False, True]
    assert log.sequence.tolist() == [0, 0, 2]
    assert log.counts().tolist() == [0, 1, 2]


@pytest.mark.parametrize("seed", range(5))
def test_keep_take_at_least_match_lists(seed, random_log, lists):
    log = random_log(seed)
    random = np.random.default_rng(seed)
    mask = random.random(log.events) < 0.6
    kept = keep(log, mask)
    words = lists(log)
    expected = [
        [word for word, stays in zip(row, mask[start:], strict=False) if stays]
        for row, start in zip(words, log.offsets, strict=False)
    ]
    assert lists(kept) == expected
    assert lists(at_least(kept, 2)) == [row for row in expected if len(row) >= 2]
    chosen = random.permutation(log.sequences)[:7]
    assert lists(take(log, chosen)) == [words[index] for index in chosen]
    assert take(log, chosen).keys["session"].tolist() == log.keys["session"][chosen].tolist()


@pytest.mark.parametrize("seed", range(5))
def test_renumbered_and_expressed_keep_words(seed, random_log, lists):
    log = random_log(seed, items=40)
    new = renumbered(log)
    flat = [word for row in lists(log) for word in row]
    assert lists(new) == lists(log)
    assert new.vocabulary["item"].tolist() == list(dict.fromkeys(flat))
    words = np.array(["i3", "zzz", "i1", "i7"])
    other = expressed(log, words)
    assert lists(other) == [[word for word in row if word in words] for row in lists(log)]
    assert other.vocabulary["item"] is words


@pytest.mark.parametrize("seed", range(10))
def test_grouped_matches_a_naive_grouping(seed):
    random = np.random.default_rng(seed)
    owner, time = random.integers(0, 9, 60), random.integers(0, 12, 60)
    rows = {}
    for row in range(60):
        rows.setdefault(owner[row], []).append(row)
    sorted_rows = [sorted(members, key=lambda row: time[row]) for members in rows.values()]
    by_start = sorted(sorted_rows, key=lambda members: (time[members[0]], members[0]))
    order, offsets = grouped(owner, time)
    assert order.tolist() == [row for members in by_start for row in members]
    assert np.diff(offsets).tolist() == [len(members) for members in by_start]
    order, _ = grouped(owner)
    assert order.tolist() == [row for members in rows.values() for row in members]


def test_grouped_and_first_appearance_of_nothing():
    order, offsets = grouped(np.zeros(0, np.int64))
    assert (order.tolist(), offsets.tolist()) == ([], [0])
    assert first_appearance(np.zeros(0, np.int64), 3).tolist() == []
