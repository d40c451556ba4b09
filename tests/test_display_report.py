"""helpers.display.report: a page that shows what is there."""

import matplotlib.pyplot as plt
import pandas as pd

from helpers import files
from helpers.display import report


def test_a_page_shows_what_is_there_and_nothing_that_is_not(tmp_path):
    figure, _ = plt.subplots(figsize=(2, 1))
    files.write_figure(figure, tmp_path / "there.png", dpi=50)
    plt.close(figure)
    report.write_page(
        tmp_path,
        title="<b> & co",
        metrics={"accuracy_mean": 0.5, "accuracy_std": None},
        tables={"Errors": pd.DataFrame({"file": ["a<i>.wav"], "class": ["dog"]})},
        pictures={"there.png": "a picture", "missing.png": "another"},
    )
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert '<img src="there.png" alt="a picture">' in page and "missing" not in page
    assert "&lt;b&gt; &amp; co" in page and "a&lt;i&gt;.wav" in page and "accuracy_mean" in page
    assert "<b>" not in page and "<i>" not in page and "http" not in page
    assert "<td>0.5</td>" in page and "<td>dog</td>" in page
