"""Attempts at the exercises of 04_urbansound8k_cnn: a block and a network."""

import keras
from attempts import right, wrong
from keras import layers, ops


def norm(x):
    return layers.BatchNormalization()(x)


def depthwise(x, strides, **options):
    options = {"padding": "same", "use_bias": False} | options
    return layers.DepthwiseConv2D(3, strides=strides, **options)(x)


def pointwise(x, channels, strides=1, **options):
    return layers.Conv2D(channels, 1, strides=strides, **{"use_bias": False} | options)(x)


@right("separable_block")
def with_a_normalised_shortcut(x, channels, *, strides):
    y = layers.Activation("relu")(norm(depthwise(x, (strides, strides))))
    y = norm(pointwise(y, channels, padding="same"))
    if y.shape != x.shape:
        x = norm(pointwise(x, channels, strides, padding="same"))
    return layers.Activation("relu")(x + y)


@right("separable_block")
def by_groups_and_dense(x, channels, *, strides):
    n = x.shape[-1]
    y = layers.Conv2D(n, 3, strides=strides, padding="same", groups=n, use_bias=False)(x)
    y = ops.relu(layers.BatchNormalization(momentum=0.9)(y))
    y = layers.BatchNormalization()(layers.Dense(channels, use_bias=False)(y))
    if strides > 1 or n != channels:
        x = layers.Dense(channels, use_bias=False)(x[:, ::strides, ::strides])
    return ops.relu(layers.add([y, x]))


@right("separable_block")
def way_in_a_model(x, channels, *, strides):
    way = keras.Sequential(
        [
            layers.DepthwiseConv2D(
                3, strides, "same", use_bias=False, depthwise_initializer="he_normal"
            ),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Conv2D(channels, (1, 1), use_bias=False),
            layers.BatchNormalization(gamma_initializer="zeros"),
        ]
    )
    y = way(x)
    if strides == 1 and x.shape[-1] == channels:
        return layers.ReLU()(layers.Add()([x, y]))
    return layers.ReLU()(layers.Add()([pointwise(x, channels, strides), y]))


class ABlock(layers.Layer):
    """A separable residual block as a layer of its own."""

    def __init__(self, channels, strides, fits):
        super().__init__()
        self.depthwise = layers.DepthwiseConv2D(3, strides, "same", use_bias=False)
        self.pointwise = layers.Conv2D(channels, 1, use_bias=False)
        self.norms = [layers.BatchNormalization(), layers.BatchNormalization()]
        self.past = None if fits else layers.Conv2D(channels, 1, strides, use_bias=False)
        self.add = layers.Add()

    def call(self, x, training=False):
        y = ops.relu(self.norms[0](self.depthwise(x), training=training))
        y = self.norms[1](self.pointwise(y), training=training)
        return ops.relu(self.add([self.past(x) if self.past else x, y]))


@right("separable_block")
def in_a_layer_of_its_own(x, channels, *, strides):
    return ABlock(channels, strides, strides == 1 and x.shape[-1] == channels)(x)


def block(
    *,
    first=depthwise,
    middle=lambda y: layers.ReLU()(norm(y)),
    second=pointwise,
    last=norm,
    project=lambda x, channels, s: s != 1 or x.shape[-1] != channels,
    past=pointwise,
    join=lambda x, y: layers.ReLU()(layers.Add()([x, y])),
):
    """A separable block, with one rule changed."""

    def made(x, channels, *, strides):
        y = last(second(middle(first(x, strides)), channels))
        if project(x, channels, strides):
            x = past(x, channels, strides)
        return join(x, y)

    return made


def relu(x):
    return layers.ReLU()(x)


def plain_convolution(x, strides):
    return layers.Conv2D(x.shape[-1], 3, strides, "same", use_bias=False)(x)


def strides_at_the_end(x, channels, *, strides):
    y = norm(pointwise(relu(norm(depthwise(x, 1))), channels, strides))
    if strides != 1 or x.shape[-1] != channels:
        x = pointwise(x, channels, strides)
    return relu(layers.Add()([x, y]))


def pointwise_first(x, channels, *, strides):
    y = norm(depthwise(relu(norm(pointwise(x, channels))), strides))
    if strides != 1 or x.shape[-1] != channels:
        x = pointwise(x, channels, strides)
    return relu(layers.Add()([x, y]))


def shortcut_from_the_middle(x, channels, *, strides):
    y = relu(norm(depthwise(x, strides)))
    if strides != 1 or x.shape[-1] != channels:
        return relu(layers.Add()([pointwise(y, channels), norm(pointwise(y, channels))]))
    return relu(layers.Add()([x, norm(pointwise(y, channels))]))


