import numpy as np
import pytest

from seqjax.data.events import (
    EventLog,
    at_least,
    expressed,
    first_appearance,
    grouped,
    join,
    keep,
    padded,
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


@pytest.mark.parametrize("seed", range(3))
def test_join_puts_one_log_behind_the_other(seed, random_log, lists):
    first, second = random_log(seed), random_log(seed + 10, sequences=12)
    second = keep(second, np.random.default_rng(seed).random(second.events) < 0.5)  # some sequences are empty
    both = join(first, second)
    assert lists(both) == lists(first) + lists(second)
    assert both.columns["time"].tolist() == [*first.columns["time"].tolist(), *second.columns["time"].tolist()]
    untimed = second._replace(columns={"item": second.columns["item"], "size": second.columns["time"]})
    assert list(join(first, untimed).columns) == list(join(untimed, first).columns) == ["item"]
    nothing = take(first, np.zeros(0, np.int64))
    assert lists(join(nothing, first)) == lists(join(first, nothing)) == lists(first)


@pytest.mark.parametrize("words", [["i1", "i0"], ["i0"], ["i0", "i1", "i2"]])
def test_join_needs_one_vocabulary(words):
    log = EventLog(np.array([0, 2]), {"item": np.array([1, 1])}, {"item": np.array(["i0", "i1"])})
    with pytest.raises(ValueError, match="the vocabularies of 'item' differ: express both logs in one"):
        join(log, log._replace(vocabulary={"item": np.array(words)}))


@pytest.mark.parametrize("seed", range(3))
def test_padded_matches_lists(seed, random_log):
    log = random_log(seed)
    log = keep(log, np.random.default_rng(seed).random(log.events) < 0.6)
    chosen = np.random.default_rng(seed).permutation(log.sequences)[:9]
    rows = [log.columns["item"][log.offsets[s] : log.offsets[s + 1]].tolist() for s in chosen]
    longest = max(len(row) for row in rows)
    items, valid = padded(log, chosen)
    assert items.tolist() == [row + [0] * (longest - len(row)) for row in rows]
    assert valid.tolist() == [[place < len(row) for place in range(longest)] for row in rows]
    assert padded(log, chosen[:0])[0].shape == (0, 0)
