"""Measure speed, as ratios within one run, each the median of several rounds: features and crops
against librosa, the cache against other formats, counting in times real time.

The sound is synthetic, except for extraction and crops, if UrbanSound8K and speakers are found.
"""

import argparse
import statistics
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

if __name__ == "__main__":  # without tools/, where a file could hide a package
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import joblib
import librosa
import numpy as np
import soundfile as sf
from threadpoolctl import threadpool_limits

from helpers import augmentation, data, detection, env, features

MEL = {"sr": 22050, "n_fft": 2048, "hop_length": 512, "n_mels": 128}
MFCC = {"sr": 16000, "n_fft": 1024, "hop_length": 200, "n_mels": 256}


def seconds(work, *, n_rounds=5):
    """Median duration of `work()` in seconds, after a first call that is not counted."""
    durations = []
    for _ in range(n_rounds + 1):
        start = time.perf_counter()
        work()
        durations.append(time.perf_counter() - start)
    return statistics.median(durations[1:])


def librosa_db(y, top_db=80):
    """The log-mel spectrogram as librosa computes it, time first: (n_frames, n_mels) in dB."""
    return librosa.power_to_db(librosa.feature.melspectrogram(y=y, **MEL), top_db=top_db).T


def bench_features(n_clips):
    """Log-mel of 4 s clips on one core: ours and librosa's, clip by clip."""
    frontend, rng = features.Frontend(**MEL), np.random.default_rng(0)
    clips = [rng.normal(0, 0.1, 4 * frontend.sr).astype(np.float32) for _ in range(n_clips)]
    with threadpool_limits(1):
        difference = frontend.log_power(clips[0], top_db=80) - librosa_db(clips[0])
        ours = seconds(lambda: [frontend.log_power(y, top_db=80) for y in clips])
        theirs = seconds(lambda: [librosa_db(y) for y in clips])
    print(f"log-mel, {n_clips} clips of 4 s, one core:")
    print(f"  largest difference {np.abs(difference).max():.1e} dB")
    ours_ms, theirs_ms = ours / n_clips * 1e3, theirs / n_clips * 1e3
    print(f"  librosa {theirs_ms:.2f} ms a clip, helpers {ours_ms:.2f} ms")
    print(f"  ratio: {theirs / ours:.1f} times as fast as librosa\n")


def bench_extraction(data_dir):
    """Log-mel of a whole data set, from files to decibels: librosa, ours, and ours cached."""
    dataset = data.resolve("urbansound8k", data_dir, sample_size="full")
    table, _ = data.clip_table(dataset)
    frontend, rounds = features.Frontend(**MEL), iter(range(100))

    def extract(folder):
        options = {"decibels": True, "cache_dir": folder, "progress": False}
        return features.extract(table, frontend, **options)[0]

    def reference():
        return [librosa_db(librosa.load(p, sr=frontend.sr)[0], top_db=None) for p in table["path"]]

    with tempfile.TemporaryDirectory() as folder:
        first_s = seconds(lambda: extract(Path(folder, str(next(rounds)))), n_rounds=3)
        cached_s = seconds(lambda: extract(Path(folder, "0")))
        difference = 0.0
        for ours, theirs in zip(extract(Path(folder, "0")), reference(), strict=True):
            floor = theirs.max() - 80  # only rounding is left below it
            off = np.maximum(ours, floor) - np.maximum(theirs, floor)
            difference = max(difference, np.abs(off).max())
    librosa_s = seconds(reference, n_rounds=1)
    print(f"log-mel of {len(table)} clips ({dataset.source}), from files, {env.cpu_count()} cores:")
    print(f"  largest difference {difference:.1e} dB")
    print(f"  librosa {librosa_s:.1f} s, helpers {first_s:.2f} s, from the cache {cached_s:.2f} s")
    first, cached = librosa_s / first_s, librosa_s / cached_s
    print(f"  ratio: first {first:.1f}, from the cache {cached:.0f} times as fast as librosa\n")


def bench_cache(n_files=300):
    """Read and write arrays of several sizes: the cache's format, numpy.savez, joblib."""
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
    """An epoch of random 3 s crops as MFCC: cut from frames in memory, or decoded each time."""
    from helpers import training  # imports Keras: set-up comes first

    dataset = data.resolve("speakers", data_dir)
    table, _ = data.clip_table(dataset)
    clip_input = features.ClipInput(features.Frontend(**MFCC), n_mfcc=256)
    frames, _ = features.extract_frames(table["path"], {"mfcc": clip_input}, progress=False)
    readable = [i for i, part in enumerate(frames["mfcc"]) if part is not None][:200]
    labels = table["label"].factorize()[0][readable]
    batches = training.CropBatches([frames["mfcc"][i] for i in readable], labels, clip_input)
    rng = np.random.default_rng(0)

    def decode(path):
        y, _ = librosa.load(path, sr=MFCC["sr"])
        y = augmentation.random_crop(rng, y, round(clip_input.crop_s * MFCC["sr"]))
        return librosa.feature.mfcc(y=y, n_mfcc=256, **MFCC)

    ours = seconds(lambda: [batches[i] for i in range(len(batches))])
    theirs = seconds(lambda: [decode(path) for path in table["path"][readable]])
    print(f"a crop of 3 s of each of {len(readable)} utterances ({dataset.source}), as MFCC:")
    print(f"  decoded and transformed each time {theirs:.2f} s, cut from memory {ours:.3f} s")
    print(f"  ratio: {theirs / ours:.0f} times as fast as decoding\n")


def bench_counting(minutes):
    """From MP3 files to counts with an ensemble of five (untrained) networks."""
    from helpers import models  # imports Keras: set-up comes first

    bands = {"n_mels": 64, "fmin": 200, "fmax": 3600}
    frontend = features.Frontend(sr=8000, n_fft=1024, hop_length=320, **bands)
    networks = [models.call_network(frontend.n_bands) for _ in range(5)]
    detector = models.CallDetector(models.ensemble(networks), frontend)
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"recording_{i:02d}.mp3" for i in range(max(2, minutes // 3))]
        for path in paths:
            sf.write(path, rng.normal(0, 0.05, (180 * 48000, 2)), 48000)
        took = seconds(lambda: detection.count_calls(paths, detector, progress=False))
    total = 180 * len(paths)
    print(f"counting, {len(paths)} MP3 files of 180 s, 48 kHz stereo, five networks:")
    print(f"  {took:.2f} s for {total / 60:.0f} min of sound")
    print(f"  ratio: {total / took:.0f} times real time")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Measure the speed of features and counting.")
    parser.add_argument("--clips", type=int, default=60, help="number of clips for the front end")
    parser.add_argument("--urbansound8k", default="", help="folder of UrbanSound8K")
    parser.add_argument("--speakers", default="", help="folder of the speakers")
    parser.add_argument("--minutes", type=int, default=30, help="length of the counted recordings")
    arguments = parser.parse_args()
    env.setup()
    bench_features(arguments.clips)
    bench_extraction(arguments.urbansound8k)
    bench_cache()
    bench_crops(arguments.speakers)
    bench_counting(arguments.minutes)
