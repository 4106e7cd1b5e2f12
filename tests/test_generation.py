"""Drawn series: each has its own key, and together they follow the law that they were drawn from."""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from seqjax.data.process import Process, echo, exact_ngrams, true_next_dist
from seqjax.generation import Chooser, draw, generate
from seqjax.models.automaton import automaton
from seqjax.models.next_action import NextAction
from seqjax.nn.recurrence import GRU

LAW = np.array([0.0, 0.5, 0.25, 0.125, 0.125])  # three actions, and the end as the fourth symbol


def hand_made(law=LAW):
    """A model with one law for every next symbol."""
    return automaton(Process(np.array([law]), np.zeros((1, len(law)), int), np.array(["a", "b", "c"])))


@cache
def drawn(n=20_000, seed=0):
    return generate(*automaton(echo()), jax.random.key(seed), n)


def series(made):
    return [made.item[first:end].tolist() for first, end in zip(made.offsets, made.offsets[1:], strict=False)]


@pytest.mark.parametrize(("n", "lanes"), [(60, 1), (60, 7), (60, 1000), (23, 7)])
def test_a_series_depends_on_its_key_and_number_alone(n, lanes):
    """One by one, many at once, or with fewer others: series s is the same."""
    made = generate(*automaton(echo()), jax.random.key(0), n, lanes=lanes)
    assert series(made) == series(drawn())[:n] and not made.cut.any()


def test_a_recurrent_model_draws_the_same_series_on_any_number_of_lanes():
    model = NextAction(5, partial(GRU, features=(4,)))
    params = jax.jit(model.init)(jax.random.key(1))["params"]
    one, two = (generate(model, params, jax.random.key(0), 40, lanes=lanes, max_len=30) for lanes in (1, 16))
    assert series(one) == series(two) and len(np.unique(one.item)) == 5


def test_another_key_gives_other_series():
    one, two = (series(generate(*hand_made(), jax.random.key(seed), 50)) for seed in (1, 2))
    assert one != two and len(one) == len(two) == 50


def test_series_of_the_true_process_follow_its_law():
    """Shares of n-grams of actions and the end, and the mean length: ten actions."""
    made = drawn()
    lengths = np.diff(made.offsets)
    assert abs(lengths.mean() - 10.0) < 4.0 * lengths.std() / np.sqrt(len(lengths))
    symbols = np.insert(made.item, made.offsets[1:], 11)
    for n in (1, 2, 3):
        gram = np.stack([symbols[at : len(symbols) - n + 1 + at] for at in range(n)], axis=1)
        gram = gram[~np.isin(gram[:, :-1], 11).any(axis=1)]  # none goes on beyond an end
        kinds, counts = np.unique(gram, axis=0, return_counts=True)
        exact = exact_ngrams(echo(), n)
        assert {tuple(kind) for kind in kinds.tolist()} <= set(exact)
        expected = np.array([exact[tuple(kind)] for kind in kinds.tolist()]) * len(gram)
        chi = ((counts - expected) ** 2 / expected).sum()
        assert chi < 3.0 * len(exact), (n, chi)  # symbols of a series depend on each other: no exact quantile


def test_a_prefix_is_kept_and_goes_on_by_the_law():
    prefix = [2, 3, 4]
    made = generate(*automaton(echo()), jax.random.key(3), 4000, prefix=prefix)
    after = [given[3] if len(given) > 3 else 11 for given in series(made)]
    assert all(given[:3] == prefix for given in series(made))
    law = true_next_dist(echo(), prefix)  # 11: .1, 3: .4, 5: .5
    seen = np.bincount(after, minlength=12)
    assert not seen[law == 0.0].any()
    assert stats.chisquare(seen[law > 0.0], 4000 * law[law > 0.0]).pvalue > 1e-3


def first_symbols(n=4000, **settings):
    """How often every symbol comes first."""
    made = generate(*hand_made(), jax.random.key(4), n, max_len=1, **settings)
    return np.bincount([given[0] if given else 4 for given in series(made)], minlength=5)


