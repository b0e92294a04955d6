"""The head from where nobody filmed it: a camera that goes from left to right round one spoken moment.

python examples/06_another_camera.py AVATAR SOUND SECOND FILM.mp4
"""

import sys

import numpy as np
import torch

import gaussiantalker as gt
from gaussiantalker.export import head
from gaussiantalker.geometry import Camera, from_yaw_pitch_roll, rigid
from gaussiantalker.media.video import write_video
from gaussiantalker.splatting import rasterize

CAMERA = Camera(focal=500, cx=128, cy=128, width=256, height=256)  # pixels
DISTANCE = 8  # in lengths of the head's own frame, the distance between the outer eye corners
YAW = np.linspace(-30, 30, 50)  # degrees

if __name__ == "__main__":
    avatar, sound, second, out = sys.argv[1:]
    g = head(gt.Avatar.load(avatar), sound, float(second))
    turns = from_yaw_pitch_roll(np.stack([YAW, 0 * YAW, 0 * YAW], axis=1))
    poses = torch.from_numpy(rigid(turns, np.array([0, 0, DISTANCE]))).float()  # head to camera, [50, 4, 4]
    scene = g.means, g.quats, g.scales, g.opacities, g.sh, poses, torch.from_numpy(CAMERA.K).float()
    with torch.inference_mode():
        images, _, _ = rasterize(*scene, CAMERA.width, CAMERA.height, sh_degree=g.sh_degree, backgrounds=torch.ones(3))
    write_video(out, (images.clamp(0, 1) * 255).byte().numpy())
