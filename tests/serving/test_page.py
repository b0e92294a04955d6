"""The page in a real browser: what a person would see and hear of an avatar, and what the page asks of whom."""

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import live
import numpy as np
import pytest
import soundfile
from flash_and_beep import BRIGHT, DARK, FlashAndBeep, beeps, brightness
from headless_browser import LIVE, Browser, BrowserError, before_the_page, browser

from gaussiantalker.media.image import write_image
from gaussiantalker.speaking import Background, Steering
from gaussiantalker.timing import SAMPLE_RATE

SIZE = 128
BUSY = 3  # processes that want each core
ATTEMPTS = 3  # on a machine as busy as that
LIVELY = "document.documentElement.dataset.state === 'live'"
MEANS = "document.documentElement.dataset.means"

# Looks at the picture and listens to the sound every 30 ms. The face's eyes and mouth are the only dark things.
WITNESS = """
const video = document.querySelector("video");
const canvas = new OffscreenCanvas(%(size)d, %(size)d);
const paint = canvas.getContext("2d", { willReadFrequently: true });
const ears = new AudioContext();
const analyser = new AnalyserNode(ears, { fftSize: 1024 });
ears.createMediaStreamSource(video.srcObject ?? video.captureStream()).connect(analyser);
const wave = new Float32Array(analyser.fftSize);
const dark = (top, bottom) => {
  const pixels = paint.getImageData(0, top, %(size)d, bottom - top).data;
  const found = [];
  for (let i = 0; i < pixels.length; i += 4) if (pixels[i + 1] < 90) found.push((i / 4) %% %(size)d);
  return found;
};
window.seen = [];
window.latest = () => window.seen.at(-1) ?? {};
setInterval(() => {
  paint.drawImage(video, 0, 0, %(size)d, %(size)d);
  analyser.getFloatTimeDomainData(wave);
  const eyes = dark(40, 60);
  window.seen.push({
    at: performance.now() / 1000,
    mouth: dark(80, 120).length / 800,
    loud: Math.sqrt(wave.reduce((sum, x) => sum + x * x, 0) / wave.length),
    eyes: eyes.length / 320,
    middle: eyes.reduce((sum, x) => sum + x, 0) / eyes.length,
  });
}, 30);
"""


LOOK = """
const screen = new OffscreenCanvas(128, 128).getContext("2d", { willReadFrequently: true });
window.at = (x, y) => {
  screen.drawImage(document.querySelector("video"), 0, 0, 128, 128);
  return [...screen.getImageData(x, y, 1, 1).data].slice(0, 3);
};
"""
CHOOSE = """
const [selector, value, event] = arguments;
const control = document.querySelector(selector);
control.value = value;
control.dispatchEvent(new Event(event));
"""

# The page's own gauge shows the server's view until the browser has one of its own.
PEER = "const Peer = RTCPeerConnection; window.RTCPeerConnection = class extends Peer"
KEPT = PEER + "{ constructor() { super(); window.peer = this; } }"
UNREACHED = PEER + "{ constructor() { super({ iceTransportPolicy: 'relay' }); } }"  # No relay exists.
OFFSET = """
setInterval(async () => {
  const streams = [...(await peer.getStats()).values()].filter(({ type }) => type === "inbound-rtp");
  const [first, second] = streams.map(({ estimatedPlayoutTimestamp }) => estimatedPlayoutTimestamp ?? NaN);
  window.offset = first - second;
}, 200);
"""


class Face(FlashAndBeep):
    """A drawn face: the mouth opens as the sound is loud, the head moves sideways as it turns, the eyes close.

    A corner is as bright as the mouth articulates; at the lower edge is the background.
    """

    def before(self, background: Background) -> Background:
        return background

    def perform(self, contexts: np.ndarray, first: int, steering: Steering | None = None) -> Iterator[np.ndarray]:
        for context in contexts:
            yield draw((brightness(context) - DARK) / (BRIGHT - DARK), steering or Steering())


