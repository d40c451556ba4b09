"""tools/build.py: the same bytes from the same source, and clear words about a wrong source."""

import textwrap

import nbformat
import pytest

from tools.build import main

SOURCE = """
# %% [markdown]
# # A lesson
#
# {{badges}}

# %%
# {{set-up}}
import math

# %% tags=["parameters"]
DATA_DIR = ""
OUTPUT_DIR = ""
SEED = 0
RATES = [0.1, -2]  # two of them

# %%
# %matplotlib inline
math.pi

# %%
math.pi
"""
PARAMETERS = 'DATA_DIR = ""\nOUTPUT_DIR = ""\nSEED = 0\n'


@pytest.fixture
def root(tmp_path):
    (tmp_path / "notebooks" / "source").mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nversion = "2.1.dev0"\n'
        '[tool.series]\nrepository = "https://github.com/someone/sounds"\nbranch = "trunk"\n'
    )
    write_source(tmp_path, SOURCE)
    return tmp_path


def write_source(root, text, name="01_lesson"):
    path = root / "notebooks" / "source" / f"{name}.py"
    path.write_text(text.lstrip("\n"), encoding="utf-8")


def with_parameters(text):
    start, end = SOURCE.index('DATA_DIR = ""'), SOURCE.index("\n# %%\n# %matplotlib")
    return SOURCE[:start] + textwrap.dedent(text) + SOURCE[end:]


def built(root, name="01_lesson"):
    return (root / "notebooks" / f"{name}.ipynb").read_bytes()


def test_build_is_reproducible_and_checked(root, capsys):
    assert main([], root=root) == 0
    first = built(root)
    (root / "notebooks" / "01_lesson.ipynb").unlink()
    assert main([], root=root) == 0
    assert built(root) == first
    assert main(["--check"], root=root) == 0
    assert "up to date" in capsys.readouterr().out


def test_notebook_holds_what_kaggle_colab_and_papermill_need(root):
    main([], root=root)
    notebook = nbformat.reads(built(root).decode(), as_version=4)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata.kernelspec == {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    title = notebook.cells[0].source
    assert "{{badges}}" not in title
    page = "someone/sounds/blob/trunk/notebooks/01_lesson.ipynb"
    assert f"https://colab.research.google.com/github/{page})" in title
    assert f"https://www.kaggle.com/kernels/welcome?src=https://github.com/{page})" in title
    tagged = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1
    assert notebook.cells[3].source.startswith("%matplotlib inline")
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)


def test_a_release_points_to_its_own_version(root):
    project = root / "pyproject.toml"
    project.write_text(project.read_text().replace("2.1.dev0", "2.1"))
    main([], root=root)
    first, second = nbformat.reads(built(root).decode(), as_version=4).cells[:2]
    assert "/someone/sounds/blob/v2.1/notebooks/01_lesson.ipynb)" in first.source
    assert "https://github.com/someone/sounds/archive/v2.1.zip" in second.source
    assert "trunk" not in first.source + second.source


def test_what_is_not_published_yet_has_no_dead_links(root):
    project = root / "pyproject.toml"
    project.write_text(project.read_text().replace("someone", "OWNER"))
    write_source(root, SOURCE.replace("# {{badges}}", "# {{badges}}\n#\n# What it teaches."))
    main([], root=root)
    assert b"OWNER" not in built(root) and b"colab.research" not in built(root)
    first, second = nbformat.reads(built(root).decode(), as_version=4).cells[:2]
    assert first.source == "# A lesson\n\nWhat it teaches."
    assert 'ARCHIVE = ""' in second.source


def test_cell_ids_are_unique_and_survive_an_inserted_cell(root):
    def ids():
        cells = nbformat.reads(built(root).decode(), as_version=4).cells
        return {cell.id: cell.source for cell in cells}

    main([], root=root)
    before = ids()
    write_source(root, SOURCE.replace("# %%\n# {{set-up}}", "# %%\n1 + 1\n\n# %%\n# {{set-up}}"))
    main([], root=root)
    after = ids()
    assert len(before) == 5 and len(after) == 6
    assert before.items() <= after.items()


def test_equal_cells_get_different_ids(root):
    write_source(root, SOURCE + "\n# %%\nmath.pi\n")
    main([], root=root)
    cells = nbformat.reads(built(root).decode(), as_version=4).cells
    assert len({cell.id for cell in cells}) == len(cells)


def test_check_names_every_notebook_that_differs_and_writes_nothing(root, capsys):
    write_source(root, SOURCE, "02_other")
    main([], root=root)
    changed = built(root) + b"\n"
    (root / "notebooks" / "01_lesson.ipynb").write_bytes(changed)
    (root / "notebooks" / "02_other.ipynb").unlink()
    (root / "notebooks" / "03_stray.ipynb").write_text("{}")
    capsys.readouterr()
    assert main(["--check"], root=root) == 1
    out = capsys.readouterr().out
    assert "01_lesson.ipynb differs" in out
    assert "02_other.ipynb is missing" in out
    assert "03_stray.ipynb has no source" in out
    assert built(root) == changed
    assert not (root / "notebooks" / "02_other.ipynb").exists()


