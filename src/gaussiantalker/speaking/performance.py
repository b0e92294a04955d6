"""What an avatar says: frames with their sound, to look at or to keep."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from gaussiantalker.media.video import write_video
from gaussiantalker.progress import SILENT, Progress
from gaussiantalker.speaking.frames import AvFrame, FrameStream, Speaker
from gaussiantalker.timing import SAMPLE_RATE, frame_count

SYNTHETIC = "AI-generated: a synthetic talking head made with GaussianTalker"


class Performance:
    """An avatar and the sound it is to speak. Iterating renders it, one `AvFrame` after another, in bounded memory."""

    def __init__(self, avatar: Speaker, audio: np.ndarray):
        self.avatar, self.audio = avatar, audio

    def __len__(self) -> int:
        return frame_count(len(self.audio))

    def __iter__(self) -> Iterator[AvFrame]:
        stream = FrameStream(self.avatar)
        for start in range(0, len(self.audio), SAMPLE_RATE):
            yield from stream.push(self.audio[start : start + SAMPLE_RATE])
        yield from stream.finish()

    def save(self, path: str | Path, progress: Progress = SILENT) -> Path:
        """Writes an mp4 with H.264 pictures and AAC sound; the file appears only when it is whole.
        Its metadata say that it is AI-generated.
        """
        progress.stage("speaking", len(self))

        def images() -> Iterator[np.ndarray]:
            for frame in self:
                yield frame.image
                progress.update(frame.index + 1)

        write_video(path, images(), self.audio, comment=SYNTHETIC)
        return Path(path)
