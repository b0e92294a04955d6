"""A paper's method with a new fusion and a new condition, trained, saved and loaded as any other.

python examples/method_of_ones_own.py train CAPTURE AVATAR
python examples/method_of_ones_own.py speak AVATAR AUDIO FILM
"""

import sys
from dataclasses import replace

import torch

import gaussiantalker as gt
from gaussiantalker.talker import FUSIONS, METHODS, TOKENS, FusionLayer, Token


class Film(FusionLayer):
    """Each feature is scaled and shifted by what all tokens say together (Perez et al., AAAI 2018)."""

    def __init__(self, method, width):
        super().__init__(width, method.feedforward, method.norms)
        self.net = torch.nn.Linear(len(method.conditions) * width, 2 * width)

    def mix(self, z, tokens):
        scale, shift = self.net(tokens.flatten(1))[:, None].chunk(2, dim=-1)
        return scale * z + shift


class Smile(Token):
    """How much the person smiles, 0 to 1."""

    shape = (1,)

    def __init__(self, name, method, width, heard):
        super().__init__(name)
        self.net = torch.nn.Linear(1, width)

    def seen(self, capture):
        return capture.tracking.blendshapes[:, [44, 45]].mean(axis=1, keepdims=True)

    def forward(self, drive):
        return self.net(self.value(drive))


FUSIONS["film"], TOKENS["smile"] = Film, Smile
MINE = replace(METHODS["gaussiantalker-star"], name="mine", title="FiLM", fusion="film", conditions=("audio", "smile"))

if __name__ == "__main__":
    if sys.argv[1] == "train":
        gt.train(*sys.argv[2:4], method=MINE, schedule="fast", encoder="logmel")
    else:
        gt.Avatar.load(sys.argv[2]).speak(sys.argv[3], conditions={"smile": [1.0]}).save(sys.argv[4])
