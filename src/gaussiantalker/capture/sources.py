"""The two things a capture is made from: a video, or a dataset that somebody has preprocessed already."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from gaussiantalker import pretrained
from gaussiantalker.capture.stages import digest_file
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.media.files import existing_file
from gaussiantalker.media.video import probe
from gaussiantalker.progress import Progress

PARSERS = {"bisenet": "face-parser", "selfie": "selfie-multiclass"}  # what makes masks, and its pretrained model


class Source(Protocol):
    """Fills a capture's folder with frames, tracking and labels. What a method needs is imported when it runs."""

    path: Path

    @property
    def name(self) -> str:
        """What people call it."""

    def content(self) -> str:
        """A digest of the pictures: the same for the same film, wherever it lies, and for no other."""

    def identity(self) -> dict[str, Any]:
        """Settings that change when anything that is read does."""

    def annotations(self) -> dict[str, Any]:
        """The same, of poses and masks that come along."""

    def ingest(self, out: Path, size: int, progress: Progress) -> dict[str, Any]:
        """Writes frames.npy, landmarks.npy, faces.npz and, if there is sound, audio.wav."""

    def track(self, out: Path, size: int, ingested: dict[str, Any], progress: Progress) -> dict[str, Any]:
        """Writes tracking.npz."""

    def label(self, out: Path, ingested: dict[str, Any], parser: str, progress: Progress) -> dict[str, Any]:
        """Writes labels.npy, with one of `PARSERS` where the source brings no masks."""


def open_source(path: str | Path) -> Source:
    """Raises GaussianTalkerError when there is neither a video nor a dataset at `path`."""
    path = Path(path)
    if path.is_dir():
        if not (path / "ori_imgs").is_dir():
            raise GaussianTalkerError(f"{path} is a folder without ori_imgs; give a video, or a dataset with pictures")
        return Dataset(path)
    path = existing_file(path, "video")
    probe(path)
    return Film(path)


@dataclass(frozen=True)
class Film:
    """A video file."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @cached_property
    def _digest(self) -> str:
        return digest_file(self.path)

    def content(self) -> str:
        return self._digest

    def identity(self) -> dict[str, Any]:
        return {"sha256": self._digest}

    def annotations(self) -> dict[str, Any]:
        return {}

    def ingest(self, out: Path, size: int, progress: Progress) -> dict[str, Any]:
        from gaussiantalker.capture.ingest import ingest

        return ingest(self.path, out, size, progress)

    def track(self, out: Path, size: int, ingested: dict[str, Any], progress: Progress) -> dict[str, Any]:
        from gaussiantalker.capture.tracking import track

        return track(out, size, progress)

    def label(self, out: Path, ingested: dict[str, Any], parser: str, progress: Progress) -> dict[str, Any]:
        return _segment(out, parser, progress)


@dataclass(frozen=True)
class Dataset:
    """A folder in AD-NeRF's layout. Its own poses and masks are used; without masks, ours are made."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    def content(self) -> str:
        listing = sorted((file.name, file.stat().st_size) for file in (self.path / "ori_imgs").iterdir())
        return hashlib.sha256(repr(listing).encode()).hexdigest()

    def annotations(self) -> dict[str, Any]:
        return self.identity()

    def identity(self) -> dict[str, Any]:
        content = hashlib.sha256()
        for file in sorted(self.path.rglob("*")):
            if file.suffix in (".jpg", ".png", ".pt", ".json", ".csv", ".wav"):
                state = file.stat()
                content.update(f"{file.relative_to(self.path)} {state.st_size} {state.st_mtime_ns}".encode())
        return {"dataset": content.hexdigest()}

    def ingest(self, out: Path, size: int, progress: Progress) -> dict[str, Any]:
        from gaussiantalker.capture.dataset import ingest_dataset

        return ingest_dataset(self.path, out, size, progress)

    def track(self, out: Path, size: int, ingested: dict[str, Any], progress: Progress) -> dict[str, Any]:
        from gaussiantalker.capture.dataset import track_dataset

        return track_dataset(self.path, out, size, ingested, progress)

    def label(self, out: Path, ingested: dict[str, Any], parser: str, progress: Progress) -> dict[str, Any]:
        from gaussiantalker.capture.dataset import label_dataset

        if (self.path / "parsing").is_dir():
            return label_dataset(self.path, out, ingested, progress)
        return _segment(out, parser, progress)


def _segment(out: Path, parser: str, progress: Progress) -> dict[str, Any]:
    from gaussiantalker.capture.bisenet import BiSeNetParser
    from gaussiantalker.capture.segmentation import segment
    from gaussiantalker.capture.selfie import SelfieParser

    kinds = {"bisenet": BiSeNetParser, "selfie": SelfieParser}
    network = kinds[parser](pretrained.path(PARSERS[parser], progress))
    return segment(out / "frames.npy", out / "labels.npy", network, progress)
