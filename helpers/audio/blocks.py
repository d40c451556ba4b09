"""A stream of arrays, cut into blocks of another size."""

import numpy as np


def reblock(pieces, *, size, step=None):
    """Cut a stream into blocks of one size, which may overlap, in bounded memory.

    pieces: iterable of arrays (n, …), in order, each of any length n. size: length of a block.
    step: from the start of a block to the start of the next, at most size; None: size. Yields
    arrays (size, …), and last what is left from the start of the next block, if anything. The
    blocks do not depend on how the stream was cut into pieces.
    """
    step = step or size
    held, n_held = [], 0
    for piece in pieces:
        held.append(piece)
        n_held += len(piece)
        if n_held >= size:
            joined = np.concatenate(held)
            n_blocks = 1 + (n_held - size) // step
            for k in range(n_blocks):
                yield joined[k * step : k * step + size]
            held = [joined[n_blocks * step :].copy()]  # a view would keep all of `joined`
            n_held = len(held[0])
    if n_held:
        yield np.concatenate(held)