def test_build_refuses_a_notebook_without_source(root, capsys):
    (root / "notebooks" / "03_stray.ipynb").write_text("{}")
    assert main([], root=root) == 1
    assert "notebooks/03_stray.ipynb has no source" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (PARAMETERS + "EPOCHS: int = 3", "line 4: `EPOCHS: int = 3` is annotated"),
        (PARAMETERS + "EPOCHS = 2 * 3", "line 4: `EPOCHS = 2 * 3` is not a literal"),
        (PARAMETERS + "A = B = 3", "not an assignment of the form"),
        (PARAMETERS + "import math", "not an assignment of the form"),
        (PARAMETERS + "SEED = 1", "assigns SEED a second time"),
        (PARAMETERS + "A = {[]: 1}", "is not a literal"),
        ('DATA_DIR = ""', "lacks OUTPUT_DIR, SEED"),
        ("DATA_DIR = (", "cell 3 (parameters), line 1"),
    ],
)
def test_wrong_parameters_are_named_with_cell_and_line(root, capsys, parameters, message):
    write_source(root, with_parameters(parameters))
    assert main([], root=root) == 1
    error = capsys.readouterr().err
    assert "01_lesson.py: cell 3 (parameters)" in error
    assert message in error
    assert not (root / "notebooks" / "01_lesson.ipynb").exists()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (SOURCE.replace(' tags=["parameters"]', ""), "found: none"),
        (SOURCE + '\n# %% tags=["parameters"]\nX = 1\n', "found: cell 3 (code), cell 6 (code)"),
        (SOURCE.replace("{{badges}}", "badges"), "must hold a line {{badges}}"),
        (SOURCE.replace("{{set-up}}", "set up"), "must hold a line # {{set-up}}"),
    ],
)
def test_wrong_structure_is_refused(root, capsys, source, message):
    write_source(root, source)
    assert main([], root=root) == 1
    assert message in capsys.readouterr().err


# --- exercises ------------------------------------------------------------------------------------

LESSON = (
    SOURCE
    + '''
# %%
from helpers import exercises as checks

checks.start("5", strict=True)

# %% [markdown]
# **Exercise 5.5.** How many frames does one score see, and how far apart are two scores? Say it for
# a list of layers.

# %%
def receptive_field(layers):
    """layers: list of (kernel, stride, dilation). Returns (frames, stride)."""
    ### BEGIN SOLUTION 5.5: go through the layers
    frames, stride = 1, 1
    for kernel, own, dilation in layers:
        frames += (kernel - 1) * dilation * stride
        stride *= own
    return frames, stride
    ### END SOLUTION


# %%
checks.receptive_field(receptive_field)
'''
)


def test_an_exercise_notebook_has_the_task_the_stub_and_the_check(root):
    write_source(root, LESSON)
    assert main([], root=root) == 0
    solved = nbformat.reads(built(root).decode(), as_version=4)
    student = nbformat.reads(built(root, "exercises/01_lesson").decode(), as_version=4)
    assert len(solved.cells) == len(student.cells)
    text = "\n".join(cell.source for cell in solved.cells)
    assert "SOLUTION" not in text and "stride *= own" in text and "strict=True" in text
    cell, check = student.cells[-2:]
    assert cell.source.splitlines()[2:] == [
        "    # FIXME: go through the layers",
        '    raise NotImplementedError("FIXME 5.5")',
    ]
    assert '"""layers: list of' in cell.source
    assert cell.metadata.nbgrader.solution and not cell.metadata.nbgrader.locked
    assert check.metadata.nbgrader.points == 1 and check.metadata.nbgrader.locked
    text = "\n".join(cell.source for cell in student.cells)
    assert "stride *= own" not in text and "SOLUTION" not in text and "strict" not in text
    assert 'checks.start("5")' in text and "exercises/01_lesson.ipynb" in text
    assert main(["--check"], root=root) == 0


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("    ### END SOLUTION\n", "", "exercise 5.5 is not closed"),
        ("### BEGIN SOLUTION 5.5: go", "### BEGIN SOLUTION go", "N.N: what is to be done"),
        (
            "    stride *= own\n",
            "    ### BEGIN SOLUTION 5.6: x\n",
            "5.6 begins within exercise 5.5",
        ),
        (
            "### BEGIN SOLUTION 5.5: go through the layers",
            "pass",
            "BEGIN SOLUTION before it",
        ),
        ("checks.receptive_field(receptive_field)", "receptive_field([])", "has no check"),
        ("# **Exercise 5.5.**", "# **Now.**", "must set the task"),
        ("5.5", "5.95", "exercise 5.95 has no hint"),
        ('checks.start("5", strict=True)', "", "no cell begins the exercises"),
        ("def receptive_field(layers):", "if True:", "must define one function"),
    ],
)
def test_an_exercise_that_lacks_something_is_no_notebook(root, capsys, old, new, said):
    assert old in LESSON
    write_source(root, LESSON.replace(old, new))
    assert main([], root=root) == 1
    assert said in capsys.readouterr().err
    assert not (root / "notebooks" / "exercises").exists()
