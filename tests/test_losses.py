"""Every loss over folded columns against the same loss over the sampled score matrix with its repeats."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest

from seqjax import losses
from seqjax.objectives.session import session_columns
from seqjax.types import SessionBatch

ROWS, LANES, SAMPLES = 12, 6, 9

CASES = {
    "cross_entropy": (losses.cross_entropy, oracles.cross_entropy, {}),
    "cross_entropy with epsilon": (
        partial(losses.cross_entropy, epsilon=losses.EPSILON),
        partial(oracles.cross_entropy, epsilon=1e-24),
        {},
    ),
    "smoothed": (losses.smoothed_cross_entropy, oracles.cross_entropy, {"smoothing": 0.2}),
    "bpr": (losses.bpr, oracles.bpr, {}),
    "top1": (losses.top1, oracles.top1, {}),
    "bpr_max": (losses.bpr_max, oracles.bpr_max, {}),
    "bpr_max with penalty": (losses.bpr_max, oracles.bpr_max, {"penalty": 0.9}),
    "top1_max": (losses.top1_max, oracles.top1_max, {}),
}
CORRECTED = ("cross_entropy", "cross_entropy with epsilon", "smoothed")


class Sample:
    """Columns of one step: repeats among targets, accidental hits, duplicated samples, dead lanes, rows not scored."""

    def __init__(self, seed, logq=0.0, scale=2.0):
        random = np.random.default_rng(seed)
        self.live = np.array([True, True, False, True, True, seed % 2 == 0])
        self.target = np.where(self.live, random.integers(1, ROWS - 2, LANES), 0)
        self.target[1] = self.target[0]
        self.sample = random.integers(1, ROWS - 2, SAMPLES)
        self.sample[:3] = self.target[0], self.target[3], self.sample[4]
        self.scores = scale * random.normal(size=(LANES, ROWS))
        self.log_q = {
            "target": random.uniform(0, 5, ROWS)[self.target],
            "sample": random.uniform(0, 5, ROWS)[self.sample],
        }
        self.logq = logq
        self.column = np.concatenate([self.target[self.live], self.sample])
        self.shift = -logq * np.concatenate([self.log_q["target"][self.live], self.log_q["sample"]])

    def oracle(self, function, lane):
        """Loss of one live lane as a function of the scores of all rows."""
        own = int(np.sum(self.live[:lane]))
        return lambda scores: function(scores[self.column] + self.shift, own)

    def columns(self, dtype):
        ids = {"item": {"target": jnp.asarray(self.target), "sample": jnp.asarray(self.sample)}}
        log_q = {name: jnp.asarray(value, dtype) for name, value in self.log_q.items()}
        batch = SessionBatch(ids, fresh=jnp.asarray(self.live), live=jnp.asarray(self.live), log_q=log_q)
        return jax.tree.map(lambda leaf: leaf.astype(dtype), session_columns(batch, self.logq, ROWS))


@pytest.mark.parametrize("name", CASES)
def test_value_and_gradient_equal_the_unfolded_matrix(name):
    function, oracle, keywords = CASES[name]
    with jax.enable_x64(True):
        evaluate = jax.jit(jax.vmap(jax.value_and_grad(partial(function, **keywords)), (0, 0, None)))
        for seed in range(6):
            for logq in (0.0, 0.7, 1.0) if name in CORRECTED else (0.0,):
                case = Sample(seed, logq)
                values, grads = evaluate(jnp.asarray(case.scores), jnp.asarray(case.target), case.columns(jnp.float64))
                assert values.dtype == jnp.float64
                for lane in np.flatnonzero(case.live):
                    expected = case.oracle(partial(oracle, **keywords), lane)
                    np.testing.assert_allclose(values[lane], expected(case.scores[lane]), rtol=1e-10, atol=1e-12)
                    derivative = oracles.gradient(expected, case.scores[lane])
                    np.testing.assert_allclose(grads[lane], derivative, rtol=1e-10, atol=1e-10)


def test_bpr_max_gradient_is_the_closed_form():
    random = np.random.default_rng(0)
    with jax.enable_x64(True):
        for _ in range(3):
            scores = random.normal(size=ROWS) * 3
            loss = partial(losses.bpr_max, target=jnp.int32(4), columns=losses.every(ROWS), penalty=0.9)
            expected = oracles.bpr_max_gradient(scores, 4, penalty=0.9)
            np.testing.assert_allclose(jax.grad(loss)(jnp.asarray(scores)), expected, rtol=1e-10, atol=1e-12)


def test_epsilon_caps_the_loss():
    """-log(1e-24) = 55.26, and no gradient beyond."""
    scores = jnp.array([0.0, 300.0])
    loss = partial(losses.cross_entropy, target=jnp.int32(0), columns=losses.every(2), epsilon=losses.EPSILON)
    value, grad = jax.value_and_grad(loss)(scores)
    np.testing.assert_allclose(value, 55.262, atol=1e-3)
    np.testing.assert_array_equal(grad, 0.0)


EXTREMES = {
    "all high": lambda s: jnp.full_like(s, 1e4),
    "all low": lambda s: jnp.full_like(s, -1e4),
    "spread": lambda s: jnp.sign(s) * 1e4,
    "only the target high": lambda s: jnp.full_like(s, -1e4).at[3].set(1e4),
    "only the target low": lambda s: jnp.full_like(s, 1e4).at[3].set(-1e4),
    "negatives underflow": lambda s: (s - 200.0).at[3].set(0.0),
    "rows that are no columns high": lambda s: s.at[-2:].set(1e4),
    "rows that are no columns low": lambda s: s.at[-2:].set(-1e4),
}


@pytest.mark.parametrize("name", CASES)
def test_float32_stays_finite_and_ignores_what_is_no_column(name):
    function, _, keywords = CASES[name]
    case = Sample(0)
    case.target[0] = case.target[1] = 3
    columns = case.columns(jnp.float32)
    evaluate = jax.jit(jax.value_and_grad(partial(function, **keywords)))
    for extreme, change in EXTREMES.items():
        scores = change(jnp.asarray(case.scores[0], jnp.float32))
        value, grad = evaluate(scores, jnp.int32(3), columns)
        assert value.dtype == jnp.float32
        assert np.isfinite(value), extreme
        assert np.isfinite(grad).all(), extreme
        np.testing.assert_array_equal(grad[columns.count == 0], 0.0, err_msg=extreme)


def test_every_is_the_exact_full_softmax():
    scores = np.random.default_rng(1).normal(size=7)
    value = losses.cross_entropy(jnp.asarray(scores, jnp.float32), jnp.int32(2), losses.every(7))
    np.testing.assert_allclose(value, oracles.cross_entropy(scores, 2), rtol=1e-6)


@pytest.mark.parametrize("loss", [losses.bpr_max, losses.top1_max])
def test_no_negatives_at_all_give_no_gradient(loss):
    columns = losses.every(4)._replace(count=jnp.array([0.0, 1.0, 0.0, 0.0]))
    value, grad = jax.value_and_grad(partial(loss, target=jnp.int32(1), columns=columns))(jnp.arange(4.0))
    assert np.isfinite(value)
    np.testing.assert_array_equal(grad, 0.0)
