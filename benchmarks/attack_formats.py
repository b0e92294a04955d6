"""Mutated files of every kind that is read: bytes changed, files cut, values made wrong on purpose."""

import io
import json
import multiprocessing
import random
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from attack_server import mutated

PATIENCE = 60.0  # seconds for one file; what takes longer is counted as hanging
COMPILING = 900.0  # seconds that the first may take, unchanged
BOUND = 400  # MB that reading may take beyond thirty times the files' size
PICTURES = 5  # of a dataset
WHOLE = 4_000_000  # bytes; of larger files only the first are changed
SKIP = {"report.html", "README.md", "preview.mp4", "render.mp4", "truth.mp4", "comparison.mp4", "evaluation.json"}
SKIP |= {"landmarks.npy", "faces.npz"}  # what a finished capture is made of, which nothing reads any more
READ = {"units.csv": ("AU45_r",), "au.csv": ("AU45_r",)}  # columns, of tables of which the others are read by nobody
SPARE = {"step", "lip_opening", "jawOpen"}  # arrays that a file may do without
WRONG = ("nan", "inf", "shape", "kind", "pickle", "missing")  # which no reader may take
Reader = Callable[[Path], object]


sys.path.append(str(Path(__file__).resolve().parents[1] / "tests" / "fixtures"))  # where the page's reader is


def readers() -> dict[str, tuple[str, Reader]]:
    """What a person may hand over, what of the material it is, and what reads it."""
    import torch
    from page_reader import told

    from gaussiantalker.capture import Capture, adnerf
    from gaussiantalker.capture.morphable import load_head
    from gaussiantalker.capture.openface import read_columns
    from gaussiantalker.errors import GaussianTalkerError
    from gaussiantalker.evaluation.assessment import read_truth
    from gaussiantalker.evaluation.phones import read_phones
    from gaussiantalker.media.audio import read_audio
    from gaussiantalker.media.image import read_image
    from gaussiantalker.media.video import read_frames
    from gaussiantalker.progress import SILENT
    from gaussiantalker.provenance.manifest import read_manifest
    from gaussiantalker.speaking import Avatar
    from gaussiantalker.speaking.direction import read_poses
    from gaussiantalker.speaking.folder import read_folder
    from gaussiantalker.speaking.mouths import dubbed
    from gaussiantalker.speech.deepspeech import read_windows
    from gaussiantalker.splatting.ply import read_ply
    from gaussiantalker.training.torso import kept_body

    def one_picture(avatar: Avatar) -> object:
        return next(iter(avatar.speak(np.zeros(1280, np.float32), pose="still")), None)

    @cache
    def captured(folder: Path) -> Capture:
        return Capture.load(folder / "capture")

    @cache
    def avatar(folder: Path) -> Avatar:
        return Avatar.load(folder / "avatar", exact=True)

    def of_checkpoint(path: Path) -> None:
        trainer(path.parent)._restore(path)

    def of_torso(path: Path) -> None:
        kept_body(path, captured(path.parent), np.arange(0), {}, SILENT)

    def in_a_page(path: Path) -> None:
        if (said := told(path)).startswith("TalkingHeadError: "):
            raise GaussianTalkerError(said)
        if said != "read":
            raise RuntimeError(said)

    def of_mouth(path: Path) -> object:
        return dubbed(avatar(path.parent).listener, path)

    def baked(path: Path) -> object:
        return one_picture(Avatar(*read_folder(path.parent, torch.device("cpu"), SILENT)))

    return {
        "avatar": ("avatar", lambda path: one_picture(Avatar.load(path, exact=True))),
        "blendshapes": ("avatar/blendshapes.safetensors", baked),
        "checkpoint": ("checkpoint.safetensors", of_checkpoint),
        "torso's checkpoint": ("torso-checkpoint.safetensors", of_torso),
        "web file": ("me.avatar", in_a_page),
        "capture": ("capture", Capture.load),
        "film": ("head.mp4", lambda path: sum(1 for _ in read_frames(path))),
        "sound in a film": ("head.mp4", read_audio),
        "sound": ("sound.wav", read_audio),
        "picture": ("picture.png", read_image),
        "poses": ("poses.npz", lambda path: read_poses(path, np.eye(4))),
        "poses as a table": ("poses.csv", lambda path: read_poses(path, np.eye(4))),
        "truth": ("truth.npz", lambda path: read_truth(path, captured(path.parent))),
        "mouth, as arrays": ("mouth.npz", of_mouth),
        "mouth, as a table": ("mouth.csv", of_mouth),
        "phones": ("phones.csv", read_phones),
        "OpenFace": ("units.csv", lambda path: read_columns(path, ["AU45_r"])),
        "DeepSpeech": ("speech.npy", read_windows),
        "AD-NeRF's folder": ("dataset", all_of_dataset),
        "AD-NeRF's tracker": ("dataset/track_params.pt", lambda path: adnerf.read_poses(path.parent)),
        "AD-NeRF's transforms": ("transforms/transforms_train.json", lambda path: adnerf.read_poses(path.parent)),
        "Gaussians": ("splats.ply", read_ply),
        "head": ("morphable.npz", load_head),
        "manifest": ("head.mp4", read_manifest),
    }


