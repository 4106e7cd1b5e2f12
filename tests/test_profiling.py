"""Classes of profiles: a classifier in a file, to the bit; scores against the model, one profile at a time."""
# ruff: noqa: RUF001 - letters that look like Latin ones are what is tested

import dataclasses
import json
import pickle
import zipfile
from functools import partial

import jax
import numpy as np
import pytest
from scipy import special

from seqjax import profiling
from seqjax.data.events import DataError, EventLog
from seqjax.data.tokens import characters, hashtags, words
from seqjax.models.profile_net import ProfileNet
from seqjax.nn.activation import relu
from seqjax.profiling import (
    Classifier,
    Verdict,
    classify_lists,
    classify_log,
    classify_texts,
    load_classifier,
    save_classifier,
)

FEATURES = 40
NETS = {
    "linear": ProfileNet((("item", FEATURES),), pool="root"),
    "hidden": ProfileNet((("item", FEATURES),), (5,)),
    "two outputs": ProfileNet((("item", FEATURES),), (6, 3), outputs=2, pool="mean", activation=relu),
}
FIELDS = {"bio": words, "caption": (hashtags, partial(words, most=2), partial(characters, least=3, most=3))}


def classifier_of(model, **told):
    random = np.random.default_rng(0)
    shapes = jax.eval_shape(model.init, jax.random.key(0))["params"]
    params = jax.tree.map(lambda leaf: random.normal(0, 0.7, leaf.shape).astype(np.float32), shapes)
    params["item"]["rows"][0] = 0.0
    known = np.array([f"tag {place}" for place in range(1, FEATURES + 1)])
    return Classifier(model, params, known, ("M", "F"), **told)


@partial(jax.jit, static_argnames="model")
def model_says(model, params, ids):
    apply = partial(model.apply, {"params": params})
    state, _ = apply(model.init_state(), {"item": ids}, ids > 0, method="encode")
    return apply(state, method="read")


def log_odds(held, ids):
    """What the model itself says of one profile."""
    return float(model_says(held.model, held.params, np.append(ids, np.zeros(FEATURES - len(ids))).astype(np.int32)))


def drawn(count=150, seed=1):
    """Lists of different lengths, the longest with every feature, some empty."""
    random = np.random.default_rng(seed)
    sizes = [0, FEATURES, *random.integers(0, FEATURES, count - 2)]
    return [np.sort(random.permutation(FEATURES)[:size] + 1).astype(np.int32) for size in sizes]


def log_of(lists, words):
    offsets = np.concatenate([[0], np.cumsum([len(ids) for ids in lists])]).astype(int)
    return EventLog(offsets, {"item": np.concatenate(lists).astype(np.int32)}, {"item": np.asarray(words)})


def assert_alike(ours, theirs, **near):
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, **near)


@pytest.fixture(params=NETS)
def held(request):
    return classifier_of(NETS[request.param], scale=0.8, shift=-0.2)


def test_scores_are_the_models(held):
    lists = drawn(30)
    said = classify_lists(held, lists)
    expected = special.expit(0.8 * np.array([log_odds(held, ids) for ids in lists]) - 0.2)
    np.testing.assert_allclose(said.probability, expected, atol=2e-6)
    assert said.features.tolist() == [len(ids) for ids in lists]


@pytest.mark.parametrize("lanes", [2, 7, 128, 1024])
def test_neither_order_nor_company_matter(held, lanes, monkeypatch):
    lists, random = drawn(), np.random.default_rng(3)
    whole = classify_lists(held, lists)
    monkeypatch.setattr(profiling, "LANES", lanes)
    order = random.permutation(len(lists))
    said = classify_lists(held, [random.permutation(lists[place]) for place in order])
    assert_alike(said, Verdict(*(part[order] for part in whole)), atol=2e-6)
    alone = [classify_lists(held, [ids]) for ids in lists[:9]]
    assert_alike(map(np.concatenate, zip(*alone, strict=True)), (part[:9] for part in whole), atol=2e-6)


