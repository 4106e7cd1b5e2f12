import hashlib
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.nn import native
from seqjax.nn.count import multiply_adds
from seqjax.nn.gru import GRUCell

compiled = pytest.mark.skipif(not native.ready(1), reason="no C++ compiler")
F32 = np.float32


def operands(lanes: int, time: int, inputs: int, hidden: int):
    """Inputs and starts of every lane, what weighs and forgets there, and one set of weights."""
    random = np.random.default_rng(0)
    normal = lambda *shape: jnp.asarray(random.normal(0, 0.4, shape), F32)  # noqa: E731
    x, start = normal(lanes, time, inputs or 3 * hidden), normal(lanes, hidden)
    weight, fresh = jnp.asarray(random.random((lanes, time), F32)), jnp.asarray(random.random((lanes, time)) < 0.2)
    weights = normal(inputs, 3 * hidden), normal(3 * hidden), normal(hidden, 3 * hidden)
    return x, start, weight, fresh, weights, normal(lanes, time, hidden)


def scanned(x, kernel, bias, recurrent, start, weight, fresh, keep):
    """The equations, time by time."""
    hidden = len(recurrent)
    x = (jnp.dot(x, kernel) if len(kernel) else x) + bias[None]

    def step(h, now):
        x, weight, fresh = now
        h = jnp.where(fresh, 0.0, h)
        r, z = jnp.split(jax.nn.sigmoid(x[: 2 * hidden] + jnp.dot(h, recurrent[:, : 2 * hidden])), 2)
        c = jnp.tanh(x[2 * hidden :] + jnp.dot(r * h, recurrent[:, 2 * hidden :]))
        h = h + weight * ((1.0 - z) if keep else z) * (c - h)
        return h, h

    return jax.lax.scan(step, start, (x, weight, fresh))[1]


@compiled
@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize(
    ("lanes", "time", "inputs", "hidden"),
    [
        (1, 1, 3, 1),
        (3, 7, 3, 5),  # no whole vectors
        (6, 24, 16, 8),  # one tile, one block of times
        (7, 25, 13, 20),  # one lane and one time more
        (9, 61, 0, 20),  # inputs that come multiplied
        (32, 50, 32, 32),
    ],
)
def test_values_and_gradients_are_the_scans(lanes, time, inputs, hidden, keep):
    x, start, weight, fresh, weights, towards = operands(lanes, time, inputs, hidden)

    def loss(gru, x, weights, start, weight):
        lane = lambda x, start, weight, fresh: gru(x, *weights, start, weight, fresh, keep)  # noqa: E731
        states = jax.vmap(lane)(x, start, weight, fresh)
        return jnp.sum(states * towards), states

    ours, theirs = (
        jax.jit(jax.value_and_grad(partial(loss, gru), argnums=(0, 1, 2, 3), has_aux=True))(x, weights, start, weight)
        for gru in (native.gru, scanned)
    )
    np.testing.assert_allclose(ours[0][1], theirs[0][1], atol=2e-6)
    for mine, other in zip(jax.tree.leaves(ours[1]), jax.tree.leaves(theirs[1]), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-5, atol=2e-6 * np.abs(other).max(initial=1.0))


@compiled
def test_settings_by_lanes():
    """Two sets of weights over the same lanes, as a search over settings has them, and no lanes at all."""
    x, start, weight, fresh, weights, _ = operands(7, 9, 4, 5)
    two = jax.tree.map(lambda leaf: jnp.stack([leaf, 0.5 * leaf]), weights)

    def over(gru):
        lane = lambda weights, x, start, weight, fresh: gru(x, *weights, start, weight, fresh, True)  # noqa: E731
        lanes = jax.vmap(lane, (None, 0, 0, 0, 0))
        return jax.jit(jax.vmap(lanes, (0, None, None, None, None)))(two, x, start, weight, fresh)

    both = over(native.gru)
    np.testing.assert_allclose(both, over(scanned), atol=2e-6)
    alone = jax.jit(native.gru, static_argnums=7)(x[3], *weights, start[3], weight[3], fresh[3], True)
    np.testing.assert_allclose(alone, both[0, 3], atol=2e-6)


@compiled
def test_a_lane_is_the_same_whatever_stands_beside_it():
    """To the bit: lanes share no sum, whichever of them go together and on whichever thread."""
    x, start, weight, fresh, weights, towards = operands(20, 30, 8, 12)
    each = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (20, *leaf.shape)), weights)  # a gradient for every lane

    def gradients(lanes):
        loss = lambda w, x, start, weight, fresh, towards: jnp.sum(  # noqa: E731
            native.gru(x, *w, start, weight, fresh, False) * towards
        )
        given = jax.tree.map(lambda leaf: leaf[lanes], (each, x, start, weight, fresh, towards))
        return jax.jit(jax.vmap(jax.grad(loss)))(*given)

    whole, part = gradients(slice(None)), gradients(slice(5, 16))
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a[5:16], b), whole, part)
    digest = hashlib.sha256(b"".join(np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(whole))).hexdigest()
    assert digest == threaded_digest()


