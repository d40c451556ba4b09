"""Attempts at the exercises of 03: predictions, scores, embeddings, verification."""

import keras
import numpy as np
import scipy.fft
from attempts import right, wrong
from keras import layers, ops
from scipy.interpolate import interp1d
from scipy.optimize import brentq
from sklearn.decomposition import PCA
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    det_curve,
    precision_recall_fscore_support,
    roc_auc_score,
    roc_curve,
)
from sklearn.preprocessing import StandardScaler, normalize


@right("predict_speaker")
def mean_of_softmax(logits, names):
    probability = scipy.special.softmax(logits, axis=1).mean(axis=0)
    return names[probability.argmax()], probability.max()


@right("predict_speaker")
def softmax_by_hand(logits, names):
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    ranked = sorted(zip((e / e.sum(axis=1, keepdims=True)).mean(axis=0), names, strict=True))
    return [str(ranked[-1][1]), float(ranked[-1][0])]


@right("predict_speaker")
def softmax_by_keras(logits, names):
    probability = ops.mean(ops.softmax(ops.convert_to_tensor(logits.astype("float32"))), axis=0)
    best = int(ops.argmax(probability))
    return names[best], float(probability[best])


def best_of(scores):
    """The name of the highest of some scores, and that score."""

    def predicted(logits, names):
        with np.errstate(all="ignore"):
            found = scores(logits)
        return names[np.argmax(found)], np.max(found)

    return predicted


def softmax(logits, axis=1):
    return scipy.special.softmax(logits, axis=axis)


def overflowing(logits):
    e = np.exp(logits)
    return (e / e.sum(axis=1, keepdims=True)).mean(axis=0)


def votes(logits):
    return np.bincount(logits.argmax(axis=1), minlength=logits.shape[1]) / len(logits)


for said, function in (
    (["softmax of the mean logits"], best_of(lambda x: softmax(x.mean(axis=0), axis=0))),
    (["sums over the crops"], best_of(lambda x: softmax(x).sum(axis=0))),
    (["a mean of logits"], best_of(lambda x: x.mean(axis=0))),
    (["counts votes"], best_of(votes)),
    (["large logits", "NaN", "infinite"], best_of(overflowing)),
    (["axis 0"], best_of(lambda x: softmax(x, axis=0).mean(axis=0))),
    (["all logits at once"], best_of(lambda x: softmax(x, axis=None).sum(axis=0))),
    (["in percent"], best_of(lambda x: 100 * softmax(x).mean(axis=0))),
    (["maximum over the crops"], best_of(lambda x: softmax(x).max(axis=0))),
    (["first crop alone"], best_of(lambda x: softmax(x)[0])),
    (["last crop alone"], best_of(lambda x: softmax(x)[-1])),
    (["sigmoid"], best_of(lambda x: scipy.special.expit(x.mean(axis=0)))),
    (["return the name"], lambda x, names: (softmax(x).mean(axis=0).argmax(),
                                              softmax(x).mean(axis=0).max())),
    (["name comes first"], lambda x, names: mean_of_softmax(x, names)[::-1]),
    (["4 values"], lambda x, names: (mean_of_softmax(x, names)[0], softmax(x).mean(axis=0))),
    (["but the probability is wrong"], best_of(lambda x: softmax(x).mean(axis=0) ** 2)),
    (["maximum of the mean"], best_of(lambda x: -softmax(x).mean(axis=0))),
    (["returns a str"], lambda x, names: mean_of_softmax(x, names)[0]),
    (["return the name"], lambda x, names: (np.array(names)[softmax(x).argmax(axis=1)], 0.5)),
    (["returns None"], lambda x, names: None),
):  # fmt: skip
    wrong("predict_speaker", *said)(function)


@right("macro_scores")
def scikit_learn_scores(truth, guess):
    scores = precision_recall_fscore_support(truth, guess, average="macro", zero_division=0)
    return scores[:3]


def per_class(truth, guess, classes, *, empty=0.0):
    rows = []
    for k in classes:
        hits = ((truth == k) & (guess == k)).sum()
        pairs = ((hits, (guess == k).sum()), (hits, (truth == k).sum()))
        precision, recall = (a / b if b else empty for a, b in pairs)
        rows.append([precision, recall, 2 * hits / ((guess == k).sum() + (truth == k).sum())])
    return np.array(rows)


