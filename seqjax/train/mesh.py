"""Devices: where the leaves of a (stacked) training state live. XLA inserts the communication."""

from __future__ import annotations

import jax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jaxtyping import PyTree

from seqjax.train.view import table_of


def make_mesh(runs: int, vocabulary: int) -> Mesh:
    """A mesh of runs x vocabulary devices; raises if there are not exactly that many."""
    if runs * vocabulary != jax.device_count():
        raise ValueError(f"a {runs} x {vocabulary} mesh needs {runs * vocabulary} devices, found {jax.device_count()}")
    return jax.make_mesh((runs, vocabulary), ("run", "vocabulary"), axis_types=(AxisType.Auto, AxisType.Auto))


def shard_runs(tree: PyTree, mesh: Mesh) -> PyTree:
    """Places a stacked state: runs over the run axis, rows of tables over the vocabulary axis too.

    A table whose row count the vocabulary axis does not divide is kept whole on every device of its run.
    """

    def place(path: tuple, leaf: jax.Array) -> jax.Array:
        divides = leaf.ndim > 1 and leaf.shape[1] % mesh.shape["vocabulary"] == 0
        rows = "vocabulary" if table_of(path) and divides else None
        spec = PartitionSpec("run", rows) if leaf.ndim > 1 else PartitionSpec("run")
        return jax.device_put(leaf, NamedSharding(mesh, spec))

    return jax.tree.map_with_path(place, tree)
