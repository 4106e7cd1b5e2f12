"""The objective against series read one by one, whatever the layout; and the law that its divisor teaches."""

from functools import cache, partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest

from seqjax import optim
from seqjax.data.process import Process, echo, sample
from seqjax.data.windows import asked, pad_to_multiple, per_series, row_packed, stream, stream_reset, symbols
from seqjax.models.next_action import NextAction
from seqjax.nn.recurrence import LSTM
from seqjax.objectives.sequence import SequenceHparams, sequence_objective, symbol_batch
from seqjax.train.step import init_train_state, make_step, per_lane

ACTIONS, HPARAMS = 6, SequenceHparams()
LOG = sample(echo(ACTIONS), 30, seed=1)
MODEL = NextAction(ACTIONS, partial(LSTM, features=(5,)))
PARAMS = jax.tree.map(
    lambda leaf: jnp.float32(np.random.default_rng(leaf.size).normal(0, 0.7, leaf.shape)),
    jax.eval_shape(MODEL.init, jax.random.key(0))["params"],
)
LAYOUTS = {
    "per_series": partial(per_series, lanes=7),
    "row_packed": partial(row_packed, lanes=2),
    "stream_reset, one window": partial(stream_reset, lanes=1, window=400),
    "stream_reset": partial(stream_reset, lanes=1, window=9),  # more lanes: the fold begins some in mid-series
    "pad_to_multiple": partial(pad_to_multiple, lanes=1, window=8, reset=True),
}
WHOLE = ("per_series", "row_packed", "stream_reset, one window")  # no series goes on in another window
quick = partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})  # compiled in a third of the time


@cache
def one_by_one():
    """-log softmax of every symbol, in float64 and series by series."""
    params = jax.tree.map(np.float64, PARAMS)
    row, _, place = asked(LOG)
    nats, memory = [], None
    for read, then, first in zip(row[:-1], row[1:], place == 0, strict=True):
        memory = (np.zeros(5), np.zeros(5)) if first else memory
        memory = oracles.lstm(params["layers"]["cells_0"], memory, params["symbols"]["input"][read - 1])
        scores = memory[1] @ params["symbols"]["kernel"] + params["symbols"]["bias"]
        nats.append(np.log(np.exp(scores).sum()) - scores[then - 1])
    return np.array(nats)


@cache
def gradient_one_by_one():
    """The gradient of the sum over all series, each read by `step`, symbol after symbol."""

    def nats(params, row, place):
        def step(state, now):
            read, then, first = now
            state = jax.tree.map(lambda old, new: jnp.where(first, new, old), state, MODEL.init_state())
            state = MODEL.apply({"params": params}, state, {"item": read}, method="step")
            return state, -jax.nn.log_softmax(MODEL.apply({"params": params}, state, method="read"))[then]

        return jnp.sum(jax.lax.scan(step, MODEL.init_state(), (row[:-1], row[1:], place == 0))[1])

    row, _, place = asked(LOG)
    return quick(jax.grad(nats))(PARAMS, row, place)


@partial(quick, static_argnames=("block", "divisor"))
def epoch(plan, block=0, divisor="constant"):
    """Loss, events and gradient of every step with the same parameters; the state goes from step to step."""
    grad = jax.value_and_grad(partial(sequence_objective, model=MODEL, block=block, divisor=divisor), has_aux=True)

    def step(carry, row):
        batch = symbol_batch(jnp.asarray(symbols(LOG)), row)
        (loss, (carry, metrics)), grads = grad(PARAMS, carry, batch, HPARAMS, jax.random.key(0))
        return carry, (loss, metrics, grads)

    return jax.lax.scan(step, per_lane(MODEL.init_state(), plan.valid.shape[1]), plan)


def close(one, two):
    jax.tree.map(partial(np.testing.assert_allclose, rtol=2e-4, atol=2e-4), one, two)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_epoch_is_the_sum_over_series(layout):
    plan = LAYOUTS[layout](LOG)
    _, (loss, metrics, grads) = epoch(plan)
    np.testing.assert_allclose(loss * plan.divisor, metrics["loss"], rtol=1e-5)
    np.testing.assert_allclose(metrics["loss"].sum(), one_by_one().sum(), rtol=1e-5)
    assert metrics["events"].sum() == len(one_by_one()) and (np.diff(plan.divisor) == 0).all()
    total = jax.tree.map(lambda leaf: leaf.sum(axis=0) * plan.divisor[0], grads)
    if layout in WHOLE:
        close(total, gradient_one_by_one())
    else:  # the state goes on from window to window as a constant: gradients end there
        assert np.abs(total["symbols"]["input"] - gradient_one_by_one()["symbols"]["input"]).max() > 0.01


def test_a_stream_that_never_forgets_learns_something_else():
    total = epoch(stream(LOG, lanes=4, window=9))[1][1]["loss"].sum()
    assert abs(total - one_by_one().sum()) > 0.01 * one_by_one().sum()


