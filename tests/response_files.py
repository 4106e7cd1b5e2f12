"""What tests of readers of responses share: files, words and questions."""

import gzip
import os

import pytest

from seqjax.data.sources import data_folder


def words(log, column):
    return log.vocabulary[column][log.columns[column] - 1].tolist()


def asked(samples):
    """(user, place, item, label) of every sample."""
    item = samples.vocabulary["item"][samples.target["item"] - 1].tolist()
    user = samples.keys["user"][samples.sequence].tolist()
    return list(zip(user, samples.place.tolist(), item, samples.label.tolist(), strict=True))


def written(path, text):
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def folder_or_skip(name):
    root = os.environ.get("SEQJAX_DATA")
    if root is None or not os.path.isdir(os.path.join(root, name)):
        pytest.skip(f"SEQJAX_DATA names no folder with {name}/")
    return data_folder(name)
