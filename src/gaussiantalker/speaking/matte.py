"""Cutting a person out of pictures over a known room, so that nothing of the room stays at the edges."""

import cv2
import numpy as np

_SURE = 0.04  # of the picture's side: that far within all Gaussians, no room is mixed in
_EDGE = 1 / 110  # likewise: width of the edge, in which person and room mix
_HOLE = 0.01  # likewise: half of the widest hole between Gaussians that is none in the person
_RINGS = (0.01, 0.02, 0.03)  # likewise: how far the room close to the person, which was never filmed, may be off
_NOISE = 0.02  # by which shades of one thing differ
_PERSON = 0.4  # of the way from the room's colour to the person's, from where on a pixel is the person's
_OPAQUE = np.array([0, 0, 0, 255], np.uint8)
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
        side = len(room)
        self._sure, self._edge, self._hole = (max(round(share * side), 1) for share in (_SURE, _EDGE, _HOLE))
        turns = np.exp(0.25j * np.pi * np.arange(8))
        around = np.rint(side * np.array([share * turn for share in _RINGS for turn in turns]))
        margin = max(round(_RINGS[-1] * side), 1)
        wide = np.pad(room.astype(np.float32) / 255, ((margin, margin), (margin, margin), (0, 0)), mode="edge")
        places = np.arange(wide[..., 0].size).reshape(wide.shape[:2])[margin:-margin, margin:-margin]
        self._around = (np.imag(around) * wide.shape[1] + np.real(around)).astype(int)
        self._wide, self._places, self._first_place = wide.reshape(-1, 3), places.ravel(), places[min(top, side - 1), 0]
        self._room = self._wide[self._places]

    def cut(self, picture: np.ndarray) -> np.ndarray:
        """The person alone, uint8 [H, W, 4] with straight alpha, of a picture uint8 [H, W, 4] over the room whose
        fourth channel is the Gaussians' opacity. Close to the person, colours are the person's also where alpha is 0.
        """
        flat, shape = picture.reshape(-1, 4), picture.shape[:2]
        covered = flat[:, 3]
        solid = _shrunk(_grown(picture[..., 3] > 127, self._hole), self._hole)
        sure = _shrunk(solid, self._sure)
        usual = flat[sure.ravel()].mean(axis=0)[:3] / 255 if sure.any() else np.zeros(3)
        unsure = np.flatnonzero((covered > 0) & ~sure.ravel())
        own, beside = np.zeros(self._room.shape, np.float32), np.full(covered.shape, np.inf, np.float32)
        own[unsure] = _spread(picture, sure, 2 * self._sure, unsure, usual)
        beside[unsure] = self._beside(_unit(flat[unsure]), self._places[unsure])
        its = np.sqrt(_squares(own[unsure] - self._room[unsure]))
        person = sure.ravel()
        person[unsure] = solid.ravel()[unsure] & (beside[unsure] + _NOISE / 2 > _PERSON * (its + _NOISE / 2))
        person = _without_holes(person.reshape(shape))
        sure = _shrunk(person, self._edge)
        edge = np.flatnonzero((covered > 0) & ~sure.ravel())
        its = _spread(picture, sure, 2 * self._edge + 1, edge, own[edge])
        seen, room = _unit(flat[edge]), self._room[edge]
        alpha = _opacity(seen, its, room, beside[edge], covered[edge] / np.float32(255), person.ravel()[edge])
        out = np.where(sure[..., None], picture | _OPAQUE, np.rint(255 * np.append(usual, 0)).astype(np.uint8))
        out.reshape(-1, 4)[edge] = np.rint(255 * np.column_stack([_unmixed(seen, its, room, alpha[:, None]), alpha]))
        return out

    def _beside(self, colours: np.ndarray, places: np.ndarray) -> np.ndarray:
        """How far colours [P, 3] at these places of the room [P] are from the room's, or, where a torso may have
        learnt what was never filmed, from any that the room has nearby, [P]."""
        nearest = _squares(colours - self._wide[places])
        low = np.searchsorted(places, self._first_place)
        for step in self._around:
            np.minimum(nearest[low:], _squares(colours[low:] - self._wide[places[low:] + step]), out=nearest[low:])
        return np.sqrt(nearest)


def _opacity(
    seen: np.ndarray, own: np.ndarray, room: np.ndarray, beside: np.ndarray, covered: np.ndarray, person: np.ndarray
) -> np.ndarray:  # [P]
    """How much of the person is in colours [P, 3], where the person's `own` would be these and the room's those."""
    away, full = (np.maximum(np.sqrt(_squares(colours - room)) - _NOISE, 0) for colours in (seen, own))
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
    return cv2.dilate(mask.view(np.uint8), np.ones((2 * pixels + 1,) * 2, np.uint8)).view(bool)


def _shrunk(mask: np.ndarray, pixels: int) -> np.ndarray:
    return cv2.erode(mask.view(np.uint8), np.ones((2 * pixels + 1,) * 2, np.uint8)).view(bool)


def _without_holes(mask: np.ndarray) -> np.ndarray:
    """The mask with all that it encloses."""
    count, found = cv2.connectedComponents((~mask).view(np.uint8), connectivity=4)
    parts = np.asarray(found, int)
    is_hole = np.ones(count, bool)
    for edge in (parts[0], parts[-1], parts[:, 0], parts[:, -1]):
        is_hole[edge] = False
    return mask | is_hole[parts]


def _spread(
    picture: np.ndarray, known: np.ndarray, pixels: int, where: np.ndarray, further: np.ndarray
) -> np.ndarray:  # [P, 3]
    """Colours at P places: what is `known` of a picture, averaged so many pixels to all sides; other colours where
    that is `further` away."""
    size = (2 * pixels + 1,) * 2
    counted = np.where(known[..., None], picture | _OPAQUE, np.uint8(0))
    total = cv2.boxFilter(counted, cv2.CV_32F, size, normalize=False, borderType=cv2.BORDER_REPLICATE).reshape(-1, 4)[
        where
    ]
    return np.where(total[:, 3:] > 0, total[:, :3] / np.maximum(total[:, 3:], 1), further)


def _unit(pixels: np.ndarray) -> np.ndarray:
    """Colours [P, 3] in [0, 1] of pixels uint8 [P, 4]."""
    return pixels[:, :3] / np.float32(255)


def _squares(vectors: np.ndarray) -> np.ndarray:
    return np.einsum("pc,pc->p", vectors, vectors)
