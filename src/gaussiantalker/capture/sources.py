"""The two things a capture is made from: a video, or a dataset that somebody has preprocessed already."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gaussiantalker import pretrained
from gaussiantalker.capture.stages import digest_file
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.media.files import existing_file
from gaussiantalker.media.video import probe
from gaussiantalker.progress import Progress

if TYPE_CHECKING:
    from gaussiantalker.capture.segmentation import Parser

PARSERS = {"bisenet": "face-parser", "selfie": "selfie-multiclass"}  # what makes masks, and its pretrained model


def open_source(paths: str | Path | Sequence[str | Path]) -> "Source":
    """Raises GaussianTalkerError when there is neither a video nor a dataset at one of `paths`."""
    several = [Path(path) for path in ([paths] if isinstance(paths, str | Path) else paths)]
    if not several:
        raise GaussianTalkerError("There is nothing to capture; give a video.")
    folder = next((path for path in several if path.is_dir()), None)
    if folder is not None:
        if len(several) > 1:
            raise GaussianTalkerError(f"{folder} is a folder; a dataset is captured by itself, not beside films.")
        if not (folder / "ori_imgs").is_dir():
            raise GaussianTalkerError(
                f"{folder} is a folder without ori_imgs; give a video, or a dataset with pictures."
            )
        return _Dataset(folder)
    for path in several:
        probe(existing_file(path, "video"))
    return Film(tuple(several))


@dataclass(frozen=True)
class Film:
    """Video files of one person, joined in the order in which they are given.

    What fills a capture's folder with frames, tracking and labels; what a method needs is imported when it runs.
    """

    paths: tuple[Path, ...]

    @property
    def name(self) -> str:
        return " + ".join(path.name for path in self.paths)

    @cached_property
    def _digest(self) -> str:
        digests = [digest_file(path) for path in self.paths]
        return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()

    def content(self) -> str:
        """A digest of the pictures: the same for the same film, wherever it lies, and for no other."""
        return self._digest

    def identity(self) -> dict[str, Any]:
        """Settings that change when anything that is read does."""
        return {"sha256": self._digest}

    def annotations(self) -> dict[str, Any]:
        """The same, of poses and masks that come along."""
        return {}

    def ingest(self, out: Path, size: int, parser: str, progress: Progress) -> dict[str, Any]:
        """Writes frames.npy, landmarks.npy, faces.npz and, if there is sound, film.wav."""
        from gaussiantalker.capture.ingest import ingest

        return ingest(self.paths, out, size, cache(lambda: _load_parser(parser, progress)), progress)

    def track(self, out: Path, size: int, ingested: dict[str, Any], progress: Progress) -> dict[str, Any]:
        """Writes tracking.npz."""
        from gaussiantalker.capture.tracking import track

        return track(out, size, _joins(ingested), progress)

    def label(self, out: Path, ingested: dict[str, Any], parser: str, progress: Progress) -> dict[str, Any]:
        """Writes labels.npy, with one of `PARSERS`."""
        return _segment(out, parser, progress, _joins(ingested))


def _joins(ingested: dict[str, Any]) -> list[int]:
    """First frames of joined parts: cuts of no length."""
    return [first for first, stop in ingested["cut"] if first == stop]


@dataclass(frozen=True)
class _Dataset:
    """The same of a folder in AD-NeRF's layout. Its own poses and masks are used; without masks, ours are made."""

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

    def ingest(self, out: Path, size: int, parser: str, progress: Progress) -> dict[str, Any]:
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


Source = Film | _Dataset


def _load_parser(name: str, progress: Progress) -> "Parser":
    """One of `PARSERS`, fetched where it is not there."""
    from gaussiantalker.capture.bisenet import BiSeNetParser
    from gaussiantalker.capture.selfie import SelfieParser

    kinds = {"bisenet": BiSeNetParser, "selfie": SelfieParser}
    return kinds[name](pretrained.path(PARSERS[name], progress))


def _segment(out: Path, parser: str, progress: Progress, joins: Sequence[int] = ()) -> dict[str, Any]:
    from gaussiantalker.capture.segmentation import segment

    return segment(out / "frames.npy", out / "labels.npy", _load_parser(parser, progress), progress, joins)
