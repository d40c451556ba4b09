"""What YAMNet calls our classes: it knows 521 kinds of sound by name, from AudioSet's list.

Whoever can match a class of a data set with some of those names has a classifier of it before any
training. Gemmeke et al., Audio Set, 2017.
"""

import numpy as np

from helpers.embeddings import LEAST

_DOG = {
    "Dog": 69,
    "Bark": 70,
    "Yip": 71,
    "Bow-wow": 73,
    "Canidae, dogs, wolves": 117,
    "Growling": 74,
}
# Class of a data set: names of AudioSet, and their places among YAMNet's scores.
COUNTERPARTS = {
    # UrbanSound8K
    "air_conditioner": {"Air conditioning": 407, "Mechanical fan": 406, "Pump (liquid)": 448},
    "car_horn": {"Vehicle horn, car horn, honking": 302, "Toot": 303, "Air horn, truck horn": 312},
    "children_playing": {
        "Children playing": 66,
        "Children shouting": 10,
        "Child speech, kid speaking": 1,
    },
    "dog_bark": _DOG,
    "drilling": {
        "Drill": 419,
        "Power tool": 418,
        "Dental drill, dentist's drill": 339,
        "Sawing": 415,
    },
    "engine_idling": {
        "Idling": 346,
        "Engine": 337,
        "Light engine (high frequency)": 338,
        "Medium engine (mid frequency)": 342,
        "Heavy engine (low frequency)": 343,
    },
    "gun_shot": {"Gunshot, gunfire": 421, "Machine gun": 422, "Cap gun": 425, "Explosion": 420},
    "jackhammer": {"Jackhammer": 414},
    "siren": {
        "Siren": 390,
        "Police car (siren)": 317,
        "Ambulance (siren)": 318,
        "Fire engine, fire truck (siren)": 319,
        "Civil defense siren": 391,
    },
    "street_music": {"Music": 132},
    # ESC-50; car_horn and siren are above
    "airplane": {"Aircraft": 329, "Fixed-wing aircraft, airplane": 334, "Jet engine": 331},
    "breathing": {"Breathing": 36, "Pant": 40, "Gasp": 39},
    "brushing_teeth": {"Toothbrush": 369},
    "can_opening": {"Hiss": 79, "Burst, pop": 428},
    "cat": {"Cat": 76, "Meow": 78, "Purr": 77, "Caterwaul": 80},
    "chainsaw": {"Chainsaw": 341},
    "chirping_birds": {"Bird": 106, "Bird vocalization, bird call, bird song": 107},
    "church_bells": {"Church bell": 196, "Change ringing (campanology)": 202},
    "clapping": {"Clapping": 58, "Applause": 62},
    "clock_alarm": {"Alarm clock": 389, "Beep, bleep": 475},
    "clock_tick": {"Tick": 401, "Tick-tock": 402, "Clock": 400},
    "coughing": {"Cough": 42, "Throat clearing": 43},
    "cow": {"Moo": 86, "Cattle, bovinae": 85},
    "crackling_fire": {"Fire": 292, "Crackle": 293},
    "crickets": {"Cricket": 122},
    "crow": {"Crow": 112, "Caw": 113},
    "crying_baby": {"Baby cry, infant cry": 20, "Crying, sobbing": 19},
    "dog": _DOG,
    "door_wood_creaks": {"Creak": 480, "Squeak": 355},
    "door_wood_knock": {"Knock": 353, "Tap": 354},
    "drinking_sipping": {"Gargling": 51, "Gurgling": 291},
    "engine": {"Engine": 337, "Idling": 346, "Medium engine (mid frequency)": 342},
    "fireworks": {"Fireworks": 426, "Firecracker": 427},
    "footsteps": {"Walk, footsteps": 48},
    "frog": {"Frog": 127, "Croak": 128},
    "glass_breaking": {"Shatter": 437, "Breaking": 464, "Glass": 435},
    "hand_saw": {"Sawing": 415},
    "helicopter": {"Helicopter": 333},
    "hen": {"Cluck": 95, "Chicken, rooster": 94, "Fowl": 93},
    "insects": {"Insect": 121, "Fly, housefly": 124, "Mosquito": 123, "Buzz": 125},
    "keyboard_typing": {"Typing": 378, "Computer keyboard": 380},
    "laughing": {"Laughter": 13, "Giggle": 15, "Belly laugh": 17},
    "mouse_click": {"Clicking": 485},
    "pig": {"Oink": 89, "Pig": 88},
    "pouring_water": {"Pour": 443, "Fill (with liquid)": 446, "Trickle, dribble": 444},
    "rain": {"Rain": 283, "Raindrop": 284, "Rain on surface": 285},
    "rooster": {"Chicken, rooster": 94, "Crowing, cock-a-doodle-doo": 96},
    "sea_waves": {"Ocean": 288, "Waves, surf": 289},
    "sheep": {"Bleat": 91, "Sheep": 92, "Goat": 90},
    "sneezing": {"Sneeze": 44},
    "snoring": {"Snoring": 38},
    "thunderstorm": {"Thunderstorm": 280, "Thunder": 281},
    "toilet_flush": {"Toilet flush": 368},
    "train": {"Train": 323, "Rail transport": 322, "Train horn": 325},
    "vacuum_cleaner": {"Vacuum cleaner": 371},
    "washing_machine": {"Mechanisms": 398},
    "water_drops": {"Drip": 442, "Plop": 488},
    "wind": {"Wind": 277, "Wind noise (microphone)": 279},
}


def counterparts(scores, labels):
    """How much YAMNet hears of each class, by the names that AudioSet has for it.

    scores: (n, 521), 0 to 1. labels: names of classes. Returns float (n, n_classes): the logarithm
    of the highest score among the names of each class; NaN for a class without counterparts.
    """
    found = np.full((len(scores), len(labels)), np.nan)
    for k, label in enumerate(labels):
        if label in COUNTERPARTS:
            places = list(COUNTERPARTS[label].values())
            found[:, k] = np.log(np.maximum(scores[:, places].max(axis=1), LEAST))
    return found
