"""Synthetic UrbanSound8K and ESC-50: slices of long recordings, in the real layouts.

As in the real sets, several slices come from one recording (its number is the group) and overlap;
rates, channels, bit depths and lengths are mixed; and some files and rows are not as they should
be, on purpose: `defects.csv` lists them (file, defect).
"""

import numpy as np

from helpers import parallel
from helpers.env import item_rng
from helpers.synthesis import environmental
from helpers.synthesis.wildlife import SR, gain, mixture, rms
from helpers.synthesis.write import shares_of, write_clip, write_csv

VERSION = 1  # of the generator: data sets of another version are rebuilt
SIZES = {
    "small": dict(sources=10, clips=220, esc_clips=8),
    "full": dict(sources=30, clips=2000, esc_clips=40),
}
# Clips of each class of UrbanSound8K, in the order of its numbers.
COUNTS = (1000, 429, 1000, 1000, 1000, 1000, 374, 1000, 929, 1000)
EVENTS = ("car_horn", "dog_bark", "gun_shot")  # whose slices may be short
SLICE_S, HOP_S = 4.0, 2.0  # slices of one recording overlap by half
FOLDS, ESC_FOLDS = 10, 5
RATES = (44100,) * 12 + (48000,) * 6 + (96000, 22050, 11025, 8000)
SURROUNDINGS = ("hiss", "wind", "rain", "songbird", "chatter")


def _source(seed, name, number, kind, seconds):
    """A recording of one source with its surroundings: (n_samples,), and its salience, 1 or 2."""
    rng = item_rng(seed, name, number)
    n = round(seconds * SR)
    y = environmental.recording(rng, kind, n_samples=n, sr=SR)
    salience = 1 + int(rng.random() < 0.35)
    behind = mixture(rng, rng.choice(SURROUNDINGS, 2, replace=False), n, SR)
    y = y / rms(y) + behind * gain(-rng.uniform(18, 40) if salience == 1 else -rng.uniform(0, 10))
    y *= gain(rng.uniform(-38, -14)) if rng.random() < 0.9 else gain(rng.uniform(-4, 6))
    return y, salience


def _numbers(seed, name, n):
    """Freesound numbers of n recordings."""
    return np.sort(
        item_rng(seed, name).choice(np.arange(2_000, 250_000), n, replace=False)
    ).tolist()


def build_urbansound8k(folder, *, size, seed, progress):
    """Fill an empty folder with UrbanSound8K's layout. size: key of SIZES. seed: int."""
    plan, rows = SIZES[size], []
    for fold in range(1, FOLDS + 1):
        (folder / "audio" / f"fold{fold}").mkdir(parents=True)
    numbers = iter(_numbers(seed, "urban", plan["sources"] * len(environmental.URBAN)))
    per_class = shares_of(COUNTS, plan["clips"])
    with parallel.progress_bar(
        total=plan["clips"], desc=f"Synthesising urbansound8k ({size})", disable=not progress
    ) as bar:
        for class_id, (kind, n_clips) in enumerate(
            zip(environmental.URBAN, per_class, strict=True)
        ):
            rng = item_rng(seed, "urban plan", class_id)
            shares = shares_of(rng.exponential(1, plan["sources"]) + 0.3, n_clips)
            for i, n_slices in enumerate(shares):
                rows += _slices(
                    folder, seed, next(numbers), class_id, kind, 1 + i % FOLDS, n_slices
                )
                bar.update(n_slices)
    defects = _spoil(folder, rows, item_rng(seed, "urban defects"))
    header = ("slice_file_name", "fsID", "start", "end", "salience", "fold", "classID", "class")
    (folder / "metadata").mkdir()
    order = item_rng(seed, "urban order").permutation(len(rows))
    write_csv(folder / "metadata" / "UrbanSound8K.csv", header, [rows[i] for i in order])
    write_csv(folder / "defects.csv", ("file", "defect"), sorted(defects))


