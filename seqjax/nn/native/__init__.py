"""Recurrent layers compiled for one CPU, in place of XLA's scan, which runs every time as many small kernels.

The machine's own C++ compiler (`CXX`, else `c++`) builds them once, in some seconds of the first run, into the user's
cache (`XDG_CACHE_HOME`, else `~/.cache`), under a name made from source, compiler, processor and jaxlib. The scan runs
where there is no compiler, on accelerators, on several devices and with SEQJAX_NATIVE=0: the same numbers to rounding.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import math
import os
import platform
import shutil
import subprocess
import tempfile
import warnings
from importlib.metadata import version
from pathlib import Path

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

SOURCE = Path(__file__).with_name("gru.cc")
READ, GRADIENT = "seqjax_gru_read", "seqjax_gru_gradient"
LARGEST = 128
"""Most hidden units: beyond, products are large enough for XLA, and a gradient of the weights for every lane is not."""


def ready(hidden: int) -> bool:
    """Whether `gru` can run layers of so many units here."""
    wanted = os.environ.get("SEQJAX_NATIVE", "1") != "0" and hidden <= LARGEST
    return wanted and jax.default_backend() == "cpu" and jax.device_count() == 1 and _registered()


def way() -> str:
    """How recurrent layers run here, in words."""
    return "compiled recurrence" if ready(1) else "scanned recurrence"


@functools.cache
def _registered() -> bool:
    """Compiles, loads and tells XLA, once a process."""
    compiler = shutil.which(os.environ.get("CXX", "c++"))
    if compiler is None:
        return False
    try:
        library = ctypes.CDLL(str(built(compiler)))
    except (OSError, RuntimeError, subprocess.CalledProcessError) as error:  # RuntimeError: a user without a home
        told = (getattr(error, "stderr", None) or str(error)).strip()
        warnings.warn(
            f"{SOURCE.name} cannot be compiled with {compiler} ({told.splitlines()[-1]}): recurrent layers will run as "
            "scans, slower; set CXX to another compiler, or SEQJAX_NATIVE=0 to be silent",
            stacklevel=2,
        )
        return False
    for name, function in ((READ, library.GruRead), (GRADIENT, library.GruGradient)):
        jax.ffi.register_ffi_target(name, jax.ffi.pycapsule(function), platform="cpu")
    return True


def built(compiler: str) -> Path:
    """The library, compiled if it is not in the cache; it appears there whole or not at all.

    Raises subprocess.CalledProcessError where the compiler fails, OSError where nothing can be written.
    """
    run = functools.partial(subprocess.run, check=True, capture_output=True, text=True)
    flags = ("-std=c++17", "-O3", "-march=native", "-ffp-contract=fast", "-shared", "-fPIC", "-pthread")
    told = (run([compiler, "--version"]).stdout, _processor(), version("jaxlib"), *flags)
    name = hashlib.sha256(SOURCE.read_bytes() + "\n".join(told).encode()).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "seqjax"
    path = cache / f"gru-{name}.so"
    if not path.exists():
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            made = Path(folder) / path.name
            run([compiler, *flags, f"-isystem{jax.ffi.include_dir()}", str(SOURCE), "-o", str(made)])
            made.replace(path)
    return path


def _processor() -> str:
    """What a library compiled for this processor depends on."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    return next((line for line in lines if line.startswith(("flags", "Features"))), platform.processor())


def multiply_adds(target: str, operands: list[tuple[int, ...]], result: tuple[int, ...]) -> int:
    """Multiply-adds of a call with operands and a first result of such shapes; ValueError for calls of others."""
    if target not in (READ, GRADIENT):
        raise ValueError(f"{target} is compiled outside of JAX: nothing tells how many multiply-adds it makes")
    kernel, recurrent = operands[1], operands[3]
    products = math.prod(result[:-1]) * (kernel[-2] + recurrent[-2]) * recurrent[-1]  # at every time of every lane
    return products * (1 if target == READ else 3)  # the gates again, then gradients of both sides of every product


@functools.partial(jax.custom_vjp, nondiff_argnums=(7,))
def gru(
    x: Float[Array, "time features"],
    kernel: Float[Array, "k gate"],
    bias: Float[Array, "gate"],
    recurrent: Float[Array, "hidden gate"],
    start: Float[Array, "hidden"],
    weight: Float[Array, "time"],
    fresh: Bool[Array, "time"],
    keep: bool,
) -> Float[Array, "time hidden"]:
    """The states of a `nn.gru.GRUCell` after every time.

        r, z = sigmoid(x W + h~ U + b)        c = tanh(x W_c + (r * h~) U_c + b_c)        h~ = 0 if fresh, else h
        h' = h~ + weight u (c - h~)           u = z, or 1 - z with `keep`

    A kernel without rows means that x is x W already. Of `fresh` there is no gradient. To be called where `ready`,
    on float32.
    """
    states = jax.ShapeDtypeStruct((len(x), len(start)), jnp.float32)
    operands = (x, kernel, bias, recurrent, start, weight, fresh)
    return jax.ffi.ffi_call(READ, states, vmap_method="expand_dims")(*operands, keep=keep)


def _read(*operands: Array | bool) -> tuple[Float[Array, "time hidden"], tuple[Array, ...]]:
    states = gru(*operands)
    return states, (*operands[:-1], states)


def _gradient(keep: bool, read: tuple[Array, ...], d_states: Float[Array, "time hidden"]) -> tuple[Array | None, ...]:
    shapes = tuple(jax.ShapeDtypeStruct(operand.shape, jnp.float32) for operand in read[:6])
    return *jax.ffi.ffi_call(GRADIENT, shapes, vmap_method="expand_dims")(*read, d_states, keep=keep), None


gru.defvjp(_read, _gradient)
