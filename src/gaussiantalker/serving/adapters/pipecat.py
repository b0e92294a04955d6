"""Pipecat: an avatar as a video service, between text-to-speech and the transport's output."""

import asyncio
from collections import deque

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.serving.adapters.pcm import from_pcm16, to_pcm16
from gaussiantalker.speaking import Avatar, AvatarStream, AvFrame, Steering
from gaussiantalker.timing import SAMPLE_RATE

try:
    from pipecat.frames.frames import (
        CancelFrame,
        EndFrame,
        Frame,
        InterruptionFrame,
        OutputImageRawFrame,
        StartFrame,
        TTSAudioRawFrame,
        TTSStoppedFrame,
    )
    from pipecat.processors.frame_processor import FrameDirection
    from pipecat.services.ai_service import AIService
    from pipecat.services.settings import ServiceSettings
except ImportError as error:
    raise GaussianTalkerError("Pipecat needs its own packages: pip install 'gaussiantalker[pipecat]'.") from error


class AvatarVideoService(AIService):
    """Takes `TTSAudioRawFrame`s; gives each picture with its 40 ms of the same sound, in step.

    A `TTSStoppedFrame` ends an utterance and goes on downstream when the utterance has been said, an
    `InterruptionFrame` breaks it off, an `EndFrame` lets it be said to its end. The transport needs
    `video_out_enabled`; pictures are `sync_with_audio`, so it shows them at their sound's time.
    """

    def __init__(self, avatar: Avatar, steering: Steering | None = None, **kwargs: object) -> None:
        super().__init__(settings=ServiceSettings(model=None), **kwargs)
        self._stream = AvatarStream(avatar, steering)
        self._playing: asyncio.Task | None = None
        self._pushed = False  # sound has come since the last utterance ended
        self._stopped: deque[TTSStoppedFrame | None] = deque()  # for each segment still to be said: what ended it
        self._said = asyncio.Event()
        self._said.set()

    async def start(self, frame: StartFrame) -> None:
        """Begins to give out pictures."""
        await super().start(frame)
        self._playing = self.create_task(self._play())

    async def stop(self, frame: EndFrame) -> None:
        """Waits until what was pushed has been said, and ends."""
        await super().stop(frame)
        self._end_segment(None)
        if self._playing and not self._playing.done():
            await self._said.wait()
        await self._leave()

    async def cancel(self, frame: CancelFrame) -> None:
        """Ends at once."""
        await super().cancel(frame)
        await self._leave()

    async def cleanup(self) -> None:
        """Ends whatever has not ended yet."""
        await super().cleanup()
        await self._leave()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Keeps sound, to give it out with pictures; passes on everything else."""
        await super().process_frame(frame, direction)
        if isinstance(frame, TTSAudioRawFrame):
            self._pushed = True
            self._said.clear()
            self._stream.push_audio(from_pcm16(frame.audio, frame.num_channels), frame.sample_rate)
        elif isinstance(frame, TTSStoppedFrame) and self._pushed:
            self._end_segment(frame)
        else:
            if isinstance(frame, InterruptionFrame):
                self._interrupt()
            await self.push_frame(frame, direction)

    def _end_segment(self, frame: TTSStoppedFrame | None) -> None:
        if self._pushed:
            self._pushed = False
            self._stopped.append(frame)
            self._stream.end_segment()

    def _interrupt(self) -> None:
        self._stream.clear()
        self._stopped.clear()
        self._pushed = False
        self._said.set()

    async def _play(self) -> None:
        try:
            async for frame in self._stream:
                await self._give(frame)
                if frame.last:
                    await self._close_segment()
        except Exception as error:  # Whatever rendering raised: the pipeline must hear of it, and be able to end.
            await self.push_error(error_msg=f"The avatar failed: {error}", exception=error)
        finally:
            self._said.set()

    async def _give(self, frame: AvFrame) -> None:
        if frame.image is not None:
            height, width, _ = frame.image.shape
            picture = OutputImageRawFrame(frame.image.tobytes(), (width, height), "RGB")
            picture.sync_with_audio = True
            await self.push_frame(picture)
        if frame.segment is not None:
            await self.push_frame(TTSAudioRawFrame(to_pcm16(frame.samples), SAMPLE_RATE, 1))

    async def _close_segment(self) -> None:
        """The last frame of a segment has been given out."""
        ended_by = self._stopped.popleft() if self._stopped else None
        if ended_by is None and not self._stream.buffered:
            self._pushed = False  # The stream ended it by itself, since no more sound came.
        if not self._stopped and not self._pushed:
            self._said.set()
        if ended_by is not None:
            await self.push_frame(ended_by)

    async def _leave(self) -> None:
        self._stream.close()
        if self._playing:
            playing, self._playing = self._playing, None
            await self.cancel_task(playing)
