"""Networks that name the class of a clip."""

import keras
import numpy as np
from keras import layers, ops

from helpers.models.blocks import (
    WEIGHTS,
    ClipLevel,
    Glorot,
    batch_normalised,
    normalised_relu,
    residual_block,
    separable_block,
    time_statistics,
)

SCALE = 20.0  # of the cosine in the logits
LEAST_VARIANCE = 0.1  # dB², so that a band which was silent in training does not weigh thousandfold


# --- three kinds of network -----------------------------------------------------------------------


def moments(frames):
    """Mean and variance of each value over all frames: two float32 (n_values,).

    frames: list of (n_frames, n_values), of the training part alone. Taught in
    03_speaker_identification.
    """
    n = sum(map(len, frames))
    mean = sum(part.sum(axis=0, dtype=np.float64) for part in frames) / n
    variance = sum(((part - mean) ** 2).sum(axis=0) for part in frames) / n
    return mean.astype(np.float32), np.maximum(variance, LEAST_VARIANCE).astype(np.float32)


def dense(given, n_classes, *, mean, variance, width=256, dropout=0.4, name="dense"):
    """Dense network with a residual connection; frames, where it is given them, are laid flat.

    given: `ClipInput`. n_classes: int. mean, variance: see `moments`. Returns a keras.Model from
    (batch, *given.shape) to logits (batch, n_classes), with a layer "embedding" before the last.
    """
    inputs, x = _standardised(given, mean, variance)
    x = x if given.pooled else layers.Flatten()(x)
    x = normalised_relu(layers.Dense(width, **WEIGHTS)(x))
    y = normalised_relu(layers.Dense(width, **WEIGHTS)(layers.Dropout(dropout)(x)))
    x = layers.Add()([x, layers.Dropout(dropout)(y)])
    return _classify(inputs, x, n_classes, name)


def conv1d(
    given, n_classes, *, mean, variance, width=128, dropout=0.2, own_mean=False, name="conv1d"
):
    """Convolution over time with residual connections, then mean and deviation over time.

    Of a pooled input the convolution runs over its values, like over time, for want of time.
    own_mean: subtract each crop's own mean first, and with it what stays the same throughout a
    recording: the channel, and a part of the voice; for inputs that are not pooled.
    Otherwise as `dense`. After Snyder et al., X-vectors, 2018.
    """
    inputs, x = _standardised(given, mean, variance)
    if own_mean:
        x = x - ops.mean(x, axis=1, keepdims=True)
    if given.pooled:
        x, width = layers.Reshape((given.n_values, 1))(x), width // 4
    x = normalised_relu(layers.Conv1D(width, 5, strides=2, padding="same", **WEIGHTS)(x))
    for dilation in (1, 2, 3):
        y = layers.Conv1D(width, 3, dilation_rate=dilation, padding="same", **WEIGHTS)(x)
        y = layers.Conv1D(width, 1, **WEIGHTS)(normalised_relu(y))
        x = layers.ReLU()(layers.Add()([x, batch_normalised(y)]))
    if given.pooled:
        x = layers.Flatten()(layers.AveragePooling1D(min(8, x.shape[1]))(x))
    else:
        x = time_statistics(normalised_relu(layers.Conv1D(3 * width, 1, **WEIGHTS)(x)))
    x = layers.Dropout(dropout)(batch_normalised(x))
    return _classify(inputs, x, n_classes, name)


def conv2d(given, n_classes, *, mean, variance, width=16, dropout=0.2, name="conv2d"):
    """Residual network on the picture of time and frequency; statistics over time at its end.

    The strides come first: most of the network runs where there is little left to compute.
    Otherwise as `dense`; for inputs that are not pooled. After He et al., Deep residual learning,
    2015.
    """
    inputs, x = _standardised(given, mean, variance)
    x = layers.Reshape((*given.shape, 1))(x)
    x = normalised_relu(layers.Conv2D(width, 7, strides=4, padding="same", **WEIGHTS)(x))
    for channels in (2 * width, 4 * width):
        x = residual_block(x, channels, strides=2)
    x = layers.Reshape((x.shape[1], x.shape[2] * x.shape[3]))(x)
    x = layers.Dropout(dropout)(batch_normalised(time_statistics(x)))
    return _classify(inputs, x, n_classes, name)


