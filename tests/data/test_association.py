"""Scores of features against published figures, scikit-learn, and plain restatements."""

from functools import partial

import numpy as np
import pytest
from scipy import stats

from seqjax.data.association import (
    article,
    bi_normal,
    bits,
    chi_square,
    conditional,
    exact,
    frequency,
    log_odds,
    normalised_pmi,
    pmi,
    present_only,
    select,
    top,
)
from seqjax.data.events import DataError
from seqjax.data.features import FeatureCounts

CASES = """\
balanced, common          300  300 1000 1000 0         0         0         0         0        0
female, common            600  200 1000 1000 .05232481 .05232481 .08630462 .12451125 200.0000 .4055
its complement            400  800 1000 1000 .03397981 .03397981 .08630462 .12451125 133.3333 -.4055
male, common              150  500 1000 1000 .04970649 .04970649 .07265289 .10481597 188.4615 -.7732
female, rare               19    1 1000 1000 .00529289 .00494632 .00498723 .00719505 16.2000  .6419
female only, very rare      2    0 1000 1000 .00069315 .00069315 .00069365 .00100072 2.0000   .6931
independent, very rare      1    1 1000 1000 .00069315 0         0         0         0        0
uneven classes            400  100 1200  800 .02287906 .02287906 .02971858 .04287485 83.3333  .2877
nearly everywhere         990  900 1000 1000 .00107183 .00107183 .02243994 .03237400 4.2857   .0465
everywhere               1000 1000 1000 1000 0         0         0         0         0        0
"""
"""Counts and totals of women and men; the article's score, present only, exact, in bits, chi2 of present cells, PMI."""

PUBLISHED = """\
obrigada    0.00027892588535643266 0.9685880320402072   6367
nails       0.0005797362527263134  0.9323099021456146  22278
nail        0.0003044173746727099  0.9318902523093892   7253
lipstick    0.00027485524057785637 0.9307852898667095   6227
nomakeup    0.00027682050785528235 0.9210108073744437   6292
girly       0.00027218400694593495 0.9180381293791755   6137
curls       0.0002435655460170567  0.8963601532567049   5220
brunette    0.00028464803178129177 0.8939740655987796   6555
makeup      0.0005653528345263387  0.8796942505815887  21063
curly       0.0002803670622783461  0.8796816479400749   6408
instagay    0.00022357298801020352 0.08653846153846154  4576
instaboy    0.00028438645833364835 0.11872780608306316  6477
beard       0.00023996501077783796 0.13137099960489926  5062
bmw         0.00023463541132113985 0.17349643221202854  4905
ps3         0.00024576041454740495 0.17954588818927686  5241
legend      0.000242332533506523   0.2024133904242896   5138
obrigado    0.0003176356382986596  0.2052521557355631   7654
nba         0.00027535078270119487 0.21474773609314357  6184
polo        0.00021974648596766796 0.2204337133914599   4473
champions   0.00023537731520623432 0.22271805273833672  4930
2013        0.0007369516096940501  0.4390515775552617  52930
some        0.000736858500749544   0.445240713107673   50932
old         0.0007365194018360236  0.4566446562018109  50582
followme    0.0007364834465793508  0.4685242121445043  52040
em          0.0007364028645929781  0.47138620491724864 52265
1           0.0007363022436669361  0.47312624679395837 52635
picoftheday 0.000736169463191504   0.41519248894366706 55172
para        0.0007359991588507289  0.4798029186098992  53176
dog         0.0007357796669777269  0.5020947036666923  52036
here        0.0007356472568846146  0.5000987673830595  50624
"""
"""Tag, score, P(female | tag) and count of an article's three tables (2014); its totals are inferred from them."""

ALL, WOMEN = 70_364_101, 35_680_859
METHODS = (
    article, bi_normal, chi_square, conditional, exact, frequency, log_odds, normalised_pmi, pmi, present_only,
)  # fmt: skip


