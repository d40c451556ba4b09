"""The checks of 03_speaker_identification: random crops and batches of them."""

import numpy as np

from helpers.exercises.engine import Wrong, call, case, check
from helpers.exercises.judges import judge_seed, judge_starts, need_array, need_parts, plain


@check(
    "3.6",
    "a random crop of a sound",
    "First make sure that the sound is long enough, then draw the start of the crop.",
    "The last crop that fits begins at len(y) - n_samples. `rng.integers(k)` draws from 0 to "
    "k - 1: what must k be?",
    "`np.resize(y, n)` repeats a sound from its beginning until it has n samples. Only a sound "
    "that is too short needs this.",
)
def random_crop(attempt):
    """random_crop(y, *, n_samples, rng) → (n_samples,), from anywhere in y."""
    for n, n_samples, tries in ((14, 10, 1000), (12, 10, 1000), (11, 10, 400), (10, 10, 100)):
        y = np.arange(1, n + 1) / 64
        n_starts = n - n_samples + 1
        rng = np.random.default_rng(36)
        with case(f"{n_samples} of {n} samples"):
            starts = [_start_of(call(attempt, y, n_samples=n_samples, rng=rng), y, n_samples)
                      for _ in range(tries)]  # fmt: skip
            judge_starts(starts, n_starts)
            judge_seed(
                lambda rng, y=y, n_samples=n_samples: [
                    _start_of(call(attempt, y, n_samples=n_samples, rng=rng), y, n_samples)
                    for _ in range(20)
                ],
                what="crops",
            )
    for n, n_samples in ((6, 15), (5, 10), (9, 10), (1, 4)):
        y = np.arange(1, n + 1) / 64
        rng = np.random.default_rng(360)
        with case(f"{n_samples} samples of a sound that has {n}"):
            for _ in range(10):
                found = call(attempt, y, n_samples=n_samples, rng=rng)
                found = need_array(found, shape=(n_samples,), axes=("n_samples",))
                # A repeated sound may be cut anywhere.
                first = np.argmin(np.abs(y - found[0]))
                right = y[(first + np.arange(n_samples)) % n]
                if not np.allclose(found, right):
                    _explain_lengthened(found, right, y)


def _start_of(found, y, n_samples):
    """Where in y (whose samples are 1/64, 2/64, …) a crop begins; Wrong if it is not a crop."""
    found = need_array(found, shape=(n_samples,), axes=("n_samples",))
    places = np.round(found * 64).astype(int) - 1
    if not np.allclose(found * 64, places + 1):
        raise Wrong("its samples are not those of the sound: return them unchanged")
    steps = np.diff(places)
    if (steps == 1).all() and places[0] >= 0:
        return int(places[0])
    if (places < 0).any():
        raise Wrong(f"{(places < 0).sum()} of its samples are zeros, but the sound is long enough")
    if np.isin(steps, (1, 1 - len(y))).all():
        raise Wrong(
            "it goes on from the end of the sound to its beginning: the last crop that fits begins "
            f"at sample {len(y) - n_samples}"
        )
    raise Wrong(f"its samples do not follow each other: after sample "
                f"{places[np.argmax(steps != 1)]} comes sample "
                f"{places[np.argmax(steps != 1) + 1]}")  # fmt: skip


def _explain_lengthened(found, right, y):
    """Raise Wrong, with what is wrong with the crop of a sound that is too short."""
    n = len(y)
    zeros = found == 0
    if zeros.any():
        where = "before and after" if zeros[0] and zeros[-1] else "before" if zeros[0] else "after"
        raise Wrong(f"there are zeros {where} the sound: repeat it, do not pad it")
    if not np.isclose(found[:, None], y).any(axis=1).all():
        raise Wrong("its samples are not those of the sound: return them unchanged")
    if n > 1 and np.allclose(found[:n], y) and np.allclose(found[n:], y[-1]):
        raise Wrong("after the sound its last sample is repeated: repeat the whole sound")
    at = int(np.argmax(~np.isclose(found, right)))
    raise Wrong(
        f"after the first {at} samples comes {found[at] * 64:g} / 64, where {right[at] * 64:g} / "
        "64 is right: after its end the sound begins again"
    )