def _standardised(given, mean, variance):
    inputs = keras.Input(given.shape, name="input")
    return inputs, layers.Normalization(mean=mean, variance=variance, name="standardise")(inputs)


def _classify(inputs, x, n_classes, name):
    """An embedding of 128 numbers, and logits by its cosine with a direction for each class."""
    x = layers.Dense(128, **WEIGHTS)(x)
    x = batch_normalised(x, name="embedding")
    x = layers.UnitNormalization()(x)
    directions = keras.constraints.UnitNorm(axis=0)
    x = layers.Dense(n_classes, kernel_constraint=directions, name="cosine", **WEIGHTS)(x)
    return keras.Model(inputs, layers.Rescaling(SCALE, name="logits")(x), name=name)


def margin_loss(margin=0.2):
    """Cross-entropy with a handicap: the true class must lead by a margin of cosine.

    So the embeddings of a class draw together, and others are kept at a distance, which helps with
    voices that are not in training. For integer labels and the logits of the networks above. 0:
    ordinary cross-entropy. Wang et al., Additive margin softmax, 2018. Returns a function (labels
    (batch,), logits (batch, n_classes)) → (batch,).
    """

    def loss(labels, logits):
        labels = ops.cast(ops.reshape(labels, (-1,)), "int32")
        true = ops.one_hot(labels, logits.shape[-1])
        handicapped = logits - SCALE * margin * true
        return keras.losses.categorical_crossentropy(true, handicapped, from_logits=True)

    return loss


def embedding_model(network):
    """The same network up to its layer "embedding". Built in 03_speaker_identification.

    Returns a keras.Model (batch, …) → (batch, n), which shares the weights.
    """
    return keras.Model(network.input, network.get_layer("embedding").output, name="embedding")


def first_cnn(given, n_classes, *, mean=None, variance=None, name="first_cnn"):
    """One convolution, pooling, and a dense layer on everything: most tutorials' first network.

    given: `ClipInput`. n_classes: int. mean, variance: of each value, to standardise the input, see
    `models.moments`; None: as it is. Returns a keras.Model from (batch, *given.shape) to
    logits (batch, n_classes).
    """
    inputs = x = keras.Input(given.shape, name="input")
    if mean is not None:
        x = layers.Normalization(mean=mean, variance=variance, name="standardise")(x)
    x = layers.Reshape((*given.shape, 1))(x)
    x = layers.Conv2D(16, 3, activation="relu", kernel_initializer=Glorot())(x)
    x = layers.Flatten()(layers.AveragePooling2D(2)(x))  # the maximum's gradient is slow on a CPU
    x = layers.Dense(64, activation="relu", kernel_initializer=Glorot())(x)
    return keras.Model(inputs, layers.Dense(n_classes, kernel_initializer=Glorot())(x), name=name)


def residual_cnn(
    given,
    n_classes,
    *,
    width=32,
    dropout=0.3,
    first_stride=4,
    separable=False,
    name="residual_cnn",
):
    """Residual network on a log-mel spectrogram; the mean over all places names the class.

    given: `ClipInput` of mel bands. width: channels of the first block; the others have two and
    three times as many. The first layer strides by 2 over time and by first_stride over the bands:
    what comes after costs an eighth. separable: blocks of `separable_block`. Returns a keras.Model
    from (batch, *given.shape), dB, to logits (batch, n_classes), with layers "features" and
    "logits" as `attribution` needs them. After He et al., Deep residual learning, 2015.
    """
    block = separable_block if separable else residual_block
    inputs = keras.Input(given.shape, name="input")
    x = layers.Reshape((*given.shape, 1))(ClipLevel(name="level")(inputs))
    x = layers.Conv2D(24, 5, strides=(2, first_stride), padding="same", **WEIGHTS)(x)
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    for channels in (width, 2 * width, 3 * width):
        x = block(x, channels, strides=2)
    x = layers.Activation("linear", name="features")(x)
    x = layers.Dropout(dropout)(layers.GlobalAveragePooling2D()(x))
    logits = layers.Dense(n_classes, kernel_initializer=Glorot(), name="logits")(x)
    return keras.Model(inputs, logits, name=name)
