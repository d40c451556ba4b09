"""Networks that name the class of a clip.

Each takes a `ClipInput` and the number of classes, and returns a keras.Model from
(batch, *clip_input.shape) to logits (batch, n_classes). The logits of `dense`, `conv1d` and
`conv2d` are cosines of an embedding with each class; the others have plain logits.
"""

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
    time_statistics,
)

SCALE = 20.0  # of the cosine in the logits
MIN_VARIANCE = 0.1  # dB²: a band that is silent in training must not get a huge weight


def moments(frames):
    """Mean and variance of each value over all frames: two float32 (n_values,).

    frames: list of (n_frames, n_values), of the training part only.
    """
    n = sum(map(len, frames))
    mean = sum(part.sum(axis=0, dtype=np.float64) for part in frames) / n
    variance = sum(((part - mean) ** 2).sum(axis=0) for part in frames) / n
    return mean.astype(np.float32), np.maximum(variance, MIN_VARIANCE).astype(np.float32)


def dense(clip_input, n_classes, *, mean, variance, width=256, dropout=0.4, name="dense"):
    """Dense network with a residual connection; frames that are not pooled are flattened.

    mean, variance: see `moments`. The layer before the last is named "embedding".
    """
    inputs, x = _standardised(clip_input, mean, variance)
    x = x if clip_input.pooled else layers.Flatten()(x)
    x = normalised_relu(layers.Dense(width, **WEIGHTS)(x))
    y = normalised_relu(layers.Dense(width, **WEIGHTS)(layers.Dropout(dropout)(x)))
    x = layers.Add()([x, layers.Dropout(dropout)(y)])
    return _cosine_logits(inputs, x, n_classes, name)


def conv1d(
    clip_input, n_classes, *, mean, variance, width=128, dropout=0.2, own_mean=False, name="conv1d"
):
    """Convolution over time with residual connections, then mean and deviation over time.

    A pooled input has no time: the convolution runs over its values. own_mean: subtract each crop's
    own mean first, and so all that is constant in a recording: the channel, and a part of the
    voice; only for inputs that are not pooled. Otherwise as `dense`. After Snyder et al.,
    X-vectors, 2018.
    """
    inputs, x = _standardised(clip_input, mean, variance)
    if own_mean:
        x = x - ops.mean(x, axis=1, keepdims=True)
    if clip_input.pooled:
        x, width = layers.Reshape((clip_input.n_values, 1))(x), width // 4
    x = normalised_relu(layers.Conv1D(width, 5, strides=2, padding="same", **WEIGHTS)(x))
    for dilation in (1, 2, 3):
        y = layers.Conv1D(width, 3, dilation_rate=dilation, padding="same", **WEIGHTS)(x)
        y = layers.Conv1D(width, 1, **WEIGHTS)(normalised_relu(y))
        x = layers.ReLU()(layers.Add()([x, batch_normalised(y)]))
    if clip_input.pooled:
        x = layers.Flatten()(layers.AveragePooling1D(min(8, x.shape[1]))(x))
    else:
        x = time_statistics(normalised_relu(layers.Conv1D(3 * width, 1, **WEIGHTS)(x)))
    x = layers.Dropout(dropout)(batch_normalised(x))
    return _cosine_logits(inputs, x, n_classes, name)


def conv2d(clip_input, n_classes, *, mean, variance, width=16, dropout=0.2, name="conv2d"):
    """Residual network over time and frequency, with statistics over time at its end.

    The first layers have the strides, so that most of the network has little to compute. Only for
    inputs that are not pooled. Otherwise as `dense`. After He et al., Deep residual learning, 2015.
    """
    inputs, x = _standardised(clip_input, mean, variance)
    x = layers.Reshape((*clip_input.shape, 1))(x)
    x = normalised_relu(layers.Conv2D(width, 7, strides=4, padding="same", **WEIGHTS)(x))
    for channels in (2 * width, 4 * width):
        x = residual_block(x, channels, strides=2)
    x = layers.Reshape((x.shape[1], x.shape[2] * x.shape[3]))(x)
    x = layers.Dropout(dropout)(batch_normalised(time_statistics(x)))
    return _cosine_logits(inputs, x, n_classes, name)


