# %% [markdown]
# # 05 · Counting the calls of the capuchinbird
#
# {{badges}}
#
# The call of the capuchinbird of the Amazon sounds like a cow and a chainsaw. Someone left
# recorders in the forest and asks a simple question: *how many calls are in each recording?*
# We train a small network on short clips, let it count, and find out how far we can trust it.

# %% [markdown]
# **You will learn** to look for shortcuts in a data set before a network finds them · to compare
# a linear and a mel spectrogram as input · to mix training scenes from clips · to split by
# source · to choose a threshold without looking at the recordings that are counted · to turn a
# score over time into events, and events into a count with an error bar.
#
# **Exercises** are marked. The check under each says what is not right yet. `checks.hint("5.1")`
# gives a hint; call it again for the next one. The lesson itself uses the package's functions, so
# it runs whatever you write.
#
# **You should know** what a spectrogram is, and have seen a convolutional network.
#
# **Data contract**
#
# - *reads* `Parsed_Capuchinbird_Clips/`, `Parsed_Not_Capuchinbird_Clips/` (to train),
#   `Forest Recordings/` (to count) and, if they exist, the true `counts.csv` and `calls.csv` (the
#   *key*); with `MODEL_PATH` any folder of sound files, and nothing is trained
# - *writes* to `OUTPUT_DIR`: `results.csv`, `recordings.csv`, `events.csv`, `density.csv`,
#   `damage.csv`, `errors.csv`, `labels/`, `timeline.png`, `metrics.json`; after training also
#   `model.keras`, reports and figures
# - *without data* a synthetic data set of the same layout is made, with an exact key

# %%
# {{set-up}}

from helpers import env

env.setup()

# %%
import json
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import Audio, Markdown, display

from helpers import (
    audio,
    augmentation,
    data,
    detection,
    evaluation,
    features,
    files,
    models,
    parallel,
)
from helpers import exercises as checks
from helpers.augmentation import loudness
from helpers.display import detection_plots, plots, widgets

# %% [markdown]
# ## Parameters
#
# Everything that you may want to change is here; a batch job sets the same names from outside.
# With a `MODEL_PATH` nothing is trained: sections 1 to 9, the search for known calls (11), the
# stress test (12) and section 13 then show no results.

# %% tags=["parameters"]
DATA_DIR = ""  # folder of the data set or of your own recordings; "": search for it
OUTPUT_DIR = ""  # "": outputs/05_capuchin_call_counter
SEED = 0
SPECTROGRAM = "mel"  # input of the counter: "mel" or "linear"; MODEL_PATH has its own
EPOCHS = 10
STEPS_PER_EPOCH = 100  # batches of 8 scenes
N_FOLDS = 5  # networks per input, each trained without one fold
MAX_CLIPS = 0  # 0: all
MAX_RECORDINGS = 0  # 0: all
SCENES_PER_FOLD = 64  # held-out scenes of one minute, to choose the threshold on
SCORE_STEP_S = 0.16  # time between two scores, 0.1 to 0.25 s; MODEL_PATH has its own
CHANNEL = "mean"  # counted: the mean of all channels, the number of one (1, 2, …), or "each"
SALVAGE = False  # True: count what can be decoded of damaged recordings
THRESHOLD = 0.0  # 0: choose it on held-out scenes, or take the one of MODEL_PATH
MODEL_PATH = ""  # "": train; else a model.keras to count with
SAMPLE_SIZE = "small"  # of the synthetic data: "small" or "full"

# %%
if SPECTROGRAM not in ("mel", "linear"):
    raise ValueError(f'SPECTROGRAM = "{SPECTROGRAM}", but it must be "mel" or "linear"')
if not 0.1 <= SCORE_STEP_S <= 0.25:  # a score sees 24 steps: finer ones cover too little of a call
    raise ValueError(f"SCORE_STEP_S = {SCORE_STEP_S}, but it must lie between 0.1 and 0.25 seconds")
if not 0 <= THRESHOLD < 1:
    raise ValueError(f"THRESHOLD = {THRESHOLD}, but it must lie between 0 (choose) and 1")
if CHANNEL not in ("mean", "each") and not (isinstance(CHANNEL, int) and CHANNEL >= 1):
    raise ValueError(f'CHANNEL = {CHANNEL!r}, but it must be "mean", "each" or a number from 1 on')
TRAIN = not MODEL_PATH
OUTPUT = Path(OUTPUT_DIR or "outputs/05_capuchin_call_counter")
env.seed_everything(SEED)
plots.use_style()
dataset = data.resolve(
    "capuchin",
    DATA_DIR,
    require=("clips", "recordings") if TRAIN else ("recordings",),
    sample_size=SAMPLE_SIZE,
)
errors = []  # tables `file, reason, fault` of files that cannot be read; the lesson goes on
checks.start("5", strict=True)

# %% [markdown]
# ## 1 What does the bird sound like?
#
# First listen: a growl, then suddenly a chord of evenly spaced harmonics, whose pitch falls a
# little at the end. The call lasts between three and four seconds.

# %%
if TRAIN:
    table, unreadable = data.clip_table(dataset, max_clips=MAX_CLIPS, seed=SEED)
    errors.append(unreadable)
    is_call = (table["label"] == "capuchin").to_numpy()
    rng = np.random.default_rng(SEED)
    # Four calls and four other sounds, each from another source.
    shuffled = table.sample(frac=1, random_state=SEED).drop_duplicates("group")
    shown = shuffled.groupby("label").head(4).sort_values("label")
    loaded = parallel.map_files(
        lambda path: audio.load(path, sr=16000),
        shown["path"],
        desc="Examples",
        unit="clip",
        progress=False,
    )
    shown = shown.assign(sound=loaded)[[isinstance(y, np.ndarray) for y in loaded]]
    for example in shown.drop_duplicates("label").itertuples():
        display(Markdown(f"{example.group} ({example.label})"))
        display(Audio(example.sound, rate=16000))

