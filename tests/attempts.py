"""Where attempts at exercises, right and wrong ones, are gathered: see test_checks."""

RIGHT, WRONG = {}, {}  # name of a check → attempts; for the wrong ones (attempt, what must be said)


def right(name):
    """Decorator of an attempt that the check of that name must take for right."""
    return lambda attempt: RIGHT.setdefault(name, []).append(attempt) or attempt


def wrong(name, *said):
    """Decorator of an attempt that the check must refuse, with all these words in its message."""
    return lambda attempt: WRONG.setdefault(name, []).append((attempt, said)) or attempt
