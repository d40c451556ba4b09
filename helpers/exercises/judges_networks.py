"""Shared judges of networks: shapes, number of parameters, logits, use of the whole input."""

import contextlib
import math
import warnings

import numpy as np

from helpers.exercises.engine import Wrong, call, case
from helpers.exercises.judges import need_value

# Layers that are linear, or pool; pooling does not count as an activation.
LINEAR = ("Input", "Conv", "Dense", "Norm", "Pooling", "Dropout", "Flatten", "Reshape", "Permute",
          "Padding", "Cropping", "Add", "Concatenate", "ExpandDims", "Noise")  # fmt: skip


def parts_of(network):
    """All layers and operations of a network in order, with those inside its models and layers."""
    kinds = ("operations", "layers", "_layers")  # of a model; of a sequential one; of a layer
    for part in next(filter(None, (getattr(network, kind, ()) for kind in kinds)), ()):
        if not hasattr(part, "layers") or not hasattr(part, "input_shape"):  # not a model
            yield part
        yield from parts_of(part)


def run(network, x, **options):
    """The output of a network as an array."""
    from keras import ops

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Keras, if the input is a list of one
        return ops.convert_to_numpy(network(x, **options))


@contextlib.contextmanager
def quick_weights():
    """Within it, NumPy draws the initial weights of networks, always the same.

    JAX would compile a program for each shape, which takes longer than everything else here.
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
    """(input shape, output shape) of a Keras model, or Wrong."""
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
                f"it returns a model of its own class ({type(value).__name__}), whose layers "
                "cannot be listed: a `keras.Sequential` that begins with `keras.Input`, or a "
                "`keras.Model` from input to output, is needed"
            ) from None
        raise Wrong(
            "the model does not know the shape of its input: begin with `keras.Input`"
        ) from None


def judge_shapes(network, shape, n_classes):
    """The parts of a network with the shapes that are asked for, or Wrong. shape: of one input."""
    found, given = need_model(network)
    if not fits_shape(found, (None, *shape)):
        told = f"its input has the shape {found}, where {(None, *shape)} is asked for"
        if len(shape) > 1 and fits_shape(found, (None, *shape, 1)):
            told += ": the network must add the axis of channels itself"
        elif fits_shape(found, (None, *shape[::-1])):
            told += ": time comes first"
        raise Wrong(told)
    if not fits_shape(given, (None, n_classes)):
        told = f"its output has the shape {given}, where {(None, n_classes)} is asked for"
        if isinstance(given, tuple) and len(given) > 2 and len(shape) > 1:
            told += ": it still has the axis of time; pool over it"
        raise Wrong(told)
    return list(parts_of(network))


def judge_network(network, shape, n_classes, *, most):
    """The parts of a network that gives logits, or Wrong.

    shape: of one input. most: the number of parameters must be below it.
    """
    parts = judge_shapes(network, shape, n_classes)
    n = network.count_params()
    if n >= most:
        raise Wrong(f"it has {n:,} parameters: stay below {most:,}, or it is slow and overfits")
    kinds = [type(part).__name__ for part in parts]
    for kind, name in (("BatchNorm", "batch normalisation"), ("Dropout", "dropout")):
        if not any(kind in each for each in kinds):
            raise Wrong(f"there is no {name} among its layers: {names_of(parts)}")
    first = next((i for i, part in enumerate(parts) if is_weighted(part)), 0)
    if not any("BatchNorm" in kind for kind in kinds[first:]):
        raise Wrong("batch normalisation comes only before the first layer: put it after a layer")
    judge_outputs(network, shape, parts)
    return parts


def built_network(attempt, *sizes, most):
    """(network, parts) that an attempt builds, or Wrong; see `judge_network`.

    sizes: (*shape of one input, n_classes).
    """
    *shape, n_classes = sizes
    with quick_weights():
        network = call(attempt, *sizes)
    return network, judge_network(network, tuple(shape), n_classes, most=most)


def is_weighted(part):
    """Whether a layer is a dense or a convolutional one."""
    return type(part).__name__ == "Dense" or "Conv" in type(part).__name__


def names_of(parts):
    """The kinds of layers, for a message."""
    return ", ".join(dict.fromkeys(type(part).__name__ for part in parts))


def activation_of(part):
    """The name of the activation inside a layer."""
    activation = getattr(part, "activation", None)
    return getattr(activation, "__name__", type(activation).__name__) if activation else "linear"


def judge_outputs(network, shape, parts):
    """Raise Wrong unless the output is logits, and dropout and an activation are at work."""
    rng = np.random.default_rng(38)
    a, b = rng.normal(0, 2, (2, *shape))
    x = np.stack([a, b, a + b, 0 * a]).astype(np.float32)
    found = run(network, x, training=False)
    if not np.isfinite(found).all():
        raise Wrong("its output is NaN or infinite")
    if not network.trainable_weights:
        raise Wrong("all its weights are frozen: they must be trainable")
    logits = "logits are asked for, which the loss takes with from_logits=True"
    if (found >= 0).all() and np.allclose(found.sum(axis=1), 1, atol=1e-3):
        raise Wrong(f"the values of an output add up to 1: that is a softmax, and {logits}")
    last = activation_of(parts[-1])
    if last != "linear":
        raise Wrong(f"its last layer has the activation {last!r}: {logits}")
    if (found >= 0).all():
        turned = np.stack(
            [found, _run_turned(network, x, parts)]
        )  # logits would be negative in one of them
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
            f"there is no activation among its layers ({names_of(parts)}): without one it is linear"
        )
    with _as_in_inference(part for part in parts if hasattr(part, "moving_mean")):
        one = run(network, x, training=True)
        for _ in range(20):  # because dropout of few values may repeat itself
            other = run(network, x, training=True)
            if np.abs(one - other).max() >= 1e-4 * np.abs(one).max():
                break
        else:
            raise Wrong("in training two passes give the same output: its dropout drops nothing")
    for logits in (one, other):
        dropped = (logits == 0) & (found != 0)
        if (dropped & (logits != 0).any(axis=1, keepdims=True)).any():
            raise Wrong(
                "in training some of its logits are 0: put dropout before the last dense layer, "
                "not after it"
            )


def _run_turned(network, x, parts):
    """The output of a network whose last kernel has the opposite sign."""
    last = [part for part in parts if getattr(part, "kernel", None) is not None][-1:]
    kernels = [np.array(part.get_weights()[0]) for part in last]
    for part, kernel in zip(last, kernels, strict=True):
        part.kernel.assign(-kernel)
    turned = run(network, x, training=False)
    for part, kernel in zip(last, kernels, strict=True):
        part.kernel.assign(kernel)
    return turned


@contextlib.contextmanager
def _as_in_inference(norms):
    """Within it, batch normalisation works in training as in inference, which is quicker."""
    kept = {id(norm): (norm, norm.trainable) for norm in norms}
    for norm, _ in kept.values():
        norm.trainable = False
    try:
        yield
    finally:
        for norm, trainable in kept.values():
            norm.trainable = trainable


def judge_reach(network, shape):
    """Raise Wrong unless the logits depend on the whole time. shape: of one input."""
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
            f"the logits do not depend on the {' and the '.join(parts)} third of the frames: pool "
            "over all frames that are left"
        )


def judge_lengths(attempt, network, n_frames, n_values, n_classes):
    """Raise Wrong if a network for twice as many frames has more parameters."""
    with case(f"{2 * n_frames} frames of {n_values} values, {n_classes} classes"):
        with quick_weights():
            longer = call(attempt, 2 * n_frames, n_values, n_classes)
        judge_shapes(longer, (2 * n_frames, n_values), n_classes)
    few, many = network.count_params(), longer.count_params()
    if few != many:
        raise Wrong(
            f"it has {few:,} parameters for {n_frames} frames and {many:,} for {2 * n_frames}: "
            "pool over all frames that are left, and the length does not matter"
        )


def judge_other_sizes(attempt, *sizes):
    """Raise Wrong unless the network follows other sizes: (*shape of one input, n_classes)."""
    *shape, n_classes = sizes
    with case(f"with the sizes {sizes} instead"):
        with quick_weights():
            found, given = need_model(call(attempt, *sizes))
        for name, has, wanted in (
            ("input", found, (None, *shape)),
            ("output", given, (None, n_classes)),
        ):
            if not fits_shape(has, wanted):
                raise Wrong(
                    f"its {name} has the shape {has}, not {wanted}: use the sizes that are given"
                )


def judge_any_size(attempt, network, sizes, *others):
    """Raise Wrong unless a network over time uses all of it and follows all sizes.

    network: what the attempt made of sizes, (n_frames, n_values, n_classes). others: other sizes.
    """
    judge_lengths(attempt, network, *sizes)
    judge_reach(network, sizes[:2])
    judge_other_sizes(attempt, *others)
