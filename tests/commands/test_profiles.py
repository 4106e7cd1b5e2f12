"""Profiles from the command line: train small, export, score files of texts and a log."""

import csv
import json
import re
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from test_cli import failure, run_in_process

from seqjax import profiling
from seqjax.cli import main
from seqjax.commands import profiles
from seqjax.data import rows as rows_of
from seqjax.data.events import EventLog
from seqjax.data.layers import from_neuraln
from seqjax.profiling import classifier, classify_log, classify_texts, load_classifier
from seqjax.run import load

EXPERIMENT = '''"""A tiny classifier of profiles."""
from functools import partial

from seqjax import optim
{imports}
from seqjax.data.samples import target_plan
from seqjax.evaluate.profile import profile
from seqjax.experiment import Experiment
from seqjax.models.profile_net import ProfileNet
from seqjax.objectives.profile import ProfileHparams, profile_objective
from seqjax.objectives.response import no_negatives, response_batch, response_corpus
from seqjax.report.profile import profile_sections
from seqjax.train.fit import Stop

experiment = Experiment(
    data={data},
    corpus=response_corpus,
    plan=partial(target_plan, lanes=16, window=32),
    gather=response_batch,
    draw=no_negatives,
    model=partial(ProfileNet, {model}),
    objective=profile_objective,
    views={{"item": ("item",)}},
    optimizer=optim.adam_decay,
    hparams=ProfileHparams(learning_rate=0.05),
    evaluate=partial(profile, replicates=20),
    stop=Stop(epochs=2, metric="auc"),
    headline=("accuracy",),
    sections=profile_sections,
)
'''
KINDS = {  # the settings of a tiny experiment on texts, and of one on logs
    "texts": {
        "imports": "from seqjax.data.profiles import selected\nfrom seqjax.data.sources import gender_texts",
        "data": 'partial(gender_texts.twitter, path={path!r}, split=partial(selected, features=30, validation=0.2))',
        "model": 'hidden=(), pool="root"',
    },
    "log": {
        "imports": "from seqjax.data.zipf import zipf",
        "data": "partial(zipf, profiles=100, tests=40, tokens=15.0, features=25, presence=False)",
        "model": "hidden=(4,)",
    },
}  # fmt: skip


def texts(seed, count):
    """Rows of two texts; one class writes more of the first words and hashtags."""
    random, words = np.random.default_rng(seed), ["tea", "кот", "東京", "नमस्ते", "don't", "goal", "ＢＢＱ", "rain"]  # noqa: RUF001
    for row in range(count):
        female = bool(row % 2)
        chance = np.exp(np.linspace(0.8, -0.8, len(words)) * (1 if female else -1))
        said = random.choice(words, (2, 6), p=chance / chance.sum()).tolist()
        yield female, {"text": f"{row} " + " #".join(said[0]), "description": ", ".join(said[1])}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Finished runs, by kind."""
    folder = tmp_path_factory.mktemp("profiles")
    rows = [
        {"unit_id": str(row), "gender": "female" if female else "male", **said}
        for row, (female, said) in enumerate(texts(0, 120))
    ]
    parquet.write_table(pa.Table.from_pylist(rows), folder / "texts.parquet")
    for name, parts in KINDS.items():
        held = {**parts, "data": parts["data"].format(path=str(folder / "texts.parquet"))}
        (folder / f"{name}.py").write_text(EXPERIMENT.format(**held))
    both = "; ".join(
        f"assert main(['run', {str(folder / f'{name}.py')!r}, '--out', {str(folder / name)!r}]) == 0" for name in KINDS
    )
    command = [sys.executable, "-c", f"from seqjax.cli import main; {both}"]
    made = subprocess.run(command, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    return {name: folder / name for name in KINDS}


@pytest.fixture(scope="module")
def exported(runs):
    """The classifier of texts as one file."""
    assert main(["export", str(runs["texts"]), "--out", str(runs["texts"].parent / "texts.npz")]) == 0
    return runs["texts"].parent / "texts.npz"


ROWS = [
    {"id": f"00{row}", "user": f"ann, \"{row}\"\nof", **said} for row, (_, said) in enumerate(texts(1, 21))
] + [{"id": "last", "user": "", "text": "", "description": ""}]  # fmt: skip


def write(file, rows=ROWS):
    """The same rows in the format of the file's ending."""
    if file.suffix == ".parquet":
        parquet.write_table(pa.Table.from_pylist(rows), file)
    elif file.suffix == ".jsonl":
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        with file.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, list(rows[0]), delimiter={".csv": ",", ".tsv": "\t"}[file.suffix])
            writer.writeheader()
            writer.writerows(rows)
    return file


def read(file):
    """The rows of a file of scores, every cell as text."""
    if file.suffix == ".parquet":
        return [{name: str(value) for name, value in row.items()} for row in parquet.read_table(file).to_pylist()]
    with file.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream, delimiter={".csv": ",", ".tsv": "\t"}[file.suffix]))


