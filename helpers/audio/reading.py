"""Read sound files as mono float32 at any rate: whole, in part, or block by block.

soundfile decodes (wav, flac, ogg, mp3 and more), soxr resamples. `load` and `stream` read a file in
the same way, in blocks of fixed length, so that they agree to the bit. A file that cannot be read
to its end raises `AudioError`: otherwise its missing part would count as silence. `formats` opens
and checks files.
"""

import math
from contextlib import ExitStack

import numpy as np
import soundfile as sf
import soxr

from helpers.audio import formats, mp3
from helpers.audio.advice import AGAIN, seconds
from helpers.audio.formats import AudioError, call_quietly, words

PIECE_S, LONGEST = 0.1, 640  # pieces of a damaged file: from 0.1 s to a minute, doubled each time
BLOCK = 1 << 18  # samples decoded at a time, over all channels: fits the processor's cache
MARGIN = 256  # samples at the lower rate: more than the reach of soxr's HQ filter
QUALITY = "HQ"
LOUDEST = np.float32(1e10)  # beyond any integer scale, but its square is still a finite float32


def load(path, *, sr, start_s=0.0, duration_s=None, channel="mean"):
    """Mono sound at rate sr, whole or a part: float32 (n_samples,), full scale ±1.

    start_s, duration_s: seconds; None: to the end of the file, which also ends a part that is too
    long. Sample i is at start_s + i / sr, with start_s rounded to a sample; a part equals that part
    of the whole to 1e-4 of full scale. channel: "mean" of all channels, or the number of one; the
    first (left) is 1, as in Raven and Audacity. Raises AudioError, also without such a channel.
    """
    pieces = list(_resampled(path, sr, start_s, duration_s, channel))
    pieces = pieces or [np.empty(0, np.float32)]
    return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)


def load_frames(path):
    """A whole file at its own rate: (float32 (n_samples, channels), `AudioInfo`), or AudioError."""
    with formats.open_sound(path) as (file, found, slack):
        pieces = [f.copy() for f, _ in _frames(file, found, 0, found.n_frames, slack)]
    return np.concatenate(pieces), found


def mono(frames, info, *, sr):
    """The result of `load` at rate sr, from the (frames, info) of `load_frames`."""
    y = _downmix(frames, info, 0, "mean")
    if sr != info.sample_rate:
        y = np.concatenate(list(_soxr([y], info.path, info.sample_rate, int(sr))))
    return y if len(y) else np.zeros(1, np.float32)


def stream(path, *, sr, block_s=60.0, start_s=0.0, duration_s=None, channel="mean", monitor=None):
    """Generate the sound that `load` returns in blocks: any length needs little memory.

    block_s: seconds per block; the last one is shorter. monitor: an `audio.Monitor`, which sees all
    frames; None: none does. Yields float32 (n_samples,). Raises AudioError when it comes to a
    damaged place, after all blocks before it.
    """
    size = max(1, round(block_s * sr))
    pieces = _resampled(path, sr, start_s, duration_s, channel, monitor)
    yield from reblock(pieces, size=size)


