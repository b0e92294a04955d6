"""A finished capture: a folder with everything training needs, indexed by frame number."""

import hashlib
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from gaussiantalker.capture.arrays import ArrayReader, file_size
from gaussiantalker.capture.soundness import REMEDY, check_arrays, checked_camera
from gaussiantalker.capture.stages import is_done
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.geometry import Camera
from gaussiantalker.media import audio, image
from gaussiantalker.media.files import read_array, read_arrays, read_json
from gaussiantalker.speech.deepspeech import read_windows
from gaussiantalker.timing import SAMPLES_PER_FRAME, held_out_from

RECORD = "capture.json"
NO_CONSENT = "not recorded"
FORMAT = 2
STAGES = ("ingest", "tracking", "head", "labels", "plates", "points", "sync")
_TRACKING = ("tracking.npz", "head.npz", "points.npz")  # the files that hold the fields of a `Tracking`
_MOST_LABEL, _LOOKS = 3, 16  # and frames in which labels are looked at
_PICTURES = {"frames.npy": (3,), "labels.npy": (), "plates.npy": (3,)}


@dataclass(frozen=True)
class Tracking:
    """What is known of the face in every frame. Pixels are those of the capture's pictures, centres at .5."""

    landmarks: np.ndarray  # [N, 478, 2] float32
    found: np.ndarray  # [N] bool; where False, everything here is bridged from the frames around
    blendshapes: np.ndarray  # [N, 52] float32 in [0, 1], named by `blendshapes.NAMES`
    blink: np.ndarray  # [N] float32 in [0, 1], both eyes together
    blink_right: np.ndarray  # [N] float32 in [0, 1], the person's right eye
    blink_left: np.ndarray  # [N] float32 in [0, 1]
    lip_opening: np.ndarray  # [N] float32, inner-lip gap over inter-ocular distance
    rotations: np.ndarray  # [N, 3, 3] world (head) to camera
    translations: np.ndarray  # [N, 3] head units
    vertices: np.ndarray  # [468, 3] float32, mean face, head units
    triangles: np.ndarray  # [898, 3] int32
    points: np.ndarray  # [P, 3] float32, dense over the whole visible head
    colors: np.ndarray  # [P, 3] float32 in [0, 1], usual colour of each point
    regions: np.ndarray  # [P] int8, what each point belongs to: numbers of `morphable.REGIONS`
    expression: np.ndarray  # [N, E] float32 in [0, 1], weights of the morphable head's units
    gaze: np.ndarray  # [N, 2] float32, yaw and pitch against the head in degrees, signs as of the head's
    hidden: np.ndarray  # [N] bool; where True something hides the mouth, and what is known of the lips is guessed