# %%
if TRAIN:
    figure = plots.waveforms(
        list(shown["sound"]),
        sr=16000,
        titles=[f"{row.label}: {row.group[:24]}" for row in shown.itertuples()],
        colours=[plots.CALL if label == "capuchin" else plots.OTHER for label in shown["label"]],
    )
    files.write_figure(figure, OUTPUT / "example_waveforms.png")
    plt.show()

# %% [markdown]
# In the waveform a call only gets louder and fainter, as rain does too. What makes it a call
# is its frequencies, so we look at those.

# %% [markdown]
# ## 2 What is in the data, and what is wrong with it?
#
# A network learns whatever tells the classes apart most easily. Before it trains, ask what
# *other than* the bird tells them apart.

# %%
if TRAIN:
    containers = (
        table.assign(
            container=table["sample_rate"].astype(str)
            + " Hz, "
            + table["channels"].astype(str)
            + " ch"
        )
        .pivot_table(
            index="container", columns="label", values="path", aggfunc="count", fill_value=0
        )
        .astype(int)
    )
    display(containers)
    display(
        table.groupby("label")
        .agg(
            clips=("path", "count"),
            sources=("group", "nunique"),
            shortest_s=("duration_s", "min"),
            median_s=("duration_s", "median"),
            longest_s=("duration_s", "max"),
        )
        .round(2)
    )

# %% [markdown]
# How well can one guess *without listening*? A decision tree sees only the sample rate, the
# channels and the length of the file. It is tested on sources (original recordings) that are new
# to it.

# %%
if TRAIN:
    from sklearn.model_selection import GroupKFold, KFold, cross_val_score
    from sklearn.tree import DecisionTreeClassifier

    deaf = cross_val_score(
        DecisionTreeClassifier(max_depth=3, random_state=SEED),
        table[["sample_rate", "channels", "duration_s"]],
        is_call,
        groups=table["group"],
        cv=GroupKFold(5),
        scoring="accuracy",
    ).mean()
    always = max(is_call.mean(), 1 - is_call.mean())
    display(
        Markdown(
            f"The header of the file alone gives **{deaf:.1%}** accuracy (always answering the "
            f"more frequent class: {always:.1%}). A network could learn the same from unchanged "
            "files. So we mix every sound to mono, resample it to 8 kHz and keep the same band; "
            "and the network trains on scenes mixed from clips, never on a clip as it is."
        )
    )

# %% [markdown]
# ## 3 Linear or mel?
#
# Both spectrograms show power over time and frequency. The linear one keeps every bin of the
# Fourier transform. The mel one sums the bins into bands that are wider at high frequencies; here
# it has a longer window (128 ms instead of 48 ms). The computation of a spectrogram from sound is
# called a *front end*; the time between two columns of the picture is its *hop* (the network will
# give a score every few columns, every `SCORE_STEP_S` seconds). Both front ends keep 200–3600 Hz,
# the range of the call, and have the same hop. Training and scoring use **the same** front end.

# %% [markdown]
# **Exercise 5.1: a log-mel spectrogram.** Compute the power of the short-time Fourier transform
# (Hann window), sum it into `n_mels` mel bands, and convert it to decibels: 10 log10 of the power,
# where a power below 1e-10 counts as 1e-10. Use no other limit, and do not divide by the maximum:
# the same faint sound would look different beside a loud one. You may use librosa; your frames
# (centred, with zeros beyond the edges) and mel bands must equal librosa's. For example:

# %%
half_second = np.sin(2 * np.pi * 440 * np.arange(4000) / 8000).astype(np.float32)
example = features.Frontend(sr=8000, n_fft=512, hop_length=160, n_mels=40).log_power(half_second).T
print(f"(n_mels, n_frames) = {example.shape}, from {example.min():.1f} to {example.max():.1f} dB")


# %%
def log_mel(y, *, sr, n_fft, hop_length, n_mels):
    """Log-mel spectrogram. y: float32 (n_samples,). Returns float (n_mels, n_frames), dB."""
    ### BEGIN SOLUTION 5.1: power in mel bands, then decibels
    import librosa

    power = librosa.feature.melspectrogram(
        y=y, sr=sr, n_fft=n_fft, hop_length=hop_length, n_mels=n_mels
    )
    return 10 * np.log10(np.maximum(power, 1e-10))
    ### END SOLUTION


# %%
checks.log_mel(log_mel)

# %% [markdown]
# The package's version, `features.Frontend`, does the same several times as fast, also on batches
# and block by block, and is saved in the model's file.

# %%
SR = 8000
_, stride = models.receptive_field(models.call_network(64))  # frames from one score to the next
hop_length = round(SCORE_STEP_S * SR / stride)
FRONTENDS = {
    "mel": features.Frontend(
        sr=SR, n_fft=1024, hop_length=hop_length, n_mels=64, fmin=200, fmax=3600
    ),
    "linear": features.Frontend(
        sr=SR, n_fft=384, hop_length=hop_length, n_mels=0, fmin=200, fmax=3600
    ),
}
if TRAIN:
    powers = {}
    for name, frontend in FRONTENDS.items():
        powers[name], unreadable = features.extract(table, frontend, root=dataset.root)
    errors.append(unreadable)
    # A clip with a good header can still be damaged inside: it is listed and left out.
    whole = np.array([power is not None for power in powers["mel"]])
    powers = {k: [p for p in v if p is not None] for k, v in powers.items()}
    table, is_call = table[whole].reset_index(drop=True), is_call[whole]
    data.need_all_labels(table, dataset, "has no sound file that can be decoded to its end")

