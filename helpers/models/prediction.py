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
FILES_AT_ONCE = 64  # whose frames are held in memory
GUESS = ("file", "label", "probability", "second", "second_probability")


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
    can be read; and a table `files.ERRORS` of the others.
    """
    paths, tables, bad = list(paths), [], []
    with parallel.progress_bar(
        total=len(paths), desc="Classifying", unit="file", disable=not progress
    ) as bar:
        for first in range(0, len(paths), FILES_AT_ONCE):
            some = paths[first : first + FILES_AT_ONCE]
            found = parallel.map_files(
                lambda path: model.given.frames(audio.load(path, sr=model.given.frontend.sr)),
                some,
                desc="Frames",
                unit="file",
                progress=False,
            )
            bad += [item for item in found if isinstance(item, audio.AudioError)]
            good = [(p, f) for p, f in zip(some, found, strict=True) if isinstance(f, np.ndarray)]
            if good:
                names = [files.short_path(path, root=root) for path, _ in good]
                tables.append(_guesses(model, names, [frames for _, frames in good]))
            bar.update(len(some))
    table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=GUESS)
    return table, files.error_table(bad, root=root)


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
