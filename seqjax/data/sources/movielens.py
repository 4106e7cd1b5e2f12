"""MovieLens 1M and 100K: ratings of films, one user's ratings a sequence.

Provenance: GroupLens, University of Minnesota, https://grouplens.org/datasets/movielens/. Licence: GroupLens's
README: for research; no redistribution and no commercial use without their permission; do not state or imply their
endorsement; acknowledge the data. Citation: F. M. Harper, J. A. Konstan, "The MovieLens Datasets: History and
Context", ACM TiiS 5(4), 2015.

77 % of the ratings of 1M share their second with another rating of the same user: the sort by time is stable, and
what comes next is then the file's order.
"""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path

from seqjax.data.events import DataError, EventLog, Split
from seqjax.data.read import read_log
from seqjax.data.sources.folder import data_folder
from seqjax.data.split import leave_one_out

COLUMNS = ("user_id", "movie_id", "rating", "timestamp")
MEMBERS = {"ml-1m.zip": ("ml-1m/ratings.dat", "::"), "ml-100k.zip": ("ml-100k/u.data", "\t")}


def ratings(path: str | Path) -> EventLog:
    """Every user's ratings by time, with the column `rating` (1..5).

    `path` is the official zip, or a folder that holds it, `ratings.dat`, `u.data`, or a `ratings.parquet` of the
    columns user_id, movie_id, rating, timestamp. Raises DataError where none is there.
    """
    path = Path(path)
    inside = [path / name for name in (*MEMBERS, "ratings.dat", "u.data", "ratings.parquet")]
    found = path if path.is_file() else next((file for file in inside if file.is_file()), None)
    if found is None:
        raise DataError(f"{path}: holds none of {[file.name for file in inside]}; get ml-1m.zip from grouplens.org")
    if found.suffix == ".parquet":
        return read_log(found, session=None, numbers=("rating",))[0]
    if found.suffix != ".zip":
        return table(found, "::" if found.suffix == ".dat" else "\t")
    if found.name not in MEMBERS:
        raise DataError(f"{found}: is none of {list(MEMBERS)}, whose files are known; keep the official name")
    member, delimiter = MEMBERS[found.name]
    with tempfile.TemporaryDirectory() as folder:
        try:
            with zipfile.ZipFile(found) as archive:
                return table(Path(archive.extract(member, folder)), delimiter)
        except (zipfile.BadZipFile, KeyError) as error:
            raise DataError(f"{found}: is not the official archive ({error}); fetch it again") from None


def table(path: Path, delimiter: str) -> EventLog:
    """The ratings of a text file without a header line."""
    return read_log(path, session=None, delimiter=delimiter, names=COLUMNS, numbers=("rating",))[0]


def read(path: str | Path | None = None) -> Split:
    """Leave one out over `ratings` (without a path, of `ml-1m/` under SEQJAX_DATA), as in Kang & McAuley (2018)."""
    return leave_one_out(ratings(path or data_folder("ml-1m")))
