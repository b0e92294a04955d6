"""Kills capture, training and speaking at random moments, goes on, and compares with what was never interrupted."""

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

FIXTURES = Path(__file__).resolve().parents[1] / "tests" / "fixtures"  # where the drawn head is
PLACES = ("capture", "train", "speak")
FRAMES, SIZE = 60, 128
SHORT = {
    "listening_steps": 20,
    "canonical_steps": 60,
    "deformation_steps": 40,
    "points": 2_000,
    "sh_degree": 1,
    "sh_degree_every": 20,
    "checkpoint_every": 10,
}
PATIENCE = 900.0  # seconds for one run; what takes longer is counted as hanging


def work(place: str, folder: Path) -> None:
    """One step of the way from a film to an avatar that speaks, on one thread."""
    import torch

    from gaussiantalker.capture import capture
    from gaussiantalker.speaking import Avatar
    from gaussiantalker.training import SCHEDULES, train

    torch.set_num_threads(1)
    if place == "film":
        sys.path.append(str(FIXTURES))
        from synthetic_head import render_clip

        from gaussiantalker.media.video import write_video

        clip = render_clip(frames=FRAMES, size=192, seed=4)
        write_video(folder / "head.mp4", clip.video, clip.audio)
    elif place == "capture":
        capture(folder / "head.mp4", folder / "capture", size=SIZE, consent="drawn")
    elif place == "train":
        train(folder / "capture", folder / "avatar", schedule=replace(SCHEDULES["demo"], name="short", **SHORT))
    else:
        Avatar.load(folder / "avatar").speak(folder / "head.mp4").save(folder / "speaks.mp4")


@dataclass
class Run:
    """One run of a place's work, in a process group of its own."""

    place: str
    folder: Path

    def __post_init__(self) -> None:
        command = [sys.executable, __file__, self.place, str(self.folder)]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "start_new_session": True}
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
        self._process = subprocess.Popen(command, text=True, env=environment, **quiet)

    def killed_after(self, seconds: float, writing: bool) -> bool:
        """Kills it then, or in the midst of the next file that it writes; False when it was done before."""
        until, began = time.monotonic() + seconds, time.monotonic()
        while self._process.poll() is None:
            now = time.monotonic()
            if now > until and (not writing or self._is_writing() or now > began + 2 * seconds):
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.communicate()
                return True
            time.sleep(0.002)
        self._process.communicate()
        return False

    def _is_writing(self) -> bool:
        return any(".partial" in name for place in (self.folder, self.folder / self._out) for name in names(place))

    @property
    def _out(self) -> str:
        return {"capture": "capture", "train": "avatar"}.get(self.place, "")

    def ended(self) -> str:
        """How it ended, left alone: ok, or the last line of what it said."""
        try:
            _, told = self._process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            return "hangs"
        return "ok" if self._process.returncode == 0 else (told.strip().splitlines() or ["nothing"])[-1]


def names(folder: Path) -> list[str]:
    return os.listdir(folder) if folder.is_dir() else []


def results(place: str, folder: Path) -> dict[str, str]:
    """Names and digests of all that a place's work has made. What tells a time is left out."""
    made = {"capture": folder / "capture", "train": folder / "avatar", "speak": folder / "speaks.mp4"}[place]
    files = sorted(path for path in made.rglob("*") if path.is_file()) if made.is_dir() else [made]
    return {path.name: digest(path) for path in files}


def digest(path: Path) -> str:
    """Of a film its pictures and sound, of JSON what is no measured time, of an archive its arrays, else its bytes."""
    if path.suffix == ".mp4":
        return _hash(decoded(path))
    if path.suffix == ".npz":
        import numpy as np

        with np.load(path) as arrays:
            return _hash(b"".join(name.encode() + arrays[name].tobytes() for name in sorted(arrays)))
    if path.suffix == ".json":
        return _hash(json.dumps(timeless(json.loads(path.read_text())), sort_keys=True).encode())
    return _hash(path.read_bytes())


def decoded(path: Path) -> bytes:
    import av

    with av.open(str(path)) as film:
        return b"".join(frame.to_ndarray().tobytes() for frame in film.decode())


def timeless(value: object) -> object:
    if isinstance(value, dict):
        return {key: timeless(one) for key, one in value.items() if "second" not in key and key not in TIMES}
    return [timeless(one) for one in value] if isinstance(value, list) else value


TIMES = {"created", "running", "ended", "began", "time", "date", "trained"}


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def attack(place: str, start: Path, truth: dict[str, str], seconds: float, count: int, seed: int) -> dict:
    """Kills and outcomes: each try is killed once to three times, then left alone, then compared."""
    dice, outcomes, kills, differing = random.Random(f"{seed} {place}"), Counter(), 0, Counter()
    for k in range(count):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name) / "try"
            shutil.copytree(start, folder)
            for _ in range(dice.randint(1, 3)):
                kills += Run(place, folder).killed_after(dice.uniform(0.2, 1.0) * seconds, writing=k % 2 == 1)
            end = Run(place, folder).ended()
            found = results(place, folder) if end == "ok" else {}
            odd = sorted(name for name in truth.keys() | found.keys() if truth.get(name) != found.get(name))
            left = [
                name for below in folder.rglob("*") for name in [below.name] if ".partial" in name or name == ".lock"
            ]
            outcomes[end if end != "ok" else "differs" if odd else "leftovers" if left else "the same"] += 1
            differing.update(odd if end == "ok" else [])
        sys.stderr.write(f"{place} {k + 1}/{count}: {dict(outcomes)} {dict(differing)}\n")
    return {"place": place, "tries": count, "kills": kills, "outcomes": dict(outcomes), "differing": dict(differing)}


def make(folder: Path) -> None:
    """A drawn film, its capture, its avatar and what that speaks, without any interruption."""
    for place in ("film", *PLACES):
        if (end := Run(place, folder).ended()) != "ok":
            raise SystemExit(f"{place} failed without being killed: {end}")


def run(places: tuple[str, ...], count: int, seed: int) -> list[dict]:
    """A row for each place. The way to it is gone once without interruption, which is what is compared with."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        whole = Path(name) / "whole"
        whole.mkdir()
        for place in ("film", *PLACES):
            before = Path(name) / place
            shutil.copytree(whole, before)
            began = time.monotonic()
            if (end := Run(place, whole).ended()) != "ok":
                raise SystemExit(f"{place} failed without being killed: {end}")
            seconds = time.monotonic() - began
            if place in places:
                rows.append(attack(place, before, results(place, whole), seconds, count, seed))
    return rows


if __name__ == "__main__":
    work(sys.argv[1], Path(sys.argv[2]))
