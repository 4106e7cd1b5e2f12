"""The readers of Amazon reviews and of Amazon Beauty, on small files and, where SEQJAX_DATA names it, the real one."""

import json

import numpy as np
import pytest
from response_files import asked, folder_or_skip, words, written

from seqjax.data.events import DataError
from seqjax.data.protocols import PROTOCOLS
from seqjax.data.sources import SOURCES, amazon_beauty, amazon_reviews, check

REVIEWS = [
    {"reviewerID": "A1", "asin": "B10", "overall": 5.0, "unixReviewTime": 200, "reviewText": "tab\t, {brace} \u00e9"},
    {"reviewerID": "A1", "asin": "B20", "overall": 3.0, "unixReviewTime": 100},
    {"reviewerID": "A2", "asin": "B30", "overall": 1, "unixReviewTime": 150, "helpful": [0, 1]},
    {"reviewerID": "A1", "asin": "B30", "overall": 4.0, "unixReviewTime": 200},
]
META = [
    {"asin": "B10", "categories": [["Electronics", "Audio"], ["Electronics", "Cables", 'It\'s "USB"']]},
    {"asin": "B30", "categories": [["Electronics"]], "price": 3.5},
    {"asin": "B20", "categories": []},
    {"asin": "B99", "categories": [["Books"]]},
]


def records_text(rows, form=json.dumps):
    return "".join(form(row) + "\n" for row in rows)


@pytest.mark.parametrize("ending", [".json", ".json.gz"])
@pytest.mark.parametrize("form", [json.dumps, repr])
def test_amazon_reviews_reads_json_and_literals(tmp_path, lists, ending, form):
    reviews = written(tmp_path / f"reviews{ending}", records_text(REVIEWS, form))
    metadata = written(tmp_path / f"meta{ending}", records_text(META, form))
    log, side, notes = amazon_reviews.users(reviews, metadata)
    assert log.keys["user"].tolist() == ["A1", "A2"]
    assert lists(log) == [["B20", "B10", "B30"], ["B30"]]  # a tie comes in the order of the file
    assert words(log, "rating") == ["3", "5", "4", "1"] and log.columns["rating"].dtype == np.int32
    assert log.columns["time"].tolist() == [100, 200, 200, 150]
    of = dict(zip(log.vocabulary["item"].tolist(), side["category"][1:].tolist(), strict=True))
    assert log.vocabulary["category"].tolist() == ["Electronics", 'It\'s "USB"']
    assert of == {"B20": 0, "B10": 2, "B30": 1} and side["category"][0] == 0
    assert notes == {"items_without_category": 1}
    log, side, notes = amazon_reviews.users(str(reviews))
    assert (log.events, side, notes) == (4, {}, {})


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_amazon_reviews_are_split_by_a_protocol(tmp_path, protocol):
    rows = [
        {
            "reviewerID": f"A{user}",
            "asin": f"B{(7 * user + 3 * at * at) % 50}",
            "overall": 5.0,
            "unixReviewTime": user + at,
        }
        for user in range(30)
        for at in range(6)
    ]
    meta = [{"asin": f"B{item}", "categories": [[str(item % 4)]]} for item in range(50)]
    reviews = written(tmp_path / "reviews.json", records_text(rows))
    metadata = written(tmp_path / "meta.json", records_text(meta))
    split = amazon_reviews.read(reviews, metadata, protocol=protocol, negatives=("uniform", "category"))
    assert (split.notes["protocol"], split.notes["items_without_category"]) == (protocol, 0)
    assert set(split.test.side) == {"category"} and split.test.size > 0 and split.test.items is None
    told = amazon_reviews.read(reviews, protocol=protocol, item_history=3)
    assert told.test.items.window == 3 and set(told.test.items.log.vocabulary) == {"user", "rating"}
    if protocol == "leave_last":
        with pytest.raises(DataError, match="negatives='category': items have no side features"):
            amazon_reviews.read(reviews, negatives=("category",))


