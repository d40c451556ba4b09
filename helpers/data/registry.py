"""The data sets: one record for each says how it lies on disk, what was published, where it is had.

Who adds a data set adds a record to `DATASETS`, and nothing anywhere else.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

from helpers.data import layouts
from helpers.synthesis import GENERATORS, Generator

PARTS = ("clips", "recordings")


@dataclass(frozen=True, kw_only=True)
class DatasetInfo:
    """What is known of a data set before it is found.

    parts: part, of PARTS → what must be there, each a tuple of names that it may have. list_clips:
    root → (table with the columns `layouts.LISTED`, list of `files.Fault`: where files and table
    disagree). read_entries: root → what its own table says of each clip, see `layouts.ENTRY`; None
    where a data set has no table. labels: label → folder, where folders label the clips: then none
    may be missing. names: label → file name (<n>: a number), where names do; the same holds.
    recordings: their folder.
    published: label → number of clips; {} where every copy is another. n_recordings: published.
    kaggle: "owner/slug", or "". url: of a zip file elsewhere, or "". licence. page: its heading in
    data_README.md. synthesise: `synthesis.Generator` of a sample; None: there is none.
    Raises ValueError for a record that contradicts itself.
    """

    name: str
    title: str
    parts: dict
    list_clips: Callable
    published: dict
    kaggle: str
    licence: str
    page: str
    synthesise: Generator | None
    read_entries: Callable | None = None
    labels: dict = field(default_factory=dict)
    names: dict = field(default_factory=dict)
    recordings: str = ""
    n_recordings: int = 0
    url: str = ""

    def __post_init__(self):
        labels = {*self.labels, *self.names}
        contradictions = {
            f"parts has other names than {PARTS}": not set(self.parts) <= set(PARTS),
            "recordings names no folder": "recordings" in self.parts and not self.recordings,
            "kaggle is not owner/slug": self.kaggle and self.kaggle.count("/") != 1,
            "published has not the labels of its folders or names": labels
            and labels != set(self.published),
        }
        if found := [text for text, holds in contradictions.items() if holds]:
            raise ValueError(f"the record of {self.name!r}: {'; '.join(found)}")

    def needs(self, require):
        """What a use of the data set needs: a list of tuples of names, any of which will do."""
        if unknown := set(require) - set(self.parts):
            raise ValueError(f"require={require}: {unknown} is none of {sorted(self.parts)}")
        return [names for part in require for names in self.parts[part]]

    @property
    def content(self):
        """What was published, in words: "810 clips, 100 recordings", or ""."""
        parts = {"clips": sum(self.published.values()), "recordings": self.n_recordings}
        return ", ".join(f"{n:,} {what}" for what, n in parts.items() if n)

    @property
    def is_downloadable(self):
        return bool(self.kaggle or self.url)

    @property
    def source(self):
        """Where it comes from: "Kaggle", "zip file", or "by hand"."""
        return "Kaggle" if self.kaggle else "zip file" if self.url else "by hand"


# Clips of each class, as published.
URBANSOUND8K = {
    **dict.fromkeys(("air_conditioner", "children_playing", "dog_bark", "drilling"), 1000),
    **dict.fromkeys(("engine_idling", "jackhammer", "street_music"), 1000),
    **{"car_horn": 429, "gun_shot": 374, "siren": 929},
}
ESC50_CLASSES = (
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
ESC10_CLASSES = (
    *("dog", "rooster", "rain", "sea_waves", "crackling_fire"),
    *("crying_baby", "sneezing", "clock_tick", "helicopter", "chainsaw"),
)

ESC50 = DatasetInfo(
    name="esc50",
    title="ESC-50",
    parts={"clips": [layouts.ESC_TABLES]},
    list_clips=layouts.esc_clips,
    read_entries=layouts.esc_entries,
    published=dict.fromkeys(ESC50_CLASSES, 40),
    kaggle="mmoreaux/environmental-sound-classification-50",
    # A commit, and no branch: what it holds stays the same. The bytes of the zip file need not, so
    # there is no checksum.
    url="https://github.com/karolpiczak/ESC-50/archive/33c8ce9eb2cf0b1c2f8bcf322eb349b6be34dbb6.zip",
    licence="CC BY-NC 3.0",
    page="esc50",
    synthesise=GENERATORS["esc50"],
)

DATASETS = {
    entry.name: entry
    for entry in (
        DatasetInfo(
            name="capuchin",
            title="Capuchinbird calls (Z by HP Unlocked Challenge 3)",
            parts={
                "clips": [(folder,) for folder in layouts.CAPUCHIN_CLIPS.values()],
                "recordings": [("Forest Recordings",)],
            },
            labels=layouts.CAPUCHIN_CLIPS,
            list_clips=layouts.capuchin_clips,
            recordings="Forest Recordings",
            published={"capuchin": 217, "other": 593},
            n_recordings=100,
            kaggle="kenjee/z-by-hp-unlocked-challenge-3-signal-processing",
            licence="Xeno-canto and freesoundslibrary: non-commercial, no redistribution",
            page="capuchin",
            synthesise=GENERATORS["capuchin"],
        ),
        DatasetInfo(
            name="urbansound8k",
            title="UrbanSound8K",
            parts={"clips": [layouts.URBAN_TABLES]},
            list_clips=layouts.urbansound8k_clips,
            read_entries=layouts.urbansound8k_entries,
            published=URBANSOUND8K,
            kaggle="chrisfilo/urbansound8k",
            licence="CC BY-NC 3.0",
            page="urbansound8k",
            synthesise=GENERATORS["urbansound8k"],
        ),
        ESC50,
        replace(
            ESC50,
            name="esc10",
            title="ESC-10, a part of ESC-50",
            list_clips=partial(layouts.esc_clips, only_esc10=True),
            read_entries=partial(layouts.esc_entries, only_esc10=True),
            published=dict.fromkeys(ESC10_CLASSES, 40),
            licence="CC BY 3.0",
            synthesise=GENERATORS["esc10"],
        ),
        DatasetInfo(
            name="catsdogs",
            title="Audio Cats and Dogs",
            parts={"clips": []},
            names=layouts.CATSDOGS_NAMES,
            list_clips=layouts.catsdogs_clips,
            published={"cat": 164, "dog": 113},
            kaggle="mmoreaux/audio-cats-and-dogs",
            licence="CC BY-SA 3.0",
            page="catsdogs",
            synthesise=GENERATORS["catsdogs"],
        ),
        DatasetInfo(
            name="folders",
            title="Your own clips, a folder for each class",
            parts={"clips": []},
            list_clips=partial(layouts.clips_in_folders, groups_of=layouts.class_groups),
            published={},
            kaggle="",
            licence="your own",
            page="folders",
            synthesise=None,
        ),
        DatasetInfo(
            name="speakers",
            title="Speakers (a folder of recordings for each)",
            parts={"clips": []},
            list_clips=partial(layouts.clips_in_folders, groups_of=layouts.speaker_groups),
            published={},
            kaggle="",
            licence="your own",
            page="speakers",
            synthesise=GENERATORS["speakers"],
        ),
    )
}
