"""helpers.exercises: every check knows the stub, right answers, and the mistakes people make."""

import importlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from attempts import RIGHT, WRONG
from attempts_capuchin import field, forwards, not_sorted

from helpers import exercises as checks
from helpers.exercises.engine import CORRECT, NOT_ATTEMPTED, NOT_YET, CheckFailed

for path in sorted(Path(__file__).parent.glob("attempts_*.py")):
    importlib.import_module(path.stem)  # which adds its attempts to RIGHT and WRONG

# --- the proof ------------------------------------------------------------------------------------

CHECKS = {
    name: getattr(checks, name)
    for name in checks.__all__
    if hasattr(getattr(checks, name), "exercise")
}


@pytest.fixture(autouse=True)
def fresh():
    checks.start("5")


@pytest.mark.parametrize("name", CHECKS)
def test_every_check_is_proven(name):
    assert len(RIGHT[name]) >= 2 and len(WRONG[name]) >= 4
    assert 1 <= len(CHECKS[name].exercise.hints) <= 3
    assert CHECKS[name].exercise is checks.EXERCISES[CHECKS[name].exercise.number]


@pytest.mark.parametrize("name", CHECKS)
def test_an_untouched_exercise_is_not_attempted(name):
    def stub(*_, **__):
        raise NotImplementedError(f"FIXME {CHECKS[name].exercise.number}")

    assert CHECKS[name](stub).status == NOT_ATTEMPTED


@pytest.mark.parametrize(
    ("name", "attempt"), [(name, attempt) for name, all_ in RIGHT.items() for attempt in all_]
)
def test_every_right_way_is_correct(name, attempt):
    verdict = CHECKS[name](attempt)
    assert verdict.status == CORRECT, verdict


@pytest.mark.parametrize(
    ("name", "attempt", "said"), [(name, *pair) for name, all_ in WRONG.items() for pair in all_]
)
def test_a_mistake_is_named(name, attempt, said):
    verdict = CHECKS[name](attempt)
    assert verdict.status == NOT_YET
    for words in said:
        assert words in verdict.message


def test_importing_the_checks_loads_nothing_heavy():
    heavy = ["keras", "librosa", "matplotlib", "scipy", "sklearn", "soundfile"]
    code = f"import sys, helpers.exercises; print([m for m in {heavy} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


# --- verdicts, hints, progress --------------------------------------------------------------------


def test_a_crash_is_shown_at_the_students_own_line():
    def attempt(layers):
        frames = 1
        return frames + layers.no_such_thing

    message = checks.receptive_field(attempt).message
    assert "of attempt" in message and "return frames + layers.no_such_thing" in message
    assert "AttributeError" in message and "engine.py" not in message
    assert "cannot be called" in checks.receptive_field(lambda: 3).message


def test_a_crash_in_a_library_is_shown_where_the_student_called_it():
    def attempt(layers):
        return np.concatenate(3)

    message = checks.receptive_field(attempt).message
    assert "np.concatenate(3)" in message


def test_strict_is_an_error_and_names_the_exercise():
    checks.start("5", strict=True)
    assert checks.receptive_field(forwards).status == CORRECT
    with pytest.raises(CheckFailed, match=r"Exercise 5\.5, .*not yet: .*off by one"):
        checks.receptive_field(field(begin=0))


def test_hints_become_more_concrete_and_the_last_one_stays(capsys):
    given = []
    for _ in range(4):
        checks.hint(5.5)
        given.append(capsys.readouterr().out)
    assert [text[:11] for text in given] == [
        "Hint 1 of 3",
        "Hint 2 of 3",
        "Hint 3 of 3",
        "Hint 3 of 3",
    ]
    assert ["the last" in text for text in given] == [False, False, True, True]
    with pytest.raises(ValueError, match="5.1, 5.2"):
        checks.hint("9.9")


def test_progress_counts_what_is_correct_and_names_what_is_left():
    checks.receptive_field(forwards)
    checks.find_calls(not_sorted)
    bar = checks.progress()
    assert (bar.value, bar.max) == (1, 7) and "5.6" in bar.description
    assert "5.5" not in bar.description
    assert str(bar).startswith("1 of 7 exercises correct; to do: 5.1")
    assert '<progress value="1" max="7"' in bar._repr_html_()


def test_a_verdict_shows_itself_and_hides_no_markup():
    verdict = checks.receptive_field(lambda layers: "<b>")
    assert "not yet" in str(verdict) and "&lt;" not in str(verdict)
    assert "<b>Exercise 5.5" in verdict._repr_html_()


def test_a_query_is_checked_without_duckdb_too(monkeypatch):
    monkeypatch.setitem(sys.modules, "duckdb", None)
    plain = """
        SELECT label, count(*) AS clips, count(DISTINCT "group") AS sources,
        sum(duration_s) / 60 AS minutes FROM clips GROUP BY label ORDER BY minutes DESC
    """
    assert checks.clips_per_class(lambda: plain).status == CORRECT
    verdict = checks.clips_per_class(lambda: "SELECT count(DISTINCT group) FROM clips")
    assert "the database says" in verdict.message and "double quotes" in verdict.message
