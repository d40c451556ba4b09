"""The checks of 04_urbansound8k_cnn: separable block and network."""

import math

import numpy as np

from helpers.exercises.engine import Wrong, case, check
from helpers.exercises.judges_blocks import (
    block_of,
    judge_block,
    judge_picture,
    need_norms_and_sum,
    watched,
)
from helpers.exercises.judges_networks import (
    activation_of,
    built_network,
    is_weighted,
    judge_lengths,
    judge_other_sizes,
    judge_reach,
    names_of,
    run,
)

MOST = 300_000  # parameters of a network for about a thousand clips


@check(
    "4.5",
    "a separable residual block",
    "Depthwise convolution, batch normalisation, ReLU; pointwise convolution, batch normalisation. "
    "Then the sum with the shortcut, then the last ReLU.",
    "`layers.DepthwiseConv2D` convolves each channel separately, and has `strides` and `padding`. "
    "A Conv2D with a kernel of 1 mixes the channels at each place.",
    "x fits unchanged only if strides are 1 and x.shape[-1] is `channels`. Every convolution has "
    "use_bias=False, also that of the shortcut.",
)
def separable_block(attempt):
    """separable_block(x, channels, *, strides) → Keras tensor (batch, time, bands, channels)."""
    for what, shape, channels, strides in (
        ("4 channels become 4, strides 1", (9, 6, 4), 4, 1),
        ("4 channels become 4, strides 2", (9, 6, 4), 4, 2),
        ("3 channels become 5, strides 1", (7, 8, 3), 5, 1),
        ("3 channels become 5, strides 3", (7, 6, 3), 5, 3),
    ):
        fits = (shape[-1], strides) == (channels, 1)
        with case(what):
            model, parts = block_of(attempt, shape, channels, strides)
            depthwise, ones = _separable_parts(parts, strides, fits)
            pointwise = _pointwise(model, ones, strides, fits)
            judge_block(model, parts, depthwise, pointwise, fits=fits)
            if fits:
                _judge_normalised(model, depthwise, pointwise)


def _separable_parts(parts, strides, fits):
    """(depthwise, [1x1 convolutions]) of a block, or Wrong."""
    from keras import layers

    weighted = [part for part in parts if is_weighted(part)]
    kinds = names_of(parts)
    for part in weighted:
        kind = type(part).__name__
        if "Separable" in kind:
            raise Wrong(
                f"{kind} does both convolutions at once: use two layers, with batch normalisation "
                "and ReLU between them"
            )
        if getattr(part, "bias", None) is not None:
            raise Wrong(f"{_described(part)} has a bias, which batch normalisation makes useless "
                        "(use_bias=False)")  # fmt: skip
        if activation_of(part) != "linear":
            raise Wrong(f"{_described(part)} has the activation {activation_of(part)!r} built in: "
                        "put ReLU after batch normalisation, and after the sum")  # fmt: skip
    ones = [
        part for part in weighted if isinstance(part, layers.Dense) or (
            isinstance(part, layers.Conv2D) and part.groups == 1 and max(part.kernel_size) == 1)
    ]  # fmt: skip
    rest = [part for part in weighted if part not in ones]
    depthwise = [part for part in rest if _is_depthwise(part)]
    for part in rest:
        if part not in depthwise:
            raise Wrong(f"{_described(part)} mixes channels and places at once: use a depthwise "
                        "convolution, then one of 1x1")  # fmt: skip
    if len(depthwise) != 1:
        raise Wrong(f"it has {len(depthwise) or 'no'} depthwise convolutions, where one is needed "
                    f"({kinds})")  # fmt: skip
    first = depthwise[0]
    if tuple(first.kernel_size) != (3, 3):
        raise Wrong(f"the depthwise kernel is {'x'.join(map(str, first.kernel_size))}: 3x3 is "
                    "asked for")  # fmt: skip
    n_out, n_in = math.prod(first.kernel.shape[2:]), getattr(first, "groups", 0)
    if n_out != (n_in or first.kernel.shape[2]):
        raise Wrong(f"the depthwise convolution returns {n_out} channels: it must return as many "
                    "as it gets")  # fmt: skip
    if tuple(first.strides) != (strides, strides):
        raise Wrong(f"the depthwise convolution has the strides {tuple(first.strides)}, where "
                    f"{strides} are asked for, to save computing")  # fmt: skip
    if not ones:
        raise Wrong(f"there is no 1x1 convolution that mixes the channels ({kinds})")
    if fits and len(ones) > 1:
        raise Wrong(f"it has {len(ones)} convolutions of 1x1: if x has the right shape, the "
                    "shortcut is x itself")  # fmt: skip
    if not fits and len(ones) != 2:
        raise Wrong(f"it has {len(ones)} convolutions of 1x1, where two are needed: one to mix the "
                    "channels, one to give x the shape of the sum")  # fmt: skip
    need_norms_and_sum(parts)
    return first, ones


