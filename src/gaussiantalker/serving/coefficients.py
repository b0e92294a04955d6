"""What moves a session's avatar, sent to a client that draws it: some two hundred bytes a frame."""

import asyncio
import struct

import numpy as np
from fastapi import WebSocket

from gaussiantalker.serving.session import COEFFICIENTS, Session
from gaussiantalker.speaking import POSE, AvFrame

HEADER = struct.Struct("<IiHH")  # number of the frame, of the utterance or -1, of coefficients, of samples
_GOING_AWAY, _POLICY = 1001, 1008  # RFC 6455, section 7.4.1


def _packed(frame: AvFrame, sound: bool = False) -> bytes:
    """A frame as a message, little-endian: `HEADER`; the head's pose [3, 4] as float32; the coefficients of the head,
    then of the torso, as float16; and, where the client wants its `sound`, what is said as 16-bit samples."""
    assert frame.image is not None, "frames without numbers are not told"
    pose, coefficients = np.split(frame.image, [POSE])
    said = frame.samples if sound and frame.segment is not None else frame.samples[:0]
    utterance = -1 if frame.segment is None else frame.segment
    return b"".join(
        (
            HEADER.pack(frame.index, utterance, len(coefficients), len(said)),
            pose.astype("<f4").tobytes(),
            coefficients.astype("<f2").tobytes(),
            (said.clip(-1, 1) * 32767).astype("<i2").tobytes(),
        )
    )


async def tell_coefficients(session: Session, socket: WebSocket, sound: bool) -> None:
    """Sends every frame when it is due, until the client leaves or the session ends.

    Raises Problem when the session shows pictures, or has no place left.
    """
    with session.place(COEFFICIENTS):
        telling = asyncio.create_task(_tell(session, socket, sound))
        leaving = asyncio.create_task(socket.receive())  # nothing is to be said here
        closed = asyncio.create_task(session.closed.wait())
        tasks = (telling, leaving, closed)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        gone = telling.done() and not telling.cancelled() and telling.exception()
        if not gone and (leaving.cancelled() or leaving.result()["type"] != "websocket.disconnect"):
            ended = session.closed.is_set()
            why = "The session has ended." if ended else "This socket only tells, and must be read."
            await socket.close(_GOING_AWAY if ended else _POLICY, why)


async def _tell(session: Session, socket: WebSocket, sound: bool) -> None:
    with session.watch() as frames:
        async for frame in frames:
            if frame.image is not None:
                await socket.send_bytes(_packed(frame, sound))
