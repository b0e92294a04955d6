"""The player in a real browser: its pictures are Python's, it speaks in step, and says what is wrong."""

import json
import re
import threading
from base64 import b64decode
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
import soundfile
import torch
from headless_browser import LIVE, Browser, before_the_page, browser
from puppet import SIZE, a_puppet

from gaussiantalker.export import export_web
from gaussiantalker.speaking import Avatar, Steering
from gaussiantalker.speaking.director import Director
from gaussiantalker.talker.torso import pose_numbers
from gaussiantalker.timing import SAMPLE_RATE

FRAMES = range(0, 40, 4)
SECONDS = 1.2
SOFTWARE = ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")

DRAWN = """
const [frames, done] = arguments;
(async () => {
  const { fetchAvatar } = await import("./avatar.js");
  const { Coefficients } = await import("./coefficients.js");
  const { Renderer } = await import("./renderer.js");
  const avatar = await fetchAvatar("me.avatar");
  const { "head.means": means, "head.bases": bases, "head.reach": reach } = avatar.tensors;
  const [minds, renderer] = [new Coefficients(avatar), new Renderer(document.createElement("canvas"), avatar)];
  const worker = new Worker("./order-worker.js", { type: "module" });
  worker.postMessage({ means: means.data, bases, reach: reach.data, moved: avatar.facts.head.moved });
  const pictures = [];
  for (const { mouth, blink, ...moved } of frames) {
    const { pose } = moved;
    const [head, torso] = [minds.head(mouth, blink, pose), minds.torso(moved)];
    const order = await new Promise((resolve) => {
      worker.onmessage = ({ data }) => resolve(data.order);
      worker.postMessage({ coefficients: head, pose: Float32Array.from(pose) });
    });
    for (const matte of [false, true]) {
      renderer.draw({ head, torso, pose, order, matte });
      pictures.push(btoa(String.fromCharCode(...renderer.read())));
    }
  }
  window.pictures = pictures;
})().catch((fault) => { window.pictures = String(fault.stack); });
"""

# What the page hears, without an ear: an open mouth in every other fifth of a second.
HEARING = """
export class Hearing {
  static async open() { return new Hearing(); }
  onframe() {}
  reset() { this.samples = this.frames = 0; }
  push(pcm) { this.samples += pcm.length; this.give(Math.floor(this.samples / 640)); }
  async flush() { this.give(Math.ceil(this.samples / 640)); }
  give(until) {
    for (; this.frames < until; this.frames += 1) {
      const mouth = Float32Array.of(3 * (Math.floor(this.frames / 5) % 2), 0, 0, 0, 0, 0);
      this.onframe({ time: (this.frames + 0.5) / 25, audio: mouth });
    }
  }
  close() {}
}
"""


@pytest.fixture(scope="module")
def avatar() -> Avatar:
    return a_puppet()


