"""Judging the networks and blocks that attempts build: what checks of several notebooks share."""

import contextlib
import math
import warnings

import numpy as np

from helpers.exercises import Wrong, call, case, need_value

# Parts of a network without any non-linearity but that of pooling, which is no activation.
LINEAR = ("Input", "Conv", "Dense", "Norm", "Pooling", "Dropout", "Flatten", "Reshape", "Permute",
          "Padding", "Cropping", "Add", "Concatenate", "ExpandDims", "Noise")  # fmt: skip


def parts_of(network):
    """All layers and operations of a network in order, those within its models and layers too."""
    kinds = ("operations", "layers", "_layers")  # of a model; of a sequential one; of a layer
    for part in next(filter(None, (getattr(network, kind, ()) for kind in kinds)), ()):
        if not hasattr(part, "layers") or not hasattr(part, "input_shape"):  # or a class of its own
            yield part
        yield from parts_of(part)


def run(network, x, **options):
    """The output of a network as an array."""
    from keras import ops

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Keras, where the input is a list of one
        return ops.convert_to_numpy(network(x, **options))


@contextlib.contextmanager
def quick_weights():
    """Within, NumPy draws the weights that a network begins with, the same each time.

    JAX would compile a program for every shape of them, which takes longer than all else here.
    """
    from keras import initializers, ops

    rng = np.random.default_rng(38)

    def drawn(self, shape, dtype=None):
        weights = rng.standard_normal(shape) / math.sqrt(math.prod(shape[:-1]) or 1)
        return ops.convert_to_tensor(weights, dtype=dtype or "float32")

    kept = initializers.VarianceScaling.__call__
    initializers.VarianceScaling.__call__ = drawn
    try:
        yield
    finally:
        initializers.VarianceScaling.__call__ = kept


def fits_shape(found, shape):
    """Whether a shape is the one that is asked for; None stands for any length."""
    return isinstance(found, tuple) and len(found) == len(shape) and all(
        a is None or a == b for a, b in zip(found, shape, strict=True)
    )  # fmt: skip


def need_model(value):
    """A Keras model that knows its input, or Wrong."""
    import keras

    need_value(value)
    if isinstance(value, keras.KerasTensor):
        raise Wrong("it returns a Keras tensor: a `keras.Model` from the input to it is needed")
    if not isinstance(value, keras.Model):
        raise Wrong(f"it returns a {type(value).__name__}: a `keras.Model` is needed")
    try:
        return value.input_shape, value.output_shape
    except (AttributeError, ValueError):
        if not isinstance(value, keras.Sequential):
            raise Wrong(
                f"it returns a model of a class of its own ({type(value).__name__}), which cannot "
                "be looked into: a `keras.Sequential` that begins with `keras.Input`, or a "
                "`keras.Model` from input to output, is needed"
            ) from None
        raise Wrong(
            "the model does not know the shape of its input yet: begin with `keras.Input`"
        ) from None


def judge_shapes(network, shape, n_classes):
    """The parts of a network of the shapes that are asked for, or Wrong. shape: of one input."""
    found, given = need_model(network)
    if not fits_shape(found, (None, *shape)):
        told = f"its input has the shape {found}, where {(None, *shape)} is asked"
        if len(shape) > 1 and fits_shape(found, (None, *shape, 1)):
            told += ": the network itself adds the axis of channels"
        elif fits_shape(found, (None, *shape[::-1])):
            told += ": time comes first"
        raise Wrong(told)
    if not fits_shape(given, (None, n_classes)):
        told = f"its output has the shape {given}, where {(None, n_classes)} is asked"
        if isinstance(given, tuple) and len(given) > 2 and len(shape) > 1:
            told += ": the axis of time is still there; pool over it"
        raise Wrong(told)
    return list(parts_of(network))


def judge_other_sizes(attempt, *sizes):
    """Raise Wrong unless the sizes of a network come from outside. sizes: the last, n_classes."""
    *shape, n_classes = sizes
    with case(f"with the sizes {sizes} instead"):
        with quick_weights():
            found, given = need_model(call(attempt, *sizes))
        for name, is_, wanted in (
            ("input", found, (None, *shape)),
            ("output", given, (None, n_classes)),
        ):
            if not fits_shape(is_, wanted):
                raise Wrong(
                    f"its {name} has the shape {is_}, where {wanted} is asked: sizes are those "
                    "that the function is given, none is written into it"
                )


