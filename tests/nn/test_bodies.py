"""The laws that every body of a sequence model obeys, whatever it is made of."""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.models.next_action import NextAction
from seqjax.nn.attention import Transformer
from seqjax.nn.convolution import TCN
from seqjax.nn.dropout import Noise
from seqjax.nn.linear_recurrence import LRU
from seqjax.nn.recurrence import GRU, LSTM

ITEMS, LANES, LONGEST = 5, 10, 40
BODIES = {  # name: (body, how many events its output depends on, none: all)
    "LSTM": (partial(LSTM, features=(6, 5)), None),
    "GRU": (partial(GRU, features=(6, 5)), None),
    "Transformer": (partial(Transformer, features=8, heads=2, window=4), 7),  # two layers, three events back each
    "TCN": (partial(TCN, features=8, kernel=2, dilations=(1, 2)), 7),
    "LRU": (partial(LRU, features=6, units=5), None),
}
quick = partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})  # compiled in a third of the time
close = partial(np.testing.assert_allclose, atol=2e-5, rtol=2e-5)
each_body = pytest.mark.parametrize("name", BODIES)


def weights(init, seed=0):
    """Parameters none of which is zero."""
    random = np.random.default_rng(seed)
    shapes = jax.eval_shape(init, jax.random.key(0))["params"]
    return jax.tree.map(lambda leaf: jnp.asarray(random.normal(0, 0.4, leaf.shape), jnp.float32), shapes)


class Programs:
    """A model with its programs, for lanes side by side."""

    def __init__(self, name, **form):
        self.model = NextAction(ITEMS, BODIES[name][0], **form)
        self.params = weights(self.model.init)
        self.read = quick(jax.vmap(partial(self._apply, self.params, method="read")))
        self.fold = quick(jax.vmap(self._fold))
        self.encode = quick(jax.vmap(partial(self._encode, self.params)))
        self.gradient = quick(jax.grad(self._total))

    def _apply(self, params, *arguments, method):
        return self.model.apply({"params": params}, *arguments, method=method)

    def _encode(self, params, state, events, valid, noise=None):
        return self._apply(params, state, events, valid, noise, method="encode")

    def _fold(self, state, events, valid):
        """`step` for one event after the other; an invalid one is passed over."""

        def step(state, now):
            event, there = now
            after = self._apply(self.params, state, event, method="step")
            state = jax.tree.map(lambda new, old: jnp.where(there, new, old), after, state)
            return state, state

        return jax.lax.scan(step, state, (events, valid))

    def _total(self, params, state, events, valid):
        """Some sum over what is read after every valid event."""
        states = jax.vmap(partial(self._encode, params))(state, events, valid)[1]
        scores = jax.vmap(jax.vmap(partial(self._apply, params, method="read")))(states)
        return jnp.sum(jnp.where(valid[..., None], jnp.sin(scores[..., 1:]), 0.0))

    def start(self):
        """The state of every lane before any event."""
        state = self.model.init_state()
        return jax.tree.map(lambda leaf: np.broadcast_to(leaf, (LANES, *leaf.shape)), state)


programs = cache(Programs)


def events(time=LONGEST, seed=0):
    """Lanes of events with gaps and resets anywhere; lane 0 has all of its events and lane 1 none."""
    random = np.random.default_rng(seed)
    valid, fresh = random.random((LANES, time)) < 0.7, random.random((LANES, time)) < 0.1
    valid[0], valid[1] = True, False
    ids = random.integers(1, ITEMS + 2, (LANES, time))
    return {"item": ids.astype(np.int32), "fresh": fresh}, valid


def at(tree, time):
    """One time or a slice of times, of every lane."""
    return jax.tree.map(lambda leaf: np.asarray(leaf)[:, time], tree)


def same_state(one, two):
    """Equal, but for the places of a window that hold no event of the series."""
    one, two = jax.device_get((one, two))
    present = one.memory[0]  # of a windowed body: which places hold one
    windowed = isinstance(present, np.ndarray) and present.dtype == bool

    def there(leaf):
        return leaf[present] if windowed else leaf

    jax.tree.map(lambda left, right: close(there(left), there(right)), one.memory, two.memory)
    close(one.output, two.output)
    np.testing.assert_array_equal(one.last, two.last)
    assert not windowed or (present == two.memory[0]).all()


