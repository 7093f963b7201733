"""Import and export of image folders: the layout of the article, class folders, and ultralytics datasets.

Reading order: `layout` (what a folder means) → `images` (one file) → `blocks` (which files belong together in time) →
`importing`; then `manifest` (what an export remembers) → `exporting`.
"""

from posture_daemon.datasets.exporting import ExportReport, export_folder
from posture_daemon.datasets.importing import ImportReport, import_folder
from posture_daemon.datasets.layout import FolderImage, Layout, read_layout

__all__ = ["ExportReport", "FolderImage", "ImportReport", "Layout", "export_folder", "import_folder", "read_layout"]
