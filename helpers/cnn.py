"""Convolutional networks for clips: the one that everybody starts with, and a residual one.

Only `keras` and `keras.ops` are used: the same code runs on TensorFlow, JAX and PyTorch. Call
`env.setup` before this module is imported; it chooses the backend.
"""

import math

import keras
import numpy as np
from keras import layers, ops

from helpers.classifiers import WEIGHTS, Glorot, residual_block

RANGE_DB = 80.0  # below a clip's mean power: what is fainter counts as silence


@keras.saving.register_keras_serializable(package="helpers")
class ClipLevel(layers.Layer):
    """Decibels, cut off RANGE_DB below the clip's mean power, minus the clip's mean, over a scale.

    How loud a clip is says where the microphone stood. Being a layer, it cannot differ between
    training and use. x: (batch, n_frames, n_bands), dB. Same shape out, without a unit.
    """

    def call(self, x):
        power = ops.exp(x * (math.log(10) / 10))
        level = 10 * ops.log10(ops.mean(power, axis=(1, 2), keepdims=True))
        x = ops.maximum(x, level - RANGE_DB)
        return (x - ops.mean(x, axis=(1, 2), keepdims=True)) / 12.0  # about their deviation


def first_cnn(given, n_classes, *, mean=None, variance=None, name="first_cnn"):
    """One convolution, pooling, and a dense layer on everything: most tutorials' first network.

    given: `ClipInput`. n_classes: int. mean, variance: of each value, to standardise the input, see
    `classifiers.moments`; None: as it is. Returns a keras.Model from (batch, *given.shape) to
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


def separable_block(x, channels, *, strides=1):
    """Depthwise and pointwise convolution, and a shortcut past them.

    As `classifiers.residual_block`, with a ninth of the multiplications where channels are many.
    Built in 04_urbansound8k_cnn.
    """
    y = layers.DepthwiseConv2D(
        3, strides=strides, padding="same", use_bias=False, depthwise_initializer=Glorot()
    )(x)
    y = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(y))
    y = layers.BatchNormalization(momentum=0.9)(layers.Conv2D(channels, 1, **WEIGHTS)(y))
    if strides != 1 or x.shape[-1] != channels:
        x = layers.Conv2D(channels, 1, strides=strides, **WEIGHTS)(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
    return layers.ReLU()(layers.Add()([x, y]))


def multiplications(network):
    """Multiplications for one clip: int, of the convolutions and dense layers."""
    total = 0
    for layer in network.layers:
        if isinstance(layer, layers.Conv2D | layers.DepthwiseConv2D | layers.Dense):
            places = np.prod(layer.output.shape[1:-1], dtype=int)
            total += int(places) * int(np.prod(layer.kernel.shape))
    return total
