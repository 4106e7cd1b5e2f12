"""Who buys anything next, on small files of Taobao's log and, where SEQJAX_DATA names it, on the real sample."""

import numpy as np
import pytest
from response_files import folder_or_skip, words, written

from seqjax.data.events import DataError
from seqjax.data.purchases import BALANCED, REST
from seqjax.data.samples import checked
from seqjax.data.sources import taobao
from seqjax.data.sources.taobao_purchases import ANY, asked, purchases, second_of
from seqjax.data.split import DAY

NINE = 1_511_539_200  # 2017-11-25 00:00 in China
MOMENT = NINE + 6 * DAY  # 2017-12-01 00:00 in China
END = NINE + 9 * DAY


def file_of(path, events):
    """Events as (user, category, behaviour, second); every one is another item."""
    lines = [f"{user},{line},{kind},{what},{time}\n" for line, (user, kind, what, time) in enumerate(events)]
    return written(path / "UserBehavior.csv", "".join(lines))


EDGES = {  # user: (events after a first look, whether the user buys within three days)
    "at the moment": ([("8", "buy", MOMENT)], True),
    "a second before": ([("8", "buy", MOMENT - 1)], False),
    "in the last second": ([("8", "buy", END - 1)], True),
    "another category": ([("9", "buy", MOMENT + DAY)], True),
    "only looks": ([("8", "pv", MOMENT), ("8", "cart", MOMENT + 1), ("8", "fav", MOMENT + 2)], False),
    "before and after": ([("8", "buy", MOMENT - DAY), ("8", "buy", MOMENT + DAY)], True),
    "nothing more": ([], False),
}


def edges(path, extra=()):
    events = [(user, "7", "pv", NINE + 5) for user in EDGES]
    events += [(user, *event) for user, (later, _) in EDGES.items() for event in later]
    return file_of(path, [*events, *extra])


def log_of(path):
    """The log that is asked about: items are categories, the last of them is any."""
    items, side, _ = taobao.users(path)
    vocabulary = {**items.vocabulary, "item": np.append(items.vocabulary["category"], ANY)}
    return items._replace(
        columns={**items.columns, "item": side["category"][items.columns["item"]]}, vocabulary=vocabulary
    )


def test_labels_at_the_edges_of_the_horizon(tmp_path):
    late = ("came too late", "7", "buy", MOMENT)
    log = log_of(edges(tmp_path, [late]))
    question = asked(log, MOMENT, 3.0)
    users = log.keys["user"][question.sequence].tolist()
    assert dict(zip(users, question.label.tolist(), strict=True)) == {user: label for user, (_, label) in EDGES.items()}
    assert (question.moment == MOMENT).all()
    short = asked(log, MOMENT, 1.0)
    one_day = dict(zip(users, short.label.tolist(), strict=True))
    assert [user for user, label in one_day.items() if label] == ["at the moment"]  # a day later is no more inside


def test_moments_are_dates_in_china():
    assert second_of("2017-12-01") == MOMENT and second_of("2017-11-25") == NINE
    assert second_of("2017-12-01 08:00") == MOMENT + 8 * 3600
    with pytest.raises(DataError, match="moment='soon' is no date: write it as 2017-12-01"):
        second_of("soon")


def crowd(path, users=60):
    """A third of the users buy after the moment; everybody looked at something before it, some bought."""
    random, events = np.random.default_rng(0), []
    for user in range(users):
        kinds = random.integers(1, 6, 8)
        events += [(f"u{user}", kind, "pv", NINE + 3600 * at + user) for at, kind in enumerate(kinds)]
        events += [(f"u{user}", 3, "buy", MOMENT - DAY)] * (user % 2)
        events += [(f"u{user}", 2, "buy", MOMENT + DAY + user)] * (user % 3 == 0)
    return file_of(path, [*events, ("u1", 1, "pv", END - 1)])


def owners(samples):
    return samples.keys["user"][samples.sequence].tolist()


def test_every_part_has_its_own_users_and_sees_nothing_from_the_moment_on(tmp_path):
    path = crowd(tmp_path)
    split = purchases(path)
    parts = split[:3]
    users = [set(owners(part)) for part in parts]
    assert not (users[0] & users[1] or users[0] & users[2] or users[1] & users[2])
    assert len(users[1]) == 6 and len(users[2]) == 18  # everybody
    for part in parts:
        assert checked(part) is part
        assert [int(user[1:]) % 3 == 0 for user in owners(part)] == part.label.tolist()
        assert (part.moment == MOMENT).all() and part.cutoff.tolist() == [8 + int(u[1:]) % 2 for u in owners(part)]
        assert (part.target["item"] == len(part.vocabulary["item"])).all() and part.vocabulary["item"][-1] == ANY
        assert set(part.target) == {"item"} and part.vocabulary["behaviour"].tolist() == ["pv", "cart", "fav", "buy"]
    log = split.train.log
    held = list(zip(words(log, "item")[:9], words(log, "behaviour")[:9], strict=True))
    assert all(what == "pv" and kind in "12345" for kind, what in held[:8])
    assert ANY not in words(log, "item") and split.notes["events_outside_the_nine_days"] == 0


def test_training_is_even_and_the_others_hold_the_rest_too(tmp_path):
    train, validation, test, _ = purchases(crowd(tmp_path))
    assert 2 * train.label.sum() == train.size and (train.kind == BALANCED).all()
    for part in (validation, test):
        even = part.label[part.kind == BALANCED]
        assert 2 * even.sum() == len(even) > 0 and (part.kind == REST).any()
        assert part.label.sum() == even.sum() and part.kinds == ("rest",)


def test_the_seed_decides(tmp_path):
    path = crowd(tmp_path)
    one, again, other = (purchases(path, seed=seed).test for seed in (1, 1, 2))
    assert owners(one) == owners(again) != owners(other)
    assert one.kind.tolist() == again.kind.tolist()


def test_a_folder_is_found_and_shares_are_kept(tmp_path):
    crowd(tmp_path)
    split = purchases(tmp_path, test_share=0.5, validation_share=0.25)
    assert (split.test.size, split.validation.size) == (30, 15)


def test_what_cannot_be_asked_is_refused(tmp_path):
    path = crowd(tmp_path)
    for moment, horizon in (("2017-11-24", 3.0), ("2017-12-05", 3.0), ("2017-12-01", 9.0), ("2017-12-01", 0.0)):
        with pytest.raises(DataError, match="do not fit the log, 2017-11-24 to 2017-12-03: "):
            purchases(path, moment=moment, horizon=horizon)
    with pytest.raises(DataError, match="moment='2017-13-01' is no date"):
        purchases(path, moment="2017-13-01")
    with pytest.raises(DataError, match=r"train: of \d+ users all or none buy; choose another moment or horizon"):
        purchases(path, moment="2017-12-03", horizon=0.5)
    with pytest.raises(DataError, match=r"test_share=0.99, validation_share=0.1: of 60 users a part would be empty"):
        purchases(path, test_share=0.99)


def test_the_real_sample():
    split = purchases(folder_or_skip("taobao_sample"))
    train, validation, test, _ = split
    assert sum(len(set(owners(part))) for part in (validation, test)) == validation.size + test.size
    assert train.label.mean() == test.label[test.kind == BALANCED].mean() == 0.5
    assert (train.size, validation.size, test.size, int(test.label.sum())) == (380, 82, 244, 97)
