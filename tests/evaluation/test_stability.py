"""Flicker and seam, by construction."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from gaussiantalker.evaluation.pictures import HEAD, NECK, _flow, _luma, flicker, seam


def texture(shift: float = 0.0) -> np.ndarray:
    rows, columns = np.mgrid[:64, :64]
    wave = np.sin((columns - shift) / 4) * np.cos(rows / 5)
    return np.repeat((127 + 100 * wave).astype(np.uint8)[..., None], 3, axis=2)


INSIDE = np.zeros((64, 64), bool)
INSIDE[12:-12, 12:-12] = True


def test_movement_is_not_flicker() -> None:
    before, after = texture(0), texture(1.5)
    still = np.zeros((2, 64, 64), np.float32)
    assert flicker(before, after, _flow(before, after), INSIDE) < 0.15 * flicker(before, after, still, INSIDE)


def test_a_shimmer_is_flicker_for_no_motion_explains_it() -> None:
    draw = np.random.default_rng(0)
    before, after = (np.clip(texture(k) + draw.normal(0, 12, (64, 64, 1)), 0, 255).astype(np.uint8) for k in (0, 1.5))
    clean = flicker(texture(0), texture(1.5), _flow(texture(0), texture(1.5)), INSIDE)
    assert flicker(before, after, _flow(before, after), INSIDE) > max(8, 4 * clean)


def test_a_change_of_brightness_is_flicker() -> None:
    before = texture()
    still = np.zeros((2, 64, 64), np.float32)
    assert flicker(before, before, still, INSIDE) == pytest.approx(0)
    assert flicker(before, before + 10, still, INSIDE) == pytest.approx(10, abs=1e-3)
    assert np.isnan(flicker(before, before, still, np.zeros((64, 64), bool)))


def test_a_step_between_head_and_neck_is_a_seam() -> None:
    labels = np.full((64, 64), HEAD, np.uint8)
    labels[32:] = NECK
    smooth = gaussian_filter(np.random.default_rng(0).random((64, 64)), 4)
    smooth = 100 + 100 * (smooth - smooth.min()) / np.ptp(smooth)
    stepped = smooth + np.where(labels == NECK, 40, 0)
    as_picture = [np.repeat(p.astype(np.uint8)[..., None], 3, axis=2) for p in (smooth, stepped)]
    assert seam(as_picture[1], labels) > 2 * seam(as_picture[0], labels)
    assert np.isnan(seam(as_picture[0], np.full((64, 64), HEAD, np.uint8)))


def test_luma_weighs_the_channels_of_rec_709() -> None:
    assert _luma(np.full((2, 2, 3), 255, np.uint8)) == pytest.approx(np.ones((2, 2)))
    green = np.zeros((1, 1, 3), np.uint8)
    green[..., 1] = 255
    assert _luma(green).item() == pytest.approx(0.7152)
