"""The avatar: a folder that holds a person's talking head, and the object that brings it to speech."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from gaussiantalker import __version__, hardware
from gaussiantalker.capture import Capture
from gaussiantalker.errors import Failure, GaussianTalkerError
from gaussiantalker.geometry import Camera
from gaussiantalker.media.sound import Sound
from gaussiantalker.progress import SILENT, Progress
from gaussiantalker.provenance.watermark import Watermark, payload_of
from gaussiantalker.speaking.background import Background
from gaussiantalker.speaking.baking import bake
from gaussiantalker.speaking.direction import Blink, Pose, directed
from gaussiantalker.speaking.director import Director, Take, steering_limit
from gaussiantalker.speaking.folder import Parts, check_folder, facts, read_folder, write_blendshapes, write_folder
from gaussiantalker.speaking.frames import AvFrame, FrameStream
from gaussiantalker.speaking.hub import local_folder
from gaussiantalker.speaking.matte import Matte
from gaussiantalker.speaking.motion import ARTICULATION_LIMIT, Motion, Steering
from gaussiantalker.speaking.mouths import dubbed
from gaussiantalker.speaking.performance import Performance
from gaussiantalker.speaking.rendering import BATCH, Renderer
from gaussiantalker.speaking.situations import Situations, filmed
from gaussiantalker.speech.samples import checked
from gaussiantalker.splatting.cpu import prepare
from gaussiantalker.talker import BakedTalker, Blendshapes, Drive, Footage, Listener, Talker, Torso
from gaussiantalker.timing import FPS


@dataclass(frozen=True)
class Avatar:
    """A trained talking head with everything it needs to speak."""

    info: dict[str, Any]  # avatar.json
    talker: Talker
    listener: Listener
    camera: Camera
    motion: Motion
    plates: np.ndarray | None  # uint8 [M, H, W, 3], one for each frame of the motion; none where there is a torso
    torso: Torso | None = None
    blendshapes: Blendshapes | None = None
    """What moves the Gaussians in the place of the network per Gaussian; None lets the network itself."""
    articulation: float = 1.0
    """How far the mouth moves with speech: 0 not at all, 1 as it was learnt, at most `ARTICULATION_LIMIT`."""
    background: Background | None = None
    """What is behind it; None is what was filmed there."""
    conditions: Mapping[str, np.ndarray] = field(default_factory=dict)
    """What else moves the head in every frame, by the names of its method's tokens; else each is as usual."""

    @classmethod
    def load(
        cls, path: str | Path, progress: Progress = SILENT, device: str = "auto", *, exact: bool = False
    ) -> "Avatar":
        """Reads an avatar's folder, or a hub's `owner/name` (see `speaking.hub`), to speak on "cpu", on "cuda" or on
        whichever is faster here.

        Its Gaussians move by blendshapes (docs/blendshapes.md), which are made now and kept in the folder where there
        are none; or, if it shall be `exact`, by the network that these stand for, which takes several times as long.

        Pictures come twice as fast in a process that has called `keep_memory`, as the command line does.

        Raises:
            GaussianTalkerError: it is no avatar, a file is missing, a newer version wrote it, or there is no such
                device.
        """
        where, path = hardware.device(device), local_folder(path, progress)
        check_folder(path)
        if where.type == "cpu":
            prepare(progress)
        avatar = cls(*read_folder(path, where, progress))
        if exact:
            return replace(avatar, blendshapes=None)
        if avatar.blendshapes:
            return avatar
        progress.note(f"Baking {path}, once: about a minute.")
        avatar = avatar.baked(filmed(path, avatar.info, avatar.talker, avatar.listener, avatar.motion), progress)
        with suppress(Failure):  # others' avatars may be read-only; then it is done again next time
            write_blendshapes(path, avatar.shapes)
        return avatar

    def save(self, path: str | Path) -> None:
        """Writes the folder; `avatar.json` comes last, so a folder without it is not an avatar yet."""
        write_folder(path, self._parts)

    @property
    def shapes(self) -> Blendshapes:
        """Its blendshapes. Raises GaussianTalkerError where it was loaded without them."""
        if self.blendshapes is None:
            raise GaussianTalkerError("This avatar was loaded as exact, without blendshapes: load it without `exact`.")
        return self.blendshapes

    @property
    def facts(self) -> dict[str, Any]:
        """What its avatar.json tells: `info`, and every value that the avatar is built from beside its tensors."""
        return facts(self._parts)

    @property
    def _parts(self) -> Parts:
        seen = self.camera, self.motion, self.plates, self.torso
        return Parts(self.info, self.talker, self.listener, *seen, self.blendshapes)

    def baked(self, filmed: Drive, progress: Progress = SILENT) -> "Avatar":
        """This avatar with blendshapes made of its network, from the frames that were filmed."""
        situations = Situations(filmed, self.motion, steering_limit(self.torso is not None))
        return replace(self, blendshapes=bake(self.talker, situations, self.camera, progress))

    def speak(
        self,
        audio: str | Path | np.ndarray,
        *,
        pose: Pose = "recorded",
        blink: Blink = "recorded",
        articulation: float | None = None,
        conditions: Mapping[str, ArrayLike] | None = None,
        mouth: str | Path | None = None,
        background: str | Path | Background | None = None,
        fps: int = FPS,
    ) -> Performance:
        """The avatar saying this: a sound file of any common kind, or 16 kHz mono samples [S], floats in
        [-1, 1] or int16. Raises GaussianTalkerError when it is no such sound.

        `pose`: "recorded" (as the person moved), "still", a file (see `direction.read_poses`), or degrees [F, 3] of
        yaw, pitch and roll at 25 a second. `blink`: "recorded", "auto" (at human rates), or a value from 0 (open) to 1.
        `articulation`: how far the mouth moves, 1 as it was learnt; None leaves the avatar's own. `conditions`: values
        of further tokens of the avatar's method by name, such as an emotion. `mouth`: what moves the mouth instead of
        the sound, a file of scores or a capture (see `speaking.mouths`). `background`: see `Background.of`; None leaves
        the avatar's own. `fps`: pictures a second, 25 or 50.
        """
        sound = Sound.of(audio) if isinstance(audio, str | Path) else Sound(checked(audio))
        avatar = self.directed(pose, blink, articulation, conditions, background)
        if mouth is not None:
            avatar = replace(avatar, listener=dubbed(self.listener, mouth))
        return Performance(avatar, sound, avatar.provenance, fps)

    def directed(
        self,
        pose: Pose = "recorded",
        blink: Blink = "recorded",
        articulation: float | None = None,
        conditions: Mapping[str, ArrayLike] | None = None,
        background: str | Path | Background | None = None,
    ) -> "Avatar":
        """This avatar with another motion of its own, as `speak` takes it, or before another background.

        Raises:
            GaussianTalkerError: a value that means nothing, or poses or a background for an avatar without a torso
                field.
        """
        articulation = self.articulation if articulation is None else articulation
        if not 0 <= articulation <= ARTICULATION_LIMIT:
            raise GaussianTalkerError(
                f"The articulation cannot be {articulation}: give a number from 0, a mouth at rest, over 1, as it was "
                f"learnt, to {ARTICULATION_LIMIT:g}."
            )
        motion, given = directed(self.motion, pose, blink), {**self.conditions, **self._checked(conditions or {})}
        behind = self.background if background is None else self.before(background)
        directed_by = {"motion": motion, "articulation": articulation, "conditions": given, "background": behind}
        if self.plates is None or str(pose) == "recorded":
            return replace(self, **directed_by)
        if str(pose) != "still":
            raise GaussianTalkerError(
                "This avatar's neck and shoulders are recorded ones and fit no other poses: use the pose recorded or "
                "still, or train an avatar with a torso."
            )
        return replace(self, **directed_by, plates=self.plates[[self.motion.rest]])

    def before(self, background: str | Path | Background) -> Background:
        """A background as large as this avatar's pictures.

        Raises:
            GaussianTalkerError: it is none, or the avatar cannot be cut out of its own.
        """
        if self.torso is None:
            raise GaussianTalkerError(
                "This avatar's neck and shoulders are recorded together with their background and cannot be cut out: "
                "train an avatar with a torso."
            )
        return Background.of(background).filling(self.camera.width, self.camera.height)

    def _checked(self, conditions: Mapping[str, ArrayLike]) -> dict[str, np.ndarray]:
        own = {token.name: token.shape for token in self.talker.conditions.tokens if token.shape is not None}
        given = {name: np.asarray(value, np.float32) for name, value in conditions.items()}
        for name, value in given.items():
            if name not in own or value.shape != own[name] or not np.isfinite(value).all():
                known = ", ".join(f"{name} of shape {list(shape)}" for name, shape in own.items()) or "none"
                raise GaussianTalkerError(
                    f"This avatar takes no condition {name!r} of shape {list(value.shape)}: it has {known}, in finite "
                    "numbers."
                )
        return given

    def stream(self, chunks: Iterable[np.ndarray]) -> Iterator[AvFrame]:
        """Frames of 16 kHz mono sound that arrives in chunks of any size, each as soon as its look-ahead is there."""
        stream = FrameStream(self)
        for chunk in chunks:
            yield from stream.push(chunk)
        yield from stream.finish()

    def perform(
        self, heard: np.ndarray, first: float, steering: Steering | None = None, step: float = 1
    ) -> Iterator[np.ndarray]:
        """Pictures for what is heard [k, ...] in the frames `first`, `first + step` and so on, with the avatar's own
        motion; between whole frames, with what lies between.

        Steering is read anew for every few frames.
        """
        for take in self.takes(heard, first, steering, step):
            plates = None if self.plates is None else self.plates[take.index]
            background = (steering and steering.background) or self.background
            renderer = self._covering_renderer if background else self.renderer
            pictures = renderer.pictures(take.drive, take.body, plates)
            for frame, picture in zip(take.drive.frames.tolist(), pictures, strict=True):
                if background:
                    picture = background.behind(self._matte.cut(picture), frame)
                self.watermark.mark(picture[..., :3])
                yield picture

    def takes(
        self, heard: np.ndarray, first: float, steering: Steering | None = None, step: float = 1
    ) -> Iterator[Take]:
        """What those pictures are drawn from, a few frames at a time."""
        director = Director(self.moved, self.articulation, self.torso, self.conditions)
        for start in range(0, len(heard), BATCH):
            yield director.take(heard[start : start + BATCH], first + step * start, steering, step)

    def render_capture(self, capture: Capture, frames: Sequence[int]) -> Iterator[np.ndarray]:
        """Pictures uint8 [H, W, 3] of a capture's frames under their own sound, pose and blink.

        An avatar with plates is shown over the capture's own; a torso does what is seen in them. These are for
        measuring: they carry no watermark.
        """
        footage = Footage(capture, self.listener, self.talker.conditions.seen(capture))
        for start in range(0, len(frames), BATCH):
            index = np.asarray(frames[start : start + BATCH])
            drive = footage.drive(index)._replace(articulation=self.articulation)
            yield from self.renderer.pictures(drive, footage.bodies(index, self.torso), capture.plates[index])

    @cached_property
    def moved(self) -> Motion:
        """The motion with what the body does in it."""
        return self.motion.with_body(self.torso)

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of what the talker has learnt: which avatar this is, for ever."""
        return hashlib.sha256(b"".join(t.cpu().numpy().tobytes() for t in self.talker.state_dict().values())).digest()

    @cached_property
    def watermark(self) -> Watermark:
        return Watermark(payload_of(self.digest), self.camera.height, self.camera.width)

    @property
    def provenance(self) -> dict[str, Any]:
        """What a film's manifest tells of the avatar that speaks in it."""
        title, consent = self.talker.method.title, self.info.get("consent", "not recorded")
        return {"method": title, "version": __version__, "avatar": self.digest.hex(), "consent": consent}

    @cached_property
    def renderer(self) -> Renderer:
        head = BakedTalker(self.talker, self.blendshapes) if self.blendshapes else self.talker
        return Renderer(head, self.camera, self.torso)

    @cached_property
    def _covering_renderer(self) -> Renderer:
        return replace(self.renderer, covering=True)

    @cached_property
    def _matte(self) -> Matte:
        assert self.torso is not None, "`before` asks for one"
        room = (255 * self.torso.background).round().byte().cpu().numpy()
        return Matte(room, self.torso.first_row)
