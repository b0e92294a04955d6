"""Who is the background's and not the person's."""

from dataclasses import replace

import torch
from puppet import a_puppet

from gaussiantalker.export.strangers import strangers
from gaussiantalker.splatting.gaussians import Gaussians
from gaussiantalker.talker import Blendshapes


def test_dots_at_the_rim_that_look_like_the_background_are_strangers() -> None:
    """A red ball before blue, round which a rim of blue dots has grown; some in its middle are blue like eyes."""
    avatar, count, blue = a_puppet(), 600, torch.tensor([0.1, 0.2, 0.9])
    directions = torch.nn.functional.normalize(torch.randn(count, 3), dim=1)
    colours = torch.tensor([0.9, 0.2, 0.1]).repeat(count, 1)
    side = directions[:, :2].norm(dim=1)
    rim, middle = side > 0.97, (side < 0.25) & (directions[:, 2] < 0)
    colours[rim | middle] = blue + 0.02
    ball = Gaussians.from_points(
        (directions * (1 + 0.15 * rim[:, None])).numpy(), colours.numpy(), opacity=0.9, sh_degree=0
    )
    ball.log_scales -= 1
    bases, reach = torch.zeros(6, 1, 14, dtype=torch.int8), torch.ones(1, 14)
    shapes = Blendshapes(ball, avatar.blendshapes.moved, bases, reach, avatar.blendshapes.coefficients)
    avatar.torso.background[:] = blue
    for part in (avatar.torso.texture, avatar.torso.shades):  # nobody is below
        part.zero_()
    still = replace(avatar.motion, rotations=torch.eye(3).repeat(50, 1, 1).numpy())
    found = strangers(replace(avatar, blendshapes=shapes, motion=still))
    assert found[rim].float().mean() > 0.9
    assert not found[middle].any() and found[~rim].float().mean() < 0.02
