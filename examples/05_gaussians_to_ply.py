"""The Gaussians of one spoken frame as a file for any viewer, without those that nobody would see.

python examples/05_gaussians_to_ply.py AVATAR SOUND SECOND HEAD.ply
"""

import sys

import gaussiantalker as gt
from gaussiantalker.export import head
from gaussiantalker.splatting import Gaussians, write_ply

if __name__ == "__main__":
    avatar, sound, second, out = sys.argv[1:]
    gaussians = head(gt.Avatar.load(avatar), sound, float(second))
    seen = gaussians.opacities > 0.01
    write_ply(out, Gaussians(**{name: values[seen] for name, values in gaussians.to_dict().items()}))
    print(f"{int(seen.sum())} of {len(gaussians)} Gaussians: {out}")
