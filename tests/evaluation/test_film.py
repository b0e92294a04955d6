"""The videos of held-out frames, and the picture of an error."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaussiantalker.evaluation.film import _error_picture, panels, write_films
from gaussiantalker.evaluation.held_out import Rendering
from gaussiantalker.media.video import probe


def flat(value: int) -> np.ndarray:
    return np.full((4, 6, 3), value, np.uint8)


@pytest.mark.parametrize(
    ("error", "colour"), [(0, (0, 0, 0)), (21, (252, 0, 0)), (42, (255, 249, 0)), (90, (255,) * 3)]
)
def test_small_errors_are_red_larger_ones_yellow_and_white(error: int, colour: tuple[int, ...]) -> None:
    assert _error_picture(flat(100), flat(100 + error))[0, 0].tolist() == list(colour)
    assert (_error_picture(flat(100 + error), flat(100)) == _error_picture(flat(100), flat(100 + error))).all()


@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255))
def test_a_larger_error_is_never_darker(truth: int, one: int, other: int) -> None:
    near, far = sorted((one, other), key=lambda value: abs(value - truth))
    assert (_error_picture(flat(truth), flat(near)) <= _error_picture(flat(truth), flat(far))).all()


def test_panels_are_truth_render_error() -> None:
    truth, render = flat(10), flat(200)
    beside = panels(truth, render)
    assert beside.shape == (4, 18, 3)
    assert (beside[:, :6] == truth).all() and (beside[:, 6:12] == render).all() and (beside[:, 12:] == 255).all()


def test_films_have_their_frames_and_their_sound(rendering: Rendering, tmp_path: Path) -> None:
    write_films(tmp_path, rendering)
    for name, width in (("comparison", 144), ("truth", 48), ("render", 48)):
        info = probe(tmp_path / f"{name}.mp4")
        assert (info.frames, info.has_audio, info.width, info.height) == (40, True, width, 48)
