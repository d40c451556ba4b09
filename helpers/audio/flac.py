"""How long a FLAC file really is: its header may promise too much, too little, or nothing."""

from bisect import bisect_left

import soundfile as sf

from helpers.audio.headers import Part

FRAMES_AT, FRAMES_BITS = 21, 36  # the last 36 of the 40 bits at this byte: frames of the stream


def with_frames(path, start, n_frames):
    """The file as it would be if its header promised n_frames (0: unknown).

    start: the byte at which the stream begins.
    """
    with open(path, "rb") as file:
        file.seek(start + FRAMES_AT)
        field = int.from_bytes(file.read(5))
    field = field >> FRAMES_BITS << FRAMES_BITS | n_frames
    return Part(path, start, at=FRAMES_AT, new=field.to_bytes(5))


def count_frames(path, start, promised):
    """How many frames there are, if the file is whole; otherwise fewer, often very few.

    promised: number of frames by the header; 0: not known. A frame is there if the decoder finds
    it, which takes less than a millisecond.
    """

    def is_missing(frame):
        try:
            with with_frames(path, start, 0) as file, sf.SoundFile(file) as flac:
                flac.seek(frame)
            return False
        except (sf.SoundFileError, RuntimeError):
            return True

    if promised and not is_missing(promised - 1) and is_missing(promised):
        return promised
    last = max(promised, 4096)
    while not is_missing(last) and last < 1 << FRAMES_BITS:
        last *= 2
    return bisect_left(range(last), True, key=is_missing)


def holds_more(path, start, n_frames, frame_bytes):
    """True if the stream is larger than n_frames of `frame_bytes` each can be."""
    with open(path, "rb") as file:
        is_last, at = False, start + 4
        while not is_last:
            file.seek(at)
            block = file.read(4)
            if len(block) < 4:
                return False
            is_last, at = bool(block[0] & 0x80), at + 4 + int.from_bytes(block[1:])
        n_bytes = file.seek(0, 2) - at
    return n_bytes > 1.02 * n_frames * frame_bytes + 8192