def judge_network(network, shape, n_classes, *, most):
    """The parts of a network that gives logits, or Wrong. shape: of one input.

    most: parameters, of which it has fewer.
    """
    parts = judge_shapes(network, shape, n_classes)
    n = network.count_params()
    if n >= most:
        raise Wrong(
            f"it has {n:,} parameters: stay below {most:,}, or it learns slowly, and the few "
            "recordings by heart"
        )
    kinds = [type(part).__name__ for part in parts]
    for kind, name in (("BatchNorm", "batch normalisation"), ("Dropout", "dropout")):
        if not any(kind in each for each in kinds):
            raise Wrong(f"there is no {name} among its layers: {names_of(parts)}")
    first = next((i for i, part in enumerate(parts) if is_weighted(part)), 0)
    if not any("BatchNorm" in kind for kind in kinds[first:]):
        raise Wrong("batch normalisation comes before all else only: it belongs after a layer")
    judge_outputs(network, shape, parts)
    return parts


def built_network(attempt, *sizes, most):
    """(network, parts) that an attempt builds for some sizes, see `judge_network`, or Wrong.

    sizes: of one input, and n_classes.
    """
    *shape, n_classes = sizes
    with quick_weights():
        network = call(attempt, *sizes)
    return network, judge_network(network, tuple(shape), n_classes, most=most)


def is_weighted(part):
    """Whether a layer is a dense or a convolutional one."""
    return type(part).__name__ == "Dense" or "Conv" in type(part).__name__


def names_of(parts):
    """Which kinds of layers there are, for a message."""
    return ", ".join(dict.fromkeys(type(part).__name__ for part in parts))


def activation_of(part):
    """The name of the activation that a layer has built in."""
    activation = getattr(part, "activation", None)
    return getattr(activation, "__name__", type(activation).__name__) if activation else "linear"


def judge_outputs(network, shape, parts):
    """Raise Wrong for an output that is no logits, and without dropout or an activation."""
    rng = np.random.default_rng(38)
    a, b = rng.normal(0, 2, (2, *shape))
    x = np.stack([a, b, a + b, 0 * a]).astype(np.float32)
    found = run(network, x, training=False)
    if not np.isfinite(found).all():
        raise Wrong("its output is NaN or infinite")
    if not network.trainable_weights:
        raise Wrong("none of its weights can learn: it is not to be frozen")
    logits = "logits are asked, which the loss takes with from_logits=True"
    if (found >= 0).all() and np.allclose(found.sum(axis=1), 1, atol=1e-3):
        raise Wrong(f"the values of an output add up to 1: that is a softmax, and {logits}")
    last = activation_of(parts[-1])
    if last != "linear":
        raise Wrong(f"its last layer has the activation {last!r}: {logits}")
    if (found >= 0).all():
        turned = np.stack([found, _run_turned(network, x, parts)])  # no logits are never negative
        if ((turned > 0) & (turned < 1)).all():
            raise Wrong(f"its output lies between 0 and 1, as after a sigmoid: {logits}")
        if (turned >= 0).all():
            raise Wrong(f"its output is never negative, as after a ReLU: {logits}")
    bend = np.abs(found[2] - found[0] - found[1] + found[3]).max()
    linear = all(
        any(name in type(part).__name__ for name in LINEAR) and activation_of(part) == "linear"
        for part in parts
    )
    if linear or bend < 1e-4 * np.abs(found).max():
        raise Wrong(
            f"there is no activation among its layers ({names_of(parts)}): without one they are no "
            "more than a single linear layer"
        )
    with _as_in_use(part for part in parts if hasattr(part, "moving_mean")):
        one = run(network, x, training=True)
        for _ in range(20):  # of few values, twice the same may be dropped
            other = run(network, x, training=True)
            if np.abs(one - other).max() >= 1e-4 * np.abs(one).max():
                break
        else:
            raise Wrong("in training two passes give the same: dropout is there, but drops nothing")
    for logits in (one, other):
        dropped = (logits == 0) & (found != 0)
        if (dropped & (logits != 0).any(axis=1, keepdims=True)).any():
            raise Wrong(
                "in training some of its logits are 0: dropout comes before the last dense layer; "
                "after it, answers are dropped"
            )


