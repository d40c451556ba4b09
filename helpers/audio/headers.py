"""Where a file of samples keeps them, and how many its header promises.

A recorder whose battery dies leaves a length of 0; a length of 32 bits wraps round at 4 GiB; a
program that writes a stream makes a length up. libsndfile believes all of them, and so reads less
than there is. Here the length is compared with the file: what lies behind the promised samples is
sound, unless it is a chunk, a tag, text or padding.
"""

import io
import re
import struct
from dataclasses import dataclass

KIB, GIB = 1 << 10, 1 << 30
# Lengths that programs make up for a stream, because they cannot correct the header later.
STREAMED = {0xFFFFFFFF, 0x80000000, 0x7FFFFFFF, 0x7FFFF000, 0xFFFFF000, 0x7F000000}
MADE_UP = (0x7F000000, 0x7FFFFFFF, 0xFFFFFFFF)  # or a little less or more, with what they count
MARGIN = 64  # bytes that may be missing: some programs count the header too
TAGS = (b"TAG", b"APETAGEX", b"ID3", b"LYRICSBEGIN")
PADDING = re.compile(rb"(.)\1*|[\t\n\r\0 -~]+", re.DOTALL)  # one byte repeated, or text
# libsndfile's names of samples that lie in a file one after another, as they are
PLAIN = {"PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"}


@dataclass(frozen=True)
class Layout:
    """How the chunks of a format are written.

    chunk: `struct` format of name and length. first: byte at which the first chunk begins. align:
    chunks begin at multiples of it. name: of the chunk with samples. skip: bytes at its beginning
    that are not samples. own: bytes of the chunk's own header that its length includes.
    """

    chunk: str
    first: int
    align: int
    name: bytes
    skip: int = 0
    own: int = 0


_RIFF = Layout("<4sI", 12, 2, b"data")
_AIFF = Layout(">4sI", 12, 2, b"SSND", skip=8)
_W64 = b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"
LAYOUTS = {
    (b"RIFF", b"WAVE"): _RIFF,
    (b"RF64", b"WAVE"): _RIFF,
    (b"BW64", b"WAVE"): _RIFF,
    (b"RIFX", b"WAVE"): Layout(">4sI", 12, 2, b"data"),
    (b"FORM", b"AIFF"): _AIFF,
    (b"FORM", b"AIFC"): _AIFF,
    (b"caff",): Layout(">4sq", 8, 1, b"data", skip=4),
    (b"riff",): Layout("<16sq", 40, 8, _W64, own=24),
}
# Chunks that stand behind the samples even where their own length is wrong.
KNOWN = {b"LIST", b"id3 ", b"ID3 ", b"bext", b"iXML", b"guan", b"wamd", b"JUNK", b"FLLR", b"PAD "}


@dataclass(frozen=True)
class Samples:
    """The samples of a file. start: the first byte. promised: number of bytes by the header.

    held: number of bytes that are there, without what is known not to be sound. endian: "BIG" or
    "LITTLE". is_made_up: True if the promised number is one that programs make up for a stream.
    """

    start: int
    promised: int
    held: int
    endian: str
    is_made_up: bool

    @property
    def are_cut_off(self):
        return self.promised - self.held > MARGIN and not self.is_made_up

    @property
    def are_more(self):
        """True if libsndfile would not read all of them."""
        return self.held > self.promised


def find_samples(handle, head, size):
    """`Samples` of an open file of `size` bytes, or None if its format has no such length.

    head: its first bytes.
    """
    if head[:4] in (b".snd", b"dns.") and len(head) >= 12:
        order = ">" if head[:4] == b".snd" else "<"
        start, promised = struct.unpack(order + "II", head[4:12])
        return _judge(handle, None, start, promised, size, order)
    layout = LAYOUTS.get((head[:4], head[8:12])) or LAYOUTS.get((head[:4],))
    if layout is None:
        return None
    order, long = layout.chunk[0], None
    for name, at, length in _chunks(handle, layout, layout.first, size):
        if name == b"ds64":
            handle.seek(at + 8)
            long = int.from_bytes(handle.read(8), "little")
        elif name == b"COMM":
            handle.seek(at + 18)
            order = "<" if handle.read(4) == b"sowt" else order
        elif name == layout.name:
            skip = layout.skip
            if layout is _AIFF:
                handle.seek(at)
                skip += int.from_bytes(handle.read(4), "big")
            promised = long if long is not None and length == 0xFFFFFFFF else length
            return _judge(handle, layout, at + skip, promised - skip, size, order)
    return None


