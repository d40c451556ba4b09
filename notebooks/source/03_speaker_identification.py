# %% [markdown]
# # 03 · Who is speaking?
#
# {{badges}}
#
# A class of people, three seconds of one voice: who is it? We go from the file to networks that
# may seem to know everybody, and then ask the question that a good figure hides: what did they
# recognise, the voice or the room?

# %% [markdown]
# **You will learn** to load sound in two ways · to split inside each speaker without cutting an
# utterance · to make four inputs from one decoding · to feed random crops · to build dense, 1-D
# and 2-D convolutional networks with dropout, batch normalisation and residual connections · to
# choose among them without looking at the test · to turn a network into an embedding, and to
# measure by it whether two recordings are of one speaker, and whether a speaker is a stranger.
#
# **Exercises** are marked as such, with a check under each that says what is not right yet;
# `checks.hint("3.1")` helps, and again helps more. Whatever you write or leave out, the lesson goes
# on with the package's own version.
#
# **You should know** spectrogram and MFCC (02), and have trained a network once.
#
# **Data contract**
#
# - *reads* `<speaker>/**/*.flac` (or wav, ogg, mp3), as LibriSpeech has it; where a speaker has
#   several folders, each is a *session*. `PREDICT_DIR`: any folder of recordings to be named
# - *writes* to `OUTPUT_DIR`: `models.csv`, `model.keras`, `errors.csv`, `confusion.png`,
#   `verification.png`, `noise.csv`, `metrics.json`; with `PREDICT_DIR` also `predict.csv`
# - *without data* 24 synthetic speakers with two sessions each babble, and the key is exact

# %%
# {{set-up}}

from helpers import env

env.setup()

# %%
import json
import time
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import Markdown, display
from keras import layers
from scipy.special import log_softmax, softmax

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
from helpers.data import layouts
from helpers.display import plots, widgets

# %% [markdown]
# ## Parameters
#
# Everything that you may want to change is here; a batch job sets the same names from outside.

# %% tags=["parameters"]
DATA_DIR = ""  # folder of the speakers; "": look for it
OUTPUT_DIR = ""  # "": outputs/03_speaker_identification
SEED = 0
PREDICT_DIR = ""  # recordings to be named by the best network; "": none
NETWORKS = ["dense", "conv1d", "conv2d"]  # those to compare
INPUTS = ["mfcc", "mfcc_pooled", "spectrogram", "spectrogram_pooled"]  # and what they are given
EPOCHS = 30  # in each, a crop of every training utterance
BATCH_SIZE = 32
LEARNING_RATE = 0.002
CROP_S = 3.0  # seconds
TEST_SHARE = 0.3  # of each speaker's utterances
HELD_OUT_SPEAKERS = 8  # strangers, for verification
STRANGER_ROUNDS = 3  # each with other strangers, and a network that never heard them
MAX_SPEAKERS = 0  # 0: all
SAMPLE_SIZE = "small"  # of the synthetic data: "small" or "full"

# %%
OUTPUT = Path(OUTPUT_DIR or "outputs/03_speaker_identification")
known_names = {
    "NETWORKS": ("dense", "conv1d", "conv2d"),
    "INPUTS": ("mfcc", "mfcc_pooled", "spectrogram", "spectrogram_pooled"),
}
for name, chosen in (("NETWORKS", NETWORKS), ("INPUTS", INPUTS)):
    if not chosen or set(chosen) - set(known_names[name]):
        raise ValueError(f"{name} = {chosen}: it takes some of {', '.join(known_names[name])}")
if EPOCHS < 1 or BATCH_SIZE < 2 or CROP_S < 0.2:
    raise ValueError("EPOCHS of at least 1, BATCH_SIZE of 2 and CROP_S of 0.2 s are needed")
to_predict = data.sounds_below(PREDICT_DIR) if PREDICT_DIR else []  # a wrong folder ends it here
env.seed_everything(SEED)
plots.use_style()
rng = np.random.default_rng(SEED)
dataset = data.resolve("speakers", DATA_DIR, sample_size=SAMPLE_SIZE)
table, errors = data.clip_table(dataset)
if MAX_SPEAKERS:
    chosen = sorted(rng.permutation(table["label"].unique())[:MAX_SPEAKERS])
    table = table[table["label"].isin(chosen)].reset_index(drop=True)
checks.start("3", strict=True)

# %% [markdown]
# ## 1 Two ways to load
#
# `librosa.load` gives every file the same form: mono, 22,050 Hz. `soundfile` gives the file as it
# is. Neither is better; but whoever mixes them up compares voices at different speeds.

# %% [markdown]
# **Exercise 3.1: load in two ways.** Return the sound as librosa loads it by default and its rate,
# then the samples at the file's own rate (`soundfile`) and that rate, and how long the recording
# lasts. Import both libraries yourself.


# %%
def two_ways(path):
    """(y, sr, y_native, sr_native, duration_s). y: float (n,), 22,050 Hz; duration_s: seconds."""
    ### BEGIN SOLUTION 3.1: load with librosa, and with soundfile; the duration
    import librosa
    import soundfile

    y, sr = librosa.load(path)
    y_native, sr_native = soundfile.read(path)
    return y, sr, y_native, sr_native, len(y_native) / sr_native
    ### END SOLUTION


# %%
checks.two_ways(two_ways)

# %%
speakers = sorted(table["label"].unique())
pair = list(rng.choice(speakers, 2, replace=False)) if len(speakers) > 1 else speakers
long_enough = table["duration_s"] >= table.groupby("label")["duration_s"].transform("median")
shown = [table["path"][(table["label"] == name) & long_enough].iloc[0] for name in pair]
SR = 16000  # the rate that everything below works at: speech has little to say above 8 kHz
voices = [audio.load(path, sr=SR) for path in shown]
for name, path in zip(pair, shown, strict=True):
    header = audio.info(path)
    print(
        f"speaker {name}: {header.duration_s:.2f} s, {header.sample_rate} Hz, "
        f"{header.channels} channel{'s' * (header.channels > 1)}"
    )
figure = plots.waveforms(voices, sr=SR, titles=[f"speaker {name}" for name in pair], columns=2)
plt.show()
widgets.players(voices, sr=SR, titles=[f"speaker {name}" for name in pair], columns=2)

# %% [markdown]
# Bursts are syllables, the flat stretches between them pauses. Listen: you could tell the two apart
# after a word. From the waveform alone hardly anybody could.

# %% [markdown]
# ## 2 Time and frequency
#
# The Fourier transform (FFT) asks a stretch of sound how much of each frequency is in it. A voice
# answers with a comb: its pitch, and the multiples of it.

# %% [markdown]
# **Exercise 3.2: the strongest frequency.** Which frequency does a sound hold most of? Use the FFT;
# a constant offset is no tone, so it must not count.


# %%
def strongest_frequency(y, *, sr):
    """Frequency of the strongest component of a sound, Hz. y: float (n_samples,)."""
    ### BEGIN SOLUTION 3.2: the place of the largest magnitude of the FFT, in Hz
    magnitude = np.abs(np.fft.rfft(y - y.mean()))
    return np.fft.rfftfreq(len(y), 1 / sr)[magnitude.argmax()]
    ### END SOLUTION


# %%
checks.strongest_frequency(strongest_frequency)

# %%
figure, axes = plt.subplots(1, 2, figsize=(12, 3), layout="constrained", sharey=True)
for axis, name, y in zip(axes, pair, voices, strict=False):
    vowels = np.convolve(y, np.ones(16) / 16, mode="same")  # above 1 kHz there are hisses too
    loudest = np.argmax(np.convolve(vowels**2, np.ones(1600), mode="valid"))
    stretch = y[loudest : loudest + 1600] * np.hanning(len(y[loudest : loudest + 1600]))
    level = 20 * np.log10(np.maximum(np.abs(np.fft.rfft(stretch, 8192)), 1e-6))
    axis.plot(np.fft.rfftfreq(8192, 1 / SR), level - level[:2049].max(), lw=0.8, color=plots.OTHER)
    axis.set(xlim=(0, 4000), ylim=(-70, 3), xlabel="frequency (Hz)", title=f"speaker {name}, 0.1 s")
axes[0].set_ylabel("level (dB re maximum)")
plt.show()

