"""A user's own logs: which part becomes training, validation and test, in every way to give them."""

import json
from collections import Counter

import numpy as np
import pytest
import tiny

from seqjax.data.events import RARE, DataError, EventLog, bucketed
from seqjax.data.files import read_files, read_series
from seqjax.data.prepare import prepare

MINUTE = 1 / 1440  # days; the sessions of `tiny.write_log` begin a minute apart


@pytest.fixture
def train(tmp_path):
    return tiny.write_log(tmp_path / "train.tsv", 1, 40)


def test_two_files(tmp_path, train):
    test = tmp_path / "test.tsv"
    test.write_text("SessionId\tItemId\tTime\na\ti1\t1\na\tnew\t2\na\ti2\t3\nb\tnew\t4\n")
    split = read_files(train, test)
    assert (split.train.sequences, split.validation, split.test.sequences) == (40, None, 1)
    words = split.train.vocabulary["item"]
    assert split.test.vocabulary["item"] is words
    assert words[split.test.columns["item"] - 1].tolist() == ["i1", "i2"]
    assert (split.notes["test_unseen_items"], split.notes["test_unseen_events"]) == (1, 2)


def test_one_file_is_split_by_time(train):
    split = read_files(train, test_days=10 * MINUTE)
    assert split.train.columns["time"].max() < split.test.columns["time"].min()
    assert 0 < split.test.sequences <= 11 and split.train.sequences + split.test.sequences == 40
    with pytest.raises(DataError, match="nothing is left to train on when the last 9 days is the test"):
        read_files(train, test_days=9.0)


def test_one_file_without_times_is_split_by_share(tmp_path, train):
    lines = tmp_path / "lines.txt"
    lines.write_text("\n".join("a b c d" for _ in range(30)))
    for split in (read_files(lines), read_files(train, time=None)):
        assert "time" not in split.train.columns
        assert split.test.sequences == round(0.1 * (split.train.sequences + split.test.sequences))


def test_validation_by_share_or_file(tmp_path, train):
    test, other = tiny.write_log(tmp_path / "test.tsv", 2, 5), tiny.write_log(tmp_path / "other.tsv", 3, 7)
    split = read_files(train, test, validation_share=0.25)
    assert (split.train.sequences, split.validation.sequences) == (30, 10)
    assert split.train.columns["time"].max() < split.validation.columns["time"].min()
    split = read_files(train, test, validation=other, validation_share=0.25)
    assert (split.train.sequences, split.validation.sequences) == (40, 7)
    assert split.validation.vocabulary["item"] is split.train.vocabulary["item"]
    assert read_files(train, test, validation_share=0.001).validation is None


@pytest.mark.parametrize("validation_days", [0.0, 5 * MINUTE])
def test_a_prepared_folder(tmp_path, train, validation_days):
    prepare(train, tmp_path / "ready", min_item=1, test_days=8 * MINUTE, validation_days=validation_days)
    split = read_files(tmp_path / "ready")
    assert (split.validation is not None) == bool(validation_days)
    shared = read_files(tmp_path / "ready", validation_share=0.5)
    if validation_days:  # what was prepared stays as it is
        assert shared.validation.sequences == split.validation.sequences
    else:
        assert shared.train.sequences + shared.validation.sequences == split.train.sequences
    for part in (shared.validation, split.test):
        assert part.vocabulary["item"].tolist() == split.train.vocabulary["item"].tolist()


def test_columns_by_name(tmp_path):
    log = tmp_path / "log.csv"
    log.write_text("visit,sku,at\n" + "".join(f"v{s},{k},{1000 * (s + k)}\n" for s in range(20) for k in range(3)))
    split = read_files(log, session="visit", item="sku", time="at", time_unit="ms", test_days=3 / 86_400)
    assert split.test.columns["time"].max() == 21
    with pytest.raises(DataError, match=r"no column of sessions or users; .*'visit', 'sku', 'at'.*--session NAME"):
        read_files(log)


def test_nothing_given(tmp_path):
    with pytest.raises(DataError, match=r"no training log is given: --set data.train=FILE"):
        read_files()
    with pytest.raises(DataError, match="there is no such file"):
        read_files(tmp_path / "none.tsv")
    (tmp_path / "ready/train").mkdir(parents=True)
    (tmp_path / "ready/train/schema.json").write_text(json.dumps({}))
    with pytest.raises(DataError, match=r"schema.json: cannot be understood; prepare the log again"):
        read_files(tmp_path / "ready")


# Series of actions


def write_series(path, seed, count=40, longest=6):
    """Series of one action and more; their rows alternate, as far as both have some. Returns them as lists."""
    random = np.random.default_rng(seed)
    words = np.array(["a", "b", "c", "d", "once"])
    series = [random.choice(words[:4], random.integers(1, longest + 1)).tolist() for _ in range(count)]
    series[seed][0] = "once"
    rows = [(place, number) for number, actions in enumerate(series) for place in range(len(actions))]
    lines = [f"s{number},{series[number][place]}" for place, number in sorted(rows)]
    path.write_text("session,item\n" + "\n".join(lines) + "\n")
    return series


def parts(split, lists):
    """For each part of a split, its series by name."""
    logs = {"train": split.train, "validation": split.validation, "test": split.test}
    return {
        name: dict(zip(log.keys["session"].tolist(), lists(log), strict=True)) if log else {}
        for name, log in logs.items()
    }


