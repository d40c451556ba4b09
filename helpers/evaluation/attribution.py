"""What did the network look at? Maps over time and frequency, and the sound that they point to."""

import keras
import numpy as np
from scipy.ndimage import zoom


def class_activation_maps(network, x, classes):
    """How much each place speaks for a class: float (n, time, bands) of the last layers.

    network: ends in a layer "features" (time, bands, channels), their mean, and a dense layer
    "logits". x: (n, n_frames, n_bands). classes: int (n,). The mean of a map is the class's logit.
    For such a network it is what Grad-CAM gives, without a gradient. Zhou et al., Learning deep
    features for discriminative localization, 2016. Built in 04_urbansound8k_cnn.
    """
    inner = keras.Model(network.input, network.get_layer("features").output)
    features = inner.predict(x, verbose=0)
    weights, bias = network.get_layer("logits").get_weights()
    return np.einsum("ntbc,cn->ntb", features, weights[:, classes]) + bias[classes, None, None]


def enlarge(map_, shape):
    """A map drawn out to the shape of its input, linearly. (time, bands) → shape."""
    factors = np.array(shape) / map_.shape
    return zoom(map_, factors, order=1, mode="nearest", grid_mode=True)


def strongest(map_, share):
    """bool like map_: the share of its places with the highest values."""
    n = max(1, round(share * map_.size))
    rank = np.empty(map_.size, int)
    rank[np.argsort(-map_, axis=None, kind="stable")] = np.arange(map_.size)
    return (rank < n).reshape(map_.shape)


def mask(x, where):
    """An input without some of its places: they get the mean of the others.

    x: (n_frames, n_bands), decibels. where: bool like x.
    """
    return np.where(where, x[~where].mean() if (~where).any() else x.mean(), x)


def listen(y, mask, frontend):
    """The part of a sound that lies under a mask: float32 (n_samples,).

    y: float (n_samples,) at the front end's rate. mask: 0 to 1 (n_frames, n_bands), frames of y.
    The mask is spread over the FFT's bins, multiplied with the STFT, and turned back into sound.
    """
    import librosa

    n_fft, hop_length = frontend.n_fft, frontend.hop_length
    stft = librosa.stft(np.asarray(y, np.float32), n_fft=n_fft, hop_length=hop_length)
    bins = np.fft.rfftfreq(n_fft, 1 / frontend.sr)
    rows = np.stack([np.interp(bins, frontend.frequencies, row) for row in mask.astype(float)])
    rows = rows[np.minimum(np.arange(stft.shape[1]), len(rows) - 1)]
    return librosa.istft(stft * rows.T, n_fft=n_fft, hop_length=hop_length, length=len(y))
