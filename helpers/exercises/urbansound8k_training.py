"""The checks of 04_urbansound8k_cnn: class weights, label smoothing, learning rate."""

import numpy as np

from helpers.exercises.engine import Wrong, call, case, check
from helpers.exercises.judges import need_array, need_number, need_numbers, say_if
from helpers.exercises.judges_data import judge_class_weights


@check(
    "4.7",
    "class weights",
    "A class with few clips needs a large weight: how does the weight depend on the count?",
    "The weights of all clips add up to the number of clips, and every class with clips gets the "
    "same part of that.",
    "Divide that part by the number of clips of the class. `np.bincount` counts, and with "
    "`minlength` it counts classes without clips too; do not divide by their 0.",
)
def weight_per_class(attempt):
    """weight_per_class(labels, n_classes) → float (n_classes,)."""
    rng = np.random.default_rng(47)
    for what, counts in (
        ("four uneven classes", [5, 30, 12, 3]),
        ("two classes of one size", [8, 8]),
        ("class 1 and the last one without clips", [4, 0, 11, 1, 0]),
        ("one class with clips, of three", [0, 7, 0]),
    ):
        counts = np.array(counts)
        labels = rng.permutation(np.repeat(np.arange(len(counts)), counts))
        with case(f"{what} ({', '.join(map(str, counts))} clips)"):
            found = need_numbers(call(attempt, labels, len(counts)), axes=("n_classes",))
            if found.shape == labels.shape != counts.shape:
                raise Wrong("it returns a weight for each clip: return one for each class")
            if found.shape == ((counts > 0).sum(),) != counts.shape:
                raise Wrong(f"it returns {len(found)} weights: classes without clips weigh "
                            "0")  # fmt: skip
            if found.shape == counts.shape and not np.isfinite(found).all():
                k = int(np.argmin(np.isfinite(found)))
                raise Wrong(f"the weight of class {k}, which has {counts[k]} clips, is {found[k]}: "
                            "a class without clips weighs 0")  # fmt: skip
            found = need_array(found, shape=counts.shape, axes=("n_classes",))
            judge_class_weights(found, counts, range(len(counts)))


@check(
    "4.8",
    "label smoothing",
    "Add two parts: what a row keeps, and what every class gets.",
    "`share` is divided into equal parts: how much does each of n_classes classes get?",
    "A row keeps 1 - share of its values. The number of classes is the number of columns.",
)
def smooth_labels(attempt):
    """smooth_labels(labels, *, share) → float (n, n_classes), rows that add up to 1."""
    rng = np.random.default_rng(48)
    for what, labels, share in (
        ("6 clips of 4 classes", np.eye(4)[[0, 3, 1, 1, 2, 0]], 0.1),
        ("3 clips of 10 classes", np.eye(10, dtype=np.float32)[[7, 0, 9]], 0.3),
        ("labels of mixed clips", rng.dirichlet(np.ones(5), 7), 0.2),
        ("a share of 0", np.eye(3)[[2, 0]], 0.0),
    ):
        n, n_classes = labels.shape
        with case(f"{what}, share {share:g}"):
            found = call(attempt, labels, share=share)
            found = need_array(found, shape=labels.shape, axes=("n", "n_classes"))
            given = labels.astype(float)
            kept = given - share * given
            if np.abs(found - (kept + share / n_classes)).max() < 1e-4:
                continue
            told = f"of {given[0].round(3).tolist()} it makes {found[0].round(3).tolist()}: "
            say_if(found, [
                (given, "nothing is smoothed"),
                (kept, "the share is taken from the row, but not given to the classes"),
                (given + share / n_classes, "the share is given to the classes, but not taken from "
                 "the row, which keeps 1 - share"),
                (kept + share / n, f"it is divided by the {n} rows: divide by {n_classes} classes"),
                (kept + share / (n_classes - 1), "it is divided by n_classes - 1, but given to "
                 "all: divide by n_classes"),
                (kept + share / (n_classes - 1) * (1 - given), "only the other classes get a part: "
                 "the true class gets one too"),
                (np.where(given > 0, 1 - share, share / (n_classes - 1)), "only the other classes "
                 "get a part: the true class gets one too"),
                (np.where(given > 0, 1 - share, share / n_classes), "the true class gets no part: "
                 "the rows do not add up to 1"),
                (kept + share, "every class gets the whole share: divide it among them"),
                (share * given + (1 - share) / n_classes, "share and 1 - share are swapped: a row "
                 "keeps 1 - share"),
                (kept + share / 10, "it is divided by 10: divide it by the number of classes"),
            ], within=1e-4, told=told)  # fmt: skip
            total = found.sum(axis=1)
            if np.abs(total - 1).max() > 1e-3:
                k = np.abs(total - 1).argmax()
                raise Wrong(f"{told}row {k} adds up to {total[k]:.4g}, where 1 is asked for")
            raise Wrong(f"{told}{(kept + share / n_classes)[0].round(3).tolist()} is right")


