"""Labels are steady, and free of crumbs."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gaussiantalker.capture import segmentation
from gaussiantalker.capture.bisenet import _BiSeNet, _fused, _load_net
from gaussiantalker.capture.segmentation import HEAD, NECK, STEP, _clean, _head_overlap, _key_frames, _stretches


@given(st.integers(1, 200))
def test_every_frame_lies_between_keyframes(count: int) -> None:
    keys = _key_frames(count)
    assert keys[0] == 0 and keys[-1] == count - 1 and (np.diff(keys) <= STEP).all() and len(set(keys)) == len(keys)


@pytest.mark.parametrize("count", [1, 2, STEP + 1, 3 * STEP + 2])
def test_scores_glide_from_any_frame_on(count: int) -> None:
    parsed = []

    def parse(k: int) -> torch.Tensor:
        """Heads that grow with every frame, so that no two have the same labels."""
        parsed.append(k)
        scores = torch.full((4, 2, 2), float(k))
        scores[HEAD] += torch.tensor([k + 1.0, k - count])
        return scores

    def labels(stretches: list, first: int) -> np.ndarray:
        shown = [segmentation._labels(parse, stretch, first, 32, corners=True) for stretch in stretches]
        return np.concatenate(shown) if shown else np.zeros((0, 32, 32), np.uint8)

    whole = labels([*_stretches(parse, _key_frames(count), 0, workers=1)], 0)
    assert len(whole) == count and len(np.unique(whole, axis=0)) == count
    for first in range(count + 1):
        parsed.clear()
        stretches = [*_stretches(parse, _key_frames(count), first, workers=1)]
        scores = [segmentation._gliding(parse, stretch)[:, 0, 0, 0] for stretch in stretches]
        expected = torch.arange(stretches[0][0][0] + 1, count) if stretches else torch.zeros(0)
        assert torch.allclose(torch.cat(scores or [torch.zeros(0)]), expected.float())
        assert np.array_equal(labels(stretches, first), whole[first:])
        assert min(parsed, default=first) >= first - STEP, "what was written is not parsed again"


def test_a_head_that_moves_much_is_parsed_more_often() -> None:
    def parse(k: int) -> torch.Tensor:
        parsed.append(k)
        out = torch.zeros(4, 16, 16)
        out[HEAD, :, min(k * speed, 8) : min(k * speed, 8) + 6] = 1
        return out

    for speed, times in ((0, 3), (1, 4)):
        parsed = []
        stretches = _stretches(parse, _key_frames(2 * STEP + 1), 0, workers=1)
        assert sum(len(segmentation._gliding(parse, stretch)) for stretch in stretches) == 2 * STEP + 1
        assert len(parsed) >= times if speed else len(parsed) == times


def test_overlap_of_heads() -> None:
    a, b = torch.zeros(4, 8, 8), torch.zeros(4, 8, 8)
    assert _head_overlap(a, b) == 1
    a[HEAD, :, :4], b[HEAD, :, 2:6] = 1, 1
    assert _head_overlap(a, b) == pytest.approx(1 / 3) and _head_overlap(a, a) == 1


def test_islands_take_the_next_best_class() -> None:
    scores = np.zeros((4, 60, 60), np.float32)
    scores[0] = 1
    scores[HEAD, 10:40, 10:40] = 3
    scores[HEAD, 50:58, 50:58] = 3
    scores[NECK, 48:60, 48:60] = 2
    scores[NECK, 5, 50] = 9
    labels = _clean(scores)
    assert (labels[10:40, 10:40] == HEAD).all() and (labels == HEAD).sum() == 900
    assert (labels[50:58, 50:58] == NECK).all(), "a second head is none"
    assert labels[5, 50] == 0


def test_islands_of_large_pictures_leave_no_rim() -> None:
    rng = np.random.default_rng(2)
    scores = np.zeros((4, 300, 301), np.float32)
    scores[0] = 1
    y, x = np.mgrid[:300, :301]
    scores[HEAD, (y - 120) ** 2 + (x - 150) ** 2 < 80**2] = 3
    for row, column in rng.integers([225, 10], [290, 290], (6, 2)):
        scores[HEAD, (y - row) ** 2 + (x - column) ** 2 < 7**2] = 2
    labels = _clean(scores)
    assert (labels[205:] == 0).all()
    assert (labels == HEAD)[:205].sum() == (scores[HEAD] == 3).sum()


def test_folded_network_is_the_same_function() -> None:
    torch.manual_seed(0)
    net = _BiSeNet().eval()
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
    x = torch.rand(1, 3, 64, 96)
    with torch.inference_mode():
        before = net(x).clone()
        after = _fused(net)(x)
    assert before.shape == (1, 19, 8, 12)
    assert torch.allclose(before, after, atol=1e-4)


def test_checkpoint_fits(model: object) -> None:
    net = _load_net(Path(model("face-parser")))
    with torch.inference_mode():
        assert net(torch.zeros(1, 3, 64, 64)).shape == (1, 19, 8, 8)
