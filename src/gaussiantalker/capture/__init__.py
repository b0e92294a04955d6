"""From a portrait video to a `Capture`: pictures, landmarks, head pose, masks and plates, indexed by frame."""

import sys
from types import ModuleType
from typing import Any

from gaussiantalker.capture.folder import Capture, Tracking
from gaussiantalker.capture.pipeline import capture

__all__ = ["Capture", "Tracking", "capture"]


class _Room(ModuleType):
    """`gaussiantalker.capture` is this module and the function: whoever imported the module may still call it."""

    def __call__(self, *args: Any, **kwargs: Any) -> Capture:
        return capture(*args, **kwargs)


sys.modules[__name__].__class__ = _Room
