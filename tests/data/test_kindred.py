"""Which categories tell of others, against loops over samples, and what a household's counts of them are."""

import numpy as np
import pytest
from purchase_logs import WORDS, ids, log_of

from seqjax.data.kindred import KINDRED, MOST, kin_of, kin_words, kindred, kindred_count, with_kindred
from seqjax.data.purchases import Question, purchase_samples
from seqjax.data.split import DAY
from seqjax.metrics import roc_auc

MANY = np.array(list("abcdefgh"))


def drawn(seed=0, users=40):
    """Samples about a and about c, labels that follow from how often b and e were bought."""
    random = np.random.default_rng(seed)
    bought = [[(day, random.choice(MANY)) for day in range(random.integers(1, 30))] for _ in range(users)]
    log = log_of(*bought, words=MANY)
    asked = np.tile(np.arange(users), 2)
    moment = random.integers(1, 31, len(asked)) * DAY
    often = np.array(
        [
            sum(kind in "be" and day * DAY < at for day, kind in bought[user])
            for user, at in zip(asked, moment, strict=True)
        ]
    )
    label = often + random.normal(size=len(asked)) > np.median(often)
    item = np.repeat(np.array([1, 3], np.int32), users)
    return purchase_samples(log, Question(asked, moment, label), item), bought


def counts(bought, user, moment):
    return np.array([sum(kind == word and day * DAY < moment for day, kind in bought[user]) for word in MANY])


@pytest.mark.parametrize("support", [1, 25])
def test_kin_are_the_best_by_the_area_under_the_curve(support):
    samples, bought = drawn()
    held = np.array([counts(bought, *who) for who in zip(samples.sequence, samples.moment, strict=True)])
    found = kindred(samples, support)
    assert found.shape == (len(MANY) + 1, MOST) and not found[[0, 2, 4, 5, 6, 7, 8]].any()
    for item in (1, 3):
        here, area = samples.target["item"] == item, {}
        for other in range(1, len(MANY) + 1):
            count, label = held[here, other - 1].astype(float), samples.label[here]
            if other != item and (count > 0).sum() >= support:
                area[other] = roc_auc(count[label], count[~label])[0]
        better = [other for other in sorted(area, key=area.get, reverse=True) if area[other] > 0.5][:MOST]
        assert [area[other] for other in found[item] if other] == pytest.approx([area[other] for other in better])
        assert len(better) >= 2 and (support > 1 or set(found[item, :2]) == {2, 5})  # b and e


def test_counts_are_of_what_may_be_seen_of_all_kin_together():
    samples, bought = drawn(seed=1)
    kin = np.zeros((len(MANY) + 1, MOST), np.int32)
    kin[1, :2], kin[3, :3] = [2, 5], [8, 1, 2]
    said = KINDRED[kindred_count(samples, kin) - 1]
    for row, word in enumerate(said):
        held = counts(bought, samples.sequence[row], samples.moment[row])
        total = sum(held[other - 1] for other in kin[samples.target["item"][row]] if other)
        low, _, high = word.partition("-")
        assert int(low) <= total <= int(high or low)


def test_a_count_stands_in_its_bucket():
    log = log_of([(0, "b")] * 70, words=WORDS)
    kin = np.zeros((5, MOST), np.int32)
    kin[1, 0] = 2
    for total, word in ((0, "0"), (2, "2"), (3, "3-4"), (16, "9-16"), (17, "17-32"), (64, "33-64"), (65, "65+")):
        samples = purchase_samples(log, Question(np.zeros(2, int), np.full(2, DAY), np.array([True, False])), ids("aa"))
        samples = samples._replace(cutoff=np.full(2, total))
        assert KINDRED[kindred_count(samples, kin) - 1].tolist() == [word] * 2


def test_kin_are_kept_by_name():
    samples, _ = drawn(users=200)
    other = samples.take(np.arange(7))
    told, rest = with_kindred(samples, other)
    kin = kindred(samples)
    names = told.vocabulary["kin"]
    assert names.tolist() == kin_words(kin, MANY).tolist() and set(names) > {""}
    np.testing.assert_array_equal(kin_of(names, MANY), kin)
    for one, part in ((samples, told), (other, rest)):
        np.testing.assert_array_equal(part.target["kindred"], kindred_count(one, kin))
        assert part.vocabulary["kin"] is names
