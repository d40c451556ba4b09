"""models: networks on spectrograms, of any size, that a clip's level does not change."""

import keras
import numpy as np
import pytest

from helpers import env, features, models, training
from helpers.features import Frontend
from helpers.models import blocks

MEL = Frontend(sr=8000, n_fft=256, hop_length=80, n_mels=16)
CLIP_INPUT = features.ClipInput(MEL, crop_s=0.64)
MFCC = features.ClipInput(MEL, n_mfcc=13, crop_s=0.64)


def decibels(n, seed=0):
    return np.random.default_rng(seed).normal(-40, 9, (n, *CLIP_INPUT.shape)).astype(np.float32)


@pytest.mark.parametrize("separable", [False, True])
def test_a_residual_network_gives_a_logit_for_each_class(separable):
    network = models.residual_cnn(CLIP_INPUT, 5, width=4, separable=separable)
    assert network.output_shape == (None, 5)
    logits = np.asarray(network(decibels(2)))
    assert np.isfinite(logits).all() and np.ptp(logits) > 0
    assert len(network.get_layer("features").output.shape) == 4


def test_the_one_of_the_notebook_stays_below_300_000_parameters():
    frontend = Frontend(sr=22050, n_fft=1024, hop_length=512, n_mels=64, fmin=20.0)
    network = models.residual_cnn(features.ClipInput(frontend, crop_s=4.0), 10)
    assert 100_000 < network.count_params() < 300_000
    slower = models.residual_cnn(features.ClipInput(frontend, crop_s=4.0), 10, first_stride=2)
    assert models.multiplications(slower) > 1.8 * models.multiplications(network)


def test_a_louder_clip_is_the_same_clip():
    network = models.residual_cnn(CLIP_INPUT, 3, width=4)
    x = decibels(3)
    np.testing.assert_allclose(network(x), network(x + 17.0), atol=1e-4)


def test_what_is_80_db_below_the_mean_power_is_silence():
    x = decibels(1)
    level = 10 * np.log10(np.mean(10 ** (x / 10)))
    x[0, :5] = level - 85
    deeper = x.copy()
    deeper[0, :5] = level - 150
    layer = blocks.ClipLevel()
    np.testing.assert_allclose(layer(x), layer(deeper), atol=1e-5)
    assert np.asarray(layer(x)).mean() == pytest.approx(0, abs=1e-5)
    audible = x.copy()
    audible[0, :5] = level - 70
    assert np.abs(np.asarray(layer(x)) - np.asarray(layer(audible))).max() > 0.5


def test_multiplications_by_hand():
    inputs = keras.Input((8, 6, 2))
    x = keras.layers.Conv2D(4, 3, strides=2, padding="same")(inputs)  # 4 x 3 places
    x = keras.layers.DepthwiseConv2D(3, padding="same")(x)
    x = keras.layers.Dense(5)(keras.layers.GlobalAveragePooling2D()(x))
    assert models.multiplications(keras.Model(inputs, x)) == 12 * 9 * 2 * 4 + 12 * 9 * 4 + 4 * 5


def test_the_first_network_standardises_where_it_is_told_to():
    rng = np.random.default_rng(0)
    frames = [rng.normal(-200, 30, (MFCC.n_frames, 13)).astype(np.float16) for _ in range(4)]
    mean, variance = models.moments(frames)
    network = models.first_cnn(MFCC, 3, mean=mean, variance=variance)
    standardised = network.get_layer("standardise")(np.stack(frames).astype(np.float32))
    assert np.abs(np.asarray(standardised)).mean() < 1.5
    assert "standardise" not in [layer.name for layer in models.first_cnn(MFCC, 3).layers]


def test_it_learns_which_band_is_loud_from_mixed_batches():
    env.seed_everything(0)
    labels = np.arange(48) % 2
    frames = []
    for i, clip in enumerate(decibels(48)):
        clip[:, 3 + 8 * labels[i] :][:, :2] += 30
        frames.append(clip.astype(np.float16))
    network = models.residual_cnn(CLIP_INPUT, 2, width=4, dropout=0.0)
    batches = training.MixedBatches(frames, labels, CLIP_INPUT, n_classes=2, batch_size=16, seed=0)
    training.compile_network(
        network,
        keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1),
        n_steps=24 * len(batches),
        learning_rate=5e-3,
        weight_decay=1e-3,
    )
    training.run_epochs(network, batches, epochs=24, progress=False)
    probability = models.probabilities(network, frames, CLIP_INPUT, shifts=2)
    assert (probability.argmax(axis=1) == labels).mean() > 0.9
