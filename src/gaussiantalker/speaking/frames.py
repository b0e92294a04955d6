"""Frames: a picture with its sound; and the plain stream of them, in which every picture is waited for."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np

from gaussiantalker.speaking.motion import Steering
from gaussiantalker.speech.samples import checked
from gaussiantalker.talker import Listener
from gaussiantalker.timing import FPS, SAMPLES_PER_FRAME


class Speaker(Protocol):
    """What streams ask of an avatar."""

    @property
    def listener(self) -> Listener: ...

    def perform(self, heard: np.ndarray, first: int, steering: Steering | None = None) -> Iterator[np.ndarray]:
        """Pictures uint8 [H, W, 3] for what is heard [k, ...] of the frames from `first` on."""
        ...


class AvFrame(NamedTuple):
    """One picture and the 40 ms of sound that go with it."""

    index: int
    image: np.ndarray | None  # uint8 [H, W, 3]; live, None where no picture was ready: the last one stays on screen
    samples: np.ndarray  # float32 [640], 16 kHz mono
    segment: int | None = None  # live: which utterance is heard, counted from 0; None where none is
    last: bool = False  # live: the utterance ends with this frame; one that stops before only waits for its sound

    @property
    def seconds(self) -> float:
        """When the frame is due, from the start of the performance."""
        return self.index / FPS


class FrameStream:
    """One performance: `push` 16 kHz mono samples of any length and get the frames they complete; then `finish`.

    The frames are the same however the sound is divided. `AvatarStream` is the live one, with a clock.
    """

    def __init__(self, avatar: Speaker):
        self._avatar = avatar
        self._hearing = avatar.listener.stream()
        self._samples = np.zeros(0, np.float32)
        self._next = 0

    def push(self, samples: np.ndarray) -> list[AvFrame]:
        """The frames whose look-ahead these samples [S], floats in [-1, 1] or int16, complete."""
        samples = checked(samples)
        self._samples = np.concatenate([self._samples, samples])
        return self._emit(self._hearing.push(samples))

    def finish(self) -> list[AvFrame]:
        """The remaining frames; the last one's sound is filled up with silence."""
        self._samples = np.pad(self._samples, (0, -len(self._samples) % SAMPLES_PER_FRAME))
        return self._emit(self._hearing.finish())

    def _emit(self, heard: np.ndarray) -> list[AvFrame]:
        first, self._next = self._next, self._next + len(heard)
        spoken = len(heard) * SAMPLES_PER_FRAME
        sound, self._samples = self._samples[:spoken].reshape(-1, SAMPLES_PER_FRAME), self._samples[spoken:]
        images = self._avatar.perform(heard, first)
        return [
            AvFrame(first + k, image, samples) for k, (image, samples) in enumerate(zip(images, sound, strict=True))
        ]
