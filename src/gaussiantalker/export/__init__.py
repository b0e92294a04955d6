"""Export: an avatar as files that others' programs show, above all a web page without a server behind it."""

from gaussiantalker.export.interchange import export_head, head
from gaussiantalker.export.web import export_web

__all__ = ["export_head", "export_web", "head"]