@dataclass(frozen=True)
class Capture:
    """A capture folder, loaded. Large arrays stay on disk as read-only memory maps."""

    path: Path
    record: dict[str, Any]
    camera: Camera
    tracking: Tracking

    @classmethod
    def load(cls, path: str | Path) -> "Capture":
        """Raises GaussianTalkerError when the folder is missing, is no capture, is not finished, or holds arrays that
        are damaged, not finite, or of another shape than they should be."""
        path = Path(path)
        record = _checked_record(path)
        camera = checked_camera(path / RECORD, record["stages"]["tracking"]["facts"])
        arrays: dict[str, np.ndarray] = {}
        for name in _TRACKING:
            arrays |= read_arrays(path / name)
        size, count = camera.height, _frames(path, record)
        check_arrays(path, arrays, count)
        for name, rest in _PICTURES.items():
            _check_pictures(path / name, read_array(path / name, mapped=True), (count, size, size, *rest))
        if ArrayReader(path / "labels.npy").sampled(_LOOKS).max() > _MOST_LABEL:
            raise GaussianTalkerError(f"{path / 'labels.npy'} must lie between 0 and {_MOST_LABEL}; {REMEDY}.")
        return cls(path, record, camera, Tracking(**{field.name: arrays[field.name] for field in fields(Tracking)}))

    @property
    def fingerprint(self) -> str:
        """Changes when anything in the capture does."""
        contents = (self.record["stages"][stage]["content"] for stage in STAGES)
        return hashlib.sha256("".join(contents).encode()).hexdigest()[:16]

    @property
    def consent(self) -> str:
        """Who agreed to be captured, and how, as it was recorded."""
        return self.record.get("consent", NO_CONSENT)

    @property
    def size(self) -> int:
        return self.camera.width

    @property
    def frames(self) -> int:
        return len(self.tracking.found)

    @property
    def train_frames(self) -> int:
        """Frames before this one are for training, the rest for testing."""
        return held_out_from(self.frames)

    @property
    def cut(self) -> list[tuple[int, int]]:
        """First and one past the last frame of the stretches without a face that were too long to be bridged."""
        return [(first, stop) for first, stop in self.record["stages"]["ingest"]["facts"].get("cut", [])]

    def longest_part(self, stop: int | None = None) -> slice:
        """The longest stretch of frames before `stop` in which nothing is cut."""
        stop = self.frames if stop is None else stop
        edges = [0, *(min(edge, stop) for pair in self.cut for edge in pair), stop]
        return max((slice(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True)), key=lambda s: s.stop - s.start)

    @property
    def has_audio(self) -> bool:
        return (self.path / "audio.wav").exists()

    @cached_property
    def images(self) -> np.ndarray:  # [N, H, W, 3] uint8
        return read_array(self.path / "frames.npy", mapped=True)

    @cached_property
    def labels(self) -> np.ndarray:  # [N, H, W] uint8: 0 background, 1 head, 2 neck, 3 torso
        return read_array(self.path / "labels.npy", mapped=True)

    @cached_property
    def plates(self) -> np.ndarray:  # [N, H, W, 3] uint8: the frame without its head
        return read_array(self.path / "plates.npy", mapped=True)

    @cached_property
    def background(self) -> np.ndarray:  # [H, W, 3] uint8
        picture = image.read_image(self.path / "background.png")
        _check_pictures(self.path / "background.png", picture, (self.size, self.size, 3))
        return picture

    @property
    def deepspeech(self) -> np.ndarray | None:  # [N, 16, 29] float32
        """The DeepSpeech windows that an AD-NeRF dataset brought along; None where there were none."""
        path = self.path / "deepspeech.npy"
        return read_windows(path) if path.exists() else None

    @cached_property
    def audio(self) -> np.ndarray:  # [640 N] float32, 16 kHz
        """Raises GaussianTalkerError when the video had no sound."""
        if not self.has_audio:
            raise GaussianTalkerError(f"{self.path} was captured from a video without sound; capture one with sound.")
        sound = audio.read_audio(self.path / "audio.wav")
        if len(sound) != self.frames * SAMPLES_PER_FRAME:
            raise GaussianTalkerError(f"{self.path / 'audio.wav'} is not as long as the pictures; {REMEDY}.")
        return sound


def _checked_record(path: Path) -> dict[str, Any]:
    if not path.exists():
        raise GaussianTalkerError(f"{path} does not exist; give the folder that `gaussiantalker capture` wrote.")
    if not path.is_dir():
        raise GaussianTalkerError(f"{path} is a file; give the folder that `gaussiantalker capture` wrote.")
    if (path / "avatar.json").exists() and not (path / RECORD).exists():
        raise GaussianTalkerError(f"{path} is an avatar; give the capture folder it was trained from.")
    if not (path / RECORD).exists():
        raise GaussianTalkerError(f"{path} is not a capture (it has no {RECORD}); run `gaussiantalker capture` first.")
    record = read_json(path / RECORD)
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        version = record.get("format") if isinstance(record, dict) else None
        raise GaussianTalkerError(
            f"{path} is a capture of format {version}, not {FORMAT}; run `gaussiantalker capture` anew."
        )
    stages = record.get("stages")
    for stage in STAGES:
        done = stages.get(stage) if isinstance(stages, dict) else None
        if done is None or not is_done(done):
            raise GaussianTalkerError(
                f"{path} is not finished ({stage} is missing); run the same capture command again."
            )
        for name, size in done["files"].items():
            if file_size(path / name) != size:
                raise GaussianTalkerError(f"{path / name} is missing or damaged; run the same capture command again.")
    return record


def _frames(path: Path, record: dict[str, Any]) -> int:
    """How many frames a record tells, with cuts that lie within them."""
    facts = record["stages"]["ingest"]["facts"]
    count, cuts = facts.get("frames"), facts.get("cut", [])
    pairs = [tuple(cut) for cut in cuts if isinstance(cut, list)] if isinstance(cuts, list) else []
    edges = [edge for pair in pairs for edge in pair]
    sound = len(pairs) == len(cuts) and all(len(pair) == 2 for pair in pairs) and edges == sorted(edges)
    counted = isinstance(count, int) and count > 0
    if not counted or not sound or not all(isinstance(k, int) and 0 <= k <= count for k in edges):
        raise GaussianTalkerError(f"{path / RECORD} does not say how many frames and which cuts there are; {REMEDY}.")
    return count


def _check_pictures(path: Path, array: np.ndarray, shape: tuple[int, ...]) -> None:
    """Raises GaussianTalkerError when an array of pictures has another shape, or is not of bytes."""
    if array.shape != shape or array.dtype != np.uint8:
        raise GaussianTalkerError(f"{path} holds {array.dtype} {array.shape}, not uint8 {shape}; {REMEDY}.")
