"""Sample data with an exact answer key, in the layout of the real data sets."""

import json
import os
import shutil
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from helpers.synthesis import capuchin, catsdogs, speakers, urbansound8k

MANIFEST = "synthetic.json"
SIZES = ("small", "full")


@dataclass(frozen=True)
class Generator:
    """How samples of a data set are made.

    name: of the data set. build: (folder, *, size, seed, progress), fills an empty folder in the
    layout of the real one. version: data sets of another version are rebuilt. sizes: name → plan,
    among them SIZES.
    """

    name: str
    build: Callable
    version: int
    sizes: dict

    def __post_init__(self):
        if missing := set(SIZES) - set(self.sizes):
            raise ValueError(f"the generator of {self.name!r} lacks the sizes {sorted(missing)}")


GENERATORS = {
    generator.name: generator
    for generator in (
        Generator("capuchin", capuchin.build_capuchin, capuchin.VERSION, capuchin.SIZES),
        Generator(
            "urbansound8k",
            urbansound8k.build_urbansound8k,
            urbansound8k.VERSION,
            urbansound8k.SIZES,
        ),
        Generator("esc50", urbansound8k.build_esc50, urbansound8k.VERSION, urbansound8k.SIZES),
        # The same files: the layout picks out its ten classes.
        Generator("esc10", urbansound8k.build_esc50, urbansound8k.VERSION, urbansound8k.SIZES),
        Generator("catsdogs", catsdogs.build_catsdogs, catsdogs.VERSION, catsdogs.SIZES),
        Generator("speakers", speakers.build_speakers, speakers.VERSION, speakers.SIZES),
    )
}


def default_root(name, size):
    """Where a sample belongs: data/synthetic/<name>-<size> under AUDIO_SAMPLE_DIR, else under the
    nearest parent folder that holds notebooks/ and helpers/, else under the current folder."""
    here = Path.cwd()
    repository = (
        p for p in (here, *here.parents) if (p / "notebooks").is_dir() and (p / "helpers").is_dir()
    )
    base = os.environ.get("AUDIO_SAMPLE_DIR") or next(repository, here)
    return Path(base) / "data" / "synthetic" / f"{name}-{size}"


def _manifest(root):
    try:
        return json.loads((root / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _publish(folder, root, manifest):
    """Rename folder to root, whatever other processes do meanwhile."""
    for _ in range(10):
        if _manifest(root) == manifest:
            return
        try:
            folder.rename(root)
            return
        except OSError:
            if not root.exists():
                raise
        if _manifest(root) is None and any(root.iterdir()):
            raise FileExistsError(f"{root} holds something else; give another folder")
        old = folder.with_name(folder.name + "-old")
        try:
            root.rename(old)
        except FileNotFoundError:
            continue
        shutil.rmtree(old, ignore_errors=True)


def write_sample(generator, root, *, size="small", seed=0, progress=True):
    """Write a data set in the layout of the real one, with its answer key.

    generator: `Generator`. root: folder; kept if it holds this version, size and seed, replaced if
    it holds another sample. size: key of the generator's sizes. seed: int, the same
    seed gives the same bytes. progress: show a bar. Returns root as a Path; the folder appears
    complete or not at all. Raises ValueError for an unknown size, FileExistsError if root holds
    anything but a sample.
    """
    if size not in generator.sizes:
        raise ValueError(f"no size {size!r}; known: {', '.join(generator.sizes)}")
    root = Path(root)
    manifest = {"generator": generator.version, "name": generator.name, "size": size, "seed": seed}
    if _manifest(root) == manifest:
        return root
    if root.exists() and _manifest(root) is None and any(root.iterdir()):
        raise FileExistsError(f"{root} is not a sample; give another folder, or empty it")
    root.parent.mkdir(parents=True, exist_ok=True)
    for stale in root.parent.glob(f".{root.name}-partial-*"):  # of runs that were killed
        if time.time() - stale.stat().st_mtime > 3600:
            shutil.rmtree(stale, ignore_errors=True)
    folder = root.parent / f".{root.name}-partial-{uuid.uuid4().hex}"
    try:
        generator.build(folder, size=size, seed=seed, progress=progress)
        (folder / MANIFEST).write_text(json.dumps(manifest) + "\n", encoding="utf-8")
        _publish(folder, root, manifest)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return root
