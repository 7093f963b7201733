"""Things that lie where an export belongs, and folders one in another without end."""

from tests.faults.fault import Group, Place

# Two lines a fault, not eight.
# fmt: off

exports = Group("Exports with something in the way")

exports.plain("A file above the folder to export to", "dataset export ~/list.txt/out",
    "/list.txt is a file", "give a folder", {"list.txt": "mine"})
exports.plain("A model exported onto a folder", "models export ~/mine.pt --force",
    "/mine.pt is a folder", "give the name of a file", {"mine.pt/a.txt": ""})
exports.plain("Folders one in another without end", "label --import ~/set",
    "/set/a holds more than 50 folders", "take it out of",
    {f"set/{'a/' * 60}1.png": Place.picture, "set/good_posture/2.png": Place.picture})