def _described(part):
    """A convolution, for a message."""
    size = "x".join(map(str, getattr(part, "kernel_size", ())))
    return f"a {type(part).__name__}" + (f" of {size}" if size else "")


def _is_depthwise(part):
    """Whether each channel is convolved separately."""
    from keras import layers

    if isinstance(part, layers.DepthwiseConv2D):
        return True
    return isinstance(part, layers.Conv2D) and part.kernel.shape[2] == 1 < part.groups


def _pointwise(model, ones, strides, fits):
    """The 1x1 convolution that is not in the shortcut, or Wrong. ones: all 1x1 convolutions."""
    rng = np.random.default_rng(45)
    x = rng.normal(size=(4, *model.input_shape[1:])).astype(np.float32)
    with watched(ones) as seen:
        run(model, x, training=False)
    past = {
        part: made for part, given, made in seen
        if any(given.shape == own.shape and np.allclose(given, own, atol=1e-5)
               for own in (x, x[:, ::strides, ::strides]))
    }  # fmt: skip
    way = [part for part in ones if part not in past]
    if not way or (fits and past):
        raise Wrong("the input of the 1x1 convolution is x itself: put it after the depthwise one")
    if not fits and not past:
        raise Wrong("x is not the input of any 1x1 convolution: the shortcut must lead from x "
                    "directly to the sum")  # fmt: skip
    for made in past.values():
        if made.shape[1:] != tuple(model.output_shape[1:]):
            raise Wrong(f"the convolution of the shortcut makes {made.shape[1:]}, where "
                        f"{tuple(model.output_shape[1:])} is needed: use strides of {strides}"
                        )  # fmt: skip
    return way[0]


def _judge_normalised(model, depthwise, pointwise):
    """Raise Wrong if in training the output depends on the scale of a kernel's channels."""
    rng = np.random.default_rng(450)
    x = 3 * rng.normal(size=(4, *model.input_shape[1:])).astype(np.float32)
    kernels = {layer: rng.normal(0, 0.5, layer.kernel.shape) for layer in (depthwise, pointwise)}
    for layer, kernel in kernels.items():
        layer.set_weights([kernel])
    plain = run(model, x, training=True)
    for layer, name in ((depthwise, "depthwise"), (pointwise, "1x1")):
        n = max(kernels[layer].shape[2:]) if layer is depthwise else kernels[layer].shape[-1]
        scale = np.where(np.arange(n) % 2, 20, 1)  # of its channels
        if kernels[layer].shape[-1] != n:
            scale = scale[:, None]
        layer.set_weights([scale * kernels[layer]])
        scaled = run(model, x, training=True)
        layer.set_weights([kernels[layer]])
        if np.abs(scaled - plain).max() > 0.05 * np.abs(plain).max():
            raise Wrong(
                f"in training the output changes with the scale of the {name} kernel's channels: "
                "put batch normalisation, which removes the scale, right after this convolution"
            )


