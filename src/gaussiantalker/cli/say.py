"""The verb `say`."""

import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import tyro

from gaussiantalker.cli.speak import Speak
from gaussiantalker.progress import Progress


@dataclass(frozen=True)
class Say(Speak):
    """Let an avatar say a text, as a film with sound."""

    audio: tyro.conf.Suppress[Path] = Path("said")
    text: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="TEXT")] = field(kw_only=True)
    """What to say; the local voices speak English."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None
    """The film to write: .mp4, .webm or .mov (default: said.mp4 here; transparent, .webm)."""
    voice: str = "heart"
    """Who says it: `heart`, `bella`, `michael` or `fenrir`; or `server:VOICE`, `server:MODEL/VOICE`, of a server that
    speaks OpenAI's /v1/audio/speech, with its address in OPENAI_BASE_URL and its key in OPENAI_API_KEY."""

    def run(self, progress: Progress) -> str:
        import numpy as np

        from gaussiantalker.media.audio import write_wav
        from gaussiantalker.speaking.folder import check_folder
        from gaussiantalker.speaking.hub import local_folder
        from gaussiantalker.speaking.performance import check_film
        from gaussiantalker.voice import find_voice

        check_film(self.file, self.background == "transparent", [], self.force)
        check_folder(local_folder(self.avatar, progress))
        voice = find_voice(self.voice, progress)
        progress.stage("voice", 0)
        with tempfile.TemporaryDirectory() as folder:
            said = Path(folder) / "said.wav"
            write_wav(said, np.concatenate(list(voice.say(self.text))), voice.rate)
            return Speak.run(replace(self, audio=said, out=self.file), progress)
