"""Tables written for people come back as they were, by the ending of their name."""

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv, parquet

from seqjax.data.events import DataError, EventLog
from seqjax.data.read import read_log
from seqjax.data.write import check_log_ending, write_log, write_rows

COLUMNS = {
    "session": np.array(["007", 'a "b"', "x,y\tz"]),
    "rank": np.array([1, 2, 3]),
    "score": np.float32([0.5, -1, 3]),
}


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".parquet"])
def test_round_trip(tmp_path, ending):
    file = tmp_path / f"rows{ending}"
    write_rows(file, COLUMNS)
    if ending == ".parquet":
        table = parquet.read_table(file)
    else:
        options = csv.ConvertOptions(column_types={"session": pa.string()})
        table = csv.read_csv(
            file, parse_options=csv.ParseOptions(delimiter=",\t"[ending == ".tsv"]), convert_options=options
        )
    assert table.to_pydict() == {name: column.tolist() for name, column in COLUMNS.items()}
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_unknown_ending(tmp_path):
    with pytest.raises(DataError, match=r"rows.xlsx: ending '.xlsx'; use .csv, .tsv or .parquet"):
        write_rows(tmp_path / "rows.xlsx", COLUMNS)
    assert not list(tmp_path.iterdir())


def small_log(words=("007", "ale", "x-y"), keys=None):
    """Sessions of two, no, one and three events."""
    item = np.array([2, 1, 3, 1, 1, 2], np.int32)
    return EventLog(np.array([0, 2, 2, 3, 6]), {"item": item}, {"item": np.array(words)}, keys or {})


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".parquet", ".txt"])
def test_a_log_comes_back_without_its_empty_sessions(tmp_path, lists, ending):
    write_log(tmp_path / f"log{ending}", small_log())
    log, notes = read_log(tmp_path / f"log{ending}", time="if any", least=1)
    assert lists(log) == [["ale", "007"], ["x-y"], ["007", "007", "ale"]]
    assert log.keys["session"].tolist() == ["1", "3", "4"]
    assert (notes["events_read"], notes["sessions_read"]) == (6, 3)
    assert [path.name for path in tmp_path.iterdir()] == [f"log{ending}"]


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_keys_and_odd_items_come_back(tmp_path, lists, ending):
    keys = {"session": np.array(["b", "c", "a", "07"]), "user": np.array(["u", "v", "u", "u"])}
    log = small_log(('a "b"', "x,y\tz", "of  wine"), keys)
    write_log(tmp_path / f"log{ending}", log)
    back = read_log(tmp_path / f"log{ending}", time=None, least=1)[0]
    assert lists(back) == [words for words in lists(log) if words]
    assert back.keys["session"].tolist() == ["b", "a", "07"] and back.keys["user"].tolist() == ["u", "u", "u"]


@pytest.mark.parametrize("word", ["red wine", "red\twine", "red\nwine", "", "red,wine", "red|wine"])
def test_items_that_a_text_line_cannot_hold(tmp_path, word):
    with pytest.raises(
        DataError, match=r"log.txt: the item .* is empty or has a mark that parts columns; write .csv or .parquet"
    ):
        write_log(tmp_path / "log.txt", small_log(("a", word, "b")))
    assert not list(tmp_path.iterdir())


def test_sessions_of_one_user_stay_apart(tmp_path):
    log = EventLog(np.array([0, 2, 4]), {"item": np.int32([1, 2, 2, 1])}, {"item": np.array(["a", "b"])},
                   {"user": np.array(["u", "u"])})  # fmt: skip
    write_log(tmp_path / "log.csv", log)
    assert read_log(tmp_path / "log.csv", time=None)[0].lengths.tolist() == [2, 2]


def test_the_ending_of_a_log_and_its_folder_are_checked_first(tmp_path):
    for check in (check_log_ending, lambda file: write_log(file, small_log())):
        with pytest.raises(DataError, match=r"log.xlsx: ending '.xlsx'; use .csv, .tsv or .parquet"):
            check(tmp_path / "log.xlsx")
        with pytest.raises(DataError, match=r"none/log.txt: there is no folder .*none; make it first"):
            check(tmp_path / "none" / "log.txt")
    for ending in (".csv", ".tsv", ".parquet", ".txt"):
        check_log_ending(tmp_path / f"log{ending}")
    assert not list(tmp_path.iterdir())
