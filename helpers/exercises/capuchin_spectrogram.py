"""The checks of 05_capuchin_call_counter: the log-mel spectrogram."""

import numpy as np

from helpers.exercises.engine import Wrong, call, check
from helpers.exercises.judges import need_array
from helpers.exercises.judges_spectra import decibels, judge_decibels


@check(
    "5.1",
    "a log-mel spectrogram",
    "Three steps: power of the short-time Fourier transform, mel bands, decibels.",
    "`librosa.feature.melspectrogram` does the first two; decibels of a *power* are 10 log10.",
    "A floor of 1e-10 under the power keeps the logarithm finite, and nothing else is cut off: "
    "`10 * np.log10(np.maximum(power, 1e-10))`.",
)
def log_mel(attempt):
    """log_mel(y, *, sr, n_fft, hop_length, n_mels) → float (n_mels, n_frames), dB."""
    import librosa

    rng = np.random.default_rng(51)
    for sr, n_fft, hop_length, n_mels, n in (
        (8000, 512, 160, 40, 8000),
        (16000, 1024, 320, 64, 1500),
    ):
        y = (0.1 * rng.standard_normal(n)).astype(np.float32)
        y[: n // 2] *= 1e-4  # much quieter: what is cut off below the maximum shows here
        given = {"sr": sr, "n_fft": n_fft, "hop_length": hop_length, "n_mels": n_mels}

        def power(y=y, given=given, **options):
            return librosa.feature.melspectrogram(y=y, **given, **options)

        found = call(attempt, y, **given)
        if np.shape(found) == (n_mels, 1 + (n - n_fft) // hop_length):
            raise Wrong(
                f"it returns {np.shape(found)[1]} frames of {n} samples, where 1 + n_samples // "
                f"hop_length = {1 + n // hop_length} are needed: frames are centred"
            )
        axes = ("n_mels", "n_frames")
        found = need_array(found, shape=power().shape, axes=axes)
        if np.abs(found - decibels(power(power=1.0))).max() < 0.05:
            raise Wrong("the mel bands sum amplitudes: they need the power, |STFT| squared")
        ask = (
            ". Are sr, n_fft, hop_length and n_mels all passed on, and all else librosa's default?"
        )
        judge_decibels(found, power, n_fft=n_fft, axes=axes, value="band", ask=ask)
