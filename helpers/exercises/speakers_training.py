"""The checks of 03_speaker_identification: parameters, optimiser and loss."""

import math

import numpy as np

from helpers.exercises.engine import Wrong, call, case, check
from helpers.exercises.judges import need_number, need_parts, say_first
from helpers.exercises.judges_networks import parts_of, run


@check(
    "3.12",
    "the number of parameters",
    "A network has a list of all its weights (`weights`) and of those that training changes "
    "(`trainable_weights`).",
    "Each weight is an array: how many numbers does an array of this shape hold?",
    "Sum the products of the shapes (`np.prod`), for both lists. The lists hold a layer that is "
    "used twice only once.",
)
def parameter_count(attempt):
    """parameter_count(network) → (trainable, all)."""
    for what, network in _counted():
        trainable, every = (
            sum(math.prod(w.shape) for w in weights)
            for weights in (network.trainable_weights, network.weights)
        )
        with case(what):
            found = call(attempt, network)
            found = need_parts(found, "trainable", "all")
            found = tuple(need_number(value, what="a number of parameters") for value in found)
            if found == (trainable, every):
                continue
            told = f"it returns ({found[0]:g}, {found[1]:g}), where {(trainable, every)} is right"
            fixed = every - trainable
            drops = any("Dropout" in type(part).__name__ for part in parts_of(network))
            arrays = len(network.trainable_weights), len(network.weights)
            say_first(
                (found == (every, trainable), "the trainable ones come first"),
                (found == (trainable, fixed), "the second number counts all, not only the others"),
                (found == arrays, "these are arrays; count the numbers in them"),
                (found == (every, every), f"training does not change {fixed} of them"),
                (found == (trainable, trainable), "the second number includes what training does "
                 "not change"),
                (found[1] > every and drops, "the random state of dropout is not a weight"),
                told=f"{told}: ",
            )  # fmt: skip
            parts = [network, *parts_of(network)]
            is_frozen = not all(getattr(part, "trainable", True) for part in parts)
            more = found[0] > trainable and found[1] == every
            is_shared = len(set(map(id, parts))) < len(parts)
            say_first(
                (more and is_frozen, "frozen layers are not trainable (layer.trainable)"),
                (found[1] > every or (more and is_shared), "count the weights of a layer that is "
                 "used twice only once"),
                (found[1] < every, "some are missing. Does the network contain another model?"),
                (True, "count the numbers in `trainable_weights`, and in `weights`"),
                told=f"{told}: ",
            )  # fmt: skip


def _counted():
    """Networks whose parameters are counted: (what it is, network); zeros are quick to make."""
    import keras
    from keras import layers

    def dense(units, **options):
        return layers.Dense(units, kernel_initializer="zeros", **options)

    inputs = keras.Input((5,))
    yield "two dense layers", keras.Model(inputs, dense(3)(dense(4)(inputs)))
    x = layers.Dropout(0.5)(layers.BatchNormalization()(dense(4, use_bias=False)(inputs)))
    yield "with batch normalisation and dropout", keras.Model(inputs, dense(3)(x))
    frozen = dense(6, trainable=False)
    x = layers.BatchNormalization()(frozen(inputs))
    yield "with a frozen layer", keras.Model(inputs, dense(3)(x))
    shared = dense(5)
    inner_input = keras.Input((5,))
    inner = keras.Model(inner_input, layers.BatchNormalization()(shared(inner_input)))
    yield (
        "with a model in it, whose layer is used outside too",
        keras.Model(inputs, dense(2)(inner(shared(shared(inputs))))),
    )
    network = keras.Model(inputs, dense(3)(inputs))
    network.trainable = False
    yield "frozen as a whole", network


EPOCHS = 7  # of exercise 3.13: enough for every usual optimiser


