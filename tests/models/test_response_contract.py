"""The laws that every model of responses obeys, whatever it is made of."""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.models.cnn_lstm import CNNLSTM
from seqjax.models.day_image import DayImage
from seqjax.models.dien import DIEN
from seqjax.models.din import DIN
from seqjax.models.gru_response import GRUResponse
from seqjax.models.hpmn import HPMN
from seqjax.models.lstm_fcn import LSTMFCN
from seqjax.models.lstm_response import LSTMResponse
from seqjax.models.sum_pooling import SumPooling
from seqjax.models.transformer_response import TransformerResponse

SIZES = (("item", 9), ("user", 3), ("category", 4))
TIME, LANES = 60, 61
ASK = {"features": ("item", "category"), "candidate": ("item", "user", "category")}  # wider than an event
SMALL = {"sizes": SIZES, "width": 3, "head": (5, 4)}
MODELS = {
    "HPMN": partial(HPMN, **SMALL, **ASK, hidden=4, periods=(1, 2, 4, 12)),
    "HPMN, target event": partial(HPMN, **SMALL, hidden=4, periods=(1, 3), target="event", normalise="affine"),
    "HPMN, query last": partial(HPMN, **SMALL, hidden=4, periods=(2, 4), query="last", hops=1),
    "SumPooling": partial(SumPooling, **SMALL, **ASK),
    "SumPooling, release": partial(SumPooling, **SMALL, form="release", pool="mean"),
    "GRU": partial(GRUResponse, **SMALL, **ASK, hidden=4),
    "GRU, release": partial(GRUResponse, **SMALL, hidden=4, form="release", normalise="affine"),
    "LSTM": partial(LSTMResponse, **SMALL, **ASK, hidden=4),
    "LSTM, release": partial(LSTMResponse, **SMALL, hidden=4, form="release"),
    "DIN": partial(DIN, **SMALL, **ASK, window=7),
    "DIN, softmax": partial(DIN, **SMALL, weigh="softmax", window=7),
    "DIEN": partial(DIEN, **SMALL, **ASK, hidden=4, window=7),
    "DIEN, release": partial(DIEN, **SMALL, hidden=4, window=7, form="release", augru="release"),
    "CNN-LSTM": partial(CNNLSTM, **SMALL, **ASK, filters=4, kernel=3, hidden=4, window=7),
    "CNN-LSTM, not pooled": partial(CNNLSTM, **SMALL, filters=4, kernel=2, convolutions=2, pool=1, hidden=4, window=7),
    "day image": partial(DayImage, **SMALL, **ASK, filters=4, kernel=3, hidden=4, days=7),
    "day image, mean": partial(DayImage, **SMALL, filters=4, kernel=2, convolutions=2, pool=3, days=19, form="mean"),
    "LSTM-FCN": partial(LSTMFCN, **SMALL, **ASK, filters=(4, 5, 4), kernels=(4, 3, 2), cells=3, window=7),
    "Transformer": partial(TransformerResponse, **SMALL, **ASK, hidden=4, window=5),
}
quick = partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})  # compiled in a third of the time
same = partial(np.testing.assert_allclose, atol=1e-5, rtol=1e-5)
each_model = pytest.mark.parametrize("name", MODELS)


class Programs:
    """A model with its programs, for lanes side by side."""

    def __init__(self, name):
        self.model = MODELS[name]()
        random, shapes = np.random.default_rng(0), jax.eval_shape(self.model.init, jax.random.key(0))["params"]
        self.params = jax.tree.map(lambda leaf: jnp.float32(random.normal(0, 0.4, leaf.shape)), shapes)
        self.fold = quick(jax.vmap(self._fold))
        self.encode = quick(jax.vmap(partial(self._apply, self.params, "encode")))
        self.one = partial(self._apply, self.params, "read")
        self.read = quick(jax.vmap(jax.vmap(self.one, (None, 0)), (0, None)))  # [lane, candidate]
        self.gradient = quick(jax.value_and_grad(self._total))

    def _apply(self, params, method, *arguments):
        return self.model.apply({"params": params}, *arguments, method=method)

    def _fold(self, state, events, valid):
        """`step` for one event after the other; an invalid one is passed over."""

        def step(state, now):
            event, there = now
            after = self._apply(self.params, "step", state, event)
            state = jax.tree.map(lambda new, old: jnp.where(there, new, old), after, state)
            return state, state

        return jax.lax.scan(step, state, (events, valid))

    def _total(self, params, events, valid, targets):
        """Some sum over all answers, and over what an auxiliary loss is made of."""

        def lane(events, valid, target):
            state, states = self._apply(params, "encode", self.model.init_state(), events, valid)
            total = jnp.sin(self._apply(params, "read", state, target))
            if isinstance(self.model, DIEN) and self.model.form == "product":
                taken, drawn, counts = self._apply(params, "auxiliary", states, events, {"item": events["item"]}, valid)
                total += jnp.sum(jnp.where(counts, jnp.sin(taken) + jnp.cos(drawn), 0.0))
            return total

        return jnp.sum(jax.vmap(lane)(events, valid, targets))

    def start(self):
        """The state of every lane before any event."""
        return jax.tree.map(lambda leaf: np.broadcast_to(leaf, (LANES, *leaf.shape)), self.model.init_state())


