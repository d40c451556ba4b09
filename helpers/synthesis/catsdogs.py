"""Synthetic Audio Cats and Dogs: an animal in each file, in front of whatever else is heard there.

Surroundings, their level, the file's own level and its length are drawn whichever animal it is:
none of them tells the class. One file is damaged on purpose: `defects.csv` lists it (file, defect).
"""

import numpy as np

from helpers import parallel
from helpers.env import item_rng
from helpers.synthesis import environmental
from helpers.synthesis.wildlife import SR, gain, mixture, rms
from helpers.synthesis.write import write_clip, write_csv

VERSION = 1  # of the generator: data sets of another version are rebuilt
SIZES = {  # clips
    "small": dict(cat=30, dog=30),
    "full": dict(cat=100, dog=80),
}
ANIMALS = {  # label: kind of sound, name of the files, the first number
    "cat": ("meow", "cat", 1),
    "dog": ("dog_bark", "dog_barking", 0),
}
SECONDS = (1.0, 6.0)  # length of a clip
BEHIND_DB = (-20, 8)  # level of the surroundings, relative to the animal's
LEVEL_DB = (-45, -26)  # RMS level of a clip, relative to full scale: nearly all peaks still fit
SURROUNDINGS = ("hiss", "wind", "rain", "songbird", "chatter", "crickets")


def build_catsdogs(folder, *, size, seed, progress):
    """Fill an empty folder with Audio Cats and Dogs' layout. size: key of SIZES. seed: int."""
    (folder / "cats_dogs").mkdir(parents=True)
    plan, paths = SIZES[size], []
    with parallel.progress_bar(
        total=sum(plan.values()), desc=f"Synthesising catsdogs ({size})", disable=not progress
    ) as bar:
        for label, (kind, name, first) in ANIMALS.items():
            for number in range(first, first + plan[label]):
                paths.append(folder / "cats_dogs" / f"{name}_{number}.wav")
                write_clip(paths[-1], _clip(item_rng(seed, label, number), kind), SR, 1)
                bar.update()
    damaged = paths[item_rng(seed, "catsdogs defects").integers(len(paths))]
    content = damaged.read_bytes()
    damaged.write_bytes(content[: len(content) // 3])
    defects = [(damaged.relative_to(folder).as_posix(), "cut off")]
    write_csv(folder / "defects.csv", ("file", "defect"), defects)


def _clip(rng, kind):
    """An animal in its surroundings, cut so that it is heard: (n_samples,)."""
    n = round(rng.uniform(*SECONDS) * SR)
    y = environmental.recording(rng, kind, n_samples=n + 2 * SR, sr=SR)
    start = np.argmax(np.abs(y)) - round(rng.uniform(0.2, 0.8) * n)
    y = y[np.clip(start, 0, len(y) - n) :][:n]
    behind = mixture(rng, rng.choice(SURROUNDINGS, 2, replace=False), n, SR)
    y = y / rms(y) + behind * gain(rng.uniform(*BEHIND_DB))
    return y / rms(y) * gain(rng.uniform(*LEVEL_DB))
