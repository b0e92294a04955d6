"""A segment: one utterance on its way through an avatar."""

import threading
from collections import deque
from time import monotonic

import numpy as np

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.speech.samples import Resampler
from gaussiantalker.talker import Listener
from gaussiantalker.timing import SAMPLES_PER_FRAME, frame_count

_HEARD_AT_ONCE = 4 * SAMPLES_PER_FRAME  # so that long sound that came at once does not hold up the next picture


class _SampleQueue:
    """Samples, first in, first out; any thread may use either end."""

    def __init__(self) -> None:
        self._pieces: deque[np.ndarray] = deque()
        self._lock = threading.Lock()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def put(self, samples: np.ndarray) -> None:
        with self._lock:
            self._pieces.append(samples)
            self._count += len(samples)

    def take(self, count: int) -> np.ndarray:
        """The first `count` samples, or all where there are fewer."""
        with self._lock:
            taken = []
            self._count -= (missing := min(count, self._count))
            while missing:
                piece = self._pieces.popleft()
                if len(piece) > missing:
                    self._pieces.appendleft(piece[missing:])
                taken.append(piece[:missing])
                missing -= len(taken[-1])
        return np.concatenate(taken) if taken else np.zeros(0, np.float32)


class Segment:
    """Sound on its way to be played, and what is heard in its frames.

    How much may be played follows from how much has come and the declared look-ahead, never from how fast anything is
    computed: it is the sound that decides, pictures follow. Sound is pushed and taken by one thread; another, the one
    that renders, asks what is heard.
    """

    def __init__(self, listener: Listener, number: int) -> None:
        self.number = number
        self.began = monotonic()  # when its first sound came
        self.ended = self.cleared = False  # no more will come; nothing of it may be played any more
        self.taken = self.played = 0  # frames
        self._lookahead = listener.lookahead
        self._received = 0  # samples at 16 kHz
        self._resampler = Resampler()
        self._sound, self._unheard = _SampleQueue(), _SampleQueue()
        self._stream = listener.stream()
        self._heard: deque[np.ndarray] = deque()
        self._first_heard, self._all_heard = 0, False

    @property
    def waiting(self) -> int:
        """Samples that have not been taken."""
        return len(self._sound)

    @property
    def ready(self) -> bool:
        """Whether a further frame may be taken: its look-ahead has come, or no more will."""
        if self.ended:
            return self.taken < frame_count(self._received)
        return self._received >= SAMPLES_PER_FRAME * self.taken + self._lookahead

    @property
    def over(self) -> bool:
        """Whether all its frames have been taken."""
        return self.ended and not self.ready

    @property
    def done(self) -> bool:
        """Whether all its frames have been played."""
        return self.over and self.played == self.taken

    def push(self, pcm: np.ndarray, sample_rate: int) -> None:
        """Adds mono sound [S], float in [-1, 1] or int16. Raises GaussianTalkerError when it is not such sound."""
        if self.ended:
            raise GaussianTalkerError("This segment has ended; begin another.")
        self._add(self._resampler.push(pcm, sample_rate))

    def end(self) -> None:
        """No more sound will come."""
        if not self.ended:
            self._add(self._resampler.finish())
            self.ended = True

    def take(self) -> np.ndarray:
        """The samples [640] of the next frame; silence fills up the last."""
        samples = self._sound.take(SAMPLES_PER_FRAME)
        self.taken += 1
        return np.pad(samples, (0, SAMPLES_PER_FRAME - len(samples)))

    def heard(self, frame: int) -> np.ndarray:
        """What is heard [...] in a frame that was taken. Frames must be asked for in order; some may be left out."""
        while self._first_heard + len(self._heard) <= frame:
            self._heard.extend(self._hear())
        while self._first_heard < frame:
            self._heard.popleft()
            self._first_heard += 1
        return self._heard[0]

    def _add(self, samples: np.ndarray) -> None:
        self._sound.put(samples)
        self._unheard.put(samples)
        self._received += len(samples)

    def _hear(self) -> np.ndarray:
        """What is heard in the frames that the next piece of sound completes."""
        ended = self.ended  # read first: sound may come in between, but none comes after the end
        piece = self._unheard.take(_HEARD_AT_ONCE)
        if len(piece):
            return self._stream.push(piece)
        if not ended or self._all_heard:
            raise RuntimeError("A frame was asked for whose sound has not come.")
        self._all_heard = True
        return self._stream.finish()
