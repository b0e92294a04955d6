"""Pictures come out as a player shows them: whole, upright, with square pixels, in the colours they were meant in."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from specimens import Pictures, write_film

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.media import hdr, video
from gaussiantalker.media.pictures import _turned

SKIN = (196, 124, 120)


def disc(width: int, height: int) -> np.ndarray:
    """A white disc on black, as wide as high on pixels that are stretched to a square."""
    y, x = np.mgrid[:height, :width]
    inside = ((x + 0.5) / width - 0.5) ** 2 + ((y + 0.5) / height - 0.5) ** 2 < 0.09
    return np.repeat(inside[..., None] * 255, 3, -1).astype(np.uint8)


@pytest.mark.parametrize(("width", "height", "aspect"), [(96, 128, "4:3"), (128, 96, "3:4"), (90, 72, "16:15")])
def test_pixels_that_are_not_square(tmp_path: Path, width: int, height: int, aspect: str) -> None:
    ratio = np.divide(*map(int, aspect.split(":")))
    size = (round(height / ratio), width) if ratio < 1 else (height, round(width * ratio))
    attributes = {"sample_aspect_ratio": Fraction(aspect.replace(":", "/"))}
    path = write_film(tmp_path / "a.mp4", Pictures([disc(width, height)] * 3, attributes=attributes))
    told: list[str] = []
    image = [*video.read_frames(path, told=told)][1]
    info = video.probe(path)
    assert image.shape[:2] == size == (info.height, info.width)
    rows, columns = (np.ptp(np.flatnonzero(image[..., 1].max(axis) > 128)) + 1 for axis in (1, 0))
    assert columns / rows == pytest.approx(size[1] / size[0], abs=0.06)
    assert told == [f"its pixels are not square; pictures were stretched to {size[1]} x {size[0]}"]


def encoded(light: np.ndarray, transfer: int) -> np.ndarray:
    """R'G'B' signals of BT.2020 light in nits, by the forward formulas of BT.2100."""
    if transfer == hdr.PQ:
        y = (light / 10_000) ** 0.1593017578125
        return ((0.8359375 + 18.8515625 * y) / (1 + 18.6875 * y)) ** 78.84375
    scene = (light / 1000) ** (1 / 1.2)
    logarithm = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), logarithm)


@pytest.mark.parametrize("transfer", [hdr.PQ, hdr.HLG])
@pytest.mark.parametrize("white", [100.0, 203.0])
def test_hdr_becomes_what_sdr_was(tmp_path: Path, transfer: int, white: float) -> None:
    colours = np.array([SKIN, (250, 250, 250), (60, 60, 60), (40, 90, 150)], np.uint8)
    shown = np.repeat(np.repeat(colours.reshape(2, 2, 3), 32, 0), 32, 1)
    light = white * (shown / 255) ** 2.4 @ np.linalg.inv(hdr._TO_709).T
    signal = np.round(encoded(np.maximum(light, 0), transfer) * 65535).astype(np.uint16)
    wide = av.VideoFrame.from_ndarray(signal, format="rgb48le")
    frames = [wide.reformat(format="yuv420p10le", dst_colorspace=9) for _ in range(3)]
    tags = {"color_primaries": 9, "color_trc": transfer, "colorspace": 9, "color_range": 1}
    pictures = Pictures(frames, pix_fmt="yuv420p10le", attributes=tags)
    told: list[str] = []
    image = [*video.read_frames(write_film(tmp_path / "a.mp4", pictures), told=told)][1].astype(int)
    for colour, (row, column) in zip(colours.astype(int), ((16, 16), (16, 48), (48, 16), (48, 48)), strict=True):
        assert np.abs(image[row - 4 : row + 4, column - 4 : column + 4].mean((0, 1)) - colour).max() < 7, colour
    assert "was brought to BT.709" in told[0]


def test_brighter_than_white_is_pressed_together() -> None:
    light = np.linspace(0, 1000, 200)
    signal = np.repeat(encoded(light, hdr.PQ)[:, None], 3, 1)
    shown = hdr._to_709(signal, hdr.PQ, 203.0)[:, 0]
    assert (np.diff(shown) >= 0).all() and shown[-1] <= 1
    assert 0.95 < np.interp(203, light, shown) < 0.99


