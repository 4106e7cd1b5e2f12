"""The objective and the step against a dense reference that writes the score matrix out with all its repeats."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from scipy import stats

from seqjax import losses, optim
from seqjax.data.events import EventLog
from seqjax.data.plan import LanePlan, session_plan
from seqjax.models.gru4rec import GRU4Rec
from seqjax.nn.dropout import Noise
from seqjax.objectives.session import (
    SessionHparams,
    batch_negatives,
    popularity_negatives,
    session_batch,
    session_columns,
    session_corpus,
    session_objective,
)
from seqjax.train.step import init_train_state, make_chunk, make_step, per_lane
from seqjax.train.view import cut, table_sizes
from seqjax.types import Popularity, SessionBatch

ITEMS, LANES, LIVE = 40, 5, np.array([0, 1, 3, 4])
VIEWS = {
    "shared": {"item": ("item", "bias")},
    "separate": {"item": ("item", "bias", "input")},
    "onehot": {"item": ("item", "bias", "input")},
}
HPARAMS = SessionHparams(learning_rate=0.1, momentum=0.3, logq=0.5)


def random_batch(seed):
    """Repeats within and between inputs, targets and samples; lane 2 silent; lanes 0 and 3 begin a session."""
    random = np.random.default_rng(seed)
    live = np.isin(np.arange(LANES), LIVE)
    given, target = (np.where(live, random.integers(1, 13, LANES), 0) for _ in range(2))
    target[1] = target[0]
    sample = random.integers(1, 13, 6)
    sample[:3] = target[0], given[1], sample[3]
    log_count = np.log(np.arange(1, ITEMS + 1.0))
    return SessionBatch(
        ids={"item": {name: jnp.asarray(ids) for name, ids in zip(
            ("input", "target", "sample"), (given, target, sample), strict=True)}},
        fresh=jnp.array([True, False, False, True, False]),
        live=jnp.asarray(live),
        log_q={"target": jnp.float32(log_count[target - 1]), "sample": jnp.float32(0.5 * log_count[sample - 1])},
    )  # fmt: skip


def make(embedding, layers=(6,), loss=losses.cross_entropy):
    """Model, parameters none of which is zero, a carry of numbers, and the objective."""
    model = GRU4Rec(ITEMS, layers, embedding, 7 if embedding == "separate" else None)
    shapes = jax.eval_shape(model.init, jax.random.key(3))["params"]
    noise = np.random.default_rng(4)
    params = jax.tree.map(lambda leaf: jnp.asarray(noise.normal(0, 0.4, leaf.shape), jnp.float32), shapes)
    carry = tuple(jnp.float32(noise.normal(size=(LANES, h.shape[0]))) for h in model.init_state())
    return model, params, carry, partial(session_objective, model=model, loss=loss)


def unfolded(model):
    """Cross-entropy over the score matrix [live lanes, live targets then samples] of the whole tables, by hand."""

    def objective(params, carry, batch):
        ids = batch.ids["item"]
        state = tuple(jnp.where(batch.fresh[:, None], 0.0, h) for h in carry)
        step = jax.vmap(partial(model.apply, {"params": params}, method="step"))
        state = step(state, {"item": ids["input"]})
        column = jnp.concatenate([ids["target"][LIVE], ids["sample"]])
        log_q = jnp.concatenate([batch.log_q["target"][LIVE], batch.log_q["sample"]])
        total = 0.0
        for own, lane in enumerate(LIVE):
            r = params["item"]["rows"][column] @ state[-1][lane] + params["bias"]["rows"][column] - 0.5 * log_q
            total += jax.scipy.special.logsumexp(r) - r[own]
        return total / LANES, state

    return jax.jit(jax.value_and_grad(objective, has_aux=True))


def dense_step(params, memory, grads, touched, momentum):
    """Adagrad in numpy on the touched rows of every table and on all other weights; `memory` is updated in place."""
    new = {}
    for path, p in jax.tree.leaves_with_path(params):
        name = jax.tree_util.keystr(path, simple=True, separator=".")
        p, g = np.float64(p), np.float64(memory["grads"](grads, path))
        acc, velocity = memory.setdefault(name, (np.zeros_like(p), np.zeros_like(p)))
        moved = oracles.adagrad(p, g, acc, velocity, 0.1, momentum)
        if name.endswith(".rows"):
            here = np.isin(np.arange(len(p)), touched).reshape(-1, *[1] * (p.ndim - 1))
            moved = [np.where(here, after, before) for after, before in zip(moved, (p, acc, velocity), strict=True)]
        new[name], memory[name] = np.float32(moved[0]), tuple(moved[1:])
    return new


def at(tree, path):
    for entry in path:
        tree = tree[entry.key]
    return tree


def by_name(tree):
    leaves = jax.tree.leaves_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="."): np.asarray(leaf) for path, leaf in leaves}


@pytest.mark.parametrize("embedding", VIEWS)
def test_view_equals_whole_table(embedding):
    _, params, carry, objective = make(embedding)
    batch = random_batch(0)
    view = cut(batch.ids, VIEWS[embedding], {"item": jnp.zeros(ITEMS + 1, jnp.int32)}, {"item": ITEMS + 1})
    run = jax.jit(objective)
    whole, (whole_carry, _) = run(params, carry, batch, HPARAMS, jax.random.key(0))
    small, (small_carry, _) = run(view.rows(params), carry, batch.replace(ids=view.ids), HPARAMS, jax.random.key(0))
    np.testing.assert_allclose(small, whole, rtol=1e-6)
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-6), small_carry, whole_carry)


def test_a_table_in_no_view_is_refused():
    """It would be read with ids that number the rows of another table."""
    _, params, _, _ = make("separate")
    with pytest.raises(ValueError, match=r"\['input'\] are in no view"):
        table_sizes(params, VIEWS["shared"])
    assert table_sizes(params, VIEWS["separate"]) == {"item": ITEMS + 1}


@pytest.mark.parametrize(("embedding", "optimizer", "slots"), [
    ("shared", optim.adagrad_momentum, True),
    ("shared", optim.adagrad_momentum, False),
    ("shared", optim.adagrad, True),
    ("separate", optim.adagrad_momentum, True),
    ("onehot", optim.adagrad_momentum, True),
])  # fmt: skip
def test_steps_equal_the_dense_reference(embedding, optimizer, slots):
    """Two steps: duplicates summed, eps inside the root, accumulators from 0, heavy ball, nothing flows back in time.

    Untouched rows, their accumulators and velocities keep every bit; silent lanes move nothing. `slots=False` is the
    mode of a table no larger than the batch: the view is the whole table, and the mathematics the same.
    """
    model, params, carry, objective = make(embedding)
    first, second = random_batch(0), random_batch(1)
    state = init_train_state(jax.random.key(5), params, optimizer, HPARAMS, carry, VIEWS[embedding])
    assert set(state.slot) == {"item"}
    state = state if slots else state.replace(slot={})
    step = jax.jit(make_step(objective, optimizer, VIEWS[embedding]))
    momentum = 0.3 if optimizer is optim.adagrad_momentum else 0.0
    dense = unfolded(model)
    expected, memory, previous = params, {"grads": at}, carry
    for batch in (first, second):
        before = state
        (loss, previous), grads = dense(expected, previous, batch)
        touched = np.concatenate([np.ravel(ids) for ids in jax.tree.leaves(batch.ids)])
        names = dense_step(expected, memory, grads, touched, momentum)
        expected = jax.tree.unflatten(jax.tree.structure(expected), [jnp.asarray(leaf) for leaf in names.values()])
        state, metrics = step(state, batch, HPARAMS)
        np.testing.assert_allclose(metrics["loss"] / LANES, loss, rtol=1e-5)
        np.testing.assert_allclose(state.carry[0], previous[0], atol=1e-5)
        for name, leaf in by_name(state.params).items():
            np.testing.assert_allclose(leaf, names[name], atol=2e-6, err_msg=name)
        accumulator = by_name(state.opt_state[0].sum_of_squares)
        velocity = by_name(state.opt_state[2].trace) if momentum else {}
        for name, leaf in accumulator.items():
            np.testing.assert_allclose(leaf, memory[name][0], atol=1e-6, err_msg=name)
        for name, leaf in velocity.items():
            np.testing.assert_allclose(leaf, memory[name][1], atol=2e-6, err_msg=name)
        untouched = np.setdiff1d(np.arange(ITEMS + 1), touched)
        tables = zip(by_name((before.params, before.opt_state)).items(),
                     by_name((state.params, state.opt_state)).values(), strict=True)  # fmt: skip
        for (name, old), new in tables:
            if name.endswith(".rows"):
                np.testing.assert_array_equal(old[untouched], new[untouched], err_msg=name)
                np.testing.assert_array_equal(new[0], old[0], err_msg=f"padding of {name}")


@pytest.mark.parametrize("loss", [losses.cross_entropy, losses.bpr_max])
def test_reset_before_the_first_step_in_every_layer(loss):
    """A fresh lane computes what it computes from a zero state, whatever its layers carried."""
    _, params, carry, objective = make("shared", (5, 6), loss)
    run = jax.jit(objective)
    batch = random_batch(0)
    zeroed = tuple(jnp.where(batch.fresh[:, None], 0.0, h) for h in carry)
    one = run(params, carry, batch, HPARAMS, jax.random.key(0))
    two = run(params, zeroed, batch, HPARAMS, jax.random.key(0))
    jax.tree.map(np.testing.assert_array_equal, one, two)
    three = run(params, carry, batch.replace(fresh=jnp.zeros(LANES, bool)), HPARAMS, jax.random.key(0))
    for layer in range(2):
        assert (np.abs(three[1][0][layer] - one[1][0][layer]).max(axis=1) > 1e-3).tolist() == batch.fresh.tolist()


def test_silent_lanes_change_nothing_and_lanes_permute():
    _, params, carry, objective = make("shared")
    batch = random_batch(0)
    grad = jax.jit(jax.value_and_grad(objective, has_aux=True))
    (loss, (after, metrics)), grads = grad(params, carry, batch, HPARAMS, jax.random.key(0))
    np.testing.assert_allclose(loss, metrics["loss"] / LANES, rtol=1e-6)  # the configured lanes, not the live ones
    assert metrics["events"] == 4

    other = tuple(jnp.where(batch.live[:, None], h, 9.0) for h in carry)
    changed = batch.replace(fresh=batch.fresh.at[2].set(True))
    (again, _), same = grad(params, other, changed, HPARAMS, jax.random.key(0))
    np.testing.assert_array_equal(again, loss)
    jax.tree.map(np.testing.assert_array_equal, same, grads)

    order = np.array([3, 0, 4, 2, 1])
    ids = batch.ids["item"]
    moved = batch.replace(
        ids={"item": {"input": ids["input"][order], "target": ids["target"][order], "sample": ids["sample"]}},
        fresh=batch.fresh[order],
        live=batch.live[order],
        log_q={**batch.log_q, "target": batch.log_q["target"][order]},
    )
    (permuted, (carried, _)), same = grad(params, (carry[0][order],), moved, HPARAMS, jax.random.key(0))
    np.testing.assert_allclose(permuted, loss, rtol=1e-6)
    np.testing.assert_allclose(carried[0], after[0][order], atol=1e-6)
    jax.tree.map(partial(np.testing.assert_allclose, atol=1e-6), same, grads)


def test_dropped_state_is_carried_and_scored():
    model, params, carry, objective = make("shared")
    batch = random_batch(0)
    hparams = SessionHparams(dropout_embedding=0.2, dropout_hidden=0.5)
    _, (after, _) = jax.jit(objective)(params, carry, batch, hparams, jax.random.key(7))
    rates = {"embedding": 0.2, "hidden": 0.5}

    def one(state, item, fresh, key):
        state = jax.tree.map(lambda h: jnp.where(fresh, 0.0, h), state)
        return model.apply({"params": params}, state, {"item": item}, Noise(key, rates), method="step")

    keys = jax.random.split(jax.random.key(7), LANES)
    expected = jax.jit(jax.vmap(one))(carry, batch.ids["item"]["input"], batch.fresh, keys)
    np.testing.assert_allclose(after[0], expected[0], atol=1e-6)
    assert 0.2 < np.mean(after[0] == 0.0) < 0.8


def test_columns_count_live_targets_and_all_samples():
    batch = random_batch(0)
    columns = session_columns(batch, 0.5, ITEMS + 1)
    ids = {name: np.asarray(value) for name, value in batch.ids["item"].items()}
    lanes = np.flatnonzero(batch.live)
    pairs = [(ids["target"][lane], batch.log_q["target"][lane]) for lane in lanes]
    pairs += list(zip(ids["sample"], batch.log_q["sample"], strict=True))
    for row in range(ITEMS + 1):
        shifts = [-0.5 * float(q) for item, q in pairs if item == row]
        assert columns.count[row] == len(shifts)
        np.testing.assert_allclose(columns.weight[row], np.exp(shifts).sum(), rtol=1e-6)
        np.testing.assert_allclose(columns.shift[row], np.sum(shifts), rtol=1e-5, atol=1e-6)
    for lane in lanes:
        np.testing.assert_allclose(columns.own[ids["target"][lane]], -0.5 * batch.log_q["target"][lane], rtol=1e-6)
    assert columns.total == len(pairs)


def tiny_log(seed=0, sessions=30, items=ITEMS):
    random = np.random.default_rng(seed)
    offsets = np.concatenate([[0], np.cumsum(random.integers(2, 6, sessions))])
    share = 1.0 / np.arange(1, items + 1)
    item = random.choice(items, offsets[-1], p=share / share.sum()) + 1
    return EventLog(offsets, {"item": item.astype(np.int32)}, {"item": np.arange(items).astype(str)})


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_sample_frequencies_are_counts_to_the_alpha(alpha):
    log = tiny_log(items=12, sessions=200)
    corpus = jax.device_put(session_corpus(log, alpha=alpha))
    row = jax.tree.map(lambda leaf: jnp.asarray(leaf[0]), session_plan(log, lanes=4))
    batch = session_batch(corpus, row)
    drawn = popularity_negatives(jax.random.key(1), batch, HPARAMS, count=200_000)
    sample = np.asarray(drawn.ids["item"]["sample"])
    assert sample.shape == (200_000,)  # shared by all lanes
    counts = log.counts("item")[1:]
    weight = counts.astype(float) ** alpha
    seen = np.bincount(sample, minlength=13)
    assert seen[0] == 0
    assert stats.chisquare(seen[1:], weight / weight.sum() * seen.sum()).pvalue > 1e-3
    np.testing.assert_allclose(drawn.log_q["sample"], alpha * np.log(counts[sample - 1]), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(drawn.log_q["target"], np.log(counts[batch.ids["item"]["target"] - 1]), rtol=1e-6)
    alone = batch_negatives(jax.random.key(1), batch, HPARAMS)
    assert set(alone.ids["item"]) == {"input", "target"} and set(alone.log_q) == {"target"}


def test_alpha_beyond_its_range_is_refused():
    with pytest.raises(ValueError, match=r"alpha=1\.5"):
        session_corpus(tiny_log(), alpha=1.5)


def test_batch_holds_the_current_and_the_next_item_and_zero_where_silent():
    log = tiny_log()
    plan = session_plan(log, lanes=3)
    corpus = jax.device_put(session_corpus(log))
    item = log.columns["item"]
    for step in (0, plan.steps - 1):
        batch = session_batch(corpus, jax.tree.map(lambda leaf, step=step: jnp.asarray(leaf[step]), plan))
        position, live = plan.position[step], plan.live[step]
        assert batch.ids["item"]["input"].tolist() == np.where(live, item[position], 0).tolist()
        assert batch.ids["item"]["target"].tolist() == np.where(live, item[position + 1], 0).tolist()


def chunk_of(items, lanes=8, count=64, optimizer=optim.adagrad_momentum):
    """The chunk, and the shapes that it is compiled for, without any table."""
    model = GRU4Rec(items, 16)
    draw = partial(popularity_negatives, count=count)
    hparams = jax.tree.map(jnp.float32, SessionHparams(momentum=0.1, dropout_hidden=0.1))
    step = make_step(
        partial(session_objective, model=model, loss=losses.cross_entropy), optimizer, VIEWS["shared"], draw
    )

    def arguments(key):
        params = model.init(jax.random.key(0))["params"]
        carry = per_lane(model.init_state(), lanes)
        return init_train_state(key, params, optimizer, hparams, carry, VIEWS["shared"])

    return make_chunk(step, session_batch), arguments, hparams


def test_temporary_memory_does_not_grow_with_the_catalogue():
    """A silent copy of a table, or scores of all items, would show here."""
    needed = []
    for items in (17_000, 1_000_000):
        chunk, state, hparams = chunk_of(items)
        shape = jax.ShapeDtypeStruct
        popularity = Popularity(
            *(shape((items,), kind) for kind in ("float32", "int32", "float32")), shape((), "float32")
        )
        corpus = {"item": shape((5000,), "int32"), "popularity": popularity}
        corpus = session_corpus(tiny_log())._replace(**corpus)
        rows = LanePlan(*(shape((10, 8), kind) for kind in ("int32", "bool", "bool")))
        compiled = chunk.lower(jax.eval_shape(state, jax.random.key(0)), rows, corpus, hparams).compile()
        needed.append(compiled.memory_analysis().temp_size_in_bytes)
    assert needed[1] <= 1.01 * needed[0], needed


def test_one_program_serves_all_chunks_and_settings():
    log = tiny_log()
    chunk, state, hparams = chunk_of(ITEMS, lanes=4, count=6)
    plan = session_plan(log, lanes=4)
    corpus, state = jax.device_put(session_corpus(log)), state(jax.random.key(0))
    state = state.replace(carry=jax.tree.map(jnp.array, state.carry))
    for begin, rate in ((0, 0.1), (5, 0.05), (10, 0.2)):
        rows = jax.tree.map(lambda leaf, begin=begin: leaf[begin : begin + 5], plan)
        state, metrics = chunk(state, rows, corpus, hparams.replace(learning_rate=jnp.float32(rate)))
        assert metrics["loss"].shape == (5,)
    assert chunk._cache_size() == 1
    assert state.step == 15 and state.healthy


def test_negatives_are_uniform_over_a_large_catalogue():
    """Scaling a float32 in [0, 1) would favour the items that hold 17 of its 2^24 steps over those that hold 16."""
    items, count = 1_000_003, 2_000_000
    popularity = Popularity(jnp.ones(items), jnp.arange(items), jnp.zeros(items), jnp.float32(0.0))
    ids = {"item": {"input": jnp.ones(1, jnp.int32), "target": jnp.ones(1, jnp.int32)}}
    batch = SessionBatch(ids, jnp.array([True]), jnp.array([True]), popularity=popularity)
    drawn = popularity_negatives(jax.random.key(0), batch, HPARAMS, count=count).ids["item"]["sample"]
    assert (drawn.min() >= 1) & (drawn.max() <= items)
    scaled = np.arange(2**24, dtype=np.float32) * np.float32(2.0**-24) * np.float32(items)
    favoured = np.bincount(np.minimum(scaled.astype(np.int32), items - 1), minlength=items) > 16
    share = favoured.mean()
    assert abs(favoured[np.asarray(drawn) - 1].mean() - share) < 4.0 * np.sqrt(share * (1.0 - share) / count)
