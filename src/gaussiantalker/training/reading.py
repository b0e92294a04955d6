"""Fitting a person's mouth reader: regression from speech to what the tracker saw of the mouth.

In closed form, on all channels of the encoder: a network that is trained on a minute of speech learns it by heart and
then hardly closes the lips in another. Whatever is chosen (how strong the penalty, the calibration, the lag between
sound and lips) is chosen on predictions of frames that the prediction did not know.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gaussiantalker import speech
from gaussiantalker.capture import Capture
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.media.audio import delayed
from gaussiantalker.speech.encoder import ROWS_PER_FRAME
from gaussiantalker.talker.listener import RowStream, run, silent_row
from gaussiantalker.talker.mouth_code import MouthCode, tracked_scores
from gaussiantalker.talker.mouth_listener import LOOKAHEADS_MS, ROW_MS, MouthListener
from gaussiantalker.talker.mouth_reader import Curves, MouthReader, padded, read_windows
from gaussiantalker.timing import SAMPLES_PER_FRAME
from gaussiantalker.training.lip_lag import frames_late
from gaussiantalker.training.ridge import Ridge, best_strengths, blind, folds

ENCODER = "whisper-early"
_MOST = 2_500  # frames that are learnt from, evenly chosen: more take long and tell little
_FAINT = 1e-3  # of the loudest channel's deviation: a channel that varies less was not heard


class Reading(NamedTuple):
    """A person's listener, and what it was made from."""

    listener: MouthListener
    tracked: Tensor  # [all frames, C] codes as tracked
    frames: np.ndarray  # [n] that it learnt from
    blind: np.ndarray  # [n, C] what is read in these by readers that did not know them


def learn_to_read(encoder: speech.Encoder, capture: Capture, frames: np.ndarray, lookahead_ms: int) -> Reading:
    """A listener for the person of a capture, from its training frames [N].

    The talker learns pictures from the tracked codes and not from what is read in them: a picture of a mouth that is
    shut goes with a code that is shut. Taught on readings it would learn how unsure they are, and open less.

    Raises:
        GaussianTalkerError: an unknown look-ahead, a capture without sound, or lips that do not move.
    """
    if lookahead_ms not in LOOKAHEADS_MS:
        known = " or ".join(map(str, LOOKAHEADS_MS))
        raise GaussianTalkerError(f"A mouth reader has no look-ahead of {lookahead_ms} ms; choose {known}.")
    audio = capture.audio[: capture.train_frames * SAMPLES_PER_FRAME]
    silence = silent_row(encoder)
    rows = run(RowStream(encoder, silence), audio)
    scores, found = tracked_scores(capture.tracking), capture.tracking.found
    late = round(frames_late(rows, scores[: len(rows) // ROWS_PER_FRAME, 0], found) * SAMPLES_PER_FRAME)
    if late:
        audio = delayed(audio, late)
        rows = run(RowStream(encoder, silence), audio)
    code = MouthCode.measure(scores[frames], speech.voiced(audio)[frames])
    codes = code.encode(scores)
    frames = frames[:: -(-len(frames) // _MOST)]
    reader, unknown = fit_reader(rows, codes[frames], frames, lookahead_ms // ROW_MS - 1)
    return Reading(MouthListener(encoder, silence, code, reader, late), torch.from_numpy(codes), frames, unknown)


def fit_reader(
    rows: np.ndarray, codes: np.ndarray, frames: np.ndarray, future_rows: int
) -> tuple[MouthReader, np.ndarray]:
    """From speech rows [2F, channels], counted from silence and zero in it, and the codes [N, C] of `frames` [N].

    Also returns what is read in these frames by readers that did not know them, [N, C].
    """
    windows = read_windows(padded(rows, future_rows), future_rows)[frames]
    known, targets = windows.reshape(len(frames), -1), codes.astype(float)
    scale = known.std(axis=0)
    scale = np.where(scale > _FAINT * scale.max(), scale, np.inf) * np.sqrt(len(scale))
    known = known / scale
    kernel = (known @ known.T).astype(float)
    parts = folds(kernel, targets)
    strengths = best_strengths(parts, kernel, targets)
    unknown = blind(parts, kernel, strengths)
    weights = known.T @ Ridge(kernel, targets).dual(strengths) / scale[:, None]
    reader = MouthReader(weights.astype(np.float32), Curves.matching(unknown, targets), future_rows)
    return reader, reader.settled(unknown, windows)