# %% [markdown]
# In a vowel the distance between the comb's teeth is the pitch; the broad hills over them are the
# *formants*, resonances of throat and mouth. Pitch and the size of the throat differ from person to
# person: that is our signal. But what is said moves both, so we need to see them over time.

# %% [markdown]
# **Exercise 3.3: a spectrogram in decibels.** FFT after FFT (short-time Fourier transform, Hann
# window, centred frames, zeros beyond the edges, as librosa has it), then 10 log10 of the power,
# which is not let below 1e-10. With `n_fft=400`, 25 ms at 16 kHz, these are 201 frequencies.


# %%
def log_spectrogram(y, *, n_fft, hop_length):
    """Power over time and frequency, dB. y: float (n,). Returns (1 + n_fft // 2, n_frames)."""
    ### BEGIN SOLUTION 3.3: the STFT's power in decibels
    import librosa

    power = np.abs(librosa.stft(y, n_fft=n_fft, hop_length=hop_length)) ** 2
    return 10 * np.log10(np.maximum(power, 1e-10))
    ### END SOLUTION


# %%
checks.log_spectrogram(log_spectrogram)

# %%
linear = features.Frontend(sr=SR, n_fft=400, hop_length=200, n_mels=0)
figure, axes = plt.subplots(1, 2, figsize=(12, 3.4), layout="constrained", sharey=True)
for axis, name, y in zip(axes, pair, voices, strict=False):
    image = plots.spectrogram(axis, linear.power(y), linear, range_db=90)
    axis.set_title(f"speaker {name}")
axes[1].set_ylabel("")
figure.colorbar(image, ax=axes, label="power (dB)")
plt.show()

# %% [markdown]
# Fine parallel stripes are the harmonics of the pitch; the broad bands that bend are formants,
# following the vowels; what goes up to the top without bands are hissing consonants. Look at the
# pauses too: their colour is the *room and the microphone*, and it differs from speaker to speaker.
# Keep that in mind until section 6.

# %% [markdown]
# ## 3 Four inputs from one decoding
#
# What is a network to be given? We compare four: 256 MFCC over time, and 201 spectrogram values
# over time; and both *pooled*, as their mean over time, which forgets the words and keeps the
# average colour of the voice. (Speech recognition keeps the first 13 to 20 MFCC, the broad shape
# of a spectrum. All 256 of 256 bands throw nothing away: they say the same in another order.)

# %% [markdown]
# **Exercise 3.4: four inputs.** MFCC: 256 mel bands (`n_fft=1024`, `hop_length=200`), in dB,
# not let below 1e-10 and cut off nowhere else (librosa's `power_to_db` cuts at 80 dB below the
# maximum unless told not to), then all 256 coefficients. Spectrogram: exercise 3.3 with
# `n_fft=400`, `hop_length=200`. Of both also the mean over time.


# %%
def four_inputs(y, *, sr):
    """(mfcc (256, n_frames), its mean (256,), spectrogram (201, n_frames), its mean (201,))."""
    ### BEGIN SOLUTION 3.4: MFCC and spectrogram, over time and pooled
    import librosa

    mel = librosa.feature.melspectrogram(y=y, sr=sr, n_fft=1024, hop_length=200, n_mels=256)
    mfcc = librosa.feature.mfcc(S=librosa.power_to_db(mel, top_db=None), n_mfcc=256)
    power = np.abs(librosa.stft(y, n_fft=400, hop_length=200)) ** 2
    spectrogram = librosa.power_to_db(power, top_db=None)
    return mfcc, mfcc.mean(axis=1), spectrogram, spectrogram.mean(axis=1)
    ### END SOLUTION


# %%
checks.four_inputs(four_inputs)

# %% [markdown]
# The package's version keeps time first, `(n_frames, n_values)`, as Keras has it, and computes all
# frames of all utterances **once**: from then on nothing is decoded or transformed again, whatever
# is trained. They are kept on disk, too: run this cell twice.

# %%
mel = features.Frontend(sr=SR, n_fft=1024, hop_length=200, n_mels=256)
ALL_INPUTS = {
    "mfcc": features.ClipInput(mel, n_mfcc=256, crop_s=CROP_S),
    "mfcc_pooled": features.ClipInput(mel, n_mfcc=256, pooled=True, crop_s=CROP_S),
    "spectrogram": features.ClipInput(linear, crop_s=CROP_S),
    "spectrogram_pooled": features.ClipInput(linear, pooled=True, crop_s=CROP_S),
}
begun = time.perf_counter()
frames, unreadable = features.extract_frames(table["path"], ALL_INPUTS, root=dataset.root)
errors = pd.concat([errors, unreadable], ignore_index=True)
readable = [part is not None for part in frames["mfcc"]]
table = table[readable].reset_index(drop=True)
frames = {name: [part for part in parts if part is not None] for name, parts in frames.items()}
print(f"{len(table)} utterances in {time.perf_counter() - begun:.1f} s")
pd.DataFrame(
    {
        "one crop is": {name: str(clip_input.shape) for name, clip_input in ALL_INPUTS.items()},
        "numbers": {
            name: int(np.prod(clip_input.shape)) for name, clip_input in ALL_INPUTS.items()
        },
    }
)

# %% [markdown]
# ## 4 A split inside each speaker
#
# Every speaker must be in training, or the network could not know the name; and in the test, or we
# would not know whether it does. So the split goes through each speaker, but **never through an
# utterance**: two crops of one utterance share the words, the mood and the minute. Where a speaker
# was recorded in several sessions, whole sessions are held out. We call a *source* what no split
# may cut: a session, or an utterance where sessions are not known.

# %% [markdown]
# **Exercise 3.5: hold out a share of each speaker's utterances,** rounded to the nearest whole
# number, but at least one, and never all; by chance. `speakers` names the speaker of each
# utterance.


# %%
def hold_out(speakers, *, share, rng):
    """bool (n,), True for held-out utterances. speakers: array (n,). rng: NumPy Generator."""
    ### BEGIN SOLUTION 3.5: choose the share of each speaker's utterances
    held_out = np.zeros(len(speakers), bool)
    for speaker in np.unique(speakers):
        own = np.flatnonzero(speakers == speaker)
        n = np.clip(round(share * len(own)), 1, len(own) - 1)
        held_out[rng.choice(own, n, replace=False)] = True
    return held_out
    ### END SOLUTION


# %%
checks.hold_out(hold_out)

# %% [markdown]
# The package's version, `data.hold_out`, does that with whole sources. We need a third part: the
# networks are compared on **validation** utterances, taken out of the training part. Whoever picks
# the best of ten on the test has tuned on the test.

# %%
table["row"] = np.arange(len(table))
table, unsplit = data.hold_out(table, share=TEST_SHARE, seed=SEED)
errors = pd.concat([errors, unsplit], ignore_index=True)
frames = {name: [parts[row] for row in table["row"]] for name, parts in frames.items()}
names = sorted(table["label"].unique())
speaker = table["label"].map({name: k for k, name in enumerate(names)}).to_numpy()
if len(names) < 3:
    raise layouts.DataError(f"{len(names)} speakers can be split: at least 3 are needed")
# Of speakers with a single session left to train on, validation can only take utterances.
inner = table[~table["held_out"]]
alone = inner.groupby("label")["group"].transform("nunique") < 2
inner = inner.assign(group=inner["group"].where(~alone, inner["path"]))
inner, _ = data.hold_out(inner, share=0.2, seed=SEED + 1)
table["part"] = np.where(table["held_out"], "test", "training")
table.loc[table["path"].isin(inner.loc[inner["held_out"], "path"]), "part"] = "validation"
TRAINING, VALIDATION, TEST = (
    np.flatnonzero(table["part"] == part) for part in ("training", "validation", "test")
)
has_sessions = bool(table["group"].duplicated().any())
files.write_table(errors, OUTPUT / "errors.csv")
if len(errors):
    display(errors.head(10))
table.groupby("part", sort=False).agg(
    utterances=("path", "count"),
    speakers=("label", "nunique"),
    sources=("group", "nunique"),
    minutes=("duration_s", lambda s: round(s.sum() / 60, 1)),
    shortest_s=("duration_s", lambda s: round(s.min(), 1)),
    median_s=("duration_s", lambda s: round(s.median(), 1)),
)

