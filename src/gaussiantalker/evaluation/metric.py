"""What a metric is."""

from collections.abc import Callable
from dataclasses import dataclass

from gaussiantalker.evaluation.held_out import Inputs, Rendering
from gaussiantalker.evaluation.record import Better, Measured, NotMeasured, Score

# What a metric can need of the inputs, and what to do where it is not there.
NEEDS = {
    "truth": "no exact lip opening was given (--truth)",
    "audio": "no other speech was given (--audio)",
    "openface": "run OpenFace's FeatureExtraction on truth.mp4 and render.mp4, then --openface TRUTH.csv RENDER.csv",
    "syncnet": "no package ships SyncNet's weights; bring syncnet_v2.model and give it with --syncnet",
    "time": "left out of the quick evaluation; run: gaussiantalker evaluate AVATAR",
}


@dataclass(frozen=True)
class Metric:
    """A number that is measured of a rendering, with all that `Measured` tells of it.

    `needs` is a key of `NEEDS`; `measure` raises NotMeasured, saying why, where there is no number.
    """

    key: str
    label: str
    measure: Callable[[Rendering], Score]
    unit: str = ""
    better: Better = ""
    region: str = ""
    model: str = ""
    needs: str = ""

    def of(self, rendering: Rendering) -> Measured:
        try:
            if not available(self.needs, rendering.inputs):
                raise NotMeasured(NEEDS[self.needs])
            value, n, note = self.measure(rendering)
        except NotMeasured as reason:
            return Measured(self.label, None, self.unit, self.better, note=str(reason))
        return Measured(self.label, value, self.unit, self.better, self.region, self.model, n, note)


def available(need: str, inputs: Inputs) -> bool:
    """Whether the inputs have what a metric needs."""
    given = getattr(inputs, need) if need else True
    return given is not None and given is not False
