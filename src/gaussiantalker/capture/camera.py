"""How the camera moved, told from what is not a person.

Each picture is aligned with a still of the scene as a whole (inverse compositional Lucas-Kanade; Baker and Matthews
2004), by the homography that turning, zooming and rolling a camera makes of a scene. Whoever walks through it, or
leaves the mask of the person, loses its weight (Geman and McClure 1987). Because every picture is held against the
same few stills, nothing drifts.

Coordinates here are relative: the origin in the middle of the picture, its longer side from -1 to 1.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np

_SIDE = 256  # longer side of the pictures that are looked at
_LEVELS = (4, 2, 1)  # by which they are made smaller yet, one after the other
_ROUNDS = 8
_CELLS, _PER_CELL = 12, 12  # pixels are taken from all over the scene
_SOFT = 1.2  # pixels by which pictures are blurred
_LEAST_SLOPE = 0.7  # grey levels a pixel; less is noise
_LEAST_PIXELS = 60
_NOISE = 1.0  # grey levels
_SMALL, _AGREES = 0.1, 0.9  # pixels of a step, and share of agreeing pixels, that need no coarser picture
_ENOUGH = 0.02  # pixels of a step after which no other is made
_INDEPENDENT = 0.2  # share of the pixels that counts: neighbours say the same
# Standard deviations of shear and perspective, which a turning camera has little of.
_SHEAR, _PERSPECTIVE = 0.0003, 0.0006
_BLOCKS = 6


def small_grey(picture: np.ndarray) -> np.ndarray:  # [h, w] uint8
    """What is looked at of uint8 [H, W, 3]."""
    height, width = picture.shape[:2]
    scale = min(_SIDE / max(height, width), 1)
    shape = (max(round(width * scale), 16), max(round(height * scale), 16))
    return cv2.cvtColor(cv2.resize(picture, shape, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)


def to_pixels(width: int, height: int) -> np.ndarray:  # [3, 3]
    """From relative coordinates to pixels of a picture, centres at .5."""
    half = max(width, height) / 2
    return np.array([[half, 0, width / 2], [0, half, height / 2], [0, 0, 1]])


@dataclass
class _Level:
    """Pixels of a still at one size: where they are, what they show, and how that changes with the eight motions."""

    size: tuple[int, int]  # width, height
    points: np.ndarray  # [P, 2] relative
    values: np.ndarray  # [P]
    slopes: np.ndarray  # [P, 2] grey levels by relative coordinates
    jacobian: np.ndarray  # [P, 8]


@dataclass
class Still:
    """One picture of the scene, without the person, that others are aligned with."""

    grey: np.ndarray  # [h, w] uint8
    person: np.ndarray  # [h, w] bool
    levels: list[_Level] = field(init=False)

    def __post_init__(self) -> None:
        self.levels = [_level(self.grey, self.person, by) for by in _LEVELS]

    @property
    def pixels(self) -> int:
        """How many of its pixels say where it is."""
        return len(self.levels[-1].points)

    @property
    def tells(self) -> bool:
        """Whether there is enough to be seen to align anything with it."""
        return self.pixels >= _LEAST_PIXELS

    def shifts(self, grey: np.ndarray) -> np.ndarray:  # [B]
        """Pixels by which its blocks would be off in the small picture `grey` if the camera had not moved."""
        finest = self.levels[-1]
        value, inside = _seen(_picture(grey, None, 1), finest, np.eye(3))
        return _blocks(finest, _difference(value, finest.values, inside)[0], inside)


@dataclass(frozen=True)
class _Picture:
    """A picture at one size, and where the person is in it."""

    soft: np.ndarray  # [h, w] uint8
    person: np.ndarray  # [h, w] bool


@dataclass(frozen=True)
class Alignment:
    """Where a still is in another picture."""

    motion: np.ndarray  # [3, 3] from the still to the picture, relative coordinates
    agreeing: float  # share of the still's pixels in view that show the same
    shared: float  # share of the still's pixels in view
    shifts: np.ndarray  # [B] pixels of the small picture by which blocks of the scene are still off


def align(still: Still, grey: np.ndarray, guess: np.ndarray, person: np.ndarray | None = None) -> Alignment:
    """Finds a still in the small picture `grey` [h, w], from a first guess [3, 3] of where it is; what `person` [h, w]
    covers there is not looked at."""
    pictures = [_picture(grey, person, by) for by in _LEVELS]
    finest, motion = still.levels[-1], guess
    if not _near(pictures[-1], finest, guess):
        for by, picture, level in zip(_LEVELS[:-1], pictures, still.levels, strict=False):
            if len(level.points) >= _LEAST_PIXELS // by:
                motion = _moved(picture, level, motion, _ROUNDS)
        # A coarse picture may have led astray.
        motion = min((motion, guess), key=lambda m: _cost(pictures[-1], finest, m))
    motion = _moved(pictures[-1], finest, motion, _ROUNDS)
    value, inside = _seen(pictures[-1], finest, motion)
    off, weight = _difference(value, finest.values, inside)
    agreeing = float(weight.sum() / max(inside.sum(), 1))
    return Alignment(motion, agreeing, _shared(finest, motion), _blocks(finest, off, inside))


def _shared(level: _Level, motion: np.ndarray) -> float:
    """Share of a still's pixels that are in the view of a picture, whatever covers them."""
    moved = np.c_[level.points, np.ones(len(level.points))] @ motion.T
    edge = np.array(level.size) / max(level.size)
    return float((np.abs(moved[:, :2] / moved[:, 2:]) < edge).all(1).mean())


