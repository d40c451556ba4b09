"""Where a data set is: the given folder, Kaggle's mounts, the repository, a download, a sample."""

import difflib
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from helpers import env, files, synthesis
from helpers.data import download
from helpers.data.layouts import SUFFIXES, DataError, find_roots, sound_files
from helpers.data.registry import DATASETS


class DataNotFoundError(DataError):
    """A data set that is not where it was said to be: what was looked for, where, what to do."""


@dataclass(frozen=True)
class Dataset:
    """A data set that was found. source: "synthetic", "local", "kaggle" or "download"."""

    name: str
    root: Path
    source: str


# --- where is it? -----------------------------------------------------------------------------


def resolve(
    name,
    data_dir="",
    *,
    require=None,
    sample_size="small",
    download=False,
):
    """Find a data set, and print in one line which one was taken.

    Looks, in this order, at: data_dir · the folder `name` in that of the environment variable
    AUDIO_DATA · Kaggle's mounts · data/<name> in the repository · the network, if `download`, see
    `helpers.data.download` · the synthetic sample of `sample_size`, which is made if need be. Never
    mixes two.

    require: the parts needed, of "clips" and "recordings" (None: all that the data set has); with
    ("recordings",) alone a given folder may also simply hold sound files. Returns a `Dataset`.
    Raises DataNotFoundError if data_dir or AUDIO_DATA's folder does not hold the data set, or the
    download fails.
    """
    entry, passed = named(name), []
    require = tuple(entry.parts) if require is None else tuple(require)
    found = _given(entry, data_dir, require) or _mounted(entry, require, passed)
    if not found and download and entry.is_downloadable:
        found = _downloaded(entry, require)
    if not found and not entry.synthesise:
        raise DataNotFoundError(f"{entry.title}: no folder is given.\n{_advice(entry)}")
    if not found:
        root = synthesis.default_root(name, sample_size)
        synthesis.write_sample(entry.synthesise, root, size=sample_size)
        found = root, "synthetic"
    dataset = _dataset(name, *found)
    note = "".join(f" (passed over {files.short_path(p)}: not all of it is there)" for p in passed)
    print(f"{name}: {dataset.source} data in {files.short_path(dataset.root)}{note}")
    return dataset


def find(name, data_dir="", *, require=None, sample_size="small"):
    """The data set that `resolve` would take, without a word, and nothing is made or fetched.

    Returns a `Dataset`, or None where there is none, not even a sample. Raises DataNotFoundError as
    `resolve` does.
    """
    entry = named(name)
    require = tuple(entry.parts) if require is None else tuple(require)
    found = _given(entry, data_dir, require) or _mounted(entry, require, [])
    if not found and entry.synthesise:
        sample = synthesis.default_root(name, sample_size)
        found = (sample, "synthetic") if (sample / synthesis.MANIFEST).is_file() else None
    return _dataset(name, *found) if found else None


def named(name):
    """What is known of a data set. Raises DataNotFoundError where there is none of that name."""
    if name not in DATASETS:
        near = difflib.get_close_matches(name.lower(), DATASETS, n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        there = ", ".join(sorted(DATASETS))
        raise DataNotFoundError(f"no data set {name!r}{hint}: there are {there}")
    return DATASETS[name]


def _dataset(name, root, source):
    if (root / synthesis.MANIFEST).is_file():  # a synthetic sample stays one, whoever points at it
        source = "synthetic"
    return Dataset(name=name, root=root, source=source)


def _given(entry, data_dir, require):
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
        with suppress(DataError):  # it cannot be read: told below
            roots = [folder] if is_plain(folder, entry) else []
    if len(roots) == 1:
        is_mount = roots[0].is_relative_to(env.KAGGLE_INPUT)
        return roots[0], "kaggle" if is_mount else "local"
    wanted = ", ".join(" or ".join(map(repr, names)) for names in entry.needs(require)) or "clips"
    if require == ("recordings",):
        wanted += f" or sound files ({' '.join(SUFFIXES)})"
    if roots:
        problem = f"holds it more than once, in {', '.join(sorted(r.name for r in roots))}"
    elif not os.path.exists(folder):
        problem = "does not exist"
    elif not os.path.isdir(folder):
        problem = "is a file; the folder is needed, unzipped"
    else:
        try:
            names = sorted(p.name for p in folder.iterdir() if not p.name.startswith("."))
        except OSError as error:
            names = [f"nothing that can be read ({error.strerror})"]
        problem = f"has {', '.join(names[:5]) or 'nothing in it'}{' …' if names[5:] else ''}"
    raise DataNotFoundError(
        f"{entry.title}: looked for {wanted} in {origin} {files.short_path(folder)}, "
        f"which {problem}.\n{_advice(entry)}"
    )


def _mounted(entry, require, passed):
    """(root, source) on Kaggle or in the repository, or None; fills `passed` with the unfit."""
    places = [(default_folder(entry.name), "local")]
    if entry.kaggle:
        owner, slug = entry.kaggle.split("/")
        mounts = (env.KAGGLE_INPUT / slug, env.KAGGLE_INPUT / "datasets" / owner / slug)
        places = [*((folder, "kaggle") for folder in mounts), *places]
    for folder, source in places:
        roots = find_roots(folder, entry, require)
        if len(roots) == 1:
            return roots[0], source
        if os.path.isdir(folder):
            passed.append(folder)
    return None


def _downloaded(entry, require):
    """(root, "download") of a copy that is now in data/<name>, or where Kaggle has mounted it."""
    try:
        root = download.get(entry, default_folder(entry.name), require=require)
    except DataError as error:
        raise DataNotFoundError(f"{error}.\n{_advice(entry)}") from error
    return root, "download"


def default_folder(name):
    """Where the repository has a data set: data/<name>."""
    return env.repository_root() / "data" / name


def _advice(entry):
    ways = ["give DATA_DIR"]
    if entry.is_downloadable:
        ways = [f"get it with `python -m helpers.data get {entry.name}`"]
    if entry.kaggle:
        folder = f"data/{entry.name}"
        ways.append(f"with `kaggle datasets download {entry.kaggle} --unzip -p {folder}`")
    ways[-1] += f" (see data_README.md, {entry.page})"
    if entry.synthesise:
        ways.append("leave DATA_DIR empty for the synthetic sample")
    return f"{ways[0][0].upper()}{', or '.join(ways)[1:]}."


def is_plain(folder, entry):
    """True for a folder of sound files without any of the data set's own folders."""
    own = [name for names in entry.needs(entry.parts) for name in names]
    return not any(os.path.exists(folder / name) for name in own) and bool(sound_files(folder))
