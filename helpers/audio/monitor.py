"""What a user should know of a recording, found while it is read: drop-outs, channels that differ.

Several monitors, each of a part of a recording, can be joined. So a long recording may be read in
parts, on several machines.
"""

from dataclasses import dataclass, field

import numpy as np

from helpers.audio.advice import seconds

DROPOUT_S = 1.0  # zeros that last at least this long are a drop-out
GRAIN_S = 0.1  # and are searched for in blocks of this length
WINDOW_S, LOOK_S = 10.0, 1.0  # channels are compared for one second of every ten
QUIET = 1e-4  # channels that are all below this level (-80 dB) are not compared
CANCELS = 0.8  # power of the mean, relative to the mean of channels that are independent
UNEQUAL = 4.0  # power of the loudest channel relative to the softest: 6 dB
FEW = 0.2  # share of the windows up to which nothing is said, unless there are …
MANY = 60  # … this many: ten minutes


@dataclass
class Monitor:
    """Watches the frames of a recording. All positions are frames of the file, at its own rate.

    channel: what is listened to, see `audio.load`. zeros: (n, 2), runs of zeros: first frame and
    the one behind the last. n_frames: end of what was read. windows: [number, do the channels
    cancel, are they unequal] of each window of several channels that is not quiet. remark: of the
    file's header. salvage: what cannot be decoded is skipped, instead of raising AudioError.
    damage: [first frame, the one behind the last] of each such place. All of this can be written as
    JSON.
    """

    channel: str | int = "mean"
    rate: int = 0
    n_frames: int = 0
    zeros: list = field(default_factory=list)
    windows: list = field(default_factory=list)
    remark: str = ""
    salvage: bool = False
    damage: list = field(default_factory=list)

    def add(self, frames, at, info):
        """Take notice of frames, float32 (n, channels), that begin at position `at`."""
        self.rate, self.remark = info.sample_rate, info.remark
        self.n_frames = max(self.n_frames, at + len(frames))
        if self.damage and self.damage[-1][0] <= at < self.damage[-1][1]:
            return  # these zeros stand for what could not be decoded
        heard = frames if self.channel == "mean" else frames[:, [self.channel - 1]]
        self._add_zeros(heard, at)
        if self.channel == "mean" and frames.shape[1] > 1:
            self._compare_channels(frames, at)

    def _add_zeros(self, frames, at):
        """Keep the runs of zeros that are long, or that reach an end of `frames`."""
        grain = max(1, round(GRAIN_S * self.rate)) * frames.shape[1]
        level = np.abs(frames.reshape(-1))
        blocks = np.maximum.reduceat(level, np.arange(0, len(level), grain))
        if blocks.all():
            return
        sounding = np.flatnonzero(level.reshape(frames.shape).any(axis=1))
        edges = np.concatenate([[-1], sounding, [len(frames)]])
        for i in np.flatnonzero(np.diff(edges) > 1):
            first, end = int(edges[i]) + 1 + at, int(edges[i + 1]) + at
            if self.zeros and self.zeros[-1][1] == first:
                first = self.zeros.pop()[0]
            if end - first >= DROPOUT_S * self.rate or end == at + len(frames) or first == at:
                self.zeros.append([first, end])

    def _compare_channels(self, frames, at):
        size, look = round(WINDOW_S * self.rate), round(LOOK_S * self.rate)
        for number in range(at // size, (at + len(frames) - 1) // size + 1):
            start, end = max(0, number * size - at), (number + 1) * size - at
            is_known = self.windows and self.windows[-1][0] == number
            if is_known or min(len(frames), end) - start < look / 4:
                continue
            part = np.array(frames[start : min(start + look, end)].T, np.float64, order="C")
            power = part.var(axis=1)
            if power.max() < QUIET**2:
                continue
            # Differences: otherwise wind, which is low, would hide what cancels.
            change = np.diff(part)
            alone = np.mean(np.square(change))
            mixed = np.mean(np.square(change.mean(axis=0)))
            is_cancelled = mixed < CANCELS * alone / len(part)
            is_unequal = power.max() > UNEQUAL * power.min()
            self.windows.append([number, bool(is_cancelled), bool(is_unequal)])

    def join(self, other):
        """Add what another monitor found in another part of the same recording."""
        self.rate, self.remark = other.rate or self.rate, other.remark or self.remark
        self.n_frames = max(self.n_frames, other.n_frames)
        self.zeros = sorted([*self.zeros, *other.zeros])
        self.damage = sorted([*self.damage, *other.damage])
        windows = {window[0]: window for window in [*self.windows, *other.windows]}
        self.windows = list(windows.values())

    @property
    def dropouts(self):
        """(start, end) of each drop-out, in seconds."""
        return [
            (first / self.rate, end / self.rate)
            for first, end in _united(self.zeros)
            if end - first >= DROPOUT_S * self.rate
        ]

    @property
    def damaged(self):
        """(start, end) of each place that could not be decoded, in seconds."""
        return [(first / self.rate, end / self.rate) for first, end in _united(self.damage)]

    @property
    def lost_s(self):
        """Seconds in which nothing could be heard: drop-outs, and what could not be decoded."""
        return self.dropped_s + sum(end - start for start, end in self.damaged)

    @property
    def dropped_s(self):
        """Seconds that are drop-outs: nothing could be heard there."""
        return sum(end - start for start, end in self.dropouts)

    @property
    def remarks(self):
        """What was found, in words: str, "" if there is nothing to say."""
        found = [self.remark] if self.remark else []
        if damaged := self.damaged:
            total = seconds(sum(end - start for start, end in damaged))
            where = f"the first of {len(damaged)} places " * (len(damaged) > 1)
            where += f"at {seconds(damaged[0][0])}"
            found.insert(0, f"the count is partial: {total} could not be decoded ({where})")
        elif self.remark and self.salvage and "cut off or damaged" in self.remark:
            found.insert(0, "the count is partial")
        if dropouts := self.dropouts:
            total = self.dropped_s
            if total * self.rate >= self.n_frames:
                found.append("it holds no sound: all its samples are zero")
            else:
                first = f"the first of {len(dropouts)} " * (len(dropouts) > 1)
                first += f"at {seconds(dropouts[0][0])}"
                found.append(f"drop-outs: zeros for {seconds(total)} ({first})")
        for kind, text in enumerate(("cancel each other", "differ by more than 6 dB")):
            n = sum(flags[kind] for _, *flags in self.windows)
            if n > FEW * len(self.windows) or n >= MANY:
                share = n / len(self.windows)
                found.append(f"its channels {text} ({share:.0%} of the time): choose one channel")
        return "; ".join(found)


def _united(runs):
    """Intervals (first, end) as a sorted list of [first, end] that neither overlap nor touch."""
    united = []
    for first, end in sorted(runs):
        if united and first <= united[-1][1]:
            united[-1][1] = max(end, united[-1][1])
        else:
            united.append([first, end])
    return united
