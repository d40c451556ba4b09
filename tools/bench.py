"""Speed, as ratios measured in one run: features against librosa, the cache against other formats,
crops against decoding, counting against time.

    python tools/bench.py [--clips 60] [--minutes 30] [--urbansound8k FOLDER] [--speakers FOLDER]

Each figure is the median of several rounds. The sound is synthetic, but for the extraction from a
whole data set and the crops: those take UrbanSound8K and speakers where they are found.
"""

import argparse
import statistics
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if __name__ == "__main__":
    sys.path[0] = str(ROOT)

from helpers import audio, detection, env  # noqa: E402

ROUNDS = 5


def seconds(work):
    """Median duration of `work()` over some rounds, after one to warm up."""
    work()
    durations = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()
        durations.append(time.perf_counter() - start)
    return statistics.median(durations)


def bench_features(n_clips):
    """Log-mel of 4 s clips on one core, ours and librosa's, clip by clip; they must agree."""
    import librosa
    import numpy as np
    from threadpoolctl import threadpool_limits

    from helpers.features import Frontend

    frontend = Frontend(sr=22050, n_fft=2048, hop_length=512, n_mels=128)
    rng = np.random.default_rng(0)
    clips = [rng.normal(0, 0.1, 4 * frontend.sr).astype(np.float32) for _ in range(n_clips)]

    def reference(y):
        mel = librosa.feature.melspectrogram(
            y=y, sr=frontend.sr, n_fft=2048, hop_length=512, n_mels=128
        )
        return librosa.power_to_db(mel)

    with threadpool_limits(1):
        difference = np.abs(frontend.log_power(clips[0], top_db=80) - reference(clips[0])).max()
        ours = seconds(lambda: [frontend.log_power(y, top_db=80) for y in clips])
        theirs = seconds(lambda: [reference(y) for y in clips])
    print(f"log-mel, {n_clips} clips of 4 s, one core, largest difference {difference:.1e} dB:")
    print(
        f"  librosa {theirs / n_clips * 1e3:.2f} ms a clip, helpers {ours / n_clips * 1e3:.2f} ms"
    )
    print(f"  ratio: {theirs / ours:.1f} times as fast as librosa\n")


def bench_extraction(data_dir):
    """Log-mel of a whole data set, files to decibels: librosa clip by clip, ours, and again."""
    import librosa
    import numpy as np

    from helpers import data, features

    dataset = data.resolve("urbansound8k", data_dir, sample_size="full")
    table, _ = data.clip_table(dataset)
    frontend = features.Frontend(sr=22050, n_fft=2048, hop_length=512, n_mels=128)

    def reference(path):
        y, sr = librosa.load(path, sr=frontend.sr)
        mel = librosa.feature.melspectrogram(y=y, sr=sr, n_fft=2048, hop_length=512, n_mels=128)
        return librosa.power_to_db(mel, top_db=None).T

    def extract(folder):
        start = time.perf_counter()
        found, _ = features.extract(
            table, frontend, decibels=True, cache_dir=folder, progress=False
        )
        durations.append(time.perf_counter() - start)
        return found

    reference(table["path"][0])
    start = time.perf_counter()
    theirs = [reference(path) for path in table["path"]]
    librosa_s = time.perf_counter() - start
    start = time.perf_counter()
    for path in table["path"]:
        librosa.load(path, sr=frontend.sr)
    decoding_s = time.perf_counter() - start
    durations, rounds = [], []
    for _ in range(3):
        with tempfile.TemporaryDirectory() as folder:
            ours = extract(folder)
            for _ in range(3):
                extract(folder)
        rounds.append((durations[0], statistics.median(durations[1:])))
        durations.clear()
    first_s, second_s = (statistics.median(times) for times in zip(*rounds, strict=True))
    off = 0.0
    for a, b in zip(ours, theirs, strict=True):  # what is 80 dB below the maximum is rounding
        floor = b.max() - 80
        off = max(off, np.abs(np.maximum(a, floor) - np.maximum(b, floor)).max())
    print(f"log-mel of {len(table)} clips ({dataset.source}), from files, {env.cpu_count()} cores:")
    print(f"  largest difference {off:.1e} dB")
    print(f"  librosa, clip by clip, {librosa_s:.1f} s, of which decoding {decoding_s:.1f} s")
    print(f"  helpers, first time, {first_s:.2f} s, second time, {second_s:.2f} s")
    print(f"  ratio: first time {librosa_s / first_s:.1f}, second {librosa_s / second_s:.0f} times")
    print("  as fast as librosa\n")


