"""Two sets of series side by side: numbers by hand, figures against counting loops, one law and different laws."""

from collections import Counter
from itertools import groupby, pairwise

import numpy as np
import pytest
from scipy import stats
from tiny_series import WORDS, lists, log_of, random_log

from seqjax.baselines.markov import markov_process
from seqjax.data.process import echo, sample
from seqjax.evaluate import series
from seqjax.evaluate.fidelity import GRAMS, LAGS, distances
from seqjax.evaluate.series import compare_series

ECHO = echo()
NAMES = ["length", *GRAMS, *(f"lag {lag}" for lag in LAGS), "run"]


def compared(real, synthetic, **settings):
    return compare_series(real, synthetic, **({"permutations": 0} | settings))


@pytest.fixture(scope="module")
def samples():
    """Two samples of one law."""
    return sample(ECHO, 1500, 1), sample(ECHO, 1500, 2)


@pytest.fixture(scope="module")
def alike(samples):
    return compared(*samples)


# Numbers by hand


REAL, SYNTHETIC = log_of([[1, 2], [1, 2], [3, 2]]), log_of([[1, 2, 3], [2, 1], [1, 2]])


def test_numbers_beside_training_series_by_hand():
    train = log_of([[1, 2], [3, 3], [1]])  # its pairs: begin-1, 1-2, 2-end, begin-3, 3-3, 3-end, 1-end
    numbers = compared(REAL, SYNTHETIC, train=train).numbers
    held = {name: value for name, value in numbers.items() if name.split("/")[0] not in ("jsd", "floor", "p")}
    for name, values in (
        ("mean_length/real", [2, 2, 2]), ("mean_length/synthetic", [3, 2, 2]),
        ("nearest/real", [0, 0, 1 / 2]), ("nearest/synthetic", [1 / 3, 1 / 2, 0]),
    ):  # fmt: skip
        reach = stats.t.ppf(0.975, 2) * np.std(values, ddof=1) / np.sqrt(3)
        ends = {f"{name}/low": np.mean(values) - reach, f"{name}/high": np.mean(values) + reach}
        assert {end: held.pop(end) for end in ends} == pytest.approx(ends)
        assert held.pop(name) == pytest.approx(np.mean(values))
    assert {name for name in held if not name.startswith("two_sample_auc")} == {
        "unseen/real", "unseen/synthetic", "copies/real", "copies/synthetic", "sequences/real", "sequences/synthetic",
    }  # fmt: skip
    assert held["unseen/real"] == pytest.approx(1 / 9)  # 3-2
    assert held["unseen/synthetic"] == pytest.approx(3 / 10)  # 2-3, begin-2, 2-1
    assert held["copies/real"] == pytest.approx(2 / 3) and held["copies/synthetic"] == pytest.approx(1 / 3)
    assert held["sequences/real"] == held["sequences/synthetic"] == 3.0


def test_without_training_series_real_pairs_are_judged_by_other_series():
    numbers = compared(REAL, SYNTHETIC).numbers
    assert numbers["unseen/synthetic"] == pytest.approx(5 / 10)  # 2-3, 3-end, begin-2, 2-1, 1-end
    assert numbers["unseen/real"] == pytest.approx(2 / 9)  # begin-3, 3-2: one series alone has them
    twice = log_of([[1, 2, 1, 2], [1, 2], [3]])  # 2-1 and both pairs of 3; 1-2 is in two series
    assert compared(twice, SYNTHETIC).numbers["unseen/real"] == pytest.approx(3 / 10)


def test_without_training_series_copies_are_sought_in_half_of_the_real_ones():
    """A series is no copy of itself: of different real series none is one, and half of the same ones made anew."""
    different = log_of([[first, second, third] for first in (1, 2) for second in (1, 2, 3) for third in (1, 4)])
    numbers = compared(different, different).numbers
    assert numbers["copies/real"] == 0.0 and numbers["copies/synthetic"] == 0.5
    assert numbers["nearest/real"] > numbers["nearest/synthetic"] > 0.0
    same = log_of([[1, 2]] * 5)
    numbers = compared(same, same).numbers
    assert numbers["copies/real"] == numbers["copies/synthetic"] == 1.0 and numbers["nearest/real/high"] == 0.0


