"""Front end: from sound to power spectrogram, mel bands, decibels, MFCC; extraction with a cache.

The definitions are librosa's, and the defaults too, except where a docstring says otherwise. Whole
batches are computed in float32 with `scipy.fft`, several times as fast.
"""

import math
import threading
import warnings
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from itertools import chain

import numpy as np
import pandas as pd
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view
from scipy.signal import get_window

from helpers import audio
from helpers.features import cache

FORMAT = 2  # raise it whenever the numbers in a cache file would change
SAMPLES_AT_ONCE = 1 << 19  # in the frames of one FFT call: long calls let threads run in parallel
BANDS_AT_ONCE = 16  # mel bands in one matrix product with the bins under them


@dataclass(frozen=True)
class Frontend:
    """How sound becomes the numbers that a model sees: one immutable object.

    sr: sample rate, Hz. n_fft: window and FFT length, samples. hop_length: samples between frames.
    n_mels: mel bands; 0 keeps the linear frequency bins. fmin, fmax: Hz, fmax None: sr / 2.
    A model keeps the front end that it was trained with, so that scoring uses the same.
    """

    sr: int = 16000
    n_fft: int = 1024
    hop_length: int = 256
    n_mels: int = 64
    fmin: float = 0.0
    fmax: float | None = None

    def __post_init__(self):
        top = self._top
        if min(self.sr, self.n_fft, self.hop_length) < 1 or self.n_mels < 0:
            raise ValueError(f"sr, n_fft and hop_length must be positive, n_mels 0 or more: {self}")
        if not 0 <= self.fmin < top <= self.sr / 2:
            raise ValueError(
                f"choose 0 <= fmin < fmax <= sr / 2: fmin = {self.fmin} Hz, fmax = {top} Hz and "
                f"sr / 2 = {self.sr / 2} Hz"
            )
        if not self.n_mels:
            _ = self._bins  # raises before any sound is read if there are none

    @property
    def _top(self):
        """Upper end of the bands, Hz."""
        return self.sr / 2 if self.fmax is None else self.fmax

    @property
    def hop_s(self):
        """Seconds between frames."""
        return self.hop_length / self.sr

    @cached_property
    def _window(self):
        return get_window("hann", self.n_fft).astype(np.float32)  # periodic, as in librosa

    @property
    def _frames_at_once(self):
        return max(1, SAMPLES_AT_ONCE // self.n_fft)

    @cached_property
    def _bins(self):
        """The linear bins within fmin..fmax, as a slice."""
        f = np.fft.rfftfreq(self.n_fft, 1 / self.sr)
        inside = np.flatnonzero((f >= self.fmin) & (f <= self._top))
        if not inside.size:
            raise ValueError(f"no frequency bin is between fmin and fmax; raise n_fft: {self}")
        return slice(inside[0], inside[-1] + 1)

    @cached_property
    def frequencies(self):
        """Centre of each band, Hz: float64 (n_bands,)."""
        if self.n_mels:
            from librosa import mel_frequencies

            return mel_frequencies(n_mels=self.n_mels + 2, fmin=self.fmin, fmax=self._top)[1:-1]
        return np.fft.rfftfreq(self.n_fft, 1 / self.sr)[self._bins]

    @property
    def n_bands(self):
        """Bands of `power`: n_mels, or the number of linear bins between fmin and fmax."""
        return self.n_mels or self._bins.stop - self._bins.start

    @property
    def n_empty_bands(self):
        """Mel bands without a frequency bin, because they are narrower than the bins' distance."""
        return int((~_mel_weights(self).any(axis=0)).sum()) if self.n_mels else 0

    def n_frames(self, n_samples):
        """Frames of a sound of n_samples: frame k is centred on sample k * hop_length."""
        return 1 + (n_samples - self.n_fft % 2) // self.hop_length

    def spectrogram(self, y):
        """Power spectrogram, all linear bins: |STFT|², Hann window, centred, padded with zeros.

        y: float32 (..., n_samples), full scale ±1. Returns float32 (..., n_frames, 1 + n_fft // 2).
        Agrees with `np.abs(librosa.stft(y)).T ** 2`.
        """
        return self._frames(y, np.copy)

    def power(self, y):
        """Power per band: mel bands, or the linear bins from fmin to fmax where n_mels is 0.

        y: float32 (..., n_samples). Returns float32 (..., n_frames, n_bands). Agrees with
        `librosa.feature.melspectrogram` (Slaney's scale and normalisation), transposed.
        """
        return self._frames(y, self._to_bands)

    def bands(self, spectrogram):
        """`power` from a spectrogram.

        spectrogram: float32 (..., n_frames, 1 + n_fft // 2). Returns (..., n_frames, n_bands).
        """
        spectrogram = np.ascontiguousarray(spectrogram, np.float32)
        rows = self._to_bands(spectrogram.reshape(-1, spectrogram.shape[-1]))
        return rows.reshape(*spectrogram.shape[:-1], -1)

    def log_power(self, y, *, floor=1e-10, top_db=None):
        """`power` in decibels re full scale², see `to_db`.

        top_db is None by default, unlike in librosa: a floor that depends on the clip's maximum
        makes the same sound look different in a clip and in a long recording.
        """
        return to_db(self.power(y), floor=floor, top_db=top_db)

    def mfcc(self, y, *, n_mfcc=20, top_db=None):
        """Mel-frequency cepstral coefficients: orthonormal DCT-II of the log-mel bands.

        y: float32 (..., n_samples). Returns float32 (..., n_frames, n_mfcc). With top_db=80 agrees
        with `librosa.feature.mfcc`, transposed. Raises ValueError without mel bands.
        """
        if not 0 < n_mfcc <= self.n_mels:
            raise ValueError(f"n_mfcc = {n_mfcc}: choose from 1 to n_mels = {self.n_mels}")
        cepstrum = scipy.fft.dct(self.log_power(y, top_db=top_db), axis=-1, norm="ortho")
        return cepstrum[..., :n_mfcc]

    def stream(self, blocks):
        """`power` of a sound that comes in blocks, in bounded memory.

        blocks: iterable of float32 (n,) arrays of any length, the sound in order. Yields float32
        (n_frames, n_bands) arrays; their concatenation is `power(whole)`, the same to the bit for
        any blocks.
        """
        edge = [np.zeros(self.n_fft // 2, np.float32)]
        step = self._frames_at_once * self.hop_length
        size = max(step - self.hop_length + self.n_fft, step)
        for block in audio.reblock(chain(edge, blocks, edge), size=size, step=step):
            if len(block) >= self.n_fft:
                yield self._frames_of(block, self._to_bands)

    def _to_bands(self, spectrum):
        """Linear power (n_frames, 1 + n_fft // 2) → (n_frames, n_bands)."""
        if not self.n_mels:
            return spectrum[:, self._bins].copy()
        # A triangle is zero nearly everywhere: multiply only where some band has weight.
        mel = np.empty((len(spectrum), self.n_mels), np.float32)
        for bands, bins, weights in _mel_blocks(self):
            np.matmul(spectrum[:, bins], weights, out=mel[:, bands])
        return mel

    def _frames(self, y, to_bands):
        """(..., n_samples) → (..., n_frames, n_bands), one sound of the batch after another."""
        y = np.asarray(y, np.float32)
        if not y.shape[-1]:
            raise ValueError("the sound has no samples")
        rows = []
        for row in y.reshape(-1, y.shape[-1]):
            padded = np.zeros(len(row) + 2 * (self.n_fft // 2), np.float32)
            padded[self.n_fft // 2 :][: len(row)] = row
            rows.append(self._frames_of(padded, to_bands))
        batch = np.stack(rows) if len(rows) > 1 else rows[0]
        return batch.reshape(*y.shape[:-1], *rows[0].shape)

    def _frames_of(self, padded, to_bands):
        """Frames that lie wholly within `padded`: float32 (n_frames, n_bands)."""
        frames = sliding_window_view(padded, self.n_fft)[:: self.hop_length]
        windowed, power = _work_space(self._frames_at_once, self.n_fft)
        pieces = []
        for i in range(0, len(frames), self._frames_at_once):
            part = frames[i : i + self._frames_at_once]
            spectrum = scipy.fft.rfft(np.multiply(part, self._window, out=windowed[: len(part)]))
            squares = spectrum.view(np.float32)  # real, imaginary, real, …
            np.square(squares, out=squares)
            np.add(squares[:, 0::2], squares[:, 1::2], out=power[: len(part)])
            pieces.append(to_bands(power[: len(part)]))
        return np.concatenate(pieces) if len(pieces) > 1 else pieces[0]


_kept = threading.local()


def _work_space(n_frames, n_fft):
    """Arrays (n_frames, n_fft) and (n_frames, 1 + n_fft // 2), kept by each thread."""
    # To allocate new ones each time would cost more than the FFT.
    if getattr(_kept, "shape", None) != (n_frames, n_fft):
        _kept.shape = n_frames, n_fft
        _kept.arrays = [np.empty((n_frames, n), np.float32) for n in (n_fft, 1 + n_fft // 2)]
    return _kept.arrays


def to_db(power, *, floor=1e-10, top_db=None):
    """Decibels of a power: 10 log10(max(power, floor)), cut at top_db below the maximum.

    power: float (..., n_frames, n_bands), one maximum per spectrogram. Returns the same shape.
    """
    db = np.log(np.maximum(power, np.float32(floor)))
    db *= 10 / math.log(10)  # in float32 several times as fast as log10
    if top_db is not None:
        db = np.maximum(db, db.max(axis=(-2, -1), keepdims=True) - top_db)
    return db


def from_db(db):
    """Power of decibels, the inverse of `to_db`: float32, same shape as db.

    Half precision is converted first, because the power would overflow.
    """
    return np.exp(np.asarray(db, np.float32) * np.float32(math.log(10) / 10))


@lru_cache(maxsize=16)
def _mel_blocks(frontend):
    """Neighbouring bands and the bins under them: a list of (bands, bins, weights)."""
    weights = _mel_weights(frontend)
    blocks = []
    for first in range(0, frontend.n_mels, BANDS_AT_ONCE):
        bands = slice(first, min(first + BANDS_AT_ONCE, frontend.n_mels))
        under = np.flatnonzero(weights[:, bands].any(axis=1))
        bins = slice(under[0], under[-1] + 1) if under.size else slice(0, 1)
        blocks.append((bands, bins, np.ascontiguousarray(weights[bins, bands])))
    return blocks


def _mel_weights(frontend):
    """Triangles of unit area on Slaney's mel scale: float32 (1 + n_fft // 2, n_mels)."""
    from librosa.filters import mel

    fields = asdict(frontend)
    del fields["hop_length"]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Empty filters detected")  # see n_empty_bands
        # In double precision: librosa scales single precision twice, and rounds twice.
        return mel(**fields, dtype=np.float64).T.astype(np.float32)


def extract(paths, frontend, *, decibels=False, **options):
    """Band power of every file, computed once and kept on disk, see `cache.compute`.

    paths: sequence of paths, or a clip table with a column `path`. frontend: `Frontend`.
    decibels: `log_power` instead of `power`. options: cache_dir, root, progress of `cache.compute`.
    Returns (powers, errors): a list with a float32 (n_frames, n_bands) array per path, or None
    where the file cannot be read; and a table `files.ERRORS` of those.
    """
    bands = frontend.log_power if decibels else frontend.power

    def work(path):
        return (bands(audio.load(path, sr=frontend.sr)),)

    paths = paths["path"] if isinstance(paths, pd.DataFrame) else paths
    recipe = {"bands": FORMAT, "decibels": decibels, **asdict(frontend)}
    found, errors = cache.compute(work, paths, recipe=recipe, desc="Features", **options)
    return [arrays and arrays[0] for arrays in found], errors
