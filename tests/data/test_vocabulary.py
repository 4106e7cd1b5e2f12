import numpy as np
import pytest

from seqjax.data.vocabulary import extend, lookup


@pytest.mark.parametrize("seed", range(5))
def test_lookup_is_the_place_from_one_or_zero(seed):
    random = np.random.default_rng(seed)
    words = random.permutation([f"key {i}" for i in range(50)])[:30]
    keys = np.array([f"key {i}" for i in random.integers(0, 60, 100)])
    place = {word: index for index, word in enumerate(words.tolist(), 1)}
    ids = lookup(words, keys)
    assert ids.dtype == np.int32
    assert ids.tolist() == [place.get(key, 0) for key in keys.tolist()]


def test_lookup_in_nothing_and_of_nothing():
    assert lookup(np.array([], str), np.array(["a"])).tolist() == [0]
    assert lookup(np.array(["a"]), np.array([], str)).tolist() == []


def test_extend_keeps_old_ids_and_appends_new_keys():
    old, new = np.array(["b", "a"]), np.array(["longer key", "a", "c"])
    both = extend(old, new)
    assert both.tolist() == ["b", "a", "longer key", "c"]
    assert lookup(both, old).tolist() == lookup(old, old).tolist()
