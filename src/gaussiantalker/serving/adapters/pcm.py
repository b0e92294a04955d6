"""Sound as frameworks hand it around: interleaved 16-bit integers."""

import numpy as np


def from_pcm16(data: bytes | memoryview, channels: int) -> np.ndarray:
    """Mono samples float32 [S] in [-1, 1] of interleaved int16."""
    samples = np.frombuffer(data, np.int16).reshape(-1, channels)
    return samples.mean(axis=1, dtype=np.float32) / 32768


def to_pcm16(samples: np.ndarray) -> bytes:
    """Mono int16 of samples [S] in [-1, 1]."""
    return (np.clip(samples, -1, 1) * 32767).round().astype(np.int16).tobytes()
