"""Sweeps: a notebook once for every combination of some parameters' values."""

import hashlib
import itertools
import re

from tools.command_line import UsageError

LONGEST = 80  # letters of a folder's name


def read_sweep(text):
    """`NAME=a,b,c` as (NAME, [a, b, c]), texts; commas within brackets or quotes part nothing."""
    name, equals, values = text.partition("=")
    found = [value.strip() for value in _part(values)]
    if not (equals and name.isidentifier() and all(found)):
        raise UsageError(f"--sweep {text}: write it as NAME=value,value, such as EPOCHS=10,20")
    if len(set(found)) < len(found):
        raise UsageError(f"--sweep {text}: a value is there twice")
    return name, found


def _part(text):
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
    """Every combination of the values: a list of [(name, text), …], the last name going fastest.

    sweeps: see `read_sweep`. given: (name, text) pairs for all runs alike. Raises UsageError.
    """
    names = [name for name, _ in sweeps]
    if twice := {name for name in names if names.count(name) > 1}:
        raise UsageError(f"{', '.join(sorted(twice))} is swept twice: give all values at once")
    if both := sorted({name for name, _ in given} & set(names)):
        raise UsageError(f"{', '.join(both)} is swept, and given with -p: it can be one of them")
    return [
        list(zip(names, values, strict=True))
        for values in itertools.product(*(values for _, values in sweeps))
    ]


def variant_of(combination):
    """What tells a run of a sweep from the others, for people: "EPOCHS=10, SEED=0"."""
    return ", ".join(f"{name}={value}" for name, value in combination)


def folder_of(variant):
    """A folder's name for a variant; no two variants share one, on any file system."""
    plain = re.sub(r"[^A-Za-z0-9=.+-]+", "_", variant.replace(", ", "_"))
    if plain == variant.replace(", ", "_") and plain == plain.upper() and len(plain) <= LONGEST:
        return plain
    return f"{plain[:LONGEST]}_{hashlib.sha256(variant.encode()).hexdigest()[:8]}"


def order_of(variant):
    """A key that sorts variants as people do, 9 before 10."""
    parts = re.split(r"(\d+(?:\.\d+)?)", variant)
    return [(float(p), "") if k % 2 else (0.0, p) for k, p in enumerate(parts)]
