"""Training steps of response models over long histories, against PyTorch layers and DeepCTR-Torch's DIEN.

    python benchmarks/lifelong.py hpmn       HPMN, a one-layer GRU model and a model around torch.nn.GRU, T = 1000
    python benchmarks/lifelong.py dien       DIEN here and in DeepCTR-Torch, T = 100: pip install deepctr-torch requests
    python benchmarks/lifelong.py length     HPMN by length: the cost of a step grows as T
    python benchmarks/lifelong.py memory     temporaries of the compiled step, in one piece and in blocks

A step is everything: embedding, reading, head, loss, gradient, Adam; batch 128, item and category of 16 numbers each,
32 units. One core, process CPU time, interleaved in one process, median of the rounds; ratios are those of the pairs.
"""

from __future__ import annotations

import argparse
import os
import sys
from functools import partial

# Threads take the cores of the process that makes them, so it is held to one before jax is imported.
CORE = sys.argv[sys.argv.index("--core") + 1] if "--core" in sys.argv else "0"
if CORE != "all":
    os.sched_setaffinity(0, {int(CORE)})
os.environ["OMP_NUM_THREADS"] = "1"

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
import optax  # noqa: E402
from settings import clock  # noqa: E402

from seqjax.data.events import EventLog  # noqa: E402
from seqjax.data.samples import ask, target_plan  # noqa: E402
from seqjax.models.dien import DIEN  # noqa: E402
from seqjax.models.hpmn import HPMN  # noqa: E402
from seqjax.objectives.response import (  # noqa: E402
    ResponseHparams,
    no_negatives,
    response_batch,
    response_corpus,
    response_objective,
)
from seqjax.train.step import init_train_state, make_chunk, make_step  # noqa: E402

ITEMS, CATEGORIES, LANES, STEPS = 20_000, 500, 128, 2
SIZES = (("item", ITEMS), ("category", CATEGORIES))
DOUBLED = (1, 2, 4, 8, 16)


def samples(length: int):
    """Enough random lives for some steps."""
    random, users = np.random.default_rng(0), LANES * STEPS
    item = random.integers(1, ITEMS + 1, users * length).astype(np.int32)
    words = {name: np.arange(size).astype(np.str_) for name, size in SIZES}
    log = EventLog(np.arange(users + 1) * length, {"item": item}, words)
    category = np.append(0, random.integers(1, CATEGORIES + 1, ITEMS)).astype(np.int32)
    asked, label = random.integers(1, ITEMS + 1, users), random.random(users) < 0.5
    return ask(log, np.arange(users), np.full(users, length), label, asked, side={"category": category})


def compiled(model, length: int, block: int, **objective):
    """The compiled chunk of two steps, and what it is called with; the state is given back every time."""
    held = samples(length)
    step = make_step(
        partial(response_objective, model=model, block=block, **objective),
        lambda hparams: optax.adam(hparams.learning_rate),
        {"item": ("item",)},
        no_negatives,
    )
    hparams = jax.tree.map(jnp.float32, ResponseHparams())
    params = jax.jit(model.init)(jax.random.key(0))["params"]
    adam = lambda hparams: optax.adam(hparams.learning_rate)  # noqa: E731
    state = init_train_state(jax.random.key(1), params, adam, hparams, jnp.zeros(LANES), {"item": ("item",)})
    plan = target_plan(held, lanes=LANES, window=length)
    arguments = (plan, jax.device_put(response_corpus(held)), hparams)
    return make_chunk(step, response_batch).lower(state, *arguments).compile(), state, arguments


def ours(model, length: int, block: int):
    """A function that runs two steps and returns the seconds of one."""
    chunk, state, arguments = compiled(model, length, block)
    held = [state]

    def run() -> float:
        begin = clock()
        held[0], metrics = chunk(held[0], *arguments)
        jax.block_until_ready(metrics)
        return (clock() - begin)[0] / STEPS

    run()
    return run


def scanned(model, length: int, block: int):
    """`ours` without compiled recurrent layers."""
    os.environ["SEQJAX_NATIVE"] = "0"
    try:
        return ours(model, length, block)
    finally:
        del os.environ["SEQJAX_NATIVE"]


def torch_gru(length: int):
    """The same step around one layer of torch.nn.GRU."""
    import torch

    torch.set_num_threads(1)

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.item, self.category = torch.nn.Embedding(ITEMS + 1, 16), torch.nn.Embedding(CATEGORIES + 1, 16)
            self.gru = torch.nn.GRU(32, 32, batch_first=True)
            parts = (torch.nn.Linear(64, 200), torch.nn.ELU(), torch.nn.Linear(200, 80), torch.nn.ELU())
            self.head = torch.nn.Sequential(*parts, torch.nn.Linear(80, 1))

        def embed(self, item, category):
            return torch.cat([self.item(item), self.category(category)], -1)

        def forward(self, item, category, target, target_category):
            _, h = self.gru(self.embed(item, category))
            return self.head(torch.cat([h[0], self.embed(target, target_category)], -1))[:, 0]

    held = samples(length)
    item = torch.tensor(held.log.columns["item"].reshape(-1, length)[:LANES], dtype=torch.long)
    category = torch.tensor(held.side["category"], dtype=torch.long)
    target = torch.tensor(held.target["item"][:LANES], dtype=torch.long)
    label = torch.tensor(held.label[:LANES], dtype=torch.float32)
    model = Model()
    optimizer, loss = torch.optim.Adam(model.parameters(), lr=1e-3), torch.nn.BCEWithLogitsLoss()

    def run() -> float:
        begin = clock()
        optimizer.zero_grad()
        loss(model(item, category[item], target, category[target]), label).backward()
        optimizer.step()
        return (clock() - begin)[0]

    run()
    return run


