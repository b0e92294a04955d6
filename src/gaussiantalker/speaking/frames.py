"""Frames: a picture with its sound; and the plain stream of them, in which every picture is waited for."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.speaking.motion import Steering
from gaussiantalker.speech.samples import checked
from gaussiantalker.talker import Listener
from gaussiantalker.timing import FPS, SAMPLE_RATE, SAMPLES_PER_FRAME


class Speaker(Protocol):
    """What streams ask of an avatar."""

    @property
    def listener(self) -> Listener: ...

    def perform(
        self, heard: np.ndarray, first: float, steering: Steering | None = None, step: float = 1
    ) -> Iterator[np.ndarray]:
        """Pictures uint8 [H, W, 3], or [H, W, 4] before nothing, for what is heard [k, ...] in the frames `first`,
        `first + step` and so on; of a `CoefficientAvatar`, its numbers."""
        ...


class AvFrame(NamedTuple):
    """One picture and the sound that goes with it: 40 ms, or 20 where there are 50 pictures a second."""

    index: int
    image: np.ndarray | None
    """uint8 [H, W, 3], with straight alpha [H, W, 4] where the background is transparent; live, None where no picture
    was ready: the last one stays on screen."""
    samples: np.ndarray  # float32 [640] or [320], 16 kHz mono
    segment: int | None = None  # live: which utterance is heard, counted from 0; None where none is
    last: bool = False  # live: the utterance ends with this frame; one that stops before only waits for its sound

    @property
    def seconds(self) -> float:
        """When the frame is due, from the start of the performance."""
        return self.index * len(self.samples) / SAMPLE_RATE


class FrameStream:
    """One performance: `push` 16 kHz mono samples of any length and get the frames they complete; then `finish`.

    The frames are the same however the sound is divided. `AvatarStream` is the live one, with a clock.

    With 50 pictures a second, what moves the head in every second one lies between its neighbours': what is heard, as
    the scores of a mouth code, blink and pose. So each comes a frame later.
    """

    def __init__(self, avatar: Speaker, fps: int = FPS):
        """Raises GaussianTalkerError for other `fps` than 25 and 50."""
        if fps not in (FPS, 2 * FPS):
            raise GaussianTalkerError(f"{fps} pictures a second cannot be made: give 25 or 50.")
        self._avatar, self._times = avatar, fps // FPS
        self._hearing = avatar.listener.stream()
        self._samples = np.zeros(0, np.float32)
        self._held = avatar.listener.silence[None][:0]  # heard in the frame that waits for the one after it
        self._next = 0

    def push(self, samples: np.ndarray) -> list[AvFrame]:
        """The frames whose look-ahead these samples [S], floats in [-1, 1] or int16, complete."""
        samples = checked(samples)
        self._samples = np.concatenate([self._samples, samples])
        return self._emit(self._hearing.push(samples))

    def finish(self) -> list[AvFrame]:
        """The remaining frames; the last one's sound is filled up with silence."""
        self._samples = np.pad(self._samples, (0, -len(self._samples) % SAMPLES_PER_FRAME))
        heard = self._hearing.finish()
        if self._times == 1:
            return self._emit(heard)
        whole = np.concatenate([self._held, heard])
        return self._emit(np.concatenate([heard, whole[-1:]]))

    def _emit(self, heard: np.ndarray) -> list[AvFrame]:
        heard = heard if self._times == 1 else self._doubled(heard)
        first, self._next = self._next, self._next + len(heard)
        each = SAMPLES_PER_FRAME // self._times
        spoken = len(heard) * each
        sound, self._samples = self._samples[:spoken].reshape(-1, each), self._samples[spoken:]
        if self._times == 1:
            images = self._avatar.perform(heard, first)
        else:
            images = self._avatar.perform(heard, first / self._times, step=1 / self._times)
        return [
            AvFrame(first + k, image, samples) for k, (image, samples) in enumerate(zip(images, sound, strict=True))
        ]

    def _doubled(self, heard: np.ndarray) -> np.ndarray:
        """What is heard in the frames that have one after them, and between each and that."""
        whole = np.concatenate([self._held, heard])
        self._held = whole[-1:]
        both = np.stack([whole[:-1], (whole[:-1] + whole[1:]) / 2], axis=1)
        return both.reshape(-1, *both.shape[2:])
