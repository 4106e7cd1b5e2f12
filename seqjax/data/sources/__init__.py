"""Public data sets: how a copy is got and checked; `table` says where they come from and what reads them."""

from __future__ import annotations

import gzip
import hashlib
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from seqjax.data.events import DataError
from seqjax.data.sources import complete_journey
from seqjax.data.sources.folder import data_folder
from seqjax.data.sources.table import SOURCES, File, Source


def source(name: str) -> Source:
    """The data set of a name; raises DataError that lists the names."""
    if name not in SOURCES:
        raise DataError(f"there is no data set {name!r}; there are {', '.join(SOURCES)}")
    return SOURCES[name]


def digest(path: Path, algorithm: str) -> str:
    """The hash of a file, or of the unpacked content of a `.gz` file, in hexadecimal."""
    with gzip.open(path, "rb") if path.suffix == ".gz" else open(path, "rb") as file:
        total = hashlib.new(algorithm)
        while block := file.read(1 << 20):
            total.update(block)
        return total.hexdigest()


def verify(path: Path, file: File, origin: str | None = None) -> None:
    """Raises DataError, naming the path or where it came from, where a copy of a file is not the published one."""
    origin = origin or str(path)
    algorithm, wanted = file.digest.split(":")
    try:
        found = digest(path, algorithm)
    except (OSError, EOFError) as error:
        raise DataError(f"{origin}: cannot be unpacked ({error}); get the file again") from None
    if found != wanted:
        raise DataError(f"{origin}: is not the published file: {algorithm} {found}, expected {wanted}; get it again")


def check(name: str, folder: str | Path | None = None) -> dict[str, str]:
    """Compares the files of a data set with their checksums: file name -> "verified" or "missing".

    Without a folder, `complete_journey` is looked up in the installed package and others under SEQJAX_DATA. Raises
    DataError where a file differs or all are missing.
    """
    wanted = source(name)
    if folder is None:
        folder = complete_journey.wheel_folder() if name == "complete_journey" else data_folder(name)
    result = {}
    for file in wanted.files:
        path = Path(folder) / file.name
        result[file.name] = "verified" if path.is_file() else "missing"
        if path.is_file():
            verify(path, file)
    if "verified" not in result.values():
        raise DataError(f"{folder}: holds none of {list(result)}; get {name} from {wanted.where}")
    return result


def get(name: str, folder: str | Path, say: Callable[[str], None] = print) -> Path:
    """Downloads a data set whose publisher states a checksum, and returns the verified file.

    Says the licence first. For the others raises DataError that tells where to get the files and what is checked.
    """
    wanted = source(name)
    if wanted.address is None:
        checks = "; ".join(f"{file.name} ({file.digest})" for file in wanted.files)
        raise DataError(
            f"{name} cannot be downloaded from here (licence: {wanted.licence}). Get it: {wanted.where}. "
            f"`seqjax data check {name}` then verifies {checks}"
        )
    say(f"{name}: licence: {wanted.licence}")
    path = download(wanted.address, Path(folder), wanted.files[0])
    say(f"{name}: {path} ({path.stat().st_size:,} bytes, checksum verified)")
    return path


def download(address: str, folder: Path, file: File) -> Path:
    """Downloads a file under a temporary name and gives it its own only after its checksum was verified.

    A verified copy is kept as it is. Raises DataError where another file of that name is there, the folder cannot be
    written, the address cannot be reached, or what came is not the published file.
    """
    path = folder / file.name
    if path.is_file():
        verify(path, file)
        return path
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(prefix=".part-", suffix=f"-{file.name}", dir=folder)
    except OSError as error:
        raise DataError(f"{folder}: cannot be written ({error.strerror}); name another folder") from None
    part = Path(part)
    try:
        with open(handle, "wb") as out:
            received = fetch(address, out)
        if file.bytes is not None and received != file.bytes:
            raise DataError(f"{address}: sent {received:,} of {file.bytes:,} bytes; try again")
        verify(part, file, address)
        part.chmod(0o644)
        return part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def fetch(address: str, out) -> int:
    """Copies what an address sends into an open file and returns the number of bytes."""
    try:
        with urllib.request.urlopen(address, timeout=60) as answer:
            stated, received = answer.headers.get("Content-Length"), 0
            while block := answer.read(1 << 20):
                received += out.write(block)
    except (urllib.error.URLError, OSError, TimeoutError) as error:
        raise DataError(f"{address}: cannot be reached ({error}); try again, or fetch it with a browser") from None
    if stated is not None and received != int(stated):
        raise DataError(f"{address}: sent {received:,} of {int(stated):,} bytes; try again")
    return received
