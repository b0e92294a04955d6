"""The part of a capture that an avatar was not trained on, what the avatar makes of it, and what else is at hand."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import numpy as np

from gaussiantalker.capture import Capture
from gaussiantalker.capture.face_track import FaceTrack, track_faces
from gaussiantalker.capture.landmarker import Landmarker
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.evaluation.action_units import OpenFace
from gaussiantalker.evaluation.phones import Transcript, phones_of_frames, recognised
from gaussiantalker.evaluation.record import NotMeasured
from gaussiantalker.evaluation.syncnet import SyncNet
from gaussiantalker.progress import Progress
from gaussiantalker.speaking import Avatar
from gaussiantalker.timing import FPS, SAMPLES_PER_FRAME

EVERY_FRAME = 1_000_000
_P = ParamSpec("_P")
_T = TypeVar("_T")
_Owner = TypeVar("_Owner", bound="Reference | Rendering")


@dataclass(frozen=True)
class Truth:
    """What the maker of a generated video knows about every frame of its capture."""

    lip_mm: np.ndarray  # [N] opening of the lips
    phone: np.ndarray | None = None  # [N] name of what is being said


@dataclass(frozen=True)
class Inputs:
    """What can be used besides an avatar and its capture; a metric that needs more than there is, is not measured."""

    truth: Truth | None = None
    audio: np.ndarray | None = None  # [S] sound that is not in the capture
    audio_phones: Transcript | None = None
    openface: OpenFace | None = None
    syncnet: SyncNet | None = None
    time: bool = True
    """Whether there is time for networks of more than 100 MB."""
    fid_frames: int = EVERY_FRAME


@dataclass
class Reference:
    """The true frames after those for training, which any number of avatars can be measured against."""

    capture: Capture
    inputs: Inputs
    detector: Callable[[], Landmarker]
    progress: Progress
    results: dict[tuple[Any, ...], Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self) < 2:
            raise GaussianTalkerError(
                f"{self.capture.path} has {self.capture.frames / FPS:.1f} s, too little to keep a part for testing: "
                "capture a video of at least one minute."
            )

    def __len__(self) -> int:
        return self.capture.frames - self.first

    @property
    def first(self) -> int:
        """Number of the first frame in the capture."""
        return self.capture.train_frames

    @property
    def frames(self) -> slice:
        return slice(self.first, self.capture.frames)

    @property
    def images(self) -> np.ndarray:  # uint8 [n, H, W, 3]
        return self.capture.images[self.frames]

    @property
    def labels(self) -> np.ndarray:  # uint8 [n, H, W]
        return self.capture.labels[self.frames]

    @cached_property
    def audio(self) -> np.ndarray:  # float32 [640 n]
        samples = self.capture.audio[self.first * SAMPLES_PER_FRAME : self.frames.stop * SAMPLES_PER_FRAME]
        return np.pad(samples, (0, len(self) * SAMPLES_PER_FRAME - len(samples)))

    @cached_property
    def track(self) -> FaceTrack:
        self.progress.stage("tracking the truth", len(self))
        return track_faces(_counted(self.images, self.progress), self.detector())

    @property
    def lip_mm(self) -> np.ndarray | None:  # [n]
        return None if self.inputs.truth is None else self.inputs.truth.lip_mm[self.frames]

    @cached_property
    def transcript(self) -> Transcript:
        truth = self.inputs.truth
        if truth is None or truth.phone is None:
            return recognised(self.audio, self.progress)
        return Transcript(phones_of_frames(truth.phone[self.frames]), "truth")


@dataclass
class Rendering:
    """What an avatar makes of the held-out frames, under their own sound, head pose and blink."""

    avatar: Avatar
    folder: Path
    reference: Reference
    images: np.ndarray  # uint8 [n, H, W, 3]
    results: dict[tuple[Any, ...], Any] = field(default_factory=dict)

    @classmethod
    def of(cls, avatar: Avatar, folder: Path, reference: Reference, scratch: Path) -> "Rendering":
        """Pictures go to a memory map in `scratch`, so that a long capture needs no more memory."""
        shape = reference.images.shape
        images = np.lib.format.open_memmap(scratch / "renders.npy", mode="w+", dtype=np.uint8, shape=shape)
        reference.progress.stage("rendering held-out frames", len(images))
        numbers = range(reference.first, reference.frames.stop)
        for k, picture in enumerate(avatar.render_capture(reference.capture, numbers)):
            images[k] = picture
            reference.progress.update(k + 1)
        return cls(avatar, folder, reference, images)

    def __len__(self) -> int:
        return len(self.images)

    @property
    def progress(self) -> Progress:
        return self.reference.progress

    @property
    def inputs(self) -> Inputs:
        return self.reference.inputs

    @cached_property
    def track(self) -> FaceTrack:
        self.progress.stage("tracking the render", len(self))
        return track_faces(_counted(self.images, self.progress), self.reference.detector())

    @property
    def found(self) -> np.ndarray:  # bool [n]
        """Where there is a face in the truth and in the render."""
        return self.reference.track.found & self.track.found


def shared(
    function: Callable[Concatenate[_Owner, _P], _T],
) -> Callable[Concatenate[_Owner, _P], _T]:
    """What several metrics look at is computed once for each reference or rendering, or found once not to be there."""

    @wraps(function)
    def kept(owner: _Owner, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        key = (function, *args, *kwargs.values())
        if key not in owner.results:
            try:
                owner.results[key] = function(owner, *args, **kwargs)
            except NotMeasured as reason:
                owner.results[key] = reason
        found = owner.results[key]
        if isinstance(found, NotMeasured):
            raise found
        return found

    return kept


@shared
def network(reference: Reference, kind: Callable[..., _T], *args: str) -> _T:
    """A pretrained network. Raises NotMeasured where its weights are not to be had."""
    try:
        return kind(*args, reference.progress)
    except GaussianTalkerError as error:
        raise NotMeasured(str(error)) from None


def _counted(pictures: np.ndarray, progress: Progress) -> Iterator[np.ndarray]:
    for k, picture in enumerate(pictures):
        yield np.ascontiguousarray(picture)
        progress.update(k + 1)
