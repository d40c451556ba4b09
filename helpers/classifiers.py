"""Networks that name the class of a clip, and the model file that holds all that they need.

Only `keras` and `keras.ops` are used: the same code runs on TensorFlow, JAX and PyTorch. Call
`env.setup` before this module is imported; it chooses the backend.
"""

from dataclasses import asdict

import keras
import numpy as np
import pandas as pd
from keras import layers, ops
from scipy.special import softmax

from helpers import audio, env
from helpers.crops import ClipInput, even_crops
from helpers.features import Frontend

CROPS_AT_ONCE = 64  # crops per call of a network, always the same: compiled once
FILES_AT_ONCE = 64  # whose frames are held in memory
GUESS = ("file", "label", "probability", "second", "second_probability")
SCALE = 20.0  # of the cosine in the logits
LEAST_VARIANCE = 0.1  # dB², so that a band which was silent in training does not weigh thousandfold


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
    x = _active(layers.Dense(width, **WEIGHTS)(x))
    y = _active(layers.Dense(width, **WEIGHTS)(layers.Dropout(dropout)(x)))
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
    x = _active(layers.Conv1D(width, 5, strides=2, padding="same", **WEIGHTS)(x))
    for dilation in (1, 2, 3):
        y = layers.Conv1D(width, 3, dilation_rate=dilation, padding="same", **WEIGHTS)(x)
        y = layers.Conv1D(width, 1, **WEIGHTS)(_active(y))
        x = layers.ReLU()(layers.Add()([x, _normalised(y)]))
    if given.pooled:
        x = layers.Flatten()(layers.AveragePooling1D(min(8, x.shape[1]))(x))
    else:
        x = _statistics(_active(layers.Conv1D(3 * width, 1, **WEIGHTS)(x)))
    x = layers.Dropout(dropout)(_normalised(x))
    return _classify(inputs, x, n_classes, name)


def conv2d(given, n_classes, *, mean, variance, width=16, dropout=0.2, name="conv2d"):
    """Residual network on the picture of time and frequency; statistics over time at its end.

    The strides come first: most of the network runs where there is little left to compute.
    Otherwise as `dense`; for inputs that are not pooled. After He et al., Deep residual learning,
    2015.
    """
    inputs, x = _standardised(given, mean, variance)
    x = layers.Reshape((*given.shape, 1))(x)
    x = _active(layers.Conv2D(width, 7, strides=4, padding="same", **WEIGHTS)(x))
    for channels in (2 * width, 4 * width):
        x = residual_block(x, channels, strides=2)
    x = layers.Reshape((x.shape[1], x.shape[2] * x.shape[3]))(x)
    x = layers.Dropout(dropout)(_normalised(_statistics(x)))
    return _classify(inputs, x, n_classes, name)


def residual_block(x, channels, *, strides=1):
    """Two convolutions and a shortcut past them. Built in 03_speaker_identification.

    x: Keras tensor (batch, time, bands, n). Returns (batch, time / strides, bands / strides,
    channels), rounded up. The shortcut is x itself where it fits, else a 1 x 1 convolution.
    """
    y = _active(layers.Conv2D(channels, 3, strides=strides, padding="same", **WEIGHTS)(x))
    y = _normalised(layers.Conv2D(channels, 3, padding="same", **WEIGHTS)(y))
    if strides != 1 or x.shape[-1] != channels:
        x = layers.Conv2D(channels, 1, strides=strides, **WEIGHTS)(x)
        x = _normalised(x)
    return layers.ReLU()(layers.Add()([x, y]))


def _standardised(given, mean, variance):
    inputs = keras.Input(given.shape, name="input")
    return inputs, layers.Normalization(mean=mean, variance=variance, name="standardise")(inputs)


def _active(x):
    return layers.ReLU()(_normalised(x))


def _normalised(x, **options):
    # The default of 0.99 remembers the first steps for longer than a small data set trains.
    return layers.BatchNormalization(momentum=0.9, **options)(x)


def _statistics(x):
    """Mean and standard deviation over time: (batch, n_steps, n) → (batch, 2 n)."""
    mean = ops.mean(x, axis=1, keepdims=True)
    deviation = ops.sqrt(ops.mean(ops.square(x - mean), axis=1) + 1e-3)
    return layers.Concatenate()([layers.Flatten()(mean), deviation])


def _classify(inputs, x, n_classes, name):
    """An embedding of 128 numbers, and logits by its cosine with a direction for each class."""
    x = layers.Dense(128, **WEIGHTS)(x)
    x = _normalised(x, name="embedding")
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


# --- whole clips ----------------------------------------------------------------------------------


