"""models.classifiers, models.prediction: any input, crops that do not mix, whole files."""

import keras
import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers
from scipy.special import log_softmax, softmax

from helpers import audio, augmentation, data, env, evaluation, models, training
from helpers.features import ClipInput, Frontend
from helpers.files import ERRORS
from helpers.models import ClipClassifier, blocks, classifiers, prediction

MEL = Frontend(sr=8000, n_fft=256, hop_length=80, n_mels=16)
LINEAR = Frontend(sr=8000, n_fft=46, hop_length=80, n_mels=0)  # 24 bins
INPUTS = {
    "mfcc": ClipInput(MEL, n_mfcc=16, crop_s=0.24),
    "mfcc_pooled": ClipInput(MEL, n_mfcc=16, pooled=True, crop_s=0.24),
    "spectrogram": ClipInput(LINEAR, crop_s=0.24),
    "spectrogram_pooled": ClipInput(LINEAR, pooled=True, crop_s=0.24),
}
N_CLASSES = 3
NAMES = ["ann", "ben", "cleo"]


@pytest.fixture(scope="module", autouse=True)
def weights_by_numpy():
    """Draws first weights as Keras does: XLA would compile that for seconds, for every shape."""

    def draw(self, shape, dtype=None, **kwargs):
        limit = np.sqrt(6 / (np.prod(shape[:-1]) + np.prod(shape[:-2]) * shape[-1]))
        weights = np.random.default_rng(shape).uniform(-limit, limit, shape)
        return keras.ops.convert_to_tensor(weights.astype(np.float32))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.initializers.GlorotUniform, "__call__", draw)
        yield


def build(kind, clip_input, *, width=8, **options):
    """A small network, standardised by some mean and variance."""
    rng = np.random.default_rng(clip_input.n_values)
    env.seed_everything(0)
    return getattr(classifiers, kind)(
        clip_input,
        N_CLASSES,
        mean=rng.normal(-40, 10, clip_input.n_values).astype(np.float32),
        variance=rng.uniform(50, 400, clip_input.n_values).astype(np.float32),
        width=width,
        **options,
    )


def sounds(clip_input, lengths, seed=0):
    """Frames as of sounds of several lengths, each with a colour of its own."""
    rng = np.random.default_rng((seed, *lengths))
    size = clip_input.n_values
    return [
        (rng.normal(-40, 15, size) + rng.normal(0, 8, (n, size))).astype(np.float16)
        for n in lengths
    ]


def predict(network, x):
    return np.asarray(network.predict_on_batch(x))


# --- moments --------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=6),
    dtype=st.sampled_from([np.float16, np.float32]),
    seed=st.integers(0, 99),
)
def test_moments_are_those_of_all_frames_together(lengths, dtype, seed):
    rng = np.random.default_rng(seed)
    frames = [rng.normal([-1000, 3, 0], [50, 1, 0.1], (n, 3)).astype(dtype) for n in lengths]
    before = [part.copy() for part in frames]
    mean, variance = models.moments(frames)
    everything = np.concatenate(frames).astype(float)
    assert mean.dtype == variance.dtype == np.float32 and mean.shape == variance.shape == (3,)
    np.testing.assert_allclose(mean, everything.mean(axis=0), rtol=1e-5, atol=1e-6)
    expected = np.maximum(everything.var(axis=0), classifiers.MIN_VARIANCE)
    np.testing.assert_allclose(variance, expected, rtol=1e-4)
    assert all(np.array_equal(a, b) for a, b in zip(frames, before, strict=True))


def test_moments_of_very_many_frames_are_exact():
    # In half precision their sum would be infinite, in single precision it would be rounded.
    frames = [np.full((4000, 2), [-1500, 60], np.float16) + np.float16(k % 2) for k in range(20)]
    mean, variance = models.moments(frames)
    np.testing.assert_array_equal(mean, [-1499.5, 60.5])
    np.testing.assert_allclose(variance, 0.25)
    _, variance = models.moments(frames[:1])
    assert (variance > 0).all()  # of what never varies, too


# --- networks -------------------------------------------------------------------------------------

KINDS = {
    ("dense", "mfcc"): {},
    ("dense", "mfcc_pooled"): {},
    ("dense", "spectrogram_pooled"): {},
    ("conv1d", "mfcc"): {},
    ("conv1d", "mfcc_pooled"): {"width": 32},
    ("conv1d", "spectrogram"): {"own_mean": True},
    ("conv2d", "mfcc"): {"width": 4},
    ("conv2d", "spectrogram"): {"width": 4},
}


