"""A paper's method with a new part: features are scaled and shifted by the tokens (FiLM, Perez et al., AAAI 2018).

python examples/02_new_fusion.py train CAPTURE AVATAR
python examples/02_new_fusion.py speak AVATAR SOUND FILM
"""

import sys
from dataclasses import replace

import torch

import gaussiantalker as gt
from gaussiantalker.talker import FUSIONS, FusionLayer, find_method


class Film(FusionLayer):
    """scale * z + shift, both from all tokens."""

    def __init__(self, method, width):
        super().__init__(width, method.feedforward, method.norms)
        self.net = torch.nn.Linear(len(method.conditions) * width, 2 * width)

    def mix(self, z, tokens):
        scale, shift = self.net(tokens.flatten(1))[:, None].chunk(2, dim=-1)
        return scale * z + shift


FUSIONS["film"] = Film
METHOD = replace(find_method("gaussiantalker-star"), name="film", title="FiLM", fusion="film")

if __name__ == "__main__":
    verb, *paths = sys.argv[1:]
    if verb == "train":
        gt.train(*paths, method=METHOD, schedule="fast", encoder="logmel")
    else:
        avatar, sound, film = paths
        gt.Avatar.load(avatar).speak(sound).save(film)
