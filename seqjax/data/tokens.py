"""From text to features: hashtags, words and character n-grams, of any script, for the texts of a profile."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Callable, Mapping
from functools import cache
from typing import NamedTuple

from seqjax.data.events import DataError

Extractor = Callable[[str], list[str]]
"""The tokens of a text, with repeats, in the order of the text."""
Fields = Mapping[str, Extractor | tuple[Extractor, ...]]
"""What makes tokens of the text in each field of a profile."""

JOINERS = "\u200c\u200d"
"""Without width; they stand inside words of Persian and of Indic scripts."""
SELECTORS = range(0xFE00, 0xFE10)
"""Marks that only choose how a symbol is drawn, such as a digit as an emoji."""
SPACE = re.compile(r"\s+")


class Patterns(NamedTuple):
    """What a word and what a hashtag looks like in normalised text."""

    word: re.Pattern[str]
    hashtag: re.Pattern[str]


@cache
def marks() -> str:
    r"""The combining marks (Unicode Mn and Mc), which `\w` does not match, as ranges of a regular expression."""
    points = range(sys.maxunicode + 1)
    found = [at for at in points if at not in SELECTORS and unicodedata.category(chr(at)) in ("Mn", "Mc")]
    first = [at for at, before in zip(found, [-1, *found[:-1]], strict=True) if at != before + 1]
    last = [at for at, after in zip(found, [*found[1:], -1], strict=True) if at != after - 1]
    return "".join(f"{chr(begin)}-{chr(end)}" for begin, end in zip(first, last, strict=True))


@cache
def patterns() -> Patterns:
    """The patterns, compiled when they are first asked for: the marks take a tenth of a second to find."""
    run = rf"\w+(?:[{marks()}]+\w*)*"
    return Patterns(re.compile(rf"{run}(?:['{JOINERS}]{run})*"), re.compile(rf"#{run}(?:[{JOINERS}]{run})*"))


def normalised(text: str) -> str:
    """The text in Unicode's compatibility form NFKC, in lower case.

    >>> normalised("Ｌｏｖｅ ＃Ｎａｉｌｓ")
    'love #nails'
    """
    lower = unicodedata.normalize("NFKC", text).lower()
    return unicodedata.normalize("NFKC", lower)  # again: some letters with a mark are one character in lower case only


def hashtags(text: str) -> list[str]:
    """The hashtags of a text, normalised, each with its `#`: letters, marks, digits and underscores of any script.

    >>> hashtags("Today: #Nails#2013, ＃हिन्दी and # nothing")
    ['#nails', '#2013', '#हिन्दी']
    """
    return patterns().hashtag.findall(normalised(text))


def words(text: str, *, most: int = 1) -> list[str]:
    """The words of a text, normalised, then its runs of 2 .. `most` words, each joined by a space.

    A word is a run of letters, marks, digits and underscores; an apostrophe inside belongs to it, curved or not.
    Languages that put no space between words have whole phrases for words: use `characters`. Raises DataError for
    `most` below 1.

    >>> words("Don’t stop: 東京", most=2)
    ["don't", 'stop', '東京', "don't stop", 'stop 東京']
    """
    _refuse_lengths(1, most)
    single = patterns().word.findall(normalised(text).replace("\u2019", "'"))
    runs = [" ".join(single[at : at + size]) for size in range(2, most + 1) for at in range(len(single) - size + 1)]
    return single + runs


def characters(text: str, *, least: int = 2, most: int = 4, bounded: bool = True) -> list[str]:
    """The runs of `least` .. `most` characters (code points) of a text, normalised.

    bounded: within what white space bounds, one space on either side; where that is shorter than a run, it is given
    whole, once. Else across the text, each stretch of white space made one space. Raises DataError for lengths that
    are not 1 <= least <= most.

    >>> characters("Oh my", least=3, most=3)
    [' oh', 'oh ', ' my', 'my ']
    >>> characters("Oh my", least=4, bounded=False)
    ['oh m', 'h my']
    """
    _refuse_lengths(least, most)
    text, sizes = normalised(text), range(least, most + 1)
    if not bounded:
        text = SPACE.sub(" ", text)
        return [text[at : at + size] for size in sizes for at in range(len(text) - size + 1)]
    runs = []
    for word in text.split():
        word = f" {word} "
        length = len(word)
        for size in sizes:
            runs += [word[at : at + size] for at in range(length - size + 1)] or [word]
            if size >= length:
                break
    return runs


def extract(profile: Mapping[str, object], fields: Fields) -> list[str]:
    """The tokens of the fields of a profile, each found by the field's extractors, in the order of `fields`.

    With more than one field every token is preceded by its field and a colon, so that a name and a caption do not mix.
    A field that is None or empty has no tokens. Raises DataError for a field that the profile lacks, and for one whose
    value is not text.

    >>> extract({"name": "Ann", "caption": "#sun"}, {"name": words, "caption": (hashtags, words)})
    ['name:ann', 'caption:#sun', 'caption:sun']
    """
    tokens = []
    for field, extractors in fields.items():
        text = _text(profile, field)
        prefix = f"{field}:" if len(fields) > 1 else ""
        for extractor in extractors if isinstance(extractors, tuple) else (extractors,):
            tokens += [prefix + token for token in extractor(text)]
    return tokens


def _text(profile: Mapping[str, object], field: str) -> str:
    """The text of a field, empty for None."""
    if field not in profile:
        raise DataError(f"the profile has no field {field!r}: it has {', '.join(map(repr, profile)) or 'none'}")
    value = profile[field]
    if value is not None and not isinstance(value, str):
        remedy = "decode it" if isinstance(value, bytes) else "give text, or None where there is none"
        raise DataError(f"field {field!r} is {value!r}, which is {type(value).__name__} and not text: {remedy}")
    return value or ""


def _refuse_lengths(least: int, most: int) -> None:
    """Raises DataError for lengths of runs that do not rise from 1 or more."""
    if not 1 <= least <= most:
        raise DataError(f"runs of {least} to {most}: use 1 or more, and no more at the least than at the most")
