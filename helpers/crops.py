"""What a clip classifier sees: frames that are computed once, and crops of them, cut anew."""

from dataclasses import asdict, dataclass, replace
from functools import partial

import keras
import numpy as np

from helpers import audio, cache
from helpers.features import Frontend

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
        """Frames of a whole sound, time first. y: float32 (n_samples,) at the front end's rate.

        Returns float32 (n_frames, n_values): MFCC, or decibels re full scale².
        """
        if self.n_mfcc:
            return np.ascontiguousarray(self.frontend.mfcc(y, n_mfcc=self.n_mfcc).T)
        return np.ascontiguousarray(self.frontend.log_power(y).T)

    def pool(self, crops):
        """What the network is given of crops (…, n_frames, n_values): float32 (…, *shape)."""
        crops = np.asarray(crops, np.float32)
        return crops.mean(axis=-2) if self.pooled else crops


def extract(paths, inputs, *, cache_dir=None, root=None, progress=True):
    """Frames of every file for several inputs, each file decoded once, ever: see `cache.compute`.

    paths: sequence of paths. inputs: {name: `ClipInput`}, all at one rate. Returns (frames,
    errors): {name: list of float16 (n_frames, n_values), None where a file cannot be read}, in
    which inputs that differ by pooling share their arrays; and a table `file, reason` of those
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


def long_enough(frames, n_frames):
    """Frames repeated from their beginning until there are n_frames; longer ones as they are.

    Zeros would be a silence that no recording has: a network could learn who speaks briefly.
    """
    if len(frames) >= n_frames:
        return frames
    return np.concatenate([frames] * -(-n_frames // len(frames)))[:n_frames]


def random_crop(rng, frames, n_frames):
    """n_frames neighbouring frames from a random place; short sounds are repeated.

    rng: numpy Generator. frames: (n, …). Returns (n_frames, …), a view where it can be one. Built
    in 03_speaker_identification.
    """
    frames = long_enough(frames, n_frames)
    start = int(rng.integers(len(frames) - n_frames + 1))
    return frames[start : start + n_frames]


def even_crops(frames, n_frames):
    """Crops that cover a sound evenly and overlap by half at least: (n_crops, n_frames, …).

    Half is rounded down where n_frames is odd.
    """
    frames = long_enough(frames, n_frames)
    spare = len(frames) - n_frames
    starts = np.linspace(0, spare, 1 + -(-2 * spare // n_frames)).round().astype(int)
    return np.stack([frames[start : start + n_frames] for start in starts])


def hide(rng, crop, *, max_frames=0.1, max_values=0.1, of_each=True):
    """SpecAugment on standardised or raw frames: a few neighbouring frames and values are hidden.

    crop: (n_frames, n_values). max_frames, max_values: largest hidden share of each axis; each of
    the two is hidden twice. of_each: hidden is set to the crop's own mean of each value, so that
    hidden values leave a pooled input as it is; False: to the mean of all, which hides what is
    steady as well. Returns a new float32 array. Park et al. 2019.
    """
    crop = np.array(crop, np.float32)
    mean = crop.mean(axis=0) if of_each else np.full(crop.shape[1], crop.mean())
    for _ in range(2):
        crop[_span(rng, crop.shape[0], max_frames)] = mean
        values = _span(rng, crop.shape[1], max_values)
        crop[:, values] = mean[values]
    return crop


def _span(rng, size, share):
    """A random stretch of an axis, at most a share of it: a slice."""
    width = int(rng.integers(int(size * share) + 1))
    start = int(rng.integers(size - width + 1))
    return slice(start, start + width)


class CropBatches(keras.utils.PyDataset):
    """Batches of crops from frames in memory: an epoch decodes nothing and transforms nothing.

    frames: list of (n_frames, n_values), time first. labels: int (n,). given: `ClipInput`. Each
    epoch shows a crop of every sound, from another random place each time and with parts of it
    hidden; the last batch is filled up with sounds from the beginning of the epoch, so that all
    have one size. Batch i of epoch e depends on (seed, e, i) alone. hidden: largest hidden share of
    each axis, see `hide`. fixed: the middle of every sound, nothing hidden, in order. A batch is
    (x (batch, *given.shape), y (batch,)). Taught in 03_speaker_identification.
    """

    def __init__(self, frames, labels, given, *, batch_size=32, seed=0, hidden=0.1, fixed=False):
        super().__init__(workers=1, use_multiprocessing=False, max_queue_size=8)
        self.frames, self.labels, self.given = frames, np.asarray(labels, np.int32), given
        self.batch_size, self.seed = batch_size, seed
        self.hidden, self.fixed = hidden, fixed
        self.epoch = 0

    def __len__(self):
        return -(-len(self.frames) // self.batch_size)

    def on_epoch_end(self):
        self.epoch += 1

    def __getitem__(self, i):
        rows, rng = self.rows(i)
        if self.fixed:
            crops = [self.middle(self.frames[row]) for row in rows]
        else:
            crop = partial(random_crop, n_frames=self.given.n_frames)
            shares = {"max_frames": self.hidden, "max_values": self.hidden}
            crops = [hide(rng, crop(rng, self.frames[row]), **shares) for row in rows]
        return self.given.pool(np.stack(crops)), self.labels[rows]

    def rows(self, i):
        """The sounds of batch i of this epoch, int (batch_size,), and a generator for it."""
        places = np.arange(i * self.batch_size, (i + 1) * self.batch_size) % len(self.frames)
        rng = np.random.default_rng((self.seed, self.epoch, i))
        if self.fixed:
            return places, rng
        order = np.random.default_rng((self.seed, self.epoch, len(self)))  # no batch has it
        return order.permutation(len(self.frames))[places], rng

    def middle(self, frames):
        """The middle of a sound: (n_frames of a crop, n_values)."""
        return audio.fix_length(
            long_enough(frames, self.given.n_frames).T, n_samples=self.given.n_frames
        ).T
