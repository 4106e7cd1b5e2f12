"""The published equations in plain numpy and float64, one row of scores or one event at a time.

The losses are written over the sampled score matrix with all its repeats: `r` is the row of one lane, `own` the column
of its target. They stay analytic, so that `gradient` can take an exact derivative by a complex step.
"""

import numpy as np


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def cross_entropy(r, own, epsilon=0.0, smoothing=0.0):
    q = np.exp(r - r.real.max())
    q = q / q.sum()
    if smoothing == 0.0:
        return -np.log(q[own] + epsilon)
    n = len(r)
    return (1 - smoothing * n / (n - 1)) * -np.log(q[own]) + smoothing / (n - 1) * -np.log(q).sum()


def bpr(r, own):
    return -np.log(sigmoid(r[own] - r)).sum()


def top1(r, own):
    return (sigmoid(r - r[own]) + sigmoid(r**2)).mean() - sigmoid(r[own] ** 2) / len(r)


def negative_softmax(r, own):
    others = np.arange(len(r)) != own
    e = np.where(others, np.exp(r - np.max(r.real, where=others, initial=-np.inf)), 0.0)
    return e / e.sum()


def bpr_max(r, own, penalty=0.0):
    s = negative_softmax(r, own)
    return -np.log((s * sigmoid(r[own] - r)).sum() + 1e-24) + penalty * (s * r**2).sum()


def top1_max(r, own):
    s = negative_softmax(r, own)
    return (s * (sigmoid(r - r[own]) + sigmoid(r**2))).sum()


def bpr_max_gradient(r, own, penalty=0.0):
    """The closed form: with A = sum s sigma and C = sum s r^2, for the negatives and for the target."""
    s, sigma = negative_softmax(r, own), sigmoid(r[own] - r)
    a, c = (s * sigma).sum(), (s * r**2).sum()
    grad = s * (-(sigma**2 - a) / (a + 1e-24) + penalty * (r * (r + 2) - c))
    grad[own] = -(s * sigma * (1 - sigma)).sum() / (a + 1e-24)
    return grad


def gradient(function, x, step=1e-30):
    """Derivative by every entry: the imaginary part of f(x + i step) / step, exact to rounding."""
    grad = np.empty(len(x))
    for index in range(len(x)):
        z = x.astype(complex)
        z[index] += 1j * step
        grad[index] = function(z).imag / step
    return grad


def gru(p, h, x, reset_after=False):
    """Gates side by side in the order reset, update, candidate; z writes. `x` is multiplied unless p has no kernel."""
    size = len(h)
    part = [slice(0, size), slice(size, 2 * size), slice(2 * size, 3 * size)]
    x = x @ p["kernel"] if "kernel" in p else x
    w, u, b = [x[s] for s in part], [p["recurrent"][:, s] for s in part], [p["bias"][s] for s in part]
    c = [p["recurrent_bias"][s] for s in part] if reset_after else [0.0, 0.0, 0.0]
    r = sigmoid(w[0] + b[0] + h @ u[0] + c[0])
    z = sigmoid(w[1] + b[1] + h @ u[1] + c[1])
    if reset_after:
        candidate = np.tanh(w[2] + b[2] + r * (h @ u[2] + c[2]))
    else:
        candidate = np.tanh(w[2] + b[2] + (r * h) @ u[2])
    return (1 - z) * h + z * candidate


def lstm(p, memory, x, forget_bias=1.0):
    """Gates side by side in the order input, forget, cell, output. `x` is multiplied unless p has no kernel."""
    c, h = memory
    gates = (x @ p["kernel"] if "kernel" in p else x) + h @ p["recurrent"] + p["bias"]
    i, f, g, o = np.split(gates, 4)
    c = sigmoid(f + forget_bias) * c + sigmoid(i) * np.tanh(g)
    return c, sigmoid(o) * np.tanh(c)


def dense(p, x):
    return x @ p["kernel"] + p["bias"]


def layer_norm(p, x, epsilon=1e-6):
    """Zero mean and unit variance over the last axis, then scale and bias."""
    centred = x - x.mean(axis=-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + epsilon) * p["scale"] + p["bias"]


