"""A batch does what it can, tells how far each job came, and the second call does the rest; on Ray the same files."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
from dotted_avatar import save_dots, syllables

from gaussiantalker.cli.jobs import read_jobs
from gaussiantalker.cli.main import main
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.media.audio import read_audio, write_wav
from gaussiantalker.media.lock import locked
from gaussiantalker.media.video import read_frames

FILMS = ("a.mp4", "b.mp4", "late.mp4", "pipe.mp4", "again.mp4", "later.mp4")
RUN = [sys.executable, "-c", "import sys; from gaussiantalker.cli.main import main; sys.exit(main())", "batch"]


def write_jobs(folder: Path, *jobs: dict) -> Path:
    file = folder / "jobs.jsonl"
    file.write_text("".join(json.dumps(job) + "\n" for job in jobs))
    return file


def states(folder: Path) -> list[str]:
    return [json.loads(line)["state"] for line in (folder / "batches/jobs/state.jsonl").read_text().splitlines()]


def until(true: Callable[[], bool]) -> None:
    """Waits, for minutes where the machine has other work."""
    for _ in range(6000):
        if true():
            return
        time.sleep(0.05)
    pytest.fail("it did not come to pass")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def avatar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_dots(tmp_path_factory.mktemp("avatars") / "dots")


def six_jobs(folder: Path, avatar: Path) -> Path:
    """Two that can be done, one whose sound is missing, one that waits for sound until it is killed, and one each that
    waits for the first and for the third."""
    write_wav(folder / "a.wav", syllables(300))
    write_wav(folder / "b.wav", syllables(400))
    os.mkfifo(folder / "pipe")
    speak = {"verb": "speak", "avatar": str(avatar), "exact": True}
    names = {"a.mp4": "a.wav", "b.mp4": "b.wav", "late.mp4": "late.wav", "pipe.mp4": "pipe"}
    names |= {"again.mp4": "a.mp4", "later.mp4": "late.mp4"}
    return write_jobs(folder, *(speak | {"audio": audio, "out": out} for out, audio in names.items()))


def begin(folder: Path, *options: str) -> subprocess.Popen:
    environment = os.environ | {"XDG_CONFIG_HOME": str(folder / "config")}
    return subprocess.Popen([*RUN, "jobs.jsonl", "--threads", "1", *options], cwd=folder, env=environment)


def kill_the_reader(pipe: Path, batch: subprocess.Popen) -> int:
    """Kills whoever waits for sound from the pipe, whose end to write to is returned."""
    writer = wait_for_a_reader(pipe, batch)

    def readers() -> set[int]:
        found = set()
        for link in Path("/proc").glob("[0-9]*/fd/*"):
            with suppress(OSError):
                if link.samefile(pipe):
                    found.add(int(link.parts[2]))
        return found - {os.getpid()}

    until(lambda: len(readers()) == 1)
    (reader,) = readers()
    os.kill(reader, signal.SIGKILL)
    until(lambda: reader not in readers())
    return writer


def wait_for_a_reader(pipe: Path, batch: subprocess.Popen) -> int:
    """The pipe's end to write to, when somebody has opened the other."""
    opened = []

    def there() -> bool:
        assert batch.poll() is None, "the batch has ended"
        with suppress(OSError):
            opened.append(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
        return bool(opened)

    until(there)
    return opened[0]


def films(folder: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pictures and sound of each."""
    return [(np.stack(list(read_frames(folder / name))), read_audio(folder / name)) for name in FILMS]


@pytest.fixture(scope="module")
def finished(avatar: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of six jobs, done on this machine's cores in two calls."""
    folder = tmp_path_factory.mktemp("local")
    six_jobs(folder, avatar)
    first = begin(folder)
    os.close(kill_the_reader(folder / "pipe", first))
    assert first.wait() == 1
    assert states(folder) == ["done", "done", "failed", "failed", "done", "left out"]
    rows = [json.loads(line) for line in (folder / "batches/jobs/state.jsonl").read_text().splitlines()]
    assert "late.wav" in rows[2]["said"] and "SIGKILL" in rows[3]["said"] and "line 3" in rows[5]["said"]
    (folder / "pipe").unlink()
    write_wav(folder / "late.wav", syllables(500))
    write_wav(folder / "pipe", syllables(600))
    before = {name: (folder / name).stat().st_mtime_ns for name in ("a.mp4", "b.mp4", "again.mp4")}
    assert begin(folder).wait() == 0
    assert states(folder) == ["done"] * 6
    assert before == {name: (folder / name).stat().st_mtime_ns for name in before}, "what was done is done again"
    return folder


def test_the_second_call_does_the_rest(finished: Path) -> None:
    assert all(len(pictures) >= 13 and np.abs(heard).max() > 0.1 for pictures, heard in films(finished))


def test_ray_gives_the_same_films_though_a_worker_dies(finished: Path, avatar: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="the extra ray is not installed")
    six_jobs(tmp_path, avatar)
    write_wav(tmp_path / "late.wav", syllables(500))
    with ray_cluster() as address:
        batch = begin(tmp_path, "--ray", address)
        before = kill_the_reader(tmp_path / "pipe", batch)
        writer = wait_for_a_reader(tmp_path / "pipe", batch)
        os.write(writer, (finished / "pipe").read_bytes())
        os.close(writer)
        os.close(before)
        assert batch.wait() == 0
    assert states(tmp_path) == ["done"] * 6
    for (pictures, heard), (same_pictures, same_heard) in zip(films(finished), films(tmp_path), strict=True):
        # The pictures are the same; x264 writes the same pictures not always the same.
        np.testing.assert_allclose(pictures.astype(int), same_pictures.astype(int), atol=12)
        np.testing.assert_array_equal(heard, same_heard)


@contextmanager
def ray_cluster() -> Iterator[str]:
    """The address of a cluster of two machines, as processes here."""
    code = """if True:
        from ray.cluster_utils import Cluster
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
        cluster.add_node(num_cpus=1)
        cluster.wait_for_nodes()
        print(cluster.address, flush=True)
        input()
        cluster.shutdown()
    """
    environment = os.environ | {"RAY_worker_niceness": "0"}  # else workers wait behind all else on a busy machine
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    cluster = subprocess.Popen([sys.executable, "-c", code], env=environment, **pipes)
    try:
        yield next(line.strip() for line in cluster.stdout if ":" in line)
    finally:
        cluster.communicate("\n")


# Python runs this first in every process of the batch: work that takes no time, except one training that never ends.
STAND_INS = """
import os, sys, time
from pathlib import Path
from types import ModuleType

from gaussiantalker.errors import GaussianTalkerError


def done(folder, name, source):
    if not Path(source).exists():
        raise GaussianTalkerError(f"{source} does not exist.")
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / name, "a") as made:
        made.write(f"made of {Path(source).name}\\n")


def train(capture, folder, **options):
    if options["seed"] == 7 and not Path("go").exists():
        Path("killed next").write_text(str(os.getpid()))
        time.sleep(600)
    done(folder, "avatar.json", capture)


def capture(videos, folder, **options):
    done(folder, "capture.json", videos[0])


def evaluate(avatar, *_, **options):
    done(avatar, "evaluation.json", avatar / "avatar.json")


work = {"capture": {"capture": capture}, "training": {"train": train}}
work["evaluation"] = {"evaluate": evaluate, "headlines": lambda result: "Measured."}
for room, functions in work.items():
    name = f"gaussiantalker.{room}"
    sys.modules[name] = ModuleType(name)
    vars(sys.modules[name]).update(functions)
"""


def test_captures_trainings_and_evaluations_are_finished_by_the_second_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(STAND_INS)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *filter(None, sys.path)]))
    jobs = []
    for name, seed in (("anna", 0), ("bob", 7), ("cleo", 0)):
        jobs.append({"verb": "capture", "video": f"{name}.mp4"})
        jobs.append({"verb": "train", "capture": f"captures/{name}", "seed": seed})
        jobs.append({"verb": "evaluate", "avatar": f"avatars/{name}"})
    write_jobs(tmp_path, *jobs)
    for name in ("anna", "bob"):  # cleo's film is missing
        (tmp_path / f"{name}.mp4").touch()
    first = begin(tmp_path)
    told = tmp_path / "killed next"
    until(lambda: told.exists() and bool(told.read_text()))
    os.kill(int(told.read_text()), signal.SIGKILL)
    assert first.wait() == 1
    assert states(tmp_path) == ["done"] * 3 + ["done", "failed", "left out"] + ["failed", "left out", "left out"]
    for missing in ("cleo.mp4", "go"):
        (tmp_path / missing).touch()
    assert begin(tmp_path).wait() == 0
    assert states(tmp_path) == ["done"] * 9
    for name in ("anna", "bob", "cleo"):
        made = [f"captures/{name}/capture.json", f"avatars/{name}/avatar.json", f"avatars/{name}/evaluation.json"]
        assert all(len((tmp_path / file).read_text().splitlines()) == 1 for file in made), "each is made once"


