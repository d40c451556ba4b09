"""The checks of 03_speaker_identification: dense, Conv1D and Conv2D networks."""

from helpers.exercises.engine import Wrong, call, case, check
from helpers.exercises.judges_blocks import block_of, judge_block, judge_picture, need_norms_and_sum
from helpers.exercises.judges_networks import (
    activation_of,
    built_network,
    judge_any_size,
    judge_network,
    judge_other_sizes,
    judge_shapes,
    names_of,
    quick_weights,
)


@check(
    "3.8",
    "a dense network",
    "Input, one or two blocks (dense, batch normalisation, activation, dropout), then the output: "
    "another dense layer.",
    "Begin with `keras.Input((n_values,))`, call each layer with the output of the one before, and "
    "end with `keras.Model(inputs, outputs)`.",
    "`layers.Dense`, `layers.BatchNormalization`, `layers.ReLU`, `layers.Dropout`, and as the last "
    "layer a `Dense` with n_classes units and without an activation.",
)
def dense_network(attempt):
    """dense_network(n_values, n_classes) → keras.Model, (n_values,) → logits (n_classes,)."""
    n_values, n_classes = 256, 20
    with case(f"{n_values} values, {n_classes} classes"):
        _, parts = built_network(attempt, n_values, n_classes, most=MOST)
        if sum(type(part).__name__ == "Dense" for part in parts) < 2:
            raise Wrong(
                f"it has no hidden dense layer ({names_of(parts)}): the output layer does not count"
            )
    judge_other_sizes(attempt, 40, 7)


@check(
    "3.9",
    "a network that convolves over time",
    "`Conv1D` moves along the first axis after the batch, which is time, and sees all values of "
    "its frames at once.",
    "A block is convolution, batch normalisation, activation, pooling. After the last block pool "
    "over all frames that are left.",
    "`layers.GlobalAveragePooling1D` returns one number per channel for any length of the input; "
    "`Flatten` returns more for a longer input. Then dropout and the output.",
)
def conv1d_network(attempt):
    """conv1d_network(n_frames, n_values, n_classes) → keras.Model → logits (n_classes,)."""
    n_frames, n_values, n_classes = 240, 256, 20
    with case(f"{n_frames} frames of {n_values} values, {n_classes} classes"):
        with quick_weights():
            network = call(attempt, n_frames, n_values, n_classes)
        parts = judge_shapes(network, (n_frames, n_values), n_classes)
        _explain_convolutions(parts, n_frames, n_values)
        judge_network(network, (n_frames, n_values), n_classes, most=MOST)
    judge_any_size(attempt, network, (n_frames, n_values, n_classes), 300, 270, 7)


def _explain_convolutions(parts, n_frames, n_values):
    """Raise Wrong unless convolutions over time, with all values as channels, come first."""
    found = [part for part in parts if type(part).__name__.endswith("Conv1D")]
    if not found:
        raise Wrong(f"there is no Conv1D among its layers: {names_of(parts)}")
    first = next((k for k in map(_kernel, found) if k is not None), None)
    if first is None:
        return
    n_seen = first.shape[-2] * getattr(found[0], "groups", 1)
    told = f"the first convolution sees {n_seen} channels, but a frame has {n_values} values"
    if n_seen == n_frames:
        raise Wrong(f"{told}: it moves over the values instead of over time")
    if n_seen != n_values:
        raise Wrong(f"{told}: each value is a channel of its input")
    if all(max(part.kernel_size) == 1 for part in found):
        raise Wrong("all its kernels are 1 frame long: it never sees two frames together")


def _kernel(layer):
    """The kernel of a convolution; of a separable one, the kernel over time."""
    kernel = getattr(layer, "depthwise_kernel", None)
    return getattr(layer, "kernel", None) if kernel is None else kernel