@pytest.fixture(scope="module")
def networks():
    """(kind, input) → network, each built when it is first asked for."""

    class Networks(dict):
        def __missing__(self, key):
            self[key] = build(key[0], INPUTS[key[1]], **KINDS[key])
            return self[key]

    return Networks()


@pytest.mark.parametrize(("kind", "name"), KINDS)
def test_every_network_takes_its_input_and_gives_a_logit_for_each_class(networks, kind, name):
    clip_input, network = INPUTS[name], networks[kind, name]
    assert network.input_shape == (None, *clip_input.shape)
    assert network.output_shape == (None, N_CLASSES) and network.name == kind
    assert network.get_layer("embedding").output.shape == (None, 128)
    # As in the training part, digital silence, and a long way off.
    cut = np.stack(sounds(clip_input, [clip_input.n_frames] * 6))
    cut[3] = -100
    cut[4] *= 50
    cut[5] = np.where(np.arange(clip_input.n_values) % 2, 0, 60000)
    logits = predict(network, clip_input.pool(cut))
    assert logits.shape == (6, N_CLASSES) and logits.dtype == np.float32
    assert np.isfinite(logits).all()
    assert np.ptp(logits[:3], axis=0).min() > 1e-3  # or the rest would say nothing


@pytest.mark.parametrize("n_values", [1, 13, 14])
def test_a_pooled_input_may_have_few_values(n_values):
    """13 MFCC are what most people take."""
    clip_input = ClipInput(MEL, n_mfcc=n_values, pooled=True, crop_s=0.24)
    assert build("conv1d", clip_input).output_shape == (None, N_CLASSES)


def test_steady_activations_have_no_negative_variance():
    """What is constant over time has a deviation near 0, however large it is, and never NaN."""
    inputs = keras.Input((240, 8))
    network = keras.Model(inputs, blocks.time_statistics(inputs))
    level = np.random.default_rng(0).uniform(0, 1000, (16, 1, 8)).astype(np.float32)
    found = predict(network, np.repeat(level, 240, axis=1))
    np.testing.assert_allclose(found[:, :8], level[:, 0], rtol=1e-4)
    assert np.isfinite(found).all()


def test_statistics_are_mean_and_deviation_over_time():
    inputs = keras.Input((30, 5))
    network = keras.Model(inputs, blocks.time_statistics(inputs))
    x = np.random.default_rng(0).normal(1, 2, (4, 30, 5)).astype(np.float32)
    expected = np.concatenate([x.mean(axis=1), np.sqrt(x.var(axis=1) + 1e-3)], axis=1)
    np.testing.assert_allclose(predict(network, x), expected, rtol=1e-3, atol=1e-4)


def test_the_own_mean_takes_a_constant_off_each_value_and_crop(networks):
    clip_input = INPUTS["spectrogram"]
    cut = np.stack(sounds(clip_input, [clip_input.n_frames] * 6)).astype(np.float32)
    channel = np.random.default_rng(1).normal(0, 20, (6, 1, clip_input.n_values)).astype(np.float32)
    network = networks["conv1d", "spectrogram"]
    logits = predict(network, cut)
    np.testing.assert_allclose(predict(network, cut + channel), logits, rtol=0, atol=2e-3)
    # Louder in one half is no constant.
    half = channel * (np.arange(clip_input.n_frames) < 12)[:, None]
    assert np.abs(predict(network, cut + half) - logits).max() > 0.05
    # Without it a network hears the channel.
    other, cut = networks["conv1d", "mfcc"], cut[..., :16]
    assert np.abs(predict(other, cut + channel[..., :16]) - predict(other, cut)).max() > 0.05


@pytest.mark.parametrize("kind", ["conv1d", "conv2d"])
def test_longer_crops_need_no_more_parameters(networks, kind):
    longer = ClipInput(MEL, n_mfcc=16, crop_s=0.96)
    count = build(kind, longer, **KINDS[kind, "mfcc"]).count_params()
    assert count == networks[kind, "mfcc"].count_params()
    if kind == "conv1d":
        flat = networks["dense", "mfcc"].count_params()
        assert flat > networks["dense", "mfcc_pooled"].count_params() + 22 * 16 * 8