def _slices(folder, seed, number, class_id, kind, fold, n_slices):
    """Write the slices of one recording; returns their rows."""
    rng = item_rng(seed, "urban container", number)
    rate, channels = int(rng.choice(RATES)), 1 + int(rng.random() < 0.7)
    bits = int(rng.choice([8, 16, 16, 16, 16, 24]))
    y, salience = _source(seed, "urban", number, kind, SLICE_S + HOP_S * (n_slices - 1))
    rows = []
    for k in range(n_slices):
        start = HOP_S * k
        seconds = SLICE_S
        if kind in EVENTS and rng.random() < 0.4:
            seconds = round(float(rng.uniform(0.4, SLICE_S)), 6)
        part = y[round(start * SR) : round((start + seconds) * SR)]
        name = f"{number}-{class_id}-0-{k}.wav"
        write_clip(folder / "audio" / f"fold{fold}" / name, part, rate, channels, k % 3, bits=bits)
        end = round(start + seconds, 6)
        rows.append([name, number, start, end, salience, fold, class_id, kind])
    return rows


def _spoil(folder, rows, rng):
    """Damage a few files and rows, in place. Returns what was done: [(file, defect)]."""
    whole = [i for i, row in enumerate(rows) if row[3] - row[2] == SLICE_S]
    picks = iter(rng.permutation(whole))
    done = []

    def path_of(row):
        return folder / "audio" / f"fold{row[5]}" / row[0]

    def pick(defect):
        row = rows[next(picks)]
        done.append((f"audio/fold{row[5]}/{row[0]}", defect))
        return row, path_of(row)

    _, path = pick("empty")
    path.write_bytes(b"")
    _, path = pick("no sound file")
    path.write_text("<html>404 Not Found</html>")
    _, path = pick("cut off")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 3])
    _, path = pick("missing")
    path.unlink()
    for _ in range(2):
        _, path = pick("silent")
        write_clip(path, np.zeros(round(SLICE_S * SR)), 44100, 1)
    for _ in range(2):
        row, path = pick("clipped")
        y = environmental.recording(rng, row[7], n_samples=round(SLICE_S * SR), sr=SR)
        write_clip(path, 6 * y, 44100, 1)
    row, path = pick("shorter than listed")
    y = environmental.recording(rng, row[7], n_samples=round(0.4 * SLICE_S * SR), sr=SR)
    write_clip(path, 0.1 * y, 44100, 1)
    row, path = pick("class and number disagree")
    row[7] = environmental.URBAN[(row[6] + 1) % len(environmental.URBAN)]
    row, path = pick("no salience")
    row[4] = ""
    row, path = pick("duplicate")
    original = rows[next(picks)]
    path.write_bytes(path_of(original).read_bytes())
    done.append((f"audio/fold{original[5]}/{original[0]}", "duplicate"))
    _, path = pick("not listed")
    rows.remove(next(row for row in rows if row[0] == path.name))
    return done


def build_esc50(folder, *, size, seed, progress):
    """Fill an empty folder with ESC-50's layout: clips of 5 s, padded with silence at the end."""
    plan, rows = SIZES[size], []
    (folder / "audio").mkdir(parents=True)
    (folder / "meta").mkdir()
    others = {"siren": (42, "siren"), "car_horn": (43, "car_horn"), "engine": (44, "engine_idling")}
    per_class = plan["esc_clips"]
    classes = {**environmental.ESC10, **others}
    numbers = iter(_numbers(seed, "esc", per_class * len(classes)))
    with parallel.progress_bar(
        total=len(classes) * per_class, desc=f"Synthesising esc50 ({size})", disable=not progress
    ) as bar:
        for category, (target, kind) in classes.items():
            rng = item_rng(seed, "esc plan", target)
            n = 0
            while n < per_class:
                number, takes = next(numbers), min(int(rng.integers(1, 4)), per_class - n)
                y, _ = _source(seed, "esc", number, kind, 5.0 * takes)
                for take in range(takes):
                    part = y[take * 5 * SR : (take + 1) * 5 * SR].copy()
                    if rng.random() < 0.3:
                        part[round(rng.uniform(1.5, 4.5) * SR) :] = 0
                    fold = 1 + n % ESC_FOLDS
                    letter = "ABC"[take]
                    name = f"{fold}-{number}-{letter}-{target}.wav"
                    write_clip(folder / "audio" / name, part, 44100, 1)
                    is_esc10 = category in environmental.ESC10
                    rows.append((name, fold, target, category, is_esc10, number, letter))
                    bar.update()
                n += takes
    header = ("filename", "fold", "target", "category", "esc10", "src_file", "take")
    write_csv(folder / "meta" / "esc50.csv", header, sorted(rows))
