"""Speak a text file with the Debian `festival` voice and keep the exact phone times.

The voice is `cmu_us_slt_arctic_hts` (package festvox-us-slt-hts, permissive CMU licence).
Festival writes the segments of every sentence itself, so the phone times are true, not
aligned afterwards.

    python speech.py texts/driving.txt --wav driving.wav --phones driving_phones.csv
"""

from __future__ import annotations

import argparse
import csv
import logging
import subprocess
import tempfile
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.signal import resample_poly

SAMPLE_RATE = 16_000
"""Samples per second of everything written here."""

VOICE = "voice_cmu_us_slt_arctic_hts"
PEAK = 0.8
NOISE_FLOOR_DB = -72.0
EDGE_SILENCE_LEVEL = 10 ** (-46 / 20)

log = logging.getLogger("speech")


@dataclass(frozen=True)
class Phone:
    """One phone of the Festival set, times in seconds."""

    start: float
    end: float
    name: str


def parse_script(text: str) -> list[str | float]:
    """Split a script into sentences (str) and pauses in seconds (float)."""
    items: list[str | float] = []
    for line in text.splitlines():
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("[") and line.endswith("]"):
            items.append(float(line[1:-1]))
        else:
            items.append(line)
    return items


def read_wav(path: Path) -> tuple[np.ndarray, int]:
    """Read a mono 16-bit wav as float in -1..1 and its sample rate."""
    with wave.open(str(path)) as file:
        rate = file.getframerate()
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    return samples / 32768.0, rate


def write_wav(path: Path, samples: np.ndarray) -> None:
    """Write float samples in -1..1 as a mono 16-bit wav at `SAMPLE_RATE`."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())


def synthesise(sentence: str) -> tuple[np.ndarray, list[Phone]]:
    """Let Festival say one sentence; returns samples at `SAMPLE_RATE` and its phones."""
    with tempfile.TemporaryDirectory() as folder:
        wav, seg, script = (Path(folder) / name for name in ("a.wav", "a.seg", "a.scm"))
        script.write_text(
            f"({VOICE})\n"
            f'(set! u (SynthText "{sentence}"))\n'
            f'(utt.save.wave u "{wav}" \'riff)\n'
            f'(utt.save.segs u "{seg}")\n'
        )
        subprocess.run(["festival", "-b", str(script)], check=True)
        samples, rate = read_wav(wav)
        samples = resample_poly(samples, SAMPLE_RATE, rate)
        return samples, _parse_segments(seg.read_text(), len(samples) / SAMPLE_RATE)


def _parse_segments(text: str, duration: float) -> list[Phone]:
    """Festival's segment lines are `end colour name`; the header line is a lone `#`."""
    phones = []
    start = 0.0
    for line in text.splitlines():
        fields = line.split()
        if len(fields) != 3 or fields[0] == "#":
            continue
        end = min(float(fields[0]), duration)
        if end > start:
            phones.append(Phone(start, end, fields[2]))
            start = end
    if duration > start:
        phones.append(Phone(start, duration, "pau"))
    return phones


def _trim(samples: np.ndarray, phones: list[Phone]) -> tuple[np.ndarray, list[Phone]]:
    """Cut Festival's own silence at both ends, so that the script's pauses are the pauses."""
    loud = np.flatnonzero(np.abs(samples) > EDGE_SILENCE_LEVEL)
    margin = int(0.03 * SAMPLE_RATE)
    first = max(0, loud[0] - margin)
    last = min(len(samples), loud[-1] + 2 * margin)
    begin, finish = first / SAMPLE_RATE, last / SAMPLE_RATE
    moved = [
        Phone(max(p.start, begin) - begin, min(p.end, finish) - begin, p.name)
        for p in phones
        if p.end > begin and p.start < finish
    ]
    return samples[first:last], moved


def speak(script: str) -> tuple[np.ndarray, list[Phone]]:
    """Turn a script into samples at `SAMPLE_RATE` and phones that cover all of it."""
    chunks: list[np.ndarray] = []
    phones: list[Phone] = []
    count = 0
    for item in parse_script(script):
        if isinstance(item, float):
            chunk = np.zeros(int(round(item * SAMPLE_RATE)))
            local = [Phone(0.0, len(chunk) / SAMPLE_RATE, "pau")]
        else:
            chunk, local = _trim(*synthesise(item))
        offset = count / SAMPLE_RATE
        phones += [Phone(p.start + offset, p.end + offset, p.name) for p in local]
        chunks.append(chunk)
        count += len(chunk)
    samples = np.concatenate(chunks)
    noise = np.random.default_rng(0).normal(0, 10 ** (NOISE_FLOOR_DB / 20), len(samples))
    return samples / np.abs(samples).max() * PEAK + noise, phones


def write_phones(path: Path, phones: list[Phone]) -> None:
    """Write `start,end,phone` rows, times in seconds."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["start", "end", "phone"])
        writer.writerows([f"{p.start:.4f}", f"{p.end:.4f}", p.name] for p in phones)


def read_phones(path: Path) -> list[Phone]:
    """Read what `write_phones` wrote."""
    with path.open(newline="") as file:
        rows = csv.DictReader(file)
        return [Phone(float(r["start"]), float(r["end"]), r["phone"]) for r in rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("script", type=Path)
    parser.add_argument("--wav", type=Path, required=True)
    parser.add_argument("--phones", type=Path, required=True)
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    samples, phones = speak(args.script.read_text())
    write_wav(args.wav, samples)
    write_phones(args.phones, phones)
    log.info("%.2f s, %d phones", len(samples) / SAMPLE_RATE, len(phones))


if __name__ == "__main__":
    main()
