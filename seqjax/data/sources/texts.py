"""Files of labelled texts: a row a profile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from seqjax.data.events import DataError, Split
from seqjax.data.profiles import labelled, profiled, selected, token_log
from seqjax.data.rows import KEYS, blocks
from seqjax.data.tokens import Extractor, Fields, extract, hashtags, words


def texts(
    file: str | Path = "",
    *,
    columns: tuple[str, ...] = ("text",),
    read: tuple[Extractor, ...] = (words, hashtags),
    label: str = "label",
    classes: tuple[str, ...] = (),
    seed: int = 0,
    split: Callable[..., Split] = selected,
) -> Split:
    """Profiles of the tokens of some columns of a .csv, .tsv, .parquet or .jsonl file: see `labelled_texts`.

    read: what makes tokens of a text. classes: two labels, the positive one last (default: the two that occur, in
    alphabetical order).
    """
    if not str(file):
        raise DataError("no file: give data.file=profiles.csv, and data.columns and data.label where they differ")
    return labelled_texts(Path(file), dict.fromkeys(columns, read), label, classes, seed, split)


def labelled_texts(
    file: Path,
    fields: Fields,
    label: str,
    classes: tuple[str, ...],
    seed: int,
    split: Callable[..., Split],
    key: str = "",
) -> Split:
    """Rows of a file as profiles, each distinct row of texts once; `split` selects features and divides, by `seed`.

    Rows of other labels than the two classes are left out and counted, and so are texts that occur with both. key:
    column that names a row (default: `user` or `id`, where one is there). Raises DataError where the file, a column or
    a class is missing, and for a field that is no text.
    """
    wanted = (*fields, label, *((key,) if key else ()))
    rows = [row for block in blocks(file, wanted) for row in block]
    for number, row in enumerate(rows, start=1):
        if missing := [name for name in wanted if name not in row]:
            raise DataError(f"{file}, row {number}: has no {missing[0]!r}; give every row all of {', '.join(wanted)}")
    classes = classes or tuple(sorted({str(row[label]) for row in rows if row[label] not in (None, "")}))
    if len(classes) != 2:
        some = ", ".join(classes[:5])
        raise DataError(f"{file}: {label} has {len(classes)} values ({some}): name two, data.classes=('a', 'b')")
    known = [row for row in rows if str(row[label]) in classes]
    same: dict[tuple, list] = {}
    for row in known:
        same.setdefault(tuple(row[name] for name in fields), []).append(row)
    kept = [alike[0] for alike in same.values() if len({row[label] for row in alike}) == 1]
    name = next((name for name in (key, *KEYS) if name and kept and name in kept[0]), None)
    log = token_log((extract(row, fields) for row in kept), {"user": [str(row[name]) for row in kept]} if name else {})
    made = split(profiled(log, labelled([str(row[label]) for row in kept], classes, str(file)), classes), seed=seed)
    notes = {"rows_of_other_classes": len(rows) - len(known), "repeated_texts": len(known) - len(kept)}
    return made._replace(notes={**made.notes, **notes})
