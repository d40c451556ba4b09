"""What did the network look at? Maps over time and frequency, and the sound that they point to."""

import keras
import numpy as np
from scipy.ndimage import zoom


def class_activation_maps(network, x, classes):
    """What each place adds to the logit of a class: float (n, time, bands).

    network: has a layer "features" (time, bands, channels), whose mean goes into a dense layer
    "logits". x: (n, n_frames, n_bands). classes: int (n,). The mean of a map is the logit. For such
    a network Grad-CAM gives the same. Zhou et al., Learning deep features for discriminative
    localization, 2016.
    """
    inner = keras.Model(network.input, network.get_layer("features").output)
    features = inner.predict(x, verbose=0)
    weights, bias = network.get_layer("logits").get_weights()
    return np.einsum("ntbc,cn->ntb", features, weights[:, classes]) + bias[classes, None, None]


def enlarge(map_, shape):
    """A map (time, bands) enlarged to `shape` by linear interpolation."""
    factors = np.array(shape) / map_.shape
    return zoom(map_, factors, order=1, mode="nearest", grid_mode=True)


def strongest(map_, share):
    """bool like map_: True at the given share (0 to 1) of places with the highest values."""
    n = max(1, round(share * map_.size))
    chosen = np.zeros(map_.size, bool)
    chosen[np.argsort(-map_, axis=None, kind="stable")[:n]] = True
    return chosen.reshape(map_.shape)


def mask(x, where):
    """x with the places in `where` set to the mean of the others.

    x: (n_frames, n_bands), dB. where: bool like x.
    """
    return np.where(where, x[~where].mean() if (~where).any() else x.mean(), x)


def listen(y, mask, frontend):
    """The part of a sound that lies under a mask: float32 (n_samples,).

    y: float (n_samples,) at the front end's rate. mask: 0 to 1 (n_frames, n_bands), frames of y.
    The mask is interpolated to the bins of the STFT and multiplied with it.
    """
    import librosa

    n_fft, hop_length = frontend.n_fft, frontend.hop_length
    stft = librosa.stft(np.asarray(y, np.float32), n_fft=n_fft, hop_length=hop_length)
    bins = np.fft.rfftfreq(n_fft, 1 / frontend.sr)
    rows = np.stack([np.interp(bins, frontend.frequencies, row) for row in mask.astype(float)])
    rows = rows[np.minimum(np.arange(stft.shape[1]), len(rows) - 1)]
    return librosa.istft(stft * rows.T, n_fft=n_fft, hop_length=hop_length, length=len(y))
