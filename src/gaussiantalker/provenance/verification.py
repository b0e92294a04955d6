"""Whether a film is generated, and by which avatar: what its manifest says, and what its pictures say."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from gaussiantalker.media.files import existing_file
from gaussiantalker.media.video import read_frames
from gaussiantalker.progress import SILENT, Progress
from gaussiantalker.provenance import manifest
from gaussiantalker.provenance.detection import Mark, detect

_MOST_LINES = 1080  # of a picture
EVERY, MOST = 5, 50  # pictures that are looked at: those of ten seconds, since neighbours say the same


@dataclass(frozen=True)
class _Verification:
    """What was found in a film."""

    file: str
    manifest: manifest.Manifest | None
    searched_for_manifest: bool  # not where the library for it is missing
    watermark: Mark

    @property
    def marked(self) -> bool:
        """Whether the film says, in one way or the other, that it was generated."""
        told = self.manifest is not None and self.manifest.made_by_model and self.manifest.state != "invalid"
        return told or self.watermark.found

    def as_json(self) -> dict[str, Any]:
        """The same as plain values."""
        mark = self.watermark
        return {
            "file": self.file,
            "marked": self.marked,
            "manifest": asdict(self.manifest) if self.manifest else None,
            "searched_for_manifest": self.searched_for_manifest,
            "watermark": {
                "found": mark.found,
                "avatar": f"{mark.payload:010x}" if mark.found else None,
                "sure": mark.sure,
                "score": round(mark.score, 2),
                "needed": round(mark.needed, 2),
                "scale": round(mark.scale, 3) if mark.found else None,
            },
        }

    def __str__(self) -> str:
        verdict = "is marked as generated" if self.marked else "carries no mark that it was generated"
        return f"{self.file} {verdict}.\n{self._manifest_told()}\n{self._watermark_told()}"

    def _manifest_told(self) -> str:
        found = self.manifest
        if not self.searched_for_manifest:
            return f"Manifest: not looked for, since c2pa is not installed: {manifest.INSTALL}"
        if found is None:
            return "Manifest: none."
        facts = "".join(f"\n  {name}: {value}" for name, value in found.facts.items())
        maker = "made by a trained model" if found.made_by_model else "without a word on how it was made"
        faults = f" ({', '.join(found.faults)})" if found.faults else ""
        return f"Manifest: {maker}; signed by {found.signer}; signature and content {found.state}{faults}.{facts}"

    def _watermark_told(self) -> str:
        mark = self.watermark
        score = f"score {mark.score:.1f}, {mark.needed:.1f} needed"
        if not mark.found:
            return f"Watermark: none ({score})."
        return (
            f"Watermark: avatar {mark.payload:010x} ({score}; picture at {100 * mark.scale:.0f} % of its first size)."
        )


def verify(path: str | Path, progress: Progress = SILENT) -> _Verification:
    """Looks for both marks in a film. The watermark is looked for in its first ten seconds.

    Raises:
        GaussianTalkerError: it is no film that can be read.
    """
    path = existing_file(path, "video")
    progress.stage("looking for marks", MOST)

    def pictures() -> Iterator[np.ndarray]:
        shown = read_frames(path, most_lines=_MOST_LINES)
        for number, picture in enumerate(islice(shown, 0, EVERY * MOST, EVERY)):
            yield picture
            progress.update(number + 1)

    mark, searched = detect(pictures()), manifest.available()
    return _Verification(path.name, manifest.read_manifest(path) if searched else None, searched, mark)
