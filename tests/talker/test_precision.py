"""Torch's setting for matrix products is the process's, and several threads may render."""

import threading

import torch

from gaussiantalker.talker import fast_products


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
