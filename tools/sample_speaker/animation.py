"""Phones and sound -> facial-unit weights, blinks, gaze and head rotation at 25 frames/s.

Everything is made on a 200 Hz track and sampled at the middle of each frame. All randomness
comes from one seed.

    python animation.py speaker.wav speaker_phones.csv --out speaker_animation.npz --seed 21
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter1d

import visemes
from speech import SAMPLE_RATE, Phone, read_phones, read_wav

FRAME_RATE = 25
TRACK_RATE = 200

ARTICULATION = 1.28
"""Gain on all mouth shapes."""
CONSONANT_SMOOTHING_S = 0.034
CLOSURE_SMOOTHING_S = 0.014
YAW_LIMIT_DEG, PITCH_LIMIT_DEG, ROLL_LIMIT_DEG = 20.0, 8.0, 5.0

log = logging.getLogger("animation")


def smooth(track: np.ndarray, seconds: float) -> np.ndarray:
    """Gaussian smoothing along time with a standard deviation in seconds."""
    return gaussian_filter1d(track, seconds * TRACK_RATE, axis=0)


def band_noise(rng: np.random.Generator, time: np.ndarray, low: float, high: float) -> np.ndarray:
    """Sum of six sines between `low` and `high` Hz with unit variance."""
    frequency = rng.uniform(low, high, 6)
    phase = rng.uniform(0, 2 * np.pi, 6)
    amplitude = rng.uniform(0.5, 1.0, 6)
    waves = amplitude * np.sin(2 * np.pi * np.outer(time, frequency) + phase)
    return waves.sum(1) / np.sqrt((amplitude**2).sum() / 2)


def loudness(samples: np.ndarray, count: int) -> np.ndarray:
    """Smoothed loudness on the track, about 1 for loud vowels."""
    hop = SAMPLE_RATE // TRACK_RATE
    energy = (samples[: count * hop].reshape(-1, hop) ** 2).mean(1)
    level = smooth(np.sqrt(energy + 1e-9), 0.04)
    return np.clip(level / np.quantile(level, 0.95), 0, 1.2)


def mouth_tracks(phones: list[Phone], level: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Facial-unit tracks of the mouth and the lip-closure envelope (0..1)."""
    count = len(level)
    names = sorted({unit for shape in visemes.SHAPES.values() for unit in shape})
    column = {name: k for k, name in enumerate(names)}
    target = np.zeros((count, len(names)))
    closure = np.zeros(count)
    ticks = np.arange(count)

    def write(start: int, end: int, phone: str, gain: float = 1.0) -> None:
        for unit, weight in visemes.SHAPES.get(phone, {}).items():
            target[start:end, column[unit]] = gain * weight

    for phone in phones:
        start, end = int(phone.start * TRACK_RATE), int(phone.end * TRACK_RATE)
        if phone.name in visemes.DIPHTHONGS:
            turn = start + int((end - start) * 0.55)
            first, second = visemes.DIPHTHONGS[phone.name]
            write(start, turn, first)
            write(turn, end, second)
        elif phone.name in visemes.CLOSED:
            half = max((end - start) / 2, 0.03 * TRACK_RATE)
            bump = 1.35 - 0.9 * np.abs(ticks - (start + end) / 2) / half
            closure = np.maximum(closure, np.clip(bump, 0, 1))
            target[start:end] = target[max(start - 1, 0)] * 0.5
        else:
            write(start, end, phone.name, 0.8 if phone.end - phone.start < 0.05 else 1.0)
    target = smooth(target, CONSONANT_SMOOTHING_S) * ARTICULATION
    closure = smooth(closure, CLOSURE_SMOOTHING_S)
    target *= (0.82 + 0.25 * level)[:, None] * (1 - closure)[:, None]
    units = {name: target[:, k] for name, k in column.items()}
    for side in ("Left", "Right"):
        units[f"mouthPress{side}"] = 0.35 * closure
    units["mouthRollLower"] = units["mouthRollLower"] + 0.12 * closure
    return units, closure


def mood_tracks(
    rng: np.random.Generator, time: np.ndarray, level: np.ndarray, closure: np.ndarray
) -> dict[str, np.ndarray]:
    """Slowly changing smile and brows; brows rise with loud syllables."""
    envelope = smooth(level, 0.12)
    smile = np.clip(0.11 + 0.06 * band_noise(rng, time, 0.05, 0.15), 0, 0.3)
    units = {"browInnerUp": 0.08 * band_noise(rng, time, 0.1, 0.5) + 0.18 * (envelope - 0.45)}
    for side, extra in (("Left", 0.02), ("Right", -0.01)):
        units[f"mouthSmile{side}"] = np.clip(smile + extra, 0, 0.3) * (1 - 0.5 * closure)
        lift = 0.05 * band_noise(rng, time, 0.1, 0.4) + 0.09 * (envelope - 0.4)
        units[f"browOuterUp{side}"] = np.clip(lift, 0, 0.5)
        units[f"cheekSquint{side}"] = 0.2 * smile
        units[f"eyeSquint{side}"] = 0.3 * smile
    units["browInnerUp"] = np.clip(units["browInnerUp"], 0, 0.6)
    return units


