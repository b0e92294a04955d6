"""Numbers that are none: found before they are learnt, and told with where they came from."""

import math
from collections.abc import Iterable

from torch import Tensor, nn

from gaussiantalker.errors import Failure


def largest_gradient(parameters: Iterable[Tensor]) -> Tensor:
    """The largest number in any gradient; not finite where one is not."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    return nn.utils.get_total_norm(gradients, norm_type=math.inf)


def not_finite(what: str, frames: Iterable[int], step: int, stage: str) -> Failure:
    """What is said when training stops before a step, counted from 0."""
    numbers = ", ".join(map(str, sorted(set(frames))))
    return Failure(
        f"Training stopped before step {step + 1} of the stage '{stage}', since {what} is not a finite number in frame "
        f"{numbers}: what was trained before is kept. Look at that frame, and capture the video anew or train slower."
    )
