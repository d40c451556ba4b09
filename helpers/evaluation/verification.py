"""Is it the same speaker? Scores of pairs of embeddings, and the errors at every threshold."""

import numpy as np
from sklearn.metrics import det_curve

NEAREST = 100  # of the cohort, that a score is normalised by


def unit_length(embeddings):
    """Embeddings scaled to length 1. (…, n) → (…, n)."""
    embeddings = np.asarray(embeddings, float)
    length = np.linalg.norm(embeddings, axis=-1, keepdims=True)
    return embeddings / np.maximum(length, 1e-12)


def cosine_similarity(a, b, *, cohort=None):
    """Score of each embedding of a with each of b; higher: more likely the same speaker.

    a: (n, d). b: (m, d). cohort: (k, d), of speakers that are in neither; None: the cosine alone.
    With it each cosine is measured against those of its two sides with their nearest in the cohort
    (adaptive symmetric score normalisation, Matějka et al. 2017): a voice that resembles everybody
    gets lower scores. Returns float (n, m).
    """
    a, b = unit_length(a), unit_length(b)
    cosine = a @ b.T
    if cohort is None:
        return cosine
    cohort = unit_length(cohort)

    def against_cohort(side):
        nearest = np.sort(side @ cohort.T, axis=1)[:, -NEAREST:]
        return nearest.mean(axis=1), np.maximum(nearest.std(axis=1), 1e-6)

    (mean_a, std_a), (mean_b, std_b) = against_cohort(a), against_cohort(b)
    return ((cosine - mean_a[:, None]) / std_a[:, None] + (cosine - mean_b[None]) / std_b[None]) / 2


def verification_trials(embeddings, speakers, *, cohort=None):
    """Every pair of utterances: (scores, is_target), float and bool (n (n - 1) / 2,).

    embeddings: (n, d). speakers: (n,). is_target: both of one speaker. cohort: see `similarity`.
    """
    speakers = np.asarray(speakers)
    pairs = np.triu_indices(len(speakers), k=1)
    same = speakers[pairs[0]] == speakers[pairs[1]]
    return cosine_similarity(embeddings, embeddings, cohort=cohort)[pairs], same


def equal_error_rate(scores, is_target):
    """(rate, threshold) where as large a share of targets is missed as of others is accepted.

    scores: float (n,). is_target: bool (n,), with both kinds. Between two points of the curve the
    rate is interpolated. Built in 03_speaker_identification.
    """
    false_alarm, miss, threshold = det_curve(is_target, scores)
    # Towards higher thresholds misses grow and false alarms shrink; det_curve leaves out the ends.
    false_alarm, miss = np.append(false_alarm, 0.0), np.append(miss, 1.0)
    threshold = np.append(threshold, np.inf)
    after = int(np.argmax(miss >= false_alarm))
    if after == 0:
        return float(min(miss[0], false_alarm[0])), float(threshold[0])
    gap = false_alarm - miss
    share = gap[after - 1] / (gap[after - 1] - gap[after])
    rate = false_alarm[after - 1] + share * (false_alarm[after] - false_alarm[after - 1])
    return float(rate), float(threshold[after])
