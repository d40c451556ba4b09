"""The checks of 04_urbansound8k_cnn: training, validation and test folds."""

import numpy as np

from helpers.exercises.engine import Wrong, call, case, check
from helpers.exercises.judges import need_mask, need_parts


@check(
    "4.1",
    "leave one fold out",
    "Each clip is in the test fold, in the validation fold, or in another fold, which is for "
    "training.",
    "How many clips has each of the other folds? `np.unique` finds the folds (their numbers may "
    "have gaps), in rising order.",
    "`min` with a `key` takes the first of equally small ones, and `fold == k` is a mask. Training "
    "clips are in neither of the two other masks: `~` inverts a mask.",
)
def leave_one_out(attempt):
    """leave_one_out(fold, test_fold) → (training, validation, test), bool (n,) each."""
    rng = np.random.default_rng(41)
    for what, sizes, test_fold in (
        ("five folds", {1: 30, 2: 18, 3: 25, 4: 14, 5: 27}, 1),
        ("the test fold is the smallest of all", {1: 20, 2: 16, 3: 5, 4: 12, 5: 13}, 3),
        ("two others are equally small", {10: 30, 7: 8, 2: 8, 5: 11}, 5),
        ("the numbers have gaps", {12: 6, 3: 14, 6: 9}, 12),
        ("the numbers begin at 0", {0: 4, 1: 9, 2: 7, 3: 5}, 2),
    ):
        fold = rng.permutation(np.repeat(list(sizes), list(sizes.values())))
        for place, pick in ((0, max), (-1, min)):  # each of two equally small ones is first once
            number = pick(k for k in sizes if sizes[k] == min(sizes.values()))
            i = np.flatnonzero(fold == number)[place]
            fold[[place, i]] = fold[[i, place]]
        shown = ", ".join(f"{sizes[k]} clips in fold {k}" for k in sorted(sizes))
        with case(f"{what} ({shown}; to test: {test_fold})"):
            for given in (fold, fold[::-1].copy()):
                _judge_round(call(attempt, given, test_fold), given, test_fold, sizes)


def _judge_round(found, fold, test_fold, sizes):
    """Raise Wrong unless these are the masks of training, validation and test."""
    names, masks = ("training", "validation", "test"), []
    for name, part in zip(names, need_parts(found, *names), strict=True):
        with case(name):
            masks.append(need_mask(part, len(fold), each="clip"))
    smallest = min((k for k in sorted(sizes) if k != test_fold), key=sizes.get)
    tested, validated = fold == test_fold, fold == smallest
    right = [~(tested | validated), validated, tested]
    training, validation, test = masks
    if all(map(np.array_equal, masks, right)):
        return
    if sorted(mask.sum() for mask in masks) == sorted(mask.sum() for mask in right) and all(
        any(np.array_equal(mask, other) for other in right) for mask in masks
    ):
        raise Wrong("the three masks are in the wrong order: training, validation, test")
    if not np.array_equal(test, tested):
        found = np.unique(fold[test]).tolist()
        raise Wrong(f"the {test.sum()} test clips are of folds {found}: all clips of fold "
                    f"{test_fold} and no others are asked for")  # fmt: skip
    for a, b, which in (
        (training, test, "training and test"),
        (training, validation, "training and validation"),
        (validation, test, "validation and test"),
    ):
        if (a & b).any():
            raise Wrong(f"{(a & b).sum()} clips are in {which}: each belongs to one part only")
    if not validation.any():
        raise Wrong("there are no validation clips")
    found = np.unique(fold[validation]).tolist()
    if len(found) > 1 or validation.sum() != sizes[found[0]]:
        raise Wrong(f"the {validation.sum()} validation clips are of folds {found}: use one whole "
                    "fold")  # fmt: skip
    if found != [smallest]:
        told = f"it validates on fold {found[0]}, which has {sizes[found[0]]} clips"
        if sizes[found[0]] == sizes[smallest]:
            raise Wrong(f"{told}: fold {smallest} is as small, and has the lower number")
        raise Wrong(f"{told}: fold {smallest} is the smallest of the folds that are not tested")
    raise Wrong(f"{(right[0] & ~training).sum()} clips are in none of the three parts: put them "
                "into training")  # fmt: skip
