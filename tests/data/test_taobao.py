"""The Taobao reader, on small files and, where SEQJAX_DATA names it, on the real sample."""

import numpy as np
import pytest
from response_files import folder_or_skip, words, written

from seqjax.data.events import DataError
from seqjax.data.protocols import PROTOCOLS
from seqjax.data.sources import SOURCES, check, taobao
from seqjax.data.split import DAY

NINE = 1_511_539_200  # 2017-11-25 00:00 in China
EVENTS = [
    ("1", "10", "7", "pv", NINE + 5),
    ("1", "11", "8", "cart", NINE + 5),
    ("1", "10", "9", "buy", NINE + 9 * DAY - 1),
    ("1", "12", "7", "pv", NINE + 9 * DAY),
    ("2", "12", "7", "fav", NINE),
    ("2", "13", "8", "pv", NINE - 1),
    ("2", "11", "8", "pv", NINE + 7),
    ("3", "14", "9", "pv", -2_134_949_234),
    ("1", "13", "8", "pv", NINE + 6),
]


def behaviour_text(header=False, events=EVENTS):
    return (taobao.HEADER + "\n" if header else "") + "".join(",".join(map(str, row)) + "\n" for row in events)


@pytest.mark.parametrize(
    ("name", "header"),
    [("UserBehavior.csv", False), ("UserBehavior.csv.gz", False), ("user_behavior.csv.gz", True)],
)
def test_taobao_reads_both_forms(tmp_path, lists, name, header):
    path = written(tmp_path / name, behaviour_text(header))
    for place in (path, tmp_path, str(tmp_path)):
        log, side, notes = taobao.users(place)
        assert log.keys["user"].tolist() == ["2", "1"]  # by their first events
        assert lists(log) == [["12", "11"], ["10", "11", "13", "10"]]
        assert words(log, "behaviour") == ["fav", "pv", "pv", "cart", "pv", "buy"]
        assert log.vocabulary["behaviour"].tolist() == ["pv", "cart", "fav", "buy"]
        assert set(log.columns) == {"item", "behaviour", "time"} and log.columns["behaviour"].dtype == np.int32
        assert log.columns["time"].max() == NINE + 9 * DAY - 1 and log.columns["time"].min() == NINE
        of = dict(zip(log.vocabulary["item"].tolist(), side["category"][1:].tolist(), strict=True))
        assert {item: log.vocabulary["category"][of[item] - 1] for item in of} == {
            "12": "7", "11": "8", "10": "7", "13": "8",
        }  # fmt: skip
        assert side["category"][0] == 0
        assert notes == {"events_outside_the_nine_days": 3, "items_of_several_categories": 1}


def behaviours(users=30):
    return [
        (user, (7 * user + 3 * at * at) % 50, (7 * user + 3 * at * at) % 50 % 4, "pv", NINE + 100 * user + at)
        for user in range(users)
        for at in range(6)
    ]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_taobao_is_split_by_a_protocol(tmp_path, monkeypatch, protocol):
    monkeypatch.setenv("SEQJAX_DATA", str(tmp_path))
    (tmp_path / "taobao_sample").mkdir()
    written(tmp_path / "taobao_sample" / "user_behavior.csv.gz", behaviour_text(True, behaviours()))
    negatives = ("uniform", "category")
    split = taobao.read(protocol=protocol, negatives=negatives)
    assert split.notes["protocol"] == protocol and split.notes["events_outside_the_nine_days"] == 0
    assert set(split.test.side) == {"category"}
    assert split.test.kinds == (negatives if protocol == "leave_last" else ())
    assert split.test.items is None and taobao.read(protocol=protocol, item_history=3).test.items.window == 3


@pytest.mark.parametrize("header", [False, True])
@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1,10,7,like,1511539300", "the behaviour 'like' is none of pv, cart, fav, buy; repair or remove the line"),
        ("1,10,7,,1511539300", "the behaviour None is none of pv"),
        ("1,10,7,pv,soon", "the time 'soon' is no number of seconds; repair or remove the line"),
        ("1,10,7,pv,", "the time None is no number of seconds"),
        (",10,7,pv,1511539300", "the user None is blank; repair or remove the line"),
        ("1, ,7,pv,1511539300", "the item ' ' is blank"),
        ("1,10,,pv,1511539300", "the category None is blank"),
    ],
)
def test_taobao_names_the_line_that_cannot_be_used(tmp_path, header, line, message):
    path = written(tmp_path / "log.csv", behaviour_text(header) + line + "\n" + line.replace("1", "2") + "\n")
    with pytest.raises(DataError, match=rf"log.csv, line {len(EVENTS) + 1 + header}: {message}"):
        taobao.users(path)


@pytest.mark.parametrize("line", ["1,10,7", "1,10,7,pv,1511539300,9", "1"])
def test_taobao_names_a_line_of_another_length(tmp_path, line):
    path = written(tmp_path / "log.csv", behaviour_text() + line + "\n")
    with pytest.raises(DataError, match=rf"log.csv: .*line {len(EVENTS) + 1}.* has another number of columns .*repair"):
        taobao.users(path)


def test_taobao_errors(tmp_path):
    with pytest.raises(DataError, match=r"holds none of \['UserBehavior.csv', .*get Tianchi's data set 649"):
        taobao.users(tmp_path)
    with pytest.raises(DataError, match=r"none.csv: there is no such file"):
        taobao.users(tmp_path / "none.csv")
    with pytest.raises(DataError, match=r"line 1: 'user,item' is neither 'user_id,item_id.*' nor an event; get the"):
        taobao.users(written(tmp_path / "a.csv", "user,item\n1,2\n"))
    with pytest.raises(DataError, match=r"b.csv: none of 1 events is of 2017-11-25 .. 2017-12-03, China time"):
        taobao.users(written(tmp_path / "b.csv", "1,2,3,pv,5\n"))


def test_real_taobao_has_the_known_counts():
    folder = folder_or_skip("taobao_sample")
    assert check("taobao_sample", folder) == {"user_behavior.csv.gz": "verified"}
    log, side, notes = taobao.users(folder)
    assert (log.events, log.sequences, len(log.vocabulary["item"])) == (84_440, 815, 55_344)
    assert log.counts("behaviour").tolist() == [0, 75_837, 4_497, 2_356, 1_750]
    assert (np.median(log.lengths), log.lengths.max()) == (78, 539)
    assert len(log.vocabulary["category"]) == 2_913 and side["category"][1:].min() > 0
    assert notes == {"events_outside_the_nine_days": 0, "items_of_several_categories": 1}
    split = SOURCES["taobao_sample"].read(negatives=("uniform", "popularity", "category"))
    assert (split.train.size, split.validation.size, split.test.size) == (81_997, 3_219, 3_205)
