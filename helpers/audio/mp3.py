"""Is an MP3 file whole, and how long is it?

libsndfile trusts the length header, or estimates the length from the first frame.
"""

import math
import mmap
import re

from helpers.audio.advice import CONVERT, cut_off, seconds
from helpers.audio.headers import Part

_KBPS = (
    (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),  # MPEG 2 and 2.5
    (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),  # MPEG 1
)
_HZ = (44100, 48000, 32000)
DECODER_DELAY = 529  # samples, of every decoder
_LONGEST = 1441  # bytes per frame


def frame_header(data, at):
    """((version, Hz), kbit/s, bytes) of the layer III frame at position `at`, or None."""
    if len(data) < at + 4 or data[at] != 0xFF or data[at + 1] & 0xE6 != 0xE2:
        return None
    version, rate, kbps = data[at + 1] >> 3 & 3, data[at + 2] >> 2 & 3, data[at + 2] >> 4
    if version == 1 or rate == 3 or kbps in (0, 15):
        return None
    hz = _HZ[rate] >> {3: 0, 2: 1, 0: 2}[version]
    kbps = _KBPS[version == 3][kbps]
    n_bytes = (144 if version == 3 else 72) * kbps * 1000 // hz + (data[at + 2] >> 1 & 1)
    return (version, hz), kbps, n_bytes


def _run(data, at, *, longest=math.inf):
    """(end, number) of the frames of one kind in a row that begin at position `at`."""
    n, first = 0, frame_header(data, at)
    while n < longest and (frame := frame_header(data, at)) and frame[0] == first[0]:
        at, n = at + frame[2], n + 1
    return at, n


def find_frames(data, kind=None, *, at=0, to_end=False):
    """Position of three frames of one kind in a row (to_end: or fewer, up to the end), or -1.

    at: where the search begins.
    """
    at = data.find(b"\xff", at)
    while at >= 0:
        first = frame_header(data, at)
        if first and kind in (None, first[0]):
            end, n = _run(data, at, longest=3)
            if n == 3 or (to_end and end >= len(data)):
                return at
        at = data.find(b"\xff", at + 1)
    return -1


def runs(path):
    """What can be decoded of a damaged file, as runs of frames without a gap.

    Returns a list of (the sample at which the run begins, a file with the run). How many frames a
    gap has lost is estimated from its bytes.
    """
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        at = first = find_frames(data, at=after_tags(file))
        if at < 0:
            return []
        kind = frame_header(data, at)[0]
        size = 1152 if kind[0] == 3 else 576
        tag = re.search(rb"Xing|Info|VBRI", data[at : at + 64])
        lame = data[at + tag.start() + 120 : at + tag.start() + 144] if tag else b""
        delay = (lame[21] << 4 | lame[22] >> 4) + DECODER_DELAY if lame[:1] == b"L" else 0
        found, number = [], -1 if tag else 0
        while at >= 0:
            end, n = _run(data, at)
            new = b"" if at == first and tag else _tag(data, at, n - 1)
            # A decoder drops its delay if there is a tag.
            begin = max(0, (number + 1) * size - delay + DECODER_DELAY * bool(new))
            found.append((begin, Part(path, at, min(end, len(data)) - at, at=4, new=new)))
            number += n
            at = find_frames(data, kind, at=end)
            number += round((at - end) * number / max(1, end - first))
    return found


def _tag(data, at, n_frames):
    """What stands behind the header of a frame that is no sound, but says how many frames follow.

    libsndfile would estimate their number from the first frame, and read no more than that.
    """
    is_mono, is_first_version = data[at + 3] >> 6 == 3, data[at + 1] >> 3 & 3 == 3
    n_side = (17 if is_mono else 32) if is_first_version else (9 if is_mono else 17)
    new = bytes(n_side) + b"Xing" + (1).to_bytes(4) + n_frames.to_bytes(4)
    return new.ljust(frame_header(data, at)[2] - 4, b"\0")


def after_tags(handle):
    """The position behind the ID3 tags at the beginning of an open file."""
    start = 0
    while True:
        handle.seek(start)
        tag = handle.read(10)
        if tag[:3] != b"ID3" or len(tag) < 10:
            return start
        start += 10 + sum((byte & 127) << 7 * (3 - i) for i, byte in enumerate(tag[6:]))
        start += 10 * bool(tag[5] & 0x10)


def trouble(handle, size, file):
    """(reason or None, n_frames, slack), from the first and the last few MP3 frames.

    slack: how many of the n_frames may be missing, because some encoders count one MP3 frame too
    many, and because a length estimated from the size is not exact.
    """
    n_frames, duration_s, slack = file.frames, file.frames / file.samplerate, 2 * 1152

    def read(at, n_bytes):
        handle.seek(at)
        return handle.read(n_bytes)

    start = after_tags(handle)
    head = read(start, 1 << 16)
    at = find_frames(head, to_end=True)
    if at < 0:
        return None, n_frames, math.inf
    start, head = start + at, head[at:]
    kind, kbps, n_bytes = frame_header(head, 0)

    # The file must end with complete frames, and then nothing or a tag.
    begin = max(start, size - 12 * _LONGEST)
    tail = read(begin, size - begin)
    at = 0 if begin == start else find_frames(tail, kind)
    is_cut, end = False, size
    if at >= 0:
        at, _ = _run(tail, at)
        is_cut = at > len(tail) or (tail[at : at + 1] == b"\xff" and len(tail) - at < 4)
        end = begin + min(at, len(tail))

    first = head[: min(n_bytes, 64)]
    mark = max(first.find(b"Xing"), first.find(b"Info"))
    flags = head[mark + 7] if mark > 0 else 0
    if flags & 1:
        promised = int.from_bytes(head[mark + 12 : mark + 16]) if flags & 2 else 0
        held, reason = size - start, None
        if is_cut or held < promised - _LONGEST:
            reason = cut_off(duration_s, duration_s * min(1, held / promised if promised else 1))
        elif promised and find_frames(read(start + promised, 1 << 16)) >= 0:
            reason = f"there is more sound than the {seconds(duration_s)} that its header promises"
            reason += f": {CONVERT}, which reads all of it"
        return reason, n_frames, slack
    if head[36:40] == b"VBRI":
        return (cut_off(duration_s, duration_s) if is_cut else None), n_frames, slack
    for i in range(1, 16):
        middle = read(start + (size - start) * i // 16, 6 * _LONGEST)
        at = find_frames(middle, kind)
        if at >= 0 and frame_header(middle, at)[1] != kbps:
            reason = "variable bit rate without a length header, so its end would be missing"
            return f"{reason}: `ffmpeg -i FILE -c copy out.mp3` adds one", n_frames, slack
    n_frames = min(n_frames, round((end - start) * kind[1] / (kbps * 125)))
    return (cut_off(math.nan, duration_s) if is_cut else None), n_frames, slack
