"""helpers.display.plots: the figures show the numbers that they are given."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from helpers import evaluation
from helpers.display import plots


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


# --- classes --------------------------------------------------------------------------------------


def test_confusions_are_shares_of_the_true_class():
    truth, guess = [0, 0, 0, 0, 1, 3], [0, 0, 2, 1, 1, 0]
    figure = plots.confusion_matrix(truth, guess, labels=list("abcd"), title="a title")
    axis, bar = figure.axes
    (image,) = axis.images
    expected = [[0.5, 0.25, 0.25, 0], [0, 1, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0]]
    np.testing.assert_allclose(image.get_array(), expected)
    assert image.get_clim() == (0, 1) and bar.get_ylabel() == "share of the true class"
    written = [text.get_text() for text in axis.texts]
    assert written[:5] == ["2\n50.0%", "1\n25.0%", "1\n25.0%", "0\n0.0%", "0\n0.0%"]
    assert len(written) == 16
    assert [text.get_text() for text in axis.get_yticklabels()] == list("abcd")
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("predicted class", "true class")
    assert axis.get_title() == "a title"


@pytest.mark.parametrize(("n", "written"), [(60, True), (61, False)])
def test_very_many_classes_are_not_written(n, written):
    labels = [f"s{k}" for k in range(n)]
    figure = plots.confusion_matrix(range(n), range(n), labels=labels, title="")
    assert not figure.axes[0].texts
    texts = [text.get_text() for text in figure.axes[0].get_xticklabels()]
    assert bool("".join(texts)) == written
    assert max(figure.get_size_inches()) < 14


# --- training -------------------------------------------------------------------------------------


def history(seed, validation=True):
    loss = np.exp(-np.arange(5) + np.random.default_rng(seed).normal(0, 0.1, 5))
    held_out = 1.5 * loss if validation else np.full(5, np.nan)
    return pd.DataFrame({"epoch": range(1, 6), "loss": loss, "validation_loss": held_out})


@pytest.mark.parametrize("n", [1, 3, 5])
def test_each_network_has_a_panel_with_both_losses(n):
    histories = {f"network {k}": history(k, validation=k != 2) for k in range(n)}
    figure = plots.network_curves(histories, columns=3)
    panels = [axis for axis in figure.axes if axis.axison]
    assert [axis.get_title() for axis in panels] == list(histories)
    for axis, one in zip(panels, histories.values(), strict=True):
        training, validation = axis.get_lines()
        np.testing.assert_array_equal(training.get_ydata(), one["loss"])
        np.testing.assert_array_equal(validation.get_ydata(), one["validation_loss"])
        np.testing.assert_array_equal(training.get_xdata(), one["epoch"])
        assert axis.get_yscale() == "log" and axis.get_ylim() == panels[0].get_ylim()
    # Under each column, however long it is, stand the epochs; at the left the unit.
    lowest = [axis.get_xlabel() == "epoch" for axis in panels]
    assert lowest == [k + 3 >= n for k in range(n)]
    assert all(axis.get_ylabel() == "loss (nats)" for axis in panels[::3])
    legend = [text.get_text() for text in panels[0].get_legend().get_texts()]
    assert legend == ["training", "validation"]


# --- verification ---------------------------------------------------------------------------------


def test_the_dot_on_each_curve_is_its_equal_error_rate():
    is_target = np.arange(2000) < 1000
    normal = np.tile(norm.ppf((np.arange(1000) + 0.5) / 1000), 2)
    curves = {f"distance {d}": (normal + d * is_target, is_target) for d in (0.5, 1.5, 3)}
    axis = plots.detection_error_tradeoff(curves).axes[0]
    labels = [text.get_text() for text in axis.get_legend().get_texts()]
    lines = [line for line in axis.get_lines() if line.get_label() in labels]
    dots = [line for line in axis.get_lines() if line.get_marker() == "o"]
    colours = set()
    for (name, both), label, line, dot in zip(curves.items(), labels, lines, dots, strict=True):
        rate, _ = evaluation.equal_error_rate(*both)
        assert label == f"{name}: EER {rate:.1%}"
        (x,), (y,) = dot.get_data()
        assert x == y == pytest.approx(norm.ppf(rate))
        assert dot.get_color() == line.get_color()
        colours.add(line.get_color())
        # Both kinds of score are normal: a line, on which the dot lies.
        false_alarm, miss = line.get_data()
        many = np.minimum(false_alarm, miss) > -2
        np.testing.assert_allclose((false_alarm + miss)[many], 2 * x, atol=0.1)
    assert len(colours) == 3


def test_curves_without_a_mistake_or_without_a_pattern_can_be_drawn():
    is_target = np.arange(20) < 5
    curves = {
        "perfect": (1.0 * is_target, is_target),
        "inverted": (-1.0 * is_target, is_target),
        "tied": (np.zeros(20), is_target),
    }
    figure = plots.detection_error_tradeoff(curves)
    figure.canvas.draw()
    texts = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert texts == ["perfect: EER 0.0%", "inverted: EER 100.0%", "tied: EER 50.0%"]
