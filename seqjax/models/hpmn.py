"""HPMN: a user's whole life in a few vectors, each renewed at its own pace, read by attention for every candidate."""

from __future__ import annotations

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
from seqjax.types import Event


class HPMN(nn.Module):
    """Hierarchical periodic memory network, Ren et al. (2019), "Lifelong Sequential Modeling with Personalized
    Memorization for User Response Prediction"; one user, one event.

    Memory: `nn.memory.PeriodicMemory` over the vectors of `features`. Reading, `hops` times, for the target's vector v:

        q_0 = W v + b      q_s = q_(s-1) H + sum_j a_j m_j      a = softmax_j MLP_s([q, m_j, q - m_j, q m_j])

    Score: a perceptron 200-80 (ELU) of [q_S, v]. `candidate` names the features of a target (default: `features`).

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

    def setup(self):
        """Makes the vectors, the memory, the readers and the head."""
        candidate = self.candidate or self.features
        self.embed, inputs, asked = embedded(self.sizes, self.features, candidate, self.width)
        self.memory = PeriodicMemory(inputs, self.hidden, self.periods)
        self.ask = nn.Dense(self.hidden)
        self.hop = nn.Dense(self.hidden, use_bias=False)
        self.relevance = [Relevance(self.hidden) for _ in range(self.hops)]
        self.perceptron = Perceptron(self.hidden + asked, self.head, elu, self.normalise)

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

    def read(
        self, state: tuple[Slots, Array], target: Event, noise: Noise | None = None, weights: bool = False
    ) -> Float[Array, ""] | Float[Array, "hop slot"]:
        """Log-odds of a response to the target; or, with `weights`, the attention on every slot at every hop."""
        v = self.embed(target, self.candidate or self.features)
        asked = state[1] if self.query == "last" else v
        if self.target == "event":
            state = self.step(state, target, noise)
        q, slots, attention = self.ask(asked), state[0].slots, []
        for relevance in self.relevance:
            a = jax.nn.softmax(relevance(q, slots))
            attention.append(a)
            q = self.hop(q) + jnp.dot(a, slots)
        return jnp.stack(attention) if weights else self.perceptron(jnp.concatenate([q, v]), noise)

    def __call__(self) -> Float[Array, ""]:
        """Touches every parameter; serves `init`."""
        event = {name: jnp.int32(1) for name, _ in self.sizes}
        return self.read(self.step(self.init_state(), event), event)


def from_count(values: Array, count: Array, start: Array) -> Array:
    """Values after so many events at the times that have seen so many; `start` where none was seen."""
    return jnp.concatenate([start[None], values])[count]


def memory_penalty(state: tuple[Slots, Array]) -> Float[Array, ""]:
    """`nn.memory.covariance_penalty` of a user's memory: the form of the slides."""
    return covariance_penalty(state[0].slots)


def memory_norm(state: tuple[Slots, Array]) -> Float[Array, ""]:
    """`nn.memory.covariance_norm` of a user's memory: the released form, which is summed over the batch."""
    return covariance_norm(state[0].slots)
