"""Hearing in a page is Python's: the same codes of the same sound, however it comes."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from headless_browser import Browser, browser
from hearing import a_mouth_listener, noise
from safetensors.numpy import save_file
from static_host import hosted

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.export import hearing
from gaussiantalker.export.hearing import HEARING, write_hearing
from gaussiantalker.media.sound import Sound
from gaussiantalker.speech.whisper import Whisper
from gaussiantalker.speech.whisper_net import WhisperNet
from gaussiantalker.talker import MouthListener
from gaussiantalker.timing import FPS, SAMPLE_RATE

PLAYER = Path(hearing.__file__).parent / "player"
DRIVING = Path(__file__).parents[2] / "samples" / "driving.wav"
TOLERANCE = 1e-3  # of the codes' own deviation, where 1e-5 is usual
WHOLE, ODD = (10**9,), (1, 333, 640, 5000, 17, 2559)

PAGE = """
const [name, sizes] = arguments;
window.frames = null;
(async () => {
  const { Hearing } = await import("./hearing.js");
  const { readTensors } = await import("./tensors.js");
  const bytes = async (name) => (await fetch(name)).arrayBuffer();
  const { tensors, metadata } = readTensors(await bytes("mouth.safetensors"));
  const facts = { speech: { channels: +metadata.channels, lookahead_ms: +metadata.lookahead_ms } };
  const named = Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [`listener.${name}`, tensor]));
  const hearing = await Hearing.open(".", { facts, tensors: named });
  const frames = [];
  hearing.onframe = ({ time, audio }) => frames.push([time, ...audio]);
  const push = (pcm) => {
    for (let start = 0, k = 0; start < pcm.length; start += sizes[k++ % sizes.length]) {
      hearing.push(pcm.subarray(start, start + sizes[k % sizes.length]));
    }
  };
  const pcm = new Float32Array(await bytes(name));
  push(pcm.subarray(30000));
  hearing.reset();  // and all of that is forgotten
  push(pcm);
  await hearing.flush();
  const first = frames.splice(0);
  push(pcm.subarray(20000, 27000));
  await hearing.flush();
  window.frames = [first, frames];
  hearing.close();
})().catch((fault) => { window.frames = String(fault); });
"""


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    with browser(size=(400, 300)) as window:
        yield window


def tiny() -> Whisper:
    """Of random weights, as they are after half precision."""
    torch.manual_seed(0)
    net = WhisperNet(channels=128, heads=2, layers=3, positions=40)
    torch.nn.init.normal_(net.positions)
    return Whisper(net.half().float().eval(), name="whisper-early", layers=(1, 2))


def listener_with(encoder: Whisper, lookahead_ms: int = 140) -> MouthListener:
    """One whose codes of noise are about as large as a person's."""
    listener = replace(a_mouth_listener(lookahead_ms), encoder=encoder)
    rows = encoder.features(noise(1))
    rng, size = np.random.default_rng(0), (lookahead_ms // 20 + 4) * encoder.channels
    weights = rng.normal(scale=1 / np.sqrt(size * rows.var()), size=(size, listener.channels)).astype(np.float32)
    return replace(listener, silent_row=rows.mean(axis=0), reader=replace(listener.reader, weights=weights))


def sounds() -> dict[str, np.ndarray]:
    """The sample's, and bursts of noise in silence that grow from soft to loud."""
    bursts = np.zeros(4 * SAMPLE_RATE + 123, np.float32)
    for number in range(4):
        start = number * SAMPLE_RATE + 4000
        bursts[start : start + 5000] = 0.02 * 2**number * noise(5000 / SAMPLE_RATE, number)
    return {"driving": Sound.of(DRIVING).heard[: 5 * SAMPLE_RATE], "bursts": bursts}


def write_page(folder: Path, listener: MouthListener) -> None:
    shutil.copytree(PLAYER, folder, dirs_exist_ok=True)
    (folder / "empty.html").write_text("<!doctype html><title>-</title><link rel=icon href='data:,'><body>")
    write_hearing(SimpleNamespace(listener=listener), folder)
    arrays = {name: np.ascontiguousarray(array, np.float32) for name, array in listener.arrays().items()}
    facts = {name: str(listener.facts()[name]) for name in ("channels", "lookahead_ms")}
    save_file(arrays, folder / "mouth.safetensors", facts)
    for name, sound in sounds().items():
        sound.astype("<f4").tofile(folder / f"{name}.f32")


def heard_in(window: Browser, name: str, sizes: tuple[int, ...]) -> list[np.ndarray]:
    """Times and codes of a sound, and of a piece of it as another utterance."""
    window.script(PAGE, f"{name}.f32", sizes)
    frames = window.wait("window.frames", 60)
    assert not isinstance(frames, str), frames
    return [np.array(part) for part in frames]


@pytest.fixture(scope="module", params=["random", "pretrained"])
def listener(request: pytest.FixtureRequest, model: Callable[[str], Path]) -> MouthListener:
    if request.param == "random":
        return listener_with(tiny(), lookahead_ms=80)
    return listener_with(Whisper(WhisperNet.read(model("whisper-tiny-en")), name="whisper-early", layers=(1, 2)))


@pytest.fixture(scope="module")
def page(window: Browser, listener: MouthListener, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    folder = tmp_path_factory.mktemp("page")
    write_page(folder, listener)
    with hosted(folder) as address:
        window.open(f"{address}/empty.html")
        yield window
        window.open("about:blank")


@pytest.mark.parametrize("name, sizes", [("driving", WHOLE), ("driving", ODD), ("bursts", WHOLE), ("bursts", ODD)])
def test_a_page_hears_what_python_hears(
    page: Browser, listener: MouthListener, name: str, sizes: tuple[int, ...]
) -> None:
    audio = sounds()[name]
    most = TOLERANCE * listener.hear(audio).std()
    for frames, sound in zip(heard_in(page, name, sizes), (audio, audio[20_000:27_000]), strict=True):
        truth = listener.hear(sound)
        assert np.array_equal(frames[:, 0], np.arange(len(truth)) / FPS)
        assert np.abs(frames[:, 1:] - truth).max() < most


def test_silence_is_told_as_such(page: Browser) -> None:
    frames, _ = heard_in(page, "bursts", ODD)
    codes = np.abs(frames[:, 1:]).max(axis=1)
    assert (codes == 0).sum() > 20 and (codes > 0.5).sum() > 20


def test_an_export_without_its_hearing_says_so(window: Browser, tmp_path: Path) -> None:
    write_page(tmp_path, listener_with(tiny()))
    (tmp_path / HEARING).unlink()
    with hosted(tmp_path) as address:
        window.open(f"{address}/empty.html")
        window.script(PAGE, "bursts.f32", WHOLE)
        assert "hearing.safetensors is missing" in window.wait("window.frames", 30)
        window.open("about:blank")


def test_an_ear_of_another_kind_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(GaussianTalkerError, match="mouth-code"):
        write_hearing(SimpleNamespace(listener=a_mouth_listener()), tmp_path / "new")
    assert not (tmp_path / "new").exists()
