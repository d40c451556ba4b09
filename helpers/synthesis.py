"""Sample data with an exact answer key, in the layout of the real data sets.

Command line: ``python -m helpers.synthesis capuchin --size small``
"""

import argparse
import json
import os
import shutil
import time
import uuid
from pathlib import Path

from helpers import city, crowd, forest, pets

MANIFEST = "synthetic.json"
MAKERS = {
    "capuchin": (forest, forest.build),
    "urbansound8k": (city, city.build_urbansound8k),
    "esc50": (city, city.build_esc50),
    "esc10": (city, city.build_esc50),  # the same files: the layout picks out its ten classes
    "catsdogs": (pets, pets.build_catsdogs),
    "speakers": (crowd, crowd.build_speakers),
}
SIZES = ("small", "full")


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


def write(name, root, *, size="small", seed=0, progress=True):
    """Write a data set in the layout of the real one, with its answer key.

    name: key of MAKERS. root: folder; kept if it holds this version, size and seed, replaced if it
    holds another sample. size: one of SIZES. seed: int, the same seed gives the same bytes.
    progress: show a bar. Returns root as a Path; the folder appears complete or not at all. Raises
    ValueError for an unknown size, FileExistsError if root holds anything but a sample.
    """
    module, build = MAKERS[name]
    if size not in module.SIZES:
        raise ValueError(f"no size {size!r}; known: {', '.join(module.SIZES)}")
    root = Path(root)
    manifest = {"generator": module.VERSION, "name": name, "size": size, "seed": seed}
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
        build(folder, size=size, seed=seed, progress=progress)
        (folder / MANIFEST).write_text(json.dumps(manifest) + "\n", encoding="utf-8")
        _publish(folder, root, manifest)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return root


def main(argv=None):
    parser = argparse.ArgumentParser(prog="python -m helpers.synthesis", description=__doc__)
    parser.add_argument("name", choices=list(MAKERS))
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--root", help="folder to write (default: data/synthetic/<name>-<size>)")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    root = args.root or default_root(args.name, args.size)
    print(os.path.relpath(write(args.name, root, size=args.size, seed=args.seed)))


if __name__ == "__main__":
    main()
