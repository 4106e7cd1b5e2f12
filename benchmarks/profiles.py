"""Scores of profiles and the choice of their features, against scikit-learn.

    python benchmarks/profiles.py lists       profiles a second from prepared feature ids; bar 20,000
    python benchmarks/profiles.py texts       profiles a second from texts of many scripts; bar 2,000
    python benchmarks/profiles.py single      one profile at a time: median and 99th percentile; bar 5 ms
    python benchmarks/profiles.py count       count 25 M tokens of 1 M features, choose 10,000; bars 120 s and 4 GB

The network is 10,000 - 50 - 1; the peer is MLPClassifier of the same size on a sparse matrix, behind a CountVectorizer
with the same vocabulary where there are texts. One core, process CPU time and wall time, both sides in turn in one
process, medians of the rounds with their range; latencies are of the wall.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import warnings
from functools import partial
from pathlib import Path

# Threads take the cores of the process that makes them, so it is held to one before jax is imported.
CORE = sys.argv[sys.argv.index("--core") + 1] if "--core" in sys.argv else "0"
if CORE != "all":
    os.sched_setaffinity(0, {int(CORE)})
for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[threads] = "1"

import jax  # noqa: E402
import numpy as np  # noqa: E402
from scipy import sparse  # noqa: E402
from settings import clock  # noqa: E402

from seqjax.data.tokens import hashtags, words  # noqa: E402
from seqjax.models.profile_net import ProfileNet  # noqa: E402
from seqjax.profiling import Classifier, classify_lists, classify_texts  # noqa: E402

FEATURES, HIDDEN, COVERAGE, WORDS = 10_000, 50, 115, 100
BATCH, BATCHES, CALLS = 1024, 8, 2000
PROFILES, TOKENS, VOCABULARY = 500_000, 50, 1_000_000  # of `count`
STARTS = (0x61, 0x430, 0x3B1, 0x5D0, 0x627, 0x915, 0xE01, 0x4E00, 0xAC00)  # Latin, Cyrillic, Greek, .., Hangul
LATIN = 0.6  # share of words in Latin letters


def lexicon(size: int) -> list[str]:
    """Different words of many scripts, an eighth of them hashtags."""
    random, found = np.random.default_rng(0), {}
    while len(found) < size:
        start = STARTS[0] if random.random() < LATIN else int(random.choice(STARTS[1:]))
        letters = random.integers(0, 22, random.integers(2, 10))
        found.setdefault("#" * (len(found) % 8 == 0) + "".join(chr(start + letter) for letter in letters.tolist()))
    return list(found)


def zipf(random: np.random.Generator, size: int, count: int) -> np.ndarray:
    """Ranks from 0 by Zipf's law."""
    total = np.cumsum(1.0 / np.arange(1, size + 1))
    return np.searchsorted(total, random.random(count) * total[-1])


def classifier(known: list[str]) -> Classifier:
    """A network with random weights; how fast it answers does not depend on them."""
    model = ProfileNet((("item", FEATURES),), (HIDDEN,))
    params = jax.jit(model.init)(jax.random.key(0))["params"]
    return Classifier(model, jax.device_get(params), np.array(known), ("M", "F"), {"text": (words, hashtags)})


