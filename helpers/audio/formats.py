"""Open sound files, and find out what is wrong with them.

libsndfile (with libmpg123 for MP3) trusts the header of a file, and reads a file that is cut off
without an error. So header and end are checked first: a file that is cut off, damaged or not audio
raises `AudioError` with the reason in one line.
"""

import codecs
import ctypes
import io
import math
import os
import stat
import struct
import sys
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import soundfile as sf

from helpers.files import FileError

# Lengths in the wav headers of programs that write a stream and cannot correct the header later.
STREAMED = {0xFFFFFFFF, 0x80000000, 0x7FFFFFFF, 0x7FFFF000, 0xFFFFF000}
AGAIN = "copy or download it again"
CONVERT = "convert it with `ffmpeg -i FILE out.wav`"


class AudioError(FileError):
    """A sound file that cannot be read."""


@dataclass(frozen=True)
class AudioInfo:
    """The header of a sound file."""

    path: Path
    format: str
    subtype: str
    sample_rate: int
    channels: int
    n_frames: int  # samples per channel; an estimate for an MP3 file without a length header

    @property
    def duration_s(self):
        return self.n_frames / self.sample_rate


def info(path):
    """`AudioInfo` of a file, from its header and its end, without decoding it.

    Raises AudioError if the file is missing, not permitted, empty, not audio or cut off.
    """
    with open_sound(path) as (_, found, _):
        return found


@contextmanager
def open_sound(path):
    """Yield (SoundFile, AudioInfo, slack: how many frames may be missing) of a whole file."""
    path = Path(path)
    file = patched = None
    try:
        with _ordinary_file(path) as handle:
            size = os.fstat(handle.fileno()).st_size
            head = handle.read(512)
            data_at, promised = _wav_data(handle, head, size)
            if promised == 0 and _is_unfinished(handle, data_at, size):
                patched = _Endless(path, data_at - 4)
            # As bytes on Linux, where names need not be valid Unicode.
            name = os.fsencode(path) if os.name == "posix" else str(path)
            file, trouble = call_quietly(sf.SoundFile, patched or name)
            if trouble:
                raise AudioError(path, _not_audio(head, trouble))
            reason, n_frames, slack = None, file.frames, 0
            duration_s = n_frames / file.samplerate
            if promised and promised not in STREAMED and promised - (size - data_at) > 64:
                held = max(0, size - data_at) / promised
                reason = _cut(duration_s / held if held else math.nan, duration_s)
            elif file.format == "OGG":
                reason = _ogg_trouble(handle, head, size, duration_s)
            elif file.format == "FLAC":
                reason = _flac_trouble(file, duration_s)
            elif file.format == "MP3":
                reason, n_frames, slack = _mp3_trouble(handle, size, file)
            if reason is None and n_frames == 0:
                reason = "no samples: it is a header without sound"
            if reason:
                raise AudioError(path, reason)
        header = file.format, file.subtype, file.samplerate, file.channels
        yield file, AudioInfo(path, *header, n_frames), slack
    except OSError as error:
        raise AudioError(path, words(error)) from None
    finally:
        for opened in (file, patched):
            if opened is not None:
                opened.close()


def _ordinary_file(path):
    """Open an ordinary file that is not empty to read its bytes; AudioError for anything else."""
    reasons = {FileNotFoundError: "no such file", PermissionError: "no permission to read it"}
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise AudioError(path, "this is a folder, not a file")
        if not stat.S_ISREG(status.st_mode):
            raise AudioError(path, "not an ordinary file")
        if status.st_size == 0:
            raise AudioError(path, f"empty file (0 bytes): {AGAIN}")
        return open(path, "rb")
    except (OSError, ValueError) as error:
        raise AudioError(path, reasons.get(type(error)) or words(error)) from None


def call_quietly(function, *args, **kwargs):
    """Call libsndfile without its notes on stderr: (result, None), or (None, error message)."""
    try:
        with _SILENT:
            return function(*args, **kwargs), None
    except (sf.SoundFileError, RuntimeError, OSError, TypeError, ValueError) as error:
        return None, words(error)


def _not_audio(head, trouble):
    """The reason why libsndfile cannot open a file that begins with the bytes `head`."""
    if head.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer instead of the sound: run `git lfs pull`"
    if head.lstrip()[:9].lower().startswith((b"<!doctype", b"<html")):
        return f"a web page instead of the sound: {AGAIN}"
    known = (b"fLaC", b"OggS", b"RIFF", b"RIFX", b"RF64", b"ID3")
    if head[8:12] != b"AVI " and (head.startswith(known) or _mp3_frame(head, 0)):
        # For MP3 libsndfile's message is about a file that does not exist.
        detail = "" if "pipe" in trouble else f" ({trouble})"
        return f"damaged, or cut off in its header: {AGAIN}{detail}"
    if not set(head) - set(range(32, 256)) - set(b"\t\n\r\f"):
        with suppress(UnicodeDecodeError):
            # Incremental, because the last character of `head` may be incomplete.
            codecs.getincrementaldecoder("utf-8")().decode(head)
            return "text, not audio"
    return f"not sound in a known format; if it is, {CONVERT} ({trouble})"