GOOD = REVIEWS[0]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{broken", r"b'\{broken.*' is no record, neither JSON nor a literal; get the file again"),
        ("[1, 2]", r"b'\[1, 2\].*' is no record"),
        ("__import__('os').getcwd()", r"b\"__import__.* is no record"),
        ("(" * 9_999, r"b'\(\(\(.*' is no record"),
        ("\udcff", r"b'.*' is no record"),
        ({**GOOD, "asin": None}, "asin None is no id; repair or remove the line"),
        ({**GOOD, "asin": " "}, "asin ' ' is no id"),
        ({**GOOD, "reviewerID": 5}, "reviewerID 5 is no id"),
        ({**GOOD, "unixReviewTime": "soon"}, "unixReviewTime 'soon' is no number; repair or remove the line"),
        ({**GOOD, "unixReviewTime": True}, "unixReviewTime True is no number"),
        ({**GOOD, "unixReviewTime": 1e12}, r"unixReviewTime 1000000000000.0 is no time in seconds; repair the line"),
        ({**GOOD, "unixReviewTime": float("nan")}, "unixReviewTime nan is no time"),
        ({**GOOD, "overall": 4.5}, r"overall 4.5 is none of 1 .. 5; repair the line"),
        ({"asin": "B1"}, "reviewerID None is no id"),
    ],
)
def test_amazon_reviews_names_the_line_that_cannot_be_used(tmp_path, line, message):
    path = tmp_path / "reviews.json"
    text = line if isinstance(line, str) else json.dumps(line)
    path.write_bytes((records_text(REVIEWS) + "\n" + text + "\n").encode(errors="surrogateescape"))
    with pytest.raises(DataError, match=rf"reviews.json, line 6: {message}"):  # blank lines count
        amazon_reviews.users(path)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"asin": "B1", "categories": "Books"}, "categories 'Books' is no list of paths; repair the line"),
        ({"asin": "B1", "categories": ["Books"]}, r"categories \['Books'\] is no list of paths"),
        ({"asin": "B1", "categories": [[1]]}, r"categories \[\[1\]\] is no list of paths"),
        ({"categories": [["Books"]]}, "asin None is no id"),
    ],
)
def test_amazon_metadata_names_the_line_that_cannot_be_used(tmp_path, record, message):
    reviews = written(tmp_path / "reviews.json", records_text(REVIEWS))
    metadata = written(tmp_path / "meta.json", records_text([*META, record]))
    with pytest.raises(DataError, match=rf"meta.json, line 5: {message}"):
        amazon_reviews.users(reviews, metadata)


def test_amazon_metadata_of_later_years_has_one_path(tmp_path):
    """Blank categories are none."""
    reviews = written(tmp_path / "reviews.json", records_text(REVIEWS))
    rows = [{"asin": "B10", "category": ["Books", "Maps"]}, {"asin": "B20", "category": [" "]}, {"asin": "B30"}]
    log, side, _ = amazon_reviews.users(reviews, written(tmp_path / "meta.json", records_text(rows)))
    assert log.vocabulary["category"].tolist() == ["Maps"]
    assert np.flatnonzero(side["category"]).tolist() == [log.vocabulary["item"].tolist().index("B10") + 1]


def test_amazon_metadata_of_another_shop_is_refused(tmp_path):
    reviews = written(tmp_path / "reviews.json", records_text(REVIEWS))
    metadata = written(tmp_path / "meta.json", records_text(META[2:]))
    with pytest.raises(DataError, match=r"meta.json: has a category of none of the 3 products; give the reviews' own"):
        amazon_reviews.users(reviews, metadata)


def test_amazon_files_that_are_cut_off(tmp_path):
    path = written(tmp_path / "reviews.json.gz", records_text(REVIEWS * 500))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"reviews.json.gz: cannot be unpacked to its end .*; get the file again"):
        amazon_reviews.users(path)


