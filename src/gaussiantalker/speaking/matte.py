"""Cutting a person out of pictures over a known room, so that nothing of the room stays at the edges."""

import numpy as np
from scipy import ndimage

_SURE = 0.04  # of the picture's side: that far within all Gaussians, no room is mixed in
_EDGE = 1 / 110  # likewise: width of the edge, in which person and room mix
_HOLE = 0.01  # likewise: half of the widest hole between Gaussians that is none in the person
_RINGS = (0.01, 0.02, 0.03)  # likewise: how far the room close to the person, which was never filmed, may be off
_NOISE = 0.02  # by which shades of one thing differ
_PERSON = 0.4  # of the way from the room's colour to the person's, from where on a pixel is the person's
_TRUST = 0.003  # in what the Gaussians say, where room and person are of one colour


class Matte:
    """Tells person from room in pictures of one size.

    The Gaussians' own opacity is not enough: beside the person lie Gaussians that learnt the colour of the room, and
    at the edge, in hair above all, some that learnt a mixture. So opacity is solved from the compositing equation with
    a known background (Smith and Blinn, Blue Screen Matting, 1996), where the person's colour is that of the
    person's nearest sure pixels; and no colour at the edge stays nearer to the room's than theirs.
    """

    def __init__(self, room: np.ndarray, top: int):
        """`room` uint8 [H, W, 3] is what is behind the person, whose torso is in the rows from `top` on."""
        self._room, side = room.astype(np.float32) / 255, len(room)
        self._sure, self._edge, self._hole = (max(round(share * side), 1) for share in (_SURE, _EDGE, _HOLE))
        turns = np.exp(0.25j * np.pi * np.arange(8))
        around = np.rint(side * np.array([share * turn for share in _RINGS for turn in turns]))
        margin = max(round(_RINGS[-1] * side), 1)
        wide = np.pad(self._room, ((margin, margin), (margin, margin), (0, 0)), mode="edge")
        self._places = np.arange(wide[..., 0].size).reshape(wide.shape[:2])[margin:-margin, margin:-margin]
        self._around = (around.imag * wide.shape[1] + around.real).astype(int)
        self._wide, self._first_place = wide.reshape(-1, 3), self._places[min(top, side - 1), 0]

    def cut(self, picture: np.ndarray) -> np.ndarray:
        """The person alone, uint8 [H, W, 4] with straight alpha, of a picture uint8 [H, W, 4] over the room whose
        fourth channel is the Gaussians' opacity. Close to the person, colours are the person's also where alpha is 0.
        """
        picture = picture.astype(np.float32) / 255
        image, covered = np.ascontiguousarray(picture[..., :3]), picture[..., 3]
        solid = _shrunk(_grown(covered > 0.5, self._hole), self._hole)
        sure = _shrunk(solid, self._sure)
        unsure = (covered > 0) & ~sure
        own = _spread(image, sure, 2 * self._sure, image[sure].mean(axis=0) if sure.any() else np.zeros(3))
        beside, usual = np.ones((2, *covered.shape), np.float32)
        beside[unsure], usual[unsure] = (self._beside(each[unsure], self._places[unsure]) for each in (image, own))
        person = _without_holes(sure | (solid & unsure & (beside + _NOISE / 2 > _PERSON * (usual + _NOISE / 2))))
        sure = _shrunk(person, self._edge)
        own = _spread(image, sure, 2 * self._edge + 1, own)
        alpha, colour = sure.astype(np.float32), np.where(sure[..., None], image, own)
        edge = (covered > 0) & ~sure
        seen, its, room = image[edge], own[edge], self._room[edge]
        alpha[edge] = _opacity(seen, its, room, beside[edge], covered[edge], person[edge])
        colour[edge] = _unmixed(seen, its, room, alpha[edge][:, None])
        return np.rint(255 * np.concatenate([colour, alpha[..., None]], axis=-1)).astype(np.uint8)

    def _beside(self, colours: np.ndarray, places: np.ndarray) -> np.ndarray:
        """How far colours [P, 3] at these places of the room [P] are from the room's, or, where a torso may have
        learnt what was never filmed, from any that the room has nearby, [P]."""
        nearest = np.linalg.norm(colours - self._wide[places], axis=1)
        low = np.searchsorted(places, self._first_place)
        for step in self._around:
            apart = colours[low:] - self._wide[places[low:] + step]
            np.minimum(nearest[low:], np.linalg.norm(apart, axis=1), out=nearest[low:])
        return nearest


def _opacity(
    seen: np.ndarray, own: np.ndarray, room: np.ndarray, beside: np.ndarray, covered: np.ndarray, person: np.ndarray
) -> np.ndarray:  # [P]
    """How much of the person is in colours [P, 3], where the person's `own` would be these and the room's those."""
    away, full = (np.maximum(np.linalg.norm(colours - room, axis=1) - _NOISE, 0) for colours in (seen, own))
    away = np.where(person, away, np.minimum(away, np.maximum(beside - _NOISE, 0)))
    alpha = np.clip((away * full + _TRUST * covered) / (full**2 + _TRUST), 0, 1)
    return np.where(person, alpha, np.minimum(alpha, covered))


def _unmixed(seen: np.ndarray, own: np.ndarray, room: np.ndarray, alpha: np.ndarray) -> np.ndarray:  # [P, 3]
    """Colours [P, 3] without what the room adds to them: the person's `own`, and as much of each as the compositing
    equation leaves over, but nothing of that towards the room's colour."""
    left, way = seen - alpha * own - (1 - alpha) * room, room - own
    share = (left * way).sum(1, keepdims=True) / np.maximum((way**2).sum(1, keepdims=True), 1e-6)
    return np.clip(own + left - np.maximum(share, 0) * way, 0, 1)


def _grown(mask: np.ndarray, pixels: int) -> np.ndarray:
    return ndimage.maximum_filter(mask.view(np.uint8), 2 * pixels + 1, mode="nearest").view(bool)


def _shrunk(mask: np.ndarray, pixels: int) -> np.ndarray:
    return ndimage.minimum_filter(mask.view(np.uint8), 2 * pixels + 1, mode="nearest").view(bool)


def _without_holes(mask: np.ndarray) -> np.ndarray:
    """The mask with all that it encloses."""
    parts, _ = ndimage.label(~mask)
    edges = parts[0], parts[-1], parts[:, 0], parts[:, -1]
    return ~np.isin(parts, np.setdiff1d(np.concatenate(edges), 0))


def _spread(image: np.ndarray, known: np.ndarray, pixels: int, further: np.ndarray) -> np.ndarray:  # [H, W, 3]
    """What is `known` of a picture, averaged so many pixels to all sides, and other colours `further` away."""
    size = 2 * pixels + 1
    total = ndimage.uniform_filter(image * known[..., None], (size, size, 1), mode="nearest")
    share = ndimage.uniform_filter(known.astype(np.float32), size, mode="nearest")[..., None]
    return np.where(share > 0.5 / size**2, total / np.maximum(share, 1e-6), further)