@right("macro_scores")
def class_by_class(truth, guess):
    return per_class(truth, guess, sorted(set(truth) | set(guess))).mean(axis=0)


@right("macro_scores")
def from_the_confusion_matrix(truth, guess):
    table = confusion_matrix(truth, guess)
    hits = np.diag(table)
    precision = hits / np.maximum(table.sum(axis=0), 1)
    recall = hits / np.maximum(table.sum(axis=1), 1)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    return [precision.mean(), recall.mean(), f1.mean()]


def scored(average="macro", **options):
    def scores(truth, guess):
        options.setdefault("zero_division", 0)
        return precision_recall_fscore_support(truth, guess, average=average, **options)[:3]

    return scores


def f1_of_the_means(truth, guess):
    precision, recall, _ = scikit_learn_scores(truth, guess)
    return precision, recall, 2 * precision * recall / (precision + recall)


def classes_of_truth(truth, guess):
    return per_class(truth, guess, np.unique(truth)).mean(axis=0)


def not_a_number(truth, guess):
    return per_class(truth, guess, np.union1d(truth, guess), empty=np.nan).mean(axis=0)


def up_to_the_highest(truth, guess):
    rows = per_class(truth, guess, np.union1d(truth, guess))
    return rows.sum(axis=0) / (1 + max(*truth, *guess))


for said, function in (
    (["(micro)"], scored("micro")),
    (["weighted"], scored("weighted")),
    (["(micro)"], lambda truth, guess: [accuracy_score(truth, guess)] * 3),
    (["class 4", "never true"], classes_of_truth),
    (["class 3", "never guessed are missing"],
     lambda truth, guess: per_class(truth, guess, np.unique(guess)).mean(axis=0)),
    (["NaN", "0 / 0"], not_a_number),
    (["class 3", "counts as 1"], scored(zero_division=1)),
    (["class 3", "are missing"], scored(zero_division=np.nan)),
    (["no class 2", "neither in truth nor in guess"], up_to_the_highest),
    (["two means", "F1 of the classes"], f1_of_the_means),
    (["plain mean of both"], lambda t, g: (*(s := scikit_learn_scores(t, g))[:2],
                                           (s[0] + s[1]) / 2)),
    (["swapped"], lambda truth, guess: scikit_learn_scores(guess, truth)),
    (["comes first"], lambda t, g: [scikit_learn_scores(t, g)[k] for k in (1, 0, 2)]),
    (["order must be"], lambda t, g: [scikit_learn_scores(t, g)[k] for k in (2, 0, 1)]),
    (["percent"], lambda t, g: 100 * class_by_class(t, g)),
    (["one value per class"], lambda t, g: per_class(t, g, np.union1d(t, g)).T),
    (["first recall of each class"], lambda t, g: class_by_class(t, g) * [1, 0.9, 1]),
    (["4 things"], lambda t, g: precision_recall_fscore_support(
        t, g, average="macro", zero_division=0)),
    (["returns None"], lambda truth, guess: None),
):  # fmt: skip
    wrong("macro_scores", *said)(function)


@right("embedding_model")
def from_input_to_layer(network):
    return keras.Model(network.input, network.get_layer("embedding").output)


@right("embedding_model")
def found_among_the_layers(network):
    layer = next(layer for layer in network.layers if layer.name == "embedding")
    return keras.models.Model(inputs=network.inputs, outputs=[layer.output], name="embeddings")


def layers_up_to(network, name):
    names = [layer.name for layer in network.layers]
    return network.layers[1 : names.index(name) + 1]