def draw(mouth: float, steering: Steering) -> np.ndarray:
    image = np.full((SIZE, SIZE, 3), 225, np.uint8)
    x = SIZE // 2 - round(steering.yaw)  # A positive yaw is to the picture's left.
    image[20:124, x - 40 : x + 40] = 180
    for side in (-20, 20):
        shut = round(16 * (steering.blink or 0))
        image[42 + shut : 58, x + side - 5 : x + side + 5] = 25
    image[86 : 86 + round(27 * mouth), x - 15 : x + 15] = 25
    image[:16, :16] = round(100 * steering.articulation)
    if steering.background:
        image[-16:] = steering.background.picture
    return image


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    with browser(*LIVE, size=(900, 700)) as window:
        calm = {"name": "prefers-reduced-motion", "value": "reduce"}  # and less work for the processor
        window.command("Emulation.setEmulatedMedia", features=[calm])
        yield window


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A browser beside a server on a busy machine takes its time."""
    monkeypatch.setattr(live, "SECONDS", 60)


@pytest.fixture
def speech(tmp_path: Path) -> Path:
    """Two syllables, so far apart that a busy machine, which shows late what it plays, cannot mix them up."""
    path = tmp_path / "two syllables.wav"
    soundfile.write(path, beeps(4.0, every=2.0, length=0.5), SAMPLE_RATE)
    return path


def visit(window: Browser, scene: Callable[[str], None], **server) -> None:
    """Runs the scene, which is given the page's address, beside a server that ends with it.

    What fails where everything has to wait its turn says little about the page: then the scene is played again, and
    fails when it has failed every time.
    """

    async def run() -> None:
        async with live.serving(avatar=Face(SIZE), **server) as here:
            try:
                await asyncio.to_thread(scene, f"http://{here.address}/")
            finally:
                await asyncio.to_thread(window.open, "about:blank")

    for attempt in range(ATTEMPTS):
        try:
            return asyncio.run(run())
        except (AssertionError, BrowserError):
            if attempt == ATTEMPTS - 1 or os.getloadavg()[0] < BUSY * os.cpu_count():
                raise


def settle(window: Browser) -> None:
    """Waits until the browser plays sound and picture together: one that was slow to start takes its time for that."""
    window.script(OFFSET)
    window.wait("Math.abs(window.offset) < 150", 25)


def say(window: Browser, speech: Path) -> dict[str, np.ndarray]:
    """What is seen and heard from before the speech to after it."""
    window.choose_file("#file", speech)
    window.wait("latest().loud > 0.05")
    window.wait("document.body.innerText.includes('0:04 / 0:04')")
    window.script("window.since = seen.length")
    window.wait("seen.length > since + 30 && seen.slice(-30).every(({ loud, mouth }) => loud < 0.01 && mouth < 0.1)")
    seen = window.script("return seen")
    return {name: np.array([moment[name] for moment in seen], float) for name in seen[0]}


def assert_mouth_moves_with_speech(seen: dict[str, np.ndarray], within: float = 0.7) -> None:
    """The mouth opens for every syllable, and only for syllables. `within`: seconds between what is seen and heard."""
    at, is_open, is_loud = seen["at"], seen["mouth"] > 0.5, seen["loud"] > 0.05
    openings = at[1:][is_open[1:] & ~is_open[:-1]]
    assert np.count_nonzero(np.diff(openings, prepend=-1) > 0.5) == 2
    assert distance(at[is_loud], at[is_open]).max() < within, "a sound without a mouth"
    assert distance(at[is_open], at[is_loud]).max() < within, "a mouth without a sound"


def distance(times: np.ndarray, others: np.ndarray) -> np.ndarray:
    """From each time [A] to the nearest of the others [B]."""
    return np.abs(times[:, None] - others).min(axis=1)


def press(window: Browser, selector: str) -> None:
    """A click with the pointer, as a person would."""
    x, y = middle_of(window, selector)
    down, up = {"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}
    move = {"type": "pointerMove", "x": x, "y": y}
    window.act({"type": "pointer", "id": "mouse", "actions": [move, down, up]})


def middle_of(window: Browser, selector: str) -> tuple[int, int]:
    look = "const box = document.querySelector(arguments[0]).getBoundingClientRect();"
    x, y = window.script(look + "return [box.x + box.width / 2, box.y + box.height / 2]", selector)
    return round(x), round(y)


def test_over_webrtc_the_mouth_moves_with_the_speech_and_the_head_with_the_hand(window: Browser, speech: Path) -> None:
    def scene(address: str) -> None:
        window.open(address)
        window.wait(LIVELY)
        assert window.script(f"return {MEANS}") == "webrtc"
        assert window.script("return document.querySelector('#text-form').hidden"), "this server has no voice"
        assert "AI-generated" in window.text()
        window.script(WITNESS % {"size": SIZE})
        settle(window)
        assert_mouth_moves_with_speech(say(window, speech))
        turn_and_blink(window)
        interrupt(window, speech)
        talk(window)
        assert window.complaints() == []
        asked = {urlsplit(url) for url in window.requests()}
        assert {url.netloc for url in asked if url.scheme not in ("data", "blob")} == {urlsplit(address).netloc}
        assert {"http", "ws"} <= {url.scheme for url in asked}

    with before_the_page(window, KEPT):
        visit(window, scene)


def turn_and_blink(window: Browser) -> None:
    before = window.script("return latest().middle")
    x, y = middle_of(window, "#frame")
    width = window.script("return document.querySelector('#frame').clientWidth")
    drag = [
        {"type": "pointerMove", "x": x, "y": y},
        {"type": "pointerDown", "button": 0},
        {"type": "pointerMove", "x": x + width // 4, "y": y, "duration": 100},
        {"type": "pointerUp", "button": 0},
    ]
    window.act({"type": "pointer", "id": "mouse", "actions": drag})
    window.wait(f"latest().middle > {before} + 10")
    assert "° right" in window.text()
    window.script("document.querySelector('#frame').focus()")
    window.act({"type": "key", "id": "keys", "actions": [{"type": "keyDown", "value": "\ue00c"}]})  # Escape
    window.wait(f"Math.abs(latest().middle - {before}) < 3")
    window.script("const lid = document.querySelector('#blink'); lid.value = 1; lid.dispatchEvent(new Event('input'))")
    window.wait("latest().eyes < 0.2")
    press(window, ".switch")
    window.wait("latest().eyes > 0.8")


def interrupt(window: Browser, speech: Path) -> None:
    window.choose_file("#file", speech)
    window.wait("latest().loud > 0.05")
    press(window, "#interrupt")
    window.script("seen.length = 0")
    window.wait("seen.length > 50")
    assert window.script("return seen.slice(20).every(({ loud, mouth }) => loud < 0.01 && mouth < 0.1)")


def talk(window: Browser) -> None:
    """The browser's pretended microphone beeps every now and then."""
    x, y = middle_of(window, "#talk")
    hold = [{"type": "pointerMove", "x": x, "y": y}, {"type": "pointerDown", "button": 0}]
    window.act({"type": "pointer", "id": "mouse", "actions": hold})
    window.wait("document.querySelector('#talk').getAttribute('aria-pressed') === 'true'")
    window.wait("latest().mouth > 0.2")
    window.act({"type": "pointer", "id": "mouse", "actions": [{"type": "pointerUp", "button": 0}]})
    window.wait("document.querySelector('#talk').getAttribute('aria-pressed') === 'false'")


