"""Live avatars over loopback: latency, smoothness, lip sync and how many sessions a machine holds.

    python benchmarks/live.py                            # synthetic heads of 256 and 512 pixels
    python benchmarks/live.py --avatars demo/avatar      # or avatars of your own
    python benchmarks/live.py --parts sync --wire-seconds 300
    python benchmarks/live.py --parts load --speed 0.15  # on a busy machine: processor time a frame, and who takes it

`load`: 1, 2, ... sessions speak at once until one drops pictures. The sound is sent in real time, as by a microphone.
`sync`: an avatar that flashes as it beeps, seen and heard at a receiver that reckons like a browser, by the sender's
reports. `seam`: half an hour of sound through the live stream, faster than real time, without network.

The server is a process of its own. The clients run here, on the same processors: what they take, servers alone have
more. No number of `load` includes a receiver's jitter buffer.
"""

import asyncio
import json
import multiprocessing
import os
import re
import socket
import sys
import time
from collections.abc import Callable, Coroutine
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from live_client import LOUD, Client
from rich.console import Console
from rich.table import Table
from scipy.stats import theilslopes

from gaussiantalker import hardware
from gaussiantalker.timing import FPS, SAMPLE_RATE

FIXTURES = Path(__file__).resolve().parents[1] / "tests" / "fixtures"  # where the avatar that flashes is
SMOOTH = 0.98  # share of the 25 pictures a second that must come
STAGE = re.compile(r'stage_seconds\{stage="(\w+)",quantile="([\d.]+)"\} ([\d.e-]+)')


@dataclass
class Options:
    parts: tuple[str, ...] = ("seam", "sync", "load")
    """What to measure."""
    avatars: tuple[Path, ...] = ()
    """Folders of avatars for `load`, instead of synthetic heads."""
    sizes: tuple[int, ...] = (256, 512)
    """Pictures of the synthetic heads, in pixels; their Gaussians are 15,000, and 30,000 from 512 on."""
    most: int = 6
    """Sessions at once, at most."""
    utterances: int = 4
    """Sentences that each session speaks; the last is interrupted."""
    wire_seconds: int = 60
    """Length of `sync`."""
    seam_minutes: int = 30
    """Sound of `seam`."""
    speed: float = 1.0
    """Of the clock in `load`: by a slower one, what else the machine does matters less."""
    json: Path | None = None
    """Where to write the numbers."""


def sentence(seconds: float = 3.0) -> np.ndarray:
    """A tone in syllables, loud from its first sample on."""
    at = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (0.4 * np.cos(2 * np.pi * 220 * at) * (0.6 + 0.4 * np.cos(2 * np.pi * 4 * at))).astype(np.float32)


def run_server(kind: str, port: int, speed: float) -> None:
    """Serves one avatar: a folder, `flash`, or a synthetic head of so many pixels."""
    import uvicorn

    from gaussiantalker.serving import log
    from gaussiantalker.serving.app import build
    from gaussiantalker.serving.connections import configuration
    from gaussiantalker.serving.limits import Limits

    async def serve() -> None:
        app, limits = build({"avatar": avatar}), Limits()
        await uvicorn.Server(configuration(app, limits, port=port, timeout_graceful_shutdown=1)).serve()

    log.set_up()
    avatar = an_avatar(kind)
    by_a_clock(speed, serve())


def by_a_clock(speed: float, work: Coroutine[Any, Any, Any]) -> Any:
    sys.path.append(str(FIXTURES))
    import fast_clock

    return fast_clock.run(speed, work)


def an_avatar(kind: str):
    if kind == "flash":
        sys.path.append(str(FIXTURES))
        from flash_and_beep import FlashAndBeep

        return FlashAndBeep(64)
    from inference import Options as Head
    from inference import an_avatar as synthetic

    from gaussiantalker.speaking import Avatar, FrameStream

    avatar = (
        synthetic(Head(), 15_000 if int(kind) < 512 else 30_000, int(kind)) if kind.isdigit() else Avatar.load(kind)
    )
    FrameStream(avatar).push(sentence(1.0))
    return avatar


