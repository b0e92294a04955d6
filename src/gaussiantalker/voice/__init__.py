"""Voice: text in, speech out, piece by piece, from a local model or from a server."""

from gaussiantalker.voice.voices import Voice, find_voice

__all__ = ["Voice", "find_voice"]
