"""features.yamnet: where the file is looked for, and what the model returns."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile as sf

from helpers import audio, env, features
from helpers.data import layouts
from helpers.features.yamnet import SR
from helpers.synthesis import environmental

REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "models" / "yamnet.tflite"


@pytest.fixture
def places(tmp_path, monkeypatch):
    """Empty folders in place of the repository and of Kaggle's; no variable is set."""
    monkeypatch.delenv("YAMNET_PATH", raising=False)
    monkeypatch.setattr(env, "repository_root", lambda: tmp_path / "repository")
    monkeypatch.setattr(env, "KAGGLE_INPUT", tmp_path / "input")
    return tmp_path


def put(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"a model")
    return path


# --- where the file is ----------------------------------------------------------------------------


def test_where_there_is_none_there_is_none(places):
    assert features.find_yamnet() is None
    put(places / "input" / "other" / "model.tflite")
    put(places / "repository" / "data" / "models" / "other.tflite")
    assert features.find_yamnet() is None


def test_a_file_or_a_folder_with_one_can_be_given(places):
    file = put(places / "some where" / "deep" / "1.tflite")
    assert features.find_yamnet(file) == file
    assert features.find_yamnet(str(file)) == file
    assert features.find_yamnet(places / "some where") == file


@pytest.mark.parametrize(
    "place",
    [
        "repository/data/models/yamnet.tflite",
        "repository/data/models/yamnet-classification/1.tflite",
        "input/yamnet/tflite/classification-tflite/1/1.tflite",
        "input/models/google/yamnet/tflite/classification-tflite/1/1.tflite",
    ],
)
def test_it_is_found_in_the_repository_and_on_kaggle(places, place):
    file = put(places / place)
    assert features.find_yamnet() == file


def test_what_is_said_goes_before_what_lies_there(places, monkeypatch):
    mounted = put(places / "input" / "yamnet" / "1" / "1.tflite")
    assert features.find_yamnet() == mounted
    own = put(places / "repository" / "data" / "models" / "yamnet.tflite")
    assert features.find_yamnet() == own
    said = put(places / "said.tflite")
    monkeypatch.setenv("YAMNET_PATH", str(said))
    assert features.find_yamnet() == said
    given = put(places / "given.tflite")
    assert features.find_yamnet(given) == given


@pytest.mark.parametrize("wrong", ["nothing.tflite", "empty", "two"])
def test_a_wrong_path_is_told_with_what_to_do(places, monkeypatch, wrong):
    (places / "empty").mkdir()
    put(places / "two" / "a.tflite"), put(places / "two" / "b.tflite")
    put(places / "repository" / "data" / "models" / "yamnet.tflite")  # is no way out
    with pytest.raises(features.EmbeddingError, match=f"^YAMNET_PATH is .*{wrong}.*leave it empt"):
        features.find_yamnet(places / wrong)
    monkeypatch.setenv("YAMNET_PATH", str(places / wrong))
    with pytest.raises(features.EmbeddingError, match=f"^the variable YAMNET_PATH is .*{wrong}"):
        features.find_yamnet()


# --- what is no model -----------------------------------------------------------------------------


@pytest.mark.parametrize("content", [None, b"", b"these are field notes", bytes(5000)])
def test_a_file_that_is_no_model_is_told(tmp_path, content):
    pytest.importorskip("ai_edge_litert")
    if content is not None:
        (tmp_path / "yamnet.tflite").write_bytes(content)
    with pytest.raises(features.EmbeddingError, match="yamnet.tflite is not a LiteRT model"):
        features.Yamnet(tmp_path / "yamnet.tflite")


def test_without_an_interpreter_it_says_what_to_install(tmp_path, monkeypatch):
    for name in ("ai_edge_litert.interpreter", "tensorflow.lite"):
        monkeypatch.setitem(sys.modules, name, None)  # as if it were not installed
    with pytest.raises(features.EmbeddingError, match="pip install ai-edge-litert"):
        features.Yamnet(put(tmp_path / "yamnet.tflite"))


# --- the model itself -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model():
    pytest.importorskip("ai_edge_litert")
    if not REAL.is_file():
        pytest.skip("YAMNet's file is not here")
    return features.Yamnet(REAL)


def tone(n, hz=440):
    return (0.3 * np.sin(2 * np.pi * hz * np.arange(n) / SR)).astype(np.float32)


def noise(n):
    return np.random.default_rng(n).normal(0, 0.1, n).astype(np.float32)


@pytest.mark.real
@pytest.mark.parametrize(
    ("n", "n_windows"), [(0, 1), (1, 1), (15600, 1), (15601, 2), (23280, 2), (40000, 5)]
)
def test_an_embedding_and_scores_for_every_window(model, n, n_windows):
    embedding, scores = model.hear(tone(n))
    assert embedding.shape == (n_windows, 1024) and embedding.dtype == np.float32
    assert scores.shape == (n_windows, 521) and scores.dtype == np.float32
    assert np.isfinite(embedding).all() and (scores >= 0).all() and (scores <= 1).all()


@pytest.mark.real
def test_a_sound_has_one_embedding_and_another_sound_another(model):
    sounds = [tone(16000), tone(16000, hz=2000), noise(16000)]
    first = [model.hear(y)[0] for y in sounds]
    for y, expected in zip(sounds, first, strict=True):
        np.testing.assert_array_equal(model.hear(y)[0], expected)
        np.testing.assert_array_equal(features.Yamnet(REAL).hear(y)[0], expected)
    scale = np.abs(first[0]).max()
    for i, j in ((0, 1), (0, 2), (1, 2)):
        assert np.abs(first[i] - first[j]).max() > 0.1 * scale


