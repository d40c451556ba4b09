"""models.detector, models.saved: receptive field, scores for any cut, files without code."""

import zipfile
from dataclasses import replace

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

from helpers import env, models
from helpers.features import Frontend
from helpers.models import CallDetector, EventSettings, ModelError, blocks

FRONTEND = Frontend(n_mels=32)


def network(n_bands=32, *, seed=0, width=4, name="call_network"):
    """An untrained network with lively statistics, so that its logits differ from each other."""
    env.seed_everything(seed)
    made = models.call_network(n_bands, width=width, name=name)
    rng = np.random.default_rng(seed)
    for layer in made.layers:
        if isinstance(layer, layers.BatchNormalization):
            gamma, beta, mean, variance = layer.get_weights()
            layer.set_weights(
                [
                    rng.uniform(0.8, 1.5, gamma.shape),
                    rng.normal(0.2, 0.3, beta.shape),
                    rng.normal(0, 0.1, mean.shape),
                    rng.uniform(0.05, 0.2, variance.shape),
                ]
            )
    return made


@pytest.fixture(scope="module")
def detector():
    chosen = EventSettings(threshold=0.3, release=0.4, min_distance_s=1.25, duration_s=2.5)
    return CallDetector(network(), FRONTEND, chosen)


def power(n_frames, n_bands=32, seed=0):
    rng = np.random.default_rng((n_frames, seed))
    bend = np.exp(np.cumsum(rng.normal(0, 0.3, (n_frames, n_bands)), axis=0) % 5)
    return (bend * rng.uniform(1e-4, 1e-1, (n_frames, n_bands))).astype(np.float32)


def logits(net, x):
    return np.asarray(net.predict_on_batch(x))


# --- the network ----------------------------------------------------------------------------------


