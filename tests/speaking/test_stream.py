"""The live stream: nothing of the sound is lost or kept too long, and pictures belong to it, whatever the timing."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import numpy as np
import pytest
from flash_and_beep import BRIGHT, DARK, Ear, FlashAndBeep, beeps
from hypothesis import given, settings
from hypothesis import strategies as st

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.speaking import AvatarStream, AvFrame, FrameStream
from gaussiantalker.speaking.stream import BUFFER, PATIENCE
from gaussiantalker.timing import FPS, SAMPLE_RATE, SAMPLES_PER_FRAME, frame_count

chunkings = st.lists(st.integers(1, 9_000), min_size=1, max_size=12)


def noise(samples: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, samples).astype(np.float32)


def run(live: Callable[[AvatarStream], Awaitable], avatar: FlashAndBeep | None = None, realtime: bool = False):
    """What `live` returns, given a stream that is closed afterwards."""
    stream = AvatarStream(avatar or FlashAndBeep(), realtime=realtime)
    try:
        return asyncio.run(live(stream))
    finally:
        stream.close()


async def take(stream: AvatarStream, count: int) -> list[AvFrame]:
    return [await anext(stream) for _ in range(count)]


async def until_quiet(stream: AvatarStream) -> list[AvFrame]:
    """All frames until nothing waits to be spoken and the avatar idles again."""
    frames = await take(stream, 1)
    while stream.buffered or frames[-1].segment is not None:
        frames.append(await anext(stream))
    return frames + await take(stream, BUFFER + 1)


def spoken(frames: list[AvFrame]) -> list[AvFrame]:
    return [frame for frame in frames if frame.segment is not None]


def sound(frames: list[AvFrame]) -> np.ndarray:
    return np.concatenate([np.zeros(0, np.float32), *(frame.samples for frame in frames)])


def split(pcm: np.ndarray, sizes: list[int]) -> list[np.ndarray]:
    return [piece for piece in np.split(pcm, np.cumsum(sizes)) if len(piece)]


@settings(max_examples=25)
@given(samples=st.integers(1, 40_000), sizes=chunkings, pulls=st.lists(st.integers(0, 9), min_size=13, max_size=13))
def test_any_chunks_and_any_pulls_give_the_offline_frames(samples: int, sizes: list[int], pulls: list[int]) -> None:
    pcm = noise(samples)

    async def live(stream: AvatarStream) -> list[AvFrame]:
        frames = []
        for piece, count in zip(split(pcm, sizes), pulls, strict=False):
            stream.push_audio(piece)
            frames += await take(stream, count)
        stream.end_segment()
        return frames + await until_quiet(stream)

    frames = run(live)
    assert [frame.index for frame in frames] == list(range(len(frames)))
    offline = FrameStream(FlashAndBeep())
    expected = [*offline.push(pcm), *offline.finish()]
    assert len(spoken(frames)) == len(expected)
    for mine, theirs in zip(spoken(frames), expected, strict=True):
        np.testing.assert_array_equal(mine.samples, theirs.samples)
        np.testing.assert_array_equal(mine.image, theirs.image)
    assert not sound([frame for frame in frames if frame.segment is None]).any()
    assert [frame.index for frame in frames if frame.last] == [spoken(frames)[-1].index]


@settings(max_examples=25)
@given(
    rate=st.sampled_from([8_000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000]),
    sizes=chunkings,
    samples=st.integers(1, 60_000),
    integers=st.booleans(),
)
def test_any_rate_comes_out_the_same_however_it_is_divided(
    rate: int, sizes: list[int], samples: int, integers: bool
) -> None:
    pcm = noise(samples)
    pcm = (pcm * 32767).astype(np.int16) if integers else pcm

    async def live(stream: AvatarStream, pieces: list[np.ndarray]) -> np.ndarray:
        for piece in pieces:
            stream.push_audio(piece, rate)
        stream.end_segment()
        return sound(spoken(await until_quiet(stream)))

    divided, whole = (run(lambda s, p=p: live(s, p)) for p in (split(pcm, sizes), [pcm]))
    np.testing.assert_allclose(divided, whole, atol=1e-6)
    length = samples * SAMPLE_RATE / rate
    assert -1 < len(divided) - length < SAMPLES_PER_FRAME + 1


@settings(max_examples=20)
@given(before=st.integers(0, 40), chunks=st.integers(1, 6))
def test_clear_lets_no_old_sound_out(before: int, chunks: int) -> None:
    """Old sound is positive, new sound negative."""
    old, new = np.full(9_000, 0.4, np.float32), np.full(3_000, -0.4, np.float32)

    async def live(stream: AvatarStream) -> tuple:
        for _ in range(chunks):
            stream.push_audio(old)
        heard = await take(stream, before)
        seconds = stream.clear()
        stream.push_audio(new)
        stream.end_segment()
        return heard, seconds, await until_quiet(stream)

    heard, seconds, frames = run(live)
    assert sound(frames).max() <= 0
    np.testing.assert_array_equal(sound(frames)[sound(frames) < 0], new)
    said_all = len(spoken(heard)) == frame_count(9_000 * chunks)
    assert seconds == (0 if said_all else pytest.approx(len(spoken(heard)) / FPS))


def test_clear_reaches_a_frame_whose_picture_is_waited_for() -> None:
    async def live(stream: AvatarStream) -> list[AvFrame]:
        stream.push_audio(noise(32_000))
        frames = await take(stream, 3)
        waiting = asyncio.create_task(anext(stream))
        await asyncio.sleep(0.02)
        stream.clear()
        return [*frames, await waiting, *await take(stream, 2)]

    frames = run(live, FlashAndBeep(seconds_per_picture=0.1))
    assert [frame.index for frame in frames] == list(range(6))
    assert [frame.segment for frame in frames] == [0, 0, 0, None, None, None]
    assert not sound(frames[3:]).any()


def test_pictures_never_go_back_in_time() -> None:
    """Also where some come too late for their own frame and are shown with another."""
    avatar = FlashAndBeep()

    def perform(contexts: np.ndarray, first: int, steering: object) -> list[np.ndarray]:
        time.sleep(0.3 if first % 8 == 0 else 0.005)
        return [np.full((16, 16, 3), first + k, np.uint8) for k in range(len(contexts))]

    avatar.perform = perform
    shown = [frame.image[0, 0, 0] for frame in run(lambda s: take(s, 60), avatar, True) if frame.image is not None]
    assert len(shown) > 5 and shown == sorted(set(shown))


def test_segments_follow_each_other_whole() -> None:
    first, second = noise(5_000, 1), noise(700, 2)

    async def live(stream: AvatarStream) -> list[AvFrame]:
        for pcm, rate in ((first, 16_000), (second, 8_000)):
            stream.push_audio(pcm, rate)
            stream.end_segment()
        return spoken(await until_quiet(stream))

    frames = run(live)
    assert [frame.segment for frame in frames] == [0] * 8 + [1] * 3


def test_speech_nobody_ended_is_spoken_to_its_end() -> None:
    pcm = noise(8_000)

    async def live(stream: AvatarStream) -> list[AvFrame]:
        stream.push_audio(pcm)
        return await take(stream, PATIENCE + 3 + frame_count(8_000))

    np.testing.assert_array_equal(sound(spoken(run(live)))[:8_000], pcm)


def test_pictures_show_what_is_heard() -> None:
    async def live(stream: AvatarStream) -> list[AvFrame]:
        stream.push_audio(beeps(3.0))
        stream.end_segment()
        return await until_quiet(stream)

    for frame in run(live):
        assert frame.image[0, 0, 0] == (BRIGHT if frame.samples.any() else DARK)


@given(extra=st.integers(0, 5_000), lookahead_ms=st.sampled_from([0, 20, 212.5, 400]))
@settings(max_examples=20)
def test_the_declared_lookahead_is_enough(extra: int, lookahead_ms: float) -> None:
    """A frame that the sound allows to be taken has its context: for an encoder of any delay, and the gate."""
    from gaussiantalker.speech.logmel import LogMel
    from gaussiantalker.talker import WindowListener

    listener = WindowListener.fit(LogMel(), noise(32_000), channels=3)
    stream = listener.stream()
    samples = listener.lookahead + extra
    assert len(stream.push(noise(samples))) >= extra // SAMPLES_PER_FRAME + 1
    assert FlashAndBeep(lookahead_ms=lookahead_ms).listener.lookahead >= 16 * lookahead_ms


@pytest.mark.parametrize(
    ("seconds_per_picture", "seconds_per_piece", "least"),
    [(0.07, 0.0, 12), (0.25, 0.0, 4), (0.01, 0.3, 1)],
    ids=["pictures are slow", "and slower than is looked ahead", "hearing is slower than speech"],
)
def test_where_pictures_are_late_they_are_dropped_and_no_sound(
    seconds_per_picture: float, seconds_per_piece: float, least: int
) -> None:
    pcm = beeps(1.6, every=0.4, length=0.2)
    avatar = FlashAndBeep(seconds_per_picture=seconds_per_picture)
    avatar.listener = Ear(seconds_per_piece=seconds_per_piece)

    async def live(stream: AvatarStream) -> list[AvFrame]:
        stream.push_audio(pcm)
        stream.end_segment()
        return await until_quiet(stream)

    frames = run(live, avatar, realtime=True)
    np.testing.assert_array_equal(sound(spoken(frames)), pcm)
    pictures = [frame for frame in frames if frame.image is not None]
    assert least <= len(pictures) < len(frames), "some pictures are late, not all"


def test_a_segment_too_short_to_be_heard_is_no_hindrance() -> None:
    """One sample at 48 kHz is a third of one at 16 kHz."""

    async def live(stream: AvatarStream) -> tuple[list[AvFrame], float]:
        stream.push_audio(noise(1), 48_000)
        stream.end_segment()
        stream.push_audio(noise(16_000))
        frames = await take(stream, 3)
        return frames, stream.clear()

    frames, seconds = run(live)
    assert [frame.segment for frame in frames] == [1, 1, 1] and seconds == 3 / FPS


def test_falling_silent_is_quick_and_the_clock_is_kept() -> None:
    async def live(stream: AvatarStream) -> tuple:
        stream.push_audio(noise(64_000))
        began = time.monotonic()
        heard = await take(stream, 15)
        took = time.monotonic() - began
        stream.clear()
        return heard, took, await anext(stream)

    heard, took, after = run(live, realtime=True)
    assert spoken(heard) and after.segment is None and not after.samples.any()
    assert took >= 14 / FPS, "frames must not come before their time"


def test_the_mouth_comes_to_rest_after_speech_is_cut() -> None:
    """Not at once, which would look like a cut in the film, but within the windows that have begun."""
    avatar = FlashAndBeep()
    contexts = []
    picture = np.zeros((16, 16, 3), np.uint8)
    avatar.perform = lambda given, first, steering: contexts.extend(given) or [picture for _ in given]

    async def live(stream: AvatarStream) -> int:
        stream.push_audio(np.full(32_000, 0.4, np.float32))
        await take(stream, 10)
        while len(contexts) < 10 + BUFFER - 1:
            await asyncio.sleep(0.01)
        stream.clear()
        rendered = len(contexts)
        await take(stream, 10)
        return rendered

    after = contexts[run(live, avatar) :]
    assert after[-1].shape == contexts[0].shape and not after[-1].any()
    loudness = [float(context.sum()) for context in after]
    assert loudness == sorted(loudness, reverse=True) and loudness[0] > 0 == loudness[5]


def test_what_rendering_raises_reaches_the_listener() -> None:
    avatar = FlashAndBeep()
    avatar.perform = lambda *_: (_ for _ in ()).throw(GaussianTalkerError("no picture today"))
    for realtime in (True, False):
        with pytest.raises(GaussianTalkerError, match="no picture"):
            run(lambda stream: take(stream, 9), avatar, realtime)


def test_a_closed_stream_ends() -> None:
    async def live(stream: AvatarStream) -> list[AvFrame]:
        frames = []
        async for frame in stream:
            frames.append(frame)
            if len(frames) == 3:
                stream.close()
        stream.clear()
        return frames

    assert 3 <= len(run(live)) <= 4


@pytest.mark.parametrize(
    ("pcm", "rate", "sentence"),
    [
        (np.zeros((3, 2), np.float32), 16_000, "mono"),
        (np.zeros(3, np.int32), 16_000, "16-bit"),
        (np.full(3, np.nan, np.float32), 16_000, "not numbers"),
        (np.full(3, 8000, np.float32), 16_000, "as large as 8,000"),
        (np.zeros(3, np.float32), 1, "not a rate for speech"),
    ],
)
def test_what_is_no_sound_is_refused(pcm: np.ndarray, rate: int, sentence: str) -> None:
    stream = AvatarStream(FlashAndBeep())
    with pytest.raises(GaussianTalkerError, match=sentence):
        stream.push_audio(pcm, rate)
    assert stream.buffered == 0
    stream.close()