@check(
    "3.10",
    "a residual block",
    "Two paths lead from x to the sum: one through both convolutions, the other is the shortcut.",
    "Both paths must end with the same shape. Where strides or channels change it, a 1x1 "
    "convolution with the same strides gives the shortcut this shape.",
    "`layers.Add()([shortcut, y])`, then the last ReLU, with none just before the sum. x fits "
    "unchanged if strides are 1 and x.shape[-1] is `channels`.",
)
def residual_block(attempt):
    """residual_block(x, channels, *, strides) → Keras tensor (batch, time, bands, channels)."""
    for what, n_channels, strides in (
        ("4 channels become 4, strides 1", 4, 1),
        ("4 channels become 4, strides 2", 4, 2),
        ("2 channels become 4, strides 1", 2, 1),
    ):
        fits = (n_channels, strides) == (4, 1)
        with case(what):
            model, parts = block_of(attempt, (9, 6, n_channels), 4, strides)
            threes = _explain_block(parts, strides, fits)
            if fits or strides == 2:
                judge_block(model, parts, *threes, fits=fits)


def _explain_block(parts, strides, fits):
    """The two convolutions of a residual block, or Wrong unless it has the layers it needs."""
    from keras import layers

    convolutions = [part for part in parts if isinstance(part, layers.Conv2D)]
    sizes = [tuple(part.kernel_size) for part in convolutions]
    threes = [part for part in convolutions if tuple(part.kernel_size) == (3, 3)]
    told = f"its kernels are {', '.join(f'{a}x{b}' for a, b in sizes) or 'none at all'}"
    if len(threes) != 2:
        raise Wrong(f"{told}: two convolutions of 3x3 are needed")
    if fits and len(sizes) > 2:
        raise Wrong(f"{told}: if x has the right shape, the shortcut is x itself")
    if not fits and sizes.count((1, 1)) != 1:
        raise Wrong(f"{told}: one 1x1 convolution must give x the shape of the sum")
    for part in convolutions:
        if activation_of(part) != "linear":
            size = "x".join(map(str, part.kernel_size))
            raise Wrong(
                f"a convolution of {size} has the activation {activation_of(part)!r} built in: "
                + (
                    "batch normalisation comes first, then ReLU, and only after the first one"
                    if part in threes
                    else "the shortcut has no activation, ReLU comes after the sum"
                )
            )
    found = [tuple(part.strides) for part in threes]
    if found == [(1, 1), (strides, strides)] and strides != 1:
        raise Wrong(
            "the second convolution has the strides: put them in the first, to save computing"
        )
    need_norms_and_sum(parts)
    return threes


@check(
    "3.11",
    "a network that convolves over time and frequency",
    "`Conv2D` needs an axis of channels, which the input does not have: add it with a layer.",
    "`layers.Reshape((n_frames, n_values, 1))`, then some of your residual blocks, each with "
    "strides 2 and more channels than the one before.",
    "`layers.GlobalAveragePooling2D` leaves one number per channel; then dropout and a dense layer "
    "without an activation. `network.summary()` shows where the parameters are.",
)
def conv2d_network(attempt):
    """conv2d_network(n_frames, n_values, n_classes) → keras.Model → logits (n_classes,)."""
    n_frames, n_values, n_classes = 240, 201, 20
    with case(f"{n_frames} frames of {n_values} values, {n_classes} classes"):
        network, parts = built_network(attempt, n_frames, n_values, n_classes, most=MOST)
        kinds = {type(part).__name__ for part in parts}
        if not any(kind.endswith("Conv2D") for kind in kinds):
            raise Wrong(f"there is no Conv2D among its layers: {names_of(parts)}")
        if "Add" not in kinds:
            raise Wrong(f"it has no residual connection (Add): {names_of(parts)}")
        judge_picture(network, parts, n_frames, n_values)
    judge_any_size(attempt, network, (n_frames, n_values, n_classes), 300, 220, 7)


MOST = 1_000_000  # parameters of a network that a few CPU cores train within minutes
