"""The mouth code: lip opening and the mouth's expression scores, by the field's names and in a person's own measure."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gaussiantalker.capture.blendshapes import NAMES
from gaussiantalker.capture.folder import Tracking
from gaussiantalker.errors import GaussianTalkerError

_LIP_OPENING = "lip_opening"
_MOUTH = [number for number, name in enumerate(NAMES) if name.startswith(("jaw", "mouth"))]
SCORES = (_LIP_OPENING, *(NAMES[number] for number in _MOUTH))
STILL = 0.01  # scores that vary less than this say nothing
_SHUT = 0.1  # share of the frames, the most closed ones, that may show the mouth at rest
_FEWEST_SILENT = 5  # of these, from which on only silent ones count
_RIDGE = 0.1  # of a deviation squared: what is not given is guessed from what is, no bolder than this allows


def tracked_scores(tracking: Tracking) -> np.ndarray:
    """What the tracker saw of the mouth, float [N, len(SCORES)]: gap of the inner lips over the distance of the eyes'
    outer corners, and the face landmarker's scores of jaw and mouth, 0 to 1."""
    return np.column_stack([tracking.lip_opening, tracking.blendshapes[:, _MOUTH]]).astype(float)


@dataclass(frozen=True)
class MouthCode:
    """A person's measure of the mouth: a code is how far each score is from the mouth at rest, in deviations.

    So 0 is a mouth that is shut and still, and twice a code is twice the movement. What two people do with their mouths
    is best compared in codes, each in their own measure.
    """

    names: tuple[str, ...]  # C of SCORES, lip opening first: those that move
    rest: np.ndarray  # [C] scores of the mouth at rest
    scale: np.ndarray  # [C] deviations
    together: np.ndarray  # [C, C] mean products of codes: what goes along with what

    @classmethod
    def measure(cls, scores: np.ndarray, voiced: np.ndarray) -> "MouthCode":
        """From tracked scores [N, len(SCORES)] and where there is speech, bool [N].

        Raises GaussianTalkerError when the lips do not move.
        """
        deviation = scores.std(axis=0)
        moving = deviation > STILL
        if not moving[0]:
            raise GaussianTalkerError("The lips hardly move in this capture: film somebody who speaks.")
        shut = scores[:, 0] <= np.quantile(scores[:, 0], _SHUT)
        silent = shut & ~voiced
        rest = scores[silent if silent.sum() >= _FEWEST_SILENT else shut].mean(axis=0)
        codes = ((scores - rest) / np.where(moving, deviation, 1))[:, moving]
        names = tuple(name for name, moves in zip(SCORES, moving, strict=True) if moves)
        return cls(names, rest[moving], deviation[moving], codes.T @ codes / len(codes))

    def __len__(self) -> int:
        return len(self.names)

    def encode(self, scores: np.ndarray) -> np.ndarray:
        """Codes float32 [N, C] of scores [N, len(SCORES)]."""
        chosen = [SCORES.index(name) for name in self.names]
        return ((scores[:, chosen] - self.rest) / self.scale).astype(np.float32)

    def scores(self, name: str, codes: np.ndarray) -> np.ndarray:
        """What codes [N] of one name are as scores [N]."""
        number = self.names.index(name)
        return self.rest[number] + self.scale[number] * codes

    def complete(self, given: Mapping[str, np.ndarray]) -> np.ndarray:
        """Codes float32 [N, C] of some scores by name, each [N]; the others go along as this person's usually do.

        Raises GaussianTalkerError when none of the names belongs to the code.
        """
        known = [number for number, name in enumerate(self.names) if name in given]
        if not known:
            raise GaussianTalkerError(
                f"No score of this mouth is among {', '.join(given)}: give some of {', '.join(self.names)}."
            )
        codes = np.column_stack([(given[self.names[k]] - self.rest[k]) / self.scale[k] for k in known])
        within = self.together[np.ix_(known, known)] + _RIDGE * np.eye(len(known))
        whole = codes @ np.linalg.solve(within, self.together[known])
        whole[:, known] = codes
        return whole.astype(np.float32)

    def arrays(self) -> dict[str, np.ndarray]:
        """What a file must hold for `from_arrays`, beside the names."""
        return {"rest": self.rest, "scale": self.scale, "together": self.together}
