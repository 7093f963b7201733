"""Import and export of image folders: the layout of the article, class folders, and ultralytics datasets.

Reading order: `folder_tree` (what lies where) → `folder_names`, `boxes` and `folder_meaning` (what a folder is) → `layout` →
`images` (one file) → `blocks` (which files belong together in time) → `importing`; then `manifest` (what an export remembers)
→ `exporting`.
"""

from posture_daemon.datasets.exporting import ExportReport, export_folder
from posture_daemon.datasets.import_report import ImportReport
from posture_daemon.datasets.importing import class_names, import_folder
from posture_daemon.datasets.layout import FolderImage, Layout, read_layout

__all__ = [
    "ExportReport",
    "FolderImage",
    "ImportReport",
    "Layout",
    "class_names",
    "export_folder",
    "import_folder",
    "read_layout",
]
