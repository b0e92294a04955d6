"""What a GPU makes of all this, in one go: written for a machine that is lent for minutes and has no network.

    python benchmarks/gpu.py prepare --capture CAPTURE --out footage.npz        # at home: pictures, speech features
    python benchmarks/gpu.py run --footage footage.npz --out results.json       # there
    TRITON_INTERPRET=1 python benchmarks/gpu.py run --footage footage.npz --miniature   # to try it on any CPU

`run` needs torch, Triton, numba, SciPy and Pillow, but neither video nor speech nor a model: what it says of sound to
pixels begins with speech features. It tries the kernels, times splatting (gsplat beside it, where it is installed), a
picture alone and in batches, and a training step by part, and trains the footage to the end of a schedule. Results are
written after every part, so that one that fails or comes too late costs no other.
"""

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from types import ModuleType, SimpleNamespace

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
PATHS = [str(ROOT / name) for name in ("src", "benchmarks", "tests/fixtures")]
sys.path[:0] = PATHS

BLENDSHAPES, BASES = "blendshapes", 48
QUALITY = 92  # of JPEG: 40 dB and more
TRACKED = ("landmarks found hidden blink blendshapes lip_opening rotations translations points colors regions").split()
NOT_NEEDED = ("av", "soxr")


class Absent(ModuleType):
    """In the place of what is not installed; it has everything, and nothing of it works."""

    def __getattr__(self, name: str) -> "Absent":
        if name.startswith("__"):
            raise AttributeError(name)
        return Absent(name)

    def __or__(self, other: object) -> "Absent":
        return self

    __ror__ = __or__


class Nothing(MetaPathFinder, Loader):
    """Imports `Absent` for packages that the project imports and nothing here calls, where they are missing."""

    def __init__(self) -> None:
        self.missing = {name for name in NOT_NEEDED if sys.modules.get(name) is None and find_spec(name) is None}
        for name in self.missing:
            sys.modules.pop(name, None)

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        return ModuleSpec(name, self, is_package=True) if name.partition(".")[0] in self.missing else None

    def create_module(self, spec: ModuleSpec) -> Absent:
        return Absent(spec.name)

    def exec_module(self, module: ModuleType) -> None: ...


sys.meta_path.append(Nothing())


def prepare(options: argparse.Namespace) -> None:
    from gaussiantalker import speech
    from gaussiantalker.capture import Capture
    from gaussiantalker.talker import WindowListener
    from gaussiantalker.timing import SAMPLES_PER_FRAME

    capture = Capture.load(options.capture)
    training = capture.audio[: capture.train_frames * SAMPLES_PER_FRAME]
    heard = WindowListener.fit(speech.load(options.encoder), training).hear_film(capture.audio)
    write_footage(Path(options.out), capture, heard, options.frames or capture.frames)
    sys.stdout.write(f"{options.out}: {Path(options.out).stat().st_size / 2**20:.1f} MiB\n")


def write_footage(out: Path, capture, heard: np.ndarray, frames: int) -> None:
    """The first frames of a capture in one file: pictures as JPEG, tracking as it is, speech features in half."""
    arrays = {name: np.asarray(getattr(capture.tracking, name)) for name in TRACKED}
    arrays = {name: value[:frames] if len(value) == capture.frames else value for name, value in arrays.items()}
    for name, pictures in (("images", capture.images), ("plates", capture.plates)):
        parts = [_jpeg(picture) for picture in pictures[:frames]]
        arrays[name] = np.frombuffer(b"".join(parts), np.uint8)
        arrays[f"{name}_sizes"] = np.array([len(part) for part in parts])
    arrays["labels"] = np.asarray(capture.labels[:frames])
    arrays |= {"heard": heard[:frames].astype(np.float16), "K": capture.camera.K}
    np.savez_compressed(out, **arrays)


def _jpeg(picture: np.ndarray) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", quality=QUALITY, subsampling=0)
    return stream.getvalue()