def served(kind: str, measure: Callable[[str, int], Coroutine[Any, Any, dict]], speed: float = 1.0) -> dict:
    """What is measured against a server with this avatar."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = multiprocessing.get_context("spawn").Process(target=run_server, args=(kind, port, speed), daemon=True)
    server.start()
    try:
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            if not server.is_alive():
                raise SystemExit(f"The server with {kind} did not start.")
            time.sleep(0.2)
        return by_a_clock(speed, measure(f"127.0.0.1:{port}", server.pid))
    finally:
        server.terminate()
        server.join()


async def converse(client: Client, utterances: int) -> dict:
    """One session's sentences, the last of them interrupted: seconds of latencies, and pictures while it lasted."""
    began, late, interrupts = client.clock(), [], []
    for count in range(utterances):
        speaking = asyncio.create_task(client.say(sentence()))
        first = client.clock()
        late.append(await client.event("speech.started", first) - first)
        if count == utterances - 1:
            await asyncio.sleep(1.0)
            speaking.cancel()
            asked = await client.interrupt()
            await asyncio.sleep(1.0)
            interrupts.append(max([at - asked for at in client.sound.loud[-1:]], default=0.0))
        else:
            await speaking
            await client.event("speech.ended", first)
    shown = [at for at in client.shown if at > began]
    return {
        "playback": late,
        "interrupt": interrupts,
        "fps": (len(shown) - 1) / (shown[-1] - shown[0]),
        "lookahead": client.facts["lookahead_ms"] / 1000,
        "lost": client.sound.lost,
    }


def cpu_seconds(process: int) -> float:
    """Of all its threads."""
    numbers = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(numbers[11]) + int(numbers[12])) / os.sysconf("SC_CLK_TCK")


async def load(address: str, server: int, options: Options) -> dict:
    """Rows for 1, 2, ... sessions until one is not smooth any more."""
    rows = []
    for count in range(1, options.most + 1):
        clients = [Client(address) for _ in range(count)]
        for client in clients:
            await client.__aenter__()
        began, spent = clients[0].clock(), [cpu_seconds(process) for process in (server, os.getpid())]
        heard = await asyncio.gather(*(converse(client, options.utterances) for client in clients))
        frames = count * FPS * (clients[0].clock() - began)
        spent = [cpu_seconds(process) - before for process, before in zip((server, os.getpid()), spent, strict=True)]
        text = await clients[0].metrics()
        for client in clients:
            await client.__aexit__(None, None, None)
        ahead = heard[0]["lookahead"]
        late = [second - ahead for session in heard for second in session["playback"]]
        row = {
            "sessions": count,
            "fps": min(session["fps"] for session in heard),
            "playback_ms": {f"p{p}": 1000 * float(np.percentile(late, p)) for p in (50, 95)},
            "interrupt_ms": 1000 * max(second for session in heard for second in session["interrupt"]),
            "lost_packets": sum(session["lost"] for session in heard),
            "lookahead_ms": 1000 * ahead,
            "cpu_ms": {who: 1000 * seconds / frames for who, seconds in zip(("server", "clients"), spent, strict=True)},
        }
        for stage, quantile, value in STAGE.findall(text):
            row.setdefault(stage, {})[f"p{float(quantile) * 100:.0f}"] = 1000 * float(value)
        rows.append(row)
        if row["fps"] < SMOOTH * FPS:
            break
    return {"rows": rows, "smooth": max([row["sessions"] for row in rows if row["fps"] >= SMOOTH * FPS], default=0)}