def published():
    """The features of the article, its scores, and P(female | tag)."""
    words, score, share, count = zip(*(line.split() for line in PUBLISHED.splitlines()), strict=True)
    count, share = np.array(count, np.int64), np.array(share, np.float64)
    women = np.rint(share * count).astype(np.int64)
    counts = np.column_stack([count - women, women])
    return FeatureCounts(np.array(words), counts, np.array([ALL - WOMEN, WOMEN])), np.array(score, np.float64), share


def random_counts(seed, size=200, totals=(700, 1300)):
    """Counts of random features."""
    random = np.random.default_rng(seed)
    rate = random.random(size)
    return np.column_stack([random.binomial(total, rate**power) for total, power in zip(totals, (1, 2), strict=True)])


def spearman(first, second):
    return float(stats.spearmanr(first, second).statistic)


def features_of(counts, totals=(10, 10), words="abcdefghij"):
    return FeatureCounts(np.array(list(words[: len(counts)])), np.array(counts), np.array(totals))


# Published figures


@pytest.mark.parametrize("line", CASES.splitlines(), ids=lambda line: line[:24].strip())
def test_ten_cases(line):
    female, male, women, men, *expected = (float(number) for number in line[24:].split())
    counts, totals = np.array([[male, female]], np.int64), np.array([men, women], np.int64)
    absent = 1 - counts.sum() / totals.sum()
    found = [method(counts, totals)[0] for method in (article, present_only, exact)]
    found += [bits(exact(counts, totals))[0], chi_square(counts, totals)[0] * absent, pmi(counts, totals)[0]]
    digits = np.array([5e-9] * 4 + [5e-5] * 2) * 1.0001
    assert (np.abs(np.array(found) - expected) <= digits).all(), (found, expected)


def test_published_tables():
    features, score, share = published()
    assert len(score) == 30
    np.testing.assert_allclose(article(features.counts, features.totals), score, rtol=1e-12)
    np.testing.assert_allclose(features.counts[:, 1] / features.counts.sum(1), share, rtol=1e-15)


def test_the_published_score_ranks_by_frequency():
    features, score, share = published()
    true, count = exact(features.counts, features.totals), features.counts.sum(1)
    assert round(spearman(score, count), 2) == 0.96
    assert round(spearman(score, true), 2) == -0.41
    assert round(spearman(true, np.abs(share - WOMEN / ALL)), 3) == 0.955
    joint = features.counts / ALL
    floored = joint.sum(1) * np.log(0.001 / joint.sum(1)) - joint @ np.log(features.totals / ALL)
    np.testing.assert_allclose(score, floored, rtol=1e-12)  # the class enters by the priors alone


def test_published_tables_by_other_scores():
    features, _, _ = published()
    chosen = select(features, 30)
    assert chosen.words[:3].tolist() == ["nails", "makeup", "obrigada"] and chosen.words[-1] == "dog"
    np.testing.assert_allclose(chosen.score[:3], [1.372e-4, 9.430e-5, 4.890e-5], rtol=5e-4)
    part = np.array([features.words.tolist().index(word) for word in ("nails", "instaboy", "here")])
    np.testing.assert_allclose(chi_square(*features[1:])[part], [16_121, 3_909, 10], atol=0.5)
    np.testing.assert_allclose(present_only(*features[1:])[part], [1.372e-4, 3.127e-5, 7.03e-8], rtol=1e-3)
    assert top(features, 10, positive=True).words.tolist() == features.words[:10].tolist()
    assert top(features, 10, positive=False).words.tolist() == features.words[10:20].tolist()


# Laws


def test_exact_is_that_of_scikit_learn():
    selection = pytest.importorskip("sklearn.feature_selection")
    random = np.random.default_rng(0)
    label = random.random(500) < 0.3
    present = random.random((500, 40)) < random.random(40) * np.where(label, 1.0, 0.6)[:, None]
    counts = np.column_stack([present[~label].sum(0), present[label].sum(0)])
    totals = np.bincount(label)
    oracle = selection.mutual_info_classif(present, label, discrete_features=True)
    np.testing.assert_allclose(exact(counts, totals), oracle, atol=1e-14)
    statistic = [stats.chi2_contingency([column, totals - column], correction=False)[0] for column in counts]
    np.testing.assert_allclose(chi_square(counts, totals), statistic, rtol=1e-12)