def _pictures(data: bytes, sizes: np.ndarray) -> np.ndarray:
    from PIL import Image

    ends = np.cumsum(sizes)
    return np.stack(
        [np.asarray(Image.open(io.BytesIO(data[end - n : end]))) for n, end in zip(sizes, ends, strict=True)]
    )


def _shrunk(arrays: dict) -> dict:
    """Every so many pixels of the footage, for pictures of about 24 by 24."""
    step = max(1, arrays["images"].shape[1] // 24)
    thinned = {name: arrays[name][:, ::step, ::step] for name in ("images", "plates", "labels")}
    scale = np.array([[1 / step], [1 / step], [1]])
    return arrays | thinned | {"landmarks": arrays["landmarks"] / step, "K": arrays["K"] * scale}


class Lent:
    """What every part needs: the device, the footage, sizes, and where results go."""

    def __init__(self, options: argparse.Namespace):
        import torch

        self.options, self.small = options, options.miniature
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.laps = 1 if self.small else 30
        self.size, self.count, self.sh_degree = (24, 40, 1) if self.small else (512, 30_000, 3)
        self.results: dict = {}
        with np.load(options.footage) as file:
            arrays = {name: file[name] for name in file.files}
        arrays["heard"] = arrays["heard"].astype(np.float32)
        for name in ("images", "plates"):
            arrays[name] = _pictures(arrays[name].tobytes(), arrays.pop(f"{name}_sizes"))
        self.arrays = _shrunk(arrays) if self.small else arrays
        if self.small and self.device.type == "cpu":
            from gaussiantalker.splatting import rasterization

            rasterization._backend_for = lambda means: "triton"

    def wait(self) -> None:
        import torch

        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def time(self, work: Callable[[], object], laps: int | None = None) -> float:
        """Median milliseconds of a lap that ends when the device has done its work, after three to warm up."""
        for _ in range(0 if self.small else 3):
            work()
        times = []
        for _ in range(laps or self.laps):
            self.wait()
            begin = time.perf_counter()
            work()
            self.wait()
            times.append(1e3 * (time.perf_counter() - begin))
        return round(median(times), 4)

    def capture(self):
        """The footage as a capture."""
        a = self.arrays
        side = a["images"].shape[1]
        camera = SimpleNamespace(K=a["K"], width=side, height=side)
        tracking = SimpleNamespace(**{name: a[name] for name in TRACKED})
        pictures = {name: a[name] for name in ("images", "plates", "labels")}
        return SimpleNamespace(
            tracking=tracking, camera=camera, size=side, audio=None, frames=len(a["found"]), **pictures
        )


def tests(lent: Lent) -> dict:
    """The suite's own tests of the kernels, on this device."""
    if lent.small:
        return {"skipped": "the suite runs them"}
    files = ["tests/splatting/test_triton.py", "tests/speaking/test_recording.py"]
    code = "import sys; import gpu, pytest; sys.exit(pytest.main(sys.argv[1:]))"  # with what is missing replaced
    command = [sys.executable, "-c", code, "-x", "-q", "-o", "filterwarnings=default", *files]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(PATHS)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240)
    return {"passed": done.returncode == 0, "says": done.stdout[-2000:] + done.stderr[-500:]}


def scene(lent: Lent, count: int, size: int) -> dict:
    from heads import camera, head

    view, K = camera(size)
    leaves = head(count, lent.sh_degree) | {"viewmats": view, "Ks": K}
    inputs = {name: value.to(lent.device).requires_grad_(name != "Ks") for name, value in leaves.items()}
    return inputs | {"width": size, "height": size, "sh_degree": lent.sh_degree}


def timed_scene(lent: Lent, count: int, size: int, backend: str) -> dict:
    import torch

    from gaussiantalker.splatting import rasterize

    inputs = scene(lent, count, size)
    weights = torch.randn(1, size, size, 3, device=lent.device)

    def forward() -> None:
        with torch.no_grad():
            rasterize(**inputs, backend=backend)

    def both() -> None:
        rasterize(**inputs, backend=backend)[0].backward(weights)

    row = {"backend": backend, "count": count, "size": size}
    return row | {"forward": lent.time(forward), "forward and backward": lent.time(both)}