@check(
    "3.13",
    "an optimiser and a loss",
    "The network gives logits, and the labels are class numbers: which cross-entropy takes these?",
    "`keras.losses.SparseCategoricalCrossentropy` takes class numbers as labels; set from_logits.",
    '`network.compile(optimizer=…, loss=…, metrics=["accuracy"])`: Adam with a learning rate of '
    "about 1e-3 is a good start, and the loss needs from_logits=True.",
)
def compile_network(attempt):
    """compile_network(network) → nothing, or the network; compiled for labels and logits."""
    import keras

    x, y, network = _easy_problem()
    found = call(attempt, network)
    network = found if isinstance(found, keras.Model) else network
    before = network.get_weights()
    if not getattr(network, "compiled", False):
        raise Wrong("the network is not compiled: call `network.compile` with optimizer and loss")
    if network.loss is None:
        raise Wrong("it is compiled without a loss: it would learn nothing")
    _explain_loss(network)
    try:
        fitted = network.fit(x, y, batch_size=10, epochs=EPOCHS, shuffle=False, verbose=0)
    except Exception as error:  # of a wrong metric or a wrong loss
        raise Wrong(f"training stops with a {type(error).__name__}: {_first_line(error)}") from None
    history = fitted.history["loss"]
    share = np.mean(run(network, x, training=False).argmax(axis=1) == y)
    most = np.fmin(history[0], np.log(3))  # of the first epoch, and of guessing
    if share >= 0.9 and history[-1] < most:
        return
    rate = float(keras.ops.convert_to_numpy(network.optimizer.learning_rate))
    told = f"after {EPOCHS} epochs on three well separated classes {share:.0%} are right"
    if share < 0.9:
        told += " (90% are needed)"
    told += f", and the loss went from {history[0]:.3g} to {history[-1]:.3g}"
    if history[-1] >= history[0]:
        told += " (it has to fall)"
    elif not history[-1] < most:
        told += f" (it has to fall below {most:.2g}, the loss of guessing)"
    told += ". "
    after = network.get_weights()
    moved = max(np.abs(a - b).max() for a, b in zip(before, after, strict=True))
    largest, largest_before = (max(np.abs(w).max() for w in all_) for all_ in (after, before))
    is_level = max(history) - min(history) < 0.1 * abs(history[0])
    if not np.isfinite([moved, *history]).all() or (moved > 1 and largest > 1.5 * largest_before):
        raise Wrong(f"{told}The weights change too much: is a rate of {rate:.3g} too high?")
    if is_level:  # even if the weights changed a lot, for example all to 0
        raise Wrong(f"{told}The loss hardly moves: is a learning rate of {rate:.3g} too low?")
    if moved < 0.1:
        raise Wrong(f"{told}It learns slowly: is a learning rate of {rate:.3g} too low?")
    raise Wrong(f"{told}Do optimiser and loss suit class numbers as labels, and logits?")


def _easy_problem():
    """Three clouds of points, their classes, and a small network for them with fixed weights."""
    import keras
    from keras import layers

    rng = np.random.default_rng(313)
    y = rng.permutation(np.arange(200) % 3)
    centres = np.array([[1.8, 0, 0, -1.2], [0, 1.8, -1.2, 0], [-1.8, -1.8, 1.2, 1.2]])
    x = (centres[y] + 0.8 * rng.standard_normal((200, 4))).astype(np.float32)
    inputs = z = keras.Input((4,))
    for units, activation in ((96, "relu"), (96, "relu"), (3, None)):
        z = layers.Dense(units, activation=activation, kernel_initializer="zeros")(z)
    network = keras.Model(inputs, z)
    network.set_weights(
        [rng.normal(0, len(w) ** -0.5, w.shape) if w.ndim > 1 else w for w in network.get_weights()]
    )
    return x, y, network


def _explain_loss(network):
    """Raise Wrong if the loss does not suit class numbers as labels, and logits."""
    from keras import ops

    loss = network.loss
    if isinstance(loss, dict | list | tuple) and len(loss) == 1:
        loss = next(iter(loss.values() if isinstance(loss, dict) else loss))
    name = loss if isinstance(loss, str) else getattr(loss, "__name__", type(loss).__name__)
    plain = name.lower().replace("_", "")
    integers = "the labels are class numbers, which SparseCategoricalCrossentropy takes"
    if plain.startswith("categorical"):
        raise Wrong(f"the loss {name} needs labels of 0 and 1, one column per class: {integers}")
    if plain.startswith(("binary", "bce")):
        raise Wrong(f"the loss {name} is for two classes or several labels at once: {integers}")
    if plain.startswith(("mean", "mse", "mae", "huber", "logcosh", "cosine", "kl")):
        raise Wrong(f"the loss {name} is for regression, not for classes: {integers}")
    logits = np.array([[2.0, -1.0, 0.5], [0.0, 3.0, 1.0]], np.float32)
    right = np.mean(np.log(np.exp(logits).sum(axis=1)) - logits[[0, 1], [0, 2]])
    try:
        value = network.compute_loss(
            x=None, y=ops.convert_to_tensor([0, 2]), y_pred=ops.convert_to_tensor(logits)
        )
        value = float(ops.convert_to_numpy(value))
    except Exception as error:
        raise Wrong(
            f"the loss {name} stops with a {type(error).__name__}: {_first_line(error)}"
        ) from None
    if not np.isclose(value, right, rtol=1e-3) and plain.startswith("sparse"):
        raise Wrong(f"the loss {name} expects probabilities, not logits: from_logits=True")


def _first_line(error):
    """The first line of an error, for a message."""
    return next((line.strip()[:200] for line in str(error).splitlines() if line.strip()), "")
