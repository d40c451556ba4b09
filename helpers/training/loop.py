"""The training loop: optimiser, learning rate, progress bar, history."""

import time

import keras
import numpy as np
import pandas as pd

from helpers import parallel


def compile_network(network, loss, *, n_steps, learning_rate=3e-3, weight_decay=None, metrics=()):
    """Compile with Adam and a learning rate that falls to 0 along a cosine in n_steps steps.

    weight_decay: see `keras.optimizers.AdamW`; None: without.
    """
    schedule = keras.optimizers.schedules.CosineDecay(learning_rate, n_steps)
    optimizer = keras.optimizers.Adam(schedule, weight_decay=weight_decay)
    network.compile(optimizer=optimizer, loss=loss, metrics=list(metrics))


def run_epochs(network, batches, *, epochs, validation=None, progress=True):
    """Train a compiled network, with one progress bar over all epochs.

    batches, validation: `keras.utils.PyDataset`. Returns a DataFrame with a row per epoch: `epoch,
    loss`, the metrics that the network was compiled with, the same for the validation as
    `validation_…` (NaN without validation), `seconds`.
    """
    clock = _Clock(epochs * len(batches), network.name, progress)
    history = network.fit(
        batches, validation_data=validation, epochs=epochs, verbose=0, callbacks=[clock]
    ).history
    table = pd.DataFrame({"epoch": range(1, epochs + 1)})
    names = [name for name in history if not name.startswith("val_")]
    names.sort(key=lambda name: name != "loss")  # loss first
    for name in names:
        table[name] = history[name]
    for name in names:
        table[f"validation_{name}"] = history.get(f"val_{name}", [np.nan] * epochs)
    table["seconds"] = clock.seconds
    return table


class _Clock(keras.callbacks.Callback):
    """A progress bar over the steps, and the duration of every epoch."""

    def __init__(self, n_steps, name, progress):
        super().__init__()
        self.seconds = []
        self.bar = parallel.progress_bar(
            total=n_steps, desc=f"Training {name}", unit="step", disable=not progress
        )

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        self.bar.update()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds.append(time.perf_counter() - self.start)

    def on_train_end(self, logs=None):
        self.bar.close()
