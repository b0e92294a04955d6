"""The papers' own speech features: windows of DeepSpeech logits that a published dataset brings along."""

from pathlib import Path

import numpy as np

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.media.files import read_array
from gaussiantalker.speech.windows import WINDOW_ROWS

_CHANNELS = 29  # letters of DeepSpeech 0.1: a to z, space, apostrophe, blank


def read_windows(path: str | Path) -> np.ndarray:  # float32 [F, 16, 29]
    """The windows in an `aud_ds.npy` or `aud.npy` as AD-NeRF's preparation writes it: 25 a second, 16 rows at 50 Hz.

    They are `windows` of features nobody can compute here any more; `contexts` takes them as they are. Raises
    GaussianTalkerError when the file is missing, is no such array or holds values that are not numbers.
    """
    try:
        windows = read_array(path)
    except GaussianTalkerError as error:
        raise GaussianTalkerError(f"{path} cannot be read as an array of DeepSpeech windows (.npy).") from error
    wanted = (WINDOW_ROWS, _CHANNELS)
    if windows.ndim != 3 or windows.shape[1:] != wanted:
        raise GaussianTalkerError(
            f"{path} holds {windows.shape}, not DeepSpeech windows [frames, 16, 29]; pass aud_ds.npy."
        )
    if windows.dtype.kind != "f" or not np.isfinite(windows).all():
        raise GaussianTalkerError(f"{path} holds values that are not numbers; extract the features again.")
    return windows.astype(np.float32)
