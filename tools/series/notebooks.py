"""The notebooks of the series, and the values that they are run with."""

import os
from pathlib import Path

import nbformat
import yaml

from tools.command_line import UsageError
from tools.series.parameters import (
    ParameterError,
    check_value,
    parse_value,
    read_parameters,
    unknown,
)


def find_notebooks(root):
    """The series: {name: path}, in order."""
    return {path.stem: path for path in sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb"))}


def select(wanted, series):
    """The names of the notebooks that are wanted by number or name; all of them if none is."""
    if not series:
        raise UsageError("there are no notebooks yet: run `make build` first")
    chosen = set()
    for given in wanted:
        name = Path(given).stem if given.endswith(".ipynb") else given
        found = {
            known
            for known in series
            if name == known or (name.isdecimal() and int(name) == int(known[:2]))
        }
        if not found:
            raise UsageError(unknown("notebook", given, list(series)))
        chosen |= found
    return [name for name in series if name in chosen or not wanted]


def read_profiles(root):
    """{profile: {notebook: {parameter: value}}} from notebooks/runs.yaml."""
    path = root / "notebooks" / "runs.yaml"
    if not path.exists():
        return {}
    try:
        profiles = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        raise UsageError(f"notebooks/runs.yaml cannot be read: {error}") from None
    return {
        str(profile): {name: values or {} for name, values in (notebooks or {}).items()}
        for profile, notebooks in profiles.items()
    }


def profile_values(profile, *, profiles, series):
    """{notebook: {parameter: value}} of one profile, None being the notebooks' own values."""
    if profile is None:
        return {}
    if profile not in profiles:
        raise UsageError(unknown("profile", profile, list(profiles)))
    for name in profiles[profile]:
        if name not in series:
            problem = unknown("notebook", name, list(series))
            raise UsageError(f"notebooks/runs.yaml, profile {profile}: {problem}")
    return profiles[profile]


def notebook_parameters(path, *, from_profile, given, root):
    """The values to run a notebook file with, see `resolve_parameters`. Raises UsageError."""
    declared = declared_parameters(path)
    try:
        return resolve_parameters(declared, from_profile=from_profile, given=given, root=root)
    except ParameterError as error:
        raise UsageError(f"{path.stem}: {error}") from None


def declared_parameters(path):
    """The parameters of a notebook file and their defaults. Raises UsageError."""
    try:
        return read_parameters(nbformat.read(path, as_version=4))
    except ParameterError as error:
        raise UsageError(f"{path.name}: {error}") from None


def resolve_parameters(declared, *, from_profile, given, root):
    """The values to run a notebook with: those of the profile, overruled by those given.

    declared: names and defaults. from_profile: {name: value}. given: [(name, text), ...] from the
    command line; there a relative path is meant from the current directory.
    """
    values = {}
    for name, value in from_profile.items():
        values[name] = check_value(name, value, default=_default(name, declared))
    for name, text in given:
        value = parse_value(name, text, default=_default(name, declared))
        if value and name.endswith(("_DIR", "_PATH")) and isinstance(value, str):
            value = path_from_root(Path(value).expanduser(), root=root)
        values[name] = value
    return values


def _default(name, declared):
    if name == "OUTPUT_DIR":
        raise ParameterError("OUTPUT_DIR is set for each notebook: use --output for all of them")
    if name not in declared:
        raise ParameterError(unknown("parameter", name, list(declared)))
    return declared[name]


def path_from_root(path, *, root):
    """A path as a kernel in the repository root finds it, written as briefly as possible."""
    absolute = Path(os.path.abspath(path))
    try:
        relative = Path(os.path.relpath(absolute, root)).as_posix()
    except ValueError:  # another drive
        return absolute.as_posix()
    inside = absolute.is_relative_to(root)
    return relative if inside else min(relative, absolute.as_posix(), key=len)