def _near(picture: _Picture, level: _Level, motion: np.ndarray) -> bool:
    """Whether the still agrees so well here that no coarser picture needs to be asked."""
    value, inside = _seen(picture, level, motion)
    off, weight = _difference(value, level.values, inside)
    step = _step(level, off, weight, motion)
    agreeing = weight.sum() / max(inside.sum(), 1)
    return bool(agreeing > _AGREES) and float(np.abs(step).max()) * max(level.size) / 2 < _SMALL


def _moved(picture: _Picture, level: _Level, motion: np.ndarray, rounds: int) -> np.ndarray:
    """The motion after up to so many Gauss-Newton steps at one level."""
    for _ in range(rounds):
        value, inside = _seen(picture, level, motion)
        off, weight = _difference(value, level.values, inside)
        step = _step(level, off, weight, motion)
        motion = motion @ np.linalg.inv(np.eye(3) + np.tensordot(step, _MOTIONS, 1))
        motion = motion / motion[2, 2]
        if np.abs(step).max() * max(level.size) / 2 < _ENOUGH:
            break
    return motion


# The eight motions of a plane: two shifts, zoom, roll, two shears, two of perspective.
_MOTIONS = np.zeros((8, 3, 3))
_MOTIONS[0, 0, 2] = _MOTIONS[1, 1, 2] = 1
_MOTIONS[2, 0, 0] = _MOTIONS[2, 1, 1] = 1
_MOTIONS[3, 0, 1], _MOTIONS[3, 1, 0] = -1, 1
_MOTIONS[4, 0, 0], _MOTIONS[4, 1, 1] = 1, -1
_MOTIONS[5, 0, 1] = _MOTIONS[5, 1, 0] = 1
_MOTIONS[6, 2, 0] = _MOTIONS[7, 2, 1] = 1
_PRIOR = np.array([0, 0, 0, 0, _SHEAR**-2, _SHEAR**-2, _PERSPECTIVE**-2, _PERSPECTIVE**-2])


def _level(grey: np.ndarray, person: np.ndarray, by: int) -> _Level:
    small = cv2.GaussianBlur(_shrunk(grey, by).astype(np.float32), (0, 0), _SOFT)
    height, width = small.shape
    covered = cv2.resize(person.astype(np.uint8), (width, height), interpolation=cv2.INTER_AREA) > 0
    half = max(width, height) / 2
    slopes = np.stack([cv2.Sobel(small, cv2.CV_32F, *axis, ksize=3) / 8 for axis in ((1, 0), (0, 1))], axis=-1)
    steep = np.linalg.norm(slopes, axis=-1)
    steep[covered] = 0
    steep[[0, -1]] = steep[:, [0, -1]] = 0
    rows, columns = _spread(steep)
    points = (np.c_[columns, rows] + 0.5 - (width / 2, height / 2)) / half
    by_point = slopes[rows, columns] * half
    (x, y), (gx, gy) = points.T, by_point.T
    along = gx * x + gy * y
    jacobian = np.stack([gx, gy, along, gy * x - gx * y, gx * x - gy * y, gx * y + gy * x, -along * x, -along * y], -1)
    return _Level((width, height), points, small[rows, columns].astype(float), by_point, jacobian)


