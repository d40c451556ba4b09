"""The checks of 03_speaker_identification: embeddings and their principal components."""

import numpy as np

from helpers.exercises.engine import Wrong, call, case, check
from helpers.exercises.judges import need_array, need_numbers, need_value
from helpers.exercises.judges_networks import fits_shape, need_model, run


@check(
    "3.16",
    "a network that ends at the embedding",
    "Make a model from an input and an output that exist already; make no new layer.",
    "A network has `input`, and `get_layer` finds a layer by its name; a layer has `output`.",
    "`keras.Model(…, …)` with the network's input and the output of `network.get_layer(…)`.",
)
def embedding_model(attempt):
    """embedding_model(network) → keras.Model, up to the layer "embedding", with its weights."""
    import keras

    rng = np.random.default_rng(316)
    for what, network, x in _with_embeddings(rng):
        embedding = network.get_layer("embedding")
        with case(what):
            found = call(attempt, network)
            if callable(found) and not isinstance(found, keras.layers.Layer):
                raise Wrong("it returns a function: a `keras.Model` is needed")
            need_value(found)
            if found is embedding:
                raise Wrong("it returns the layer alone: a `keras.Model` from the network's input "
                            "to this layer's output is needed")  # fmt: skip
            if found is network:
                raise Wrong("it returns the network itself, which ends with the logits")
            shape, given = need_model(found)
            if isinstance(given, list | dict) and len(given) > 1:
                raise Wrong(f"it has {len(given)} outputs: return only that of layer 'embedding'")
            if not fits_shape(shape, network.input_shape):
                raise Wrong(
                    f"its input has the shape {shape}, but that of the network is "
                    f"{network.input_shape}: use the input of the network"
                )
            known = {id(weight) for weight in network.weights}
            new = [weight for weight in found.weights if id(weight) not in known]
            if new:
                raise Wrong(
                    f"{len(new)} of its {len(found.weights)} weights are new and untrained: use "
                    "the layers of the network, make or copy none"
                )
            output = run(found, x, training=False)
            _explain_embedding(output, network, x, embedding.name)


def _with_embeddings(rng):
    """Networks with a layer "embedding": (what it is, network, x)."""
    import keras
    from keras import layers

    def named(kind, *arguments, **options):
        if kind in (layers.Dense, layers.Conv1D):
            options["kernel_initializer"] = "zeros"
        return kind(*arguments, **options)

    inputs = keras.Input((6,))
    x = named(layers.Dense, 5, activation="relu", name="hidden")(inputs)
    x = layers.Add(name="sum")([x, named(layers.Dense, 5, name="shortcut")(inputs)])
    x = named(layers.Dense, 4, name="embedding")(x)
    x = layers.ReLU(name="relu")(layers.BatchNormalization(name="norm")(x))
    dense = keras.Model(inputs, named(layers.Dense, 4, name="logits")(x))
    inputs = keras.Input((10, 3))
    x = named(layers.Conv1D, 5, 3, name="convolution")(inputs)
    x = layers.GlobalAveragePooling1D(name="pool")(x)
    x = named(layers.Dense, 5, activation="relu", name="embedding")(x)
    x = layers.Dropout(0.5, name="dropout")(x)
    convolution = keras.Model(inputs, named(layers.Dense, 4, name="logits")(x))
    for what, network in (("dense layers", dense), ("convolutions", convolution)):
        for weight in network.weights:
            values = rng.normal(size=weight.shape)
            weight.assign(abs(values) + 0.1 if "variance" in weight.name else values)
        shape = (5, *network.input_shape[1:])
        yield f"a network of {what}", network, rng.normal(size=shape).astype(np.float32)


def _explain_embedding(found, network, x, name):
    """Raise Wrong unless `found` is the output of the layer."""
    import keras

    layers = network.layers[1:]
    outputs = keras.Model(network.input, [layer.output for layer in layers])(x, training=False)
    outputs = [keras.ops.convert_to_numpy(output) for output in outputs]
    # Several may have the same output: dropout changes nothing here.
    same = [
        layer.name
        for layer, output in zip(layers, outputs, strict=True)
        if output.shape == found.shape and np.abs(output - found).max() < 1e-4
    ]
    if name in same:
        return
    if same:
        what = "the logits" if same[0] == layers[-1].name else f"the output of layer {same[0]!r}"
        raise Wrong(f"it returns {what}, but that of layer {name!r} is asked for")
    raise Wrong(f"its output, of shape {found.shape}, is not that of layer {name!r}")


