import jax
import numpy as np

from seqjax.nn.init import block_uniform


def test_bound_is_that_of_one_block():
    """sqrt(6 / (rows + columns)) with the columns of one gate and the rows without padding; evenly filled."""
    for blocks, skip in ((1, 0), (3, 0), (3, 1), (2, 1)):
        weights = np.asarray(block_uniform(blocks, skip)(jax.random.key(0), (60 + skip, 90 * blocks)))
        bound = (6 / (60 + 90)) ** 0.5
        assert not weights[:skip].any()
        for block in np.split(weights[skip:], blocks, axis=1):
            assert 0.99 * bound < np.abs(block).max() <= bound
            np.testing.assert_allclose(block.std(), bound / 3**0.5, rtol=0.03)


def test_seed_decides():
    init = block_uniform()
    same = [np.asarray(init(jax.random.key(seed), (3, 4))) for seed in (0, 0, 1)]
    assert (same[0] == same[1]).all() and (same[0] != same[2]).any()
