"""Torch's setting for matrix products is the process's, and several threads may render."""

import threading
from contextlib import nullcontext

import pytest
import torch

from gaussiantalker.splatting.gaussians import Gaussians
from gaussiantalker.talker import AUDIO, EYE, Drive, Talker, fast_products, find_method, render


def test_the_users_own_setting_comes_back_when_the_last_thread_is_done() -> None:
    before = torch.get_float32_matmul_precision()
    inside, leave = threading.Event(), threading.Event()

    def work() -> None:
        with fast_products():
            inside.set()
            leave.wait()

    other = threading.Thread(target=work)
    with fast_products():
        other.start()
        inside.wait()
    assert torch.get_float32_matmul_precision() == "medium", "the other thread is still at work"
    leave.set()
    other.join()
    assert torch.get_float32_matmul_precision() == before


@pytest.mark.parametrize("method", ["gaussiantalker", "gaussiantalker-star", "gstalker"])
def test_bfloat16_products_do_not_change_the_picture(method: str) -> None:
    """60 dB to the picture in single precision, where a shade of 8 bits is 48 dB."""
    torch.manual_seed(0)
    points = torch.randn(2000, 3)
    gaussians = Gaussians.from_points(points.numpy(), torch.rand(2000, 3).numpy(), sh_degree=2)
    talker = Talker(find_method(method), gaussians, speech_channels=6)
    for layer in talker.offsets.last.values():
        torch.nn.init.normal_(layer.weight, std=0.03)
    talker.eval().requires_grad_(False)
    viewmats = torch.eye(4).repeat(2, 1, 1)
    viewmats[:, 2, 3] = 8
    drive = Drive({AUDIO: torch.randn(2, 8, 16, 6), EYE: torch.rand(2)}, viewmats, torch.arange(2))
    K, plates = torch.tensor([[120.0, 0, 32], [0, 120.0, 32], [0, 0, 1]]), torch.rand(2, 64, 64, 3)
    pictures = []
    with torch.inference_mode():
        still = render(talker.canonical(), viewmats, K, plates, talker.sh_degree)[0]
        for precision in (nullcontext, fast_products):
            with precision():
                pictures.append(render(talker.deform(drive), viewmats, K, plates, talker.sh_degree)[0])
    exact, bf16 = pictures
    assert (exact - still).abs().max() > 0.02, "the offsets must be seen, or nothing is tested"
    assert -10 * torch.log10((exact - bf16).square().mean()) > 60
