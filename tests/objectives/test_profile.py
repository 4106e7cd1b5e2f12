"""Classes of profiles: losses by numpy, the objective profile by profile, and steps on the rows that are touched."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from profile_sets import counted, plain_outputs, profiles_of, random_params, random_profiles

from seqjax import optim
from seqjax.data.samples import target_plan
from seqjax.models.profile_net import ProfileNet
from seqjax.objectives.profile import ProfileHparams, cross_entropy, profile_objective, squared_error
from seqjax.objectives.response import no_negatives, response_batch, response_corpus
from seqjax.train.step import init_train_state, make_step, per_lane

WORDS, LANES, WINDOW = 12, 24, 10
SIZES = (("item", WORDS), ("class", 2))
VIEWS = {"item": ("item",)}
KEY = jax.random.key(0)
quick = partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})  # compiled in a third of the time
same = partial(np.testing.assert_allclose, atol=2e-6, rtol=1e-5)


def chances(outputs):
    return 1.0 / (1.0 + np.exp(-np.asarray(outputs, np.float64)))


def plain_losses(outputs, label):
    """Squared error and cross-entropy of every row, meant over outputs: class 0 stands first where there are two."""
    said = chances(outputs)
    wanted = np.stack([~label, label], axis=1)[:, -said.shape[1] :].astype(float)
    entropy = -(wanted * np.log(said) + (1.0 - wanted) * np.log(1.0 - said))
    return {squared_error: ((said - wanted) ** 2).mean(axis=1), cross_entropy: entropy.mean(axis=1)}


@quick
def gathered(corpus, row):
    return no_negatives(None, response_batch(corpus, row), None)


def batch_of(samples, lanes=LANES, window=WINDOW, step=0):
    """All profiles side by side, and lanes without any."""
    rows = target_plan(samples, lanes=lanes, window=window)
    row = jax.tree.map(lambda leaf: leaf[step], rows)
    return gathered(response_corpus(samples), row)


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("loss", [squared_error, cross_entropy])
def test_losses_and_their_slopes_are_those_of_numpy(loss, outputs):
    random = np.random.default_rng(0)
    z, label = random.normal(0, 2, (40, outputs)).astype(np.float32), random.random(40) < 0.5
    value, slope = jax.jit(jax.vmap(jax.value_and_grad(loss)))(z, label.astype(np.float32))
    same(value, plain_losses(z, label)[loss])
    shift = 1e-5
    for place in range(outputs):
        step = shift * np.eye(outputs)[place]
        above, below = (plain_losses(z.astype(np.float64) + sign * step, label)[loss] for sign in (1, -1))
        same(slope[:, place], (above - below) / (2 * shift))


def test_sure_outputs_have_finite_losses():
    for loss, expected in ((squared_error, 1.0), (cross_entropy, 200.0)):
        value, slope = jax.value_and_grad(loss)(jnp.array([200.0]), jnp.float32(0.0))
        assert value == expected and np.isfinite(slope).all()


MODELS = {
    "one output": ProfileNet(SIZES, (4,)),
    "two outputs": ProfileNet(SIZES, (4,), outputs=2, pool="root"),
}


@pytest.mark.parametrize("loss", [squared_error, cross_entropy])
@pytest.mark.parametrize("name", MODELS)
def test_is_the_mean_over_profiles_one_by_one(name, loss):
    """Dead lanes and the block of features read at a time are nothing; positives weigh as they are told to."""
    model, samples = MODELS[name], random_profiles(1, count=20)
    params = random_params(model)
    batch = batch_of(samples)
    outputs = plain_outputs(params, counted(samples), model.pool)
    each = plain_losses(outputs, samples.label)[loss]
    assert set(batch.ids["item"]) == {"event"} and int(batch.live.sum()) == 20 < LANES  # no item is asked about
    assert 0 in samples.cutoff and samples.cutoff.max() > 4
    run = quick(partial(profile_objective, model=model, loss=loss, block=4))
    for weight in (1.0, 3.0):
        total, (carry, metrics) = run(params, (), batch, ProfileHparams(positive=weight), KEY)
        same(total, (np.where(samples.label, weight, 1.0) * each).sum() / 20)
        same(metrics["loss"], each.sum())
        assert metrics["events"] == 20 and carry == ()


def test_steps_of_unequal_size_are_divided_by_the_mean_size():
    """So that every profile weighs the same, whichever step it falls into."""
    model, samples = MODELS["one output"], random_profiles(2, count=20)
    params = random_params(model)
    run = quick(partial(profile_objective, model=model))
    parts = [run(params, (), batch_of(samples, lanes=16, step=step), ProfileHparams(), KEY) for step in (0, 1)]
    each = plain_losses(plain_outputs(params, counted(samples)), samples.label)[cross_entropy]
    assert sorted(int(part[1][1]["events"]) for part in parts) == [4, 16]
    same(sum(part[0] for part in parts), each.sum() / 10)


def test_a_window_holds_the_last_features():
    model, samples = (
        MODELS["one output"],
        profiles_of([list("abcd"), list("ca")], np.array([True, False]), "abcdefghijkl"),
    )
    params = random_params(model)
    batch = batch_of(samples, lanes=2, window=2)
    last = counted(profiles_of([list("cd"), list("ca")], samples.label, "abcdefghijkl"))
    total, _ = quick(partial(profile_objective, model=model))(params, (), batch, ProfileHparams(), KEY)
    same(total, plain_losses(plain_outputs(params, last), samples.label)[cross_entropy].mean())


def test_dropout_draws_for_every_lane():
    """A single hidden unit is there, twice as strong, or it is not; of many lanes some have it."""
    model, samples = ProfileNet(SIZES, (1,)), profiles_of([["a", "b"]] * 200, np.arange(200) >= 0, "abcdefghijkl")
    params = random_params(model)
    batch = batch_of(samples, lanes=200)
    run = quick(partial(profile_objective, model=model))
    total, _ = run(params, (), batch, ProfileHparams(dropout_hidden=0.5), KEY)
    unit = chances(plain_outputs({name: params[name] for name in ("item", "bias")}, counted(samples)))[0]
    kernel, bias = (np.asarray(params["layers_0"][name], np.float64) for name in ("kernel", "bias"))
    with_it, without = (np.logaddexp(0.0, -(unit * k @ kernel + bias))[0] for k in (2.0, 0.0))
    share = (float(total) - without) / (with_it - without)
    assert abs(share - 0.5) < 5 * 0.5 / np.sqrt(200) and 200 * share == pytest.approx(round(200 * share), abs=0.01)
    assert run(params, (), batch, ProfileHparams(dropout_hidden=0.5), jax.random.key(1))[0] != total


# Rows that are touched


def state_for(model, params, hparams, lanes):
    return init_train_state(KEY, params, optim.sgd_momentum, hparams, per_lane(model.init_state(), lanes), VIEWS)


def tables(state):
    return np.asarray(state.params["item"]["rows"])


@pytest.mark.parametrize("words", [200, 6])
def test_a_view_makes_the_dense_update_and_keeps_the_velocity_of_rows_at_rest(words):
    """In a table cut to the rows of a batch, and in one that is no larger than the batch."""
    names = [f"w{place:03}" for place in range(words)]
    samples = profiles_of([names[1:4], names[2:5]], np.array([True, False]), names)
    batch = batch_of(samples, lanes=2, window=3)
    other = batch_of(samples.take(np.array([1])), lanes=2, window=3)
    model = ProfileNet((("item", words),), (3,))
    params = random_params(model)
    assert (words > batch.ids["item"]["event"].size) == (words == 200)
    objective = partial(profile_objective, model=model, loss=squared_error)

    @quick
    def dense(params, velocity, batch, hparams):
        """Every row, by plain optax."""
        grads = jax.grad(lambda params: objective(params, (), batch, hparams, KEY)[0])(params)
        updates, velocity = optim.sgd_momentum(hparams).update(grads, velocity, params)
        return jax.tree.map(jnp.add, params, updates), velocity

    step = quick(make_step(objective, optim.sgd_momentum, VIEWS))
    for momentum in (0.0, 0.9):
        hparams = ProfileHparams(learning_rate=jnp.float32(2.0), momentum=jnp.float32(momentum))
        state, plain, velocity = state_for(model, params, hparams, 2), params, optim.sgd_momentum(hparams).init(params)
        held = []
        for now in (batch, other):
            state, _ = step(state, now, hparams)
            plain, velocity = dense(plain, velocity, now, hparams)
            held.append((tables(state), np.asarray(plain["item"]["rows"])))
        (first, first_dense), (second, second_dense) = held
        same(first, first_dense)  # no row has a velocity yet
        resting = [2]  # ids of the second batch are 3, 4 and 5
        touched = [3, 4, 5]
        same(second[touched], second_dense[touched])
        assert np.abs(second[touched] - first[touched]).max() > 1e-4
        np.testing.assert_array_equal(second[resting], first[resting])
        np.testing.assert_array_equal(
            np.delete(second, [2, *touched], 0), np.delete(params["item"]["rows"], [2, *touched], 0)
        )
        moved = second_dense[resting] - first_dense[resting]
        before = first_dense[resting] - np.asarray(params["item"]["rows"])[resting]
        same(moved, momentum * before)  # without a view it moves on by its velocity
        assert np.abs(before).min() > 1e-4
        jax.tree.map(same, {**state.params, "item": 0}, {**plain, "item": 0})
