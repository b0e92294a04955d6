"""Mouth shapes: Festival phones -> ARKit facial-unit weights, tuned by eye for this project.

`SHAPES` holds the fully articulated shape of every phone; diphthongs are two shapes in a
row; the lips of `CLOSED` phones are shut by a separate, narrower envelope. `VISEME_NUMBER`
gives the usual 15-class viseme numbers (0 is silence).
"""

from __future__ import annotations


def _both(unit: str, weight: float) -> dict[str, float]:
    """The same weight for the left and right unit."""
    return {f"{unit}Left": weight, f"{unit}Right": weight}


def _shape(jaw: float, **units: float) -> dict[str, float]:
    """A jaw opening and further units; the `smile`, `stretch`, ... short names are paired."""
    paired = {
        "smile": "mouthSmile",
        "stretch": "mouthStretch",
        "lower": "mouthLowerDown",
        "upper": "mouthUpperUp",
    }
    shape = {"jawOpen": jaw}
    for name, weight in units.items():
        shape.update(_both(paired[name], weight) if name in paired else {name: weight})
    return shape


SHAPES: dict[str, dict[str, float]] = {
    "pau": {},
    "aa": _shape(0.42, lower=0.12, upper=0.08),
    "ae": _shape(0.35, stretch=0.22, smile=0.12, lower=0.18, upper=0.14),
    "ah": _shape(0.28, lower=0.12, upper=0.08),
    "ax": _shape(0.20, lower=0.10, upper=0.06),
    "ao": _shape(0.34, mouthFunnel=0.45),
    "eh": _shape(0.28, stretch=0.16, lower=0.18, upper=0.12),
    "er": _shape(0.17, mouthFunnel=0.35, mouthPucker=0.20),
    "ih": _shape(0.17, smile=0.16, lower=0.20, upper=0.12),
    "iy": _shape(0.12, smile=0.36, stretch=0.20, lower=0.26, upper=0.18),
    "uh": _shape(0.18, mouthFunnel=0.42, mouthPucker=0.15),
    "uw": _shape(0.10, mouthPucker=0.75, mouthFunnel=0.25),
    "w": _shape(0.07, mouthPucker=0.80, mouthFunnel=0.15),
    "y": _shape(0.10, smile=0.28, lower=0.18),
    "b": {},
    "p": {},
    "m": {},
    "f": _shape(0.07, mouthRollLower=0.55, upper=0.28),
    "v": _shape(0.07, mouthRollLower=0.50, upper=0.25),
    "th": _shape(0.14, tongueOut=0.28, lower=0.15),
    "dh": _shape(0.14, tongueOut=0.22, lower=0.15),
    "t": _shape(0.10, lower=0.28, upper=0.08),
    "d": _shape(0.11, lower=0.28, upper=0.08),
    "n": _shape(0.11, lower=0.20, upper=0.06),
    "s": _shape(0.06, stretch=0.22, lower=0.36, upper=0.18),
    "l": _shape(0.19, lower=0.18, upper=0.08),
    "sh": _shape(0.08, mouthFunnel=0.55, lower=0.20, upper=0.20),
    "k": _shape(0.17, lower=0.10),
    "hh": _shape(0.20, lower=0.08),
    "r": _shape(0.13, mouthPucker=0.40, mouthFunnel=0.25),
}

_SAME_AS = {
    "z": "s", "zh": "sh", "ch": "sh", "jh": "sh", "g": "k", "ng": "k", "dx": "d",
    "en": "n", "em": "m", "el": "l", "axr": "er", "ix": "ih",
}  # fmt: skip
SHAPES.update({phone: SHAPES[other] for phone, other in _SAME_AS.items()})

DIPHTHONGS = {
    "ay": ("aa", "ih"),
    "aw": ("aa", "uw"),
    "ey": ("eh", "iy"),
    "ow": ("ao", "uw"),
    "oy": ("ao", "ih"),
}

CLOSED = frozenset({"b", "p", "m", "em"})

_VISEMES = {
    "sil": "pau", "PP": "b p m em", "FF": "f v", "TH": "th dh", "DD": "t d dx",
    "kk": "k g ng hh", "CH": "sh zh ch jh", "SS": "s z", "nn": "n l en el",
    "RR": "r er axr", "aa": "aa ah ax ay aw ae", "E": "eh ey", "I": "ih iy ix y",
    "O": "ao ow oy", "U": "uh uw w",
}  # fmt: skip

VISEME_NUMBER: dict[str, int] = {
    phone: number for number, phones in enumerate(_VISEMES.values()) for phone in phones.split()
}
