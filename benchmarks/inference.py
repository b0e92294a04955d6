"""From sound to pixels: pictures a second of a speaking avatar, and what each part of a picture costs.

    python benchmarks/inference.py                                  # GaussianTalker*, one thread
    python benchmarks/inference.py --threads 2 --json inference.json

The head is the synthetic one of benchmarks/splatting.py before plates of noise, driven by bursts of noise through a
real encoder: exact, by the network of every Gaussian, and baked to blendshapes. "Live" pushes 40 ms of sound at a time
and gets one picture; "batch" pushes seconds and renders four pictures together. Video coding and playback are not
included. Every row runs in a process of its own, both ways in turns. Untrained networks move all Gaussians alike, so
more of them carry bases here than in a trained avatar; `--avatars` measures your own.
"""

import json
import multiprocessing
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
import tyro
from heads import camera, head
from rich.console import Console
from rich.table import Table

from gaussiantalker import hardware, speech
from gaussiantalker.geometry import Camera
from gaussiantalker.hardware import keep_memory
from gaussiantalker.kernels.threads import quiet_torch
from gaussiantalker.speaking import Avatar, Motion, baking
from gaussiantalker.speaking.frames import FrameStream
from gaussiantalker.speaking.rendering import BATCH
from gaussiantalker.speaking.situations import filmed
from gaussiantalker.splatting import Gaussians
from gaussiantalker.talker import AUDIO, EYE, Drive, Talker, WindowListener, fast_products, find_method, render
from gaussiantalker.timing import FPS, SAMPLE_RATE, SAMPLES_PER_FRAME
from speech import sound

MOVES = 50  # poses and plates of the avatar's motion
PARTS = ("speech", "motion", "splatting", "pixels")
TURNS = 3


@dataclass
class Options:
    method: str = "gaussiantalker-star"
    """Method of the avatar."""
    encoder: str = "whisper"
    """Speech encoder."""
    sizes: tuple[int, ...] = (256, 512)
    """Picture sizes, in pixels."""
    counts: tuple[int, ...] = (15_000, 30_000)
    """Numbers of Gaussians."""
    sh_degree: int = 3
    """Degree of the spherical harmonics."""
    threads: int = 1
    """Threads torch and the kernels may use."""
    seconds: int = 4
    """Length of the sound that is spoken."""
    avatars: tuple[Path, ...] = ()
    """Folders of avatars to measure instead of synthetic ones."""
    json: Path | None = None
    """Where to write the rows."""


def an_avatar(options: Options, count: int, size: int) -> Avatar:
    torch.manual_seed(0)
    start = head(count, options.sh_degree)
    raw = {
        "means": start["means"],
        "log_scales": start["scales"].log(),
        "quats": start["quats"],
        "opacity_logits": start["opacities"].logit(),
        "sh": start["colors"],
    }
    listener = WindowListener.fit(speech.load(options.encoder), sound(5))
    talker = Talker(find_method(options.method), Gaussians.from_dict(raw), listener.channels)
    for parameter in talker.offsets.parameters():
        if not parameter.any():  # last layers, which start at zero
            torch.nn.init.normal_(parameter, std=1e-3)
    view, K = camera(size)
    poses = view.double().repeat(MOVES, 1, 1).numpy()
    poses[:, 0, 3] = np.linspace(-0.02, 0.02, MOVES)
    motion = Motion(poses[:, :3, :3], poses[:, :3, 3], np.linspace(0, 1, MOVES))
    plates = np.random.default_rng(0).integers(0, 256, (MOVES, size, size, 3), dtype=np.uint8)
    seen = Camera(float(K[0, 0, 0]), size / 2, size / 2, size, size)
    avatar = Avatar({}, talker.eval().requires_grad_(False), listener, seen, motion, plates)
    baking.SNAPSHOTS, baking.STEPS, baking.VIEWS = (
        2 * baking.CHUNK,
        100,
        2,
    )  # how well it fits does not change its speed
    return avatar.baked(filmed(Path(), {}, talker, listener, motion))


def in_turns(ways: dict[str, Avatar], audio: np.ndarray, samples: int) -> dict[str, dict[str, float]]:
    """Each way's speed, the median of some turns: what else the machine does then falls on all alike."""
    turns = [{way: spoken(avatar, audio, samples) for way, avatar in ways.items()} for _ in range(TURNS)]
    return {
        way: {key: float(np.median([turn[way][key] for turn in turns])) for key in turns[0][way]} for way in turns[0]
    }


