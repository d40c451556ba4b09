"""What a network of notebook 03 learns from real recordings; test_kaggle.py has those of 04."""

import numpy as np
import pandas as pd
import pytest
from notebook_runs import REAL
from sklearn.preprocessing import normalize

from helpers import data, env, evaluation, features, models, training


@pytest.mark.real
@pytest.mark.skipif(not (REAL / "speakers").is_dir(), reason="no real speakers here")
def test_real_speakers_are_recognised_and_strangers_told_apart(tmp_path):
    """As in notebook 03: 24 speakers in training, and verification of eight who were not."""
    table, errors = data.clip_table(data.Dataset("speakers", REAL / "speakers", "local"))
    assert table["label"].nunique() == 32 and errors.empty
    table, _ = data.hold_out(table, share=0.3, seed=0)
    speaker, held_out = pd.factorize(table["label"])[0], table["held_out"].to_numpy()
    mel = features.Frontend(sr=16000, n_fft=1024, hop_length=200, n_mels=256)
    mfcc = features.ClipInput(mel, n_mfcc=256, pooled=True, crop_s=3.0)
    options = {"cache_dir": tmp_path, "progress": False}
    found, unreadable = features.extract_frames(table["path"], {"mfcc": mfcc}, **options)
    assert unreadable.empty

    def frames_of(rows):
        return [found["mfcc"][row] for row in rows]

    fit, tested = (np.flatnonzero((speaker < 24) & part) for part in (~held_out, held_out))
    env.seed_everything(0)
    mean, variance = models.moments(frames_of(fit))
    network = models.dense(mfcc, 24, mean=mean, variance=variance)
    batches = training.CropBatches(frames_of(fit), speaker[fit], mfcc)
    n_steps = 30 * len(batches)
    training.compile_network(network, models.margin_loss(), n_steps=n_steps, learning_rate=0.002)
    training.run_epochs(network, batches, epochs=30, progress=False)

    logits, clip = models.outputs_of_crops(network, frames_of(tested), mfcc)
    assert (logits.argmax(axis=1) == speaker[tested][clip]).mean() >= 0.94
    guess = models.mean_of_clips(logits, clip).argmax(axis=1)
    assert (guess == speaker[tested]).mean() >= 0.97

    strangers = np.flatnonzero(speaker >= 24)
    embedding = models.embedding_model(network)
    embedded, clip = models.outputs_of_crops(embedding, frames_of(strangers), mfcc)
    embedded = models.mean_of_clips(normalize(embedded.astype(float)), clip)
    trials = evaluation.verification_trials(embedded, speaker[strangers])
    assert evaluation.equal_error_rate(*trials)[0] <= 0.1
