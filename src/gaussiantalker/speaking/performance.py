"""What an avatar says: frames with their sound, to look at or to keep."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from gaussiantalker.media.files import atomic_path
from gaussiantalker.media.outputs import MARK, check_target
from gaussiantalker.media.sound import Sound
from gaussiantalker.media.video import write_video
from gaussiantalker.progress import SILENT, Progress
from gaussiantalker.provenance.label import label
from gaussiantalker.provenance.manifest import INSTALL, Credentials, available, credentials, sign
from gaussiantalker.speaking.frames import AvFrame, FrameStream, Speaker
from gaussiantalker.timing import SAMPLE_RATE, frame_count

SYNTHETIC = f"AI-generated: a synthetic talking head {MARK}"


FILMS = (".mp4",)


class Performance:
    """An avatar and the sound it is to speak. Iterating renders it, one `AvFrame` after another, in bounded memory."""

    def __init__(self, avatar: Speaker, sound: Sound | np.ndarray, provenance: dict[str, Any] | None = None):
        """`sound`: a file's, or 16 kHz mono samples float32 [S]. `provenance` is what a film of it tells of its making;
        without it a film is not signed.
        """
        self.avatar, self.sound = avatar, sound if isinstance(sound, Sound) else Sound(sound)
        self.provenance = provenance

    @property
    def audio(self) -> np.ndarray:
        """What the avatar hears: 16 kHz mono samples float32 [S]."""
        return self.sound.heard

    def __len__(self) -> int:
        return frame_count(len(self.audio))

    def __iter__(self) -> Iterator[AvFrame]:
        stream = FrameStream(self.avatar)
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
        """Writes an mp4 with H.264 pictures and AAC sound; the file appears only when it is whole.
        A file's sound is written at its own rate and with its own channels.

        It says that it is AI-generated: in its metadata, in its pictures (`provenance.watermark`), in a signed manifest
        where the library for it is installed (`signer`, or else a certificate made for this user on first use), and if
        it shall be `labelled`, in letters.

        Raises GaussianTalkerError, before anything is rendered, when the name does not end in .mp4, its folder is not
        there, or a film of that name was not written by this method, unless `force` lets it be replaced.
        """
        check_target(path, FILMS, inputs=[self.sound.file] if self.sound.file else [], force=force)
        signed = self.provenance is not None and available()
        if signed:
            signer = signer or credentials()
        elif self.provenance is not None:
            progress.note(f"The film carries no signed manifest, since c2pa is not installed: {INSTALL}")
        progress.stage("speaking", len(self))

        def images() -> Iterator[np.ndarray]:
            for frame in self:
                yield label(frame.image) if labelled else frame.image
                progress.update(frame.index + 1)

        with atomic_path(path) as film:
            write_video(film, images(), self.sound, comment=SYNTHETIC)
            if signed:
                with atomic_path(film) as whole:
                    sign(film, whole, Path(path).name, self.provenance, signer)
        return Path(path)