def _spread(steep: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the steepest pixels of each cell of a picture."""
    height, width = steep.shape
    cell = (np.arange(height)[:, None] * _CELLS // height) * _CELLS + np.arange(width) * _CELLS // width
    order = np.lexsort((-steep.ravel(), cell.ravel()))
    sorted_cells = cell.ravel()[order]
    rank = np.arange(len(order)) - np.searchsorted(sorted_cells, sorted_cells)
    chosen = order[(rank < _PER_CELL) & (steep.ravel()[order] > _LEAST_SLOPE)]
    rows, columns = np.unravel_index(chosen, steep.shape)
    return rows, columns


def _picture(grey: np.ndarray, person: np.ndarray | None, by: int) -> _Picture:
    soft = cv2.GaussianBlur(_shrunk(grey, by), (0, 0), _SOFT)
    person = np.zeros(grey.shape, bool) if person is None else person
    covered = cv2.resize(person.astype(np.uint8), soft.shape[::-1], interpolation=cv2.INTER_AREA) > 0
    return _Picture(soft, covered)


def _shrunk(grey: np.ndarray, by: int) -> np.ndarray:
    if by == 1:
        return grey
    height, width = grey.shape
    return cv2.resize(grey, (max(width // by, 4), max(height // by, 4)), interpolation=cv2.INTER_AREA)


def _seen(picture: _Picture, level: _Level, motion: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What a picture shows at a still's pixels [P], and which of them are in it."""
    height, width = picture.soft.shape
    moved = np.c_[level.points, np.ones(len(level.points))] @ (to_pixels(width, height) @ motion).T
    at = moved[:, :2] / moved[:, 2:] - 0.5
    inside = ((at > 0.5) & (at < (width - 1.5, height - 1.5))).all(1)
    near = np.rint(at[inside]).astype(int)
    inside[inside] = ~picture.person[near[:, 1], near[:, 0]]
    at = at.astype(np.float32)[:, None]
    value = cv2.remap(picture.soft, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return value[:, 0].astype(float), inside


def _difference(value: np.ndarray, usual: np.ndarray, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How far values [P] are from the usual ones, whatever the exposure, and how far that is to be believed."""
    weight = inside.astype(float)
    off = value - usual
    for _ in range(3):
        total = max(float(weight.sum()), 1e-6)
        a, b = (weight * value).sum() / total, (weight * usual).sum() / total
        spread = max(float((weight * (value - a) ** 2).sum()), 1e-6)
        gain = np.clip((weight * (value - a) * (usual - b)).sum() / spread, 0.5, 2)
        off = gain * (value - a) + b - usual
        noise = max(1.48 * float(np.median(np.abs(off[inside]))) if inside.any() else 0.0, _NOISE)
        weight = inside / (1 + (off / (3 * min(noise, 4 * _NOISE))) ** 2) ** 2
    return off, weight


def _cost(picture: _Picture, level: _Level, motion: np.ndarray) -> float:
    """How far a picture is from showing the still, in grey levels of which no pixel counts many."""
    value, inside = _seen(picture, level, motion)
    if inside.sum() < _LEAST_PIXELS / 4:
        return np.inf
    off, _ = _difference(value, level.values, inside)
    return float(np.minimum(np.abs(off[inside]), 4 * _NOISE).mean())


def _step(level: _Level, off: np.ndarray, weight: np.ndarray, motion: np.ndarray) -> np.ndarray:  # [8]
    noise = _NOISE**2 / _INDEPENDENT
    weighted = level.jacobian * (weight / noise)[:, None]
    held = _PRIOR * _deviations(motion)
    return np.linalg.solve(weighted.T @ level.jacobian + np.diag(_PRIOR + 1e-3), weighted.T @ off + held)


def _deviations(motion: np.ndarray) -> np.ndarray:  # [8]
    """How much of each of the eight motions, which are at right angles, there is in a small one."""
    return np.tensordot(_MOTIONS, motion - np.eye(3)) / np.square(_MOTIONS).sum((1, 2))


def _blocks(level: _Level, off: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """How far each block of the scene is from where it should be, in pixels of the small picture."""
    half = max(level.size) / 2
    block = ((level.points + 1) / 2 * _BLOCKS).astype(int).clip(0, _BLOCKS - 1) @ (1, _BLOCKS)
    slopes = level.slopes / half
    shifts = []
    for k in np.unique(block[inside]):
        here = inside & (block == k)
        matrix = slopes[here].T @ slopes[here]
        if here.sum() >= _LEAST_PIXELS / 3:
            shift = np.linalg.solve(matrix + 4 * here.sum() * 0.25 * np.eye(2), slopes[here].T @ off[here])
            shifts.append(float(np.linalg.norm(shift)))
    return np.array(shifts)
