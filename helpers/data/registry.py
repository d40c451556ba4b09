"""The data sets: a record for each, with its layout, what was published and where it comes from.

To add a data set, add a record to `DATASETS`. Nothing else needs to change.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

from helpers.data import layouts, metadata
from helpers.synthesis import GENERATORS, Generator

PARTS = ("clips", "recordings")


@dataclass(frozen=True, kw_only=True)
class DatasetInfo:
    """What is known of a data set before it is found.

    parts: part (of PARTS) → list of the files and folders it needs, each a tuple of possible names.
    read: root → (table with the columns `layouts.LISTED`, list of `files.Fault`); the table may
    have more columns, see `metadata.listed_clips`. labels: label → folder, if folders tell the
    labels; names: label → file name (<n>: a number), if names do. Each of these labels must have
    clips. recordings: their folder. published, n_recordings: numbers of clips of each label and of
    recordings as published; {} and 0 if every copy differs. kaggle: "owner/slug", or "". url: a zip
    file elsewhere, or "". page: its heading in data_README.md. synthesise: makes the synthetic
    sample, or None. Raises ValueError for a record that contradicts itself.
    """

    name: str
    title: str
    parts: dict
    read: Callable
    published: dict
    kaggle: str
    licence: str
    page: str
    synthesise: Generator | None
    labels: dict = field(default_factory=dict)
    names: dict = field(default_factory=dict)
    recordings: str = ""
    n_recordings: int = 0
    url: str = ""

    def __post_init__(self):
        contradictions = {
            f"parts has other names than {PARTS}": not set(self.parts) <= set(PARTS),
            "recordings names no folder": "recordings" in self.parts and not self.recordings,
            "kaggle is not owner/slug": self.kaggle and self.kaggle.count("/") != 1,
            "published does not have the labels of its folders or names": self.places
            and set(self.places) != set(self.published),
        }
        if found := [text for text, holds in contradictions.items() if holds]:
            raise ValueError(f"the record of {self.name!r}: {'; '.join(found)}")

    @property
    def places(self):
        """Label → folder or file name, for the labels that must have clips."""
        return {**self.labels, **self.names}

    def needs(self, require):
        """The files and folders that some parts need: a list of tuples of alternative names."""
        if unknown := set(require) - set(self.parts):
            raise ValueError(f"require={require}: {unknown} is none of {sorted(self.parts)}")
        return [names for part in require for names in self.parts[part]]

    def list_clips(self, root):
        """The clips in a folder: (table with the columns `layouts.LISTED`, list of `Fault`)."""
        rows, faults = self.read(root)
        return rows.loc[rows["path"].notna(), list(layouts.LISTED)].reset_index(drop=True), faults

    def describe_needs(self, require):
        """The files and folders that some parts need, in words."""
        return ", ".join(" or ".join(names) for names in self.needs(require))

    @property
    def content(self):
        """What was published, in words: "810 clips, 100 recordings", or ""."""
        parts = {"clips": sum(self.published.values()), "recordings": self.n_recordings}
        return ", ".join(f"{n:,} {part}" for part, n in parts.items() if n)

    @property
    def is_downloadable(self):
        return bool(self.kaggle or self.url)

    @property
    def source(self):
        """Where it comes from: "Kaggle", "zip file", or "by hand"."""
        return "Kaggle" if self.kaggle else "zip file" if self.url else "by hand"


# Clips of each class, as published.
URBANSOUND8K = {"car_horn": 429, "gun_shot": 374, "siren": 929}
URBANSOUND8K |= dict.fromkeys(("air_conditioner", "children_playing", "dog_bark", "drilling"), 1000)
URBANSOUND8K |= dict.fromkeys(("engine_idling", "jackhammer", "street_music"), 1000)
ESC10_CLASSES = """
    dog rooster rain sea_waves crackling_fire crying_baby sneezing clock_tick helicopter chainsaw
"""
ESC50_CLASSES = """
    dog rooster pig cow frog cat hen insects sheep crow rain sea_waves crackling_fire crickets
    chirping_birds water_drops wind pouring_water toilet_flush thunderstorm crying_baby sneezing
    clapping breathing coughing footsteps laughing brushing_teeth snoring drinking_sipping
    door_wood_knock mouse_click keyboard_typing door_wood_creaks can_opening washing_machine
    vacuum_cleaner clock_alarm clock_tick glass_breaking helicopter chainsaw siren car_horn engine
    train church_bells airplane fireworks hand_saw
"""

ESC50 = DatasetInfo(
    name="esc50",
    title="ESC-50",
    parts={"clips": [metadata.ESC50.tables]},
    read=partial(metadata.listed_clips, layout=metadata.ESC50),
    published=dict.fromkeys(ESC50_CLASSES.split(), 40),
    kaggle="mmoreaux/environmental-sound-classification-50",
    # A commit: its content never changes. The bytes of the zip file may, so there is no checksum.
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
            read=layouts.capuchin_clips,
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
            parts={"clips": [metadata.URBANSOUND8K.tables]},
            read=partial(metadata.listed_clips, layout=metadata.URBANSOUND8K),
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
            read=partial(metadata.listed_clips, layout=metadata.ESC10),
            published=dict.fromkeys(ESC10_CLASSES.split(), 40),
            licence="CC BY 3.0",
            synthesise=GENERATORS["esc10"],
        ),
        DatasetInfo(
            name="catsdogs",
            title="Audio Cats and Dogs",
            parts={"clips": []},
            names=layouts.CATSDOGS_NAMES,
            read=layouts.catsdogs_clips,
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
            read=partial(layouts.clips_in_folders, groups_of=layouts.class_groups),
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
            read=partial(layouts.clips_in_folders, groups_of=layouts.speaker_groups),
            published={},
            kaggle="",
            licence="your own",
            page="speakers",
            synthesise=GENERATORS["speakers"],
        ),
    )
}