@pytest.mark.parametrize("plan", [
    LAYOUTS["per_series"](LOG), LAYOUTS["row_packed"](LOG), stream_reset(LOG, lanes=4, window=9),
], ids=["per_series", "row_packed", "stream_reset"])  # fmt: skip
def test_layouts_say_the_same_of_every_symbol(plan):
    """But for the series that the fold of a stream cuts: a lane that begins in the middle of one knows less."""

    def apply(*given, method):
        return MODEL.apply({"params": PARAMS}, *given, method=method)

    def said(carry, row):
        batch = symbol_batch(jnp.asarray(symbols(LOG)), row)
        events = {**batch.events, "fresh": batch.fresh}
        carry, states = jax.vmap(partial(apply, method="encode"))(carry, events, batch.valid)
        law = jax.nn.log_softmax(jax.vmap(jax.vmap(partial(apply, method="read")))(states))
        return carry, -jnp.take_along_axis(law, batch.target[..., None], axis=-1)[..., 0]

    start = per_lane(MODEL.init_state(), plan.valid.shape[1])
    read = quick(partial(jax.lax.scan, said))(start, plan)[1]
    nats = np.full(len(one_by_one()), np.nan)
    nats[plan.position[plan.valid]] = np.asarray(read)[plan.valid]
    _, owner, place = asked(LOG)
    first = plan.position[0, :, 0]  # of every lane
    whole = ~np.isin(owner, owner[first[place[first] > 0]])
    assert whole.sum() > 250
    np.testing.assert_allclose(nats[whole], one_by_one()[whole], atol=1e-5)


@pytest.mark.parametrize("block", [1, 5, 1000])
def test_blocks_of_any_size_change_nothing(block):
    plan = LAYOUTS["per_series"](LOG)
    close(epoch(plan, block), epoch(plan))


def test_a_batch_without_events_changes_nothing():
    """The loss is 0, its gradients are 0, and a step leaves the state as it was, whatever the optimizer remembers."""
    plan = LAYOUTS["per_series"](LOG)
    row = jax.tree.map(lambda leaf: jnp.asarray(leaf[0]), plan)._replace(valid=jnp.zeros(plan.valid.shape[1:], bool))
    batch, carry = symbol_batch(jnp.asarray(symbols(LOG)), row), per_lane(MODEL.init_state(), 7)
    objective, optimizer = partial(sequence_objective, model=MODEL), partial(optim.adam_cosine, steps=10)
    state = init_train_state(jax.random.key(1), PARAMS, optimizer, HPARAMS, carry, {})
    busy = jax.tree.map(lambda leaf: np.asarray(leaf) + 1, (state.carry, state.opt_state))
    state = state.replace(carry=busy[0], opt_state=busy[1])
    after, metrics = quick(make_step(objective, optimizer, {}))(state, batch, HPARAMS)
    assert metrics == {"loss": 0.0, "events": 0}
    jax.tree.map(np.testing.assert_array_equal, after.replace(key=0), state.replace(key=0))
    grad = quick(jax.grad(partial(objective, divisor="batch"), has_aux=True))  # not 0 / 0
    grads, _ = grad(PARAMS, state.carry, batch, HPARAMS, jax.random.key(0))
    assert not any(leaf.any() for leaf in jax.tree.leaves(jax.device_get(grads)))


class Geometric(nn.Module):
    """A series is over after every symbol with the same probability, the only parameter."""

    def setup(self):
        self.logit = self.param("logit", nn.initializers.zeros, ())

    def encode(self, state, events, valid, noise):
        return state, jnp.zeros(valid.shape)

    def read(self, state):
        return jnp.stack([-jnp.inf, 0.0, self.logit])


def test_the_batchs_own_number_as_divisor_ends_series_too_soon():
    """Where the mean gradient over batches vanishes: at .1 with a constant divisor, at .1022 with the batch's own."""
    log = sample(Process(np.array([[0.0, 0.9, 0.1]]), np.zeros((1, 3), int), np.array(["a"])), 40_000, seed=0)
    plan, corpus, p = per_series(log, lanes=40), jnp.asarray(symbols(log)), 0.1

    def gradients(divisor):
        objective = partial(sequence_objective, model=Geometric(), divisor=divisor)

        def one(row):
            params, batch = {"logit": jnp.log(p / (1.0 - p))}, symbol_batch(corpus, row)
            return jax.grad(objective, has_aux=True)(params, jnp.zeros(40), batch, HPARAMS, jax.random.key(0))

        return np.asarray(quick(partial(jax.lax.map, one))(plan)[0]["logit"])

    count = plan.valid.sum(axis=(1, 2))  # of symbols in every batch of 40 series
    for divisor, by, vanishes in (("constant", count.mean(), True), ("batch", count, False)):
        gradient = gradients(divisor)
        np.testing.assert_allclose(gradient, (count * p - 40) / by, atol=1e-4)
        assert (abs(gradient.mean()) < 4.0 * gradient.std() / np.sqrt(plan.steps)) == vanishes
    many = np.random.default_rng(0).negative_binomial(40, p, 1_000_000) + 40
    np.testing.assert_allclose([40 / many.mean(), (40 / many).mean()], [0.1, 0.1022], atol=1e-4)