def outputs_of_crops(network, frames, given):
    """What a network says of even crops of sounds.

    frames: list of (n_frames, n_values). given: `ClipInput`. Returns (outputs, clip): float32
    (n_crops, n), and int (n_crops,), the index of the sound that each is cut from.
    """
    outputs, clip, waiting = [], [], []

    def run():
        x = given.pool(np.stack(waiting))
        missing = CROPS_AT_ONCE - len(x)
        x = np.concatenate([x, np.repeat(x[-1:], missing, axis=0)]) if missing else x
        outputs.append(np.asarray(network.predict_on_batch(x))[: len(waiting)])
        waiting.clear()

    for i, part in enumerate(frames):
        for crop in even_crops(part, given.n_frames):
            clip.append(i)
            waiting.append(crop)
            if len(waiting) == CROPS_AT_ONCE:
                run()
    if waiting:
        run()
    return np.concatenate(outputs), np.array(clip)


def probabilities(network, frames, given, *, shifts=1):
    """Of every class for whole sounds, as a network sees them: float (n_clips, n_classes).

    frames: list of (n_frames, n_values). given: `ClipInput`. The softmax of even crops in the mean,
    and of the same sounds begun at `shifts` even places, the end followed by the beginning. Built
    in 04_urbansound8k_cnn.
    """
    total = 0.0
    for k in range(shifts):
        moved = [np.roll(part, -(k * len(part) // shifts), axis=0) for part in frames]
        logits, clip = outputs_of_crops(network, moved, given)
        total = total + mean_of_clips(softmax(np.asarray(logits, float), axis=1), clip)
    return total / shifts


def mean_of_clips(values, clip):
    """Mean of the crops of each sound. values: (n_crops, n). clip: (n_crops,). → (n_clips, n)."""
    return pd.DataFrame(values).groupby(clip).mean().to_numpy()


@keras.saving.register_keras_serializable(package="helpers")
class ClipClassifier(keras.Model):
    """A network, the input that it was trained on, and the names of its classes, in one file.

    network: (batch, *given.shape) → logits (batch, n_classes). given: `ClipInput`. names: one str
    per class.
    """

    def __init__(self, network, given, names, **kwargs):
        super().__init__(**kwargs)
        self.network, self.given, self.names = network, given, [str(name) for name in names]
        self.built = True  # the network is, and there are no other weights

    def call(self, x, training=False):
        return self.network(x, training=training)

    def get_config(self):
        return {
            "network": keras.saving.serialize_keras_object(self.network),
            "given": asdict(self.given),
            "names": self.names,
        }

    @classmethod
    def from_config(cls, config):
        given = dict(config["given"])
        given["frontend"] = Frontend(**given["frontend"])
        network = keras.saving.deserialize_keras_object(config["network"], safe_mode=True)
        return cls(network, ClipInput(**given), config["names"])

    def probabilities(self, frames):
        """Of every class for whole sounds: mean of the crops' softmax, float (n_clips, n_classes).

        frames: list of (n_frames, n_values), see `ClipInput.frames`.
        """
        return probabilities(self.network, frames, self.given)


def classify(paths, model, *, root=None, progress=True):
    """Name the class of every file.

    paths: sequence of paths. model: `ClipClassifier`. root: folder that files are named from.
    Returns (table, errors): `file, label, probability, second, second_probability` per file that
    can be read; and a table `file, reason` of the others.
    """
    paths, tables, bad = list(paths), [], []
    with env.progress_bar(
        total=len(paths), desc="Classifying", unit="file", disable=not progress
    ) as bar:
        for first in range(0, len(paths), FILES_AT_ONCE):
            some = paths[first : first + FILES_AT_ONCE]
            found = audio.map_files(
                lambda path: model.given.frames(audio.load(path, sr=model.given.frontend.sr)),
                some,
                desc="Frames",
                unit="file",
                progress=False,
            )
            bad += [item for item in found if isinstance(item, audio.AudioError)]
            good = [(p, f) for p, f in zip(some, found, strict=True) if isinstance(f, np.ndarray)]
            if good:
                names = [env.short_path(path, root=root) for path, _ in good]
                tables.append(_guesses(model, names, [frames for _, frames in good]))
            bar.update(len(some))
    table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=GUESS)
    return table, audio.error_table(bad, root=root)


def _guesses(model, files, frames):
    """The two most probable classes of each sound, as the table of `classify`."""
    probability = model.probabilities(frames)
    rows, order = np.arange(len(files)), np.argsort(-probability, axis=1, kind="stable")
    first, second = order[:, 0], order[:, min(1, len(model.names) - 1)]
    columns = (
        files,
        [model.names[k] for k in first],
        probability[rows, first],
        [model.names[k] for k in second],
        probability[rows, second],
    )
    return pd.DataFrame(dict(zip(GUESS, columns, strict=True)))