for said, function in (
    (["itself", "logits"], lambda n: n),
    (["the logits"], lambda n: keras.Model(n.input, n.output)),
    (["layer 'relu'"], lambda n: keras.Model(n.input, n.layers[-2].output)),
    (["layer 'norm'"], lambda n: keras.Model(n.input, n.get_layer("norm").output)),
    (["layer 'sum'"], lambda n: keras.Model(n.input, n.layers[-5].output)),
    (["weights are new"], lambda n: from_input_to_layer(keras.models.clone_model(n))),
    (["2 of its", "new and untrained"],
     lambda n: keras.Model(n.input, layers.Dense(4, name="embedding")(n.layers[2].output))),
    (["2 outputs"],
     lambda n: keras.Model(n.input, [n.get_layer("embedding").output, n.output])),
    (["function"], lambda n: lambda x: from_input_to_layer(n).predict(x)),
    (["Keras tensor"], lambda n: n.get_layer("embedding").output),
    (["the layer alone"], lambda n: n.get_layer("embedding")),
    (["returns a ndarray"],
     lambda n: from_input_to_layer(n).predict(np.zeros((2, *n.input_shape[1:])), verbose=0)),
    (["input has the shape (None, 5)"],
     lambda n: keras.Sequential([keras.Input((5,)), n.get_layer("embedding")])),
    (["begin with `keras.Input`"], lambda n: keras.Sequential([layers.Dense(4)])),
    (["is not that of layer 'embedding'"], lambda n: keras.Model(
        n.input, layers.Normalization(mean=0.0, variance=2.0)(n.get_layer("embedding").output))),
    (["returns None"], lambda n: None),
    (["stops in line", "embeddings"], lambda n: keras.Model(n.input,
                                                            n.get_layer("embeddings").output)),
):  # fmt: skip
    wrong("embedding_model", *said)(function)


@right("three_components")
def by_svd(embeddings):
    centred = embeddings - embeddings.mean(axis=0)
    return centred @ np.linalg.svd(centred, full_matrices=False)[2][:3].T


@right("three_components")
def by_scikit_learn(embeddings):
    return PCA(3).fit_transform(embeddings)


@right("three_components")
def by_covariance(embeddings):
    values, vectors = np.linalg.eigh(np.cov(embeddings.astype(float), rowvar=False))
    return (embeddings - embeddings.mean(axis=0)) @ vectors[:, np.argsort(-values)[:3]]


def projected(points, directions):
    return points @ directions[:3].T


def directions_of(points):
    return np.linalg.svd(points)[2]


def centre(points):
    return points - points.mean(axis=0)


def of_rows(embeddings):
    return np.linalg.eigh(np.cov(embeddings.astype(float)))[1][:, ::-1][:, :3]


for said, function in (
    (["not centred: subtract the mean of each"], lambda e: projected(e, directions_of(e))),
    (["before the SVD"], lambda e: projected(centre(e), directions_of(e))),
    (["directions are right"], lambda e: projected(e, directions_of(centre(e)))),
    (["the directions:"], lambda e: directions_of(centre(e))[:3]),
    (["the directions:"], lambda e: PCA(3).fit(e).components_.T),
    (["reversed: the component"], lambda e: by_svd(e)[:, ::-1]),
    (["least variance"],
     lambda e: centre(e) @ np.linalg.eigh(np.cov(e.astype(float).T))[1][:, :3]),
    (["reversed: the component"],
     lambda e: centre(e) @ np.linalg.eigh(np.cov(e.astype(float).T))[1][:, -3:]),
    (["least variance"], lambda e: centre(e) @ directions_of(centre(e))[-3:].T),
    (["divided by its deviation"],
     lambda e: PCA(3).fit_transform(StandardScaler().fit_transform(e))),
    (["length 1"], lambda e: PCA(3).fit_transform(normalize(e))),
    (["whitened"], lambda e: PCA(3, whiten=True).fit_transform(e)),
    (["U of the SVD"], lambda e: np.linalg.svd(centre(e))[0][:, :3]),
    (["mean of each row"], lambda e: by_svd(e - e.mean(axis=1, keepdims=True))),
    (["first three columns"], lambda e: centre(e)[:, :3]),
    (["first component is missing"], lambda e: PCA(4).fit_transform(e)[:, 1:]),
    (["shape (60, 2)", "components is off by one"], lambda e: PCA(2).fit_transform(e)),
    (["wrong way round"], lambda e: by_svd(e).T),
    (["variances"], of_rows),
    (["variances"], lambda e: by_svd(e)[:, [0, 2, 1]]),
    (["returns a PCA"], lambda e: PCA(3).fit(e)),
    (["returns None"], lambda e: None),
):  # fmt: skip
    wrong("three_components", *said)(function)


