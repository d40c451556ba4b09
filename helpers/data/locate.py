"""Where a data set is: the given folder, Kaggle's mounts, the repository, a download, a sample."""

import difflib
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from helpers import env, files, synthesis
from helpers.data import download
from helpers.data.folders import TYPES, DataError, sound_files
from helpers.data.layouts import find_roots
from helpers.data.registry import DATASETS


class DataNotFoundError(DataError):
    """A data set that is not where it should be: what was looked for, where, and what to do."""


@dataclass(frozen=True)
class Dataset:
    """A data set that was found. source: "synthetic", "local", "kaggle" or "download"."""

    name: str
    root: Path
    source: str


def resolve(name, data_dir="", *, require=None, sample_size="small", download=False):
    """Find a data set, and print in one line which one was taken. Never mixes two.

    Looks, in this order, at: data_dir · the folder `name` in the folder that the environment
    variable AUDIO_DATA names · Kaggle's mounts · data/<name> in the repository · the network, if
    `download` · the synthetic sample of `sample_size`, which is made if it does not exist.

    require: the parts needed, of "clips" and "recordings" (None: all that the data set has). With
    ("recordings",) a given folder may also hold just sound files. Returns a `Dataset`. Raises
    DataNotFoundError if data_dir or AUDIO_DATA's folder does not hold the data set, if the download
    fails, or if nothing is found and there is no sample.
    """
    entry, require = lookup(name), _parts(name, require)
    found, incomplete = _existing(entry, data_dir, require)
    if not found and download and entry.is_downloadable:
        found = _downloaded(entry, require)
    if not found and not entry.synthesise:
        raise DataNotFoundError(f"{entry.title}: no folder is given.\n{_advice(entry)}")
    if not found:
        root = synthesis.default_root(name, sample_size)
        synthesis.write_sample(entry.synthesise, root, size=sample_size)
        found = root, "synthetic"
    dataset = _dataset(name, *found)
    notes = [f" ({files.short_path(place)} is not complete, so not used)" for place in incomplete]
    print(f"{name}: {dataset.source} data in {files.short_path(dataset.root)}{''.join(notes)}")
    return dataset


def find(name, data_dir="", *, require=None, sample_size="small"):
    """The `Dataset` that `resolve` would take, or None. Prints, makes and downloads nothing.

    Raises DataNotFoundError as `resolve` does.
    """
    entry = lookup(name)
    found, _ = _existing(entry, data_dir, _parts(name, require))
    if not found and entry.synthesise:
        sample = synthesis.default_root(name, sample_size)
        found = (sample, "synthetic") if (sample / synthesis.MANIFEST).is_file() else None
    return _dataset(name, *found) if found else None


def lookup(name):
    """The record of a data set. Raises DataNotFoundError if there is none of that name."""
    if name not in DATASETS:
        near = difflib.get_close_matches(name.lower(), DATASETS, n=1)
        hint = f"{name!r} (did you mean {near[0]}?)" if near else repr(name)
        raise DataNotFoundError(f"no data set {hint}: there are {', '.join(sorted(DATASETS))}")
    return DATASETS[name]


def _parts(name, require):
    return tuple(DATASETS[name].parts if require is None else require)


def _dataset(name, root, source):
    is_sample = (root / synthesis.MANIFEST).is_file()  # also if the user names its folder
    return Dataset(name=name, root=root, source="synthetic" if is_sample else source)


def _existing(entry, data_dir, require):
    """((root, source) of a copy on this machine or None, folders passed over as incomplete)."""
    if found := _from_user(entry, data_dir, require):
        return found, []
    places = [(default_folder(entry.name), "local")]
    if entry.kaggle:
        owner, slug = entry.kaggle.split("/")
        mounts = (env.KAGGLE_INPUT / slug, env.KAGGLE_INPUT / "datasets" / owner / slug)
        places = [*((folder, "kaggle") for folder in mounts), *places]
    incomplete = []
    for folder, source in places:
        roots = find_roots(folder, entry, require)
        if len(roots) == 1:
            return (roots[0], source), incomplete
        if os.path.isdir(folder):
            incomplete.append(folder)
    return None, incomplete


def _from_user(entry, data_dir, require):
    """(root, source) of the folder that the user or AUDIO_DATA names; None if neither does."""
    if data_dir:
        folder, origin = Path(data_dir).expanduser(), "the given folder"
    elif os.environ.get("AUDIO_DATA"):
        folder = Path(os.environ["AUDIO_DATA"]).expanduser() / entry.name
        origin = "the folder that AUDIO_DATA names"
        if not os.path.exists(folder):
            return None
    else:
        return None
    roots = find_roots(folder, entry, require)
    if not roots and require == ("recordings",) and os.path.isdir(folder):
        with suppress(DataError):  # an unreadable folder is reported below
            roots = [folder] if is_plain(folder, entry) else []
    if len(roots) == 1:
        is_mount = roots[0].is_relative_to(env.KAGGLE_INPUT)
        return roots[0], "kaggle" if is_mount else "local"
    wanted = entry.describe_needs(require) or "clips"
    if require == ("recordings",):
        wanted += f" or sound files ({TYPES})"
    raise DataNotFoundError(
        f"{entry.title}: looked for {wanted} in {origin} {files.short_path(folder)}, "
        f"which {_problem(folder, roots)}.\n{_advice(entry)}"
    )


def _problem(folder, roots):
    """Why a folder cannot be used as a data set, in words. roots: the copies of it found there."""
    if roots:
        return f"holds it more than once, in {', '.join(sorted(r.name for r in roots))}"
    if not os.path.exists(folder):
        return "does not exist"
    if not os.path.isdir(folder):
        return "is a file; unzip it and give the folder"
    try:
        names = sorted(p.name for p in folder.iterdir() if not p.name.startswith("."))
    except OSError as error:
        return f"cannot be read ({files.os_reason(error)})"
    return f"contains {', '.join(names[:5]) or 'nothing'}{' …' if names[5:] else ''}"


def _downloaded(entry, require):
    """(root, "download") of a new copy in data/<name>, or where Kaggle mounts it."""
    try:
        root = download.get(entry, default_folder(entry.name), require=require)
    except DataError as error:
        raise DataNotFoundError(f"{error}.\n{_advice(entry)}") from error
    return root, "download"


def default_folder(name):
    """The folder of a data set in the repository: data/<name>."""
    return env.repository_root() / "data" / name


def _advice(entry):
    """What to do to get a data set, as a sentence."""
    options = ["give DATA_DIR"]
    if entry.is_downloadable:
        options = [f"get it with `python -m helpers.data get {entry.name}`"]
    if entry.kaggle:
        folder = f"data/{entry.name}"
        options.append(f"with `kaggle datasets download {entry.kaggle} --unzip -p {folder}`")
    options[-1] += f" (see data_README.md, {entry.page})"
    if entry.synthesise:
        options.append("leave DATA_DIR empty for the synthetic sample")
    sentence = ", or ".join(options)
    return f"{sentence[0].upper()}{sentence[1:]}."


def is_plain(folder, entry):
    """True for a folder of sound files that has none of the data set's own folders."""
    own = [name for names in entry.needs(entry.parts) for name in names]
    return not any(os.path.exists(folder / name) for name in own) and bool(sound_files(folder))
