"""The model against a plain restatement of its equations, and the laws of a sequence model."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest

from seqjax.models.gru4rec import GRU4Rec
from seqjax.nn.dropout import Noise

ITEMS, TIME = 9, 6


def make(seed=0, **fields):
    """A model, parameters none of which is zero, and a state of numbers."""
    model = GRU4Rec(ITEMS, **fields)
    random = np.random.default_rng(seed)
    shapes = jax.eval_shape(model.init, jax.random.key(seed))["params"]
    params = jax.tree.map(lambda leaf: jnp.asarray(random.normal(0, 0.4, leaf.shape), jnp.float32), shapes)
    state = tuple(jnp.float32(random.normal(size=h.shape)) for h in model.init_state())
    return model, params, state, jnp.asarray(random.integers(1, ITEMS + 1, TIME))


def call(model, params, *arguments, method):
    return jax.jit(partial(model.apply, method=method))({"params": params}, *arguments)


@pytest.mark.parametrize("fields", [
    {"features": 4},
    {"features": 4, "reset_after": True},
    {"features": (5, 4), "embedding": "separate"},
    {"features": (4, 4, 3), "embedding": "separate", "embedding_features": 2, "reset_after": True},
    {"features": (5, 4), "embedding": "onehot", "feedforward": (6, 3)},
    {"features": 4, "embedding": "onehot", "reset_after": True},
    {"features": (4, 6), "feedforward": (5,)},
], ids=str)  # fmt: skip
def test_forward_equals_the_equations(fields):
    model, params, state, items = make(**fields)
    last, states = call(model, params, state, {"item": items}, jnp.ones(TIME, bool), method="encode")
    scores = call(model, params, last, method="read")
    how = {key: value for key, value in fields.items() if key in ("embedding", "reset_after")}
    exact = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
    expected, expected_scores = oracles.gru4rec(exact, items.tolist(), state, **how)
    for layer in range(len(state)):
        np.testing.assert_allclose(states[layer], [s[layer] for s in expected], atol=2e-6)
        np.testing.assert_array_equal(last[layer], states[layer][-1])
    np.testing.assert_allclose(scores, expected_scores, atol=5e-6)
    targets = jax.vmap(lambda item: model.apply({"params": params}, last, {"item": item}, method="read"))
    np.testing.assert_allclose(targets(jnp.arange(ITEMS + 1)), scores, atol=2e-6)


@pytest.mark.parametrize("embedding", ["shared", "separate", "onehot"])
@pytest.mark.parametrize("noisy", [False, True], ids=["evaluation", "noise"])
def test_folding_step_is_encode(embedding, noisy):
    """From any state, over layers, with events that do not count; noise of step t is that of `noise.at(t)`."""
    model, params, state, items = make(features=(4, 4), embedding=embedding)
    valid = jnp.array([True, False, True, True, False, True])
    rates = {"embedding": 0.3, "hidden": 0.4}

    def noise():
        return Noise(jax.random.key(5), rates) if noisy else None

    step = jax.jit(partial(model.apply, method="step"))
    folded, after = state, []
    for index in range(TIME):
        if valid[index]:
            here = noise().at(index) if noisy else None
            folded = step({"params": params}, folded, {"item": items[index]}, here)
        after.append(folded)
    last, states = call(model, params, state, {"item": items}, valid, noise(), method="encode")
    for layer in range(2):
        np.testing.assert_allclose(states[layer], np.stack([s[layer] for s in after]), atol=1e-6)
        np.testing.assert_allclose(last[layer], folded[layer], atol=1e-6)


def test_padding_content_and_amount_change_nothing():
    model, params, state, items = make(features=4)
    short, _ = call(model, params, state, {"item": items}, jnp.ones(TIME, bool), method="encode")
    for padding in (0, 3):
        longer = jnp.concatenate([items, jnp.full(4, padding)])
        last, _ = call(model, params, state, {"item": longer}, jnp.arange(TIME + 4) < TIME, method="encode")
        np.testing.assert_allclose(last[0], short[0], atol=1e-7)


def test_no_state_depends_on_a_later_event():
    """By gradient: states up to t do not move with the input rows of events after t, and do with those before."""
    model, params, state, _ = make(features=4, embedding="separate")
    items = jnp.arange(1, TIME + 1)  # every event its own row

    def states(rows):
        changed = {**params, "input": {"rows": rows}}
        return model.apply({"params": changed}, state, {"item": items}, jnp.ones(TIME, bool), method="encode")[1][0]

    moves = np.abs(jax.jit(jax.jacobian(states))(params["input"]["rows"])).max(axis=(1, 3))  # state by row
    earlier = np.tril(np.ones((TIME, TIME), bool))
    assert (moves[:, 1 : TIME + 1][~earlier] == 0).all()
    assert (moves[:, 1 : TIME + 1][earlier] > 0).all()
    assert (moves[:, 0] == 0).all()


@pytest.mark.parametrize("embedding", ["shared", "separate", "onehot"])
def test_input_is_a_gather_and_no_product_with_the_vocabulary(embedding):
    model = GRU4Rec(1000, (4, 4), embedding)
    params = jax.eval_shape(model.init, jax.random.key(0))["params"]
    event = {"item": jnp.int32(7)}
    program = jax.make_jaxpr(partial(model.apply, method="step"))({"params": params}, model.init_state(), event)
    assert products(program.jaxpr)
    assert not any(size in (1000, 1001) for shape in products(program.jaxpr) for size in shape)
    program = jax.make_jaxpr(partial(model.apply, method="read"))({"params": params}, model.init_state())
    assert any(1001 in shape for shape in products(program.jaxpr))  # the test sees what it looks for


def products(jaxpr):
    """Shapes that go into matrix products, inner programs included."""
    shapes = []
    for equation in jaxpr.eqns:
        if equation.primitive.name == "dot_general":
            shapes += [value.aval.shape for value in equation.invars]
        for inner in jax.tree.leaves(
            equation.params, is_leaf=lambda leaf: hasattr(leaf, "eqns") or hasattr(leaf, "jaxpr")
        ):
            if hasattr(inner, "eqns") or hasattr(inner, "jaxpr"):
                shapes += products(getattr(inner, "jaxpr", inner))
    return shapes


@pytest.mark.parametrize("fields", [{}, {"embedding": "onehot"}, {"embedding": "separate"}], ids=str)
def test_weights_start_within_their_bounds(fields):
    """x = sqrt(6 / (rows + columns)) of one gate's own matrix, rows of a table being V; biases and padding zero."""
    items, features = 300, 40
    params = jax.jit(GRU4Rec(items, features, **fields).init)(jax.random.key(1))["params"]
    square, table = (6 / (2 * features)) ** 0.5, (6 / (items + features)) ** 0.5
    close(params["item"]["rows"][1:], table)
    assert not params["item"]["rows"][0].any() and not params["bias"]["rows"].any()
    cell = params["cells_0"]
    assert not cell["bias"].any()
    for gate in np.split(np.asarray(cell["recurrent"]), 3, axis=1):
        close(gate, square)
    if fields.get("embedding") == "onehot":
        assert "kernel" not in cell
        for gate in np.split(np.asarray(params["input"]["rows"][1:]), 3, axis=1):
            close(gate, table)
        return
    for gate in np.split(np.asarray(cell["kernel"]), 3, axis=1):
        close(gate, square)


