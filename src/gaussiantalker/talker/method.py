"""The methods, as values: each paper is one choice of parts.

A new paper is a new value here and, at most, one new part.
"""

from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

from gaussiantalker.errors import GaussianTalkerError


@dataclass(frozen=True)
class Method:
    """Everything that distinguishes one paper's network from another's.

    Sizes and defaults are those of GaussianTalker (Cho et al., ACM MM 2024), section 4 and supplement. An avatar keeps
    every value; a value that is added here later needs a default under which older avatars stay what they are.
    """

    name: str
    title: str
    layers: int = 1
    """L: spatial-audio fusion layers (eq. 10-13)."""
    start: Literal["mesh", "random"] = "mesh"
    """Where the Gaussians begin: on the tracked head, or anywhere in its box (GSTalker)."""
    encoding: str = "dense"
    """One of `parts.ENCODINGS`: feature planes with a texel for every place, or hash tables (GSTalker, EGSTalker)."""
    resolutions: tuple[int, ...] = (64, 128)
    """Side of each level of a dense triplane, in texels (eq. 7)."""
    plane_channels: int = 32
    hash_levels: int = 8
    hash_channels: int = 2
    hash_resolutions: tuple[int, int] = (16, 512)
    """Nodes a side of the coarsest and the finest level."""
    hash_table_bits: int = 14
    fusion: str = "cross"
    """One of `parts.FUSIONS`."""
    attention_heads: int = 2
    agents: int = 64
    """Agents of EGSTalker's attention; its best runs had one for every 200 Gaussians."""
    agent_choice: Literal["pooled", "first"] = "pooled"
    """Averages of Gaussians as in EGSTalker's paper, or the first rows as in its public code."""
    norms: bool = True
    """Layer norms around the fusion, as in GaussianTalker's public code; its paper's equations have none."""
    feedforward: int = 128
    token_net: Literal["mlp", "taylor"] = "mlp"
    """What widens the tokens; Taylor polynomials as in EGSTalker's public code."""
    period: int = 0
    """Frames after which the audio token's periodic position repeats (EGSTalker, PPE); 0 for none."""
    period_along: Literal["frames", "tokens"] = "frames"
    """What the position counts: frames as the paper says, or the tokens' axis as its public code does."""
    teeth: Literal["free", "held"] = "free"
    """Whether Gaussians on the upper teeth may be moved by sound, or stay on the skull (ours)."""
    regressor: str = "mlp"
    """One of `parts.REGRESSORS`."""
    regressor_width: int = 128
    predicted: tuple[str, ...] = ("opacity", "sh")
    """Attributes the canonical stage reads off the triplane (eq. 8). The paper's Table 3 favours these two;
    the others stay free parameters, as in the public code."""
    deformed: tuple[str, ...] = ("means", "scales", "quats", "opacity", "sh")
    """Attributes the deformation stage offsets (eq. 14)."""
    conditions: tuple[str, ...] = ("audio", "eye", "camera", "null")
    """Tokens every Gaussian attends to (eq. 10), of `conditions.TOKENS`: "audio" is the papers' way from sound to a
    token, a network on windows of speech that is trained with the rest; "mouth" is ours, a mouth code that a regression
    reads from the sound."""
    torso: Literal["appearance", "plates"] = "appearance"
    """What is behind the head: an appearance model that moves with it, or the recorded frames as in GaussianTalker."""
    more: dict[str, Any] = field(default_factory=dict)
    """Numbers and names that parts of your own are built from, as JSON holds them."""

    @classmethod
    def read(cls, values: Any) -> "Method":
        """The method with these values, as JSON gives back those of `dataclasses.asdict`.

        Raises:
            GaussianTalkerError: they are no method's values.
        """
        pattern = cls(name="", title="")
        known = {part.name: getattr(pattern, part.name) for part in fields(cls)}
        if not isinstance(values, dict) or not {"name", "title"} <= set(values) <= set(known):
            raise GaussianTalkerError(
                "These are not the values of a method of this version: use the version that wrote them."
            )
        given: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in values.items()}
        for name, value in given.items():
            if not _alike(value, known[name]):
                raise GaussianTalkerError(f"A method's {name} cannot be {value!r}.")
        return cls(**given)


