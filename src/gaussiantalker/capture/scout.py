"""Decides what of the films becomes the capture: all that shows one person before one scene.

Cuts divide films into stretches. Of these, all are kept that show the person who is largest and longest in view (told
by a recognition network where there is more than one stretch) before the scene that this person is seen in longest.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from gaussiantalker.capture.arrays import ArrayReader
from gaussiantalker.capture.camera import Still
from gaussiantalker.capture.framing import FaceBox, Person, people, refuse_small
from gaussiantalker.capture.reel import Look, Reel
from gaussiantalker.capture.scene import CameraTrack, follow, same_scene
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.perception.identity import Identity
from gaussiantalker.progress import Progress
from gaussiantalker.timing import FPS

_SHORTEST = FPS  # frames of a stretch that is worth keeping beside others
_SAME_PERSON = 0.363  # cosine of two embeddings, from SFace's authors
_STILLS_TRIED = 5  # looks of a shot, one of which becomes its first still
_EMBEDDED = 4  # looks of a stretch that are embedded
_PersonMask = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Where the person is, bool [h, w], in a picture [h, w, 3] with a face at landmarks [478, 2]."""


@dataclass(frozen=True)
class Shot:
    """A stretch of film without a cut, in which somebody is seen."""

    film: int
    start: int
    stop: int
    looks: list[Look]
    crowd: list[Person]

    @property
    def frames(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True)
class Choice:
    """The shots that are kept, each with the person in it, the camera over it, and the way from its scene to the first
    one's; how many others are in the picture for long; and in words what was left out."""

    shots: list[Shot]
    persons: list[Person]
    tracks: list[CameraTrack]
    joins: list[np.ndarray]  # [3, 3] each
    others: int
    left_out: list[tuple[Shot, str]]


def choose(reels: Sequence[Reel], mask: _PersonMask, progress: Progress) -> Choice:
    """Raises GaussianTalkerError when nobody is seen, or nobody large enough to learn from."""
    shots, left_out = _shots(reels)
    if not shots:
        looked, names = sum(len(reel.looks) for reel in reels), ", ".join(str(reel.path) for reel in reels)
        raise GaussianTalkerError(
            f"No face was found in {names} ({looked} pictures looked at); "
            "use a video in which one face is upright, well lit and at least a tenth of the picture high."
        )
    chosen, others = _one_person(reels, shots, progress)
    left_out += [(shot, "another person") for shot in shots if id(shot) not in {id(s) for s, _ in chosen}]
    refuse_small([box for _, person in chosen for box in person.boxes], reels[0].path)
    tracks = [_track(reels[shot.film], shot, person, mask) for shot, person in chosen]
    longest = max(range(len(chosen)), key=lambda k: chosen[k][0].frames)
    joins = [np.eye(3) if k == longest else same_scene(tracks[longest], t) for k, t in enumerate(tracks)]
    kept = {k: join for k, join in enumerate(joins) if join is not None}
    left_out += [(shot, "another scene") for k, (shot, _) in enumerate(chosen) if k not in kept]
    order = sorted(kept, key=lambda k: (chosen[k][0].film, chosen[k][0].start))
    return Choice(
        [chosen[k][0] for k in order],
        [chosen[k][1] for k in order],
        [tracks[k] for k in order],
        [kept[k] for k in order],
        others,
        sorted(left_out, key=lambda pair: (pair[0].film, pair[0].start)),
    )


def _shots(reels: Sequence[Reel]) -> tuple[list[Shot], list[tuple[Shot, str]]]:
    shots, left_out = [], []
    whole = len(reels) == 1 and not reels[0].cuts
    for film, reel in enumerate(reels):
        for start, stop in reel.stretches():
            looks = [look for look in reel.looks if start <= look.frame < stop]
            shot = Shot(film, start, stop, looks, people(looks))
            if not shot.crowd:
                left_out.append((shot, "nobody"))
            elif stop - start < _SHORTEST and not whole:
                left_out.append((shot, "too short"))
            else:
                shots.append(shot)
    return shots, left_out


def _one_person(reels: Sequence[Reel], shots: list[Shot], progress: Progress) -> tuple[list[tuple[Shot, Person]], int]:
    """The person who is largest and longest in view, in each shot that shows them, and how many others do not go."""
    if len(shots) == 1:
        first, *rest = shots[0].crowd
        return [(shots[0], first)], sum(person.stays(len(shots[0].looks)) for person in rest)
    identity = Identity(progress)
    groups: list[tuple[np.ndarray, list[tuple[Shot, Person]]]] = []
    for shot in sorted(shots, key=lambda shot: -shot.frames):
        for person in shot.crowd:
            mean = _embedding(identity, reels[shot.film], shot, person)
            known = max(groups, key=lambda group: float(group[0] @ mean), default=None)
            if known is None or float(known[0] @ mean) < _SAME_PERSON:
                groups.append((mean, [(shot, person)]))
            elif shot not in [other for other, _ in known[1]]:
                known[1].append((shot, person))
    best = max(groups, key=lambda group: sum(p.weight / len(s.looks) * s.frames for s, p in group[1]))[1]
    others = max(sum(p.stays(len(s.looks)) for p in s.crowd) - 1 for s, _ in best)
    return best, max(others, 0)


def _embedding(identity: Identity, reel: Reel, shot: Shot, person: Person) -> np.ndarray:
    """The mean of a person over a few looks, of length 1."""
    looks = {look.frame: look for look in shot.looks}
    some = person.boxes[:: max(len(person.boxes) // _EMBEDDED, 1)]
    found = []
    for box in some:
        picture = looks[box.frame].picture(reel.turns)
        found.append(identity.embedding(picture, box.points * (picture.shape[1] / reel.width)))
    mean = np.mean(found, axis=0)
    return mean / np.linalg.norm(mean)


def _track(reel: Reel, shot: Shot, person: Person, mask: _PersonMask) -> CameraTrack:
    """The camera over a shot; the person's mask at a frame is that of the nearest look."""
    reader = ArrayReader(reel.greys)
    looks = {look.frame: look for look in shot.looks}
    frames = np.array([box.frame for box in person.boxes])

    @cache
    def masked(nearest: int) -> np.ndarray:
        box: FaceBox = person.boxes[nearest]
        picture = looks[box.frame].picture(reel.turns)
        found = mask(picture, box.points * (picture.shape[1] / reel.width))
        height, width = reel.grey(reader, 0).shape
        return cv2.resize(found.astype(np.uint8), (width, height), interpolation=cv2.INTER_AREA) > 0

    def person_near(k: int) -> tuple[int, np.ndarray]:
        nearest = int(np.abs(frames - k).argmin())
        return int(frames[nearest]), masked(nearest)

    # The scene is seen best where most of it is sharp and the person covers least.
    some = frames[:: max(len(frames) // _STILLS_TRIED, 1)]
    first = max(map(int, some), key=lambda k: Still(reel.grey(reader, k), person_near(k)[1]).pixels)
    return follow(lambda k: reel.grey(reader, k), person_near, shot.start, shot.stop, first)