@pytest.mark.parametrize(("channels", "strides"), [(4, 1), (4, 2), (6, 1)])
def test_a_residual_block_has_a_way_past_it(channels, strides):
    inputs = keras.Input((7, 8, 4))
    block = keras.Model(inputs, blocks.residual_block(inputs, channels, strides=strides))
    expected = (None, 7, 8, channels) if strides == 1 else (None, 4, 4, channels)
    assert block.output_shape == expected
    convolutions = [layer for layer in block.layers if isinstance(layer, layers.Conv2D)]
    fits = strides == 1 and channels == 4
    assert len(convolutions) == (2 if fits else 3)
    if fits:  # with its own way shut, what is positive goes past it
        for layer in convolutions:
            layer.set_weights([np.zeros_like(w) for w in layer.get_weights()])
        x = np.random.default_rng(0).normal(size=(2, 7, 8, 4)).astype(np.float32)
        np.testing.assert_allclose(predict(block, x), np.maximum(x, 0), atol=1e-6)


def test_an_embedding_model_is_the_same_network_up_to_its_embedding(networks):
    clip_input, network = INPUTS["mfcc"], networks["dense", "mfcc"]
    embedding = models.embedding_model(network)
    own = {id(weight) for weight in network.weights}
    assert len(embedding.weights) > 0 and {id(weight) for weight in embedding.weights} < own
    x = clip_input.pool(np.stack(sounds(clip_input, [clip_input.n_frames] * 3)))
    before = predict(embedding, x)
    assert before.shape == (3, 128)
    layer = next(one for one in network.layers if isinstance(one, layers.Dense))
    kept = layer.get_weights()
    layer.set_weights([-kept[0]])
    assert np.abs(predict(embedding, x) - before).max() > 1e-2
    layer.set_weights(kept)
    np.testing.assert_array_equal(predict(embedding, x), before)


# --- whole clips ----------------------------------------------------------------------------------


class Means:
    """Stands for a network: the mean of each crop, and its first value; counts its crops."""

    def __init__(self):
        self.sizes = []

    def predict_on_batch(self, x):
        assert x.dtype == np.float32
        self.sizes.append(len(x))
        return np.stack([x.reshape(len(x), -1).mean(axis=1), x.reshape(len(x), -1)[:, 0]], axis=1)


@settings(max_examples=40)
@given(
    lengths=st.lists(st.integers(1, 200), min_size=1, max_size=12),
    name=st.sampled_from(["mfcc", "mfcc_pooled"]),
    at_once=st.sampled_from([1, 5, 64]),
)
def test_outputs_are_those_of_each_crop_in_order(lengths, name, at_once):
    clip_input, network = INPUTS[name], Means()
    frames = sounds(clip_input, lengths)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prediction, "CROPS_AT_ONCE", at_once)
        outputs, clip = models.outputs_of_crops(network, frames, clip_input)
    cut = [augmentation.even_crops(part, clip_input.n_frames) for part in frames]
    np.testing.assert_array_equal(clip, np.repeat(np.arange(len(cut)), list(map(len, cut))))
    expected = Means().predict_on_batch(clip_input.pool(np.concatenate(cut)))
    np.testing.assert_allclose(outputs, expected, rtol=1e-6)
    # Always so many at once, and none for nothing.
    assert set(network.sizes) == {at_once} and len(network.sizes) == -(-len(clip) // at_once)


@pytest.mark.parametrize(("kind", "name"), [("conv1d", "mfcc"), ("dense", "mfcc_pooled")])
def test_a_sound_alone_gives_what_it_gives_among_others(networks, kind, name):
    clip_input, network = INPUTS[name], networks[kind, name]
    frames = sounds(
        clip_input, [300, 24, 7, 500, 100, 25, 90]
    )  # 79 crops: the last batch is filled up
    outputs, clip = models.outputs_of_crops(network, frames, clip_input)
    assert len(outputs) > prediction.CROPS_AT_ONCE
    for k, part in enumerate(frames):
        alone, own = models.outputs_of_crops(network, [part], clip_input)
        assert not own.any()
        np.testing.assert_allclose(alone, outputs[clip == k], rtol=1e-5, atol=1e-5)


def test_the_mean_of_clips_is_of_the_crops_of_each():
    values = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)
    clip = np.array([0, 0, 0, 1, 2, 2, 2, 2, 3])
    expected = [values[clip == k].mean(axis=0) for k in range(4)]
    np.testing.assert_allclose(models.mean_of_clips(values, clip), expected, rtol=1e-6)


