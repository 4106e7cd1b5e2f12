import gzip
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seqjax.data.events import DataError
from seqjax.data.read import read, read_log

# Ibis 12 still calls what DuckDB 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table:DeprecationWarning")

CLICKS = "SessionId\tItemId\tTime\n9\tb\t20.5\n7\ta\t10\n9\ta\t20.25\n7\t007\t10\n7\ta\t11\n3\ta\t10\n"
EXPECTED = [["a", "007", "a"], ["a", "b"]]  # session 7, then 9 by time; 3 has one event


@pytest.fixture
def put(tmp_path):
    def put(name, content):
        path = tmp_path / name
        content = content.encode() if isinstance(content, str) else content
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return path

    return put


@pytest.mark.parametrize("name", ["clicks.txt", "clicks.tsv", "clicks.txt.gz", "clicks.tsv.gz"])
def test_authors_format(put, lists, name):
    log, notes = read_log(put(name, CLICKS))
    assert lists(log) == EXPECTED
    assert log.vocabulary["item"].tolist() == ["a", "007", "b"]
    assert log.columns["item"].dtype == np.int32
    assert log.columns["time"].tolist() == [10, 10, 11, 20, 20]
    assert log.keys["session"].tolist() == ["7", "9"]
    assert notes == {
        "events_read": 6,
        "sessions_read": 3,
        "items_read": 3,
        "sessions_of_one": 1,
        "events": 5,
        "sessions": 2,
    }


def test_every_format_gives_the_same_log(put, lists, tmp_path):
    rows = [line.split("\t") for line in CLICKS.splitlines()[1:]]
    comma = CLICKS.replace("\t", ",")
    session, item, time = zip(*rows, strict=True)
    pq.write_table(
        pa.table(
            {"session_id": [int(word) for word in session], "item_id": item, "ts": [float(word) for word in time]}
        ),
        tmp_path / "clicks.parquet",
    )
    atomic = CLICKS.replace("SessionId\tItemId\tTime", "session_id:token\titem_id:token\ttimestamp:float")
    paths = {
        put("a.csv", comma): {},
        put("b.csv.gz", comma): {},
        put("bom.csv", "\ufeff" + comma): {},
        put("windows.csv", comma.replace("\n", "\r\n")): {},
        put("semicolon.csv", comma.replace(",", ";")): {},
        put("clicks.inter", atomic): {},
        tmp_path / "clicks.parquet": {},
        put("odd.csv", comma.replace("SessionId,ItemId,Time", "visit,thing,when")): {
            "session": "visit",
            "item": "thing",
            "time": "when",
        },
        put("bare.csv", comma.split("\n", 1)[1]): {"names": ("session", "item", "time")},
        put("colons.dat", CLICKS.split("\n", 1)[1].replace("\t", "::")): {
            "names": ("session", "item", "time"),
            "delimiter": "::",
        },
        put("user.csv", comma.replace("SessionId", "UserId")): {},
    }
    for path, options in paths.items():
        assert lists(read_log(path, **options)[0]) == EXPECTED, path.name


def test_user_is_the_sequence_where_there_is_no_session_and_a_key_otherwise(put, lists):
    path = put("both.csv", "user_id,session_id,item_id,time\nu,1,a,1\nv,1,b,2\nu,1,c,3\nv,1,d,4\nu,2,e,5\nu,2,f,6\n")
    log = read_log(path)[0]
    assert lists(log) == [["a", "c"], ["b", "d"], ["e", "f"]]
    assert (log.keys["user"].tolist(), log.keys["session"].tolist()) == (["u", "v", "u"], ["1", "1", "2"])
    log = read_log(path, session=None)[0]
    assert lists(log) == [["a", "c", "e", "f"], ["b", "d"]]
    assert list(log.keys) == ["user"]
    log = read_log(path, user=None)[0]
    assert lists(log) == [["a", "b", "c", "d"], ["e", "f"]]


@pytest.mark.parametrize("name", ["walks.txt", "walks.txt.gz"])
def test_one_session_a_line(put, lists, name):
    log, notes = read_log(put(name, '3 007  "x \n\n5\n7 3\n'))
    assert lists(log) == [["3", "007", '"x'], ["7", "3"]]
    assert list(log.columns) == ["item"]
    assert log.keys["session"].tolist() == ["1", "4"]
    assert notes["sessions_of_one"] == 1


