"""The methods, as values: each paper is one choice of parts.

A new paper is a new value here and, at most, one new part.
"""

from dataclasses import dataclass, replace

from gaussiantalker.errors import GaussianTalkerError


@dataclass(frozen=True)
class Method:
    """Everything that distinguishes one paper's network from another's.

    Sizes and defaults are those of GaussianTalker (Cho et al., ACM MM 2024), section 4 and supplement.
    """

    name: str
    title: str
    layers: int
    """L: spatial-audio cross-attention layers (eq. 10-13)."""
    resolutions: tuple[int, ...] = (64, 128)
    """Side of each triplane level, in texels (eq. 7)."""
    plane_channels: int = 32
    attention_heads: int = 2
    feedforward: int = 128
    regressor_width: int = 128
    predicted: tuple[str, ...] = ("opacity", "sh")
    """Attributes the canonical stage reads off the triplane (eq. 8). The paper's Table 3 favours these two;
    the others stay free parameters, as in the public code."""
    deformed: tuple[str, ...] = ("means", "scales", "quats", "opacity", "sh")
    """Attributes the deformation stage offsets (eq. 14)."""
    conditions: tuple[str, ...] = ("audio", "eye", "camera", "null")
    """Tokens every Gaussian attends to (eq. 10)."""

    @property
    def width(self) -> int:
        """Channels of a Gaussian's feature: the triplane levels side by side."""
        return self.plane_channels * len(self.resolutions)


METHODS = {
    method.name: method
    for method in (
        Method(name="gaussiantalker", title="GaussianTalker", layers=2),
        Method(name="gaussiantalker-star", title="GaussianTalker*", layers=1),
    )
}


_STAR = METHODS["gaussiantalker-star"]

# The paper's ablations (its Tables 3, 4 and 5), each one change to GaussianTalker*.
ABLATIONS = {
    method.name: method
    for method in (
        replace(
            _STAR,
            name="gaussiantalker-star/predict-all",
            title="scale, rotation, colour and opacity from the triplane",
            predicted=("scales", "quats", "sh", "opacity"),
        ),
        replace(
            _STAR,
            name="gaussiantalker-star/predict-shape",
            title="scale and rotation from the triplane",
            predicted=("scales", "quats"),
        ),
        replace(
            _STAR,
            name="gaussiantalker-star/predict-nothing",
            title="no attribute from the triplane in the canonical stage",
            predicted=(),
        ),
        replace(
            _STAR,
            name="gaussiantalker-star/deform-colour",
            title="colour and opacity deformed",
            deformed=("opacity", "sh"),
        ),
        replace(
            _STAR,
            name="gaussiantalker-star/deform-shape",
            title="position, scale and rotation deformed",
            deformed=("means", "scales", "quats"),
        ),
        *(
            replace(
                _STAR,
                name=f"gaussiantalker-star/without-{left_out}",
                title=f"without the {left_out} token",
                conditions=tuple(name for name in _STAR.conditions if name != left_out),
            )
            for left_out in ("eye", "camera", "null")
        ),
    )
}


def find_method(name: str) -> Method:
    """The method or ablation of this name.

    Raises:
        GaussianTalkerError: there is none; the sentence lists those there are.
    """
    if name not in METHODS | ABLATIONS:
        raise GaussianTalkerError(f"There is no method {name!r}: choose one of {', '.join(METHODS)}.")
    return (METHODS | ABLATIONS)[name]
