"""Views: the rows that one batch touches, standing in for whole tables.

A step differentiates and updates only these rows of parameters *and* of optimizer state, so that any plain optax
transform becomes its row-wise form and the cost of a step does not depend on the size of a table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Int, PyTree

Slots = Mapping[str, Int[Array, "row"]]
Views = Mapping[str, tuple[str, ...]]
"""Names, per id table, the modules whose `rows` its ids index: `{"item": ("item", "bias"), "user": ("user",)}`."""


class Touched(NamedTuple):
    """The rows of one table that a batch touches.

    The view has one row per occurrence, and exactly one of several equal ids owns its row; or (`occurs` None) it is
    the whole table, and `owner` marks the touched rows.
    """

    size: int
    occurs: Int[Array, "occurs"] | None
    owner: Bool[Array, "..."]

    def cut(self, table: Array) -> Array:
        """The rows of `table` that stand in for it."""
        return table if self.occurs is None else table.at[self.occurs].get(mode="promise_in_bounds")

    def paste(self, table: Array, rows: Array, moves: Bool[Array, ""]) -> Array:
        """`table` with its touched rows replaced if it `moves`; every other row stays as it is."""
        owner = self.owner & moves
        if self.occurs is None:
            return jnp.where(jnp.expand_dims(owner, tuple(range(1, rows.ndim))), rows, table)
        nowhere = self.size + jnp.arange(len(self.occurs))  # out of bounds and distinct: dropped, index stays unique
        return table.at[jnp.where(owner, self.occurs, nowhere)].set(rows, mode="drop", unique_indices=True)


class View(NamedTuple):
    """A batch renumbered into the rows it touches, and the means to cut and paste those rows."""

    touched: Mapping[str, Touched]  # by module
    ids: Mapping[str, PyTree]
    slot: Slots

    def rows(self, tree: PyTree) -> PyTree:
        """The tree with every viewed table replaced by its view."""

        def read(path: tuple, leaf: Array) -> Array:
            touched = self.touched.get(table_of(path))
            return leaf if touched is None else touched.cut(leaf)

        return jax.tree.map_with_path(read, tree)

    def paste(self, tree: PyTree, rows: PyTree, moves: Bool[Array, ""]) -> PyTree:
        """The tree with views and other leaves replaced by those of `rows` if it `moves`, else as it is.

        Rows that stay are not selected but left out of the write, so that gathering them fuses with their update.
        """

        def write(path: tuple, leaf: Array, new: Array) -> Array:
            touched = self.touched.get(table_of(path))
            return jnp.where(moves, new, leaf) if touched is None else touched.paste(leaf, new, moves)

        return jax.tree.map_with_path(write, tree, rows)


def cut(ids: Mapping[str, PyTree], views: Views, slot: Slots, sizes: Mapping[str, int]) -> View:
    """Renumbers the ids of every table into a view.

    `slot[id]` becomes one position that holds the id: written for all occurrences and read back, it picks an owner
    among equal ids without a sort. Old entries are never read, so the table needs no clearing. A table no larger than
    the batch's ids, or without a slot table, is its own view.
    """
    touched, local, slot = {}, {}, dict(slot)
    for name, modules in views.items():
        occurs, unravel = ravel_pytree(ids[name])
        if name in slot and sizes[name] > len(occurs):
            place = jnp.arange(len(occurs), dtype=jnp.int32)
            slot[name] = slot[name].at[occurs].set(place, mode="promise_in_bounds")
            renumbered = slot[name].at[occurs].get(mode="promise_in_bounds")
            rows = Touched(sizes[name], occurs, renumbered == place)
        else:
            renumbered = occurs
            rows = Touched(sizes[name], None, jnp.zeros(sizes[name], bool).at[occurs].set(True))
        touched |= dict.fromkeys(modules, rows)
        local[name] = unravel(renumbered)
    return View(touched, local, slot)


def table_of(path: tuple) -> str | None:
    """The module that a leaf belongs to if the leaf is a table (its name is `rows`), else None."""
    names = [getattr(entry, "key", getattr(entry, "name", None)) for entry in path]
    return names[-2] if len(names) > 1 and names[-1] == "rows" else None


def table_sizes(params: PyTree, views: Views) -> dict[str, int]:
    """Rows of every viewed table.

    Raises if a view has no module in `params`, or modules of different sizes, and if a table is in no view: it would be
    read with ids that number the rows of another.
    """
    rows = {table_of(path): leaf.shape[0] for path, leaf in jax.tree.leaves_with_path(params) if table_of(path)}
    unnamed = set(rows).difference(*views.values())
    if unnamed:
        raise ValueError(f"tables {sorted(unnamed)} are in no view: add them to views={dict(views)}")
    sizes = {}
    for name, modules in views.items():
        found = {rows[module] for module in modules if module in rows}
        if len(found) != 1:
            raise ValueError(f"view {name!r} names {modules}; the model's tables (module: rows) are {rows}")
        sizes[name] = found.pop()
    return sizes
