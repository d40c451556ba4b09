"""Synthetic UrbanSound8K and ESC-50: slices of long recordings, in the real layouts.

As in the real data sets, several slices come from one recording (its number is the group) and
overlap, and sample rates, channels, bit depths and lengths differ. In UrbanSound8K some files and
rows are wrong on purpose; `defects.csv` lists them (file, defect).
"""

import numpy as np

from helpers.env import item_rng
from helpers.synthesis import environmental
from helpers.synthesis.wildlife import SR, gain, mixture, rms
from helpers.synthesis.write import shares_of, write_clip, write_csv

VERSION = 1  # raise it when the files change: older samples are then built again
SIZES = {
    "small": dict(sources=10, clips=220, esc_clips=8),
    "full": dict(sources=30, clips=2000, esc_clips=40),
}
# Clips in the real UrbanSound8K, by class number.
COUNTS = (1000, 429, 1000, 1000, 1000, 1000, 374, 1000, 929, 1000)
EVENTS = ("car_horn", "dog_bark", "gun_shot")  # slices of these classes may be short
SLICE_S, HOP_S = 4.0, 2.0  # slices of one recording overlap by half
FOLDS, ESC_FOLDS = 10, 5
RATES = (44100,) * 12 + (48000,) * 6 + (96000, 22050, 11025, 8000)
BACKGROUNDS = ("hiss", "wind", "rain", "songbird", "chatter")


def _source(seed, name, number, kind, seconds):
    """(recording (n_samples,) of one source with background sounds, its salience: 1 or 2)."""
    rng = item_rng(seed, name, number)
    n = round(seconds * SR)
    y = environmental.recording(rng, kind, n_samples=n, sr=SR)
    salience = 1 + int(rng.random() < 0.35)
    background = mixture(rng, rng.choice(BACKGROUNDS, 2, replace=False), n, SR)
    y /= rms(y)
    y += background * gain(-rng.uniform(18, 40) if salience == 1 else -rng.uniform(0, 10))
    y *= gain(rng.uniform(-38, -14)) if rng.random() < 0.9 else gain(rng.uniform(-4, 6))
    return y, salience


def _numbers(seed, name, n):
    """An iterator of n Freesound numbers, in order."""
    numbers = item_rng(seed, name).choice(np.arange(2_000, 250_000), n, replace=False)
    return iter(np.sort(numbers).tolist())


def build_urbansound8k(folder, *, size, seed, progress):
    """Fill an empty folder in the layout of UrbanSound8K; see `Generator`."""
    plan, rows = SIZES[size], []
    numbers = _numbers(seed, "urban", plan["sources"] * len(environmental.URBANSOUND8K))
    class_counts = shares_of(COUNTS, plan["clips"])
    with progress(total=plan["clips"]) as bar:
        for class_id, n_clips in enumerate(class_counts):
            rng = item_rng(seed, "urban plan", class_id)
            shares = shares_of(rng.exponential(1, plan["sources"]) + 0.3, n_clips)
            for i, n_slices in enumerate(shares):
                rows += _slices(folder, seed, next(numbers), class_id, 1 + i % FOLDS, n_slices)
                bar.update(n_slices)
    defects = _add_defects(folder, rows, item_rng(seed, "urban defects"))
    header = ("slice_file_name", "fsID", "start", "end", "salience", "fold", "classID", "class")
    order = item_rng(seed, "urban order").permutation(len(rows))
    write_csv(folder / "metadata" / "UrbanSound8K.csv", header, [rows[i] for i in order])
    write_csv(folder / "defects.csv", ("file", "defect"), sorted(defects))