def all_of_dataset(folder: Path) -> None:
    """What a capture reads of a folder in AD-NeRF's layout, but for the search for faces."""
    from gaussiantalker.capture import adnerf, dataset
    from gaussiantalker.media.audio import copy_wav
    from gaussiantalker.media.image import read_image
    from gaussiantalker.progress import SILENT
    from gaussiantalker.speech.deepspeech import read_windows

    files = dataset.pictures(folder)
    for file in files:
        read_image(file)
    adnerf.read_poses(folder)
    adnerf.read_blink(folder / "au.csv", len(files))
    read_windows(folder / "aud_ds.npy")
    with tempfile.TemporaryDirectory() as name:
        np.save(Path(name) / "frames.npy", np.zeros((len(files), 64, 64, 3), np.uint8))
        copy_wav(folder / "aud.wav", Path(name) / "audio.wav", 640 * len(files))
        dataset.label_dataset(folder, Path(name), {"frames": len(files), "first_number": 0}, SILENT)


@cache
def trainer(folder: Path) -> Any:
    """One that has done a step, on the drawn head."""
    from gaussiantalker import hardware
    from gaussiantalker.capture import Capture
    from gaussiantalker.progress import SILENT
    from gaussiantalker.talker import find_method
    from gaussiantalker.training import SCHEDULES
    from gaussiantalker.training.train import _listener, _trainer

    captured, method = Capture.load(folder / "capture"), find_method("mouth-code")
    listener, codes = _listener(captured, method, None, None, SILENT)
    plan = replace(SCHEDULES["fast"], points=300)
    made = _trainer(captured, listener, method, plan, 0, hardware.device("cpu"), SILENT, codes=codes)
    made.recipe = {}
    made._canonical_step()
    made.step = 1
    return made


def add_material(folder: Path) -> None:
    """Beside a film, its capture and its avatar: a small file of every other kind."""
    import torch

    from gaussiantalker.capture import Capture
    from gaussiantalker.capture.dataset import write_dataset
    from gaussiantalker.capture.morphable import PACKED
    from gaussiantalker.export.compact import compact
    from gaussiantalker.speaking import Avatar
    from gaussiantalker.splatting.ply import write_ply
    from gaussiantalker.talker import Torso
    from gaussiantalker.training.checkpoint import write_checkpoint

    captured = Capture.load(folder / "capture")
    angles = np.sin(np.arange(50) / 9)
    np.savez(folder / "poses.npz", yaw=angles, pitch=angles, roll=angles)
    rows = "".join(f"{a:.3f},{a:.3f},{a:.3f}\n" for a in angles)
    (folder / "poses.csv").write_text("yaw,pitch,roll\n" + rows)
    np.savez(folder / "truth.npz", lip_mm=np.abs(np.resize(angles, captured.frames)))
    (folder / "phones.csv").write_text("start,end,phone\n" + "".join(f"{k / 9},{(k + 1) / 9},ah\n" for k in range(20)))
    (folder / "units.csv").write_text("frame, AU45_r\n" + "".join(f"{k}, {abs(a):.2f}\n" for k, a in enumerate(angles)))
    np.save(folder / "speech.npy", np.zeros((20, 16, 29), np.float32))
    shutil.copyfile(PACKED, folder / "morphable.npz")
    shutil.copyfile(folder / "capture" / "audio.wav", folder / "sound.wav")
    shutil.copyfile(folder / "capture" / "background.png", folder / "picture.png")
    write_ply(folder / "splats.ply", some_gaussians())
    trainer(folder)._save(folder / "checkpoint.safetensors")
    avatar = Avatar.load(folder / "avatar")
    if isinstance(avatar.torso, Torso):  # else there are no such files
        write_checkpoint(
            folder / "torso-checkpoint.safetensors",
            {**avatar.torso.state_dict(), "codes": torch.zeros(captured.train_frames, avatar.torso.numbers)},
            {"recipe": {}, "seconds": 0},
        )
        (folder / "me.avatar").write_bytes(compact(avatar))
    scores = {"lip_opening": 0.1 + 0.1 * angles, "jawOpen": np.abs(angles)}
    np.savez(folder / "mouth.npz", **scores)
    rows = "".join(f"{a:.3f},{b:.3f}\n" for a, b in zip(*scores.values(), strict=True))
    (folder / "mouth.csv").write_text(",".join(scores) + "\n" + rows)
    write_dataset(captured, folder / "dataset")
    for file in files_of(folder / "dataset"):
        if file.stem.isdigit() and int(file.stem) >= PICTURES:
            file.unlink()
    (folder / "transforms").mkdir()
    shutil.copy(folder / "dataset" / "transforms_train.json", folder / "transforms")