def peer(inputs: sparse.csr_matrix):
    """A network of the same size in scikit-learn, fit on a few profiles."""
    from sklearn.neural_network import MLPClassifier

    made = MLPClassifier((HIDDEN,), activation="logistic", max_iter=1, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one pass does not converge
        return made.fit(inputs[:64], np.arange(64) % 2)


def prepared(count: int) -> tuple[list[np.ndarray], sparse.csr_matrix]:
    """Lists of distinct features from 1, and the same as a matrix."""
    random = np.random.default_rng(1)
    lists = [np.unique(random.integers(1, FEATURES + 1, n)).astype(np.int32) for n in random.poisson(COVERAGE, count)]
    offsets = np.concatenate([[0], np.cumsum([len(ids) for ids in lists])])
    ids = np.concatenate(lists)
    return lists, sparse.csr_matrix((np.ones(len(ids)), ids - 1, offsets), (count, FEATURES))


def written(count: int, known: list[str]) -> list[dict[str, str]]:
    """Profiles of about a hundred words, some of them capitals."""
    random = np.random.default_rng(2)
    rows = [zipf(random, len(known), n).tolist() for n in random.poisson(WORDS, count)]
    return [{"text": " ".join(known[i].title() if i % 5 == 0 else known[i] for i in row)} for row in rows]


def told(text: str) -> list[str]:
    """What the vectoriser reads: the tokens that we read."""
    return words(text) + hashtags(text)


def vectorisers(known: list[str]) -> dict:
    """CountVectorizer with our tokens, and with a plain regular expression, the fastest that it has."""
    from sklearn.feature_extraction.text import CountVectorizer

    plain = CountVectorizer(binary=True, vocabulary=known, token_pattern=r"#?\b\w+\b")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a pattern beside an analyser
        return {"our tokens": CountVectorizer(binary=True, vocabulary=known, analyzer=told), "plain tokens": plain}


def rates(title: str, ways: dict, count: int, rounds: int) -> None:
    """Runs the ways in turn and prints profiles a second, by CPU and by wall, with their range."""
    for way in ways.values():
        way()
    taken = np.empty((rounds, len(ways), 2))
    for place in np.ndindex(taken.shape[:2]):
        begin = clock()
        list(ways.values())[place[1]]()
        taken[place] = clock() - begin
    print(f"{title}, {rounds} rounds of {count:,} profiles")
    for column, name in enumerate(ways):
        rate = count / taken[:, column]
        low, middle, high = rate.min(axis=0), np.median(rate, axis=0), rate.max(axis=0)
        by = [f"{m:9,.0f} ({a:,.0f} to {b:,.0f})" for m, a, b in zip(middle, low, high, strict=True)]
        print(f"{name:36} CPU {by[0]:34} wall {by[1]:34} a second")


def lists(options: argparse.Namespace) -> None:
    """Prepared features, in batches of 1,024."""
    held, (ids, inputs) = classifier(lexicon(FEATURES)), prepared(BATCH * BATCHES)
    network = peer(inputs)
    parts = [slice(begin, begin + BATCH) for begin in range(0, len(ids), BATCH)]
    rows = [inputs[part] for part in parts]

    def ours(top: int) -> None:
        for part in parts:
            classify_lists(held, ids[part], top=top)

    ways = {"seqjax": partial(ours, 0), "seqjax, with 3 reasons": partial(ours, 3)}
    ways["MLPClassifier on a prebuilt matrix"] = lambda: [network.predict_proba(part) for part in rows]
    rates(f"lists of {inputs.nnz / len(ids):.0f} features, batches of {BATCH}", ways, len(ids), options.rounds)


def texts(options: argparse.Namespace) -> None:
    """Texts, from their characters to a probability."""
    known = lexicon(FEATURES * 2)  # half of it is not known
    held, rows = classifier(known[:FEATURES]), written(BATCH * 2, known)
    ways = {"seqjax": partial(classify_texts, held, rows, top=0)}
    ways["seqjax, with 3 reasons"] = partial(classify_texts, held, rows, top=3)
    plain = [row["text"] for row in rows]
    for name, vectoriser in vectorisers(known[:FEATURES]).items():
        network = peer(vectoriser.transform(plain))
        ways[f"CountVectorizer, {name}, and MLP"] = lambda v=vectoriser, n=network: n.predict_proba(v.transform(plain))
    features = classify_texts(held, rows, top=0).features.mean()
    rates(f"texts of {WORDS} words, {features:.0f} features", ways, len(rows), options.rounds)


def single(options: argparse.Namespace) -> None:
    """One profile a call."""
    known = lexicon(FEATURES * 2)
    held, rows, (ids, inputs) = classifier(known[:FEATURES]), written(CALLS, known), prepared(CALLS)
    vectoriser = vectorisers(known[:FEATURES])["our tokens"]
    network = peer(inputs)
    matrix = [inputs[place] for place in range(CALLS)]
    ways = {
        "seqjax, list": lambda at: classify_lists(held, ids[at : at + 1], top=0),
        "seqjax, list, with 3 reasons": lambda at: classify_lists(held, ids[at : at + 1], top=3),
        "MLPClassifier, prebuilt matrix": lambda at: network.predict_proba(matrix[at]),
        "seqjax, text": lambda at: classify_texts(held, rows[at : at + 1], top=0),
        "seqjax, text, with 3 reasons": lambda at: classify_texts(held, rows[at : at + 1], top=3),
        "CountVectorizer, our tokens, and MLP": lambda at: network.predict_proba(
            vectoriser.transform([rows[at]["text"]])
        ),
    }
    del options
    print(f"single profiles, {CALLS:,} calls each, in turn")
    seconds = np.empty((len(ways), CALLS, 2))
    for at in range(-100, CALLS):
        for place, way in enumerate(ways.values()):
            begin = clock()
            way(max(at, 0))
            seconds[place, max(at, 0)] = clock() - begin
    for name, (cpu, wall) in zip(ways, 1e3 * seconds.transpose(0, 2, 1), strict=True):
        middle, rare = np.percentile(wall, [50, 99])
        print(
            f"{name:38} wall: median {middle:.2f} ms, 99 % {rare:.2f} ms;  "
            f"CPU: median {np.median(cpu):.2f} ms, 99 % {np.percentile(cpu, 99):.2f} ms"
        )


def profiles(file: Path) -> None:
    """Writes a table of token lists and labels, in groups of rows."""
    import pyarrow as pa
    from pyarrow import parquet

    random, writer = np.random.default_rng(3), None
    known = pa.array([f"#tag{rank}" for rank in range(VOCABULARY)])
    for part in range(10):
        count = PROFILES // 10
        ranks = zipf(random, VOCABULARY, count * TOKENS)
        ranks[: VOCABULARY // 10] = np.arange(VOCABULARY // 10) + part * (VOCABULARY // 10)  # every feature occurs
        offsets = pa.array(np.arange(count + 1) * TOKENS, pa.int32())
        tokens = pa.ListArray.from_arrays(offsets, known.take(pa.array(random.permutation(ranks))))
        table = pa.table({"tokens": tokens, "label": random.random(count) < 0.5})
        writer = writer or parquet.ParquetWriter(file, table.schema)
        writer.write_table(table)
    writer.close()


CHILD = """
import resource, sys, time
import ibis
from seqjax.data.association import exact, select
from seqjax.data.features import counted
connection = ibis.duckdb.connect()
connection.raw_sql("set threads = 1")
began = time.process_time(), time.perf_counter()
counts = counted(connection.read_parquet(sys.argv[1]))
middle = time.process_time(), time.perf_counter()
chosen = select(counts, 10_000, exact)
ended = time.process_time(), time.perf_counter()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
print(len(counts.words), len(chosen.words), *(b - a for a, b in zip(began, middle)),
      *(b - a for a, b in zip(middle, ended)), peak)
"""


def count(options: argparse.Namespace) -> None:
    """Counting and selection, each round in a process of its own."""
    print(f"count {PROFILES:,} profiles of {TOKENS} tokens, {options.rounds} rounds")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "profiles.parquet"
        profiles(file)
        command = [sys.executable, "-c", CHILD, str(file)]
        outputs = [
            subprocess.run(command, check=True, capture_output=True, text=True).stdout for _ in range(options.rounds)
        ]
    rows = np.array([output.split()[-7:] for output in outputs], float)  # behind DuckDB's bar of progress
    names = ("features", "chosen", "count, CPU s", "count, wall s", "select, CPU s", "select, wall s", "peak, GiB")
    for name, column in zip(names, rows.T, strict=True):
        print(f"{name:16} {np.median(column):12,.2f} ({column.min():,.2f} to {column.max():,.2f})")


def main() -> None:
    """Runs one comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", default="lists", choices=["lists", "texts", "single", "count"])
    parser.add_argument("--core", default="0", help="the core to run on, or all")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    globals()[options.what](options)


if __name__ == "__main__":
    main()
