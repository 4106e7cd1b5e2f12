"""HPMN: a user's whole life in a few vectors, each renewed at its own pace, read by attention for every candidate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from seqjax.nn.activation import elu
from seqjax.nn.dropout import Noise
from seqjax.nn.features import embedded
from seqjax.nn.memory import PeriodicMemory, Slots, covariance_norm, covariance_penalty
from seqjax.nn.perceptron import Perceptron, Relevance
from seqjax.nn.window import front
from seqjax.types import Event, ItemHistory


class HPMN(nn.Module):
    """Hierarchical periodic memory network, Ren et al. (2019), "Lifelong Sequential Modeling with Personalized
    Memorization for User Response Prediction"; one user, one event.

    Memory: `nn.memory.PeriodicMemory` over the vectors of `features`. Reading, `hops` times, for the target's vector v:

        q_0 = W v + b      q_s = q_(s-1) H + sum_j a_j m_j      a = softmax_j MLP_s([q, m_j, q - m_j, q m_j])

    Score: a perceptron 200-80 (ELU) of [q_S, v]. `candidate` names the features of a target (default: `features`).

    item_history: the features of events on the target before the question (("user",), say). Then a second memory, with
    `item_periods`, is built from them event by event and read as the user's is, by its own weights, and the head gets
    [q_S, v, p_S] with its last query p_S; where `read` is given none, it reads an empty one. The release has such a
    tower, switched off.

    Differs, each released form by a switch. target: the release reads the target as the last event, so that the memory
    is another one for every candidate ("event"); the slides build it from history alone ("query", default). phase: the
    release pads on the left, so that all layers are renewed at the last event ("right": the first call of `encode` must
    hold the whole history); by default layers go by the user's count of events. query: the release asks with the last
    event instead of the target on XLong ("last"). normalise: the release's batch normalisation never leaves its initial
    statistics ("affine"). Padding is masked here and read as zeros there.
    """

    sizes: tuple[tuple[str, int], ...]
    features: tuple[str, ...] = ("item",)
    candidate: tuple[str, ...] = ()
    width: int = 16
    hidden: int = 32
    periods: tuple[int, ...] = (1, 2, 4)
    hops: int = 3
    head: tuple[int, ...] = (200, 80)
    normalise: Literal["layer", "affine", "none"] = "layer"
    target: Literal["query", "event"] = "query"
    phase: Literal["count", "right"] = "count"
    query: Literal["target", "last"] = "target"
    item_history: tuple[str, ...] = ()
    item_periods: tuple[int, ...] = (1, 2, 4)

    def setup(self):
        """Makes the vectors, the memories, the readers and the head."""
        candidate, read = self.candidate or self.features, self.hidden
        self.embed, inputs, asked = embedded(self.sizes, self.features, candidate, self.width, self.item_history)
        self.memory = PeriodicMemory(inputs, self.hidden, self.periods)
        self.ask = nn.Dense(self.hidden)
        self.hop = nn.Dense(self.hidden, use_bias=False)
        self.relevance = [Relevance(self.hidden) for _ in range(self.hops)]
        if self.item_history:
            read += self.hidden
            self.item_memory = PeriodicMemory(self.width * len(self.item_history), self.hidden, self.item_periods)
            self.item_ask = nn.Dense(self.hidden)
            self.item_hop = nn.Dense(self.hidden, use_bias=False)
            self.item_relevance = [Relevance(self.hidden) for _ in range(self.hops)]
        self.perceptron = Perceptron(read + asked, self.head, elu, self.normalise)

    @property
    def whole(self) -> bool:
        """Whether a life must be read in one call of `encode`, and for one moment: see phase."""
        return self.phase == "right"

    def init_state(self) -> tuple[Slots, Float[Array, "features"]]:
        """The memory of a user without events, and the vector of the last one (which only `query="last"` uses)."""
        memory = PeriodicMemory(1, self.hidden, self.periods, parent=None).init_memory()
        return memory, jnp.zeros(self.width * len(self.features))

    def step(self, state: tuple[Slots, Array], event: Event, noise: Noise | None = None) -> tuple[Slots, Array]:
        """One event in."""
        return self.encode(state, jax.tree.map(lambda leaf: leaf[None], event), jnp.ones(1, bool), noise)[0]

    def encode(
        self, state: tuple[Slots, Array], events: Event, valid: Bool[Array, "time"], noise: Noise | None = None
    ) -> tuple[tuple[Slots, Array], tuple[Slots, Array]]:
        """Reads the valid events; returns the last state and the state after every event."""
        memory, last = state
        events, count = front(events, valid)
        x = self.embed(events, self.features)
        if self.phase == "right":
            ahead = -(count[-1] + (self.target == "event")) % self.periods[-1]
            memory = memory._replace(count=jnp.where(memory.count == 0, ahead, memory.count))
        end, memories = self.memory(memory, x, count[-1])
        memories = jax.tree.map(lambda leaf, start: from_count(leaf, count, start), memories, memory)
        seen = jnp.concatenate([last[None], x])
        return (end, seen[count[-1]]), (memories, seen[count])

    def init_item(self) -> Slots:
        """The memory of an item that nobody had."""
        return PeriodicMemory(1, self.hidden, self.item_periods, parent=None).init_memory()

    def step_item(self, memory: Slots, event: Event) -> Slots:
        """One more event on the item: the features `item_history` of it."""
        return self.item_memory(memory, self.embed(event, self.item_history)[None], jnp.int32(1))[0]

    def remember_item(self, history: ItemHistory) -> Slots:
        """The memory of an item from its newest events: `step_item` folded over them.

        Of older ones that are `skipped` only the number counts, by which layers keep their phase.
        """
        events, count = front(history.events, history.valid)
        memory = self.init_item()._replace(count=history.skipped)
        return self.item_memory(memory, self.embed(events, self.item_history), count[-1])[0]

    def read(
        self,
        state: tuple[Slots, Array],
        target: Event,
        noise: Noise | None = None,
        weights: bool = False,
        item: Slots | None = None,
    ) -> Float[Array, ""] | Float[Array, "hop slot"]:
        """Log-odds of a response to the target; or, with `weights`, the attention on every slot at every hop.

        item: the memory of the target, where the model has `item_history`.
        """
        v = self.embed(target, self.candidate or self.features)
        asked = state[1] if self.query == "last" else v
        if self.target == "event":
            state = self.step(state, target, noise)
        q, attention = read_slots(self.ask(asked), state[0].slots, self.hop, self.relevance)
        if weights:
            return attention
        x = jnp.concatenate([q, v])
        if self.item_history:
            slots = (self.init_item() if item is None else item).slots
            p, _ = read_slots(self.item_ask(v), slots, self.item_hop, self.item_relevance)
            x = jnp.concatenate([x, p])
        return self.perceptron(x, noise)

    def __call__(self) -> Float[Array, ""]:
        """Touches every parameter; serves `init`."""
        event = {name: jnp.int32(1) for name, _ in self.sizes}
        item = self.step_item(self.init_item(), event) if self.item_history else None
        return self.read(self.step(self.init_state(), event), event, item=item)


def read_slots(
    q: Float[Array, "hidden"], slots: Float[Array, "slot hidden"], hop: nn.Module, relevance: Sequence[nn.Module]
) -> tuple[Float[Array, "hidden"], Float[Array, "hop slot"]]:
    """The query after every hop over the slots, and the attention of each."""
    attention = []
    for score in relevance:
        a = jax.nn.softmax(score(q, slots))
        attention.append(a)
        q = hop(q) + jnp.dot(a, slots)
    return q, jnp.stack(attention)


def from_count(values: Array, count: Array, start: Array) -> Array:
    """Values after so many events at the times that have seen so many; `start` where none was seen."""
    return jnp.concatenate([start[None], values])[count]


def memory_penalty(state: tuple[Slots, Array]) -> Float[Array, ""]:
    """`nn.memory.covariance_penalty` of a user's memory: the form of the slides."""
    return covariance_penalty(state[0].slots)


def memory_norm(state: tuple[Slots, Array]) -> Float[Array, ""]:
    """`nn.memory.covariance_norm` of a user's memory: the released form, which is summed over the batch."""
    return covariance_norm(state[0].slots)
