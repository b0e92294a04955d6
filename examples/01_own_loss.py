"""An own loss: beside the usual terms, edges of the picture must lie where the film has them.

python examples/01_own_loss.py CAPTURE AVATAR
"""

import sys

import gaussiantalker as gt
from gaussiantalker.training import SCHEDULES, PhotometricLoss


class WithEdges(PhotometricLoss):
    """Also the mean absolute difference of horizontal and vertical gradients."""

    def __call__(self, image, alpha, shots, step, canonical):
        off = image - shots.image
        edges = off.diff(dim=1).abs().mean() + off.diff(dim=2).abs().mean()
        return super().__call__(image, alpha, shots, step, canonical) | {"edges": 0.2 * edges}


def watch(trainer):
    if trainer.steps_done % 100 == 0:
        print(f"step {trainer.steps_done}: loss {trainer.loss:.3f}, {trainer.psnr:.1f} dB")


if __name__ == "__main__":
    loss = WithEdges(SCHEDULES["fast"])
    gt.train(*sys.argv[1:3], schedule="fast", method="gaussiantalker-star", encoder="logmel", loss=loss, on_step=watch)