@check(
    "3.7",
    "a batch of crops",
    "For each number in `chosen`: take its frames, draw a start, crop. Then stack the crops.",
    "Draw a start for each crop, from 0 to the length of *this* utterance minus n_frames. Time is "
    "the first axis.",
    "`np.stack` makes one array of a list of crops; networks take `.astype(np.float32)`. The "
    "labels are those at the indices `chosen`.",
)
def batch(attempt):
    """batch(frames, labels, chosen, *, n_frames, rng) → (x, y), a crop of each chosen utterance."""
    n_values, n_frames = 6, 8
    lengths = (8, 30, 12, 8, 45, 11, 20)
    # Every number tells its utterance, frame and value, all exact in float32.
    frames = [
        10000.0 * (i + 1) + 100 * np.arange(n)[:, None] + np.arange(n_values)
        for i, n in enumerate(lengths)
    ]
    labels = np.array([4, 1, 3, 1, 0, 2, 4])
    for what, dtype, chosen in (
        ("three utterances", np.float64, [5, 1, 4]),
        ("utterances in any order, one of them twice", np.float32, [4, 6, 2, 1, 4]),
        ("all utterances", np.float32, [0, 1, 2, 3, 4, 5, 6]),
        ("one utterance", np.float32, [2]),
    ):
        chosen = np.array(chosen)
        given = [array.astype(dtype) for array in frames]
        rng = np.random.default_rng(37)
        with case(what):
            draws = []
            for _ in range(12):
                found = call(attempt, given, labels, chosen, n_frames=n_frames, rng=rng)
                draws.append(_judge_batch(found, labels, chosen, (n_frames, n_values)))
            _explain_draws(np.array(draws), [lengths[i] - n_frames for i in chosen], chosen)
    given = [array.astype(np.float32) for array in frames]
    chosen = np.array([4, 1, 6])
    judge_seed(
        lambda rng: np.asarray(call(attempt, given, labels, chosen, n_frames=n_frames, rng=rng)[0]),
        what="crops",
    )
    rng, starts = np.random.default_rng(370), []
    for _ in range(1000):
        x = call(attempt, given, labels, np.array([5]), n_frames=n_frames, rng=rng)[0]
        starts.append(int(np.asarray(x).flat[0] % 10000 // 100))
    with case(f"{n_frames} of {lengths[5]} frames"):
        judge_starts(starts, lengths[5] - n_frames + 1, "frame")


def _judge_batch(found, labels, chosen, shape):
    """The starts of the crops, or Wrong. shape: (n_frames, n_values) of a crop."""
    n_frames, n_values = shape
    x, y = need_parts(found, "x", "y")
    axes = ("len(chosen)", "n_frames", "n_values")
    if isinstance(x, list | tuple):
        raise Wrong("x is a list of crops: one array (len(chosen), n_frames, n_values) is needed")
    full = (len(chosen), *shape)
    if np.shape(x) == (len(chosen), n_values, n_frames):
        raise Wrong(f"x has shape {np.shape(x)}, where {full} is needed: time comes first")
    if np.shape(x) == (n_frames * len(chosen), n_values):
        raise Wrong(f"x has shape {np.shape(x)}, where {full} is needed: stack the crops")
    with case("x"):
        need_array(x, shape=full, axes=axes)
    x = np.asarray(x)
    if x.dtype != np.float32:
        raise Wrong(f"x is {x.dtype}: a network takes float32, half the memory of float64")
    y = plain(y, what="y")
    if y.shape == labels.shape != chosen.shape:
        raise Wrong(f"y has the {len(y)} labels of all utterances, but x has {len(chosen)} crops")
    if y.shape != chosen.shape:
        raise Wrong(
            f"y has shape {y.shape}, where ({len(chosen)},) is needed, a label for each crop"
        )
    if y.dtype.kind not in "iu":
        raise Wrong(f"y is {y.dtype}: labels are whole numbers")
    source, frame, value = x // 10000 - 1, x % 10000 // 100, x % 100
    if (x <= 0).any():
        raise Wrong("x holds zeros that are in no utterance")
    if not (value == np.arange(n_values)).all():
        raise Wrong("the values of a frame are in the wrong order: crop only time")
    if not (source == source[:, :1, :1]).all():
        raise Wrong("a crop holds frames of several utterances")
    source = source[:, 0, 0].astype(int)
    if not np.array_equal(source, chosen):
        raise Wrong(
            f"chosen is {chosen.tolist()}, but the crops are of utterances {source.tolist()}: keep "
            "the order of `chosen`"
        )
    steps = np.diff(frame[:, :, 0], axis=1)
    if not (steps == 1).all():
        raise Wrong("the frames of a crop do not follow each other")
    if np.array_equal(y, labels[chosen]):
        return frame[:, 0, 0].astype(int)
    told = f"y is {y.tolist()}, where {labels[chosen].tolist()} are the labels of the crops"
    if np.array_equal(y, chosen):
        raise Wrong(f"{told}: these are the indices of the utterances")
    if np.array_equal(y, labels[: len(chosen)]):
        raise Wrong(f"{told}: these are the first {len(chosen)} labels, not those of `chosen`")
    raise Wrong(told)


def _explain_draws(draws, last, chosen):
    """Raise Wrong unless each start is drawn. draws: (n_draws, n_crops). last: of each."""
    free = np.flatnonzero(np.array(last) > 2)
    draws, last, chosen = draws[:, free], np.array(last)[free], chosen[free]
    if (draws == draws[0]).all():
        starts = ", ".join(str(start) for start in sorted(set(draws[0].tolist())))
        raise Wrong(f"its crops always begin at the same frames ({starts}): draw each start")
    if len(free) < 2:
        return
    if (draws == np.minimum(draws.max(axis=1, keepdims=True), last)).all():
        raise Wrong(
            f"all crops of a batch begin at the same frame ({draws[0].max()}, then "
            f"{draws[1].max()}): draw a start for each crop"
        )
    if draws.max() <= last.min():
        raise Wrong(
            f"no crop begins after frame {last.min()}, the last start in the shortest utterance: "
            "each utterance has its own"
        )
    for i in np.flatnonzero(np.bincount(chosen) > 1):
        same = draws[:, chosen == i]
        if (same == same[:, :1]).all():
            raise Wrong(
                f"utterance {i} is chosen twice, and both crops are the same: draw a start for each"
            )
