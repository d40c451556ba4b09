"""What gets installed is declared once, pinned, the same for conda, and leaves TensorFlow alone."""

import re
import tomllib
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DECLARED = [*PROJECT["dependencies"], *sum(PROJECT["optional-dependencies"].values(), [])]
PINS = [
    line
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]


def names(requirements):
    return {canonicalize_name(Requirement(text).name) for text in requirements}


def test_the_package_alone_brings_no_heavy_library():
    heavy = {"tensorflow", "tensorflow-cpu", "numpy", "keras", "jax", "jaxlib", "torch"}
    assert not names(PROJECT["dependencies"]) & heavy


def test_every_machine_gets_one_tensorflow():
    chosen = [Requirement(text) for text in DECLARED if text.startswith("tensorflow")]
    for system, machine in [("Linux", "x86_64"), ("Linux", "aarch64"), ("Darwin", "arm64")]:
        environment = {"platform_system": system, "platform_machine": machine}
        wanted = [text.name for text in chosen if text.marker.evaluate(environment)]
        assert wanted == ["tensorflow-cpu" if machine == "x86_64" else "tensorflow"]


def test_constraints_are_plain_versions_without_an_address():
    plain = re.compile(r"[a-z0-9][a-z0-9-]*==[0-9][0-9a-z.]*")
    assert [pin for pin in PINS if not plain.fullmatch(pin)] == []


def test_every_dependency_is_pinned_within_its_bounds():
    pinned = dict(pin.split("==") for pin in PINS)
    assert len(pinned) == len(PINS), "a package is pinned twice"
    for text in DECLARED:
        requirement = Requirement(text)
        version = pinned.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is not in constraints.txt"
        assert requirement.specifier.contains(version), f"{text}, but {version} is pinned"


def test_conda_users_get_the_same_set():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    *packages, with_pip = environment["dependencies"]
    assert packages == [f"python {PROJECT['requires-python']}", "pip"]
    assert with_pip["pip"] == ["-c constraints.txt", "-e .", *DECLARED]


def test_the_version_is_the_same_everywhere():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert citation["version"] == PROJECT["version"]
    is_release = "dev" not in PROJECT["version"]
    assert f"\n## [{PROJECT['version'] if is_release else 'Unreleased'}]" in changes


def test_the_workflow_tests_every_python_that_is_declared():
    workflow = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text(encoding="utf-8"))
    tested = workflow["jobs"]["test"]["strategy"]["matrix"]["python-version"]
    supported = SpecifierSet(PROJECT["requires-python"])
    assert tested == [f"3.{minor}" for minor in range(30) if f"3.{minor}" in supported]
    named = [text.rpartition(" ")[2] for text in PROJECT["classifiers"] if ":: 3." in text]
    assert named == tested