@pytest.mark.usefixtures("heeds_control_c")
def test_ctrl_c_stops_the_jobs_and_the_state_says_so(avatar: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    job = {"verb": "speak", "avatar": str(avatar), "audio": "pipe", "out": "a.mp4"}
    write_jobs(tmp_path, job)
    batch = begin(tmp_path)
    writer = wait_for_a_reader(tmp_path / "pipe", batch)
    batch.send_signal(signal.SIGINT)
    assert batch.wait() == 130
    assert states(tmp_path) == ["stopped"]
    with pytest.raises(BrokenPipeError):
        os.write(writer, b"the reader is gone")
    os.close(writer)


@pytest.mark.parametrize(
    ("jobs", "words"),
    [
        ([], "holds no jobs"),
        (["speak"], "verb is one of"),
        ([{"verb": "serve", "avatars": ["a"]}], "verb is one of"),
        ([{"verb": "speak", "avatar": "a"}], "line 1: Missing"),
        ([{"verb": "train", "capture": "a"}, {"verb": "train", "capture": "b", "size": 3}], "line 2: .* --size"),
        ([{"verb": "train", "capture": "a"}, {"verb": "train", "capture": "b/a"}], "line 2: Line 1 writes"),
    ],
)
def test_mistakes_are_told_before_anything_is_done(jobs: list, words: str, place: Path) -> None:
    with pytest.raises(GaussianTalkerError, match=words):
        read_jobs(write_jobs(place, *jobs))


def test_jobs_wait_for_what_they_read(place: Path) -> None:
    jobs = read_jobs(
        write_jobs(
            place,
            {"verb": "capture", "video": "anna.mp4", "more": ["b.mp4", "c.mp4"], "force": ["sync"]},
            {"verb": "train", "capture": "captures/anna", "schedule": "fast"},
            {"verb": "evaluate", "avatar": "avatars/anna", "openface": ["a.csv", "b.csv"], "exact": True},
            {"verb": "speak", "avatar": "avatars/anna", "audio": "-a.wav", "articulation": 0.5, "label": False},
            {"verb": "speak", "avatar": "avatars/bob", "audio": "a.wav", "out": "b.mp4"},
        )
    )
    assert [job.after for job in jobs] == [(), (1,), (2,), (2,), ()]
    assert jobs[0].arguments == ["capture", "anna.mp4", "b.mp4", "c.mp4", "--force", "sync"]
    assert jobs[2].arguments == ["evaluate", "avatars/anna", "--openface", "a.csv", "b.csv", "--exact"]
    assert jobs[3].arguments == ["speak", "avatars/anna", "./-a.wav", "--articulation=0.5"]


def test_a_batch_is_done_once_at_a_time_and_its_folder_is_its_own(place: Path, capsys) -> None:
    write_jobs(place, {"verb": "speak", "avatar": "none", "audio": "none.wav"})
    with locked(place / "batches/jobs", "batch"):
        assert main(["batch", "jobs.jsonl"]) == 2
    (place / "batches/jobs/state.jsonl").write_text("[1, 2]\n")
    assert main(["batch", "jobs.jsonl"]) == 2
    assert "is not the state of a batch" in capsys.readouterr().err