@pytest.mark.real
def test_a_window_does_not_depend_on_the_others(model):
    y = np.concatenate([tone(15600), noise(15600)])
    whole = model.hear(y)
    for k, (embedding, scores) in enumerate(zip(*whole, strict=True)):
        alone = model.hear(y[k * 7680 : k * 7680 + 15600])
        np.testing.assert_array_equal(alone[0][0], embedding)
        np.testing.assert_array_equal(alone[1][0], scores)


@pytest.mark.real
def test_threads_agree(model):
    sounds = [tone(16000), noise(16000)] * 4
    expected = [model.hear(y) for y in sounds]
    with ThreadPoolExecutor(2) as pool:
        for found, one in zip(pool.map(model.hear, sounds), expected, strict=True):
            for part, other in zip(found, one, strict=True):
                np.testing.assert_array_equal(part, other)


@pytest.mark.real
def test_extract_reads_a_file_once_and_lists_the_bad_ones(model, tmp_path, monkeypatch):
    paths = [tmp_path / "sounds" / f"{name}.wav" for name in "abc"]
    paths[0].parent.mkdir()
    sf.write(paths[0], tone(30000), 22050)
    paths[1].write_text("this is a text")
    sf.write(paths[2], noise(30000), 16000)

    def extract(paths, **options):
        cache_dir = tmp_path / "cache"
        return model.extract(paths, root=tmp_path, cache_dir=cache_dir, progress=False, **options)

    found, scores, errors = extract(paths)
    assert found.shape == (3, 1024) and found.dtype == np.float32
    assert scores.shape == (3, 521) and scores.dtype == np.float32
    for values in (found, scores):
        assert np.isnan(values[1]).all() and np.isfinite(values[[0, 2]]).all()
    assert errors["file"].tolist() == ["sounds/b.wav"] and "text" in errors["reason"][0]
    y = audio.same_loudness(audio.load(paths[0], sr=16000), sr=16000)
    embedding, score = model.hear(y)
    np.testing.assert_array_equal(found[0], embedding.mean(axis=0))
    np.testing.assert_allclose(scores[0], np.maximum(score.mean(axis=0), 1e-6), rtol=1e-5)

    monkeypatch.setattr(audio, "load_frames", lambda *args: pytest.fail("decoded again"))
    again, _, errors = extract([paths[2], paths[0]])
    np.testing.assert_array_equal(again, found[[2, 0]])
    assert errors.empty
    assert [part.shape for part in extract([])[:2]] == [(0, 1024), (0, 521)]


@pytest.mark.real
def test_a_file_is_heard_higher_and_at_one_loudness(model, tmp_path):
    for name, y in {"low": tone(32000, 500), "high": tone(16000, 1000)}.items():
        for distance, gain in {"near": 1, "far": 0.1}.items():
            sf.write(tmp_path / f"{name}_{distance}.wav", gain * y, 16000, subtype="FLOAT")

    def heard(name, octaves):
        extracted = model.extract(
            [tmp_path / f"{name}.wav"], octaves=octaves, cache_dir=tmp_path, progress=False
        )
        return np.concatenate([part[0] for part in extracted[:2]])

    at_once = heard("low_near", (0.0, 1.0))
    far = heard("low_far", (0.0, 1.0))
    np.testing.assert_allclose(far, at_once, rtol=0.05, atol=0.05)
    high = heard("high_near", (0.0,))
    octave_up = heard("low_near", (1.0,))
    low = heard("low_near", (0.0,))
    assert np.abs(octave_up - high).mean() < 0.2 * np.abs(low - high).mean()
    np.testing.assert_allclose(at_once[:1024], (low + octave_up)[:1024] / 2, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(at_once[1024:], np.sqrt(low * octave_up)[1024:], rtol=1e-4)


@pytest.mark.real
def test_the_names_of_sounds_are_at_their_places():
    listed = REAL.with_name("yamnet_class_map.csv")
    if not listed.is_file():
        pytest.skip("YAMNet's list of names is not here")
    names = pd.read_csv(listed)["display_name"].tolist()
    for counterparts in features.COUNTERPARTS.values():
        assert [names[place] for place in counterparts.values()] == list(counterparts)


# --- what it calls our classes --------------------------------------------------------------------


def test_every_class_of_the_data_sets_has_counterparts():
    labels = {*environmental.URBANSOUND8K, *environmental.ESC10, *layouts.CATSDOGS_NAMES}
    assert labels <= set(features.COUNTERPARTS)


def test_a_class_scores_as_its_best_name_does():
    scores = np.full((2, 521), 0.01)
    bark, yip = (features.COUNTERPARTS["dog"][name] for name in ("Bark", "Yip"))
    scores[0, bark], scores[0, yip], scores[1, yip] = 0.5, 0.9, 0.2
    scores[1, features.COUNTERPARTS["cat"]["Meow"]] = 0
    found = features.counterparts(scores, ["cat", "a class of one's own", "dog"])
    np.testing.assert_allclose(np.exp(found[:, [0, 2]]), [[0.01, 0.9], [0.01, 0.2]])
    assert np.isnan(found[:, 1]).all()
    silent = features.counterparts(np.zeros((1, 521)), ["cat"])
    assert np.isfinite(silent).all()
