"""What of the films becomes the capture, frame by frame: which pictures, and which square of each."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from gaussiantalker.capture.camera import to_pixels
from gaussiantalker.capture.framing import Crop, FaceBox, square
from gaussiantalker.capture.reel import Reel
from gaussiantalker.capture.scene import displacement
from gaussiantalker.capture.scout import Choice, Shot
from gaussiantalker.media.files import atomic_path, read_arrays
from gaussiantalker.timing import FPS, clock

# A camera that moves less than this share of the square's side stands still: a pixel of 512.
_STILL = 0.002
_TOLD = 0.5  # pixels of a film, below which motion is not told from noise
_MOST_LOST = 0.25  # of the pictures, above which a camera could not be followed
_COVERED = 0.98  # of the pictures that show an edge of what the square may hold
_LEAST_SIDE = 1.9  # of the square in face heights, however little of the scene all pictures share
_BACKDROP = 512  # side of the picture of the scene that is put where a picture shows nothing
_CENTRES = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])  # from the numbers of pixels to their middles


@dataclass(frozen=True)
class _Part:
    """Pictures `start` up to `stop` of a film, turned upright by quarter turns."""

    film: int
    start: int
    stop: int
    turns: int


@dataclass(frozen=True)
class Plan:
    """The parts that are joined, and the square of their pictures, or of the scene where the camera moved."""

    parts: list[_Part]
    crop: Crop
    moves: np.ndarray | None  # [N, 3, 3] from pixels of the square to those of each picture; None for a still camera
    backdrop: np.ndarray | None  # [B, B, 3] uint8, what the square shows of the scene where a picture does not
    facts: dict[str, Any]

    @property
    def turns(self) -> dict[int, int]:
        """Quarter turns of each film."""
        return {part.film: part.turns for part in self.parts}

    @property
    def films(self) -> list[list[int]]:
        """First and one past the last frame from each film."""
        lengths = [(part.film, part.stop - part.start) for part in self.parts]
        ends = [0, *np.cumsum([sum(n for f, n in lengths if f == film) for film in self.turns]).tolist()]
        return [[a, b] for a, b in pairwise(ends)]

    @property
    def frames(self) -> int:
        return sum(part.stop - part.start for part in self.parts)

    def square_of(self, picture: np.ndarray, k: int) -> np.ndarray:  # [side, side, 3] uint8
        """The square of the k-th picture."""
        if self.moves is None or self.backdrop is None:
            return self.crop.of(picture)
        side = self.crop.side
        matrix = np.linalg.inv(_CENTRES) @ self.moves[k] @ _CENTRES
        how = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        warped = cv2.warpPerspective(picture, matrix, (side, side), flags=how, borderMode=cv2.BORDER_REPLICATE)
        corners = self.moves[k] @ np.array([[0, 0, 1], [side, 0, 1], [0, side, 1], [side, side, 1]], float).T
        corners = corners[:2] / corners[2]
        if (corners >= 0).all() and (corners.max(1) <= picture.shape[1::-1]).all():
            return warped
        inside = np.full(picture.shape[:2], 255, np.uint8)
        shown = cv2.warpPerspective(inside, matrix, (side, side), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        around = cv2.resize(self.backdrop, (side, side), interpolation=cv2.INTER_LINEAR)
        share = (cv2.erode(shown, np.ones((3, 3), np.uint8)) / np.float32(255))[..., None]
        return (warped * share + around * (1 - share) + 0.5).astype(np.uint8)

    def squares(self, reels: "Sequence[Reel]", first: int) -> Iterator[np.ndarray]:
        """The squares from the one of frame `first` on."""
        k = 0
        for part in self.parts:
            skip = min(max(first - k, 0), part.stop - part.start)
            k += skip
            if skip < part.stop - part.start:
                for picture in reels[part.film].pictures(part.start + skip, part.stop):
                    yield self.square_of(picture, k)
                    k += 1

    def save(self, path: Path) -> None:
        arrays = {name: getattr(self, name) for name in ("moves", "backdrop") if getattr(self, name) is not None}
        parts = np.array([(p.film, p.start, p.stop, p.turns) for p in self.parts])
        crop = np.array([self.crop.left, self.crop.top, self.crop.side])
        with atomic_path(path) as temporary:
            np.savez(temporary, parts=parts, crop=crop, facts=np.array(json.dumps(self.facts)), **arrays)

    @classmethod
    def load(cls, path: Path) -> "Plan":
        arrays = read_arrays(path)
        parts = [_Part(*map(int, row)) for row in arrays["parts"]]
        crop, facts = Crop(*map(int, arrays["crop"])), json.loads(str(arrays["facts"]))
        return cls(parts, crop, arrays.get("moves"), arrays.get("backdrop"), facts)


def make_plan(reels: Sequence[Reel], choice: Choice) -> Plan:
    """The square, and where it is in every picture."""
    parts = [_Part(shot.film, shot.start, shot.stop, reels[shot.film].turns) for shot in choice.shots]
    first = reels[choice.shots[0].film]
    boxes = [box for person in choice.persons for box in person.boxes]
    sizes = {(reels[part.film].width, reels[part.film].height) for part in parts}
    crop = square(boxes, first.width, first.height)
    camera = _camera(reels, choice, crop)
    facts = {
        "face_pixels": round(float(np.median([box.height for box in boxes])), 1),
        "camera": camera,
        "other_people": choice.others,
        "source_size": [first.width, first.height],
        "kept": [_told(reels, shot) for shot in choice.shots],
        "left_out": [f"{_told(reels, shot)} ({why})" for shot, why in choice.left_out],
        "bridged": [told for reel in reels for told in _named(reels, reel)],
        "turned_degrees": [90 * reel.turns for reel in reels],
    }
    if camera["state"] != "steadied" and len(sizes) == 1:
        return Plan(parts, crop, None, None, facts)
    plan = _steadied(reels, choice, parts)
    return replace(plan, facts=facts | {"face_pixels": plan.facts["face_pixels"]})


def _told(reels: Sequence[Reel], shot: Shot) -> str:
    """A shot by its times, and its film where there are several."""
    times = f"{clock(shot.start / FPS)} to {clock(shot.stop / FPS)}"
    return times if len(reels) == 1 else f"{reels[shot.film].path.name} {times}"


def _named(reels: Sequence[Reel], reel: Reel) -> list[str]:
    """What was bridged in a film, with its name where there are several."""
    return reel.bridged if len(reels) == 1 else [f"{reel.path.name}: {sentence}" for sentence in reel.bridged]


def _camera(reels: Sequence[Reel], choice: Choice, crop: Crop) -> dict[str, Any]:
    """What the camera does, in words and numbers; lengths in pixels of the films."""
    tracks = choice.tracks
    reel = reels[choice.shots[0].film]
    half = max(reel.width, reel.height) / 2
    if not any(track.tells for track in tracks):
        return {"state": "unknown"}
    places = np.concatenate(_places_of(choice))
    lost = float(np.concatenate([track.lost for track in tracks]).mean())
    middle = _median_place(places)
    away = half * displacement(np.linalg.inv(middle) @ places)
    zooms = np.sqrt(np.abs(np.linalg.det(np.linalg.inv(places)[:, :2, :2])))
    rolls = np.degrees(np.arctan2(places[:, 1, 0], places[:, 0, 0]))
    per_small = 2 * half / max(tracks[0].still.grey.shape)
    far = float(np.percentile(away, 98))
    still = far < max(_STILL * crop.side, _TOLD)
    state = "still" if still else "lost" if lost > _MOST_LOST else "steadied"
    return {
        "state": state,
        "moves_px": round(far, 2),
        "zoom": [round(float(v), 3) for v in np.percentile(zooms / np.median(zooms), [1, 99])],
        "roll_degrees": round(float(np.ptp(np.percentile(rolls, [1, 99]))), 2),
        "lost": round(lost, 3),
        "residual_px": round(max(track.residual for track in tracks) * per_small, 3),
        "worst_blocks_px": round(max(track.off for track in tracks) * per_small, 3),
    }


def _median_place(places: np.ndarray) -> np.ndarray:  # [3, 3]
    """The place that is nearest to the median of all."""
    return places[int(np.abs(places - np.median(places, axis=0)).max((1, 2)).argmin())]


def _steadied(reels: Sequence[Reel], choice: Choice, parts: list[_Part]) -> Plan:
    """A square of the scene that, as far as can be, all pictures show."""
    places = _places_of(choice)
    middle = _median_place(np.concatenate(places))
    places = [np.linalg.inv(middle) @ place for place in places]
    first = reels[choice.shots[0].film]
    scene = to_pixels(first.width, first.height)
    faces = [
        FaceBox(box.frame, _in_scene(reels[shot.film], place[box.frame - shot.start], scene, box.points))
        for shot, person, place in zip(choice.shots, choice.persons, places, strict=True)
        for box in person.boxes
    ]
    shown = _footprints(reels, choice, places, scene)
    (left, right), (top, bottom) = (_shared(shown[..., axis], _COVERED) for axis in (0, 1))
    height = float(np.median([face.height for face in faces]))
    points = np.stack([face.points for face in faces])
    low, high = np.percentile(points.min(1), 1, axis=0), np.percentile(points.max(1), 99, axis=0)
    # The head with some hair has to be in the square even where not all pictures show that much of the scene.
    left, top = min(left, low[0] - 0.25 * height), min(top, low[1] - 0.4 * height)
    right, bottom = max(right, high[0] + 0.25 * height), max(bottom, high[1] + 0.3 * height)
    wanting = max(_LEAST_SIDE * height - min(right - left, bottom - top), 0)
    # What fewer than half of the pictures show is no part of it.
    (first_x, last_x), (first_y, last_y) = (_shared(shown[..., axis], 0.5) for axis in (0, 1))
    left, right = max(left - wanting / 2, first_x), min(right + wanting / 2, last_x)
    top, bottom = max(top, first_y), min(bottom + wanting, last_y)
    moved = [FaceBox(face.frame, face.points - (left, top)) for face in faces]
    inner = square(moved, int(right - left), int(bottom - top))
    crop = Crop(round(inner.left + left), round(inner.top + top), inner.side)
    corner = np.array([[1, 0, crop.left], [0, 1, crop.top], [0, 0, 1]], float)
    moves = np.concatenate(
        [
            to_pixels(reels[part.film].width, reels[part.film].height)
            @ np.linalg.inv(place)
            @ np.linalg.inv(scene)
            @ corner
            for part, place in zip(parts, places, strict=True)
        ]
    )
    backdrop = _backdrop(reels, choice, parts, moves, crop.side)
    return Plan(parts, crop, moves, backdrop, {"face_pixels": round(height, 1)})


def _shared(edges: np.ndarray, share: float) -> tuple[float, float]:
    """Between which coordinates such a share of footprints [F, 4] has something; half of their corners are on either
    side."""
    ordered = np.sort(edges, axis=1)
    return float(np.percentile(ordered[:, 1], 100 * share)), float(np.percentile(ordered[:, 2], 100 - 100 * share))


def _backdrop(reels: Sequence[Reel], choice: Choice, parts: list[_Part], moves: np.ndarray, side: int) -> np.ndarray:
    """The mean of what pictures that were looked at show of the square, and its nearest edge beyond."""
    total = np.zeros((_BACKDROP, _BACKDROP, 4), np.float32)
    enlarged = np.diag([side / _BACKDROP, side / _BACKDROP, 1])
    first = 0
    for part, shot in zip(parts, choice.shots, strict=True):
        for look in shot.looks:
            picture = look.picture(part.turns)
            small = np.diag([picture.shape[1] / reels[part.film].width] * 2 + [1.0])
            matrix = np.linalg.inv(_CENTRES) @ small @ moves[first + look.frame - part.start] @ enlarged @ _CENTRES
            whole = np.dstack([picture.astype(np.float32), np.ones(picture.shape[:2], np.float32)])
            how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
            total += cv2.warpPerspective(whole, matrix, (_BACKDROP, _BACKDROP), flags=how)
        first += part.stop - part.start
    known = total[..., 3] > 0.5
    mean = total[..., :3] / np.maximum(total[..., 3:], 1e-3)
    whole = mean.round().clip(0, 255).astype(np.uint8)
    return whole if known.all() else cv2.inpaint(whole, (~known).astype(np.uint8), 5, cv2.INPAINT_TELEA)


def _places_of(choice: Choice) -> list[np.ndarray]:
    """From every picture of each kept shot to the scene they share [n, 3, 3], whose zoom is the films' usual one."""
    paths = (np.tile(np.eye(3), (len(t.places), 1, 1)) if t.stands else t.places for t in choice.tracks)
    places = [join @ path for join, path in zip(choice.joins, paths, strict=True)]
    zoom = float(np.median(np.sqrt(np.abs(np.linalg.det(np.concatenate(places)[:, :2, :2])))))
    return [np.diag([1 / zoom, 1 / zoom, 1]) @ place for place in places]


def _in_scene(reel: Reel, place: np.ndarray, scene: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points [P, 2] in pixels of a film's picture, in pixels of the scene; `scene` are its own `to_pixels`."""
    matrix = scene @ place @ np.linalg.inv(to_pixels(reel.width, reel.height))
    moved = np.c_[points, np.ones(len(points))] @ matrix.T
    return moved[:, :2] / moved[:, 2:]


def _footprints(reels: Sequence[Reel], choice: Choice, places: list[np.ndarray], scene: np.ndarray) -> np.ndarray:
    """Corners [F, 4, 2] in pixels of the scene of what a sample of the pictures shows."""
    out = []
    for shot, place in zip(choice.shots, places, strict=True):
        reel = reels[shot.film]
        corners = np.array([[0, 0], [reel.width, 0], [reel.width, reel.height], [0, reel.height]], float)
        out += [_in_scene(reel, one, scene, corners) for one in place[:: max(len(place) // 200, 1)]]
    return np.array(out)