def words_of(run, data, out, *settings):
    """The words of the command."""
    return ["score", run, "--data", data, "--out", out, *(["--set", *settings] if settings else [])]


ENDINGS = (".csv", ".tsv", ".parquet", ".jsonl")


def test_export_keeps_the_run(runs, exported):
    held, found = classifier(load(runs["texts"])), load_classifier(exported)
    numbers = json.loads((runs["texts"] / "metrics.json").read_text())
    assert (found.scale, found.shift) == (numbers["calibration/scale"], numbers["calibration/shift"]) != (1.0, 0.0)
    assert found.words.tolist() == held.words.tolist() and found.classes == held.classes == ("male", "female")
    rows = [said for _, said in texts(2, 40)]
    for one, other in zip(classify_texts(held, rows), classify_texts(found, rows), strict=True):
        assert one.tobytes() == other.tobytes()
    assert not classifier(load(runs["log"])).presence and classifier(load(runs["log"])).fields is None


def test_every_format_gives_the_same_rows(exported, tmp_path, capsys):
    said = []
    for ending in ENDINGS:
        data = write(tmp_path / f"data{ending}")
        for out in ENDINGS[:3]:
            shown = run_in_process(capsys, words_of(exported, data, tmp_path / f"out{out}"))
            said.append(read(tmp_path / f"out{out}"))
        assert re.search("profiles .*22", shown) and re.search("undecided .*1", shown)
    assert all(one == said[0] for one in said)
    names = ["row", "user", "id", "probability", "class", "features", "because_1", "because_2", "because_3"]
    assert list(said[0][0]) == names
    assert [row["id"] for row in said[0]] == [row["id"] for row in ROWS]
    assert [row["user"] for row in said[0]] == [row["user"] for row in ROWS]
    assert [row["row"] for row in said[0]] == [str(row) for row in range(1, 23)]


def test_rows_are_what_the_classifier_says(runs, exported, tmp_path, capsys):
    run_in_process(capsys, words_of(runs["texts"], write(tmp_path / "data.csv"), tmp_path / "out.csv", "top=2"))
    held, found = load_classifier(exported), read(tmp_path / "out.csv")
    said = classify_texts(held, ROWS, top=2)
    assert [float(row["probability"]) for row in found] == said.probability.tolist()
    classes = ["female" if probability > 0.5 else "male" for probability in said.probability]
    assert [row["class"] for row in found] == [*classes[:-1], ""] and set(classes) == {"male", "female"}
    assert [int(row["features"]) for row in found] == said.features.tolist()
    word, effect = found[0]["because_1"].rsplit(" ", 1)
    assert word == held.words[said.because[0, 0]] and float(effect) == pytest.approx(said.effect[0, 0], abs=0.006)
    assert re.fullmatch("(text|description):.+", word)
    bias = held.scale * held.layers.biases[0][0] + held.shift
    assert said.probability[-1] == pytest.approx(1 / (1 + np.exp(-bias)), rel=1e-6)
    assert found[-1]["because_1"] == "" and "because_3" not in found[0]


def test_a_margin_leaves_more_undecided(exported, tmp_path, capsys):
    data, counts = write(tmp_path / "data.csv"), []
    for margin in ("0", "0.1", "0.5"):
        run_in_process(capsys, words_of(exported, data, tmp_path / "out.csv", f"margin={margin}", "top=0"))
        found = read(tmp_path / "out.csv")
        assert all((row["class"] == "") == (abs(float(row["probability"]) - 0.5) < float(margin)) for row in found[:-1])
        counts.append(sum(row["class"] == "" for row in found))
    assert counts[0] == 1 < counts[1] < counts[2] == 22


@pytest.mark.parametrize("ending", ENDINGS)
def test_blocks_are_one_after_the_other(exported, tmp_path, capsys, monkeypatch, ending):
    data = write(tmp_path / f"data{ending}")
    run_in_process(capsys, words_of(exported, data, tmp_path / "whole.csv"))
    monkeypatch.setattr(rows_of, "BLOCK", 4)
    monkeypatch.setattr(rows_of, "WINDOW", 400)  # a few rows
    seen = []
    monkeypatch.setattr(profiles, "classify_texts", lambda *a, **k: seen.append(k["first"]) or classify_texts(*a, **k))
    run_in_process(capsys, words_of(exported, data, tmp_path / "parts.csv"))
    assert len(seen) >= 6 and seen == sorted(seen)
    assert (tmp_path / "parts.csv").read_text() == (tmp_path / "whole.csv").read_text()