# %%
if TRAIN:
    rows = [np.flatnonzero(is_call)[0], np.flatnonzero(~is_call)[-1]]
    figure, axes = plt.subplots(2, 2, figsize=(12, 6), layout="constrained")
    for axis_row, name in zip(axes, FRONTENDS, strict=True):
        for axis, i in zip(axis_row, rows, strict=True):
            image = plots.spectrogram(
                axis, powers[name][i] / max(powers[name][i].max(), 1e-12), FRONTENDS[name]
            )
            axis.set_title(f"{name}, {FRONTENDS[name].n_bands} bands: {table['group'][i]}")
    figure.colorbar(image, ax=axes, label="power (dB re maximum)")
    plt.show()

# %% [markdown]
# Both pictures show the harmonics clearly; the mel picture has fewer numbers. We do not guess
# which one suits the network better: we train on both.

# %% [markdown]
# ## 4 Where in the clip is the call?
#
# The label of a clip says *that* there is a call, not *when*. With the exact time a network
# learns a sharp score, so we find that time. Average all calls, move each to where it fits the
# average best, and average again: after a few rounds they are aligned. The moment that we mark in
# each is the **turn** from the growl to the harmonics. (All calls take part, also those that are
# held out later: the alignment says *when* a call is, never *whether* there is one.)

# %%
BIRD = detection.CAPUCHINBIRD  # facts about this call: see helpers/detection/capuchin.py
if TRAIN:
    turns = {}
    for name, frontend in FRONTENDS.items():
        places, _ = detection.align(
            [p for p, call in zip(powers[name], is_call, strict=True) if call],
            frontend=frontend,
            profile=BIRD,
        )
        turns[name] = np.zeros(len(table), int)
        turns[name][is_call] = places
    frontend = FRONTENDS[SPECTROGRAM]
    calls, others = (
        table[is_call == wanted].groupby("group").sample(1, random_state=SEED).index[:4]
        for wanted in (True, False)
    )
    shown = [*calls, *others]
    figure = plots.spectrograms(
        [powers[SPECTROGRAM][i] for i in shown],
        frontend,
        titles=[f"{table['label'][i]}: {table['group'][i][:24]}" for i in shown],
        marks=[turns[SPECTROGRAM][i] * frontend.hop_s if is_call[i] else None for i in shown],
    )
    files.write_figure(figure, OUTPUT / "example_spectrograms.png")
    plt.show()

# %% [markdown]
# The top pictures are calls, each with its turn (dashed); the others are other sounds. Check
# that the dashed lines stand where the harmonics begin.

# %% [markdown]
# ## 5 Split by source
#
# Clips of one recording share the bird, the forest and the microphone. If some of them are in
# training and others in the test, the test measures memory. So we put whole **sources** into
# folds. Even the simplest classifier shows how much better a random split looks than it is.
#
# **Exercise 5.2: split by source.** `groups` has the source of every clip. Return for each clip
# the number of its fold, 0 to `n_folds - 1`. All clips of one source are in one fold, no fold is
# empty, and the folds have about equally many clips. For example (one of several right answers):

# %%
print("groups  ", ["a", "b", "a", "c", "c", "a"])
print("2 folds ", [0, 1, 0, 1, 1, 0])


# %%
def folds_by_source(groups, *, n_folds):
    """Fold of every clip. groups: (n_clips,) names of sources. Returns int (n_clips,)."""
    ### BEGIN SOLUTION 5.2: find a fold for every source, and with it for every clip
    names, source, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    fold_of_source = np.zeros(len(names), int)
    n_clips = np.zeros(n_folds, int)
    for i in np.argsort(-sizes):
        fold_of_source[i] = np.argmin(n_clips)
        n_clips[fold_of_source[i]] += sizes[i]
    return fold_of_source[source]
    ### END SOLUTION


# %%
checks.folds_by_source(folds_by_source)

# %% [markdown]
# The package's version, `data.group_folds`, also gives every fold its share of both classes; from
# here on we use its folds. How much does the split matter? We test a simple classifier on a
# random split and on a split by source, both made by scikit-learn:

# %%
if TRAIN:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    table = data.group_folds(table, n_folds=N_FOLDS, seed=SEED)
    mean_spectrum = np.array([features.to_db(p).mean(axis=0) for p in powers["mel"]])
    simple = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    accuracy = {
        "random split": cross_val_score(
            simple, mean_spectrum, is_call, cv=KFold(N_FOLDS, shuffle=True, random_state=SEED)
        ).mean(),
        "split by source": cross_val_score(
            simple, mean_spectrum, is_call, groups=table["group"], cv=GroupKFold(N_FOLDS)
        ).mean(),
    }
    display(pd.Series(accuracy, name="accuracy (logistic regression)").round(3).to_frame())
    display(
        table.groupby(["fold", "label"])["group"].agg(clips="size", sources="nunique").unstack()
    )