@check(
    "4.9",
    "cosine decay of the learning rate",
    "Express the progress of the training as a number from 0 to 1. Which part of a cosine goes "
    "from its highest to its lowest value?",
    "A cosine has its highest value, 1, at the angle 0, and its lowest, -1, at the angle pi.",
    "1 plus the cosine goes from 2 to 0: scale it to go from `highest` to 0.",
)
def learning_rate_at(attempt):
    """learning_rate_at(step, *, n_steps, highest) → float."""
    for n_steps, highest, steps in (
        (100, 0.003, (0, 10, 25, 50, 75, 90, 100)),
        (8, 0.5, tuple(range(9))),
        (3, 1.0, (0, 1, 2, 3)),
    ):
        found = []
        for step in steps:
            with case(f"step {step} of {n_steps}, highest {highest:g}"):
                rate = call(attempt, step, n_steps=n_steps, highest=highest)
                found.append(need_number(rate, what="a learning rate"))
        done = np.array(steps) / n_steps
        right, found = highest * (0.5 + 0.5 * np.cos(np.pi * done)), np.array(found)
        if np.abs(found - right).max() < 1e-5 * highest:
            continue
        worst = np.abs(found - right).argmax()
        told = (
            f"at step {steps[worst]} of {n_steps}, highest {highest:g}, it returns "
            f"{found[worst]:.4g}, where {right[worst]:.4g} is right: "
        )
        full, angle = np.cos(2 * np.pi * done), np.pi * done
        say_if(found, [
            (highest * np.cos(angle), "this is the cosine itself, which falls below 0: scale it"),
            (highest * (1 + np.cos(angle)), "twice as high: 1 plus a cosine goes up to 2"),
            (right / highest, "it goes from 1 to 0: `highest` is missing"),
            (highest * (1 + full) / 2, "this is a whole period: half a period is asked for"),
            (highest * np.cos(angle / 2), "this is a quarter of a period: use half a period, which "
             "falls slowly at the end too"),
            (highest * (1 - np.cos(angle)) / 2, "it rises: begin with the highest"),
            (highest * (1 - done), "this is a straight line: a cosine is asked for"),
            (highest * (1 + np.cos(done)) / 2, "the angle goes to 1: it must go to pi"),
            (highest * (1 + np.cos(180 * done)) / 2, "the angle is in degrees: `cos` takes "
             "radians, and half a period is pi"),
            (highest * (1 + np.cos(np.pi * np.array(steps) / max(n_steps - 1, 1))) / 2, "it is 0 a "
             "step early: it must be 0 at n_steps, not at n_steps - 1"),
            (highest * (1 + np.cos(np.pi * np.array(steps) / (n_steps + 1))) / 2, "it is 0 a step "
             "late: it must be 0 at n_steps, not at n_steps + 1"),
            (highest * (1 + np.cos(np.pi * (np.array(steps) + 1) / n_steps)) / 2, "it is a step "
             "early: `highest` belongs to step 0"),
            (np.full(len(steps), highest), "it never falls"),
        ], within=1e-5 * highest, told=told)  # fmt: skip
        raise Wrong(f"{told}half a cosine, from `highest` to 0")
