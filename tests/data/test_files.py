"""A user's own logs: which part becomes training, validation and test, in every way to give them."""

import json

import pytest
import tiny

from seqjax.data.events import DataError
from seqjax.data.files import read_files
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