def _cut(promised_s, held_s):
    """The reason for a file whose end is missing. promised_s: NaN if not known."""
    if promised_s - held_s > 0.02:
        detail = f"the header promises {seconds(promised_s)}, the file holds {seconds(held_s)}"
    else:
        detail = f"its end is missing, after {seconds(held_s)}"
    return f"cut off or damaged: {detail}; {AGAIN}"


def _wav_data(handle, head, size):
    """(position, promised bytes) of the data chunk of a wav file; (0, None) if there is none."""
    if head[:4] not in (b"RIFF", b"RIFX", b"RF64") or head[8:12] != b"WAVE":
        return 0, None
    order, at, long = ">" if head[:4] == b"RIFX" else "<", 12, None
    while at + 8 <= size:
        handle.seek(at)
        name, length = struct.unpack(order + "4sI", handle.read(8))
        if name == b"data":
            return at + 8, long if long and length == 0xFFFFFFFF else length
        if name == b"ds64" and at + 24 <= size:
            long = struct.unpack("<8xQ", handle.read(16))[0]
        at += 8 + length + length % 2
    return 0, None


def _is_unfinished(handle, at, size):
    """True if sound follows a data chunk of length 0: the recorder was not stopped properly."""
    handle.seek(at)
    follows = handle.read(8)
    if len(follows) < 8:
        return False
    name, length = struct.unpack("<4sI", follows)
    return not (name.isascii() and name.decode().isprintable() and at + 8 + length <= size)


class _Endless(io.FileIO):
    """A wav file whose data length, at byte `at`, reads as "to the end of the file"."""

    def __init__(self, path, at):
        super().__init__(path, "rb")
        self.at = at

    def readinto(self, buffer):
        start = self.tell()
        n = super().readinto(buffer)
        for i in range(max(start, self.at), min(start + n, self.at + 4)):
            buffer[i - start : i - start + 1] = b"\xff"
        return n


def _ogg_trouble(handle, head, size, duration_s):
    """None if the last page is complete and marked as the end of the only stream."""
    handle.seek(max(0, size - (1 << 17)))  # a page has at most 65,307 bytes
    tail = handle.read()
    page = tail[max(0, tail.rfind(b"OggS")) :]
    n_segments = page[26] if len(page) > 26 else 0
    n_bytes = 27 + n_segments + sum(page[27 : 27 + n_segments])
    if len(page) >= max(28, n_bytes) and page[5] & 4:
        if page[14:18] == head[14:18]:
            return None
        return f"several streams one after another: {CONVERT}, which reads all of them"
    return _cut(math.nan, duration_s)


def _flac_trouble(file, duration_s):
    """None if the last frame that the header promises can be read."""
    if file.frames > 1 << 60:
        return f"its header does not say how long it is: {CONVERT}"

    def read_last():
        file.seek(file.frames - 1)
        is_there = len(file.read(1))
        file.seek(0)
        return is_there

    if file.frames and not call_quietly(read_last)[0]:
        promise = f"the header promises {seconds(duration_s)}"
        return f"cut off or damaged: {promise}, but the end cannot be read; {AGAIN}"
    return None


# --- MP3: libsndfile trusts the length header, or estimates the length from the first frame -------

_MP3_KBPS = (
    (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),  # MPEG 2 and 2.5
    (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),  # MPEG 1
)
_MP3_HZ = (44100, 48000, 32000)
_MP3_LONGEST = 1441  # bytes per frame


def _mp3_frame(data, at):
    """((version, Hz), kbit/s, bytes) of the layer III frame at position `at`, or None."""
    if len(data) < at + 4 or data[at] != 0xFF or data[at + 1] & 0xE6 != 0xE2:
        return None
    version, rate, kbps = data[at + 1] >> 3 & 3, data[at + 2] >> 2 & 3, data[at + 2] >> 4
    if version == 1 or rate == 3 or kbps in (0, 15):
        return None
    hz = _MP3_HZ[rate] >> {3: 0, 2: 1, 0: 2}[version]
    kbps = _MP3_KBPS[version == 3][kbps]
    n_bytes = (144 if version == 3 else 72) * kbps * 1000 // hz + (data[at + 2] >> 1 & 1)
    return (version, hz), kbps, n_bytes


def _mp3_run(data, at, *, longest=math.inf):
    """(end, number) of the frames of one kind in a row that begin at position `at`."""
    n, first = 0, _mp3_frame(data, at)
    while n < longest and (frame := _mp3_frame(data, at)) and frame[0] == first[0]:
        at, n = at + frame[2], n + 1
    return at, n