def all_in_one_layer(x, channels, *, strides):
    y = layers.SeparableConv2D(channels, 3, strides=strides, padding="same", use_bias=False)(x)
    y = norm(y)
    if strides != 1 or x.shape[-1] != channels:
        x = pointwise(x, channels, strides)
    return relu(layers.Add()([x, y]))


for said, function in (
    (["SeparableConv2D does both", "between them"], all_in_one_layer),
    (["Conv2D of 3x3 mixes channels"], block(first=plain_convolution)),
    (["DepthwiseConv2D of 3x3 has a bias"],
     block(first=lambda x, s: depthwise(x, s, use_bias=True))),
    (["Conv2D of 1x1 has a bias"],
     block(second=lambda x, channels: pointwise(x, channels, use_bias=True))),
    (["4 channels become 4, strides 2", "Conv2D of 1x1 has a bias"],
     block(past=lambda x, channels, s: pointwise(x, channels, s, use_bias=True))),
    (["activation 'relu' built in"],
     block(first=lambda x, s: depthwise(x, s, activation="relu"))),
    (["activation 'relu' built in"],
     block(past=lambda x, channels, s: pointwise(x, channels, s, activation="relu"))),
    (["kernel is 5x5"], block(first=lambda x, s: layers.DepthwiseConv2D(
        5, strides=s, padding="same", use_bias=False)(x))),
    (["returns 8 channels"], block(first=lambda x, s: depthwise(x, s, depth_multiplier=2))),
    (["strides (1, 1), where 2 are asked"], strides_at_the_end),
    (["put it after the depthwise one"], pointwise_first),
    (["no depthwise convolutions"], block(first=lambda x, s: layers.MaxPooling2D(
        3, strides=s, padding="same")(x))),
    (["2 depthwise convolutions"], block(first=lambda x, s: depthwise(depthwise(x, s), 1))),
    (["no 1x1 convolution that mixes"], block(second=lambda x, channels: x)),
    (["0 batch normalisations"], block(middle=relu, last=lambda y: y)),
    (["1 batch normalisations"], block(last=lambda y: y)),
    (["1 batch normalisations"], block(middle=relu)),
    (["scale of the depthwise kernel", "right after"],
     block(middle=relu, last=lambda y: norm(norm(y)))),
    (["scale of the 1x1 kernel"],
     block(middle=lambda y: relu(norm(norm(y))), last=lambda y: y)),
    (["input of the second convolution has negative values", "ReLU between"],
     block(middle=norm)),
    (["must come after batch normalisation"], block(middle=lambda y: norm(relu(y)))),
    (["what the convolutions add is never negative"], block(last=lambda y: relu(norm(y)))),
    (["what the convolutions add is never negative"], block(last=lambda y: norm(relu(y)))),
    (["negative values", "after the addition"], block(join=lambda x, y: layers.Add()([x, y]))),
    (["negative values", "after the addition"],
     block(join=lambda x, y: layers.Add()([x, relu(y)]))),
    (["shortcut is never negative"],
     block(join=lambda x, y: relu(layers.Add()([relu(x), y])))),
    (["nothing is added"], block(join=lambda x, y: relu(y))),
    (["shortcut is missing"], block(join=lambda x, y: relu(layers.Add()([y, y])))),
    (["concatenated"], block(join=lambda x, y: relu(layers.Concatenate()([x, y])))),
    (["strides 3", "where (3, 2, 5)"], lambda x, channels, *, strides: (
        with_a_normalised_shortcut(x, channels, strides=min(strides, 2)))),
    (["2 convolutions of 1x1", "x itself"], block(project=lambda x, channels, s: True)),
    (["must be ReLU(x)"], block(join=lambda x, y: relu(layers.Add()([norm(2 * x), y])))),
    (["strides 2", "not the input of any 1x1"], shortcut_from_the_middle),
    (["strides 2", "makes (9, 6, 4), where (5, 3, 4) is needed"], block(
        past=lambda x, channels, s: layers.MaxPooling2D(s, padding="same")(
            pointwise(x, channels)))),
    (["strides 2", "not the input of any 1x1"], block(
        past=lambda x, channels, s: pointwise(
            layers.AveragePooling2D(s, padding="same")(x), channels))),
    (["strides 2", "1 convolutions of 1x1, where two"], block(
        past=lambda x, channels, s: layers.MaxPooling2D(s, padding="same")(x))),
    (["strides 2", "stops in line"], block(project=lambda x, channels, s: x.shape[-1] != channels)),
    (["3 channels become 5", "stops in line"], block(project=lambda x, channels, s: s != 1)),
    (["stops in line"], block(first=lambda x, s: depthwise(x, s, padding="valid"))),
    (["3 channels become 5", "(7, 8, 4), where (7, 8, 5)"], lambda x, channels, *, strides: (
        with_a_normalised_shortcut(x, 4, strides=strides))),
    (["strides 2", "it makes (9, 6, 4), where (5, 3, 4)"], lambda x, channels, *, strides: (
        with_a_normalised_shortcut(x, channels, strides=1))),
    (["returns a Functional"], lambda x, channels, *, strides: keras.Model(
        x, with_a_normalised_shortcut(x, channels, strides=strides))),
    (["unchanged"], lambda x, channels, *, strides: x),
    (["returns None"], lambda x, channels, *, strides: None),
):  # fmt: skip
    wrong("separable_block", *said)(function)