@pytest.mark.parametrize(("kind", "name"), [("conv1d", "mfcc"), ("dense", "mfcc_pooled")])
def test_probabilities_are_the_mean_of_the_crops_and_sum_to_one(networks, kind, name):
    clip_input = INPUTS[name]
    model = ClipClassifier(networks[kind, name], clip_input, NAMES)
    frames = sounds(clip_input, [5, 24, 150])
    found = model.probabilities(frames)
    assert found.shape == (3, N_CLASSES)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-6)
    assert (found > 0).all() and np.ptp(found, axis=0).max() > 0.01
    for part, expected in zip(frames, found, strict=True):
        x = np.zeros((prediction.CROPS_AT_ONCE, *clip_input.shape), np.float32)
        cut = clip_input.pool(augmentation.even_crops(part, clip_input.n_frames))
        x[: len(cut)] = cut
        by_hand = softmax(predict(model.network, x)[: len(cut)], axis=1).mean(axis=0)
        np.testing.assert_allclose(expected, by_hand, rtol=1e-4)


# --- training, files, recordings ------------------------------------------------------------------

CLIP_INPUT = ClipInput(MEL, n_mfcc=16, crop_s=0.24)
TONES = {"ann": 400, "ben": 900, "cleo": 1900}


def tone(name, seed, n=3000):
    rng = np.random.default_rng((TONES[name], seed))
    y = np.sin(2 * np.pi * TONES[name] * np.arange(n) / 8000 + rng.uniform(0, 6))
    return (rng.uniform(0.05, 0.5) * (y + rng.normal(0, 0.3, n))).astype(np.float32)


@pytest.fixture(scope="module")
def fitted():
    """(model, history): tones told apart by a few steps of a small network."""
    labels = np.arange(48) % 3
    frames = [CLIP_INPUT.frames(tone(NAMES[k], i)).astype(np.float16) for i, k in enumerate(labels)]
    mean, variance = models.moments(frames)
    env.seed_everything(0)
    network = models.conv1d(CLIP_INPUT, 3, mean=mean, variance=variance, width=8)
    batches = training.CropBatches(frames, labels, CLIP_INPUT, batch_size=16)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    training.compile_network(network, loss, n_steps=5 * 3, learning_rate=0.01)
    history = training.run_epochs(network, batches, epochs=5, progress=False)
    return ClipClassifier(network, CLIP_INPUT, NAMES), history


def test_a_few_steps_tell_tones_apart(fitted):
    model, history = fitted
    assert history["loss"].iloc[-1] < 0.3 * history["loss"][0]
    labels = np.arange(30) % 3
    unheard = [CLIP_INPUT.frames(tone(NAMES[k], 1000 + i)) for i, k in enumerate(labels)]
    assert (model.probabilities(unheard).argmax(axis=1) == labels).mean() > 0.9


def test_a_logit_is_the_cosine_with_the_direction_of_a_class(fitted):
    model, _ = fitted
    x = CLIP_INPUT.pool(np.stack(sounds(CLIP_INPUT, [CLIP_INPUT.n_frames] * 64)))
    directions = model.network.get_layer("cosine").get_weights()[0]
    np.testing.assert_allclose(np.linalg.norm(directions, axis=0), 1, rtol=1e-4)
    embedding = predict(models.embedding_model(model.network), x)
    expected = 20 * evaluation.cosine_similarity(embedding, directions.T)
    np.testing.assert_allclose(predict(model.network, x), expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    ("kind", "name"), [("dense", "mfcc_pooled"), ("conv1d", "spectrogram"), ("conv2d", "mfcc")]
)
def test_a_model_comes_back_from_its_file_the_same(networks, tmp_path, kind, name):
    model = ClipClassifier(networks[kind, name], INPUTS[name], ["cleo", 7, "b ü/é"])
    path = tmp_path / "new" / "model.keras"
    models.save(model, path)
    again = models.load_classifier(path)
    assert isinstance(again, ClipClassifier) and again.clip_input == model.clip_input
    assert list(again.names) == list(model.names) == ["cleo", "7", "b ü/é"]
    frames = sounds(model.clip_input, [5, 24, 200])
    np.testing.assert_array_equal(again.probabilities(frames), model.probabilities(frames))
    for a, b in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    if kind == "dense":
        x = model.clip_input.pool(np.stack(sounds(model.clip_input, [24] * 64)))
        found = keras.ops.convert_to_numpy(again(x))
        np.testing.assert_allclose(found, predict(model.network, x), atol=1e-4)
        models.save(again, path)  # over what is there
        assert models.load_classifier(path).clip_input == model.clip_input


def test_a_file_with_the_older_name_of_the_input_is_read(networks):
    model = ClipClassifier(networks["dense", "mfcc_pooled"], INPUTS["mfcc_pooled"], NAMES)
    config = model.get_config()
    config["given"] = config.pop("clip_input")
    again = ClipClassifier.from_config(config)
    assert again.clip_input == model.clip_input and again.names == model.names


