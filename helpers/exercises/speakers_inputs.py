"""The checks of 03_speaker_identification: spectrogram and MFCC as input of a network."""

import warnings

import numpy as np

from helpers.exercises.engine import Wrong, call, case, check
from helpers.exercises.judges import (
    need_array,
    need_numbers,
    need_parts,
    need_real,
    say_if,
    worst_of,
)
from helpers.exercises.judges_spectra import decibels, explain_frames, judge_decibels


@check(
    "3.3",
    "a spectrogram in decibels",
    "librosa has the short-time Fourier transform with this window and these frames; it is "
    "complex.",
    "Power is the square of the absolute value; 10 log10 of power are decibels. What is log10 of "
    "silence?",
    "`np.maximum` with 1e-10 before the logarithm keeps silence at -100 dB. Nothing else is cut "
    "off: no `top_db`.",
)
def log_spectrogram(attempt):
    """log_spectrogram(y, *, n_fft, hop_length) → float (1 + n_fft // 2, n_frames), dB."""
    rng = np.random.default_rng(33)
    for n_fft, hop_length, n in ((400, 200, 4100), (256, 100, 2560)):
        y = 0.3 * rng.standard_normal(n)
        y[n // 3 : 2 * n // 3] = 0
        with case(f"n_fft {n_fft}, hop_length {hop_length}, {n} samples"):
            found = call(attempt, y, n_fft=n_fft, hop_length=hop_length)
            _judge_spectrogram(found, y, n_fft=n_fft, hop_length=hop_length)


def _judge_spectrogram(found, y, *, n_fft, hop_length):
    """Raise Wrong unless `found` is the decibel spectrogram of a sound with silence in it."""
    import librosa

    def power(**options):
        return np.abs(librosa.stft(y, n_fft=n_fft, hop_length=hop_length, **options)) ** 2

    axes = ("1 + n_fft // 2", "n_frames")
    found = need_real(found, axes=axes, why="power is the square of the absolute value")
    explain_frames(found.shape, n_fft, hop_length, len(y))
    judge_decibels(found, power, n_fft=n_fft, axes=axes, value="bin")


@check(
    "3.4",
    "four inputs from one sound",
    "Two arrays (values, n_frames), and the mean of each over time. The second array is your "
    "spectrogram of exercise 3.3.",
    "As many coefficients as there are mel bands: both n_mfcc and n_mels are 256. "
    "`librosa.feature.mfcc` can be given log-mel bands as S.",
    "`librosa.power_to_db` cuts off 80 dB below the maximum unless top_db is None. Frames are the "
    "last axis: take the mean over axis 1.",
)
def four_inputs(attempt):
    """four_inputs(y, *, sr) → (mfcc, mfcc_pooled, spectrogram, spectrogram_pooled)."""
    names = ("mfcc", "mfcc_pooled", "spectrogram", "spectrogram_pooled")
    rng = np.random.default_rng(35)
    for sr, n in ((16000, 6100), (8000, 4000)):
        y = (0.3 * rng.standard_normal(n) * np.linspace(0.01, 1, n)).astype(np.float32)
        y[n // 3 : 2 * n // 3] = 0
        n_frames = 1 + n // 200
        with case(f"{n} samples, {sr} Hz"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of librosa, about mel bands without a bin
            parts = need_parts(call(attempt, y, sr=sr), *names)
            parts = [need_numbers(part, axes=("values",)) for part in parts]
            shapes = [part.shape for part in parts]
            order = [(256, n_frames), (256,), (201, n_frames), (201,)]
            if sorted(shapes) == sorted(order) and shapes != order:
                raise Wrong(f"its arrays are right, but in the wrong order: {', '.join(names)}")
            mfcc, mfcc_pooled, spectrogram, spectrogram_pooled = parts
            with case("mfcc"):
                mfcc = _judge_mfcc(mfcc, y, sr, n_frames)
            with case("spectrogram"):
                if spectrogram.shape in ((513, n_frames), (n_frames, 513)):
                    raise Wrong("it has 513 bins, those of n_fft = 1024: use n_fft 400, with 201")
                _judge_spectrogram(spectrogram, y, n_fft=400, hop_length=200)
            with case("mfcc_pooled"):
                _judge_pooled(mfcc_pooled, mfcc)
            with case("spectrogram_pooled"):
                _judge_pooled(spectrogram_pooled, spectrogram)


def _judge_mfcc(found, y, sr, n_frames):
    """`found` if it is all 256 coefficients of 256 mel bands without a cut; otherwise Wrong."""
    import librosa

    given = {"hop_length": 200, "n_mels": 256, "n_fft": 1024}

    def bands(**options):
        return librosa.feature.melspectrogram(y=y, **{"sr": sr} | given | options)

    def cepstrum(log_mel, **options):
        return librosa.feature.mfcc(S=log_mel, n_mfcc=256, **options)

    if found.ndim == 2 and found.shape[1] == n_frames and found.shape[0] != 256:
        n = found.shape[0]
        default = {20: ", librosa's default (n_mfcc)", 128: ", from librosa's 128 bands (n_mels)"}
        raise Wrong(f"it has {n} coefficients{default.get(n, '')}, where 256 are asked for")
    if found.shape == (256, 1 + len(y) // 512):
        raise Wrong(f"it has {found.shape[1]} frames, those of the default hop_length, not of 200")
    if found.shape == (256,):
        raise Wrong(f"it is already pooled: shape (256, {n_frames}), a column per frame, is needed")
    right = cepstrum(decibels(bands()))
    found = need_array(found, shape=right.shape, axes=("256", "n_frames"))
    if np.abs(found - right).max() < 0.05:
        return found
    top = librosa.power_to_db(bands())
    cut = (
        "the log-mel bands are cut off 80 dB below their maximum, the default of librosa: give "
        "`librosa.feature.mfcc` bands S that were made with top_db=None"
    )
    say_if(found, [
        (cepstrum(top), cut),
        (decibels(bands()), "these are the log-mel bands: the cosine transform is missing"),
        (top, "these are the log-mel bands, cut off 80 dB below their maximum: the cosine "
         "transform is missing"),
        (librosa.power_to_db(bands(), ref=np.max), "these are log-mel bands relative to their own "
         "maximum: the cosine transform is missing"),
        (cepstrum(librosa.power_to_db(bands(), ref=np.max)), "the log-mel bands are relative to "
         "their own maximum, which differs from sound to sound"),
        (cepstrum(librosa.power_to_db(bands(), ref=np.max, top_db=None)), "the log-mel bands are "
         "relative to their own maximum, which differs from sound to sound"),
        (cepstrum(bands()), "it transforms power: transform decibels"),
        (bands(), "these are mel bands: decibels and the cosine transform are missing"),
        (right * np.log(10) / 10, "it takes natural logarithms: decibels are 10 log10"),
        (right / 10, "it takes log10 without the 10 of decibels"),
        (cepstrum(decibels(bands()), norm=None), "its cosine transform is not orthonormal "
         '(norm="ortho")'),
        (cepstrum(decibels(bands(n_fft=2048))), "its frames are 2048 samples long, the default: "
         "n_fft is 1024 here"),
        (cepstrum(decibels(bands(n_fft=400))), "its frames are 400 samples long, like those of the "
         "spectrogram: n_fft is 1024 here"),
        (cepstrum(decibels(bands(sr=22050))), f"its mel bands are those of 22050 Hz, librosa's "
         f"default: pass on sr = {sr}"),
        (cepstrum(librosa.power_to_db(bands(n_fft=2048))), "its frames are 2048 samples long and "
         "its bands cut off 80 dB below the maximum, librosa's defaults: n_fft is 1024 here, and "
         "top_db None"),
    ], within=0.05)  # fmt: skip
    raise Wrong(
        f"{worst_of(found, right, 'coefficient', 'frame')}. Check each step: 256 mel bands, "
        "n_fft 1024, hop_length 200, decibels, DCT"
    )


def _judge_pooled(found, whole):
    """Raise Wrong unless `found` is the mean of (values, n_frames) over time."""
    n_values, n_frames = whole.shape
    if found.shape == (n_frames,):
        raise Wrong(
            f"it has {n_frames} values, one per frame: the mean over time (axis 1) has one for "
            f"each of the {n_values} rows"
        )
    if found.shape == (n_values, 1):
        raise Wrong(f"its shape is {found.shape}: ({n_values},), without a time axis, is asked for")
    found = need_array(found, shape=(n_values,), axes=("values",))
    right = np.average(whole, axis=1)
    if np.abs(found - right).max() < 0.05:
        return
    power = 10 ** (np.clip(whole, None, 200) / 10)
    say_if(found, [
        (np.median(whole, axis=1), "this is the median over time; the mean is asked for"),
        (whole.max(axis=1), "this is the maximum over time; the mean is asked for"),
        (whole.sum(axis=1), "this is the sum over time; the mean is asked for"),
        (whole.std(axis=1), "this is the standard deviation over time; the mean is asked for"),
        (decibels(np.average(power, axis=1)), "this is the mean power in decibels: average "
         "decibels"),
    ], within=0.05)  # fmt: skip
    raise Wrong(f"{worst_of(found, right, 'value')}: the mean over time is asked for")
