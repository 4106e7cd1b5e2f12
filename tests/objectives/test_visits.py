from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from seqjax import losses
from seqjax.data.split import DAY
from seqjax.data.visits import WORDS, visit_log
from seqjax.data.windows import per_series, stream_reset
from seqjax.models.next_visit import NextVisit
from seqjax.nn.recurrence import GRU
from seqjax.objectives.sequence import SequenceHparams, sequence_objective
from seqjax.objectives.visits import visit_batch, visit_corpus
from seqjax.train.step import per_lane

FAR = np.iinfo(np.int32).max


def log():
    """Three users on days counted from a Thursday; the second one came once, and all were watched for 20 days."""
    hours = np.array([0, 30, 31, 200, 5, 24, 24 * 18 + 1])
    return visit_log(np.array([0, 4, 5, 7]), 3600 * hours, np.array([1, 3, 64, 2, 8, 1, 1]), 20 * DAY, np.arange(3))


def test_corpus_holds_the_day_of_the_next_visit_and_how_long_one_looked():
    corpus = visit_corpus(log())
    assert corpus.interval.tolist() == [2, 1, 8, FAR, FAR, 18, FAR]  # 30 hours are within two days
    assert corpus.seen.tolist() == [20, 18, 18, 11, 19, 19, 1]
    assert set(corpus.events) == set(WORDS)
    assert corpus.events["weekday"].tolist() == [4, 5, 5, 5, 4, 5, 1]
    assert corpus.events["size"].tolist() == [1, 2, 7, 2, 4, 1, 1]


def test_batch_holds_the_visits_of_the_plan_and_nothing_where_there_is_none():
    corpus, plan = visit_corpus(log()), per_series(log(), lanes=2, boundary=False)
    for step in range(plan.steps):
        row = jax.tree.map(lambda leaf, step=step: jnp.asarray(leaf[step]), plan)
        batch = visit_batch(jax.device_put(corpus), row)
        for name in WORDS:
            expected = np.where(row.valid, corpus.events[name][row.position], 0)
            np.testing.assert_array_equal(batch.events[name], expected)
        np.testing.assert_array_equal(batch.target.interval[row.valid], corpus.interval[row.position][row.valid])
        np.testing.assert_array_equal(batch.target.seen, np.where(row.valid, corpus.seen[row.position], 0))
        assert batch.divisor == 7 / 2 and (batch.fresh.sum(axis=1) == batch.valid.any(axis=1)).all()


def test_loss_of_an_epoch_is_the_sum_over_visits():
    """Of the hazard loss, each user read alone, as the sequence objective finds it in windows of two visits."""
    model = NextVisit(*map(len, WORDS.values()), intervals=3, body=partial(GRU, features=(4,)))
    params = jax.jit(model.init)(jax.random.key(0))["params"]
    corpus, expected = jax.device_put(visit_corpus(log())), 0.0
    apply = partial(model.apply, {"params": params})
    step, read = jax.jit(partial(apply, method="step")), jax.jit(partial(apply, method="read"))
    for first, end in ((0, 4), (4, 5), (5, 7)):
        state = model.init_state()
        for visit in range(first, end):
            state = step(state, {name: jnp.asarray(column[visit]) for name, column in corpus.events.items()})
            target = losses.Return(corpus.interval[visit], corpus.seen[visit])
            expected += losses.discrete_hazard(read(state), target)

    def one(carry, row):
        loss = partial(sequence_objective, model=model, loss=losses.discrete_hazard)
        _, (carry, metrics) = loss(params, carry, visit_batch(corpus, row), SequenceHparams(), jax.random.key(0))
        return carry, metrics

    plan = stream_reset(log(), lanes=1, window=2, boundary=False)
    _, metrics = jax.jit(partial(jax.lax.scan, one))(per_lane(model.init_state(), 1), plan)
    np.testing.assert_allclose(metrics["loss"].sum(), expected, rtol=1e-5)
    assert metrics["events"].tolist() == [2, 2, 2, 1]
