"""The verb `speech`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gaussiantalker.cli.options import File, Force, OptionalFile
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.progress import Progress

if TYPE_CHECKING:
    import numpy as np

_PICTURES = (".png", ".jpg", ".jpeg")
_FITTED_PIECES = 15  # of 20 s: five minutes tell in which directions a voice varies


@dataclass(frozen=True)
class Speech:
    """Tell how long a recording speaks and is silent, and draw what an avatar would hear of it.

    The picture shows, one under another: waveform (silence in grey), mel spectrogram, phones, features.
    """

    audio: File
    """Any common audio file, or a video with sound."""
    out: OptionalFile = None
    """The picture to write, .png or .jpg (default: NAME-OF-THE-AUDIO.png here)."""
    force: Force = False
    """Replace a file of this name that is no such picture."""

    @property
    def file(self) -> Path:
        return self.out or Path(f"{self.audio.stem}.png")

    @property
    def when_stopped(self) -> str:
        return f"Stopped; {self.file} was not written."

    def run(self, progress: Progress) -> str:
        from gaussiantalker.kernels.threads import quiet_torch
        from gaussiantalker.media.audio import language, read_audio
        from gaussiantalker.media.image import write_image
        from gaussiantalker.media.outputs import MARK, check_target
        from gaussiantalker.speech.picture import draw
        from gaussiantalker.speech.silence import voiced
        from gaussiantalker.timing import FPS, SAMPLE_RATE

        check_target(self.file, _PICTURES, inputs=[self.audio], force=self.force)
        quiet_torch()
        told: list[str] = []
        audio = read_audio(self.audio, whole=True, told=told)
        for sentence in told:
            progress.note(f"{self.audio.name}: {sentence}")
        spoken, seconds = voiced(audio).sum() / FPS, len(audio) / SAMPLE_RATE
        picture = draw(audio, _phones(audio, progress), _features(audio, progress))
        write_image(self.file, picture, note=f"{MARK}: gaussiantalker speech")
        tongue = language(self.audio)
        facts = [f"Duration: {seconds:.1f} s", *([f"Language: {tongue}"] if tongue else [])]
        facts.append(f"Speech: {min(spoken, seconds):.1f} s, silence: {max(seconds - spoken, 0):.1f} s")
        return "\n".join([*facts, f"Written: {self.file}"])


def _phones(audio: "np.ndarray", progress: Progress) -> list:
    """What PocketSphinx hears; nothing, and a sentence why, where it is not installed."""
    from gaussiantalker.speech.phones import recognise

    try:
        return recognise(audio, progress)
    except GaussianTalkerError as error:
        progress.note(f"The picture shows no phones. {error}")
        return []


def _features(audio: "np.ndarray", progress: Progress) -> "np.ndarray":
    """Rows [2F, 32] of the default encoder, or of the one without weights where those cannot be had.

    They are projected a piece at a time, so that hours of sound need little memory.
    """
    import numpy as np

    from gaussiantalker import speech
    from gaussiantalker.speech.projection import fit
    from gaussiantalker.timing import frame_count

    try:
        encoder = speech.load(progress=progress)
    except GaussianTalkerError as error:
        encoder = speech.load("logmel")
        progress.note(f"The picture shows the features of logmel. {error}")
    pieces, rows = [], 0
    progress.stage("features", 2 * frame_count(len(audio)))
    projection = None
    for piece in encoder.pieces(audio):
        pieces.append(piece if projection is None else projection.apply(piece))
        rows += len(piece)
        progress.update(rows)
        if projection is None and len(pieces) == _FITTED_PIECES:
            projection = fit(np.concatenate(pieces))
            pieces = [projection.apply(piece) for piece in pieces]
    if projection is None:
        heard = np.concatenate(pieces)
        return fit(heard).apply(heard)
    return np.concatenate(pieces)
