"""Trees on other baselines' scores."""

import numpy as np
import pytest

from seqjax.baselines.response import frequency, item_mean
from seqjax.baselines.stacked import stacked
from seqjax.data.events import EventLog
from seqjax.data.samples import ask
from seqjax.metrics import roc_auc

ITEMS, USERS = 40, 400


def samples(seed=0, users=USERS):
    """Users of one event who are asked about one item each; the labels have nothing to do with either."""
    random = np.random.default_rng(seed)
    item = random.integers(1, ITEMS + 1, users).astype(np.int32)
    log = EventLog(np.arange(users + 1), {"item": item}, {"item": np.arange(ITEMS).astype(np.str_)})
    asked = random.integers(1, ITEMS + 1, users).astype(np.int32)
    return ask(log, np.arange(users), np.ones(users, int), random.random(users) < 0.5, asked)


def area(score, held):
    """The area under the curve."""
    return float(roc_auc(np.asarray(score)[held.label], np.asarray(score)[~held.label])[0])


def test_a_column_has_not_seen_the_label_that_it_is_to_foretell():
    """Means of an item know their own labels. Trees that trusted them would rank training far above chance."""
    train = samples()
    mean = area(item_mean(train)(train), train)
    trees = np.mean([area(stacked(train, of=(item_mean,), seed=seed)(samples(1)), samples(1)) for seed in range(3)])
    assert mean > 0.6 and abs(trees - 0.5) < 0.06


def test_what_the_target_has_of_its_own_is_read():
    train, test = (
        part._replace(target={**part.target, "gap": 1 + part.label.astype(np.int32)})
        for part in (samples(2), samples(3))
    )
    assert area(stacked(train, of=(frequency,))(test), test) == 1.0


def test_the_limit_holds_and_the_seed_decides():
    train, test = samples(4), samples(5)
    same = [stacked(train, of=(item_mean,), limit=100, seed=1)(test) for _ in range(2)]
    np.testing.assert_array_equal(*same)
    assert (stacked(train, of=(item_mean,), limit=100, seed=2)(test) != same[0]).any()


@pytest.mark.parametrize(
    ("users", "of", "message"),
    [(USERS, (), "of is empty: name the baselines"), (1, (frequency,), "all training samples are of one user")],
)
def test_errors(users, of, message):
    with pytest.raises(ValueError, match=message):
        stacked(samples(users=users), of=of)
