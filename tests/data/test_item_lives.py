"""What is known of items: their lives are the log's, and nothing at or after a question is among what it may see."""

import numpy as np
import pytest

from seqjax.data.events import DataError, EventLog
from seqjax.data.item_lives import item_lives
from seqjax.data.protocols import beside, by_protocol
from seqjax.data.samples import ask, checked

WORDS = {"item": np.array(["a", "b", "c"]), "user": np.array(["u", "v"]), "rating": np.array(["1", "2"])}


def log():
    """User u: a b a at 10, 20, 30; user v: a c at 20, 25."""
    columns = {
        "item": np.int32([1, 2, 1, 1, 3]),
        "user": np.int32([1, 1, 1, 2, 2]),
        "rating": np.int32([2, 1, 1, 2, 2]),
        "time": np.array([10, 20, 30, 20, 25]),
    }
    return EventLog(np.array([0, 3, 5]), columns, WORDS, {"user": WORDS["user"]})


def samples(**change):
    """Asked about: u's second and third event, and v's second."""
    held = ask(log(), np.array([0, 0, 1]), np.array([1, 2, 1]), np.array([True, False, True]), items=item_lives(log()))
    return held._replace(**change)


def test_a_life_holds_the_events_on_an_item_in_order_of_time():
    lives, window = item_lives(log(), 7)
    assert window == 7 and set(lives.columns) == {"user", "rating", "time"} == {*lives.vocabulary, "time"}
    rows = list(zip(*(lives.columns[name].tolist() for name in ("user", "rating", "time")), strict=True))
    assert [rows[begin:end] for begin, end in zip(lives.offsets[:-1], lives.offsets[1:], strict=True)] == [
        [], [(1, 2, 10), (2, 2, 20), (1, 1, 30)], [(1, 1, 20)], [(2, 2, 25)],
    ]  # fmt: skip


def test_an_item_that_nobody_had_has_an_empty_life():
    wider = log()._replace(vocabulary={**WORDS, "item": np.array(["a", "b", "c", "d", "e"])})
    assert item_lives(wider).log.offsets.tolist() == [0, 0, 3, 4, 5, 5, 5]


@pytest.mark.parametrize("window", [0, -3])
def test_a_window_that_is_none(window):
    with pytest.raises(DataError, match=rf"item_history={window}: read 1 event or more of an item's life"):
        item_lives(log(), window)


def test_without_times_nothing_tells_what_came_before():
    timeless = log()
    del timeless.columns["time"]
    with pytest.raises(DataError, match="the log has no times, which tell what came before; set item_history=0"):
        item_lives(timeless)
    stray = log()
    stray.columns["time"][0] = -(2**32)
    with pytest.raises(DataError, match="times span more than 68 years; drop the stray ones"):
        item_lives(stray)


def test_a_question_is_asked_at_its_event_or_at_its_moment_whichever_is_earlier():
    assert samples().asked_at.tolist() == [20, 30, 25]
    assert samples(moment=np.array([15, 99, 25])).asked_at.tolist() == [15, 30, 25]
    behind = samples(place=np.array([1, 3, 2]), cutoff=np.array([1, 2, 1]))
    assert behind._replace(moment=np.array([15, 40, 50])).asked_at.tolist() == [15, 40, 50]
    with pytest.raises(DataError, match="sample 1 is asked behind its user's last event: give moments, or leave items"):
        checked(behind)


def test_good_lives_pass_and_go_where_their_samples_go():
    held = samples()
    assert checked(held) is held
    assert held.take(np.array([1])).items is held.items and held.take(np.array([1])).life is None
    told = held._replace(life=np.array([2, 1, 0]))
    assert told.take(np.array([2, 0])).life.tolist() == [0, 2]


def test_smuggled_lives_are_refused():
    """An event told of as if it had been earlier would be seen before it happened."""
    lives = item_lives(log())

    def with_times(times):
        held = lives.log._replace(columns={**lives.log.columns, "time": np.array(times)})
        return samples(items=lives._replace(log=held))

    assert checked(with_times([10, 20, 30, 20, 25])).size == 3
    with pytest.raises(DataError, match=r"train: the life of item 1 is not that of the log; make it by `item_lives`"):
        checked(with_times([10, 20, 29, 20, 25]), "train")
    with pytest.raises(DataError, match=r"train: the life of item 3 is not that of the log"):
        checked(with_times([10, 20, 30, 20, 5]), "train")
    for times in ([20, 10, 30, 20, 25], [9, 21, 30, 20, 25]):  # out of order; one earlier and one later
        with pytest.raises(DataError, match=r"train: the life of item 1 is not that of the log"):
            checked(with_times(times), "train")
    more = EventLog(np.array([0, 3, 6]), {name: np.append(of, of[-1:]) for name, of in log().columns.items()}, WORDS)
    with pytest.raises(DataError, match=r"test: the life of item 3 is not that of the log"):
        checked(samples(items=item_lives(more)), "test")


@pytest.mark.parametrize("protocol", ["leave_last", "hpmn2019"])
def test_protocols_tell_the_lives_of_items_where_asked(protocol):
    random = np.random.default_rng(0)
    lengths = random.integers(4, 9, 30)
    bare = EventLog(
        np.concatenate([[0], np.cumsum(lengths)]),
        {"item": random.integers(1, 4, lengths.sum()).astype(np.int32), "time": np.arange(lengths.sum())},
        {"item": WORDS["item"]},
    )
    split, plain = (by_protocol(bare, protocol, seed=1, item_history=window) for window in (5, 0))
    assert plain.train.items is None
    for part, other in ((split.train, plain.train), (split.test, plain.test)):
        assert part.items.window == 5 and part.items.log.columns["user"].max() == 30
        assert np.array_equal(part.sequence, other.sequence) and np.array_equal(part.label, other.label)
        assert np.array_equal(part.target["item"], other.target["item"]) and set(part.target) == {"item", "user"}
    assert split.train.items is split.test.items  # stored once


def test_negatives_beside_have_no_lists_of_their_own():
    with pytest.raises(DataError, match="belongs to each sample: negatives drawn have none; read no lives"):
        beside(samples(life=np.array([1, 2, 3])), ("uniform",), np.ones(4, int), np.random.default_rng(0))
