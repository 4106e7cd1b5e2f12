"""Who comes back, against loops over visits, waits of a known law, and numbers by hand."""

from itertools import pairwise

import numpy as np
import pytest

from seqjax.baselines.returning import constant_hazard, everybody, own_rate
from seqjax.data.split import DAY
from seqjax.data.visits import split_visits, visit_log

DAYS = (1, 2, 7, 30, 365)


def log_of(users, until):
    """A log of the visit times (seconds) of every user, seen up to `until`."""
    offsets = np.concatenate([[0], np.cumsum([len(times) for times in users])]).astype(int)
    time = np.array([moment for times in users for moment in times], np.int64)
    return visit_log(offsets, time, np.ones(len(time), int), until, np.array([f"u{n}" for n in range(len(users))]))


def random_log(seed, days=80, users=30):
    random = np.random.default_rng(seed)
    return log_of(
        [np.sort(random.integers(0, days * DAY, random.integers(1, 12))).tolist() for _ in range(users)], days * DAY
    )


def watched(log):
    """For every visit (days it was watched, whether the next came on the last of them), by a loop."""
    found = []
    for a, b in pairwise(log.offsets):
        times = log.columns["time"][a:b].tolist()
        for now, following in pairwise([*times, None]):
            seen = (log.columns["until"][0] - now) // DAY
            day = None if following is None else max(-((now - following) // DAY), 1)
            found.append((day, True) if day is not None and day <= seen else (seen, False))
    return found


def survived(log, day):
    """P(not back within `day` days) as the product over days of 1 - came / watched that long."""
    product = 1.0
    for d in range(1, day + 1):
        at_risk = [came and days == d for days, came in watched(log) if days >= d]
        product *= 1.0 - sum(at_risk) / len(at_risk) if at_risk else 1.0
    return product


@pytest.mark.parametrize("seed", range(3))
def test_everybody_is_the_product_over_days(seed):
    train, test = random_log(seed), random_log(seed + 10)
    found = everybody(train)(test, DAYS)
    assert found.shape == (test.events, len(DAYS))
    assert found == pytest.approx(np.tile([1 - survived(train, day) for day in DAYS], (test.events, 1)))


@pytest.mark.parametrize("seed", range(3))
def test_constant_hazard_is_returns_over_days_watched(seed):
    train, test = random_log(seed), random_log(seed + 10)
    pairs = watched(train)
    hazard = sum(came for _, came in pairs) / sum(days for days, _ in pairs)
    expected = [1 - (1 - hazard) ** day for day in DAYS]
    assert constant_hazard(train)(test, DAYS) == pytest.approx(np.tile(expected, (test.events, 1)))


@pytest.mark.parametrize("weight", [0.5, 5.0])
@pytest.mark.parametrize("seed", range(3))
def test_own_rate_is_the_users_share_shrunk_towards_everybody(seed, weight):
    train, test = random_log(seed), random_log(seed + 10)
    common = [1 - survived(train, day) for day in DAYS]
    expected = []
    for a, b in pairwise(test.offsets):
        times = test.columns["time"][a:b].tolist()
        for place in range(b - a):
            waits = [max(-((now - then) // DAY), 1) for now, then in pairwise(times[: place + 1])]
            own = [sum(wait <= day for wait in waits) for day in DAYS]
            expected.append([(k + weight * p) / (len(waits) + weight) for k, p in zip(own, common, strict=True)])
    assert own_rate(train, weight)(test, DAYS) == pytest.approx(np.array(expected))


def test_visits_that_one_stopped_watching_count_while_they_were_watched():
    """Three visits: one returned on its second day, one was watched for 5 days, one for a single day."""
    log = log_of([[0, 2 * DAY], [6 * DAY]], until=7 * DAY)
    assert everybody(log)(log, (1, 2, 3, 365))[0] == pytest.approx([0, 1 / 2, 1 / 2, 1 / 2])  # a plain share: 1/3
    assert constant_hazard(log)(log, (1, 2))[0] == pytest.approx([1 / 8, 15 / 64])
    assert own_rate(log, weight=1.0)(log, (1, 2)) == pytest.approx(np.array([[0, 1 / 2], [0, 3 / 4], [0, 1 / 2]]))


def test_a_return_on_a_day_that_was_not_wholly_watched_does_not_count():
    log = log_of([[0, DAY + 10]], until=DAY + 20)  # within the second day, of which one saw seconds
    assert everybody(log)(log, (1, 2)).tolist() == [[0, 0]] * 2
    assert constant_hazard(log)(log, (2,)).tolist() == [[0]] * 2


@pytest.mark.parametrize("hazard", [0.05, 0.3])
def test_geometric_waits_give_their_hazard_however_short_one_looks(hazard):
    """Users who come back with the same chance every day, watched for 20 days: most long waits are cut off."""
    random = np.random.default_rng(3)
    users = [np.cumsum(np.append(random.integers(0, 10), random.geometric(hazard, 40))) * DAY for _ in range(2000)]
    until = 20 * DAY
    log = log_of([times[times <= until].tolist() for times in users], until)
    days = (1, 3, 10)
    returned = sum(came for _, came in watched(log))
    assert constant_hazard(log)(log, (1,))[0, 0] == pytest.approx(hazard, abs=4 * hazard / np.sqrt(returned))
    assert everybody(log)(log, days)[0] == pytest.approx(
        1 - (1 - hazard) ** np.array(days), abs=3 / np.sqrt(log.events)
    )


def test_own_rate_tells_regular_users_from_rare_ones():
    users = [list(range(0, 100 * DAY, DAY))] * 3 + [list(range(0, 100 * DAY, 10 * DAY))] * 3
    split = split_visits(log_of(users, 100 * DAY), days=20.0, follow=5.0)
    chance = own_rate(split.train)(split.test, (1,))[:, 0]
    judged, regular = split.test.columns["judged"], split.test.sequence < 3
    assert chance[judged & regular].min() > 0.9 and chance[judged & ~regular].max() < 0.5
    assert chance[split.test.first()] == pytest.approx(np.full(6, everybody(split.train)(split.test, (1,))[0, 0]))


def test_nothing_is_known_beyond_the_longest_watch():
    log = log_of([[0, 2 * DAY, 4 * DAY]], until=6 * DAY)
    assert everybody(log)(log, (2, 500))[0].tolist() == everybody(log)(log, (2, 3))[0].tolist()
    with pytest.raises(ValueError, match="no visit was followed for a whole day"):
        constant_hazard(log_of([[0]], until=10))
