"""The checks of 03_speaker_identification: held-out utterances."""

import numpy as np

from helpers.exercises.engine import Wrong, call, case, check
from helpers.exercises.judges import judge_seed, need_mask


@check(
    "3.5",
    "held-out utterances",
    "A share of the utterances of each speaker: go from speaker to speaker.",
    "Begin with False for all; for each speaker, `np.flatnonzero` finds the utterances, and "
    "`rng.choice` chooses some of them (with replace=False).",
    "How many? The share times the number of utterances of the speaker, rounded, but at least 1 "
    "and at most all but one: use `np.clip`.",
)
def hold_out(attempt):
    """hold_out(speakers, *, share, rng) → bool (n,), True for held-out utterances."""
    for what, sizes, share in (
        ("three speakers of 10 utterances each", (10, 10, 10), 0.3),
        ("speakers with different numbers of utterances", (4, 7, 9, 13, 20), 0.3),
        ("speakers with few utterances", (2, 3, 2, 4, 6), 0.1),
        ("a large share", (2, 3, 5, 17), 0.85),
        ("half of them", (2, 3, 5, 8, 11), 0.5),
    ):
        rng = np.random.default_rng(34)
        names = rng.choice([str(i) for i in range(100, 999)], len(sizes), replace=False)
        speakers = rng.permutation(np.repeat(names, sizes))
        with case(f"{what}, share {share:g}"):

            def draw(rng, speakers=speakers, share=share):
                found = call(attempt, speakers, share=share, rng=rng)
                mask = need_mask(found, len(speakers), each="utterance")
                _explain_held_out(mask, speakers, share)
                return mask

            masks = [draw(np.random.default_rng(seed)) for seed in range(1, 6)]
            judge_seed(draw, what="choices")
            if all(np.array_equal(masks[0], mask) for mask in masks):
                raise Wrong("every rng holds out the same utterances: choose at random")
    speakers = np.array(["b", "a", "b", "c", "b", "a", "c", "b", "a", "c", "c"])
    times = np.zeros(len(speakers), int)
    rng = np.random.default_rng(340)
    for _ in range(100):
        found = call(attempt, speakers, share=0.3, rng=rng)
        times += need_mask(found, len(speakers), each="utterance")
    if not times.all():
        raise Wrong(
            f"in 100 tries utterance {times.argmin()} of {len(speakers)} was never held out: each "
            "utterance of a speaker needs the same chance"
        )


def _explain_held_out(mask, speakers, share):
    """Raise Wrong unless the right share of each speaker is held out."""
    names, sizes = np.unique(speakers, return_counts=True)
    counts = np.array([mask[speakers == name].sum() for name in names])
    exact = share * sizes
    low, high = (
        np.ceil(exact - 0.5 - 1e-6),
        np.floor(exact + 0.5 + 1e-6),
    )  # if half-way, both
    low, high = (np.clip(x, 1, sizes - 1) for x in (low, high))
    off = (counts < low) | (counts > high)
    if not off.any():
        return
    k = off.argmax()
    told = f"of {sizes[k]} utterances of speaker {names[k]} it holds out {counts[k]}"
    rest = sizes - counts
    if mask.mean() > 0.5 > share and ((rest >= low) & (rest <= high)).all():
        raise Wrong(f"{told}: True must mark the held-out utterances, not the others")
    if ((counts == 0) | (counts == sizes)).all() and 0 < mask.sum() < len(mask):
        raise Wrong(f"{told}: whole speakers are held out, and a network cannot learn them")
    if (counts[off] == 0).all():
        raise Wrong(f"{told}: hold out at least one of each speaker")
    if (counts[off] == sizes[off]).all():
        raise Wrong(f"{told}: leave at least one to learn from")
    if abs(mask.sum() - share * len(mask)) <= 1 and off.sum() > 1:
        raise Wrong(f"{told}: the share is right for all utterances together, but "
                    "not for each speaker")  # fmt: skip
    wanted = f"but a share of {share:g} ({exact[k]:.4g}) makes {low[k]:g}"
    for name, rounded in (("down", np.floor), ("up", np.ceil)):
        if (counts == np.clip(rounded(exact + 1e-9), 0, sizes)).all() or (
            counts == np.clip(rounded(exact), 1, sizes - 1)
        ).all():
            raise Wrong(f"{told}, {wanted}: it rounds {name}; round to the nearest")
    raise Wrong(f"{told}, {wanted}")
