"""Names of classes from anywhere, and what others would have the terminal do."""

from tests.faults.fault import Group, Place

names = Group("Names of classes, and text from others")

# fmt: off
names.plain("A folder with a reserved name", "label --import ~/set",
    "'unknown'", "rename the folder 'unknown'",
    {"set/good_posture/a.png": Place.picture, "set/unknown/b.png": Place.picture})
names.plain("A folder whose name turns the direction of writing", "label --import ~/set",
    "RIGHT-TO-LEFT OVERRIDE (U+202E)", "rename the folder", {"set/a\u202egnp/a.png": Place.picture})
names.plain("A folder whose name is an escape sequence", "label --import ~/set",
    "(U+001B)", "rename the folder '\\x1b]0;owned\\x07'", {"set/\x1b]0;owned\x07/a.png": Place.picture})
names.plain("A folder with a comma in its name", "label --import ~/set",
    "COMMA (U+002C)", "rename the folder 'sit, upright'", {"set/sit, upright/a.png": Place.picture})
names.plain("A class that is there in another case", "classes add Good_Posture", "'good_posture'", "choose another name")
names.plain("A class that is there with its accents apart", "classes add e\u0301",
    "'é'", "choose another name",
    sql="INSERT INTO classes (name, role, created_at) VALUES ('é', 'neutral', 1)")
names.plain("A class with a name of Windows", "classes add Con.1", "'Con.1' is reserved", "another one will do")
names.plain("A class with an invisible character", "classes add good\u200bposture",
    "ZERO WIDTH SPACE (U+200B)", "letters, digits, spaces and punctuation")
names.plain("A class of two lines", "classes add 'bad\nposture: forged'",
    "(U+000A)", "another one will do")
names.plain("An export of a class that an older version let be called like a folder", "label --export ~/out",
    "'train' cannot be exported", "posture-daemon classes rename train NEW",
    sql="INSERT INTO classes (name, role, created_at) VALUES ('train', 'neutral', 1)")
names.plain("An option that looks like markup", "label --[bold]", "--[bold]", "label --help", code=2)
names.plain("A file whose name is an escape sequence", "models inspect '~/\x1b[2J.pt'",
    "/\\x1b[2J.pt", "check the path")
names.plain("An address that forges a line", "run --camera 'fake:desk\nposture-daemon: all is well'",
    'camera "fake:***"', "not understood")
# fmt: on
