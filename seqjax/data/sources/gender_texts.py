"""Two small sets of texts by writers of known gender: blog posts, and tweets with biographies.

blog: Mukherjee and Liu, "Improving Gender Classification of Blog Authors", EMNLP 2010, the authors' public spreadsheet;
no licence stated, published for research. twitter: CrowdFlower, "Twitter User Gender Classification", Data for
Everyone, 2015; free for the community. Labels are what annotators or authors stated: two words for what are people.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq

from seqjax.data.events import DataError, Split
from seqjax.data.profiles import labelled, profiled, selected, token_log
from seqjax.data.sources.folder import data_folder
from seqjax.data.tokens import Fields, extract, hashtags, words

BLOG: Fields = {"text": words}
TWITTER: Fields = {"text": (words, hashtags), "description": words}


def blog(
    path: str | Path | None = None,
    *,
    fields: Fields = BLOG,
    seed: int = 0,
    split: Callable[..., Split] = selected,
) -> Split:
    """Blog posts as profiles of their words (M 0, F 1), every text once; `blog_gender/` under SEQJAX_DATA."""
    file = Path(path or data_folder("blog_gender") / "blog_gender.parquet")
    return texts(file, "doc_id", ("M", "F"), fields, seed, split)


def twitter(
    path: str | Path | None = None,
    *,
    fields: Fields = TWITTER,
    seed: int = 0,
    split: Callable[..., Split] = selected,
) -> Split:
    """One tweet and the biography of each user (male 0, female 1); `twitter_gender_small/` under SEQJAX_DATA.

    Rows of brands and of unknown gender are left out and counted.
    """
    file = Path(path or data_folder("twitter_gender_small") / "twitter_gender_small.parquet")
    return texts(file, "unit_id", ("male", "female"), fields, seed, split)


def texts(
    file: Path, key: str, classes: tuple[str, str], fields: Fields, seed: int, split: Callable[..., Split]
) -> Split:
    """Rows of a table with the columns `gender`, the key and the fields, each distinct row of texts once.

    A text that occurs with both labels is left out. Raises DataError where a file or a column is missing.
    """
    if not file.is_file():
        raise DataError(f"{file}: there is no such file")
    table = pq.read_table(file)
    if missing := {"gender", key, *fields} - set(table.column_names):
        raise DataError(f"{file}: has no column {min(missing)}, only {', '.join(table.column_names)}")
    rows = [row for row in table.select([*fields, key, "gender"]).to_pylist() if row["gender"] in classes]
    held: dict[tuple, list] = {}
    for row in rows:
        held.setdefault(tuple(row[name] for name in fields), []).append(row)
    kept = [same[0] for same in held.values() if len({row["gender"] for row in same}) == 1]
    log = token_log((extract(row, fields) for row in kept), {"user": [str(row[key]) for row in kept]})
    made = split(profiled(log, labelled([row["gender"] for row in kept], classes, str(file)), classes), seed=seed)
    notes = {"rows_of_other_classes": table.num_rows - len(rows), "repeated_texts": len(rows) - len(kept)}
    return made._replace(notes={**made.notes, **notes})