def test_a_profile_alone_and_among_a_thousand(held):
    lists = drawn(1024)
    whole = classify_lists(held, lists, top=0).probability
    alone = np.concatenate([classify_lists(held, lists[place : place + 1], top=0).probability for place in range(64)])
    np.testing.assert_allclose(whole[:64], alone, atol=1e-6)


def test_any_length_and_number_is_one_of_two_programs():
    held = classifier_of(ProfileNet((("item", FEATURES),), (3,)))
    before = profiling._respond._cache_size()
    for count in (1, 2, 3, 127, 128, 129, 1000):
        classify_lists(held, drawn(max(count, 2))[:count], top=2)
        classify_lists(held, [np.arange(1, min(count, FEATURES) + 1)], top=1)
    assert profiling._respond._cache_size() == before + 2


def test_only_reasons_take_a_gradient():
    held = classifier_of(NETS["hidden"])
    total, number = np.zeros((4, 5), np.float32), np.zeros(4, np.float32)
    for explain, products in ((False, 1), (True, 2)):  # W a(h), and on the way back W' once more
        text = profiling._respond.lower(held.model, held.above, total, number, explain).as_text()
        assert text.count("dot_general") == products


def test_nothing_known_and_nothing_at_all(held):
    said = classify_lists(held, [np.zeros(0, np.int32)])
    assert said.probability[0] == pytest.approx(special.expit(0.8 * log_odds(held, []) - 0.2), abs=1e-6)
    assert said.features.tolist() == [0] and said.because.tolist() == [[-1] * 3] and not said.effect.any()
    none = classify_lists(held, [], top=2)
    assert [part.shape for part in none] == [(0,), (0,), (0, 2), (0, 2)]


def test_a_linear_network_is_explained_whole():
    for pool, power in (("sum", 0.0), ("root", 0.5), ("mean", 1.0)):
        held = classifier_of(ProfileNet((("item", FEATURES),), pool=pool), scale=1.5, shift=0.25)
        lists, (weight, bias) = drawn(), (one[0] for one in held.layers)
        said = classify_lists(held, lists, top=FEATURES)
        odds = 1.5 * bias[0] + 0.25 + said.effect.sum(1)
        np.testing.assert_allclose(special.logit(said.probability), odds, atol=1e-4)
        for ids, because, effect in zip(lists, said.because, said.effect, strict=True):
            assert sorted(because[: len(ids)] + 1) == ids.tolist() and (because[len(ids) :] == -1).all()
            share = 1.5 * weight[because[: len(ids)], 0] / max(len(ids), 1) ** power
            np.testing.assert_allclose(effect[: len(ids)], share, rtol=1e-5)
            assert (np.diff(np.abs(effect)) <= 0).all()


def test_effects_are_the_change_when_a_feature_fades():
    held = classifier_of(NETS["hidden"])
    rows, ids = held.params["item"]["rows"], np.array([3, 8, 20])
    said = classify_lists(held, [ids], top=5)
    assert (said.because[0, 3:] == -1).all() and not said.effect[0, 3:].any()
    for place, effect in zip(said.because[0, :3], said.effect[0, :3], strict=True):
        less = held.params | {"item": {"rows": rows - 1e-2 * (np.arange(FEATURES + 1) == place + 1)[:, None] * rows}}
        fall = log_odds(held, ids) - log_odds(dataclasses.replace(held, params=less), ids)
        assert effect == pytest.approx(100 * fall, abs=0.02)


@pytest.mark.parametrize("top", [0, 1, 3, 60])
def test_as_many_reasons_as_are_asked_for(held, top):
    few, all_of_them = classify_lists(held, drawn(), top=top), classify_lists(held, drawn(), top=60)
    assert few.because.shape == few.effect.shape == (150, top)
    np.testing.assert_array_equal(few.because, all_of_them.because[:, :top])