@right("logmel_network")
def of_separable_blocks(n_frames, n_bands, n_classes):
    inputs = keras.Input((n_frames, n_bands))
    x = ops.expand_dims(inputs, -1)
    x = layers.Conv2D(8, 5, strides=(2, 4), padding="same", use_bias=False)(x)
    x = relu(norm(x))
    for channels in (12, 16):
        x = with_a_normalised_shortcut(x, channels, strides=2)
    x = layers.Dropout(0.3)(ops.mean(x, axis=(1, 2)))
    return keras.Model(inputs, layers.Dense(n_classes)(x))


@right("logmel_network")
def sequential_with_pooling(n_frames, n_bands, n_classes):
    network = keras.Sequential(
        [keras.Input((n_frames, n_bands)), layers.Reshape((n_frames, n_bands, 1))]
    )
    for channels in (8, 16, 24):
        network.add(layers.Conv2D(channels, 3, activation="relu"))
        network.add(layers.BatchNormalization())
        network.add(layers.MaxPooling2D(2))
    network.add(layers.SpatialDropout2D(0.2))
    network.add(layers.GlobalAveragePooling2D(keepdims=True))
    network.add(layers.Flatten())
    network.add(layers.Dense(n_classes))
    return network


@right("logmel_network")
def convolutions_to_the_end(n_frames, n_bands, n_classes):
    """The last convolution has a channel for each class; the mean of it are the logits."""
    inputs = keras.Input((n_frames, n_bands), name="log_mel")
    x = layers.Reshape((n_frames, n_bands, 1))(layers.BatchNormalization(axis=-1)(inputs))
    x = layers.Conv2D(16, 3, strides=2)(x)
    x = layers.Activation("gelu")(layers.BatchNormalization()(x))
    x = layers.Conv2D(24, 3, strides=2)(x)
    x = layers.Dropout(0.2)(layers.ReLU()(layers.BatchNormalization()(x)))
    x = layers.Conv2D(n_classes, 1)(x)
    return keras.Model(inputs, layers.GlobalAveragePooling2D()(x))


@right("logmel_network")
def mean_of_both_axes_in_turn_and_a_hidden_layer(n_frames, n_bands, n_classes):
    inputs = keras.Input((n_frames, n_bands))
    x = layers.Conv2D(12, 3, padding="same", use_bias=False)(
        layers.AveragePooling2D(2)(layers.Reshape((n_frames, n_bands, 1))(inputs))
    )
    x = in_a_layer_of_its_own(layers.ReLU()(layers.BatchNormalization()(x)), 16, strides=2)
    x = layers.GlobalAveragePooling1D()(layers.Reshape((-1, 16))(x))
    x = layers.Dropout(0.4)(layers.Dense(32, activation="relu")(x))
    positive = keras.initializers.RandomUniform(0, 0.2)  # and yet logits
    return keras.Model(inputs, layers.Dense(n_classes, kernel_initializer=positive)(x))


def logmel(
    *,
    picture=lambda t, n: layers.Reshape((t, n, 1)),
    strides=(2, 2, 2),
    channels=(8, 12, 16),
    kernel=3,
    normal=lambda: layers.BatchNormalization(),
    active=lambda: layers.ReLU(),
    pool=lambda: layers.GlobalAveragePooling2D(),
    rate=0.3,
    end=None,
    last=lambda x: x,
    size=lambda t, n: (t, n),
):
    """A network of convolutions, with one rule changed."""

    def made(n_frames, n_bands, n_classes):
        shape = size(n_frames, n_bands)
        inputs = keras.Input(shape)
        x = picture(*shape)(inputs)
        for n, step in zip(channels, strides, strict=True):
            x = layers.Conv2D(n, kernel, strides=step, padding="same", use_bias=False)(x)
            x = active()(normal()(x))
        x = pool()(x)
        x = layers.Dropout(rate)(x) if rate is not None else x
        return keras.Model(inputs, last(layers.Dense(n_classes, activation=end)(x)))

    return made