def _alike(value: Any, pattern: Any) -> bool:
    """Whether a value is of a pattern's type, in tuples every part; numbers are counts and so not negative."""
    if isinstance(value, tuple) and isinstance(pattern, tuple):
        return all(_alike(part, pattern[0]) for part in value)
    return type(value) is type(pattern) and not (isinstance(value, int) and value < 0)


METHODS = {
    method.name: method
    for method in (
        Method(
            name="mouth-code", title="GaussianTalker* with a mouth code", conditions=("mouth", "eye", "camera", "null")
        ),
        Method(name="gaussiantalker", title="GaussianTalker", layers=2),
        Method(name="gaussiantalker-star", title="GaussianTalker*"),
        Method(
            name="gstalker",
            title="GSTalker",
            start="random",
            encoding="hash",
            fusion="concatenation",
            conditions=("audio", "eye"),
            predicted=(),
            deformed=("means", "scales", "quats"),
        ),
        Method(
            name="egstalker",
            title="EGSTalker",
            encoding="hash",
            fusion="agent",
            regressor="kan",
            regressor_width=64,
            period=25,
        ),
    )
}


_STAR, _EGS = METHODS["gaussiantalker-star"], METHODS["egstalker"]
_SHAPE = ("means", "scales", "quats")


def _ablation(of: Method, name: str, title: str, **change: Any) -> Method:
    return replace(of, name=f"{of.name}/{name}", title=title, **change)


# The papers' ablations (GaussianTalker's Tables 3, 4 and 5, EGSTalker's Table 3), each one change to the method, what
# their public code does otherwise, and the fusions of earlier papers.
ABLATIONS = {
    method.name: method
    for method in (
        _ablation(
            _STAR,
            "predict-all",
            "scale, rotation, colour and opacity from the triplane",
            predicted=("scales", "quats", "sh", "opacity"),
        ),
        _ablation(_STAR, "predict-shape", "scale and rotation from the triplane", predicted=("scales", "quats")),
        _ablation(_STAR, "predict-nothing", "no attribute from the triplane in the canonical stage", predicted=()),
        _ablation(_STAR, "deform-colour", "colour and opacity deformed", deformed=("opacity", "sh")),
        _ablation(_STAR, "deform-shape", "position, scale and rotation deformed", deformed=_SHAPE),
        *(
            _ablation(
                _STAR,
                f"without-{left_out}",
                f"without the {left_out} token",
                conditions=tuple(name for name in _STAR.conditions if name != left_out),
            )
            for left_out in ("eye", "camera", "null")
        ),
        *(_ablation(_STAR, name, f"fusion by {name}", fusion=name) for name in ("concatenation", "multiplication")),
        _ablation(
            _STAR, "without-norms", "no layer norm around the attention, as the paper's equations show it", norms=False
        ),
        _ablation(_STAR, "held-teeth", "upper teeth that stay on the skull", teeth="held"),
        _ablation(_EGS, "without-kan", "perceptrons for KANs", regressor="mlp", regressor_width=128),
        _ablation(_EGS, "without-agents", "cross-attention for agents", fusion="cross"),
        _ablation(_EGS, "kan-alone", "neither agents nor periodic position", fusion="cross", period=0),
        _ablation(_EGS, "without-position", "without the periodic position", period=0),
        _ablation(
            _EGS,
            "public-code",
            "as its public code differs from its paper",
            encoding="dense",
            agents=200,
            agent_choice="first",
            token_net="taylor",
            period_along="tokens",
            regressor="mlp",
            regressor_width=128,
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