def _slices(folder, seed, number, class_id, fold, n_slices):
    """Write the slices of one recording. Returns their rows of the metadata."""
    kind = environmental.URBANSOUND8K[class_id]
    rng = item_rng(seed, "urban container", number)
    rate, channels = int(rng.choice(RATES)), 1 + int(rng.random() < 0.7)
    bits = int(rng.choice([8, 16, 16, 16, 16, 24]))
    y, salience = _source(seed, "urban", number, kind, SLICE_S + HOP_S * (n_slices - 1))
    rows = []
    for k in range(n_slices):
        start, seconds = HOP_S * k, SLICE_S
        if kind in EVENTS and rng.random() < 0.4:
            seconds = round(float(rng.uniform(0.4, SLICE_S)), 6)
        part = y[round(start * SR) : round((start + seconds) * SR)]
        name = f"{number}-{class_id}-0-{k}.wav"
        write_clip(folder / "audio" / f"fold{fold}" / name, part, rate, channels, k % 3, bits=bits)
        end = round(start + seconds, 6)
        rows.append([name, number, start, end, salience, fold, class_id, kind])
    return rows


def _add_defects(folder, rows, rng):
    """Damage a few files and rows, in place. Returns the answer key: [(file, defect)]."""
    whole = [i for i, row in enumerate(rows) if row[3] - row[2] == SLICE_S]
    picks, key = iter(rng.permutation(whole)), []

    def pick(defect):
        """A row that has no other defect, and the path of its file."""
        row = rows[next(picks)]
        name = f"audio/fold{row[5]}/{row[0]}"
        key.append((name, defect))
        return row, folder / name

    pick("empty")[1].write_bytes(b"")
    pick("no sound file")[1].write_text("<html>404 Not Found</html>")
    _, path = pick("cut off")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 3])
    pick("missing")[1].unlink()
    for _ in range(2):
        write_clip(pick("silent")[1], np.zeros(round(SLICE_S * SR)), 44100, 1)
    loud = (6, SLICE_S, "clipped")
    for factor, seconds, defect in (loud, loud, (0.1, 0.4 * SLICE_S, "shorter than listed")):
        row, path = pick(defect)
        y = environmental.recording(rng, row[7], n_samples=round(seconds * SR), sr=SR)
        write_clip(path, factor * y, 44100, 1)
    row, _ = pick("class and number disagree")
    row[7] = environmental.URBANSOUND8K[(row[6] + 1) % len(environmental.URBANSOUND8K)]
    pick("no salience")[0][4] = ""
    copy, original = pick("duplicate")[1], pick("duplicate")[1]
    copy.write_bytes(original.read_bytes())
    rows.remove(pick("not listed")[0])
    return key


def build_esc50(folder, *, size, seed, progress):
    """Fill an empty folder in the layout of ESC-50: clips of 5 s, some silent at the end."""
    plan, rows = SIZES[size], []
    per_class = plan["esc_clips"]
    classes = environmental.ESC10 | dict(siren=42, car_horn=43, engine=44)
    kinds = dict(dog="dog_bark", engine="engine_idling")  # the others have the same name
    numbers = _numbers(seed, "esc", per_class * len(classes))
    with progress(total=len(classes) * per_class) as bar:
        for category, target in classes.items():
            rng = item_rng(seed, "esc plan", target)
            n = 0
            while n < per_class:
                number, takes = next(numbers), min(int(rng.integers(1, 4)), per_class - n)
                y, _ = _source(seed, "esc", number, kinds.get(category, category), 5.0 * takes)
                for take in range(takes):
                    part = y[take * 5 * SR : (take + 1) * 5 * SR].copy()
                    if rng.random() < 0.3:
                        part[round(rng.uniform(1.5, 4.5) * SR) :] = 0
                    fold, letter = 1 + n % ESC_FOLDS, "ABC"[take]
                    name = f"{fold}-{number}-{letter}-{target}.wav"
                    write_clip(folder / "audio" / name, part, 44100, 1)
                    is_esc10 = category in environmental.ESC10
                    rows.append((name, fold, target, category, is_esc10, number, letter))
                    bar.update()
                n += takes
    header = ("filename", "fold", "target", "category", "esc10", "src_file", "take")
    write_csv(folder / "meta" / "esc50.csv", header, sorted(rows))
