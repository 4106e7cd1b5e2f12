"""Copies and nearest training series by hand and against the textbook's edit distance."""

import numpy as np
import pytest
from tiny_series import lists, log_of, random_log

from seqjax.data.events import take
from seqjax.evaluate import memorisation
from seqjax.evaluate.memorisation import copies, nearest


def edits(one, other):
    """Fewest insertions, deletions and replacements that make one list the other, row by row of the whole table."""
    row = list(range(len(other) + 1))
    for place, action in enumerate(one, start=1):
        above, row = row, [place]
        for column, wanted in enumerate(other, start=1):
            row.append(min(above[column] + 1, row[-1] + 1, above[column - 1] + (action != wanted)))
    return row[-1]


def closest(actions, train):
    """Edit distance to the nearest training series over the length of the longer of the two; a loop over all."""
    return min(edits(actions, other) / max(len(actions), len(other), 1) for other in lists(train))


def test_copies_by_hand():
    train = log_of([[1, 2], [3], [], [1, 2, 3]])
    log = log_of([[1, 2], [2, 1], [3, 3], [], [1, 2, 3], [1, 2, 3, 3], [2, 3]])
    assert copies(log, train).tolist() == [True, False, False, True, True, False, False]
    assert copies(log_of([[]]), log_of([[1]])).tolist() == [False]


def test_neighbours_of_one_training_series_do_not_run_together():
    """[2, 3] and [1, 2] stand in the flat column of [1], [2, 3], [1, 2], [3]; so does [3, 1], which is no series."""
    train = log_of([[1], [2, 3], [1, 2], [3]])
    assert copies(log_of([[2, 3], [3, 1], [1, 2, 3]]), train).tolist() == [True, False, False]


@pytest.mark.parametrize("seed", range(4))
def test_nearest_against_a_loop(seed):
    log, train = random_log(seed, 60), random_log(seed + 10, 25)
    expected = [closest(actions, train) for actions in lists(log) if len(actions) >= np.median(train.lengths)]
    found = nearest(log, train)
    assert len(expected) > 5 and len(set(expected)) > 3
    assert np.sort(found) == pytest.approx(sorted(expected))  # which is asked first is drawn


def test_nearest_by_hand():
    train = log_of([[1, 2, 3, 4], [5, 5, 5, 5]])
    for actions, distance in (
        ([1, 2, 3, 4], 0.0),
        ([1, 3, 4, 4], 2 / 4),  # one left out, one put in
        ([1, 2, 3, 4, 1], 1 / 5),  # of the longer one's length
        ([2, 1, 4, 3], 3 / 4),  # two swapped cost more than one
        ([5, 5, 5, 5, 5, 5, 5, 5], 4 / 8),
    ):
        assert nearest(log_of([actions]), train) == pytest.approx([distance])


def test_only_the_longer_half_is_asked():
    train = log_of([[1] * length for length in (1, 2, 3, 4, 9)])
    log = log_of([[2] * length for length in (0, 1, 2, 3, 4, 5)])
    assert nearest(log, train).tolist() == [1.0] * 3  # lengths 3, 4, 5
    assert nearest(log_of([[1], [2, 2], []]), train).shape == (0,)
    assert copies(log_of([[1], [2, 2], []]), train).tolist() == [True, False, False]  # this asks all


def test_as_many_series_are_asked_as_the_bound_says(monkeypatch):
    monkeypatch.setattr(memorisation, "QUERIES", 7)
    log, train = random_log(0, 60), random_log(1, 30)
    every = {closest(actions, train) for actions in lists(log)}
    found = nearest(log, train)
    assert len(found) == 7 and all(min(abs(one - other) for other in every) < 1e-6 for one in found)


def test_every_log_is_held_against_the_same_references(monkeypatch):
    """Of nine different training series four are references, whether they are asked after together or one by one."""
    monkeypatch.setattr(memorisation, "REFERENCES", 4)
    train = log_of([[first, second, 1] for first in (1, 2, 3) for second in (1, 2, 3)])
    assert (nearest(train, train) == 0.0).sum() == 4
    alone = [nearest(take(train, np.array([series])), train)[0] == 0.0 for series in range(9)]
    assert sum(alone) == 4
    twice = nearest(take(train, np.repeat(np.flatnonzero(alone), 2)), train)
    assert twice.tolist() == [0.0] * 8


def test_the_seed_draws_references_and_queries(monkeypatch):
    monkeypatch.setattr(memorisation, "QUERIES", 20)
    monkeypatch.setattr(memorisation, "REFERENCES", 10)
    log, train = random_log(2, 60), random_log(3, 60)
    one, again, other = (nearest(log, train, seed).tolist() for seed in (0, 0, 1))
    assert one == again and one != other


def test_large_alphabets():
    """Characters from 0xD800 to 0xDFFF are none; 0xFEFF, at the head of a text, is a mark of byte order."""
    edges = [1, 0xD7FF, 0xD800, 0xDFFF, 0xE000, 0xE7FF, 0xFEFF, 0xFFFE, 0x10000]
    words = np.arange(0x10001)
    train = log_of([[edge] for edge in edges], words)
    assert copies(train, train).all()
    for place, edge in enumerate(edges):
        others = take(train, np.delete(np.arange(len(edges)), place))
        assert not copies(log_of([[edge]], words), others).any()
        assert nearest(log_of([[edge, 2], [edge]], words), others).tolist() == [1.0, 1.0]
        assert sorted(nearest(log_of([[edge, 2], [edge]], words), train)) == [0.0, 0.5]
