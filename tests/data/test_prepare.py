import json
from itertools import pairwise

import ibis
import numpy as np
import pyarrow as pa
import pytest

from seqjax.data import prepare as room
from seqjax.data.events import DataError
from seqjax.data.prepare import Size, collapse_repeats, k_core, prepare, sessionise
from seqjax.data.store import load

# Ibis 12 still calls what DuckDB 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table:DeprecationWarning")


def random_rows(seed, events=300, users=12, items=20, longest=400):
    """Rows (user, item, time) in file order, with ties and repeats."""
    random = np.random.default_rng(seed)
    drawn = (random.integers(0, size, events).tolist() for size in (users, items, longest))
    return [(f"u{user}", f"i{item}", time) for user, item, time in zip(*drawn, strict=True)]


def table_of(rows, name="user"):
    """The rows as the table that `read` gives."""
    owner, item, time = zip(*rows, strict=True)
    columns = {"row": range(len(rows)), name: owner, "item": item, "time": [float(second) for second in time]}
    return ibis.duckdb.connect().create_table("rows", ibis.memtable(pa.table(columns)))


def naive_sessions(rows, gap):
    """Lists of (row, item, time) a session, restating `sessionise`."""
    sessions = []
    for user in dict.fromkeys(user for user, _, _ in rows):
        events = sorted((time, row, item) for row, (who, item, time) in enumerate(rows) if who == user)
        previous = None
        for time, row, item in events:
            if previous is None or time - previous > gap:
                sessions.append([])
            sessions[-1].append((row, item, time))
            previous = time
    return sessions


def naive_k_core(sessions, min_session, min_item):
    """Drops until nothing changes, restating `k_core`."""
    while True:
        counts = {}
        for session in sessions:
            for _, item, _ in session:
                counts[item] = counts.get(item, 0) + 1
        smaller = [[event for event in session if counts[event[1]] >= min_item] for session in sessions]
        smaller = [session for session in smaller if len(session) >= min_session]
        if smaller == sessions:
            return sessions
        sessions = smaller


def naive_prepare(rows, gap, min_session, min_item, days):
    """Train and test as lists of items, restating `prepare`."""
    sessions = naive_sessions(rows, gap)
    sessions = [[session[0]] + [b for a, b in pairwise(session) if a[1] != b[1]] for session in sessions]
    sessions = naive_k_core(sessions, min_session, min_item)
    cut = max(time for session in sessions for _, _, time in session) - days * 86400
    train = [[event for event in session if event[2] < cut] for session in sessions if session[0][2] < cut]
    train = [session for session in train if len(session) > 1]
    known = {item for session in train for _, item, _ in session}
    test = [[event for event in session if event[1] in known] for session in sessions if session[0][2] >= cut]
    test = [session for session in test if len(session) > 1]
    by_start = [sorted(part, key=lambda session: (session[0][2], session[0][0])) for part in (train, test)]
    return [[[item for _, item, _ in session] for session in part] for part in by_start]


@pytest.mark.parametrize("seed", range(4))
def test_sessionise_matches_the_naive_restatement(seed):
    rows = random_rows(seed)
    found = {}
    for event in sessionise(table_of(rows), gap=10.0).order_by("time", "row").to_pyarrow().to_pylist():
        found.setdefault((event["user"], int(event["session"])), []).append(event["row"])
    expected = [[row for row, _, _ in session] for session in naive_sessions(rows, 10)]
    assert sorted(found.values()) == sorted(expected)


def test_a_pause_of_exactly_the_gap_stays_in_the_session():
    table = sessionise(table_of([("u", "a", 0), ("u", "b", 10), ("u", "c", 21), ("v", "a", 5)]), gap=10.0)
    sessions = table.order_by("row").to_pyarrow()["session"].to_pylist()
    assert sessions == ["1", "1", "2", "1"]


def test_collapse_repeats_keeps_the_first_of_each_run():
    rows = [("s", "a", 0), ("s", "a", 1), ("t", "a", 2), ("s", "b", 3), ("s", "a", 4), ("s", "a", 4)]
    kept = collapse_repeats(table_of(rows, "session")).order_by("row").to_pyarrow()["row"].to_pylist()
    assert kept == [0, 2, 3, 4]


