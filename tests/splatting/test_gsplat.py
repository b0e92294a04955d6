"""gsplat itself needs a GPU; here its documented shapes are held against a stand-in, and its absence against words."""

import sys
from types import ModuleType

import pytest
import torch
from gaussian_scenes import cameras, scene

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.splatting import gsplat, rasterize


def stand_in(means, quats, scales, opacities, colors, viewmats, Ks, width, height, *, packed, **options):
    """`gsplat.rasterization`: attributes [..., N, C], cameras [..., C, 4, 4], pictures [..., C, H, W, 3]."""
    assert not packed
    attributes, options = (means, quats, scales, opacities, colors), options | {"backend": "reference"}
    if means.ndim == 2:
        return rasterize(*attributes, viewmats, Ks, width, height, **options)
    assert viewmats.shape == (len(means), 1, 4, 4)
    image, alpha, info = rasterize(*attributes, viewmats[:, 0], Ks[:, 0], width, height, **options)
    return image[:, None], alpha[:, None], {name: info[name][:, None] for name in ("means2d", "radii", "depths")}


@pytest.mark.parametrize("sets", [1, 2])
@pytest.mark.parametrize("background", [(2, 3), (2, 12, 16, 3)])
def test_frames_cameras_and_backgrounds_are_passed_as_gsplat_wants_them(monkeypatch, sets, background):
    monkeypatch.setattr(gsplat, "_rasterization", lambda device: stand_in)
    viewmats, Ks = cameras(2, 16, 12)
    inputs = scene(0, 20, 1, sets, frozenset()) | {"backgrounds": torch.rand(background)}
    size = {"viewmats": viewmats, "Ks": Ks, "width": 16, "height": 12, "sh_degree": 1}
    image, alpha, info = rasterize(**inputs, **size, backend="gsplat")
    expected, covered, _ = rasterize(**inputs, **size, backend="reference")
    torch.testing.assert_close(image, expected)
    torch.testing.assert_close(alpha, covered)
    assert info["radii"].reshape(2, -1, 2).shape == (2, 20, 2)


def test_without_gsplat_the_remedy_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "gsplat", None)
    with pytest.raises(GaussianTalkerError, match=r"pip install 'gaussiantalker\[gsplat\]'"):
        gsplat._rasterization(torch.device("cuda"))


def test_a_build_that_fails_is_said(monkeypatch):
    def fails(*_, **__):
        raise RuntimeError("ninja: build stopped\nand a hundred lines more")

    module = ModuleType("gsplat")
    module.rasterization = fails
    monkeypatch.setitem(sys.modules, "gsplat", module)
    with pytest.raises(GaussianTalkerError, match="CUDA toolkit") as caught:
        gsplat._rasterization(torch.device("cuda"))
    assert "\n" not in str(caught.value)
