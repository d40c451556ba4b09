"""Synthetic Audio Cats and Dogs: one animal with background sounds in each file.

Background, levels and length are drawn in the same way for both animals, so that none of them
gives the class away. One file is damaged on purpose; `defects.csv` lists it (file, defect).
"""

import numpy as np

from helpers.env import item_rng
from helpers.synthesis import environmental
from helpers.synthesis.wildlife import SR, gain, mixture, rms
from helpers.synthesis.write import write_clip, write_csv

VERSION = 1  # raise it when the files change: older samples are then built again
SIZES = {"small": dict(cat=30, dog=30), "full": dict(cat=100, dog=80)}  # clips
# Label: kind of sound, name of the files, number of the first file.
ANIMALS = {"cat": ("meow", "cat", 1), "dog": ("dog_bark", "dog_barking", 0)}
SECONDS = (1.0, 6.0)  # length of a clip
BACKGROUND_DB = (-20, 8)  # RMS relative to the animal's
LEVEL_DB = (-45, -26)  # RMS of a clip relative to full scale, so that few peaks are clipped
BACKGROUNDS = ("hiss", "wind", "rain", "songbird", "chatter", "crickets")


def build_catsdogs(folder, *, size, seed, progress):
    """Fill an empty folder in the layout of Audio Cats and Dogs; see `Generator`."""
    plan, paths = SIZES[size], []
    with progress(total=sum(plan.values())) as bar:
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
    """A clip (n_samples,) of an animal, cut around its loudest sample, with background sounds."""
    n = round(rng.uniform(*SECONDS) * SR)
    y = environmental.recording(rng, kind, n_samples=n + 2 * SR, sr=SR)
    start = np.argmax(np.abs(y)) - round(rng.uniform(0.2, 0.8) * n)
    y = y[np.clip(start, 0, len(y) - n) :][:n]
    background = mixture(rng, rng.choice(BACKGROUNDS, 2, replace=False), n, SR)
    y = y / rms(y) + background * gain(rng.uniform(*BACKGROUND_DB))
    return y / rms(y) * gain(rng.uniform(*LEVEL_DB))