def comb(image: np.ndarray) -> float:
    """How much more neighbouring lines differ than every other line."""
    rows = image[..., 1].astype(float)
    return float(np.abs(np.diff(rows, axis=0)).mean() - np.abs(rows[2:] - rows[:-2]).mean() / 2)


def test_interlaced_pictures_have_no_combs(tmp_path: Path) -> None:
    fields = [np.full((96, 160, 3), 30, np.uint8) for _ in range(40)]
    for k, field in enumerate(fields):
        field[:, 3 * k : 3 * k + 24] = 220
    woven = [a.copy() for a in fields[::2]]
    for picture, later in zip(woven, fields[1::2], strict=True):
        picture[1::2] = later[1::2]
    options = {"flags": "+ildct+ilme", "x264-params": "tff=1", "crf": "4"}
    path = write_film(tmp_path / "a.mp4", Pictures(woven, options=options))
    told: list[str] = []
    back = [*video.read_frames(path, told=told)]
    assert len(back) == 20 and "interlaced" in told[0]
    assert comb(woven[10]) > 6 and max(map(comb, back[2:-2])) < 2
    errors = [np.abs(back[10].astype(int) - field).mean() for field in fields]
    assert min(errors) < 1 and int(np.argmin(errors)) in (20, 21), "the picture of the first field's time"


def test_a_size_that_changes_keeps_the_first_or_is_refused(tmp_path: Path) -> None:
    parts = {}
    for name, size, start in (("large", (96, 128), 0), ("small", (48, 64), 2), ("tall", (128, 96), 2)):
        pictures = Pictures([disc(size[1], size[0])] * 50, start=start, options={"crf": "8", "bf": "0"})
        parts[name] = write_film(tmp_path / f"{name}.ts", pictures).read_bytes()
    (tmp_path / "same.ts").write_bytes(parts["large"] + parts["small"])
    told: list[str] = []
    back = [*video.read_frames(tmp_path / "same.ts", told=told)]
    assert len(back) == pytest.approx(100, abs=2) and {image.shape for image in back} == {(96, 128, 3)}
    assert np.abs(back[10].astype(int) - back[-10]).mean() < 8
    assert told == ["pictures change from 128 x 96 to 64 x 48; brought to the first size"]
    (tmp_path / "other.ts").write_bytes(parts["large"] + parts["tall"])
    with pytest.raises(GaussianTalkerError, match=r"other\.ts change from 128 x 96 to 96 x 128 at .*cut the film"):
        [*video.read_frames(tmp_path / "other.ts")]


MATRICES = [np.array([[a, 0], [0, d]]) for a in (1, -1) for d in (1, -1)]
MATRICES += [np.array([[0, b], [c, 0]]) for b in (1, -1) for c in (1, -1)]


@pytest.mark.parametrize("matrix", MATRICES, ids=str)
def test_turned_and_mirrored_as_the_matrix_says(tmp_path: Path, matrix: np.ndarray) -> None:
    """A mark at (x, y) from the middle lies at (x, y) times the matrix afterwards, both y down."""
    image = np.zeros((64, 96, 3), np.uint8)
    image[8:16, 72:88] = 255
    path = write_film(tmp_path / "a.mp4", Pictures([image] * 3))
    data = bytearray(path.read_bytes())
    place = data.index(b"tkhd") + 44
    (a, b), (c, d) = (matrix * 65536).tolist()
    data[place : place + 36] = np.array([a, b, 0, c, d, 0, 0, 0, 1 << 30], ">i4").tobytes()
    path.write_bytes(bytes(data))
    back = next(video.read_frames(path))
    assert np.abs(back.astype(int) - _turned(image, matrix)).mean() < 4
    height, width = back.shape[:2]
    ys, xs = np.nonzero(back[..., 1] > 128)
    middle = np.array([80 - 48, 12 - 32]) @ matrix
    assert np.allclose([xs.mean() + 0.5 - width / 2, ys.mean() + 0.5 - height / 2], middle, atol=1)
    assert (video.probe(path).width, video.probe(path).height) == (width, height)
