"""What a clip classifier sees: frames that are computed once, in several forms."""

from dataclasses import asdict, dataclass, replace

import numpy as np

from helpers import audio
from helpers.features import cache
from helpers.features.frontend import Frontend

FORMAT = 1  # raise it whenever the numbers in a cache file would change


@dataclass(frozen=True)
class ClipInput:
    """The way from a sound to what a network is given.

    frontend: `Frontend`. n_mfcc: so many MFCC; 0: the front end's bands in decibels. pooled: the
    mean over the frames of a crop instead of the frames. crop_s: length of a crop, s.
    Taught in 03_speaker_identification.
    """

    frontend: Frontend
    n_mfcc: int = 0
    pooled: bool = False
    crop_s: float = 3.0

    def __post_init__(self):
        if not 0 <= self.n_mfcc <= self.frontend.n_mels:
            raise ValueError(
                f"n_mfcc = {self.n_mfcc}: from 0 to n_mels = {self.frontend.n_mels} are there"
            )
        if self.n_frames < 1:
            raise ValueError(f"crop_s = {self.crop_s}: a crop has one frame at least")

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
        """Of what the network is given: (n_frames, n_values), or (n_values,) where it is pooled."""
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
        """What the network is given of crops (…, n_frames, n_values): float32 (…, *shape)."""
        crops = np.asarray(crops, np.float32)
        return crops.mean(axis=-2) if self.pooled else crops


def extract_frames(paths, inputs, *, cache_dir=None, root=None, progress=True):
    """Frames of every file for several inputs, each file decoded once, ever: see `cache.compute`.

    paths: sequence of paths. inputs: {name: `ClipInput`}, all at one rate. Returns (frames,
    errors): {name: list of float16 (n_frames, n_values), None where a file cannot be read}, in
    which inputs that differ by pooling share their arrays; and a table `files.ERRORS` of those
    files. float16 halves the memory; it rounds 100 dB to 0.06 dB.
    """
    kinds = list(dict.fromkeys(given.of_frames for given in inputs.values()))
    rates = {kind.frontend.sr for kind in kinds}
    if len(rates) != 1:
        raise ValueError(f"inputs at several rates ({sorted(rates)} Hz) are several decodings")

    def work(path):
        y = audio.load(path, sr=kinds[0].frontend.sr)
        return tuple(kind.frames(y).astype(np.float16) for kind in kinds)

    found, errors = cache.compute(
        work,
        paths,
        # A crop is cut later: its length does not change the frames.
        recipe={
            "crops": FORMAT,
            "kinds": [{"n_mfcc": kind.n_mfcc, **asdict(kind.frontend)} for kind in kinds],
        },
        desc="Frames",
        cache_dir=cache_dir,
        root=root,
        progress=progress,
    )
    by_kind = {
        kind: [None if arrays is None else arrays[k] for arrays in found]
        for k, kind in enumerate(kinds)
    }
    return {name: by_kind[given.of_frames] for name, given in inputs.items()}, errors
