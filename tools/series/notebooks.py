"""The notebooks of the series, and the values that they are run with."""

import os
from pathlib import Path

import nbformat
import yaml

from tools.command_line import UsageError
from tools.series import parameters


def find_notebooks(root):
    """The series: {name: path}, in order."""
    return {path.stem: path for path in sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb"))}


def select(wanted, series):
    """Names of the notebooks with the wanted numbers or names, in order; [] selects all."""
    if not series:
        raise UsageError("there are no notebooks yet: run `make build` first")
    chosen = set()
    for text in wanted:
        name = text.removesuffix(".ipynb").split("/")[-1]
        is_number = name.isdecimal()
        found = {n for n in series if n == name or (is_number and int(n[:2]) == int(name))}
        if not found:
            raise UsageError(parameters.unknown("notebook", text, list(series)))
        chosen |= found
    return [name for name in series if name in chosen or not wanted]


def read_profiles(root):
    """{profile: {notebook: {parameter: value}}} from notebooks/runs.yaml. Raises UsageError."""
    path = root / "notebooks" / "runs.yaml"
    try:
        profiles = yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else None
    except yaml.YAMLError as error:
        raise UsageError(f"notebooks/runs.yaml is not valid YAML: {error}") from None
    return {
        str(profile): {name: values or {} for name, values in (notebooks or {}).items()}
        for profile, notebooks in (profiles or {}).items()
    }


def profile_values(profile, *, series, root):
    """{notebook: {parameter: value}} of a profile; None is the notebooks' own values: {}."""
    if profile is None:
        return {}
    profiles = read_profiles(root)
    if profile not in profiles:
        raise UsageError(parameters.unknown("profile", profile, list(profiles)))
    for name in profiles[profile]:
        if name not in series:
            problem = parameters.unknown("notebook", name, list(series))
            raise UsageError(f"notebooks/runs.yaml, profile {profile}: {problem}")
    return profiles[profile]


def declared_parameters(path):
    """The parameters of a notebook file and their defaults. Raises UsageError."""
    try:
        return parameters.read_parameters(nbformat.read(path, as_version=4))
    except parameters.ParameterError as error:
        raise UsageError(f"{path.name}: {error}") from None


def notebook_parameters(path, *, from_profile, given, root):
    """The values to run a notebook file with: those of the profile, then those given.

    from_profile: {name: value}. given: [(name, text), …] from the command line, where a relative
    path starts at the current directory. Raises UsageError.
    """
    declared, values = declared_parameters(path), {}
    try:
        for name, value in from_profile.items():
            values[name] = parameters.check_value(name, value, default=_default(name, declared))
        for name, text in given:
            value = parameters.parse_value(name, text, default=_default(name, declared))
            if value and name.endswith(("_DIR", "_PATH")) and isinstance(value, str):
                value = path_from_root(Path(value).expanduser(), root=root)
            values[name] = value
    except parameters.ParameterError as error:
        raise UsageError(f"{path.stem}: {error}") from None
    return values


def _default(name, declared):
    if name == "OUTPUT_DIR":
        raise parameters.ParameterError(
            "OUTPUT_DIR is set for each notebook: use --output for all of them"
        )
    if name not in declared:
        raise parameters.ParameterError(parameters.unknown("parameter", name, list(declared)))
    return declared[name]


def path_from_root(path, *, root):
    """The shortest text of a path for a kernel that runs in the root of the repository."""
    absolute = Path(os.path.abspath(path))
    try:
        relative = Path(os.path.relpath(absolute, root)).as_posix()
    except ValueError:  # another drive
        return absolute.as_posix()
    inside = absolute.is_relative_to(root)
    return relative if inside else min(relative, absolute.as_posix(), key=len)
