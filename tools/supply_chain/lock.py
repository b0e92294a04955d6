"""Writes constraints.txt anew: every package that the README's commands install, for every platform, with its hashes.

    python -m pip install uv
    python tools/supply_chain/lock.py [--upgrade]

Versions stay as they are unless `pyproject.toml` asks for others or `--upgrade` is given. torch's build for CPUs is no
file of the package registry but of PyTorch's own index, so it has a file of its own, torch-cpu.txt.
"""

import hashlib
import platform
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "constraints.txt"
# Beside hatchling: what makes an editable install, and what builds pocketsphinx, which lacks wheels for some Pythons.
BUILDERS = ("editables", "scikit-build-core", "cython", "cmake", "ninja")
TORCH = ROOT / "torch-cpu.txt"
TORCH_HEAD = """\
# torch without CUDA's libraries (0.2 GB instead of 3), for where pip knows an index that has it: install it first.
"""
HEAD = """\
# Written by tools/supply_chain/lock.py: every package that the README's commands install, with the hashes of its files.
# pip installs nothing else (`--require-hashes`, or with `-e .` beside it `--no-require-hashes -c constraints.txt`).
"""


def compiled(folder: Path, options: list[str]) -> str:
    """The lock, as uv resolves it from what `pyproject.toml` needs, to run, to be tested and to be built."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (folder / "build.in").write_text("\n".join([*project["build-system"]["requires"], *BUILDERS]) + "\n")
    lock = folder / LOCK.name
    lock.write_text(LOCK.read_text(encoding="utf-8"), encoding="utf-8")  # its versions are preferred
    command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--universal", "--generate-hashes"]
    command += ["--python-version", "3.11", "--no-annotate", "--no-header", "--output-file", str(lock)]
    command += ["--extra", "test", "--extra", "docs", str(ROOT / "pyproject.toml"), str(folder / "build.in"), *options]
    subprocess.run(command, check=True)
    return lock.read_text(encoding="utf-8")


def torch_for_cpus(lock: str, folder: Path) -> str:
    """The requirement of torch's build for CPUs, with its hash, if pip knows where it is; else what was known."""
    version = re.search(r"^torch==(\S+)", lock, re.MULTILINE)[1]
    command = [sys.executable, "-P", "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    if subprocess.run([*command, "--dest", str(folder), f"torch=={version}+cpu"]).returncode:
        return TORCH.read_text(encoding="utf-8")
    (wheel,) = folder.glob("torch-*.whl")
    with open(wheel, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    here = f"sys_platform == '{sys.platform}' and platform_machine == '{platform.machine()}'"
    here += f" and python_version == '{sys.version_info.major}.{sys.version_info.minor}'"
    return f"{TORCH_HEAD}torch=={version}+cpu ; {here} --hash=sha256:{digest}\n"


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        lock = compiled(Path(name), sys.argv[1:])
        TORCH.write_text(torch_for_cpus(lock, Path(name)), encoding="utf-8")
    LOCK.write_text(HEAD + lock, encoding="utf-8")


if __name__ == "__main__":
    main()
