"""training.loop: a history with a row per epoch, a learning rate that falls along a cosine."""

import keras
import numpy as np
import pytest

from helpers import env, training


class Points(keras.utils.PyDataset):
    """Points on a plane in two classes that a line divides; notes what it is asked for."""

    def __init__(self, n_batches=3, seed=0):
        super().__init__()
        self.n_batches, self.seed, self.epoch, self.asked = n_batches, seed, 0, []

    def __len__(self):
        return self.n_batches

    def on_epoch_end(self):
        self.epoch += 1

    def __getitem__(self, i):
        self.asked.append((self.epoch, i))
        x = np.random.default_rng((self.seed, self.epoch, i)).normal(size=(16, 2))
        return x.astype(np.float32), (x.sum(axis=1) > 0).astype(np.int32)


@pytest.fixture(scope="module")
def line():
    """(network, batches, history with metrics and validation) of four epochs."""
    env.seed_everything(0)
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    batches = Points()
    training.compile_network(
        network, loss, n_steps=4 * len(batches), learning_rate=0.2, metrics=["accuracy"]
    )
    before = float(keras.ops.convert_to_numpy(network.optimizer.learning_rate))
    history = training.run_epochs(
        network, batches, epochs=4, validation=Points(2, seed=1), progress=False
    )
    return network, batches, history, before


def test_the_history_has_a_row_an_epoch_and_a_column_a_metric(line):
    *_, history, _ = line
    names = ["loss", "accuracy"]
    assert history.columns.tolist() == [
        "epoch",
        *names,
        *(f"validation_{name}" for name in names),
        "seconds",
    ]
    assert history["epoch"].tolist() == [1, 2, 3, 4]
    assert np.isfinite(history).all(axis=None) and (history["seconds"] > 0).all()
    assert history["loss"].iloc[-1] < history["loss"][0]
    assert history["validation_accuracy"].iloc[-1] > 0.8


def test_each_epoch_asks_for_batches_of_its_own(line):
    _, batches, *_ = line
    # Keras may look at some in advance, and calls that an epoch.
    epochs = np.reshape(batches.asked[-12:], (4, 3, 2))
    for k, asked in enumerate(epochs.tolist()):
        assert sorted(asked) == [[epochs[0, 0, 0] + k, i] for i in range(3)]


def test_the_learning_rate_falls_to_nothing_along_a_cosine(line):
    network, _, _, before = line
    assert before == pytest.approx(0.2)
    after = float(keras.ops.convert_to_numpy(network.optimizer.learning_rate))
    assert after == pytest.approx(0, abs=1e-6)
    schedule = network.optimizer._learning_rate
    for step in (0, 3, 6, 12, 99):
        expected = 0.1 * (1 + np.cos(np.pi * min(step, 12) / 12))
        assert float(schedule(step)) == pytest.approx(expected, abs=1e-6)


def test_without_metrics_and_validation_there_is_a_loss_and_no_number(capsys):
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)], name="a_line")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    training.compile_network(network, loss, n_steps=3)
    history = training.run_epochs(network, Points(), epochs=1)
    assert history.columns.tolist() == ["epoch", "loss", "validation_loss", "seconds"]
    assert history["loss"].notna().all() and history["validation_loss"].isna().all()
    shown = capsys.readouterr().out
    assert "Training a_line" in shown and "3/3" in shown
