"""The checks of 05_capuchin_call_counter: convolution block and receptive field."""

import numpy as np

from helpers.exercises.engine import Wrong, call, check
from helpers.exercises.judges import need_array
from helpers.exercises.judges_networks import names_of, parts_of


@check(
    "5.4",
    "a convolution block",
    "Convolution, then batch normalisation, then the activation; no padding.",
    "A bias before batch normalisation has no effect, because the mean is subtracted.",
    "`layers.Conv2D(channels, kernel, strides=strides, use_bias=False)`, then "
    "`layers.BatchNormalization()`, then `layers.ReLU()`, each called with the output before.",
)
def convolution_block(attempt):
    """convolution_block(x, channels, kernel, *, strides) → Keras tensor (batch, time, bands, c)."""
    import keras

    for shape, channels, kernel, strides in (
        ((20, 12, 3), 8, (5, 3), (2, 1)),
        ((9, 9, 1), 4, (3, 3), (1, 1)),
    ):
        inputs = keras.Input(shape)
        x = call(attempt, inputs, channels, kernel, strides=strides)
        if not isinstance(x, keras.KerasTensor):
            raise Wrong(f"it returns a {type(x).__name__}: return what the last layer returned")
        time, bands = ((n - k) // s + 1 for n, k, s in zip(shape, kernel, strides, strict=False))
        if x.shape[-1] != channels:
            raise Wrong(f"it has {x.shape[-1]} channels, where {channels} are asked for")
        if tuple(x.shape[1:3]) != (time, bands):
            same = tuple(-(-n // s) for n, s in zip(shape, strides, strict=False))
            why = ""
            if tuple(x.shape[1:3]) == same:
                why = ": it pads, which changes the scores where blocks of sound meet"
            elif tuple(x.shape[1:3]) == tuple(
                n - k + 1 for n, k in zip(shape, kernel, strict=False)
            ):
                why = ": the strides are missing"
            raise Wrong(f"time x bands is {tuple(x.shape[1:3])}, not {(time, bands)}{why}")
        model = keras.Model(inputs, x)
        parts = list(parts_of(model))
        if not any(isinstance(part, keras.layers.BatchNormalization) for part in parts):
            raise Wrong(f"there is no batch normalisation among its layers: {names_of(parts)}")
        first, last = kernel[0] * kernel[1] * shape[2] * channels, 2 * channels
        n_weights = sum(int(np.prod(w.shape)) for w in model.trainable_weights)
        if n_weights == first + channels + last:
            raise Wrong("the convolution has a bias, which batch normalisation makes useless")
        if n_weights != first + last:
            raise Wrong(
                f"it has {n_weights} trainable parameters, where {first} of the convolution and "
                f"{last} of the batch normalisation are needed"
            )
        y = np.random.default_rng(54).normal(size=(16, *shape)).astype(np.float32)
        out = np.asarray(model(y, training=True))
        if out.min() < 0:
            raise Wrong("its output has negative values: ReLU must come last")
        if (out == 0).mean() < 0.2:
            raise Wrong("hardly any output is zero: is the activation (ReLU) missing?")
        if abs((out == 0).mean() - 0.5) > 0.15:
            raise Wrong(
                f"{(out == 0).mean():.0%} of its output is zero, where half should be: is batch "
                "normalisation before the activation?"
            )


@check(
    "5.5",
    "the receptive field of a score",
    "Go through the layers and keep two numbers: how many frames one step sees, and the stride.",
    "Every layer adds (kernel - 1) * dilation steps *of its input*. How many frames is a step?",
    "A step is as many frames as the product of the strides of the layers before. Begin with 1 "
    "frame and stride 1; a layer's own stride counts only for the layers after it.",
)
def receptive_field(attempt):
    """receptive_field(stack) → (frames, stride); stack: list of (kernel, stride, dilation)."""
    rng = np.random.default_rng(55)
    stacks = [[(5, 1, 1)], [(3, 2, 1), (3, 1, 1)], [(3, 1, 2), (3, 1, 4)], []]
    for _ in range(6):
        n = rng.integers(2, 6)
        stacks.append([tuple(int(x) for x in rng.integers(1, 4, 3)) for _ in range(n)])
    for layers in stacks:
        frames, stride = _seen_by_brute_force(layers)
        found = call(attempt, layers)
        found = need_array(found, shape=(2,), axes=("frames, stride",))
        if tuple(found) == (frames, stride):
            continue
        told = f"for layers {layers} it returns {tuple(int(x) for x in found)}"
        if tuple(found) == (stride, frames):
            raise Wrong(f"{told}: frames come first, then the stride")
        if found[1] != stride:
            raise Wrong(f"{told}, but the strides multiply to {stride}")
        if abs(found[0] - frames) == 1:
            raise Wrong(f"{told}: the frames are off by one, {frames} is right")
        raise Wrong(f"{told}, but a step sees {frames} frames")


def _seen_by_brute_force(layers):
    """Follow two neighbouring output steps back to the frames that they see."""
    seen = [{0}, {1}]
    for kernel, stride, dilation in reversed(layers):
        seen = [{i * stride + k * dilation for i in s for k in range(kernel)} for s in seen]
    return max(seen[0]) - min(seen[0]) + 1, min(seen[1]) - min(seen[0])
