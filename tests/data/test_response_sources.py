"""MovieLens ratings and XLong lines as samples, on small files and, where SEQJAX_DATA names them, on real ones."""

import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from response_files import asked, folder_or_skip, words, written

from seqjax.data.events import DataError
from seqjax.data.sources import movielens, xlong

# MovieLens

RATED = {"1": [5, 3, 4, 2, 4, 1], "2": [1, 4, 3, 5, 2, 5]}  # films 10, 11, .. one a second


def rate(folder, rated=RATED):
    rows = [(int(user), 10 + at, value, 100 + at) for user, values in rated.items() for at, value in enumerate(values)]
    names = ("user_id", "movie_id", "rating", "timestamp")
    pq.write_table(
        pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))), folder / "ratings.parquet"
    )
    return folder


FILMS = 'movie_id,movie_title,release_year,genres\n10,"Day, The",1995,Drama Action\n11,Night,1996,Comedy\n99,X,1,War\n'


def test_movielens_asks_whether_a_film_is_liked(tmp_path):
    split = movielens.responses(rate(tmp_path))
    assert asked(split.test) == [("1", 5, "15", False), ("2", 5, "15", True)]
    assert asked(split.validation) == [("1", 4, "14", True), ("2", 4, "14", False)]
    assert split.train.label.tolist() == [False, True, False, True, False, True]
    assert words(split.train.log, "rating") == [str(value) for values in RATED.values() for value in values]
    assert split.train.vocabulary["rating"].tolist() == ["1", "2", "3", "4", "5"]
    assert (split.train.cutoff == split.train.place).all() and not split.train.side
    assert dict(split.notes) == {"protocol": "leave_last", "users_that_only_train": 0, "like": 4}
    assert movielens.responses(tmp_path / "ratings.parquet", like=3).test.label.tolist() == [False, True]


def test_movielens_tells_who_rated_a_film_before(tmp_path):
    split = movielens.responses(rate(tmp_path), item_history=9)
    lives = split.test.items.log
    assert set(lives.vocabulary) == {"user", "rating"} and lives.lengths.tolist() == [0, *[2] * 6]
    assert lives.columns["rating"][lives.offsets[1] : lives.offsets[2]].tolist() == [5, 1]  # film 10, a tie
    assert split.test.asked_at.tolist() == [105, 105] and set(split.test.target) == {"item", "user"}
    assert movielens.responses(tmp_path).test.items is None


def test_movielens_genres_come_from_the_films_beside_the_parquet(tmp_path):
    (tmp_path / "movies.csv").write_text(FILMS)
    split = movielens.responses(rate(tmp_path))
    side, items = split.test.side["genre"], split.test.vocabulary["item"].tolist()
    assert split.test.vocabulary["genre"].tolist() == ["Action", "Comedy", "Drama", "War"]
    assert side.dtype == np.int32 and side.shape == (7, 2) and not side[0].any()
    assert side[items.index("10") + 1].tolist() == [3, 1] and side[items.index("11") + 1].tolist() == [2, 0]
    assert split.notes["films_without_genre"] == 4
    (tmp_path / "u.data").write_text(
        "".join(f"1\t{10 + n}\t{n % 5 + 1}\t{n}\n2\t{10 + n}\t{5 - n}\t{n}\n" for n in range(5))
    )
    assert not movielens.responses(tmp_path).test.side  # the other files have other film ids


