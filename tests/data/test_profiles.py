"""Profiles by hand: folds, features in the order of their worth, and what the judged profiles may not decide."""

import numpy as np
import pytest
from profile_sets import CLASSES, counted, profiles_of, random_profiles, words_of

from seqjax.data.association import chi_square, frequency
from seqjax.data.events import DataError, Split
from seqjax.data.profiles import expressed_in, fold, labelled, profiled, reduced, selected, some, token_log


def label_of(positives, negatives, seed=0):
    return np.random.default_rng(seed).permutation(np.repeat([True, False], [positives, negatives]))


# What a profile is


def test_a_log_of_tokens_numbers_them_as_they_come():
    log = token_log([["b", "a", "b"], [], ["c", "a"]], {"user": ["x", "y", "z"]})
    assert log.offsets.tolist() == [0, 3, 3, 5] and log.columns["item"].tolist() == [1, 2, 1, 3, 2]
    assert log.vocabulary["item"].tolist() == ["b", "a", "c"] and log.keys["user"].tolist() == ["x", "y", "z"]
    assert log.columns["item"].dtype == np.int32
    empty = token_log([])
    assert (empty.sequences, empty.events) == (0, 0) and empty.vocabulary["item"].tolist() == []


def test_everything_in_a_profile_describes_it():
    samples = profiles_of([["a", "b"], [], ["b"]], np.array([True, False, True]))
    assert samples.cutoff.tolist() == samples.place.tolist() == [2, 0, 1] and not samples.target
    assert samples.vocabulary["class"].tolist() == list(CLASSES) and samples.counts().tolist() == [0, 1, 2]


@pytest.mark.parametrize(("said", "classes", "message"), [
    (["F", "X"], ("M", "F"), r"a list, row 2: label 'X' is neither 'M' nor 'F'"),
    (["F", None], ("M", "F"), r"a list, row 2: label None is neither"),
    (["F", "F"], ("M", "F"), r"a list: all 2 labels are the same class"),
    (["M"], ("M", "F"), r"all 1 labels are the same class"),
    (["F", "M"], ("F", "F"), r"classes=\('F', 'F'\): name two different ones"),
    (["F", "M"], ("F",), r"name two different ones, the positive one last"),
])  # fmt: skip
def test_labels_that_cannot_be_used(said, classes, message):
    with pytest.raises(DataError, match=message):
        labelled(said, classes, "a list")


def test_labels_are_whether_it_is_the_second_class():
    assert labelled(["y", "x", "x"], ("x", "y"), "a list").tolist() == [True, False, False]
    assert labelled(["y", "x", "x"], ("y", "x"), "a list").tolist() == [False, True, True]


# Folds