def test_file_order_without_times_and_numbers_of_events(put, lists):
    path = put("rated.csv", "row,item,time,rating,price\n1,a,5,4.5,\n1,b,4,3,2\n")
    log = read_log(path, session="row", time=None, numbers=("rating", "price"))[0]
    assert lists(log) == [["a", "b"]]
    assert log.columns["rating"].tolist() == [4.5, 3]
    assert np.isnan(log.columns["price"][0])


@pytest.mark.parametrize(
    ("written", "unit", "seconds"),
    [
        ("1396861348", "s", 1396861348),
        ("1396861348.9", "s", 1396861348.9),
        ("1396861348277", "ms", 1396861348.277),
        ("2014-04-07 09:02:28", "s", 1396861348),
        ("2014-04-07T09:02:28.277Z", "s", 1396861348.277),
        ("2014-04-07T11:02:28+02:00", "s", 1396861348),
        ("2014-04-07", "s", 1396828800),
    ],
)
def test_times(put, written, unit, seconds):
    table = read(put("t.csv", f"session,item,time\n1,a,{written}\n"), time_unit=unit).to_pyarrow()
    assert table["time"].to_pylist() == [pytest.approx(seconds, abs=1e-5)]


def test_times_of_parquet(tmp_path):
    moments = pa.array([1396861348277000], pa.int64())
    for kind in (pa.timestamp("us"), pa.timestamp("us", tz="UTC"), pa.timestamp("us", tz="Asia/Tokyo")):
        pq.write_table(pa.table({"session": [1], "item": [1], "time": moments.cast(kind)}), tmp_path / "t.parquet")
        assert read(tmp_path / "t.parquet").to_pyarrow()["time"].to_pylist() == [pytest.approx(1396861348.277)]


@pytest.mark.parametrize("seed", range(5))
def test_a_log_matches_a_naive_reading(put, lists, seed):
    random = np.random.default_rng(seed)
    rows = list(zip(random.integers(0, 25, 120), random.integers(0, 30, 120), random.integers(0, 50, 120), strict=True))
    text = "".join(f"s{session},i{item},{time}\n" for session, item, time in rows)
    path = put("log.csv", "session,item,time\n" + text)
    sessions = {}
    for row, (session, _, time) in enumerate(rows):
        sessions.setdefault(session, []).append((time, row))
    ordered = sorted(sorted(events) for events in sessions.values())
    expected = [[f"i{rows[row][1]}" for _, row in events] for events in ordered if len(events) > 1]
    log = read_log(path)[0]
    assert lists(log) == expected
    assert log.vocabulary["item"].tolist() == list(dict.fromkeys(word for row in expected for word in row))


def test_unseen_items_go_before_sessions_are_formed(put, lists):
    path = put("test.csv", "session,item,time\n1,x,1\n1,a,2\n1,x,3\n1,b,4\n2,a,1\n2,y,2\n3,x,1\n4,b,0\n4,b,5\n")
    log, notes = read_log(path, vocabulary=np.array(["b", "a", "c"]))
    assert lists(log) == [["b", "b"], ["a", "b"]]
    assert log.columns["item"].tolist() == [1, 1, 2, 1]
    assert (notes["unseen_events"], notes["unseen_items"], notes["sessions_of_one"]) == (4, 2, 1)
    with pytest.raises(DataError, match=r"test.csv: none of its 4 items \(as 'x'\) is in the training log \(as 'q'\)"):
        read_log(path, vocabulary=np.array(["q"]))