# %% [markdown]
# What would it have cost to split **crops** instead? Cut every utterance into overlapping crops,
# and look each test crop's nearest neighbour up among the training crops. If that one is of the
# same speaker, it counts as recognised. And what do sessions change, where they are known?

# %%
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

pooled = ALL_INPUTS["mfcc_pooled"]
cut = [pooled.pool(augmentation.even_crops(part, pooled.n_frames)) for part in frames["mfcc"]]
of_utterance = np.repeat(np.arange(len(table)), [len(part) for part in cut])
colour = np.concatenate(cut)
of_speaker = speaker[of_utterance]
by_crop = rng.random(len(colour)) < TEST_SHARE
# Whole utterances, from sessions that may be in training as well.
by_utterance, _ = data.hold_out(table.assign(group=table["path"]), share=TEST_SHARE, seed=SEED)
ways = {"utterances": by_utterance["held_out"].to_numpy()}
if has_sessions:
    ways["sessions"] = table["held_out"].to_numpy()
splits = {"crops": by_crop} | {name: is_test[of_utterance] for name, is_test in ways.items()}
leak = {}
for name, is_test in splits.items():
    nearest = make_pipeline(StandardScaler(), KNeighborsClassifier(1))
    nearest.fit(colour[~is_test], of_speaker[~is_test])
    leak[name] = nearest.score(colour[is_test], of_speaker[is_test])
torn = data.leaked_share(of_utterance, by_crop)
kind = "sessions" if has_sessions else "utterances"
text = (
    f"Splitting crops puts **{torn:.0%}** of the test crops beside a crop of the very same "
    f"utterance, and the nearest neighbour is right for **{leak['crops']:.1%}** of them. Splitting "
    f"whole utterances leaves **{leak['utterances']:.1%}**"
)
if has_sessions:
    text += f", and splitting whole sessions **{leak['sessions']:.1%}**."
else:
    text += (
        ". Where that hardly differs, something else than the words gives everybody away: see "
        "section 6."
    )
display(Markdown(text))

# %% [markdown]
# ## 5 Random crops, in batches
#
# The networks take three seconds. In every epoch each utterance gives one crop, from another place:
# the longer an utterance is, the more there is to choose from. A short utterance is repeated until
# it is long enough; zeros would be a silence that no recording has, and would give away who speaks
# briefly.

# %% [markdown]
# **Exercise 3.6: a random crop.** `n_samples` neighbouring samples from a random place, each
# place as likely as any other; a shorter sound is repeated from its beginning until it is long
# enough, and may be cut anywhere then.


# %%
def random_crop(y, *, n_samples, rng):
    """A stretch of y: (n_samples,). rng: NumPy Generator."""
    ### BEGIN SOLUTION 3.6: repeat what is too short, then cut at a random place
    if len(y) < n_samples:
        y = np.resize(y, n_samples)
    start = rng.integers(len(y) - n_samples + 1)
    return y[start : start + n_samples]
    ### END SOLUTION


# %%
checks.random_crop(random_crop)

# %% [markdown]
# **Exercise 3.7: a batch.** A network is trained on many crops at a time. Of each chosen utterance
# cut `n_frames` frames, each at a random place of its own, and put them into one array with their
# labels beside it.


# %%
def batch(frames, labels, chosen, *, n_frames, rng):
    """x float32 (len(chosen), n_frames, n_values), y (len(chosen),).

    frames: list of float (n, n_values), time first, n >= n_frames. labels: int array, one for each.
    chosen: int array, the utterances of this batch, in order. rng: NumPy Generator.
    """
    ### BEGIN SOLUTION 3.7: a random crop of each chosen utterance, and its label
    cut = []
    for i in chosen:
        start = rng.integers(len(frames[i]) - n_frames + 1)
        cut.append(frames[i][start : start + n_frames])
    return np.stack(cut).astype(np.float32), labels[chosen]
    ### END SOLUTION


# %%
checks.batch(batch)

# %% [markdown]
# The package's `training.CropBatches` is a `keras.utils.PyDataset`: Keras asks it for batch number
# `i`, and it cuts it from the frames in memory. It also hides a few neighbouring frames and values
# of each crop (SpecAugment), so that the network relies on no detail alone. How much is it worth
# that an epoch decodes nothing? The usual way is to load the file, crop it and compute the MFCC
# each time that it is asked for.

# %%
some = rng.choice(TRAINING, min(24, len(TRAINING)), replace=False)
paths = list(table["path"].iloc[some])


def decode_each_time():
    """A batch as most data loaders make it: from the files."""
    import librosa

    made = []
    for path in paths:
        y, _ = librosa.load(path, sr=SR)
        y = augmentation.random_crop(rng, y, round(CROP_S * SR))
        mel = librosa.feature.melspectrogram(y=y, sr=SR, n_fft=1024, hop_length=200, n_mels=256)
        made.append(librosa.feature.mfcc(S=librosa.power_to_db(mel, top_db=None), n_mfcc=256))
    return made


from_memory = training.CropBatches(
    [frames["mfcc"][i] for i in some], speaker[some], ALL_INPUTS["mfcc"], batch_size=len(some)
)
took = {}
for name, work in (("files", decode_each_time), ("memory", lambda: from_memory[0])):
    work()
    begun = time.perf_counter()
    for _ in range(3):
        work()
    took[name] = (time.perf_counter() - begun) / 3 / len(some)
ratio = took["files"] / took["memory"]
display(
    Markdown(
        f"From the file: {1e3 * took['files']:.1f} ms a crop. From memory: "
        f"{1e3 * took['memory']:.2f} ms, **{ratio:.0f} times** as fast. An epoch of "
        f"{len(TRAINING)} utterances waits {len(TRAINING) * took['memory']:.2f} s for its data "
        f"instead of {len(TRAINING) * took['files']:.1f} s."
    )
)

# %% [markdown]
# ## 6 Before any network: what gives the speaker away?
#
# A linear classifier (linear discriminant analysis: a mean for each speaker, one covariance for
# all) takes seconds, and tells what there is to be recognised. It gets the pooled MFCC: of the
# whole utterance; of the **quietest tenth** of its frames alone, mostly pauses; and the *deviation*
# over time instead of the mean, from which a constant filter, such as the microphone's, has gone
# (constant noise leaves its mark).

# %%
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis


def quietest(part):
    """Mean of the tenth of the frames with the least level."""
    level = part[:, 0]  # the first coefficient: the sum of all bands
    return part[level <= np.quantile(level, 0.1)].mean(axis=0)


summaries = {
    "whole utterance": [part.astype(np.float32).mean(axis=0) for part in frames["mfcc"]],
    "quietest tenth of the frames": [quietest(part.astype(np.float32)) for part in frames["mfcc"]],
    "deviation over time": [part.astype(np.float32).std(axis=0) for part in frames["mfcc"]],
}
linear_scores = pd.DataFrame(
    index=list(summaries), columns=[f"unheard {name}" for name in ways], dtype=float
)
for row, values in summaries.items():
    values = np.stack(values)
    for name, is_test in ways.items():
        model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
        model.fit(values[~is_test], speaker[~is_test])
        linear_scores.loc[row, f"unheard {name}"] = model.score(values[is_test], speaker[is_test])
silence_accuracy = linear_scores.iloc[1, 0]
display(linear_scores.style.format("{:.1%}"))
text = (
    f"**By their quietest frames, {silence_accuracy:.0%} are recognised** (by chance "
    f"{1 / len(names):.0%}): the recording's noise and microphone can be a label of their own. "
)
if has_sessions:
    across = linear_scores["unheard sessions"]
    text += (
        f"In a session that was not trained on, it is {across.iloc[1]:.0%}; of the "
        f"{linear_scores.iloc[0, 0]:.0%} for whole utterances {across.iloc[0]:.0%} are left, of "
        f"the {linear_scores.iloc[2, 0]:.0%} for the deviation {across.iloc[2]:.0%}."
    )
else:
    text += (
        "Here every speaker has one recording set-up only, so nobody can tell how much of what "
        "follows is voice, and how much is room. Say so when you report it."
    )
display(Markdown(text))