def _run_turned(network, x, parts):
    """The output of a network whose last kernel has the other sign."""
    last = [part for part in parts if getattr(part, "kernel", None) is not None][-1:]
    kernels = [np.array(part.get_weights()[0]) for part in last]
    for part, kernel in zip(last, kernels, strict=True):
        part.kernel.assign(-kernel)
    turned = run(network, x, training=False)
    for part, kernel in zip(last, kernels, strict=True):
        part.kernel.assign(kernel)
    return turned


@contextlib.contextmanager
def _as_in_use(norms):
    """Within, batch normalisation does in training what it does in use, which is quicker."""
    kept = {id(norm): (norm, norm.trainable) for norm in norms}
    for norm, _ in kept.values():
        norm.trainable = False
    try:
        yield
    finally:
        for norm, trainable in kept.values():
            norm.trainable = trainable


def judge_reach(network, shape):
    """Raise Wrong unless all of the time counts for the logits. shape: of one input."""
    rng, n = np.random.default_rng(39), shape[0] // 3
    x = np.stack([rng.normal(size=shape)] * 4)
    for k in range(3):
        x[k + 1, k * n : (k + 1) * n] = rng.normal(0, 10, (n, *shape[1:]))
    found = run(network, x.astype(np.float32), training=False)
    moved = np.abs(found[1:] - found[0]).max(axis=1)
    still = moved < 1e-3 * np.abs(found[0]).max()
    parts = [name for name, is_still in zip(("first", "second", "last"), still, strict=True)
             if is_still]  # fmt: skip
    if parts:
        raise Wrong(
            f"the logits stay the same whatever is in the {' and the '.join(parts)} third of the "
            "frames: what is left of time is pooled as a whole"
        )


def judge_lengths(attempt, network, n_frames, n_values, n_classes):
    """Raise Wrong unless a network for twice as many frames has no more parameters."""
    with case(f"{2 * n_frames} frames of {n_values} values, {n_classes} classes"):
        with quick_weights():
            longer = call(attempt, 2 * n_frames, n_values, n_classes)
        judge_shapes(longer, (2 * n_frames, n_values), n_classes)
    few, many = network.count_params(), longer.count_params()
    if few != many:
        raise Wrong(
            f"it has {few:,} parameters for {n_frames} frames and {many:,} for {2 * n_frames}: "
            "pool over all that is left of time, and the length does not matter"
        )