def test_nothing_is_padded_over_time(detector):
    frames, stride = models.receptive_field(detector.network)
    assert (detector.frames, detector.stride) == (frames, stride)
    assert detector.step_s == stride * FRONTEND.hop_s <= 0.25
    for extra in (0, 1, stride - 1, stride, 5 * stride + 2):
        out = logits(detector.network, power(frames + extra)[None])
        assert out.shape == (1, 1 + extra // stride, 1)


@pytest.mark.parametrize("which", ["call_network", "ensemble", "by hand"])
def test_the_receptive_field_is_what_is_measured(detector, tone_detector, which):
    """Change one frame at a time: just the steps that should see it change."""
    if which == "by hand":
        net, trials = tone_detector.network, 1
    else:
        net = (
            detector.network
            if which == "call_network"
            else models.ensemble([network(seed=1), network(seed=2)])
        )
        trials = 6
    frames, stride = models.receptive_field(net)
    n_steps = 4
    n = frames + stride * (n_steps - 1)
    base = power(n)
    changed = np.zeros((n, n_steps), bool)
    for trial in range(trials):
        others = np.repeat(base[None], n + 1, axis=0)  # the last stays as it is
        others[np.arange(n), np.arange(n)] = power(n, seed=100 + trial) ** 3
        found = logits(net, others)[:, :, 0]
        changed |= np.abs(found[:-1] - found[-1]) > 1e-5
    frame, step = np.arange(n)[:, None], np.arange(n_steps)[None]
    sees = (frame >= step * stride) & (frame < step * stride + frames)
    np.testing.assert_array_equal(changed & ~sees, False)
    np.testing.assert_array_equal(changed, sees)


@pytest.mark.parametrize("gain", [1e3, 37.5])
def test_gain_drops_out(detector, gain):
    x = power(200)[None] + np.float32(1e-6)
    np.testing.assert_allclose(
        logits(detector.network, x * np.float32(gain)), logits(detector.network, x), atol=1e-3
    )


def test_level_normalisation_is_the_logarithm_less_the_frames_mean():
    x = power(7)
    x[3] = 0
    found = np.asarray(blocks.LevelNormalisation(floor=1e-6)(x[None]))[0]
    expected = np.log10(np.maximum(x, 1e-6))
    np.testing.assert_allclose(
        found, expected - expected.mean(axis=1, keepdims=True), rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("n_bands", [17, 33, 64, 80, 109, 513])
def test_any_front_end_and_under_a_hundred_thousand_parameters(n_bands):
    net = models.call_network(n_bands)
    assert net.output_shape == (None, None, 1)
    assert 10_000 < models.parameter_count(net) < 100_000
    assert models.receptive_field(net) == (97, 4)  # 1.6 s at 16 kHz and a hop of 256


def test_the_parameter_count_is_of_what_is_trained():
    net = keras.Sequential(
        [keras.Input((None, 3)), layers.Conv1D(5, 2), layers.BatchNormalization()]
    )
    assert models.parameter_count(net) == 5 * (3 * 2 + 1) + 2 * 5
    net.layers[0].trainable = False
    assert models.parameter_count(net) == 2 * 5


def test_an_ensemble_is_the_mean_of_the_logits():
    members = [network(seed=k, name="the_same_name") for k in range(3)]
    together = models.ensemble(members)
    x = power(130)[None]
    expected = np.mean([logits(member, x) for member in members], axis=0)
    np.testing.assert_allclose(logits(together, x), expected, atol=1e-5)
    assert models.receptive_field(together) == models.receptive_field(members[0])
    assert models.parameter_count(together) == sum(map(models.parameter_count, members))
    assert models.ensemble(members[:1]) is members[0]


# --- scoring --------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(n=st.integers(0, 2600), data=st.data())
def test_any_cut_gives_the_same_score_to_the_bit(detector, n, data):
    x = power(n)
    cuts = sorted(data.draw(st.lists(st.integers(0, n), max_size=8)))
    whole = detector.score(x)
    assert whole.dtype == np.float32 and whole.shape == (1 + n // detector.stride,)
    assert (whole >= 0).all() and (whole <= 1).all()
    np.testing.assert_array_equal(detector.score(iter(np.split(x, cuts))), whole)


def test_one_frame_at_a_time(detector):
    x = power(1500)
    np.testing.assert_array_equal(
        detector.score(x[i : i + 1] for i in range(1500)), detector.score(x)
    )


@settings(max_examples=30)
@given(n=st.integers(1, 1500), steps=st.integers(1, 700))
def test_a_shift_by_whole_steps_shifts_the_score(detector, n, steps):
    x = power(n)
    silence = np.full((steps * detector.stride, 32), 1e-12, np.float32)
    score = detector.score(x)
    shifted = detector.score([silence, x])
    assert len(shifted) == len(score) + steps
    np.testing.assert_allclose(shifted[steps:], score, atol=1e-5)


def test_a_step_lies_where_it_says(tone_detector):
    """The score is highest at the middle of the tone, not half a window later."""
    frontend = tone_detector.frontend
    x = np.full((800, frontend.n_bands), 1e-3, np.float32)
    band = np.argmin(np.abs(frontend.frequencies - 1500))
    x[400:405, band] = 1e3
    score = tone_detector.score(x)
    assert abs(score.argmax() * tone_detector.step_s - 402 * frontend.hop_s) <= tone_detector.step_s


def test_the_score_is_the_sigmoid_of_the_networks_logit(detector):
    x = power(400)
    before = (detector.frames - 1) // 2
    padded = np.pad(x, ((before, detector.frames), (0, 0)), constant_values=1e-12)
    logit = logits(detector.network, padded[None])[0, :, 0]
    expected = 1 / (1 + np.exp(-logit[: 1 + 400 // detector.stride].astype(float)))
    np.testing.assert_allclose(detector.score(x), expected, atol=1e-5)
    assert np.ptp(expected) > 0.01  # or all of these tests would say nothing


def test_clips_are_scored_as_if_each_stood_alone(detector):
    clips = [power(n, seed=n) for n in (187, 1, 2, 3, 40, 500, 5, 1, 187)]
    expected = [detector.score(clip).max() for clip in clips]
    found = detector.score_clips(clips)
    assert found.dtype == np.float32 and found.shape == (9,)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(detector.score_clips(clips[::-1]), expected[::-1], atol=1e-5)
    assert detector.score_clips([]).shape == (0,)


def test_a_linear_front_end_with_many_bands():
    frontend = Frontend(n_mels=0, fmin=100, fmax=4000)
    detector = CallDetector(network(frontend.n_bands), frontend)
    sound = np.random.default_rng(0).normal(0, 0.1, 16000).astype(np.float32)
    score = detector.score(frontend.stream([sound]))
    assert score.shape == (1 + frontend.n_frames(16000) // detector.stride,)


# --- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("members", [1, 2])
def test_a_detector_comes_back_from_its_file_the_same(detector, tmp_path, members):
    if members == 2:
        both = models.ensemble([network(seed=1), network(seed=2)])
        detector = CallDetector(both, replace(FRONTEND, fmin=40.5, fmax=7000), detector.settings)
    path = tmp_path / "new" / "model.keras"
    models.save(detector, path)
    assert [p.name for p in path.parent.iterdir()] == ["model.keras"]
    again = models.load_detector(path)
    assert again.frontend == detector.frontend and again.settings == detector.settings
    assert (again.frames, again.stride, again.step_s) == (
        detector.frames,
        detector.stride,
        detector.step_s,
    )
    np.testing.assert_array_equal(again.score(power(700)), detector.score(power(700)))
    models.save(again, path)  # over what is there
    third = models.load_detector(str(path))
    for a, b in zip(third.get_weights(), detector.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_failed_save_leaves_the_old_file(detector, tmp_path, monkeypatch):
    path = tmp_path / "model.keras"
    path.write_text("the old one")

    def fail(self, path):
        path.write_text("half")
        raise OSError("disk full")

    monkeypatch.setattr(CallDetector, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        models.save(detector, path)
    assert path.read_text() == "the old one" and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("inside", [True, False])
def test_a_file_with_code_in_it_is_refused_and_nothing_runs(tmp_path, inside):
    trace = tmp_path / "the code has run"

    # No closure, which would not be written to the file.
    code = eval(f"lambda x: (__import__('pathlib').Path({str(trace)!r}).touch(), x)[1]")
    inputs = keras.Input((None, 32))
    net = keras.Model(inputs, layers.Conv1D(1, 5, strides=2)(layers.Lambda(code)(inputs)))
    path = tmp_path / "model.keras"
    models.save(CallDetector(net, FRONTEND) if inside else net, path)
    trace.unlink()
    with pytest.raises(ModelError, match="cannot be read as a model") as caught:
        models.load_detector(path)
    assert "Lambda" in str(caught.value) and "05_capuchin_call_counter" in str(caught.value)
    assert not trace.exists()


def refused(path, match):
    with pytest.raises(ModelError, match=match) as caught:
        models.load_detector(path)
    message = str(caught.value)
    assert path.name in message and "expected a model.keras" in message
    assert "\n" not in message and len(message) < 600


def test_what_is_no_model_is_refused(detector, tmp_path):
    refused(tmp_path / "none.keras", "no such file")
    (tmp_path / "folder.keras").mkdir()
    refused(tmp_path / "folder.keras", "no such file")
    for name, content in {
        "empty.keras": b"",
        "text.keras": b"this is a text",
        "html.keras": b"<html>" * 500,
        "model.h5": b"\x89HDF\r\n\x1a\n",
    }.items():
        (tmp_path / name).write_bytes(content)
        refused(tmp_path / name, "cannot be read")
    with zipfile.ZipFile(tmp_path / "other.keras", "w") as archive:
        archive.writestr("readme.txt", "a zip file of something else")
    refused(tmp_path / "other.keras", "cannot be read")


@pytest.mark.parametrize("share", [0.02, 0.5, 0.9, 0.999])
def test_a_truncated_model_is_refused(detector, tmp_path, share):
    path = tmp_path / "model.keras"
    models.save(detector, path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    refused(path, "cannot be read")


def test_a_model_with_damaged_weights_is_refused(detector, tmp_path):
    path, damaged = tmp_path / "model.keras", tmp_path / "damaged.keras"
    models.save(detector, path)
    with zipfile.ZipFile(path) as whole, zipfile.ZipFile(damaged, "w") as archive:
        for name in whole.namelist():
            content = whole.read(name)
            archive.writestr(name, content[:3000] if name.endswith(".h5") else content)
    refused(damaged, "cannot be read")


def test_a_plain_keras_model_is_refused(tmp_path):
    models.save(network(), tmp_path / "network.keras")
    refused(tmp_path / "network.keras", "names no front end")
    models.save(keras.Sequential([layers.Dense(2)]), tmp_path / "unbuilt.keras")
    refused(tmp_path / "unbuilt.keras", "names no front end")


def test_a_front_end_that_its_network_cannot_use_is_refused(tmp_path):
    models.save(CallDetector(network(), replace(FRONTEND, n_mels=40)), tmp_path / "model.keras")
    refused(tmp_path / "model.keras", "takes 32 bands, its front end has 40")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"n_fft": 1024', '"n_fft": -1'),
        ('"fmin": 0.0', '"fmin": 9000.0'),
        ('"threshold": 0.3', '"threshold": 3.0'),
        ('"hop_length"', '"hop"'),
    ],
)
def test_an_impossible_configuration_is_refused(detector, tmp_path, old, new):
    path, edited = tmp_path / "model.keras", tmp_path / "edited.keras"
    models.save(detector, path)
    with zipfile.ZipFile(path) as whole, zipfile.ZipFile(edited, "w") as archive:
        for name in whole.namelist():
            content = whole.read(name)
            if name == "config.json":
                assert old in content.decode()
                content = content.decode().replace(old, new).encode()
            archive.writestr(name, content)
    refused(edited, "cannot be read")


@pytest.mark.parametrize("error", [AssertionError(), KeyError("a\nb"), RuntimeError("")])
def test_keras_may_raise_anything(tmp_path, monkeypatch, error):
    def fail(*args, **kwargs):
        raise error

    (tmp_path / "model.keras").write_bytes(b"x")
    monkeypatch.setattr(keras.saving, "load_model", fail)
    refused(tmp_path / "model.keras", type(error).__name__)
