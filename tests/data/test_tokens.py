"""Tokens of many scripts, by hand and against scikit-learn."""
# ruff: noqa: RUF001 - letters that look like Latin ones are what is tested

import unicodedata

import pytest

from seqjax.data import tokens
from seqjax.data.events import DataError
from seqjax.data.tokens import characters, extract, hashtags, normalised, words

TEXTS = (
    "",
    "a",
    "to be, or not to be",
    "The  quick\tbrown\n fox jumped over 13 lazy_dogs",
    "ünïcode Straße 東京タワー नमस्ते",
)


def test_normal_form():
    assert normalised("ＡＢＣ　＃ｱｲｳ ﬁ") == "abc #アイウ fi"
    assert normalised("") == ""
    once = normalised("H\u0331\u0130\u03a3 \u1e9e")
    assert once == normalised(once) and once.startswith("\u1e96")
    assert normalised("cafe\u0301") == "caf\u00e9"


@pytest.mark.parametrize(("text", "tags"), [
    ("#Nails and #MAKEUP", ["#nails", "#makeup"]),
    ("#love#nails##art", ["#love", "#nails", "#art"]),
    ("今日は＃東京タワー #ラーメン大好き、#カフェ☕", ["#東京タワー", "#ラーメン大好き", "#カフェ"]),
    ("#مرحبا بالعالم #حُبّ", ["#مرحبا", "#حُبّ"]),
    ("#می\u200cخواهم", ["#می\u200cخواهم"]),
    ("#हिन्दी #नमस्ते, दुनिया", ["#हिन्दी", "#नमस्ते"]),
    ("#สวัสดี #ภาษาไทย", ["#สวัสดี", "#ภาษาไทย"]),
    ("#ත්‍රී", ["#ත්\u200dරී"]),
    ("#2013 #1 #a_b_1 #_", ["#2013", "#1", "#a_b_1", "#_"]),
    ("#❤️ #👩‍👩‍👧 # nothing #", []),
    ("#1️⃣ #fun🎉 #sun-day", ["#1", "#fun", "#sun"]),
    ("", []),
])  # fmt: skip
def test_hashtags_of_any_script(text, tags):
    assert hashtags(text) == [unicodedata.normalize("NFKC", tag) for tag in tags]


@pytest.mark.parametrize(("text", "found"), [
    ("Don't, 'quoted' rock'n'roll's", ["don't", "quoted", "rock'n'roll's"]),
    ("Don\u2019t ＡＢＣ", ["don't", "abc"]),
    ("नमस्ते दुनिया", ["नमस्ते", "दुनिया"]),
    ("مرحبا، بالعالم", ["مرحبا", "بالعالم"]),
    ("東京タワー、人々", ["東京タワー", "人々"]),
    ("❤️👍🏽 #a_b 🎉", ["a_b"]),
    ("\u0301 alone", ["alone"]),
    (" \n", []),
])  # fmt: skip
def test_words_of_any_script(text, found):
    assert words(text) == found


def test_marks_are_those_of_unicode():
    for code in (0x0301, 0x093F, 0x0651, 0x0E31, 0x3099, 0x1E8D0, 0xE0100):
        assert words("a" + chr(code) + "b") == [normalised("a" + chr(code) + "b")]
    assert tokens.patterns() is tokens.patterns()


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize(("least", "most"), [(1, 1), (2, 4), (3, 7)])
def test_characters_are_those_of_scikit_learn(text, least, most):
    vectorizer = pytest.importorskip("sklearn.feature_extraction.text").CountVectorizer
    for bounded, analyzer in ((True, "char_wb"), (False, "char")):
        analyze = vectorizer(analyzer=analyzer, ngram_range=(least, most), preprocessor=normalised).build_analyzer()
        single = " ".join(text.split())  # scikit-learn leaves a lone tab as it is
        assert characters(text, least=least, most=most, bounded=bounded) == analyze(single)


@pytest.mark.parametrize("text", TEXTS[:4])
@pytest.mark.parametrize("most", [1, 2, 3])
def test_words_are_those_of_scikit_learn(text, most):
    vectorizer = pytest.importorskip("sklearn.feature_extraction.text").CountVectorizer
    analyze = vectorizer(ngram_range=(1, most), token_pattern=r"(?u)\b\w+\b").build_analyzer()
    assert words(text, most=most) == analyze(text)


def test_short_texts_give_short_runs():
    assert characters("a", least=2, most=4) == [" a", "a ", " a "]
    assert characters("a", least=4, most=9) == [" a "]
    assert characters("a b", least=4, bounded=False) == []
    assert characters("a \t\n b", least=3, most=3, bounded=False) == ["a b"]
    assert characters(" \n ") == words("", most=3) == []
    assert characters("ＡＢ", least=4, most=4) == [" ab "]


def test_lengths_are_refused():
    with pytest.raises(DataError, match="runs of 1 to 0: use 1 or more"):
        words("a", most=0)
    for least, most in ((0, 2), (3, 2)):
        with pytest.raises(DataError, match=f"runs of {least} to {most}"):
            characters("a", least=least, most=most)


def test_fields_are_kept_apart():
    profile = {"name": "Ann", "bio": None, "caption": "", "other": 7}
    assert extract(profile, {"name": words}) == ["ann"]
    assert extract(profile, {"name": words, "bio": words, "caption": (words, hashtags)}) == ["name:ann"]
    assert extract({"b": "#x", "a": "y"}, {"a": words, "b": (hashtags, words)}) == ["a:y", "b:#x", "b:x"]
    assert extract(profile, {}) == []


def test_fields_are_refused():
    with pytest.raises(DataError, match="no field 'bio': it has 'name', 'caption'"):
        extract({"name": "Ann", "caption": ""}, {"bio": words})
    with pytest.raises(DataError, match="no field 'bio': it has none"):
        extract({}, {"bio": words})
    with pytest.raises(DataError, match="field 'name' is b'Ann', which is bytes and not text: decode it"):
        extract({"name": b"Ann"}, {"name": words})
    for value in (7, 0, float("nan"), ["Ann"]):
        with pytest.raises(DataError, match=f"which is {type(value).__name__} and not text: give text, or None"):
            extract({"name": value}, {"name": words})
