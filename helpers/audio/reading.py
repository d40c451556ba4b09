"""Sound files in, mono float32 at the asked rate out: whole, in part, or block by block.

wav, flac, ogg and mp3 through soundfile, resampled by soxr. There is one way through a file, in
blocks of fixed length, so that `load` and `stream` agree to the bit whatever the caller's blocks
are. A file that cannot be read to its end raises `AudioError`: sound that silently stops halfway
would be counted as silence. How files are opened and checked: `containers`.
"""

import math
from pathlib import Path

import numpy as np
import soundfile as sf
import soxr

from helpers import files
from helpers.audio.blocks import reblock
from helpers.audio.formats import (
    AGAIN,
    AudioError,
    c_name,
    call_quietly,
    open_sound,
    seconds,
    words,
)

BLOCK = 1 << 18  # samples, over all channels, decoded at a time: fits the processor's cache
MARGIN = 256  # samples at the lower rate: the reach of soxr's HQ filter with some to spare
QUALITY = "HQ"
LOUDEST = np.float32(1e10)  # more than samples of any integer scale; its power is still a float32


def load(path, *, sr, start_s=0.0, duration_s=None):
    """Mono sound at rate `sr`, whole or a part.

    sr: Hz. start_s, duration_s: seconds; None: to the end. The file's end cuts a part short.
    Returns float32 (n_samples,), full scale ±1, mean of the channels; sample i lies at
    start_s + i / sr (start_s rounded to a sample), and a part equals that part of the whole to
    1e-4 of full scale. Raises AudioError.

    Seeking is exact to the sample. In Ogg files that means decoding from the beginning, because
    libsndfile's own seek can land hundreds of samples off.
    """
    pieces = list(_resampled(path, sr, start_s, duration_s)) or [np.empty(0, np.float32)]
    return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)


def load_frames(path):
    """A whole file as it is: every channel, at its own rate.

    Returns (frames, info): float32 (n_samples, channels), full scale ±1, and `AudioInfo`. Raises
    AudioError.
    """
    with open_sound(path) as (file, found, slack):
        pieces = [f.copy() for f, _ in _frames(file, found, 0, found.n_frames, slack)]
    return np.concatenate(pieces), found


def mono(frames, info, *, sr):
    """What `load` makes of a file that `load_frames` has decoded: float32 (n_samples,) at sr Hz.

    frames: (n_samples, channels). info: its `AudioInfo`. Raises AudioError.
    """
    y = _downmix(frames, info, 0)
    if sr != info.sample_rate:
        y = np.concatenate(list(_soxr([y], info.path, info.sample_rate, int(sr))))
    return y if len(y) else np.zeros(1, np.float32)


def stream(path, *, sr, block_s=60.0, start_s=0.0, duration_s=None):
    """Generate the sound that `load` returns in blocks, for files of any length in bounded memory.

    block_s: seconds per block; the last one is shorter. Yields float32 (n_samples,) arrays whose
    concatenation is the same to the bit for every block_s. Raises AudioError while iterating, so
    what came before a damaged place has been delivered by then.
    """
    pieces = _resampled(path, sr, start_s, duration_s)
    yield from reblock(pieces, size=max(1, round(block_s * sr)))


def fix_length(y, *, n_samples, rng=None):
    """Crop or pad the last axis to n_samples.

    y: (..., n). A longer one is cropped around its centre, or at a random place where a
    numpy Generator `rng` is given; a shorter one gets zeros at its end. Returns (..., n_samples).
    """
    spare = y.shape[-1] - n_samples
    if spare < 0:
        return np.pad(y, [(0, 0)] * (y.ndim - 1) + [(0, -spare)])
    start = spare // 2 if rng is None else int(rng.integers(spare + 1))
    return y[..., start : start + n_samples]


def write(path, y, *, sr, subtype="PCM_16"):
    """Write sound to a file whose suffix says the format; on an error there is no half file.

    y: float (n_samples,) or (n_samples, channels), full scale ±1; integer formats clip beyond.
    sr: Hz. subtype: soundfile's sample format, ignored where the format has its own (ogg, mp3).
    Raises AudioError.
    """
    y = np.asarray(y)
    if y.dtype not in (np.float32, np.float64):
        raise TypeError(f"y is {y.dtype}, but float32 or float64 in ±1 is needed: scale it first")
    if not np.isfinite(y).all():
        raise AudioError(path, "not written: there are NaN or infinite samples")
    kind = Path(path).suffix[1:].upper()
    if kind not in sf.available_formats():
        raise AudioError(path, "not written: name it .wav, .flac, .ogg or .mp3")
    subtype = subtype if sf.check_format(kind, subtype) else sf.default_subtype(kind)
    channels = 1 if y.ndim == 1 else y.shape[1]
    try:
        with (
            files.atomic_path(path) as temporary,
            sf.SoundFile(c_name(temporary), "w", int(sr), channels, subtype, format=kind) as file,
        ):
            for i in range(0, len(y), 1 << 16):  # libsndfile's Vorbis fails on very long arrays
                file.write(y[i : i + (1 << 16)])
    except (OSError, sf.SoundFileError) as error:
        raise AudioError(path, f"not written: {words(error)}") from None