def test_movielens_genres_come_from_the_official_archive(tmp_path):
    """The archive's film ids are its own; titles are Latin-1, genres are between bars."""
    lines = [f"{user}::{10 + at}::{value}::{100 + at}" for user, row in RATED.items() for at, value in enumerate(row)]
    described = "10::Día, The (1995)::Drama|Action\r\n11::Night: One (1996)::Comedy\n".encode("latin-1")
    with zipfile.ZipFile(tmp_path / "ml-1m.zip", "w") as archive:
        archive.writestr("ml-1m/ratings.dat", "\n".join(lines))
        archive.writestr("ml-1m/movies.dat", described)
    with zipfile.ZipFile(tmp_path / "ml-1m.zip") as archive:
        archive.extractall(tmp_path)
    for path in (tmp_path, tmp_path / "ml-1m"):
        test = movielens.responses(path).test
        side, items = test.side["genre"], test.vocabulary["item"].tolist()
        assert test.vocabulary["genre"].tolist() == ["Action", "Comedy", "Drama"]
        assert side[items.index("10") + 1].tolist() == [3, 1] and side[items.index("11") + 1].tolist() == [2, 0]
    (tmp_path / "ml-1m" / "movies.dat").write_bytes(described + b"12::Dawn\n")
    with pytest.raises(DataError, match=r"movies.dat, line 3: has no movie_id and genres: 12::Dawn; repair the line"):
        movielens.responses(tmp_path / "ml-1m")
    (tmp_path / "ml-1m" / "movies.dat").unlink()
    assert not movielens.responses(tmp_path / "ml-1m").test.side


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("movie_id,movie_title\n10,Day\n", r"movies.csv, line 2: has no movie_id and genres: .*Day.*; repair the line"),
        ("movie_id,genres\n10,War\n11\n", r"movies.csv, line 3: has no movie_id and genres: .*11"),
        ("movie_id,genres\n10,War\n10,War\n", r"movies.csv, line 3: film 10 is named twice; repair the line"),
    ],
)
def test_movielens_refuses_bad_films(tmp_path, text, message):
    (tmp_path / "movies.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        movielens.responses(rate(tmp_path))


def test_movielens_response_errors(tmp_path, monkeypatch):
    with pytest.raises(DataError, match=r"holds none of \['ml-1m.zip'"):
        movielens.responses(tmp_path)
    with pytest.raises(DataError, match=r"like=6: ratings are 1 .. 5; choose 2 .. 5"):
        movielens.responses(rate(tmp_path), like=6)
    with pytest.raises(DataError, match=r"ratings.parquet: user 1 rated 11 with 7.0, which is none of 1 .. 5; repair"):
        movielens.responses(rate(tmp_path, {"1": [5, 7, 4, 2]}))
    monkeypatch.delenv("SEQJAX_DATA", raising=False)
    with pytest.raises(DataError, match="set SEQJAX_DATA"):
        movielens.responses()


def test_real_movielens_has_the_known_counts():
    split = movielens.responses(folder_or_skip("ml-1m"))
    assert (split.train.size, split.validation.size, split.test.size) == (982_089, 6_040, 6_040)
    assert split.test.label.mean() == pytest.approx(0.590, abs=5e-4)
    assert split.test.side["genre"].shape == (3_707, 6) and len(split.test.vocabulary["genre"]) == 18
    assert split.notes["films_without_genre"] == 0


# XLong

TRAIN = ["0\tu1\t7,8,9\t10\t11\t1,2\t3", "1\tu2\t8,8,7\t7\t12\t1\t3"]
TEST = ["2\tu3\t9,13,10\t8\t8"]


def long_files(folder, train=TRAIN, test=TEST, ending=".txt"):
    return tuple(
        written(folder / f"{name}{ending}", "".join(line + "\n" for line in lines))
        for name, lines in (("train", train), ("test", test))
    )


@pytest.mark.parametrize("ending", [".txt", ".txt.gz"])
def test_xlong_asks_twice_about_every_line(tmp_path, lists, ending):
    split = xlong.read(*long_files(tmp_path, ending=ending), history=3)
    assert split.train.log is split.test.log and split.validation is None
    log = split.train.log
    assert lists(log) == [["7", "8", "9"], ["8", "8", "7"], ["9", "13", "10"]]
    assert sorted(log.vocabulary["item"].tolist(), key=int) == ["7", "8", "9", "10", "11", "12", "13"]
    assert asked(split.train) == [
        ("u1", 3, "10", True), ("u1", 3, "11", False), ("u2", 3, "7", True), ("u2", 3, "12", False),
    ]  # fmt: skip
    assert asked(split.test) == [("u3", 3, "8", True), ("u3", 3, "8", False)]
    assert (split.train.cutoff == 3).all()
    assert dict(split.notes) == {"users_of_several_lines": 0, "lines_of_one_item": 1}
    again = xlong.read(*long_files(tmp_path, test=TRAIN[:1]), history=3)
    assert again.notes["users_of_several_lines"] == 1


TOLD = ["0\tu1\t7,8,9\t10\t11\tu9,u2,u1\tu3, u8", "1\tu2\t8,8,7\t7\t12\t0,0,u1\tu9", "2\tu3\t9,13,10\t8\t8\tu7\t"]


def test_xlong_tells_who_had_either_item(tmp_path):
    """Padding is left out, and the line's own user: no time tells whether that is the event asked about."""
    split = xlong.read(*long_files(tmp_path, TOLD[:2], TOLD[2:]), history=3, item_history=2)
    words_of, lives = split.train.vocabulary["user"], split.train.items.log
    assert words_of.tolist()[:3] == ["u1", "u2", "u3"] and set(words_of[3:]) == {"u7", "u8", "u9"}
    held = words_of[lives.columns["user"] - 1].tolist()
    told = [
        held[lives.offsets[life] : lives.offsets[life + 1]] for part in (split.train, split.test) for life in part.life
    ]
    assert told == [["u9", "u2"], ["u3", "u8"], ["u1"], ["u9"], ["u7"], []]
    assert split.notes["own_users_left_out"] == 1 and split.train.items.window == 2
    plain = xlong.read(*long_files(tmp_path, TOLD[:2], TOLD[2:]), history=3)
    assert plain.train.items is plain.train.life is None and plain.train.vocabulary["user"].tolist() == [
        "u1",
        "u2",
        "u3",
    ]
    assert asked(plain.train) == asked(split.train) and asked(plain.test) == asked(split.test)


def test_xlong_lines_that_tell_of_nobody(tmp_path):
    files = long_files(tmp_path, test=[*TEST, "2\tu3\t9,13,10\t8\t8"])
    with pytest.raises(DataError, match=r"test.txt, line 1: has 5 of the 7 columns .*, users of the negative; repair"):
        xlong.read(*files, history=3, item_history=2)
    none = long_files(tmp_path, [line.rsplit("\t", 2)[0] + "\t0\t" for line in TRAIN], [TEST[0] + "\t\t"])
    with pytest.raises(DataError, match=r"item_history=2: no line names a user of its items; set item_history=0"):
        xlong.read(*none, history=3, item_history=2)
    with pytest.raises(DataError, match=r"item_history=-1: read 1 user or more of an item, or 0 to leave items out"):
        xlong.read(*long_files(tmp_path, TOLD, TOLD), history=3, item_history=-1)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("3\tu4\t7,8,9\t10", "has 4 of the 5 columns index, user, history, positive, negative; repair or remove the"),
        ("", "has 1 of the 5 columns"),
        ("3\t \t7,8,9\t10\t11", "the user is blank; repair or remove the line"),
        ("3\tu4\t7,8,9\t\t11\t1", "the positive is blank"),
        ("3\tu4\t7,8,9\t10\t\t1", "the negative is blank"),
        ("3\tu4\t7,8\t10\t11", r"the history has 2 items, not 3 \(history=3\)"),
        ("3\tu4\t7,8,9,9\t10\t11", r"the history has 4 items, not 3 \(history=3\)"),
        ("3\tu4\t\t10\t11", r"the history has 1 items, not 3 \(history=3\)"),
        ("3\tu4\t7,,9\t10\t11", "item 2 of the history is blank"),
    ],
)
def test_xlong_names_the_line_that_cannot_be_used(tmp_path, line, message):
    paths = long_files(tmp_path, test=[*TEST, line, TRAIN[0]])
    with pytest.raises(DataError, match=rf"test.txt, line 2: {message}"):
        xlong.read(*paths, history=3)


def test_xlong_names_a_line_that_is_no_text(tmp_path):
    train, test = long_files(tmp_path)
    test.write_bytes(test.read_bytes() + b"3\tu\xff\t7,8,9\t10\t11\n")
    with pytest.raises(DataError, match=r"test.txt: line 2 is not UTF-8 text; convert the file"):
        xlong.read(train, test, history=3)


def test_xlong_files_that_are_missing(tmp_path):
    train, _ = long_files(tmp_path)
    with pytest.raises(DataError, match=r"none.txt: there is no such file"):
        xlong.read(train, tmp_path / "none.txt", history=3)
    with pytest.raises(DataError, match=r"train.txt, line 1: the history has 3 items, not 1000 \(history=1000\)"):
        xlong.read(train, train)
