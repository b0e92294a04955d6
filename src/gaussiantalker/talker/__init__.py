"""Talker: the model that turns sound, blink and pose into moving Gaussians."""

from gaussiantalker.talker.blendshapes import BakedTalker, Blendshapes
from gaussiantalker.talker.conditions import TOKENS, Token
from gaussiantalker.talker.drive import AUDIO, EYE, Drive
from gaussiantalker.talker.footage import Footage, Shots
from gaussiantalker.talker.fusion import FusionLayer
from gaussiantalker.talker.listener import Listener
from gaussiantalker.talker.method import METHODS, Method, find_method
from gaussiantalker.talker.mouth_listener import MouthListener
from gaussiantalker.talker.parts import ENCODINGS, FUSIONS, REGRESSORS
from gaussiantalker.talker.precision import fast_products
from gaussiantalker.talker.talker import Splats, Talker, render
from gaussiantalker.talker.torso import Torso
from gaussiantalker.talker.triplane import Encoding
from gaussiantalker.talker.window_listener import WindowListener

__all__ = [
    "AUDIO",
    "ENCODINGS",
    "EYE",
    "FUSIONS",
    "METHODS",
    "REGRESSORS",
    "TOKENS",
    "BakedTalker",
    "Blendshapes",
    "Drive",
    "Encoding",
    "Footage",
    "FusionLayer",
    "Listener",
    "Method",
    "MouthListener",
    "Shots",
    "Splats",
    "Talker",
    "Token",
    "Torso",
    "WindowListener",
    "fast_products",
    "find_method",
    "render",
]
