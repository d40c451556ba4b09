"""Speaker verification: scores of pairs of embeddings, and the equal error rate."""

import numpy as np
from sklearn.metrics import det_curve
from sklearn.preprocessing import normalize

NEAREST = 100  # embeddings of the cohort that a score is normalised by


def cosine_similarity(a, b, *, cohort=None):
    """Cosine similarity of each embedding of a with each of b: float (n, m).

    a: (n, d). b: (m, d). cohort: (k, d), embeddings of other speakers, or None. With a cohort the
    scores are normalised: a score is compared with the scores of each of its two sides with the
    nearest of the cohort (adaptive symmetric normalisation, Matějka et al. 2017), so that a voice
    that resembles many others gets lower scores.
    """
    a, b = normalize(np.asarray(a, float)), normalize(np.asarray(b, float))
    cosine = a @ b.T
    if cohort is None:
        return cosine
    cohort = normalize(np.asarray(cohort, float))

    def against_cohort(side):
        nearest = np.sort(side @ cohort.T, axis=1)[:, -NEAREST:]
        return nearest.mean(axis=1), np.maximum(nearest.std(axis=1), 1e-6)

    (mean_a, std_a), (mean_b, std_b) = against_cohort(a), against_cohort(b)
    return ((cosine - mean_a[:, None]) / std_a[:, None] + (cosine - mean_b[None]) / std_b[None]) / 2


def verification_trials(embeddings, speakers, *, cohort=None):
    """Every pair of utterances: (scores, is_target), float and bool (n (n - 1) / 2,).

    embeddings: (n, d). speakers: (n,). is_target: the pair has one speaker. cohort: see
    `cosine_similarity`.
    """
    speakers = np.asarray(speakers)
    first, second = np.triu_indices(len(speakers), k=1)
    scores = cosine_similarity(embeddings, embeddings, cohort=cohort)[first, second]
    return scores, speakers[first] == speakers[second]


def equal_error_rate(scores, is_target):
    """(rate, threshold) where the share of missed targets equals that of accepted non-targets.

    scores: float (n,). is_target: bool (n,). Between two points of the DET curve the rate is
    interpolated. Raises ValueError if all trials are of one kind.
    """
    false_alarm, miss, threshold = det_curve(is_target, scores)
    # The end of the curve, where nothing is accepted: det_curve before 1.7 leaves it out.
    difference = np.append(miss - false_alarm, 1.0)
    rate = np.interp(0.0, difference, np.append(false_alarm, 0.0))
    return float(rate), float(np.append(threshold, np.inf)[np.argmax(difference >= 0)])