programs = cache(Programs)


def draw(*shape, seed=0):
    """Events, or targets; days ascend, several events on some and none on others."""
    random = np.random.default_rng(seed)
    ids = {name: random.integers(1, size + 1, shape).astype(np.int32) for name, size in SIZES}
    return ids | {"day": np.sort(random.integers(1, 41, shape)).astype(np.int32)}


def prefixes():
    """Lane n has its first n events."""
    return np.arange(TIME) < np.arange(LANES)[:, None]


def gaps(seed=0):
    """Every event of a lane is there or not; lane 0 has all and lane 1 none."""
    valid = np.random.default_rng(seed).random((LANES, TIME)) < 0.6
    valid[:2] = [[True], [False]]
    return valid


def alike(one, two):
    assert jax.tree.map(jnp.result_type, one) == jax.tree.map(jnp.result_type, two)
    jax.tree.map(same, one, two)


@each_model
def test_folding_step_is_encode_for_every_length_from_any_state(name):
    run = programs(name)
    later = run.fold(run.start(), draw(LANES, TIME, seed=1), prefixes()[::-1])[0]
    events = draw(LANES, TIME, seed=2)
    for start, valid in ((run.start(), prefixes()), (later, prefixes()), (later, gaps())):
        (end, states), (last, after) = run.fold(start, events, valid), run.encode(start, events, valid)
        alike(last, end)
        alike(after, states)


@each_model
def test_two_encodes_one_after_the_other_are_one_at_every_split(name):
    run, place = programs(name), np.arange(TIME)
    split, events = np.minimum(np.arange(LANES), 12)[:, None], draw(LANES, TIME, seed=3)
    whole = run.encode(run.start(), events, np.broadcast_to(place < 12, (LANES, TIME)))[0]
    between = run.encode(run.start(), events, place < split)[0]
    alike(run.encode(between, events, (place >= split) & (place < 12))[0], whole)
    narrow = jax.tree.map(lambda leaf: leaf[:, :12], events)  # the amount of padding
    alike(run.encode(run.start(), narrow, np.ones((LANES, 12), bool))[0], whole)


@each_model
def test_what_stands_at_invalid_times_changes_nothing(name):
    run, valid, targets = programs(name), gaps(seed=4), draw(LANES, seed=5)
    events, other = draw(LANES, TIME, seed=6), draw(LANES, TIME, seed=7)
    other = jax.tree.map(lambda kept, changed: np.where(valid, kept, changed), events, other)
    alike(run.encode(run.start(), events, valid), run.encode(run.start(), other, valid))
    one, two = (run.gradient(run.params, given, valid, targets) for given in (events, other))
    jax.tree.map(np.testing.assert_array_equal, one, two)


@each_model
def test_short_histories_are_finite_and_every_parameter_is_reached(name):
    """Also the gradient is finite; but for what a softmax takes away, no part of a model is idle."""
    run, events, targets = programs(name), draw(LANES, TIME, seed=8), draw(LANES, seed=9)
    for events_there in (0, 1):
        valid = np.broadcast_to(np.arange(TIME) < events_there, (LANES, TIME))
        for leaf in jax.tree.leaves(run.gradient(run.params, events, valid, targets)):
            assert np.isfinite(leaf).all()
    grads = run.gradient(run.params, events, gaps(seed=10), targets)[1]
    for path, leaf in jax.tree_util.tree_leaves_with_path(grads):
        path = jax.tree_util.keystr(path, simple=True, separator="/")
        added = path.startswith("relevance") and path.endswith("last/bias") and name != "DIN"  # to every score alike
        added |= path.endswith("key/bias")  # of attention among events: as much to every score of a query
        assert added or np.abs(leaf).max() > 1e-6, path


@each_model
def test_candidates_side_by_side_are_candidates_alone(name):
    run, targets = programs(name), draw(5, seed=11)
    state = run.encode(run.start(), draw(LANES, TIME, seed=12), prefixes())[0]
    together, alone = np.asarray(run.read(state, targets)), quick(run.one)
    assert together.shape == (LANES, 5) and np.ptp(together, axis=1).min() > 0.0
    for lane, candidate in ((0, 1), (1, 0), (33, 4)):
        here = jax.tree.map(lambda leaf, lane=lane: leaf[lane], state)
        same(alone(here, {name: ids[candidate] for name, ids in targets.items()}), together[lane, candidate])
