"""What the README's commands install is locked, listed and licensed."""

import json
import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PINS = re.compile(r"^([\w.-]+)==(\S+)(?: ;[^\n\\]*)? \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.MULTILINE)
LOCK = (ROOT / "constraints.txt").read_text(encoding="utf-8")
REMEDY = "run python tools/supply_chain/lock.py and licences.py"


def locked() -> set[tuple[str, str]]:
    return {(canonicalize_name(name), version) for name, version, _ in PINS.findall(LOCK)}


def needed(name: str, extras: frozenset[str], seen: set[tuple[str, frozenset[str]]]) -> Iterator[str]:
    """Names of all packages that a package with these extras brings here."""
    if (name, extras) in seen:
        return
    seen.add((name, extras))
    yield name
    try:
        requirements = [Requirement(text) for text in requires(name) or []]
    except PackageNotFoundError:
        return
    for requirement in requirements:
        if requirement.marker is None or any(requirement.marker.evaluate({"extra": e}) for e in extras or {""}):
            yield from needed(canonicalize_name(requirement.name), frozenset(requirement.extras), seen)


def test_every_package_is_locked_by_version_and_hash() -> None:
    entries = [line for line in LOCK.splitlines() if line and not line.startswith((" ", "#"))]
    assert len(entries) == len(PINS.findall(LOCK)), f"an entry without hashes: {REMEDY}"
    here = set(needed("gaussiantalker", frozenset({"test"}), set())) - {"gaussiantalker"}
    missing = here - {name for name, _ in locked()}
    assert len(here) > 50 and not missing, f"not in constraints.txt: {missing}; {REMEDY}"


def test_the_bill_of_materials_lists_what_is_locked() -> None:
    bill = json.loads((ROOT / "sbom.cdx.json").read_text(encoding="utf-8"))
    listed = {(canonicalize_name(part["name"]), part["version"]) for part in bill["components"]}
    assert bill["bomFormat"] == "CycloneDX" and listed == locked(), REMEDY
    assert all(part["hashes"] for part in bill["components"])


@pytest.mark.parametrize("forbidden", [r"(?<![L])GPL", "not said"])
def test_nothing_that_is_imported_is_under_the_gpl_or_under_nothing(forbidden: str) -> None:
    bill = json.loads((ROOT / "sbom.cdx.json").read_text(encoding="utf-8"))
    parts = [part for part in bill["components"] if "licenses" in part]
    licences = {part["name"]: part["licenses"][0]["license"]["name"] for part in parts}
    assert len(licences) > 50 and not {name for name, text in licences.items() if re.search(forbidden, text)}
