"""The mark is seen by nobody and found by the detector in what is left of a film; chance is not taken for it."""

import io

import av
import numpy as np
import pytest
from marked_pictures import PAYLOAD, SIDE, marked, scene
from PIL import Image
from scipy.stats import norm

from gaussiantalker.provenance.detection import Mark, detect
from gaussiantalker.provenance.watermark import PAYLOAD_BITS, TOOL, TOOL_BITS, pattern


def encoded(pictures: list[np.ndarray], crf: int) -> list[np.ndarray]:
    film = io.BytesIO()
    with av.open(film, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": str(crf)})
        stream.height, stream.width, stream.pix_fmt = *pictures[0].shape[:2], "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
        container.mux(stream.encode(None))
    film.seek(0)
    with av.open(film) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def jpeg(picture: np.ndarray) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=70)
    return np.asarray(Image.open(file))


def resized(picture: np.ndarray, side: int) -> np.ndarray:
    return np.asarray(Image.fromarray(picture).resize((side, side), Image.Resampling.BICUBIC))


def test_nobody_sees_it() -> None:
    before = scene()
    error = np.mean([(a.astype(float) - b) ** 2 for a, b in zip(before, marked(before), strict=True)])
    assert 10 * np.log10(255**2 / error) >= 45


def test_no_colour_wraps_around() -> None:
    edge = np.zeros((SIDE, SIDE, 3), np.uint8)
    assert marked([edge])[0].max() < 10
    assert marked([255 - edge])[0].min() > 245


ATTACKS = {
    "nothing": lambda pictures: pictures,
    "H.264 at CRF 28": lambda pictures: encoded(pictures, 28),
    "three quarters of its size": lambda pictures: encoded([resized(p, SIDE * 3 // 4) for p in pictures], 23),
    "larger": lambda pictures: [resized(p, SIDE * 4 // 3) for p in pictures],
    "a tenth cut off": lambda pictures: encoded([p[22:-16, 6:-32] for p in pictures], 23),
    "JPEG 70": lambda pictures: [jpeg(p) for p in pictures],
    "brighter": lambda pictures: [(p * 0.8 + 50).astype(np.uint8) for p in pictures],
    "one picture": lambda pictures: pictures[:1],
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_it_survives(attack: str) -> None:
    found = detect(ATTACKS[attack](marked(scene())))
    assert found.sure and found.payload == PAYLOAD


def test_the_scale_is_told() -> None:
    assert detect([resized(p, 288) for p in marked(scene())]).scale == pytest.approx(0.75, abs=0.004)


@pytest.mark.parametrize("seed", range(4))
def test_chance_is_not_taken_for_it(seed: int) -> None:
    assert not detect(scene(seed)).found


def test_the_bound_is_that_of_all_that_is_compared() -> None:
    """A tail beyond it, times scales, places and payloads, is a millionth."""
    needed = Mark(0, 0.0, 1.0, True).needed
    assert 1e-7 < norm.sf(needed) * 150 * 7 * 64**2 * 2.0 ** (PAYLOAD_BITS - TOOL_BITS) < 2e-6


def test_another_tool_s_mark_is_not_ours() -> None:
    assert Mark(PAYLOAD, 100.0, 1.0, ours=True).found
    assert not Mark(PAYLOAD, 100.0, 1.0, ours=False).found


def test_each_payload_has_a_pattern_of_its_own() -> None:
    one, other = (pattern(payload).astype(float).ravel() for payload in (PAYLOAD, PAYLOAD ^ (1 << 39)))
    assert np.corrcoef(one, other)[0, 1] < 0.95
    assert TOOL < 1 << TOOL_BITS


def test_nothing_cannot_be_searched() -> None:
    with pytest.raises(ValueError, match="no pictures"):
        detect([])
