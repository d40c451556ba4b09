"""The checks of 03_speaker_identification: loading, the strongest frequency."""

import tempfile
from pathlib import Path

import numpy as np

from helpers.exercises.engine import Wrong, call, case, check
from helpers.exercises.judges import need_array, need_number, need_parts, plain, say_if


@check(
    "3.1",
    "a recording loaded in two ways",
    "librosa resamples every file to one rate by default; soundfile keeps the rate of the file.",
    "`librosa.load` and `soundfile.read` both return the samples and their rate, in this order.",
    "The duration is the number of samples divided by their rate. Take both from the same version "
    "of the sound, do not round, and count two channels once.",
)
def two_ways(attempt):
    """two_ways(path) → (y, sr, y_native, sr_native, duration_s)."""
    import librosa
    import soundfile

    names = ("y", "sr", "y_native", "sr_native", "duration_s")
    rng = np.random.default_rng(31)
    with tempfile.TemporaryDirectory() as folder:
        for rate, n, channels in (
            (16000, 20000, 1),
            (8000, 8000, 1),
            (44100, 33075, 1),
            (32000, 48000, 2),
        ):
            path = str(Path(folder) / f"{rate}.wav")
            t = np.arange(n) / rate
            sound = 0.3 * np.sin(2 * np.pi * 440 * t) + 0.01 * rng.standard_normal(n)
            if channels > 1:
                sound = np.stack([sound, 0.2 * np.sin(2 * np.pi * 660 * t)], axis=1)
            native = np.round(sound * 2**15) / 2**15  # 16 bits
            soundfile.write(path, native, rate, subtype="PCM_16")
            right, default = librosa.load(path)
            with case(f"a {'stereo ' * (channels > 1)}file of {rate} Hz, {n / rate:.2f} s"):
                parts = need_parts(call(attempt, path), *names)
                y, sr, y_native, sr_native, duration_s = parts
                sr = need_number(sr, what="sr, a rate in Hz")
                sr_native = need_number(sr_native, what="sr_native, a rate in Hz")
                if (sr, sr_native) == (rate, default):
                    raise Wrong(
                        f"sr is {rate} and sr_native {default}: those of librosa come first"
                    )
                if sr != default:
                    raise Wrong(f"sr is {sr:g} Hz, where librosa resamples to {default} Hz")
                if sr_native != rate:
                    raise Wrong(f"sr_native is {sr_native:g} Hz, but the file has {rate} Hz")
                _explain_loaded(y, right, native, "y", f"librosa's {default} Hz")
                if channels > 1:  # the task leaves open which axis comes first, or takes the mean
                    if any(np.array_equal(y_native, channel) for channel in native.T):
                        raise Wrong("y_native is one of the file's two channels: one is missing")
                    ways = (native, native.T, np.average(native, axis=1))
                    native = next((w for w in ways if w.shape == np.shape(y_native)), native)
                _explain_loaded(y_native, native, right, "y_native", f"the file's {rate} Hz")
                _explain_duration(duration_s, n, rate, len(right), default, channels)


def _explain_loaded(found, right, other, name, at):
    """Raise Wrong unless the samples are right. other: the samples at the other rate."""
    if np.issubdtype(plain(found, what=name).dtype, np.integer):
        raise Wrong(
            f"{name} holds whole numbers up to {np.max(found)}: float samples, full scale ±1"
        )
    if np.shape(found) == (len(right), 1):
        raise Wrong(f"{name} has shape {np.shape(found)}: a mono sound has one axis")
    if np.ndim(right) == 1 and np.ndim(found) == np.ndim(other) == 2:
        raise Wrong(
            f"{name} has shape {np.shape(found)}: librosa converts a stereo file to mono, shape "
            f"{right.shape}"
        )
    if np.shape(found) == (len(other),):
        raise Wrong(
            f"{name} has {len(other)} samples, but at {at} there are {len(right)}: is it at the "
            "other rate?"
        )
    found = need_array(found, shape=right.shape, axes=(f"samples of {name}",))
    if np.abs(found - right).max() > 2e-3:
        peaks = f"its peak is {np.abs(found).max():.4g}, that of the file {right.max():.4g}"
        raise Wrong(f"{name} has the right length, but wrong samples: {peaks}")


