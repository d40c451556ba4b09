"""The checks of 03_speaker_identification."""

import math
import tempfile
import warnings
from pathlib import Path

import numpy as np

from helpers.checks.common import explain_starts, need_mask, need_parts, plain, say_if
from helpers.checks.features import explain_frames, need_real, symmetric_hann
from helpers.checks.networks import (
    activation_of,
    block_of,
    built_network,
    fits_shape,
    judge_block,
    judge_lengths,
    judge_network,
    judge_other_sizes,
    judge_picture,
    judge_reach,
    judge_shapes,
    names_of,
    need_model,
    parts_of,
    quick_weights,
    run,
)
from helpers.exercises import (
    Wrong,
    call,
    case,
    check,
    need_array,
    need_number,
    need_numbers,
    need_value,
)

MOST = 1_000_000  # parameters of a network that a few CPU cores train within minutes


def _is_nan(value):
    """Whether a value is the number that is none."""
    return isinstance(value, float | np.floating) and math.isnan(value)


# --- sounds ---------------------------------------------------------------------------------------


@check(
    "3.1",
    "a recording, loaded in two ways",
    "librosa brings every file to one rate unless it is told otherwise; soundfile reads a file as "
    "it is.",
    "`librosa.load` and `soundfile.read` both return the samples and their rate, in this order.",
    "The duration is the number of samples over their rate. Samples and rate must belong together, "
    "nothing is rounded, and two channels make no sound longer.",
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
                    raise Wrong(f"sr is {rate} and sr_native {default}: librosa's come first")
                if sr != default:
                    raise Wrong(
                        f"sr is {sr:g} Hz, where {default} Hz is librosa's own: let it resample "
                        "as it does by default"
                    )
                if sr_native != rate:
                    raise Wrong(f"sr_native is {sr_native:g} Hz, but the file has {rate} Hz")
                _explain_loaded(y, right, native, "y", f"librosa's {default} Hz")
                if channels > 1:  # both, either way round, or their mean: the task leaves it open
                    if any(np.array_equal(y_native, channel) for channel in native.T):
                        raise Wrong("y_native is one of the file's two channels: one is missing")
                    ways = (native, native.T, np.average(native, axis=1))
                    native = next((w for w in ways if w.shape == np.shape(y_native)), native)
                _explain_loaded(y_native, native, right, "y_native", f"the file's {rate} Hz")
                _explain_duration(duration_s, n, rate, len(right), default, channels)


def _explain_loaded(found, right, other, name, at):
    """Raise Wrong unless the samples are right. other: what they are at the other rate."""
    if np.issubdtype(plain(found, what=name).dtype, np.integer):
        raise Wrong(
            f"{name} holds whole numbers up to {np.max(found)}: float samples, full scale ±1, are "
            "needed"
        )
    if np.shape(found) == (len(right), 1):
        raise Wrong(f"{name} has shape {np.shape(found)}: a mono sound has one axis")
    if np.ndim(right) == 1 and np.ndim(found) == np.ndim(other) == 2:
        raise Wrong(
            f"{name} has shape {np.shape(found)}: librosa makes mono of a stereo file, with the "
            f"shape {right.shape}"
        )
    if np.shape(found) == (len(other),):
        raise Wrong(
            f"{name} has {len(other)} samples, and at {at} there are {len(right)}: has it the "
            "other rate?"
        )
    found = need_array(found, shape=right.shape, axes=(f"samples of {name}",))
    if np.abs(found - right).max() > 2e-3:
        peaks = f"its peak is {np.abs(found).max():.4g}, and that of the file {right.max():.4g}"
        raise Wrong(f"{name} has the right length, but other samples: {peaks}")


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
        (rate / n, "this is the rate over the number of samples"),
        (float(n // rate), "it is rounded to whole seconds"),
        (float(round(right)), "it is rounded to whole seconds"),
        (channels * right, "this counts the values of both channels, two at each moment: it is the "
         "moments that count"),
        (channels / rate, "this is the number of channels over the rate"),
    ], within=1e-3, told=told)  # fmt: skip
    raise Wrong(f"{told}the number of samples over their rate")


@check(
    "3.2",
    "the strongest frequency",
    "The FFT says how strong each frequency is: which bin is the highest, and which frequency is "
    "that?",
    "An offset is a very strong component at 0 Hz. Take it away before the FFT: what is the mean "
    "of a sound without one?",
    "`argmax` of |rfft| gives the number of a bin (the bars matter: the FFT is complex); "
    "`np.fft.rfftfreq(len(y), 1 / sr)` has the frequencies of all bins.",
)
def strongest_frequency(attempt):
    """strongest_frequency(y, *, sr) → Hz of the strongest component, a constant offset aside."""
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
            raise Wrong(f"{told}. That at 0 Hz is the offset: subtract the mean first")
        if found < 0:
            raise Wrong(f"{told}. A frequency that is heard has no sign")
        of_complex = (
            f"{told}. The FFT is complex: how strong a frequency is, its magnitude says, wherever "
            "in its period a tone begins"
        )
        if phase != usual:  # and all is well with the usual one
            raise Wrong(of_complex)
        for value, within, name in (
            (right / step, 1.5, f"this is the number of a bin, and a bin is sr / n = {step:.4g} "
             "Hz wide"),
            (sr - right, 1.5 * step, "this is its mirror image above sr / 2. `rfft` leaves those "
             "out"),
            (right / 1000, 1.5e-3 * step, "this is in kHz"),
            (right / sr, 1.5 / n, "this is in cycles per sample, not per second"),
            (2 * np.pi * right, 10 * step, "this is an angular frequency, 2 pi too high"),
            (2 * right, 3 * step, "twice as high. Bins lie sr / n apart, n samples and not bins"),
            (right / 2, step, "half as high. Bins lie sr / n apart, n samples and not 2 n"),
            (right, 2.5 * step, f"off by a bin ({step:.4g} Hz)"),
        ):  # fmt: skip
            if abs(found - value) < within:
                raise Wrong(f"{told}: {name}")
        if any(abs(found - f) < 2 * step for _, f in tones):
            raise Wrong(f"{told}: there is a tone, but it is the weaker one")
        raise Wrong(of_complex if _is_of_complex(found, y, sr) else told)


def _is_of_complex(found, y, sr):
    """Whether a frequency is that of the largest real or imaginary part, or of their squares."""
    spectrum, step = np.fft.rfft(y - np.average(y)), sr / len(y)
    parts = [spectrum.real, spectrum.imag, spectrum.real**2, spectrum.imag**2, spectrum**2]
    return any(abs(found - np.argmax(part) * step) < 0.1 * step for part in parts)


@check(
    "3.3",
    "a spectrogram in decibels",
    "librosa has the short-time Fourier transform with just this window and these frames; what it "
    "returns is complex.",
    "Power is the square of the absolute value, and 10 log10 of it are decibels. What is log10 of "
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

    right = _decibels(power())
    n_bins, n_frames = right.shape
    axes = ("1 + n_fft // 2", "n_frames")
    found = need_real(found, axes=axes, why="power is the square of the absolute value")
    explain_frames(found.shape, n_fft, hop_length, len(y))
    if found.shape == right.shape and np.isneginf(found).any():
        raise Wrong("silence becomes -inf: put 1e-10 under the power before the logarithm")
    found = need_array(found, shape=right.shape, axes=axes)
    heard = right > -60  # and not silence, with a floor that may be wrong
    if np.abs(found - right).max() < 0.05:
        return
    if np.abs((found - right)[heard]).max() < 0.05:
        low = found[~heard].min()
        if abs(low - (found.max() - 80)) < 0.1:
            raise Wrong(
                f"it is cut off at {low:.1f} dB, 80 dB below its own maximum: only what lies below "
                "-100 dB is cut off (top_db=None)"
            )
        raise Wrong(f"silence becomes {low:.1f} dB: the least power is 1e-10, which is -100 dB")
    linear, amplitude = 10 ** (right / 10), 10 ** (right / 20)
    say_if(found[heard], [
        (linear[heard], "this is the power itself: the step to decibels is missing"),
        (amplitude[heard], "this is the amplitude, |STFT|: decibels of its square are asked"),
        (right[heard] / 2, "these are 10 log10 of the amplitude, |STFT|: square it first"),
        (2 * right[heard], "these are 20 log10 of the power: it is 10 log10 for power, 20 log10 "
         "for amplitudes"),
        (right[heard] / 10, "these are log10 without the 10 of decibels"),
        (right[heard] / 20, "these are log10 of the amplitude: 10 log10 of its square is asked"),
        (right[heard] * np.log(10) / 10, "these are natural logarithms: decibels are 10 log10"),
        (right[heard] - right.max(), "its highest value is 0 dB: decibels relative to its own "
         "maximum are different for every sound. Relative to 1 they are not"),
    ], within=0.05)  # fmt: skip
    mirror = "the first and last frames are wrong: it mirrors the sound at its ends, and zeros are"
    for options, name in (
        ({"window": "boxcar"}, "there is no window: frames are multiplied with a Hann window"),
        ({"window": "hamming"}, "this is a Hamming window; Hann is asked"),
        (
            {"window": symmetric_hann(n_fft)},
            "its Hann window is the symmetric one, as `np.hanning` has it; that of librosa is the "
            "periodic one",
        ),
        ({"pad_mode": "reflect"}, f"{mirror} asked"),
        ({"pad_mode": "symmetric"}, f"{mirror} asked"),
    ):
        if np.abs(found - _decibels(power(**options))).max() < 0.05:
            raise Wrong(name)
    worst = np.unravel_index(np.abs(found - right).argmax(), right.shape)
    raise Wrong(
        f"bin {worst[0]} of frame {worst[1]} is {found[worst]:.2f} dB, where {right[worst]:.2f} dB "
        "is right"
    )


def _decibels(power):
    """10 log10 of a power, that of silence -100."""
    return 10 * np.log10(np.clip(power, 1e-10, None))


@check(
    "3.4",
    "four inputs from one sound",
    "Two tables of numbers over time, (values, n_frames), and the mean of each over time. The "
    "second one is your spectrogram of exercise 3.3.",
    "As many coefficients as there are mel bands: both n_mfcc and n_mels are 256. "
    "`librosa.feature.mfcc` can be given log-mel bands as S.",
    "`librosa.power_to_db` cuts off 80 dB below the maximum unless top_db is None. Frames lie on "
    "the last axis: the mean goes over axis 1.",
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
            warnings.simplefilter("ignore")  # librosa's, of bands between which there is no bin
            parts = need_parts(call(attempt, y, sr=sr), *names)
            parts = [need_numbers(part, axes=("values",)) for part in parts]
            shapes = [part.shape for part in parts]
            order = [(256, n_frames), (256,), (201, n_frames), (201,)]
            if sorted(shapes) == sorted(order) and shapes != order:
                raise Wrong(f"its arrays are there, but in another order: {', '.join(names)}")
            mfcc, mfcc_pooled, spectrogram, spectrogram_pooled = parts
            with case("mfcc"):
                mfcc = _judge_mfcc(mfcc, y, sr, n_frames)
            with case("spectrogram"):
                if spectrogram.shape in ((513, n_frames), (n_frames, 513)):
                    raise Wrong(
                        "it has 513 bins, which come from n_fft = 1024: here n_fft is 400, which "
                        "gives 201"
                    )
                _judge_spectrogram(spectrogram, y, n_fft=400, hop_length=200)
            with case("mfcc_pooled"):
                _judge_pooled(mfcc_pooled, mfcc)
            with case("spectrogram_pooled"):
                _judge_pooled(spectrogram_pooled, spectrogram)


def _judge_mfcc(found, y, sr, n_frames):
    """`found`, or Wrong unless it is all 256 coefficients of 256 mel bands, without a cut."""
    import librosa

    given = {"hop_length": 200, "n_mels": 256, "n_fft": 1024}

    def bands(**options):
        return librosa.feature.melspectrogram(y=y, **{"sr": sr} | given | options)

    def cepstrum(log_mel, **options):
        return librosa.feature.mfcc(S=log_mel, n_mfcc=256, **options)

    if found.ndim == 2 and found.shape[1] == n_frames and found.shape[0] != 256:
        n = found.shape[0]
        default = {20: ", librosa's default (n_mfcc)", 128: ", from librosa's 128 bands (n_mels)"}
        raise Wrong(f"it has {n} coefficients{default.get(n, '')}, where 256 are asked")
    if found.shape == (256, 1 + len(y) // 512):
        raise Wrong(f"it has {found.shape[1]} frames, librosa's default: hop_length is 200 here")
    if found.shape == (256,):
        raise Wrong(
            f"it is pooled already: shape (256, {n_frames}) is needed, one column per frame"
        )
    right = cepstrum(_decibels(bands()))
    found = need_array(found, shape=right.shape, axes=("256", "n_frames"))
    if np.abs(found - right).max() < 0.05:
        return found
    top = librosa.power_to_db(bands())
    cut = (
        "the log-mel bands are cut off 80 dB below their maximum, which librosa does unless it is "
        "told not to: give `librosa.feature.mfcc` bands S that were made with top_db=None"
    )
    say_if(found, [
        (cepstrum(top), cut),
        (_decibels(bands()), "these are the log-mel bands: the cosine transform is missing"),
        (top, "these are the log-mel bands, cut off 80 dB below their maximum: the cosine "
         "transform is missing"),
        (librosa.power_to_db(bands(), ref=np.max), "these are log-mel bands relative to their own "
         "maximum: the cosine transform is missing"),
        (cepstrum(librosa.power_to_db(bands(), ref=np.max)), "the log-mel bands are relative to "
         "their own maximum, which is different for every sound"),
        (cepstrum(librosa.power_to_db(bands(), ref=np.max, top_db=None)), "the log-mel bands are "
         "relative to their own maximum, which is different for every sound"),
        (cepstrum(bands()), "it transforms power: decibels are transformed"),
        (bands(), "these are mel bands: decibels and the cosine transform are missing"),
        (right * np.log(10) / 10, "it takes natural logarithms: decibels are 10 log10"),
        (right / 10, "it takes log10 without the 10 of decibels"),
        (cepstrum(_decibels(bands()), norm=None), "its cosine transform is not orthonormal "
         '(norm="ortho")'),
        (cepstrum(_decibels(bands(n_fft=2048))), "its frames are 2048 samples long, librosa's "
         "default: n_fft is 1024 here"),
        (cepstrum(_decibels(bands(n_fft=400))), "its frames are 400 samples long, like those of "
         "the spectrogram: n_fft is 1024 here"),
        (cepstrum(_decibels(bands(sr=22050))), f"its mel bands are those of 22050 Hz, librosa's "
         f"default: pass on sr = {sr}"),
        (cepstrum(librosa.power_to_db(bands(n_fft=2048))), "its frames are 2048 samples long and "
         "its bands cut off 80 dB below the maximum, librosa's defaults: n_fft is 1024 here, and "
         "top_db None"),
    ], within=0.05)  # fmt: skip
    worst = np.unravel_index(np.abs(found - right).argmax(), right.shape)
    raise Wrong(
        f"coefficient {worst[0]} of frame {worst[1]} is {found[worst]:.2f}, where "
        f"{right[worst]:.2f} is right. 256 mel bands, n_fft 1024, hop_length 200, decibels, DCT?"
    )


def _judge_pooled(found, whole):
    """Raise Wrong unless `found` is the mean of (values, n_frames) over time."""
    n_values, n_frames = whole.shape
    if found.shape == (n_frames,):
        raise Wrong(
            f"it has {n_frames} values, one per frame: the mean over time (axis 1) leaves one for "
            f"each of {n_values} rows"
        )
    if found.shape == (n_values, 1):
        raise Wrong(
            f"its shape is {found.shape}: ({n_values},), without the axis of time, is asked"
        )
    found = need_array(found, shape=(n_values,), axes=("values",))
    right = np.average(whole, axis=1)
    if np.abs(found - right).max() < 0.05:
        return
    power = 10 ** (np.clip(whole, None, 200) / 10)
    say_if(found, [
        (np.median(whole, axis=1), "this is the median over time; the mean is asked"),
        (whole.max(axis=1), "this is the maximum over time; the mean is asked"),
        (whole.sum(axis=1), "this is the sum over time; the mean is asked"),
        (whole.std(axis=1), "this is the standard deviation over time; the mean is asked"),
        (_decibels(np.average(power, axis=1)), "this is the mean power in decibels: the mean of "
         "the decibels is asked"),
    ], within=0.05)  # fmt: skip
    worst = np.abs(found - right).argmax()
    raise Wrong(
        f"value {worst} is {found[worst]:.2f}, where the mean over time is {right[worst]:.2f}"
    )


@check(
    "3.5",
    "utterances that are held out",
    "A share of each speaker's utterances, and not of all of them: go from speaker to speaker.",
    "Begin with False for all; for each speaker, `np.flatnonzero` finds which are theirs, and "
    "`rng.choice` takes some of these (never one twice).",
    "How many? The share of the speaker's number, rounded, but from 1 to all but one: `np.clip` "
    "does both.",
)
def hold_out(attempt):
    """hold_out(speakers, *, share, rng) → bool (n,), True for held-out utterances."""
    for what, sizes, share in (
        ("three speakers of 10 utterances each", (10, 10, 10), 0.3),
        ("speakers with different numbers of utterances", (4, 7, 9, 13, 20), 0.3),
        ("speakers with few utterances", (2, 3, 2, 4, 6), 0.1),
        ("a large share", (2, 3, 5, 17), 0.85),
        ("half of them", (2, 3, 5, 8, 11), 0.5),
    ):
        rng = np.random.default_rng(34)
        names = rng.choice([str(i) for i in range(100, 999)], len(sizes), replace=False)
        speakers = rng.permutation(np.repeat(names, sizes))
        with case(f"{what}, share {share:g}"):
            masks = []
            for seed in (1, 1, *range(2, 6)):
                found = call(attempt, speakers, share=share, rng=np.random.default_rng(seed))
                masks.append(need_mask(found, len(speakers), each="utterance"))
                _explain_held_out(masks[-1], speakers, share)
            if not np.array_equal(masks[0], masks[1]):
                raise Wrong(
                    "two generators with the same seed give different choices: draw from rng alone"
                )
            if all(np.array_equal(masks[0], mask) for mask in masks):
                raise Wrong("another rng holds out the very same utterances: choose at random")
    speakers = np.array(["b", "a", "b", "c", "b", "a", "c", "b", "a", "c", "c"])
    times = np.zeros(len(speakers), int)
    rng = np.random.default_rng(340)
    for _ in range(100):
        times += need_mask(
            call(attempt, speakers, share=0.3, rng=rng), len(speakers), each="utterance"
        )
    if not times.all():
        raise Wrong(
            f"in 100 tries utterance {times.argmin()} of {len(speakers)} was never held out: each "
            "utterance of a speaker needs the same chance"
        )


def _explain_held_out(mask, speakers, share):
    """Raise Wrong unless of each speaker the share is held out."""
    names, sizes = np.unique(speakers, return_counts=True)
    counts = np.array([mask[speakers == name].sum() for name in names])
    exact = share * sizes
    low, high = np.ceil(exact - 0.5 - 1e-6), np.floor(exact + 0.5 + 1e-6)  # half: either
    low, high = (np.clip(x, 1, sizes - 1) for x in (low, high))
    off = (counts < low) | (counts > high)
    if not off.any():
        return
    k = off.argmax()
    told = f"of {sizes[k]} utterances of speaker {names[k]} it holds out {counts[k]}"
    rest = sizes - counts
    if mask.mean() > 0.5 > share and ((rest >= low) & (rest <= high)).all():
        raise Wrong(f"{told}: True is for those held out, and not for those that stay")
    if ((counts == 0) | (counts == sizes)).all() and 0 < mask.sum() < len(mask):
        raise Wrong(f"{told}: speakers are held out as a whole, and nobody could learn their voice")
    if (counts[off] == 0).all():
        raise Wrong(f"{told}: at least one is, however small the share")
    if (counts[off] == sizes[off]).all():
        raise Wrong(f"{told}: one at least stays to learn from")
    if abs(mask.sum() - share * len(mask)) <= 1 and off.sum() > 1:
        raise Wrong(f"{told}: the share is right of all utterances together, but not of each "
                    "speaker's")  # fmt: skip
    wanted = f"where {share:g} of them, {exact[k]:.4g}, makes {low[k]:g}"
    for name, rounded in (("down", np.floor), ("up", np.ceil)):
        if (counts == np.clip(rounded(exact + 1e-9), 0, sizes)).all() or (
            counts == np.clip(rounded(exact), 1, sizes - 1)
        ).all():
            raise Wrong(f"{told}, {wanted}: it rounds {name}, and not to the nearest")
    raise Wrong(f"{told}, {wanted}")


@check(
    "3.6",
    "a stretch of one length",
    "First make sure that the sound is long enough, then draw where the stretch begins.",
    "The last stretch that fits begins at len(y) - n_samples. `rng.integers(k)` draws from 0 to "
    "k - 1: what must k be?",
    "`np.resize(y, n)` repeats a sound from its beginning until it has n samples. Only a sound "
    "that is too short needs that.",
)
def random_crop(attempt):
    """random_crop(y, *, n_samples, rng) → (n_samples,), from anywhere in y."""
    for n, n_samples, tries in ((14, 10, 1000), (12, 10, 1000), (11, 10, 400), (10, 10, 100)):
        y = np.arange(1, n + 1) / 64
        n_starts = n - n_samples + 1
        rng = np.random.default_rng(36)
        with case(f"{n_samples} of {n} samples"):
            starts = [_start_of(call(attempt, y, n_samples=n_samples, rng=rng), y, n_samples)
                      for _ in range(tries)]  # fmt: skip
            explain_starts(starts, n_starts)
            again = [
                [_start_of(call(attempt, y, n_samples=n_samples, rng=r), y, n_samples)
                 for _ in range(20)]
                for r in (np.random.default_rng(3), np.random.default_rng(3))
            ]  # fmt: skip
            if again[0] != again[1]:
                raise Wrong(
                    "two generators with the same seed give different stretches: draw from rng "
                    "alone"
                )
    for n, n_samples in ((6, 15), (5, 10), (9, 10), (1, 4)):
        y = np.arange(1, n + 1) / 64
        rng = np.random.default_rng(360)
        with case(f"{n_samples} samples of a sound that has {n}"):
            for _ in range(10):
                found = call(attempt, y, n_samples=n_samples, rng=rng)
                found = need_array(found, shape=(n_samples,), axes=("n_samples",))
                # A sound that is repeated may be cut anywhere: it goes round and round.
                first = np.argmin(np.abs(y - found[0]))
                right = y[(first + np.arange(n_samples)) % n]
                if not np.allclose(found, right):
                    _explain_lengthened(found, right, y)


def _start_of(found, y, n_samples):
    """Where in y (whose samples are 1/64, 2/64, …) a stretch begins; or Wrong, if it is none."""
    found = need_array(found, shape=(n_samples,), axes=("n_samples",))
    places = np.round(found * 64).astype(int) - 1
    if not np.allclose(found * 64, places + 1):
        raise Wrong("its samples are not those of the sound: they come back as they are")
    steps = np.diff(places)
    if (steps == 1).all() and places[0] >= 0:
        return int(places[0])
    if (places < 0).any():
        raise Wrong(
            f"{(places < 0).sum()} of its samples are zeros, though the sound is long enough"
        )
    if np.isin(steps, (1, 1 - len(y))).all():
        raise Wrong(
            "it runs over the end of the sound and goes on from its beginning: the last stretch "
            f"that fits begins at sample {len(y) - n_samples}"
        )
    raise Wrong(f"it is no stretch of the sound: after sample {places[np.argmax(steps != 1)]} "
                f"comes sample {places[np.argmax(steps != 1) + 1]}")  # fmt: skip


def _explain_lengthened(found, right, y):
    """Say what is wrong with a sound that was too short."""
    n = len(y)
    zeros = found == 0
    if zeros.any():
        where = "before and after" if zeros[0] and zeros[-1] else "before" if zeros[0] else "after"
        raise Wrong(f"there are zeros {where} the sound: it is repeated, not padded")
    if not np.isclose(found[:, None], y).any(axis=1).all():
        raise Wrong("its samples are not those of the sound: they come back as they are")
    if n > 1 and np.allclose(found[:n], y) and np.allclose(found[n:], y[-1]):
        raise Wrong("after the sound comes its last sample, again and again: repeat the whole")
    at = int(np.argmax(~np.isclose(found, right)))
    raise Wrong(
        f"after the first {at} samples it goes on with {found[at] * 64:g} / 64, where "
        f"{right[at] * 64:g} / 64 is right: after its end the sound begins again"
    )


@check(
    "3.7",
    "a batch of crops",
    "For each number in `chosen`: take its frames, draw a start, cut. Then put the cuts together.",
    "Each crop has a start of its own, from 0 to the length of *this* utterance minus n_frames. "
    "Time is the first axis.",
    "`np.stack` makes one array of a list of crops, and `.astype(np.float32)` what a network "
    "takes. The labels are those at the places `chosen`.",
)
def batch(attempt):
    """batch(frames, labels, chosen, *, n_frames, rng) → (x, y), a crop of each chosen utterance."""
    n_values, n_frames = 6, 8
    lengths = (8, 30, 12, 8, 45, 11, 20)
    # Every number says where it is from: utterance, frame and value, all exact in float32.
    frames = [
        10000.0 * (i + 1) + 100 * np.arange(n)[:, None] + np.arange(n_values)
        for i, n in enumerate(lengths)
    ]
    labels = np.array([4, 1, 3, 1, 0, 2, 4])
    for what, dtype, chosen in (
        ("three utterances", np.float64, [5, 1, 4]),
        ("utterances in any order, one of them twice", np.float32, [4, 6, 2, 1, 4]),
        ("all utterances", np.float32, [0, 1, 2, 3, 4, 5, 6]),
        ("one utterance", np.float32, [2]),
    ):
        chosen = np.array(chosen)
        given = [array.astype(dtype) for array in frames]
        rng = np.random.default_rng(37)
        with case(what):
            draws = []
            for _ in range(12):
                found = call(attempt, given, labels, chosen, n_frames=n_frames, rng=rng)
                draws.append(_judge_batch(found, labels, chosen, (n_frames, n_values)))
            _explain_draws(np.array(draws), [lengths[i] - n_frames for i in chosen], chosen)
    given, draws = [array.astype(np.float32) for array in frames], []
    for rng in (np.random.default_rng(7), np.random.default_rng(7)):
        found = call(attempt, given, labels, np.array([4, 1, 6]), n_frames=n_frames, rng=rng)
        draws.append(np.asarray(found[0]))
    if not np.array_equal(*draws):
        raise Wrong("two generators with the same seed give different crops: draw from rng alone")
    rng, starts = np.random.default_rng(370), []
    for _ in range(1000):
        x = call(attempt, given, labels, np.array([5]), n_frames=n_frames, rng=rng)[0]
        starts.append(int(np.asarray(x).flat[0] % 10000 // 100))
    with case(f"{n_frames} of {lengths[5]} frames"):
        explain_starts(starts, lengths[5] - n_frames + 1, "frame")


def _judge_batch(found, labels, chosen, shape):
    """The starts of the crops, or Wrong. shape: (n_frames, n_values) of a crop."""
    n_frames, n_values = shape
    x, y = need_parts(found, "x", "y")
    axes = ("len(chosen)", "n_frames", "n_values")
    if isinstance(x, list | tuple):
        raise Wrong("x is a list of crops: one array (len(chosen), n_frames, n_values) is needed")
    full = (len(chosen), *shape)
    if np.shape(x) == (len(chosen), n_values, n_frames):
        raise Wrong(f"x has shape {np.shape(x)}: time comes before the values, {full}")
    if np.shape(x) == (n_frames * len(chosen), n_values):
        raise Wrong(f"x has shape {np.shape(x)}, all crops in one row: stack them, {full}")
    with case("x"):
        need_array(x, shape=full, axes=axes)
    x = np.asarray(x)
    if x.dtype != np.float32:
        raise Wrong(f"x is {x.dtype}: a network takes float32, half the memory of float64")
    y = plain(y, what="y")
    if y.shape == labels.shape != chosen.shape:
        raise Wrong(f"y has {len(y)} labels, those of all utterances: x has {len(chosen)} crops")
    if y.shape != chosen.shape:
        raise Wrong(f"y has shape {y.shape}, where ({len(chosen)},) is needed, a label per crop")
    if y.dtype.kind not in "iu":
        raise Wrong(f"y is {y.dtype}: labels are whole numbers")
    source, frame, value = x // 10000 - 1, x % 10000 // 100, x % 100
    if (x <= 0).any():
        raise Wrong("x holds zeros that are in no utterance")
    if not (value == np.arange(n_values)).all():
        raise Wrong("the values of a frame are not in their order: only time is cropped")
    if not (source == source[:, :1, :1]).all():
        raise Wrong("a crop holds frames of several utterances")
    source = source[:, 0, 0].astype(int)
    if not np.array_equal(source, chosen):
        raise Wrong(
            f"chosen is {chosen.tolist()}, and the crops are of utterances {source.tolist()}: they "
            "come in the order of `chosen`"
        )
    steps = np.diff(frame[:, :, 0], axis=1)
    if not (steps == 1).all():
        raise Wrong("the frames of a crop do not follow each other: it is one stretch of time")
    if np.array_equal(y, labels[chosen]):
        return frame[:, 0, 0].astype(int)
    told = f"y is {y.tolist()}, where {labels[chosen].tolist()} are the labels of the crops"
    if np.array_equal(y, chosen):
        raise Wrong(f"{told}: these are the numbers of the utterances")
    if np.array_equal(y, labels[: len(chosen)]):
        raise Wrong(f"{told}: these are the first {len(chosen)} labels, not those of `chosen`")
    raise Wrong(told)


def _explain_draws(draws, last, chosen):
    """Raise Wrong unless starts are drawn. draws: (times, crops). last: the last of each crop."""
    free = np.flatnonzero(np.array(last) > 2)
    draws, last, chosen = draws[:, free], np.array(last)[free], chosen[free]
    if (draws == draws[0]).all():
        starts = ", ".join(str(start) for start in sorted(set(draws[0].tolist())))
        raise Wrong(
            f"its crops always begin at the same frames ({starts}): each start is drawn with rng"
        )
    if len(free) < 2:
        return
    if (draws == np.minimum(draws.max(axis=1, keepdims=True), last)).all():
        raise Wrong(
            f"all crops of a batch begin at the same frame ({draws[0].max()}, then "
            f"{draws[1].max()}): each crop has a start of its own"
        )
    if draws.max() <= last.min():
        raise Wrong(
            f"no crop begins after frame {last.min()}, where the shortest utterance ends it: each "
            "has its own last place"
        )
    for i in np.flatnonzero(np.bincount(chosen) > 1):
        same = draws[:, chosen == i]
        if (same == same[:, :1]).all():
            raise Wrong(
                f"utterance {i} is chosen twice, and both crops are always the same: each has a "
                "start of its own"
            )


# --- networks -------------------------------------------------------------------------------------


@check(
    "3.8",
    "a dense network",
    "From the input through one or two blocks to the output: dense, batch normalisation, "
    "activation, dropout. The output is a dense layer of its own.",
    "`keras.Input((n_values,))` is where it begins; each layer is called with what the one before "
    "returned; `keras.Model(inputs, outputs)` ends it.",
    "`layers.Dense`, `layers.BatchNormalization`, `layers.ReLU`, `layers.Dropout`, and as the last "
    "layer a `Dense` with n_classes units and without an activation.",
)
def dense_network(attempt):
    """dense_network(n_values, n_classes) → keras.Model, (n_values,) → logits (n_classes,)."""
    n_values, n_classes = 256, 20
    with case(f"{n_values} values, {n_classes} classes"):
        _, parts = built_network(attempt, n_values, n_classes, most=MOST)
        if sum(type(part).__name__ == "Dense" for part in parts) < 2:
            raise Wrong(
                f"it has no hidden dense layer ({names_of(parts)}): the output's own does not count"
            )
    judge_other_sizes(attempt, 40, 7)


@check(
    "3.9",
    "a network that convolves over time",
    "`Conv1D` goes along the first axis after the batch, which is time, and sees all values of "
    "its frames at once.",
    "A block is convolution, batch normalisation, activation, pooling. After the last, what is "
    "left of time is pooled as a whole.",
    "`layers.GlobalAveragePooling1D` leaves one number per channel however long the input is; "
    "`Flatten` leaves more the longer it is. Then dropout and the output.",
)
def conv1d_network(attempt):
    """conv1d_network(n_frames, n_values, n_classes) → keras.Model → logits (n_classes,)."""
    n_frames, n_values, n_classes = 240, 256, 20
    with case(f"{n_frames} frames of {n_values} values, {n_classes} classes"):
        with quick_weights():
            network = call(attempt, n_frames, n_values, n_classes)
        parts = judge_shapes(network, (n_frames, n_values), n_classes)
        _explain_convolutions(parts, n_frames, n_values)
        judge_network(network, (n_frames, n_values), n_classes, most=MOST)
    judge_lengths(attempt, network, n_frames, n_values, n_classes)
    judge_reach(network, (n_frames, n_values))
    judge_other_sizes(attempt, 300, 270, 7)


def _explain_convolutions(parts, n_frames, n_values):
    """Raise Wrong unless convolutions over time, with all values as channels, come first."""
    found = [part for part in parts if type(part).__name__.endswith("Conv1D")]
    if not found:
        raise Wrong(f"there is no Conv1D among its layers: {names_of(parts)}")
    first = next((k for k in map(_kernel, found) if k is not None), None)
    if first is None:
        return
    n_seen = first.shape[-2] * getattr(found[0], "groups", 1)
    told = f"the first convolution sees {n_seen} channels, where a frame has {n_values} values"
    if n_seen == n_frames:
        raise Wrong(f"{told}: it runs over the values instead of over time")
    if n_seen != n_values:
        raise Wrong(f"{told}: each of them is a channel of its input")
    if all(max(part.kernel_size) == 1 for part in found):
        raise Wrong("all its kernels are 1 frame long: no two frames are ever seen together")


def _kernel(layer):
    """The kernel of a convolution, that over time of a separable one."""
    kernel = getattr(layer, "depthwise_kernel", None)
    return getattr(layer, "kernel", None) if kernel is None else kernel


@check(
    "3.10",
    "a residual block",
    "Two ways lead from x to the sum: one through both convolutions, the other past them.",
    "The ways must have one shape where they meet. Where strides or channels change it, a 1x1 "
    "convolution with the same strides brings x to this shape.",
    "`layers.Add()([shortcut, y])`, and the last ReLU after that, with none just before it. x fits "
    "as it is where strides are 1 and x.shape[-1] is `channels` already.",
)
def residual_block(attempt):
    """residual_block(x, channels, *, strides) → Keras tensor (batch, time, bands, channels)."""
    for what, n_channels, strides in (
        ("4 channels become 4, strides 1", 4, 1),
        ("4 channels become 4, strides 2", 4, 2),
        ("2 channels become 4, strides 1", 2, 1),
    ):
        fits = (n_channels, strides) == (4, 1)
        with case(what):
            model, parts = block_of(attempt, (9, 6, n_channels), 4, strides)
            threes = _explain_block(parts, strides, fits)
            if fits or strides == 2:
                judge_block(model, parts, *threes, fits=fits)


def _explain_block(parts, strides, fits):
    """The two convolutions of a residual block, or Wrong unless it has the layers it needs."""
    from keras import layers

    convolutions = [part for part in parts if isinstance(part, layers.Conv2D)]
    sizes = [tuple(part.kernel_size) for part in convolutions]
    threes = [part for part in convolutions if tuple(part.kernel_size) == (3, 3)]
    told = f"its kernels are {', '.join(f'{a}x{b}' for a, b in sizes) or 'none at all'}"
    if len(threes) != 2:
        raise Wrong(f"{told}: two convolutions of 3x3 are needed")
    if fits and len(sizes) > 2:
        raise Wrong(f"{told}: where x has the right shape already, the shortcut is x itself")
    if not fits and sizes.count((1, 1)) != 1:
        raise Wrong(f"{told}: a 1x1 convolution brings x to the shape of the sum")
    for part in convolutions:
        if activation_of(part) != "linear":
            size = "x".join(map(str, part.kernel_size))
            raise Wrong(
                f"a convolution of {size} has the activation {activation_of(part)!r} built in: "
                + (
                    "batch normalisation comes first, and a ReLU after that of the first one"
                    if part in threes
                    else "the shortcut is added as it is, and ReLU comes after the sum"
                )
            )
    found = [tuple(part.strides) for part in threes]
    if found == [(1, 1), (strides, strides)] and strides != 1:
        raise Wrong(
            "the strides are those of the second convolution: with them in the first, the second "
            "has less to do"
        )
    n = sum("BatchNorm" in type(part).__name__ for part in parts)
    if n < 2:
        raise Wrong(f"it has {n} batch normalisations: one comes after each of the convolutions")
    if not any(type(part).__name__ == "Add" for part in parts):
        raise Wrong(f"nothing is added up in it: {names_of(parts)}")
    return threes


@check(
    "3.11",
    "a network that convolves over time and frequency",
    "`Conv2D` wants an axis of channels, which is missing in the input: one layer adds it.",
    "`layers.Reshape((n_frames, n_values, 1))`, then some of your residual blocks, each with "
    "strides 2 and more channels than the one before.",
    "`layers.GlobalAveragePooling2D` leaves one number per channel; then dropout and a dense layer "
    "without an activation. `network.summary()` shows where the parameters are.",
)
def conv2d_network(attempt):
    """conv2d_network(n_frames, n_values, n_classes) → keras.Model → logits (n_classes,)."""
    n_frames, n_values, n_classes = 240, 201, 20
    with case(f"{n_frames} frames of {n_values} values, {n_classes} classes"):
        network, parts = built_network(attempt, n_frames, n_values, n_classes, most=MOST)
        kinds = {type(part).__name__ for part in parts}
        if not any(kind.endswith("Conv2D") for kind in kinds):
            raise Wrong(f"there is no Conv2D among its layers: {names_of(parts)}")
        if "Add" not in kinds:
            raise Wrong(f"no residual connection adds anything up in it: {names_of(parts)}")
        judge_picture(network, parts, n_frames, n_values)
    judge_lengths(attempt, network, n_frames, n_values, n_classes)
    judge_reach(network, (n_frames, n_values))
    judge_other_sizes(attempt, 300, 220, 7)


@check(
    "3.12",
    "how many numbers a network holds",
    "A network knows its weights, all of them (`weights`) and those that training changes "
    "(`trainable_weights`).",
    "Each weight is an array: how many numbers are in one whose shape is known?",
    "The product of the shape (`np.prod`), summed over the weights, for either list. A layer that "
    "is used twice is in the lists once.",
)
def parameter_count(attempt):
    """parameter_count(network) → (trainable, all)."""
    for what, network in _counted():
        trainable, every = (
            sum(math.prod(w.shape) for w in weights)
            for weights in (network.trainable_weights, network.weights)
        )
        with case(what):
            found = call(attempt, network)
            found = need_parts(found, "trainable", "all")
            found = tuple(need_number(value, what="how many there are") for value in found)
            if found == (trainable, every):
                continue
            told = f"it returns ({found[0]:g}, {found[1]:g}), where {(trainable, every)} is right"
            if found == (every, trainable):
                raise Wrong(f"{told}: the trainable ones come first")
            if found == (trainable, every - trainable):
                raise Wrong(f"{told}: the second are all of them, and not only the others")
            if found == (len(network.trainable_weights), len(network.weights)):
                raise Wrong(f"{told}: these are arrays; count the numbers in them")
            if found == (every, every):
                raise Wrong(f"{told}: {every - trainable} of them are not changed in training")
            if found == (trainable, trainable):
                raise Wrong(f"{told}: all of them includes what training does not change")
            if found[1] > every and any("Dropout" in type(p).__name__ for p in parts_of(network)):
                raise Wrong(f"{told}: the state of the random numbers in dropout is no weight")
            parts = [network, *parts_of(network)]
            is_frozen = not all(getattr(part, "trainable", True) for part in parts)
            more = found[0] > trainable and found[1] == every
            if more and is_frozen:
                raise Wrong(f"{told}: frozen layers are not trained either (layer.trainable)")
            if found[1] > every or (more and len(set(map(id, parts))) < len(parts)):
                raise Wrong(f"{told}: a layer that is used twice has its weights only once")
            if found[1] < every:
                raise Wrong(f"{told}: some are missing. Is there a model in the model?")
            raise Wrong(told)


def _counted():
    """Networks to be counted: (what it is, network). Zeros, because nothing is computed."""
    import keras
    from keras import layers

    def dense(units, **options):
        return layers.Dense(units, kernel_initializer="zeros", **options)

    inputs = keras.Input((5,))
    yield "two dense layers", keras.Model(inputs, dense(3)(dense(4)(inputs)))
    x = layers.Dropout(0.5)(layers.BatchNormalization()(dense(4, use_bias=False)(inputs)))
    yield "with batch normalisation and dropout", keras.Model(inputs, dense(3)(x))
    frozen = dense(6, trainable=False)
    x = layers.BatchNormalization()(frozen(inputs))
    yield "with a frozen layer", keras.Model(inputs, dense(3)(x))
    shared = dense(5)
    inner_input = keras.Input((5,))
    inner = keras.Model(inner_input, layers.BatchNormalization()(shared(inner_input)))
    yield (
        "with a model in it, whose layer is used outside too",
        keras.Model(inputs, dense(2)(inner(shared(shared(inputs))))),
    )
    network = keras.Model(inputs, dense(3)(inputs))
    network.trainable = False
    yield "frozen as a whole", network


EPOCHS = 7  # of 3.13: enough for every usual optimiser


@check(
    "3.13",
    "an optimiser and a loss",
    "The network gives logits, and the labels are the numbers of the classes: which "
    "cross-entropy takes just these?",
    "`keras.losses.SparseCategoricalCrossentropy` takes whole numbers as labels, and has to be "
    "told that it gets logits.",
    '`network.compile(optimizer=…, loss=…, metrics=["accuracy"])`: Adam with a learning rate of '
    "about 1e-3 is a good start, and the loss needs from_logits=True.",
)
def compile_network(attempt):
    """compile_network(network) → nothing, or the network; compiled for labels and logits."""
    import keras

    x, y, network = _easy_problem()
    found = call(attempt, network)
    network = found if isinstance(found, keras.Model) else network
    before = network.get_weights()
    if not getattr(network, "compiled", False):
        raise Wrong("the network is not compiled: call `network.compile` with optimizer and loss")
    if network.loss is None:
        raise Wrong("it is compiled without a loss: nothing would be learnt")
    _explain_loss(network)
    try:
        fitted = network.fit(x, y, batch_size=10, epochs=EPOCHS, shuffle=False, verbose=0)
    except Exception as error:  # whatever a wrong metric or a wrong loss makes of it
        raise Wrong(f"training stops with a {type(error).__name__}: {_first_line(error)}") from None
    history = fitted.history["loss"]
    share = np.mean(run(network, x, training=False).argmax(axis=1) == y)
    most = np.fmin(history[0], np.log(3))  # less than in the beginning, and than by guessing
    if share >= 0.9 and history[-1] < most:
        return
    rate = float(keras.ops.convert_to_numpy(network.optimizer.learning_rate))
    told = f"after {EPOCHS} epochs on three classes that lie well apart {share:.0%} are right"
    if share < 0.9:
        told += " (90% are needed)"
    told += f", and the loss went from {history[0]:.3g} to {history[-1]:.3g}"
    if history[-1] >= history[0]:
        told += " (it has to fall)"
    elif not history[-1] < most:
        told += f" (below {most:.2g}, that of guessing, is needed)"
    told += ". "
    after = network.get_weights()
    moved = max(np.abs(a - b).max() for a, b in zip(before, after, strict=True))
    largest, largest_before = (max(np.abs(w).max() for w in all_) for all_ in (after, before))
    is_level = max(history) - min(history) < 0.1 * abs(history[0])
    if not np.isfinite([moved, *history]).all() or (moved > 1 and largest > 1.5 * largest_before):
        raise Wrong(f"{told}The weights jump about: is a learning rate of {rate:.3g} too high?")
    if is_level:  # an optimiser may have moved the weights by a lot, and all to 0
        raise Wrong(f"{told}The loss hardly moves: is a learning rate of {rate:.3g} too low?")
    if moved < 0.1:
        raise Wrong(f"{told}It learns slowly: is a learning rate of {rate:.3g} too low?")
    raise Wrong(f"{told}Are optimiser and loss fit for whole numbers as labels, and logits?")


def _easy_problem():
    """Three clouds of points, their classes, and a small network for them with fixed weights."""
    import keras
    from keras import layers

    rng = np.random.default_rng(313)
    y = rng.permutation(np.arange(200) % 3)
    centres = np.array([[1.8, 0, 0, -1.2], [0, 1.8, -1.2, 0], [-1.8, -1.8, 1.2, 1.2]])
    x = (centres[y] + 0.8 * rng.standard_normal((200, 4))).astype(np.float32)
    inputs = z = keras.Input((4,))
    for units, activation in ((96, "relu"), (96, "relu"), (3, None)):
        z = layers.Dense(units, activation=activation, kernel_initializer="zeros")(z)
    network = keras.Model(inputs, z)
    network.set_weights(
        [rng.normal(0, len(w) ** -0.5, w.shape) if w.ndim > 1 else w for w in network.get_weights()]
    )
    return x, y, network


def _explain_loss(network):
    """Raise Wrong for a loss that does not fit whole numbers as labels, and logits."""
    from keras import ops

    loss = network.loss
    if isinstance(loss, dict | list | tuple) and len(loss) == 1:
        loss = next(iter(loss.values() if isinstance(loss, dict) else loss))
    name = loss if isinstance(loss, str) else getattr(loss, "__name__", type(loss).__name__)
    plain = name.lower().replace("_", "")
    integers = "the labels are whole numbers, which SparseCategoricalCrossentropy takes"
    if plain.startswith("categorical"):
        raise Wrong(f"the loss {name} wants labels of 0 and 1, one column per class: {integers}")
    if plain.startswith(("binary", "bce")):
        raise Wrong(f"the loss {name} is for two classes or yes and no: {integers}")
    if plain.startswith(("mean", "mse", "mae", "huber", "logcosh", "cosine", "kl")):
        raise Wrong(
            f"the loss {name} compares numbers, and class 2 is not twice class 1: {integers}"
        )
    logits = np.array([[2.0, -1.0, 0.5], [0.0, 3.0, 1.0]], np.float32)
    right = np.mean(np.log(np.exp(logits).sum(axis=1)) - logits[[0, 1], [0, 2]])
    try:
        value = network.compute_loss(
            x=None, y=ops.convert_to_tensor([0, 2]), y_pred=ops.convert_to_tensor(logits)
        )
        value = float(ops.convert_to_numpy(value))
    except Exception as error:
        raise Wrong(
            f"the loss {name} stops with a {type(error).__name__}: {_first_line(error)}"
        ) from None
    if not np.isclose(value, right, rtol=1e-3) and plain.startswith("sparse"):
        raise Wrong(
            f"the loss {name} takes the output for probabilities, and it is logits: "
            "from_logits=True"
        )


def _first_line(error):
    """What an error says, for a message."""
    return next((line.strip()[:200] for line in str(error).splitlines() if line.strip()), "")


# --- what a network says --------------------------------------------------------------------------


@check(
    "3.14",
    "who speaks, from several crops",
    "Every crop has its own probabilities (softmax over the classes); their mean is the verdict.",
    "`scipy.special.softmax` is safe for large logits; its `axis` is the one that adds up to 1.",
    "The mean over the crops goes over axis 0. `argmax` of it is the number of the speaker, with "
    "which `names` has the name.",
)
def predict_speaker(attempt):
    """predict_speaker(logits, names) → (name, probability); logits: (n_crops, n_classes)."""
    names = ["Ada", "Ben", "Cleo", "Dov"]
    rng = np.random.default_rng(319)
    for what, logits in (
        ("five crops", rng.normal(0, 2, (5, 4))),
        ("one crop", np.array([[0.1, 0.3, 2.0, -1.0]])),
        ("a crop that is very sure of another speaker than the rest",
         np.array([[-5, 30, 0, 0], [2, 0, 0, 0], [2, 0, 1, 0], [2, 1, 0, 0.0]])),
        ("three crops for one speaker, just about, and two clearly for another",
         np.array([[1, 0, 1.2, 0], [1, 0, 1.2, 0], [1, 0, 1.2, 0], [6, 0, 0, 0], [6, 0, 0, 0.0]])),
        ("large logits", np.array([[990, 1000, 998, 5], [998, 1000, 999.0, 0]])),
        ("large negative logits", np.array([[-1000, -2000, -1001, -1500.0]])),
    ):  # fmt: skip
        shares = np.exp(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True))
        mean = np.average(shares, axis=0)
        right = names[mean.argmax()], mean.max()
        with case(what):
            name, probability = need_parts(call(attempt, logits, names), "name", "probability")
            if isinstance(probability, str) and not isinstance(name, str):
                raise Wrong("the name comes first, then its probability")
            if not isinstance(name, str):
                raise Wrong(
                    f"the first it returns is {name}: the name is asked, which `names` has at "
                    "the place of the highest probability"
                )
            if _is_nan(probability):
                raise Wrong(
                    "the probability is NaN: e to the power of a large logit is infinite. Subtract "
                    "the crop's highest logit first, or use `scipy.special.softmax`"
                )
            probability = need_number(probability, what=f"the probability of {name}")
            if name == right[0] and abs(probability - right[1]) < 1e-3:
                continue
            _explain_prediction(name, probability, right, logits, shares, names)


def _explain_prediction(name, probability, right, logits, shares, names):
    """Say what is wrong with a name and its probability."""
    told = f"it returns {name}, {probability:.3f}, where {right[0]}, {right[1]:.3f} is right: "
    logit, over_crops = np.average(logits, axis=0), np.exp(logits - logits.max(axis=0))
    once = np.exp(logit - np.logaddexp.reduce(logit))
    votes = np.bincount(shares.argmax(axis=1), minlength=len(names)) / len(shares)
    over_crops = np.average(over_crops / over_crops.sum(axis=0), axis=0)
    everything = np.exp(logits - np.logaddexp.reduce(logits, axis=None)).sum(axis=0)
    mean = np.average(shares, axis=0)
    for scores, what in (
        (once, "this is the softmax of the mean logits. Softmax comes first, then the mean, so "
         "that no single crop outvotes the others"),
        (votes, "this counts votes: how sure a crop is counts as well"),
        (len(shares) * mean, "these are sums over the crops: take the mean"),
        (100 * mean, "this is in percent: from 0 to 1 is asked"),
        (logit, "this is a mean of logits: softmax makes probabilities of them"),
        (over_crops, "its softmax goes over the crops (axis 0): the probabilities of one crop add "
         "up to 1 (axis 1)"),
        (everything, "its softmax goes over all logits at once: each crop's add up to 1 (axis 1)"),
        (shares.max(axis=0), "this is the highest of any crop; the mean over the crops is asked"),
        (1 / (1 + np.exp(-np.clip(logit, -50, 50))), "this is a sigmoid; softmax is asked"),
        (shares[0], "this is the first crop alone"),
        (shares[-1], "this is the last crop alone"),
    ):  # fmt: skip
        if name == names[np.argmax(scores)] and abs(probability - np.max(scores)) < 1e-3:
            raise Wrong(f"{told}{what}")
    if name == right[0]:
        raise Wrong(f"{told}the name is, but not the probability")
    raise Wrong(f"{told}softmax of each crop, mean over the crops, the highest of these")


@check(
    "3.15",
    "precision, recall and F1 of many classes",
    "Each class has a precision, a recall and an F1 of its own; the mean over the classes comes "
    "last.",
    "scikit-learn has all three in one (`precision_recall_fscore_support`). Which `average` gives "
    "every class the same weight?",
    "A class that nobody guessed has a precision of 0 / 0; here that is 0 (`zero_division`). What "
    "the function returns fourth is not asked.",
)
def macro_scores(attempt):
    """macro_scores(truth, guess) → (precision, recall, f1), means over the classes."""
    names = ("precision", "recall", "f1")
    rng = np.random.default_rng(317)
    truth = rng.permutation(np.repeat([0, 1, 2, 3], [20, 10, 5, 3]))
    guess = np.where(rng.random(38) < 0.6, truth, rng.choice(4, 38, p=[0.1, 0.1, 0.2, 0.6]))
    for what, a, b in (
        ("all are right", truth, truth.copy()),
        ("four classes, some of them rare", truth, guess),
        ("class 3 is never guessed", truth, np.where(guess == 3, 0, guess)),
        ("class 4 is guessed, but is never true", truth, np.where(guess == truth, guess, 4)),
        ("there is no class 2", truth[truth != 2], np.where(guess == 2, 3, guess)[truth != 2]),
    ):
        right = _macro(a, b)
        with case(what):
            found = need_parts(call(attempt, a, b), *names)
            if any(plain(p, what=name).ndim for p, name in zip(found, names, strict=True)):
                raise Wrong(
                    f"it returns one value per class ({np.size(found[0])}): the mean over the "
                    "classes is asked"
                )
            if any(_is_nan(part) for part in found):
                raise Wrong("it returns NaN: a class without guesses has 0 / 0, which is 0 here")
            found = [need_number(p, what=name) for p, name in zip(found, names, strict=True)]
            if np.allclose(found, right, atol=1e-3):
                continue
            _explain_scores(np.array(found), right, a, b)


def _macro(truth, guess, *, average="macro", **options):
    """scikit-learn's precision, recall and F1."""
    from sklearn import metrics

    options = {"zero_division": 0.0} | options
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = metrics.precision_recall_fscore_support(truth, guess, average=average, **options)
    return np.array(found[:3], float)


def _explain_scores(found, right, truth, guess):
    """Say what is wrong with precision, recall and F1."""
    shown = [f"({', '.join(f'{x:.3f}' for x in scores)})" for scores in (found, right)]
    told = f"it returns {shown[0]}, where {shown[1]} is right: "
    occur = np.union1d(truth, guess)
    say_if(found, [
        (_macro(truth, guess, average="micro"), "this counts all utterances alike (micro), so that "
         "classes with many of them decide. Every class has the same weight"),
        (_macro(truth, guess, average="weighted"), "classes are weighted by their utterances "
         "(weighted). Every class has the same weight"),
        (_macro(truth, guess, labels=np.unique(truth)), "classes that are guessed but never true "
         "are left out: they count as well"),
        (_macro(truth, guess, labels=np.unique(guess)), "classes that are never guessed are left "
         "out: they count as well"),
        (_macro(truth, guess, labels=np.arange(occur.max() + 1)), "it takes the mean over classes "
         "that occur neither in truth nor in guess: there are "
         f"{len(occur)}"),
        (_macro(truth, guess, zero_division=1.0), "a class that is never guessed, or never true, "
         "counts as 1 where it is 0 / 0: 0 is asked"),
        (_macro(truth, guess, zero_division=np.nan), "classes with 0 / 0 are left out: they count "
         "as 0"),
        (right[[1, 0, 2]], "precision and recall are the wrong way round. Precision, the share of "
         "the guesses that are right, comes first"),
        (right[[2, 0, 1]], "precision, recall, f1 is the order"),
        (100 * right, "these are percent"),
    ], within=1e-3, told=told)  # fmt: skip
    if np.allclose(found[:2], right[:2], atol=1e-3):
        both = 2 * right[0] * right[1] / (right[0] + right[1])
        say_if(found[2], [
            (both, "f1 is that of the two means: it is the mean of the classes' own F1"),
            ((right[0] + right[1]) / 2, "f1 is the plain mean of both: each class has an F1 of its "
             "own, 2 p r / (p + r)"),
        ], within=5e-4, told=told)  # fmt: skip
    off = np.flatnonzero(np.abs(found - right) > 1e-3)
    wrong = [("precision", "recall", "f1")[k] for k in off]
    raise Wrong(f"{told}{' and '.join(wrong)} of each class first, then the mean over all classes "
                "in truth or guess")  # fmt: skip


@check(
    "3.16",
    "a network that ends at the embedding",
    "A model is made from a beginning and an end that exist already: no layer is made anew.",
    "A network has `input`, and it gives you a layer by its name; a layer has `output`.",
    "`keras.Model(…, …)` with the network's input and the output of `network.get_layer(…)`.",
)
def embedding_model(attempt):
    """embedding_model(network) → keras.Model, up to the layer "embedding", with its weights."""
    import keras

    rng = np.random.default_rng(316)
    for what, network, x in _with_embeddings(rng):
        embedding = network.get_layer("embedding")
        with case(what):
            found = call(attempt, network)
            if callable(found) and not isinstance(found, keras.layers.Layer):
                raise Wrong("it returns a function: a `keras.Model` is needed")
            need_value(found)
            if found is embedding:
                raise Wrong("it returns the layer alone: a `keras.Model` from the network's input "
                            "to this layer's output is needed")  # fmt: skip
            if found is network:
                raise Wrong("it returns the network itself, which ends with the logits")
            shape, given = need_model(found)
            if isinstance(given, list | dict) and len(given) > 1:
                raise Wrong(
                    f"it has {len(given)} outputs: that of layer 'embedding' alone is asked"
                )
            if not fits_shape(shape, network.input_shape):
                raise Wrong(
                    f"its input has the shape {shape}, and that of the network is "
                    f"{network.input_shape}: it begins where the network begins"
                )
            known = {id(weight) for weight in network.weights}
            new = [weight for weight in found.weights if id(weight) not in known]
            if new:
                raise Wrong(
                    f"{len(new)} of its {len(found.weights)} weights are not the network's: they "
                    "are new, and not trained. No layer is made or copied"
                )
            output = run(found, x, training=False)
            _explain_embedding(output, network, x, embedding.name)


def _with_embeddings(rng):
    """Networks with a layer "embedding", and input: (what it is, network, x)."""
    import keras
    from keras import layers

    def named(kind, *arguments, **options):
        if kind in (layers.Dense, layers.Conv1D):
            options["kernel_initializer"] = "zeros"
        return kind(*arguments, **options)

    inputs = keras.Input((6,))
    x = named(layers.Dense, 5, activation="relu", name="hidden")(inputs)
    x = layers.Add(name="sum")([x, named(layers.Dense, 5, name="shortcut")(inputs)])
    x = named(layers.Dense, 4, name="embedding")(x)
    x = layers.ReLU(name="relu")(layers.BatchNormalization(name="norm")(x))
    dense = keras.Model(inputs, named(layers.Dense, 4, name="logits")(x))
    inputs = keras.Input((10, 3))
    x = named(layers.Conv1D, 5, 3, name="convolution")(inputs)
    x = layers.GlobalAveragePooling1D(name="pool")(x)
    x = named(layers.Dense, 5, activation="relu", name="embedding")(x)
    x = layers.Dropout(0.5, name="dropout")(x)
    convolution = keras.Model(inputs, named(layers.Dense, 4, name="logits")(x))
    for what, network in (("dense layers", dense), ("convolutions", convolution)):
        for weight in network.weights:
            values = rng.normal(size=weight.shape)
            weight.assign(abs(values) + 0.1 if "variance" in weight.name else values)
        shape = (5, *network.input_shape[1:])
        yield f"a network of {what}", network, rng.normal(size=shape).astype(np.float32)


def _explain_embedding(found, network, x, name):
    """Raise Wrong unless the output is that of the layer."""
    import keras

    layers = network.layers[1:]
    outputs = keras.Model(network.input, [layer.output for layer in layers])(x, training=False)
    outputs = [keras.ops.convert_to_numpy(output) for output in outputs]
    # A layer that changes nothing here, such as dropout, gives what the one before it gives.
    same = [
        layer.name
        for layer, output in zip(layers, outputs, strict=True)
        if output.shape == found.shape and np.abs(output - found).max() < 1e-4
    ]
    if name in same:
        return
    if same:
        what = "the logits" if same[0] == layers[-1].name else f"the output of layer {same[0]!r}"
        raise Wrong(f"it gives {what}, and that of layer {name!r} is asked")
    raise Wrong(f"its output, of shape {found.shape}, is not that of layer {name!r}")


@check(
    "3.17",
    "three components to look at",
    "Principal components are the directions in which a cloud of points is widest, seen from its "
    "middle.",
    "Subtract the mean of every column. The SVD of what is left has the directions, the widest "
    "first, as rows of its third part.",
    "What is asked is not the directions but where the points lie along them: the centred "
    "embeddings times the first three, (n, d) @ (d, 3).",
)
def three_components(attempt):
    """three_components(embeddings) → float (n, 3), along the first three principal components."""
    rng = np.random.default_rng(317)
    for what, n, d, dtype in (
        ("60 embeddings of 8 values", 60, 8, np.float64),
        ("12 embeddings of 20 values", 12, 20, np.float32),
    ):
        turn = np.linalg.qr(rng.normal(size=(d, d)))[0]
        cloud = rng.normal(size=(n, d)) * 5.0 / (1 + np.arange(d)) @ turn
        embeddings = (cloud + rng.normal(0, 6, d)).astype(dtype)
        with case(what):
            found = need_numbers(call(attempt, embeddings), axes=("n", "3"))
            if found.shape in ((3, d), (d, 3)):
                raise Wrong(
                    f"it returns shape {found.shape}, the directions: {(n, 3)} is needed, where "
                    "each embedding lies along them"
                )
            found = need_array(found, shape=(n, 3), axes=("n", "components"))
            right, ways = _components(embeddings.astype(float))
            if _is_same_but_for_signs(found, right):
                continue
            for other, name in ways:
                if _is_same_but_for_signs(found, other):
                    raise Wrong(name)
            spread, wanted = (array.var(axis=0).round(2).tolist() for array in (found, right))
            raise Wrong(
                f"its columns have the variances {spread}, where {wanted} are those of the first "
                "three principal components"
            )


def _components(given):
    """(right, others): the first three components, and what known mistakes give: (it, name)."""
    n, d = given.shape
    mean = np.average(given, axis=0)
    directions = np.linalg.svd(given - mean)[2]
    every = (given - mean) @ directions.T
    right = every[:, :3]
    raw = np.linalg.svd(given)[2][:3]
    deviation = given.std(axis=0)
    length = np.linalg.norm(given, axis=1, keepdims=True)

    def turned(points):
        points = points - np.average(points, axis=0)
        return points @ np.linalg.svd(points)[2][:3].T

    first = min(n, d)
    ways = [
        (given @ raw.T, "the embeddings are not centred: subtract the mean of each column first"),
        ((given - mean) @ raw.T, "the directions are those of embeddings that are not centred: "
         "subtract the mean of each column before the SVD"),
        (given @ directions[:3].T, "the directions are right, but what is projected on them is not "
         "centred: subtract the mean there too"),
        (right[:, ::-1], "the order is the wrong way round: the component with the most variance "
         "comes first"),
        (every[:, first - 3 : first], "these are the components with the least variance"),
        (every[:, first - 3 : first][:, ::-1], "these are the components with the least variance"),
        (every[:, d - 3 :], "these are the components with the least variance"),
        (every[:, d - 3 :][:, ::-1], "these are the components with the least variance: `eigh` "
         "gives them in rising order"),
        (every[:, 1:4], "the first component is missing"),
        (turned(given / deviation), "each column is divided by its standard deviation first: it is "
         "centred only"),
        (turned(given / length), "each embedding is brought to length 1 first: it is centred only"),
        (turned(given - np.average(given, axis=1)[:, None]), "the mean of each row is subtracted: "
         "it is the mean of each column (axis 0)"),
        ((given - mean)[:, :3], "these are the first three columns, centred: they are projected on "
         "nothing"),
    ]  # fmt: skip
    whitened = right / right.std(axis=0)
    for scale in (1, n**-0.5, ((n - 1) / n) ** 0.5, (n - 1) ** -0.5):
        ways.append((
            whitened * scale,
            "all three columns are equally wide (whitened, or U of the SVD alone): the first "
            "component is as wide as the embeddings are in its direction",
        ))  # fmt: skip
    return right, ways


def _is_same_but_for_signs(found, right):
    """Whether the columns agree, each of them or its negative."""
    signs = np.where((found * right).sum(axis=0) < 0, -1, 1)
    scale = max(np.abs(right).max(), 1e-9)
    return np.abs(found - signs * right).max() < 2e-3 * scale


@check(
    "3.18",
    "the equal error rate",
    "Go through all thresholds: the higher it is, the more targets are missed, and the fewer false "
    "alarms there are. Where do the two rates cross?",
    "Misses are a share of the targets, false alarms a share of the others: two rates, each from 0 "
    "to 1, one of which rises while the other falls.",
    "With both rates at every distinct score, look for the first threshold at which misses are at "
    "least as many as false alarms; the crossing lies between it and the one before.",
)
def equal_error_rate(attempt):
    """equal_error_rate(scores, is_target) → float, where misses and false alarms are equal."""
    rng = np.random.default_rng(318)
    none = rng.uniform(-0.9, 0.9, 301)
    for what, scores, is_target in (
        ("targets that score a little higher", *_pairs(rng, 90, 110, 0.15, 0.2)),
        ("targets that score higher than all others", *_pairs(rng, 40, 60, 0.5, 0.05)),
        ("few targets and many others", *_pairs(rng, 7, 400, 0.1, 0.15)),
        ("many targets and few others", *_pairs(rng, 500, 12, 0.2, 0.2)),
        ("scores that say nothing", none, rng.random(301) < 0.4),
        ("scores with a single decimal", *_pairs(rng, 150, 250, 0.2, 0.25, decimals=1)),
        ("targets that score lower than all others", *_pairs(rng, 30, 50, -0.5, 0.05)),
        ("scores that are all equal", np.full(20, 0.3), np.arange(20) < 8),
    ):
        low, high, at = _crossing(scores, is_target)
        with case(what):
            found = need_number(call(attempt, scores, is_target), what="a rate from 0 to 1")
            if low - 1e-4 <= found <= high + 1e-4:
                continue
            _explain_rate(found, (low, high), at, scores, is_target)


def _pairs(rng, n_targets, n_others, apart, spread, *, decimals=6):
    """Scores of targets and others whose means lie `apart`, in any order: (scores, is_target)."""
    is_target = rng.permutation(np.arange(n_targets + n_others) < n_targets)
    scores = 0.1 + spread * rng.standard_normal(len(is_target)) + apart * is_target
    if spread < 0.1:  # all of one kind above all of the other
        scores = 0.1 + spread * rng.uniform(-1, 1, len(is_target)) + apart * is_target
    return scores.round(decimals).clip(-1, 1), is_target


def _rates(scores, is_target):
    """Thresholds, how many targets lie below them, how many others at or above them."""
    thresholds = np.array([*np.unique(scores), np.inf])
    targets, others = np.sort(scores[is_target]), np.sort(scores[~is_target])
    return (
        thresholds,
        np.searchsorted(targets, thresholds),
        len(others) - np.searchsorted(others, thresholds),
    )


def _crossing(scores, is_target):
    """(low, high, thresholds): what is right, and the two between which the rates cross."""
    thresholds, missed, alarms = _rates(scores, is_target)
    n, m = is_target.sum(), (~is_target).sum()
    k = np.argmax(missed * m >= alarms * n)
    if missed[k] * m == alarms[k] * n:
        return missed[k] / n, missed[k] / n, thresholds[k - 1 : k + 1]
    ends = missed[k - 1] / n, missed[k] / n, alarms[k - 1] / m, alarms[k] / m
    return min(ends), max(ends), thresholds[k - 1 : k + 1]


def _explain_rate(found, right, at, scores, is_target):
    """Say what is wrong with an equal error rate. right: (low, high). at: thresholds there."""
    from sklearn.metrics import roc_auc_score, roc_curve

    thresholds, missed, alarms = _rates(scores, is_target)
    n, m = is_target.sum(), (~is_target).sum()
    low, high = right
    between = f"{low:.4f}" if low == high else f"{low:.4f} to {high:.4f}"
    told = f"it returns {found:.4f}, where {between} is right"
    wrong_share = (missed + alarms) / (n + m)
    at_half = (scores[is_target] < 0.5).mean(), (scores[~is_target] >= 0.5).mean()
    area = roc_auc_score(is_target, scores)
    fpr, tpr, _ = roc_curve(is_target, scores)
    miss = 1 - tpr
    near = np.abs(miss - fpr).argmin()
    dropped = (
        "this is one of the points that `roc_curve` leaves over: it drops those on straight "
        "stretches (drop_intermediate). Interpolate between points"
    )
    k = np.argmax(missed >= alarms)
    level = [x[i] / (n + m) for x in (missed, alarms) for i in (k - 1, k)]
    middle = (low + high) / 2
    within = max(1e-4, (high - low) / 2 + 1e-4)
    if not 0 <= found <= 1 and low * 100 - 1e-2 <= found <= high * 100 + 1e-2:
        raise Wrong(f"{told}: this is in percent")
    for value, width, name in (
        (1 - middle, within, "this is 1 - EER, the share that is right"),
        (area, 1e-4, "this is the area under the ROC curve"),
        (1 - area, 1e-4, "this is what is left above the ROC curve; one point of it is asked"),
        (sum(at_half) / 2, 1e-4, "this is the mean of both rates at a threshold of 0.5; the "
         "threshold is where they are equal"),
        (at_half[0], 1e-4, "these are the misses at a threshold of 0.5"),
        (at_half[1], 1e-4, "these are the false alarms at a threshold of 0.5"),
        (np.mean((scores >= 0.5) == is_target), 1e-4, "this is the share of right answers at a "
         "threshold of 0.5"),
        (np.mean((scores >= 0.5) != is_target), 1e-4, "this is the share of wrong answers at a "
         "threshold of 0.5"),
        (sum(level) / 4, (max(level) - min(level)) / 2 + 1e-4, "both rates are over all pairs: "
         "misses are a share of the targets, false alarms of the others"),
        (wrong_share.min(), 1e-4, "this is the least share of errors, at a threshold where the two "
         "rates are not equal"),
        (1 - wrong_share.min(), 1e-4, "this is the best accuracy; with few targets that is high "
         "even for a system that always says no"),
        *((value, 1e-4, dropped) for value in (fpr[near], miss[near], (fpr + miss)[near] / 2)),
        (((missed / n + alarms / m) / 2).min(), 1e-4, "this is the least mean of both rates, at a "
         "threshold where they are not equal"),
    ):  # fmt: skip
        if abs(found - value) < width:
            raise Wrong(f"{told}: {name}")
    if at[0] - 1e-6 <= found <= at[1] + 1e-6 and np.isfinite(at[1]):
        raise Wrong(f"{told}: this is the threshold; the error rate there is asked")
    if not 0 <= found <= 1:
        raise Wrong(f"{told}: a rate lies between 0 and 1")
    raise Wrong(f"{told}: there misses (of {n} targets) and false alarms (of {m} others) are equal")
