"""The checks of 04_urbansound8k_cnn from the training on: weights, answers, scores."""

import numpy as np

from helpers.checks.common import BY_CHANCE, say_if
from helpers.exercises import (
    Wrong,
    call,
    case,
    check,
    need_array,
    need_number,
    need_numbers,
    need_value,
)

# --- training -------------------------------------------------------------------------------------


@check(
    "4.7",
    "what each class weighs",
    "A class with few clips needs a large weight: how does the weight depend on the count?",
    "The weights of all clips add up to the number of clips, and every class that has clips gets "
    "the same part of that.",
    "That part, shared among the clips of a class, is its weight. `np.bincount` counts, and with "
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
                raise Wrong("it returns a weight for each clip: one for each class is asked")
            if found.shape == ((counts > 0).sum(),) != counts.shape:
                raise Wrong(f"it returns {len(found)} weights: classes without clips have one too, "
                            "which is 0")  # fmt: skip
            if found.shape == counts.shape and not np.isfinite(found).all():
                k = int(np.argmin(np.isfinite(found)))
                raise Wrong(f"the weight of class {k}, which has {counts[k]} clips, is {found[k]}: "
                            "a class without clips weighs 0")  # fmt: skip
            found = need_array(found, shape=counts.shape, axes=("n_classes",))
            _explain_weights(found, counts)


def _explain_weights(found, counts):
    """Raise Wrong unless the weights make all classes that have clips equal."""
    n, here = counts.sum(), counts > 0
    share = n / np.maximum(counts, 1)
    right = np.where(here, share / here.sum(), 0)
    if np.allclose(found, right, rtol=2e-3, atol=1e-6):
        return
    told = f"it returns {found.round(3).tolist()}, where {right.round(3).tolist()} is right: "
    for other, name in (
        (counts / n, "these are the shares of the clips. A rare class needs the larger weight, so "
         "it is the other way up"),
        (share / len(counts) * here, f"n_classes is {len(counts)}, but only {here.sum()} of them "
         "have clips to share the weight"),
        (1 / np.maximum(counts, 1) * here, "these are 1 / count: the mean weight of a clip is not "
         "1 yet"),
        (share * here, "each class alone weighs as much as all clips: share that among the "
         "classes"),
        (counts.max() / np.maximum(counts, 1) * here, "the largest class weighs 1: it is the mean "
         "over all clips that is 1"),
        (right / right.sum() * here.sum(), "the mean over the classes is 1: it is the mean over "
         "all clips that is 1"),
        (right / right.sum(), "they add up to 1: it is the mean over all clips that is 1"),
    ):  # fmt: skip
        if np.allclose(found, other, rtol=2e-3, atol=1e-6):
            raise Wrong(f"{told}{name}")
    if found[~here].any():
        k = int(np.argmax(~here & (found != 0)))
        raise Wrong(f"{told}class {k} has no clips, and weighs {found[k]:.4g} where 0 is asked")
    total = found * counts
    if not np.allclose(total[here], total[here][0], rtol=2e-3):
        few, many = (np.flatnonzero(here)[pick(counts[here])] for pick in (np.argmin, np.argmax))
        raise Wrong(f"{told}weight times clips is {total[many]:.4g} for class {many} and "
                    f"{total[few]:.4g} for class {few}; it is the same for all")  # fmt: skip
    raise Wrong(f"{told}the mean over all clips is {total.sum() / n:.4g}, and 1 is asked")


@check(
    "4.8",
    "labels made smooth",
    "Two parts add up: what a row keeps, and what every class is given.",
    "`share` is given away in equal parts: how much does each of n_classes classes get?",
    "The rows keep 1 - share of what they have. The number of classes is that of the columns.",
)
def smooth_labels(attempt):
    """smooth_labels(labels, *, share) → float (n, n_classes), rows that add up to 1."""
    rng = np.random.default_rng(48)
    for what, labels, share in (
        ("6 clips of 4 classes", np.eye(4)[[0, 3, 1, 1, 2, 0]], 0.1),
        ("3 clips of 10 classes", np.eye(10, dtype=np.float32)[[7, 0, 9]], 0.3),
        ("labels of mixed clips", rng.dirichlet(np.ones(5), 7), 0.2),
        ("nothing to spread", np.eye(3)[[2, 0]], 0.0),
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
                (given, "nothing is spread"),
                (kept, "the share is taken away, but not given to the classes"),
                (given + share / n_classes, "the share is given to the classes, but not taken from "
                 "the row: it keeps 1 - share"),
                (kept + share / n, f"it is divided by the {n} rows: it is the {n_classes} classes "
                 "that share it"),
                (kept + share / (n_classes - 1), "it is divided by n_classes - 1, and given to "
                 "all: the true class is counted as well"),
                (kept + share / (n_classes - 1) * (1 - given), "it is spread over the other "
                 "classes only: the true one gets its part as well"),
                (np.where(given > 0, 1 - share, share / (n_classes - 1)), "it is spread over the "
                 "other classes only: the true one gets its part as well"),
                (np.where(given > 0, 1 - share, share / n_classes), "the true class gets no part "
                 "of what is spread: the rows do not add up to 1"),
                (kept + share, "every class gets the whole share: it is divided among them"),
                (share * given + (1 - share) / n_classes, "it is the other way round: `share` is "
                 "spread, and 1 - share is kept"),
                (kept + share / 10, "it is divided by 10, however many classes there are"),
            ], within=1e-4, told=told)  # fmt: skip
            total = found.sum(axis=1)
            if np.abs(total - 1).max() > 1e-3:
                k = np.abs(total - 1).argmax()
                raise Wrong(f"{told}row {k} adds up to {total[k]:.4g}, where 1 is asked")
            raise Wrong(f"{told}{(kept + share / n_classes)[0].round(3).tolist()} is right")