def test_no_mean_of_a_single_value():
    """Of one long series there is a distance to the nearest, and no interval."""
    numbers = compared(log_of([[1, 2], [2, 2]]), log_of([[1, 2], [1], [1]]), train=log_of([[1, 2]] * 2)).numbers
    assert "nearest/synthetic" not in numbers and numbers["nearest/real"] == pytest.approx(1 / 4)


@pytest.mark.parametrize(("train", "given", "longest"), [(None, 0, 200), (random_log(7), 2, 4)], ids=["bare", "set"])
def test_every_distance_has_its_floor_and_p(train, given, longest):
    real, synthetic = random_log(0, 50), random_log(1, 40)
    settings = {"given": given, "longest": longest, "permutations": 19, "seed": 3}
    numbers = compare_series(real, synthetic, train=train, **settings).numbers
    assert [name[4:] for name in numbers if name.startswith("jsd/")] == NAMES
    for name, apart in distances(real, synthetic, more=train, **settings).items():
        assert tuple(numbers[f"{kind}/{name}"] for kind in ("jsd", "floor", "p")) == apart
    assert np.isfinite(list(numbers.values())).all()


# Told apart or not


def test_two_samples_of_one_law_are_not_told_apart(alike):
    numbers = alike.numbers
    assert numbers["two_sample_auc/low"] < 0.5 < numbers["two_sample_auc/high"]
    width = 2 * 1.96 * np.sqrt(1501 / 12) / 750  # Mann and Whitney's, of 750 series each
    assert numbers["two_sample_auc/high"] - numbers["two_sample_auc/low"] == pytest.approx(width, rel=0.1)
    assert max(numbers[f"jsd/{name}"] / numbers[f"floor/{name}"] for name in NAMES) < 3.0


def test_lengths_of_one_law_have_a_flat_transform(alike):
    transform = alike.tables["transform"]
    share, (mean, low, high) = np.array(transform["share"]), transform["flat"]
    assert stats.chisquare(1500 * share).pvalue > 1e-3 and mean == pytest.approx(1 / 20)
    assert ((low < share) & (share < high)).sum() >= 16  # of 20 bars whose intervals are of 95 %
    interval = stats.binomtest(75, 1500).proportion_ci(method="wilson")
    assert (low, high) == pytest.approx((interval.low, interval.high))


def test_a_chain_of_too_short_a_memory_is_told_apart_by_its_triples_only(samples, monkeypatch):
    real = samples[0]
    made = sample(markov_process(samples[1], 1), 1500, 3)
    numbers, swapped = compared(real, made).numbers, compared(made, real).numbers
    assert numbers["two_sample_auc/low"] > 0.7
    assert swapped["two_sample_auc"] == pytest.approx(numbers["two_sample_auc"])
    monkeypatch.setattr(series, "SMALL", 0)  # judged by chains of order one, as for a large alphabet
    assert compared(real, made).numbers["two_sample_auc"] < 0.6  # they learn what the chain was fitted to


def test_series_of_other_lengths_are_told_apart(samples):
    held = compared(samples[0], sample(echo(leave=0.2), 1500, 4))
    share = held.tables["transform"]["share"]
    assert held.numbers["two_sample_auc/low"] > 0.5
    assert held.numbers["mean_length/real/low"] > held.numbers["mean_length/synthetic/high"]
    assert share[-1] > 0.1 > 3.0 * share[0]  # the real series are the longer ones


@pytest.mark.parametrize(("made", "area"), [([[2]] * 20, 1.0), ([[1]] * 20, 0.5)], ids=["disjoint", "the same"])
def test_areas_that_are_certain(made, area):
    numbers = compared(log_of([[1]] * 20), log_of(made)).numbers
    assert [numbers[f"two_sample_auc{end}"] for end in ("", "/low", "/high")] == [area] * 3


# What figures show


def counted(log, table, given, longest):
    """How often each kind occurs, by loops over the series; symbols are numbers, 0 the begin."""
    end = len(WORDS) + 1
    if table == "length":
        return Counter(min(len(actions), longest) for actions in lists(log))
    if table == "run":
        return Counter(min(len(list(run)), longest) for actions in lists(log) for _, run in groupby(actions))
    rows = [[*actions, end] for actions in lists(log)]
    if table == "action":
        return Counter(symbol for row in rows for symbol in row)
    rows = rows if given else [[0, *row] for row in rows]
    return Counter(pair for row in rows for pair in pairwise(row))


def spelled(kind):
    names = ("begin", *WORDS, "end")
    return " ".join(str(names[symbol]) for symbol in kind) if isinstance(kind, tuple) else str(names[kind])


