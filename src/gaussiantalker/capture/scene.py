"""Where every picture of a stretch of film lies in its scene, and whether two stretches show the same one."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from gaussiantalker.capture.arrays import bridge
from gaussiantalker.capture.camera import Alignment, Still, align, to_pixels
from gaussiantalker.timing import FPS

# Where the person is in the small picture of a frame that is near another one: that frame, and bool [h, w].
_PersonNear = Callable[[int], tuple[int, np.ndarray]]
_Greys = Callable[[int], np.ndarray]  # uint8 [h, w], the small picture of a frame

_SURE = 0.8  # of what a still shows, above which no other guess is tried
_LEAST_AGREEING = 0.45  # of what a still shows, below which a picture does not show it
_LEAST_SHARED, _MOST_ZOOM = 0.6, 1.35  # of a still's view, beyond which another still is taken
_MOST_STILLS = 60
_STEP = FPS // 5  # frames between two in which it is measured how far blocks of the scene are off
# A camera stands still if most blocks are off by so little (pixels) in so many of the pictures (per cent), or if
# following it leaves them hardly better off.
_STANDS, _USUALLY, _NO_BETTER = 0.2, 95, 3.0
_SAME_SHARED, _SAME_AGREEING = 0.3, 0.55
_LEAST_MATCHES, _MATCH_RATIO = 12, 0.75
_MOST_OFF = 14.0  # grey levels between two pictures of a scene in which there is nothing to be seen


@dataclass(frozen=True)
class CameraTrack:
    """The camera over a stretch of film."""

    still: Still  # the stretch's first, whose picture is its scene
    places: np.ndarray  # [n, 3, 3] from each picture to the scene, relative coordinates
    lost: np.ndarray  # [n] bool, pictures that show no still; their places are those between their neighbours'
    residual: float  # pixels of the small pictures by which blocks of the scene are still off, typically
    off: float  # the same of one block in ten
    stands: bool  # whether most blocks of the scene stand still even if it is taken for granted that the camera does

    @property
    def tells(self) -> bool:
        """Whether there is anything to see of the scene."""
        return self.still.tells


def follow(grey: _Greys, person: _PersonNear, start: int, stop: int, first: int) -> CameraTrack:
    """Aligns the pictures from `start` up to `stop` with stills, the first of which is the picture `first`."""
    still = Still(grey(first), person(first)[1])
    places = np.tile(np.eye(3), (stop - start, 1, 1))
    lost = np.zeros(stop - start, bool)
    if not still.tells:
        return CameraTrack(still, places, lost, 0.0, 0.0, True)
    stills, shifts, unmoved = [(still, np.eye(3))], [], []

    def covered(k: int, guess: np.ndarray) -> np.ndarray:
        """Where the person was in a picture near by, carried along with the camera."""
        near, mask = person(k)
        return _carried(mask, np.linalg.inv(guess) @ places[near - start]) if placed[near - start] else mask

    placed = np.zeros(stop - start, bool)
    placed[first - start] = True
    for frames in (range(first + 1, stop), range(first - 1, start - 1, -1)):
        # From the current still to the picture, and what the last picture added to that.
        current, motion, step = 0, np.eye(3), np.eye(3)
        for k in frames:
            if k % _STEP == 0 and (blocks := still.shifts(grey(k))).size:
                unmoved.append(float(np.median(blocks)))
            cover = covered(k, stills[current][1] @ np.linalg.inv(motion))
            found = _found(stills[current][0], grey(k), cover, (motion, step @ motion))
            if found.agreeing < _LEAST_AGREEING or not _plausible(found.motion):
                lost[k - start], step = True, np.eye(3)
                continue
            step, motion = found.motion @ np.linalg.inv(motion), found.motion
            places[k - start], placed[k - start] = _unit(stills[current][1] @ np.linalg.inv(motion)), True
            if k % _STEP == 0 and found.shifts.size:
                shifts.append(np.percentile(found.shifts, [50, 90]))
            if found.shared < _LEAST_SHARED or not 1 / _MOST_ZOOM < _zoom(motion) < _MOST_ZOOM:
                current = _next(stills, places[k - start], lambda k=k, cover=cover: Still(grey(k), cover))
                motion = np.linalg.inv(places[k - start]) @ stills[current][1]
    places = places if lost.all() else bridge(places, ~lost)
    typical, most = np.median(shifts, axis=0) if shifts else (0.0, 0.0)
    left = float(np.percentile([middle for middle, _ in shifts], _USUALLY)) if shifts else 0.0
    stands = not unmoved or float(np.percentile(unmoved, _USUALLY)) < max(_STANDS, _NO_BETTER * left)
    return CameraTrack(still, places, lost, float(typical), float(most), stands)


def _carried(mask: np.ndarray, motion: np.ndarray) -> np.ndarray:  # [h, w] bool
    """A mask after a motion in relative coordinates; what comes into view at an edge is like that edge."""
    height, width = mask.shape
    pixels = to_pixels(width, height)
    matrix = pixels @ motion @ np.linalg.inv(pixels)
    nearest, edge, size = cv2.INTER_NEAREST, cv2.BORDER_REPLICATE, (width, height)
    return cv2.warpPerspective(mask.astype(np.uint8), matrix, size, flags=nearest, borderMode=edge) > 0


def _found(still: Still, grey: np.ndarray, cover: np.ndarray, guesses: tuple[np.ndarray, ...]) -> Alignment:
    """Where a still is in a picture, from the first guess that leads to it, or the best of all."""
    tried: list[Alignment] = []
    for guess in guesses:
        tried.append(align(still, grey, guess, cover))
        if tried[-1].agreeing > _SURE:
            break
    return max(tried, key=lambda found: found.agreeing)


def _next(stills: list[tuple[Still, np.ndarray]], place: np.ndarray, make: Callable[[], Still]) -> int:
    """The still whose view is nearest to a picture's place; a new one of that picture where none is near."""
    for k, (_, other) in enumerate(stills):
        relative = np.linalg.inv(other) @ place
        near = displacement(relative) < 0.5 * (1 - _LEAST_SHARED)
        if near and 1 / np.sqrt(_MOST_ZOOM) < _zoom(relative) < np.sqrt(_MOST_ZOOM):
            return k
    new = make() if len(stills) < _MOST_STILLS else None
    if new is None or not new.tells:
        return min(range(len(stills)), key=lambda k: displacement(np.linalg.inv(stills[k][1]) @ place))
    stills.append((new, place))
    return len(stills) - 1