@check(
    "4.9",
    "a learning rate that falls",
    "How far is the training, from 0 to 1? Which part of a cosine goes from its highest to its "
    "lowest value on that way?",
    "A cosine has its highest value, 1, at the angle 0, and its lowest, -1, at the angle pi.",
    "1 plus the cosine goes from 2 to 0: what is missing for it to go from `highest` to 0?",
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
            (highest * np.cos(angle), "this is the cosine itself, which falls below 0: lift it up, "
             "between 0 and `highest`"),
            (highest * (1 + np.cos(angle)), "twice as high: 1 plus a cosine goes up to 2"),
            (right / highest, "it goes from 1 to 0: `highest` is missing"),
            (highest * (1 + full) / 2, "this is a whole period, which comes up again: half of one "
             "is asked"),
            (highest * np.cos(angle / 2), "this is a quarter of a period: half of one falls slowly "
             "at the end as well"),
            (highest * (1 - np.cos(angle)) / 2, "it rises: the highest comes first"),
            (highest * (1 - done), "this is a straight line: a cosine is asked"),
            (highest * (1 + np.cos(done)) / 2, "the angle goes to 1: it goes to pi"),
            (highest * (1 + np.cos(180 * done)) / 2, "the angle is in degrees: `cos` takes "
             "radians, and half a period is pi"),
            (highest * (1 + np.cos(np.pi * np.array(steps) / max(n_steps - 1, 1))) / 2, "it comes "
             "to 0 a step early: at `n_steps` it is 0, not at n_steps - 1"),
            (highest * (1 + np.cos(np.pi * np.array(steps) / (n_steps + 1))) / 2, "it comes to 0 a "
             "step late: at `n_steps` it is 0, not at n_steps + 1"),
            (highest * (1 + np.cos(np.pi * (np.array(steps) + 1) / n_steps)) / 2, "it is a step "
             "ahead: `highest` is at step 0"),
            (np.full(len(steps), highest), "it never falls"),
        ], within=1e-5 * highest, told=told)  # fmt: skip
        raise Wrong(f"{told}half a cosine, from `highest` to 0")


# --- answers --------------------------------------------------------------------------------------