def frozen(attempt):
    def made(*sizes):
        network = attempt(*sizes)
        network.trainable = False
        return network

    return made


for said, function in (
    (["add up to 1", "from_logits"], logmel(end="softmax")),
    (["add up to 1"], logmel(last=layers.Softmax())),
    (["'sigmoid'"], logmel(end="sigmoid")),
    (["between 0 and 1"], logmel(last=ops.sigmoid)),
    (["never negative"], logmel(last=ops.relu)),
    (["parameters: stay below 300,000"], logmel(channels=(64, 128, 256))),
    (["parameters: stay below 300,000"], logmel(
        channels=(16, 32, 64),
        pool=lambda: keras.Sequential([layers.Flatten(), layers.Dense(64)]))),
    (["for 172 frames and", "for 344", "pool over"], logmel(pool=layers.Flatten)),
    (["for 172 frames and", "for 344"], logmel(
        pool=lambda: keras.Sequential([layers.AveragePooling2D((2, 8)), layers.Flatten()]))),
    (["maximum over all places", "mean of each channel"], logmel(pool=layers.GlobalMaxPooling2D)),
    (["the mean of each channel over all places is missing"], logmel(
        pool=lambda: lambda x: layers.Flatten()(ops.mean(x, axis=1)))),
    (["the mean of each channel over all places is missing"], logmel(
        pool=lambda: lambda x: ops.sum(x, axis=(1, 2)) / 100)),
    (["(1, 172, 64)", "values are on the axis of the channels"],
     logmel(picture=lambda t, n: layers.Reshape((1, t, n)), strides=((1, 2), (1, 2), (1, 2)))),
    (["are on the axis of the channels"],
     logmel(picture=lambda t, n: layers.Reshape((t, 1, n)), strides=((2, 1), (2, 1), (2, 1)))),
    (["(64, 172, 1)", "swaps no axes"], logmel(picture=lambda t, n: layers.Reshape((n, t, 1)))),
    (["full size", "strides"], logmel(strides=(1, 1, 1))),
    (["first two convolutions see all 172 x 64"], logmel(strides=(1, 1, 4))),
    (["first two convolutions see all 172 x 64"],
     logmel(strides=(1, 1, 2, 2), channels=(8, 8, 12, 16))),
    (["no batch normalisation"], logmel(normal=lambda: layers.Activation("linear"))),
    (["no activation"], logmel(active=lambda: layers.Activation("linear"))),
    (["no activation before 2 of the 2 convolutions"], logmel(
        active=lambda: layers.Activation("linear"),
        pool=lambda: lambda x: layers.GlobalAveragePooling2D()(ops.relu(x)))),
    (["below 0 dB"], logmel(
        picture=lambda t, n: lambda x: ops.relu(layers.Reshape((t, n, 1))(x)))),
    (["frozen"], frozen(logmel())),
    (["no dropout"], logmel(rate=None)),
    (["drops nothing"], logmel(rate=0.0)),
    (["some of its logits are 0", "before the last dense layer"],
     logmel(rate=None, last=layers.Dropout(0.3))),
    (["1 Conv2D among its layers"], logmel(strides=(4,), channels=(16,))),
    (["(None, 172, 64, 1)", "the network must add"],
     logmel(size=lambda t, n: (t, n, 1), picture=lambda t, n, _: layers.Activation("linear"))),
    (["time comes first"], logmel(size=lambda t, n: (n, t))),
    (["stops in line"], logmel(picture=lambda t, n: layers.Activation("linear"))),
    (["(200, 80, 7) instead", "(None, 172, 80)", "use the sizes that"],
     logmel(size=lambda t, n: (t if t == 344 else 172, n))),
    (["(200, 80, 7) instead", "output has the shape (None, 10)"],
     lambda t, n, k: logmel()(t, n, 10)),
    (["(200, 80, 7) instead", "stops in line"],
     logmel(picture=lambda t, n: layers.Reshape((t, 64, 1)))),
    (["output has the shape (None, 22, 8, 10)", "pool over it"],
     logmel(pool=lambda: layers.Activation("linear"))),
    (["do not depend on the first"], logmel(
        pool=lambda: lambda x: layers.GlobalAveragePooling2D()(x[:, -4:]))),
    (["0 Conv2D among its layers"], lambda t, n, k: keras.Sequential([
        keras.Input((t, n)), layers.Conv1D(16, 5, strides=2), layers.BatchNormalization(),
        layers.ReLU(), layers.GlobalAveragePooling1D(), layers.Dropout(0.3), layers.Dense(k)])),
    (["Keras tensor"], lambda t, n, k: logmel()(t, n, k).output),
    (["returns None"], lambda t, n, k: None),
):  # fmt: skip
    wrong("logmel_network", *said)(function)
