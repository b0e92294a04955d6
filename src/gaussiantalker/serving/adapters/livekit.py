"""LiveKit Agents: an avatar as the `VideoGenerator` of an `AvatarRunner`."""

# pyright: reportAttributeAccessIssue=false
# Where LiveKit is not installed, its name finds this very file.

from collections.abc import AsyncIterator

import numpy as np

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.serving.adapters.pcm import from_pcm16, to_pcm16
from gaussiantalker.speaking import Avatar, AvatarStream, Steering
from gaussiantalker.speaking.studio import Studio
from gaussiantalker.timing import FPS, SAMPLE_RATE

try:
    from livekit import rtc
    from livekit.agents.voice.avatar import AudioSegmentEnd, AvatarOptions, VideoGenerator
except ImportError as error:
    raise GaussianTalkerError("LiveKit needs its own packages: pip install 'gaussiantalker[livekit]'.") from error


class AvatarVideoGenerator(VideoGenerator):
    """The avatar, to be given to `livekit.agents.voice.avatar.AvatarRunner` together with `options`.

    Pictures come without end, 25 a second; sound only while something is said, since LiveKit takes the sound's length
    for how much of the speech was played.
    """

    def __init__(self, avatar: Avatar, steering: Steering | None = None, studio: Studio | None = None) -> None:
        self._stream = AvatarStream(avatar, steering, studio=studio)
        self.options = AvatarOptions(
            video_width=avatar.camera.width,
            video_height=avatar.camera.height,
            video_fps=FPS,
            audio_sample_rate=SAMPLE_RATE,
            audio_channels=1,
        )

    async def push_audio(self, frame: rtc.AudioFrame | AudioSegmentEnd) -> None:
        """Sound to say, or the end of an utterance."""
        if isinstance(frame, AudioSegmentEnd):
            self._stream.end_segment()
        else:
            self._stream.push_audio(from_pcm16(frame.data, frame.num_channels), frame.sample_rate)

    def clear_buffer(self) -> None:
        """Falls silent at once. No `AudioSegmentEnd` follows for what was broken off: the runner knows already."""
        self._stream.clear()

    async def __aiter__(self) -> AsyncIterator[rtc.VideoFrame | rtc.AudioFrame | AudioSegmentEnd]:
        """Each picture before its own sound, and `AudioSegmentEnd` when an utterance has been given out whole."""
        async for frame in self._stream:
            if frame.image is not None:
                yield _video(frame.image)
            if frame.segment is not None:
                pcm = to_pcm16(frame.samples)
                yield rtc.AudioFrame(pcm, SAMPLE_RATE, 1, len(frame.samples))
            if frame.last:
                yield AudioSegmentEnd()

    async def aclose(self) -> None:
        """Ends the rendering."""
        self._stream.close()


def _video(image: np.ndarray) -> rtc.VideoFrame:
    height, width, _ = image.shape
    return rtc.VideoFrame(width, height, rtc.VideoBufferType.RGB24, image.tobytes())
