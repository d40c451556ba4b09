"""The data sets as published: how many clips of each class, how large, where their archives lie."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Archive:
    """A zip file with a data set. n_bytes: its size, about; unpacked: bytes that it takes unpacked.

    sha256: of the file, or "" where nobody promises that its bytes stay the same.
    """

    url: str
    n_bytes: int = 0
    unpacked: int = 0
    sha256: str = ""


@dataclass(frozen=True)
class Published:
    """clips: label → number of clips; empty where every copy is another. recordings: long ones."""

    clips: dict = field(default_factory=dict)
    recordings: int = 0
    archive: Archive | None = None

    @property
    def content(self):
        """What there is, in words: "810 clips, 100 recordings", or ""."""
        parts = {"clips": sum(self.clips.values()), "recordings": self.recordings}
        return ", ".join(f"{n:,} {what}" for what, n in parts.items() if n)


URBAN = {
    **dict.fromkeys(("air_conditioner", "children_playing", "dog_bark", "drilling"), 1000),
    **dict.fromkeys(("engine_idling", "jackhammer", "street_music"), 1000),
    **{"car_horn": 429, "gun_shot": 374, "siren": 929},
}
ESC50 = (
    *("dog", "rooster", "pig", "cow", "frog"),
    *("cat", "hen", "insects", "sheep", "crow"),
    *("rain", "sea_waves", "crackling_fire", "crickets", "chirping_birds"),
    *("water_drops", "wind", "pouring_water", "toilet_flush", "thunderstorm"),
    *("crying_baby", "sneezing", "clapping", "breathing", "coughing"),
    *("footsteps", "laughing", "brushing_teeth", "snoring", "drinking_sipping"),
    *("door_wood_knock", "mouse_click", "keyboard_typing", "door_wood_creaks", "can_opening"),
    *("washing_machine", "vacuum_cleaner", "clock_alarm", "clock_tick", "glass_breaking"),
    *("helicopter", "chainsaw", "siren", "car_horn", "engine"),
    *("train", "church_bells", "airplane", "fireworks", "hand_saw"),
)
ESC10 = (
    *("dog", "rooster", "rain", "sea_waves", "crackling_fire"),
    *("crying_baby", "sneezing", "clock_tick", "helicopter", "chainsaw"),
)

# A commit, and no branch: what it holds stays the same. The zip file around it may not, GitHub
# packs it anew when it likes: so there is no checksum, but the one that zip has for every file in
# it, and `inspection` counts. Unpacked: 2,000 wav files of 5 s.
_ESC50 = Archive(
    "https://github.com/karolpiczak/ESC-50/archive/33c8ce9eb2cf0b1c2f8bcf322eb349b6be34dbb6.zip",
    n_bytes=645_832_161,
    unpacked=2000 * 441_044,
)

PUBLISHED = {
    "capuchin": Published({"capuchin": 217, "other": 593}, recordings=100),
    "urbansound8k": Published(URBAN),
    "esc50": Published(dict.fromkeys(ESC50, 40), archive=_ESC50),
    "esc10": Published(dict.fromkeys(ESC10, 40), archive=_ESC50),
    "catsdogs": Published({"cat": 164, "dog": 113}),
    "folders": Published(),
    "speakers": Published(),
}