@pytest.mark.parametrize("presence", [True, False])
def test_repeats(presence):
    held = classifier_of(NETS["linear"], presence=presence)
    known = [f"tag {place}" for place in (7, 3)]
    said = classify_log(held, log_of([[1, 2, 1, 1], [2]], known))
    ids = [3, 7] if presence else [3, 7, 7, 7]
    assert special.logit(said.probability[0]) == pytest.approx(log_odds(held, ids), abs=1e-5)
    assert said.features.tolist() == [2, 1]
    weight, place = held.layers.weights[0][:, 0], said.because[0].tolist().index(6)
    assert said.effect[0, place] == pytest.approx((1 if presence else 3) * weight[6] / np.sqrt(len(ids)), rel=1e-5)
    assert_alike(said, classify_lists(held, [np.array([7, 3, 7, 7]), np.array([3])]))


def test_unknown_features_are_left_out(held):
    lists = drawn(20)
    other = ["never seen", *held.words[::-1].tolist(), "nor this"]
    theirs = [np.append(FEATURES + 2 - ids, [1, FEATURES + 2]) for ids in lists]
    assert_alike(classify_log(held, log_of(theirs, other)), classify_lists(held, lists))


@pytest.mark.parametrize("ids", [[1, 0], [-1], [FEATURES + 1, 2]])
def test_ids_of_no_feature(ids):
    with pytest.raises(DataError, match=rf"list 3 holds the feature {max(ids, key=lambda i: i < 1 or i > FEATURES)}"):
        classify_lists(classifier_of(NETS["linear"]), [np.array([1]), np.array([], int), np.array(ids)])


TEXTS = classifier_of(NETS["linear"], fields=FIELDS)
TEXTS = dataclasses.replace(
    TEXTS, words=np.array(["bio:tea", "caption:#नमस्ते", "caption:so good", "caption:goo", *TEXTS.words[4:].tolist()])
)


def test_texts():
    rows = [
        {"bio": "Tea, tea and ＴＥＡ", "caption": None},
        {"bio": None, "caption": "so good #नमस्ते", "more": 1},
        {"bio": "", "caption": "nothing"},
    ]
    said = classify_texts(TEXTS, iter(rows))
    assert_alike(said, classify_lists(TEXTS, [np.array([1]), np.array([2, 3, 4]), np.array([], int)]))
    assert classify_texts(TEXTS, []).probability.shape == (0,)


def test_texts_that_are_none():
    for row, told in (
        ({"bio": "a"}, r"row 12: the profile has no field 'caption'"),
        ({"bio": "a", "caption": 5}, r"row 12: field 'caption' is 5, which is int and not text"),
    ):
        with pytest.raises(DataError, match=told):
            classify_texts(TEXTS, [{"bio": "", "caption": ""}, row], first=11)
    with pytest.raises(DataError, match="reads lists of features, not texts"):
        classify_texts(classifier_of(NETS["linear"]), [])


@pytest.mark.parametrize("fields", [None, FIELDS, {"bio": hashtags}])
def test_a_file_gives_back_every_bit(held, tmp_path, fields):
    held = dataclasses.replace(held, fields=fields, presence=False, scale=1 / 3, shift=np.nextafter(0.1, 1))
    save_classifier(held, tmp_path / "held.npz")
    assert [file.name for file in tmp_path.iterdir()] == ["held.npz"]
    found = load_classifier(str(tmp_path / "held.npz"))
    assert jax.tree.structure(found.params) == jax.tree.structure(held.params)
    for one, other in zip(jax.tree.leaves(found.params), jax.tree.leaves(held.params), strict=True):
        assert one.dtype == other.dtype == np.float32 and one.tobytes() == np.asarray(other).tobytes()
    assert found.words.tolist() == held.words.tolist() and found.words.dtype == held.words.dtype
    for name in ("model", "classes", "presence", "scale", "shift"):
        assert getattr(found, name) == getattr(held, name)
    assert repr(found.fields) == repr(held.fields)
    for one, other in zip(classify_lists(found, drawn()), classify_lists(held, drawn()), strict=True):
        assert one.tobytes() == other.tobytes()


@pytest.fixture
def file(tmp_path):
    save_classifier(TEXTS, tmp_path / "held.npz")
    return tmp_path / "held.npz"