@pytest.mark.parametrize(("settings", "law"), [
    ({}, LAW),
    ({"temperature": 0.5}, LAW**2 / (LAW**2).sum()),
    ({"temperature": 2.0}, LAW**0.5 / (LAW**0.5).sum()),
    ({"top_k": 1}, [0, 1, 0, 0, 0]),
    ({"top_k": 2}, [0, 2 / 3, 1 / 3, 0, 0]),
    ({"top_k": 3}, LAW),  # the third and the fourth tie
    ({"top_k": 99}, LAW),
    ({"top_p": 0.4}, [0, 1, 0, 0, 0]),
    ({"top_p": 0.5}, [0, 1, 0, 0, 0]),  # reached exactly
    ({"top_p": 0.51}, [0, 2 / 3, 1 / 3, 0, 0]),
    ({"top_p": 0.8}, LAW),  # one of the two that tie would do
    ({"top_p": 1.0}, LAW),
    ({"top_k": 2, "top_p": 0.6, "temperature": 0.5}, [0, 1, 0, 0, 0]),  # .8 and .2 are left after top_k
], ids=str)  # fmt: skip
def test_settings_choose_among_the_likeliest(settings, law):
    with np.errstate(divide="ignore"):
        said = np.asarray(Chooser(**settings).law(jnp.log(jnp.float32(LAW))))
    np.testing.assert_allclose(said, law, atol=1e-6)
    np.testing.assert_allclose(said.sum(), 1.0, atol=1e-6)


@pytest.mark.parametrize("settings", [{}, {"top_k": 1}, {"top_k": 2, "temperature": 2.0}, {"top_p": 0.6}], ids=str)
def test_series_are_drawn_with_these_settings(settings):
    law = np.asarray(Chooser(**settings).law(jnp.log(jnp.float32(LAW))), np.float64)
    seen, law = first_symbols(**settings), law / law.sum()
    assert not seen[law == 0.0].any()
    assert stats.chisquare(seen[law > 0.0], 4000 * law[law > 0.0]).pvalue > 1e-3 or (law == 1.0).any()


def test_max_len_cuts_and_says_so():
    made = generate(*automaton(echo()), jax.random.key(0), 500, max_len=5)
    whole = series(drawn())[:500]
    assert series(made) == [given[:5] for given in whole]
    assert made.cut.tolist() == [len(given) >= 5 for given in whole]  # the fifth action leaves no room for an end
    assert 0.3 < made.cut.mean() < 0.9 and not drawn().cut.any()


def test_none_at_all_is_an_empty_log():
    made = generate(*hand_made(), jax.random.key(0), 0)
    assert made.offsets.tolist() == [0] and len(made.item) == len(made.cut) == 0
    assert made.log(np.array(["a", "b", "c"])).sequences == 0


def test_series_are_a_log():
    log = drawn(200).log(echo().vocabulary)
    assert log.sequences == 200 and log.events == len(drawn(200).item)
    first = log.columns["item"][log.offsets[:-1]]
    assert (log.vocabulary["item"][first - 1] == "1").all()  # all begin with this action


@pytest.mark.parametrize(("settings", "message"), [
    ({"temperature": 0.0}, "temperature=0.0"),
    ({"temperature": -1.0}, "temperature=-1.0"),
    ({"top_k": 0}, "top_k=0"),
    ({"top_p": 0.0}, "top_p=0.0"),
    ({"top_p": 1.5}, "top_p=1.5"),
    ({"n": -1}, "n=-1"),
    ({"lanes": 0}, "lanes=0"),
    ({"prefix": [1, 4]}, "action 4 of the prefix.* 1 to 3"),  # the end is no action
    ({"prefix": [0]}, "action 0 of the prefix"),
    ({"prefix": [1, 1, 1], "max_len": 3}, "max_len=3: the prefix alone has 3"),
], ids=str)  # fmt: skip
def test_what_cannot_be_used_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        generate(*hand_made(), jax.random.key(0), **({"n": 5} | settings))


@pytest.mark.parametrize("point", [0.0, 1.0 - 2.0**-24])
@pytest.mark.parametrize("law", [LAW, [0.0, 0.0, 1.0, 0.0], [0.0, 0.1, 0.0, 0.2, 0.0, 0.7, 0.0], [1e-30, 0.0, 1e-30]])
def test_draw_never_gives_what_has_no_probability(monkeypatch, law, point):
    """Not even at the edges of the uniform numbers: 0 gives the first symbol that can come, the other end the last."""
    monkeypatch.setattr(jax.random, "uniform", lambda key: jnp.float32(point))
    there = np.flatnonzero(law)
    assert draw(jax.random.key(0), jnp.float32(law)) == there[0 if point == 0.0 else -1]
