"""The checks of 05_capuchin_call_counter: from score to calls, errors of counts."""

import numpy as np
import pandas as pd

from helpers.exercises.engine import Wrong, call, case, check
from helpers.exercises.judges import need_array, need_numbers, say_if


@check(
    "5.6",
    "from a score to calls",
    "A call is a peak: a step at least as high as its neighbours and the threshold.",
    "Take the highest peak first, and remove all peaks that are closer to it than min_distance_s.",
    "`scipy.signal.find_peaks(score, height=threshold, distance=...)` does both; its distance is "
    "in steps. Add a zero at both ends, so that a call at the very edge has a peak too.",
)
def find_calls(attempt):
    """find_calls(score, *, step_s, threshold, min_distance_s) → times of the calls, s, sorted."""
    long_call = {20 + i: 0.9 - 0.02 * i for i in range(16)}
    valley = {20: 0.9, 21: 0.7, 22: 0.6, 23: 0.6, 24: 0.7, 25: 0.55, 26: 0.65, 27: 0.8}
    # Name, steps with a high score, seconds per step, steps of calls (of two, either is right).
    cases = [
        ("nothing", {}, 0.25, []),
        ("one call", {20: 0.9}, 0.25, [20]),
        ("one call, and its slope", {20: 0.9, 21: 0.6, 22: 0.3}, 0.25, [20]),
        ("one call with a long slope", long_call, 0.25, [20]),
        ("one call whose two highest steps are equal", {20: 0.9, 21: 0.9}, 0.25, [(20, 21)]),
        ("a peak below the threshold", {20: 0.4}, 0.25, []),
        ("a peak exactly at the threshold", {20: 0.5}, 0.25, [20]),
        ("three calls apart", {20: 0.7, 32: 0.8, 60: 0.9}, 0.25, [20, 32, 60]),
        ("two calls between which the score stays above the threshold", valley, 0.25, [20, 27]),
        ("two peaks closer than the minimum distance", {20: 0.7, 23: 0.9}, 0.25, [23]),
        ("two peaks 9 steps of 0.16 s apart", {20: 0.7, 29: 0.9}, 0.16, [29]),
        ("two peaks at exactly the minimum distance", {20: 0.7, 26: 0.9}, 0.25, [20, 26]),
        ("three peaks in a row, too close to each other, the highest last",
         {20: 0.6, 24: 0.7, 28: 0.8}, 0.25, [20, 28]),
        ("a call at the very beginning", {0: 0.9}, 0.25, [0]),
        ("a call at the very end", {99: 0.9}, 0.25, [99]),
    ]  # fmt: skip
    threshold, least = 0.5, 1.5
    for name, points, step_s, places in cases:
        score = np.full(100, 0.05)
        score[list(points)] = list(points.values())
        with case(name):
            found = call(attempt, score, step_s=step_s, threshold=threshold, min_distance_s=least)
            found = np.ravel(need_numbers(found, axes=("calls",)))
        steps = [place if isinstance(place, tuple) else (place,) for place in places]
        if len(found) == len(steps) and all(
            np.isclose(time, np.array(step) * step_s).any()
            for time, step in zip(found, steps, strict=True)
        ):
            continue
        right = np.array([step[0] for step in steps]) * step_s
        told = (
            f"{name} (calls at {right.round(2).tolist()} s, at least {least} s apart): it returns "
            f"{found.round(2).tolist()}"
        )
        if len(found) == len(right) and len(found):
            if np.allclose(found, right / step_s):
                raise Wrong(f"{told}: these are steps; step {steps[0][0]} is at {right[0]} s")
            if np.allclose(np.sort(found), right):
                raise Wrong(f"{told}: sort them")
            if name.startswith("two peaks"):
                raise Wrong(f"{told}: keep the higher of two peaks that are too close")
        if len(found) < len(right):
            raise Wrong(f"{told}: {len(right) - len(found)} too few")
        if len(found) > len(right):
            raise Wrong(f"{told}: {len(found) - len(right)} too many")
        raise Wrong(told)


@check(
    "5.7",
    "errors of counts",
    "First an error for each recording, then the mean: in a total, errors cancel.",
    "The two tables need not be in the same order: match their rows by clip_name (`merge`).",
    "A recording that could not be read has no count: leave it out (`dropna`), do not count it as "
    "0. Return the number of errors that are 0, and the mean of the absolute errors.",
)
def count_errors(attempt):
    """count_errors(key, results) → (exact, mae); tables clip_name, call_count."""
    rng = np.random.default_rng(57)
    names = [f"recording_{i:02d}.mp3" for i in range(12)]
    true = rng.integers(0, 9, 12)
    counted = true + np.array([0, 0, 3, -3, 0, 1, 0, -1, 0, 0, 2, 0]).clip(-true)
    key = pd.DataFrame({"clip_name": names, "call_count": true})
    results = pd.DataFrame({"clip_name": names, "call_count": counted})
    unread = results.astype({"call_count": "Int64"})
    unread.loc[[1, 4], "call_count"] = pd.NA
    shuffled = results.sample(frac=1, random_state=3).reset_index(drop=True)
    cases = [
        (key, key, "counts that are all right"),
        (key, results, "counts of which some are too high and some too low"),
        (key, shuffled, "results in another order than the key"),
        (key, unread, "results with two recordings that could not be read"),
        (key, results[3:].reset_index(drop=True), "results of some of the recordings only"),
    ]
    for given, found, name in cases:
        both = given.merge(found, on="clip_name", suffixes=("_true", "_found")).dropna()
        error = (both["call_count_found"] - both["call_count_true"]).to_numpy(int)
        right = (int((error == 0).sum()), float(np.abs(error).mean()))
        with case(name):
            answer = call(attempt, given, found)
            if isinstance(answer, tuple) and any(value is pd.NA for value in answer):
                raise Wrong(f"it returns {answer}: leave out recordings without a count")
            answer = need_array(answer, shape=(2,), axes=("exact, mae",))
        if np.allclose(answer, right):
            continue
        told = f"{name}: it returns ({answer[0]:g}, {answer[1]:.3f})"
        exact, mae = answer
        say_if(answer, [
            (right[::-1], "the number of exact counts comes first"),
            ((right[0] / len(error), mae), "return their number, not their share"),
            ((exact, abs(error.mean())), "errors cancel: take absolute values first"),
            ((exact, error.mean()), "errors cancel: take absolute values first"),
            ((exact, np.sqrt((error**2).mean())), "this is the root mean square error: the mean "
             "absolute error is needed"),
        ], told=f"{told}: ")  # fmt: skip
        raise Wrong(f"{told}, where {right[0]} are exact and the mean absolute error is "
                    f"{right[1]:.3f}")  # fmt: skip
