"""Made-up people: random mixtures of MakeHuman's shape targets, and the few directions in which they differ most."""

from __future__ import annotations

import numpy as np

from assets import MakeHumanData

DETAILS = ("head", "nose", "mouth", "eyes", "chin", "cheek", "forehead", "eyebrows", "ears", "neck", "asym")
LEFT_OUT = ("head-trans", "measure-", "asymm-")
"""Targets that only move the head against the body, and those of the body."""
ORIGINS = ("caucasian", "african", "asian")
STRENGTH = 0.35
"""Standard deviation of a target's weight, whose scale ends at 1."""
UNEVEN = 0.35
"""Share of that by which a left and a right target differ."""


class People:
    """Draws whole-body shapes [N, 3] in decimetres; the same numbers give the same people."""

    def __init__(self, data: MakeHumanData) -> None:
        self._base = data.base_mesh().vertices
        count = len(self._base)
        self._kinds = {}
        for sex in ("female", "male"):
            for age in ("young", "old"):
                for origin in ORIGINS:
                    self._kinds[sex, age, origin] = data.shape_target(f"macrodetails/{origin}-{sex}-{age}", count)
                for weight in ("minweight", "averageweight", "maxweight"):
                    name = f"macrodetails/universal-{sex}-{age}-averagemuscle-{weight}"
                    self._kinds[sex, age, weight] = data.shape_target(name, count)
        self._details = _pairs(data, count)

    def average(self) -> np.ndarray:
        """Half woman and half man, nearly young, of mixed origin."""
        return self._mixture(0.5, 0.15, np.full(3, 1 / 3), 0.0)

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """One random adult."""
        male = np.clip(rng.normal(rng.integers(2), 0.2), 0, 1)
        origins, weight = rng.dirichlet(np.ones(3)), np.clip(rng.normal(0, 0.45), -1, 1)
        shape = self._mixture(male, 0.7 * rng.beta(1, 2), origins, weight)
        for name, (less, more) in self._details.items():
            weight = rng.normal(0, STRENGTH)
            sides = [weight, weight]
            if name.startswith("*"):
                sides = weight + UNEVEN * rng.normal(0, STRENGTH, 2)
            for side, down, up in zip(sides, less, more, strict=False):
                shape += np.clip(side, 0, 1) * up + np.clip(-side, 0, 1) * down
        return shape

    def _mixture(self, male: float, old: float, origins: np.ndarray, weight: float) -> np.ndarray:
        shape = self._base.copy()
        for sex, by_sex in (("female", 1 - male), ("male", male)):
            for age, by_age in (("young", 1 - old), ("old", old)):
                share = by_sex * by_age
                for origin, part in zip(ORIGINS, origins, strict=True):
                    shape += share * part * self._kinds[sex, age, origin]
                for name, part in (
                    ("minweight", max(-weight, 0)),
                    ("averageweight", 1 - abs(weight)),
                    ("maxweight", max(weight, 0)),
                ):
                    shape += share * part * self._kinds[sex, age, name]
        return shape


def _pairs(data: MakeHumanData, count: int) -> dict[str, tuple[list[np.ndarray], list[np.ndarray]]]:
    """Opposite targets by name, the first file of a pair as "less"; those of the left and right under one "*" name."""
    names: dict[str, list[str]] = {}
    for folder in DETAILS:
        for path in sorted((data.mpfb / "targets" / folder).glob("*.target.gz")):
            name = path.name.removesuffix(".target.gz")
            if not name.startswith(LEFT_OUT):
                names.setdefault(f"{folder}/{name.rpartition('-')[0]}", []).append(f"{folder}/{name}")
    # Those that have no opposite (round, oval, ...) share a stem with each other: each stands alone.
    groups: dict[str, list[list[str]]] = {}
    for stem, files in names.items():
        if len(files) != 2 or stem == "head/head":
            groups |= {file: [[file]] for file in files}
            continue
        folder, _, short = stem.partition("/")
        sided = short.startswith(("l-", "r-"))
        groups.setdefault(f"*{folder}/{short[2:]}" if sided else stem, []).append(files)
    out = {}
    for stem, sides in groups.items():
        shapes = [[data.shape_target(file, count) for file in files] for files in sides]
        nothing = np.zeros((count, 3))
        out[stem] = ([s[0] if len(s) > 1 else nothing for s in shapes], [s[-1] for s in shapes])
    return out


def directions(shapes: np.ndarray, mean: np.ndarray, count: int) -> np.ndarray:  # [count, V, 3]
    """Principal components of shapes [M, V, 3] about the mean, each as long as its standard deviation."""
    flat = (shapes - mean).reshape(len(shapes), -1)
    values, vectors = np.linalg.eigh(flat @ flat.T / len(shapes))
    order = np.argsort(values)[::-1][:count]
    components = flat.T @ (vectors[:, order] / np.sqrt(len(shapes)))
    return components.T.reshape(count, *mean.shape)
