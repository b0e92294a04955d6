"""An avatar in a page: what is downloaded, what a picture takes, whether pictures are Python's, memory over minutes.

    python benchmarks/web.py AVATAR                              # all of it, with samples/driving.wav
    python benchmarks/web.py AVATAR --parts size pictures
    python benchmarks/web.py AVATAR --parts heap --minutes 10    # speaks in real time

The browser is a headless Chromium that draws in software (SwiftShader), so its times say what a machine without a
graphics card does. Pictures are those of what the page itself hears.
"""

import json
import sys
import threading
import time
from base64 import b64decode
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np
import torch
import tyro
from rich.console import Console
from safetensors import safe_open

from gaussiantalker.export import export_web
from gaussiantalker.media.audio import read_audio, write_wav
from gaussiantalker.speaking import Avatar
from gaussiantalker.speaking.director import Director
from gaussiantalker.talker.torso import POSE_NUMBERS
from gaussiantalker.timing import FPS, SAMPLE_RATE

ROOT = Path(__file__).resolve().parents[1]
FIXTURES = ROOT / "tests" / "fixtures"  # where the browser is driven
SOFTWARE = ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--enable-precise-memory-info")
COMPARED, LIPS = 10, 60  # frames whose pictures are compared, and in which lips are followed
SPEECH = 0.02  # share of the pixels, those that speech changes most
Part = Literal["size", "pictures", "heap"]

PAGE = """
(async () => {
  const { fetchAvatar } = await import("./avatar.js");
  const { Coefficients } = await import("./coefficients.js");
  const { Renderer } = await import("./renderer.js");
  const { Hearing } = await import("./hearing.js");
  const avatar = await fetchAvatar("me.avatar");
  const { "head.means": means, "head.bases": bases, "head.reach": reach } = avatar.tensors;
  const [minds, renderer] = [new Coefficients(avatar), new Renderer(document.createElement("canvas"), avatar)];
  const worker = new Worker("./order-worker.js", { type: "module" });
  worker.postMessage({ means: means.data, bases, reach: reach.data, moved: avatar.facts.head.moved });
  const hearing = await Hearing.open("./", avatar);
  window.hear = async () => {
    const sound = new Float32Array(await (await fetch("sound.f32")).arrayBuffer());
    const heard = [];
    hearing.onframe = ({ audio }) => heard.push([...audio]);
    const begun = performance.now();
    hearing.push(sound);
    await hearing.flush();
    window.heard = { codes: heard, milliseconds: performance.now() - begun };
  };
  window.draw = async ({ mouth, blink, ...moved }) => {
    const { pose } = moved;
    const begun = performance.now();
    const [head, torso] = [minds.head(mouth, blink, pose), minds.torso(moved)];
    const thought = performance.now();
    const { order, milliseconds } = await new Promise((resolve) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.postMessage({ coefficients: head, pose: Float32Array.from(pose) });
    });
    const sorted = performance.now();
    renderer.draw({ head, torso, pose, order });
    const pixels = renderer.read();
    const times = { coefficients: thought - begun, sort: milliseconds, draw: performance.now() - sorted };
    let text = "";
    for (let i = 0; i < pixels.length; i += 4096) text += String.fromCharCode(...pixels.subarray(i, i + 4096));
    window.drawn = { picture: btoa(text), times };
  };
  window.prepared = "yes";
})().catch((fault) => { window.prepared = String(fault.stack); });
"""
TALK = """
me.addEventListener("error", ({ detail }) => { window.trouble = detail.message; });
window.shown = 0;
window.talk = async () => { while (!window.trouble) await me.speak("sound.wav"); };
talk();
"""


@dataclass
class Options:
    avatar: tyro.conf.Positional[Path]
    sound: Path = ROOT / "samples" / "driving.wav"
    parts: tuple[Part, ...] = ("size", "pictures", "heap")
    minutes: float = 10.0
    """Of speech for `heap`."""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def sizes(folder: Path) -> dict[str, float]:
    """Megabytes of the download by part."""
    found: Counter[str] = Counter()
    with safe_open(folder / "me.avatar", "np") as file:
        for name in file.keys():
            kind = name if name.startswith(("head.bases", "head.sh", "torso.shades")) else name.split(".")[0]
            found[kind] += file.get_tensor(name).nbytes
    found["hearing"] = (folder / "hearing.safetensors").stat().st_size
    found["player"] = sum(path.stat().st_size for path in folder.glob("*.*") if path.suffix in (".js", ".css", ".wasm"))
    return {name: size / 1e6 for name, size in found.most_common()}