def _mp3_sync(data, kind=None, *, to_end=False):
    """Position of three frames of one kind in a row (to_end: or fewer, up to the end), or -1."""
    at = data.find(b"\xff")
    while at >= 0:
        first = _mp3_frame(data, at)
        if first and kind in (None, first[0]):
            end, n = _mp3_run(data, at, longest=3)
            if n == 3 or (to_end and end >= len(data)):
                return at
        at = data.find(b"\xff", at + 1)
    return -1


def _mp3_trouble(handle, size, file):
    """(reason or None, n_frames, slack), from the first and the last few MP3 frames.

    slack: how many of the n_frames may be missing, because some encoders count one MP3 frame too
    many, and because a length estimated from the size is not exact.
    """
    n_frames, duration_s, slack = file.frames, file.frames / file.samplerate, 2 * 1152

    def read(at, n_bytes):
        handle.seek(at)
        return handle.read(n_bytes)

    start = 0
    while (tag := read(start, 10))[:3] == b"ID3" and len(tag) == 10:
        start += 10 + sum((byte & 127) << 7 * (3 - i) for i, byte in enumerate(tag[6:]))
        start += 10 * bool(tag[5] & 0x10)
    head = read(start, 1 << 16)
    at = _mp3_sync(head, to_end=True)
    if at < 0:
        return None, n_frames, math.inf
    start, head = start + at, head[at:]
    kind, kbps, n_bytes = _mp3_frame(head, 0)

    # The file must end with complete frames, and then nothing or a tag.
    begin = max(start, size - 12 * _MP3_LONGEST)
    tail = read(begin, size - begin)
    at = 0 if begin == start else _mp3_sync(tail, kind)
    is_cut, end = False, size
    if at >= 0:
        at, _ = _mp3_run(tail, at)
        is_cut = at > len(tail) or (tail[at : at + 1] == b"\xff" and len(tail) - at < 4)
        end = begin + min(at, len(tail))

    first = head[: min(n_bytes, 64)]
    mark = max(first.find(b"Xing"), first.find(b"Info"))
    flags = head[mark + 7] if mark > 0 else 0
    if flags & 1:
        promised = int.from_bytes(head[mark + 12 : mark + 16]) if flags & 2 else 0
        held, reason = size - start, None
        if is_cut or held < promised - _MP3_LONGEST:
            reason = _cut(duration_s, duration_s * min(1, held / promised if promised else 1))
        elif promised and _mp3_sync(read(start + promised, 1 << 16)) >= 0:
            reason = f"there is more sound than the {seconds(duration_s)} that its header promises"
            reason += f": {CONVERT}, which reads all of it"
        return reason, n_frames, slack
    if head[36:40] == b"VBRI":
        return (_cut(duration_s, duration_s) if is_cut else None), n_frames, slack
    for i in range(1, 16):
        middle = read(start + (size - start) * i // 16, 6 * _MP3_LONGEST)
        at = _mp3_sync(middle, kind)
        if at >= 0 and _mp3_frame(middle, at)[1] != kbps:
            reason = "variable bit rate without a length header, so its end would be missing"
            return f"{reason}: `ffmpeg -i FILE -c copy out.mp3` adds one", n_frames, slack
    n_frames = min(n_frames, round((end - start) * kind[1] / (kbps * 125)))
    return (_cut(math.nan, duration_s) if is_cut else None), n_frames, slack


class _Silence:
    """Discards what C libraries write to stderr, in all threads, until the last one leaves.

    libmpg123 prints notes on damaged frames, and libsndfile cannot switch them off. Only the
    variable `stderr` of C is replaced, not the file descriptor: Python's messages and progress bars
    still appear.
    """

    def __init__(self):
        self.lock, self.depth, self.stderr, self.saved = threading.Lock(), 0, None, None
        with suppress(OSError, ValueError, AttributeError, TypeError):
            # In other C libraries `stderr` is a constant or a macro.
            is_glibc = sys.platform == "linux" and os.confstr("CS_GNU_LIBC_VERSION")
            name = "stderr" if is_glibc else "__stderrp" if sys.platform == "darwin" else None
            libc = ctypes.CDLL(None)
            libc.fopen.restype = ctypes.c_void_p
            self.null = libc.fopen(os.devnull.encode(), b"w")
            if self.null:
                self.stderr = ctypes.c_void_p.in_dll(libc, name)

    def __enter__(self):
        with self.lock:
            self.depth += 1
            if self.depth == 1 and self.stderr:
                self.saved, self.stderr.value = self.stderr.value, self.null

    def __exit__(self, *exception):
        with self.lock:
            self.depth -= 1
            if self.depth == 0 and self.stderr:
                self.stderr.value = self.saved


_SILENT = _Silence()


def words(error):
    """The message of an exception without the path, which AudioError adds."""
    text = getattr(error, "error_string", None) or getattr(error, "strerror", None) or str(error)
    text = text.strip().rstrip(".") or type(error).__name__
    return text[0].lower() + text[1:]


def seconds(s):
    """A time in seconds as text for messages."""
    return f"{s:.2f} s" if s < 100 else f"{s:.0f} s"
