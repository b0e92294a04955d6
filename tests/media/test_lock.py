"""Two writers never share a folder, and a killed one leaves neither a lock nor halves behind."""

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.media.files import remove_partials, write_json
from gaussiantalker.media.lock import locked

# Holds the lock and a half-written file until it is told to go on, or killed.
HOLD = """
import sys
from pathlib import Path
from gaussiantalker.media.files import atomic_path
from gaussiantalker.media.lock import locked

with locked(sys.argv[1], "capture"), atomic_path(Path(sys.argv[1]) / "a.json") as temporary:
    temporary.write_text("half")
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def holder(tmp_path: Path) -> subprocess.Popen:
    command = [sys.executable, "-c", HOLD, str(tmp_path / "folder")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_the_second_is_told_who_works_there(holder: subprocess.Popen, tmp_path: Path) -> None:
    words = rf"folder is in use: somebody works here \(capture, process {holder.pid}\); wait until it ends"
    with pytest.raises(GaussianTalkerError, match=words), locked(tmp_path / "folder", "train"):
        pass
    holder.communicate("go on\n")
    with locked(tmp_path / "folder", "train"):
        assert (tmp_path / "folder" / "a.json").read_text() == "half", "what was finished is kept"
    assert [p.name for p in (tmp_path / "folder").iterdir()] == ["a.json"], "no lock is left"


def test_a_killed_writer_holds_nothing_up(holder: subprocess.Popen, tmp_path: Path) -> None:
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert len(list((tmp_path / "folder").iterdir())) == 2
    with locked(tmp_path / "folder", "capture") as folder:
        write_json(folder / "b.json", 1)
    assert [p.name for p in folder.iterdir()] == ["b.json"]


def test_threads_take_turns(tmp_path: Path) -> None:
    inside, most, refused = [], [], []

    def work() -> None:
        for _ in range(50):
            try:
                with locked(tmp_path, "train"):
                    inside.append(1)
                    most.append(len(inside))
                    inside.pop()
            except GaussianTalkerError:
                refused.append(1)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 1 and len(most) + len(refused) == 300
    assert list(tmp_path.iterdir()) == []


def test_only_our_own_halves_are_removed(tmp_path: Path) -> None:
    for name in (".a.12.partial.json", ".b.7.partial", ".partial", ".a.partial.json", "a.12.partial.json", ".env"):
        (tmp_path / name).touch()
    (tmp_path / ".c.d.99.partial").mkdir()
    remove_partials(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {".partial", ".a.partial.json", "a.12.partial.json", ".env"}