def blink_track(rng: np.random.Generator, time: np.ndarray, phones: list[Phone]) -> np.ndarray:
    """Lid closure 0..1: 90 ms down, 50 ms shut, 170 ms up, drawn towards pauses."""
    blink = np.zeros(len(time))
    pauses = np.array([(p.start + p.end) / 2 for p in phones if p.name == "pau"])
    moment = rng.uniform(0.8, 1.6)
    while moment < time[-1] - 0.4:
        near = pauses[np.abs(pauses - moment) < 0.5]
        moment = near[0] if len(near) else moment
        since = time - moment
        closing = np.clip(1 + since / 0.09, 0, 1)
        opening = np.clip(1 - (since - 0.05) / 0.17, 0, 1)
        lid = np.minimum(closing, opening)
        blink = np.maximum(blink, lid * lid * (3 - 2 * lid))
        moment += rng.uniform(1.8, 4.2)
    return blink


def head_track(rng: np.random.Generator, time: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Rotation vectors [T, 3] (pitch, yaw, roll) in rad: slow, wide, softly limited."""

    def limited(track: np.ndarray, limit_deg: float) -> np.ndarray:
        return np.radians(limit_deg) * np.tanh(track)

    nod = 0.22 * (smooth(level, 0.10) - 0.45)
    pitch = limited(0.52 * band_noise(rng, time, 0.08, 0.35) + nod, PITCH_LIMIT_DEG)
    yaw = limited(0.78 * band_noise(rng, time, 0.06, 0.24), YAW_LIMIT_DEG)
    roll = limited(0.58 * band_noise(rng, time, 0.06, 0.25), ROLL_LIMIT_DEG)
    return np.stack([pitch, yaw, roll], axis=1)


def gaze_track(rng: np.random.Generator, time: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """Eye (yaw, pitch) [T, 2] in rad, head frame: mostly at the camera, with saccades."""
    gaze = np.zeros((len(time), 2))
    start = 0
    while start < len(time):
        length = int(rng.uniform(0.5, 1.9) * TRACK_RATE)
        if rng.random() > 0.66:
            gaze[start : start + length] = rng.normal(0, (0.11, 0.06))
        start += length
    gaze = smooth(gaze, 0.012)
    gaze[:, 0] -= 0.92 * rotation[:, 1]
    gaze[:, 1] += 0.92 * rotation[:, 0]
    return gaze


def lid_tracks(blink: np.ndarray, gaze: np.ndarray) -> dict[str, np.ndarray]:
    """Lids follow the blink and the vertical gaze."""
    up = np.clip(gaze[:, 1], 0, 1)
    down = np.clip(-gaze[:, 1], 0, 1)
    units = {}
    for side in ("Left", "Right"):
        lid = blink + 0.6 * down * (1 - blink) + 0.04
        units[f"eyeBlink{side}"] = np.clip(lid, 0, 1)
        units[f"eyeLookUp{side}"] = 1.5 * up * (1 - blink)
    return units


def animate(samples: np.ndarray, phones: list[Phone], seed: int) -> dict[str, np.ndarray]:
    """All per-frame tracks, ready for `np.savez`."""
    rng = np.random.default_rng(seed)
    duration = phones[-1].end
    count = int(duration * TRACK_RATE)
    time = np.arange(count) / TRACK_RATE
    level = loudness(samples, count)
    units, closure = mouth_tracks(phones, level)
    for name, track in mood_tracks(rng, time, level, closure).items():
        units[name] = units.get(name, 0) + track
    blink = blink_track(rng, time, phones)
    rotation = head_track(rng, time, level)
    gaze = gaze_track(rng, time, rotation)
    units.update(lid_tracks(blink, gaze))

    frames = int(duration * FRAME_RATE)
    middle = (np.arange(frames) + 0.5) / FRAME_RATE
    tick = np.clip((middle * TRACK_RATE).astype(int), 0, count - 1)
    ends = np.array([p.end for p in phones])
    spoken = [phones[k].name for k in np.searchsorted(ends[:-1], middle, side="right")]
    names = sorted(units)
    return {
        "names": np.array(names),
        "weights": np.stack([units[name][tick] for name in names], axis=1),
        "rotation": rotation[tick],
        "gaze": gaze[tick],
        "blink": blink[tick],
        "closure": closure[tick],
        "phone": np.array(spoken),
        "viseme": np.array([visemes.VISEME_NUMBER.get(p, 0) for p in spoken]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wav", type=Path)
    parser.add_argument("phones", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=21)
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    samples, rate = read_wav(args.wav)
    if rate != SAMPLE_RATE:
        parser.error(f"expected {SAMPLE_RATE} Hz, got {rate} Hz")
    tracks = animate(samples, read_phones(args.phones), args.seed)
    np.savez(args.out, **tracks)
    degrees = np.degrees(tracks["rotation"])
    log.info("%d frames; pitch/yaw/roll from %s to %s deg", len(degrees),
             degrees.min(0).round(1), degrees.max(0).round(1))  # fmt: skip


if __name__ == "__main__":
    main()