@pytest.fixture(scope="module")
def folder(avatar: Avatar, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("web") / "me"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gaussiantalker.export.web.write_hearing", lambda avatar, folder: {})
        export_web(avatar, folder)
    (folder / "hearing.js").write_text(HEARING)
    (folder / "empty.html").write_text("<!doctype html><title>-</title><link rel=icon href='data:,'><body>")
    time = np.arange(round(SECONDS * 44_100)) / 44_100
    soundfile.write(folder / "tone.wav", 0.2 * np.sin(2000 * time), 44_100)
    return folder


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_) -> None:
        pass


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """What any static host does."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    with browser(*LIVE, *SOFTWARE, size=(900, 700)) as window:
        yield window


def complaints(window: Browser) -> list[str]:
    """What the console was told, but for how long reading pixels back takes."""
    return [line for line in window.complaints() if "ReadPixels" not in line]


def asked_of(avatar: Avatar, frame: int, heard: np.ndarray) -> dict:
    """What the page is told of a frame."""
    take = Director(avatar.moved, 1.0, avatar.torso).take(heard[frame : frame + 1], frame, None)
    own = torch.from_numpy(avatar.moved.sway[[avatar.moved.index(frame)]]).float()
    sway = (pose_numbers(own) - avatar.torso.pose_mean) / avatar.torso.pose_scale
    pose, seen = take.drive.viewmats[0, :3].flatten(), take.drive.conditions
    return {
        "mouth": seen["audio"][0].tolist(),
        "blink": float(seen["eye"][0]),
        "pose": pose.tolist(),
        "held": pose.tolist(),
        "sway": sway[0].tolist(),
        "body": take.body[0].tolist(),
    }


def test_pictures_are_those_of_python(window: Browser, address: str, avatar: Avatar) -> None:
    heard = np.random.default_rng(1).normal(size=(40, avatar.listener.channels)).astype(np.float32)
    window.open(f"{address}/empty.html")
    window.script(DRAWN, [asked_of(avatar, frame, heard) for frame in FRAMES])
    pictures = window.wait("window.pictures", 60)
    assert isinstance(pictures, list), pictures
    behind = (avatar.torso.background.numpy() * 255).round()
    levels, truth = [], []
    drawings = [
        np.frombuffer(b64decode(picture), np.uint8).reshape(SIZE, SIZE, 4).astype(float) for picture in pictures
    ]
    for frame, drawn, over_a_page in zip(FRAMES, drawings[::2], drawings[1::2], strict=True):
        assert (over_a_page[..., 3] >= drawn[..., 3] - 1)[drawn[..., 3] > 230].mean() > 0.99, "cloth lets light through"
        assert (over_a_page[..., 3] == 0)[drawn[..., 3] < 50].all(), "a rim is left"
        assert (drawn[..., :3] <= drawn[..., 3:]).all(), "colours are not multiplied with alpha"
        truth.append(next(iter(avatar.perform(heard[frame : frame + 1], frame))).astype(float))
        shown = drawn[..., :3] + (1 - drawn[..., 3:] / 255) * behind
        levels.append(10 * np.log10(255**2 / np.square(shown - truth[-1]).mean()))
    alpha = drawn[..., 3]
    assert (alpha[:4] == 0).all() and alpha.max() > 250 and 0.2 < (alpha == 0).mean() < 0.8
    assert np.mean(levels) >= 42, levels
    assert np.stack(truth).std(axis=0).max() > 10, "the test must have something that moves"


def test_it_speaks_in_step_with_its_sound_and_asks_nobody(window: Browser, address: str) -> None:
    window.open(f"{address}/index.html")
    window.wait("!document.querySelector('#choose').disabled", 30)
    window.requests()
    window.script("""
      window.told = [];
      for (const name of ["speech-start", "speech-end", "error"]) {
        me.addEventListener(name, ({ type, detail }) => told.push([type, performance.now() / 1000, detail]));
      }
      me.speak("tone.wav").then((whole) => told.push(["done", performance.now() / 1000, whole]));
    """)
    window.wait("told.some(([name]) => name === 'done')", 30)
    (start, began, _), (end, ended, _), (_, _, whole) = window.script("return told")
    assert (start, end, whole) == ("speech-start", "speech-end", True)
    assert ended - began > SECONDS - 0.1, "the sound is not cut"
    assert "AI-generated" in window.script("return me.shadowRoot.textContent")
    assert {urlsplit(url).netloc for url in window.requests() if url.startswith("http")} <= {urlsplit(address).netloc}
    assert complaints(window) == []


def test_it_can_be_interrupted_and_directed(window: Browser, address: str) -> None:
    window.open(f"{address}/index.html")
    window.wait("!document.querySelector('#choose').disabled", 30)
    window.script("window.done = null; me.speak('tone.wav').then((whole) => { window.done = [whole]; })")
    window.wait("me.speaking", 20)
    window.script("me.interrupt()")
    assert window.wait("window.done", 20) == [False]
    window.script("me.pose = { yaw: 8 }; me.blink = 1; me.articulation = 9; me.background = 'own'")
    assert window.script("return [me.pose.yaw, me.blink, me.articulation, me.background]") == [8, 1, 2, "own"]
    assert complaints(window) == []


def test_it_says_what_the_microphone_brings(window: Browser, address: str) -> None:
    window.open(f"{address}/index.html")
    window.wait("!document.querySelector('#choose').disabled", 30)
    window.script("""
      window.told = [];
      const tell = ({ type }) => told.push(type);
      for (const name of ["speech-start", "speech-end", "error"]) me.addEventListener(name, tell);
      me.listen(null, { play: false }).then((whole) => told.push(whole));
    """)
    window.wait("me.speaking", 30)
    window.script("me.interrupt()")
    assert window.wait("told.length === 3 && told", 20) == ["speech-start", "speech-end", False]
    assert complaints(window) == []


# A server that tells the same three frames again and again, the second with other numbers, and sound.
SERVER = """
window.WebSocket = class {
  constructor(url) {
    window.asked = url;
    let number = 0;
    const begin = () => { this.onopen(); this.timer = setInterval(() => this.tell(number++), 40); };
    setTimeout(url.includes("nobody") ? () => this.onclose() : begin, 20);
  }
  close() { clearInterval(this.timer); this.onclose(); }
  tell(number) {
    const bytes = new ArrayBuffer(12 + 48 + 2 * 14 + 2 * 640);
    const view = new DataView(bytes);
    view.setUint32(0, number, true);
    view.setInt32(4, 0, true);
    view.setUint16(8, 14, true);
    view.setUint16(10, 640, true);
    [1, 0, 0, 0.25, 0, 1, 0, -0.5, 0, 0, 1, 8].forEach((value, i) => view.setFloat32(12 + 4 * i, value, true));
    for (let i = 0; i < 14; i += 1) view.setUint16(60 + 2 * i, 0x3c00 + (i === 0 ? number % 2 : 0), true);
    this.onmessage({ data: bytes });
  }
};
"""


def test_it_follows_a_server_that_hears_for_it(window: Browser, address: str) -> None:
    keep = "const send = Worker.prototype.postMessage; window.posted = [];"
    keep += "Worker.prototype.postMessage = function (data, ...more) { if (data.coefficients) posted.push("
    keep += "[[...data.coefficients], [...data.pose]]); return send.call(this, data, ...more); };"
    with before_the_page(window, SERVER + keep):
        window.open(f"{address}/index.html")
        window.wait("!document.querySelector('#choose').disabled", 30)
    window.script(
        "window.done = null; me.follow('/v1/x/coefficients?sound=true').then((end) => { window.done = [end]; })"
    )
    window.wait("posted.filter(([numbers]) => numbers[1] === 1).length > 4", 30)
    told = [numbers[1] == 1 for numbers, _ in window.script("return posted")]
    assert all(told[told.index(True) :]), "another picture is drawn beside the server's"
    numbers, pose = window.script("return posted.at(-1)")
    assert numbers[1:] == [1] * 5 and numbers[0] in (1, 1 + 2**-10)
    assert pose == [1, 0, 0, 0.25, 0, 1, 0, -0.5, 0, 0, 1, 8]
    window.script("me.interrupt()")
    assert window.wait("done", 20) == [False]
    window.script("window.trouble = null; me.addEventListener('error', ({ detail }) => { trouble = detail; })")
    window.script("me.follow('/nobody')")
    assert window.wait("trouble", 20)["code"] == "server"
    assert complaints(window) == []


def test_graphics_that_were_taken_away_come_back(window: Browser, address: str) -> None:
    keep = "const get = HTMLCanvasElement.prototype.getContext;"
    keep += "HTMLCanvasElement.prototype.getContext = function (...a) { return (window.gl = get.apply(this, a)); }"
    with before_the_page(window, keep):
        window.open(f"{address}/index.html")
        window.wait("!document.querySelector('#choose').disabled", 30)
    window.script("window.loser = gl.getExtension('WEBGL_lose_context'); loser.loseContext()")
    window.wait("gl.isContextLost()", 10)
    window.script("setTimeout(() => loser.restoreContext(), 300)")
    window.wait("!gl.isContextLost()", 20)
    window.script("""
      const draw = gl.drawElements.bind(gl);
      window.calls = 0;
      gl.drawElements = (...a) => { calls += 1; draw(...a); };
    """)
    window.wait("calls > 2", 20)
    assert window.script("return gl.getError()") == 0
    assert [line for line in complaints(window) if "lost" not in line.lower()] == []


def test_it_is_steered_as_python_steers(window: Browser, address: str, avatar: Avatar) -> None:
    steering = Steering(yaw=6, pitch=-9, roll=4, blink=0.7, still=True)
    director, poses, blinks, bodies = Director(avatar.moved, 1.0, avatar.torso), [], [], []
    for frame in range(30):
        take = director.take(np.zeros((1, avatar.listener.channels), np.float32), frame, steering)
        poses.append(take.drive.viewmats[0, :3].flatten().numpy())
        blinks.append(float(take.drive.conditions["eye"][0]))
        bodies.append(take.body[0].numpy())
    window.open(f"{address}/empty.html")
    window.script("""
      window.found = null;
      const parts = ["avatar", "motion", "coefficients"].map((name) => import(`./${name}.js`));
      Promise.all(parts).then(async ([{ fetchAvatar }, { Motion }, { Coefficients }]) => {
        const avatar = await fetchAvatar("me.avatar");
        const [motion, minds] = [new Motion(avatar), new Coefficients(avatar)];
        Object.assign(motion, { angles: { yaw: 6, pitch: -9, roll: 4 }, blink: 0.7, still: true });
        const shown = Array.from({ length: 30 }, (_, frame) => motion.at(frame));
        window.found = shown.map(({ blink, ...moved }) => [[...moved.pose], blink, [...minds.torso(moved)]]);
      }).catch((fault) => { window.found = String(fault.stack); });
    """)
    found = window.wait("window.found", 20)
    np.testing.assert_allclose([blink for _, blink, _ in found], blinks, atol=1e-5)
    np.testing.assert_allclose([pose for pose, _, _ in found], poses, atol=2e-3)
    np.testing.assert_allclose([body for _, _, body in found], bodies, atol=0.02)


REFUSALS = {
    "webgl": ("HTMLCanvasElement.prototype.getContext = () => null", "", "needs WebGL2"),
    "autoplay": ("AudioContext.prototype.resume = () => new Promise(() => {});"
                 "Object.defineProperty(AudioContext.prototype, 'state', { get: () => 'suspended' })",
                 "me.speak('tone.wav')", "click"),
    "microphone": ("navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('', 'NotFoundError') }",
                   "me.listen()", "No microphone"),
    "sound": ("", "me.speak(new Blob(['no sound']))", "no sound that"),
    "avatar": ("", "me.src = 'empty.html'", "no avatar"),
}  # fmt: skip


@pytest.mark.parametrize("code", REFUSALS)
def test_what_is_wrong_is_a_sentence_and_an_event(window: Browser, address: str, code: str) -> None:
    before, act, sentence = REFUSALS[code]
    listen = "addEventListener('error', ({ detail }) => { window.trouble ??= detail; }, true);"
    with before_the_page(window, f"{before};{listen}"):
        window.open(f"{address}/index.html")
        if act:
            window.wait("!document.querySelector('#choose').disabled", 30)
            window.script(act)
        trouble = window.wait("window.trouble", 20)
    assert trouble["code"] == code and sentence in trouble["message"]
    assert trouble["message"] == window.script("return me.shadowRoot.querySelector('[role=alert]').textContent")
    assert complaints(window) == []


@pytest.mark.parametrize("size", [0, 7, 100, 5_000, -1])
def test_a_damaged_file_is_said_to_be_damaged(window: Browser, address: str, folder: Path, size: int) -> None:
    (folder / "broken.avatar").write_bytes((folder / "me.avatar").read_bytes()[:size])
    window.open(f"{address}/empty.html")
    window.script("""
      window.fault = null;
      import("./avatar.js").then(({ fetchAvatar }) => fetchAvatar("broken.avatar")).then(
        () => { window.fault = "none"; }, ({ name, message }) => { window.fault = `${name}: ${message}`; });
    """)
    assert "TalkingHeadError: This is no avatar, or it is damaged" in window.wait("window.fault", 20)


def test_the_player_names_no_other_place_and_fits_a_package(folder: Path) -> None:
    package = json.loads((folder / "package.json").read_text())
    assert set(package["files"]) <= {path.name for path in folder.iterdir()}
    assert {package["main"], package["types"], "me.avatar", "hearing.js"} <= set(package["files"])
    for path in folder.glob("*.js"):
        text = path.read_text()
        assert "://" not in text, path.name
        for module in re.findall(r"""(?:from|import|new URL\()\s*"([^"]+)\"""", text):
            assert module in (".", "hearing.safetensors") or (folder / module).is_file(), (
                f"{path.name} asks for {module}"
            )


def test_sound_of_another_rate_is_the_same_sound(window: Browser, address: str) -> None:
    window.open(f"{address}/empty.html")
    window.script("""
      import("./resampler.js").then(({ Resampler }) => {
        const tone = (rate, length) =>
          Float32Array.from({ length }, (_, i) => Math.sin((2 * Math.PI * 440 * i) / rate));
        const found = {};
        for (const rate of [44100, 48000, 8000, 16000]) {
          const [resampler, sound] = [new Resampler(rate, 16000), tone(rate, rate)];
          const pieces = [0, 1, 2, 3].map((k) => sound.slice((k * rate) / 4, ((k + 1) * rate) / 4));
          const out = pieces.flatMap((piece) => [...resampler.push(piece)]);
          const truth = tone(16000, out.length);
          const errors = out.map((value, i) => Math.abs(value - truth[i])).slice(200, -200);
          found[rate] = [out.length, Math.max(...errors)];
        }
        window.found = found;
      });
    """)
    for count, worst in window.wait("window.found", 20).values():
        assert SAMPLE_RATE - 60 < count <= SAMPLE_RATE and worst < 0.005
