"""Writes docs/licences.md and sbom.cdx.json: what the lock installs, under which licences, and what lies inside.

    .venv/bin/python tools/supply_chain/licences.py

It reads constraints.txt, and of what is installed beside the running Python the licences and the native libraries. What
the lock has for other platforms is listed without them.
"""

import json
import re
from dataclasses import dataclass, field
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TABLE, SBOM = ROOT / "docs" / "licences.md", ROOT / "sbom.cdx.json"
ENTRY = re.compile(r"^([\w.-]+)==([^\s;\\]+)((?:[^\n]*\\\n)*[^\n]*)", re.MULTILINE)
LIBRARY = re.compile(r"(?:^|/)[^/]*\.libs/(lib[\w+]+)[^/]*\.(?:so|dylib|dll)")
HEAD = """\
# Licences of everything that is installed

Written by `tools/supply_chain/licences.py` from `constraints.txt` and from what the packages say of themselves, on
Linux. `sbom.cdx.json` says the same to programs (CycloneDX), with hashes; it is in every wheel of this project. What
follows from the licences that ask for something is in [dependencies.md](dependencies.md#licences).

| package | version | licence | native libraries inside |
|---|---|---|---|
"""


@dataclass
class Package:
    """A package of the lock; licence and libraries are empty where it is not installed."""

    name: str
    version: str
    hashes: list[str]
    licence: str = ""
    libraries: list[str] = field(default_factory=list)


def locked() -> list[Package]:
    """What constraints.txt pins; a package with two versions for different Pythons is there twice."""
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    packages = []
    for name, version, rest in ENTRY.findall(text):
        package = Package(name, version, re.findall(r"sha256:([0-9a-f]{64})", rest))
        try:
            describe(package, distribution(name))
        except PackageNotFoundError:
            pass
        packages.append(package)
    return packages


def describe(package: Package, installed: Distribution) -> None:
    facts = installed.metadata
    classified = [name.split(" :: ")[-1] for name in facts.get_all("Classifier", []) if name.startswith("License")]
    written = (facts.get("License") or "").strip()
    short = written if written and "\n" not in written and len(written) < 60 else ""
    package.licence = facts.get("License-Expression") or short or ", ".join(classified) or "not said"
    found = {match[1] for path in installed.files or [] if (match := LIBRARY.search(str(path)))}
    package.libraries = sorted(found)


def table(packages: list[Package]) -> str:
    here = [package for package in packages if package.licence]
    rows = [f"| {p.name} | {p.version} | {p.licence} | {', '.join(p.libraries)} |\n" for p in here]
    others = ", ".join(f"{p.name} {p.version}" for p in packages if not p.licence)
    return f"{HEAD}{''.join(rows)}\nFor other platforms, for building, or for GPUs: {others}.\n"


def bill(packages: list[Package]) -> dict:
    """A CycloneDX 1.6 document."""
    components = [
        {
            "type": "library",
            "bom-ref": f"pkg:pypi/{p.name}@{p.version}",
            "name": p.name,
            "version": p.version,
            "purl": f"pkg:pypi/{p.name}@{p.version}",
            **({"licenses": [{"license": {"name": p.licence}}]} if p.licence else {}),
            "hashes": [{"alg": "SHA-256", "content": digest} for digest in p.hashes],
        }
        for p in packages
    ]
    project = {"type": "application", "name": "gaussiantalker", "licenses": [{"license": {"id": "Apache-2.0"}}]}
    head = {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1}
    return {**head, "metadata": {"component": project}, "components": components}


def main() -> None:
    packages = locked()
    TABLE.write_text(table(packages), encoding="utf-8")
    SBOM.write_text(json.dumps(bill(packages), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