def torch_dien(length: int):
    """The same step with DIEN of DeepCTR-Torch."""
    import torch
    from deepctr_torch.inputs import SparseFeat, VarLenSparseFeat
    from deepctr_torch.models import DIEN as Peer

    torch.set_num_threads(1)
    columns = [SparseFeat(name, size + 1, embedding_dim=16) for name, size in SIZES]
    for name, size in SIZES:
        past = SparseFeat(f"hist_{name}", size + 1, embedding_dim=16, embedding_name=name)
        columns.append(VarLenSparseFeat(past, maxlen=length, length_name="seq_length"))
    sizes = {"dnn_hidden_units": (200, 80), "att_hidden_units": (80, 40)}
    model = Peer(columns, [name for name, _ in SIZES], gru_type="AUGRU", device="cpu", **sizes)
    held = samples(length)
    item, target = held.log.columns["item"].reshape(-1, length)[:LANES], held.target["item"][:LANES]
    category = held.side["category"]
    values = {"item": target, "category": category[target], "hist_item": item, "hist_category": category[item]}
    values["seq_length"] = np.full(LANES, length)
    width = max(end for _, end in model.feature_index.values())
    x = np.zeros((LANES, width), np.float32)
    for name, (begin, end) in model.feature_index.items():
        x[:, begin:end] = values[name].reshape(LANES, -1)
    x, label = torch.tensor(x), torch.tensor(held.label[:LANES], dtype=torch.float32)
    optimizer, loss = torch.optim.Adam(model.parameters(), lr=1e-3), torch.nn.BCELoss()
    model.train()

    def run() -> float:
        begin = clock()
        optimizer.zero_grad()
        loss(model(x)[:, 0], label).backward()
        optimizer.step()
        return (clock() - begin)[0]

    run()
    return run


def pairs(title: str, ways: dict, rounds: int) -> None:
    """Runs the ways in turn and prints medians, and ratios to the first."""
    seconds = np.array([[run() for run in ways.values()] for _ in range(rounds)])
    ratios = seconds / seconds[:, :1]
    print(f"{title}, {rounds} rounds")
    for column, name in enumerate(ways):
        low, high = ratios[:, column].min(), ratios[:, column].max()
        middle, ratio = np.median(seconds[:, column]), np.median(ratios[:, column])
        print(f"{name:36} {1e3 * middle:8.1f} ms a step   {ratio:5.2f} x ({low:.2f} to {high:.2f})")


def hpmn(options: argparse.Namespace) -> None:
    """HPMN of five layers against one layer, here and in PyTorch."""
    model, one = (HPMN(SIZES, ("item", "category"), periods=periods) for periods in (DOUBLED, (1,)))
    ways = {
        "HPMN, periods 1 to 16": ours(model, options.length, options.block),
        "the same, XLA's scan": scanned(model, options.length, options.block),
        "one GRU layer, the same reading": ours(one, options.length, options.block),
        "torch.nn.GRU, one layer": torch_gru(options.length),
    }
    pairs(f"T = {options.length}, blocks of {options.block}", ways, options.rounds)


def dien(options: argparse.Namespace) -> None:
    """DIEN of both, without auxiliary losses."""
    length = min(options.length, 100)
    model = DIEN(SIZES, ("item", "category"), window=length)
    ways = {"DIEN": ours(model, length, 0), "the same, XLA's scan": scanned(model, length, 0)}
    ways["DeepCTR-Torch's DIEN"] = torch_dien(length)
    pairs(f"T = {length}", ways, options.rounds)


def length(options: argparse.Namespace) -> None:
    """HPMN by the length of the history."""
    model = HPMN(SIZES, ("item", "category"), periods=DOUBLED)
    lengths = (250, 500, 1000, 2000)
    ways = {f"T = {time}": ours(model, time, options.block) for time in lengths}
    pairs(f"HPMN, blocks of {options.block}", ways, options.rounds)


def memory(options: argparse.Namespace) -> None:
    """Temporaries of HPMN's compiled step."""
    model = HPMN(SIZES, ("item", "category"), periods=DOUBLED)
    for name, block in (("in one piece", 0), (f"blocks of {options.block}", options.block)):
        held = compiled(model, options.length, block)[0].memory_analysis().temp_size_in_bytes
        print(f"T = {options.length}, {name}: {held / 1e6:.0f} MB")


def main() -> None:
    """Runs one comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["hpmn", "dien", "length", "memory"])
    parser.add_argument("--length", type=int, default=1000)
    parser.add_argument("--block", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--core", default="0", help="the core to run on, or all")
    options = parser.parse_args()
    globals()[options.what](options)


if __name__ == "__main__":
    main()