# %% [markdown]
# ## 6 Scenes: training on what a forest recording contains
#
# A clip is a few seconds long, and most of it is call. A recording lasts minutes or hours, with
# calls anywhere, near and far, over rain, insects, other birds or silence. So we train not on
# clips but on **scenes**, each mixed anew from clips. Clips of one source, joined, make the
# background. Calls lie over it, 0 to 45 dB louder, equalised at random like another microphone,
# and a little higher, lower, faster or slower (by about a quarter in pitch and a tenth in time at
# most); some follow each other closely. Others are *counterexamples*: sounds like calls that must
# not be counted. They are growls without harmonics, harmonics without a growl, calls that break
# off, that are played backwards, much too fast or about an octave too high or low, whistles, and
# calls reduced to one to three narrow bands.
#
# The powers of two sounds add up (on average, because their phases are independent). So we mix
# spectrograms: nothing is decoded or transformed again.
#
# **Exercise 5.3: a call over a background.** Mix them so that the loudness of the call is
# `level_db` decibels above the mean power of the background. `loudness(call)` is the mean
# power of the louder half of its frames, because a call does not fill its clip. The call begins
# at frame `at`, which may be negative, and may go on beyond the end: cut off what lies outside the
# background, even if that is the whole call. Do not change the given background. For example:

# %%

flat, short = np.ones((6, 2)), np.full((3, 2), 5.0)
print(f"loudness of the call: {loudness(short):.1f}; mixed 10 dB above a background of 1 at 4:")
print(augmentation.mix(flat, short, at=4, level_db=10.0)[:, 0].round(3))


# %%
def mix(background, call, *, at, level_db):
    """Band power of a call over a background. Both (n_frames, n_bands); returns a new array."""
    ### BEGIN SOLUTION 5.3: find the gain, cut the call to the background, add
    gain = 10 ** (level_db / 10) * background.mean() / loudness(call)
    first, last = max(0, at), min(len(background), at + len(call))
    mixed = background.copy()
    if first < last:
        mixed[first:last] += gain * call[first - at : last - at]
    return mixed
    ### END SOLUTION


# %%
checks.mix(mix)

# %% [markdown]
# The mixer of scenes uses `augmentation.mix`. Four of its scenes:

# %%
if TRAIN:
    mixer = detection.SceneMixer.from_table(
        table, powers[SPECTROGRAM], turns[SPECTROGRAM], frontend, profile=BIRD
    )
    figure, axes = plt.subplots(4, 1, figsize=(12, 9), layout="constrained", sharex=True)
    for axis in axes:
        scene, at = mixer.scene(rng, n_frames=round(20 / frontend.hop_s))
        plots.spectrogram(axis, scene / scene.max(), frontend, range_db=70)
        for turn in at:
            axis.axvline(turn * frontend.hop_s, color="white", lw=1.2, ls="--")
        axis.set(xlim=(0, 20), xlabel="")
    axes[-1].set_xlabel("time (s)")
    plt.show()

# %% [markdown]
# A dashed line marks the turn of a call. What looks like a call without a line is a counterexample
# (or its turn lies outside the scene). The network that we build next gives a number every
# `SCORE_STEP_S` seconds, its *score*. Its target is 1 at a line and 0 elsewhere; other steps within
# 0.4 s of a line have no weight in the loss, because the exact moment is not worth learning.

# %% [markdown]
# ## 7 The network
#
# Seven small convolutions without padding over time. Such a network gives the same score at the
# same place, whether its input is a scene or an hour: the convolution itself slides over the
# recording, and overlapping windows are not computed twice. Its first layer takes the logarithm of
# the power and subtracts the mean of each frame. So the gain of the recorder cancels out, and
# training and scoring normalise alike.
#
# **Exercise 5.4: a convolution block.** The network is built of these blocks: a two-dimensional
# convolution without padding and without bias, then batch normalisation, then ReLU. The function
# takes a Keras tensor and returns one. The package's version returns this shape:

# %%
import keras
from keras import layers

print(models.convolution_block(keras.Input((20, 12, 3)), 8, (5, 3), strides=(2, 1)).shape)


