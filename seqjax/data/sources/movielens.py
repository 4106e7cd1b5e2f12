"""MovieLens 1M and 100K: ratings of films, one user's ratings a sequence.

Provenance: GroupLens, University of Minnesota, https://grouplens.org/datasets/movielens/. Licence: GroupLens's
README: for research; no redistribution and no commercial use without their permission; do not state or imply their
endorsement; acknowledge the data. Citation: F. M. Harper, J. A. Konstan, "The MovieLens Datasets: History and
Context", ACM TiiS 5(4), 2015.

77 % of the ratings of 1M share their second with another rating of the same user: the sort by time is stable, and
what comes next is then the file's order.
"""

from __future__ import annotations

import csv
import io
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Int

from seqjax.data.events import DataError, EventLog, Split
from seqjax.data.protocols import leave_last
from seqjax.data.read import read_log
from seqjax.data.sources.folder import data_folder
from seqjax.data.split import leave_one_out
from seqjax.data.vocabulary import lookup

COLUMNS = ("user_id", "movie_id", "rating", "timestamp")
SCALE = np.array(["1", "2", "3", "4", "5"])
FILMS = {".parquet": "movies.csv", ".dat": "movies.dat", ".zip": "movies.dat"}  # what describes a file's films
MEMBERS = {"ml-1m.zip": ("ml-1m/ratings.dat", "::"), "ml-100k.zip": ("ml-100k/u.data", "\t")}


def ratings(path: str | Path) -> EventLog:
    """Every user's ratings by time, with the column `rating` (1..5).

    `path` is the official zip, or a folder that holds it, `ratings.dat`, `u.data`, or a `ratings.parquet` of the
    columns user_id, movie_id, rating, timestamp. Raises DataError where none is there.
    """
    found = found_file(Path(path))
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


def found_file(path: Path) -> Path:
    """The file of ratings that a path names or a folder holds; raises DataError where none is there."""
    inside = [path / name for name in (*MEMBERS, "ratings.dat", "u.data", "ratings.parquet")]
    found = path if path.is_file() else next((file for file in inside if file.is_file()), None)
    if found is None:
        raise DataError(f"{path}: holds none of {[file.name for file in inside]}; get ml-1m.zip from grouplens.org")
    return found


def table(path: Path, delimiter: str) -> EventLog:
    """The ratings of a text file without a header line."""
    return read_log(path, session=None, delimiter=delimiter, names=COLUMNS, numbers=("rating",))[0]


def read(path: str | Path | None = None) -> Split:
    """Leave one out over `ratings` (without a path, of `ml-1m/` under SEQJAX_DATA), as in Kang & McAuley (2018)."""
    return leave_one_out(ratings(path or data_folder("ml-1m")))


def responses(path: str | Path | None = None, *, like: int = 4, seed: int = 0, item_history: int = 0) -> Split:
    """Whether users like a film, from all that they rated before: samples by `protocols.leave_last`.

    Label 1 is a rating of `like` (2..5) or more. The rating of every event is an id column (words "1" .. "5"): a sample
    sees those of the past, not its own. item_history: so many of the film's newest users, with their ratings, from
    before the sample are seen too (0: none). Where `movies.csv` lies beside a `ratings.parquet`, or `movies.dat` beside
    a `ratings.dat` or in the zip, the films' genres are a side table. Without a path, `ml-1m/` under SEQJAX_DATA is
    read. Raises DataError for a rating that is none of 1 .. 5, for another `like`, and where a file cannot be used.
    """
    if not 2 <= like <= 5:
        raise DataError(f"like={like}: ratings are 1 .. 5; choose 2 .. 5")
    found = found_file(Path(path or data_folder("ml-1m")))
    log = ratings(found)
    rating = log.columns["rating"]
    if (wrong := ~np.isin(rating, SCALE.astype(np.int64))).any():
        event = int(np.argmax(wrong))
        who, what = (log.keys["user"][log.sequence[event]], log.vocabulary["item"][log.columns["item"][event] - 1])
        raise DataError(f"{found}: user {who} rated {what} with {rating[event]}, which is none of 1 .. 5; repair it")
    log = log._replace(
        columns={**log.columns, "rating": rating.astype(np.int32)}, vocabulary={**log.vocabulary, "rating": SCALE}
    )
    side, notes, name = {}, {"like": like}, FILMS.get(found.suffix, "")
    if (text := neighbour(found, name)) is not None:
        origin = f"{found}, {name}" if found.suffix == ".zip" else str(found.parent / name)
        side["genre"], words = genres(films(text, name), origin, log.vocabulary["item"])
        log = log._replace(vocabulary={**log.vocabulary, "genre": words})
        notes["films_without_genre"] = int(np.count_nonzero(side["genre"][1:, 0] == 0))
    split = leave_last(log, rating >= like, side=side, seed=seed, item_history=item_history)
    return split._replace(notes={**split.notes, **notes})


def neighbour(found: Path, name: str) -> bytes | None:
    """The content of another file in the folder or the archive of a file of ratings; None where it is not there."""
    if found.suffix == ".zip":
        with zipfile.ZipFile(found) as archive:
            member = f"{found.stem}/{name}"
            return archive.read(member) if member in archive.namelist() else None
    path = found.parent / name
    return path.read_bytes() if name and path.is_file() else None


def films(content: bytes, name: str) -> Iterator[tuple[int, str, str | None, list[str] | None]]:
    """Number, text, film and genres of every line of `movies.csv` or `movies.dat`; None for what a line lacks."""
    if name.endswith(".csv"):
        lines = csv.DictReader(io.StringIO(content.decode(errors="replace"), newline=""))
        for row in lines:
            words = row.get("genres")
            yield lines.line_num, str(row), row.get("movie_id"), None if words is None else words.split()
        return
    for number, line in enumerate(content.decode("latin-1").splitlines(), start=1):
        film, *others = line.split("::")
        yield number, line, film, others[1].split("|") if len(others) == 2 else None


def genres(
    rows: Iterator[tuple[int, str, str | None, list[str] | None]], origin: str, items: np.ndarray
) -> tuple[Int[np.ndarray, "row width"], np.ndarray]:
    """The genre ids of every film id (0: no more), and the genres in alphabetical order, from rows of `films`.

    Raises DataError for a line without film or genres and for a film that is named twice.
    """
    held: dict[str, list[str]] = {}
    for line, text, film, words in rows:
        if film is None or words is None or film in held:
            fault = f"film {film} is named twice" if film in held else f"has no movie_id and genres: {text}"
            raise DataError(f"{origin}, line {line}: {fault}; repair the line, or take the file away")
        held[film] = words
    names = np.array(sorted({word for words in held.values() for word in words}), np.str_)
    side = np.zeros((len(items) + 1, max(map(len, held.values()), default=1) or 1), np.int32)
    for row, film in enumerate(items.tolist(), start=1):
        ids = lookup(names, np.array(held.get(film, []), np.str_))
        side[row, : len(ids)] = ids
    return side, names
