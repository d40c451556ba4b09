"""What a clip classifier sees: frames that are computed once, in several forms."""

from dataclasses import asdict, dataclass, replace

import numpy as np

from helpers import audio
from helpers.features import cache
from helpers.features.frontend import Frontend

FORMAT = 1  # raise it whenever the numbers in a cache file would change


@dataclass(frozen=True)
class ClipInput:
    """The input of a network, and how it is computed from sound. Used in 03_speaker_identification.

    frontend: `Frontend`. n_mfcc: number of MFCC; 0: the front end's bands in decibels. pooled: the
    mean over the frames of a crop instead of the frames. crop_s: length of a crop, s.
    """

    frontend: Frontend
    n_mfcc: int = 0
    pooled: bool = False
    crop_s: float = 3.0

    def __post_init__(self):
        if not 0 <= self.n_mfcc <= self.frontend.n_mels:
            raise ValueError(
                f"n_mfcc = {self.n_mfcc}: choose from 0 to n_mels = {self.frontend.n_mels}"
            )
        if self.n_frames < 1:
            raise ValueError(f"crop_s = {self.crop_s} is shorter than a frame: choose a longer one")

    @property
    def n_frames(self):
        """Frames of a crop."""
        return round(self.crop_s / self.frontend.hop_s)

    @property
    def n_values(self):
        """Values of a frame."""
        return int(self.n_mfcc or self.frontend.n_bands)

    @property
    def shape(self):
        """Shape of the input: (n_frames, n_values), or (n_values,) if it is pooled."""
        return (self.n_values,) if self.pooled else (self.n_frames, self.n_values)

    @property
    def of_frames(self):
        """The same input before pooling: inputs that share it share their frames."""
        return replace(self, pooled=False)

    def frames(self, y):
        """Frames of a whole sound. y: float32 (n_samples,) at the front end's rate.

        Returns float32 (n_frames, n_values): MFCC, or decibels re full scale².
        """
        if self.n_mfcc:
            return np.ascontiguousarray(self.frontend.mfcc(y, n_mfcc=self.n_mfcc))
        return self.frontend.log_power(y)

    def pool(self, crops):
        """The input for crops (…, n_frames, n_values): float32 (…, *shape)."""
        crops = np.asarray(crops, np.float32)
        return crops.mean(axis=-2) if self.pooled else crops


def extract_frames(paths, inputs, **options):
    """Frames of every file for several inputs; each file is decoded once for all of them.

    paths: sequence of paths. inputs: {name: `ClipInput`}, all at one sample rate. options:
    cache_dir, root, progress of `cache.compute`. Returns (frames, errors): {name: list of float16
    (n_frames, n_values), None where a file cannot be read}, in which inputs that differ only by
    pooling share their arrays; and a table `files.ERRORS` of those files. float16 halves the
    memory; it rounds 100 dB to 0.06 dB.
    """
    kinds = list(dict.fromkeys(clip_input.of_frames for clip_input in inputs.values()))
    rates = sorted({kind.frontend.sr for kind in kinds})
    if len(rates) != 1:
        raise ValueError(f"inputs at several rates ({rates} Hz): extract those of each rate alone")

    def work(path):
        y = audio.load(path, sr=rates[0])
        return tuple(kind.frames(y).astype(np.float16) for kind in kinds)

    # A crop is cut later: its length does not change the frames.
    fields = [{"n_mfcc": kind.n_mfcc, **asdict(kind.frontend)} for kind in kinds]
    recipe = {"crops": FORMAT, "kinds": fields}
    found, errors = cache.compute(work, paths, recipe=recipe, desc="Frames", **options)
    by_kind = {kind: [arrays and arrays[k] for arrays in found] for k, kind in enumerate(kinds)}
    return {name: by_kind[clip_input.of_frames] for name, clip_input in inputs.items()}, errors