# %% [markdown]
# ## 7 Three kinds of network
#
# All of them end in one *logit* for each speaker, a score without bounds; *softmax* makes
# probabilities of them. On the way stand three layers that make training work. *Batch
# normalisation* brings each value to mean 0 and deviation 1 over the batch, so that no layer has to
# follow the others' drift (in use it takes a running mean). *ReLU* sets what is negative to zero:
# without it, layers on layers would be one linear map. *Dropout* sets a random share of the values
# to zero, in training only, so that nothing is learnt by one value alone.
#
# A **dense** network connects everything with everything. On pooled input it is small and quick; on
# frames laid flat it has weights of its own for each moment.

# %% [markdown]
# **Exercise 3.8: a dense network** from `n_values` numbers to one logit for each speaker (no
# softmax: the loss will do that). One or two hidden layers, each with batch normalisation, ReLU
# and dropout, in this order. A `keras.Sequential` that begins with `keras.Input`, or a
# `keras.Model(inputs, outputs)`; no class of its own. This network and the next two have fewer than
# a million parameters each.


# %%
def dense_network(n_values, n_classes):
    """keras.Model: (batch, n_values) → logits (batch, n_classes)."""
    ### BEGIN SOLUTION 3.8: dense, batch normalisation, ReLU, dropout; then the logits
    inputs = x = keras.Input((n_values,))
    for units in (256, 128):
        x = layers.Dense(units, use_bias=False)(x)  # batch normalisation has a bias of its own
        x = layers.ReLU()(layers.BatchNormalization()(x))
        x = layers.Dropout(0.3)(x)
    return keras.Model(inputs, layers.Dense(n_classes)(x))
    ### END SOLUTION


# %%
checks.dense_network(dense_network)

# %% [markdown]
# A **1-D convolution** slides over time and looks at all values of a few neighbouring frames. The
# same weights serve every moment, and pooling over time makes the length not matter.

# %% [markdown]
# **Exercise 3.9: a network of 1-D convolutions,** with batch normalisation, ReLU, dropout, and
# pooling over all of the time before the logits: twice as many frames must not need more
# parameters.


# %%
def conv1d_network(n_frames, n_values, n_classes):
    """keras.Model: (batch, n_frames, n_values) → logits (batch, n_classes)."""
    ### BEGIN SOLUTION 3.9: convolutions over time, pooling over time, the logits
    inputs = x = keras.Input((n_frames, n_values))
    for channels in (64, 128):
        x = layers.Conv1D(channels, 5, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
        x = layers.MaxPooling1D(2)(x)
    x = layers.Dropout(0.3)(layers.GlobalAveragePooling1D()(x))
    return keras.Model(inputs, layers.Dense(n_classes)(x))
    ### END SOLUTION


# %%
checks.conv1d_network(conv1d_network)

# %% [markdown]
# A **2-D convolution** takes the spectrogram for a picture, in which a pattern may also move up and
# down, as formants do. (Up and down among MFCC means nothing of the kind; we try it all the same.)
# Such networks grow deep, and deep networks learn badly unless the signal can
# go past a layer: the *residual connection* adds a block's input to its output.

# %% [markdown]
# **Exercise 3.10: a residual block.** Two 3 × 3 convolutions (`padding="same"`), the first with
# `strides`; batch normalisation right after each, ReLU after the first of them. Add the shortcut,
# then a last ReLU. The shortcut is `x` itself where it has the right shape, else a 1 × 1
# convolution of it, with the same strides and no activation.


# %%
def residual_block(x, channels, *, strides):
    """Keras tensor (batch, time, bands, n) → (batch, time / strides, bands / strides, channels)."""
    ### BEGIN SOLUTION 3.10: two convolutions, a shortcut, their sum
    y = layers.Conv2D(channels, 3, strides=strides, padding="same", use_bias=False)(x)
    y = layers.ReLU()(layers.BatchNormalization()(y))
    y = layers.Conv2D(channels, 3, padding="same", use_bias=False)(y)
    y = layers.BatchNormalization()(y)
    if strides != 1 or x.shape[-1] != channels:
        x = layers.Conv2D(channels, 1, strides=strides)(x)
    return layers.ReLU()(layers.Add()([x, y]))
    ### END SOLUTION


# %%
checks.residual_block(residual_block)

# %% [markdown]
# **Exercise 3.11: a residual network of 2-D convolutions.** The input has no channel axis: make it
# `(n_frames, n_values, 1)`. With batch normalisation and dropout; stride early, so that most layers
# have few places to compute; and pool over what is left of the time before the logits, so that
# twice as many frames need no more parameters.


# %%
def conv2d_network(n_frames, n_values, n_classes):
    """keras.Model: (batch, n_frames, n_values) → logits (batch, n_classes)."""

    ### BEGIN SOLUTION 3.11: a channel axis, residual blocks, pooling, dropout, the logits
    def block(x, channels):
        y = layers.Conv2D(channels, 3, strides=2, padding="same", use_bias=False)(x)
        y = layers.ReLU()(layers.BatchNormalization()(y))
        y = layers.Conv2D(channels, 3, padding="same", use_bias=False)(y)
        past = layers.Conv2D(channels, 1, strides=2)(x)
        return layers.ReLU()(layers.Add()([past, layers.BatchNormalization()(y)]))

    inputs = keras.Input((n_frames, n_values))
    x = layers.Reshape((n_frames, n_values, 1))(inputs)
    for channels in (16, 32, 64):
        x = block(x, channels)
    x = layers.Dropout(0.3)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, layers.Dense(n_classes)(x))
    ### END SOLUTION


# %%
checks.conv2d_network(conv2d_network)

# %% [markdown]
# **Exercise 3.12: count the parameters,** those that training changes and all that there are (the
# moving averages of batch normalisation are kept, but not trained).


# %%
def parameter_count(network):
    """(trainable, all): two int."""

    ### BEGIN SOLUTION 3.12: sizes of the weights, summed
    def total(weights):
        return sum(int(np.prod(weight.shape)) for weight in weights)

    return total(network.trainable_weights), total(network.weights)
    ### END SOLUTION


# %%
checks.parameter_count(parameter_count)

# %% [markdown]
# The networks that we train, `models.dense`, `conv1d` and `conv2d`, are of the same kinds.
# They also standardise their input (mean and deviation of the training part, kept inside the
# network), and end alike: an *embedding* of 128 numbers, and logits that say how well its direction
# fits that of each speaker: twenty times the cosine of the angle between the two.
#
# One more takes part: a 1-D network that **subtracts each crop's own mean** before anything else.
# What stays the same throughout a crop goes: the channel, and a part of the voice.

# %%
BUILDERS = {
    "dense": models.dense,
    "conv1d": models.conv1d,
    "conv2d": models.conv2d,
}


def build(network, input_name, n_classes, rows):
    """One of the networks, standardised by the frames of some utterances."""
    mean, variance = models.moments([frames[input_name][row] for row in rows])
    kind, _, variant = network.partition(", ")
    options = {"own_mean": True} if variant else {}
    return BUILDERS[kind](
        ALL_INPUTS[input_name],
        n_classes,
        mean=mean,
        variance=variance,
        name=f"{kind}_{'own_mean_' * bool(variant)}{input_name}",
        **options,
    )


candidates = [
    (network, input_name)
    for network in NETWORKS
    for input_name in INPUTS
    if not (network == "conv2d" and ALL_INPUTS[input_name].pooled)  # a picture needs two axes
]
if "conv1d" in NETWORKS and "mfcc" in INPUTS:
    candidates.append(("conv1d, own mean taken off", "mfcc"))
print(f"{len(candidates)} networks to train")

# %% [markdown]
# ## 8 Training
#
# The labels are numbers and the network gives logits: that determines the loss. Which optimiser,
# and how fast it learns, is up to you.

# %% [markdown]
# **Exercise 3.13: choose optimiser and loss** (`network.compile`). The check trains a small network
# with your choice.