def gelu(x):
    """Hendrycks and Gimpel (2016), in their approximation by tanh."""
    return 0.5 * x * (1.0 + np.tanh(np.sqrt(2.0 / np.pi) * (x + 0.044715 * x**3)))


def gru4rec(params, items, start, embedding="shared", reset_after=False):
    """States of all layers after every item, and the scores of all rows after the last."""
    table = params["item" if embedding == "shared" else "input"]["rows"]
    state, states = [np.array(h) for h in start], []
    for item in items:
        x = table[item]
        for layer in range(len(state)):
            x = state[layer] = gru(params[f"cells_{layer}"], state[layer], x, reset_after)
        states.append([h.copy() for h in state])
    x = state[-1]
    for name in sorted(name for name in params if name.startswith("dense")):
        x = np.tanh(x @ params[name]["kernel"] + params[name]["bias"])
    return states, params["item"]["rows"] @ x + params["bias"]["rows"]


def adagrad(p, g, acc, velocity, rate, momentum):
    """Adagrad with heavy ball; returns the new (p, acc, velocity)."""
    acc = acc + g**2
    velocity = momentum * velocity - rate * g / np.sqrt(acc + 1e-6)
    return p + velocity, acc, velocity


def keep_gates(p, h, x):
    """Keep gate and candidate of TensorFlow's GRU, whose weights act on x and h together."""
    size, weights = 2 * len(h), np.concatenate([p["kernel"], p["recurrent"]])
    r, z = np.split(sigmoid(np.concatenate([x, h]) @ weights[:, :size] + p["bias"][:size]), 2)
    return z, np.tanh(np.concatenate([x, r * h]) @ weights[:, size:] + p["bias"][size:])


def keep_gru(p, h, x):
    z, candidate = keep_gates(p, h, x)
    return z * h + (1 - z) * candidate


def elu(x):
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


def relu(x):
    return np.maximum(x, 0)


def softmax(x):
    e = np.exp(x - x.max())
    return e / e.sum()


def perceptron(p, x, activation):
    """Normalisation, whichever has parameters, hidden layers, one number."""
    if "norm" in p:
        x = layer_norm(p["norm"], x)
    elif "scale" in p:
        x = x * p["scale"] + p["shift"]
    for name in sorted(name for name in p if name.startswith("layers")):
        x = activation(dense(p[name], x))
    return dense(p["last"], x)[0]


def relevance(p, query, keys, activation=relu):
    """A number for every key."""
    pairs = (np.concatenate([query, key, query - key, query * key]) for key in keys)
    rest = {name: p[name] for name in p if name not in ("kernel", "bias")}
    return np.array([perceptron(rest, activation(dense(p, pair)), activation) for pair in pairs])


def features(p, event, names):
    """The vectors of an event's ids, side by side."""
    return np.concatenate([(p[name]["rows"] if name in ("item", "user") else p[name])[event[name]] for name in names])


def convolution(p, x, kernel):
    """Causal convolution; what is before the first place is zeros."""
    taps = p["taps"].reshape(kernel, x.shape[1], -1)
    past = [[(place - lag, taps[kernel - 1 - lag]) for lag in range(kernel)] for place in range(len(x))]
    return np.array([p["bias"] + sum(x[place] @ tap for place, tap in here if place >= 0) for here in past])


def pooled(x, size):
    """Maximum over groups of neighbours, counted from the last place; the first group may be smaller."""
    return np.array([x[max(0, end - size) : end].max(axis=0) for end in range(len(x), 0, -size)][::-1])


def transformer_block(p, x, heads, window):
    """Pre-normalised attention over the last `window` events, a vector for every distance added to the key."""
    h = layer_norm(p["before_0"], x)
    query, key, value = (dense(p[name], h) for name in ("query", "key", "value"))
    mean = np.zeros_like(query)
    for head in np.split(np.arange(query.shape[1]), heads):
        for time in range(len(x)):
            past = np.arange(max(0, time - window + 1), time + 1)
            scores = (key[past][:, head] + p["distance"][time - past][:, head]) @ query[time, head]
            mean[time, head] = softmax(scores / np.sqrt(len(head))) @ value[past][:, head]
    x = x + dense(p["out"], mean)
    return x + dense(p["narrow"], gelu(dense(p["wide"], layer_norm(p["before_1"], x))))
