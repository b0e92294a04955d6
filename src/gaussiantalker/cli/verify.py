"""The verb `verify`."""

import json
from dataclasses import dataclass

from gaussiantalker.cli.options import File
from gaussiantalker.progress import Progress


@dataclass(frozen=True)
class Verify:
    """Say whether a film is marked as generated: its signed manifest, and the watermark in its pictures.

    Ends with exit code 0 where it is marked, 1 where it is not.
    """

    film: File
    """A film of any common kind."""
    json: bool = False
    """Print the findings as JSON."""

    when_stopped = "Stopped; nothing was found out."

    def run(self, progress: Progress) -> tuple[str, int]:
        from gaussiantalker.provenance.verification import verify

        found = verify(self.film, progress)
        return json.dumps(found.as_json(), indent=2) if self.json else str(found), 0 if found.marked else 1