def splatting(lent: Lent) -> list[dict]:
    counts, sizes = ((40,), (24,)) if lent.small else ((15_000, 30_000, 100_000), (256, 512, 1024))
    backends = ["triton"] + (["gsplat"] if find_spec("gsplat") and lent.device.type == "cuda" else [])
    return [timed_scene(lent, n, size, name) for name in backends for size in sizes for n in counts]


def shapes(lent: Lent) -> list[dict]:
    """Compositing with other chunks and threads, to choose by."""
    from gaussiantalker.splatting import triton_compositing as kernels

    before, rows = (kernels.CHUNK, kernels.THREADS, kernels.GRADIENT_THREADS), []
    tried = (
        [(8, 256, 128)] if lent.small else [(c, f, b) for c in (4, 8, 16) for f in (128, 256) for b in (64, 128, 256)]
    )
    for choice in tried:
        kernels.CHUNK, kernels.THREADS, kernels.GRADIENT_THREADS = choice
        row = {"chunk, threads, gradient threads": choice}
        rows.append(row | timed_scene(lent, lent.count, lent.size, "triton"))
    kernels.CHUNK, kernels.THREADS, kernels.GRADIENT_THREADS = before
    return rows


def a_renderer(lent: Lent, method: str):
    """A head of the benchmark's size before a torso, its weights as they are at birth."""
    import torch
    from bodies import a_torso
    from heads import camera, head

    from gaussiantalker.geometry import Camera
    from gaussiantalker.speaking.rendering import Renderer
    from gaussiantalker.splatting.gaussians import Gaussians
    from gaussiantalker.talker import Talker, find_method

    torch.manual_seed(0)
    start = head(lent.count, lent.sh_degree)
    raw = {"means": start["means"], "quats": start["quats"], "sh": start["colors"]}
    raw |= {"log_scales": start["scales"].log(), "opacity_logits": start["opacities"].logit()}
    talker = Talker(find_method(method), Gaussians.from_dict(raw), lent.arrays["heard"].shape[-1])
    view, K = camera(lent.size)
    fixed = Camera(float(K[0, 0, 0]), lent.size / 2, lent.size / 2, lent.size, lent.size)
    torso = a_torso(lent.size, moves=8, shades=16, top=lent.size // 2, margin=lent.size // 16)
    return Renderer(talker.eval().requires_grad_(False).to(lent.device), fixed, torso.to(lent.device)), view


def drives(lent: Lent, view, frames: int):
    import torch

    from gaussiantalker.talker import AUDIO, EYE, Drive

    contexts = torch.from_numpy(lent.arrays["heard"][:frames])
    views = view.repeat(frames, 1, 1)
    seen = {AUDIO: contexts, EYE: torch.rand(frames)}
    return Drive(seen, views, torch.arange(frames), torch.ones(frames))


def pictures(lent: Lent) -> list[dict]:
    """A picture, and batches, from speech features to bytes in the host's memory."""
    exact = ("gaussiantalker-star",) if lent.small else ("gaussiantalker-star", "gaussiantalker", "egstalker")
    rows = []
    for method, baked in ((BLENDSHAPES, True), *((name, False) for name in exact)):
        renderer, view = a_renderer(lent, exact[0] if baked else method)
        if baked:
            renderer = replace(renderer, head=a_baked_head(lent, renderer.head))
        batches = (1, 2) if lent.small else (1, 4, 8, 16, 32)
        rows += [{"method": method, "batch": batch} | timed_pictures(lent, renderer, view, batch) for batch in batches]
    return rows


def a_baked_head(lent: Lent, talker):
    """The same head with bases of noise: what they hold costs nothing."""
    import torch

    from gaussiantalker.splatting.gaussians import Gaussians
    from gaussiantalker.talker.blendshapes import NUMBERS, BakedTalker, Blendshapes, Coefficients

    inputs, numbers = len(talker.method.conditions) * talker.triplane.width, sum(NUMBERS.values())
    bases = torch.randint(-127, 128, (BASES, lent.count, numbers), dtype=torch.int8)
    reach = torch.full((lent.count, numbers), 1e-3)
    rest = Gaussians.from_dict({name: value.detach().cpu() for name, value in talker.raw.items()})
    shapes = Blendshapes(rest, tuple(NUMBERS), bases, reach, Coefficients(inputs, BASES))
    return BakedTalker(talker, shapes.eval().to(lent.device))


def timed_pictures(lent: Lent, renderer, view, batch: int) -> dict:
    """Recorded as in use, launched piece by piece, and parts of what is launched, in milliseconds a batch."""
    import torch

    from gaussiantalker.speaking.recording import Recorder, on_a_graph

    drive, body = drives(lent, view, batch), torch.randn(batch, renderer.torso.numbers)
    here, there = (drive, body), (drive.to(lent.device), body.to(lent.device))
    recorder = Recorder(renderer.draw, lent.device, on_a_graph if lent.device.type == "cuda" else lambda run: run)
    with torch.inference_mode():
        row = {
            "recorded": lent.time(lambda: recorder.pictures(*here)),
            "launched": lent.time(lambda: renderer.draw(*there).cpu()),
            "network": lent.time(lambda: renderer.head.deform(there[0])),
            "torso": lent.time(lambda: renderer.torso(there[1])),
        }
    return row | {"pictures a second": round(1e3 * batch / row["recorded"], 1)}


def a_trainer(lent: Lent, schedule):
    import torch

    from gaussiantalker.talker import Footage, Talker, find_method
    from gaussiantalker.training.train import initial_gaussians
    from gaussiantalker.training.trainer import Trainer

    capture = lent.capture()
    footage = Footage(capture, SimpleNamespace(hear_film=lambda audio: lent.arrays["heard"]))
    torch.manual_seed(0)
    method = find_method("gaussiantalker-star")
    gaussians = initial_gaussians(capture, schedule.points, schedule.sh_degree, 0, method.start)
    talker = Talker(method, gaussians, lent.arrays["heard"].shape[-1])
    kept = footage.usable(0, round(0.9 * capture.frames))
    talker.conditions.fit(footage.drive(kept))
    return Trainer(talker.to(lent.device), footage, kept, schedule, seed=0)


def a_schedule(lent: Lent):
    from gaussiantalker.training.schedule import SCHEDULES

    schedule = replace(SCHEDULES[lent.options.schedule], finish_steps=0)  # LPIPS' network does not come along
    few = {"listening_steps": 2, "canonical_steps": 2, "deformation_steps": 2, "points": 30, "sh_degree": 1}
    return replace(schedule, **few) if lent.small else schedule


def training_step(lent: Lent) -> list[dict]:
    """Median milliseconds of the parts of a step on the footage, its graph cut between them."""
    from steps import PARTS as STEP_PARTS
    from steps import cut_step

    from gaussiantalker.talker import fast_products

    rows = []
    for stage, name in enumerate(("canonical head", "deformation")):
        trainer = a_trainer(lent, replace(a_schedule(lent), grow_below=0))
        trainer.stage = stage
        trainer._prepare_stage()
        spent: dict[str, list[float]] = {part: [] for part in STEP_PARTS}
        whole = (trainer._canonical_step, trainer._deformation_step)[stage]
        with fast_products():
            for lap in range(1 if lent.small else 20):
                trainer.step = lap
                cut_step(trainer, spent, lambda: (lent.wait(), time.perf_counter())[1])
            trainer.step = 1
            row = {"stage": name} | {part: round(median(laps), 3) for part, laps in spent.items()}
            rows.append(row | {"whole": lent.time(whole, 1 if lent.small else 20)})
    return rows


class Watch:
    """A training's progress: what it reached when, and an end where time is up."""

    def __init__(self, limit: float):
        self.began, self.limit, self.curve = time.perf_counter(), limit, []

    def stage(self, name: str, total: int) -> None: ...

    def note(self, text: str) -> None: ...

    def update(self, done: int, **numbers: float) -> None:
        seconds = time.perf_counter() - self.began
        if done % 100 == 0 and "psnr" in numbers:
            self.curve.append((round(seconds, 1), done, round(numbers["psnr"], 2)))
        if seconds > self.limit:
            raise KeyboardInterrupt


def whole_training(lent: Lent) -> dict:
    """The footage trained to the end of a schedule, and how near its last tenth comes, which was not trained on."""
    trainer, watch = a_trainer(lent, a_schedule(lent)), Watch(lent.options.minutes * 60)
    finished = True
    with tempfile.TemporaryDirectory() as folder:
        try:
            trainer.run(Path(folder) / "checkpoint.safetensors", {}, watch)
        except KeyboardInterrupt:
            finished = False
    seconds = time.perf_counter() - watch.began
    row = {"schedule": trainer.schedule.name, "finished": finished, "seconds": round(seconds, 1), "curve": watch.curve}
    row |= {"steps": trainer.steps_done, "gaussians": len(trainer.talker.raw["means"]), "training PSNR": trainer.psnr}
    return row | {"held-out PSNR": held_out(lent, trainer)}


def held_out(lent: Lent, trainer) -> float:
    """Decibels over the head."""
    import torch

    from gaussiantalker.talker import render
    from gaussiantalker.training.losses import head_psnr

    frames = trainer.footage.usable(round(0.9 * len(lent.arrays["found"])), len(lent.arrays["found"]))
    talker, scores = trainer.talker.eval(), []
    with torch.inference_mode():
        for frame in frames[: 1 if lent.small else 100]:
            shots = trainer.footage.shots(np.array([frame])).to(lent.device)
            splats = talker.deform(shots.drive)
            scores.append(
                head_psnr(render(splats, shots.drive.viewmats, trainer.K, shots.plate, talker.sh_degree)[0], shots)
            )
    return round(float(np.mean(scores)), 2)


PARTS = {
    "tests": tests,
    "splatting": splatting,
    "pictures": pictures,
    "training step": training_step,
    "whole training": whole_training,
    "shapes": shapes,
}


def run(options: argparse.Namespace) -> None:
    import torch
    import triton

    from gaussiantalker import hardware

    lent = Lent(options)
    lent.results["machine"] = hardware.describe() | {"triton": triton.__version__, "cuda": torch.version.cuda}
    failed = []
    for name, part in PARTS.items():
        if options.only and name not in options.only:
            continue
        began = time.perf_counter()
        try:
            lent.results[name] = part(lent)
        except Exception:  # the next part may well work, and the machine is lent for minutes
            failed.append(name)
            lent.results[name] = {"failed": traceback.format_exc()}
        lent.results.setdefault("seconds", {})[name] = round(time.perf_counter() - began, 1)
        if options.out:
            Path(options.out).write_text(json.dumps(lent.results, indent=1) + "\n", encoding="utf-8")
        sys.stdout.write(f"\n{name} ({lent.results['seconds'][name]} s)\n{as_table(lent.results[name])}\n")
        sys.stdout.flush()
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def as_table(result: dict | list[dict]) -> str:
    """Rows as Markdown; a single result line by line."""
    if isinstance(result, dict):
        return "\n".join(f"{name}: {value}" for name, value in result.items())
    names = list(dict.fromkeys(name for row in result for name in row))
    lines = [names, ["---"] * len(names), *([str(row.get(name, "")) for name in names] for row in result)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    first = commands.add_parser("prepare")
    first.add_argument("--capture", required=True)
    first.add_argument("--out", required=True)
    first.add_argument("--encoder", default="whisper")
    first.add_argument("--frames", type=int, default=0)
    second = commands.add_parser("run")
    second.add_argument("--footage", required=True)
    second.add_argument("--out")
    second.add_argument("--schedule", default="demo")
    second.add_argument("--minutes", type=float, default=4)
    second.add_argument("--only", nargs="*", choices=list(PARTS))
    second.add_argument("--miniature", action="store_true")
    options = parser.parse_args()
    {"prepare": prepare, "run": run}[options.command](options)


if __name__ == "__main__":
    main()