def spoken(avatar: Avatar, audio: np.ndarray, samples: int) -> dict[str, float]:
    """The avatar speaking sound that comes in pieces of so many samples: pictures a second, and CPU ms each."""
    stream, laps, pictures = FrameStream(avatar), [], 0
    stream.push(audio[:SAMPLE_RATE])
    cpu = time.process_time()
    for start in range(SAMPLE_RATE, len(audio) - samples + 1, samples):
        started = time.perf_counter()
        made = len(stream.push(audio[start : start + samples]))
        if made:
            laps.append(1e3 * (time.perf_counter() - started) / made)
            pictures += made
    cpu = 1e3 * (time.process_time() - cpu) / pictures
    middle, late = np.percentile(laps, [50, 95])
    return {"fps": 1e3 / float(np.mean(laps)), "p50": float(middle), "p95": float(late), "cpu": cpu}


def parts(avatar: Avatar, audio: np.ndarray) -> dict[str, float]:
    """CPU milliseconds a picture of each part alone, four pictures at a time."""
    heard = avatar.listener.hear(audio)[FPS : FPS + BATCH]
    index = np.arange(BATCH)
    viewmats = torch.from_numpy(avatar.motion.viewmats[index]).float()
    blink = torch.from_numpy(avatar.motion.blink[index]).float()
    drive = Drive({AUDIO: torch.from_numpy(np.array(heard)), EYE: blink}, viewmats, torch.from_numpy(index))
    height, width = avatar.camera.height, avatar.camera.width
    K, behind = torch.from_numpy(avatar.camera.K).float(), torch.rand(BATCH, height, width, 3)
    plates, head = torch.zeros(BATCH, height, width, 3, dtype=torch.uint8), avatar.renderer.head
    with torch.inference_mode(), fast_products():
        splats = head.deform(drive)
        return {
            "speech": cpu_ms(lambda: avatar.listener.hear(audio)) / (len(audio) / SAMPLES_PER_FRAME),
            "motion": cpu_ms(lambda: head.deform(drive)) / BATCH,
            "splatting": cpu_ms(lambda: render(splats, viewmats, K, behind, head.sh_degree)) / BATCH,
            "pixels": cpu_ms(lambda: (plates.float().div_(255), _bytes(behind))) / BATCH,
        }


def _bytes(image: torch.Tensor) -> np.ndarray:
    return (image.clamp(0, 1) * 255).round().byte().numpy()


def cpu_ms(function: Callable[[], object], laps: int = 5) -> float:
    function()
    times = []
    for _ in range(laps):
        started = time.process_time()
        function()
        times.append(1e3 * (time.process_time() - started))
    return float(np.median(times))


def measure(options: Options, what: Path | tuple[int, int]) -> list[dict]:
    """Two rows: an avatar's folder, or a synthetic one of so many Gaussians and pixels a side, exact and baked."""
    torch.set_num_threads(options.threads)
    keep_memory()
    quiet_torch()
    baked, audio = (
        Avatar.load(what) if isinstance(what, Path) else an_avatar(options, *what),
        sound(options.seconds + 1),
    )
    ways = {"exact": replace(baked, blendshapes=None), "baked": baked}
    live, batch = (in_turns(ways, audio, samples) for samples in (SAMPLES_PER_FRAME, SAMPLE_RATE))
    facts = {"count": len(baked.talker.raw["means"]), "size": baked.camera.width, "threads": options.threads}
    return [
        {**facts, "way": way, "live": live[way], "batch": batch[way], "parts": parts(avatar, audio)}
        for way, avatar in ways.items()
    ]


def table(rows: list[dict]) -> Table:
    ways = [f"{way}: {what}" for way in ("live", "batch") for what in ("pictures/s", "p50 · p95 ms", "CPU ms")]
    result = Table("Gaussians", "picture", "", *ways, *PARTS, title="Sound to pixels; parts in CPU ms a picture")
    for row in rows:
        cells = []
        for way in ("live", "batch"):
            numbers = row[way]
            cells += [f"{numbers['fps']:.1f}", f"{numbers['p50']:.1f} · {numbers['p95']:.1f}", f"{numbers['cpu']:.1f}"]
        cells += [f"{row['parts'][part]:.1f}" for part in PARTS]
        result.add_row(f"{row['count']:,}", f"{row['size']}²", row["way"], *cells)
    return result


def main(options: Options) -> None:
    rows, synthetic = [], [(count, size) for size in options.sizes for count in options.counts]
    for what in options.avatars or synthetic:
        with multiprocessing.get_context("spawn").Pool(1) as worker:
            rows += worker.apply(measure, (options, what))
    Console(width=150).print(table(rows))
    if options.json:
        facts = {**asdict(options), "json": None, "machine": hardware.describe(), "load": hardware.load()}
        options.json.write_text(json.dumps(facts | {"rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
