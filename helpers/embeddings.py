"""Deep features: what YAMNet hears, a network trained on two million clips of YouTube videos.

The model is not part of this project: get its LiteRT file, a 4 MB download, from the model's page
(https://www.kaggle.com/models/google/yamnet/tfLite/classification-tflite), or attach it on Kaggle.
"""

import os
import threading
import warnings
from pathlib import Path

import numpy as np

from helpers import audio, cache, conditioning, env
from helpers.data import KAGGLE_INPUT

FORMAT = 2  # raise it whenever the numbers in a cache file would change
SR = 16000
WINDOW, HOP = 15600, 7680  # samples: what the network takes at a time, and half a window on
WIDTH, N_SCORES = 1024, 521
LEAST = 1e-6  # of a score: its logarithm stays finite
VARIABLE = "YAMNET_PATH"
# In data/models; and where Kaggle mounts a data set or a model, of late with its owner first.
NAMES = (
    "yamnet*.tflite",
    "*/yamnet*.tflite",
    "datasets/*/*/yamnet*.tflite",
    "*yamnet*/**/*.tflite",
    "models/*/*yamnet*/**/*.tflite",
)
_opening = threading.Lock()


class EmbeddingError(Exception):
    """A model that cannot be used; the message says why and what to do."""


def find_yamnet(path=""):
    """The LiteRT file of YAMNet, or None if there is none.

    Looks at: path · the environment variable YAMNET_PATH · data/models in the repository · what is
    attached on Kaggle. Raises EmbeddingError where path or YAMNET_PATH names something else.
    """
    for given, origin in ((path, VARIABLE), (os.environ.get(VARIABLE), f"the variable {VARIABLE}")):
        if given:
            file = Path(given).expanduser()
            inside = sorted(file.rglob("*.tflite")) if file.is_dir() else [file]
            if len(inside) == 1 and inside[0].is_file():
                return inside[0]
            raise EmbeddingError(
                f"{origin} is {env.short_path(file)}, which is no .tflite file of YAMNet, nor a "
                "folder that holds one; leave it empty to go on without"
            )
    for folder in (env.repository_root() / "data" / "models", KAGGLE_INPUT):
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

        embedding: float32 (n_windows, 1024). scores: float32 (n_windows, 521), 0 to 1, of the
        sounds in AudioSet's list.
        """
        interpreter, entrance, shape, exits = self._interpreter()
        found = []
        for piece in conditioning.segments(y, length=WINDOW, hop=HOP):
            interpreter.set_tensor(entrance, piece.reshape(shape))
            interpreter.invoke()
            found.append([interpreter.get_tensor(exit_).ravel() for exit_ in exits])
        embedding, scores = (np.array(rows) for rows in zip(*found, strict=True))
        return embedding, scores

    def extract(self, paths, *, octaves=(0.0,), root=None, cache_dir=None, progress=True):
        """What it hears in every file, computed once, see `cache.compute`.

        octaves: how much higher (and faster) each file is played, as once is not all: played lower,
        what lies above its 7.5 kHz is heard as well. Each sound is brought to one loudness first,
        see `conditioning.same_loudness`: how far away a microphone stood says nothing.

        Returns (embeddings, scores, errors): float32 (n_files, 1024), the mean over windows and
        octaves; float32 (n_files, 521), the mean over windows and the geometric mean over octaves;
        NaN where a file cannot be read; and the table `file, reason` of those.
        """

        def work(path):
            decoded = audio.load_frames(path)
            heard = []
            for octave in octaves:
                y = audio.mono(*decoded, sr=round(SR * 2**-octave))
                heard.append(self.hear(conditioning.same_loudness(y, sr=SR)))
            logarithms = [np.log(np.maximum(scores.mean(axis=0), LEAST)) for _, scores in heard]
            return (
                np.mean([embedding.mean(axis=0) for embedding, _ in heard], axis=0),
                np.exp(np.mean(logarithms, axis=0)),
            )

        found, errors = cache.compute(
            work,
            paths,
            recipe={
                "yamnet": FORMAT,
                "bytes": self.path.stat().st_size,
                "octaves": [float(octave) for octave in octaves],
            },
            desc="YAMNet",
            cache_dir=cache_dir,
            root=root,
            progress=progress,
        )
        empty = tuple(np.full(width, np.nan, np.float32) for width in (WIDTH, N_SCORES))
        rows = [empty if arrays is None else arrays for arrays in found]
        embeddings, scores = (
            np.array([row[k] for row in rows], np.float32).reshape(-1, width)
            for k, width in enumerate((WIDTH, N_SCORES))
        )
        return embeddings, scores, errors

    def _interpreter(self):
        """This thread's (interpreter, input's index and shape, indices of embedding and scores)."""
        if hasattr(self._local, "parts"):
            return self._local.parts
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError:
            try:
                from tensorflow.lite import Interpreter  # where the successor is not installed
            except ImportError:
                raise EmbeddingError("it needs `pip install ai-edge-litert`") from None
        try:
            # One at a time: what it says on the error output concerns nobody, and is dropped.
            with _opening, env.silent_stderr(), warnings.catch_warnings():
                # The embedding is an inner tensor; that keeping those takes memory is known.
                warnings.filterwarnings("ignore", message=".*preserve_all_tensors")
                interpreter = Interpreter(
                    str(self.path), num_threads=1, experimental_preserve_all_tensors=True
                )
                interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise EmbeddingError(
                f"{env.short_path(self.path)} is no LiteRT model: {error}"
            ) from None
        entrance, *others = interpreter.get_input_details()
        scores = interpreter.get_output_details()[0]
        inner = [
            tensor["index"]
            for tensor in interpreter.get_tensor_details()
            if tensor["dtype"] is np.float32 and tuple(tensor["shape"]) == (1, WIDTH)
        ]
        if (
            others
            or np.prod(entrance["shape"]) != WINDOW
            or np.prod(scores["shape"]) != N_SCORES
            or not inner
        ):
            raise EmbeddingError(
                f"{env.short_path(self.path)} is another model than YAMNet's classification-tflite,"
                f" which takes {WINDOW} samples and has an inner tensor of {WIDTH} numbers"
            )
        exits = (inner[-1], scores["index"])
        self._local.parts = (interpreter, entrance["index"], entrance["shape"], exits)
        return self._local.parts
