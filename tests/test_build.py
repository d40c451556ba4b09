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


def test_cell_ids_are_unique_and_survive_an_inserted_cell(root):
    def ids():
        cells = nbformat.reads(built(root).decode(), as_version=4).cells
        return {cell.id: cell.source for cell in cells}

    main([], root=root)
    before = ids()
    write_source(root, SOURCE.replace("# %%\nimport math", "# %%\n1 + 1\n\n# %%\nimport math"))
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
    assert "no source makes notebooks/03_stray.ipynb" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (PARAMETERS + "EPOCHS: int = 3", "line 4: `EPOCHS: int = 3` is annotated"),
        (PARAMETERS + "EPOCHS = 2 * 3", "line 4: `EPOCHS = 2 * 3` is no literal"),
        (PARAMETERS + "A = B = 3", "no assignment of the form"),
        (PARAMETERS + "import math", "no assignment of the form"),
        (PARAMETERS + "SEED = 1", "assigns SEED a second time"),
        (PARAMETERS + "A = {[]: 1}", "is no literal"),
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
    ],
)
def test_wrong_structure_is_refused(root, capsys, source, message):
    write_source(root, source)
    assert main([], root=root) == 1
    assert message in capsys.readouterr().err