def some_gaussians() -> Any:
    from gaussiantalker.splatting.gaussians import Gaussians

    dice = np.random.default_rng(0)
    return Gaussians.from_points(dice.random((50, 3)), dice.random((50, 3)), sh_degree=1)


@dataclass
class Case:
    """One mutation: what was done to which file, and its new bytes."""

    what: str
    file: Path
    data: bytes


def cases(target: Path, dice: random.Random) -> Iterator[Case]:
    """Mutations of a file, or of the files of a folder, without end."""
    while True:
        file = dice.choice(files_of(target))
        kind = dice.choice(["bytes", "bytes", "cut", *(WRONG if file.suffix in WRONGED else ("bytes",))])
        data = file.read_bytes()
        if kind == "bytes":
            data = mutated(data[:WHOLE], dice) + data[WHOLE:]
        elif kind == "cut":
            data = data[: dice.randrange(len(data))]
        else:
            data = WRONGED[file.suffix](data, kind, dice, READ.get(file.name, ()))
        if data is not None:
            yield Case(kind, file, data)


def files_of(target: Path) -> list[Path]:
    """The file itself, or those in a folder that are read again."""
    return [target] if target.is_file() else sorted(p for p in target.rglob("*") if p.is_file() and p.name not in SKIP)


def wrong_arrays(data: bytes, kind: str, dice: random.Random, _: object) -> bytes | None:
    """A numpy archive with one array that is not what it should be; None where that cannot be."""
    with np.load(io.BytesIO(data), allow_pickle=False) as opened:
        arrays = dict(opened)
    name = dice.choice(sorted(arrays))
    if kind == "missing" and name in SPARE:
        return None
    if kind == "missing":
        del arrays[name]
    elif (other := wrong_array(arrays[name], kind, dice)) is None:
        return None
    else:
        arrays[name] = other
    packed = io.BytesIO()
    np.savez(packed, **arrays)
    return packed.getvalue()


def wrong_npy(data: bytes, kind: str, dice: random.Random, _: object) -> bytes | None:
    if kind == "missing" or len(data) > WHOLE:
        return None
    other, packed = wrong_array(np.load(io.BytesIO(data)), kind, dice), io.BytesIO()
    if other is None:
        return None
    np.save(packed, other)
    return packed.getvalue()


def wrong_array(array: np.ndarray, kind: str, dice: random.Random) -> np.ndarray | None:
    if kind == "pickle":
        return np.array([{"not": "an array"}], dtype=object)
    if kind == "kind":
        return np.full(array.shape, "text")
    if kind == "shape":
        return array.reshape(*array.shape, 1) if dice.random() < 0.5 or not array.ndim else array[:-1, ...][..., None]
    if array.dtype.kind != "f" or not array.size:
        return None
    array = array.copy()
    array.reshape(-1)[dice.randrange(array.size)] = np.nan if kind == "nan" else np.inf
    return array


def wrong_tensors(data: bytes, kind: str, dice: random.Random, _: object) -> bytes | None:
    from safetensors import safe_open
    from safetensors.numpy import load, save

    with tempfile.NamedTemporaryFile(suffix=".safetensors") as file:
        file.write(data)
        file.flush()
        with safe_open(file.name, framework="np") as opened:
            facts = opened.metadata()
    arrays = load(data)
    name = dice.choice(sorted(arrays))
    if kind == "missing":
        del arrays[name]
    elif kind in ("pickle", "kind"):
        arrays[name] = np.zeros(arrays[name].shape, np.int16)
    elif (other := wrong_array(arrays[name], kind, dice)) is None:
        return None
    else:
        arrays[name] = np.ascontiguousarray(other)
    return save(arrays, facts)


def wrong_pickle(data: bytes, kind: str, dice: random.Random, _: object) -> bytes | None:
    """Of torch's own kind of file."""
    import torch

    content, packed = torch.load(io.BytesIO(data), weights_only=True), io.BytesIO()
    name = dice.choice(["euler", "trans", "focal"])
    if kind == "missing":
        del content[name]
    elif kind in ("pickle", "kind"):
        content[name] = Path("code") if kind == "pickle" else "text"
    else:
        content[name] = torch.from_numpy(wrong_array(content[name].numpy(), kind, dice))
    torch.save(content, packed)
    return packed.getvalue()


