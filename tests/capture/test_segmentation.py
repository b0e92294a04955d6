"""Labels are steady, and free of crumbs."""

from pathlib import Path

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from gaussiantalker.capture.parser import BiSeNet, _fused
from gaussiantalker.capture.segmentation import HEAD, NECK, _in_between, _steadied, clean, key_frames


@given(st.integers(1, 200))
def test_every_frame_lies_between_keyframes(count: int) -> None:
    keys = key_frames(count)
    assert keys[0] == 0 and keys[-1] == count - 1 and (np.diff(keys) <= 3).all() and len(set(keys)) == len(keys)
    scores = iter([torch.full((4, 2, 2), float(k)) for k in keys])
    frames = torch.cat(list(_in_between(scores, count)))
    assert torch.allclose(frames[:, 0, 0, 0], torch.arange(count, dtype=torch.float32))


def test_steadying_averages_three_and_keeps_the_mean() -> None:
    flicker = [torch.tensor(float(v)) for v in (0, 1, 0, 1, 0, 1)]
    steady = torch.stack(list(_steadied(iter(flicker))))
    assert len(steady) == 6 and steady[1:-1].std() < 1e-6


def test_islands_take_the_next_best_class() -> None:
    scores = np.zeros((4, 60, 60), np.float32)
    scores[0] = 1
    scores[HEAD, 10:40, 10:40] = 3
    scores[HEAD, 50:58, 50:58] = 3
    scores[NECK, 48:60, 48:60] = 2
    scores[NECK, 5, 50] = 9
    labels = clean(scores)
    assert (labels[10:40, 10:40] == HEAD).all() and (labels == HEAD).sum() == 900
    assert (labels[50:58, 50:58] == NECK).all(), "a second head is none"
    assert labels[5, 50] == 0


def test_folded_network_is_the_same_function() -> None:
    torch.manual_seed(0)
    net = BiSeNet().eval()
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
    from gaussiantalker.capture.parser import load_parser

    net = load_parser(Path(model("face-parser")))
    with torch.inference_mode():
        assert net(torch.zeros(1, 3, 64, 64)).shape == (1, 19, 8, 8)
