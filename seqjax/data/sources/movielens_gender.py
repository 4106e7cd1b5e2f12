"""MovieLens 1M: the gender that users stated, from the films that they rated; provenance and licence: `movielens`."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from seqjax.data.events import DataError, Split
from seqjax.data.profiles import labelled, profiled, selected
from seqjax.data.sources.folder import data_folder
from seqjax.data.sources.movielens import FILMS, found_file, neighbour, ratings

USERS = {".parquet": "users.csv", ".dat": "users.dat", ".zip": "users.dat"}  # what describes a file's users
FIELDS = ("user_id", "gender", "age", "occupation")


def gender(
    path: str | Path | None = None,
    *,
    seed: int = 0,
    split: Callable[..., Split] = selected,
) -> Split:
    """Users as profiles of the films that they rated, whatever the rating; women are the positive class.

    Without a path, `ml-1m/` under SEQJAX_DATA is read. `split` selects films and divides users, by `seed`. Sequences
    keep the users' `age` code as key; films go by title where `movies.csv` or `movies.dat` tells it. Raises DataError
    for a user who is not described.
    """
    found = found_file(Path(path or data_folder("ml-1m")))
    name = USERS.get(found.suffix, "")
    if (content := neighbour(found, name)) is None:
        raise DataError(f"{found}: {name or 'a file of users'} is not beside it, and holds the users' gender")
    log, people = ratings(found), described(content, name)
    try:
        rows = [people[user] for user in log.keys["user"].tolist()]
    except KeyError as error:
        raise DataError(f"{found.parent / name}: user {error} is not described; fetch the file again") from None
    label = labelled([row["gender"] for row in rows], ("M", "F"), str(found.parent / name))
    titles = titled(found, log.vocabulary["item"])
    keys = {"user": log.keys["user"], "age": np.array([row["age"] for row in rows], np.str_)}
    log = log._replace(columns={"item": log.columns["item"]}, keys=keys, vocabulary={"item": titles})
    return split(profiled(log, label, ("M", "F")), seed=seed)


def titled(found: Path, films: Shaped[np.ndarray, "word"]) -> Shaped[np.ndarray, "word"]:
    """The films' titles, behind each its number where another film has the same; the numbers where none are told."""
    name = FILMS.get(found.suffix, "")
    if (content := neighbour(found, name)) is None:
        return films
    lines = content.decode("latin-1" if name.endswith(".dat") else "utf-8", errors="replace")
    rows = [line.split("::")[:2] for line in lines.splitlines()] if name.endswith(".dat") else []
    rows = rows or [(row["movie_id"], row["movie_title"]) for row in csv.DictReader(io.StringIO(lines, newline=""))]
    title = dict(rows)
    words = [title.get(film, film) for film in films.tolist()]
    twice = {word for word, times in Counter(words).items() if times > 1}
    return np.array([f"{w} ({f})" if w in twice else w for w, f in zip(words, films.tolist(), strict=True)], np.str_)


def described(content: bytes, name: str) -> dict[str, dict[str, str]]:
    """Gender, age and occupation of every user, from `users.csv` or `users.dat`."""
    lines = content.decode("latin-1").splitlines()
    if name.endswith(".dat"):
        return {row[0]: dict(zip(FIELDS, row, strict=False)) for row in (line.split("::") for line in lines)}
    return {row["user_id"]: row for row in csv.DictReader(lines)}
