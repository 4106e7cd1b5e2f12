"""What households of The Complete Journey bought when: lines, columns and their words, on small files."""

import numpy as np
from journey_files import bought, written
from response_files import words

from seqjax.data.sources.journey_purchases import lines, purchase_log
from seqjax.data.split import DAY

PRODUCTS = [
    ("cola", "SOFT DRINKS", "GROCERY"),
    ("tea", "TEA", "GROCERY"),
    ("lemonade", "SOFT DRINKS", "GROCERY"),
    ("odd", None, "GROCERY"),
    ("iced tea", "TEA", "DELI"),
    ("cooled tea", "TEA", "DELI"),
]


def test_lines_by_hand(tmp_path):
    """Everything that is left out is counted once: returns first."""
    written(tmp_path, [
        (7, 1, 0, 0.0, 2, 3.0), (7, 1, 2, 0.0, 1, 0.5), (7, 1, 1, 0.0, 1, 0.99),  # cola, lemonade and tea at once
        (7, 2, 5, 0.5, 1, 1.0), (7, 3, 4, 1.25, 4, 7.99), (7, 4, 0, 5.0, 1, 40.0),
        (12, 5, 5, 3.0, 1, 8.0), (12, 5, 5, 3.0, 1, 8.0),
        (12, 6, 0, 4.0, 0, 0.0), (12, 6, 3, 4.0, -1, 1.0),  # returned
        (12, 6, 3, 4.0, 1, 1.0), (12, 6, 99, 4.0, 1, 1.0),  # of no category, and of no known product
    ], PRODUCTS)  # fmt: skip
    table, notes = lines(tmp_path)
    assert notes == {"returned_lines": 2, "lines_without_category": 2}
    log, side = purchase_log(table, seed=3)
    assert log.keys["user"].tolist() == ["12", "7"] and log.lengths.tolist() == [1, 5]
    assert log.vocabulary["item"].tolist() == ["SOFT DRINKS", "TEA"]
    row = [words(log, name) for name in ("item", "gap", "wait", "spent")]
    row += [log.columns[name].tolist() for name in ("quantity", "value")]
    found = list(zip(*row, strict=True))
    assert found[0] == ("TEA", "first", "first", "16+", 2.0, 16.0)
    together = {one[0]: (one[1], *one[3:]) for one in found[1:3]}
    assert together == {"SOFT DRINKS": ("first", "2-4", 3.0, 3.5), "TEA": ("first", "under 1", 1.0, np.float32(0.99))}
    assert [one[2] for one in found[1:3]] == ["first", "same basket"]
    assert found[3:] == [
        ("TEA", "0-1", "0", "1-2", 1.0, 1.0),
        ("TEA", "0-1", "0", "4-8", 4.0, np.float32(7.99)),
        ("SOFT DRINKS", "4-7", "2-3", "16+", 1.0, 40.0),
    ]
    assert np.diff(log.columns["time"][1:]).tolist() == [0, DAY // 2, 3 * DAY // 4, 15 * DAY // 4]
    departments = log.vocabulary["department"][side["department"][1:] - 1].tolist()
    assert departments == ["GROCERY", "DELI"] and side["department"][0] == 0  # tea: once and three times


def test_the_order_in_a_basket_and_nothing_else_is_drawn(tmp_path):
    table, _ = lines(bought(tmp_path, [(user, day, "abcdef") for user in (1, 2) for day in (0, 3, 50)]))
    (one, side), (same, _), (other, others) = (purchase_log(table, seed) for seed in (1, 1, 2))
    assert (one.columns["item"] == same.columns["item"]).all()
    assert (one.columns["item"] != other.columns["item"]).any()
    assert (np.sort(one.columns["item"].reshape(-1, 6)) == np.arange(1, 7)).all()
    assert (one.columns["time"] == other.columns["time"]).all()
    assert (side["department"] == others["department"]).all()
    assert words(one, "gap") == (["first"] * 6 + ["2-3"] * 6 + ["29-56"] * 6) * 2
    assert words(one, "wait") == [
        word for first in ("first", "2-3", "15+") for word in (first, *["same basket"] * 5)
    ] * 2  # fmt: skip


def test_waits_and_money_are_binned(tmp_path):
    days = [0, 1, 2, 3, 4, 7, 8, 14, 15, 100]
    paid = [0.0, 0.99, 1.0, 1.99, 2.0, 4.0, 8.0, 15.99, 16.0, 500.0, 3.99]
    at = np.cumsum([0.0, *days])
    written(tmp_path, [(1, n, 0, day, 1, money) for n, (day, money) in enumerate(zip(at, paid, strict=True))], PRODUCTS)
    log, _ = purchase_log(lines(tmp_path)[0].slice(1))
    assert log.events == 9  # the first two are of one second, and the slice left them out
    assert words(log, "wait") == ["first", "2-3", "2-3", "4-7", "4-7", "8-14", "8-14", "15+", "15+"]
    assert words(log, "spent") == ["1-2", "1-2", "2-4", "4-8", "8-16", "8-16", "16+", "16+", "2-4"]


def test_times_are_binned(tmp_path):
    """Every event knows how often the same household had bought the same category."""
    days = [(user, day, kinds) for user in (1, 2) for day, kinds in enumerate(["a"] * 10 + ["ab"] * 10)]
    log, _ = purchase_log(lines(bought(tmp_path, days))[0])
    counts = ["0", "1", "2", "3-4", "3-4", "5-8", "5-8", "5-8", "5-8", *["9-16"] * 8, *["17+"] * 3]
    for user in (0, 1):
        here = log.sequence == user
        for item, expected in ((1, counts), (2, counts[:10])):
            assert np.array(words(log, "times"))[here & (log.columns["item"] == item)].tolist() == expected
