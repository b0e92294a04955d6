"""What an avatar says: frames with their sound, to look at or to keep."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.media.files import atomic_path
from gaussiantalker.media.image import write_image
from gaussiantalker.media.outputs import MARK, check_folder_target, check_target
from gaussiantalker.media.sound import Sound
from gaussiantalker.media.video import FORMATS, write_video
from gaussiantalker.progress import SILENT, Progress
from gaussiantalker.provenance.label import label
from gaussiantalker.provenance.manifest import INSTALL, Credentials, available, credentials, sign
from gaussiantalker.speaking.frames import AvFrame, FrameStream, Speaker
from gaussiantalker.timing import FPS, SAMPLE_RATE, frame_count

SYNTHETIC = f"AI-generated: a synthetic talking head {MARK}"


_FILMS = tuple(FORMATS)
_CLEAR_FILMS = tuple(ending for ending, how in FORMATS.items() if how.clear)
_STILLS = ".png"
_SIGNED = (".mp4", ".mov")  # what a manifest has a place in


class Performance:
    """An avatar and the sound it is to speak. Iterating renders it, one `AvFrame` after another, in bounded memory."""

    def __init__(
        self, avatar: Speaker, sound: Sound | np.ndarray, provenance: dict[str, Any] | None = None, fps: int = FPS
    ):
        """`sound`: a file's, or 16 kHz mono samples float32 [S]. `provenance` is what a film of it tells of its making;
        without it a film is not signed. `fps`: pictures a second, 25 or 50.
        """
        self.avatar, self.sound = avatar, sound if isinstance(sound, Sound) else Sound(sound)
        self.provenance, self.fps = provenance, fps

    @property
    def audio(self) -> np.ndarray:
        """What the avatar hears: 16 kHz mono samples float32 [S]."""
        return self.sound.heard

    def __len__(self) -> int:
        return frame_count(len(self.audio)) * self.fps // FPS

    def __iter__(self) -> Iterator[AvFrame]:
        stream = FrameStream(self.avatar, self.fps)
        for start in range(0, len(self.audio), SAMPLE_RATE):
            yield from stream.push(self.audio[start : start + SAMPLE_RATE])
        yield from stream.finish()

    def save(
        self,
        path: str | Path,
        progress: Progress = SILENT,
        *,
        labelled: bool = False,
        signer: Credentials | None = None,
        force: bool = False,
    ) -> Path:
        """Writes a film: .mp4 (H.264, AAC), .webm (VP9, Opus) or .mov (ProRes 4444, PCM), which appears only when it is
        whole. A file's sound is written at its own rate and with its own channels, as far as the kind of film can.

        Before a transparent background, .webm and .mov carry straight alpha; a name without an ending is that of a
        folder of PNGs, 000000.png and so on, without sound.

        It says that it is AI-generated: in its metadata, in its pictures (`provenance.watermark`), in a signed manifest
        where the library for it is installed and the kind of film has a place for one (`signer`, or else a certificate
        made for this user on first use), and if it shall be `labelled`, in letters.

        Raises GaussianTalkerError, before anything is rendered, when the name has another ending, its folder is not
        there, or a film of that name was not written by this method, unless `force` lets it be replaced.
        """
        path = Path(path)
        check_film(path, self.clear, [self.sound.file] if self.sound.file else [], force)
        signed = self._signed(path, progress)
        progress.stage("speaking", len(self))

        def images() -> Iterator[np.ndarray]:
            for frame in self:
                assert frame.image is not None, "only live ones leave pictures out"
                yield label(frame.image) if labelled else frame.image
                progress.update(frame.index + 1)

        with atomic_path(path) as film:
            if not path.suffix:
                film.mkdir()
                for number, image in enumerate(images()):
                    write_image(film / f"{number:06}{_STILLS}", image, SYNTHETIC)
                return path
            write_video(film, images(), self.sound, comment=SYNTHETIC, fps=self.fps)
            if signed and self.provenance is not None:
                with atomic_path(film) as whole:
                    sign(film, whole, path.name, self.provenance, signer or credentials())
        return path

    @property
    def clear(self) -> bool:
        """Whether pictures are transparent where the avatar is not."""
        background = getattr(self.avatar, "background", None)
        return background is not None and background.transparent

    def _signed(self, path: Path, progress: Progress) -> bool:
        """Whether a film is to be signed; says why not."""
        if self.provenance is None:
            return False
        if path.suffix.lower() not in _SIGNED:
            kind = f"A {path.suffix[1:]}" if path.suffix else "A folder of pictures"
            progress.note(f"{kind} has no place for a signed manifest; note and watermark stay.")
            return False
        if not available():
            progress.note(f"The film carries no signed manifest, since c2pa is not installed: {INSTALL}")
        return available()


def check_film(path: Path, clear: bool, inputs: Iterable[str | Path] = (), force: bool = False) -> None:
    """Raises GaussianTalkerError, before any work, where a film, transparent or not, must not or cannot be written."""
    if clear and not path.suffix:
        check_folder_target(path, _STILLS)
    elif clear and path.suffix.lower() in _FILMS and path.suffix.lower() not in _CLEAR_FILMS:
        raise GaussianTalkerError(
            f"{path.name} cannot be transparent: name a {' or a '.join(_CLEAR_FILMS)}, or, without an ending, "
            "a folder of PNGs."
        )
    else:
        check_target(path, _CLEAR_FILMS if clear else _FILMS, inputs=inputs, force=force)