def rewrite(file, change, whole=True):
    """Changes the arrays of a bundle, and unless `whole` is false its checksum with them."""
    with np.load(file) as read:
        arrays = {name: read[name] for name in read.files if name not in ("format", "checksum")}
        told = {name: read[name] for name in ("format", "checksum")}
    change(arrays, told)
    if whole:
        told["checksum"] = np.array(profiling._digest(arrays))
    np.savez(file, **arrays, **told)


def resettle(**changed):
    def change(arrays, _):
        settings = json.loads(arrays["settings"].tobytes()) | changed
        arrays["settings"] = np.frombuffer(json.dumps(settings).encode(), np.uint8)

    return change


def test_a_file_is_never_overwritten(file):
    before = file.read_bytes()
    with pytest.raises(DataError, match="is there already"):
        save_classifier(classifier_of(NETS["hidden"]), file)
    assert file.read_bytes() == before
    for other in ("held.txt", "nowhere/held.npz"):
        with pytest.raises(DataError, match=r"the ending \.npz in a folder that is there"):
            save_classifier(TEXTS, file.parent / other)


def test_files_that_were_changed(file):
    def touch(arrays, _):
        arrays["weight_0"] = arrays["weight_0"].copy()
        arrays["weight_0"].view(np.uint8)[5, 0] ^= 1

    whole = file.read_bytes()
    rewrite(file, touch, whole=False)
    with pytest.raises(DataError, match="has changed since it was written"):
        load_classifier(file)
    rewrite(file, resettle(shift=0.5), whole=False)
    with pytest.raises(DataError, match="has changed"):
        load_classifier(file)
    for part in (whole[: len(whole) // 2], whole[:-30], b"", b"PK\x03\x04 no archive"):
        file.write_bytes(part)
        with pytest.raises(DataError, match="is no classifier"):
            load_classifier(file)


def test_a_changed_byte_never_changes_the_classifier(file):
    """It is refused, or it is one of those that the archive does not use."""
    whole, refused, lists = file.read_bytes(), 0, drawn(5)
    expected = classify_lists(TEXTS, lists).probability.tobytes()
    places = range(11, len(whole), 37)
    for place in places:
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        try:
            found = load_classifier(file)
        except DataError:
            refused += 1
        else:
            assert classify_lists(found, lists).probability.tobytes() == expected
            assert found.words.tolist() == TEXTS.words.tolist()
    assert refused > 0.8 * len(places)


def test_files_of_another_version(file):
    rewrite(file, lambda _, told: told.update(format=np.array(profiling.FORMAT + 1)))
    with pytest.raises(DataError, match=rf"format {profiling.FORMAT + 1}, this version reads {profiling.FORMAT}"):
        load_classifier(file)


class Trap:
    """Its pickle writes a file when it is opened."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return open, (str(self.file), "w")


def test_pickles_are_not_opened(file, tmp_path):
    trap = tmp_path / "sprung"
    file.write_bytes(pickle.dumps(Trap(trap)))
    with pytest.raises(DataError, match="is no classifier"):
        load_classifier(file)
    np.savez(tmp_path / "object.npz", format=np.array(profiling.FORMAT), settings=np.array([Trap(trap)], object))
    with zipfile.ZipFile(tmp_path / "object.npz") as archive:
        assert "settings.npy" in archive.namelist()
    with pytest.raises(DataError, match="is no classifier"):
        load_classifier(tmp_path / "object.npz")
    assert not trap.exists()


@pytest.mark.parametrize(("changed", "told"), [
    ({"model": {"function": "seqjax.run.load", "folder": "."}}, r"holds seqjax.run.load, expected is .*ProfileNet"),
    ({"fields": {"bio": {"function": "seqjax.run.load"}}}, r"field 'bio' is read by seqjax.run.load"),
    ({"fields": {"bio": [{"function": "os.system"}]}}, r"field 'bio' is read by os.system"),
])  # fmt: skip
def test_files_that_name_other_functions(file, changed, told):
    rewrite(file, resettle(**changed))
    with pytest.raises(DataError, match=told):
        load_classifier(file)


def test_no_file(tmp_path):
    with pytest.raises(DataError, match="there is no such file"):
        load_classifier(tmp_path / "held.npz")
    with pytest.raises(DataError, match="is no classifier"):
        load_classifier(tmp_path)