def same_scene(a: CameraTrack, b: CameraTrack) -> np.ndarray | None:
    """From the scene of `b` to that of `a` [3, 3], or None where they show different ones."""
    if not a.tells or not b.tells:
        return np.eye(3) if _plain_alike(a.still, b.still) else None
    for guess in (np.eye(3), _matched(a.still, b.still)):
        if guess is None:
            continue
        found = align(a.still, b.still.grey, guess, b.still.person)
        if _agree(found):
            return _unit(np.linalg.inv(found.motion))
    return None


def _agree(found: Alignment) -> bool:
    return found.shared > _SAME_SHARED and found.agreeing > _SAME_AGREEING and _plausible(found.motion)


def _plain_alike(a: Still, b: Still) -> bool:
    if a.grey.shape != b.grey.shape:
        return False
    free = ~(a.person | b.person)
    return bool(free.any()) and float(np.median(np.abs(a.grey[free].astype(int) - b.grey[free]))) < _MOST_OFF


def _matched(a: Still, b: Still) -> np.ndarray | None:
    """From still `a` to still `b` by features that both show (Lowe 2004), None where there are too few."""
    finder = cv2.SIFT.create(600)
    (at_a, of_a), (at_b, of_b) = (finder.detectAndCompute(s.grey, (~s.person).astype(np.uint8)) for s in (a, b))
    if of_a is None or of_b is None or len(of_b) < 2:
        return None
    pairs = [p for p in cv2.BFMatcher().knnMatch(of_a, of_b, k=2) if len(p) == 2]
    good = [m for m, other in pairs if m.distance < _MATCH_RATIO * other.distance]
    if len(good) < _LEAST_MATCHES:
        return None
    source = np.array([at_a[m.queryIdx].pt for m in good]) + 0.5
    target = np.array([at_b[m.trainIdx].pt for m in good]) + 0.5
    matrix, inliers = cv2.estimateAffinePartial2D(source, target, ransacReprojThreshold=2.0)
    if matrix is None or inliers.sum() < _LEAST_MATCHES:
        return None
    to_a, to_b = to_pixels(*a.grey.shape[::-1]), to_pixels(*b.grey.shape[::-1])
    return np.linalg.inv(to_b) @ np.vstack([matrix, [0, 0, 1]]) @ to_a


def displacement(motion: np.ndarray) -> np.ndarray:  # [...]
    """How far motions [..., 3, 3] move the corners of the inner picture at most, in relative coordinates."""
    corners = np.array([[x, y, 1.0] for x in (-0.7, 0.7) for y in (-0.7, 0.7)]).T
    moved = motion @ corners
    return np.linalg.norm(moved[..., :2, :] / moved[..., 2:, :] - corners[:2], axis=-2).max(-1)


def _zoom(motion: np.ndarray) -> float:
    return float(np.sqrt(abs(np.linalg.det(motion[:2, :2]))))


def _plausible(motion: np.ndarray) -> bool:
    return bool(np.isfinite(motion).all()) and 0.2 < _zoom(motion) < 5 and np.abs(motion[2, :2]).max() < 0.2


def _unit(motion: np.ndarray) -> np.ndarray:
    return motion / motion[2, 2]
