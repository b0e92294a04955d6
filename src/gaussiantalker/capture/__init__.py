"""From a portrait video to a `Capture`: pictures, landmarks, head pose, masks and plates, indexed by frame."""

from gaussiantalker.capture.folder import Capture, Tracking
from gaussiantalker.capture.pipeline import capture

__all__ = ["Capture", "Tracking", "capture"]