# %%
def compile_network(network):
    """Compiles a network whose labels are int (batch,), whose outputs are logits (batch, n)."""
    ### BEGIN SOLUTION 3.13: an optimiser, and cross-entropy for integer labels and logits
    network.compile(
        optimizer=keras.optimizers.Adam(learning_rate=2e-3),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    ### END SOLUTION


# %%
checks.compile_network(compile_network)

# %% [markdown]
# We take Adam, and let the learning rate fall along a cosine: the last epochs settle what the first
# have found. Our loss is the cross-entropy with a handicap: the true speaker must lead by a
# *margin* of 0.2 in the cosine, so that voices keep their distance (that will matter in section
# 13). Every network gets the same number of epochs, and none is stopped by what it does on the
# validation or the test.


# %%
def train(network, input_name, rows, labels, *, validation=None):
    """Trains on some utterances. labels: int, one for each of rows. Returns the history."""
    batches = training.CropBatches(
        [frames[input_name][row] for row in rows],
        labels,
        ALL_INPUTS[input_name],
        batch_size=BATCH_SIZE,
        seed=SEED,
    )
    held_out = None
    if validation is not None:
        held_out = training.CropBatches(
            [frames[input_name][row] for row in validation],
            speaker[validation],
            ALL_INPUTS[input_name],
            batch_size=BATCH_SIZE,
            fixed=True,
        )
    training.compile_network(
        network,
        models.margin_loss(),
        n_steps=EPOCHS * len(batches),
        learning_rate=LEARNING_RATE,
    )
    return training.run_epochs(network, batches, epochs=EPOCHS, validation=held_out)


trained, histories = {}, {}
for network, input_name in candidates:
    env.seed_everything(SEED)
    trained[network, input_name] = build(network, input_name, len(names), TRAINING)
    histories[f"{network}\n{input_name}"] = train(
        trained[network, input_name], input_name, TRAINING, speaker[TRAINING], validation=VALIDATION
    )

# %%
figure = plots.network_curves(histories)
files.write_figure(figure, OUTPUT / "learning_curves.png")
plt.show()

# %% [markdown]
# The gap between the lines shows, roughly, how much better a network knows its examples than
# unheard utterances. Roughly, because training is harder: parts are hidden and values dropped, so
# that the dashed line may lie below the other. Which network is best, the dashed line alone can
# tell.

# %% [markdown]
# ## 9 A prediction for one file
#
# Many utterances are longer than a crop: of these we cut several, let the network speak about each,
# and take the mean of the probabilities.

# %% [markdown]
# **Exercise 3.14: name the speaker.** Turn the logits of each crop into probabilities (softmax),
# take their mean over the crops, and return the most probable name and its probability.


# %%
def predict_speaker(logits, names):
    """(name, probability). logits: float (n_crops, n_classes). names: list, one for each class."""
    ### BEGIN SOLUTION 3.14: softmax, mean over the crops, the best name
    probability = softmax(logits, axis=1).mean(axis=0)
    best = probability.argmax()
    return names[best], probability[best]
    ### END SOLUTION


# %%
checks.predict_speaker(predict_speaker)

# %%
one = rng.choice(TEST)
model = trained[candidates[0]]
logits, _ = models.outputs_of_crops(
    model, [frames[candidates[0][1]][one]], ALL_INPUTS[candidates[0][1]]
)
probability = np.mean([softmax(crop) for crop in logits], axis=0)
order = np.argsort(-probability)[:5]
figure, axis = plt.subplots(figsize=(7, 2.4), layout="constrained")
colours = [plots.KEY if k == speaker[one] else plots.OTHER for k in order]
axis.barh([names[k] for k in order][::-1], probability[order][::-1], color=colours[::-1])
axis.set(xlim=(0, 1), xlabel="probability", ylabel="speaker")
axis.set_title(f"an unheard utterance of speaker {names[speaker[one]]}, crops heard: {len(logits)}")
plt.show()

# %% [markdown]
# The green bar is the true speaker, if among these five.

# %% [markdown]
# ## 10 All networks over all inputs
#
# Accuracy says how many are right; *precision* how far a name can be trusted when it is said,
# *recall* how many of a speaker's utterances are found, *F1* is their harmonic mean. Macro: the
# mean over all speakers, so that one with few utterances counts as much.

# %% [markdown]
# **Exercise 3.15: macro precision, recall and F1.** Over the speakers that occur in `truth` or
# `guess`; one who is never guessed has a precision of 0, one who is never true a recall of 0. F1 is
# the mean of the speakers' F1.


# %%
def macro_scores(truth, guess):
    """(precision, recall, f1): three float. truth, guess: int (n,)."""
    ### BEGIN SOLUTION 3.15: scores of each speaker, then their means
    from sklearn.metrics import precision_recall_fscore_support

    scores = precision_recall_fscore_support(truth, guess, average="macro", zero_division=0)
    return scores[:3]  # the fourth says how many there are of each class
    ### END SOLUTION


# %%
checks.macro_scores(macro_scores)

# %% [markdown]
# Two accuracies: of single **crops** of three seconds, and of whole **utterances**. The intervals
# come from resampling whole sources, since what is cut from one recording stands or falls together.


# %%
def evaluate(network, input_name, rows):
    """Of a network on some utterances: dict of scores; guess and loss of each utterance."""
    logits, clip = models.outputs_of_crops(
        network, [frames[input_name][row] for row in rows], ALL_INPUTS[input_name]
    )
    truth = speaker[rows]
    log_probability = log_softmax(logits, axis=1)
    guess = models.mean_of_clips(np.exp(log_probability), clip).argmax(axis=1)
    sources = table["group"].to_numpy()[rows]
    of_crops = -log_probability[np.arange(len(clip)), truth[clip]]
    loss = models.mean_of_clips(of_crops[:, None], clip)[:, 0]
    scores = {
        "loss": loss.mean(),
        "crop_accuracy": (logits.argmax(axis=1) == truth[clip]).mean(),
    }
    for name, row in evaluation.class_scores(truth, guess, groups=sources, seed=SEED).iterrows():
        name = "utterance_accuracy" if name == "accuracy" else f"macro_{name}"
        scores |= {name: row["value"], f"{name}_low": row["low"], f"{name}_high": row["high"]}
    return scores, guess, loss


def latency_ms(network, input_name):
    """Time for one crop alone, ms: median of twenty."""
    x = np.zeros((1, *ALL_INPUTS[input_name].shape), np.float32)
    network.predict_on_batch(x)
    times = []
    for _ in range(20):
        begun = time.perf_counter()
        network.predict_on_batch(x)
        times.append(1e3 * (time.perf_counter() - begun))
    return float(np.median(times))


rows, losses = [], {}
for (network, input_name), model in parallel.progress_bar(
    trained.items(), desc="Evaluating", unit="network"
):
    validation_scores, _, losses[network, input_name] = evaluate(model, input_name, VALIDATION)
    test_scores, _, _ = evaluate(model, input_name, TEST)
    rows.append(
        {
            "network": network,
            "input": input_name,
            "validation_loss": validation_scores["loss"],
            "validation_accuracy": validation_scores["utterance_accuracy"],
            **{name: value for name, value in test_scores.items() if name != "loss"},
            "parameters": models.parameter_count(model),
            "training_s": histories[f"{network}\n{input_name}"]["seconds"].sum(),
            "latency_ms": latency_ms(model, input_name),
        }
    )
results = pd.DataFrame(rows).sort_values("validation_loss", ignore_index=True)
files.write_table(results, OUTPUT / "models.csv")


def with_interval(name):
    return [
        f"{row[name]:.3f} [{row[name + '_low']:.2f}, {row[name + '_high']:.2f}]"
        for row in results.to_dict("records")
    ]


shown = pd.DataFrame(
    {
        "network": results["network"],
        "input": results["input"],
        "validation loss": results["validation_loss"].map("{:.3f}".format),
        "crops": results["crop_accuracy"].map("{:.3f}".format),
        "utterances": with_interval("utterance_accuracy"),
        "precision": with_interval("macro_precision"),
        "recall": with_interval("macro_recall"),
        "F1": with_interval("macro_f1"),
        "parameters": results["parameters"].map("{:,d}".format),
        "training (s)": results["training_s"].map("{:.0f}".format),
        "one crop (ms)": results["latency_ms"].map("{:.1f}".format),
    }
)
shown.style.hide().set_table_attributes('style="font-size: 80%"')

# %%
ordered = results.iloc[::-1]
labels = [f"{row.network}, {row.input}" for row in ordered.itertuples()]
figure, axis = plt.subplots(figsize=(9, 0.9 + 0.36 * len(ordered)), layout="constrained")
places = np.arange(len(ordered))
values = ordered["utterance_accuracy"]
axis.hlines(
    places, ordered["utterance_accuracy_low"], ordered["utterance_accuracy_high"],
    color=plots.OTHER, lw=5, alpha=0.35, label="95 % interval",
)  # fmt: skip
axis.plot(values, places, "o", color=plots.OTHER, label="utterances")
axis.plot(ordered["crop_accuracy"], places, "|", color=plots.CALL, ms=11, mew=2, label="crops")
axis.set_yticks(places, labels, fontsize=9)
axis.set(
    xlabel="accuracy on unheard " + kind,
    xlim=(min(0.9, ordered["utterance_accuracy_low"].min() - 0.02), 1.005),
)
axis.legend(fontsize=9, loc="lower left", bbox_to_anchor=(0, 1), ncol=3, frameon=False)
plt.show()

# %% [markdown]
# The table is sorted by the **loss on the validation**, which decides: it is finer than an accuracy
# that several have in common. (It is computed without the margin, and so lower than in the curves.)
# But a first place may be luck. So of all networks whose loss is no more than one standard error
# above the least, measured on the same sources, the one with the fewest parameters is taken. The
# test columns were not looked at to choose; and where their intervals overlap widely, do not call
# one better.

# %%
least = losses[tuple(results.loc[0, ["network", "input"]])]
sources = table["group"].to_numpy()[VALIDATION]
more = pd.DataFrame({pair: loss - least for pair, loss in losses.items()}).groupby(sources).mean()
as_good = more.columns[more.mean() <= more.std() / np.sqrt(len(more))]
eligible = results.set_index(["network", "input"])["parameters"].loc[list(as_good)]
best_network, best_input = eligible.idxmin()
display(
    Markdown(
        f"As good as the first, as far as {len(more)} sources can tell: {len(eligible)} of "
        f"{len(results)}. Taken: **{best_network} on {best_input}**, "
        f"{eligible.min():,} parameters."
    )
)

# %%
by_name = results.set_index(["network", "input"])["utterance_accuracy"]
if ("conv1d, own mean taken off", "mfcc") in by_name:
    text = (
        f"The network that takes its **own mean** off loses the channel and a part of the voice: "
        f"{by_name['conv1d, own mean taken off', 'mfcc']:.1%}, beside "
        f"{by_name['conv1d', 'mfcc']:.1%} of the same network with its mean. "
    )
    if has_sessions:
        text += (
            "Mind what chose the best: where a speaker has one session left to train on, "
            "validation shares that session's channel, and rewards those who rely on it. Only a "
            "third session could have told."
        )
    else:
        text += (
            "With one set-up for each speaker, no test here can tell which of the two was lost, "
            "nor which network would still know these people tomorrow, at another microphone."
        )
    display(Markdown(text))

# %% [markdown]
# ## 11 The best network, with everything there is
#
# The validation utterances have done their work: the best network is trained once more, with them.
# And so that it does not lean on the silence alone, it also hears a **noisy copy** of every
# utterance: white noise or *babble*, up to five recordings of others at once, 0 to 30 dB below the
# voice. That, too, is computed once. Section 15 shows what it is worth. (Some speakers are to be
# strangers in section 13: their voices are in no babble.)

# %%
n_strangers = min(HELD_OUT_SPEAKERS, len(names) // 2)
n_rounds = min(STRANGER_ROUNDS, len(names) // n_strangers - 1) if n_strangers >= 2 else 0
by_chance = rng.permutation(len(names))
strangers = by_chance[: n_rounds * n_strangers].reshape(n_rounds, n_strangers)
behind = rng.permutation(TRAINING[~np.isin(speaker[TRAINING], strangers)])[:50]
behind = {"training": behind[::2], "test": behind[1::2]}  # no test hears the noise of training
background = {
    row: audio.load(table["path"][row], sr=SR) for rows in behind.values() for row in rows
}


def noise(kind, n, rng, *, row, part):
    """Noise (n,) of unit power. row: the utterance that it is for. part: a key of `behind`."""
    if kind == "white":
        return rng.standard_normal(n)
    others = [k for k in behind[part] if speaker[k] != speaker[row]] or list(behind[part])
    chosen = rng.choice(others, min(5, len(others)), replace=False)
    y = sum(np.resize(background[k], n) / (np.std(background[k]) + 1e-9) for k in chosen)
    return y / (np.std(y) + 1e-9)


def frames_in_noise(rows, draw, *, part, desc):
    """Frames of utterances mixed with noise. draw: rng → (kind, signal-to-noise ratio in dB)."""

    def work(row):
        own = np.random.default_rng((SEED, row))  # whichever thread comes first
        kind, snr_db = draw(own)
        y = audio.load(table["path"][row], sr=SR)
        gain = np.sqrt(np.mean(y**2) / 10 ** (snr_db / 10))
        y = y + gain * noise(kind, len(y), own, row=row, part=part)
        return ALL_INPUTS[best_input].frames(y.astype(np.float32)).astype(np.float16)

    return parallel.map_files(work, rows, desc=desc, unit="file")


fit_rows = np.concatenate([TRAINING, VALIDATION])
copies = frames_in_noise(
    fit_rows,
    lambda rng: (rng.choice(["white", "babble"]), rng.uniform(0, 30)),
    part="training",
    desc="Noisy copies",
)
copy_of = dict(zip(fit_rows, len(table) + np.arange(len(copies)), strict=True))
frames[best_input] = frames[best_input] + copies  # behind the utterances themselves


def with_copies(rows):
    """Rows of utterances, and of the noisy copy of each."""
    return np.concatenate([rows, [copy_of[row] for row in rows]])


# %%
env.seed_everything(SEED)
best = build(best_network, best_input, len(names), with_copies(fit_rows))
history = train(best, best_input, with_copies(fit_rows), np.tile(speaker[fit_rows], 2))
best_scores, guess, _ = evaluate(best, best_input, TEST)
classifier = models.ClipClassifier(best, ALL_INPUTS[best_input], names)
models.save(classifier, OUTPUT / "model.keras")
if best_scores["utterance_accuracy"] < 1:
    low, high = (best_scores[f"utterance_accuracy_{end}"] for end in ("low", "high"))
    interval = f"95 % interval {low:.1%} to {high:.1%}"
else:  # resampling what is all right never shows an error: the rule of three does
    most = 3 / table["group"].iloc[TEST].nunique()
    interval = f"none is wrong, so up to {most:.1%} may be, with 95 % confidence"
display(
    Markdown(
        f"**{best_network} on {best_input}**: {best_scores['utterance_accuracy']:.1%} of "
        f"{len(TEST)} unheard utterances are named rightly ({interval}), "
        f"{best_scores['crop_accuracy']:.1%} of "
        f"single crops; macro F1 {best_scores['macro_f1']:.3f}. "
        f"{models.parameter_count(best):,} parameters, trained in "
        f"{history['seconds'].sum():.0f} s."
    )
)

# %%
figure = plots.confusion_matrix(
    speaker[TEST], guess, labels=names, title=f"{best_network}, {best_input}: unheard {kind}"
)
files.write_figure(figure, OUTPUT / "confusion.png")
plt.show()
wrong = np.flatnonzero(guess != speaker[TEST])
confused = pd.DataFrame(
    {
        "speaker": [names[k] for k in speaker[TEST][wrong]],
        "taken for": [names[k] for k in guess[wrong]],
        "file": [files.short_path(p, root=dataset.root) for p in table["path"].iloc[TEST[wrong]]],
        "seconds": table["duration_s"].iloc[TEST[wrong]].round(1).to_numpy(),
    }
)
confused.head(12) if len(confused) else Markdown("No utterance is confused.")

# %% [markdown]
# ## 12 An embedding
#
# Leave out the last layer, and the network says no name, but where in a space of 128 dimensions a
# voice lies. Utterances of one speaker should lie close together.

# %% [markdown]
# **Exercise 3.16: an embedding model.** From a network, make the model that gives the output of
# its layer called `"embedding"`, with the same weights.


# %%
def embedding_model(network):
    """keras.Model: the network's input → output of its layer "embedding"."""
    ### BEGIN SOLUTION 3.16: a model that ends at the layer "embedding"
    return keras.Model(network.input, network.get_layer("embedding").output)
    ### END SOLUTION


# %%
checks.embedding_model(embedding_model)

# %% [markdown]
# **Exercise 3.17: three dimensions out of 128.** Principal component analysis: take the mean off,
# and project onto the three directions in which the embeddings vary most.


# %%
def three_components(embeddings):
    """Projections onto the first three principal components: float (n, 3), most variance first."""
    ### BEGIN SOLUTION 3.17: centre, then project onto the three directions of most variance
    centred = embeddings - embeddings.mean(axis=0)
    directions = np.linalg.svd(centred, full_matrices=False)[2]
    return centred @ directions[:3].T
    ### END SOLUTION


# %%
checks.three_components(three_components)


# %%
from sklearn.decomposition import PCA
from sklearn.preprocessing import normalize


def embed(network, input_name, rows):
    """Embedding of utterances: mean of their crops' directions, float (len(rows), 128)."""
    outputs, clip = models.outputs_of_crops(
        models.embedding_model(network),
        [frames[input_name][row] for row in rows],
        ALL_INPUTS[input_name],
    )
    return models.mean_of_clips(normalize(outputs.astype(float)), clip)


twenty = np.isin(speaker[TEST], np.arange(20))
place = embed(best, best_input, TEST[twenty])
components = PCA(3, random_state=SEED).fit(place)
shown_share = components.explained_variance_ratio_.sum()
points = pd.DataFrame(components.transform(place), columns=["first", "second", "third"])
points["speaker"] = [names[k] for k in speaker[TEST[twenty]]]
points["file"] = [files.short_path(p, root=dataset.root) for p in table["path"].iloc[TEST[twenty]]]
if express := env.optional("plotly.express", package="plotly"):
    cloud = express.scatter_3d(
        points,
        x="first",
        y="second",
        z="third",
        color="speaker",
        hover_data={"file": True, "first": False, "second": False, "third": False},
        color_discrete_sequence=express.colors.qualitative.Dark24,
        height=640,
        template="plotly_white",
        title=f"Unheard {kind} of {points['speaker'].nunique()} speakers",
    )
    cloud.update_traces(marker_size=5)
    cloud.update_layout(margin={"l": 0, "r": 0, "b": 0, "t": 50}, scene_aspectmode="cube")
    display(widgets.interactive(cloud))
display(Markdown(f"These three axes show **{shown_share:.0%}** of the variance."))

# %% [markdown]
# Turn it with the mouse; a click on a name hides a speaker, a double click shows one alone. Clouds
# that touch here may be far apart in the dimensions that are not shown; and tight clouds prove
# little, since the network was *trained* to put these very speakers apart. The picture does not
# show what happens with a voice that it has never heard.

# %% [markdown]
# ## 13 Strangers: is it the same speaker?
#
# So we train the same network once more and leave some **speakers** out altogether. Of every pair
# of their utterances it is asked: one speaker, or two? The score is the cosine of the two
# embeddings; a threshold decides. A low one accepts impostors (*false alarms*), a high one turns
# away the right people (*misses*). Where both are equally frequent lies the **equal error rate**.

# %% [markdown]
# **Exercise 3.18: the equal error rate.** `scores` of pairs, `is_target`: both of one speaker. A
# pair is accepted when its score is at or above the threshold. Find the rate at which misses (share
# of targets below) and false alarms (share of the others at or above) are equal. Where no threshold
# makes them equal, any rate between the two where they cross will do.


# %%
def equal_error_rate(scores, is_target):
    """Rate between 0 and 1. scores: float (n,). is_target: bool (n,), with both kinds."""
    ### BEGIN SOLUTION 3.18: both rates at every threshold, and where they cross
    thresholds = np.append(np.unique(scores), np.inf)
    miss = np.array([(scores[is_target] < t).mean() for t in thresholds])
    false_alarm = np.array([(scores[~is_target] >= t).mean() for t in thresholds])
    # Misses rise with the threshold and false alarms fall: where is their difference 0?
    k = np.argmax(miss >= false_alarm)
    gap = (miss - false_alarm)[k - 1 : k + 1]
    return np.interp(0, gap, miss[k - 1 : k + 1])
    ### END SOLUTION


# %%
checks.equal_error_rate(equal_error_rate)

# %% [markdown]
# The score is also measured against the training speakers: a voice that resembles everybody gets
# less for resembling this one (*score normalisation*). For comparison: the pooled MFCC themselves
# instead of an embedding. A few strangers are few, so there are several rounds, each with others.

# %%
raw = np.stack(summaries["whole utterance"])
rounds = []
for left_out in strangers:
    insiders = np.setdiff1d(np.arange(len(names)), left_out)
    number = np.searchsorted(insiders, speaker)  # of an insider, among the insiders
    rows = TRAINING[np.isin(speaker[TRAINING], insiders)]
    env.seed_everything(SEED)
    verifier = build(best_network, best_input, len(insiders), with_copies(rows))
    train(verifier, best_input, with_copies(rows), np.tile(number[rows], 2))

    unknown = np.flatnonzero(np.isin(speaker, left_out))
    enrolled = embed(verifier, best_input, rows)
    embedded = embed(verifier, best_input, unknown)
    colours = (raw[unknown] - raw[rows].mean(axis=0)) / raw[rows].std(axis=0)
    rounds.append(
        {
            "insiders": insiders,
            "verifier": verifier,
            "mean of each": np.stack([enrolled[speaker[rows] == k].mean(axis=0) for k in insiders]),
            "unknown": unknown,
            "embedded": embedded,
            "trials": {
                "embedding, normalised": evaluation.verification_trials(
                    embedded, speaker[unknown], cohort=enrolled
                ),
                "embedding": evaluation.verification_trials(embedded, speaker[unknown]),
                "pooled MFCC": evaluation.verification_trials(colours, speaker[unknown]),
            },
        }
    )

# %%
eer = None
if rounds:
    curves = {
        name: [
            np.concatenate(part) for part in zip(*(r["trials"][name] for r in rounds), strict=True)
        ]
        for name in rounds[0]["trials"]
    }
    figure = plots.detection_error_tradeoff(curves)
    files.write_figure(figure, OUTPUT / "verification.png")
    plt.show()
    rates = pd.DataFrame(
        {
            name: [evaluation.equal_error_rate(*r["trials"][name])[0] for r in rounds]
            for name in curves
        },
        index=pd.RangeIndex(1, len(rounds) + 1, name="round"),
    )
    display(rates.style.format("{:.1%}"))
    eer = rates["embedding, normalised"].mean()
    display(
        Markdown(
            f"{len(rounds)} × {n_strangers} speakers that the network of their round never heard, "
            f"{len(curves['embedding'][0]):,} pairs of utterances: equal error rate **{eer:.1%}** "
            f"in the mean over the rounds, by the pooled MFCC alone "
            f"{rates['pooled MFCC'].mean():.1%}."
        )
    )

# %% [markdown]
# Lower left is better; the dot on the diagonal is the equal error rate of all rounds with one
# threshold, and the axes are stretched so that normally distributed scores give straight lines. How
# far the rounds differ says how much to trust any one of them. Where the embedding does not beat
# the pooled MFCC, the network has learnt *these* speakers rather than voices. And utterances of one
# speaker share the room, while those of two do not: the easiest case. At a door all share one
# microphone, on the telephone nobody does.

# %%
if rounds and has_sessions:
    across = []
    for one_round in rounds:
        session = table["group"].to_numpy()[one_round["unknown"]]
        left, right = np.triu_indices(len(session), k=1)
        scores, is_target = one_round["trials"]["embedding, normalised"]
        apart = session[left] != session[right]  # only pairs of two sessions
        across.append(evaluation.equal_error_rate(scores[apart], is_target[apart])[0])
    display(
        Markdown(
            f"Here sessions are known. Of pairs from **two different sessions** the equal error "
            f"rate is **{np.mean(across):.1%}**: the difference to {eer:.1%} may be the channel's "
            f"help."
        )
    )

# %% [markdown]
# ## 14 An open set: nobody we know
#
# A classifier always names somebody. To be able to say *a stranger*, it needs a threshold: we take
# the one that accepts 95 % of the known speakers' **validation** utterances, which were not trained
# on, and then count on the held-out ones and on the strangers, in every round.

# %%
rejected = None
if rounds:
    parts = []
    for one_round in rounds:
        insiders, verifier = one_round["insiders"], one_round["verifier"]
        is_known = np.isin(speaker, insiders)
        validation, known = VALIDATION[is_known[VALIDATION]], TEST[is_known[TEST]]
        fit_to = {
            name: evaluation.cosine_similarity(embedded, one_round["mean of each"])
            for name, embedded in {
                "validation": embed(verifier, best_input, validation),
                "known": embed(verifier, best_input, known),
                "strangers": one_round["embedded"],
            }.items()
        }
        threshold = np.quantile(fit_to["validation"].max(axis=1), 0.05)
        right = insiders[fit_to["known"].argmax(axis=1)] == speaker[known]
        for name, is_right in (("known", right), ("strangers", False)):
            above = fit_to[name].max(axis=1) - threshold
            parts.append(pd.DataFrame({"of": name, "above": above, "right": is_right}))
    answers = pd.concat(parts, ignore_index=True)
    answers["accepted"] = answers["above"] >= 0
    is_stranger = answers["of"] == "strangers"
    rejected = (~answers["accepted"][is_stranger]).mean()
    figure, axis = plt.subplots(figsize=(8, 3), layout="constrained")
    bins = np.linspace(answers["above"].min(), answers["above"].max(), 40)
    for is_shown, colour, label in (
        (~is_stranger, plots.OTHER, "known speakers, unheard " + kind),
        (is_stranger, plots.CALL, "strangers"),
    ):
        axis.hist(
            answers["above"][is_shown], bins, color=colour, alpha=0.6, label=label, density=True
        )
    axis.axvline(0, color=plots.KEY, label="threshold")
    axis.set(
        xlabel="cosine with the nearest enrolled speaker, above the threshold", ylabel="density"
    )
    axis.legend(fontsize=9)
    plt.show()
    known = answers[~is_stranger]
    display(
        Markdown(
            f"Of the known speakers' utterances {known['accepted'].mean():.1%} are accepted, "
            f"**{(known['accepted'] & known['right']).mean():.1%}** under the right name; of the "
            f"strangers' **{rejected:.1%}** are turned away."
            + " The threshold comes from the sessions that were trained on: in a new one many "
            "known people look like strangers. It belongs on a session of its own." * has_sessions
        )
    )

# %% [markdown]
# ## 15 Noise
#
# The last question: what if it is not as quiet as in the recordings? We mix noise into held-out
# ones, at several signal-to-noise ratios, and ask two networks: the one that trained on recordings
# as they are (section 8), and the one that heard noisy copies as well (section 11).

# %%
LEVELS_DB = [30, 20, 10, 5, 0]
some = np.sort(rng.permutation(TEST)[:200])
as_it_is = [frames[best_input][row] for row in some]
heard = {("white", np.inf): as_it_is, ("babble", np.inf): as_it_is}
heard |= {
    (kind, snr_db): frames_in_noise(
        some, lambda _, at=(kind, snr_db): at, part="test", desc=f"{kind} {snr_db} dB"
    )
    for kind in ("white", "babble")
    for snr_db in LEVELS_DB
}

# %%
noisy = []
for name, network in (
    ("trained as it is", trained[best_network, best_input]),
    ("trained with noise", best),
):
    in_noise = models.ClipClassifier(network, ALL_INPUTS[best_input], names)
    for (kind_of_noise, snr_db), parts in heard.items():
        right = in_noise.probabilities(parts).argmax(axis=1) == speaker[some]
        noisy.append((name, kind_of_noise, snr_db, right.mean()))
noisy = pd.DataFrame(noisy, columns=["network", "noise", "snr_db", "utterance_accuracy"])
noisy = noisy.sort_values(["network", "noise", "snr_db"], ascending=False, ignore_index=True)
files.write_table(noisy, OUTPUT / "noise.csv")
figure, axis = plt.subplots(figsize=(8, 3.6), layout="constrained")
for (name, kind_of_noise), part in noisy.groupby(["network", "noise"]):
    axis.plot(
        range(len(part)),
        part["utterance_accuracy"],
        "o-" if "with noise" in name else "o--",
        color=plots.CALL if kind_of_noise == "babble" else plots.OTHER,
        label=f"{kind_of_noise}, {name}",
    )
axis.axhline(1 / len(names), color="0.6", ls=":", label="chance")
axis.set_xticks(range(1 + len(LEVELS_DB)), ["as it is", *LEVELS_DB])
axis.set(xlabel="signal-to-noise ratio (dB)", ylabel="accuracy (utterances)", ylim=(0, 1.02))
axis.legend(fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
plt.show()

# %%
clean = noisy[np.isinf(noisy["snr_db"]) & (noisy["noise"] == "white")]
clean = clean.sort_values("network")["utterance_accuracy"].to_list()  # as it is, with noise
at_20 = noisy[noisy["snr_db"] == 20].set_index(["network", "noise"])["utterance_accuracy"]
display(
    Markdown(
        f"Of utterances as they are, the network of section 8 recognises {clean[0]:.0%}; at 20 dB, "
        f"a quiet office, **{at_20['trained as it is', 'white']:.0%}** (white) and "
        f"**{at_20['trained as it is', 'babble']:.0%}** (babble). The one that trained with noise: "
        f"{clean[1]:.0%}; "
        f"**{at_20['trained with noise', 'white']:.0%}** and "
        f"**{at_20['trained with noise', 'babble']:.0%}**."
    )
)

# %% [markdown]
# Two things pull the dashed lines down: noise covers the colour of the pauses, and the weak bands
# of the voice itself. (The other network trained with these kinds of noise, though with other
# babble; on the validation utterances as well, and so for more steps in as many epochs. A third
# kind of noise would be a harder test.)

# %% [markdown]
# ## 16 Your own recordings
#
# With `PREDICT_DIR` the best network names the speaker of every file there. The model file carries
# its front end and the names. To use it elsewhere: `model = models.load_classifier("model.keras")`
# and `models.classify(paths, model)`.

# %%
if to_predict:
    predicted, unreadable = models.classify(
        to_predict, classifier, root=Path(PREDICT_DIR).expanduser()
    )
    files.write_table(predicted, OUTPUT / "predict.csv")
    errors = pd.concat([errors, unreadable], ignore_index=True)
    files.write_table(errors, OUTPUT / "errors.csv")
    display(predicted.head(20))

# %% [markdown]
# ## Recap
#
# - Split inside each speaker, and never through an utterance or a session.
# - Decode once; cut crops from frames in memory.
# - Try the simplest thing first: a summary over time and a linear classifier go far.
# - Choose on validation utterances; say the interval; count the parameters.
# - What silence can tell is not the voice.
# - A closed set flatters: report strangers, other sessions and noise as well.
#
# **Try next:** `CROP_S = 1.0`: how much voice is enough? · `EPOCHS = 100` · a third
# kind of noise in section 15 · two recordings of your own with two microphones.

# %%
checks.progress()

# %%
metrics_written = files.write_metrics(
    OUTPUT,
    dataset=dataset,
    seed=SEED,
    n_speakers=len(names),
    crop_accuracy=best_scores["crop_accuracy"],
    utterance_accuracy=best_scores["utterance_accuracy"],
    utterance_accuracy_low=best_scores["utterance_accuracy_low"],
    utterance_accuracy_high=best_scores["utterance_accuracy_high"],
    macro_f1=best_scores["macro_f1"],
    eer=eer,
    eer_lowest=rates["embedding, normalised"].min() if rounds else None,
    eer_highest=rates["embedding, normalised"].max() if rounds else None,
    strangers_rejected=rejected,
    parameters=models.parameter_count(best),
    training_s=history["seconds"].sum(),
    silence_accuracy=silence_accuracy,
    nearest_neighbour_by_crop=leak["crops"],
    nearest_neighbour_by_utterance=leak["utterances"],
    nearest_neighbour_by_session=leak.get("sessions"),
    files_in_error=len(errors),
)
print(json.dumps(metrics_written, indent=2))