def _chunks(handle, layout, at, size):
    """Yield (name, position of its content, length of its content) of chunks in a row.

    The last one may reach beyond the end of the file.
    """
    n_bytes = struct.calcsize(layout.chunk)
    while at + n_bytes <= size:
        handle.seek(at)
        name, length = struct.unpack(layout.chunk, handle.read(n_bytes))
        yield name, at + n_bytes, length - layout.own
        if length < layout.own:
            return
        at += n_bytes + length - layout.own
        at += -at % layout.align


def _judge(handle, layout, start, promised, size, order):
    """`Samples` that begin at byte `start`, of which the header promises `promised` bytes."""
    held = max(0, size - start)
    bits = 64 if layout and "q" in layout.chunk.lower() else 32
    made_up = promised < 0 or promised in STREAMED or promised >= 1 << 62
    if not made_up and promised - held > MARGIN:
        near = any(abs(promised - number) <= 64 * KIB for number in MADE_UP)
        made_up = near and held < 0.9 * promised
    if 0 <= promised <= held:
        # A length of 32 bits may have wrapped round; the largest possible one is tried first.
        laps = range(held - promised >> 32, 0, -1) if bits == 32 else ()
        for n in (promised, *(promised + (lap << 32) for lap in laps)):
            if _is_explained(handle, layout, start + n, size):
                held = n
                break
    endian = "BIG" if order == ">" else "LITTLE"
    return Samples(start, promised, held, endian, made_up)


def _is_explained(handle, layout, at, size):
    """True if what follows byte `at` is not sound: chunks, a tag, text, or one byte repeated."""
    at += -at % (layout.align if layout else 1)
    if size - at < MARGIN:
        return True
    handle.seek(at)
    rest = handle.read(1024 * KIB)
    is_short = size - at <= len(rest)
    if (
        rest.startswith(TAGS)
        or is_short
        and re.fullmatch(rb"(.)\1*|[\t\n\r\0 -~]+", rest, re.DOTALL)
    ):
        return True
    if layout is None:
        return False
    end = at
    for name, content, length in _chunks(handle, layout, at, size):
        if not re.fullmatch(rb"[ -~]{4}", name[:4]) or length < 0:
            break
        end = content + length
    # A chain of chunks ends where the file does, or its last chunk is padded or cut off.
    return end > at and size - end < MARGIN and (end <= size + MARGIN or rest[:4] in KNOWN)


def with_length(path, head, samples):
    """The file with the length that is there, where libsndfile reads nothing with another one.

    Returns a file, or None where libsndfile reads the file as it is, or must not.
    """
    if not samples or samples.are_cut_off or samples.held == samples.promised:
        return None
    if head[:4] == b"caff":  # the length stands before four bytes that count edits
        return Part(path, at=samples.start - 12, new=(samples.held + 4).to_bytes(8))
    return None


class Part(io.RawIOBase):
    """`length` bytes of a file from byte `start` on (None: all), as a file.

    new: other bytes, which stand at byte `at` of the part.
    """

    def __init__(self, path, start=0, length=None, *, at=0, new=b""):
        self.file = open(path, "rb")  # noqa: SIM115 (closed by `close`)
        self.length = self.file.seek(0, io.SEEK_END) - start if length is None else length
        self.start, self.at, self.new, self.position = start, at, new, 0

    def readable(self):
        return True

    def seekable(self):
        return True

    def tell(self):
        return self.position

    def seek(self, offset, whence=io.SEEK_SET):
        self.position = offset + (0, self.position, self.length)[whence]
        return self.position

    def readinto(self, buffer):
        start = self.position
        self.file.seek(self.start + start)
        n = self.file.readinto(memoryview(buffer)[: max(0, self.length - start)])
        first, last = max(start, self.at), min(start + n, self.at + len(self.new))
        if first < last:
            buffer[first - start : last - start] = self.new[first - self.at : last - self.at]
        self.position += n
        return n

    def close(self):
        self.file.close()
        super().close()