@pytest.mark.parametrize(("folds", "validation"), [(5, 0.1), (5, 0.0), (3, 0.4), (2, 0.01)])
def test_parts_are_apart_cover_everybody_and_have_their_share_of_either_class(folds, validation):
    label = label_of(23, 44)
    for seed in range(2 * folds):
        parts = fold(label, seed=seed, folds=folds, validation=validation)
        assert np.sort(np.concatenate(parts)).tolist() == list(range(67))
        train, chosen, test = (np.bincount(label[part], minlength=2) for part in parts)
        for own, total in enumerate((44, 23)):
            assert test[own] in (total // folds, -(-total // folds))
            rest = total - test[own]
            assert chosen[own] == (max(round(validation * rest), 1) if validation else 0)
            assert train[own] == rest - chosen[own] > 0
        assert all((np.diff(part) > 0).all() for part in parts)


def test_seeds_of_a_repetition_judge_everybody_once_and_the_next_one_divides_anew():
    label = label_of(31, 60)
    judged = [[fold(label, seed=seed)[2].tolist() for seed in range(5 * repeat, 5 * repeat + 5)] for repeat in range(3)]
    for repetition in judged:
        assert sorted(row for part in repetition for row in part) == list(range(91))
    assert not set(map(tuple, judged[0])) & set(map(tuple, judged[1])) and judged[1] != judged[2]
    again = fold(label, seed=7)
    assert all((one == other).all() for one, other in zip(again, fold(label, seed=7), strict=True))
    assert len(again[1]) > 0 and (fold(label, seed=7, validation=0.0)[2] == again[2]).all()


@pytest.mark.parametrize(("positives", "settings", "message"), [
    (10, {"folds": 1}, "folds=1, validation=0.1: use 2 folds or more"),
    (4, {}, "no more than the 4 profiles of the smaller class"),
    (0, {}, "no more than the 0 profiles"),
    (10, {"validation": 1.0}, r"validation=1\.0: use .* a share from 0 up to 1"),
    (10, {"validation": -0.1}, r"validation=-0\.1: use"),
    (5, {"validation": 0.95}, r"validation=0\.95: leaves no profile of one class to learn from"),
])  # fmt: skip
def test_folds_that_cannot_be_made(positives, settings, message):
    with pytest.raises(DataError, match=message):
        fold(label_of(positives, 30), **settings)


def test_some_profiles_keep_their_words_and_their_names_and_nothing_of_others():
    label = np.array([True, False, True, False])
    samples = profiles_of([["a"], ["b", "c"], [], ["c"]], label, user=["p", "q", "r", "s"])
    few = some(samples, np.array([3, 1]))
    assert words_of(few) == [["c"], ["b", "c"]] and few.label.tolist() == [False, False]
    assert few.keys["user"].tolist() == ["s", "q"] and (few.events, few.sequences) == (3, 2)
    assert some(samples, np.array([2])).cutoff.tolist() == [0]


# Features


def test_the_best_feature_stands_last_in_every_profile():
    samples = profiles_of([["c", "a", "c", "d"], ["d"], [], ["b", "a"]], np.array([True, False, True, False]))
    words = np.array(["b", "c", "a"])  # the best first
    once, often = (expressed_in(samples, words, presence=presence) for presence in (True, False))
    assert words_of(once) == [["a", "c"], [], [], ["a", "b"]]
    assert words_of(often) == [["a", "c", "c"], [], [], ["a", "b"]]
    assert once.cutoff.tolist() == once.place.tolist() == [2, 0, 0, 2] and often.cutoff.tolist() == [3, 0, 0, 2]
    assert once.vocabulary["item"].tolist() == ["b", "c", "a"] and once.log.columns["item"].tolist() == [3, 2, 3, 1]
    assert once.label.tolist() == samples.label.tolist() and once.vocabulary["class"].tolist() == list(CLASSES)
    unknown = expressed_in(samples, np.array(["z"]))
    assert words_of(unknown) == [[], [], [], []] and unknown.sequences == 4


@pytest.mark.parametrize("presence", [True, False])
def test_expression_is_the_columns_of_the_matrix(presence):
    samples = random_profiles(3)
    words = np.random.default_rng(0).permutation(samples.vocabulary["item"])[:7]
    made, matrix = expressed_in(samples, words, presence=presence), counted(samples)
    place = [samples.vocabulary["item"].tolist().index(word) for word in words]
    matrix = matrix[:, place]
    np.testing.assert_array_equal(counted(made), np.minimum(matrix, 1.0) if presence else matrix)
    for row in range(made.size):
        ids = made.log.columns["item"][slice(*made.log.offsets[row : row + 2])]
        assert (np.diff(ids) < 0).all() if presence else (np.diff(ids) <= 0).all()
    assert made.sequences == samples.sequences and (made.cutoff == 0).any()


def information(present, label):
    """Mutual information of two binary columns, from its four cells."""
    total = 0.0
    for there in (False, True):
        for own in (False, True):
            cell = ((present == there) & (label == own)).mean()
            if cell:
                total += cell * np.log(cell / ((present == there).mean() * (label == own).mean()))
    return total


def test_selection_ranks_the_training_profiles_by_information():
    samples = random_profiles(5, count=120)
    train, _, test = fold(samples.label, seed=2)
    split = selected(samples, seed=2, features=5)
    matrix = counted(samples)[train] > 0
    score = [information(column, samples.label[train]) for column in matrix.T]
    best = np.argsort(-np.array(score))[:5]
    assert len(np.unique(np.round(score, 9))) == len(score)  # no ties
    assert split.train.vocabulary["item"].tolist() == samples.vocabulary["item"][best].tolist()
    expected = np.minimum(counted(samples)[test][:, best], 1.0)
    np.testing.assert_array_equal(counted(split.test), expected)
    assert split.test.label.tolist() == samples.label[test].tolist()
    told = {"classes": "no | yes", "features_seen": int(matrix.any(axis=0).sum()), "features_selected": 5}
    told |= {
        "profiles_without_a_feature": int((expected.sum(axis=1) == 0).sum()),
        "coverage": expected.sum() / len(test),
    }
    assert split.notes == pytest.approx(told) and told["profiles_without_a_feature"] > 0


def test_what_is_judged_or_chosen_by_selects_nothing():
    samples = random_profiles(5, count=120)
    _, chosen, test = fold(samples.label, seed=1)
    held = words_of(samples)
    for row in (*chosen, *test):  # as telling as a word can be
        held[row] = ["new" if samples.label[row] else "old", "w3"]
    names = [*samples.vocabulary["item"], "new", "old"]
    other = profiles_of(held, samples.label, names)
    for settings in ({}, {"occurrences": True}, {"method": chi_square}):
        before, after = (selected(one, seed=1, features=6, **settings) for one in (samples, other))
        assert before.train.vocabulary["item"].tolist() == after.train.vocabulary["item"].tolist()
        np.testing.assert_array_equal(counted(before.train), counted(after.train))
    assert (
        selected(samples, seed=0, features=6).train.vocabulary["item"].tolist()
        != before.train.vocabulary["item"].tolist()
    )  # another fold chooses others
    every = selected(other, seed=1, features=99).train.vocabulary["item"].tolist()
    assert "new" not in every and "old" not in every  # nor is a feature of theirs known


def test_selection_and_input_count_presence_or_occurrences():
    """Twenty profiles say c once; d is said ten times by one of them alone."""
    tokens = [["c", "a"], *[["c"]] * 9, ["d"] * 10, *[["c"] if row % 2 else ["e"] for row in range(9)]]
    samples = profiles_of([*tokens, *tokens], np.repeat([True, False, True, False], 10))
    split = Split(samples, None, samples)
    once = reduced(split, features=1, method=frequency)
    often = reduced(split, features=1, method=frequency, occurrences=True)
    assert once.train.vocabulary["item"].tolist() == ["c"] and once.notes["coverage"] == 28 / 40
    assert often.train.vocabulary["item"].tolist() == ["c"]
    more = profiles_of([*tokens, ["d"] * 30], np.append(np.repeat([True, False], 10), False))
    both = [reduced(Split(more, None, more), features=1, method=frequency, occurrences=o) for o in (False, True)]
    assert [one.train.vocabulary["item"].tolist() for one in both] == [["c"], ["d"]]
    for presence, most in ((True, 1), (False, 30)):
        made = reduced(Split(more, None, more), features=1, method=frequency, occurrences=True, presence=presence)
        assert made.train.cutoff.max() == most and made.validation is None


def test_rare_features_are_left_out():
    samples = profiles_of([["a", "a"], ["a", "b"], ["b"], ["c", "c", "c"]], np.array([True, True, False, False]))
    split = Split(samples, samples, samples)
    for settings, words in (
        ({"least": 2}, ["a", "b"]),
        ({"least": 3, "occurrences": True}, ["a", "c"]),
        ({"least": 0}, ["a", "b", "c"]),
    ):
        made = reduced(split, **settings)
        assert sorted(made.train.vocabulary["item"].tolist()) == words and made.notes["features_seen"] == len(words)
        assert words_of(made.train) == words_of(made.validation) == words_of(made.test)
    with pytest.raises(DataError, match="there are no features"):
        reduced(split, least=9)


def test_disjoint_parts_of_training_share_their_features():
    samples = random_profiles(6, count=90)
    split = Split(some(samples, np.arange(70)), None, some(samples, np.arange(70, 90)))
    whole = reduced(split, features=6)
    parts = [reduced(split, features=6, part=part, parts=3) for part in range(3)]
    for part in parts:
        assert part.train.vocabulary["item"].tolist() == whole.train.vocabulary["item"].tolist()
        np.testing.assert_array_equal(counted(part.test), counted(whole.test))
    rows = np.concatenate([np.arange(part, 70, 3) for part in range(3)])
    np.testing.assert_array_equal(np.concatenate([counted(part.train) for part in parts]), counted(whole.train)[rows])
    assert np.concatenate([part.train.label for part in parts]).tolist() == whole.train.label[rows].tolist()
    for part, number in ((3, 3), (-1, 3), (0, 0)):
        with pytest.raises(DataError, match=f"part={part} of parts={number}: parts are numbered from 0"):
            reduced(split, part=part, parts=number)


def test_without_a_share_aside_there_is_no_validation_and_features_below_one_are_refused():
    samples = random_profiles(7)
    assert selected(samples, validation=0.0).validation is None
    with pytest.raises(DataError, match="0 features are asked for"):
        selected(samples, features=0)


def test_profiles_of_a_log_have_its_labels():
    log = token_log([["a"], ["b"]])
    assert profiled(log, np.array([False, True]), CLASSES).label.tolist() == [False, True]


def test_folds_of_a_repetition_choose_by_different_profiles():
    label = np.arange(400) % 2 == 0
    chosen = [set(fold(label, seed=seed, validation=0.1)[1].tolist()) for seed in range(5)]
    assert all(len(one & other) < 12 for at, one in enumerate(chosen) for other in chosen[:at])  # 32 each, 3 by chance
    assert fold(label, seed=3)[1].tolist() == fold(label, seed=3)[1].tolist()
