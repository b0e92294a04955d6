"""SSIM and its gradient (Triton): the GPU's twin of `ssim_kernel`, a program per block of one plane's pixels.

In single precision throughout: the tensor cores' shorter numbers, which torch's convolutions may take, are too coarse
for differences of squares.
"""

from functools import cache

import torch
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

from gaussiantalker.splatting.ssim import C1, C2, TAPS, window_weights
from gaussiantalker.splatting.triton_launch import jit, on_threads

ACROSS, DOWN = 32, 8

_TAPS, _HALF = tl.constexpr(TAPS), tl.constexpr(TAPS // 2)
_C1, _C2 = tl.constexpr(C1), tl.constexpr(C2)


def planes_ssim(x: Tensor, y: Tensor) -> Tensor:
    """Mean SSIM [C] of planes [C, H, W] in [0, 1], zeros beyond the border."""
    return _Ssim.apply(x, y)


class _Ssim(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, y):
        x, y = (p.detach().contiguous() for p in (x, y))
        sums, maps = _forward(x, y, ctx.needs_input_grad[0])
        # The kernel knows the derivatives to its first picture only.
        other = _forward(y, x, True)[1] if ctx.needs_input_grad[1] else None
        ctx.saved = x, y, maps, other
        return (sums.sum(1, dtype=torch.float64) / x[0].numel()).float()

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        x, y, maps, other = ctx.saved
        scale = (grad / x[0].numel()).contiguous()
        return (
            _backward(x, y, maps, scale) if ctx.needs_input_grad[0] else None,
            _backward(y, x, other, scale) if ctx.needs_input_grad[1] else None,
        )


@cache
def _window(device: torch.device) -> Tensor:
    return torch.from_numpy(window_weights()).float().to(device)


def _grid(planes: Tensor) -> tuple[int, int]:
    count, height, width = planes.shape
    return -(-width // ACROSS) * -(-height // DOWN), count


def _forward(x: Tensor, y: Tensor, keep: bool) -> tuple[Tensor, Tensor]:
    """Sums of SSIM over blocks [C, blocks]; where `keep`, the derivatives to the blurred x, x^2 and xy [3, C, H, W]."""
    count, height, width = x.shape
    grid = _grid(x)
    sums, maps = x.new_empty(count, grid[0]), x.new_empty(3, *(x.shape if keep else (0,)))
    with torch.cuda.device_of(x):
        _similarity[grid](
            x, y, _window(x.device), sums, maps, height, width, x.numel(),
            KEEP=keep, ACROSS=ACROSS, DOWN=DOWN, **on_threads(256),
        )  # fmt: skip
    return sums, maps


def _backward(x: Tensor, y: Tensor, maps: Tensor, scale: Tensor) -> Tensor:
    result = torch.empty_like(x)
    _, height, width = x.shape
    with torch.cuda.device_of(x):
        _similarity_gradient[_grid(x)](
            x, y, maps, scale, _window(x.device), result, height, width, x.numel(),
            ACROSS=ACROSS, DOWN=DOWN, **on_threads(256),
        )  # fmt: skip
    return result


@jit(do_not_specialize=["height", "width", "size"])
def _similarity(
    x, y, window, sums, maps, height, width, size, KEEP: tl.constexpr, ACROSS: tl.constexpr, DOWN: tl.constexpr
):  # fmt: skip
    """Sums [C, blocks] of the similarity, and where KEEP its derivatives [3, C, H, W]; the grid is blocks by planes."""
    blocks_across = (width + ACROSS - 1) // ACROSS
    block, plane = tl.program_id(0), tl.program_id(1).to(tl.int64)
    lane = tl.arange(0, ACROSS * DOWN)
    column = (block % blocks_across) * ACROSS + lane % ACROSS
    row = (block // blocks_across) * DOWN + lane // ACROSS
    shown = (column < width) & (row < height)
    zero = lane * 0.0
    mean_x, mean_y, xx, yy, xy = zero, zero, zero, zero, zero
    for i in range(_TAPS):
        down = row + i - _HALF
        weight_down = tl.load(window + i)
        reached = (down >= 0) & (down < height)
        for k in tl.static_range(_TAPS):  # pyright: ignore[reportGeneralTypeIssues]
            right = column + k - _HALF
            inside = reached & (right >= 0) & (right < width)
            at = plane * height * width + down * width + right
            a, b = tl.load(x + at, mask=inside, other=0.0), tl.load(y + at, mask=inside, other=0.0)
            weight = weight_down * tl.load(window + k)
            weighted_a, weighted_b = a * weight, b * weight
            mean_x += weighted_a
            mean_y += weighted_b
            xx += weighted_a * a
            yy += weighted_b * b
            xy += weighted_a * b
    between, squares = mean_x * mean_y, mean_x * mean_x + mean_y * mean_y
    a1, a2 = 2.0 * between + _C1, 2.0 * (xy - between) + _C2
    b1, b2 = squares + _C1, xx + yy - squares + _C2
    inverse = 1.0 / (b1 * b2)
    value = a1 * a2 * inverse
    tl.store(sums + plane * tl.num_programs(0) + block, tl.sum(tl.where(shown, value, 0.0), 0))
    if KEEP:
        at = plane * height * width + row * width + column
        to_mean = 2.0 * mean_y * (a2 - a1) * inverse - 2.0 * mean_x * value * (b2 - b1) * inverse
        tl.store(maps + at, to_mean, mask=shown)
        tl.store(maps + size + at, -value * b1 * inverse, mask=shown)
        tl.store(maps + 2 * size + at, 2.0 * a1 * inverse, mask=shown)


@jit(do_not_specialize=["height", "width", "size"])
def _similarity_gradient(
    x, y, maps, scale, window, result, height, width, size, ACROSS: tl.constexpr, DOWN: tl.constexpr
):  # fmt: skip
    """The gradient to x, when the sum of the similarity over plane c has the gradient scale[c]: the window is
    symmetric, so the derivatives go back through the same blur."""
    blocks_across = (width + ACROSS - 1) // ACROSS
    block, plane = tl.program_id(0), tl.program_id(1).to(tl.int64)
    lane = tl.arange(0, ACROSS * DOWN)
    column = (block % blocks_across) * ACROSS + lane % ACROSS
    row = (block // blocks_across) * DOWN + lane // ACROSS
    shown = (column < width) & (row < height)
    zero = lane * 0.0
    to_mean, to_xx, to_xy = zero, zero, zero
    for i in range(_TAPS):
        down = row + i - _HALF
        weight_down = tl.load(window + i)
        reached = (down >= 0) & (down < height)
        for k in tl.static_range(_TAPS):  # pyright: ignore[reportGeneralTypeIssues]
            right = column + k - _HALF
            inside = reached & (right >= 0) & (right < width)
            at = plane * height * width + down * width + right
            weight = weight_down * tl.load(window + k)
            to_mean += weight * tl.load(maps + at, mask=inside, other=0.0)
            to_xx += weight * tl.load(maps + size + at, mask=inside, other=0.0)
            to_xy += weight * tl.load(maps + 2 * size + at, mask=inside, other=0.0)
    at = plane * height * width + row * width + column
    a, b = tl.load(x + at, mask=shown, other=0.0), tl.load(y + at, mask=shown, other=0.0)
    tl.store(result + at, (to_mean + 2.0 * a * to_xx + b * to_xy) * tl.load(scale + plane), mask=shown)
