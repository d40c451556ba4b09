"""Sample data with an exact answer key, in the layout of the real data sets."""

import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from helpers import env, files, parallel
from helpers.synthesis import capuchin, catsdogs, speakers, urbansound8k

MANIFEST = "synthetic.json"
SIZES = ("small", "full")


@dataclass(frozen=True)
class Generator:
    """How the sample of a data set is made."""

    name: str  # of the data set
    build: Callable  # (folder, *, size, seed, progress) fills a folder; progress(total=n): a bar
    version: int  # samples of another version are built again
    sizes: dict  # for `build`, with all keys of SIZES

    def __post_init__(self):
        if missing := set(SIZES) - set(self.sizes):
            raise ValueError(f"the generator of {self.name!r} lacks the sizes {sorted(missing)}")


GENERATORS = {
    name: Generator(name, build, module.VERSION, module.SIZES)
    for name, module, build in (
        ("capuchin", capuchin, capuchin.build_capuchin),
        ("urbansound8k", urbansound8k, urbansound8k.build_urbansound8k),
        ("esc50", urbansound8k, urbansound8k.build_esc50),
        ("esc10", urbansound8k, urbansound8k.build_esc50),  # the layout selects its ten classes
        ("catsdogs", catsdogs, catsdogs.build_catsdogs),
        ("speakers", speakers, speakers.build_speakers),
    )
}


def default_root(name, size):
    """Folder of a sample: data/synthetic/<name>-<size> in AUDIO_SAMPLE_DIR or the repository."""
    base = os.environ.get("AUDIO_SAMPLE_DIR") or env.repository_root()
    return Path(base) / "data" / "synthetic" / f"{name}-{size}"


def _manifest(root):
    try:
        return json.loads((root / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def write_sample(generator, root, *, size="small", seed=0, progress=True):
    """Write a synthetic data set with its answer key. Returns its folder as a Path.

    root: folder to write. It stays as it is if it holds the same version, size and seed; any other
    sample in it is replaced as a whole. size: key of the generator's sizes. The same seed gives the
    same bytes. Raises ValueError for an unknown size, FileExistsError if root is not a sample.
    """
    if size not in generator.sizes:
        raise ValueError(f"unknown size {size!r}: choose one of {', '.join(generator.sizes)}")
    root = Path(root)
    manifest = {"generator": generator.version, "name": generator.name, "size": size, "seed": seed}
    if _manifest(root) == manifest:
        return root
    if root.exists() and _manifest(root) is None and any(root.iterdir()):
        raise FileExistsError(f"{root} is not a sample: give another folder, or empty it")
    for stale in root.parent.glob(f".{root.name}.*.part"):  # left by killed processes
        if time.time() - stale.stat().st_mtime > 3600:
            shutil.rmtree(stale, ignore_errors=True)
    description = f"Synthesising {generator.name} ({size})"
    bar = partial(parallel.progress_bar, desc=description, disable=not progress)
    try:
        with files.replaced_folder(root) as folder:
            generator.build(folder, size=size, seed=seed, progress=bar)
            (folder / MANIFEST).write_text(json.dumps(manifest) + "\n", encoding="utf-8")
            if _manifest(root) == manifest:
                raise FileExistsError  # another process was faster, and its files may be in use
    except OSError:
        if _manifest(root) != manifest:
            raise
    return root
