"""Sweeps: run a notebook once for each combination of values of some parameters."""

import hashlib
import itertools
import re

from tools.command_line import UsageError

MAX_LENGTH = 80  # characters of a folder's name


def read_sweep(text):
    """`NAME=a,b,c` as (NAME, [a, b, c]), as texts; commas in brackets or quotes do not separate."""
    name, equals, values = text.partition("=")
    found = [value.strip() for value in _split(values)]
    if not (equals and name.isidentifier() and all(found)):
        raise UsageError(f"--sweep {text}: write it as NAME=value,value, such as EPOCHS=10,20")
    if len(set(found)) < len(found):
        raise UsageError(f"--sweep {text}: it has a value twice")
    return name, found


def _split(text):
    depth, quote, start = 0, "", 0
    for i, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter in "[{(":
            depth += 1
        elif letter in "]})":
            depth -= 1
        elif letter == "," and depth == 0:
            yield text[start:i]
            start = i + 1
    yield text[start:]


def combinations(sweeps, *, given):
    """All combinations of the values: a list of [(name, text), …]; the last name varies fastest.

    sweeps: from `read_sweep`. given: (name, text) pairs for all runs. Raises UsageError.
    """
    names = [name for name, _ in sweeps]
    if twice := {name for name in names if names.count(name) > 1}:
        raise UsageError(f"{', '.join(sorted(twice))} is swept twice: use one --sweep")
    if both := sorted({name for name, _ in given} & set(names)):
        raise UsageError(f"{', '.join(both)} is swept, and given with -p: use one of the two")
    return [
        list(zip(names, values, strict=True))
        for values in itertools.product(*(values for _, values in sweeps))
    ]


def variant_of(combination):
    """The name of a combination: "EPOCHS=10, SEED=0"."""
    return ", ".join(f"{name}={value}" for name, value in combination)


def folder_of(variant):
    """A folder's name for a variant, unique also where file names ignore case."""
    joined = variant.replace(", ", "_")
    plain = re.sub(r"[^A-Za-z0-9=.+-]+", "_", joined)
    # Windows drops a dot at the end of a name.
    if plain == joined == plain.upper().rstrip(".") and len(plain) <= MAX_LENGTH:
        return plain
    return f"{plain[:MAX_LENGTH]}_{hashlib.sha256(variant.encode()).hexdigest()[:8]}"


def order_of(variant):
    """A sort key for variants that puts 9 before 10."""
    parts = re.split(r"(\d+(?:\.\d+)?)", variant)
    return [(float(p), "") if k % 2 else (0.0, p) for k, p in enumerate(parts)]
