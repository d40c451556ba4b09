"""Building blocks of the networks: layers, convolution blocks, and what they cost.

Only `keras` and `keras.ops` are used: the same code runs on TensorFlow, JAX and PyTorch. Call
`env.setup` before this module is imported; it chooses the backend.
"""

import math

import keras
import numpy as np
from keras import layers, ops

RANGE_DB = 80.0  # below a clip's mean power: fainter values count as silence


@keras.saving.register_keras_serializable(package="helpers")
class LevelNormalisation(layers.Layer):
    """Logarithm of band power minus the frame's mean over the bands.

    A gain cancels out within each frame: a call looks the same in a clip of three seconds and in an
    hour. power: (..., n_frames, n_bands), full scale². Returns the same shape.
    """

    def __init__(self, floor=1e-7, **kwargs):
        super().__init__(**kwargs)
        self.floor = floor

    def call(self, power):
        x = ops.log10(ops.maximum(power, self.floor))
        return x - ops.mean(x, axis=-1, keepdims=True)

    def get_config(self):
        return {**super().get_config(), "floor": self.floor}


@keras.saving.register_keras_serializable(package="helpers")
class ClipLevel(layers.Layer):
    """Decibels minus the clip's mean, divided by 12 dB; at most RANGE_DB below the mean power.

    The level of a clip depends on the distance of the microphone, so it is removed. As a layer, it
    is the same in training and use. x: (batch, n_frames, n_bands), dB. Returns the same shape.
    """

    def call(self, x):
        power = ops.exp(x * (math.log(10) / 10))
        level = 10 * ops.log10(ops.mean(power, axis=(1, 2), keepdims=True))
        x = ops.maximum(x, level - RANGE_DB)
        return (x - ops.mean(x, axis=(1, 2), keepdims=True)) / 12.0  # about their deviation


@keras.saving.register_keras_serializable(package="helpers")
class Glorot(keras.initializers.Initializer):
    """Glorot's uniform weights from NumPy's global generator, see `env.seed_everything`.

    With Keras' own, JAX compiles a program for each shape of kernel: seconds for every network.
    """

    def __call__(self, shape, dtype=None, **_):
        *window, n_in, n_out = shape
        limit = np.sqrt(6 / (np.prod(window) * (n_in + n_out)))
        weights = np.random.uniform(-limit, limit, shape)
        return ops.convert_to_tensor(weights, dtype or keras.config.floatx())


WEIGHTS = {"use_bias": False, "kernel_initializer": Glorot()}  # batch normalisation has the bias


def convolution_block(x, channels, kernel, *, strides=(1, 1)):
    """Convolution, batch normalisation, ReLU. Built in 05_capuchin_call_counter.

    x: Keras tensor (batch, n_frames, n_bands, n). kernel, strides: (time, frequency). There is no
    padding. Returns (batch, time, frequency, channels).
    """
    x = layers.Conv2D(channels, kernel, strides=strides, use_bias=False)(x)
    return layers.ReLU()(layers.BatchNormalization()(x))


def residual_block(x, channels, *, strides=1, separable=False):
    """Two convolutions and a shortcut. Built in 03_speaker_identification, 04_urbansound8k_cnn.

    x: Keras tensor (batch, time, bands, n). separable: a depthwise and a pointwise convolution
    instead of two plain ones: a ninth of the multiplications where there are many channels.
    Returns (batch, time / strides, bands / strides, channels), rounded up. The shortcut is x itself
    or, where the shape changes, a 1 x 1 convolution of x.
    """
    if separable:
        weights = {"use_bias": False, "depthwise_initializer": Glorot()}
        first = layers.DepthwiseConv2D(3, strides=strides, padding="same", **weights)
    else:
        first = layers.Conv2D(channels, 3, strides=strides, padding="same", **WEIGHTS)
    second = layers.Conv2D(channels, 1 if separable else 3, padding="same", **WEIGHTS)
    y = batch_normalised(second(normalised_relu(first(x))))
    if strides != 1 or x.shape[-1] != channels:
        x = batch_normalised(layers.Conv2D(channels, 1, strides=strides, **WEIGHTS)(x))
    return layers.ReLU()(layers.Add()([x, y]))


def normalised_relu(x):
    return layers.ReLU()(batch_normalised(x))


def batch_normalised(x, **options):
    # Keras' momentum of 0.99 keeps the first steps for longer than small data sets train.
    return layers.BatchNormalization(momentum=0.9, **options)(x)


def time_statistics(x):
    """Mean and standard deviation over time: (batch, n_steps, n) → (batch, 2 n)."""
    mean = ops.mean(x, axis=1, keepdims=True)
    deviation = ops.sqrt(ops.mean(ops.square(x - mean), axis=1) + 1e-3)
    return layers.Concatenate()([layers.Flatten()(mean), deviation])


def receptive_field(network):
    """(frames, stride): frames that one output step sees, and frames between two steps.

    network: convolutions in a row without padding over time, or an ensemble of such networks.
    """
    frames, stride = 1, 1
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            return receptive_field(layer)  # the members of an ensemble are alike
        if isinstance(layer, layers.Conv1D | layers.Conv2D):
            frames += (layer.kernel_size[0] - 1) * layer.dilation_rate[0] * stride
            stride *= layer.strides[0]
    return frames, stride


def parameter_count(model):
    """Number of trainable parameters."""
    return int(sum(np.prod(w.shape) for w in model.trainable_weights))


def multiplications(network):
    """Multiplications for one clip in convolutions and dense layers: int."""
    total = 0
    for layer in network.layers:
        if isinstance(layer, layers.Conv2D | layers.DepthwiseConv2D | layers.Dense):
            total += math.prod(layer.output.shape[1:-1]) * math.prod(layer.kernel.shape)
    return total
