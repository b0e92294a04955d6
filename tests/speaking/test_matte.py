"""A person cut out of a known room, where the truth is known."""

import numpy as np
import pytest

from gaussiantalker.speaking.matte import Matte

SIDE = 128
ROWS, COLUMNS = np.mgrid[:SIDE, :SIDE]
AWAY = np.hypot(ROWS - 70, COLUMNS - 64)


def room(seed: int = 0) -> np.ndarray:
    """A wall with a gradient and some structure, in [0, 1]."""
    waves = 0.06 * np.sin(COLUMNS / 9 + seed) * np.sin(ROWS / 7)
    return np.stack([0.75 - ROWS / 400 + waves, 0.6 + waves, 0.35 + COLUMNS / 600], axis=-1)


def person() -> tuple[np.ndarray, np.ndarray]:
    """Colours [H, W, 3] and opacity [H, W, 1] of a disc that grows soft over three pixels."""
    shade = 0.05 * np.sin(COLUMNS / 3)
    colour = np.stack([0.25 + shade, 0.2 + shade, 0.3 + 0.1 * np.cos(ROWS / 20)], axis=-1)
    return colour, np.clip((41.5 - AWAY) / 3, 0, 1)[..., None]


def filmed(covered: np.ndarray) -> np.ndarray:
    colour, alpha = person()
    return whole(np.concatenate([alpha * colour + (1 - alpha) * room(), covered[..., None]], axis=-1))


def whole(values: np.ndarray) -> np.ndarray:
    return np.rint(255 * np.clip(values, 0, 1)).astype(np.uint8)


def laid(cut: np.ndarray, colour: tuple) -> np.ndarray:
    alpha = cut[..., 3:] / 255
    return alpha * cut[..., :3] / 255 + (1 - alpha) * np.array(colour)


@pytest.mark.parametrize("colour", [(1, 1, 1), (0, 0, 0), (0, 0.7, 0.25)])
def test_gaussians_of_the_rooms_colour_leave_no_rim(colour: tuple) -> None:
    """Five pixels beyond the person are covered by Gaussians that learnt the room."""
    picture = filmed(np.clip((47 - AWAY) / 2, 0, 1))
    own, alpha = person()
    truth = alpha * own + (1 - alpha) * np.array(colour)
    naive = np.concatenate([picture[..., :3], picture[..., 3:]], axis=-1)
    wrong, left = (
        np.abs(laid(each, colour) - truth).max(axis=-1) for each in (naive, Matte(whole(room()), 0).cut(picture))
    )
    ring = (AWAY > 38) & (AWAY < 50)
    assert wrong[ring].mean() > 0.15, "without a matte there must be a rim to see"
    assert left[ring].mean() < 0.03 and left[ring].max() < 0.3, (left[ring].mean(), left[ring].max())
    assert left[AWAY > 50].max() == 0 and left[AWAY < 38].max() < 0.01


def test_what_was_never_filmed_beside_a_torso_is_the_rooms_too() -> None:
    """Where the room is off its place by a few pixels below `top`, Gaussians that show it still are no person."""
    moved = np.roll(room(), 2, axis=1)
    picture = filmed(np.clip((47 - AWAY) / 2, 0, 1))
    free = (AWAY > 45) & (AWAY < 48)
    alpha = Matte(whole(moved), 0).cut(picture)[..., 3]
    assert alpha[free].mean() < 3


def test_holes_between_gaussians_are_closed_but_not_the_room_beside() -> None:
    covered = (AWAY < 43).astype(float)
    covered[60:62, 60:62] = 0.2
    alpha = Matte(whole(room()), 0).cut(filmed(covered))[..., 3]
    assert (alpha[55:70, 55:70] == 255).all() and (alpha[AWAY > 45] == 0).all()


def test_nobody_is_nothing() -> None:
    empty = np.concatenate([whole(room()), np.zeros((SIDE, SIDE, 1), np.uint8)], axis=-1)
    assert not Matte(whole(room()), 0).cut(empty)[..., 3].any()
