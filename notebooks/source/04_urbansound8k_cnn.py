# %% [markdown]
# # 04 · Ten sounds of a city
#
# {{badges}}
#
# Dogs, drills, sirens: ten classes of sound, in a data set that many people learn with. Many
# notebooks report an accuracy of 92 to 99 % on it. Most of these figures are too high. This lesson
# shows why, and how good an honest result is.

# %% [markdown]
# **You will learn** to test on official folds · to repair a network that learns little · to mix and
# shift clips and hide parts · to build a residual network on log-mel spectrograms, and to count its
# costs · class weights, label smoothing, a cosine schedule · test-time augmentation and
# ensembles · transfer from YAMNet, and fusion · to test whether one model is better than another ·
# calibration · to see and hear which parts of a clip decide.
#
# **Exercises** have a check below them, which says what is not right yet. `checks.hint("4.1")`
# gives a hint, and another one at each further call. The lesson goes on with the package's own
# version, whatever you write.
#
# **You should know** spectrogram and MFCC (02), and dropout, batch normalisation and residual
# connections (03).
#
# **Data contract**
#
# - *reads* the clips of `DATASET`: `"urbansound8k"`, `"esc50"`, `"esc10"`, `"catsdogs"`, or
#   `"folders"` (your own, a folder for each class); YAMNet's LiteRT file, if you have it
# - *writes* to `OUTPUT_DIR`: `metrics.json`, `errors.csv`, and `report/` with `index.html`,
#   `model.keras`, `features.npz`, `models.csv`, `folds.csv`, `recall.csv`, `wrong.csv` and pictures
# - *without data* a synthetic UrbanSound8K of 220 clips is made

# %%
# {{set-up}}

from helpers import env

env.setup()

# %%
import json
import time
from dataclasses import replace
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from IPython.display import Markdown, display
from keras import layers

from helpers import (
    audio,
    augmentation,
    data,
    evaluation,
    features,
    files,
    models,
    parallel,
    training,
)
from helpers import exercises as checks
from helpers.display import plots, report, widgets
from helpers.evaluation import attribution

# %% [markdown]
# ## Parameters
#
# Change the lesson here. A batch job sets the same names from outside.

# %% tags=["parameters"]
DATASET = "urbansound8k"  # or "esc50", "esc10", "catsdogs"; "folders": your own
DATA_DIR = ""  # folder of the data set; "": look for it
OUTPUT_DIR = ""  # "": outputs/04_urbansound8k_cnn
SEED = 0
MODEL = "logmel_cnn"  # the model to report: or "mfcc_cnn", "yamnet", "fusion"
FOLDS = []  # to test on, one after another, each after training on all others; []: all folds
SEEDS = [0]  # for each seed, a network is trained in every round
EPOCHS = 0  # 0: 60, or more if there are few clips, see section 6
BATCH_SIZE = 32
LEARNING_RATE = 0.003
WEIGHT_DECAY = 0.001
LABEL_SMOOTHING = 0.1
N_MELS = 64
CROP_S = 4.0  # seconds that the network sees at a time
SHIFTS = 5  # start positions in a clip, for test-time augmentation
VARIANTS = []  # choices to leave out and compare: "mixing", "smoothing" …, see section 6
OWN_SHARE = 0.2  # weight of our network in the fusion, 0 to 1; YAMNet has the rest
YAMNET_PATH = ""  # YAMNet's LiteRT file; "": look for it; without it, YAMNet is left out
MAX_CLIPS = 0  # 0: all
SAMPLE_SIZE = "small"  # of the synthetic data: "small" or "full"

# %%
OUTPUT = Path(OUTPUT_DIR or "outputs/04_urbansound8k_cnn")
REPORT = OUTPUT / "report"
LEFT_OUT = {  # variant: options of `train`
    "mixing": {"augmentation": augmentation.Augmentation(mixup_share=0)},
    "warping": {"augmentation": augmentation.Augmentation(warp_share=0)},
    "equaliser": {"augmentation": augmentation.Augmentation(equaliser_db=0)},
    "hiding": {"augmentation": augmentation.Augmentation(mask_share=0)},
    "weights": {"weighted": False},
    "smoothing": {"smoothing": 0.0},
    "early stride": {"first_stride": 2},
    "plain blocks": {"separable": True},
}
if MODEL not in ("mfcc_cnn", "logmel_cnn", "yamnet", "fusion"):
    raise ValueError(f"MODEL = {MODEL!r}: use mfcc_cnn, logmel_cnn, yamnet or fusion")
if wrong_names := set(VARIANTS) - set(LEFT_OUT):
    raise ValueError(f"VARIANTS has {sorted(wrong_names)}: it takes some of {list(LEFT_OUT)}")
if EPOCHS < 0 or BATCH_SIZE < 2 or CROP_S < 0.5 or not SEEDS or SHIFTS < 1:
    raise ValueError(
        "needed: EPOCHS >= 0, SHIFTS >= 1, BATCH_SIZE >= 2, CROP_S >= 0.5 s, one seed or more"
    )
if not 0 <= OWN_SHARE <= 1:
    raise ValueError(f"OWN_SHARE = {OWN_SHARE}: use a share from 0 to 1")
yamnet_file = features.find_yamnet(YAMNET_PATH)
if MODEL in ("yamnet", "fusion") and yamnet_file is None:
    raise ValueError(f"MODEL = {MODEL!r} needs YAMNet's file: see YAMNET_PATH")
env.seed_everything(SEED)
plots.use_style()
rng = np.random.default_rng(SEED)
dataset = data.resolve(DATASET, DATA_DIR, require=("clips",), sample_size=SAMPLE_SIZE)
table, errors = data.clip_table(dataset, max_clips=MAX_CLIPS, seed=SEED)
checks.start("4", strict=True)

# %% [markdown]
# ## 1 The data, and its folds
#
# The clips are short slices of longer recordings (*sources*). All slices of one recording lie in
# one **fold**. Train on some folds and test on another: then no test recording was in training.
# This is the rule of this data set. Each test fold makes a **round**, with its own training. One
# training fold of each round is for **validation**: all choices are made there.

# %% [markdown]
# **Exercise 4.1: leave one fold out.** `fold` has the fold number of each clip. Test on
# `test_fold`. Validate on the smallest of the other folds, so that most clips are left for training
# (if several are equally small, on the lowest number). Train on the rest.


# %%
def leave_one_out(fold, test_fold):
    """(training, validation, test): three bool (n,). fold: int (n,), at least three folds."""
    ### BEGIN SOLUTION 4.1: the test fold, the smallest other fold, the rest
    others = [k for k in np.unique(fold) if k != test_fold]
    smallest = min(others, key=lambda k: np.sum(fold == k))
    test, validation = fold == test_fold, fold == smallest
    return ~test & ~validation, validation, test
    ### END SOLUTION


# %%
checks.leave_one_out(leave_one_out)