@pytest.mark.parametrize("seed", range(3))
def test_series_are_set_aside_whole_by_the_seed(tmp_path, lists, seed):
    series = write_series(tmp_path / "log.csv", seed)
    split = read_series(tmp_path / "log.csv", seed=seed)
    held = parts(split, lists)
    assert {name: len(part) for name, part in held.items()} == {"train": 34, "validation": 2, "test": 4}
    assert held["train"] | held["validation"] | held["test"] == {f"s{n}": actions for n, actions in enumerate(series)}
    assert min(len(actions) for actions in series) == 1  # these stay
    for part in held.values():  # in the file's order
        assert list(part) == sorted(part, key=lambda name: int(name[1:]))
    assert split.test.vocabulary["item"].tolist() == split.train.vocabulary["item"].tolist()
    assert parts(read_series(tmp_path / "log.csv", seed=seed), lists) == held
    assert parts(read_series(tmp_path / "log.csv", seed=seed + 1), lists)["test"] != held["test"]


@pytest.mark.parametrize(("test", "validation", "sizes"), [
    (0.25, 0.1, (26, 4, 10)), (0.5, 0.0, (20, 0, 20)), (0.03, 0.012, (39, 0, 1)),
])  # fmt: skip
def test_shares_are_rounded_to_whole_series(tmp_path, lists, test, validation, sizes):
    write_series(tmp_path / "log.csv", 0)
    split = read_series(tmp_path / "log.csv", test_share=test, validation_share=validation)
    assert tuple(len(part) for part in parts(split, lists).values()) == sizes
    assert (split.validation is None) == (sizes[1] == 0)


def test_a_column_of_times_puts_actions_in_order(tmp_path, lists):
    log = tmp_path / "log.csv"
    log.write_text(
        "session,item,time\n" + "".join(f"s{s},i{k},{90 * s + 9 - k}\n" for s in range(10) for k in (0, 1, 2))
    )
    assert set(map(tuple, lists(read_series(log).train))) == {("i2", "i1", "i0")}
    assert set(map(tuple, lists(read_series(log, time=None).train))) == {("i0", "i1", "i2")}


@pytest.mark.parametrize("seed", range(3))
def test_rare_actions_of_the_whole_log_become_one(tmp_path, lists, seed):
    """Whichever part they fall into: what is judged has no action of its own."""
    series = write_series(tmp_path / "log.csv", seed)
    count = Counter(action for actions in series for action in actions)
    bound = sorted(count.values())[2]  # two of the five are rarer
    rare = {action for action, times in count.items() if times < bound}
    split = read_series(tmp_path / "log.csv", rare=bound, seed=seed)
    held = parts(split, lists)
    joined = {f"s{n}": [RARE if a in rare else a for a in actions] for n, actions in enumerate(series)}
    assert held["train"] | held["validation"] | held["test"] == joined
    words = split.train.vocabulary["item"].tolist()
    assert words[-1] == RARE and sorted(words[:-1]) == sorted(set(count) - rare) and len(words) == 4
    assert split.notes["rare_events"] == sum(count[action] for action in rare)
    assert "rare_events" not in read_series(tmp_path / "log.csv").notes
    assert "once" in read_series(tmp_path / "log.csv").train.vocabulary["item"]


def test_series_that_cannot_be_set_aside(tmp_path):
    with pytest.raises(DataError, match=r"no log is given: --set data.train=FILE"):
        read_series()
    (tmp_path / "two.txt").write_text("a b\nb\n")
    with pytest.raises(DataError, match="test=0, validation=0 of 2 sequences: set aside fewer, one or more for test"):
        read_series(tmp_path / "two.txt")
    assert read_series(tmp_path / "two.txt", test_share=0.5).train.sequences == 1


@pytest.mark.parametrize("least", [0, 1, 3, 8, 1000])
@pytest.mark.parametrize("seed", range(3))
def test_bucketed_against_lists(random_log, lists, seed, least):
    log = random_log(seed, items=20)
    count = Counter(word for row in lists(log) for word in row)
    rare = [word for word in log.vocabulary["item"].tolist() if count[word] < least]
    joined, replaced = bucketed(log, least)
    assert lists(joined) == [[RARE if word in rare else word for word in row] for row in lists(log)]
    often = [word for word in log.vocabulary["item"].tolist() if word not in rare]
    assert joined.vocabulary["item"].tolist() == ([*often, RARE] if rare else often)
    assert replaced == sum(count[word] for word in rare)
    assert joined.columns["time"] is log.columns["time"]


def test_words_that_were_joined_before_stay_one_word():
    """A log that was written with rare words joined is read again: the word for them has one id."""
    log = EventLog(np.array([0, 6]), {"item": np.array([1, 1, 2, 2, 3, 3])}, {"item": np.array([RARE, "a", "b"])})
    assert bucketed(log, 2)[0] is log  # nothing is rare
    items = {"item": np.array([1, 1, 2, 2, 2, 3], np.int32)}
    joined, replaced = bucketed(log._replace(columns=items), 2)
    assert joined.vocabulary["item"].tolist() == ["a", RARE] and joined.columns["item"].tolist() == [2, 2, 1, 1, 1, 2]
    assert replaced == 1
