"""The class of whole clips, and the model file that holds all that this needs."""

from dataclasses import asdict

import keras
import numpy as np
import pandas as pd
from scipy.special import softmax

from helpers import audio, files, parallel
from helpers.augmentation import even_crops
from helpers.features import ClipInput, Frontend

CROPS_AT_ONCE = 64  # crops per call of a network, always the same: compiled once
FILES_AT_ONCE = 64  # files whose frames are in memory at a time
COLUMNS = ("file", "label", "probability", "second", "second_probability")


def outputs_of_crops(network, frames, clip_input):
    """Outputs of a network for even crops of sounds.

    frames: list of (n_frames, n_values). clip_input: `ClipInput`. Returns (outputs, clip): float32
    (n_crops, n), and int (n_crops,), the index of the sound of each crop.
    """
    outputs, clip = [], []

    def crops():
        for i, part in enumerate(frames):
            some = even_crops(part, clip_input.n_frames)
            clip.extend([i] * len(some))
            yield some

    for block in audio.reblock(crops(), size=CROPS_AT_ONCE):
        x = clip_input.pool(block)
        x = np.concatenate([x, np.repeat(x[-1:], CROPS_AT_ONCE - len(x), axis=0)])
        outputs.append(np.asarray(network.predict_on_batch(x))[: len(block)])
    return np.concatenate(outputs), np.array(clip)


def probabilities(network, frames, clip_input, *, shifts=1):
    """Probability of every class for whole sounds: float (n_clips, n_classes).

    frames: list of (n_frames, n_values). clip_input: `ClipInput`. shifts: number of even places to
    begin a sound at; its beginning follows its end. Returns the mean softmax of the even crops of
    all shifts.
    """
    total = 0.0
    for k in range(shifts):
        moved = [np.roll(part, -(k * len(part) // shifts), axis=0) for part in frames]
        logits, clip = outputs_of_crops(network, moved, clip_input)
        total = total + mean_of_clips(softmax(np.asarray(logits, float), axis=1), clip)
    return total / shifts


def mean_of_clips(values, clip):
    """Mean of the crops of each sound. values: (n_crops, n). clip: (n_crops,). → (n_clips, n)."""
    return pd.DataFrame(values).groupby(clip).mean().to_numpy()


@keras.saving.register_keras_serializable(package="helpers")
class ClipClassifier(keras.Model):
    """A network, its input, and the names of its classes, in one file.

    network: (batch, *clip_input.shape) → logits (batch, n_classes). clip_input: `ClipInput` that it
    was trained on. names: one str per class.
    """

    def __init__(self, network, clip_input, names, **kwargs):
        super().__init__(**kwargs)
        self.network, self.clip_input = network, clip_input
        self.names = [str(name) for name in names]
        self.built = True  # the network is, and there are no other weights

    def call(self, x, training=False):
        return self.network(x, training=training)

    def get_config(self):
        return {
            "network": keras.saving.serialize_keras_object(self.network),
            "clip_input": asdict(self.clip_input),
            "names": self.names,
        }

    @classmethod
    def from_config(cls, config):
        fields = config["clip_input"] if "clip_input" in config else config["given"]  # its old name
        clip_input = ClipInput(**{**fields, "frontend": Frontend(**fields["frontend"])})
        network = keras.saving.deserialize_keras_object(config["network"], safe_mode=True)
        return cls(network, clip_input, config["names"])

    def probabilities(self, frames):
        """See `models.probabilities`. frames: list of what `ClipInput.frames` returns."""
        return probabilities(self.network, frames, self.clip_input)


def classify(paths, model, *, root=None, progress=True):
    """Name the class of every file.

    paths: sequence of paths. model: `ClipClassifier`. root: folder that files are named from.
    Returns (table, errors): `file, label, probability, second, second_probability` for each file
    that can be read; and a table `files.ERRORS` of the others.
    """
    paths, tables, errors = list(paths), [], []

    def read(path):
        return model.clip_input.frames(audio.load(path, sr=model.clip_input.frontend.sr))

    with parallel.progress_bar(
        total=len(paths), desc="Classifying", unit="file", disable=not progress
    ) as bar:
        for first in range(0, len(paths), FILES_AT_ONCE):
            some = paths[first : first + FILES_AT_ONCE]
            found = parallel.map_files(read, some, desc="Frames", unit="file", progress=False)
            errors += [item for item in found if isinstance(item, audio.AudioError)]
            good = [(p, f) for p, f in zip(some, found, strict=True) if isinstance(f, np.ndarray)]
            if good:
                names = [files.short_path(path, root=root) for path, _ in good]
                tables.append(_two_best(model, names, [frames for _, frames in good]))
            bar.update(len(some))
    table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)
    return table, files.error_table(errors, root=root)


def _two_best(model, names, frames):
    """The two most probable classes of each sound, as the table of `classify`."""
    probability = model.probabilities(frames)
    order = np.argsort(-probability, axis=1, kind="stable")
    columns = [names]
    for best in (order[:, 0], order[:, min(1, len(model.names) - 1)]):
        columns += [[model.names[k] for k in best], probability[np.arange(len(names)), best]]
    return pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)))
