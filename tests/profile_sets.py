"""Small labelled profiles, and what a loop says of them."""

import jax
import jax.numpy as jnp
import numpy as np

from seqjax.data.events import EventLog
from seqjax.data.profiles import profiled

CLASSES = ("no", "yes")


def profiles_of(tokens, label, words=None, **keys):
    """Profiles as lists of words; the vocabulary is in the order of the alphabet unless it is given."""
    words = np.array(sorted({word for one in tokens for word in one}) if words is None else list(words))
    ids = [words.tolist().index(word) + 1 for one in tokens for word in one]
    offsets = np.concatenate([[0], np.cumsum([len(one) for one in tokens])]).astype(np.int64)
    names = {name: np.array(column) for name, column in keys.items()}
    return profiled(EventLog(offsets, {"item": np.array(ids, np.int32)}, {"item": words}, names), label, CLASSES)


def random_profiles(seed, count=60, words=12, longest=9):
    """Profiles of 0 .. `longest` words with repeats, the first words more common in the positive class."""
    random = np.random.default_rng(seed)
    label = random.random(count) < 0.4
    law = 1.0 / np.arange(1, words + 1)
    chance = [law[::-1] / law.sum(), law / law.sum()]
    names = np.array([f"w{place}" for place in range(words)])
    tokens = [random.choice(names, random.integers(0, longest + 1), p=chance[int(own)]).tolist() for own in label]
    return profiles_of(tokens, label, names)


def words_of(samples):
    """Every profile as a list of words, in the order in which they stand."""
    log, words = samples.log, samples.vocabulary["item"]
    rows = [slice(*log.offsets[place : place + 2]) for place in samples.sequence]
    return [words[log.columns["item"][row] - 1].tolist() for row in rows]


def counted(samples, words=None):
    """How often each word occurs in each profile, as a plain matrix."""
    words = samples.vocabulary["item"].tolist() if words is None else list(words)
    matrix = np.zeros((samples.size, len(words)))
    for row, held in enumerate(words_of(samples)):
        for word in held:
            matrix[row, words.index(word)] += 1.0
    return matrix


def random_params(model, seed=0, scale=0.7):
    """Parameters of which none is zero."""
    random, shapes = np.random.default_rng(seed), jax.eval_shape(model.init, jax.random.key(0))["params"]
    return jax.tree.map(lambda leaf: jnp.asarray(random.normal(0, scale, leaf.shape), jnp.float32), shapes)


def plain_outputs(params, matrix, pool="sum", activation=lambda x: 1.0 / (1.0 + np.exp(-x))):
    """What a fully connected network says of dense rows, in double precision, before the last logistic function."""
    dense = {name: jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), part) for name, part in params.items()}
    number = np.maximum(matrix.sum(axis=1, keepdims=True), 1.0)
    scale = {"sum": 1.0, "mean": number, "root": np.sqrt(number)}[pool]
    x = matrix @ dense["item"]["rows"][1:] / scale + dense["bias"]
    for place in range(sum(name.startswith("layers_") for name in dense)):
        x = activation(x) @ dense[f"layers_{place}"]["kernel"] + dense[f"layers_{place}"]["bias"]
    return x
