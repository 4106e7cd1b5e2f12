"""A run's folder comes back as it was written, and nothing of it is executed."""

import json
import pickle

import numpy as np
import pytest

from seqjax.evaluate.evaluation import Evaluation
from seqjax.evaluate.likelihood import Likelihoods
from seqjax.evaluate.ranking import Ranks
from seqjax.evaluate.returning import ReturnCases
from seqjax.experiment import SettingError
from seqjax.report.finished import finished
from seqjax.run import write_evaluation

LIKELIHOODS = Likelihoods(np.array([3, 1]), np.array([-1.25, -0.1]), np.array([2, 0]))
CASES = {
    "likelihoods": LIKELIHOODS,
    "ranks": Ranks(np.array([1.0, 2.5]), np.array([0, 0]), np.array([2, 3]), np.array([7, 1])),
    "returns": ReturnCases(np.array([2, 1]), np.array([[0.1, 0.2], [0.3, 0.4]]), np.array([1, 14])),
}
MANIFEST = {"experiment": "tiny", "seed": 3, "settings": {"headline": ["nats"]}}
NUMBERS = {"nats": 0.3375, "nats/low": 0.1, "nats/high": 0.4}
TABLES = {"length": {"value": [1, 2], "real": [0.5, 0.5], "synthetic": [0.25, 0.75]}}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "manifest.json").write_text(json.dumps(MANIFEST))
    write_evaluation(tmp_path, Evaluation(NUMBERS, LIKELIHOODS, TABLES))
    return tmp_path


def test_a_folder_is_read_as_it_was_written(folder):
    run = finished(folder)
    assert (run.folder, run.manifest, run.numbers, run.tables) == (folder, MANIFEST, NUMBERS, TABLES)


@pytest.mark.parametrize("kind", CASES)
def test_cases_come_back_as_what_they_were(folder, kind):
    write_evaluation(folder, Evaluation(NUMBERS, CASES[kind]))
    back = finished(folder).cases()
    assert type(back) is type(CASES[kind])
    for name, column in CASES[kind]._asdict().items():
        found = getattr(back, name)
        assert found.dtype == column.dtype and np.array_equal(found, column)


def test_two_runs_are_paired_by_what_comes_back(folder, tmp_path):
    more = LIKELIHOODS._replace(log_prob=LIKELIHOODS.log_prob - 0.5 * LIKELIHOODS.symbols)
    before = finished(folder).cases()
    write_evaluation(folder, Evaluation(NUMBERS, more))
    assert finished(folder).cases().minus(before)["nats"] == pytest.approx(0.5)


@pytest.mark.parametrize("missing", ["folder", "metrics.json"])
def test_what_has_not_finished_is_refused(folder, missing):
    if missing == "folder":
        folder = folder / "nowhere"
    else:
        (folder / missing).unlink()
    with pytest.raises(SettingError, match=rf"{folder.name} is not a finished run: it has no metrics.json"):
        finished(folder)


def test_pickled_cases_are_refused_and_not_executed(folder):
    class Trap:
        def __reduce__(self):
            return (folder / "sprung").touch, ()

    trap = np.empty(1, object)
    trap[0] = Trap()
    pickle.loads(pickle.dumps(Trap()))
    assert (folder / "sprung").is_file()  # the trap works
    (folder / "sprung").unlink()
    np.savez(folder / "cases.npz", kind=np.array("seqjax.evaluate.likelihood.Likelihoods"), symbols=trap)
    with pytest.raises(ValueError, match="allow_pickle=False"):
        finished(folder).cases()
    assert not (folder / "sprung").exists()


@pytest.mark.parametrize("kind", [
    "os.system", "builtins.eval", "seqjax.evaluate.likelihood._means", "seqjax.evaluate.likelihood.np",
    "seqjax.evaluate.likelihood.Unknown", "numpy.array",
])  # fmt: skip
def test_cases_of_a_kind_that_is_no_public_one_of_seqjax_are_refused(folder, kind):
    np.savez(folder / "cases.npz", kind=np.array(kind), **LIKELIHOODS._asdict())
    with pytest.raises(SettingError, match="is not a public function of this version of seqjax"):
        finished(folder).cases()