def close(weights, bound):
    """Within the bound, and filling it evenly."""
    assert np.abs(weights).max() <= bound
    assert np.abs(weights).max() > 0.98 * bound
    np.testing.assert_allclose(np.std(weights), bound / 3**0.5, rtol=0.05)
    assert abs(np.mean(weights)) < 0.05 * bound


def count(items, **fields):
    """Parameters, padding rows left out as published counts do."""
    params = jax.eval_shape(GRU4Rec(items, **fields).init, jax.random.key(0))["params"]
    padding = sum(leaf.size // leaf.shape[0] for path, leaf in jax.tree.leaves_with_path(params) if "rows" in str(path))
    return sum(leaf.size for leaf in jax.tree.leaves(params)) - padding


def test_parameter_counts():
    v, h = 1000, 10
    gru = 3 * (h * h + h * h + h)
    assert count(v, features=h) == v * h + v + gru
    assert count(v, features=h, reset_after=True) == v * h + v + gru + 3 * h
    assert count(v, features=h, embedding="separate") == 2 * v * h + v + gru
    assert count(v, features=h, embedding="separate", embedding_features=4) == v * (h + 4) + v + 3 * (4 * h + h * h + h)
    assert count(v, features=h, embedding="onehot") == v * h + v + v * 3 * h + 3 * (h * h + h)
    assert count(v, features=(h, 7)) == v * 7 + v + 3 * (7 * h + h * h + h) + 3 * (h * 7 + 7 * 7 + 7)
    assert count(v, features=h, feedforward=(5,)) == v * 5 + v + 3 * (5 * h + h * h + h) + h * 5 + 5


def test_dropout_has_two_rates_and_the_dropped_state_is_carried():
    model, params, state, items = make(features=(60, 60))
    event = {"item": items[0]}

    def step(embedding, hidden):
        rates = {"embedding": jnp.float32(embedding), "hidden": jnp.float32(hidden)}
        return run({"params": params}, state, event, Noise(jax.random.key(2), rates))

    run = jax.jit(partial(model.apply, method="step"))
    plain = call(model, params, state, event, method="step")
    jax.tree.map(partial(np.testing.assert_allclose, atol=1e-6), step(0.0, 0.0), plain)
    below = step(0.0, 0.5)[0]
    dropped = np.asarray(below == 0.0)
    assert 0.2 < dropped.mean() < 0.8
    np.testing.assert_allclose(below[~dropped], 2.0 * plain[0][~dropped], rtol=1e-5)
    assert not (step(0.9, 0.0)[0] == 0.0).any()  # the embedding's rate leaves the state's entries alone
    assert np.abs(step(0.9, 0.0)[0] - plain[0]).max() > 1e-3


def test_onehot_rate_chooses_between_the_two_published_forms():
    for choice, drops in (("hidden", False), ("embedding", True)):
        model, params, state, items = make(features=(60, 8), embedding="onehot", onehot_rate=choice)
        noise = Noise(jax.random.key(2), {"embedding": 0.5, "hidden": 0.0})
        after = call(model, params, state, {"item": items[0]}, noise, method="step")
        assert bool((after[0] == 0.0).any()) == drops
        assert not (after[1] == 0.0).any()


def test_unknown_embedding_names_the_valid_ones():
    with pytest.raises(ValueError, match="'shared', 'separate' or 'onehot'"):
        jax.eval_shape(GRU4Rec(5, embedding="none").init, jax.random.key(0))