@check(
    "4.6",
    "a network on log-mel spectrograms",
    "Conv2D needs an axis of channels: add it with `layers.Reshape` or `keras.ops.expand_dims`. "
    "The output is a dense layer without an activation.",
    "A block is convolution, batch normalisation, ReLU. With strides of 2 each halves the time and "
    "the bands, and may have more channels than the one before.",
    "A 3x3 convolution from a to b channels has 9 a b parameters: `network.summary()` lists them. "
    "After `GlobalAveragePooling2D` comes dropout, then the logits.",
)
def logmel_network(attempt):
    """logmel_network(n_frames, n_bands, n_classes) → keras.Model → logits (n_classes,)."""
    n_frames, n_bands, n_classes = 172, 64, 10
    with case(f"{n_frames} frames of {n_bands} bands, {n_classes} classes"):
        network, parts = built_network(attempt, n_frames, n_bands, n_classes, most=MOST)
        n_convolutions = sum(map(_is_convolution, parts))
        if n_convolutions < 2:
            raise Wrong(f"it has {n_convolutions} Conv2D among its layers, where several are "
                        f"needed: {names_of(parts)}")  # fmt: skip
        judge_picture(network, parts, n_frames, n_bands)
        seen = _seen_of_noise(network, parts, n_frames, n_bands)
        convolutions = [pair for part, *pair in seen if _is_convolution(part)]
        _judge_bends([given for given, _ in convolutions])
        _judge_cost(convolutions, n_frames, n_bands)
    judge_lengths(attempt, network, n_frames, n_bands, n_classes)
    judge_reach(network, (n_frames, n_bands))
    _judge_mean([array for _, *pair in seen for array in pair])
    judge_other_sizes(attempt, 200, 80, 7)


N_NOISES = 4  # inputs in a batch


def _is_convolution(part):
    return type(part).__name__.endswith("Conv2D")


def _seen_of_noise(network, parts, n_frames, n_bands):
    """Input and output of each layer for a batch of noise, see `watched`."""
    rng = np.random.default_rng(46)
    x = rng.normal(size=(N_NOISES, n_frames, n_bands)).astype(np.float32)
    with watched([part for part in parts if hasattr(part, "call")]) as seen:
        run(network, x, training=False)
    return seen


def _judge_cost(convolutions, n_frames, n_bands):
    """Raise Wrong unless the first or the second convolution has a smaller output.

    convolutions: input and output of each.
    """
    sizes = [math.prod(array.shape[1:3]) for pair in convolutions for array in pair]
    # In- and output of the first two, input of the third: pooling between them counts as well.
    if sizes and min(sizes[:5]) > 0.6 * n_frames * n_bands:
        raise Wrong(
            f"the first two convolutions see all {n_frames} x {n_bands} places: use strides there, "
            "so that everything after them has less to compute"
        )


def _judge_bends(inputs):
    """Raise Wrong unless there are activations between convolutions. inputs: of each of them."""
    if inputs and (inputs[0] == 0).mean() > 0.3:
        raise Wrong(
            "the input of the first convolution is 0 wherever the spectrogram is negative: an "
            "activation before it removes everything below 0 dB"
        )
    # After a ReLU nothing is negative, after others little; without any, about half.
    bare = [-np.minimum(x, 0).sum() > 0.3 * np.abs(x).sum() for x in inputs[1:]]
    if bare and np.mean(bare) > 0.6:
        raise Wrong(
            f"there is no activation before {sum(bare)} of the {len(bare)} convolutions after the "
            "first: put batch normalisation and ReLU after each, or several equal a single one"
        )


def _judge_mean(arrays):
    """Raise Wrong unless the network pools the mean over all places at the end.

    arrays: in- and outputs of the layers, in order.
    """
    arrays = [array for array in arrays if len(array) == N_NOISES]
    maps = [array for array in arrays if array.ndim == 4 and math.prod(array.shape[1:3]) > 1]
    if not maps:  # they are called in an unusual way
        return
    last, vectors = maps[-1], [array.reshape(N_NOISES, -1) for array in arrays]

    def occurs(wanted):
        return any(v.shape == wanted.shape and np.allclose(v, wanted, rtol=1e-3, atol=1e-5)
                   for v in vectors)  # fmt: skip

    # An activation that is not a layer is not seen: its mean counts as well.
    if any(occurs(np.average(each, axis=(1, 2))) for each in (last, np.maximum(last, 0))):
        return
    what = "the mean of each channel over all places"
    if occurs(last.max(axis=(1, 2))):
        raise Wrong(f"it takes the maximum over all places: {what} is asked for")
    raise Wrong(f"{what} is missing: it comes after the convolutions, before dropout and logits")
