"""Attempts at the exercises of 03_speaker_identification: networks and their training."""

import keras
import numpy as np
from attempts import right, wrong
from keras import layers, ops


@right("dense_network")
def two_blocks(n_values, n_classes):
    inputs = x = keras.Input((n_values,))
    for units in (32, 16):
        x = layers.Dense(units, use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
        x = layers.Dropout(0.3)(x)
    return keras.Model(inputs, layers.Dense(n_classes)(x))


@right("dense_network")
def sequential(n_values, n_classes):
    return keras.Sequential(
        [
            keras.Input((n_values,)),
            layers.BatchNormalization(),
            layers.Dense(24, kernel_initializer="he_normal"),
            layers.BatchNormalization(),
            layers.Activation("gelu"),
            layers.Dropout(0.5),
            layers.Dense(n_classes, name="logits"),
        ]
    )


@right("dense_network")
def blocks_in_a_model_and_a_tanh(n_values, n_classes):
    inputs = keras.Input((n_values,))
    block = keras.Sequential(
        [layers.Dense(16), layers.BatchNormalization(), layers.Dropout(0.1)], name="block"
    )
    return keras.Model(inputs, layers.Dense(n_classes)(ops.tanh(block(inputs))))


class ANetwork(keras.Model):
    """A dense network as a class of its own."""

    def __init__(self, n_values, n_classes):
        super().__init__()
        self.block = [layers.Dense(16), layers.BatchNormalization(), layers.Dropout(0.3)]
        self.logits = layers.Dense(n_classes)

    def call(self, x, training=False):
        hidden, norm, drop = self.block
        return self.logits(drop(ops.relu(norm(hidden(x), training=training)), training=training))

    def build(self, shape):
        self.call(keras.Input(shape[1:]))
        self.built = True


def built(network, shape):
    network.build((None, *shape))
    return network


def called(network, shape):
    network(np.zeros((1, *shape), np.float32))
    return network


@right("dense_network")
def class_in_a_functional_model(n_values, n_classes):
    inputs = keras.Input((n_values,))
    return keras.Model(inputs, ANetwork(n_values, n_classes)(inputs))


@right("dense_network")
def gaussian_noise_is_dropout_too(n_values, n_classes):
    inputs = keras.Input((n_values,))
    x = layers.Activation("relu")(layers.BatchNormalization()(layers.Dense(24)(inputs)))
    return keras.Model(inputs, layers.Dense(n_classes)(layers.GaussianDropout(0.1)(x)))


def dense(*, steps="dense norm relu drop", rate=0.3, units=16, last=None, model=None, **end):
    """A dense network, with one rule changed. steps: its layers but for the last."""

    def made(n_values, n_classes):
        inputs = x = keras.Input((n_values,) if model is None else model(n_values))
        for step in steps.split():
            layer = {
                "dense": lambda: layers.Dense(units),
                "norm": layers.BatchNormalization,
                "relu": layers.ReLU,
                "drop": lambda: layers.Dropout(rate),
            }[step]()
            x = layer(x)
        x = layers.Dense(n_classes, **end)(x)
        return keras.Model(inputs, x if last is None else last(x))

    return made


for said, function in (
    (["add up to 1", "from_logits=True"], dense(activation="softmax")),
    (["add up to 1"], dense(last=layers.Softmax())),
    (["'sigmoid'"], dense(activation="sigmoid")),
    (["between 0 and 1"], dense(last=ops.sigmoid)),
    (["'relu'"], dense(activation="relu")),
    (["never negative"], dense(last=ops.relu)),
    (["'tanh'"], dense(activation="tanh")),
    (["no batch normalisation", "Dense, ReLU"], dense(steps="dense relu drop")),
    (["only before the first layer"], dense(steps="norm dense relu drop")),
    (["no dropout"], dense(steps="dense norm relu")),
    (["drops nothing"], dense(rate=0.0)),
    (["no activation", "without one it is linear"], dense(steps="dense norm drop dense norm drop")),
    (["only before the first layer"], dense(steps="norm relu drop")),
    (["no hidden dense layer"], lambda n, k: keras.Model(
        inputs := keras.Input((n,)),
        layers.Dense(k)(layers.BatchNormalization()(layers.Dropout(0.2)(layers.Reshape((-1,))(
            layers.Conv1D(4, 3, activation="relu")(layers.Reshape((n, 1))(inputs)))))))),
    (["parameters", "stay below 1,000,000"], dense(units=30000)),
    (["(None, 256, 1)", "(None, 256) is asked"], dense(model=lambda n: (n, 1))),
    (["output has the shape (None, 256)"], lambda n, k: sequential(n, n)),
    (["input has the shape (None, 20)"], lambda n, k: sequential(k, k)),
    (["(40, 7) instead", "input has the shape (None, 256)", "use the sizes that"],
     lambda n, k: two_blocks(256, k)),
    (["(40, 7) instead", "output has the shape (None, 20)"], lambda n, k: two_blocks(n, 20)),
    (["(40, 7) instead", "stops in line"], lambda n, k: keras.Model(
        inputs := keras.Input((n,)), two_blocks(256, k)(layers.Reshape((256,))(inputs)))),
    (["some of its logits are 0", "before the last dense layer"],
     dense(steps="dense norm relu", last=layers.Dropout(0.3))),
    (["some of its logits are 0"], dense(last=layers.Dropout(0.1))),
    (["its own class (ANetwork)", "cannot be listed"], ANetwork),
    (["its own class (ANetwork)"], lambda n, k: built(ANetwork(n, k), (n,))),
    (["its own class (ANetwork)"], lambda n, k: called(ANetwork(n, k), (n,))),
    (["Keras tensor"], lambda n, k: two_blocks(n, k).output),
    (["returns a list"], lambda n, k: two_blocks(n, k).layers),
    (["keras.Input"], lambda n, k: keras.Sequential([layers.Dense(8), layers.Dense(k)])),
    (["returns None"], lambda n, k: None),
    (["stops in line", "dropuot"], lambda n, k: layers.dropuot(n)),
):  # fmt: skip
    wrong("dense_network", *said)(function)


@right("conv1d_network")
def pooled_at_the_end(n_frames, n_values, n_classes):
    inputs = x = keras.Input((n_frames, n_values))
    for channels in (16, 24):
        x = layers.Conv1D(channels, 5, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
        x = layers.MaxPooling1D(2)(x)
    x = layers.Dropout(0.3)(layers.GlobalAveragePooling1D()(x))
    return keras.Model(inputs, layers.Dense(n_classes)(x))


@right("conv1d_network")
def of_any_length(n_frames, n_values, n_classes):
    inputs = keras.Input((None, n_values))
    x = layers.SeparableConv1D(16, 3, strides=2)(inputs)
    x = layers.Activation("relu")(layers.BatchNormalization()(x))
    x = layers.SpatialDropout1D(0.2)(x)
    x = layers.Concatenate()([layers.GlobalMaxPooling1D()(x), ops.mean(x, axis=1)])
    return keras.Model(inputs, layers.Dense(n_classes)(x))


def conv1d(
    *,
    first=lambda x: x,
    kernel=5,
    pool=lambda: layers.GlobalAveragePooling1D(),
    parts="norm relu drop",
    end=None,
):
    """A network of one convolution, with one rule changed."""

    def made(n_frames, n_values, n_classes):
        inputs = keras.Input((n_frames, n_values))
        x = layers.MaxPooling1D(2)(layers.Conv1D(12, kernel)(first(inputs)))
        for part in parts.split():
            x = {
                "norm": layers.BatchNormalization,
                "relu": layers.ReLU,
                "drop": lambda: layers.Dropout(0.3),
            }[part]()(x)
        return keras.Model(inputs, layers.Dense(n_classes, activation=end)(pool()(x)))

    return made


@right("conv1d_network")
def of_quiet_and_loud_frames(n_frames, n_values, n_classes):
    """Long pools that leave some frames over; mean and deviation of what is left, by hand."""
    network = keras.Sequential([keras.Input((n_frames, n_values)), layers.BatchNormalization()])
    for channels in (12, 16, 16):
        network.add(layers.Conv1D(channels, 3, padding="causal", activation="relu"))
        network.add(layers.BatchNormalization())
        network.add(layers.AveragePooling1D(4))
    x = layers.Dropout(0.2)(network.outputs[0])
    x = ops.concatenate([ops.mean(x, axis=1), ops.std(x, axis=1)], axis=-1)
    return keras.Model(network.inputs, layers.Dense(n_classes)(x))


@right("conv1d_network")
def weighed_by_attention(n_frames, n_values, n_classes):
    inputs = keras.Input((n_frames, n_values))
    x = layers.ReLU()(layers.BatchNormalization()(layers.Conv1D(16, 5, strides=3)(inputs)))
    x = ops.sum(x * layers.Softmax(axis=1)(layers.Dense(1)(x)), axis=1)
    return keras.Model(inputs, layers.Dense(n_classes)(layers.Dropout(0.3)(x)))


class AConvolution(ANetwork):
    """A network of convolutions as a class of its own."""

    def __init__(self, n_values, n_classes):
        super().__init__(n_values, n_classes)
        self.block[0] = layers.Conv1D(16, 3)
        self.pool = layers.GlobalAveragePooling1D()

    def call(self, x, training=False):
        return self.pool(super().call(x, training=training))


def two_dimensional(n_frames, n_values, n_classes):
    inputs = keras.Input((n_frames, n_values))
    x = layers.Conv2D(4, 3, activation="relu")(layers.Reshape((n_frames, n_values, 1))(inputs))
    x = layers.Dropout(0.1)(layers.BatchNormalization()(layers.GlobalAveragePooling2D()(x)))
    return keras.Model(inputs, layers.Dense(n_classes)(x))


for said, function in (
    (["over the values instead"], conv1d(first=layers.Permute((2, 1)))),
    (["sees 1 channels, but a frame has 256"], conv1d(first=layers.Reshape((-1, 1)))),
    (["no Conv1D"], two_dimensional),
    (["1 frame long"], conv1d(kernel=1)),
    (["for 240 frames and", "for 480", "pool over"], conv1d(pool=layers.Flatten)),
    (["for 240 frames and", "for 480"], conv1d(
        pool=lambda: keras.Sequential([layers.AveragePooling1D(118), layers.Flatten()]))),
    (["do not depend on the first and the second third"],
     conv1d(pool=lambda: layers.Lambda(lambda x: x[:, -1], lambda s: (s[0], s[2])))),
    (["do not depend on the second and the last third"], conv1d(pool=lambda: lambda x: x[:, 0])),
    (["do not depend on the first and the last third"],
     conv1d(pool=lambda: lambda x: x[:, x.shape[1] // 2])),
    (["do not depend on the first third", "pool over all frames"],
     conv1d(pool=lambda: lambda x: ops.mean(x[:, x.shape[1] // 2 :], axis=1))),
    (["do not depend on the first"], conv1d(pool=lambda: layers.LSTM(8))),
    (["(300, 270, 7) instead", "input has the shape (None, 240, 270)", "use the sizes that"],
     lambda t, n, k: pooled_at_the_end(t if t == 480 else 240, n, k)),
    (["(300, 270, 7) instead", "(None, 300, 256)"], lambda t, n, k: pooled_at_the_end(t, 256, k)),
    (["(300, 270, 7) instead", "output has the shape (None, 20)"],
     lambda t, n, k: pooled_at_the_end(t, n, 20)),
    (["480 frames", "(None, 240, 256)"], lambda t, n, k: pooled_at_the_end(240, n, k)),
    (["some of its logits are 0"], lambda t, n, k: keras.Model(
        (network := conv1d(parts="norm relu")(t, n, k)).input,
        layers.Dropout(0.3)(network.output))),
    (["its own class (AConvolution)"], lambda t, n, k: AConvolution(n, k)),
    (["its own class (AConvolution)"], lambda t, n, k: called(AConvolution(n, k), (t, n))),
    (["still has the axis of time"], conv1d(pool=lambda: layers.Activation("linear"))),
    (["add up to 1"], conv1d(end="softmax")),
    (["no batch normalisation"], conv1d(parts="relu drop")),
    (["no dropout"], conv1d(parts="norm relu")),
    (["no activation"], conv1d(parts="norm drop")),
    (["time comes first"], lambda t, n, k: pooled_at_the_end(n, t, k)),
    (["(None, 240, 256, 1)", "axis of channels"], lambda t, n, k: keras.Model(
        inputs := keras.Input((t, n, 1)),
        pooled_at_the_end(t, n, k)(layers.Reshape((t, n))(inputs)))),
    (["returns None"], lambda t, n, k: None),
):  # fmt: skip
    wrong("conv1d_network", *said)(function)


def convolution(channels, kernel=3, **options):
    return layers.Conv2D(channels, kernel, **{"padding": "same"} | options)


@right("residual_block")
def projected_where_it_must(x, channels, *, strides):
    y = layers.ReLU()(layers.BatchNormalization()(convolution(channels, strides=strides)(x)))
    y = layers.BatchNormalization()(convolution(channels, use_bias=False)(y))
    if strides != 1 or x.shape[-1] != channels:
        x = layers.Conv2D(channels, 1, strides=strides)(x)
    return layers.ReLU()(layers.Add()([x, y]))


@right("residual_block")
def with_a_normalised_shortcut(x, channels, *, strides):
    y = convolution(channels, (3, 3), strides=(strides, strides))(x)
    y = layers.BatchNormalization()(ops.relu(layers.BatchNormalization()(y)))
    y = layers.BatchNormalization()(convolution(channels)(layers.Activation("relu")(y)))
    if y.shape != x.shape:
        x = layers.Conv2D(channels, 1, strides=strides, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization()(x)
    return layers.Activation("relu")(y + x)


@right("residual_block")
def way_in_a_model(x, channels, *, strides):
    way = keras.Sequential(
        [
            convolution(channels, strides=strides),
            layers.BatchNormalization(),
            layers.ReLU(),
            convolution(channels),
            layers.BatchNormalization(),
        ]
    )
    if x.shape[-1] == channels and strides == 1:
        return keras.activations.relu(layers.add([x, way(x)]))
    return layers.ReLU()(way(x) + layers.Conv2D(channels, 1, strides)(x))


@right("residual_block")
def begun_with_nothing_added(x, channels, *, strides):
    """Its last normalisation is 0 in the beginning, which deep networks like."""
    y = layers.ReLU()(layers.BatchNormalization()(convolution(channels, strides=strides)(x)))
    y = layers.BatchNormalization(gamma_initializer="zeros", center=False)(
        convolution(channels, kernel_initializer="random_normal")(y)
    )
    if strides != 1 or x.shape[-1] != channels:
        x = layers.Conv2D(channels, 1, strides=strides, kernel_initializer="ones")(x)
        x = layers.BatchNormalization(scale=False)(x)
    return layers.ReLU()(layers.Add()([y, x]))


class ABlock(layers.Layer):
    """A residual block as a layer of its own."""

    def __init__(self, channels, strides, fits):
        super().__init__()
        self.first = convolution(channels, strides=strides)
        self.second = convolution(channels)
        self.norms = [layers.BatchNormalization(), layers.BatchNormalization()]
        self.past = layers.Identity() if fits else layers.Conv2D(channels, 1, strides=strides)
        self.add = layers.Add()

    def call(self, x, training=False):
        y = ops.relu(self.norms[0](self.first(x), training=training))
        y = self.norms[1](self.second(y), training=training)
        return ops.relu(self.add([self.past(x), y]))


@right("residual_block")
def in_a_layer_of_its_own(x, channels, *, strides):
    return ABlock(channels, strides, strides == 1 and x.shape[-1] == channels)(x)


def residual(
    *,
    strides_of=lambda s: (s, 1),
    kernel=3,
    middle=lambda x: layers.ReLU()(x),
    norm=lambda x: layers.BatchNormalization()(x),
    last=None,
    project=lambda x, channels, s: s != 1 or x.shape[-1] != channels,
    size=1,
    past=None,
    padding="same",
    activation=(None, None),
    join=lambda x, y: layers.ReLU()(layers.Add()([x, y])),
):
    """A residual block, with one rule changed."""

    def block(x, channels, *, strides):
        a, b = [
            {"strides": s, "padding": padding, "activation": name}
            for s, name in zip(strides_of(strides), activation, strict=True)
        ]
        y = middle(norm(convolution(channels, kernel, **a)(x)))
        y = (last or norm)(convolution(channels, kernel, **b)(y))
        if project(x, channels, strides):
            x = convolution(channels, size, strides=strides, activation=past)(x)
        return join(x, y)

    return block


for said, function in (
    (["shortcut is missing"], residual(join=lambda x, y: layers.ReLU()(layers.Add()([y, y])))),
    (["nothing is added"], residual(join=lambda x, y: layers.ReLU()(y))),
    (["negative values", "after the addition"], residual(join=lambda x, y: layers.Add()([x, y]))),
    (
        ["negative values", "after the addition"],
        residual(join=lambda x, y: layers.Add()([x, layers.ReLU()(y)])),
    ),
    (["what the convolutions add is never negative"],
     residual(last=lambda x: layers.ReLU()(layers.BatchNormalization()(x)))),
    (["what the convolutions add is never negative"],
     residual(last=lambda x: layers.BatchNormalization()(layers.ReLU()(x)))),
    (["what the convolutions add is never negative"],
     lambda x, channels, *, strides: layers.ReLU()(layers.Add()([
         x if strides == 1 and x.shape[-1] == channels
         else layers.Conv2D(channels, 1, strides=strides)(x),
         keras.Sequential([
             convolution(channels, strides=strides), layers.BatchNormalization(), layers.ReLU(),
             convolution(channels), layers.BatchNormalization(), layers.ReLU()])(x)]))),
    (["3x3 has the activation 'relu'", "batch normalisation"],
     residual(activation=("relu", "relu"))),
    (["3x3 has the activation 'relu'"], residual(activation=("relu", None), middle=lambda x: x)),
    (["3x3 has the activation 'relu'"], residual(activation=(None, "relu"))),
    (["must come after batch normalisation"], residual(
        norm=lambda x: layers.BatchNormalization()(layers.ReLU()(x)),
        last=lambda x: layers.BatchNormalization()(x), middle=lambda x: x)),
    (["shortcut is never negative"],
     residual(join=lambda x, y: layers.ReLU()(layers.Add()([layers.ReLU()(x), y])))),
    (["4 channels become 4, strides 2", "1x1 has the activation 'relu'", "has no activation"],
     residual(past="relu")),
    (["4 channels become 4, strides 2", "shortcut is never negative"], residual(
        join=lambda x, y: layers.ReLU()(layers.Add()(
            [x if x.shape[1:] == (9, 6, 4) else layers.ReLU()(x), y])))),
    (["4 channels become 4, strides 2", "shortcut is never negative"], residual(
        join=lambda x, y: layers.ReLU()(layers.Add()(
            [x if x.shape[1:] == (9, 6, 4) else
             layers.BatchNormalization()(layers.ReLU()(x)), y])))),
    (["concatenated"], residual(join=lambda x, y: layers.ReLU()(layers.Concatenate()([x, y])))),
    (["nothing is added"], residual(join=lambda x, y: layers.ReLU()(layers.Multiply()([x, y])))),
    (["x itself"], residual(project=lambda x, channels, s: True)),
    (["must be ReLU(x)"],
     residual(join=lambda x, y: layers.ReLU()(layers.Add()([layers.Dense(4)(x), y])))),
    (["4 channels become 4, strides 2", "stops in line"],
     residual(project=lambda x, channels, s: x.shape[-1] != channels)),
    (["2 channels become 4", "stops in line"], residual(project=lambda x, channels, s: s != 1)),
    (["second convolution"], residual(strides_of=lambda s: (1, s))),
    (["strides 2", "makes (9, 6, 4), where (5, 3, 4)"],
     residual(strides_of=lambda s: (1, 1), join=lambda x, y: layers.ReLU()(layers.Add()(
         [x if x.shape == y.shape else layers.UpSampling2D(2)(x)[:, :9], y])))),
    (["between"], residual(middle=lambda x: x)),
    (["0 batch normalisations"], residual(norm=lambda x: x)),
    (["3x3, 3x3, 3x3"], residual(size=3)),
    (["5x5", "3x3 are needed"], residual(kernel=5, size=3)),
    (["stops in line"], residual(padding="valid")),
    (["returns a Functional"], lambda x, channels, *, strides: keras.Model(
        x, projected_where_it_must(x, channels, strides=strides))),
    (["unchanged"], lambda x, channels, *, strides: x),
    (["makes (9, 6, 8)"], lambda x, channels, *, strides: projected_where_it_must(
        x, 2 * channels, strides=strides)),
    (["returns None"], lambda x, channels, *, strides: None),
):  # fmt: skip
    wrong("residual_block", *said)(function)


@right("conv2d_network")
def of_two_blocks(n_frames, n_values, n_classes):
    inputs = keras.Input((n_frames, n_values))
    x = layers.Reshape((n_frames, n_values, 1))(inputs)
    for channels in (4, 8):
        x = projected_where_it_must(x, channels, strides=2)
    x = layers.Dropout(0.3)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, layers.Dense(n_classes)(x))


@right("conv2d_network")
def begun_with_a_convolution(n_frames, n_values, n_classes):
    inputs = keras.Input((n_frames, n_values))
    x = convolution(4, 5, strides=4, activation="relu")(ops.expand_dims(inputs, -1))
    x = layers.MaxPooling2D(2)(with_a_normalised_shortcut(x, 4, strides=1))
    x = layers.SpatialDropout2D(0.3)(x)
    return keras.Model(inputs, layers.Dense(n_classes)(layers.GlobalMaxPooling2D()(x)))


@right("conv2d_network")
def frequency_first_and_pooled_over_time(n_frames, n_values, n_classes):
    """Every band keeps weights of its own in the logits: only time is pooled."""
    inputs = keras.Input((n_frames, n_values))
    x = layers.Permute((2, 1))(layers.BatchNormalization()(inputs))
    x = layers.ZeroPadding2D(2)(layers.Reshape((n_values, n_frames, 1))(x))
    x = layers.MaxPooling2D((1, 3))(layers.Conv2D(4, 5, activation="relu")(x))
    x = in_a_layer_of_its_own(x, 4, strides=2)
    x = layers.Flatten()(layers.Dropout(0.3)(ops.max(x, axis=2)))
    return keras.Model(inputs, layers.Dense(n_classes)(x))


@right("conv2d_network")
def sequential_picture(n_frames, n_values, n_classes):
    """The axis is added in a model in the model, and the picture made smaller before all else."""
    inputs = keras.Input((n_frames, n_values))
    begin = keras.Sequential(
        [
            layers.Reshape((n_frames, n_values, 1)),
            layers.AveragePooling2D(4),
            layers.Conv2D(4, 3, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
        ]
    )
    x = layers.GlobalAveragePooling2D()(projected_where_it_must(begin(inputs), 4, strides=1))
    return keras.Model(inputs, layers.Dense(n_classes)(layers.Dropout(0.3)(x)))


def conv2d(
    *,
    picture=lambda t, n: layers.Reshape((t, n, 1)),
    strides=2,
    block=projected_where_it_must,
    pool=lambda: layers.GlobalAveragePooling2D(),
    rate=0.3,
    end=None,
    hidden=0,
):
    """A network of one block, with one rule changed."""

    def made(n_frames, n_values, n_classes):
        inputs = keras.Input((n_frames, n_values))
        x = pool()(block(picture(n_frames, n_values)(inputs), 4, strides=strides))
        x = layers.Dense(hidden)(x) if hidden else x
        x = layers.Dropout(rate)(x) if rate is not None else x
        return keras.Model(inputs, layers.Dense(n_classes, activation=end)(x))

    return made


def plain(x, channels, *, strides):
    return layers.ReLU()(layers.BatchNormalization()(convolution(channels, strides=strides)(x)))


for said, function in (
    (["no residual connection"], conv2d(block=plain)),
    (["no batch normalisation"], conv2d(block=residual(norm=lambda x: x))),
    (["no dropout"], conv2d(rate=None)),
    (["drops nothing"], conv2d(rate=0)),
    (["add up to 1"], conv2d(end="softmax")),
    (["parameters", "stay below"], conv2d(pool=layers.Flatten, hidden=128)),
    (["for 240 frames and", "for 480", "pool over"], conv2d(pool=layers.Flatten)),
    (["for 240 frames and", "for 480"], conv2d(
        pool=lambda: keras.Sequential([layers.AveragePooling2D(8), layers.Flatten()]))),
    (["(1, 240, 201)", "values are on the axis of the channels"],
     conv2d(picture=lambda t, n: layers.Reshape((1, t, n)))),
    (["(240, 1, 201)", "values are on the axis of the channels", "(240, 201, 1) is asked"],
     conv2d(picture=lambda t, n: layers.Reshape((t, 1, n)))),
    (["frames are on the axis of the channels"],
     conv2d(picture=lambda t, n: lambda x: ops.expand_dims(ops.transpose(x, (0, 2, 1)), 1))),
    (["(201, 240, 1)", "`Reshape`", "swaps no axes"],
     conv2d(picture=lambda t, n: layers.Reshape((n, t, 1)))),
    (["(48240, 1, 1)", "not neighbours"], conv2d(picture=lambda t, n: layers.Reshape((-1, 1, 1)))),
    (["full size", "strides"], conv2d(strides=1)),
    (["full size"], conv2d(strides=1, pool=lambda: keras.Sequential(
        [layers.MaxPooling2D(4), layers.GlobalAveragePooling2D()]))),
    (["do not depend on the first and the second third"],
     conv2d(pool=lambda: lambda x: ops.mean(x[:, -1], axis=1))),
    (["(300, 220, 7) instead", "stops in line"],
     conv2d(picture=lambda t, n: layers.Reshape((t, 201, 1)))),
    (["(300, 220, 7) instead", "output has the shape (None, 20)"],
     lambda t, n, k: of_two_blocks(t, n, 20)),
    (["480 frames", "stops in line"], conv2d(picture=lambda t, n: layers.Reshape((240, n, 1)))),
    (["some of its logits are 0"], lambda t, n, k: keras.Model(
        (network := conv2d(rate=None)(t, n, k)).input, layers.Dropout(0.3)(network.output))),
    (["the network must add"], lambda t, n, k: keras.Model(
        inputs := keras.Input((t, n, 1)), of_two_blocks(t, n, k)(layers.Reshape((t, n))(inputs)))),
    (["time comes first"], lambda t, n, k: of_two_blocks(n, t, k)),
    (["no Conv2D"], pooled_at_the_end),
    (["output has the shape (None, 1, 20)"], lambda t, n, k: keras.Model(
        (network := of_two_blocks(t, n, k)).input, layers.Reshape((1, k))(network.output))),
    (["Keras tensor"], lambda t, n, k: of_two_blocks(t, n, k).output),
    (["returns None"], lambda t, n, k: None),
):  # fmt: skip
    wrong("conv2d_network", *said)(function)


def total(weights):
    return sum(int(np.prod(weight.shape)) for weight in weights)


@right("parameter_count")
def two_lists(network):
    return total(network.trainable_weights), total(network.weights)


@right("parameter_count")
def keras_counts(network):
    frozen = total(network.non_trainable_weights)
    return network.count_params() - frozen, network.count_params()


@right("parameter_count")
def sizes_of_arrays(network):
    trained = [ops.convert_to_numpy(w).size for w in network.trainable_variables]
    return np.array([sum(trained), sum(w.size for w in network.get_weights())])


def layer_by_layer(network):
    for layer in network.layers:
        if hasattr(layer, "layers"):
            yield from layer_by_layer(layer)
        else:
            yield layer


for said, function in (
    (["batch normalisation", "training does not change"], lambda n: (n.count_params(),) * 2),
    (["batch normalisation", "includes what training"],
     lambda n: (total(n.trainable_weights),) * 2),
    (["trainable ones come first"], lambda n: two_lists(n)[::-1]),
    (["not only the others"], lambda n: (total(n.trainable_weights),
                                         total(n.non_trainable_weights))),
    (["arrays", "numbers in them"], lambda n: (len(n.trainable_weights), len(n.weights))),
    (["random state of dropout"], lambda n: (total(n.trainable_variables), total(n.variables))),
    (["used twice"], lambda n: (total(n.trainable_weights), sum(
        layer.count_params() for layer in layer_by_layer(n)))),
    (["frozen layers"], lambda n: (total(
        w for w in n.weights if "moving" not in w.path), total(n.weights))),
    (["whose layer is used outside too", "used twice"], lambda n: (
        sum(total(layer.trainable_weights) for layer in n.layers), total(n.weights))),
    (["whose layer is used outside too", "used twice"], lambda n: (
        sum(total(layer.trainable_weights) for layer in layer_by_layer(n)), total(n.weights))),
    (["frozen as a whole", "training does not change"], lambda n: (
        total(n.weights if not n.trainable else n.trainable_weights), total(n.weights))),
    (["contain another model"], lambda n: (
        sum(total(w for w in layer.trainable_weights) for layer in n.layers
            if not hasattr(layer, "layers")),
        sum(layer.count_params() for layer in n.layers if not hasattr(layer, "layers")))),
    (["two dense layers", "is right"], lambda n: (1, total(n.weights))),
    (["a int, where (trainable, all)"], lambda n: n.count_params()),
    (["a number is needed"], lambda n: ([w.shape for w in n.trainable_weights[:2]],
                                          total(n.weights))),
    (["returns None"], lambda n: n.summary(print_fn=lambda *args, **options: None)),
):  # fmt: skip
    wrong("parameter_count", *said)(function)


def from_logits():
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def compiled(optimizer=lambda: "adam", loss=from_logits, **options):
    def attempt(network):
        network.compile(optimizer=optimizer(), loss=loss(), **options)

    return attempt


right("compile_network")(compiled(metrics=["accuracy"]))

right("compile_network")(compiled(lambda: keras.optimizers.SGD(0.01, momentum=0.9)))

right("compile_network")(compiled(lambda: keras.optimizers.SGD(0.1)))

right("compile_network")(compiled(lambda: keras.optimizers.RMSprop(3e-4)))

right("compile_network")(
    compiled(lambda: keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(3e-3, 2000)))
)


@right("compile_network")
def returned_with_a_loss_of_its_own(network):
    def loss(y, logits):
        hot = ops.one_hot(ops.cast(ops.reshape(y, (-1,)), "int32"), 3)
        return keras.losses.categorical_crossentropy(hot, logits, from_logits=True)

    network.compile(keras.optimizers.Adam(1e-4), loss, metrics=["sparse_categorical_accuracy"])
    return network


for said, function in (
    (["not compiled"], lambda network: None),
    (["not compiled"], lambda network: (keras.optimizers.Adam(), from_logits())),
    (["without a loss"], compiled(loss=lambda: None)),
    (["from_logits=True", "probabilities"],
     compiled(loss=lambda: "sparse_categorical_crossentropy")),
    (["from_logits=True"], compiled(loss=keras.losses.SparseCategoricalCrossentropy)),
    (["from_logits=True"], compiled(loss=lambda: keras.losses.sparse_categorical_crossentropy)),
    (["one column per class"], compiled(loss=lambda: "categorical_crossentropy")),
    (["one column per class", "class numbers"],
     compiled(loss=lambda: keras.losses.CategoricalCrossentropy(from_logits=True))),
    (["several labels at once"],
     compiled(loss=lambda: keras.losses.BinaryCrossentropy(from_logits=True))),
    (["mse is for regression"], compiled(loss=lambda: "mse")),
    (["MeanSquaredError is for"], compiled(loss=keras.losses.MeanSquaredError)),
    (["loss hardly moves", "1e-06 too low", "90% are needed"],
     compiled(lambda: keras.optimizers.Adam(1e-6))),
    (["hardly move"], compiled(lambda: keras.optimizers.SGD(1e-5))),
    (["hardly move"], compiled(lambda: keras.optimizers.Adadelta(1e-3))),
    (["hardly move", "0.001 too low"], compiled(lambda: keras.optimizers.Ftrl(1e-3))),
    (["learns slowly", "1e-05 too low"], compiled(lambda: keras.optimizers.Adam(1e-5))),
    (["change too much", "rate of 10 too high", "are right, and", "below 1.1, the loss of"],
     compiled(lambda: keras.optimizers.Adam(10.0))),
    (["change too much", "the loss of guessing"], compiled(lambda: keras.optimizers.RMSprop(1.0))),
    (["change too much"], compiled(lambda: keras.optimizers.SGD(30.0))),
    (["stops with a ValueError"], compiled(metrics=[keras.metrics.CategoricalCrossentropy()])),
    (["stops in line", "ValueError"], compiled(lambda: "adamm")),
):  # fmt: skip
    wrong("compile_network", *said)(function)
