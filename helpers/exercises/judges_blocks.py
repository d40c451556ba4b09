"""Shared judges of layers in a network: convolutions over images, blocks with a shortcut."""

import contextlib
import math

import numpy as np

from helpers.exercises.engine import Wrong, call
from helpers.exercises.judges import need_value
from helpers.exercises.judges_networks import names_of, parts_of, quick_weights, run


@contextlib.contextmanager
def watched(parts):
    """Within it, calls of layers are recorded in order: [(layer, input, output)], channels last."""
    from keras import ops

    def watch(part, its_own):
        def called(*arguments, **options):
            result = its_own(*arguments, **options)
            pair = [*arguments, *options.values()][0], result
            # Lists of inputs or outputs are not recorded.
            pair = [ops.convert_to_numpy(x if hasattr(x, "shape") else []) for x in pair]
            if getattr(part, "data_format", "") == "channels_first":
                pair = [np.moveaxis(x, 1, -1) for x in pair]
            seen.append((part, *pair))
            return result

        return called

    seen, parts = [], list({id(part): part for part in parts}.values())
    for part in parts:
        part.call = watch(part, part.call)
    try:
        yield seen
    finally:
        for part in parts:
            del part.call


def judge_picture(network, parts, n_frames, n_values):
    """Raise Wrong unless Conv2D moves over time and frequency, and strides make both smaller."""
    rng = np.random.default_rng(312)
    x = np.stack([rng.normal(size=(n_frames, n_values))] * 4).astype(np.float32)
    for k, (later, higher) in enumerate([(0, 0), (17, 0), (0, 19)]):  # a moved spot
        x[k + 1, n_frames // 3 + later, n_values // 3 + higher] = 50
    with watched([p for p in parts if type(p).__name__.endswith("Conv2D")]) as seen:
        run(network, x, training=False)
    if not seen:  # they are called in an unusual way
        return
    picture = seen[0][1]
    told = (
        f"the input of its first convolution is {picture.shape[1:]}, where "
        f"{(n_frames, n_values, 1)} is asked for"
    )
    if picture.shape[-1] in (n_frames, n_values):
        which = "frames" if picture.shape[-1] == n_frames else "values"
        raise Wrong(f"{told}: the {which} are on the axis of the channels")
    moved = np.abs(picture[1:] - picture[0])
    if not any(_is_in_order(moved[..., k]) for k in range(moved.shape[-1])):
        raise Wrong(
            f"{told}: neighbours in time or frequency are not neighbours there. `Reshape` keeps "
            "the order of all numbers and swaps no axes; `Permute` swaps axes"
        )
    smallest = min(math.prod(array.shape[1:3]) for _, *pair in seen for array in pair)
    if smallest > 0.6 * n_frames * n_values:
        raise Wrong(
            "all its convolutions see the input at full size: use strides in the first ones, so "
            "that the others have less to compute"
        )


def _is_in_order(moved):
    """Whether time is one axis of an image and frequency the other.

    moved: (3, …), by how much a spot changes each pixel: the spot, one later, one higher.
    """
    spots = np.array([np.unravel_index(each.argmax(), each.shape) for each in moved])
    later, higher = spots[1:] - spots[0] != 0
    return moved.max(axis=(1, 2)).all() and later.sum() == 1 and (later != higher).all()


def block_of(attempt, shape, channels, strides):
    """(model, parts) of the block that an attempt adds to an input of a shape, or Wrong."""
    import keras

    inputs = keras.Input(shape)
    with quick_weights():
        x = call(attempt, inputs, channels, strides=strides)
    if not isinstance(x, keras.KerasTensor):
        need_value(x)
        raise Wrong(f"it returns a {type(x).__name__}: return what the last layer returned")
    if x is inputs:
        raise Wrong("it returns x unchanged")
    wanted = (*(-(-n // strides) for n in shape[:2]), channels)
    if tuple(x.shape[1:]) != wanted:
        told = f"from {shape} it makes {tuple(x.shape[1:])}, where {wanted} is asked for"
        if tuple(x.shape[1:]) == (*wanted[:2], 2 * channels):
            told += ". Are the two paths concatenated? Add them"
        raise Wrong(told)
    model = keras.Model(inputs, x)
    return model, list({id(part): part for part in parts_of(model)}.values())


def judge_block(model, parts, first, second, *, fits):
    """Raise Wrong unless a block has a shortcut, and each ReLU is in its place.

    first, second: the convolutions on the path from x to the sum. fits: the shortcut must be x.
    """
    rng = np.random.default_rng(310)
    x = rng.normal(size=(4, *model.input_shape[1:])).astype(np.float32)
    with watched([second]) as seen:
        found = run(model, x, training=False)
    if found.min() < 0:
        raise Wrong("its output has negative values: the last ReLU must come after the addition")
    if seen and seen[0][1].min() < 0:
        raise Wrong("the input of the second convolution has negative values: put a ReLU between")
    for layer in (first, second):
        layer.set_weights([np.zeros(w.shape, np.float32) for w in layer.get_weights()])
    silent = run(model, x, training=False)
    if np.ptp(silent, axis=0).max() < 1e-6:
        raise Wrong(
            "if all kernels of both convolutions are 0, the output is the same for every x: the "
            "shortcut is missing"
        )
    if fits and np.abs(silent - np.maximum(x, 0)).max() > 0.02:
        raise Wrong(
            "if all kernels of both convolutions are 0, the output must be ReLU(x): the shortcut "
            "is x itself, added just before the last ReLU"
        )
    _judge_signs(model, parts, (first, second), x)


def _judge_signs(model, parts, way, x):
    """Raise Wrong if a ReLU comes just before the sum, or before batch normalisation."""
    rng = np.random.default_rng(311)
    convolutions = [part for part in parts if getattr(part, "kernel", None) is not None]
    norms = [part for part in parts if hasattr(part, "moving_mean")]
    kernels = [
        rng.normal(0, math.prod(part.kernel.shape[:-1]) ** -0.5, part.kernel.shape)
        for part in convolutions
    ]

    def output(*cut, mean=0.0):
        """The output if some kernels are 0 and batch normalisation subtracts a mean."""
        for part, kernel in zip(convolutions, kernels, strict=True):
            part.kernel.assign(0 * kernel if part in cut else kernel)
            if getattr(part, "bias", None) is not None:
                part.bias.assign(np.zeros(part.bias.shape))
        for part in norms:
            for name, value in (("gamma", 1), ("beta", 0), ("moving_mean", mean)):
                if (weight := getattr(part, name, None)) is not None:
                    weight.assign(np.full(weight.shape, value))
        return run(model, 3 * x, training=False)

    if (output() > output(*way) - 1e-2).all():
        raise Wrong(
            "what the convolutions add is never negative: there is a ReLU just before the "
            "addition. Put one between them and one after the sum"
        )
    # Kernels of 0 give 0, which is 1 after subtracting a mean of -1, and -1 after a mean of 1.
    if output(*way, mean=-1.0).min() > 0.5:
        raise Wrong(
            "the shortcut is never negative where it is added: use no activation there, ReLU comes "
            "after the sum"
        )
    if np.abs(output(way[0], mean=1.0) - output(*way, mean=1.0)).max() > 1e-2:
        raise Wrong(
            "the input of the second convolution has negative values: the ReLU between the two "
            "must come after batch normalisation"
        )


def need_norms_and_sum(parts):
    """Raise Wrong unless a block has a batch normalisation per convolution, and an addition."""
    n = sum("BatchNorm" in type(part).__name__ for part in parts)
    if n < 2:
        raise Wrong(f"it has {n} batch normalisations: one comes after each of the convolutions")
    if not any(type(part).__name__ == "Add" for part in parts):
        raise Wrong(f"nothing is added in it: {names_of(parts)}")