@check(
    "3.17",
    "three principal components",
    "Principal components are the directions, from the mean, of largest variance.",
    "Subtract the mean of every column. The rows of the third part of the SVD are the directions, "
    "that of the largest variance first.",
    "Return not the directions but the coordinates of the points along them: the centred "
    "embeddings times the first three directions, (n, d) @ (d, 3).",
)
def three_components(attempt):
    """three_components(embeddings) → float (n, 3), the first three principal components."""
    rng = np.random.default_rng(317)
    for what, n, d, dtype in (
        ("60 embeddings of 8 values", 60, 8, np.float64),
        ("12 embeddings of 20 values", 12, 20, np.float32),
    ):
        turn = np.linalg.qr(rng.normal(size=(d, d)))[0]
        cloud = rng.normal(size=(n, d)) * 5.0 / (1 + np.arange(d)) @ turn
        embeddings = (cloud + rng.normal(0, 6, d)).astype(dtype)
        with case(what):
            found = need_numbers(call(attempt, embeddings), axes=("n", "3"))
            if found.shape in ((3, d), (d, 3)):
                raise Wrong(
                    f"it returns shape {found.shape}, the directions: {(n, 3)} is needed, the "
                    "coordinates of the embeddings along them"
                )
            found = need_array(found, shape=(n, 3), axes=("n", "components"))
            right, ways = _components(embeddings.astype(float))
            if _is_same_but_for_signs(found, right):
                continue
            for other, name in ways:
                if _is_same_but_for_signs(found, other):
                    raise Wrong(name)
            spread, wanted = (array.var(axis=0).round(2).tolist() for array in (found, right))
            raise Wrong(
                f"its columns have the variances {spread}, where {wanted} are those of the first "
                "three principal components"
            )


def _components(given):
    """(the first three components, [(what a known mistake gives, what is wrong)])."""
    n, d = given.shape
    mean = np.average(given, axis=0)
    directions = np.linalg.svd(given - mean)[2]
    every = (given - mean) @ directions.T
    right = every[:, :3]
    raw = np.linalg.svd(given)[2][:3]
    deviation = given.std(axis=0)
    length = np.linalg.norm(given, axis=1, keepdims=True)

    def turned(points):
        points = points - np.average(points, axis=0)
        return points @ np.linalg.svd(points)[2][:3].T

    first = min(n, d)
    ways = [
        (given @ raw.T, "the embeddings are not centred: subtract the mean of each column first"),
        ((given - mean) @ raw.T, "the directions are those of embeddings that are not centred: "
         "subtract the mean of each column before the SVD"),
        (given @ directions[:3].T, "the directions are right, but the projected embeddings are not "
         "centred: subtract the mean there too"),
        (right[:, ::-1], "the order is reversed: the component with the largest variance comes "
         "first"),
        (every[:, first - 3 : first], "these are the components with the least variance"),
        (every[:, first - 3 : first][:, ::-1], "these are the components with the least variance"),
        (every[:, d - 3 :], "these are the components with the least variance"),
        (every[:, d - 3 :][:, ::-1], "these are the components with the least variance: `eigh` "
         "returns them in rising order"),
        (every[:, 1:4], "the first component is missing"),
        (turned(given / deviation), "each column is divided by its deviation first: only centre "
         "it"),
        (turned(given / length), "each embedding is scaled to length 1 first: only centre it"),
        (turned(given - np.average(given, axis=1)[:, None]), "the mean of each row is subtracted: "
         "subtract the mean of each column (axis 0)"),
        ((given - mean)[:, :3], "these are the first three columns: the projection is missing"),
    ]  # fmt: skip
    whitened = right / right.std(axis=0)
    for scale in (1, n**-0.5, ((n - 1) / n) ** 0.5, (n - 1) ** -0.5):
        ways.append((
            whitened * scale,
            "all three columns have the same variance (whitened, or U of the SVD alone): keep the "
            "variance of the embeddings in each direction",
        ))  # fmt: skip
    return right, ways


def _is_same_but_for_signs(found, right):
    """Whether the columns agree up to their signs."""
    signs = np.where((found * right).sum(axis=0) < 0, -1, 1)
    scale = max(np.abs(right).max(), 1e-9)
    return np.abs(found - signs * right).max() < 2e-3 * scale
