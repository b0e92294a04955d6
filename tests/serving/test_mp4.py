"""The stream for those whom WebRTC does not reach."""

import asyncio
import io

import av
import numpy as np
from flash_and_beep import FlashAndBeep, beeps
from live import pcm16, serving

from gaussiantalker.serving.mp4 import _LiveMp4
from gaussiantalker.speaking import SYNTHETIC, AvFrame, FrameStream


def decoded(data: bytes) -> tuple[dict[float, float], np.ndarray]:
    """Brightness of pictures by their second, and the sound."""
    with av.open(io.BytesIO(data)) as container:
        pictures = {float(f.time): f.to_ndarray(format="rgb24").mean() for f in container.decode(video=0)}
    with av.open(io.BytesIO(data)) as container:
        sound = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    return pictures, sound


def test_sound_and_pictures_belong_together_and_say_what_they_are() -> None:
    stream, movie, pcm = FrameStream(FlashAndBeep(64)), _LiveMp4(64, 64), beeps(3.0)
    frames = [*stream.push(pcm), *stream.finish()]
    pieces = [movie.add(frame._replace(index=500 + frame.index)) for frame in frames]
    movie.close()
    data = b"".join(pieces)
    assert sum(bool(piece) for piece in pieces) > 8, "it must come bit by bit"
    with av.open(io.BytesIO(data)) as container:
        assert container.metadata["comment"] == SYNTHETIC
    pictures, sound = decoded(data)
    flash = min(second for second, level in pictures.items() if level > 100)
    beep = np.flatnonzero(np.abs(sound) > 0.1)[0] / 16_000
    assert abs(flash - beep) < 0.01


def test_a_missing_picture_is_the_one_before() -> None:
    movie = _LiveMp4(16, 16)
    images = [None, np.full((16, 16, 3), 50, np.uint8), None, np.full((16, 16, 3), 200, np.uint8), *[None] * 20]
    data = b"".join(movie.add(AvFrame(k, image, np.zeros(640, np.float32))) for k, image in enumerate(images))
    levels = [round(level / 50) for level in decoded(data)[0].values()]
    assert levels[:2] == [1, 1] and set(levels[2:]) == {4}


def test_it_comes_over_http_while_it_is_spoken_and_ends_with_the_session() -> None:
    async def live() -> tuple[bytes, str]:
        async with serving(avatar=FlashAndBeep(32)) as server:
            session = await server.begin()
            async with server.socket(session) as socket:
                await socket.send(pcm16(beeps(1.0)))
                await socket.send('{"type": "segment.end"}')
                data = b""
                async with server.http.stream("GET", session["stream"]) as answer:
                    async for piece in answer.aiter_bytes():
                        data += piece
                        if len(data) > 6_000:
                            await server.http.delete(f"/v1/sessions/{session['id']}")
                return data, answer.headers["content-type"]

    data, kind = asyncio.run(live())
    assert kind == "video/mp4"
    pictures, sound = decoded(data)
    assert max(pictures.values()) > 200 and np.abs(sound).max() > 0.2
