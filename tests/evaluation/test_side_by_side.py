"""Several avatars in one page."""

import json
from pathlib import Path

import pytest

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.evaluation import compare
from gaussiantalker.evaluation.record import Measured


def evaluated(folder: Path, psnr: float, latency: float, size: int = 256) -> Path:
    folder.mkdir()
    metrics = {
        "psnr_head": Measured("PSNR, head", psnr, "dB", "higher"),
        "latency_p50": Measured("Time", latency, "ms", "lower"),
        "lse_c": Measured("LSE-C", None, note="no weights"),
    }
    result = {
        "capture": "me",
        "size": size,
        "held_out": [90, 100],
        "hardware": {"processor": "any"},
        "metrics": {key: value.as_json() for key, value in metrics.items()},
    }
    (folder / "evaluation.json").write_text(json.dumps(result))
    (folder / "comparison.mp4").write_bytes(b"video")
    return folder


def test_the_better_value_is_bold_and_missing_ones_are_left_out(tmp_path: Path) -> None:
    avatars = [evaluated(tmp_path / "one", 30, 20), evaluated(tmp_path / "two & three", 31, 40)]
    result = json.loads((avatars[0] / "evaluation.json").read_text())
    result["metrics"]["fid"] = Measured("FID", 7, "", "lower").as_json()
    (avatars[0] / "evaluation.json").write_text(json.dumps(result))
    page = compare(avatars, tmp_path / "compare.html").read_text()
    assert "<td>7</td><td>–</td>" in page, "one alone is not the best"
    assert "<td>30</td><td><b>31</b></td>" in page and "<td><b>20</b></td><td>40</td>" in page
    assert "two &amp; three" in page and "LSE-C" not in page and "$" not in page
    assert "not comparable" not in page


def test_different_frames_are_told(tmp_path: Path) -> None:
    avatars = [evaluated(tmp_path / "one", 30, 20), evaluated(tmp_path / "two", 31, 40, size=512)]
    assert "not comparable" in compare(avatars, tmp_path / "compare.html").read_text()


def test_mistakes(tmp_path: Path) -> None:
    one = evaluated(tmp_path / "one", 30, 20)
    with pytest.raises(GaussianTalkerError, match="at least two"):
        compare([one], tmp_path / "compare.html")
    with pytest.raises(GaussianTalkerError, match="was not evaluated yet"):
        compare([one, tmp_path], tmp_path / "compare.html")
    assert not (tmp_path / "compare.html").exists()


def test_only_a_page_of_its_own_is_replaced(tmp_path: Path) -> None:
    avatars = [evaluated(tmp_path / "one", 30, 20), evaluated(tmp_path / "two", 31, 40)]
    page = compare(avatars, tmp_path / "compare.html")
    assert compare(avatars, page) == page
    page.write_text("<title>My own page</title>")
    with pytest.raises(GaussianTalkerError, match="is not a page that compare wrote"):
        compare(avatars, page)
    assert "My own" in page.read_text()
    assert "side by side" in compare(avatars, page, force=True).read_text()
    with pytest.raises(GaussianTalkerError, match="is a folder"):
        compare(avatars, tmp_path, force=True)
