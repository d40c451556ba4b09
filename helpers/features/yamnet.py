"""YAMNet: embeddings and scores of sounds, and its names for the classes of our data sets."""

import os
import threading
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from helpers import audio, env, files
from helpers.features import cache

FORMAT = 2  # raise it whenever the numbers in a cache file would change
SR = 16000
WINDOW, HOP = 15600, 7680  # samples: input of the network, and from one window to the next
WIDTH, N_SCORES = 1024, 521
MIN_SCORE = 1e-6  # keeps the logarithm finite
VARIABLE = "YAMNET_PATH"
# In data/models, and where Kaggle mounts data sets and models.
NAMES = (
    "yamnet*.tflite",
    "*/yamnet*.tflite",
    "datasets/*/*/yamnet*.tflite",
    "*yamnet*/**/*.tflite",
    "models/*/*yamnet*/**/*.tflite",
)
_opening = threading.Lock()


class EmbeddingError(Exception):
    """YAMNet cannot be used: why, and what to do."""


def find_yamnet(path=""):
    """The LiteRT file of YAMNet, or None if there is none.

    Looks at: path · the environment variable YAMNET_PATH · data/models in the repository · what is
    attached on Kaggle. Raises EmbeddingError where path or YAMNET_PATH names something else.
    """
    for place, origin in ((path, VARIABLE), (os.environ.get(VARIABLE), f"the variable {VARIABLE}")):
        if place:
            file = Path(place).expanduser()
            inside = sorted(file.rglob("*.tflite")) if file.is_dir() else [file]
            if len(inside) == 1 and inside[0].is_file():
                return inside[0]
            raise EmbeddingError(
                f"{origin} is {files.short_path(file)}: it must be YAMNet's .tflite file or a "
                "folder with one such file; leave it empty to go on without YAMNet"
            )
    for folder in (env.repository_root() / "data" / "models", env.KAGGLE_INPUT):
        for name in NAMES:
            if found := sorted(folder.glob(name)) if folder.is_dir() else []:
                return found[0]
    return None


class Yamnet:
    """YAMNet: 1,024 numbers and 521 scores for every 0.96 s of sound, 0.48 s apart."""

    def __init__(self, path):
        """path: its LiteRT file, see `find_yamnet`. Raises EmbeddingError."""
        self.path = Path(path)
        self._local = threading.local()  # an interpreter works for one thread at a time
        self._interpreter()

    def hear(self, y):
        """(embedding, scores) of a sound at 16 kHz, float32 (n_samples,), full scale ±1.

        embedding: float32 (n_windows, 1024). scores: float32 (n_windows, 521), 0 to 1, one for each
        class of AudioSet.
        """
        interpreter, entrance, shape, exits = self._interpreter()
        found = []
        for piece in audio.segments(y, length=WINDOW, hop=HOP):
            interpreter.set_tensor(entrance, piece.reshape(shape))
            interpreter.invoke()
            found.append([interpreter.get_tensor(exit_).ravel() for exit_ in exits])
        embedding, scores = (np.array(rows) for rows in zip(*found, strict=True))
        return embedding, scores

    def extract(self, paths, *, octaves=(0.0,), **options):
        """Embeddings and scores of every file, computed once, see `cache.compute`.

        octaves: each file is played so much higher and faster; YAMNet hears up to 7.5 kHz, and a
        file that is played lower brings what lies above into that range. options: cache_dir, root,
        progress of `cache.compute`. Each sound is first brought to one loudness, see
        `audio.same_loudness`, because the distance of the microphone should not count.

        Returns (embeddings, scores, errors): float32 (n_files, 1024), the mean over windows and
        octaves; float32 (n_files, 521), the mean over windows and the geometric mean over octaves;
        NaN where a file cannot be read; and the table `files.ERRORS` of those.
        """

        def work(path):
            decoded = audio.load_frames(path)
            heard = []
            for octave in octaves:
                y = audio.mono(*decoded, sr=round(SR * 2**-octave))
                heard.append(self.hear(audio.same_loudness(y, sr=SR)))
            logarithms = [np.log(np.maximum(scores.mean(axis=0), MIN_SCORE)) for _, scores in heard]
            embedding = np.mean([windows.mean(axis=0) for windows, _ in heard], axis=0)
            return embedding, np.exp(np.mean(logarithms, axis=0))

        size = self.path.stat().st_size
        recipe = {"yamnet": FORMAT, "bytes": size, "octaves": [float(k) for k in octaves]}
        found, errors = cache.compute(work, paths, recipe=recipe, desc="YAMNet", **options)
        embeddings = np.full((len(found), WIDTH), np.nan, np.float32)
        scores = np.full((len(found), N_SCORES), np.nan, np.float32)
        for i, arrays in enumerate(found):
            if arrays is not None:
                embeddings[i], scores[i] = arrays
        return embeddings, scores, errors

    def _interpreter(self):
        """(interpreter, index and shape of the input, indices of embedding and scores)."""
        if hasattr(self._local, "parts"):
            return self._local.parts
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError:
            try:
                from tensorflow.lite import Interpreter  # where the successor is not installed
            except ImportError:
                raise EmbeddingError("run `pip install ai-edge-litert`") from None
        name = files.short_path(self.path)
        try:
            # One thread at a time, because standard error is redirected for the whole process.
            with _opening, env.silent_stderr(), warnings.catch_warnings():
                # The embedding is an inner tensor. Ignore the warning that those take memory.
                warnings.filterwarnings("ignore", message=".*preserve_all_tensors")
                options = {"num_threads": 1, "experimental_preserve_all_tensors": True}
                interpreter = Interpreter(str(self.path), **options)
                interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise EmbeddingError(f"{name} is not a LiteRT model: {error}") from None
        entrance, *others = interpreter.get_input_details()
        scores = interpreter.get_output_details()[0]
        inner = [
            tensor["index"]
            for tensor in interpreter.get_tensor_details()
            if tensor["dtype"] is np.float32 and tuple(tensor["shape"]) == (1, WIDTH)
        ]
        sizes = np.prod(entrance["shape"]), np.prod(scores["shape"])
        if others or not inner or sizes != (WINDOW, N_SCORES):
            raise EmbeddingError(
                f"{name} is not YAMNet's classification-tflite, which takes {WINDOW} samples and "
                f"has an inner tensor of {WIDTH} numbers"
            )
        exits = (inner[-1], scores["index"])
        self._local.parts = (interpreter, entrance["index"], entrance["shape"], exits)
        return self._local.parts


_rows = pd.read_csv(Path(__file__).with_name("counterparts.csv")).groupby("label", sort=False)
# {label of a data set (UrbanSound8K, ESC-50, cats and dogs): {AudioSet's name: index of its score}}
COUNTERPARTS = {label: rows.set_index("audioset_name")["index"].to_dict() for label, rows in _rows}


def counterparts(scores, labels):
    """YAMNet's scores for the classes of a data set.

    scores: (n, 521), 0 to 1. labels: names of classes. Returns float (n, n_classes): the logarithm
    of the highest score among the COUNTERPARTS of each class; NaN for a class without any.
    """
    found = np.full((len(scores), len(labels)), np.nan)
    for k, label in enumerate(labels):
        if label in COUNTERPARTS:
            places = list(COUNTERPARTS[label].values())
            found[:, k] = np.log(np.maximum(scores[:, places].max(axis=1), MIN_SCORE))
    return found