# --- the one way through a file ---------------------------------------------------------------


def _resampled(path, sr, start_s, duration_s):
    """Generate the mono sound of a part at rate sr, in pieces as they come out of the resampler."""
    if sr <= 0 or start_s < 0 or (duration_s is not None and duration_s < 0):
        raise ValueError(f"{sr=}, {start_s=}, {duration_s=}: none may be negative, nor sr zero")
    sr = int(sr)
    with open_sound(path) as (file, found, slack):
        native = found.sample_rate
        skip = round(start_s * sr)
        want = math.inf if duration_s is None else round(duration_s * sr)
        if start_s and start_s >= found.duration_s:
            end = f"the recording ends at {seconds(found.duration_s)}"
            raise AudioError(path, f"nothing at {seconds(start_s)}: {end}")
        # The two grids meet every `step` frames and `up` samples. A part that begins on such a
        # place, a filter's reach early, falls on the very samples of the whole.
        common = math.gcd(native, sr)
        step, up = native // common, sr // common
        reach = math.ceil(MARGIN * max(1, native / sr))
        steps = max(0, (skip * native // sr - reach) // step)
        first, skip = steps * step, skip - steps * up
        last = found.n_frames
        if want < math.inf:
            last = min(last, first + math.ceil((skip + want) * native / sr) + reach)
        pieces = _mono(file, found, first, last, slack)
        if sr != native:
            pieces = _soxr(pieces, path, native, sr)
        is_empty = True
        for piece in pieces:
            drop = min(skip, len(piece))
            piece = piece[drop : drop + min(want, len(piece))]
            skip, want = skip - drop, want - len(piece)
            if len(piece):
                is_empty = False
                yield piece
            if want == 0:
                return
        if is_empty and not start_s:  # a sample or two that the lower rate rounds to none
            yield np.zeros(1, np.float32)


def _soxr(pieces, path, native, sr):
    """Generate `pieces` at rate `native` resampled to rate `sr`."""
    try:
        resampler = soxr.ResampleStream(native, sr, 1, dtype="float32", quality=QUALITY)
    except (RuntimeError, ValueError) as error:
        raise AudioError(path, f"no way from {native} Hz to {sr} Hz: {words(error)}") from None
    for piece in pieces:
        yield resampler.resample_chunk(piece)
    yield resampler.resample_chunk(np.empty(0, np.float32), last=True)


def _mono(file, found, first, last, slack):
    """Generate frames first … last of an open file as mono float32, at its own rate."""
    for frames, at in _frames(file, found, first, last, slack):
        yield _downmix(frames, found, at)


def _frames(file, found, first, last, slack):
    """Generate (frames, at) of an open file; frames: (n, channels), valid until the next."""
    size = max(1, BLOCK // found.channels)
    buffer = np.empty((size, found.channels), np.float32)
    # libsndfile's Vorbis seek can be off by a block for good: https://github.com/libsndfile/
    # libsndfile/issues/885. What comes before the part is decoded and dropped instead.
    at = 0 if found.format == "OGG" else first
    if at and (trouble := call_quietly(file.seek, at)[1]):
        place = f"before {seconds(at / found.sample_rate)}"
        raise AudioError(found.path, f"damaged {place}: {AGAIN} ({trouble})")
    while at < last:
        n = min(size, (first if at < first else last) - at)
        got, trouble = call_quietly(file.read, out=buffer[:n])
        if trouble:
            place = f"between {seconds(at / found.sample_rate)}"
            place += f" and {seconds((at + n) / found.sample_rate)}"
            raise AudioError(found.path, f"damaged {place}: {AGAIN} ({trouble})")
        if len(got) and at >= first:
            yield got, at
        at += len(got)
        if len(got) < n:
            if last - at > slack:
                decoded = f"only {seconds(at / found.sample_rate)} of {seconds(found.duration_s)}"
                raise AudioError(found.path, f"damaged: {decoded} can be decoded; {AGAIN}")
            return


def _downmix(frames, found, at):
    """Mean of the channels, (n, channels) → (n,); channel by channel is ten times .mean(axis=1)."""
    with np.errstate(over="ignore", invalid="ignore"):
        y = frames[:, 0].copy()
        for channel in range(1, frames.shape[1]):
            y += frames[:, channel]
        if frames.shape[1] > 1:
            y *= np.float32(1 / frames.shape[1])
        level = max(y.max(), -y.min())
    if not level <= LOUDEST:  # nor is NaN
        bad = int(np.argmin(np.abs(y) <= LOUDEST))
        kind = "NaN" if np.isnan(frames[bad]).any() else "infinite"
        if np.isfinite(frames[bad]).all():
            kind = f"impossible ({y[bad]:.0e} of full scale)"
        where = seconds((at + bad) / found.sample_rate)
        raise AudioError(found.path, f"{kind} sample at {where}: export it again from its source")
    return y