def test_amazon_files_that_are_missing(tmp_path):
    reviews = written(tmp_path / "reviews.json", records_text(REVIEWS))
    for paths in ((tmp_path / "none.json",), (reviews, tmp_path / "none.json.gz")):
        with pytest.raises(DataError, match=r"none.json.*: there is no such file"):
            amazon_reviews.users(*paths)
    with pytest.raises(DataError, match=r"a.json: the file is empty"):
        amazon_reviews.users(written(tmp_path / "a.json", ""))


# Amazon Beauty


def beauty(folder, sequences="u1 i1 i2 i3 i1\nu2 i2 i4 i3 i2\nu3 i5 i1 i2 i3 i4\n", attributes=None):
    written(folder / "sequences.txt.gz", sequences)
    table = {"i1": [10, 9], "i2": [9], "i3": [10, 9, 2], "i4": [9]} if attributes is None else attributes
    written(folder / "item2attributes.json.gz", table if isinstance(table, str) else json.dumps(table))
    return folder


def test_amazon_beauty_reads_lives_and_attributes(tmp_path, lists):
    log, side = amazon_beauty.users(beauty(tmp_path))
    assert lists(log) == [["i1", "i2", "i3", "i1"], ["i2", "i4", "i3", "i2"], ["i5", "i1", "i2", "i3", "i4"]]
    assert log.keys["user"].tolist() == ["u1", "u2", "u3"]
    assert log.vocabulary["attribute"].tolist() == ["2", "9", "10"]
    of = dict(zip(log.vocabulary["item"].tolist(), side["attribute"][1:].tolist(), strict=True))
    assert of == {"i1": [3, 2, 0], "i2": [2, 0, 0], "i3": [3, 2, 1], "i4": [2, 0, 0], "i5": [0, 0, 0]}
    split = amazon_beauty.read(tmp_path, negatives=("uniform",))
    assert [one[:3] for one in asked(split.test) if one[3]] == [("u1", 3, "i1"), ("u2", 3, "i2"), ("u3", 4, "i4")]


def test_amazon_beauty_errors(tmp_path):
    with pytest.raises(DataError, match=r"item2attributes.json.gz: there is no such file; `seqjax data get amazon_b"):
        amazon_beauty.users(tmp_path)
    for text, line in (("u1 i1 i2\nu2\n", 2), ("u1 i1\n\nu2 i1\n", 2)):
        with pytest.raises(DataError, match=rf"sequences.txt.gz: line {line} has no product; get the file again"):
            amazon_beauty.users(beauty(tmp_path, text))
    for table in ("[1, 2]", "{broken", '{"i1": 5}'):
        with pytest.raises(
            DataError, match=r"item2attributes.json.gz: is no table of attributes by item .*get the file"
        ):
            amazon_beauty.users(beauty(tmp_path, attributes=table))
    (tmp_path / "sequences.txt.gz").unlink()
    with pytest.raises(DataError, match=r"sequences.txt.gz: there is no such file"):
        amazon_beauty.users(tmp_path)


def test_real_amazon_beauty_has_the_known_counts():
    folder = folder_or_skip("amazon_beauty")
    assert set(check("amazon_beauty", folder).values()) == {"verified"}
    log, side = amazon_beauty.users(folder)
    assert (log.sequences, log.events, len(log.vocabulary["item"])) == (22_363, 198_502, 12_101)
    assert (np.median(log.lengths), log.lengths.max()) == (6, 204)
    assert len(log.vocabulary["attribute"]) == 637 and side["attribute"][1:, 0].min() > 0
    assert (side["attribute"][1:] > 0).sum(axis=1).mean() == pytest.approx(3.72, abs=0.005)
    split = SOURCES["amazon_beauty"].read(negatives=("uniform", "popularity", "category"))
    assert (split.train.size, split.validation.size, split.test.size) == (131_413, 89_449, 89_450)