async def sync(address: str, options: Options) -> dict:
    """Offsets of flashes against their beeps at a receiver, in milliseconds; positive: the picture is late."""
    sys.path.append(str(FIXTURES))
    from flash_and_beep import beeps

    async with Client(address) as client:
        await client.say(beeps(options.wire_seconds))
        await asyncio.sleep(2.0)
    sounds = [(client.sound.wall(at), at) for at in client.sound.onsets()]
    flashes = [(client.pictures.wall(at), at) for at in client.pictures.onsets()]
    offsets = [1000 * (min(flashes, key=lambda f: abs(f[0] - heard))[0] - heard) for heard, _ in sounds]
    minutes = np.array([heard - sounds[0][0] for heard, _ in sounds]) / 60
    return {
        "beeps": len(offsets),
        "offset_ms": {f"p{p}": float(np.percentile(offsets, p)) for p in (5, 50, 95)},
        "worst_ms": float(np.abs(offsets).max()),
        "drift_ms_a_minute": float(theilslopes(offsets, minutes).slope),  # late pictures apart
        "lost_packets": client.sound.lost + client.pictures.lost,
    }


async def seam(options: Options) -> dict:
    """Whether every frame of long sound has its samples and its picture, in chunks of every length."""
    from gaussiantalker.speaking import AvatarStream

    avatar = an_avatar("flash")
    from flash_and_beep import beeps

    audio, rng = beeps(60.0, every=0.97), np.random.default_rng(0)
    stream, frames, wrong, samples = AvatarStream(avatar, realtime=False), 0, 0, 0
    began = time.perf_counter()
    for _ in range(options.seam_minutes):
        for piece in np.split(audio, np.sort(rng.integers(1, len(audio), 2_000))):
            stream.push_audio(piece)
        stream.end_segment()
        while (frame := await anext(stream)).segment is not None or stream.buffered:
            frames += frame.segment is not None
            samples += int(np.count_nonzero(frame.samples))
            wrong += bool(frame.image.mean() > 100) != bool(np.abs(frame.samples).max() > LOUD)
    stream.close()
    return {
        "minutes": options.seam_minutes,
        "times_real_time": 60 * options.seam_minutes / (time.perf_counter() - began),
        "frames_without_their_picture": wrong,
        "samples_lost": options.seam_minutes * int(np.count_nonzero(audio)) - samples,
        "frames_lost": options.seam_minutes * 60 * FPS - frames,
    }


def table(kind: str, result: dict) -> Table:
    ahead = result["rows"][0]["lookahead_ms"]
    title = (
        f"{kind}: {result['smooth']} sessions hold {FPS} pictures a second; latency beyond {ahead:.0f} ms look-ahead"
    )
    stages = ("hearing", "rendering", "encoding")
    names = (
        "playback p50 · p95",
        "interrupt",
        "CPU a frame: server · clients",
        *(f"{stage} p50 · p95 · p99" for stage in stages),
        "packets lost",
    )
    shown = Table("sessions", "pictures/s", *names, title=title)
    for row in result["rows"]:
        spans = [row["playback_ms"], row["cpu_ms"], *(row.get(stage, {}) for stage in stages)]
        playback, cpu, *work = (" · ".join(f"{value:.1f}" for value in span.values()) for span in spans)
        shown.add_row(
            str(row["sessions"]),
            f"{row['fps']:.1f}",
            playback,
            f"{row['interrupt_ms']:.0f}",
            cpu,
            *work,
            str(row["lost_packets"]),
        )
    return shown


def main(options: Options) -> None:
    console, found = Console(width=160), {}
    if "seam" in options.parts:
        found["seam"] = asyncio.run(seam(options))
        console.print("seam", found["seam"])
    if "sync" in options.parts:
        found["sync"] = served("flash", lambda address, _: sync(address, options))
        console.print("sync", found["sync"])
    if "load" in options.parts:
        for kind in [str(path) for path in options.avatars] or [str(size) for size in options.sizes]:
            found[kind] = served(kind, lambda address, server: load(address, server, options), options.speed)
            console.print(table(kind, found[kind]))
    if options.json:
        facts = {"machine": hardware.describe(), "load": hardware.load(), "avatars": [str(p) for p in options.avatars]}
        known = {**asdict(options), "json": None, **facts}
        options.json.write_text(json.dumps(known | {"found": found}, indent=2) + "\n")


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
