"""How data sets lie on disk: sound files, and labels from the names of folders or files.

Only folders are read here, no sound. `metadata` reads the sets that list their clips in a table;
`registry` says which data set has which layout.
"""

import re
import unicodedata

import pandas as pd

from helpers import files
from helpers.data.folders import folders_below, is_hidden, sound_files
from helpers.files import Fault

LISTED = ("path", "label", "group", "fold")  # columns that are known before a clip is opened
# Folders whose folders are labels, but which are no labels: parts of a split, or of a corpus.
SPLIT = re.compile(
    r"(train|test|dev|val|valid|validation|eval)(ing)?([-_ ]?(clean|other|set|data|\d+))*|dr[1-8]",
    re.IGNORECASE,
)
WRAPPER = re.compile(
    r"(libri|vox|timit|vctk|wav48).*|wav|wavs|audio|clips|corpus|data|dataset|speakers|versions|\d+",
    re.IGNORECASE,
)


def find_roots(folder, entry, require):
    """Where a data set lies: [the folder itself], or else every matching folder directly in it.

    A folder like kagglehub's `versions/1` may lie between. entry: `data.DatasetInfo`. require: the
    parts that must exist. []: none, or no permission.
    """
    needed = entry.needs(require)

    def is_root(place):
        return all(any((place / name).exists() for name in names) for names in needed)

    try:
        level = [folder] if folder.is_dir() else []
        while level:
            if roots := [place for place in level if is_root(place)]:
                return roots
            wrappers = [p for p in level if p == folder or WRAPPER.fullmatch(p.name)]
            level = [path for place in wrappers for path in shown_folders(place)]
    except OSError:
        pass
    return []


def shown_folders(folder):
    """The folders directly in a folder, sorted, without hidden ones."""
    return sorted(path for path in folder.iterdir() if path.is_dir() and not is_hidden(path))


def source_of(path):
    """The source in a file's name, where clips of one source are numbered: XC16803-4.wav."""
    return files.printable(re.sub(r"-\d+$", "", path.stem))


def path_column(paths, index=None):
    """A column of paths as str, which need not be valid Unicode. None stays None."""
    texts = [None if path is None else str(path) for path in paths]
    return pd.Series(texts, index=index, dtype=object)


def _clips(rows):
    """The columns LISTED from tuples (path, label, group)."""
    paths, labels, groups = zip(*rows, strict=True) if rows else ((), (), ())
    table = pd.DataFrame({"path": path_column(paths), "label": labels, "group": groups})
    return table.assign(fold=-1)


# Each function below takes the data set's folder and returns (table with the columns LISTED, list
# of `Fault`). A fold of -1 means: none.

CAPUCHIN_CLIPS = {"capuchin": "Parsed_Capuchinbird_Clips", "other": "Parsed_Not_Capuchinbird_Clips"}


def capuchin_clips(root):
    """The clips in their two folders. The source is the part of a file's name before -N."""
    rows = [
        (path, label, source_of(path))
        for label, place in CAPUCHIN_CLIPS.items()
        for path in sound_files(root / place)
    ]
    return _clips(rows), []


CATSDOGS_NAMES = {"cat": "cat_<n>", "dog": "dog_barking_<n>"}


def catsdogs_clips(root):
    """The clips at any depth, each its own source, and a fault for each file with another name.

    A name counts once, in the uppermost folder: the folders below hold copies.
    """
    patterns = {label: name.replace("<n>", "[0-9]+") for label, name in CATSDOGS_NAMES.items()}
    found, faults = {}, []
    places = sorted(folders_below(root), key=lambda place: len(place.parts))
    for path in (path for place in places for path in sound_files(place)):
        labels = [label for label, name in patterns.items() if re.fullmatch(name, path.stem)]
        if labels:
            found.setdefault(path.stem, (path, labels[0], path.stem))
        else:
            inside = files.printable(path.relative_to(root).as_posix())
            faults.append(Fault("misnamed", inside, " or ".join(CATSDOGS_NAMES.values())))
    return _clips(list(found.values())), faults


def clips_in_folders(root, groups_of):
    """<label>/**/<clip>. Folders that are parts of a split or of a corpus are no labels.

    groups_of: (the label's folder, {it or a folder below: its clips}) → the source of each clip.
    """
    rows, faults, tops = [], [], label_folders(root)
    if outer := sorted({top.parent.relative_to(root).as_posix() for top in tops} - {"."}):
        detail = "it looks like a part of a split or corpus, so its folders are taken as labels"
        faults = [Fault("layout", files.printable(name), detail) for name in outer]
    for top in tops:
        places = {place: clips for place in folders_below(top) if (clips := sound_files(place))}
        paths = [path for clips in places.values() for path in clips]
        label = files.printable(unicodedata.normalize("NFC", top.name))
        rows += [(p, label, g) for p, g in zip(paths, groups_of(top, places), strict=True)]
    return _clips(rows), faults


def label_folders(root):
    """The folders of the labels: those in `root` that hold sounds, or in corpora those below."""
    tops = [top for top in shown_folders(root) if any(map(sound_files, folders_below(top)))]
    names = [top.name for top in tops]
    is_outer = all(map(SPLIT.fullmatch, names)) or (len(names) == 1 and WRAPPER.fullmatch(names[0]))
    if not is_outer or any(map(sound_files, [root, *tops])):
        return tops
    return [label for top in tops for label in label_folders(top)]


def class_groups(top, places):
    """Sources of a class. A folder below the class is one source.

    Clips directly in the class's folder are of one source if their names differ only in a last -N.
    If that would leave the class a single source, each of these clips is its own.
    """
    use_names = len(places) > 1 or len({source_of(path) for path in places.get(top, [])}) > 1
    groups = []
    for place, paths in places.items():
        if place != top:
            groups += [files.printable(place.relative_to(top).as_posix())] * len(paths)
        else:
            groups += [source_of(p) if use_names else files.printable(p.stem) for p in paths]
    return groups


def speaker_groups(top, places):
    """Sources of a speaker: the folders that hold clips; with one folder only, the clips."""
    groups = []
    for place, paths in places.items():
        session = place.relative_to(top.parent)
        groups += [session if len(places) > 1 else session / path.stem for path in paths]
    return [files.printable(group.as_posix()) for group in groups]
