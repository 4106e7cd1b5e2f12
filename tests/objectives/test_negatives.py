"""Items drawn by popularity: how often, which, and what is refused."""

from functools import partial

import jax
import numpy as np
import pytest
from scipy import stats

from seqjax.objectives.negatives import draw_items, popularity

COUNTS = np.array([1, 2, 40, 7, 0, 50])


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_items_are_drawn_by_their_count_to_the_power_alpha(alpha):
    drawn = np.asarray(jax.jit(partial(draw_items, shape=(40, 500)))(jax.random.key(1), popularity(COUNTS, alpha)))
    assert drawn.shape == (40, 500) and drawn.min() >= 1  # 0 is padding
    law = COUNTS.astype(float) ** alpha
    found, expected = np.bincount(drawn.ravel(), minlength=len(COUNTS) + 1)[1:], drawn.size * law / law.sum()
    assert found[expected == 0].sum() == 0
    assert stats.chisquare(found[expected > 0], expected[expected > 0]).pvalue > 1e-3


def test_the_largest_ids_of_a_large_vocabulary_are_drawn():
    """A float32 below 1 has 24 bits: entries of two million items would come in pairs."""
    size = 3_000_001
    drawn = np.asarray(draw_items(jax.random.key(2), popularity(np.ones(size, int), 0.0), (20_000,)))
    assert drawn.min() >= 1 and size - 1000 < drawn.max() <= size
    assert np.mean(drawn % 2) == pytest.approx(0.5, abs=0.02)
    assert len(np.unique(drawn)) > 19_800


def test_every_place_is_drawn_on_its_own():
    table = popularity(np.ones(1000, int), 1.0)
    first, again, other = (np.asarray(draw_items(jax.random.key(key), table, (30, 40))) for key in (3, 3, 4))
    assert np.array_equal(first, again) and np.mean(first == other) < 0.01
    assert len(np.unique(first)) > 650  # 1200 draws of 1000 items: 699 on average


def test_the_table_remembers_what_it_was_made_of():
    table = popularity(COUNTS, 0.5)
    assert table.alpha == np.float32(0.5)
    np.testing.assert_allclose(table.log_count, np.log(np.maximum(COUNTS, 1)), rtol=1e-6)


@pytest.mark.parametrize("alpha", [-0.1, 1.5, float("nan")])
def test_other_powers_are_refused(alpha):
    with pytest.raises(ValueError, match=r"choose 0 \(uniform\) to 1 \(popularity\)"):
        popularity(COUNTS, alpha)
