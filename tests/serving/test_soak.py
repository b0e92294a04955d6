"""Minutes of a session's own clock, which runs fast, and nothing piles up; `benchmarks/attack.py soak` takes hours."""

import asyncio
import gc
from pathlib import Path

import fast_clock
from flash_and_beep import beeps
from live import Server, Watcher, pcm16, serving, watching

SPEED = 8.0


def resident_megabytes() -> float:
    file = Path("/proc/self/statm")
    return int(file.read_text().split()[1]) * 4096 / 1e6 if file.exists() else 0


async def talk(server: Server, session: dict, watcher: Watcher, seconds: float) -> int:
    """Speaks and is watched for so long; returns how many frames there were."""
    gauges = server.sessions.find(session["id"]).stream.gauges
    before, until = gauges.frames, asyncio.get_running_loop().time() + seconds
    async with server.socket(session, ping_interval=None) as socket:
        while asyncio.get_running_loop().time() < until:
            await socket.send(pcm16(beeps(1)))
            await socket.send('{"type": "segment.end"}')
            for _ in range(8):
                await socket.recv()
            watcher.pictures.clear()
            watcher.sounds.clear()
    return gauges.frames - before


def test_memory_is_flat_over_minutes_of_a_fast_clock() -> None:
    async def live() -> tuple[int, float, int]:
        async with serving(seconds=1e6) as server:
            server.http.timeout = None
            session = await server.begin()
            async with watching(server, session) as watcher:
                await talk(server, session, watcher, 20)
                gc.collect()
                before, tasks = resident_megabytes(), len(asyncio.all_tasks())
                frames = await talk(server, session, watcher, 60)
                gc.collect()
                return frames, resident_megabytes() - before, len(asyncio.all_tasks()) - tasks

    frames, grown, tasks = fast_clock.run(SPEED, live())
    assert frames > 100 and grown < 10 and tasks <= 2
