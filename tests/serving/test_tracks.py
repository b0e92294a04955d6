"""Sound and pictures on their way into a connection."""

import asyncio

import av
import numpy as np
import pytest
from aiortc.mediastreams import MediaStreamError

from gaussiantalker.serving.frame_queue import FrameQueue
from gaussiantalker.serving.tracks import PictureTrack, SoundTrack
from gaussiantalker.speaking import AvFrame

TONE = (0.5 * np.sin(2 * np.pi * 440 * np.arange(640 * 50) / 16_000)).astype(np.float32)


def queue(images: list[np.ndarray | None], first: int = 1_000) -> FrameQueue:
    """Frames that wait, and after them the end."""
    frames = FrameQueue(len(images))
    for k, image in enumerate(images):
        frames.put(AvFrame(first + k, image, TONE[640 * k : 640 * (k + 1)]))
    frames.close()
    return frames


async def all_of(track: SoundTrack | PictureTrack) -> list:
    given = []
    try:
        while True:
            given.append(await track.recv())
    except MediaStreamError:
        return given


def test_packets_hold_all_the_sound_at_the_time_of_their_frames() -> None:
    packets = asyncio.run(all_of(SoundTrack(queue([None] * 50), lambda: None)))
    assert len(packets) == 100
    times = np.array([packet.pts / 16_000 for packet in packets])
    np.testing.assert_allclose(times, 40 + 0.02 * np.arange(100), atol=0.01)
    assert (np.diff([packet.pts for packet in packets]) == 320).all()
    decoder = av.CodecContext.create("libopus", "r")
    sound = np.concatenate([frame.to_ndarray()[0, ::2] for packet in packets for frame in decoder.decode(packet)])
    # What is decoded begins before the first frame by as much as the packets' time says.
    late = round((40 - times[0]) * 48_000)
    heard = sound[late::3][: len(TONE)] / 32768
    assert np.corrcoef(heard[800:], TONE[800 : len(heard)])[0, 1] > 0.99


def test_sound_that_is_late_is_not_held_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting between packets would make it later with every frame."""
    waits = []
    sleep = asyncio.sleep
    monkeypatch.setattr(asyncio, "sleep", lambda seconds: waits.append(seconds) or sleep(0))
    asyncio.run(all_of(SoundTrack(queue([None] * 20), lambda: None)))
    assert len(waits) <= 1


def test_missing_pictures_are_left_out() -> None:
    grey = np.full((17, 16, 3), 99, np.uint8)
    track = PictureTrack(queue([grey, None, None, grey]), lambda: None)
    pictures = asyncio.run(all_of(track))
    assert [float(picture.time) for picture in pictures] == [40.0, pytest.approx(40.12)]
    assert (pictures[0].width, pictures[0].height) == (16, 18)
    assert track.given == 1_003 * 3_600


def test_the_connection_says_when_it_begins() -> None:
    begun = []
    asyncio.run(all_of(SoundTrack(queue([None]), lambda: begun.append(1))))
    assert begun
