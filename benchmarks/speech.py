"""Cost of each speech encoder: real-time factor and peak memory for short and long sound, and latency when live.

    python benchmarks/speech.py [--long 3600] [--threads 1]

Each measurement runs in a fresh process, so that peak memory is its own.
"""

import json
import resource
import subprocess
import sys
import time
from dataclasses import dataclass

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

SAMPLES_PER_FRAME = 640
LIVE = ("live CPU / s", "live p50 ms", "live p95 ms")


@dataclass
class Options:
    encoders: tuple[str, ...] = ("logmel", "whisper")
    """Encoders to measure."""
    long: int = 3600
    """Seconds of the long sound."""
    threads: int = 1
    """Threads torch may use."""
    measure: str = ""
    """For the fresh processes: the encoder to measure now."""
    seconds: int = 10
    """For the fresh processes: length of the sound."""


def sound(seconds: int) -> np.ndarray:
    """Bursts of noise with speech's rhythm: the cost of an encoder does not depend on what is said.

    A second at a time, so that the peak of memory is the encoder's and not this function's.
    """
    generator, audio = np.random.default_rng(0), np.empty(16_000 * seconds, np.float32)
    rhythm = 0.1 * np.abs(np.sin(8 * np.pi * np.arange(16_000, dtype=np.float32) / 16_000))
    for start in range(0, len(audio), 16_000):
        audio[start : start + 16_000] = rhythm * generator.standard_normal(16_000, dtype=np.float32)
    return audio


def measure(options: Options) -> dict[str, float]:
    import torch

    from gaussiantalker import speech
    from gaussiantalker.kernels.threads import quiet_torch

    torch.set_num_threads(options.threads)
    quiet_torch()  # as the verb does
    encoder, audio = speech.load(options.measure), sound(options.seconds)
    encoder.features(audio[:16_000])
    begun, cpu = time.perf_counter(), time.process_time()
    rows = sum(len(piece) for piece in encoder.pieces(audio))
    wall, cpu = time.perf_counter() - begun, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    stream, latencies, live = encoder.stream(), [], time.process_time()
    for start in range(0, min(len(audio), 60 * 16_000), SAMPLES_PER_FRAME):
        begun = time.perf_counter()
        stream.push(audio[start : start + SAMPLES_PER_FRAME])
        latencies.append(1000 * (time.perf_counter() - begun))
    live = (time.process_time() - live) / (len(latencies) * SAMPLES_PER_FRAME / 16_000)
    p50, p95 = np.percentile(latencies, [50, 95])
    return {
        "rows": rows,
        "wall": wall / options.seconds,
        "cpu": cpu / options.seconds,
        "peak": peak,
        "live": live,
        "p50": p50,
        "p95": p95,
        "lookahead": encoder.lookahead_ms,
    }


def main(options: Options) -> None:
    if options.measure:
        sys.stdout.write(json.dumps(measure(options)))
        return
    table = Table("encoder", "seconds", "look-ahead ms", "wall / s", "CPU / s", "peak MB", *LIVE)
    for name in options.encoders:
        for seconds in (10, options.long):
            command = [sys.executable, __file__, "--measure", name, "--seconds", str(seconds)]
            done = subprocess.run([*command, "--threads", str(options.threads)], check=True, capture_output=True)
            got = json.loads(done.stdout)
            shown = [f"{got['wall']:.4f}", f"{got['cpu']:.4f}", f"{got['peak']:.0f}"]
            shown += [f"{got['live']:.4f}", f"{got['p50']:.2f}", f"{got['p95']:.2f}"]
            table.add_row(name, str(seconds), f"{got['lookahead']:.0f}", *shown)
    Console(width=140).print(table)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
