"""The parser licensed for any use sees what the other one sees."""

from pathlib import Path

import numpy as np
import pytest
import torch

from gaussiantalker.capture import capture
from gaussiantalker.capture.bisenet import BiSeNetParser
from gaussiantalker.capture.segmentation import BACKGROUND, HEAD, NECK, TORSO
from gaussiantalker.capture.selfie import SelfieParser, _clothed
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.media.image import resize
from gaussiantalker.media.video import read_frames

SAMPLE = Path(__file__).parents[2] / "samples" / "speaker.mp4"


def test_nothing_below_clothes_is_background() -> None:
    labels = np.full((6, 4), BACKGROUND)
    labels[1, 1], labels[2, 2], labels[2, 3], labels[5, 2] = NECK, TORSO, HEAD, HEAD
    scores = torch.full((4, 6, 4), -5.0).scatter(0, torch.from_numpy(labels)[None], -0.1)
    expected = labels.copy()
    expected[2:, 1] = expected[3:5, 2] = TORSO
    assert (_clothed(scores).argmax(0).numpy() == expected).all()


def test_both_parsers_agree_on_the_sample(model: object) -> None:
    picture = next(read_frames(SAMPLE))
    seen = {}
    for kind, name in ((SelfieParser, "selfie-multiclass"), (BiSeNetParser, "face-parser")):
        best = kind(Path(model(name))).scores(picture).argmax(0).numpy().astype(np.uint8)
        seen[kind] = np.stack([resize((best == part) * np.uint8(255), (64, 64)) > 127 for part in range(4)])
    both, either = (method(*seen.values()).sum((1, 2)) for method in (np.logical_and, np.logical_or))
    assert (both / either)[[BACKGROUND, HEAD]].min() > 0.92, both / either
    assert (both / either)[[NECK, TORSO]].min() > 0.75, both / either


def test_another_parser_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GaussianTalkerError, match="no parser 'unet': choose one of bisenet, selfie"):
        capture(SAMPLE, tmp_path / "out", parser="unet")
    assert not (tmp_path / "out").exists()
