"""Fitting a person's mouth reader: regression from speech to what the tracker saw of the mouth.

In closed form, on all channels of the encoder: a network that is trained on a minute of speech learns it by heart and
then hardly closes the lips in another. Whatever is chosen (how strong the penalty, the calibration, the lag between
sound and lips) is chosen on predictions of frames that the prediction did not know.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gaussiantalker import speech
from gaussiantalker.capture import Capture
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.speech.encoder import ROWS_PER_FRAME
from gaussiantalker.talker.listener import RowStream, delayed, run, silent_row
from gaussiantalker.talker.mouth_code import MouthCode, tracked_scores
from gaussiantalker.talker.mouth_listener import LOOKAHEADS_MS, ROW_MS, MouthListener
from gaussiantalker.talker.mouth_reader import Curves, MouthReader, padded, read_windows
from gaussiantalker.timing import SAMPLES_PER_FRAME
from gaussiantalker.training.lip_lag import frames_late
from gaussiantalker.training.ridge import Ridge, best_strengths, blind, folds

ENCODER = "whisper-early"
MOST = 2_500  # frames that are learnt from: more take long and tell little
TRACKED, NOISE = 0.5, 0.1  # share of the lessons that are the tracked code; deviations of noise
_FAINT = 1e-3  # of the loudest channel's deviation: a channel that varies less was not heard
_PIECE = 500  # frames that are read at a time


@dataclass(frozen=True)
class Lessons:
    """What moves the mouth while pictures are learnt: the code as tracked, or as it would be read from the sound.

    A talker that only ever saw the tracked code would trust every wrong reading; one that only saw readings would
    learn how unsure they are, and mumble.
    """

    tracked: Tensor  # [N, C]
    read: Tensor  # [N, C] by readers that did not know the frame; as tracked in frames that are not trained on

    def draw(self, frames: Tensor) -> Tensor:
        """Codes [B, C] of frames [B], with a little noise."""
        as_tracked = torch.rand(len(frames)) < TRACKED
        codes = torch.where(as_tracked[:, None], self.tracked[frames], self.read[frames])
        return codes + NOISE * torch.randn_like(codes)


class Reading(NamedTuple):
    """A reader, and what it would have read in its own training frames had it not known them."""

    reader: MouthReader
    unseen: np.ndarray  # float32 [N, C]


def learn_to_read(
    encoder: speech.Encoder, capture: Capture, frames: np.ndarray, lookahead_ms: int
) -> tuple[MouthListener, Lessons]:
    """A listener for the person of a capture, from its training frames [N], and what to train the talker on.

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
    reading = fit_reader(rows, codes[frames], frames, lookahead_ms // ROW_MS - 1)
    read = codes.copy()
    read[frames] = reading.unseen
    lessons = Lessons(torch.from_numpy(codes), torch.from_numpy(read))
    return MouthListener(encoder, silence, code, reading.reader, late), lessons


def fit_reader(rows: np.ndarray, codes: np.ndarray, frames: np.ndarray, future_rows: int) -> Reading:
    """From speech rows [2F, channels], counted from silence and zero in it, and the codes [N, C] of `frames` [N].

    Of more than MOST frames evenly chosen ones are learnt from, and all are read.
    """
    every = -(-len(frames) // MOST)
    windows = read_windows(padded(rows, future_rows), future_rows)
    known, targets = windows[frames[::every]].reshape(-1, windows[0].size), codes[::every].astype(float)
    scale = known.std(axis=0)
    scale = np.where(scale > _FAINT * scale.max(), scale, np.inf) * np.sqrt(len(scale))
    known /= scale
    kernel = (known @ known.T).astype(float)
    parts = folds(kernel, targets)
    strengths = best_strengths(parts, kernel, targets)
    curves = Curves.matching(blind(parts, kernel, strengths), targets)

    def reader(dual: np.ndarray, of: np.ndarray) -> MouthReader:
        return MouthReader(((known[of] / scale).T @ dual).astype(np.float32), curves, future_rows)

    unseen = np.zeros(codes.shape, np.float32)
    for part in parts:
        reads = reader(part.ridge.dual(strengths), part.shown)
        stop = min(every * (part.hidden[-1] + 1), len(frames))
        for start in range(every * part.hidden[0], stop, _PIECE):
            piece = slice(start, min(start + _PIECE, stop))
            unseen[piece] = reads(windows[frames[piece]])
    return Reading(reader(Ridge(kernel, targets).dual(strengths), slice(None)), unseen)
