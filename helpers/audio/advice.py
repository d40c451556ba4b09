"""What to do about a sound file that cannot be read, in one line."""

import codecs
import re
from contextlib import suppress

AGAIN = "copy or download it again"
CONVERT = "convert it with `ffmpeg -i FILE out.wav`"

# Codecs that a wav file may hold and that libsndfile does not decode, by their number.
WAV_CODECS = {
    0x0022: "TrueSpeech", 0x0042: "G.723.1", 0x0045: "G.726", 0x0064: "G.726", 0x0065: "G.722",
    0x0083: "G.729", 0x00FF: "AAC", 0x0130: "ACELP", 0x0160: "WMA", 0x0161: "WMA", 0x0162: "WMA",
    0x0163: "WMA", 0x028F: "G.722", 0x1610: "AAC", 0x2000: "AC-3", 0x2001: "DTS", 0x674F: "Vorbis",
    0x6750: "Vorbis", 0x6751: "Vorbis", 0x676F: "Vorbis", 0x6770: "Vorbis", 0x6771: "Vorbis",
    0x706D: "AAC", 0xA106: "AAC", 0xA109: "Speex", 0xF1AC: "FLAC",
}  # fmt: skip
# How files of other formats begin.
CONTAINERS = (
    (r"....ftyp", "MP4 (m4a, mp4)"),
    (r"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "Windows Media (wma)"),
    (r"\xff[\xf0\xf1\xf8\xf9][\x40-\x7f\x80-\xbf]", "AAC"),
    (r"ADIF", "AAC"),
    (r"#!AMR", "AMR"),
    (r"\x1a\x45\xdf\xa3", "Matroska (mka, webm)"),
    (r"wvpk", "WavPack"),
    (r"MAC ", "Monkey's Audio"),
    (r"TTA1", "True Audio"),
    (r"MPCK|MP\+", "Musepack"),
    (r"DSD |FRM8", "DSD"),
    (r"\x0b\x77", "AC-3"),
    (r"OggS.{24,280}?(\x7fFLAC)", "FLAC in Ogg"),
    (r"OggS.{24,280}?(Speex   )", "Speex in Ogg"),
    (r"RIFF....AVI ", "AVI (video)"),
)
COMPRESSED_WAC = "Wildlife Acoustics' WAC: convert it with their program Kaleidoscope"


def convert_all(suffix, n):
    """What to do about n files of a type that cannot be read, in one folder."""
    what = f"{n} file{'s' * (n > 1)} of this type cannot be read: "
    if suffix.lower() == ".wac":
        return what + "convert them with Wildlife Acoustics' program Kaleidoscope"
    command = f'for f in *{suffix}; do ffmpeg -i "$f" "${{f%.*}}.wav"; done'
    return what + f"convert them, in their folder, with `{command}`"


def seconds(s):
    """A time in seconds as text for messages."""
    return f"{s:.2f} s" if s < 100 else f"{s:.0f} s"


def cut_off(promised_s, held_s):
    """The reason for a file whose end is missing. promised_s: NaN if not known."""
    if promised_s - held_s > 0.02:
        detail = f"the header promises {seconds(promised_s)}, the file holds {seconds(held_s)}"
    else:
        detail = f"its end is missing, after {seconds(held_s)}"
    return f"cut off or damaged: {detail}; {AGAIN}"


def why_unreadable(handle, head, trouble, *, is_known):
    """The reason why libsndfile cannot open a file.

    head: its first bytes. trouble: what libsndfile says. is_known: True if it begins as a format
    that libsndfile reads.
    """
    if head.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer instead of the sound: run `git lfs pull`"
    if head.lstrip()[:9].lower().startswith((b"<!doctype", b"<html")):
        return f"a web page instead of the sound: {AGAIN}"
    if head.startswith((b"WAac", b"wAac")):
        return COMPRESSED_WAC
    if not head.strip(b"\0"):
        return _zeros(handle)
    # What libsndfile says of MP3 files is often about files that do not exist.
    detail = "" if "pipe" in trouble or not trouble else f" ({trouble})"
    if codec := _wav_codec(head):
        return f"{codec} sound in a wav file, which cannot be read here: {CONVERT}"
    for pattern, name in CONTAINERS:
        if re.match(pattern.encode("latin-1"), head, re.DOTALL):
            return f"{name}, which cannot be read here: {CONVERT}"
    if is_known:
        return f"damaged, or cut off in its header: {AGAIN}{detail}"
    if not set(head) - set(range(32, 256)) - set(b"\t\n\r\f"):
        with suppress(UnicodeDecodeError):
            # Incremental, because the last character of `head` may be incomplete.
            codecs.getincrementaldecoder("utf-8")().decode(head)
            return "text, not audio"
    return f"not sound in a known format; if it is, {CONVERT}{detail}"


def _zeros(handle):
    """The reason for a file that begins with zeros."""
    handle.seek(0)
    n = 0
    while block := handle.read(1 << 20):
        if rest := block.lstrip(b"\0"):
            n += len(block) - len(rest)
            return f"{n:,} bytes of zeros stand before the sound, if it is sound: {CONVERT}"
        n += len(block)
    return f"it holds no sound: all its {n:,} bytes are zeros"


def _wav_codec(head):
    """The name of a codec that libsndfile does not decode, in a wav file; otherwise ""."""
    at = head.find(b"fmt ")
    if head[:4] not in (b"RIFF", b"RIFX", b"RF64") or head[8:12] != b"WAVE" or at < 0:
        return ""
    number = int.from_bytes(head[at + 8 : at + 10], "big" if head[:4] == b"RIFX" else "little")
    if number == 0xFFFE:  # the number stands in the extension
        number = int.from_bytes(head[at + 32 : at + 34], "little")
    return WAV_CODECS.get(number, "")
