"""A new condition: the avatar learns how much the person smiles, and later smiles as much as it is told.

python examples/03_new_condition.py train CAPTURE AVATAR
python examples/03_new_condition.py speak AVATAR SOUND FILM
"""

import sys
from dataclasses import replace

import torch

import gaussiantalker as gt
from gaussiantalker.talker import TOKENS, Token, find_method

SMILES = [44, 45]  # mouthSmileLeft and mouthSmileRight among the 52 expression scores


class Smile(Token):
    """From 0 to 1; where nobody says how much, as much as the person usually does."""

    shape = (1,)

    def __init__(self, name, method, width, heard):
        super().__init__(name)
        self.net = torch.nn.Linear(1, width)

    def seen(self, capture):
        return capture.tracking.blendshapes[:, SMILES].mean(axis=1, keepdims=True)

    def forward(self, drive):
        return self.net(self.value(drive))


TOKENS["smile"] = Smile
STAR = find_method("gaussiantalker-star")
METHOD = replace(STAR, name="smiling", title="Smiling", conditions=(*STAR.conditions, "smile"))

if __name__ == "__main__":
    verb, *paths = sys.argv[1:]
    if verb == "train":
        gt.train(*paths, method=METHOD, schedule="fast", encoder="logmel")
    else:
        avatar, sound, film = paths
        gt.Avatar.load(avatar).speak(sound, conditions={"smile": [1.0]}).save(film)