@check(
    "4.10",
    "one clip heard several times",
    "For each of the n places: what would x be, if it began there? And then: what does `predict` "
    "say?",
    "`np.roll` moves along an axis, and what falls over one end comes back at the other. To which "
    "side must x move, so that frame `place` comes first?",
    "Place number k is k * len(x) // n, and time is axis 0. What `predict` says of all versions is "
    "averaged over the versions, not over the classes.",
)
def average_over_shifts(attempt):
    """average_over_shifts(predict, x, *, n) → float (n_classes,)."""
    rng = np.random.default_rng(410)
    for n_frames, n_bands, n_classes, n in (
        (12, 7, 5, 3),
        (11, 3, 3, 4),
        (9, 5, 4, 1),
        (23, 2, 6, 5),
    ):
        x = rng.normal(size=(n_frames, n_bands))
        weights = rng.normal(0, 2 / x.size**0.5, (n_frames, n_bands, n_classes))
        heard = []

        def predict(version, x=x, weights=weights, heard=heard):
            version = np.asarray(version)
            if version.shape != x.shape:
                raise ValueError(f"predict takes {x.shape}, a version of x, not {version.shape}")
            heard.append(_begun_at(version, x))
            return _softmax(np.tensordot(version, weights, 2))

        places = [k * n_frames // n for k in range(n)]
        each = np.array(
            [_softmax(np.tensordot(np.roll(x, -p, axis=0), weights, 2)) for p in places]
        )
        with case(f"{n_frames} frames, n {n}"):
            found = call(attempt, predict, x, n=n)
            need_value(found)
            if np.shape(found) == each.shape and n != 1:
                raise Wrong("it returns the probabilities of all versions: their mean is asked")
            if np.shape(found) in ((n,), (n_frames,)) and n != 1:
                raise Wrong(f"it returns {len(found)} values, where {n_classes} are needed, one "
                            "for each class: the mean goes over the versions")  # fmt: skip
            found = need_array(found, shape=(n_classes,), axes=("n_classes",))
            if np.abs(found - np.average(each, axis=0)).max() < 1e-5:
                continue
            _explain_shifts(heard, places, n_frames)
            _explain_average(found, each)


def _softmax(logits):
    return np.exp(logits - np.logaddexp.reduce(logits))


def _begun_at(version, x):
    """Which frame of x a version begins with; None, if it is not x begun elsewhere."""
    return next((k for k in range(len(x)) if np.allclose(version, np.roll(x, -k, axis=0))), None)


def _explain_shifts(heard, places, n_frames):
    """Raise Wrong unless `predict` heard the clip begun at these places."""
    n = len(places)
    if not heard:
        raise Wrong("`predict` is never asked")
    if None in heard:
        raise Wrong("what `predict` is asked about is not x, begun elsewhere: whole frames move "
                    "along time (axis 0), and those before the place follow the end")  # fmt: skip
    if sorted(heard) == sorted(places):
        return
    told = f"`predict` hears x begun at frames {heard}, where {places} are the {n} places"
    if sorted(heard) == sorted(-(-k * n_frames // n) % n_frames for k in range(n)) and heard != [
        (n_frames - p) % n_frames for p in places
    ]:
        raise Wrong(f"{told}: the places are rounded up. `-k * len(x) // n` rounds the negative "
                    "number down: in brackets, `-(k * len(x) // n)`, it is right")  # fmt: skip
    if sorted(heard) == sorted((n_frames - p) % n_frames for p in places):
        raise Wrong(f"{told}: it moves to the other side, so that the end comes first")
    if set(heard) == {0}:
        raise Wrong(f"{told}: it is never moved")
    if sorted(heard) == sorted(k * (n_frames // n) for k in range(n)):
        raise Wrong(f"{told}: each place is rounded down by itself, not the step between them")
    if len(heard) != n:
        raise Wrong(f"{told}: it is asked {len(heard)} times")
    raise Wrong(told)


def _explain_average(found, each):
    """Say what is wrong with the answers to the right versions."""
    geometric = np.exp(np.log(each).mean(axis=0))
    told = (
        f"the versions are right, but of their probabilities it makes {found.round(3).tolist()}: "
    )
    say_if(found, [
        (each.sum(axis=0), "this is their sum; the mean is asked"),
        (each.max(axis=0), "these are the highest; the mean is asked"),
        (np.median(each, axis=0), "this is their median; the mean is asked"),
        (geometric, "this is their geometric mean; the plain one is asked"),
        (geometric / geometric.sum(), "this is their geometric mean; the plain one is asked"),
        (each[0], "these are those of the first version alone"),
        (each[-1], "these are those of the last version alone"),
        (_softmax(each.mean(axis=0)), "they are probabilities already: no softmax is needed"),
    ], within=1e-5, told=told)  # fmt: skip
    raise Wrong(f"{told}{np.average(each, axis=0).round(3).tolist()} is their mean")


@check(
    "4.11",
    "two models fused",
    "Three steps: logarithms, their weighted mean, and back.",
    "The logarithm of 0 is infinite: `np.maximum` keeps it from that before the logarithm is "
    "taken.",
    "e to the power of the mean logarithms does not add up to 1 yet: divide each row by its sum "
    "(keepdims=True). Softmax over axis 1 does both.",
)
def fuse(attempt):
    """fuse(p, q, *, share) → float (n, n_classes), rows that add up to 1."""
    rng = np.random.default_rng(411)
    for what, n, n_classes, share, dtype in (
        ("5 clips of 3 classes", 5, 3, 0.5, float),
        ("3 clips of 10 classes", 3, 10, 0.3, np.float32),
        ("probabilities of 0", 4, 5, 0.6, float),
        ("the first model alone", 6, 4, 1.0, float),
    ):
        p, q = rng.dirichlet(np.ones(n_classes), (2, n)) + 0.01
        if what == "probabilities of 0":
            p[[0, 1, 2, 2, 3], [1, 0, 3, 4, 2]] = 0
            q[[0, 1, 2, 3], [3, 0, 3, 1]] = 0
        p, q = (x / x.sum(axis=1, keepdims=True) for x in (p, q))
        p, q = p.astype(dtype), q.astype(dtype)
        with case(f"{what}, share {share:g}"):
            found = need_numbers(call(attempt, p, q, share=share), axes=("n", "n_classes"))
            if found.shape == p.shape and not np.isfinite(found).all():
                i = int(np.argmin(np.isfinite(found).all(axis=1)))
                raise Wrong(f"row {i} has NaN or infinite values; there p is {_row(p[i])} and q "
                            f"{_row(q[i])}. A probability of 0 counts as 1e-7")  # fmt: skip
            found = need_array(found, shape=p.shape, axes=("n", "n_classes"))
            _explain_fused(found, p.astype(float), q.astype(float), share)


def _row(values):
    return f"[{', '.join(f'{x:.3g}' for x in values)}]"


def _fused(p, q, share, *, least=1e-7):
    a, b = (np.log(x.clip(min=least)) for x in (p, q))
    total = b + share * (a - b)
    return total - np.logaddexp.reduce(total, axis=1, keepdims=True), total


def _explain_fused(found, p, q, share):
    """Raise Wrong unless `found` are the probabilities of two models, fused."""
    logarithm, raw = _fused(p, q, share)
    right, rest = np.exp(logarithm), 1 - share

    def like(other, within=2e-3):
        return np.allclose(found, other, rtol=within, atol=1e-5)

    if like(right):
        return
    i = np.abs(found - right).max(axis=1).argmax()
    told = (
        f"of p {_row(p[i])} and q {_row(q[i])} it makes {_row(found[i])}, where {_row(right[i])} "
        "is right: "
    )
    product = p**share * q**rest
    for other, name in (
        (share * p + rest * q, "this is the mean of the probabilities: it is their logarithms that "
         "are averaged"),
        (np.exp(raw), "its rows do not add up to 1: make probabilities of them again"),
        (np.exp(_fused(q, p, share)[0]), "`share` is the weight of p, and 1 - share that of q"),
        (np.exp(_fused(p, q, 0.5)[0]), "both count the same: they count `share` and 1 - share"),
        (np.exp(raw) / np.exp(raw).sum(axis=0), "its columns add up to 1: the sum goes over the "
         "classes (axis 1)"),
        (np.exp(raw) / np.exp(raw).sum(), "all of it adds up to 1: every row does (axis 1)"),
        (product / np.maximum(product.sum(axis=1, keepdims=True), 1e-12), "a probability of 0 "
         "stays 0, and no other model can change that: it counts as 1e-7"),
        (p * q / np.maximum((p * q).sum(axis=1, keepdims=True), 1e-12), "this is the product: "
         "`share` and 1 - share are missing"),
    ):  # fmt: skip
        if like(other):
            raise Wrong(f"{told}{name}")
    if like(raw):
        raise Wrong(f"{told}these are logarithms: make probabilities of them again")
    for least in (1e-15, 1e-12, 1e-10, 1e-9, 1e-8, 1e-6, 1e-5, 1e-4, 1e-3):
        if like(np.exp(_fused(p, q, share, least=least)[0])):
            raise Wrong(f"{told}a probability of 0 counts as {least:g}, where 1e-7 is asked")
    total = found.sum(axis=1)
    if np.abs(total - 1).max() > 1e-3:
        raise Wrong(f"{told}its rows add up to {_row(total)}")
    raise Wrong(f"{told}logarithms, their weighted mean, and back")


@check(
    "4.12",
    "the recall of each class",
    "For each class: how many clips has it, and how many of these are named rightly?",
    "`np.bincount` counts both: all of `truth`, and that where truth and guess agree. Its "
    "`minlength` keeps a place for every class.",
    "0 / 0 is what a class without clips has: `np.divide` with `where`, or `np.full(n_classes, "
    "np.nan)` to begin with, leaves `nan` there.",
)
def recall_per_class(attempt):
    """recall_per_class(truth, guess, n_classes) → float (n_classes,), nan for no clips."""
    rng = np.random.default_rng(412)
    truth = rng.permutation(np.repeat([0, 1, 2, 3], [20, 10, 5, 8]))
    guess = np.where(rng.random(43) < 0.6, truth, rng.choice(4, 43, p=[0.1, 0.3, 0.2, 0.4]))
    for what, a, b, n_classes in (
        ("four classes", truth, guess, 4),
        ("all are right", truth[::-1], truth[::-1].copy(), 4),
        ("class 2 has no clips", truth[truth != 2], guess[truth != 2], 4),
        ("class 2 is never guessed", truth, np.where(guess == 2, 1, guess), 4),
        ("class 5 has no clips, but is guessed", truth, np.where(guess == truth, guess, 5), 7),
        ("one clip", np.array([1]), np.array([0]), 3),
    ):
        with case(what), np.errstate(all="ignore"):
            found = need_numbers(call(attempt, a, b, n_classes), axes=("n_classes",))
            _explain_recall(found, a, b, n_classes)


def _explain_recall(found, truth, guess, n_classes):
    """Raise Wrong unless these are the recalls of the classes."""
    classes, hit = np.arange(n_classes)[:, None], truth == guess
    of_truth, of_guess = (np.count_nonzero(classes == x, axis=1) for x in (truth, guess))
    hits = np.count_nonzero((classes == truth) & hit, axis=1)
    right = hits / of_truth
    here = of_truth > 0
    once = np.minimum(hits, 1)
    pairs = np.array([len(set(guess[truth == k])) for k in range(n_classes)])
    told = f"it returns {_row(found.ravel())}, where {_row(right)} is right"
    if found.shape == (here.sum(),) != (n_classes,):
        raise Wrong(f"{told}: there are {n_classes} classes, some of them without clips (`nan`)")
    if found.shape == ():
        raise Wrong(f"it returns one number, {found:.3g}: one for each class is asked")
    if found.shape != (n_classes,):
        raise Wrong(f"it returns shape {found.shape}, where (n_classes,) = ({n_classes},) is "
                    "needed")  # fmt: skip
    if np.allclose(found, right, atol=1e-4, equal_nan=True):
        return
    ignored = np.isnan(found)
    for other, name in (
        (hits / of_guess, "this is the precision, the share of a class's guesses that are right: "
         "of the class's clips is asked"),
        (hits, "these are numbers of clips: divide by the clips of each class"),
        (hits / len(truth), "these are shares of all clips: of those of the class is asked"),
        (2 * hits / (of_truth + of_guess), "this is F1: the recall alone is asked"),
        (100 * right, "these are percent: a share from 0 to 1 is asked"),
        (1 - right, "this is the share that is named wrongly"),
        (of_truth / len(truth), "these are the shares of the classes"),
        (1 - (of_truth + of_guess - 2 * hits) / len(truth), "this is how often yes or no to this "
         "class is right, among all clips: those of the class alone count"),
        (np.full(n_classes, np.mean(hit)), "this is the accuracy of all clips"),
        (once / pairs, "each pair of true and guessed class counts once, however often it comes: "
         "`table[truth, guess] += 1` adds 1 to each place only once, `np.add.at` as often as it "
         "comes"),
        (np.floor(right), "what comes after the point is lost, as in an array of whole numbers"),
    ):  # fmt: skip
        same = here & ~ignored & np.isfinite(other)
        if same.any() and np.allclose(found[same], other[same], atol=1e-4) and not np.allclose(
            other[same], right[same]
        ):  # fmt: skip
            raise Wrong(f"{told}: {name}")
    if np.allclose(found[here], right[here], atol=1e-4):
        k = int(np.argmin(here))
        raise Wrong(f"{told}: class {k} has no clips, so that there is no share of them, not even "
                    "0: `nan`")  # fmt: skip
    if (here & ignored).any():
        k = int(np.argmax(here & ignored))
        raise Wrong(f"{told}: class {k} has {of_truth[k]} clips, and so a recall")
    raise Wrong(told)


@check(
    "4.13",
    "whether one is really better",
    "First one number for each source, then many draws of a sign for each of these numbers. How "
    "far from 0 are the totals, and how far is the real one?",
    "Booleans cannot be subtracted: `.astype(int)` makes numbers of them. `np.unique` has the "
    "sources; all clips of one get the same sign.",
    "`rng.choice([-1, 1], (n, n_sources))` draws all signs at once, and `@` adds up each draw. "
    "Count those whose absolute total is at least that of the real one.",
)
def paired_test(attempt):
    """paired_test(right_a, right_b, sources, *, n, rng) → p-value, 0 to 1."""
    for what, differences, n in (
        ("nine uneven sources, in any order", UNEVEN, 1000),
        ("four sources, of each two clips more", [[1, 1], [1, 1, 0], [1, 1], [1, 1], [0, 0]], 1000),
        ("one is right about every clip, the other about none", [[1, 1]] * 20 + [[1]] * 40, 99),
        ("both are right about the same clips", [[0, 0], [0], [0, 0, 0]], 19),
    ):
        right_a, right_b, sources = _answers(differences, numbered="four" in what)
        with case(f"{what}, n {n}"):
            p = call(attempt, right_a, right_b, sources, n=n, rng=np.random.default_rng(413))
            _explain_p(need_number(p, what="a p-value"), differences, n)
    right_a, right_b, sources = _answers(UNEVEN, numbered=True)
    runs = [[], []]
    for found in runs:
        rng = np.random.default_rng(5)
        for _ in range(6):
            p = call(attempt, right_a, right_b, sources, n=200, rng=rng)
            found.append(need_number(p, what="a p-value"))
    if runs[0] != runs[1]:
        raise Wrong("two generators with the same seed give different p-values: draw from rng "
                    "alone")  # fmt: skip
    if len(set(runs[0])) == 1:
        raise Wrong(f"of n = 200 draws the p-value is {runs[0][0]:.4g}, six times in a row: every "
                    "call draws anew with rng")  # fmt: skip


# How many clips more the first model has right, and of how many, for each source; so that every
# mistake gives another p-value than the right one, 0.38.
UNEVEN = [
    [sign] * n + [0] * (of - n)
    for sign, n, of in (
        (1, 1, 1), (1, 1, 7), (-1, 4, 7), (-1, 4, 8), (1, 3, 4), (1, 3, 7), (0, 0, 3), (-1, 4, 4),
        (-1, 9, 9),
    )
]  # fmt: skip


def _answers(differences, *, numbered):
    """(right_a, right_b, sources) of clips in any order whose differences are these."""
    rng = np.random.default_rng(4130)
    names = rng.permutation(np.arange(100, 999))[: len(differences)]
    names = names if numbered else np.array([f"FS{name}" for name in names])
    sources = np.repeat(names, [len(one) for one in differences])
    difference = np.concatenate(differences).astype(int)
    both = rng.random(len(difference)) < 0.5  # right or wrong together
    order = rng.permutation(len(difference))
    right_a = np.where(difference == 0, both, difference > 0)[order]
    right_b = np.where(difference == 0, both, difference < 0)[order]
    return right_a, right_b, sources[order]


def _tails(sums, signs=(-1, 1)):
    """Shares of all draws of signs: (at least as far, further, at least as high, as low)."""
    from scipy.stats import binom

    sums = np.asarray(sums, float)
    sums = sums[sums != 0]
    if len(sums) > 16:  # of clips, all alike: a binomial distribution
        up = np.arange(len(sums) + 1)
        totals, weights = 2 * up - len(sums), binom.pmf(up, len(sums), 0.5)
    else:
        every = np.indices((len(signs),) * len(sums)).reshape(len(sums), -1)
        totals = sums @ np.array(signs)[every]
        weights = np.full(len(totals), 1 / len(totals))
    real, little = sums.sum(), 1e-9
    return tuple(
        float(weights[where].sum())
        for where in (
            np.abs(totals) > abs(real) - little,
            np.abs(totals) > abs(real) + little,
            totals > real - little,
            totals < real + little,
        )
    )


def _explain_p(found, differences, n):
    """Raise Wrong unless a p-value is one of those that drawing may give."""
    from scipy.stats import binom

    told = f"it returns {found:.4g}"
    sums = [sum(one) for one in differences]
    hits = found * (n + 1) - 1

    def may_be(share, chance=BY_CHANCE):
        low, high = binom.ppf([chance / 2, 1 - chance / 2], n, min(share, 1))
        return low - 0.5 < hits < high + 0.5

    if not 0 <= found <= 1 + 1e-9:
        raise Wrong(f"{told}: a p-value lies between 0 and 1")
    share = _exact(sums)
    if share in (0.0, 1.0):
        right = (n * share + 1) / (n + 1)
        if abs(found - right) < 1e-9:
            return
        why = (
            f"no draw comes as far, and the real one counts as one more: 1 / (n + 1) = {right:.4g}"
            if share == 0 else "every draw is as far from 0 as the real total, which is 0: 1"
        )  # fmt: skip
        raise Wrong(f"{told}, where {why} is right")
    if may_be(share) and abs(hits - round(hits)) < 1e-6 * n:
        return
    told += f"; about {(n * share + 1) / (n + 1):.3f} is right"
    if may_be(share):
        raise Wrong(f"{told}, and (n + 1) times it is a whole number: (hits + 1) / (n + 1)")
    one_side = "only totals on one side count: it is how far from 0 they are, on either side"
    mistakes = [
        (_tails(np.concatenate(differences))[0], "each clip gets a sign of its own: the clips of "
         "one source have one together"),
        (_tails(sums)[1], "draws that come exactly as far do not count: at least as far is asked"),
        (_tails(sums)[2], one_side),
        (_tails(sums)[3], one_side),
        (1 - share, "these are the draws that do not come as far"),
        (_tails([np.mean(one) for one in differences])[0], "the sources count by their means: by "
         "their sums is asked"),
        (_tails(np.sign(sums))[0], "the sources count by who is better alone: how much counts as "
         "well"),
        (_tails(sums, (-1, 0, 1))[0], "some signs are 0: a sign is 1 or -1"),
        (_tails(sums, (0, 1))[0], "some signs are 0: a sign is 1 or -1"),
    ]  # fmt: skip
    if abs(found - 1) < 1e-9:
        raise Wrong(
            f"{told}: every draw counts. Are the totals and the real total both taken without "
            "their sign, and does each source get a sign of its own? To reorder clips or sums "
            "leaves their total as it is; and the sources do not count by who is better alone"
        )
    mistakes.sort(key=lambda mistake: abs(found - mistake[0]))
    if fitting := list(dict.fromkeys(name for other, name in mistakes if may_be(other, 1e-3))):
        raise Wrong(f"{told}: {'; or '.join(fitting[:2])}")
    raise Wrong(f"{told}: a sum for each source, a random sign for each sum, how many totals come "
                "at least as far from 0 as the real one")  # fmt: skip


def _exact(sums):
    """Share of all draws that come at least as far; 0 and 1 for what never and always happens."""
    if not np.any(sums):
        return 1.0
    if abs(sum(sums)) == sum(map(abs, sums)) and np.count_nonzero(sums) > 50:
        return 0.0
    return _tails(sums)[0]


@check(
    "4.14",
    "the calibration error",
    "Which of the ten parts is a clip in? Ten times the confidence, rounded down, says so for all "
    "but one value.",
    "In each part: the mean confidence, the share of the clips that are right, and how far they "
    "are apart. Parts without clips count nothing.",
    "Weighted by the clips: each part's distance times its number of clips, summed up, over the "
    "number of all clips. A confidence of 1 belongs to the last part.",
)
def calibration_error(attempt):
    """calibration_error(confidence, right) → float."""
    rng = np.random.default_rng(414)

    def drawn(n, low, high, skill):
        confidence = low + (high - low) * rng.random(n) ** 0.7
        confidence = confidence.clip(0.001, 0.999)
        at_edge = np.abs(confidence * 10 - np.round(confidence * 10)) < 0.02
        confidence += np.where(confidence > 0.5, -0.004, 0.004) * at_edge
        return confidence, rng.random(n) < skill(confidence)

    edges = np.array([0.5, 0.5, 0.5, 0.45, 0.44, 0.57, 0.0, 0.0, 0.03, 1.0, 1.0, 0.97, 0.93])
    hits = np.array([1, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 1, 1], bool)
    for what, confidence, right in (
        ("300 clips, too sure", *drawn(300, 0.1, 1, lambda c: c**2)),
        ("80 clips in a few parts, not sure enough", *drawn(80, 0.35, 0.62, lambda c: c + 0.3)),
        ("some too sure, some not sure enough", *drawn(200, 0.0, 1, lambda c: 0.75 - 0.5 * c)),
        ("confidences of exactly 0, 0.5 and 1", edges, hits),
        ("three clips in one part", np.array([0.72, 0.76, 0.74], np.float32), hits[[0, 3, 1]]),
    ):
        with case(what):
            found = call(attempt, confidence, right)
            if np.ndim(found) == 0 and found is not None and np.isnan(found):
                raise Wrong("it returns NaN: a part without clips has no mean, and counts nothing")
            found = need_number(found, what="the calibration error")
            _explain_error(found, confidence.astype(float), right)


def _gaps(confidence, right, edges, *, closed="left"):
    """(distance of confidence and accuracy, clips) of each part; the distance has its sign."""
    part = np.searchsorted(edges, confidence, side="right" if closed == "left" else "left") - 1
    if closed == "left":
        part[confidence == edges[-1]] = len(edges) - 2
    gaps, sizes = np.zeros(len(edges) - 1), np.zeros(len(edges) - 1)
    for k in range(len(sizes)):
        own = part == k
        sizes[k] = own.sum()
        gaps[k] = confidence[own].mean() - right[own].mean() if own.any() else 0
    return gaps, sizes


def _explain_error(found, confidence, right):
    """Raise Wrong unless this is the expected calibration error."""
    n = len(confidence)
    tenths = np.arange(11) / 10
    gaps, sizes = _gaps(confidence, right, tenths)

    def error(edges, **options):
        gaps, sizes = _gaps(confidence, right, edges, **options)
        return (np.abs(gaps) * sizes).sum() / n

    wanted = (np.abs(gaps) * sizes).sum() / n
    if abs(found - wanted) < 1e-5:
        return
    told = f"it returns {found:.5g}, where {wanted:.5g} is right: "
    equal = np.quantile(confidence, tenths)
    kept = confidence < 1
    last = _gaps(confidence[kept], right[kept], tenths)
    eleven = _gaps(confidence, right, np.arange(12) / 10)
    middle = np.abs((tenths[:10] + 0.05) - np.divide(
        np.bincount(np.minimum((10 * confidence + 1e-9).astype(int), 9), right, 10), sizes,
        out=np.zeros(10), where=sizes > 0))  # fmt: skip
    for value, name in (
        (100 * wanted, "this is in percent"),
        (abs(confidence.mean() - right.mean()), "this is the distance of the mean confidence from "
         "the accuracy over all clips: what is too sure in one part makes up for another"),
        (abs((gaps * sizes).sum()) / n, "the parts' distances have signs, so that they make up for "
         "each other: take them without"),
        ((gaps * sizes).sum() / n, "the parts' distances have signs, so that they make up for each "
         "other: take them without"),
        (np.abs(gaps[sizes > 0]).mean(), "every part counts the same: it counts by its clips"),
        (np.abs(gaps).mean(), "every part counts the same, and those without clips as well: it "
         "counts by its clips"),
        (np.abs(gaps).max(), "this is the largest distance of any part: their mean is asked"),
        (np.abs(gaps).sum(), "this is the sum over the parts: the mean, weighted by the clips, is "
         "asked"),
        ((np.abs(gaps) * sizes).sum(), "it is not divided by the number of clips"),
        ((np.abs(gaps) * sizes).sum() / 10, "it is divided by the number of parts: by that of the "
         "clips is asked"),
        ((gaps**2 * sizes).sum() / n, "the distances are squared: take them as they are"),
        (((gaps**2 * sizes).sum() / n) ** 0.5, "the distances are squared: take them as they are"),
        (np.abs(confidence - right).mean(), "this is the mean distance of each single clip: first "
         "the means of a part, then their distance"),
        ((middle * sizes).sum() / n, "it takes the middle of each part: the mean confidence of its "
         "clips is asked"),
        (error(equal), "its parts have equally many clips: they are equally wide"),
        (error(np.linspace(confidence.min(), confidence.max(), 11)), "its parts lie between the "
         "lowest and the highest confidence: they lie between 0 and 1"),
        (error(np.linspace(0, 1, 10)), "it has 9 parts, where 10 are asked: they have 11 edges"),
        (error(np.arange(6) / 5), "it has 5 parts, where 10 are asked"),
        (error(np.arange(16) / 15), "it has 15 parts, where 10 are asked"),
        (error(np.arange(21) / 20), "it has 20 parts, where 10 are asked"),
        (error(np.arange(12) / 11), "it has 11 parts, where 10 are asked"),
        (error(tenths, closed="right"), "a part has its upper edge, and confidences of 0 are in "
         "none: each has its lower edge"),
        (error(np.append(-1, tenths[1:]), closed="right"), "a part has its upper edge, so that "
         "0.5 is in the fifth: each has its lower edge, and 0.5 is in the sixth"),
        ((np.abs(last[0]) * last[1]).sum() / n, "confidences of 1 are in no part: the last part "
         "has both its edges"),
        ((np.abs(last[0]) * last[1]).sum() / max(last[1].sum(), 1), "confidences of 1 are in no "
         "part: the last part has both its edges"),
        ((np.abs(eleven[0]) * eleven[1]).sum() / n, "confidences of 1 have a part of their own: "
         "they are in the last of ten"),
    ):  # fmt: skip
        if abs(found - value) < 1e-5:
            raise Wrong(f"{told}{name}")
    raise Wrong(f"{told}the right parts have {sizes.astype(int).tolist()} clips and distances "
                f"{np.abs(gaps).round(3).tolist()}")  # fmt: skip


@check(
    "4.15",
    "a class activation map",
    "The dense layer gets a mean of vectors, one for each place. What would it say if it got one "
    "of these vectors alone?",
    "One column of the weights belongs to class k: n numbers, one for each feature, and the bias "
    "of the class.",
    "`@` with that column goes over the last axis of the features, and leaves time and bands.",
)
def activation_map(attempt):
    """activation_map(features, weights, bias, k) → float (n_steps, n_bands)."""
    rng = np.random.default_rng(415)
    for shape, n_classes, k, dtype in (
        ((7, 4, 6), 3, 1, float),
        ((5, 8, 12), 10, 9, np.float32),
        ((6, 3, 5), 5, 0, float),
    ):
        features = (rng.gamma(1, 1, shape) * np.linspace(0, 2, shape[0])[:, None, None]).astype(
            dtype
        )
        weights = rng.normal(0, 1, (shape[2], n_classes)).astype(dtype)
        weights -= np.average(weights, axis=0)  # so that there are votes for and against
        bias = rng.normal(0.8, 0.5, n_classes).astype(dtype)
        with case(f"features of shape {shape}, {n_classes} classes, k {k}"):
            found = call(attempt, features, weights, bias, k)
            found = need_numbers(found, axes=("n_steps", "n_bands"))
            if found.shape == (*shape[:2], n_classes):
                raise Wrong(f"it returns shape {found.shape}, the votes for all {n_classes} "
                            f"classes: those for class {k} are asked")  # fmt: skip
            if found.shape == ():
                raise Wrong(f"it returns one number, {found:.4g}: each place has a vote")
            if found.shape == shape:
                raise Wrong(f"it returns shape {shape}: a vote is a sum over the {shape[2]} "
                            "features of a place")  # fmt: skip
            found = need_array(found, shape=shape[:2], axes=("n_steps", "n_bands"))
            _explain_votes(found, *(x.astype(float) for x in (features, weights, bias)), k)


def _explain_votes(found, features, weights, bias, k):
    """Raise Wrong unless this is the map of class k."""
    votes = np.einsum("tbc,ck->tbk", features, weights) + bias
    right = votes[..., k]
    within = 1e-3 * np.abs(right).max()
    if np.abs(found - right).max() < within:
        return
    plain, n = right - bias[k], right.size
    low, high = right.min(), right.max()
    shares = np.exp(votes - np.logaddexp.reduce(votes, axis=2, keepdims=True))[..., k]
    mistakes = [
        (plain, f"the bias of the class, {bias[k]:.3g}, is missing, so that their mean is not the "
         "logit"),
        (plain + bias[k] / n, "the bias is divided by the number of places: their mean is the "
         "logit, and each place has all of it"),
        (plain - bias[k], f"the bias, {bias[k]:.3g}, is taken off: it is added"),
        (plain + features.shape[2] * bias[k], "the bias is added for every feature: a place has it "
         "once"),
        (right / n, "it is divided by the number of places: their mean is the logit, not their "
         "sum"),
        (plain / n, "it is divided by the number of places, and the bias is missing: their mean "
         "is the logit, not their sum"),
        (np.maximum(right, 0), "votes against the class are cut off (ReLU): they count as well"),
        (np.maximum(plain, 0), "votes against the class are cut off (ReLU), and the bias is "
         "missing"),
        ((right - low) / (high - low), "it is stretched to 0 … 1: votes are asked as they are, "
         "their mean is the logit"),
        (right / high, "it is divided by its highest value: votes are asked as they are"),
        (np.average(features, axis=2), "this is the mean of the features, whatever the class: they "
         "are weighed by its weights"),
        (features.sum(axis=2), "this is the sum of the features, whatever the class: they are "
         "weighed by its weights"),
        (plain / features.shape[2] + bias[k], "this is the mean over the features: their weighted "
         "sum is asked"),
        (shares, "this is a softmax at each place: the votes themselves are asked"),
        (right - right.mean(), "its mean is 0: the mean of the votes is the logit"),
        *((votes[..., other], f"these are the votes for class {other}: for class {k} is asked")
          for other in range(votes.shape[2]) if other != k),
        *((plain + b, f"it adds the bias of class {other}, and that of class {k} is asked")
          for other, b in enumerate(bias) if other != k),
    ]  # fmt: skip
    say_if(found, mistakes, within=within)
    worst = np.unravel_index(np.abs(found - right).argmax(), right.shape)
    raise Wrong(f"the vote of step {worst[0]} in band {worst[1]} is {found[worst]:.4g}, where the "
                f"dense layer gives {right[worst]:.4g} there")  # fmt: skip
