"""The page draws the avatar itself, from what the server tells of it."""

import asyncio
from pathlib import Path
from urllib.parse import urlsplit

import live
import soundfile
from headless_browser import LIVE, browser
from hearing import noise
from puppet import a_puppet

from gaussiantalker.timing import SAMPLE_RATE

SOFTWARE = ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
# How much the picture has changed since the last look, and how loud the sound is.
WITNESS = """
const video = document.querySelector("video");
const paint = new OffscreenCanvas(64, 64).getContext("2d", { willReadFrequently: true });
const ears = new AudioContext();
const analyser = new AnalyserNode(ears, { fftSize: 1024 });
ears.createMediaStreamSource(video.srcObject).connect(analyser);
const wave = new Float32Array(analyser.fftSize);
let before = null;
window.most = { change: 0, loud: 0, spread: 0 };
setInterval(() => {
  paint.drawImage(video, 0, 0, 64, 64);
  const now = paint.getImageData(0, 0, 64, 64).data;
  const change = before ? now.reduce((sum, x, i) => sum + Math.abs(x - before[i]), 0) / now.length : 0;
  before = now;
  analyser.getFloatTimeDomainData(wave);
  const loud = Math.sqrt(wave.reduce((sum, x) => sum + x * x, 0) / wave.length);
  const spread = Math.max(...now.filter((_, i) => i % 4 === 0)) - Math.min(...now.filter((_, i) => i % 4 === 0));
  most.change = Math.max(most.change, change);
  most.loud = Math.max(most.loud, loud);
  most.spread = Math.max(most.spread, spread);
}, 30);
"""


def test_the_page_draws_the_avatar_itself(tmp_path: Path) -> None:
    sound = tmp_path / "sound.wav"
    soundfile.write(sound, 2 * noise(12), SAMPLE_RATE)  # long enough for a busy machine to begin drawing in it

    def scene(address: str) -> None:
        with browser(*LIVE, *SOFTWARE, size=(900, 700)) as window:
            window.open(address)
            window.wait("document.querySelector('#avatar').length", 30)
            window.script("const s = document.querySelector('#shows'); s.value = 'coefficients'; s.onchange()")
            window.wait("document.documentElement.dataset.means === 'drawn'", 60)
            assert "drawn here" in window.text()
            assert window.script("return document.querySelector('#background').disabled")
            window.script(WITNESS)
            window.choose_file("#file", sound)
            window.wait("most.change > 0.2 && most.loud > 0.05 && most.spread > 60", 60)
            asked = {urlsplit(url).path for url in window.requests()}
            assert "/v1/avatars/flash/file" in asked and "/player/renderer.js" in asked
            told = window.complaints()
            assert not [fault for fault in told if "Uncaught" in fault or "Content Security Policy" in fault], told

    async def run() -> None:
        async with live.serving(avatar=a_puppet(), seconds=300) as here:
            await asyncio.to_thread(scene, f"http://{here.address}/")

    asyncio.run(run())
