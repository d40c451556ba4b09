"""The sound files in folders: which can be read, which cannot, and what is not meant to be read."""

import os
from collections import Counter
from contextlib import suppress
from pathlib import Path

from helpers import files
from helpers.audio.advice import convert_all
from helpers.files import Fault

# Of files that libsndfile reads
SUFFIXES = (
    ".wav", ".flac", ".ogg", ".mp3", ".aif", ".aifc", ".aiff", ".au", ".bwf", ".caf", ".mp2",
    ".oga", ".opus", ".rf64", ".snd", ".w64", ".wave",
)  # fmt: skip
TYPES = "wav, flac, ogg, mp3, aiff or others that libsndfile reads"
# Of sound that has to be converted first
UNREAD = {
    ".3gp", ".aac", ".ac3", ".amr", ".ape", ".asf", ".avi", ".dff", ".dsf", ".dts", ".m4a", ".m4b",
    ".m4v", ".mka", ".mkv", ".mov", ".mp4", ".mpc", ".mpg", ".ra", ".rm", ".spx", ".tta", ".wac",
    ".webm", ".wma", ".wv",
}  # fmt: skip
# Folders in which systems and file servers keep what was deleted, previews and copies
LITTER = {
    "$recycle.bin", "recycler", "system volume information", "lost+found", "#recycle", "@eadir",
    "@recycle", "@recently-snapshot", "__macosx",
}  # fmt: skip


class DataError(Exception):
    """A data set that cannot be used as it is. The message says why and what to do."""


def is_hidden(path):
    """True for hidden files, and for what systems, archives and file servers add."""
    return path.name.startswith(".") or path.name.lower() in LITTER


def sound_files(folder):
    """The sound files directly in a folder that can be read, sorted by name, without hidden ones.

    Returns [] if the folder does not exist. Raises DataError if it cannot be read.
    """
    return [path for path in _files(folder) if path.suffix.lower() in SUFFIXES]


def _files(folder):
    """The files directly in a folder whose suffix is one of sound, see `sound_files`."""
    try:
        inside = [p for p in folder.iterdir() if p.suffix.lower() in {*SUFFIXES, *UNREAD}]
        return sorted(p for p in inside if not is_hidden(p) and p.is_file())
    except FileNotFoundError:
        return []
    except OSError as error:
        reason = files.os_reason(error)
        raise DataError(f"{files.short_path(folder)} cannot be read: {reason}") from None


def folders_below(top):
    """A folder and all folders below it, at any depth, without hidden ones and their content.

    Links to folders are followed, and a folder that several ways lead to comes once: by its own
    name if it lies below `top`, otherwise by the first link. A folder that cannot be read is named,
    but nothing in it. Returns a list of Path: `top`, and the others sorted.
    """
    found, seen, links = [top], {os.path.realpath(top)}, [top]
    while links:
        # What lies here goes before what a link leads to; a link may lead to further links.
        link, *links = links
        if link != top:
            if os.path.realpath(link) in seen:
                continue
            seen.add(os.path.realpath(link))
            found.append(link)
        for place, names, _ in os.walk(link):
            names[:] = sorted(name for name in names if not is_hidden(Path(name)))
            for name in list(names):
                path = Path(place, name)
                if path.is_symlink():
                    links.append(path)
                elif (real := os.path.realpath(path)) in seen:
                    names.remove(name)
                else:
                    seen.add(real)
                    found.append(path)
    return [top, *sorted(found[1:])]


def find_sounds(top):
    """All sound files in a folder and below it: (sorted list of Path, list of `files.Fault`).

    The faults name what is there and cannot be read: folders, and files of other types. A file that
    several links lead to comes once.
    """
    paths, faults = {}, []
    for folder in folders_below(top):
        try:
            inside = _files(folder)
        except DataError as error:
            faults.append(Fault("damaged", files.short_path(folder, root=top), str(error)))
            continue
        for path in inside:
            if path.suffix.lower() in SUFFIXES:
                real = os.path.realpath(path)
                if real not in paths or not path.is_symlink():
                    paths[real] = path
        faults += _left_out(inside, folder, top)
    return sorted(paths.values()), faults


def left_out(top):
    """A `Fault` for each folder at or below `top`, and each type of its files that is not read."""
    found = []
    for folder in folders_below(top):
        with suppress(DataError):
            found += _left_out(_files(folder), folder, top)
    return found


def _left_out(inside, folder, top):
    """The faults of one folder. A file of which a copy can be read is none."""
    copied = {path.stem for path in inside if path.suffix.lower() in SUFFIXES}
    unread = [p.suffix for p in inside if p.suffix.lower() in UNREAD and p.stem not in copied]
    return [
        Fault("left out", files.short_path(folder / f"*{suffix}", root=top), convert_all(suffix, n))
        for suffix, n in sorted(Counter(unread).items())
    ]
