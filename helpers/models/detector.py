"""The call detector: a fully convolutional network that carries its own front end."""

import contextlib
import math
from dataclasses import asdict
from itertools import chain

import keras
import numpy as np
from keras import layers
from scipy.special import expit

from helpers import audio
from helpers.augmentation import SILENCE
from helpers.features import Frontend
from helpers.models.blocks import LevelNormalisation, convolution_block, receptive_field
from helpers.models.settings import EventSettings


def call_network(n_bands, *, width=16, dropout=0.2, name="call_network"):
    """Fully convolutional detector: band power in, one logit every fourth frame out.

    n_bands: bands of the front end (at least 17). width: channels of the first layer. Input
    (batch, n_frames, n_bands) of any length, output (batch, n_steps, 1). No layer pads over time:
    every step sees exactly its own `receptive_field`, so blocks of a recording give what the whole
    gives. The first layers have the strides, so that the other five have little to compute.
    """
    inputs = keras.Input((None, n_bands), name="power")
    x = LevelNormalisation(name="level")(inputs)
    x = layers.Reshape((-1, n_bands, 1))(x)
    # The first stride over frequency brings any front end, mel or linear, to at most 32 bands.
    stride = max(2, math.ceil(n_bands / 32))
    x = convolution_block(x, width, (5, 2 * stride + 1), strides=(2, stride))
    x = convolution_block(x, 2 * width, (3, 3), strides=(2, 2))
    x = convolution_block(x, 2 * width, (3, 3), strides=(1, 2))
    x = convolution_block(x, 4 * width, (3, x.shape[2]))  # all that is left of the frequency axis
    x = layers.Reshape((-1, 4 * width))(x)
    for dilation in (2, 3, 4):
        x = layers.Conv1D(4 * width, 3, dilation_rate=dilation, use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Dropout(dropout)(x)
    return keras.Model(inputs, layers.Conv1D(1, 1, name="logit")(x), name=name)


def ensemble(networks):
    """Networks of one shape in one model: the mean of their logits."""
    if len(networks) == 1:
        return networks[0]
    inputs = keras.Input(networks[0].input_shape[1:], name="power")
    for i, network in enumerate(networks):
        network.name = f"member_{i}"
    logits = layers.Average(name="logit")([network(inputs) for network in networks])
    return keras.Model(inputs, logits, name="ensemble")


@keras.saving.register_keras_serializable(package="helpers")
class CallDetector(keras.Model):
    """A network, its front end, and how its score becomes calls, in one file.

    network: (batch, n_frames, n_bands) power → (batch, n_steps, 1) logits. frontend: `Frontend`
    that it was trained on. settings: `EventSettings`.
    """

    block_steps = 256  # score steps per call of the network, always the same: compiled once

    def __init__(self, network, frontend, settings=None, **kwargs):
        super().__init__(**kwargs)
        self.network, self.frontend = network, frontend
        self.settings = settings or EventSettings()
        self.frames, self.stride = receptive_field(network)
        self.step_s = self.stride * frontend.hop_s
        self.built = True  # the network is, and there are no other weights

    def call(self, power, training=False):
        return self.network(power, training=training)

    def get_config(self):
        return {
            "network": keras.saving.serialize_keras_object(self.network),
            "frontend": asdict(self.frontend),
            "settings": asdict(self.settings),
        }

    @classmethod
    def from_config(cls, config):
        network = keras.saving.deserialize_keras_object(config["network"], safe_mode=True)
        frontend, settings = Frontend(**config["frontend"]), EventSettings(**config["settings"])
        return cls(network, frontend, settings)

    def score(self, pieces, *, lock=None):
        """Score of a whole recording, in bounded memory.

        pieces: float32 (n_frames, n_bands) arrays, the recording's power in order (see
        `Frontend.stream`), or one such array. lock: held while the network runs, for scoring in
        several threads. Step k lies at k * step_s seconds; before and after the recording there is
        silence. Returns float32 (1 + n_frames // stride,) between 0 and 1, the same to the bit
        however the recording was cut into pieces.
        """
        pieces = [pieces] if isinstance(pieces, np.ndarray) else pieces
        before = (self.frames - 1) // 2
        padded = chain([self._silence(before)], pieces, [self._silence(self.frames - before)])
        step = self.stride * self.block_steps
        size = self.frames + step - self.stride
        scores = []
        for block in audio.reblock(padded, size=size, step=step):
            if len(block) < self.frames:
                break  # no whole step is left
            n_steps = 1 + (len(block) - self.frames) // self.stride
            whole = np.concatenate([block, self._silence(size - len(block))])
            with lock or contextlib.nullcontext():
                logits = np.asarray(self.network.predict_on_batch(whole[None]))[0, :n_steps, 0]
            scores.append(expit(logits))
        return np.concatenate(scores)

    def score_clips(self, powers):
        """Highest score in each clip: float32 (n_clips,). powers: list of (n_frames, n_bands).

        The clips are scored as one recording, with enough silence between them that no step sees
        two of them.
        """
        lengths = np.array([len(power) for power in powers], int)
        # Every clip begins on a step, as it would if it were scored alone.
        places = -(-(lengths + self.frames) // self.stride) * self.stride
        gaps = [self._silence(n) for n in places - lengths]
        score = self.score(piece for both in zip(powers, gaps, strict=True) for piece in both)
        first = (np.cumsum(places) - places) // self.stride
        last = first + lengths // self.stride
        highest = [score[a : b + 1].max() for a, b in zip(first, last, strict=True)]
        return np.array(highest, np.float32)

    def _silence(self, n_frames):
        return np.full((n_frames, self.frontend.n_bands), SILENCE)