def _explain_duration(found, n, rate, n_default, default, channels):
    """Raise Wrong unless `found` is the duration of n samples."""
    found, right = need_number(found, what="duration_s, in seconds"), n / rate
    if abs(found - right) < 1e-3:
        return
    told = f"duration_s is {found:.5g}, where {right:.5g} s is right: "
    say_if(found, [
        (float(n), "this is the number of samples; divide by the rate"),
        (float(n_default), "this is the number of samples; divide by the rate"),
        (n / default, "the samples of the file are divided by librosa's rate"),
        (n_default / rate, "librosa's samples are divided by the rate of the file"),
        (1000 * right, "these are milliseconds"),
        (right / 60, "these are minutes"),
        (rate / n, "this is the rate divided by the number of samples"),
        (float(n // rate), "it is rounded to whole seconds"),
        (float(round(right)), "it is rounded to whole seconds"),
        (channels * right, "this counts both channels: count the samples of one channel"),
        (channels / rate, "this is the number of channels divided by the rate"),
    ], within=1e-3, told=told)  # fmt: skip
    raise Wrong(f"{told}the number of samples divided by their rate")


@check(
    "3.2",
    "the strongest frequency",
    "The FFT shows how strong each frequency is. Which bin is the highest, and what is its "
    "frequency?",
    "An offset is a very strong component at 0 Hz. Remove it before the FFT: what is the mean of a "
    "sound without an offset?",
    "`argmax` of |rfft| gives the number of a bin (take the absolute value: the FFT is complex); "
    "`np.fft.rfftfreq(len(y), 1 / sr)` has the frequencies of all bins.",
)
def strongest_frequency(attempt):
    """strongest_frequency(y, *, sr) → Hz of the strongest component but a constant offset."""
    rng = np.random.default_rng(32)
    usual, tone = 0.7, (8000, 3200, 0.0, [(0.5, 1000.0)])
    for what, phase, (sr, n, offset, tones) in (
        ("a tone", usual, tone),
        ("a tone between two bins", usual, (16000, 5001, 0.0, [(0.3, 702.3)])),
        ("a faint tone on a strong offset", usual, (22050, 22050, 0.4, [(0.02, 440.0)])),
        ("two tones and an offset", usual, (44100, 30001, -0.2, [(0.1, 300.0), (0.3, 6000.4)])),
        ("a high tone and an offset", usual, (16000, 3001, 0.3, [(0.2, 7800.0)])),
        ("a tone that begins at its highest point", np.pi / 2, tone),
        ("a tone that begins at its lowest point", -np.pi / 2, tone),
        ("a tone that begins at 0 and rises", 0.0, tone),
        ("a tone that begins at 0 and falls", np.pi, tone),
    ):
        t = np.arange(n) / sr
        y = offset + 1e-3 * rng.standard_normal(n)
        y += sum(a * np.sin(2 * np.pi * f * t + phase) for a, f in tones)
        right, step = max(tones)[1], sr / n
        where = f"{what} ({n} samples, {sr} Hz)"
        with case(where):
            found = need_number(call(attempt, y, sr=sr), what="a frequency in Hz")
        if abs(found - right) < 0.75 * step:
            continue
        told = f"{where}: it returns {found:.6g} Hz, where {right:.6g} Hz is the strongest"
        if offset and abs(found) < 1.5 * step:
            raise Wrong(f"{told}. At 0 Hz is the offset: subtract the mean first")
        if found < 0:
            raise Wrong(f"{told}. A frequency in Hz is not negative")
        of_complex = (
            f"{told}. The FFT is complex: take its magnitude, which does not depend on phase"
        )
        if phase != usual:  # with which the answer was right
            raise Wrong(of_complex)
        for value, within, name in (
            (right / step, 1.5, f"this is the number of a bin; a bin is {step:.4g} Hz wide"),
            (sr - right, 1.5 * step, "this is its mirror image above sr / 2, which `rfft` leaves "
             "out"),
            (right / 1000, 1.5e-3 * step, "this is in kHz"),
            (right / sr, 1.5 / n, "this is in cycles per sample, not per second"),
            (2 * np.pi * right, 10 * step, "this is an angular frequency, 2 pi too high"),
            (2 * right, 3 * step, "twice as high. Bins lie sr / n apart, where n is the number of "
             "samples, not of bins"),
            (right / 2, step, "half as high. Bins lie sr / n apart, where n is the number of "
             "samples, not its double"),
            (right, 2.5 * step, f"off by a bin ({step:.4g} Hz)"),
        ):  # fmt: skip
            if abs(found - value) < within:
                raise Wrong(f"{told}: {name}")
        if any(abs(found - f) < 2 * step for _, f in tones):
            raise Wrong(f"{told}: this is the weaker tone")
        raise Wrong(of_complex if _is_of_complex(found, y, sr) else told)


def _is_of_complex(found, y, sr):
    """Whether it is the frequency of the largest real or imaginary part, or of their squares."""
    spectrum, step = np.fft.rfft(y - np.average(y)), sr / len(y)
    parts = [spectrum.real, spectrum.imag, spectrum.real**2, spectrum.imag**2, spectrum**2]
    return any(abs(found - np.argmax(part) * step) < 0.1 * step for part in parts)
