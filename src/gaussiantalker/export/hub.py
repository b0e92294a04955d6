"""An avatar to a model hub, with a card that says what it is, who agreed to it, and how good it is."""

from pathlib import Path
from typing import Any

from gaussiantalker.capture.folder import NO_CONSENT
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.media.files import read_json
from gaussiantalker.progress import SILENT, Progress
from gaussiantalker.speaking.folder import check_folder
from gaussiantalker.speaking.hub import FILES, is_name, refused
from gaussiantalker.training.card import model_card


def push(folder: str | Path, name: str, *, public: bool = False, progress: Progress = SILENT) -> str:
    """Uploads an avatar's folder as `owner/name`, for its owner alone unless `public`. Returns its address.

    Raises GaussianTalkerError for what is no avatar or no such name, for a public one whose facts hold no consent, and
    with what the hub says.
    """
    folder = Path(folder)
    facts = check_folder(folder)
    if not is_name(name):
        raise GaussianTalkerError(f"{name} is not a name on a hub: give OWNER/NAME.")
    if public and facts.get("consent", NO_CONSENT) == NO_CONSENT:
        raise GaussianTalkerError(
            "No consent is recorded for this avatar: ask the person, repeat capture with --consent and train "
            "again, or push it without --public."
        )
    card = _card(folder, facts, name)
    with refused(f"{folder} could not be pushed to {name}"):
        from huggingface_hub import CommitOperationAdd, HfApi

        files = [folder / file for file in FILES if (folder / file).is_file()]
        progress.note(f"Pushing {sum(file.stat().st_size for file in files) / 1e6:.1f} MB to {name}.")
        hub = HfApi()
        hub.create_repo(name, private=not public, exist_ok=True)
        added = [CommitOperationAdd(file.name, file) for file in files]
        added.append(CommitOperationAdd("README.md", card.encode()))
        hub.create_commit(name, added, commit_message="An avatar of GaussianTalker")
        return f"{hub.endpoint}/{name}"


def _card(folder: Path, facts: dict[str, Any], name: str) -> str:
    """The avatar's card for this place, with the numbers of its evaluation where it has been measured."""
    measured = read_json(folder / "evaluation.json") if (folder / "evaluation.json").is_file() else {}
    rows = [
        f"| {entry['label']} | {entry['value']:.3g} {entry['unit']} |"
        for entry in measured.get("metrics", {}).values()
        if isinstance(entry.get("value"), int | float)
    ]
    numbers = "\n".join(["| on frames it was not trained on | |", "|---|---|", *rows]) if rows else "Not measured yet."
    head = "---\nlibrary_name: gaussiantalker\ntags: [talking-head, gaussian-splatting, synthetic]\n---\n"
    return f"{head}{model_card(facts, name)}\n## Numbers\n{numbers}\n"