@contextlib.contextmanager
def watched(parts):
    """Within, what some layers get and make, channels last, in order: [(layer, input, output)]."""
    from keras import ops

    def watch(part, its_own):
        def called(*arguments, **options):
            result = its_own(*arguments, **options)
            pair = [*arguments, *options.values()][0], result
            # Of several that go in or come out at once nothing is kept.
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
    """Raise Wrong unless the convolutions see time and frequency, and soon fewer of both."""
    rng = np.random.default_rng(312)
    x = np.stack([rng.normal(size=(n_frames, n_values))] * 4).astype(np.float32)
    for k, (later, higher) in enumerate([(0, 0), (17, 0), (0, 19)]):  # a spot, moved
        x[k + 1, n_frames // 3 + later, n_values // 3 + higher] = 50
    with watched([p for p in parts if type(p).__name__.endswith("Conv2D")]) as seen:
        run(network, x, training=False)
    if not seen:  # somebody's own way of calling them
        return
    picture = seen[0][1]
    told = (
        f"its first convolution gets {picture.shape[1:]}, where {(n_frames, n_values, 1)} is asked"
    )
    if picture.shape[-1] in (n_frames, n_values):
        which = "frames" if picture.shape[-1] == n_frames else "values"
        raise Wrong(f"{told}: the {which} stand where the channels belong")
    moved = np.abs(picture[1:] - picture[0])
    if not any(_is_in_order(moved[..., k]) for k in range(moved.shape[-1])):
        raise Wrong(
            f"{told}: neighbours in time or frequency are no neighbours in it. `Reshape` leaves "
            "all numbers in their order and swaps no axes; `Permute` does"
        )
    smallest = min(math.prod(array.shape[1:3]) for _, *pair in seen for array in pair)
    if smallest > 0.6 * n_frames * n_values:
        raise Wrong(
            "all of its convolutions go over the picture in its full size: with strides in the "
            "first ones, the others have less to do"
        )


def _is_in_order(moved):
    """Whether a step in time goes along one axis of a picture, one in frequency along the other.

    moved: how far each pixel is from a picture's, in one with a spot, with one that is later, and
    with one that is higher.
    """
    spots = np.array([np.unravel_index(each.argmax(), each.shape) for each in moved])
    later, higher = spots[1:] - spots[0] != 0
    return moved.max(axis=(1, 2)).all() and later.sum() == 1 and (later != higher).all()


def block_of(attempt, shape, channels, strides):
    """(model, parts) of the block that an attempt puts on an input of a shape, or Wrong."""
    import keras

    inputs = keras.Input(shape)
    with quick_weights():
        x = call(attempt, inputs, channels, strides=strides)
    if not isinstance(x, keras.KerasTensor):
        need_value(x)
        raise Wrong(f"it returns a {type(x).__name__}: return what the last layer returned")
    if x is inputs:
        raise Wrong("it returns x as it was")
    wanted = (*(-(-n // strides) for n in shape[:2]), channels)
    if tuple(x.shape[1:]) != wanted:
        told = f"from {shape} it makes {tuple(x.shape[1:])}, not {wanted}"
        if tuple(x.shape[1:]) == (*wanted[:2], 2 * channels):
            told += ". Are the ways put side by side? They are added"
        raise Wrong(told)
    model = keras.Model(inputs, x)
    return model, list({id(part): part for part in parts_of(model)}.values())


def judge_block(model, parts, first, second, *, fits):
    """Raise Wrong unless x reaches the sum past both convolutions, and ReLUs are where they belong.

    first, second: the convolutions on the way from x to the sum. fits: whether the shortcut is x.
    """
    rng = np.random.default_rng(310)
    x = rng.normal(size=(4, *model.input_shape[1:])).astype(np.float32)
    with watched([second]) as seen:
        found = run(model, x, training=False)
    if found.min() < 0:
        raise Wrong(
            "its output has negative values: the last ReLU comes after the addition, and lets "
            "none through"
        )
    if seen and seen[0][1].min() < 0:
        raise Wrong(
            "what goes into the second convolution has negative values: a ReLU belongs between "
            "the two"
        )
    for layer in (first, second):
        layer.set_weights([np.zeros(w.shape, np.float32) for w in layer.get_weights()])
    silent = run(model, x, training=False)
    if np.ptp(silent, axis=0).max() < 1e-6:
        raise Wrong(
            "with the kernels of both convolutions at 0 the output is the same for every x: the "
            "shortcut is missing"
        )
    if fits and np.abs(silent - np.maximum(x, 0)).max() > 0.02:
        raise Wrong(
            "with the kernels of both convolutions at 0 the output should be ReLU(x): the shortcut "
            "is x itself, added just before the last ReLU"
        )
    _judge_signs(model, parts, (first, second), x)


def _judge_signs(model, parts, way, x):
    """Raise Wrong where a ReLU cuts off what is added, or comes before batch normalisation."""
    rng = np.random.default_rng(311)
    convolutions = [part for part in parts if getattr(part, "kernel", None) is not None]
    norms = [part for part in parts if hasattr(part, "moving_mean")]
    kernels = [
        rng.normal(0, math.prod(part.kernel.shape[:-1]) ** -0.5, part.kernel.shape)
        for part in convolutions
    ]

    def output(*cut, mean=0.0):
        """What comes out where some kernels are 0, and everything is normalised by a mean."""
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
            "what the convolutions add is never negative: a ReLU cuts it off before the addition. "
            "One belongs between them and one after the sum"
        )
    # Normalised by a mean of -1, the 0 that comes from kernels of 0 is 1; by a mean of 1 it is -1.
    if output(*way, mean=-1.0).min() > 0.5:
        raise Wrong(
            "the shortcut is never negative when it is added: it has no activation, ReLU comes "
            "after the sum"
        )
    if np.abs(output(way[0], mean=1.0) - output(*way, mean=1.0)).max() > 1e-2:
        raise Wrong(
            "what goes into the second convolution has negative values: the ReLU between the two "
            "comes after batch normalisation, not before"
        )