def test_missing_texts_have_no_tokens(exported, tmp_path, capsys):
    rows = [
        {"text": None, "description": "tea"},
        {"text": "tea", "description": None},
        {"text": None, "description": None},
    ]
    said = []
    for ending in ENDINGS:
        run_in_process(capsys, words_of(exported, write(tmp_path / f"data{ending}", rows), tmp_path / "out.csv"))
        said.append(read(tmp_path / "out.csv"))
    assert all(one == said[0] for one in said) and said[0][2]["features"] == "0"
    assert sorted(row["features"] for row in said[0][:2]) == ["1", "1"]


def test_texts_that_look_like_numbers(exported, tmp_path, capsys, monkeypatch):
    """In every block of a file alike, whatever other columns hold."""
    monkeypatch.setattr(rows_of, "WINDOW", 60)
    lines = ["id,age,text,description", *(f"0{row},{row},2013,1e3" for row in range(9)), "x,old,tea #tea,tea"]
    (tmp_path / "data.csv").write_text("\n".join(lines) + "\n")
    run_in_process(capsys, words_of(exported, tmp_path / "data.csv", tmp_path / "out.parquet"))
    found = read(tmp_path / "out.parquet")
    assert [row["id"] for row in found] == [*(f"0{row}" for row in range(9)), "x"]
    assert found[0]["features"] == "0" < found[-1]["features"]


