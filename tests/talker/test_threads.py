"""A server's threads use one talker at once."""

import threading

import pytest
import torch
from torch import Tensor

from gaussiantalker.splatting.gaussians import Gaussians
from gaussiantalker.talker import AUDIO, EYE, Drive, Talker, fast_products, find_method, render

THREADS, ROUNDS = 4, 3


def a_drive(seed: int) -> Drive:
    generator = torch.Generator().manual_seed(seed)
    viewmats = torch.eye(4).repeat(2, 1, 1)
    viewmats[:, 2, 3] = 8
    contexts, blink = torch.randn(2, 8, 16, 6, generator=generator), torch.rand(2, generator=generator)
    return Drive({AUDIO: contexts, EYE: blink}, viewmats, torch.arange(2))


@pytest.mark.parametrize("method", ["gaussiantalker", "gstalker", "egstalker"])
def test_threads_that_render_at_once_get_what_each_would_alone(method: str) -> None:
    torch.manual_seed(0)
    gaussians = Gaussians.from_points(torch.randn(300, 3).numpy(), torch.rand(300, 3).numpy(), sh_degree=1)
    talker = Talker(find_method(method), gaussians, speech_channels=6)
    for parameter in talker.offsets.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)
    talker.eval().requires_grad_(False)
    K, plates = torch.tensor([[60.0, 0, 16], [0, 60.0, 16], [0, 0, 1]]), torch.rand(2, 32, 32, 3)

    @torch.inference_mode()
    @fast_products()
    def picture(seed: int) -> Tensor:
        drive = a_drive(seed)
        return render(talker.deform(drive), drive.viewmats, K, plates, talker.sh_degree)[0]

    alone = [picture(seed) for seed in range(THREADS)]
    talker.train().eval()  # what is computed once must be computed by all at once
    start, together = threading.Barrier(THREADS), {}

    def work(seed: int) -> None:
        torch.set_num_threads(1 + seed % 2)
        start.wait()
        together[seed] = [picture(seed) for _ in range(ROUNDS)]

    workers = [threading.Thread(target=work, args=(seed,)) for seed in range(THREADS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for seed, expected in enumerate(alone):
        for seen in together[seed]:
            torch.testing.assert_close(seen, expected, rtol=1e-5, atol=1e-5)
    assert (alone[0] - alone[1]).abs().max() > 1e-3, "the frames must differ, or nothing is tested"
