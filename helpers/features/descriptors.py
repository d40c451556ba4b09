"""Descriptors: what a sound is like, in a few numbers that have a name and a unit.

Shown in 02_features. They agree with librosa's functions of the same name, transposed, except that
decibels of contrast are twice librosa's. All share one spectrogram; librosa makes one for each.
"""

from functools import lru_cache

import numpy as np
import scipy.fft

from helpers.features.frontend import to_db

N_MFCC = 13
OCTAVES = 6  # of the spectral contrast, from 200 Hz up, above one band more
PITCHES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
TINY = np.finfo(np.float32).tiny

# One number a frame. The unit is in the name; without one it is a share or a ratio.
SCALARS = ("rms_db", "zero_crossing_rate", "centroid_hz", "bandwidth_hz", "rolloff_hz", "flatness")
# Several numbers a frame.
VECTORS = {
    "contrast_db": tuple(f"contrast_{k}_db" for k in range(OCTAVES + 1)),
    "chroma": tuple(f"chroma_{pitch}" for pitch in PITCHES),
    "mfcc": tuple(f"mfcc_{k}" for k in range(N_MFCC)),
}
CURVES = (*SCALARS, *(name for names in VECTORS.values() for name in names))
COLUMNS = tuple(f"{name}_{how}" for name in CURVES for how in ("mean", "std"))


def over_time(y, frontend, *, power=None):
    """Every descriptor of every frame.

    y: float32 (n_samples,), full scale ±1. frontend: `features.Frontend` with mel bands and a
    sample rate above 12.8 kHz (for six octaves of contrast from 200 Hz up). power: the front
    end's `spectrogram` of y; None: it is computed. Returns a dict: each of SCALARS (n_frames,);
    "contrast_db" (n_frames, 7), "chroma" (n_frames, 12), "mfcc" (n_frames, 13).
    """
    power = frontend.spectrogram(y) if power is None else power
    f = np.fft.rfftfreq(frontend.n_fft, 1 / frontend.sr).astype(np.float32)
    magnitude = np.sqrt(power)
    centroid_hz = centroid(magnitude, f)
    log_mel = to_db(frontend.bands(power))
    return {
        "rms_db": level_db(y, frontend),
        "zero_crossing_rate": zero_crossing_rate(y, frontend),
        "centroid_hz": centroid_hz,
        "bandwidth_hz": bandwidth(magnitude, f, centroid_hz),
        "rolloff_hz": rolloff(magnitude, f),
        "flatness": flatness(power),
        "contrast_db": contrast(magnitude, f),
        "chroma": chroma(power, frontend),
        "mfcc": scipy.fft.dct(log_mel, axis=1, norm="ortho")[:, :N_MFCC],
    }


def summary(y, frontend, *, power=None):
    """Mean and standard deviation of what `over_time` returns: float32 (len(COLUMNS),)."""
    curves = over_time(y, frontend, power=power)
    columns = np.column_stack([curves[name] for name in (*SCALARS, *VECTORS)])
    return np.stack([columns.mean(axis=0), columns.std(axis=0)], axis=1).ravel().astype(np.float32)


def centroid(magnitude, f):
    """Centre of gravity of the spectrum, Hz: low for dark sounds, high for bright ones.

    magnitude: float (n_frames, n_bins). f: Hz (n_bins,). Returns (n_frames,); 0 in silence.
    """
    return magnitude @ f / np.maximum(magnitude.sum(axis=1), TINY)


def bandwidth(magnitude, f, centroid_hz):
    """Standard deviation of the spectrum around its `centroid`, Hz: (n_frames,)."""
    # The square is multiplied out, which is faster. Double precision, because in single precision
    # a high tone would be a tenth too wide.
    moments = np.stack([np.square(f, dtype=np.float64), f]) @ magnitude.T
    mean_square, mean = moments / np.maximum(magnitude.sum(axis=1, dtype=np.float64), TINY)
    spread = mean_square - 2 * centroid_hz * mean + np.square(centroid_hz, dtype=np.float64)
    return np.sqrt(np.maximum(spread, 0))


