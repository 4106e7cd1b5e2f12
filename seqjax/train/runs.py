"""Many runs at once: the step lifted over a leading run axis (seeds x hyper-parameters)."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from seqjax.train.step import Step


def over_runs(step: Step) -> Step:
    """The step of a population: states and hyper-parameters have a leading run axis, the batch is shared.

    Every member computes what it would compute alone. Pays on an accelerator; on a CPU one worker per core is faster.
    """
    return jax.vmap(step, in_axes=(0, None, 0))


def stack(trees: Sequence[PyTree]) -> PyTree:
    """Joins equal trees (states, hyper-parameters) along a new leading run axis."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def member(tree: PyTree, index: int) -> PyTree:
    """One run's part of a stacked tree."""
    return jax.tree.map(lambda leaf: leaf[index], tree)