def both_rates(scores, is_target):
    thresholds = np.append(np.unique(scores), np.inf)
    miss = np.array([(scores[is_target] < t).mean() for t in thresholds])
    false_alarm = np.array([(scores[~is_target] >= t).mean() for t in thresholds])
    return thresholds, miss, false_alarm


@right("equal_error_rate")
def interpolated(scores, is_target):
    _, miss, false_alarm = both_rates(scores, is_target)
    k = np.argmax(miss >= false_alarm)
    gap = (miss - false_alarm)[k - 1 : k + 1]
    return np.interp(0, gap, miss[k - 1 : k + 1])


@right("equal_error_rate")
def by_root(scores, is_target):
    fpr, tpr, _ = roc_curve(is_target, scores)
    return brentq(lambda x: 1 - x - interp1d(fpr, tpr)(x), 0, 1)


@right("equal_error_rate")
def nearest_point(scores, is_target):
    _, miss, false_alarm = both_rates(scores, is_target)
    k = np.nanargmin(np.abs(miss - false_alarm))
    return (miss[k] + false_alarm[k]) / 2


@right("equal_error_rate")
def by_detection_error(scores, is_target):
    false_alarm, miss, _ = det_curve(is_target, scores)
    k = np.argmin(np.abs(miss - false_alarm))
    return np.mean([miss[k], false_alarm[k]])


@right("equal_error_rate")
def nearest_of_all_points(scores, is_target):
    fpr, tpr, _ = roc_curve(is_target, scores, drop_intermediate=False)
    return fpr[np.argmin(np.abs(1 - tpr - fpr))]


def at_half(scores, is_target):
    return (scores[is_target] < 0.5).mean(), (scores[~is_target] >= 0.5).mean()


def where_equal(value):
    """Something else at the threshold at which both rates are equal."""

    def found(scores, is_target):
        thresholds, miss, false_alarm = both_rates(scores, is_target)
        k = np.argmax(miss >= false_alarm)
        return value(thresholds[k], scores, is_target)

    return found


def over_all_pairs(scores, is_target):
    thresholds = np.append(np.unique(scores), np.inf)
    miss = np.array([(is_target & (scores < t)).mean() for t in thresholds])
    false_alarm = np.array([(~is_target & (scores >= t)).mean() for t in thresholds])
    return miss[np.argmin(np.abs(miss - false_alarm))]


def dropped_points(scores, is_target):
    fpr, tpr, _ = roc_curve(is_target, scores)
    return fpr[np.nanargmin(np.abs(1 - tpr - fpr))]


def least_errors(scores, is_target):
    return min(((scores >= t) != is_target).mean() for t in [*np.unique(scores), np.inf])


for said, function in (
    (["1 - EER"], lambda s, t: 1 - interpolated(s, t)),
    (["in percent"], lambda s, t: 100 * interpolated(s, t)),
    (["area under"], lambda s, t: roc_auc_score(t, s)),
    (["above the ROC curve"], lambda s, t: 1 - roc_auc_score(t, s)),
    (["mean of both rates at a threshold of 0.5"], lambda s, t: sum(at_half(s, t)) / 2),
    (["miss rate at a threshold"], lambda s, t: at_half(s, t)[0]),
    (["false alarm rate at a threshold"], lambda s, t: at_half(s, t)[1]),
    (["accuracy at"], lambda s, t: ((s >= 0.5) == t).mean()),
    (["the threshold; return"], where_equal(lambda threshold, s, t: threshold)),
    (["both rates are shares of all pairs"], over_all_pairs),
    (["least share of errors"], least_errors),
    (["best accuracy"], lambda s, t: 1 - least_errors(s, t)),
    (["drop_intermediate"], dropped_points),
    (["least mean of both"],
     lambda s, t: min((m + f) / 2 for m, f in zip(*both_rates(s, t)[1:], strict=True))),
    (["between 0 and 1"], lambda s, t: -1.0),
    (["are equal"], lambda s, t: interpolated(s, t) / 2 + 0.01),
    (["one number"], lambda s, t: both_rates(s, t)[1]),
    (["returns None"], lambda s, t: None),
):  # fmt: skip
    wrong("equal_error_rate", *said)(function)