def bench_cache(n_files=300):
    """Read and write arrays of several sizes: the cache's format, numpy.savez, joblib."""
    import joblib
    import numpy as np

    from helpers.features import cache

    def read_npz(path):
        with np.load(path) as arrays:
            return tuple(arrays.values())

    formats = {
        "cache": (cache._write, cache._read),
        "numpy.savez": (lambda path, arrays: np.savez(path, *arrays), read_npz),
        "joblib": (lambda path, arrays: joblib.dump(arrays, path), joblib.load),
    }

    def each(paths, work):
        for path in paths:
            work(path)

    rng = np.random.default_rng(0)
    print(f"arrays of {n_files} sounds, a file for each:")
    for title, shape, dtype in (
        ("log-mel, 4 s", (173, 64), np.float32),
        ("MFCC, 4 s", (320, 256), np.float16),
        ("spectrogram, 15 s", (1200, 201), np.float16),
    ):
        arrays = (rng.normal(-40, 9, shape).astype(dtype),)
        writing, reading = {}, {}
        with tempfile.TemporaryDirectory() as folder:
            for name, (write, read) in formats.items():
                paths = [f"{folder}/{name}_{i}.npz" for i in range(n_files)]
                writing[name] = seconds(partial(each, paths, partial(write, arrays=arrays)))
                reading[name] = seconds(partial(each, paths, read))
        for kind, took in (("write", writing), ("read", reading)):
            ratios = ", ".join(f"{name} {took[name] / took['cache']:.1f}" for name in formats)
            ms = took["cache"] / n_files * 1e3
            print(f"  {kind} {title}: {ms:.2f} ms a file; ratio of times: {ratios}")
    print()


def bench_crops(data_dir):
    """An epoch of random 3 s crops as MFCC: cut from frames in memory, and decoded each time."""
    import librosa
    import numpy as np

    from helpers import augmentation, data, features, training
    from helpers.features import Frontend

    dataset = data.resolve("speakers", data_dir)
    table, _ = data.clip_table(dataset)
    frontend = Frontend(sr=16000, n_fft=1024, hop_length=200, n_mels=256)
    clip_input = features.ClipInput(frontend, n_mfcc=256)
    frames, _ = features.extract_frames(table["path"], {"mfcc": clip_input}, progress=False)
    whole = [i for i, part in enumerate(frames["mfcc"]) if part is not None][:200]
    labels = table["label"].factorize()[0][whole]
    batches = training.CropBatches([frames["mfcc"][i] for i in whole], labels, clip_input)
    rng = np.random.default_rng(0)

    def decode(path):
        y, sr = librosa.load(path, sr=None)
        y = augmentation.random_crop(rng, y, round(clip_input.crop_s * sr))
        return librosa.feature.mfcc(y=y, sr=sr, n_mfcc=256, n_mels=256, n_fft=1024, hop_length=200)

    paths = [table["path"][i] for i in whole]
    ours = seconds(lambda: [batches[i] for i in range(len(batches))])
    theirs = seconds(lambda: [decode(path) for path in paths])
    print(f"a crop of 3 s of each of {len(whole)} utterances ({dataset.source}), as MFCC:")
    print(f"  decoded and transformed each time {theirs:.2f} s, cut from memory {ours:.3f} s")
    print(f"  ratio: {theirs / ours:.0f} times as fast as decoding\n")


def bench_counting(minutes):
    """From MP3 files on disk to counts with an ensemble of five (untrained) networks."""
    import numpy as np

    from helpers import models
    from helpers.features import Frontend

    frontend = Frontend(sr=8000, n_fft=1024, hop_length=320, n_mels=64, fmin=200, fmax=3600)
    networks = [models.call_network(frontend.n_bands) for _ in range(5)]
    detector = models.CallDetector(models.ensemble(networks), frontend)
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"recording_{i:02d}.mp3" for i in range(max(2, minutes // 3))]
        for path in paths:
            audio.write(path, rng.normal(0, 0.05, (180 * 48000, 2)), sr=48000)
        took = seconds(lambda: detection.count_calls(paths, detector, progress=False))
    total = 180 * len(paths)
    print(f"counting, {len(paths)} MP3 files of 180 s, 48 kHz stereo, five networks:")
    print(f"  {took:.2f} s for {total / 60:.0f} min of sound")
    print(f"  ratio: {total / took:.0f} times real time")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=60, help="clips for the front end")
    parser.add_argument("--urbansound8k", default="", help="folder of UrbanSound8K")
    parser.add_argument("--speakers", default="", help="folder of speakers")
    parser.add_argument("--minutes", type=int, default=30, help="minutes of recordings to count")
    args = parser.parse_args()
    env.setup()
    bench_features(args.clips)
    bench_extraction(args.urbansound8k)
    bench_cache()
    bench_crops(args.speakers)
    bench_counting(args.minutes)
