import json

import numpy as np
import pytest

from seqjax.data import store
from seqjax.data.events import DataError, EventLog


def equal(one, other):
    """Whether two logs hold the same arrays."""
    pairs = [(one.offsets, other.offsets)]
    for mine, theirs in zip(one[1:], other[1:], strict=True):
        assert mine.keys() == theirs.keys()
        pairs += [(mine[name], theirs[name]) for name in mine]
    return all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in pairs)


def test_what_is_written_is_loaded_mapped_and_read_only(tmp_path, random_log):
    log = random_log(0)._replace(vocabulary={"item": np.array(["007", "naïve", '"q"', "a b", "\u2028", "x", "y", "z"])})
    store.write(log, tmp_path / "deep" / "log")
    loaded = store.load(tmp_path / "deep" / "log")
    assert equal(log, loaded)
    assert isinstance(loaded.columns["item"], np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        loaded.columns["item"][0] = 1
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["log"]


def test_an_empty_log_is_kept(tmp_path, random_log):
    log = random_log(0)
    empty = log._replace(offsets=np.array([0]), columns={"item": np.zeros(0, np.int32)}, keys={})
    store.write(empty, tmp_path / "log")
    assert store.load(tmp_path / "log").events == 0


def test_checksum_follows_content_alone(tmp_path, random_log):
    log = random_log(0)
    store.write(log, tmp_path / "log")
    total = store.checksum(log)
    assert store.checksum(store.load(tmp_path / "log")) == total
    assert store.checksum(log._replace(offsets=log.offsets.astype(np.int32))) == total
    item = log.columns["item"].copy()
    item[3] = item[3] % 8 + 1
    words = log.vocabulary["item"][::-1]
    changes = [
        log._replace(columns={**log.columns, "item": item}),
        log._replace(vocabulary={"item": words}),
        log._replace(keys={}),
        random_log(1),
    ]
    assert len({total, *map(store.checksum, changes)}) == 5


def test_checksum_is_the_same_in_every_version():
    columns = {"item": np.array([1, 2, 2], np.int32), "time": np.array([5, 6, 9], np.int64)}
    log = EventLog(np.array([0, 2, 3]), columns, {"item": np.array(["a", "é"])}, {"user": np.array(["u", "v"])})
    assert store.checksum(log) == "cc67b76464c6384f3e4494ac6429319b7f34e4bd90349ef45191945ce71e5770"


@pytest.mark.parametrize("name", ["offsets.npy", "column.item.npy", "key.session.npy", "vocabulary.item.json"])
def test_a_changed_or_missing_file_is_named(tmp_path, name, random_log):
    store.write(random_log(0), tmp_path / "log")
    path = tmp_path / "log" / name
    content = bytearray(path.read_bytes())
    content[-2] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"{name}: has changed"):
        store.load(tmp_path / "log")
    path.unlink()
    with pytest.raises(DataError, match=f"{name}: the file is missing"):
        store.load(tmp_path / "log")


def test_schemas_that_cannot_be_trusted(tmp_path, random_log):
    with pytest.raises(DataError, match="is no prepared log"):
        store.load(tmp_path)
    store.write(random_log(0), tmp_path / "log")
    path = tmp_path / "log" / "schema.json"
    schema = json.loads(path.read_text())
    for change, message in [
        ({"format": 2}, "format 2, this version reads 1"),
        ({"sha256": {**schema["sha256"], "../secret": "0"}}, "lists other files"),
        ({"columns": {"other": "int32"}}, "lists other files"),
        ({"events": 3}, "differ in length"),
        ({"keys": None}, "cannot be understood"),
    ]:
        path.write_text(json.dumps({**schema, **change}))
        with pytest.raises(DataError, match=message):
            store.load(tmp_path / "log")
    path.write_text("{")
    with pytest.raises(DataError, match="cannot be understood"):
        store.load(tmp_path / "log")


def test_nothing_saved_is_overwritten_and_nothing_half_written_stays(tmp_path, random_log):
    store.write(random_log(0), tmp_path / "log")
    with pytest.raises(DataError, match="nothing saved is overwritten"):
        store.write(random_log(1), tmp_path / "log")
    assert equal(store.load(tmp_path / "log"), random_log(0))
    broken = random_log(0)._replace(columns={"item": np.array([object()])})
    with pytest.raises(ValueError, match="allow_pickle"):
        store.write(broken, tmp_path / "other")
    assert [path.name for path in tmp_path.iterdir()] == ["log"]
    (tmp_path / "file").write_text("kept")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(DataError, match=r"holds something already|cannot be written"):
            store.write(random_log(0), folder)
    assert (tmp_path / "file").read_text() == "kept"
