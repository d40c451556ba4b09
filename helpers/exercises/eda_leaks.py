"""The checks of 01_eda: class weights, leaks between training and test."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from helpers.exercises.engine import Wrong, call, case, check
from helpers.exercises.judges import need_list, need_number, need_value, say_if, some_of
from helpers.exercises.judges_data import judge_class_weights


@check(
    "1.4",
    "weights that balance the classes",
    "A class with few clips needs a large weight. How does the weight depend on their number?",
    "Weight times number of clips must be the same for all classes: the weight is a constant "
    "divided by the number. The mean weight of 1 gives the constant.",
    "The weights of all n clips sum to n, and each class has the same part of this sum. Divide "
    "that part by the number of clips of the class.",
)
def class_weights(attempt):
    """class_weights(labels) → dict: label → weight."""
    rng = np.random.default_rng(14)
    for name, counts in (
        ("four uneven classes", {"siren": 5, "dog_bark": 30, "rain": 12, "rooster": 3}),
        ("two classes of the same size", {"rain": 8, "siren": 8}),
        ("labels that are numbers", {0: 4, 1: 11, 2: 1}),
    ):
        labels = [label for label, count in counts.items() for _ in range(count)]
        labels = [labels[i] for i in rng.permutation(len(labels))]
        classes, n = list(counts), len(labels)
        with case(name):
            found = _weights(call(attempt, pd.Series(labels).to_numpy()), classes, n=n)
            found = np.array([found[label] for label in classes])
            judge_class_weights(found, np.array(list(counts.values())), classes)


def _weights(value, classes, *, n):
    """`value` as a dict label → float, or Wrong."""
    if isinstance(value, pd.Series):
        value = value.to_dict()
    need_value(value)
    if not isinstance(value, Mapping):
        size = len(value) if isinstance(value, (list, tuple)) else getattr(value, "size", 0)
        per_clip = " for every clip" if size == n else ""
        raise Wrong(f"it returns a {type(value).__name__}{per_clip}; a dict is needed: label → "
                    "weight")  # fmt: skip
    value = dict(value)
    if lost := [label for label in classes if label not in value]:
        raise Wrong(f"there is no weight for {some_of(map(repr, lost))}: its keys are "
                    f"{some_of(map(repr, value)) or 'none'}")  # fmt: skip
    if more := [label for label in value if label not in classes]:
        raise Wrong(f"there is a weight for {some_of(map(repr, more))}, which is not a label here")
    return {label: need_number(value[label], what=f"the weight of {label!r}") for label in classes}


@check(
    "1.5",
    "clips with a source that is in training",
    "Only test clips count: how many of them have a source with a clip in training?",
    "First find the sources in training, then the test clips that have one of these.",
    "`np.isin(a, b)` says for each element of a whether it is in b. The mean is the share.",
)
def leaked_share(attempt):
    """leaked_share(groups, is_test) → share of test clips whose source is in training too."""
    cases = [
        ("sources on both sides", "a a a a b b b c c d d d d e e e e e f", "ttrrttrttrrrrrrrrtt"),
        ("no source on both sides, and siblings within the test set", "a a a b b c d d d d e",
         "tttttrrrrrr"),
        ("every source on both sides", "a a b b c c c", "trtrttr"),
        ("a large source on both sides", "a b a a a a c a c c c", "trtrtttrttt"),
    ]  # fmt: skip
    for name, sources, sides in cases:
        sources, is_test = sources.split(), [side == "t" for side in sides]
        test = [s for s, t in zip(sources, is_test, strict=True) if t]
        train = [s for s, t in zip(sources, is_test, strict=True) if not t]
        n_leaked = sum(train.count(source) > 0 for source in test)
        right = n_leaked / len(test)
        groups = np.array([f"freesound_{ord(source):03d}" for source in sources])
        with case(name):
            found = call(attempt, groups, np.array(is_test))
            found = need_number(found, what="a share, 0 … 1")
        if np.isclose(found, right):
            continue
        told = f"{name}: it returns {found:.4g}"
        both = set(test) & set(train)
        with_siblings = sum(sources.count(source) > 1 for source in test)
        known = sum(source in both for source in train)
        say_if(
            found,
            [
                (n_leaked, f"this is a number: divide by the {len(test)} test clips"),
                (100 * right, "this is in percent: return a share from 0 to 1"),
                (1 - right, "this is the share of test clips without a leak"),
                (len(both) / len(set(test)), "this is a share of sources: count clips"),
                (len(both) / len(set(sources)), "this is a share of sources: count clips"),
                (n_leaked / len(sources), "this is a share of all clips: count test clips"),
                (n_leaked / len(train), "it divides by the number of training clips: divide by the "
                 "number of test clips"),
                (known / len(train), "this is a share of training clips: count test clips"),
                ((n_leaked + known) / len(sources), "it counts both sides: count test clips only"),
                (with_siblings / len(test), "it counts siblings within the test set: a leak needs "
                 "a clip in training"),
            ],
            rtol=1e-5,
            told=f"{told}: ",
        )  # fmt: skip
        raise Wrong(
            f"{told}, but {n_leaked} of {len(test)} test clips have a source that is in training "
            f"too, a share of {right:.4g}"
        )


@check(
    "1.6",
    "a guess by the container",
    "Find the most frequent label of each container in training; then look it up.",
    "`collections.Counter` counts, and its `most_common(1)` is the most frequent. Use a Counter "
    "for each container, and one for all of training.",
    "Make a dict container → label once from training. Its `get` takes a second argument, which it "
    "returns for a container that is not in the dict.",
)
def guess_by_container(attempt):
    """guess_by_container(train_containers, train_labels, test_containers) → label per test clip."""
    rng = np.random.default_rng(16)
    usual = {"wav 16 bit": {"rain": 9, "siren": 2}, "ogg": {"siren": 4, "rain": 2},
             "wav 24 bit": {"siren": 3, "rain": 1, "bark": 2}}  # fmt: skip
    other = {"mp3": {"siren": 2, "bark": 5}, "flac": {"rain": 2}, "ogg": {"siren": 1}}
    spread = {"mp3": {"bark": 5, "rain": 1}, "ogg": {"siren": 4}, "flac": {"siren": 3, "rain": 2}}
    cases = [
        ("containers that are all in training", usual, ["ogg", "wav 16 bit", "wav 24 bit", "ogg"]),
        ("a test set with a new container", usual, ["mp3", "ogg", "wav 16 bit", "mp3", "ogg"]),
        ("other labels and containers", other, ["flac", "mp3", "ogg", "wav", "flac", "flac"]),
        ("a label spread over containers", spread, ["wav", "mp3", "ogg", "aiff", "flac"]),
    ]
    for name, table, test in cases:
        pairs = [(c, label) for c, of in table.items() for label, n in of.items() for _ in range(n)]
        pairs = [pairs[i] for i in rng.permutation(len(pairs))]
        overall = pd.Series([label for _, label in pairs]).mode()[0]
        # The first label must not be the most frequent.
        pairs.sort(key=lambda pair: pair[1] == overall)
        containers, labels = (list(column) for column in zip(*pairs, strict=True))
        right = [max(table[c], key=table[c].get) if c in table else overall for c in test]
        with case(name):
            found = call(attempt, *(np.array(x, object) for x in (containers, labels, test)))
            found = need_list(found, what="a guess for each test clip")
            if len(found) != len(test):
                why = ""
                if len(found) in (len(set(test)), len(table)):
                    why = ": is it one per container?"
                raise Wrong(f"it returns {len(found)} guesses for {len(test)} test clips{why}")
            if [str(guess) for guess in found] == right:
                continue
            if {str(guess) for guess in found} == {overall}:
                raise Wrong(f"every guess is {overall!r}, the most frequent label of all: use the "
                            "container as well")  # fmt: skip
            for c, guess, wanted in zip(test, found, right, strict=True):
                if isinstance(guess, str) and guess == wanted:
                    continue
                guess = str(guess) if isinstance(guess, str) else guess  # not np.str_('…')
                told = f"its guess for {c!r} is {guess!r}"
                if c not in table:
                    raise Wrong(f"{told}; {c!r} is not in training, and the most frequent label of "
                                f"all training clips is {wanted!r} ({labels.count(wanted)} of "
                                f"{len(labels)})")  # fmt: skip
                if not isinstance(guess, str):
                    raise Wrong(f"{told}; a label is needed")
                if guess in table:
                    raise Wrong(f"{told}, which is a container: return the most frequent label of "
                                "each container")  # fmt: skip
                seen = ", ".join(f"{n} {label}" for label, n in table[c].items())
                raise Wrong(f"{told}, but training clips in {c!r} are {seen}, mostly "
                            f"{wanted!r}")  # fmt: skip
