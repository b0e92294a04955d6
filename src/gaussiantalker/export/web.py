"""A folder that any static host can serve: the avatar, the player, and a page that shows how to use them."""

import json
from importlib.resources import files
from pathlib import Path

from gaussiantalker import __version__
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.export.compact import check, compact
from gaussiantalker.export.hearing import write_hearing
from gaussiantalker.media.files import atomic_path, make_folder
from gaussiantalker.media.outputs import MARK, is_ours
from gaussiantalker.speaking import Avatar

AVATAR, PACKAGE = "me.avatar", "package.json"
PLAYER = files("gaussiantalker.export") / "player"
SNIPPET = """\
<script type="module" src="talking-head.js"></script>
<talking-head id="me" src="me.avatar"></talking-head>
<button onclick="me.speak('hello.wav')">Speak</button>"""


def check_folder(path: Path, force: bool = False) -> None:
    """Raises GaussianTalkerError, before any work, where a folder must not be written into: it holds something, and no
    earlier export."""
    if path.exists() and not path.is_dir():
        raise GaussianTalkerError(f"{path} is a file: name a folder for the page.")
    if not force and path.is_dir() and any(path.iterdir()) and not is_ours(path / PACKAGE):
        raise GaussianTalkerError(
            f"{path} holds files that export did not write: write elsewhere with --out, or among them with --force."
        )


def export_web(avatar: Avatar, folder: str | Path, *, force: bool = False) -> dict[str, int]:
    """Writes the avatar with its player into a folder; returns sizes in bytes by part of the download.

    Raises GaussianTalkerError, before anything is written, where the folder holds others' files, unless `force` lets
    them be written among, or where pages cannot show an avatar of this kind.
    """
    folder = Path(folder)
    check_folder(folder, force)
    check(avatar)
    make_folder(folder)
    heard = write_hearing(avatar, folder)
    player = {item.name: item.read_bytes() for item in PLAYER.iterdir() if item.is_file()}
    player[PACKAGE] = _package([AVATAR, *heard, *player], player[PACKAGE])
    written = {AVATAR: compact(avatar), **player}
    for name, content in written.items():
        with atomic_path(folder / name) as temporary:
            temporary.write_bytes(content)
    return {name: len(content) for name, content in written.items()} | heard


def _package(names: list[str], template: bytes) -> bytes:
    """What `npm pack` asks for."""
    package = json.loads(template) | {"version": __version__, "files": sorted(set(names) - {PACKAGE})}
    package["description"] = f"{package['description']}, {MARK}"
    return (json.dumps(package, indent=2) + "\n").encode()