@pytest.mark.parametrize("method", [exact, chi_square])
def test_classes_and_presence_may_be_swapped(method):
    counts, totals = random_counts(1), np.array([700, 1300])
    score = method(counts, totals)
    assert (score >= 0).all() and (method(counts[:, ::-1], totals[::-1]) == score).all()
    np.testing.assert_allclose(method(totals - counts, totals), score, rtol=1e-12)


@pytest.mark.parametrize("method", [article, bi_normal, conditional, frequency, log_odds, present_only])
def test_classes_may_be_swapped(method):
    counts, totals = random_counts(2), np.array([700, 1300])
    sign = -1 if method is log_odds else 1
    np.testing.assert_allclose(method(counts[:, ::-1], totals[::-1]), sign * method(counts, totals), rtol=1e-12)
    assert np.abs(log_odds(totals - counts, totals) + log_odds(counts, totals)).max() < 1e-9


@pytest.mark.parametrize("method", [exact, present_only, chi_square, pmi, normalised_pmi, log_odds, bi_normal])
def test_independent_features_score_nothing(method):
    totals = np.array([3_000_000, 7_000_000])
    counts = totals * np.array([[0], [1], [10], [999_999], [1_000_000]]) // 1_000_000
    assert np.abs(method(counts, totals)).max() < 1e-13
    if method in (exact, chi_square):
        assert (method(counts, totals) == 0).all()


@pytest.mark.parametrize("method", METHODS)
def test_extreme_counts_have_scores(method):
    totals = np.array([40, 2])
    counts = np.array([[0, 0], [1, 0], [0, 1], [40, 0], [0, 2], [40, 2], [40, 1], [39, 2]])
    score = method(counts, totals)
    assert score.dtype == np.float64 and score.shape == (8,) and not np.isnan(score).any()
    assert np.isfinite(score).all() or method is conditional