HEAD = "session,item,time\n1,a,1\n\n"
BAD = [  # file name, content, options, what the error must say
    ("a.csv", "", {}, "a.csv: the file is empty"),
    ("a.csv", "session,item,time\n", {}, "a.csv: the log has no events"),
    (
        "a.csv",
        "visit,item,time\n1,a,1\n",
        {},
        "no column of sessions or users; its columns are ['visit', 'item', 'time']",
    ),
    ("a.csv", "session,thing,time\n1,a,1\n", {}, "no column of items; its columns are"),
    ("a.csv", "session,item,day\n1,a,1\n", {}, "--set data.time=NAME), or time=None for file order"),
    ("a.csv", HEAD, {"session": None}, "no column of sessions or users; its columns are"),
    ("a.txt", "1 2\n", {"item": "sku"}, "a.txt: has one session per line and no column 'sku'"),
    ("a.csv", HEAD, {"item": "sku"}, "no column 'sku'; its columns are ['session', 'item', 'time']: give item=NAME"),
    ("a.csv", HEAD, {"numbers": ("price",)}, "no column 'price'; its columns are"),
    (
        "a.csv",
        "session,item,time,price\n1,a,1,\n1,a,1,low\n",
        {"numbers": ("price",)},
        "row 3: the price 'low' is not a number",
    ),
    ("a.csv", "session,item,item\n1,a,1\n", {}, "line 1 should name every column once"),
    ("a.csv", HEAD + "2,b,soon\n", {}, "a.csv, row 4: the time 'soon' cannot be read; write Unix seconds"),
    ("a.csv.gz", HEAD + "2,b,soon\n", {}, "a.csv.gz, row 4: the time 'soon' cannot be read"),
    ("a.csv", HEAD + "2,b,nan\n", {}, "row 4: the time 'nan' cannot be read"),
    ("a.csv", HEAD + "2,b,\n", {}, "row 4: the time is missing"),
    ("a.csv", HEAD + "2,b,-5\n", {}, "row 4: the time '-5' is before 1970"),
    (
        "a.csv",
        HEAD + "2,b,1396861348277\n",
        {},
        "after the year 2200: milliseconds? give time_unit='ms' (--time-unit ms)",
    ),
    ("a.csv", HEAD + "2,,3\n", {}, "row 4: the item id is missing"),
    ("a.csv", HEAD + '2,"",3\n', {}, "row 4: the item id is missing"),
    ("a.csv", HEAD + "  ,b,3\n", {}, "row 4: the session id is missing"),
    ("a.csv", "user,item,time\n1,a,1\n,a,1\n", {}, "row 3: the user id is missing"),
    ("a.csv", HEAD + "2,b\n", {}, "a.csv: line 4 has another number of columns than the first"),
    ("a.csv", HEAD + "2,b,3,4\n", {}, "a.csv: line 4 has another number of columns than the first"),
    ("a.csv", HEAD + '2,"b,3\n', {}, "line 4 has a quote that is never closed"),
    ("a.csv", HEAD.encode() + b"2,\xff,3\n", {}, "a.csv: line 4 is not UTF-8 text"),
    ("a.csv", b"session,\xff,time\n1,a,1\n", {}, "a.csv: line 1 is not UTF-8 text"),
    ("a.txt", b"1 2 3\n4 \xff 5\n", {}, "a.txt: line 2 is not UTF-8 text"),
    ("a.csv", "session,item,time\n1,a,1\n2,b,1\n", {}, "no sequence has two events, 2 have one"),
    ("a.parquet", "session,item,time\n1,a,1\n", {}, "a.parquet: cannot be read: "),
]


@pytest.mark.parametrize(("name", "content", "options", "message"), BAD)
def test_what_cannot_be_used_is_named(put, name, content, options, message):
    with pytest.raises(DataError, match=re.escape(message)) as error:
        read_log(put(name, content), **options)
    assert "\n" not in str(error.value)


def test_missing_and_broken_files(tmp_path, put):
    for name in ("none.csv", "none.parquet", "none.txt.gz"):
        with pytest.raises(DataError, match=f"{name}: there is no such file"):
            read_log(tmp_path / name)
    path = put("cut.csv.gz", CLICKS * 2000)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match=r"cut.csv.gz"):
        read_log(path)
    (tmp_path / "plain.csv.gz").write_text("session,item,time\n")
    with pytest.raises(DataError, match="cannot be unpacked"):
        read_log(tmp_path / "plain.csv.gz")


def test_the_row_of_parquet_counts_from_one(tmp_path):
    pq.write_table(pa.table({"session": [1, 1, None], "item": [1, 2, 3], "time": [1, 2, 3]}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"a.parquet, row 3: the session id is missing"):
        read_log(tmp_path / "a.parquet")


def test_times_are_used_if_there_are_any(put, lists):
    """With the usual name of a column of times the log is sorted by it, without one it stays in file order."""
    rows = "2,a,30\n1,b,20\n2,c,10\n1,d,5\n"
    timed = read_log(put("timed.csv", "session,item,time\n" + rows), time="if any")[0]
    assert lists(timed) == [["d", "b"], ["c", "a"]]
    assert timed.columns["time"].tolist() == [5, 20, 10, 30]
    untimed = read_log(put("untimed.csv", "session,item,other\n" + rows), time="if any")[0]
    assert lists(untimed) == [["a", "c"], ["b", "d"]]
    assert "time" not in untimed.columns
    assert lists(read_log(put("walks.txt", "a c\nb d\n"), time="if any")[0]) == [["a", "c"], ["b", "d"]]
    with pytest.raises(DataError, match="row 2: the time 'soon' cannot be read"):
        read_log(put("bad.csv", "session,item,time\n1,a,soon\n"), time="if any")