def test_keys_of_any_kind(exported, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(rows_of, "BLOCK", 1)
    keys = [7, "a", None, [1], "\ud800"]
    rows = [{"user": key, "text": "tea", "description": ""} for key in keys] + [{"text": "", "description": ""}]
    run_in_process(capsys, words_of(exported, write(tmp_path / "data.jsonl", rows), tmp_path / "out.csv"))
    assert [row["user"] for row in read(tmp_path / "out.csv")] == ["7", "a", "", "[1]", "?", ""]


def test_empty_lines_of_a_lone_column_are_profiles(runs, tmp_path):
    (tmp_path / "data.csv").write_text("text\ntea\n\n#rain\n")
    assert [row["text"] for (*rows,) in rows_of.blocks(tmp_path / "data.csv", ("text",)) for row in rows] == [
        "tea", "", "#rain"
    ]  # fmt: skip


HEAD, GOOD = "text,description\n", "tea,rain\n"
LINE = json.dumps({"text": "a", "description": "b"}) + "\n"
BROKEN = {  # a file's ending and bytes, and what is said of it
    "missing column": (".csv", "text,about\na,b\n", r"data.csv: has no column description, only text, about"),
    "another row": (".csv", HEAD + 3 * GOOD + "a,b,c\n", r"data.csv, row 4: Expected 2 columns, got 3"),
    "not UTF-8": (".csv", (HEAD + 2 * GOOD).encode() + b"a,\xff\n", r"data.csv, row 3: .*invalid UTF8.*in UTF-8"),
    "a head not UTF-8": (".tsv", b"text\tdescr\xff\na\tb\n", r"data.tsv: cannot be read as rows in UTF-8"),
    "empty": (".csv", "", r"data.csv: has no rows"),
    "only a head": (".csv", HEAD, r"data.csv: has no rows"),
    "no lines": (".jsonl", "", r"data.jsonl: has no rows"),
    "bad JSON": (".jsonl", 2 * LINE + "{'text'}\n", r"data.jsonl, row 3: is no JSON .*repair the line"),
    "no object": (".jsonl", LINE + "[1]\n", r"data.jsonl, row 2: is no JSON object"),
    "line not UTF-8": (".jsonl", LINE.encode() + b'{"text": "\xff"}\n', r"data.jsonl, row 2: is not UTF-8"),
    "deep": (".jsonl", LINE + "[" * 200_000 + "\n", r"data.jsonl, row 2: is no JSON"),
    "missing field": (".jsonl", LINE + '{"text": "a"}\n', r"data.jsonl, row 2: the profile has no field 'descr"),
    "no text": (".jsonl", LINE + '{"text": 7, "description": ""}\n', r"data.jsonl, row 2: field 'text' is 7, which is"),
    "no parquet": (".parquet", "PAR1 is no parquet", r"data.parquet: cannot be read as rows"),
    "other ending": (".xlsx", "PK", r"data.xlsx: ending '.xlsx'; texts are read from"),
}


@pytest.mark.parametrize("case", BROKEN)
@pytest.mark.parametrize("block", [1, 8192])
def test_files_that_cannot_be_scored(exported, tmp_path, capsys, monkeypatch, case, block):
    """Whatever was written before the error: an earlier file is intact, nothing else is left."""
    ending, content, said = BROKEN[case]
    monkeypatch.setattr(rows_of, "BLOCK", block)
    data, out = tmp_path / f"data{ending}", tmp_path / "out.csv"
    data.write_bytes(content if isinstance(content, bytes) else content.encode())
    out.write_text("earlier")
    assert re.search(said, failure(capsys, words_of(exported, data, out)))
    assert out.read_text() == "earlier" and sorted(tmp_path.iterdir()) == sorted([data, out])


def test_parquet_of_other_kinds(exported, tmp_path, capsys):
    for value, said in ((3, "row 1: field 'text' is 3, which is int"), (b"a", r"row 1: field 'text' is b'a'.*decode")):
        data = write(tmp_path / "data.parquet", [{"text": value, "description": ""}])
        assert re.search(rf"data.parquet, {said}", failure(capsys, words_of(exported, data, tmp_path / "out.csv")))


@pytest.mark.parametrize(("settings", "said"), [
    (["topp=3"], r"topp=3: give margin=0 to 0.5 .*top=0 to 100"),
    (["margin=0.6"], r"margin=0.6: give"),
    (["margin=true"], r"margin=True: give"),
    (["top=2.5"], r"top=2.5: give"),
    (["top=-1"], r"top=-1: give"),
])  # fmt: skip
def test_settings_that_are_none(exported, tmp_path, capsys, settings, said):
    words = words_of(exported, write(tmp_path / "data.csv"), tmp_path / "out.csv", *settings)
    assert re.search(said, failure(capsys, words)) and not (tmp_path / "out.csv").exists()


def test_files_that_are_not_there(exported, tmp_path, capsys):
    data, out = write(tmp_path / "data.csv"), tmp_path / "out.csv"
    for words, said in (
        (words_of(exported, tmp_path / "no.csv", out), r"no.csv: there is no such file"),
        (words_of(tmp_path / "no.npz", data, out), r"no.npz: there is no such file"),
        (words_of(exported, data, tmp_path / "no" / "out.csv"), r"there is no folder"),
        (words_of(exported, data, tmp_path / "out.json"), r"ending '.json'; use .csv, .tsv or .parquet"),
    ):
        assert re.search(said, failure(capsys, words))


def test_a_log_of_features(runs, tmp_path, capsys):
    """A feature counts as often as it occurs; who has none that is known is a row as well."""
    assert main(["export", str(runs["log"]), "--out", str(tmp_path / "log.npz")]) == 0
    held = load_classifier(tmp_path / "log.npz")
    first, second, third = held.words[:3]
    lines = [("x", first), ("y", second), ("x", third), ("x", first), ("z", "never seen"), ("y", second)]
    (tmp_path / "data.csv").write_text("user,item\n" + "".join(f"{user},{item}\n" for user, item in lines))
    log = EventLog(np.array([0, 3, 5, 5]), {"item": np.array([1, 3, 1, 2, 2], np.int32)}, {"item": held.words[:3]})
    said = classify_log(held, log)
    found = []
    for run in (tmp_path / "log.npz", runs["log"]):
        run_in_process(capsys, words_of(run, tmp_path / "data.csv", tmp_path / "out.tsv"))
        found.append(read(tmp_path / "out.tsv"))
    assert found[0] == found[1] and [row["user"] for row in found[0]] == ["x", "y", "z"]
    assert [float(row["probability"]) for row in found[0]] == said.probability.tolist()
    assert [row["features"] for row in found[0]] == ["2", "1", "0"] and found[0][2]["class"] == ""
    assert {row["because_1"].rsplit(" ", 1)[0] for row in found[0][1:]} == {second, ""}


@pytest.mark.parametrize("kind", KINDS)
def test_the_text_form(runs, tmp_path, capsys, kind):
    shown = run_in_process(capsys, ["export", runs[kind], "--out", tmp_path / "net.txt"])
    assert ("divided by the root of the number" in " ".join(shown.split())) == (kind == "texts")
    found, layers = from_neuraln((tmp_path / "net.txt").read_text()), classifier(load(runs[kind])).layers
    for ours, theirs in zip((*layers.weights, *layers.biases), (*found.weights, *found.biases), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_exports_that_are_refused(runs, exported, tmp_path, capsys):
    for ending in (".npz", ".txt"):
        (tmp_path / f"held{ending}").write_text("earlier")
        assert "is there already" in failure(capsys, ["export", runs["texts"], "--out", tmp_path / f"held{ending}"])
        assert (tmp_path / f"held{ending}").read_text() == "earlier"
    said = failure(capsys, ["export", runs["texts"], "--out", tmp_path / "held.onnx"])
    assert re.search(r"ending '\.onnx'; use \.npz \(whole\) or \.txt", said)
    failure(capsys, ["export", tmp_path / "no", "--out", tmp_path / "a.npz"])
    assert sorted(file.name for file in tmp_path.iterdir()) == ["held.npz", "held.txt"]


def test_other_bundles_are_refused(exported, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(profiling, "FORMAT", 2)
    words = words_of(exported, write(tmp_path / "data.csv"), tmp_path / "out.csv")
    assert "format 1, this version reads 2" in failure(capsys, words)
