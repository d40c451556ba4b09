"""The checks of 02_features: the power spectrogram."""

import numpy as np

from helpers.exercises.engine import Wrong, call, case, check
from helpers.exercises.judges import need_array, need_real
from helpers.exercises.judges_spectra import (
    explain_frames,
    is_like,
    multiple_of,
    other_frames,
    say_if_like,
)


@check(
    "2.4",
    "a spectrogram by hand",
    "Zeros on either side, then frames of n_fft samples that begin every hop_length samples, the "
    "window on each, and the FFT of each.",
    "With n_fft // 2 zeros before and after (`np.pad`), the middle of frame k is sample "
    "k * hop_length. `scipy.signal.get_window` has the periodic Hann window.",
    "Put the frames side by side as columns (n_fft, n_frames); the window then needs a second "
    "axis, `[:, None]`, and `np.fft.rfft` needs axis=0. At the end square the absolute value.",
)
def power_spectrogram(attempt):
    """power_spectrogram(y, *, n_fft, hop_length) → float (1 + n_fft // 2, n_frames), |STFT|²."""
    import librosa

    rng = np.random.default_rng(24)
    for n_fft, hop_length, n in ((256, 100, 2050), (128, 32, 1024)):
        y = rng.standard_normal(n)

        def power(y=y, n_fft=n_fft, hop_length=hop_length, **options):
            return np.abs(librosa.stft(y, n_fft=n_fft, hop_length=hop_length, **options)) ** 2

        right = power()
        n_frames = right.shape[1]
        with case(f"n_fft {n_fft}, hop_length {hop_length}, {n} samples"):
            found = call(attempt, y, n_fft=n_fft, hop_length=hop_length)
            axes = ("1 + n_fft // 2", "n_frames")
            found = need_real(found, axes=axes, why="power is the square of the absolute value")
            explain_frames(found.shape, n_fft, hop_length, n)
            found = need_array(found, shape=right.shape, axes=axes)
            if is_like(found, right):
                continue
            if np.ptp(found - librosa.power_to_db(right, top_db=None)) < 0.1:
                raise Wrong("these are decibels: the power itself is asked for")
            late = power(np.append(y, np.zeros(2 * n_fft)), center=False)[:, :n_frames]
            say_if_like(found, [
                (right**0.5, "this is the amplitude, |STFT|: power is its square"),
                *other_frames(power, n_fft),
                (late, "frame k begins at sample k * hop_length; its middle must lie there: put "
                 "half of the zeros before the sound"),
            ])  # fmt: skip
            factor = multiple_of(found, right)
            if factor and abs(factor - 1) > 0.01:
                raise Wrong(
                    f"it is {factor:.4g} times the power: use |STFT| squared, without a scale"
                )
            off = np.abs(found - right).max(axis=0) > 1e-4 * right.max()
            raise Wrong(
                f"{off.sum()} of {n_frames} frames are wrong, the first of them frame "
                f"{off.argmax()}. Frame k is the window times n_fft samples whose middle is sample "
                "k * hop_length"
            )