def _standardised(clip_input, mean, variance):
    inputs = keras.Input(clip_input.shape, name="input")
    return inputs, layers.Normalization(mean=mean, variance=variance, name="standardise")(inputs)


def _cosine_logits(inputs, x, n_classes, name):
    """An embedding of 128 numbers, and logits by its cosine with a direction for each class."""
    x = batch_normalised(layers.Dense(128, **WEIGHTS)(x), name="embedding")
    x = layers.UnitNormalization()(x)
    directions = keras.constraints.UnitNorm(axis=0)
    x = layers.Dense(n_classes, kernel_constraint=directions, name="cosine", **WEIGHTS)(x)
    return keras.Model(inputs, layers.Rescaling(SCALE, name="logits")(x), name=name)


def margin_loss(margin=0.2):
    """Cross-entropy in which the true class must lead by a margin of cosine.

    It draws the embeddings of a class together and keeps classes apart, which helps with voices
    that are not in training. For integer labels and the logits of the networks above. margin: 0:
    ordinary cross-entropy. Returns a function (labels (batch,), logits (batch, n_classes)) →
    (batch,). Wang et al., Additive margin softmax, 2018.
    """

    def loss(labels, logits):
        labels = ops.cast(ops.reshape(labels, (-1,)), "int32")
        true = ops.one_hot(labels, logits.shape[-1])
        return keras.losses.categorical_crossentropy(
            true, logits - SCALE * margin * true, from_logits=True
        )

    return loss


def embedding_model(network):
    """The same network up to its layer "embedding". Built in 03_speaker_identification.

    Returns a keras.Model (batch, …) → (batch, n), which shares the weights.
    """
    return keras.Model(network.input, network.get_layer("embedding").output, name="embedding")


def first_cnn(clip_input, n_classes, *, mean=None, variance=None, name="first_cnn"):
    """One convolution, pooling, and a dense layer: the first network of most tutorials.

    mean, variance: standardise the input, see `moments`; None: leave it as it is.
    """
    if mean is None:
        inputs = x = keras.Input(clip_input.shape, name="input")
    else:
        inputs, x = _standardised(clip_input, mean, variance)
    x = layers.Reshape((*clip_input.shape, 1))(x)
    x = layers.Conv2D(16, 3, activation="relu", kernel_initializer=Glorot())(x)
    x = layers.Flatten()(layers.AveragePooling2D(2)(x))  # the maximum's gradient is slow on a CPU
    x = layers.Dense(64, activation="relu", kernel_initializer=Glorot())(x)
    return keras.Model(inputs, layers.Dense(n_classes, kernel_initializer=Glorot())(x), name=name)


def residual_cnn(
    clip_input, n_classes, *, width=32, dropout=0.3, first_stride=4, separable=False, name="resnet"
):
    """Residual network on decibels of mel bands, with global average pooling before the logits.

    width: channels of the first block; the others have two and three times as many. The first
    layer strides by 2 over time and by first_stride over the bands: with 4, all that follows costs
    an eighth. separable: see `residual_block`. The layers "features" and "logits" are those that
    `attribution` needs. After He et al., Deep residual learning, 2015.
    """
    inputs = keras.Input(clip_input.shape, name="input")
    x = layers.Reshape((*clip_input.shape, 1))(ClipLevel(name="level")(inputs))
    x = layers.Conv2D(24, 5, strides=(2, first_stride), padding="same", **WEIGHTS)(x)
    x = normalised_relu(x)
    for channels in (width, 2 * width, 3 * width):
        x = residual_block(x, channels, strides=2, separable=separable)
    x = layers.Activation("linear", name="features")(x)
    x = layers.Dropout(dropout)(layers.GlobalAveragePooling2D()(x))
    logits = layers.Dense(n_classes, kernel_initializer=Glorot(), name="logits")(x)
    return keras.Model(inputs, logits, name=name)
