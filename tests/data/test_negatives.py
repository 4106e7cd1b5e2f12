import numpy as np
import pytest

from seqjax.data.negatives import alias_table, probabilities


def check(weights):
    table = alias_table(weights)
    assert table.accept.dtype == np.float32 and table.alias.dtype == np.int32
    assert (table.accept >= 0).all() and (table.accept <= 1).all()
    assert (table.alias >= 0).all() and (table.alias < len(weights)).all()
    np.testing.assert_allclose(probabilities(table), weights / weights.sum(), rtol=0, atol=1e-6)
    return table


def test_random_weights():
    random = np.random.default_rng(0)
    for _ in range(200):
        size = int(random.integers(1, 60))
        weights = random.gamma(random.choice([0.05, 0.5, 5.0]), size=size) * (random.random(size) < 0.8)
        weights[random.integers(size)] += 0.1
        check(weights)


@pytest.mark.parametrize(
    "weights",
    [
        np.ones(1000),
        np.full(7, 1 / 7),
        np.array([3.0]),
        np.array([0.0, 0.0, 5.0, 0.0]),
        10.0 ** np.linspace(-9, 9, 101),
        10.0 ** np.random.default_rng(1).uniform(-9, 9, 1000),
        np.random.default_rng(2).zipf(1.3, 100_000).clip(max=10**9) ** 0.75,
        np.random.default_rng(3).random(100_000),
    ],
    ids=["uniform", "sevenths", "single", "one positive", "skewed", "skewed random", "zipf 100k", "random 100k"],
)
def test_particular_weights(weights):
    check(weights)


def test_weight_zero_is_never_drawn():
    random = np.random.default_rng(4)
    for _ in range(50):
        weights = random.random(30) * (random.random(30) < 0.5)
        weights[0] = 1.0
        assert (probabilities(check(weights))[weights == 0] == 0).all()


@pytest.mark.parametrize("weights", [[], [0.0, 0.0], [1.0, -1.0], [1.0, np.nan], [1.0, np.inf]])
def test_unusable_weights_are_refused(weights):
    with pytest.raises(ValueError, match="count the training items"):
        alias_table(np.array(weights))
