"""The avatar: a folder that holds a person's talking head, and the object that brings it to speech."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save as serialize
from torch import Tensor

from gaussiantalker import __version__, hardware, speech
from gaussiantalker.capture import Capture
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.geometry import Camera
from gaussiantalker.media.audio import read_audio
from gaussiantalker.media.files import atomic_path, make_folder, read_json, write_json
from gaussiantalker.media.image import read_image, write_image
from gaussiantalker.media.video import read_frames, write_video
from gaussiantalker.progress import SILENT, Progress
from gaussiantalker.speaking.direction import Blink, Pose, directed
from gaussiantalker.speaking.frames import AvFrame, FrameStream
from gaussiantalker.speaking.motion import ARTICULATION_LIMIT, Motion, Steering, between, turned
from gaussiantalker.speaking.performance import Performance
from gaussiantalker.splatting.cpu import prepare
from gaussiantalker.splatting.gaussians import Gaussians
from gaussiantalker.splatting.memory import keep_memory
from gaussiantalker.talker import Drive, Footage, Listener, Talker, TorsoField, fast_products, find_method, render

FORMAT = 2
BATCH = 4  # frames rendered together: enough to share the network's overhead, few enough to stay in cache
PLATES_LIMIT = 5.0  # degrees of steering over a torso that was recorded for another pose
FIELD_LIMIT = 40.0  # and over one that follows, as far as the head was filmed
PLATES_CRF = 10  # plates lie behind every frame, so they are kept near-lossless


@dataclass(frozen=True)
class Avatar:
    """A trained talking head with everything it needs to speak."""

    info: dict[str, Any]  # avatar.json
    talker: Talker
    listener: Listener
    camera: Camera
    motion: Motion
    plates: np.ndarray | None  # uint8 [M, H, W, 3], one for each frame of the motion; none where there is a torso
    torso: TorsoField | None = None
    articulation: float = 1.0
    """How far the mouth moves with speech: 0 not at all, 1 as it was learnt, at most `ARTICULATION_LIMIT`."""

    @classmethod
    def load(cls, path: str | Path, progress: Progress = SILENT, device: str = "auto") -> "Avatar":
        """Reads an avatar's folder, to speak on "cpu", on "cuda" or on whichever is faster here.

        From here on the process keeps the memory it frees (`splatting.memory`), which makes pictures come twice as
        fast.

        Raises:
            GaussianTalkerError: it is no avatar, a file is missing, a newer version wrote it, or there is no such
                device.
        """
        path, where = Path(path), hardware.device(device)
        info = _read_info(path)
        keep_memory()
        if where.type == "cpu":
            prepare(progress)
        with safe_open(_part(path, "model.safetensors"), framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        listener = Listener.from_arrays(
            speech.load(info["speech"]["encoder"], progress),
            {name.removeprefix("listener."): t.numpy() for name, t in tensors.items() if name.startswith("listener.")},
            info["speech"]["lookahead_ms"],
        )
        talker = _talker(path, info, tensors, listener.channels).to(where)
        with np.load(_part(path, "motion.npz")) as arrays:
            motion = Motion(arrays["rotations"], arrays["translations"], arrays["blink"], bool(arrays["closed"]))
        camera = Camera(**info["camera"])
        if info["torso"] == "field":
            return cls(info, talker, listener, camera, motion, None, _torso(path, info, camera).to(where))
        plates = np.stack(list(read_frames(_part(path, "plates.mp4"))))
        return cls(info, talker, listener, camera, motion, plates)

    def save(self, path: str | Path) -> None:
        """Writes the folder; `avatar.json` comes last, so a folder without it is not an avatar yet."""
        path = make_folder(path)
        tensors = {f"talker.{name}": t.cpu().contiguous() for name, t in self.talker.state_dict().items()}
        tensors |= {f"listener.{name}": torch.from_numpy(a).contiguous() for name, a in self.listener.arrays().items()}
        with atomic_path(path / "model.safetensors") as temporary:
            temporary.write_bytes(serialize(tensors))  # safetensors' own writer would make the file private
        motion = self.motion
        with atomic_path(path / "motion.npz") as temporary:
            np.savez(
                temporary,
                rotations=motion.rotations,
                translations=motion.translations,
                blink=motion.blink,
                closed=motion.closed,
            )
        if self.torso:
            write_image(path / "background.png", (self.torso.background * 255).round().byte().cpu().numpy())
            with atomic_path(path / "torso.safetensors") as temporary:
                temporary.write_bytes(serialize({k: t.cpu().contiguous() for k, t in self.torso.state_dict().items()}))
        else:
            write_video(path / "plates.mp4", self.plates, None, crf=PLATES_CRF)
        facts = {"torso": "field" if self.torso else "plates"}
        write_json(path / "avatar.json", {"format": FORMAT, "written_by": __version__, **self.info, **facts})

    def speak(
        self,
        audio: str | Path | np.ndarray,
        *,
        pose: Pose = "recorded",
        blink: Blink = "recorded",
        articulation: float | None = None,
    ) -> Performance:
        """The avatar saying this: a sound file of any common kind, or 16 kHz mono samples [S].

        `pose`: "recorded" (as the person moved), "still", a file of poses (see `speaking.poses`), or degrees [F, 3] of
        yaw, pitch and roll at 25 a second. `blink`: "recorded", "auto" (at human rates), or a value from 0 (open) to 1.
        `articulation`: how far the mouth moves, 1 as it was learnt; a little more makes up for what is lost on speech
        that was not trained on (docs/training.md). None leaves the avatar's own.
        """
        samples = read_audio(audio) if isinstance(audio, str | Path) else np.asarray(audio, np.float32)
        return Performance(self.directed(pose, blink, articulation), samples)

    def directed(
        self, pose: Pose = "recorded", blink: Blink = "recorded", articulation: float | None = None
    ) -> "Avatar":
        """This avatar with another motion of its own, as `speak` takes it.

        Raises:
            GaussianTalkerError: a value that means nothing, or poses for an avatar without a torso field.
        """
        articulation = self.articulation if articulation is None else articulation
        if not 0 <= articulation <= ARTICULATION_LIMIT:
            raise GaussianTalkerError(
                f"An articulation of {articulation} is none: give a number from 0, a mouth at rest, over 1, as it was "
                f"learnt, to {ARTICULATION_LIMIT:g}."
            )
        motion = directed(self.motion, pose, blink)
        if self.torso or str(pose) == "recorded":
            return replace(self, motion=motion, articulation=articulation)
        if str(pose) != "still":
            raise GaussianTalkerError(
                "This avatar's neck and shoulders are recorded ones and fit no other poses: use the pose recorded or "
                "still, or train an avatar with a torso field."
            )
        return replace(self, motion=motion, articulation=articulation, plates=self.plates[[self.motion.rest]])

    def stream(self, chunks: Iterable[np.ndarray]) -> Iterator[AvFrame]:
        """Frames of 16 kHz mono sound that arrives in chunks of any size, each as soon as its look-ahead is there."""
        stream = FrameStream(self)
        for chunk in chunks:
            yield from stream.push(chunk)
        yield from stream.finish()

    def perform(self, contexts: np.ndarray, first: int, steering: Steering | None = None) -> Iterator[np.ndarray]:
        """Pictures for speech contexts [k, 8, 16, C] of the frames from `first` on, with the avatar's own motion.

        Steering is read anew for every few frames.
        """
        for start in range(0, len(contexts), BATCH):
            part = contexts[start : start + BATCH]
            frames = first + start + np.arange(len(part))
            index, blink = self.motion.indices(frames), self.motion.blink_at(frames)
            if steering and steering.still and not self.torso:
                index = np.full_like(index, self.motion.rest)  # a recorded torso fits its own pose alone
            viewmats, sway = self.motion.viewmats[index], self.motion.sway[index]
            if steering:
                viewmats, sway = self._steer(steering, viewmats, sway)
                blink = np.array([steering.lids(own) for own in blink])
            numbers = (torch.from_numpy(np.array(value)).float() for value in (part, blink, viewmats))
            further = np.nan_to_num(steering.articulation, nan=1.0) if steering else 1.0
            articulation = float(np.clip(self.articulation * further, 0, ARTICULATION_LIMIT))
            drive = Drive(*numbers, torch.from_numpy(frames), articulation).to(self.talker.device)
            sway = torch.from_numpy(sway).float()
            yield from self._render(drive, self._behind(drive, sway, self.plates, index))

    def _steer(self, steering: Steering, viewmats: np.ndarray, sway: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Poses [B, 4, 4] and their slow parts where somebody steers; with plates, a pose must stay near its own."""
        limit = FIELD_LIMIT if self.torso else PLATES_LIMIT
        degrees, still = zip(*(steering.follow(limit) for _ in viewmats), strict=True)
        if self.torso:
            share, rest = np.array(still), np.repeat(self.motion.viewmats[[self.motion.rest]], len(viewmats), axis=0)
            viewmats = between(viewmats, rest, share)
            sway = sway + share[:, None, None] * (rest - sway)
        return turned(viewmats, self.motion.seen(viewmats, np.array(degrees))), sway

    def render_capture(self, capture: Capture, frames: Sequence[int]) -> Iterator[np.ndarray]:
        """Pictures uint8 [H, W, 3] of a capture's frames under their own sound, pose and blink.

        An avatar with plates is shown over the capture's own.
        """
        footage = Footage(capture, self.listener)
        for start in range(0, len(frames), BATCH):
            index = np.asarray(frames[start : start + BATCH])
            drive = footage.drive(index).to(self.talker.device)._replace(articulation=self.articulation)
            yield from self._render(drive, self._behind(drive, footage.sway[index], capture.plates, index))

    @torch.inference_mode()
    def _behind(self, drive: Drive, sway: Tensor, plates: np.ndarray | None, index: np.ndarray) -> Tensor:
        """What is behind the head, [B, H, W, 3]: the torso for these poses, or these of the plates."""
        if self.torso:
            return self.torso(drive.viewmats, sway.to(self.talker.device))
        return torch.from_numpy(np.array(plates[index])).float().div_(255).to(self.talker.device)

    @torch.inference_mode()
    @fast_products()
    def _render(self, drive: Drive, behind: Tensor) -> np.ndarray:
        """Pictures uint8 [B, H, W, 3] before what is behind the head [B, H, W, 3]."""
        K = torch.from_numpy(self.camera.K).float().to(self.talker.device)
        image, _, _ = render(self.talker.deform(drive), drive.viewmats, K, behind, self.talker.sh_degree)
        return image.clamp_(0, 1).mul_(255).round_().byte().cpu().numpy()