def test_large_counts_do_not_run_over():
    totals = np.array([6_000_000_000, 5_000_000_000])
    counts = np.array([[4_000_000_000, 3_000_000_000], [400, 300]])
    small = exact(counts[:1] // 10**7, totals // 10**7)
    np.testing.assert_allclose(exact(counts, totals)[:1], small, rtol=1e-9)
    assert (np.diff(select(features_of(counts, totals), 2).score) < 0).all()


def test_rare_features_keep_their_digits():
    """A feature of one profile in 70 million, its score by the terms of a series."""
    totals = np.array([35_000_000, 35_000_000])
    assert exact(np.array([[0, 1]]), totals)[0] == pytest.approx(np.log(2) / 7e7, rel=1e-7)


def test_log_odds_by_hand():
    counts, totals = np.array([[3, 7], [20, 5]]), np.array([50, 40])
    for prior in (1.0, 0.1):
        for row, score in zip(counts, log_odds(counts, totals, prior=prior), strict=True):
            alpha, whole = prior * row.sum(), prior * totals.sum()
            has, lacks = row + alpha, totals + whole - row - alpha
            difference = np.log(has[1] / lacks[1]) - np.log(has[0] / lacks[0])
            assert score == pytest.approx(difference / np.sqrt((1 / has + 1 / lacks).sum()), rel=1e-12)


def test_bi_normal_by_hand():
    score = bi_normal(np.array([[0, 100], [50, 84], [3, 3]]), np.array([100, 100]))
    expected = [2 * stats.norm.ppf(0.9995), stats.norm.ppf(0.84), 0]
    np.testing.assert_allclose(score, expected, rtol=1e-12)


def test_pmi_without_the_class():
    totals = np.array([1000, 1000])
    score = pmi(np.array([[5000 // 10, 0], [1, 0], [0, 3]]), totals)
    np.testing.assert_allclose(score, [np.log(1 / 500), 0, np.log(2)], atol=1e-12)
    assert normalised_pmi(np.array([[0, 3]]), totals)[0] == pytest.approx(np.log(2) / np.log(2000 / 3))


# Tables


@pytest.mark.parametrize("method", [*METHODS, partial(conditional, least=1), partial(article, floor=0.01)])
@pytest.mark.parametrize("k", [1, 13, 60, 500])
def test_select_is_a_sort(method, k):
    counts = random_counts(3, 60, (9, 12))
    words = np.random.default_rng(0).permutation([f"w{at}" for at in range(60)])
    features = FeatureCounts(words, counts, np.array([9, 12]))
    score, total = method(counts, features.totals), counts.sum(1)
    rows = [row for row in range(60) if score[row] > -np.inf]
    order = sorted(rows, key=lambda row: (-abs(score[row]), -total[row], str(words[row])))[:k]
    chosen = select(features, k, method)
    assert chosen.index.tolist() == order
    assert chosen.words.tolist() == words[order].tolist()
    assert chosen.score.tolist() == score[order].tolist() and chosen.count.tolist() == total[order].tolist()


def test_columns_of_a_table():
    chosen = select(features_of([[9, 1], [5, 5], [0, 10], [0, 0]]), 10)
    assert chosen.words.tolist() == ["c", "a", "b", "d"]
    np.testing.assert_allclose(chosen.probability, [1.0, 0.1, 0.5, np.nan])
    for row, (successes, trials) in enumerate([(10, 10), (1, 10), (5, 10)]):
        interval = stats.binomtest(successes, trials).proportion_ci(method="wilson")
        np.testing.assert_allclose([chosen.low[row], chosen.high[row]], interval, atol=1e-12)
    np.testing.assert_allclose([chosen.low[3], chosen.high[3]], [0, 1], atol=1e-15)


def test_signed_scores_rank_by_size():
    features = features_of([[9, 2], [1, 6], [5, 5]])
    for method in (pmi, log_odds, normalised_pmi):
        chosen = select(features, 3, method)
        assert (chosen.score < 0).any() and (np.diff(np.abs(chosen.score)) <= 0).all(), method


def test_rare_features_are_left_out():
    features = features_of([[0, 9], [1, 9], [2, 8], [10, 0], [10, 1]])
    assert select(features, 9, conditional).words.tolist() == ["d", "e", "b", "c"]
    assert top(features, 2, positive=True).words.tolist() == ["b", "c"]
    assert top(features, 9, positive=False, least=1).words.tolist() == ["d", "e", "c", "b", "a"]
    assert top(features, 9, positive=True, least=9).score.tolist() == [1.0, 0.9, 0.8, 1 / 11, 0.0]


def test_tables_are_refused():
    features = features_of([[9, 2], [1, 6]])
    with pytest.raises(DataError, match="0 features are asked for: ask for 1 or more"):
        select(features, 0)
    with pytest.raises(DataError, match="there are no features"):
        select(features_of(np.zeros((0, 2), np.int64)), 1)
    with pytest.raises(DataError, match="0 negatives and 7 positives: the negative class needs profiles"):
        select(features_of([[0, 2]], (0, 7)), 1)
    with pytest.raises(DataError, match="7 negatives and 0 positives: the positive class needs profiles"):
        top(features_of([[2, 0]], (7, 0)), 1, positive=True)
    with pytest.raises(DataError, match="none of 2 features counts enough"):
        top(features, 1, positive=True, least=100)
    with pytest.raises(DataError, match="'b' counts 6 in the positive class, whose total is 5: count presence with"):
        select(features_of([[9, 2], [1, 6]], (10, 5)), 1)


@pytest.mark.parametrize("method", [exact, chi_square, bi_normal, log_odds])
def test_more_counts_than_profiles_are_refused(method):
    with pytest.raises(DataError, match="feature 1 counts 6 in the positive class, whose total is 5"):
        method(np.array([[9, 2], [1, 6]]), np.array([10, 5]))
