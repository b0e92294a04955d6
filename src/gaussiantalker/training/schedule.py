"""How long and how fast to train."""

from dataclasses import asdict, dataclass, replace
from typing import Literal

_FINISH_RATES = 0.3  # of the stages before; at their own rates LPIPS undoes what they learnt


@dataclass(frozen=True)
class Schedule:
    """Iterations, learning rates and loss weights of the two stages, and of a finish that the papers do not have.

    Lengths are in head units, where the outer eye corners are 1 apart. Learning rates fall log-linearly to a
    hundredth (positions) or a tenth (networks) within each stage, as in the public code of GaussianTalker.
    """

    name: str
    listening_steps: int
    """Steps in which the speech network learns from the tracked mouth alone; none in the papers."""
    canonical_steps: int
    deformation_steps: int
    batch: int
    """Frames per step of the deformation stage and the finish; the canonical stage takes one."""
    points: int
    """Gaussians at the start."""
    grow_below: int
    """No more Gaussians are added once there are this many."""
    sh_degree: int
    sh_degree_every: int
    """Canonical iterations between one more degree of spherical harmonics and the next."""
    finish_steps: int = 0
    """Steps in which what has been learnt is made sharper: by LPIPS on patches beside all else; none in the papers."""
    speech_noise: float = 0.3
    """Noise on the speech rows (deviation 1) in the deformation stage, against learning a minute of speech by heart;
    none in the papers."""
    rate_poses: float = 0.0
    """How fast each frame's head pose is corrected while training; 0 trusts the tracker."""
    weight_poses: float = 1e-4
    """What a correction by 0.01 rad and 0.01 head units costs."""
    rate_positions: float = 1e-3
    rate_scales: float = 5e-3
    rate_quats: float = 1e-3
    rate_opacity: float = 5e-2
    rate_sh: float = 2.5e-3
    rate_network: float = 1e-3
    rate_triplane: float = 1e-2
    weight_l1: float = 0.8
    weight_ssim: float = 0.2
    weight_lips: float = 0.4
    lips_in_canonical: bool = True
    """Whether the first stage looks closely at the lips, too: the public code does, the paper does not."""
    weight_eyes: float = 0.4
    """None in the papers; without it a short training may never notice that eyes shut."""
    weight_mask: float = 0.1
    weight_perceptual: float = 0.0
    perceptual: Literal["lpips", "vgg-features"] = "lpips"
    """The paper's perceptual distance (AlexNet's), or differences of VGG's features as in the public code."""
    perceptual_every: int = 1
    """Steps between one look at it and the next; each counts that many times as much."""
    perceptual_patch: int = 0
    """Side in pixels of the square of lips or head that it looks at; 0 for the whole picture."""
    checkpoint_every: int = 250

    def finishing(self) -> "Schedule":
        """The rates and the loss of the finish."""
        rates = {name: _FINISH_RATES * value for name, value in asdict(self).items() if name.startswith("rate_")}
        return replace(self, **rates, weight_perceptual=0.05, perceptual_every=2, perceptual_patch=64)


_STANDARD = Schedule(
    name="standard",
    listening_steps=1_000,
    canonical_steps=8_000,
    deformation_steps=10_000,
    batch=4,
    points=25_000,
    grow_below=50_000,
    sh_degree=3,
    sh_degree_every=1_000,
    finish_steps=500,
    rate_network=5e-4,
    weight_lips=0.8,
)

SCHEDULES = {
    schedule.name: schedule
    for schedule in (
        Schedule(
            name="fast",
            listening_steps=300,
            canonical_steps=200,
            deformation_steps=600,
            batch=1,
            points=2_000,
            grow_below=2_500,
            sh_degree=1,
            sh_degree_every=100,
            speech_noise=0.0,
        ),
        Schedule(
            name="demo",
            listening_steps=1_000,
            canonical_steps=1_000,
            deformation_steps=2_500,
            batch=1,
            points=12_000,
            grow_below=18_000,
            sh_degree=2,
            sh_degree_every=250,
            finish_steps=250,
            weight_lips=0.8,
        ),
        _STANDARD,
        # What GaussianTalker's paper and its public code say where we do otherwise; both are meant for a GPU.
        replace(
            _STANDARD,
            name="paper",
            listening_steps=0,
            finish_steps=0,
            speech_noise=0.0,
            deformation_steps=8_000,
            batch=32,
            weight_lips=0.8,
            lips_in_canonical=False,
            weight_eyes=0.0,
            weight_mask=0.0,
            weight_perceptual=0.01,
        ),
        replace(
            _STANDARD,
            name="public-code",
            listening_steps=0,
            finish_steps=0,
            speech_noise=0.0,
            batch=32,
            weight_lips=0.4,
            weight_eyes=0.0,
            weight_mask=0.4,
            weight_perceptual=0.01,
            perceptual="vgg-features",
        ),
    )
}
