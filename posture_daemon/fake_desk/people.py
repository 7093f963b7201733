"""Who sits at the desk: looks that stay, and clothes that change every day. Colours are BGR, 0–255; lengths metres."""

from dataclasses import dataclass

from posture_daemon.fake_desk import chance

Colour = tuple[int, int, int]

SKINS: tuple[Colour, ...] = (
    (162, 188, 224), (138, 170, 212), (120, 154, 202), (105, 142, 196), (80, 112, 166), (62, 86, 134), (48, 64, 100),
)  # fmt: skip
HAIR_COLOURS: tuple[Colour, ...] = (
    (30, 28, 32), (34, 46, 66), (48, 72, 108), (96, 150, 196), (150, 150, 152), (44, 76, 140), (24, 30, 44),
)  # fmt: skip
HAIR_STYLES = ("short", "long", "parted", "curly", "bob", "bald", "bun", "buzz")
BEARDS = ("none", "none", "full", "none", "none", "stubble", "none", "moustache")
GLASSES = ("none", "round", "none", "square", "none", "none", "square", "round")
GARMENTS = ("tshirt", "hoodie", "stripes", "check", "shirt", "knit")
CLOTH_COLOURS: tuple[Colour, ...] = (
    (92, 62, 40), (60, 60, 64), (70, 96, 50), (52, 52, 150), (196, 196, 200), (150, 120, 60), (90, 130, 180),
    (120, 70, 110), (40, 44, 50), (170, 160, 120), (60, 140, 200), (140, 148, 160),
)  # fmt: skip


@dataclass(frozen=True)
class Person:
    """What a person looks like on every day."""

    number: int
    skin: Colour
    hair: Colour
    hair_style: str
    beard: str
    glasses: str
    height: float  # 1 is average
    width: float  # of the shoulders and trunk; 1 is average
    face_width: float
    brow: float  # thickness of the eyebrows, 1 is average


@dataclass(frozen=True)
class Clothes:
    """What a person wears for one day."""

    garment: str
    colour: Colour
    accent: Colour
    long_sleeves: bool
    headphones: bool
    pattern_key: int


def person(number: int) -> Person:
    """Make the person with this number; neighbours in number differ in hair, skin, beard and glasses."""
    rng = chance.generator(0xBEE, number)
    style = number % len(HAIR_STYLES)
    bearded = BEARDS[style] if rng.random() < 0.75 else "none"
    long_haired = HAIR_STYLES[style] in ("long", "bob", "bun")
    return Person(
        number=number,
        skin=SKINS[(number * 3 + number // 8) % len(SKINS)],
        hair=HAIR_COLOURS[(number * 5 + 1 + number // 8) % len(HAIR_COLOURS)],
        hair_style=HAIR_STYLES[style],
        beard=bearded,
        glasses=GLASSES[(style + number // 8) % len(GLASSES)],
        height=float(rng.uniform(0.96, 1.04)),
        width=float(rng.uniform(0.86, 0.96) if long_haired else rng.uniform(0.97, 1.12)),
        face_width=float(rng.uniform(1.0, 1.12)),
        brow=float(rng.uniform(0.7, 1.0) if long_haired else rng.uniform(0.9, 1.35)),
    )


def clothes(number: int, day: int) -> Clothes:
    """Dress the person with this number for desk day `day`."""
    rng = chance.generator(0xC107, number, day)
    garment = GARMENTS[int(rng.integers(len(GARMENTS)))]
    first, second = (int(i) for i in rng.choice(len(CLOTH_COLOURS), 2, replace=False))
    return Clothes(
        garment=garment,
        colour=CLOTH_COLOURS[first],
        accent=CLOTH_COLOURS[second],
        long_sleeves=garment != "tshirt",
        headphones=bool(rng.random() < 0.3),
        pattern_key=int(rng.integers(1 << 30)),
    )