@pytest.mark.parametrize(("form", "lengths"), [((), (3, 20, 40)), (("tied", "direct"), (33,))], ids=str)
@each_body
def test_folding_step_is_encode_from_any_state(name, form, lengths):
    run = programs(name, **dict.fromkeys(form, True))
    start = run.fold(run.start(), *events(seed=1))[0]
    ahead, valid = events()
    _, folded = run.fold(start, ahead, valid)
    for length in lengths:
        last, states = run.encode(start, *at((ahead, valid), slice(length)))
        same_state(states, at(folded, slice(length)))
        same_state(last, at(folded, length - 1))
        close(run.read(last)[:, 1:], run.read(at(folded, length - 1))[:, 1:])


@each_body
def test_two_encodes_one_after_the_other_are_one(name):
    run = programs(name)
    ahead, valid = events(seed=2)
    last, states = run.encode(run.start(), ahead, valid)
    between, first = run.encode(run.start(), *at((ahead, valid), slice(20)))
    end, second = run.encode(between, *at((ahead, valid), slice(20, 40)))
    same_state(end, last)
    same_state(jax.tree.map(lambda *halves: np.concatenate(halves, axis=1), first, second), states)


@each_body
def test_what_stands_at_invalid_times_changes_nothing(name):
    """Neither states nor gradients, which are finite even where nothing is valid."""
    run = programs(name)
    (ahead, valid), (other, _) = events(20, seed=3), events(20, seed=4)
    other = jax.tree.map(lambda kept, changed: np.where(valid, kept, changed), ahead, other)
    assert (other["item"] != ahead["item"]).any() and (other["fresh"] != ahead["fresh"]).any()
    start = run.encode(run.start(), *events(20, seed=5))[0]
    one, two = (run.encode(start, given, valid) for given in (ahead, other))
    jax.tree.map(np.testing.assert_array_equal, one, two)
    grads, same = (run.gradient(run.params, start, given, valid) for given in (ahead, other))
    jax.tree.map(np.testing.assert_array_equal, grads, same)
    assert all(np.isfinite(leaf).all() and leaf.any() for leaf in jax.device_get(jax.tree.leaves(grads)))
    silent = run.gradient(run.params, start, ahead, np.zeros_like(valid))
    assert not any(leaf.any() for leaf in jax.device_get(jax.tree.leaves(silent)))


@each_body
def test_an_output_depends_on_the_events_of_its_series_and_window_only(name):
    """By gradient: exactly 0 for later events, for those before a reset, beyond the window, and for gaps."""
    body, reach = BODIES[name]
    body, time = body(inputs=3), 18
    valid, fresh = jnp.arange(time) % 5 != 2, jnp.arange(time) == 5
    x = jnp.float32(np.random.default_rng(0).normal(size=(time, 3)))
    memory = body.init_memory()
    params = weights(lambda key: body.init(key, memory, x, fresh, valid))

    def outputs(x):
        return jnp.sum(jnp.sin(body.apply({"params": params}, memory, x, fresh, valid)[2]), axis=1)

    moves = np.abs(quick(jax.jacobian(outputs))(x)).max(axis=2)
    assert np.isfinite(moves).all()
    count, series = np.cumsum(valid), np.cumsum(fresh)
    apart = count[:, None] - count[None]
    depends = (apart >= 0) & valid[None] & (series[:, None] == series[None])
    depends &= apart < (reach or time)
    now = np.asarray(valid)  # an output at an invalid time is not to be used
    assert (moves[now][~depends[now]] == 0.0).all()
    assert (moves[now][depends[now]] > 0.0).all()


@each_body
def test_lanes_side_by_side_are_lanes_alone_and_only_noise_drops(name):
    run = programs(name)
    ahead, valid = events(20, seed=6)
    together = run.encode(run.start(), ahead, valid)

    @quick
    def alone(events, valid, seed, rate):
        noise = Noise(jax.random.key(seed), {"hidden": rate})
        return run._encode(run.params, run.model.init_state(), events, valid, noise)

    def lane(index):
        return jax.tree.map(lambda leaf: leaf[index], (ahead, valid))

    for index in (0, 3):
        jax.tree.map(close, alone(*lane(index), 0, 0.0), jax.tree.map(lambda leaf, one=index: leaf[one], together))
    dropped, other = (np.asarray(alone(*lane(0), seed, 0.5)[1].output) for seed in (0, 1))
    np.testing.assert_array_equal(alone(*lane(0), 0, 0.5)[1].output, dropped)
    assert np.abs(dropped - together[1].output[0]).max() > 0.1
    assert np.abs(dropped - other).max() > 0.1
