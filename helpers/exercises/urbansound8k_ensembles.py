"""The checks of 04_urbansound8k_cnn: test-time augmentation and fusion of models."""

import numpy as np

from helpers.exercises.engine import Wrong, call, case, check
from helpers.exercises.judges import need_array, need_numbers, need_value, row_of, say_first, say_if


@check(
    "4.10",
    "test-time augmentation by shifts",
    "For each of the n places: shift x so that it begins there, and call `predict`.",
    "`np.roll` moves an array along an axis; what leaves at one end comes back at the other. In "
    "which direction must x move, so that frame `place` comes first?",
    "Place number k is k * len(x) // n, and time is axis 0. Average the predictions over the "
    "versions, not over the classes.",
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
                raise ValueError(f"predict needs a version of x, {x.shape}, not {version.shape}")
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
                raise Wrong("it returns the probabilities of all versions: return their mean")
            if np.shape(found) in ((n,), (n_frames,)) and n != 1:
                raise Wrong(f"it returns {len(found)} values, where {n_classes} are needed, one "
                            "for each class: average over the versions")  # fmt: skip
            found = need_array(found, shape=(n_classes,), axes=("n_classes",))
            if np.abs(found - np.average(each, axis=0)).max() < 1e-5:
                continue
            _explain_shifts(heard, places, n_frames)
            _explain_average(found, each)


def _softmax(logits):
    return np.exp(logits - np.logaddexp.reduce(logits))


def _begun_at(version, x):
    """The frame of x with which a version begins; None if it is not a shifted x."""
    return next((k for k in range(len(x)) if np.allclose(version, np.roll(x, -k, axis=0))), None)


def _explain_shifts(heard, places, n_frames):
    """Raise Wrong unless `predict` got x shifted to these places. heard: the first frames."""
    n = len(places)
    if not heard:
        raise Wrong("it never calls `predict`")
    if None in heard:
        raise Wrong("`predict` gets an array that is not a shifted x: move whole frames along time "
                    "(axis 0); those before the place follow after the end")  # fmt: skip
    if sorted(heard) == sorted(places):
        return
    told = f"`predict` gets x beginning at frames {heard}, where {places} are the {n} places"
    if sorted(heard) == sorted(-(-k * n_frames // n) % n_frames for k in range(n)) and heard != [
        (n_frames - p) % n_frames for p in places
    ]:
        raise Wrong(f"{told}: the places are rounded up, because `-k * len(x) // n` rounds the "
                    "negative number down: write `-(k * len(x) // n)`")  # fmt: skip
    if sorted(heard) == sorted((n_frames - p) % n_frames for p in places):
        raise Wrong(f"{told}: x moves in the wrong direction")
    say_first(
        (set(heard) == {0}, "x is never shifted"),
        (sorted(heard) == sorted(k * (n_frames // n) for k in range(n)), "round each place down, "
         "not the step between them"),
        (len(heard) != n, f"it is called {len(heard)} times"),
        (True, "place number k is k * len(x) // n"),
        told=f"{told}: ",
    )  # fmt: skip


def _explain_average(found, each):
    """Raise Wrong, with what is wrong with the average over the right versions."""
    geometric = np.exp(np.log(each).mean(axis=0))
    told = (
        f"the versions are right, but of their probabilities it makes {found.round(3).tolist()}: "
    )
    say_if(found, [
        (each.sum(axis=0), "this is their sum; the mean is asked for"),
        (each.max(axis=0), "this is their maximum; the mean is asked for"),
        (np.median(each, axis=0), "this is their median; the mean is asked for"),
        (geometric, "this is their geometric mean; take the arithmetic mean"),
        (geometric / geometric.sum(), "this is their geometric mean; take the arithmetic mean"),
        (each[0], "this is the first version alone"),
        (each[-1], "this is the last version alone"),
        (_softmax(each.mean(axis=0)), "softmax is applied again: they are already probabilities"),
    ], within=1e-5, told=told)  # fmt: skip
    raise Wrong(f"{told}{np.average(each, axis=0).round(3).tolist()} is their mean")


@check(
    "4.11",
    "fusion of two models",
    "Three steps: logarithms, their weighted mean, and back.",
    "The logarithm of 0 is infinite: use `np.maximum` before the logarithm.",
    "exp of the mean logarithms does not add up to 1: divide each row by its sum (keepdims=True). "
    "Softmax over axis 1 does both.",
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
                raise Wrong(f"row {i} has NaN or infinite values; there p is {row_of(p[i])} and q "
                            f"{row_of(q[i])}. A probability of 0 counts as 1e-7")  # fmt: skip
            found = need_array(found, shape=p.shape, axes=("n", "n_classes"))
            _explain_fused(found, p.astype(float), q.astype(float), share)


def _fused(p, q, share, *, least=1e-7):
    a, b = (np.log(x.clip(min=least)) for x in (p, q))
    total = b + share * (a - b)
    return total - np.logaddexp.reduce(total, axis=1, keepdims=True), total


def _explain_fused(found, p, q, share):
    """Raise Wrong unless `found` are the fused probabilities of two models."""
    logarithm, raw = _fused(p, q, share)
    right, rest = np.exp(logarithm), 1 - share

    def like(other, within=2e-3):
        return np.allclose(found, other, rtol=within, atol=1e-5)

    if like(right):
        return
    i = np.abs(found - right).max(axis=1).argmax()
    told = (
        f"of p {row_of(p[i])} and q {row_of(q[i])} it makes {row_of(found[i])}, where "
        f"{row_of(right[i])} is right: "
    )
    product = p**share * q**rest
    say_if(found, [
        (share * p + rest * q, "this is the mean of probabilities: average logarithms"),
        (np.exp(raw), "its rows do not add up to 1: divide each by its sum"),
        (np.exp(_fused(q, p, share)[0]), "`share` is the weight of p, and 1 - share that of q"),
        (np.exp(_fused(p, q, 0.5)[0]), "both have the same weight: use `share` and 1 - share"),
        (np.exp(raw) / np.exp(raw).sum(axis=0), "its columns add up to 1: divide by the sum over "
         "the classes (axis 1)"),
        (np.exp(raw) / np.exp(raw).sum(), "everything together adds up to 1: each row must"),
        (product / np.maximum(product.sum(axis=1, keepdims=True), 1e-12), "a probability of 0 "
         "stays 0, whatever the other model says: it counts as 1e-7"),
        (p * q / np.maximum((p * q).sum(axis=1, keepdims=True), 1e-12), "this is the product: "
         "`share` and 1 - share are missing"),
    ], rtol=2e-3, within=1e-5, told=told)  # fmt: skip
    if like(raw):
        raise Wrong(f"{told}these are logarithms: convert them back to probabilities")
    for least in (1e-15, 1e-12, 1e-10, 1e-9, 1e-8, 1e-6, 1e-5, 1e-4, 1e-3):
        if like(np.exp(_fused(p, q, share, least=least)[0])):
            raise Wrong(f"{told}a probability of 0 counts as {least:g}, where 1e-7 is asked for")
    total = found.sum(axis=1)
    if np.abs(total - 1).max() > 1e-3:
        raise Wrong(f"{told}its rows add up to {row_of(total)}")
    raise Wrong(f"{told}logarithms, their weighted mean, and back")
