"""Kills capture, training and speaking at random moments, goes on, and compares with what was never interrupted."""

import hashlib
import json
import multiprocessing
import os
import random
import re
import shutil
import signal
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
    "listening_steps": 10,
    "canonical_steps": 40,
    "deformation_steps": 20,
    "finish_steps": 10,
    "points": 600,
    "sh_degree": 1,
    "sh_degree_every": 10,
    "checkpoint_every": 5,
}
REFINING = {"refine_every": 8, "grow_after": 4, "prune_after": 4, "refine_until": 36, "grow_grad2d": 4e-4}
BAKING = {"SNAPSHOTS": 192, "STEPS": 200}
PATIENCE = 900.0  # seconds for one run; what takes longer is counted as hanging


def work(place: str, folder: Path) -> None:
    """One step of the way from a film to an avatar that speaks, on one thread and in a process group of its own."""
    import torch

    from gaussiantalker.capture import capture
    from gaussiantalker.speaking import Avatar, baking
    from gaussiantalker.splatting.densify import CloneSplitPrune
    from gaussiantalker.training import SCHEDULES, train

    os.setsid()
    for descriptor in (1, 2):
        os.dup2(os.open(told(folder), os.O_WRONLY | os.O_CREAT | os.O_APPEND), descriptor)
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
        vars(baking).update(BAKING)
        short = replace(SCHEDULES["demo"], name="short", **SHORT)
        train(folder / "capture", folder / "avatar", schedule=short, strategy=CloneSplitPrune(**REFINING))
    else:
        Avatar.load(folder / "avatar").speak(folder / "head.mp4").save(folder / "speaks.mp4")


def told(folder: Path) -> Path:
    """What the works in a folder said."""
    return folder.with_name(f"{folder.name}.log")


@dataclass
class Run:
    """One run of a place's work, forked from this process, which has imported all and started no thread."""

    place: str
    folder: Path

    def __post_init__(self) -> None:
        self._process = multiprocessing.get_context("fork").Process(target=work, args=(self.place, self.folder))
        self._process.start()

    def killed_after(self, seconds: float, writing: bool) -> bool:
        """Kills it then, or in the midst of the next file that it writes; False when it was done before."""
        until, began = time.monotonic() + seconds, time.monotonic()
        while self._process.is_alive():
            now = time.monotonic()
            if now > until and (not writing or self._is_writing() or now > began + 2 * seconds):
                self._kill()
                return True
            time.sleep(0.002)
        return False

    def _kill(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.join()

    def _is_writing(self) -> bool:
        return any(".partial" in name for place in (self.folder, self.folder / self._out) for name in names(place))

    @property
    def _out(self) -> str:
        return {"capture": "capture", "train": "avatar"}.get(self.place, "")

    def ended(self) -> str:
        """How it ended, left alone: ok, or the last line of what it said."""
        self._process.join(PATIENCE)
        if self._process.is_alive():
            self._kill()
            return "hangs"
        if not self._process.exitcode:
            return "ok"
        return (told(self.folder).read_text().strip().splitlines() or ["nothing"])[-1]


def names(folder: Path) -> list[str]:
    return os.listdir(folder) if folder.is_dir() else []


def results(place: str, folder: Path) -> dict[str, str]:
    """Names and digests of all that a place's work has made. What tells a time is left out."""
    made = {"capture": folder / "capture", "train": folder / "avatar", "speak": folder / "speaks.mp4"}[place]
    files = sorted(path for path in made.rglob("*") if path.is_file()) if made.is_dir() else [made]
    return {path.name: digest(path) for path in files}


def digest(path: Path) -> str:
    """Of a film its pictures and sound, of JSON and cards all but measured times, of an archive its arrays, else its
    bytes."""
    if path.suffix == ".mp4":
        return _hash(decoded(path))
    if path.suffix == ".npz":
        import numpy as np

        with np.load(path) as arrays:
            return _hash(b"".join(name.encode() + arrays[name].tobytes() for name in sorted(arrays)))
    if path.suffix == ".json":
        return _hash(json.dumps(timeless(json.loads(path.read_text())), sort_keys=True).encode())
    if path.suffix == ".md":
        return _hash(re.sub(r"[\d.]+ minutes", "", path.read_text()).encode())
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
        unharmed(place, folder)


def unharmed(place: str, folder: Path) -> float:
    """Seconds of a run that nobody kills."""
    began = time.monotonic()
    if (end := Run(place, folder).ended()) != "ok":
        raise SystemExit(f"{place} failed without being killed: {end}")
    return time.monotonic() - began


def run(places: tuple[str, ...], count: int, seed: int) -> list[dict]:
    """A row for each place. The way to it is gone once without interruption, which is what is compared with."""
    import av  # noqa: F401  # as what follows: here once, instead of anew in every fork
    import torch._dynamo  # noqa: F401

    import gaussiantalker.capture
    import gaussiantalker.speaking
    import gaussiantalker.training  # noqa: F401

    rows = []
    with tempfile.TemporaryDirectory() as name:
        whole = Path(name) / "whole"
        whole.mkdir()
        for place in ("film", *PLACES):
            before = Path(name) / place
            shutil.copytree(whole, before)
            unharmed(place, whole)  # the first time, kernels may have to be compiled
            if place in places:
                again = Path(name) / f"{place} again"
                shutil.copytree(before, again)
                rows.append(attack(place, before, results(place, whole), unharmed(place, again), count, seed))
    return rows