def wrong_table(data: bytes, kind: str, dice: random.Random, read: tuple[str, ...]) -> bytes:
    """One cell below the first line is no number, or a line is too short to hold it; of a column that is read."""
    lines = data.decode().splitlines()
    number, names = dice.randrange(1, len(lines)), [name.strip() for name in lines[0].split(",")]
    cells, place = lines[number].split(","), names.index(dice.choice(read or names))
    cells[place] = {"nan": "nan", "inf": "inf"}.get(kind, "text")
    lines[number] = ",".join(cells[: max(place, 1)] if kind in ("missing", "shape") else cells)
    return "\n".join(lines).encode()


def wrong_json(data: bytes, kind: str, dice: random.Random, _: object) -> bytes | None:
    """A value somewhere within becomes something else; what that means for the whole is not known beforehand."""
    whole = json.loads(data)
    places = [(one, key) for one in _holders(whole) for key in (one if isinstance(one, dict) else range(len(one)))]
    holder, key = dice.choice(places)
    if kind == "missing":
        del holder[key]
    else:
        odd = {"nan": float("nan"), "inf": 1e308, "shape": [], "kind": "text", "pickle": -1}
        holder[key] = odd[kind]
    return json.dumps(whole).encode()


def _holders(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list) and value:
        yield value
        for one in value.values() if isinstance(value, dict) else value:
            yield from _holders(one)


WRONGED = {
    ".npz": wrong_arrays,
    ".npy": wrong_npy,
    ".safetensors": wrong_tensors,
    ".avatar": wrong_tensors,
    ".pt": wrong_pickle,
    ".csv": wrong_table,
    ".json": wrong_json,
}


class Worker:
    """A process that reads, so that whatever a file does to it is seen from outside."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._begin()

    def _begin(self) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._pipe, theirs = spawn.Pipe()
        self._process = spawn.Process(target=read_all, args=(self._name, theirs), daemon=True)
        self._process.start()
        theirs.close()
        self._pipe.recv()

    def outcome(self, path: Path, patience: float = PATIENCE) -> tuple[str, str]:
        """ok, refused, traceback, crash, hang or memory; and what was said."""
        self._pipe.send(path)
        try:
            if self._pipe.poll(patience):
                return self._pipe.recv()
            found = ("hang", f"more than {patience:g} s")
        except (EOFError, ConnectionError):
            self._process.join()
            found = ("crash", f"exit code {self._process.exitcode}")
        self.end()
        self._begin()
        return found

    def end(self) -> None:
        self._process.kill()
        self._process.join()


def read_all(name: str, pipe: Connection) -> None:
    """Reads what it is given until nobody gives any more."""
    import torch

    from gaussiantalker.errors import GaussianTalkerError

    torch.set_num_threads(1)
    read = readers()[name][1]
    pipe.send("ready")
    while True:
        path = pipe.recv()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            read(path)
            found = ("ok", "")
        except GaussianTalkerError as error:
            found = ("refused", str(error))
        except BaseException as error:
            found = ("traceback", f"{type(error).__name__}: {error}")
        took = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1000
        held = sum(file.stat().st_size for file in files_of(path)) / 1e6
        pipe.send(("memory", f"{took:.0f} MB") if took > BOUND + 30 * held else found)


def attack(name: str, material: Path, count: int, seed: int) -> dict:
    """A row: outcomes of so many mutations, and examples of those that should not be."""
    target = material / readers()[name][0]
    dice, worker = random.Random(f"{seed} {name}"), Worker(name)
    outcomes, silent, examples = Counter(), Counter(), defaultdict(Counter)
    began = time.monotonic()
    if (first := worker.outcome(target, COMPILING))[0] not in ("ok", "memory"):
        raise SystemExit(f"{name} is not read even unchanged: {first}")
    for _, case in zip(range(count), cases(target, dice), strict=False):
        whole = case.file.read_bytes()
        case.file.write_bytes(case.data)
        found, said = worker.outcome(target)
        case.file.write_bytes(whole)
        outcomes[found] += 1
        if found == "ok" and case.what in WRONG and case.file.suffix != ".json":
            silent[f"{case.what} in {case.file.name}"] += 1
        if found not in ("ok", "refused"):
            examples[found][f"{case.what} in {case.file.name}: {said[:100]}"] += 1
    worker.end()
    row = {"reader": name, "mutations": count, "outcomes": dict(outcomes), "silent": dict(silent)}
    row |= {"examples": {kind: dict(said.most_common(8)) for kind, said in examples.items()}}
    sys.stderr.write(json.dumps(row | {"seconds": round(time.monotonic() - began)}) + "\n")
    return row


def run(material: Path, count: int, seed: int, only: tuple[str, ...] = ()) -> list[dict]:
    """A row for each reader. `material` holds head.mp4, capture and avatar; it is copied first."""
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name) / "material"
        shutil.copytree(material, copy)
        add_material(copy)
        return [attack(reader, copy, count, seed) for reader in readers() if not only or reader in only]