def asked(avatar: Avatar, frame: int, code: np.ndarray) -> dict:
    """What the page is told of a frame."""
    take = Director(avatar.moved, 1.0, avatar.torso).take(code[None], frame, None)
    pose, eyes = take.drive.viewmats[0, :3].flatten().tolist(), float(take.drive.conditions["eye"][0])
    still = {"held": pose, "sway": [0] * POSE_NUMBERS}  # nobody turns the head
    return {"mouth": code.tolist(), "blink": eyes, "pose": pose, "body": take.body[0].tolist(), **still}


def pictures(window, avatar: Avatar, sound: np.ndarray) -> dict[str, float]:
    """What the page hears and draws against Python, for the same sound."""
    window.script("window.heard = null; hear()")
    heard = window.wait("window.heard", 600)
    codes, truth = np.array(heard["codes"], np.float32), avatar.listener.hear(sound)
    still = avatar.directed(pose="still", blink=0.0)
    background = (avatar.torso.background.cpu().numpy() * 255).round()
    levels, shown, true, times = [], [], [], []
    for frame in np.linspace(0, len(truth) - 1, LIPS).astype(int):
        window.script("window.drawn = null; draw(arguments[0])", asked(still, frame, codes[frame]))
        drawn = window.wait("window.drawn", 60)
        times.append(drawn["times"])
        size = avatar.camera.height, avatar.camera.width, 4
        picture = np.frombuffer(b64decode(drawn["picture"]), np.uint8).reshape(size).astype(float)
        shown.append(picture[..., :3] + (1 - picture[..., 3:] / 255) * background)
        true.append(next(iter(still.perform(truth[frame : frame + 1], frame))).astype(float))
        levels.append(10 * np.log10(255**2 / np.square(shown[-1] - true[-1]).mean()))
    lips = np.std(true, axis=0).mean(axis=-1)
    lips = lips >= np.quantile(lips, 1 - SPEECH)
    ours, theirs = (np.array([picture[lips].mean() for picture in many]) for many in (shown, true))
    quiet = ~truth.any(axis=1)
    return {
        "dB, mean of ten frames": float(np.mean(levels[:: LIPS // COMPARED])),
        "dB, worst": float(min(levels)),
        "lips, r": float(np.corrcoef(ours, theirs)[0, 1]),
        "largest difference of a code": float(np.abs(codes[: len(truth)] - truth).max()),
        "largest code in silence": float(np.abs(codes[: len(truth)][quiet]).max(initial=0)),
        "ms to hear a frame": heard["milliseconds"] / len(codes),
        **{f"ms, {name}": float(np.median([time[name] for time in times])) for name in times[0]},
    }


def heap(window, address: str, minutes: float) -> list[float]:
    """Megabytes of JavaScript's heap, every tenth of the time, while the element speaks."""
    window.open(f"{address}/index.html")
    window.wait("!document.querySelector('#choose').disabled", 120)
    window.script(TALK)
    found = []
    for _ in range(11):
        window.command("HeapProfiler.collectGarbage")
        found.append(window.command("Runtime.getHeapUsage")["usedSize"] / 1e6)
        time.sleep(6 * minutes)
    trouble = window.script("return window.trouble ?? null")
    if trouble:
        raise RuntimeError(trouble)
    return found


def main(options: Options) -> None:
    sys.path.insert(0, str(FIXTURES))
    from headless_browser import LIVE, browser

    torch.set_num_threads(1)
    console, avatar, sound = Console(), Avatar.load(options.avatar, device="cpu"), read_audio(options.sound)
    results: dict = {}
    with TemporaryDirectory() as place:
        folder = Path(place) / "web"
        export_web(avatar, folder)
        (folder / "sound.f32").write_bytes(sound.astype("<f4").tobytes())
        write_wav(folder / "sound.wav", sound)
        if "size" in options.parts:
            results["MB"] = sizes(folder)
        with served(folder) as address, browser(*LIVE, *SOFTWARE) as window:
            if "pictures" in options.parts:
                window.open(f"{address}/package.json")
                window.script(PAGE)
                if (prepared := window.wait("window.prepared", 120)) != "yes":
                    raise RuntimeError(prepared)
                results["pictures"] = pictures(window, avatar, sound)
            if "heap" in options.parts:
                results["heap, MB"] = heap(window, address, options.minutes)
    results["seconds of sound"], results["frames"] = len(sound) / SAMPLE_RATE, len(sound) * FPS // SAMPLE_RATE
    console.print_json(json.dumps(results))


if __name__ == "__main__":
    main(tyro.cli(Options))
