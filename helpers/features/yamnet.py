"""YAMNet: what it hears in a sound, and its names for our classes."""

import os
import threading
import warnings
from pathlib import Path

import numpy as np

from helpers import audio, env, files
from helpers.features import cache

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
                f"{origin} is {files.short_path(file)}, which is no .tflite file of YAMNet, nor a "
                "folder that holds one; leave it empty to go on without"
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

        embedding: float32 (n_windows, 1024). scores: float32 (n_windows, 521), 0 to 1, of the
        sounds in AudioSet's list.
        """
        interpreter, entrance, shape, exits = self._interpreter()
        found = []
        for piece in audio.segments(y, length=WINDOW, hop=HOP):
            interpreter.set_tensor(entrance, piece.reshape(shape))
            interpreter.invoke()
            found.append([interpreter.get_tensor(exit_).ravel() for exit_ in exits])
        embedding, scores = (np.array(rows) for rows in zip(*found, strict=True))
        return embedding, scores

    def extract(self, paths, *, octaves=(0.0,), root=None, cache_dir=None, progress=True):
        """What it hears in every file, computed once, see `cache.compute`.

        octaves: how much higher (and faster) each file is played, as once is not all: played lower,
        what lies above its 7.5 kHz is heard as well. Each sound is brought to one loudness first,
        see `audio.same_loudness`: how far away a microphone stood says nothing.

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
                f"{files.short_path(self.path)} is no LiteRT model: {error}"
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
                f"{files.short_path(self.path)} is not YAMNet's classification-tflite,"
                f" which takes {WINDOW} samples and has an inner tensor of {WIDTH} numbers"
            )
        exits = (inner[-1], scores["index"])
        self._local.parts = (interpreter, entrance["index"], entrance["shape"], exits)
        return self._local.parts


_DOG = {
    "Dog": 69,
    "Bark": 70,
    "Yip": 71,
    "Bow-wow": 73,
    "Canidae, dogs, wolves": 117,
    "Growling": 74,
}
# Class of a data set: names of AudioSet, and their places among YAMNet's scores.
COUNTERPARTS = {
    # UrbanSound8K
    "air_conditioner": {"Air conditioning": 407, "Mechanical fan": 406, "Pump (liquid)": 448},
    "car_horn": {"Vehicle horn, car horn, honking": 302, "Toot": 303, "Air horn, truck horn": 312},
    "children_playing": {
        "Children playing": 66,
        "Children shouting": 10,
        "Child speech, kid speaking": 1,
    },
    "dog_bark": _DOG,
    "drilling": {
        "Drill": 419,
        "Power tool": 418,
        "Dental drill, dentist's drill": 339,
        "Sawing": 415,
    },
    "engine_idling": {
        "Idling": 346,
        "Engine": 337,
        "Light engine (high frequency)": 338,
        "Medium engine (mid frequency)": 342,
        "Heavy engine (low frequency)": 343,
    },
    "gun_shot": {"Gunshot, gunfire": 421, "Machine gun": 422, "Cap gun": 425, "Explosion": 420},
    "jackhammer": {"Jackhammer": 414},
    "siren": {
        "Siren": 390,
        "Police car (siren)": 317,
        "Ambulance (siren)": 318,
        "Fire engine, fire truck (siren)": 319,
        "Civil defense siren": 391,
    },
    "street_music": {"Music": 132},
    # ESC-50; car_horn and siren are above
    "airplane": {"Aircraft": 329, "Fixed-wing aircraft, airplane": 334, "Jet engine": 331},
    "breathing": {"Breathing": 36, "Pant": 40, "Gasp": 39},
    "brushing_teeth": {"Toothbrush": 369},
    "can_opening": {"Hiss": 79, "Burst, pop": 428},
    "cat": {"Cat": 76, "Meow": 78, "Purr": 77, "Caterwaul": 80},
    "chainsaw": {"Chainsaw": 341},
    "chirping_birds": {"Bird": 106, "Bird vocalization, bird call, bird song": 107},
    "church_bells": {"Church bell": 196, "Change ringing (campanology)": 202},
    "clapping": {"Clapping": 58, "Applause": 62},
    "clock_alarm": {"Alarm clock": 389, "Beep, bleep": 475},
    "clock_tick": {"Tick": 401, "Tick-tock": 402, "Clock": 400},
    "coughing": {"Cough": 42, "Throat clearing": 43},
    "cow": {"Moo": 86, "Cattle, bovinae": 85},
    "crackling_fire": {"Fire": 292, "Crackle": 293},
    "crickets": {"Cricket": 122},
    "crow": {"Crow": 112, "Caw": 113},
    "crying_baby": {"Baby cry, infant cry": 20, "Crying, sobbing": 19},
    "dog": _DOG,
    "door_wood_creaks": {"Creak": 480, "Squeak": 355},
    "door_wood_knock": {"Knock": 353, "Tap": 354},
    "drinking_sipping": {"Gargling": 51, "Gurgling": 291},
    "engine": {"Engine": 337, "Idling": 346, "Medium engine (mid frequency)": 342},
    "fireworks": {"Fireworks": 426, "Firecracker": 427},
    "footsteps": {"Walk, footsteps": 48},
    "frog": {"Frog": 127, "Croak": 128},
    "glass_breaking": {"Shatter": 437, "Breaking": 464, "Glass": 435},
    "hand_saw": {"Sawing": 415},
    "helicopter": {"Helicopter": 333},
    "hen": {"Cluck": 95, "Chicken, rooster": 94, "Fowl": 93},
    "insects": {"Insect": 121, "Fly, housefly": 124, "Mosquito": 123, "Buzz": 125},
    "keyboard_typing": {"Typing": 378, "Computer keyboard": 380},
    "laughing": {"Laughter": 13, "Giggle": 15, "Belly laugh": 17},
    "mouse_click": {"Clicking": 485},
    "pig": {"Oink": 89, "Pig": 88},
    "pouring_water": {"Pour": 443, "Fill (with liquid)": 446, "Trickle, dribble": 444},
    "rain": {"Rain": 283, "Raindrop": 284, "Rain on surface": 285},
    "rooster": {"Chicken, rooster": 94, "Crowing, cock-a-doodle-doo": 96},
    "sea_waves": {"Ocean": 288, "Waves, surf": 289},
    "sheep": {"Bleat": 91, "Sheep": 92, "Goat": 90},
    "sneezing": {"Sneeze": 44},
    "snoring": {"Snoring": 38},
    "thunderstorm": {"Thunderstorm": 280, "Thunder": 281},
    "toilet_flush": {"Toilet flush": 368},
    "train": {"Train": 323, "Rail transport": 322, "Train horn": 325},
    "vacuum_cleaner": {"Vacuum cleaner": 371},
    "washing_machine": {"Mechanisms": 398},
    "water_drops": {"Drip": 442, "Plop": 488},
    "wind": {"Wind": 277, "Wind noise (microphone)": 279},
}


def counterparts(scores, labels):
    """How much YAMNet hears of each class, by the names that AudioSet has for it.

    scores: (n, 521), 0 to 1. labels: names of classes. Returns float (n, n_classes): the logarithm
    of the highest score among the names of each class; NaN for a class without counterparts.
    """
    found = np.full((len(scores), len(labels)), np.nan)
    for k, label in enumerate(labels):
        if label in COUNTERPARTS:
            places = list(COUNTERPARTS[label].values())
            found[:, k] = np.log(np.maximum(scores[:, places].max(axis=1), LEAST))
    return found
