import numba

from gaussiantalker.splatting import compositing, cpu, harmonics, projection, ssim_kernel


class Notes:
    def __init__(self) -> None:
        self.notes: list[str] = []

    def stage(self, name: str, total: int) -> None: ...

    def update(self, done: int, **numbers: float) -> None: ...

    def note(self, text: str) -> None:
        self.notes.append(text)


def test_kernels_are_compiled_beforehand_and_the_wait_is_announced(monkeypatch, tmp_path):
    cpu.prepare()
    kernels = [compositing.forward, compositing.backward, projection.project, projection.project_gradient]
    kernels += [harmonics.shade, harmonics.shade_gradient]
    kernels += [ssim_kernel.forward, ssim_kernel.backward]
    assert all(len(kernel.signatures) == 1 for kernel in kernels)
    second = Notes()
    cpu.prepare(second)
    assert second.notes == []
    assert all(len(kernel.signatures) == 1 for kernel in kernels), "every picture uses the same machine code"
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    elsewhere = Notes()
    cpu.prepare(elsewhere)
    assert "once" in elsewhere.notes[0]
