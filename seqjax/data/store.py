"""Keeps logs in folders: a column a file, mapped into memory when it is read, every file with its checksum."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from seqjax.data.events import DataError, EventLog
from seqjax.data.samples import Samples

FORMAT = 1  # raised when a folder of the old layout can no longer be read


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """A temporary folder that becomes `folder` when the block ends well and vanishes when it fails.

    Raises DataError where `folder` holds files already or cannot be written: before the block does any work.
    """
    folder = Path(folder).absolute()
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise DataError(f"{folder}: holds something already, and nothing saved is overwritten; name another folder")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise DataError(
            f"{folder}: cannot be written ({error.strerror}); name a folder on a disk you may write"
        ) from None
    try:
        yield part
        part.chmod(0o755)
        os.replace(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def arrays(log: EventLog | Samples) -> dict[str, np.ndarray]:
    """Every array of a log by the name of its file."""
    if isinstance(log, Samples):
        named = log._asdict() | {f"target.{name}": ids for name, ids in log.target.items()}
        named |= {f"side.{name}": ids for name, ids in log.side.items()}
        return arrays(log.log) | {f"sample.{k}.npy": v for k, v in named.items() if isinstance(v, np.ndarray)}
    columns = {f"column.{name}.npy": column for name, column in log.columns.items()}
    return {"offsets.npy": log.offsets} | columns | {f"key.{name}.npy": key for name, key in log.keys.items()}


def text(words: np.ndarray) -> bytes:
    """A vocabulary as a JSON list in UTF-8."""
    return json.dumps(words.tolist(), ensure_ascii=False, indent=0).encode()


def write(log: EventLog, folder: str | Path) -> None:
    """Writes a log: `offsets.npy`, `column.*.npy`, `key.*.npy`, `vocabulary.*.json` and `schema.json` with checksums.

    Raises DataError where the folder holds files already or cannot be written.
    """
    with replacing(Path(folder)) as part:
        write_into(log, part)


def write_into(log: EventLog, folder: Path) -> None:
    """Writes a log's files into an empty folder."""
    for name, array in arrays(log).items():
        np.save(folder / name, array, allow_pickle=False)
    for name, words in log.vocabulary.items():
        (folder / f"vocabulary.{name}.json").write_bytes(text(words))
    schema = {
        "format": FORMAT,
        "events": log.events,
        "sequences": log.sequences,
        "columns": {name: str(column.dtype) for name, column in log.columns.items()},
        "keys": list(log.keys),
        "vocabulary": {name: len(words) for name, words in log.vocabulary.items()},
        "sha256": {path.name: sha256(path) for path in sorted(folder.iterdir())},
    }
    (folder / "schema.json").write_text(json.dumps(schema, indent=2) + "\n", "utf-8")


def load(folder: str | Path) -> EventLog:
    """The log of a folder, its columns mapped from disk and read only.

    Raises DataError where a file is missing, was changed, or comes from a later version.
    """
    folder = Path(folder)
    schema = read_schema(folder)
    for name, digest in schema["sha256"].items():
        if not (folder / name).is_file():
            raise DataError(f"{folder / name}: the file is missing; prepare the log again")
        if (found := sha256(folder / name)) != digest:
            raise DataError(
                f"{folder / name}: has changed: SHA-256 {found[:12]}, {digest[:12]} was written; prepare the log again"
            )
    vocabulary = {
        name: np.asarray(json.loads((folder / f"vocabulary.{name}.json").read_text("utf-8")), dtype=np.str_)
        for name in schema["vocabulary"]
    }
    log = EventLog(
        mapped(folder / "offsets.npy"),
        {name: mapped(folder / f"column.{name}.npy") for name in schema["columns"]},
        vocabulary,
        {name: mapped(folder / f"key.{name}.npy") for name in schema["keys"]},
    )
    sizes = {len(column) for column in log.columns.values()} | {log.events}
    if sizes != {schema["events"]} or any(len(key) != log.sequences for key in log.keys.values()):
        raise DataError(f"{folder}: its columns differ in length ({sorted(sizes)} events); prepare the log again")
    return log


def read_schema(folder: Path) -> Mapping:
    """The checked content of `schema.json`."""
    path = folder / "schema.json"
    if not path.is_file():
        raise DataError(f"{folder}: is no prepared log (it has no schema.json); make one with `seqjax data prepare`")
    try:
        schema = json.loads(path.read_text("utf-8"))
        version, names = schema["format"], {"offsets.npy", *schema["sha256"]}
        names |= {f"column.{name}.npy" for name in schema["columns"]} | {f"key.{name}.npy" for name in schema["keys"]}
        names |= {f"vocabulary.{name}.json" for name in schema["vocabulary"]}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DataError(f"{path}: cannot be understood; prepare the log again") from None
    if version != FORMAT:
        raise DataError(
            f"{path}: format {version}, this version reads {FORMAT}; prepare the log again or update seqjax"
        )
    if names != set(schema["sha256"]) or any(Path(name).name != name for name in names):
        raise DataError(f"{path}: lists other files than the log has; prepare the log again")
    return schema


def mapped(path: Path) -> np.ndarray:
    """A read-only array on disk; an empty one, which cannot be mapped, is read."""
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    return np.asarray(array) if array.size == 0 else array


def checksum(log: EventLog | Samples) -> str:
    """The SHA-256 of a log's content, the same for a log in memory and on disk: the data checksum of a run."""
    digest = hashlib.sha256()
    for name, array in sorted(arrays(log).items()):
        if array.dtype.kind == "U":
            content = text(array)
        else:
            content = np.ascontiguousarray(array.astype(np.int64) if name == "offsets.npy" else array).data
        digest.update(f"{name} {array.dtype.kind} {array.shape}\n".encode())
        digest.update(content)
    for name, words in sorted(log.vocabulary.items()):
        digest.update(f"vocabulary {name}\n".encode() + text(words))
    return digest.hexdigest()
