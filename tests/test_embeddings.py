"""helpers.embeddings: where YAMNet's file is looked for, and what comes out of it."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from helpers import audio, embeddings, env

REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "models" / "yamnet.tflite"


@pytest.fixture
def places(tmp_path, monkeypatch):
    """Empty folders in place of the repository and of Kaggle's; no variable is set."""
    monkeypatch.delenv("YAMNET_PATH", raising=False)
    monkeypatch.setattr(env, "repository_root", lambda: tmp_path / "repository")
    monkeypatch.setattr(embeddings, "KAGGLE_INPUT", tmp_path / "input")
    return tmp_path


def put(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"a model")
    return path


# --- where the file is ----------------------------------------------------------------------------


def test_where_there_is_none_there_is_none(places):
    assert embeddings.find_yamnet() is None
    put(places / "input" / "other" / "model.tflite")
    put(places / "repository" / "data" / "models" / "other.tflite")
    assert embeddings.find_yamnet() is None


def test_a_file_or_a_folder_with_one_can_be_given(places):
    file = put(places / "some where" / "deep" / "1.tflite")
    assert embeddings.find_yamnet(file) == file
    assert embeddings.find_yamnet(str(file)) == file
    assert embeddings.find_yamnet(places / "some where") == file


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
    assert embeddings.find_yamnet() == file


def test_what_is_said_goes_before_what_lies_there(places, monkeypatch):
    mounted = put(places / "input" / "yamnet" / "1" / "1.tflite")
    assert embeddings.find_yamnet() == mounted
    own = put(places / "repository" / "data" / "models" / "yamnet.tflite")
    assert embeddings.find_yamnet() == own
    said = put(places / "said.tflite")
    monkeypatch.setenv("YAMNET_PATH", str(said))
    assert embeddings.find_yamnet() == said
    given = put(places / "given.tflite")
    assert embeddings.find_yamnet(given) == given


@pytest.mark.parametrize("wrong", ["nothing.tflite", "empty", "two"])
def test_a_wrong_path_is_told_with_what_to_do(places, monkeypatch, wrong):
    (places / "empty").mkdir()
    put(places / "two" / "a.tflite"), put(places / "two" / "b.tflite")
    put(places / "repository" / "data" / "models" / "yamnet.tflite")  # is no way out
    with pytest.raises(
        embeddings.EmbeddingError, match=f"^YAMNET_PATH is .*{wrong}.*leave it empt"
    ):
        embeddings.find_yamnet(places / wrong)
    monkeypatch.setenv("YAMNET_PATH", str(places / wrong))
    with pytest.raises(embeddings.EmbeddingError, match=f"^the variable YAMNET_PATH is .*{wrong}"):
        embeddings.find_yamnet()


# --- what is no model -----------------------------------------------------------------------------


@pytest.mark.parametrize("content", [None, b"", b"these are field notes", bytes(5000)])
def test_a_file_that_is_no_model_is_told(tmp_path, content):
    pytest.importorskip("ai_edge_litert")
    if content is not None:
        (tmp_path / "yamnet.tflite").write_bytes(content)
    with pytest.raises(embeddings.EmbeddingError, match="yamnet.tflite is no LiteRT model"):
        embeddings.Yamnet(tmp_path / "yamnet.tflite")


def test_without_an_interpreter_it_says_what_to_install(tmp_path, monkeypatch):
    for name in ("ai_edge_litert.interpreter", "tensorflow.lite"):
        monkeypatch.setitem(sys.modules, name, None)  # as if it were not installed
    with pytest.raises(embeddings.EmbeddingError, match="pip install ai-edge-litert"):
        embeddings.Yamnet(put(tmp_path / "yamnet.tflite"))


# --- the model itself -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def yamnet():
    pytest.importorskip("ai_edge_litert")
    if not REAL.is_file():
        pytest.skip("YAMNet's file is not here")
    return embeddings.Yamnet(REAL)


def tone(n, hz=440):
    return (0.3 * np.sin(2 * np.pi * hz * np.arange(n) / embeddings.SR)).astype(np.float32)


def noise(n):
    return np.random.default_rng(n).normal(0, 0.1, n).astype(np.float32)


@pytest.mark.real
@pytest.mark.parametrize(
    ("n", "n_windows"), [(0, 1), (1, 1), (15600, 1), (15601, 2), (23280, 2), (40000, 5)]
)
def test_an_embedding_for_every_window(yamnet, n, n_windows):
    found = yamnet.embed(tone(n))
    assert found.shape == (n_windows, 1024) and found.dtype == np.float32
    assert np.isfinite(found).all()


@pytest.mark.real
def test_a_sound_has_one_embedding_and_another_sound_another(yamnet):
    sounds = [tone(16000), tone(16000, hz=2000), noise(16000)]
    first = [yamnet.embed(y) for y in sounds]
    for y, expected in zip(sounds, first, strict=True):
        np.testing.assert_array_equal(yamnet.embed(y), expected)
        np.testing.assert_array_equal(embeddings.Yamnet(REAL).embed(y), expected)
    scale = np.abs(first[0]).max()
    for i, j in ((0, 1), (0, 2), (1, 2)):
        assert np.abs(first[i] - first[j]).max() > 0.1 * scale


@pytest.mark.real
def test_a_window_does_not_depend_on_the_others(yamnet):
    y = np.concatenate([tone(15600), noise(15600)])
    whole = yamnet.embed(y)
    for k, embedding in enumerate(whole):
        piece = y[k * 7680 : k * 7680 + 15600]
        np.testing.assert_array_equal(yamnet.embed(piece)[0], embedding)


@pytest.mark.real
def test_threads_agree(yamnet):
    sounds = [tone(16000), noise(16000)] * 4
    expected = [yamnet.embed(y) for y in sounds]
    with ThreadPoolExecutor(2) as pool:
        for found, one in zip(pool.map(yamnet.embed, sounds), expected, strict=True):
            np.testing.assert_array_equal(found, one)


@pytest.mark.real
def test_extract_reads_a_file_once_and_lists_the_bad_ones(yamnet, tmp_path, monkeypatch):
    paths = [tmp_path / "sounds" / f"{name}.wav" for name in "abc"]
    paths[0].parent.mkdir()
    sf.write(paths[0], tone(30000), 22050)
    paths[1].write_text("this is a text")
    sf.write(paths[2], noise(30000), 16000)

    def extract(paths):
        cache_dir = tmp_path / "cache"
        return yamnet.extract(paths, root=tmp_path, cache_dir=cache_dir, progress=False)

    found, errors = extract(paths)
    assert found.shape == (3, 1024) and found.dtype == np.float32
    assert np.isnan(found[1]).all() and np.isfinite(found[[0, 2]]).all()
    assert errors["file"].tolist() == ["sounds/b.wav"] and "text" in errors["reason"][0]
    expected = yamnet.embed(audio.load(paths[0], sr=16000)).mean(axis=0)
    np.testing.assert_array_equal(found[0], expected)

    monkeypatch.setattr(audio, "load", lambda *args, **kwargs: pytest.fail("decoded again"))
    again, errors = extract([paths[2], paths[0]])
    np.testing.assert_array_equal(again, found[[2, 0]])
    assert errors.empty
    assert extract([])[0].shape == (0, 1024)
