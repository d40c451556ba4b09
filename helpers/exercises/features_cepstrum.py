"""The checks of 02_features: cepstral coefficients (MFCC)."""

import numpy as np

from helpers.exercises.engine import Wrong, call, case, check
from helpers.exercises.judges import need_array, need_real, worst_of
from helpers.exercises.judges_spectra import is_like, multiple_of, say_if_like


@check(
    "2.5",
    "cepstral coefficients",
    "Write the spectrum of a frame as a sum of cosines over the bands, the slowest first.",
    "SciPy has this transform: `scipy.fft.dct`. Which axis has the bands, and which `norm` is "
    "orthonormal?",
    'The transform goes over axis 0, with norm "ortho". Keep the first n_mfcc of its n_mels rows, '
    "row 0 included.",
)
def mfcc(attempt):
    """mfcc(log_mel, *, n_mfcc) → float (n_mfcc, n_frames)."""
    from scipy.fft import dct, rfft

    rng = np.random.default_rng(25)
    for n_mels, n_frames, n_mfcc in ((40, 30, 13), (64, 25, 20)):
        log_mel = np.linspace(-20, -60, n_mels)[:, None] + rng.normal(0, 6, (n_mels, n_frames))
        cosines = np.cos(np.pi / n_mels * np.outer(np.arange(n_mels), np.arange(n_mels) + 0.5))
        every = cosines / np.linalg.norm(cosines, axis=1, keepdims=True) @ log_mel
        right = every[:n_mfcc]
        with case(f"{n_mels} bands, {n_frames} frames, n_mfcc {n_mfcc}"):
            found = call(attempt, log_mel, n_mfcc=n_mfcc)
            why = "the cosine transform of real numbers is real, unlike the FFT"
            found = need_real(found, axes=("n_mfcc", "n_frames"), why=why)
            shape = found.shape
            if shape == (n_mels, n_frames):
                raise Wrong(f"it returns all {n_mels} coefficients: return the first {n_mfcc}")
            if shape == (n_mels, n_mfcc) and is_like(found, every[:, :n_mfcc]):
                raise Wrong(f"it keeps {n_mfcc} frames of each row: keep {n_mfcc} rows")
            if shape == (n_mels, n_mfcc):
                raise Wrong(
                    f"it returns shape {shape}: {n_mfcc} coefficients for each band. Transform "
                    "over the bands, to get coefficients for each frame"
                )
            found = need_array(found, shape=right.shape, axes=("n_mfcc", "n_frames"))
            if is_like(found, right):
                continue
            say_if_like(found, _mistakes(log_mel, every, n_mfcc))
            twice = dct(log_mel, axis=0)  # without a norm: every row is too high by a factor
            for scale in (1, 0.5, 0.5 / n_mels, 1 / n_mels):
                if is_like(found, twice[:n_mfcc] * scale):
                    raise Wrong(
                        f"it is not orthonormal: row 0 is {found[0, 0] / right[0, 0]:.3g} times as "
                        f"high as it should be, row 1 {found[1, 0] / right[1, 0]:.3g} times"
                    )
            fourier = rfft(log_mel, axis=0)[:n_mfcc]
            if any(multiple_of(found, part) for part in (np.abs(fourier), fourier.real)):
                raise Wrong("this is the FFT over the bands: use a cosine transform (DCT)")
            if is_like(found[1:], right[1:]):
                raise Wrong(
                    f"row 0 is {found[0, 0]:.1f} in frame 0, where {right[0, 0]:.1f} is right; the "
                    'others are right. Nothing is subtracted first, and the norm is "ortho"'
                )
            raise Wrong(worst_of(found, right, "coefficient", "frame"))


def _mistakes(log_mel, every, n_mfcc):
    """What known mistakes give: (coefficients, what is wrong). every: all coefficients."""
    from scipy.fft import dct

    power = 10 ** (log_mel / 10)
    for norm in ("ortho", None):
        yield (
            dct(log_mel, axis=1, norm=norm)[:n_mfcc],
            "it transforms over time (axis 1): the bands are on axis 0",
        )
        for kind in (1, 3, 4):
            yield (
                dct(log_mel, kind, axis=0, norm=norm)[:n_mfcc],
                f"this is the DCT of type {kind}; type 2 is asked for",
            )
        for name, given in (("the power", power), ("the amplitude", power**0.5)):
            yield (
                dct(given, axis=0, norm=norm)[:n_mfcc],
                f"it transforms {name}: transform log_mel, which is in decibels, as it is",
            )
    last = "these are the last coefficients, the finest detail: keep the first"
    yield every[1 : n_mfcc + 1], "it leaves out coefficient 0, the mean level: keep it as the first"
    yield every[-n_mfcc:], last
    yield every[: -n_mfcc - 1 : -1], last
