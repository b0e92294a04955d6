"""Avatars in LiveKit Agents and in Pipecat: with those packages where they are installed, else with stand-ins."""

import asyncio
import importlib
import sys
from importlib.util import find_spec
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import stand_ins
from flash_and_beep import BRIGHT, DARK, FlashAndBeep

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.serving.adapters.pcm import from_pcm16, to_pcm16
from gaussiantalker.timing import SAMPLES_PER_FRAME

RATE = 24_000  # of most text-to-speech
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the frameworks' own dependencies


def tone(seconds: float) -> np.ndarray:
    return (0.6 * np.sin(np.arange(round(seconds * RATE)) / 4)).astype(np.float32)


def pieces(sound: np.ndarray) -> list[np.ndarray]:
    return [sound[start : start + RATE // 50] for start in range(0, len(sound), RATE // 50)]


def fresh(monkeypatch: pytest.MonkeyPatch, framework: str) -> str:
    """The adapter's module, which is as if it had never been imported."""
    adapter = f"gaussiantalker.serving.adapters.{framework}"
    monkeypatch.delitem(sys.modules, adapter, raising=False)
    return adapter


@pytest.fixture
def adapter(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The adapter to the framework that the class of tests is named after."""
    framework = request.cls.__name__.removeprefix("Test").lower()
    if find_spec(framework):
        return importlib.import_module(f"gaussiantalker.serving.adapters.{framework}")
    for name, module in getattr(stand_ins, framework)().items():
        monkeypatch.setitem(sys.modules, name, module)
    return importlib.import_module(fresh(monkeypatch, framework))


@pytest.mark.parametrize("framework", ["livekit", "pipecat"])
def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, framework: str) -> None:
    monkeypatch.setitem(sys.modules, framework, None)
    for name in [name for name in sys.modules if name.startswith(f"{framework}.")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(GaussianTalkerError, match=rf"pip install 'gaussiantalker\[{framework}\]'"):
        importlib.import_module(fresh(monkeypatch, framework))


def test_stereo_becomes_its_mean_and_back_loses_nothing() -> None:
    left = np.array([-32768, 0, 20_000, 32767], np.int16)
    right = np.array([-32768, 100, 0, 32767], np.int16)
    mono = from_pcm16(np.stack([left, right], axis=1).tobytes(), 2)
    np.testing.assert_allclose(mono, (left.astype(float) + right) / 2 / 32768, atol=1e-7)
    again = np.frombuffer(to_pcm16(from_pcm16(left.tobytes(), 1)), np.int16)
    assert np.abs(again.astype(int) - left).max() <= 1


class TestLiveKit:
    def run(self, adapter, scene, **avatar):
        """What `scene(generator, frames)` returns."""

        async def whole():
            generator = adapter.AvatarVideoGenerator(FlashAndBeep(**avatar))
            try:
                async with asyncio.timeout(20):
                    return await scene(generator, aiter(generator))
            finally:
                await generator.aclose()

        return asyncio.run(whole())

    async def say(self, adapter, generator, sound: np.ndarray, ended: bool = True) -> None:
        for piece in pieces(sound):
            await generator.push_audio(adapter.rtc.AudioFrame(to_pcm16(piece), RATE, 1, len(piece)))
        if ended:
            await generator.push_audio(adapter.AudioSegmentEnd())

    def test_an_utterance_comes_out_whole_with_its_pictures_and_its_end(self, adapter) -> None:
        async def scene(generator, frames):
            await self.say(adapter, generator, tone(0.4))
            return [await anext(frames) for _ in range(40)]

        frames = self.run(adapter, scene)
        kinds = [type(frame).__name__ for frame in frames]
        assert kinds.count("AudioSegmentEnd") == 1
        end = kinds.index("AudioSegmentEnd")
        assert "AudioFrame" not in kinds[end:], "silence is no speech"
        sounds = [frame for frame in frames if isinstance(frame, adapter.rtc.AudioFrame)]
        assert len(sounds) == 10
        assert {(frame.sample_rate, frame.num_channels, frame.samples_per_channel) for frame in sounds} == {
            (16_000, 1, SAMPLES_PER_FRAME)
        }
        brightest = [_brightness(frame) for frame in frames if isinstance(frame, adapter.rtc.VideoFrame)]
        assert max(brightest) == BRIGHT
        assert brightest[-1] == DARK

    def test_sound_that_falters_has_not_ended(self, adapter) -> None:
        async def scene(generator, frames):
            await self.say(adapter, generator, tone(0.6), ended=False)
            given = [await anext(frames) for _ in range(20)]
            await self.say(adapter, generator, tone(0.2))
            return given, [await anext(frames) for _ in range(60)]

        before, after = ([type(frame).__name__ for frame in part] for part in self.run(adapter, scene))
        assert "AudioSegmentEnd" not in before
        assert before.count("AudioFrame") + after.count("AudioFrame") == 20
        assert after.count("AudioSegmentEnd") == 1

    def test_what_is_cleared_is_not_heard_and_has_no_end(self, adapter) -> None:
        async def scene(generator, frames):
            await self.say(adapter, generator, tone(2))
            while not isinstance(await anext(frames), adapter.rtc.AudioFrame):
                pass
            generator.clear_buffer()
            return [type(await anext(frames)).__name__ for _ in range(12)]

        assert set(self.run(adapter, scene)) == {"VideoFrame"}

    @pytest.mark.skipif(not find_spec("livekit"), reason="livekit-agents is not installed")
    @pytest.mark.parametrize("interrupted", [False, True])
    def test_their_runner_knows_how_much_was_played(self, adapter, interrupted: bool) -> None:
        from livekit.agents.voice.avatar import AvatarRunner, QueueAudioOutput

        async def scene(generator, frames):
            sound, finished = QueueAudioOutput(sample_rate=RATE), asyncio.get_running_loop().create_future()
            sound.on("playback_finished", finished.set_result)
            runner = AvatarRunner(Room(), audio_recv=sound, video_gen=generator, options=generator.options)
            await runner.start()
            for piece in pieces(tone(0.8)):
                await sound.capture_frame(adapter.rtc.AudioFrame(to_pcm16(piece), RATE, 1, len(piece)))
            if interrupted:
                await asyncio.sleep(0.6)  # All that may be played without more has been, and the end did not come.
                sound.clear_buffer()
            else:
                sound.flush()
            event = await finished
            await runner.aclose()
            return event

        event = self.run(adapter, scene)
        assert event.interrupted == interrupted
        assert 0 < event.playback_position < 0.8 if interrupted else event.playback_position == pytest.approx(0.8)

    def test_the_runner_takes_its_options(self, adapter) -> None:
        async def scene(generator, frames):
            return generator.options, await anext(frames)

        options, frame = self.run(adapter, scene, size=32)
        assert (frame.width, frame.height) == (options.video_width, options.video_height) == (32, 32)
        assert (options.video_fps, options.audio_sample_rate, options.audio_channels) == (25, 16_000, 1)


class Room:
    """A LiveKit room that is connected and takes tracks, with nobody in it."""

    def __init__(self) -> None:
        self.local_participant = SimpleNamespace(publish_track=self._publish)
        self.on = self.off = lambda *_: None

    def isconnected(self) -> bool:
        return True

    async def _publish(self, *_) -> SimpleNamespace:
        return SimpleNamespace(wait_for_subscription=lambda: asyncio.sleep(0))


def _brightness(frame) -> int:
    return int(np.frombuffer(frame.data, np.uint8).max())


class TestPipecat:
    def run(self, adapter, frames: list, avatar: FlashAndBeep | None = None):
        """What goes downstream when these go in, and then an end."""
        from pipecat.tests.utils import run_test

        service = adapter.AvatarVideoService(avatar or FlashAndBeep())
        down, _ = asyncio.run(run_test(service, frames_to_send=frames))
        return down

    def speech(self, adapter, seconds: float) -> list:
        return [adapter.TTSAudioRawFrame(to_pcm16(piece), RATE, 1) for piece in pieces(tone(seconds))]

    def test_sound_comes_out_in_step_with_pictures_before_the_pipeline_ends(self, adapter) -> None:
        stopped = adapter.TTSStoppedFrame()
        down = self.run(adapter, [*self.speech(adapter, 0.4), stopped])
        sounds = [frame for frame in down if isinstance(frame, adapter.TTSAudioRawFrame)]
        assert len(sounds) == 10
        assert {(frame.sample_rate, frame.num_channels) for frame in sounds} == {(16_000, 1)}
        pictures = [frame for frame in down if isinstance(frame, adapter.OutputImageRawFrame)]
        assert all(picture.sync_with_audio and picture.size == (16, 16) for picture in pictures)
        assert max(picture.image[0] for picture in pictures) == BRIGHT
        assert down.index(stopped) > max(down.index(frame) for frame in sounds)
        assert sum(isinstance(frame, adapter.TTSStoppedFrame) for frame in down) == 1

    def test_every_utterance_ends_with_its_own_frame(self, adapter) -> None:
        first, second = adapter.TTSStoppedFrame(), adapter.TTSStoppedFrame()
        down = self.run(adapter, [*self.speech(adapter, 0.2), first, *self.speech(adapter, 0.3), second])
        kinds = [frame for frame in down if not isinstance(frame, adapter.OutputImageRawFrame)]
        assert kinds.index(first) == 5
        assert kinds.index(second) == 5 + 1 + 8

    def test_an_interruption_drops_what_was_still_to_be_said(self, adapter) -> None:
        from pipecat.tests.utils import SleepFrame

        frames = [*self.speech(adapter, 3), SleepFrame(0.8), adapter.InterruptionFrame(), SleepFrame(0.3)]
        down = self.run(adapter, frames)
        interrupted = next(k for k, frame in enumerate(down) if isinstance(frame, adapter.InterruptionFrame))
        before, after = (
            sum(isinstance(frame, adapter.TTSAudioRawFrame) for frame in part)
            for part in (down[:interrupted], down[interrupted:])
        )
        assert 0 < before < 40
        assert after == 0

    def test_an_end_without_sound_passes_on(self, adapter) -> None:
        stopped = adapter.TTSStoppedFrame()
        assert stopped in self.run(adapter, [stopped])

    def test_an_avatar_that_fails_does_not_hold_up_the_end(self, adapter) -> None:
        class Broken(FlashAndBeep):
            def perform(self, *_):
                raise RuntimeError("no such Gaussian")

        stopped = adapter.TTSStoppedFrame()
        down = self.run(adapter, [*self.speech(adapter, 0.3), stopped], Broken())
        assert not any(isinstance(frame, adapter.OutputImageRawFrame) for frame in down)
