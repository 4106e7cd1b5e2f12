"""Two small sets of texts by writers of known gender: blog posts, and tweets with biographies.

blog: Mukherjee and Liu, "Improving Gender Classification of Blog Authors", EMNLP 2010, the authors' public spreadsheet;
no licence stated, published for research. twitter: CrowdFlower, "Twitter User Gender Classification", Data for
Everyone, 2015; free for the community. Labels are what annotators or authors stated: two words for what are people.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from seqjax.data.events import Split
from seqjax.data.profiles import selected
from seqjax.data.sources.folder import data_folder
from seqjax.data.sources.texts import labelled_texts
from seqjax.data.tokens import Fields, hashtags, words

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
    file = inside(path, "blog_gender", "blog_gender.parquet")
    return labelled_texts(file, fields, "gender", ("M", "F"), seed, split, "doc_id")


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
    file = inside(path, "twitter_gender_small", "twitter_gender_small.parquet")
    return labelled_texts(file, fields, "gender", ("male", "female"), seed, split, "unit_id")


def inside(path: str | Path | None, name: str, file: str) -> Path:
    """The file that a path names or a folder holds; without a path, that of a data set under SEQJAX_DATA."""
    path = Path(path) if path else data_folder(name)
    return path / file if path.is_dir() else path