# %%
def convolution_block(x, channels, kernel, *, strides):
    """Convolution, batch normalisation, ReLU. x: (batch, time, bands, n). Returns a tensor."""
    ### BEGIN SOLUTION 5.4: three layers, each called with the result of the one before
    x = layers.Conv2D(channels, kernel, strides=strides, use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    return layers.ReLU()(x)
    ### END SOLUTION


# %%
checks.convolution_block(convolution_block)

# %% [markdown]
# **Exercise 5.5: the receptive field.** Every score depends on a window of frames, its *receptive
# field*, and the windows of neighbouring scores overlap. Given a list of layers, return how many
# frames one score sees, and by how many frames the windows of two neighbouring scores are shifted
# (the stride). With dilation d a kernel takes every d-th step of its input: a kernel of size 3 with
# dilation 2 reaches over 5 steps. For example:

# %%
print("(kernel 5, stride 2, dilation 1) alone: sees 5 frames, shifted by 2")
print("followed by (kernel 3, stride 1, dilation 2): sees 13 frames, shifted by 2")


# %%
def receptive_field(stack):
    """(frames, stride) of one output step. stack: list of (kernel, stride, dilation)."""
    ### BEGIN SOLUTION 5.5: go through the layers; how many frames is a step of each layer's input?
    frames, stride = 1, 1
    for kernel, layer_stride, dilation in stack:
        frames += (kernel - 1) * dilation * stride
        stride *= layer_stride
    return frames, stride
    ### END SOLUTION


# %%
checks.receptive_field(receptive_field)

# %% [markdown]
# The whole network, for both inputs, and its receptive field:

# %%
if TRAIN:
    summary = []
    for name, front in FRONTENDS.items():
        network = models.call_network(front.n_bands)
        frames, stride = models.receptive_field(network)
        summary.append(
            {
                "input": name,
                "bands": front.n_bands,
                "parameters": models.parameter_count(network),
                "sees (s)": round(frames * front.hop_s, 2),
                "scores every (s)": stride * front.hop_s,
            }
        )
    display(pd.DataFrame(summary).set_index("input"))

# %% [markdown]
# For each fold and each input we train one network on the other folds. So every clip is scored by
# a network that has not heard its source. The loss is binary cross-entropy with weight 3 for a step
# at a call; Adam's learning rate falls along a cosine. *SpecAugment* masks a few bands or frames of
# some training scenes, so that the network does not rely on a single detail.

# %%
fits = {}
if TRAIN:
    for name, front in FRONTENDS.items():
        fits[name] = detection.fit_folds(
            table,
            powers[name],
            turns[name],
            front,
            profile=BIRD,
            epochs=EPOCHS,
            steps_per_epoch=STEPS_PER_EPOCH,
            seed=SEED,
        )
        figure = plots.learning_curves(
            fits[name].histories, title=f"{name} spectrogram, {N_FOLDS} networks"
        )
        files.write_figure(figure, OUTPUT / f"learning_curves_{name}.png")
        plt.show()

# %% [markdown]
# The dashed curves belong to sources that the network does not train on. They only inform us: no
# epoch is chosen by them. SpecAugment and dropout make the task harder for the solid curves only,
# so the distance between the curves says little. See whether a dashed curve rises again: that
# would be overfitting.

# %% [markdown]
# ## 8 How good is it on clips?
#
# The score of a clip is its highest score; 0.5 or more counts as a call. The intervals come
# from resampling whole *sources*, because the clips of one recording are not independent.

# %%
clip_table = {}
if TRAIN:
    from sklearn.metrics import classification_report

    for name, fit in fits.items():
        guess = fit.clip_score >= 0.5
        clip_table[name] = evaluation.clip_scores(
            is_call, fit.clip_score, threshold=0.5, groups=table["group"].to_numpy(), seed=SEED
        )
        text = classification_report(is_call, guess, target_names=["other", "capuchin"], digits=3)
        files.write_text(OUTPUT / f"classification_report_{name}.txt", text)
        figure = plots.confusion_matrix(
            is_call, guess, labels=["other", "capuchin"], title=f"{name} spectrogram, clips"
        )
        files.write_figure(figure, OUTPUT / f"confusion_matrix_{name}.png")
        plt.show()
    display(pd.concat(clip_table, names=["input", "score"]).round(3))
    training_min = {name: fit.histories["seconds"].sum() / 60 for name, fit in fits.items()}
    display(pd.Series(training_min, name="training (min)").round(1).to_frame())

# %% [markdown]
# Compare the intervals before you name the better input: if they overlap widely, the clips can
# hardly tell which it is; then choose the cheaper one. (`SPECTROGRAM` sets the input of the
# counter.) An interval without width only says that there is no error in *these* sources.

# %% [markdown]
# ## 9 From clips to counts: the threshold
#
# A score near 1 is easy to judge. The hard question is which score is just enough for a call. The
# recordings must not answer it: a threshold chosen on them would fit only them. We mix long scenes
# from held-out clips, score them with the network that was not trained on these clips, and count
# the missed calls and the false alarms at every threshold. The scenes are made like those for
# training, with counterexamples, but from whole calls, at least 10 dB above the background, with
# longer pauses.
#
# We choose the threshold with the lowest cost, where a false alarm costs as much as **four** missed
# calls. Why so strict? A new forest is full of sounds that no training set has, while the call
# stays the same; so most errors there are false alarms. The minimum of a flat, noisy curve moves
# with every scene. So we resample the scenes many times, choose a threshold on each resample, and
# take the mean.
#
# The **ensemble** counts the calls: it averages the networks' outputs before the sigmoid turns
# them into a score between 0 and 1. It should make fewer errors than each network, but we cannot
# test this on our clips, because each clip has trained all networks but one.

# %%
if TRAIN:
    fit = fits[SPECTROGRAM]
    scenes = detection.held_out_scenes(fit, per_fold=SCENES_PER_FOLD, seed=SEED)
    detector = models.CallDetector(models.ensemble([d.network for d in fit.detectors]), frontend)
    at_thresholds = detection.threshold_errors(
        scenes, step_s=detector.step_s, settings=detector.settings
    )
    chosen, low, high = detection.choose_threshold(at_thresholds, seed=SEED)
    detector.settings = replace(detector.settings, threshold=THRESHOLD or chosen)
    models.save(detector, OUTPUT / "model.keras")
else:
    detector = models.load_detector(MODEL_PATH)
    frontend = detector.frontend
    if THRESHOLD:
        detector.settings = replace(detector.settings, threshold=THRESHOLD)
    display(
        Markdown(
            f"Counting with `{Path(MODEL_PATH).name}`: nothing is trained, and the sections above "
            f"stay empty. It scores every {detector.step_s:.2f} s, from {frontend.n_bands} bands "
            f"at {frontend.sr} Hz."
        )
    )
threshold = detector.settings.threshold

# %%
if TRAIN:
    curve = detection.threshold_curve(at_thresholds)
    figure = detection_plots.threshold_curve(curve, threshold=threshold, low=low, high=high)
    plt.show()

# %% [markdown]
# The black line is the cost. We hope for a wide, flat valley: for such scenes the exact threshold
# then hardly matters. The grey band shows how much the mean cost would vary with other scenes; the
# green band holds 95 % of the thresholds chosen on the resamples.
#
# All networks, their front end and the threshold are now in **one** file, `model.keras`. With
# this file anyone can count without training: set `MODEL_PATH`.

# %% [markdown]
# ## 10 Count
#
# We decode, resample, transform and score block by block, so that a night of sound needs no more
# memory than a minute. A call is a **peak** of the score that reaches the threshold. Two peaks are
# two calls only if the score between them falls below half of the lower peak, and if they are at
# least 1.5 s apart: a call lasts twice as long. An event in `events.csv` is a window of 3 s around
# the turn, not the measured beginning and end of the call.

# %% [markdown]
# **Exercise 5.6: from a score to calls.** Find the peaks of a score that reach the threshold; leave
# out the rule of half the peak. Keep the highest peak and remove all that are closer to it than
# `min_distance_s`; then go on with the highest of the rest. A peak may have a flat top of equal
# steps (then return any one of them), and may lie at the very beginning or end. Return the times
# of the calls in seconds, sorted. For example:

# %%
print("score  0.1 0.7 0.2 0.1 0.1 0.9 0.6 0.1, a step every 0.5 s, threshold 0.5, distance 1 s")
print("calls  0.5 s, 2.5 s")


# %%
def find_calls(score, *, step_s, threshold, min_distance_s):
    """Times of the calls, s, sorted. score: (n_steps,), step k lies at k * step_s seconds."""
    ### BEGIN SOLUTION 5.6: peaks, also at the edges, high enough and far enough apart
    from scipy.signal import find_peaks

    with_edges = np.concatenate([[0.0], score, [0.0]])
    peaks, _ = find_peaks(with_edges, height=threshold, distance=min_distance_s / step_s)
    return (peaks - 1) * step_s
    ### END SOLUTION


# %%
checks.find_calls(find_calls)

# %% [markdown]
# `detection.find_events` adds the rule of half the peak. Now the recordings:

# %%
paths = data.recordings(dataset, max_recordings=MAX_RECORDINGS)
detection.warm_up(detector)  # compile the network, so that the speed is that of counting
counts = detection.count_calls(paths, detector, channel=CHANNEL, salvage=SALVAGE)
files.write_table(counts.results, OUTPUT / "results.csv")
files.write_table(counts.recordings.round(3), OUTPUT / "recordings.csv")
files.write_table(counts.damage.round(3), OUTPUT / "damage.csv")
files.write_table(counts.events.round(3), OUTPUT / "events.csv")
files.write_table(
    detection.density(counts.events, counts.durations).round(3), OUTPUT / "density.csv"
)
detection.write_labels(
    OUTPUT / "labels",
    counts.events,
    list(counts.durations),
    low_hz=frontend.frequencies[0],
    high_hz=frontend.frequencies[-1],
    label="capuchinbird",
)
not_read = pd.concat([*errors, counts.errors], ignore_index=True)
files.write_table(not_read, OUTPUT / "errors.csv")
display(
    Markdown(
        f"**{counts.results['call_count'].sum()} calls** in {len(counts.durations)} recordings, "
        f"{sum(counts.durations.values()) / 60:.1f} min of sound in {counts.seconds:.1f} s: "
        f"**{counts.realtime_factor:.0f} times real time**. "
        f"{len(not_read)} files could not be read."
    )
)
if len(not_read):
    display(not_read)
odd = counts.recordings[counts.recordings["remarks"] != ""]
if len(odd):
    display(Markdown("Counted, with a remark:"), odd.style.hide().format(precision=1))

# %%
true_counts, true_calls = data.answer_key(dataset)
figure = detection_plots.timeline(counts.events, counts.durations, key=true_calls)
files.write_figure(figure, OUTPUT / "timeline.png")
plt.show()

# %% [markdown]
# ## 11 Was it right?
#
# In the total, errors cancel. So we ask for each recording: is the count exact, and how far off is
# it? And for each call of the key: is there a detection within a second of it?
#
# **Exercise 5.7: errors of counts.** Compare two tables with the columns `clip_name` (the file of a
# recording) and `call_count`: the key and the results. In the results, rows may be in another order
# or missing, and the count is `<NA>` where a recording could not be read: leave such recordings
# out. Return the number of exact counts, and the mean absolute error. For example:

# %%
display(pd.DataFrame({"clip_name": ["a", "b", "c"], "call_count": [2, 0, 5]}))
display(pd.DataFrame({"clip_name": ["c", "a"], "call_count": [3, 2]}))
print("a and c are in both: 1 is exact, and the mean absolute error is (2 + 0) / 2 = 1.0")


# %%
def count_errors(key, results):
    """(exact, mean absolute error) of counts. Both: DataFrame clip_name, call_count."""
    ### BEGIN SOLUTION 5.7: match the rows by name, leave out what has no count, then the errors
    both = key.merge(results, on="clip_name", suffixes=("_true", "_found")).dropna()
    error = (both["call_count_found"] - both["call_count_true"]).astype(int).abs()
    return int((error == 0).sum()), float(error.mean())
    ### END SOLUTION


# %%
checks.count_errors(count_errors)

# %% [markdown]
# `evaluation.count_scores` gives a few more numbers, here for our recordings:

# %%
scores = {}
# A key may cover only some of the recordings; the others cannot be scored.
keyed = counts.durations.keys() if true_counts is None else set(true_counts["clip_name"])
keyed = [name for name in counts.durations if name in keyed]
if true_counts is not None and keyed:
    counted = evaluation.count_scores(true_counts, counts.results)
    scores |= {k: counted[k] for k in ("exact", "recordings", "mae", "total_true", "total_counted")}
if true_calls is not None and keyed:
    scores |= evaluation.event_scores(true_calls, counts.events, keyed)
if scores:
    display(pd.Series(scores, name="counter").round(3).to_frame())
else:
    display(Markdown("These recordings have no key: see below what we can say without one."))

# %% [markdown]
# How much does it matter that we count *events*? Here are the same scores, counted as most
# tutorials do: in windows of 3 s, side by side, every run of positive windows is a call.

# %%
if "exact" in scores:
    runs = detection.count_runs(counts.scores, step_s=detector.step_s, threshold=threshold)
    compared = {
        "peaks of a fine score": evaluation.count_scores(true_counts, counts.results),
        "runs of 3 s windows": evaluation.count_scores(true_counts, runs),
    }
    display(pd.DataFrame(compared).T[["exact", "recordings", "mae", "total_counted"]])

# %% [markdown]
# The network is the same; only the counting differs. A run merges calls that follow each other
# closely, and breaks in two where the score falls below the threshold for a moment. Both ways
# agree where calls lie far apart and the score is clean.

# %% [markdown]
# ### Are these calls in the training data?
#
# A right count can be memory: perhaps the clips were cut from the same calls. So we ask, for every
# detection, which training clip it resembles most: the correlation of the two spectrograms, without
# their levels, is 1 for a copy. Then we find the source that is the nearest most often, and count
# again with the *one* network that was not trained on it.

# %%
unheard = {}
if TRAIN and len(counts.events):
    call_clips = [p for p, call in zip(powers[SPECTROGRAM], is_call, strict=True) if call]
    call_sources = table.loc[is_call, "group"].to_numpy()
    rows = []
    for event in parallel.progress_bar(
        counts.events.itertuples(), total=len(counts.events), desc="Resemblance", unit="call"
    ):
        turn_s = (event.start_s + event.end_s) / 2
        start_s = max(0.0, turn_s - 3)
        y = counts.load(event.clip_name, sr=frontend.sr, start_s=start_s, duration_s=6.5)
        alike = pd.Series(
            detection.resemblance(
                frontend.power(y),
                at=round((turn_s - start_s) / frontend.hop_s),
                clips=call_clips,
                landmarks=turns[SPECTROGRAM][is_call],
                frontend=frontend,
                before_s=1.2,
                after_s=1.8,
            )
        )
        best = alike.groupby(call_sources).max().nlargest(2)
        rows.append({"source": best.index[0], "nearest": best.iloc[0], "next": best.iloc[1]})
    nearest = pd.DataFrame(rows)
    source = nearest["source"].value_counts().index[0]
    mine = nearest[nearest["source"] == source]
    k = table.loc[table["group"] == source, "fold"].iloc[0]
    display(
        Markdown(
            f"**{len(mine)} of {len(nearest)}** detections resemble clips of **{source}** most: "
            f"median correlation {mine['nearest'].median():.2f}, against "
            f"{mine['next'].median():.2f} with the nearest clip of any other source."
        )
    )
    alone = fits[SPECTROGRAM].detectors[k]
    alone.settings = detector.settings
    recount = detection.count_calls(paths, alone, channel=CHANNEL, salvage=SALVAGE)
    compared = {"all networks": counts, f"the network that never heard {source}": recount}
    if "exact" in scores:
        compared = {n: evaluation.count_scores(true_counts, c.results) for n, c in compared.items()}
        compared = pd.DataFrame(compared).T[["exact", "recordings", "mae", "total_counted"]]
        unheard = {"exact_unheard": int(compared["exact"].iloc[1])}
    else:
        compared = pd.Series({n: c.results["call_count"].sum() for n, c in compared.items()})
        compared = compared.rename("calls").to_frame()
    display(compared)

# %% [markdown]
# If the first correlation is close to 1 and the second is not, the recordings contain calls that
# are also among the clips, and their count says little about other birds. Then trust the second
# row.

# %% [markdown]
# ## 12 How close was it? Margins
#
# A count may be right only by chance. For every recording: how far can the threshold move up or
# down before the count changes? (We keep the threshold.)

# %%
margin = detection.margins(counts.scores, step_s=detector.step_s, settings=detector.settings)
figure = detection_plots.thresholds_per_recording(margin, threshold=threshold)
plt.show()
if len(margin):
    low, high = margin["low"].max(), margin["high"].min()
    below, above = (
        margin["clip_name"][i] for i in (margin["low"].idxmax(), margin["high"].idxmin())
    )
    first = [f"{below} below"] if low > 0 else []
    first += [f"{above} above"] if high < 1 else []
    display(
        Markdown(
            f"No count changes while the threshold, now {threshold:.2f}, stays between "
            f"**{low:.2f}** and **{high:.2f}**. "
            f"First to change: {' and '.join(first) or 'none'}."
        )
    )

# %% [markdown]
# A stress test: held-out scenes with the calls (and the counterexamples) 10 and 20 dB fainter, or
# with white noise added.

# %%
if TRAIN:
    harder = {
        "as mixed": {},
        "10 dB fainter": {"fainter_db": 10},
        "20 dB fainter": {"fainter_db": 20},
        "noise as loud as the background": {"noise_db": 0},
        "noise 10 dB louder": {"noise_db": 10},
    }
    rows = {}
    for name, how in harder.items():
        tried = detection.held_out_scenes(
            fit, per_fold=max(2, SCENES_PER_FOLD // 4), seed=SEED + 1, progress=False, **how
        )
        at_choice = detection.threshold_errors(
            tried, step_s=detector.step_s, settings=detector.settings, thresholds=[threshold]
        )
        at_choice = detection.threshold_curve(at_choice).iloc[0]
        n_true = np.mean([len(s.true_s) for s in tried])
        rows[name] = {
            "calls per scene": n_true,
            "calls found": 1 - at_choice["missed"] / n_true if n_true else np.nan,
            "false alarms per scene": at_choice["false_alarms"],
            "count error per scene": at_choice["count_error"],
        }
    display(pd.DataFrame(rows).T.round(3))

# %% [markdown]
# Compare the second column with the third: which gets worse first? If a counter misses faint calls
# but has few false alarms, you can trust the calls that it reports; where birds are far away, its
# counts are a lower bound.

# %% [markdown]
# ## 13 How sure are we of the total?
#
# On scenes we know how many calls the counter misses and how many false alarms it has. If it errs
# as often on the recordings, we get a range for the true number of calls. The range holds only *if*
# the forest is like our scenes, where about half of the sounds over the background are
# counterexamples. (This needs the held-out clips of a training.)

# %%
interval = None
n_found = int(counts.results["call_count"].sum())
if TRAIN:
    minutes = sum(counts.durations.values()) / 60
    fresh = detection.held_out_scenes(
        fit, per_fold=SCENES_PER_FOLD, seed=SEED + 2, progress=False
    )  # other scenes than those for the threshold
    interval = detection.corrected_total(
        n_found, minutes, fresh, step_s=detector.step_s, settings=detector.settings, seed=SEED
    )
if interval:
    display(
        Markdown(
            f"Counted: **{n_found}** calls. If errors are as frequent as on held-out scenes, the "
            f"true number is between **{interval[0]} and {interval[1]}** (95 % interval)."
        )
    )

# %% [markdown]
# ## 14 Look at every detection, and listen
#
# No number replaces this. Here are all detections (at most the 200 with the lowest scores), the
# lowest score first: are they all calls?

# %%
doubtful = counts.events.sort_values("score", ignore_index=True).head(200)
for first in range(0, len(doubtful), 40):
    page = doubtful[first : first + 40]
    pictures = []
    for event in page.itertuples():
        start = max(0.0, event.start_s - 0.5)
        y = counts.load(event.clip_name, sr=frontend.sr, start_s=start, duration_s=4.5)
        pictures.append(frontend.power(y))
    plots.spectrograms(
        pictures,
        frontend,
        titles=[f"{e.clip_name} {e.start_s:.0f} s: {e.score:.2f}" for e in page.itertuples()],
        columns=5,
    )
    plt.show()

# %%
for event in doubtful.head(3).itertuples():
    start = max(0.0, event.start_s - 0.5)
    y = counts.load(event.clip_name, sr=16000, start_s=start, duration_s=4.5)
    display(Markdown(f"{event.clip_name}, {event.start_s:.1f} s, score {event.score:.2f}"))
    display(Audio(y, rate=16000))

# %% [markdown]
# The recording with the most calls (its first ten minutes), with its score below: each marked peak
# is a call. Then a panel to go through all detections (it needs a running kernel).

# %%
if counts.durations:
    busiest = counts.events["clip_name"].value_counts().index
    busiest = busiest[0] if len(busiest) else next(iter(counts.durations))
    y = counts.load(busiest, sr=frontend.sr, duration_s=600)
    mine = counts.events[counts.events["clip_name"] == busiest]
    key = None
    if true_calls is not None:
        key = true_calls.loc[true_calls["clip_name"] == busiest, "centre_s"].to_numpy()
        key = key[key < 600]
    n_steps = 1 + round(len(y) / frontend.sr / detector.step_s)
    figure = detection_plots.counted_recording(
        frontend.power(y),
        counts.scores[busiest][:n_steps],
        mine[mine["start_s"] < 600],
        frontend,
        step_s=detector.step_s,
        threshold=threshold,
        title=f"{busiest}: {len(mine)} call{'s' * (len(mine) != 1)}",
        key=key,
    )
    files.write_figure(figure, OUTPUT / "counted_recording.png")
    plt.show()

# %%
if len(counts.events):
    display(widgets.detections(counts.load, counts.events, frontend))

# %% [markdown]
# ## Recap
#
# - The file's header alone can reveal the class: bring all files to one format before you train.
# - Split by source, or the test measures memory.
# - Train on what the recordings contain: scenes, not clips; counterexamples, not only calls.
# - Keep one front end, inside the model, for training and scoring.
# - Choose the threshold on held-out scenes, and be strict; test on recordings that chose nothing.
# - Ask whether training and test share calls, and count with a network that did not hear them.
# - Count events, report per recording, and say how far the threshold may move.
#
# **Try next:** `SPECTROGRAM = "linear"` · `SCORE_STEP_S = 0.25`: which calls does a coarser score
# miss? · `settings=detection.SceneSettings(counterexamples=0)` in `detection.fit_folds`: what
# does the network confuse then? · count in your own recordings: set `DATA_DIR` and
# `MODEL_PATH = "outputs/05_capuchin_call_counter/model.keras"`.

# %%
checks.progress()

# %%
found = {
    "calls_counted": n_found,
    "recordings_counted": len(counts.durations),
    "files_in_error": len(not_read),
    "threshold": threshold,
    "realtime_factor": counts.realtime_factor,
}
if len(margin):
    found |= {"margin_low": margin["low"].max(), "margin_high": margin["high"].min()}
if TRAIN:
    found |= {
        "clip_f1": clip_table[SPECTROGRAM].loc["f1", "value"],
        "clip_f1_low": clip_table[SPECTROGRAM].loc["f1", "low"],
        "clip_f1_high": clip_table[SPECTROGRAM].loc["f1", "high"],
        **{f"clip_f1_{name}": scored.loc["f1", "value"] for name, scored in clip_table.items()},
        "parameters": models.parameter_count(detector),
        "training_s": sum(fit.histories["seconds"].sum() for fit in fits.values()),
    }
found |= unheard
if interval:
    found |= {"calls_low": interval[0], "calls_high": interval[1]}
metrics_written = files.write_metrics(OUTPUT, dataset=dataset, seed=SEED, **found, **scores)
print(json.dumps(metrics_written, indent=2))
