"""What is written says that it is synthetic."""

import av
import numpy as np

from gaussiantalker.speaking.frames import AvFrame
from gaussiantalker.speaking.performance import SYNTHETIC, Performance


class Still(Performance):
    def __iter__(self):
        for k in range(len(self)):
            yield AvFrame(k, np.full((32, 32, 3), 100, np.uint8), np.zeros(640, np.float32))


def test_the_file_says_it_is_synthetic_and_is_as_long_as_its_sound(tmp_path) -> None:
    audio = np.sin(np.arange(16_000) / 20).astype(np.float32)
    path = Still(None, audio).save(tmp_path / "a.mp4")
    with av.open(str(path)) as container:
        assert container.metadata["comment"] == SYNTHETIC
        assert sum(1 for _ in container.decode(video=0)) == 25
    with av.open(str(path)) as container:
        assert sum(frame.samples for frame in container.decode(audio=0)) >= 16_000