@pytest.mark.parametrize("longest", [200, 3])
@pytest.mark.parametrize("given", [0, 1])
@pytest.mark.parametrize("seed", range(2))
def test_shown_shares_against_a_counting_loop(seed, given, longest):
    logs = {"real": random_log(seed, 40), "synthetic": random_log(seed + 5, 30, longest=6)}
    tables = compared(*logs.values(), given=given, longest=longest).tables
    for name in ("length", "run", "action", "bigram"):
        counts = {kind: counted(log, name, given, longest) for kind, log in logs.items()}
        kinds = sorted(set().union(*counts.values()))
        shown = kinds if name in ("length", "run") else [spelled(kind) for kind in kinds]
        assert tables[name]["value"] == shown
        for log, count in counts.items():
            assert tables[name][log] == pytest.approx([count[kind] / count.total() for kind in kinds]), (name, log)


def test_of_many_kinds_the_most_frequent_are_shown_in_the_alphabets_order(monkeypatch):
    monkeypatch.setattr(series, "SHOWN", 4)
    logs = {"real": random_log(0, 40), "synthetic": random_log(1, 40)}
    tables = compared(*logs.values()).tables
    for name in ("action", "bigram"):
        counts = {kind: counted(log, name, 0, 200) for kind, log in logs.items()}
        frequent = dict((counts["real"] + counts["synthetic"]).most_common(5))
        least, left_out = sorted(frequent.values(), reverse=True)[3:]
        assert least > left_out  # no tie decides
        kinds = sorted(kind for kind, count in frequent.items() if count >= least)
        assert tables[name]["value"] == [spelled(kind) for kind in kinds]
        expected = [counts["real"][kind] / counts["real"].total() for kind in kinds]
        assert tables[name]["real"] == pytest.approx(expected)  # of all, those that are not shown included


def test_pairs_of_a_large_alphabet_are_not_counted(monkeypatch):
    assert "bigram" in compared(random_log(0), random_log(1)).tables
    monkeypatch.setattr(series, "SMALL", 1)
    assert "bigram" not in compared(random_log(0), random_log(1)).tables


@pytest.mark.parametrize("given", [0, 3])
def test_hazard_against_a_counting_loop(given):
    """While thirty series of each set have so many actions."""
    logs = {"real": random_log(0, 90), "synthetic": random_log(1, 70, longest=7)}
    table = compared(*logs.values(), given=given).tables["hazard"]
    assert table["actions"][0] == given
    for place in range(given, 10):
        alive = {kind: int((log.lengths >= place).sum()) for kind, log in logs.items()}
        if min(alive.values()) < 30:
            assert table["actions"][-1] == place - 1 > given
            break
        for kind, log in logs.items():
            ended = int((log.lengths == place).sum())
            interval = stats.binomtest(ended, alive[kind]).proportion_ci(method="wilson")
            found = [table[f"{kind}{end}"][place - given] for end in ("", "/low", "/high")]
            assert found == pytest.approx([ended / alive[kind], interval.low, interval.high])


def test_a_length_is_spread_over_the_shares_of_shorter_and_of_equal_ones():
    """Half of the synthetic series are shorter than two actions, and a quarter have two: bars 10 to 14 of 20."""
    made = log_of([[], [1], [1, 2], [1, 2, 3]])
    share = np.array(compared(log_of([[2, 2]] * 2000), made).tables["transform"]["share"])
    assert share[10:15].sum() == pytest.approx(1.0) and stats.chisquare(2000 * share[10:15]).pvalue > 1e-3
    longer, shorter = (compared(log_of([[1] * n] * 9), log_of([[1]] * 9)).tables["transform"]["share"] for n in (2, 0))
    assert longer[-1] == shorter[0] == 1.0


# What cannot be compared


def test_sets_that_cannot_be_compared():
    log = random_log(0, 3)
    with pytest.raises(ValueError, match="1 real and 3 synthetic series: compare two or more of each"):
        compare_series(log_of([[1]]), log)
    with pytest.raises(ValueError, match="3 real and 0 synthetic series: compare two or more of each"):
        compare_series(log, log_of([]))
    with pytest.raises(ValueError, match="given=-1: choose 0 or more"):
        compare_series(log, log, given=-1)
    with pytest.raises(ValueError, match="the vocabularies of 'item' differ"):
        compare_series(log, log, train=random_log(0, 3, words=WORDS[::-1]))
