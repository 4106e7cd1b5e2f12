from functools import cache, partial

import jax
import numpy as np
import oracles
import pytest

from seqjax.models.dien import DIEN

SIZES = (("item", 6), ("category", 3), ("user", 2))
BOTH = ("item", "category")
EVENTS = {"item": np.array([4, 3, 1, 6, 2]), "category": np.array([2, 1, 2, 3, 3])}
VALID = np.array([True, True, True, False, True])
TARGET = {"item": np.int32(5), "category": np.int32(2), "user": np.int32(1)}
FORMS = ["paper", "release", "agru", "aigru"]


@cache
def make(**form):
    """A model with a window of three, and parameters none of which is zero."""
    model = DIEN(SIZES, BOTH, width=3, hidden=4, window=3, head=(5, 2), **form)
    shapes, random = jax.eval_shape(model.init, jax.random.key(0))["params"], np.random.default_rng(0)
    return model, jax.tree.map(lambda leaf: random.normal(0, 0.7, leaf.shape), shapes)


@partial(
    jax.jit, static_argnums=(0, 2), static_argnames="weights", compiler_options={"xla_backend_optimization_level": 0}
)
def call(model, params, method, *arguments, **options):
    return model.apply({"params": params}, *arguments, **options, method=method)


def encode(model, params, valid=VALID):
    return call(model, params, "encode", model.init_state(), EVENTS, valid)


def events(valid=VALID):
    return [{name: ids[time] for name, ids in EVENTS.items()} for time in np.flatnonzero(valid)]


def interests(params, events):
    """Interest after every event, and the vectors of the events."""
    x = [oracles.features(params["embed"], event, BOTH) for event in events]
    states = [np.zeros(4)]
    for now in x:
        states.append(oracles.keep_gru(params["extract"], states[-1], now))
    return np.array(states[1:]), np.array(x)


def attention(params, v, h):
    q = oracles.dense(params["ask"], v)
    return oracles.softmax(oracles.relevance(params["relevance"], np.where(q > 0, q, params["slope"] * q), h))


def evolve(params, h, attention, augru):
    """The update of each form as it is written: u writes in the paper and keeps in the release."""
    e, p = np.zeros(4), params["evolve"]
    for x, a in zip(h, attention, strict=True):
        keep, c = oracles.keep_gates(p, e, a * x if augru == "aigru" else x)
        u = {"paper": a * (1 - keep), "release": (1 - a) * keep, "agru": a, "aigru": keep}[augru]
        e = (1 - u) * e + u * c if augru in ("paper", "agru") else u * e + (1 - u) * c
    return e


@pytest.mark.parametrize("few", [False, True])
@pytest.mark.parametrize(("augru", "candidate"), [*zip(FORMS, [(), ("user",)] * 2, strict=True)], ids=str)
def test_equals_the_equations(augru, candidate, few):
    model, params = make(augru=augru, candidate=candidate)
    valid = VALID & (np.arange(5) >= 3 * few)  # one event only, or more than the window holds
    (h, x), v = interests(params, events(valid)), oracles.features(params["embed"], TARGET, candidate or BOTH)
    s, h = x.sum(axis=0), h[-3:]
    product = s @ params["project"]["kernel"] if candidate else s
    final = evolve(params, h, attention(params, v, h), augru)
    expected = oracles.perceptron(params["perceptron"], np.concatenate([v, s, product * v, final]), oracles.elu)
    state, _ = encode(model, params, valid)
    np.testing.assert_allclose(call(model, params, "read", state, TARGET), expected, rtol=2e-5, atol=1e-5)


def test_release_reads_the_target_as_the_last_event():
    model, params = make(form="release", augru="release", normalise="affine")
    h, v = interests(params, [*events(), TARGET])[0][-3:], oracles.features(params["embed"], TARGET, BOTH)
    final = evolve(params, h, attention(params, v, h), "release")
    expected = oracles.perceptron(params["perceptron"], final, np.tanh)
    state, _ = encode(model, params)
    np.testing.assert_allclose(call(model, params, "read", state, TARGET), expected, rtol=2e-5, atol=1e-5)


@pytest.mark.parametrize("augru", FORMS)
@pytest.mark.parametrize("attention", [0.0, 1.0])
def test_evolution_without_and_with_all_attention(augru, attention):
    """At 0 the paper keeps the old state, the release is a plain GRU; at 1 these are a plain GRU and the candidate."""
    model, params = make(augru=augru)
    h = np.random.default_rng(1).normal(size=(3, 4))
    final = call(model, params, "evolved", h, np.full(3, attention), np.ones(3, bool))
    plain = fresh = blind = np.zeros(4)
    for now in h:
        plain = oracles.keep_gru(params["evolve"], plain, now)
        fresh = oracles.keep_gates(params["evolve"], fresh, now)[1]
        blind = oracles.keep_gru(params["evolve"], blind, np.zeros(4))  # inputs are weighed, hence zero
    expected = {
        "paper": (np.zeros(4), plain),
        "release": (plain, fresh),
        "agru": (np.zeros(4), fresh),
        "aigru": (blind, plain),
    }[augru][int(attention)]
    np.testing.assert_allclose(final, expected, atol=1e-5)
    if augru == "paper" and attention == 0.0:
        np.testing.assert_array_equal(final, 0.0)


def test_places_without_an_event_do_not_evolve():
    model, params = make()
    h, there = np.random.default_rng(2).normal(size=(3, 4)), np.array([False, True, True])
    run = partial(call, model, params, "evolved")
    final = run(h, np.array([0.9, 0.5, 0.2]), there)
    np.testing.assert_allclose(final, evolve(params, h[1:], [0.5, 0.2], "paper"), atol=1e-5)
    np.testing.assert_array_equal(run(h, np.zeros(3), np.zeros(3, bool)), 0.0)


def test_nobody_attends_to_an_empty_life():
    model, params = make()
    state, _ = encode(model, params, np.zeros(5, bool))
    weights = call(model, params, "read", state, TARGET, weights=True)
    np.testing.assert_array_equal(weights, 0.0)


@pytest.mark.parametrize("normalise", ["layer", "affine"])
def test_auxiliary_judges_the_next_event_and_what_was_drawn_for_it(normalise):
    model, params = make(normalise=normalise)
    drawn = {"item": np.array([1, 2, 3, 5, 4], np.int32)}  # the category stays the event's own
    _, states = encode(model, params)
    judge = partial(call, model, params, "auxiliary")
    taken, other, counts = judge(states, EVENTS, drawn, VALID)
    np.testing.assert_array_equal(counts, [True, True, True, False, False])
    h, x = interests(params, events())
    negative = [{**event, "item": item} for event, item in zip(events(), drawn["item"][VALID], strict=True)]
    drawn = [oracles.features(params["embed"], event, BOTH) for event in negative]
    for index in range(3):
        for logit, then in ((taken, x), (other, drawn)):
            pair = np.concatenate([h[index], then[index + 1]])
            expected = oracles.perceptron(params["follows"], pair, oracles.sigmoid)
            np.testing.assert_allclose(logit[index], expected, atol=1e-5)
    for few in (np.zeros(5, bool), np.arange(5) == 2):
        assert not judge(encode(model, params, few)[1], EVENTS, {}, few)[2].any()


def test_the_release_has_no_auxiliary_loss():
    model, params = make(form="release")
    assert "follows" not in params
    with pytest.raises(ValueError, match='form="release" has no auxiliary loss'):
        call(model, params, "auxiliary", encode(model, params)[1], EVENTS, {}, VALID)