def fix_length(y, *, n_samples):
    """Crop the last axis of y (..., n) around its centre, or pad its end with 0, to n_samples."""
    spare = y.shape[-1] - n_samples
    if spare < 0:
        return np.pad(y, [(0, 0)] * (y.ndim - 1) + [(0, -spare)])
    return y[..., spare // 2 : spare // 2 + n_samples]


def reblock(pieces, *, size, step=None):
    """Cut a stream into blocks of one size, which may overlap, in bounded memory.

    pieces: iterable of arrays (n, …), each of any length n. step: from the start of a block to the
    start of the next, at most size; None: size. Yields arrays (size, …), and last what is left from
    the start of the next block, if anything.
    """
    step = step or size
    held, n_held = [], 0
    for piece in pieces:
        held.append(piece)
        n_held += len(piece)
        if n_held >= size:
            joined = np.concatenate(held)
            n_blocks = 1 + (n_held - size) // step
            for k in range(n_blocks):
                yield joined[k * step : k * step + size]
            held = [joined[n_blocks * step :].copy()]  # a view would keep all of `joined`
            n_held = len(held[0])
    if n_held:
        yield np.concatenate(held)


def _resampled(path, sr, start_s, duration_s, channel, monitor=None):
    """Generate mono sound at rate sr in the pieces that the resampler returns."""
    if channel != "mean" and (not isinstance(channel, int) or channel < 1):
        raise ValueError(f'{channel=}: it must be "mean", or a number; the first channel is 1')
    if sr <= 0 or start_s < 0 or (duration_s is not None and duration_s < 0):
        problem = "sr must be positive, times must not be negative"
        raise ValueError(f"{sr=}, {start_s=}, {duration_s=}: {problem}")
    sr = int(sr)
    salvage = monitor is not None and monitor.salvage
    with formats.open_sound(path, salvage=salvage) as (file, found, slack):
        native = found.sample_rate
        if channel != "mean" and channel > found.channels:
            there = f"{found.channels} channel{'s' * (found.channels > 1)}"
            raise AudioError(path, f"it has {there}, so there is no channel {channel}")
        skip = round(start_s * sr)
        want = math.inf if duration_s is None else round(duration_s * sr)
        if start_s and start_s >= found.duration_s:
            end = f"the recording ends at {seconds(found.duration_s)}"
            raise AudioError(path, f"nothing at {seconds(start_s)}: {end}")
        # The samples of both rates coincide every `step` frames, which are `up` samples. Reading
        # begins at such a frame, before the reach of the filter: a part gets the whole's samples.
        common = math.gcd(native, sr)
        step, up = native // common, sr // common
        reach = math.ceil(MARGIN * max(1, native / sr))
        steps = max(0, (skip * native // sr - reach) // step)
        first, skip = steps * step, skip - steps * up
        last = found.n_frames
        if want < math.inf:
            last = min(last, first + math.ceil((skip + want) * native / sr) + reach)
        pieces = _frames(file, found, first, last, slack, monitor if salvage else None)
        pieces = (_downmix(frames, found, at, channel, monitor) for frames, at in pieces)
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
        if is_empty and not start_s:  # so short that it rounds to 0 samples at the lower rate
            yield np.zeros(1, np.float32)


def _soxr(pieces, path, native, sr):
    """Generate `pieces` at rate `native` resampled to rate `sr`."""
    try:
        resampler = soxr.ResampleStream(native, sr, 1, dtype="float32", quality=QUALITY)
    except (RuntimeError, ValueError) as error:
        reason = f"cannot be resampled from {native} Hz to {sr} Hz: {words(error)}"
        raise AudioError(path, reason) from None
    for piece in pieces:
        yield resampler.resample_chunk(piece)
    yield resampler.resample_chunk(np.empty(0, np.float32), last=True)


def _frames(file, found, first, last, slack, salvage=None):
    """Generate (frames, position) of an open file from frame `first` to frame `last`.

    frames: float32 (n, channels), overwritten by the next. slack: frames that may be missing.
    salvage: a `Monitor` to be told of places that cannot be decoded, which become zeros; None: they
    raise AudioError.
    """

    def damaged(where, trouble):
        return AudioError(found.path, f"damaged {where}: {AGAIN} ({trouble})")

    size, rate = max(1, BLOCK // found.channels), found.sample_rate
    buffer = np.empty((size, found.channels), np.float32)
    # Vorbis is decoded from the beginning: libsndfile's seek can be hundreds of samples off, see
    # https://github.com/libsndfile/libsndfile/issues/885
    at = 0 if found.format == "OGG" else first
    if at and (trouble := call_quietly(file.seek, at)[1]) and not salvage:
        raise damaged(f"before {seconds(at / rate)}", trouble)
    while at < last:
        n = min(size, (first if at < first else last) - at)
        got, trouble = call_quietly(file.read, out=buffer[:n])
        n_got = 0 if trouble else len(got)
        if salvage and n_got < n and last - at - n_got > slack:
            if found.format == "OGG" and not trouble:  # lost pages left a gap, we do not know where
                salvage.damage.append([max(0, at - (n - n_got)), at])
            pieces = _salvaged_mp3 if found.format == "MP3" else _salvaged
            yield from pieces(found, max(at, first), last, salvage)
            return
        if trouble:
            raise damaged(f"between {seconds(at / rate)} and {seconds((at + n) / rate)}", trouble)
        if len(got) and at >= first:
            yield got, at
        at += len(got)
        if len(got) < n:
            if last - at > slack:
                decoded = f"only {seconds(at / rate)} of {seconds(found.duration_s)}"
                raise AudioError(found.path, f"damaged: {decoded} can be decoded; {AGAIN}")
            return


def _salvaged(found, at, last, monitor):
    """Generate (frames, position) from frame `at` on, with zeros where nothing can be decoded."""
    shortest = max(1, round(PIECE_S * found.sample_rate))
    file, n, is_lost = None, shortest, False
    with ExitStack() as stack:
        while at < last:
            if file is None:  # after an error a decoder is of no use
                stack.close()
                file, *_ = stack.enter_context(formats.open_sound(found.path, salvage=True))
                trouble = call_quietly(file.seek, at)[1]
            frames = np.zeros((min(n, last - at), found.channels), np.float32)
            got = None if trouble else call_quietly(file.read, out=frames)[0]
            n_got = 0 if got is None else len(got)
            if n_got == len(frames):
                yield frames, at
                at, n, is_lost = at + n_got, min(2 * n, LONGEST * shortest), False
                continue
            file = None
            if n > shortest and not is_lost:  # perhaps a part of this piece can be decoded
                n = shortest
                continue
            if n_got:
                yield frames[:n_got], at
            frames[n_got:] = 0
            monitor.damage.append([at + n_got, at + len(frames)])
            yield frames[n_got:], at + n_got
            at, n, is_lost = at + len(frames), min(2 * n, LONGEST * shortest), True


def _salvaged_mp3(found, at, last, monitor):
    """The same of an MP3 file: its decoder cannot find the sound behind a damaged place."""

    def nothing(end):
        nonlocal at
        for first in range(at, end, BLOCK):
            at = min(end, first + BLOCK)
            monitor.damage.append([first, at])
            yield np.zeros((at - first, found.channels), np.float32), first

    for begin, part in mp3.runs(found.path):
        yield from nothing(min(begin, last))
        with part:
            file, trouble = call_quietly(sf.SoundFile, part)
            skip, n = at - begin, max(1, round(PIECE_S * found.sample_rate))
            while at < last and not trouble:
                frames, trouble = call_quietly(file.read, n, dtype="float32", always_2d=True)
                if trouble or not len(frames) or frames.shape[1] != found.channels:
                    break
                frames, skip = frames[skip:], max(0, skip - len(frames))
                frames = frames[: last - at]
                if len(frames):
                    yield frames, at
                at += len(frames)
            if file:
                file.close()
    yield from nothing(last)


def _downmix(frames, found, at, channel, monitor=None):
    """One channel, or the mean of all: (n, channels) → (n,). at: position of the frames."""
    if monitor:
        monitor.add(frames, at, found)
    if channel != "mean":
        frames = frames[:, channel - 1 : channel]
    with np.errstate(over="ignore", invalid="ignore"):
        y = frames[:, 0].copy()  # channel by channel: ten times as fast as .mean(axis=1)
        for channel in range(1, frames.shape[1]):
            y += frames[:, channel]
        if frames.shape[1] > 1:
            y *= np.float32(1 / frames.shape[1])
        level = max(y.max(), -y.min())
    if not level <= LOUDEST:  # also true if level is NaN
        if monitor and monitor.salvage:
            is_bad = ~(np.abs(y) <= LOUDEST)
            y[is_bad] = 0
            monitor.damage += [[at + int(i), at + int(i) + 1] for i in np.flatnonzero(is_bad)]
            return y
        bad = int(np.argmin(np.abs(y) <= LOUDEST))
        kind = "NaN" if np.isnan(frames[bad]).any() else "infinite"
        if np.isfinite(frames[bad]).all():
            kind = f"impossible ({y[bad]:.0e} of full scale)"
        where = seconds((at + bad) / found.sample_rate)
        raise AudioError(found.path, f"{kind} sample at {where}: export it again from its source")
    return y
