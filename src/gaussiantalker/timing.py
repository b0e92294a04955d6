"""The arithmetic of 25 frames and 16,000 samples a second.

Frame k covers the time [k/25, (k+1)/25) seconds, that is the samples [640 k, 640 (k+1)).
"""

FPS = 25
SAMPLE_RATE = 16_000
SAMPLES_PER_FRAME = SAMPLE_RATE // FPS


def frame_count(samples: int) -> int:
    """Frames needed to cover this many 16 kHz samples; a started frame counts."""
    return -(-samples // SAMPLES_PER_FRAME)


def frame_at(seconds: float) -> int:
    """The frame that covers this instant. The small margin keeps k/25 itself in frame k in floating point."""
    return int(seconds * FPS + 1e-6)


def held_out_from(frames: int) -> int:
    """First held-out frame: the last 1/11 of a clip is kept for testing, the papers' 10:1 split."""
    return frames - frames // 11


def clock(seconds: float) -> str:
    """m:ss.ss"""
    return f"{int(seconds // 60)}:{seconds % 60:05.2f}"