# %%
table, rounds = data.rounds(table, test_folds=FOLDS, seed=SEED)
names = sorted(table["label"].unique())
label = table["label"].map({name: k for k, name in enumerate(names)}).to_numpy()
source = table["group"].to_numpy()
figure, axes = plt.subplots(1, 2, figsize=(12, 3.4), layout="constrained")
counts = table.groupby(["label", "fold"]).size().unstack(fill_value=0)
counts.plot.barh(stacked=True, ax=axes[0], cmap="viridis", width=0.8)
axes[0].set(xlabel="clips", ylabel="")
axes[0].invert_yaxis()
axes[0].legend(title="fold", fontsize=8, title_fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
per_source = table.groupby(["label", "group"]).size().rename("clips").reset_index()
sns.stripplot(per_source, x="clips", y="label", order=counts.index, ax=axes[1], size=3, alpha=0.6)
axes[1].set(xlabel="clips of one recording", ylabel="", xlim=(0, None))
plt.show()
display(
    Markdown(
        f"{len(table)} clips of {len(names)} classes from {table['group'].nunique()} recordings, "
        f"in {table['fold'].nunique()} folds. Test folds, one after another: "
        f"{', '.join(str(r.test_fold) for r in rounds)}."
    )
)

# %% [markdown]
# The right picture shows why folds matter. Each dot is a recording, and many have several clips:
# a random split puts clips of one recording into training and test.

# %% [markdown]
# ## 2 Two inputs, one decoding
#
# Many tutorials use 13 MFCC. A log-mel spectrogram keeps the detail that these lose. Each file is
# decoded once for both inputs, and the frames are stored.

# %%
SR = 22050
frontend = features.Frontend(sr=SR, n_fft=1024, hop_length=512, n_mels=N_MELS, fmin=20.0)
LOGMEL = features.ClipInput(frontend, crop_s=CROP_S)
MFCC = features.ClipInput(
    features.Frontend(sr=SR, n_fft=2048, hop_length=512, n_mels=128), n_mfcc=13, crop_s=CROP_S
)
begun = time.perf_counter()
frames, unreadable = features.extract_frames(
    table["path"], {"logmel": LOGMEL, "mfcc": MFCC}, root=dataset.root
)
errors = pd.concat([errors, unreadable], ignore_index=True)
files.write_table(errors, OUTPUT / "errors.csv")
if len(errors):
    display(errors.head(10))
if len(unreadable):  # keep the rows of readable files, and make the rounds again
    table = table[[part is not None for part in frames["mfcc"]]].reset_index(drop=True)
    frames = {name: [p for p in parts if p is not None] for name, parts in frames.items()}
    table, rounds = data.rounds(table, test_folds=FOLDS, seed=SEED)
    label = table["label"].map({name: k for k, name in enumerate(names)}).to_numpy()
    source = table["group"].to_numpy()
print(f"{len(table)} clips in {time.perf_counter() - begun:.1f} s: {LOGMEL.shape}, {MFCC.shape}")

# %%
examples = [int(rng.choice(np.flatnonzero(label == k))) for k in range(min(10, len(names)))]
figure = plots.spectrograms(
    [features.from_db(frames["logmel"][i]) for i in examples],
    frontend,
    titles=[names[label[i]] for i in examples],
    columns=5,
)
files.write_figure(figure, REPORT / "spectrograms.png")
plt.show()
widgets.players(
    [audio.load(table["path"][i], sr=SR, duration_s=CROP_S) for i in examples],
    sr=SR,
    titles=[names[label[i]] for i in examples],
    columns=5,
)

# %% [markdown]
# Some things do *not* depend on the place or the microphone: the horizontal stripes of a horn, the
# harmonics of an engine, the single stroke of a shot. Others do: the background noise, and the
# highest frequency in the recording.

# %% [markdown]
# ## 3 The network of most tutorials
#
# 13 MFCC, one convolution, a dense layer, five epochs. The first MFCC measures the level and is
# around -200; the others are around 10. Without standardisation the first dominates, and the other
# twelve hardly count.

# %% [markdown]
# **Exercise 4.2: standardise.** Compute the mean and the standard deviation of each value over all
# clips and frames of `training`. From both `training` and `other` subtract this mean, and divide by
# this deviation. A value that is constant in `training` has deviation 0: divide by 1.


# %%
def standardise_clips(training, other):
    """Both, standardised. training, other: float (n_clips, n_frames, n_values)."""
    ### BEGIN SOLUTION 4.2: subtract the training's mean, divide by its deviation
    mean, deviation = training.mean(axis=(0, 1)), training.std(axis=(0, 1))
    deviation = np.where(deviation > 0, deviation, 1)
    return (training - mean) / deviation, (other - mean) / deviation
    ### END SOLUTION


# %%
checks.standardise_clips(standardise_clips)

# %% [markdown]
# We train the network as most tutorials do, then improve it in two steps. Each version is trained
# on the first round and tested on its validation fold. It is also trained and tested on a random
# split with about as many test clips, as in most tutorials.

# %%
first = rounds[0]
at_random = data.random_round(table, share=len(first.validation) / len(first.trainval), seed=SEED)
at_random = replace(
    at_random,
    training=np.intersect1d(at_random.training, first.trainval),
    test=np.intersect1d(at_random.test, first.trainval),
)


def train_first(rows, *, standardised, epochs, mask_share=0.0, seed=100 * SEED):
    """The tutorial's network on some clips. Returns the network."""
    env.seed_everything(seed)
    own = [frames["mfcc"][i] for i in rows]
    mean, variance = models.moments(own) if standardised else (None, None)
    network = models.first_cnn(MFCC, len(names), mean=mean, variance=variance)
    batches = training.CropBatches(
        own, label[rows], MFCC, batch_size=BATCH_SIZE, seed=seed, mask_share=mask_share
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    training.compile_network(network, loss, n_steps=epochs * len(batches), learning_rate=1e-3)
    training.run_epochs(network, batches, epochs=epochs, progress=False)
    return network


def answers(network, rows, clip_input, *, shifts=1):
    """Probabilities of some clips' classes: float (len(rows), n_classes)."""
    own = [frames["mfcc" if clip_input is MFCC else "logmel"][i] for i in rows]
    return models.probabilities(network, own, clip_input, shifts=shifts)


def accuracy(probability, rows):
    return float((probability.argmax(axis=1) == label[rows]).mean())


STEPS = {
    "as it is, 5 epochs": {"standardised": False, "epochs": 5},
    "standardised": {"standardised": True, "epochs": 5},
    "20 epochs, parts hidden": {"standardised": True, "epochs": 20, "mask_share": 0.15},
}
mended = pd.DataFrame(index=list(STEPS), columns=["unheard recordings", "random split"])
for step, options in parallel.progress_bar(STEPS.items(), desc="Improving", unit="step"):
    for column, rows, held_out in (
        ("unheard recordings", first.training, first.validation),
        ("random split", at_random.training, at_random.test),
    ):
        network = train_first(rows, **options)
        mended.loc[step, column] = accuracy(answers(network, held_out, MFCC), held_out)
mended.style.format("{:.1%}")

# %%
chance = np.bincount(label[first.validation]).max() / len(first.validation)
display(
    Markdown(
        f"Always naming the most frequent class would be right for {chance:.0%}. The last step is "
        f"right for **{mended.iloc[-1, 0]:.0%}** of {len(first.validation)} clips of unheard "
        f"recordings, and for **{mended.iloc[-1, 1]:.0%}** of {len(at_random.test)} clips of the "
        "random split, where the network can recognise recordings instead of classes."
    )
)

# %% [markdown]
# ## 4 Never the same clip twice
#
# Even thousands of clips are few. But a siren is still a siren if it is a little higher or further
# away. So each time that training uses a clip, it may change it: play it higher or lower, longer or
# shorter, begin it at another place, filter it as another microphone would. Often it also mixes the
# clip with another one.

# %% [markdown]
# **Exercise 4.3: mix two clips** (*mixup*). `a` and `b` are power over time and frequency. Bring
# both to a mean power of 1. Then `share` multiplies the amplitude of `a`, and `1 - share` that of
# `b`, so the squares of these multiply the powers. Add the powers. For the label, multiply the
# labels by `share` and `1 - share` themselves, and add them.


# %%
def mixup(a, b, label_a, label_b, *, share):
    """(power, label) of the mix. a, b: (n_frames, n_bands). label_a, label_b: (n_classes,)."""
    ### BEGIN SOLUTION 4.3: equally loud, then the squares of the shares; the labels by the shares
    power = share**2 * a / a.mean() + (1 - share) ** 2 * b / b.mean()
    return power, share * label_a + (1 - share) * label_b
    ### END SOLUTION


# %%
checks.mixup(mixup)

# %% [markdown]
# **Exercise 4.4: hide parts** (*SpecAugment*). Set `width_frames` neighbouring frames at a random
# place, and `width_bands` neighbouring bands at another, to the mean of the whole original input.
# Every place that fits has the same chance. Do not change the input.


# %%
def hide_parts(x, *, width_frames, width_bands, rng):
    """A copy of x with parts hidden. x: decibels (n_frames, n_bands). rng: NumPy Generator."""
    ### BEGIN SOLUTION 4.4: a copy, two random places, the mean
    hidden = x.copy()
    frame = rng.integers(len(x) - width_frames + 1)
    band = rng.integers(x.shape[1] - width_bands + 1)
    hidden[frame : frame + width_frames] = x.mean()
    hidden[:, band : band + width_bands] = x.mean()
    return hidden
    ### END SOLUTION


# %%
checks.hide_parts(hide_parts)

# %% [markdown]
# `training.MixedBatches` does all this with stored frames. It converts their decibels to power,
# because the powers of two sounds add up on average. The same clip four times:

# %%
one = int(rng.choice(first.training))
drawn = training.MixedBatches(
    [frames["logmel"][i] for i in first.training],
    label[first.training],
    LOGMEL,
    n_classes=len(names),
    batch_size=4,
    seed=SEED,
)
place = int(np.flatnonzero(first.training == one)[0])
versions = [drawn.example(np.random.default_rng((SEED, k)), place) for k in range(4)]
titles = []
for _, target in versions:
    parts = np.argsort(-target[:-1])[:2]
    titles.append(" + ".join(f"{target[k]:.0%} {names[k]}" for k in parts if target[k] > 0))
plots.spectrograms([features.from_db(x) for x, _ in versions], frontend, titles=titles, columns=4)
plt.show()

# %% [markdown]
# ## 5 A residual network, and what it costs
#
# More layers help, but every operation costs time. A 3 × 3 convolution from n to n channels takes
# 9 n² multiplications at every place. A **separable** convolution first convolves each channel by
# itself (*depthwise*, 9 n), then mixes the channels at each place (*pointwise*, n²).

# %% [markdown]
# **Exercise 4.5: a separable residual block.** A depthwise 3 × 3 convolution (`padding="same"`,
# with `strides`), batch normalisation, ReLU; a 1 × 1 convolution to `channels`, batch
# normalisation. Add the shortcut, then apply ReLU. The shortcut is `x`; if the shape changes, it is
# a 1 × 1 convolution of `x` with the same strides (normalised or not). The convolutions have no
# bias.


# %%
def separable_block(x, channels, *, strides):
    """Keras tensor (batch, time, bands, n) → (batch, time / strides, bands / strides, channels)."""
    ### BEGIN SOLUTION 4.5: depthwise, pointwise, shortcut, sum
    y = layers.DepthwiseConv2D(3, strides=strides, padding="same", use_bias=False)(x)
    y = layers.ReLU()(layers.BatchNormalization()(y))
    y = layers.BatchNormalization()(layers.Conv2D(channels, 1, use_bias=False)(y))
    if strides != 1 or x.shape[-1] != channels:
        x = layers.Conv2D(channels, 1, strides=strides, use_bias=False)(x)
    return layers.ReLU()(layers.Add()([x, y]))
    ### END SOLUTION


# %%
checks.separable_block(separable_block)

# %% [markdown]
# **Exercise 4.6: a network on log-mel spectrograms.** The input has no channel axis: add one. Then
# come convolutions with batch normalisation and ReLU (the first or second has strides), the mean
# over all places (`GlobalAveragePooling2D`), dropout, and the logits: a dense layer without an
# activation, one number for each class. Use fewer than 300,000 parameters.


# %%
def logmel_network(n_frames, n_bands, n_classes):
    """keras.Model: (batch, n_frames, n_bands) → logits (batch, n_classes)."""
    ### BEGIN SOLUTION 4.6: a channel axis, convolutions that stride, the mean, dropout, logits
    inputs = keras.Input((n_frames, n_bands))
    x = layers.Reshape((n_frames, n_bands, 1))(inputs)
    for channels in (16, 32, 64, 96):
        x = layers.Conv2D(channels, 3, strides=2, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Dropout(0.3)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, layers.Dense(n_classes)(x))
    ### END SOLUTION


# %%
checks.logmel_network(logmel_network)

# %% [markdown]
# Our network, `models.residual_cnn`, first subtracts the level of the clip, which depends on where
# the microphone stood. Its first layer has strides of 2 over time and 4 over the bands, so that the
# layers after it need an eighth of the operations. Separable blocks have fewer parameters and
# operations than plain ones. Do they also train faster?

# %%
network = models.residual_cnn(LOGMEL, len(names))
costs = []
for title, candidate in (
    ("plain blocks", network),
    ("separable blocks", models.residual_cnn(LOGMEL, len(names), separable=True)),
    ("plain, no early stride over bands", models.residual_cnn(LOGMEL, len(names), first_stride=2)),
):
    x = np.zeros((BATCH_SIZE, *LOGMEL.shape), np.float32)
    y = np.zeros((BATCH_SIZE, len(names)), np.float32)
    candidate.compile("adam", keras.losses.CategoricalCrossentropy(from_logits=True))
    candidate.train_on_batch(x, y)  # compiles
    begun = time.perf_counter()
    for _ in range(3):
        candidate.train_on_batch(x, y)
    costs.append(
        {
            "network": title,
            "parameters": models.parameter_count(candidate),
            "million multiplications a clip": models.multiplications(candidate) / 1e6,
            "training (ms a clip)": (time.perf_counter() - begun) / 3 / BATCH_SIZE * 1000,
        }
    )
pd.DataFrame(costs).set_index("network").style.format(
    {
        "parameters": "{:,d}",
        "million multiplications a clip": "{:.1f}",
        "training (ms a clip)": "{:.1f}",
    }
)

# %% [markdown]
# Fewer multiplications need not take less time. A depthwise convolution computes little with each
# number that it reads, so on a CPU it waits for the memory. Measure before you choose.

# %% [markdown]
# ## 6 Training
#
# Four choices need a line of code each. **Weights**: a rare class must count, and a hundred slices
# of one siren are not a hundred sirens. In the exercise all classes weigh the same. The package
# corrects less, but for recordings too: a clip's weight is proportional to 1 / √(n m), if its
# class has n clips and its recording m.

# %% [markdown]
# **Exercise 4.7: class weights.** Return the weight in the loss for a clip of each class. All
# classes with clips get the same total weight, and the mean weight of all clips is 1. A class
# without clips has weight 0.


# %%
def weight_per_class(labels, n_classes):
    """float (n_classes,). labels: int (n,)."""
    ### BEGIN SOLUTION 4.7: mean number of clips per class present, divided by the class's own
    counts = np.bincount(labels, minlength=n_classes)
    present = counts > 0
    weights = np.zeros(n_classes)
    weights[present] = len(labels) / (present.sum() * counts[present])
    return weights
    ### END SOLUTION


# %%
checks.weight_per_class(weight_per_class)

# %% [markdown]
# **Label smoothing** keeps a network from being too sure: it spreads a share of every label evenly
# over all classes.

# %% [markdown]
# **Exercise 4.8: smooth the labels.** Each row keeps `1 - share` of its values. Spread `share`
# evenly over all classes, the true one included.


# %%
def smooth_labels(labels, *, share):
    """float (n, n_classes), rows that add up to 1. labels: float (n, n_classes)."""
    ### BEGIN SOLUTION 4.8: a part of the label, and the rest for all
    return (1 - share) * labels + share / labels.shape[1]
    ### END SOLUTION


# %%
checks.smooth_labels(smooth_labels)

# %% [markdown]
# **A cosine schedule** begins with a high learning rate and lowers it to 0 at the end.

# %% [markdown]
# **Exercise 4.9: the learning rate** at `step` of `n_steps`. It follows half a period of a cosine,
# from `highest` at step 0 to 0 at step `n_steps`.


# %%
def learning_rate_at(step, *, n_steps, highest):
    """float. step: 0 … n_steps."""
    ### BEGIN SOLUTION 4.9: half a period of the cosine, between 1 and 0
    return highest * (1 + np.cos(np.pi * step / n_steps)) / 2
    ### END SOLUTION


# %%
checks.learning_rate_at(learning_rate_at)

# %% [markdown]
# **Weight decay** makes every weight a little smaller at each step. Only weights that reduce the
# loss stay large.
#
# A network learns in **steps**, one for each batch. 60 epochs of 1,280 clips in batches of 32 are
# 2,400 steps; of 240 clips they are only 480. So if clips are few, we train for more epochs.
#
# We train on the first round without its validation fold, then compare and choose on that fold.

# %%
LEAST_STEPS = 2400 if dataset.source != "synthetic" else 0  # synthetic clips are easier


def train(
    rows,
    *,
    seed,
    validation=None,
    augmentation=None,
    weighted=True,
    smoothing=LABEL_SMOOTHING,
    **architecture,
):
    """Trains a residual network on some clips. Returns (network, history)."""
    env.seed_everything(seed)
    network = models.residual_cnn(LOGMEL, len(names), name=f"seed_{seed}", **architecture)
    weights = training.clip_weights(label[rows], source[rows]) if weighted else None

    def batches(some, **options):
        return training.MixedBatches(
            [frames["logmel"][i] for i in some],
            label[some],
            LOGMEL,
            n_classes=len(names),
            batch_size=BATCH_SIZE,
            seed=seed,
            **options,
        )

    mixed = batches(rows, augmentation=augmentation, weights=weights)
    epochs = EPOCHS or max(60, -(-LEAST_STEPS // len(mixed)))
    training.compile_network(
        network,
        keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing),
        n_steps=epochs * len(mixed),
        learning_rate=LEARNING_RATE,
        weight_decay=WEIGHT_DECAY,
        metrics=("accuracy",),
    )
    held_out = batches(validation, fixed=True) if validation is not None else None
    return network, training.run_epochs(network, mixed, epochs=epochs, validation=held_out)


chooser, history = train(first.training, seed=100 * SEED, validation=first.validation)
figure, axes = plt.subplots(1, 2, figsize=(11, 3), layout="constrained")
for axis, what, unit in ((axes[0], "loss", "loss (nats)"), (axes[1], "accuracy", "accuracy")):
    axis.plot(history["epoch"], history[what], color=plots.OTHER, label="training, mixed")
    axis.plot(
        history["epoch"], history[f"validation_{what}"], "--", color=plots.CALL, label="validation"
    )
    axis.set(xlabel="epoch", ylabel=unit)
axes[0].legend(fontsize=9)
files.write_figure(figure, REPORT / "learning_curves.png")
plt.show()

# %% [markdown]
# The training task is harder: its clips are mixed, shifted and partly hidden, and its labels are
# mixed too. So the dashed line of the loss may lie below the other. If it rose towards the end,
# fewer epochs would be better. We fix the number of epochs beforehand: if we stopped at the best
# epoch on a few hundred validation clips, part of the result would be luck.

# %% [markdown]
# How much does each choice help? Leave it out (`VARIANTS`), train again with each of `SEEDS`, and
# compare accuracy and training time on the validation fold.

# %%
from sklearn.metrics import f1_score, log_loss

gains = []
for variant in ("nothing", *VARIANTS) if VARIANTS else ():
    for seed in SEEDS:
        begun = time.perf_counter()
        trained, _ = train(first.training, seed=100 * SEED + seed, **LEFT_OUT.get(variant, {}))
        seconds = time.perf_counter() - begun
        probability = answers(trained, first.validation, LOGMEL)
        gains.append(
            {
                "left out": variant,
                "accuracy (%)": 100 * accuracy(probability, first.validation),
                "loss (nats)": log_loss(
                    label[first.validation], probability, labels=range(len(names))
                ),
                "training (s)": seconds,
            }
        )
if gains:
    gains = pd.DataFrame(gains)
    files.write_table(gains, REPORT / "variants.csv")
    means = gains.groupby("left out", sort=False).mean()
    means.insert(1, "lowest", gains.groupby("left out")["accuracy (%)"].min())
    means.insert(2, "highest", gains.groupby("left out")["accuracy (%)"].max())
    display(means.style.format("{:.1f}").format("{:.3f}", subset=["loss (nats)"]))
    n_heard = table["group"].iloc[first.validation].nunique()
    print(f"networks for each row: {len(SEEDS)}; recordings in the validation fold: {n_heard}")
else:
    print("VARIANTS is empty: nothing is left out. README.md has the results for UrbanSound8K")

# %% [markdown]
# ## 7 Test-time augmentation
#
# Augmentation also helps in use. Begin the clip at several places (its beginning follows its end),
# and average the probabilities. Five places take five times as much computing.

# %% [markdown]
# **Exercise 4.10: test-time augmentation.** Begin `x` at `n` evenly spaced frames (0, 1/n, 2/n … of
# its length, rounded down); the frames before the start follow after the end. Call `predict` for
# the probabilities of each version, and return their mean.


# %%
def average_over_shifts(predict, x, *, n):
    """float (n_classes,). predict: (n_frames, n_bands) → (n_classes,). x: (n_frames, n_bands)."""
    ### BEGIN SOLUTION 4.10: roll, predict, average
    shifted = [np.roll(x, -(k * len(x) // n), axis=0) for k in range(n)]
    return np.mean([predict(version) for version in shifted], axis=0)
    ### END SOLUTION


# %%
checks.average_over_shifts(average_over_shifts)

# %%
plain = answers(chooser, first.validation, LOGMEL)
shifted = answers(chooser, first.validation, LOGMEL, shifts=SHIFTS)
print(
    f"validation fold: {accuracy(plain, first.validation):.1%} from one place, "
    f"{accuracy(shifted, first.validation):.1%} from {SHIFTS}"
)

# %% [markdown]
# ## 8 Transfer from a network trained on two million clips
#
# **YAMNet** was trained on two million clips of videos. Its last layer but one, the *embedding*,
# describes a sound by 1,024 numbers. Its last layer gives a score to each of 521 kinds of sound. We
# change none of its weights: it is *frozen*. We prepare each clip in two ways. All get the same
# loudness, because YAMNet does not remove the level. And each is also played two thirds of an
# octave lower and higher: YAMNet hears nothing above 7.5 kHz, but a lower version brings these
# frequencies into its range. The three results are averaged.

# %%
from scipy.special import softmax

OCTAVES = (-2 / 3, 0, 2 / 3)
embedded = None
if yamnet_file:
    embedded, scores, _ = features.Yamnet(yamnet_file).extract(
        table["path"], octaves=OCTAVES, root=dataset.root
    )
    if not np.isfinite(embedded).all():
        raise ValueError("YAMNet could not read clips that were read before: run this cell again")
    named = features.counterparts(scores, names)  # logarithm of each class's highest score
    known = np.isfinite(named).all(axis=0)
    if known.all():
        untrained = softmax(named, axis=1)
        right = accuracy(untrained[first.trainval], first.trainval)
        display(
            Markdown(
                "Some of YAMNet's names fit our classes: see `features.COUNTERPARTS`. The class "
                f"with the highest score among these is right for **{right:.0%}** of the clips "
                "outside the first test fold, without any training on them."
            )
        )
else:
    display(Markdown("YAMNet's file was not found: see `YAMNET_PATH` in the parameters."))

# %% [markdown]
# Then we train a *head*, a small model after the frozen network: a logistic regression on the
# embedding and on the scores of our classes. This takes seconds. YAMNet and our network make
# different errors, so both together may be better than either.

# %% [markdown]
# **Exercise 4.11: fuse two models.** Average the logarithms of their probabilities with the weights
# `share` (of `p`) and `1 - share`, then convert the result to probabilities. (A probability of 0
# counts as 1e-7.)


# %%
def fuse(p, q, *, share):
    """float (n, n_classes), rows that add up to 1. p, q: probabilities (n, n_classes)."""
    ### BEGIN SOLUTION 4.11: a weighted geometric mean, normalised
    logarithm = share * np.log(np.maximum(p, 1e-7)) + (1 - share) * np.log(np.maximum(q, 1e-7))
    mean = np.exp(logarithm)
    return mean / mean.sum(axis=1, keepdims=True)
    ### END SOLUTION


# %%
checks.fuse(fuse)

# %%
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

# The named scores are multiplied by NAMED: the penalty of the regression then limits them less
# than the embedding. They are few, but their meaning is known. NAMED and C were chosen by
# cross-validation over the recordings of each round's training folds.
NAMED = 8.0


def yamnet_answers(training_rows, rows):
    """Probabilities of some clips, by a head on YAMNet that was trained on other clips."""
    x = np.hstack([embedded, named[:, known]])
    x = StandardScaler().fit(x[training_rows]).transform(x)
    x[:, embedded.shape[1] :] *= NAMED
    weights = training.clip_weights(label[training_rows], source[training_rows])
    head = LogisticRegression(C=0.003, max_iter=1000)
    head.fit(x[training_rows], label[training_rows], sample_weight=weights)
    probability = np.zeros((len(rows), len(names)))
    probability[:, head.classes_] = head.predict_proba(x[rows])
    return probability


if embedded is not None:
    by_yamnet = yamnet_answers(first.training, first.validation)
    truth = label[first.validation]
    shares = np.linspace(0, 1, 21)
    together = [evaluation.weighted_mean(shifted, by_yamnet, share=s) for s in shares]
    loss = [log_loss(truth, p, labels=range(len(names))) for p in together]
    right = [accuracy(p, first.validation) for p in together]
    figure, axes = plt.subplots(1, 2, figsize=(11, 2.8), layout="constrained")
    for axis, values, what in ((axes[0], loss, "loss (nats)"), (axes[1], right, "accuracy")):
        axis.plot(shares, values, color=plots.OTHER)
        axis.axvline(OWN_SHARE, color=plots.KEY, label=f"OWN_SHARE = {OWN_SHARE}")
        axis.set(xlabel="weight of our network (0: YAMNet alone)", ylabel=f"{what}, validation")
    axes[0].legend(fontsize=9)
    plt.show()
    n_heard = table["group"].iloc[first.validation].nunique()
    near = shares[np.array(loss) <= 1.02 * min(loss)]
    display(
        Markdown(
            f"On the {n_heard} recordings of the validation fold the loss is lowest at a weight of "
            f"{shares[np.argmin(loss)]:.2f}, and at most 2 % higher from {near.min():.2f} to "
            f"{near.max():.2f}."
        )
    )

# %% [markdown]
# A few dozen recordings are too few to choose this weight. Also, the final network trains on the
# validation fold too. So `OWN_SHARE` is a parameter. It was chosen once, by the loss in a threefold
# cross-validation over the recordings of the training folds of two rounds. (The loss depends on the
# probability of every clip; the accuracy changes in jumps.)

# %% [markdown]
# ## 9 A test on every fold
#
# All choices are made, so the validation folds now join the training. In each round every model is
# trained on all folds but the test fold, a network for each of `SEEDS`. It is tested once, on the
# test fold. *Macro F1* is the mean F1 of all classes: a rare class counts as much as any other.

# %%
tested = np.concatenate([one_round.test for one_round in rounds])
fold_of = np.concatenate([np.full(len(r.test), r.test_fold) for r in rounds])
found = {}  # model: probabilities (n_seeds, n_tested, n_classes)
networks, seconds = {}, []


def in_every_round(predict):
    """Probabilities (n_seeds, n_tested, n_classes). predict: (round, seed) → those of a round."""
    return np.array(
        [
            np.concatenate([predict(one_round, 100 * SEED + seed) for one_round in rounds])
            for seed in SEEDS
        ]
    )


def by_first(one_round, seed):
    network = train_first(one_round.trainval, seed=seed, **STEPS["20 epochs, parts hidden"])
    return answers(network, one_round.test, MFCC)


def by_residual(one_round, seed):
    network, history = train(one_round.trainval, seed=seed)
    networks[one_round.test_fold, seed] = network
    seconds.append(history["seconds"].mean())
    return answers(network, one_round.test, LOGMEL, shifts=SHIFTS)


found["mfcc_cnn"] = in_every_round(by_first)
found["logmel_cnn"] = in_every_round(by_residual)
if embedded is not None:
    if known.all():
        found["yamnet, untrained"] = np.array([untrained[tested]] * len(SEEDS))
    by_head = np.concatenate([yamnet_answers(r.trainval, r.test) for r in rounds])
    found["yamnet"] = np.array([by_head] * len(SEEDS))  # no seed changes it
    found["fusion"] = np.array(
        [
            evaluation.weighted_mean(own, other, share=OWN_SHARE)
            for own, other in zip(found["logmel_cnn"], found["yamnet"], strict=True)
        ]
    )
truth = label[tested]
if len(SEEDS) > 1:
    found["logmel_cnn, ensemble"] = found["logmel_cnn"].mean(axis=0, keepdims=True)

# %%
per_fold = pd.DataFrame(
    [
        {
            "model": model,
            "seed": seed,
            "fold": k,
            "accuracy": (guess[fold_of == k] == truth[fold_of == k]).mean(),
            "macro_f1": f1_score(truth[fold_of == k], guess[fold_of == k], average="macro"),
        }
        for model, probability in found.items()
        for seed, guess in enumerate(probability.argmax(axis=2))
        for k in dict.fromkeys(fold_of)
    ]
)
files.write_table(per_fold, REPORT / "folds.csv")
by_fold = per_fold.groupby(["model", "fold"], sort=False)[["accuracy", "macro_f1"]].mean()
results = by_fold.groupby("model", sort=False).agg(["mean", "std"])
results.columns = [f"{score}_{what}" for score, what in results.columns]
own = models.parameter_count(chooser)
head = 0 if embedded is None else (embedded.shape[1] + known.sum() + 1) * len(names)
sizes = {
    "mfcc_cnn": models.parameter_count(models.first_cnn(MFCC, len(names))),
    "logmel_cnn": own,
    "yamnet, untrained": 0,
    "yamnet": head,  # the trained part; YAMNet itself has about four million
    "fusion": own + head,
    "logmel_cnn, ensemble": own * len(SEEDS),
}
results["parameters"] = [sizes[model] for model in results.index]
files.write_table(results.reset_index(), REPORT / "models.csv")
display(results.style.format("{:.3f}", na_rep="–").format("{:,d}", subset="parameters"))

# %% [markdown]
# Mean over the folds (and seeds), and standard deviation between folds. If it is large, the result
# on one fold says little about another.

# %% [markdown]
# ## 10 The errors

# %% [markdown]
# **Exercise 4.12: recall of each class.** Which share of the clips of a class is classified
# correctly? Return `nan` for a class without clips.


# %%
def recall_per_class(truth, guess, n_classes):
    """float (n_classes,). truth, guess: int (n,)."""
    ### BEGIN SOLUTION 4.12: hits of each class over its clips
    hits = np.bincount(truth[truth == guess], minlength=n_classes)
    total = np.bincount(truth, minlength=n_classes)
    return np.divide(hits, total, out=np.full(n_classes, np.nan), where=total > 0)
    ### END SOLUTION


# %%
checks.recall_per_class(recall_per_class)

# %%
probability = found[MODEL].mean(axis=0)  # of the seeds
guess = probability.argmax(axis=1)
recall = pd.DataFrame(
    {
        model: pd.Series(truth == answer.mean(axis=0).argmax(axis=1)).groupby(truth).mean()
        for model, answer in found.items()
    }
)
recall.insert(0, "clips", np.bincount(truth, minlength=len(names))[recall.index])
recall.index = [names[k] for k in recall.index]
files.write_table(recall.rename_axis("class").reset_index(), REPORT / "recall.csv")
display(recall.style.format("{:.0%}", subset=recall.columns[1:]))
figure = plots.confusion_matrix(truth, guess, labels=names, title=f"{MODEL}: unheard recordings")
files.write_figure(figure, REPORT / "confusion.png")
plt.show()

# %% [markdown]
# Large numbers off the diagonal are classes that the model confuses. Listen to its errors with the
# highest probability: some clips are hard, and some labels look wrong.

# %%
wrong = np.flatnonzero(guess != truth)
wrong = wrong[np.argsort(-probability[wrong, guess[wrong]], kind="stable")]
listed = pd.DataFrame(
    {
        "file": [files.short_path(p, root=dataset.root) for p in table["path"].iloc[tested[wrong]]],
        "fold": fold_of[wrong],
        "class": [names[k] for k in truth[wrong]],
        "taken for": [names[k] for k in guess[wrong]],
        "probability": probability[wrong, guess[wrong]].round(3),
    }
)
files.write_table(listed, REPORT / "wrong.csv")
by_source = pd.Series(source[tested[wrong]], index=wrong)
heard = by_source.drop_duplicates().index[:8]  # one error of each recording
if len(heard):
    figure = plots.spectrograms(
        [features.from_db(frames["logmel"][i]) for i in tested[heard]],
        frontend,
        titles=[f"{names[truth[i]]}, taken for {names[guess[i]]}" for i in heard],
    )
    files.write_figure(figure, REPORT / "wrong.png")
    plt.show()
    display(
        widgets.players(
            [audio.load(table["path"][i], sr=SR, duration_s=CROP_S) for i in tested[heard]],
            sr=SR,
            titles=[f"{names[truth[i]]}, taken for {names[guess[i]]}" for i in heard],
        )
    )

# %% [markdown]
# ## 11 The result of a random split
#
# The same model, trained in the same way on about as many clips. Only the test clips differ: they
# are drawn at random.

# %%
share_tested = np.mean([len(one_round.test) for one_round in rounds]) / len(table)
by_chance = data.random_round(table, share=share_tested, seed=SEED)
if MODEL == "mfcc_cnn":
    network = train_first(by_chance.training, **STEPS["20 epochs, parts hidden"])
    promised = answers(network, by_chance.test, MFCC)
elif MODEL == "yamnet":
    promised = yamnet_answers(by_chance.training, by_chance.test)
else:
    network, _ = train(by_chance.training, seed=100 * SEED)
    promised = answers(network, by_chance.test, LOGMEL, shifts=SHIFTS)
    if MODEL == "fusion":
        head = yamnet_answers(by_chance.training, by_chance.test)
        promised = evaluation.weighted_mean(promised, head, share=OWN_SHARE)
random_split_accuracy = accuracy(promised, by_chance.test)
is_test = np.isin(np.arange(len(table)), by_chance.test)
torn = data.leaked_share(source, is_test)
honest = results.loc[MODEL, "accuracy_mean"]
display(
    Markdown(
        f"For {torn:.0%} of these test clips another clip of their recording is in training. The "
        f"accuracy is **{random_split_accuracy:.1%}** in the random split and **{honest:.1%}** on "
        f"unheard recordings: a difference of **{100 * (random_split_accuracy - honest):+.0f} "
        f"percentage points**, on {len(by_chance.test)} and {len(tested)} clips."
    )
)

# %% [markdown]
# ## 12 Is one model really better?
#
# Two models were tested on the same clips. If both were equally good, chance would decide which of
# them is right where they differ. So we simulate chance many times: swap the answers of the two
# models for randomly chosen recordings, and count how often the difference is as large as the real
# one. A swap only changes the sign of the difference for that recording.

# %% [markdown]
# **Exercise 4.13: a paired test.** For each source, sum `right_a - right_b` over its clips (as
# numbers: 1, 0 or -1 for a clip). Draw a random sign for each sum, and add up the sums; do this `n`
# times. Count the draws (*hits*) whose total is at least as far from 0 as the real total. The real
# total counts as one more hit: return (hits + 1) / (n + 1).


# %%
def paired_test(right_a, right_b, sources, *, n, rng):
    """p-value, 0 to 1. right_a, right_b: bool (n_clips,). sources: (n_clips,), names."""
    ### BEGIN SOLUTION 4.13: sums of the sources, random signs, share of totals as far from 0
    difference = right_a.astype(int) - right_b.astype(int)
    sums = np.array([difference[sources == one].sum() for one in np.unique(sources)])
    totals = rng.choice([-1, 1], (n, len(sums))) @ sums
    return (np.sum(np.abs(totals) >= abs(sums.sum())) + 1) / (n + 1)
    ### END SOLUTION


# %%
checks.paired_test(paired_test)

# %%
own = source[tested]
right = {name: answer.mean(axis=0).argmax(axis=1) == truth for name, answer in found.items()}
compared = []
for a, b in (("logmel_cnn", "mfcc_cnn"), ("yamnet", "logmel_cnn"), ("fusion", "yamnet")):
    if a in right and b in right:
        low, high = evaluation.bootstrap_interval(
            lambda x, y: np.mean(x) - np.mean(y), right[a], right[b], groups=own, seed=SEED
        )
        compared.append(
            {
                "models": f"{a} − {b}",
                "difference": right[a].mean() - right[b].mean(),
                "95 % from": low,
                "to": high,
                "p": evaluation.paired_test(right[a], right[b], groups=own, seed=SEED),
                "folds where it is better": sum(
                    right[a][fold_of == k].mean() > right[b][fold_of == k].mean()
                    for k in dict.fromkeys(fold_of)
                ),
            }
        )
compared = pd.DataFrame(compared).set_index("models")
display(compared.style.format({name: "{:+.3f}" for name in compared.columns[:3]} | {"p": "{:.4f}"}))

# %% [markdown]
# (The probabilities of several seeds are averaged first. A t-test over folds would give p-values
# that are too small, because any two folds share most of their training clips.)

# %% [markdown]
# ## 13 Calibration
#
# If a model says *80 %*, is it right in 80 of 100 cases? Then it is *calibrated*, and you can use
# its probability to decide, for example when to ask a person.

# %% [markdown]
# **Exercise 4.14: the expected calibration error.** Divide the clips by `confidence` into 10 bins
# of equal width (0–0.1, 0.1–0.2 …; a bin includes its lower edge, the last bin both edges). In each
# bin: what is the distance of the mean confidence from the accuracy? Return the mean of these
# distances, weighted by the number of clips.


# %%
def calibration_error(confidence, right):
    """float. confidence: float (n,), 0 to 1. right: bool (n,)."""
    ### BEGIN SOLUTION 4.14: bins, their gaps, weighted by clips
    part = np.minimum((confidence * 10).astype(int), 9)
    gaps = [abs((confidence - right)[part == k].sum()) for k in range(10)]
    return sum(gaps) / len(confidence)
    ### END SOLUTION


# %%
checks.calibration_error(calibration_error)

# %% [markdown]
# One number can remove most of this error: a **temperature** that divides the logits. We find it on
# the validation fold of the first round, with a model that did not train on that fold.

# %%
if MODEL == "mfcc_cnn":
    on_validation = answers(
        train_first(first.training, **STEPS["20 epochs, parts hidden"]), first.validation, MFCC
    )
elif MODEL == "logmel_cnn":
    on_validation = shifted
elif MODEL == "yamnet":
    on_validation = by_yamnet
else:
    on_validation = evaluation.weighted_mean(shifted, by_yamnet, share=OWN_SHARE)
temperature = evaluation.temperature(on_validation, label[first.validation])
single = found[MODEL][0]  # of one seed, like the temperature
scaled = evaluation.temperature_scaled(single, temperature)
figure, axis = plt.subplots(figsize=(5, 4.4), layout="constrained")
axis.plot([0, 1], [0, 1], ":", color="0.5", label="calibrated")
for title, values, colour in (
    ("as it is", single, plots.CALL),
    (f"temperature {temperature:.2f}", scaled, plots.OTHER),
):
    curve = evaluation.reliability(values, truth)
    error = evaluation.calibration_error(values, truth)
    axis.plot(curve["confidence"], curve["accuracy"], "o-", color=colour, ms=4,
              label=f"{title}: error {error:.3f}")  # fmt: skip
axis.set(xlabel="confidence", ylabel="accuracy", xlim=(0, 1), ylim=(0, 1))
axis.legend(fontsize=9)
files.write_figure(figure, REPORT / "calibration.png")
plt.show()

# %% [markdown]
# Below the diagonal a model is too sure, above it not sure enough. Smoothed and mixed labels make a
# model less sure, sometimes too much. A temperature changes the confidence, but no answer.

# %%
# How many clips are answered, if the model answers only when it is sure enough?
confidence = scaled.max(axis=1)
sure = pd.DataFrame(
    [
        {
            "answers only if at least": f"{level:.0%}",
            "clips answered": (confidence >= level).mean(),
            "right": (single.argmax(axis=1) == truth)[confidence >= level].mean(),
        }
        for level in (0, 0.5, 0.7, 0.9)
        if (confidence >= level).any()
    ]
).set_index("answers only if at least")
sure.style.format("{:.0%}")

# %% [markdown]
# ## 14 Which parts of a clip decide?
#
# Our network ends with a mean over all places and one dense layer. Apply this layer to a single
# place: the result is the *vote* of this place for each class. The votes of all places for one
# class are a **class activation map**.

# %% [markdown]
# **Exercise 4.15: a class activation map.** `features` are the values before the mean over places;
# `weights` and `bias` (n_classes,) belong to the dense layer. Return each place's vote for class
# `k`. The mean of the votes is the network's logit.


# %%
def activation_map(features, weights, bias, k):
    """float (n_steps, n_bands). features: (n_steps, n_bands, n). weights: (n, n_classes)."""
    ### BEGIN SOLUTION 4.15: the dense layer at every place
    return features @ weights[:, k] + bias[k]
    ### END SOLUTION


# %%
checks.activation_map(activation_map)

# %%
explained = rounds[-1]
judge = networks[explained.test_fold, 100 * SEED + SEEDS[0]]
in_test = answers(judge, explained.test, LOGMEL)
hits = np.flatnonzero(in_test.argmax(axis=1) == label[explained.test])
hits = hits[np.argsort(-in_test[hits].max(axis=1), kind="stable")]
picked = pd.Series(label[explained.test[hits]], index=hits).drop_duplicates().index[:4]
figure, axes = plt.subplots(
    2, max(1, len(picked)), figsize=(13, 4.6), squeeze=False, layout="constrained"
)


def best_fifths(rows):
    """First crop of some clips, and masks of the fifth with the highest votes for their class."""
    if not len(rows):
        return [], []
    x = [augmentation.even_crops(frames["logmel"][row], LOGMEL.n_frames)[0] for row in rows]
    x = np.array(x, np.float32)
    votes = attribution.class_activation_maps(judge, x, label[rows])
    return x, [attribution.strongest(attribution.enlarge(v, LOGMEL.shape), 0.2) for v in votes]


sounds, titles = [], []
rows = explained.test[picked]
for column, (row, x, mask) in enumerate(zip(rows, *best_fifths(rows), strict=True)):
    power = features.from_db(x)
    for axis, shown in ((axes[0, column], power), (axes[1, column], power * (0.003 + mask))):
        plots.spectrogram(axis, shown / power.max(), frontend)
        axis.set(xlabel="", ylabel="")
    axes[0, column].set_title(f"{names[label[row]]}: the clip", fontsize=9)
    axes[1, column].set_title("the fifth with the highest votes", fontsize=9)
    axes[1, column].set_xlabel("time (s)")
    y = audio.load(table["path"][row], sr=SR, duration_s=CROP_S)
    sounds += [y, attribution.listen(y, mask, frontend)]
    titles += [f"{names[label[row]]}: the clip", "that fifth alone"]
for axis in axes[:, 0]:
    axis.set_ylabel("frequency (kHz)")
files.write_figure(figure, REPORT / "looked_at.png")
plt.show()
widgets.players(sounds, sr=SR, titles=titles, columns=2)

# %% [markdown]
# The map is coarse: strides leave few places, and each sees a large part of the clip. We can test
# the map. Hide the fifth with the highest votes for the class, or the same shape at another place.
# If the map is right, the probability falls more in the first case.

# %%
rows = explained.test[hits[:: max(1, len(hits) // 100)]]
versions = {"as it is": [], "hidden elsewhere": [], "its best fifth hidden": []}
for x, best in zip(*best_fifths(rows), strict=True):
    elsewhere = np.roll(best, tuple(rng.integers(1, best.shape)), axis=(0, 1))
    hidden = (x, attribution.mask(x, elsewhere), attribution.mask(x, best))
    for name, version in zip(versions, hidden, strict=True):
        versions[name].append(version)
hidden = {
    name: models.probabilities(judge, x, LOGMEL)[np.arange(len(rows)), label[rows]]
    for name, x in versions.items()
    if x
}
hidden = pd.DataFrame(hidden).mean()
display(hidden.rename("mean probability of the true class").to_frame().style.format("{:.1%}"))

# %% [markdown]
# ## 15 The report
#
# This folder has the results, the pictures, the features, the network (with its front end and the
# class names), and a page that shows the results. To classify other recordings later:
# `model = models.load_classifier("model.keras")` and `models.classify(paths, model)`.

# %%
deployed = models.ensemble([networks[explained.test_fold, 100 * SEED + seed] for seed in SEEDS])
models.save(models.ClipClassifier(deployed, LOGMEL, names), REPORT / "model.keras")
pooled = {
    name: np.array(
        [np.concatenate([p.mean(axis=0, dtype=float), p.std(axis=0, dtype=float)]) for p in parts],
        np.float32,  # after sums in double precision: in half precision they overflow
    )
    for name, parts in frames.items()
}
files.write_arrays(
    REPORT / "features.npz",
    name=np.array([files.short_path(p, root=dataset.root) for p in table["path"]]),
    label=table["label"].to_numpy(str),
    fold=table["fold"].to_numpy(),
    **pooled,
    **({} if embedded is None else {"yamnet": embedded, "yamnet_scores": scores}),
)
first_fold = int(fold_of[0])
per_fold_of_model = by_fold.loc[MODEL]
metrics_written = files.write_metrics(
    OUTPUT,
    dataset=dataset,
    seed=SEED,
    accuracy_mean=results.loc[MODEL, "accuracy_mean"],
    accuracy_std=None if len(rounds) < 2 else results.loc[MODEL, "accuracy_std"],
    macro_f1_mean=results.loc[MODEL, "macro_f1_mean"],
    **{f"accuracy_fold_{k}": row["accuracy"] for k, row in per_fold_of_model.iterrows()},
    **{f"macro_f1_fold_{k}": row["macro_f1"] for k, row in per_fold_of_model.iterrows()},
    **{
        f"accuracy_{model.replace(', ', '_')}": row["accuracy_mean"]
        for model, row in results.iterrows()
    },
    random_split_accuracy=random_split_accuracy,
    parameters=results.loc[MODEL, "parameters"],
    seconds_per_epoch=float(np.mean(seconds)),
    calibration_error=evaluation.calibration_error(single, truth),
    calibration_error_scaled=evaluation.calibration_error(scaled, truth),
    temperature=temperature,
    folds_tested=len(rounds),
    seeds=len(SEEDS),
    classes=len(names),
    clips=len(table),
    files_in_error=len(errors),
)
report.write_page(
    REPORT,
    title=f"{dataset.name}: {MODEL} on unheard recordings",
    metrics=metrics_written,
    tables={"Models": results.round(3).reset_index(), "Errors": listed.head(20)},
    pictures={
        "spectrograms.png": "A clip of each class",
        "learning_curves.png": "Training of the first round",
        "confusion.png": "Classes confused",
        "calibration.png": "Confidence and accuracy",
        "looked_at.png": "The parts with the highest votes",
        "wrong.png": "The errors with the highest probability",
    },
)
display(Markdown(f"[The report]({(REPORT / 'index.html').as_posix()})"))

# %% [markdown]
# ## Recap
#
# - Test on unheard recordings. A random split gives a higher accuracy, but not a better model.
# - Look at the input first, and standardise it.
# - Augment few clips: mix, shift and filter them, and hide parts.
# - Count operations, then measure time.
# - Choose on a validation fold, then train on all folds but the test fold, and test once.
# - With a thousand clips, a pretrained network helps more than most other choices.
# - Report the spread over folds, a paired test, and the calibration.
#
# **Try next:** `VARIANTS = ["mixing", "warping"]` · `DATASET = "esc10"` · `MODEL = "fusion"` · your
# own clips with `DATASET = "folders"`.

# %%
checks.progress()

# %%
print(json.dumps(metrics_written, indent=2))