def test_a_saved_model_of_another_kind_is_refused(networks, tmp_path):
    path = tmp_path / "model.keras"
    models.save(networks["dense", "mfcc_pooled"], path)
    with pytest.raises(models.ModelError, match="names no front end; expected .*ClipClassifier"):
        models.load_classifier(path)
    models.save(ClipClassifier(networks["dense", "mfcc"], INPUTS["mfcc"], NAMES), path)
    with pytest.raises(models.ModelError, match="a ClipClassifier; expected .*CallDetector"):
        models.load_detector(path)


def test_a_file_with_code_in_it_is_refused_and_nothing_runs(tmp_path):
    trace = tmp_path / "the code has run"
    code = eval(f"lambda x: (__import__('pathlib').Path({str(trace)!r}).touch(), x)[1]")
    inputs = keras.Input((16,))
    network = keras.Model(inputs, layers.Dense(3)(layers.Lambda(code)(inputs)))
    path = tmp_path / "model.keras"
    models.save(ClipClassifier(network, INPUTS["mfcc_pooled"], NAMES), path)
    trace.unlink()
    with pytest.raises(models.ModelError, match="Lambda"):
        models.load_classifier(path)
    assert not trace.exists()


@pytest.fixture
def folder(tmp_path):
    """Five sounds at two rates, two of them below another folder, and two bad files."""
    place = tmp_path / "own"
    (place / "deeper").mkdir(parents=True)
    for k, name in enumerate(["a.wav", "b.flac", "c.wav", "deeper/d.wav", "deeper/e.wav"]):
        sf.write(place / name, tone(NAMES[k % 3], 50 + k, n=900 + 1500 * k), 8000)
    (place / "bad.wav").write_text("this is a text")
    sf.write(place / "empty.wav", np.zeros(0), 8000)
    return place


COLUMNS = ["file", "label", "probability", "second", "second_probability"]


def test_classify_names_files_and_lists_bad_ones(fitted, folder):
    model, _ = fitted
    paths = data.sounds_below(folder)
    table, errors = models.classify(paths, model, root=folder, progress=False)
    assert table.columns.tolist() == COLUMNS and table.index.tolist() == list(range(5))
    assert table["file"].tolist() == ["a.wav", "b.flac", "c.wav", "deeper/d.wav", "deeper/e.wav"]
    assert table["label"].tolist() == ["ann", "ben", "cleo", "ann", "ben"]
    assert errors["file"].tolist() == ["bad.wav", "empty.wav"]
    assert "text" in errors["reason"][0] and errors["reason"].str.len().min() > 5
    good = [path for path in paths if path.name not in ("bad.wav", "empty.wav")]
    frames = [CLIP_INPUT.frames(audio.load(path, sr=8000)) for path in good]
    expected = model.probabilities(frames)
    np.testing.assert_allclose(table["probability"], expected.max(axis=1), rtol=1e-6)
    np.testing.assert_allclose(table["second_probability"], np.sort(expected)[:, -2], rtol=1e-6)
    assert (table["second"] != table["label"]).all() and set(table["second"]) <= set(NAMES)
    backwards, _ = models.classify(iter(good[::-1]), model, root=folder, progress=False)
    pd.testing.assert_frame_equal(backwards[::-1].reset_index(drop=True), table)


def test_without_a_good_file_the_table_is_empty(fitted, folder):
    model, _ = fitted
    bad = [folder / "bad.wav", folder / "none.wav"]
    for paths in ([], bad):
        table, errors = models.classify(paths, model, root=folder, progress=False)
        assert table.columns.tolist() == COLUMNS and table.empty
        assert errors.columns.tolist() == ERRORS
        assert errors["file"].tolist() == [path.name for path in paths]


# --- the loss -------------------------------------------------------------------------------------


def test_the_margin_handicaps_the_true_class_alone():
    rng = np.random.default_rng(0)
    logits = (classifiers.SCALE * rng.uniform(-1, 1, (12, 5))).astype(np.float32)
    labels = rng.integers(0, 5, 12)
    plain = -log_softmax(logits, axis=1)[np.arange(12), labels]
    found = np.asarray(models.margin_loss(0.0)(labels, logits))
    np.testing.assert_allclose(found, plain, rtol=1e-4, atol=1e-5)
    logits[np.arange(12), labels] -= 0.3 * classifiers.SCALE
    harder = -log_softmax(logits, axis=1)[np.arange(12), labels]
    logits[np.arange(12), labels] += 0.3 * classifiers.SCALE
    found = np.asarray(models.margin_loss(0.3)(labels[:, None], logits))
    np.testing.assert_allclose(found, harder, rtol=1e-4, atol=1e-5)
    assert (harder > plain).all()