@pytest.mark.parametrize("seed", range(4))
def test_k_core_is_the_fixed_point(seed):
    rows = random_rows(seed, events=120, users=25, items=40)
    sessions = naive_k_core(naive_sessions(rows, 1e9), 3, 4)
    core, rounds = k_core(table_of(rows, "session"), min_session=3, min_item=4)
    assert sorted(core.to_pyarrow()["row"].to_pylist()) == sorted(row for session in sessions for row, _, _ in session)
    assert rounds > 1


def written(path, rows, header="user_id,item_id,timestamp"):
    """A CSV file of the rows."""
    path.write_text(header + "\n" + "".join(f"{user},{item},{time}\n" for user, item, time in rows))
    return path


@pytest.mark.parametrize("seed", range(3))
def test_prepare_matches_the_naive_restatement(tmp_path, lists, seed):
    rows = random_rows(seed)
    path = written(tmp_path / "log.csv", rows)
    report = prepare(path, tmp_path / "out", gap=12.0, min_item=4, test_days=100 / 86400)
    train, test = load(tmp_path / "out" / "train"), load(tmp_path / "out" / "test")
    expected = naive_prepare(rows, 12, 2, 4, 100 / 86400)
    assert [lists(train), lists(test)] == expected
    words = [item for session in expected[0] for item in session]
    assert train.vocabulary["item"].tolist() == list(dict.fromkeys(words)) == test.vocabulary["item"].tolist()
    assert report[-2].after == Size(train.events, train.sequences, len(train.vocabulary["item"]))
    assert report[-1].after[:2] == (test.events, test.sequences)
    assert [before.after for before in report[:3]] == [after.before for after in report[1:4]]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["prepare.json", "test", "train"]


def test_validation_lies_between_training_and_test(tmp_path):
    path = written(tmp_path / "log.csv", random_rows(1, events=600))
    prepare(path, tmp_path / "out", gap=12.0, min_item=2, test_days=60 / 86400, validation_days=60 / 86400)
    parts = [load(tmp_path / "out" / name) for name in ("train", "validation", "test")]
    end = 399
    starts = [part.columns["time"][part.offsets[:-1]] for part in parts]
    assert parts[0].columns["time"].max() < end - 120 <= starts[1].min()
    assert parts[1].columns["time"].max() < end - 60 <= starts[2].min()
    assert len({part.vocabulary["item"].tobytes() for part in parts}) == 1


def test_session_ids_are_kept_and_a_second_run_changes_nothing(tmp_path, lists, monkeypatch):
    rows = [(f"0{session}", f"i{item}", session * 10 + item) for session in range(8) for item in range(4)]
    path = written(tmp_path / "log.csv", rows, "session_id,item_id,time")
    report = prepare(path, tmp_path / "out", test_days=15 / 86400)
    train = load(tmp_path / "out" / "train")
    assert train.keys["session"].tolist() == ["00", "01", "02", "03", "04", "05"]
    assert lists(train) == [["i0", "i1", "i2", "i3"]] * 6
    monkeypatch.setattr(room, "read", None)  # a second run reads nothing
    assert prepare(path, tmp_path / "out", test_days=15 / 86400) == report
    with pytest.raises(DataError, match="nothing saved is overwritten"):
        prepare(path, tmp_path / "out", test_days=25 / 86400)
    path.write_text(path.read_text() + "9,i1,99\n")
    with pytest.raises(DataError, match="nothing saved is overwritten"):
        prepare(path, tmp_path / "out", test_days=15 / 86400)
    assert json.loads((tmp_path / "out" / "prepare.json").read_text())["options"]["test_days"] == 15 / 86400


def test_what_stops_preparation_leaves_nothing_behind(tmp_path, monkeypatch):
    path = written(tmp_path / "log.csv", random_rows(0))
    for options, message in [
        ({"min_item": 1000}, "nothing is left; lower them"),
        ({"gap": 12.0, "test_days": 100.0}, "train: nothing is left; choose other days"),
        ({"gap": 12.0, "test_days": 0.0}, "test: nothing is left; choose other days"),
        ({"time": None}, "has no times"),
        ({"item": "sku"}, "no column 'sku'"),
    ]:
        with pytest.raises(DataError, match=message):
            prepare(path, tmp_path / "out", **options)
        assert [file.name for file in tmp_path.iterdir()] == ["log.csv"]
    with pytest.raises(DataError, match="there is no such file"):
        prepare(tmp_path / "none.csv", tmp_path / "out")
    monkeypatch.setattr(room, "read", None)  # a folder that cannot be written is found before the log is read
    with pytest.raises(DataError, match="cannot be written"):
        prepare(path, path / "below")