def rolloff(magnitude, f, *, share=0.85):
    """Frequency below which `share` of the magnitude lies, Hz: (n_frames,)."""
    below = np.cumsum(magnitude, axis=1)
    return f[np.argmax(below >= share * below[:, -1:], axis=1)]


def flatness(power):
    """Geometric over arithmetic mean of each frame: (n_frames,), 1 for noise, near 0 for a tone."""
    power = np.maximum(power, np.float32(1e-10))
    return np.exp(np.log(power).mean(axis=1)) / power.mean(axis=1)


def contrast(magnitude, f, *, low_hz=200.0, quantile=0.02):
    """Level of peaks above valleys within each octave, dB: high for tones, low for noise.

    magnitude: (n_frames, n_bins). f: Hz (n_bins,). Returns (n_frames, 1 + OCTAVES): the band below
    low_hz, then the octaves from there up. Peak and valley: mean of the highest and the lowest
    `quantile` of the bins. Twice librosa's numbers, because librosa takes 10 log10 of magnitudes.
    Raises ValueError if a band has fewer than two bins.
    Jiang et al., Music type classification by spectral contrast feature, 2002.
    """
    edges = [0.0, *(low_hz * 2.0 ** np.arange(OCTAVES + 1))]
    rows = []
    for k, (low, high) in enumerate(zip(edges[:-1], edges[1:], strict=True)):
        inside = np.flatnonzero((f >= low) & (f <= high))
        if len(inside) < 2:
            raise ValueError(
                f"no contrast between {low:.0f} and {high:.0f} Hz: choose n_fft and sr so that the "
                f"bins are less than {low_hz / 2:.0f} Hz apart and reach beyond {edges[-2]:.0f} Hz"
            )
        first, last = inside[0], inside[-1] + 1
        first -= k > 0  # librosa's bands begin a bin early, and end one early except the last
        last = len(f) if k == OCTAVES else last
        n = max(1, int(np.rint(quantile * (last - first))))
        band = np.sort(magnitude[:, first : last - (k < OCTAVES)], axis=1)
        rows.append((band[:, -n:].mean(axis=1), band[:, :n].mean(axis=1)))
    peaks, valleys = np.transpose(rows, (1, 2, 0))
    return 20 * np.log10(np.maximum(peaks, 1e-10) / np.maximum(valleys, 1e-10))


def chroma(power, frontend):
    """Energy of each of the twelve pitch classes, the strongest of a frame 1: (n_frames, 12)."""
    folded = power @ _chroma_weights(frontend.sr, frontend.n_fft).T
    return folded / np.maximum(folded.max(axis=1, keepdims=True), TINY)


@lru_cache(maxsize=8)
def _chroma_weights(sr, n_fft):
    import librosa

    return librosa.filters.chroma(sr=sr, n_fft=n_fft, tuning=0.0)


def level_db(y, frontend):
    """Root-mean-square level per frame, dB re full scale: (n_frames,), at least -100."""
    n_fft, hop = frontend.n_fft, frontend.hop_length
    total = np.cumsum(np.square(np.pad(y, (n_fft // 2 + 1, n_fft // 2)), dtype=np.float64))
    return to_db((total[n_fft::hop] - total[:-n_fft:hop]) / n_fft)


def zero_crossing_rate(y, frontend):
    """Share of neighbouring samples whose sign differs, per frame: (n_frames,)."""
    padded = np.pad(y, frontend.n_fft // 2, mode="edge")
    negative = padded < -1e-10
    crossings = np.cumsum(negative[1:] != negative[:-1])
    crossings = np.concatenate([[0], crossings])  # up to and including each sample
    first = np.arange(0, len(padded) - frontend.n_fft + 1, frontend.hop_length)
    return (crossings[first + frontend.n_fft - 1] - crossings[first]) / frontend.n_fft