def _read_info(path: Path) -> dict[str, Any]:
    if not (path / "avatar.json").is_file():
        raise GaussianTalkerError(f"{path} is not an avatar (it has no avatar.json): give a folder written by 'train'.")
    info = read_json(path / "avatar.json")
    if info.get("format") != FORMAT:
        raise _other_version(path, info)
    return info


def _talker(path: Path, info: dict[str, Any], tensors: dict[str, Tensor], speech_channels: int) -> Talker:
    state = {name.removeprefix("talker."): t for name, t in tensors.items() if name.startswith("talker.")}
    try:
        gaussians = Gaussians.from_dict({name.removeprefix("raw."): t for name, t in state.items()})
        talker = Talker(find_method(info["method"]), gaussians, speech_channels)
        talker.free = state["free"]
        talker.load_state_dict(state)
    except (KeyError, RuntimeError):
        raise _other_version(path, info) from None
    return talker.eval().requires_grad_(False)


def _torso(path: Path, info: dict[str, Any], camera: Camera) -> TorsoField:
    with safe_open(_part(path, "torso.safetensors"), framework="pt") as file:
        state = {name: file.get_tensor(name) for name in file.keys()}
    background = read_image(_part(path, "background.png"))
    if background.shape[:2] != (camera.height, camera.width):
        raise GaussianTalkerError(
            f"{path / 'background.png'} must have {camera.width} x {camera.height} pixels like the avatar: resize it."
        )
    try:
        return TorsoField.from_state(state, camera, background)
    except (KeyError, RuntimeError):
        raise _other_version(path, info) from None


def _other_version(path: Path, info: dict[str, Any]) -> GaussianTalkerError:
    return GaussianTalkerError(
        f"{path} was written by GaussianTalker {info.get('written_by', 'of another version')} in format "
        f"{info.get('format')} and cannot be read by {__version__}: use that version, or train again."
    )


def _part(path: Path, name: str) -> Path:
    if not (path / name).is_file():
        raise GaussianTalkerError(f"{path} is incomplete, {name} is missing: run the training command again.")
    return path / name
