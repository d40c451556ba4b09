"""Open sound files, and find out what is wrong with them.

libsndfile (with libmpg123 for MP3) trusts the header of a file, and reads a file that is cut off
without an error. So header and end are checked first: a file that is cut off, damaged or not audio
raises `AudioError` with the reason in one line. Where the header promises less than there is, all
of it is read, with a remark.
"""

import ctypes
import math
import os
import stat
import sys
import threading
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import soundfile as sf

from helpers.audio import flac, headers, mp3
from helpers.audio.advice import AGAIN, CONVERT, cut_off, seconds, why_unreadable
from helpers.files import FileError

# How files begin that libsndfile reads
KNOWN = (b"fLaC", b"OggS", b"RIFF", b"RIFX", b"RF64", b"BW64", b"ID3", b"FORM", b"caff", b"riff")


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
    remark: str = ""  # what a user should know of a file that is read all the same

    @property
    def duration_s(self):
        return self.n_frames / self.sample_rate


def info(path, *, salvage=False):
    """`AudioInfo` of a file, from its header and its end, without decoding it.

    Raises AudioError if the file is missing, not permitted, empty, not audio or, unless `salvage`,
    cut off.
    """
    with open_sound(path, salvage=salvage) as (_, found, _):
        return found


@contextmanager
def open_sound(path, *, salvage=False):
    """Yield (SoundFile, AudioInfo, slack: how many frames may be missing) of a whole file.

    salvage: also of a file that is cut off or damaged; then the remark says what is wrong with it.
    """
    path = Path(path)
    with ExitStack() as stack:
        try:
            with _ordinary_file(path) as handle:
                sound = _open(path, handle, stack, salvage)
            yield sound
        except OSError as error:
            raise AudioError(path, words(error)) from None


def _open(path, handle, stack, salvage):
    """What `open_sound` yields, of a file that `handle` reads. stack: closes what is opened."""
    size, head = os.fstat(handle.fileno()).st_size, handle.read(512)
    samples = headers.find_samples(handle, head, size)
    # As bytes on Linux, where names need not be valid Unicode.
    name = os.fsencode(path) if os.name == "posix" else str(path)
    file, trouble = _sound_file(stack, headers.with_length(path, head, samples) or name)
    if trouble:
        is_known = head.startswith(KNOWN) or bool(mp3.frame_header(head, 0))
        raise AudioError(path, why_unreadable(handle, head, trouble, is_known=is_known))
    header = file.format, file.subtype, file.samplerate, file.channels
    slack, remark = 0, ""
    try:
        if samples:
            file, remark = _all_samples(path, samples, file, stack)
        elif file.format == "FLAC":
            start = head.find(b"fLaC") if head[:3] != b"ID3" else mp3.after_tags(handle)
            file, remark = _all_flac_frames(path, start, file, stack)
    except AudioError as error:
        if not salvage or file.frames >= 1 << 60:
            raise
        remark = error.reason
    n_frames = file.frames
    if file.format == "MP3":
        reason, n_frames, slack = mp3.trouble(handle, size, file)
    elif file.format == "OGG":
        reason = _ogg_trouble(handle, head, size, n_frames / file.samplerate)
    else:
        reason = None
    if reason and salvage:
        reason, remark = None, reason
    if reason is None and n_frames == 0:
        reason = "no samples: it is a header without sound"
    if reason:
        raise AudioError(path, reason)
    return file, AudioInfo(path, *header, n_frames, remark), slack


def _all_samples(path, samples, file, stack):
    """(SoundFile with all samples that are there, remark on their number); AudioError if cut off.

    file: as libsndfile opened it, which believes the header.
    """
    promised_s = file.frames / file.samplerate
    if samples.are_cut_off:
        held = samples.held / samples.promised
        raise AudioError(path, cut_off(promised_s / held if held else math.nan, promised_s))
    if not (samples.are_more or samples.is_made_up):
        return file, ""
    if file.subtype not in headers.PLAIN:
        if samples.are_more:
            reason = f"there is more sound than its header promises: {CONVERT}"
            raise AudioError(path, reason)
        return file, ""
    whole, _ = _sound_file(
        stack,
        headers.Part(path, samples.start, samples.held),
        samplerate=file.samplerate,
        channels=file.channels,
        format="RAW",
        subtype=file.subtype,
        endian=samples.endian,
    )
    held_s = whole.frames / file.samplerate
    if samples.are_more:
        return whole, _longer(promised_s, held_s)
    if samples.promised in headers.STREAMED:
        return whole, ""
    promised_s = held_s * samples.promised / max(1, samples.held)
    return whole, f"its header promises {seconds(promised_s)}, as of an unfinished stream"


def _sound_file(stack, source, **options):
    """(SoundFile, None) or (None, error message). stack: closes both it and its source."""
    if not isinstance(source, (bytes, str)):
        stack.enter_context(source)
    file, trouble = call_quietly(sf.SoundFile, source, **options)
    return (file if trouble else stack.enter_context(file)), trouble


def _longer(promised_s, held_s):
    """The remark on a file whose header promises less than there is."""
    promise = f"its header promises {seconds(promised_s)}" if promised_s else "its header is wrong"
    return f"{promise}; all {seconds(held_s)} were read"


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


def _all_flac_frames(path, start, file, stack):
    """What `_all_samples` returns, of a FLAC file whose stream begins at byte `start`."""
    promised = file.frames if file.frames < 1 << 60 else 0  # 0: not known
    n_frames = flac.count_frames(path, start, promised)
    if n_frames == promised and not start:
        return file, ""
    promised_s, held_s = promised / file.samplerate, n_frames / file.samplerate
    frame_bytes = file.channels * int(file.subtype.removeprefix("PCM_").lstrip("SU")) // 8
    is_whole = n_frames >= promised or 2 * n_frames == promised
    if not is_whole or flac.holds_more(path, start, n_frames, frame_bytes):
        promise = f"the header promises {seconds(promised_s)}, but" if promised else ""
        raise AudioError(path, f"cut off or damaged: {promise} the end cannot be read; {AGAIN}")
    whole, _ = _sound_file(stack, flac.with_frames(path, start, n_frames))
    if n_frames == promised:
        return whole, ""
    if n_frames < promised:
        return whole, f"its header promises {seconds(promised_s)}, there are {seconds(held_s)}"
    return whole, _longer(promised_s, held_s)


def call_quietly(function, *args, **kwargs):
    """Call libsndfile without its notes on stderr: (result, None), or (None, error message)."""
    try:
        with _SILENT:
            return function(*args, **kwargs), None
    except (sf.SoundFileError, RuntimeError, OSError, TypeError, ValueError) as error:
        return None, words(error)


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
    return cut_off(math.nan, duration_s)


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