def threaded_digest() -> str:
    """The digest of the same gradients in a process that has two threads."""
    program = """
        import hashlib, os
        os.sched_setaffinity(0, range(min(2, os.cpu_count())))
        import jax, jax.numpy as jnp, numpy as np
        from seqjax.nn import native
        from test_native import operands
        x, start, weight, fresh, weights, towards = operands(20, 30, 8, 12)
        each = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (20, *leaf.shape)), weights)
        loss = lambda w, x, s, m, f, to: jnp.sum(native.gru(x, *w, s, m, f, False) * to)
        assert native.ready(12)
        whole = jax.jit(jax.vmap(jax.grad(loss)))(each, x, start, weight, fresh, towards)
        print(hashlib.sha256(b"".join(np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(whole))).hexdigest())
    """
    paths = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    environment = {**os.environ, "XLA_FLAGS": "", "PYTHONPATH": paths}
    lines = "\n".join(line.strip() for line in program.splitlines())
    done = subprocess.run([sys.executable, "-c", lines], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("native_too", [pytest.param(True, marks=compiled), False])
@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("inputs", [3, None])
def test_unroll_folds_the_cell(native_too, keep, inputs, monkeypatch):
    """Either way; a time of weight 0 leaves the state, a fresh one begins anew, half a weight goes half the way."""
    monkeypatch.setenv("SEQJAX_NATIVE", str(int(native_too)))
    cell = GRUCell(5, inputs, keep=keep)
    random = np.random.default_rng(0)
    x, h = random.normal(size=(7, inputs or 15)).astype(F32), random.normal(size=5).astype(F32)
    params = jax.jit(cell.init)(jax.random.key(0), h, x[0])
    weight = np.array([1, 0, 1, 0.5, 1, 0, 1], F32)
    fresh = np.array([0, 0, 0, 0, 1, 0, 0], bool)
    unrolled = jax.jit(partial(cell.apply, method="unroll"))(params, h, x, weight, fresh)
    call = jax.jit(cell.apply)
    for time in range(7):
        h = np.where(fresh[time], 0.0, h)
        h = h + weight[time] * (call(params, h, x[time]) - h)
        np.testing.assert_allclose(unrolled[time], h, atol=1e-6)


@compiled
def test_runs_where_it_can(monkeypatch):
    """Not when told not to, nor for wide layers, float64, other activations, or the reset after the product."""

    def calls(cell) -> bool:
        h, x = jnp.zeros(cell.features), jnp.zeros((4, 3))
        params = jax.eval_shape(cell.init, jax.random.key(0), h, x[0])
        params = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, h.dtype), params)
        return "ffi_call" in str(jax.make_jaxpr(partial(cell.apply, method="unroll"))(params, h, x))

    assert calls(GRUCell(8, 3)) and calls(GRUCell(native.LARGEST, 3))
    assert not calls(GRUCell(native.LARGEST + 1, 3))
    with jax.enable_x64(True):
        assert not calls(GRUCell(8, 3))
    assert not calls(GRUCell(8, 3, reset_after=True)) and not calls(GRUCell(8, 3, activation=jnp.sin))
    monkeypatch.setenv("SEQJAX_NATIVE", "0")
    assert not calls(GRUCell(8, 3)) and native.way() == "scanned recurrence"


def a_compiler(folder: Path, then: str) -> str:
    """A program that tells its version, and otherwise runs a line of shell."""
    path = folder / "compiler"
    path.write_text(f"#!/bin/sh\n[ $1 = --version ] && {{ echo 1.0; exit; }}\n{then}\n")
    path.chmod(0o755)
    return str(path)


def test_compiles_once(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    compiler = a_compiler(tmp_path, f'echo run >> {tmp_path}/runs; shift $(($# - 1)); echo library > "$1"')
    first = native.built(compiler)
    assert native.built(compiler) == first and first.read_text() == "library\n"
    assert (tmp_path / "runs").read_text() == "run\n"
    assert [path.name for path in (tmp_path / "seqjax").iterdir()] == [first.name]
    monkeypatch.setattr(native, "_processor", lambda: "another")
    assert native.built(compiler) != first


def test_without_a_compiler_there_is_the_scan(monkeypatch, tmp_path):
    registered = native._registered.__wrapped__
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert not registered()
    monkeypatch.setenv("CXX", a_compiler(tmp_path, "echo out of order >&2; exit 1"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.warns(UserWarning, match=r"gru.cc cannot be compiled with .*out of order.*SEQJAX_NATIVE=0"):
        assert not registered()


@compiled
def test_multiply_adds_are_those_of_all_lanes():
    """Two settings over 7 lanes that share their inputs: 14 series of 9 times, forward, and with the gradient."""
    x, start, weight, fresh, weights, _ = operands(7, 9, 4, 5)
    two = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), weights)

    def total(weights):
        lane = lambda x, start, weight, fresh: native.gru(x, *weights, start, weight, fresh, True)  # noqa: E731
        return jnp.sum(jax.vmap(lane)(x, start, weight, fresh))

    once = 2 * 7 * 9 * (4 + 5) * 15
    assert multiply_adds(jax.vmap(total), two) == once
    assert multiply_adds(jax.vmap(jax.grad(total)), two) == 4 * once


def test_multiply_adds_of_others_are_unknown():
    with pytest.raises(ValueError, match="lu_solve is compiled outside of JAX"):
        native.multiply_adds("lu_solve", [], ())
