"""Reading a whole log with a model, many series side by side, and noting something after every event."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, PyTree, Shaped

from seqjax.data.windows import Spans

WINDOW = 32  # events of every lane that are read at once

Note = Callable[[Array, PyTree], PyTree]


def read_series(
    model: nn.Module,
    params: PyTree,
    events: Mapping[str, Shaped[np.ndarray, "event"]],
    held: Spans,
    note: Note,
    target: Mapping[str, Shaped[np.ndarray, "event"]] | None = None,
    *,
    lanes: int = 256,
) -> list[Shaped[np.ndarray, "event ..."]]:
    """What `note(model's reading, target)` gives after every event, in the order of the positions.

    Series (`held` says which positions each has) are read in lanes, like lengths together, from a fresh state each;
    `lanes` changes the speed and not the result. `note` returns a list of arrays.
    """
    lanes, target = max(1, min(lanes, len(held.begin))), target or {}
    order, out = np.argsort(-held.length, kind="stable"), []
    for first in range(0, len(order), lanes):
        group = order[first : first + lanes]
        spare = lanes - len(group)
        begin, length = (np.append(column[group], np.zeros(spare, np.int64)) for column in held)
        state = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (lanes, *jnp.shape(leaf))), model.init_state())
        for at in range(0, int(length.max()), WINDOW):
            place = at + np.arange(WINDOW)
            valid = place < length[:, None]
            position = np.where(valid, begin[:, None] + place, 0)
            window = [{name: column[position] for name, column in columns.items()} for columns in (events, target)]
            state, said = _read(model, note, params, state, *window, valid)
            for index, values in enumerate(map(np.asarray, said)):
                if index == len(out):
                    out.append(np.zeros((int(held.length.sum()), *values.shape[2:]), values.dtype))
                out[index][position[valid]] = values[valid]
    return out


@partial(jax.jit, static_argnames=("model", "note"))
def _read(
    model: nn.Module,
    note: Note,
    params: PyTree,
    state: PyTree,
    events: Mapping[str, Shaped[Array, "lane time"]],
    target: Mapping[str, Shaped[Array, "lane time"]],
    valid: Bool[Array, "lane time"],
) -> tuple[PyTree, PyTree]:
    """Reads a window in every lane."""

    def lane(state: PyTree, events: PyTree, target: PyTree, valid: Array) -> tuple[PyTree, PyTree]:
        state, states = model.apply({"params": params}, state, events, valid, method="encode")
        read = partial(model.apply, {"params": params}, method="read")
        return state, jax.vmap(lambda state, target: note(read(state), target))(states, target)

    return jax.vmap(lane)(state, events, target, valid)