class Voice:
    """Says every text as two syllables."""

    rate = SAMPLE_RATE

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> Iterator[np.ndarray]:
        self.said.append(text)
        yield from np.split(beeps(4.0, every=2.0, length=0.5), 4)


def test_what_is_typed_is_said_with_the_mouth_and_may_be_broken_off(window: Browser) -> None:
    voice = Voice()

    def scene(address: str) -> None:
        voice.said.clear()
        window.open(address)
        window.wait(LIVELY)
        window.script(WITNESS % {"size": SIZE})
        press(window, "#text")
        write(window, " Hello you\ue007")  # Enter
        window.wait("latest().loud > 0.05 && latest().mouth > 0.2")
        assert voice.said == ["Hello you"] and window.script("return document.querySelector('#text').value") == ""
        write(window, "Again")
        press(window, "#read")  # which breaks off what is said
        window.wait("latest().loud > 0.05 && latest().mouth > 0.2")
        assert voice.said == ["Hello you", "Again"]
        press(window, "#interrupt")
        window.script("seen.length = 0")
        window.wait("seen.length > 60")
        assert window.script("return seen.slice(20).every(({ loud, mouth }) => loud < 0.01 && mouth < 0.1)")
        assert window.complaints() == []

    visit(window, scene, voice=voice)


def write(window: Browser, text: str) -> None:
    keys = [{"type": type, "value": letter} for letter in text for type in ("keyDown", "keyUp")]
    window.act({"type": "key", "id": "keys", "actions": keys})


def test_the_page_chooses_what_is_behind_and_how_far_the_mouth_moves(window: Browser, tmp_path: Path) -> None:
    write_image(tmp_path / "office.png", np.full((1, 1, 3), (30, 60, 200), np.uint8))

    def scene(address: str) -> None:
        window.open(address)
        window.wait(LIVELY)
        window.script(LOOK)
        window.wait("at(8, 120)[2] > 200 && Math.abs(at(8, 8)[1] - 100) < 12")
        for chosen, seen in {"office": [30, 60, 200], "green": [0, 177, 64], "#": [32, 64, 96], "": [225] * 3}.items():
            window.script(CHOOSE, "#background", chosen, "change")
            window.wait(f"at(8, 120).every((shade, k) => Math.abs(shade - {seen}[k]) < 20)")
        window.script(CHOOSE, "#articulation", "1.8", "input")
        window.wait("Math.abs(at(8, 8)[1] - 180) < 12")
        assert "180 %" in window.text() and window.complaints() == []

    visit(window, scene, backgrounds={"office": tmp_path / "office.png"})


def test_behind_a_firewall_the_page_asks_for_the_token_and_shows_a_stream(window: Browser, speech: Path) -> None:
    def scene(address: str) -> None:
        window.open(address)
        window.wait("!document.querySelector('#token-form').hidden")
        for word in ("wrong", "s3cret"):
            enter = "document.querySelector('#token').value = arguments[0];"
            window.script(enter + "document.querySelector('#token-form').requestSubmit()", word)
            window.wait("document.body.innerText.includes('not right')" if word == "wrong" else LIVELY, 15)
        assert window.script(f"return {MEANS}") == "stream"
        assert "WebRTC is not used (it did not connect within 4 seconds)" in window.text()
        window.script(WITNESS % {"size": SIZE})
        assert_mouth_moves_with_speech(say(window, speech))

    with before_the_page(window, UNREACHED):
        visit(window, scene, token="s3cret")


def test_what_the_page_is_made_of_names_no_other_place() -> None:
    page = Path(__file__).parents[2] / "src/gaussiantalker/serving/page"
    for file in page.iterdir():
        text = file.read_text()
        assert "://" not in text.replace("http://www.w3.org/2000/svg", ""), file.name
