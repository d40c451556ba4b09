"""Building blocks of the networks: layers, convolution blocks, and what they cost.

Only `keras` and `keras.ops` are used: the same code runs on TensorFlow, JAX and PyTorch. Call
`env.setup` before this module is imported; it chooses the backend.
"""

import math

import keras
import numpy as np
from keras import layers, ops


@keras.saving.register_keras_serializable(package="helpers")
class LevelNormalisation(layers.Layer):
    """Logarithm of band power minus the frame's mean over the bands.

    Gain drops out, frame by frame, and nothing depends on the length of the recording: a call looks
    the same in a three-second clip and in an hour. Being a layer, it cannot differ between training
    and scoring. power: (..., n_frames, n_bands), full scale². Same shape out.
    """

    def __init__(self, floor=1e-7, **kwargs):
        super().__init__(**kwargs)
        self.floor = floor

    def call(self, power):
        x = ops.log10(ops.maximum(power, self.floor))
        return x - ops.mean(x, axis=-1, keepdims=True)

    def get_config(self):
        return {**super().get_config(), "floor": self.floor}


def convolution_block(x, channels, kernel, *, strides=(1, 1)):
    """Convolution, batch normalisation, ReLU. Taught in 05_capuchin_call_counter.

    x: Keras tensor (batch, n_frames, n_bands, n). kernel, strides: (time, frequency). Nothing is
    padded. Returns (batch, time, frequency, channels).
    """
    x = layers.Conv2D(channels, kernel, strides=strides, use_bias=False)(x)
    return layers.ReLU()(layers.BatchNormalization()(x))


def receptive_field(network):
    """(frames, stride): frames that one output step sees, and frames between two steps.

    network: a chain of convolutions without padding over time, or an ensemble of such.
    """
    frames, stride = 1, 1
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            return receptive_field(layer)  # members of an ensemble are alike
        if isinstance(layer, layers.Conv1D | layers.Conv2D):
            frames += (layer.kernel_size[0] - 1) * layer.dilation_rate[0] * stride
            stride *= layer.strides[0]
    return frames, stride


def parameter_count(model):
    """Number of trainable parameters."""
    return int(sum(np.prod(w.shape) for w in model.trainable_weights))


@keras.saving.register_keras_serializable(package="helpers")
class Glorot(keras.initializers.Initializer):
    """Glorot's uniform weights, drawn by NumPy's own generator, see `env.seed_everything`.

    Keras' would have JAX compile a program for the shape of every kernel: seconds for each network.
    """

    def __call__(self, shape, dtype=None, **_):
        *window, n_in, n_out = shape
        limit = np.sqrt(6 / (np.prod(window) * (n_in + n_out)))
        weights = np.random.uniform(-limit, limit, shape)
        return ops.convert_to_tensor(weights, dtype or keras.config.floatx())


WEIGHTS = {"use_bias": False, "kernel_initializer": Glorot()}  # batch normalisation has the bias


def residual_block(x, channels, *, strides=1):
    """Two convolutions and a shortcut past them. Built in 03_speaker_identification.

    x: Keras tensor (batch, time, bands, n). Returns (batch, time / strides, bands / strides,
    channels), rounded up. The shortcut is x itself where it fits, else a 1 x 1 convolution.
    """
    y = normalised_relu(layers.Conv2D(channels, 3, strides=strides, padding="same", **WEIGHTS)(x))
    y = batch_normalised(layers.Conv2D(channels, 3, padding="same", **WEIGHTS)(y))
    if strides != 1 or x.shape[-1] != channels:
        x = layers.Conv2D(channels, 1, strides=strides, **WEIGHTS)(x)
        x = batch_normalised(x)
    return layers.ReLU()(layers.Add()([x, y]))


def normalised_relu(x):
    return layers.ReLU()(batch_normalised(x))


def batch_normalised(x, **options):
    # The default of 0.99 remembers the first steps for longer than a small data set trains.
    return layers.BatchNormalization(momentum=0.9, **options)(x)


def time_statistics(x):
    """Mean and standard deviation over time: (batch, n_steps, n) → (batch, 2 n)."""
    mean = ops.mean(x, axis=1, keepdims=True)
    deviation = ops.sqrt(ops.mean(ops.square(x - mean), axis=1) + 1e-3)
    return layers.Concatenate()([layers.Flatten()(mean), deviation])


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


def separable_block(x, channels, *, strides=1):
    """Depthwise and pointwise convolution, and a shortcut past them.

    As `models.residual_block`, with a ninth of the multiplications where channels are many.
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
