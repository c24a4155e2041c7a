"""Training sequences from .npz shards, in the order that the embedded engine sees them (dataOrder.ts)."""

import glob
import zipfile

import numpy as np

from run_config import TrainingError

MASK = 0xFFFFFFFF


def mulberry32(seed):
    """Yields floats in [0,1): the same as SeededRandom of the embedded engine."""
    state = seed & MASK
    while True:
        state = (state + 0x6D2B79F5) & MASK
        mixed = ((state ^ (state >> 15)) * (1 | state)) & MASK
        mixed = ((mixed + (((mixed ^ (mixed >> 7)) * (61 | mixed)) & MASK)) & MASK) ^ mixed
        yield ((mixed ^ (mixed >> 14)) & MASK) / 2**32


def shuffled(count, seed):
    order = list(range(count))
    random = mulberry32(seed)
    for at in range(count - 1, 0, -1):
        other = int(next(random) * (at + 1))
        order[at], order[other] = order[other], order[at]
    return order


def mixed_seed(seed, epoch, part):
    return (((seed * 31 + epoch) & MASK) * 31 + part) & MASK


class Shards:
    def __init__(self, pattern, config):
        self.paths = sorted(glob.glob(pattern))
        if not self.paths:
            raise TrainingError(f"expected shards at {pattern}, found none; make them with: train prepare")
        self.config = config
        self.open_path = None
        self.open_arrays = None
        self.rows = [self.arrays(path)[0].shape[0] for path in self.paths]
        self.total = sum(self.rows)
        if self.total == 0:
            raise TrainingError(f"expected sequences in {pattern}, got none")

    def arrays(self, path):
        if path == self.open_path:
            return self.open_arrays
        try:
            with np.load(path) as archive:
                arrays = archive["x"], archive["y"]
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise TrainingError(f"expected arrays x and y in {path}, got {error}") from error
        length = self.config.seq_len
        for name, array in zip("xy", arrays):
            if array.ndim != 2 or array.shape[1] != length or array.shape != arrays[0].shape:
                raise TrainingError(
                    f"expected {name} of n x {length} in {path}, got {' x '.join(map(str, array.shape))}; "
                    f"prepare the corpus with --seq-len {length}"
                )
            if array.size and (array.min() < 0 or array.max() >= self.config.vocab_size):
                raise TrainingError(
                    f"expected ids from 0 to {self.config.vocab_size - 1} in {name} of {path}, "
                    f"got {array.min()} to {array.max()}; the shards belong to another tokenizer"
                )
        self.open_path, self.open_arrays = path, arrays
        return arrays

    def first(self, count):
        """The first sequences, always the same: what validation scores."""
        taken = []
        for path in self.paths:
            x, y = self.arrays(path)
            for row in range(x.shape[0]):
                if len(taken) == count:
                    return taken
                taken.append((x[row], y[row]))
        return taken


class TrainingOrder:
    """Sequence number p of a run, for any p: a shuffle of shards and of rows in each, anew every epoch."""

    def __init__(self, shards, seed):
        self.shards = shards
        self.seed = seed
        self.epoch = -1
        self.order = []
        self.row_orders = {}

    def at(self, position):
        epoch, within = divmod(position, self.shards.total)
        if epoch != self.epoch:
            self.epoch = epoch
            self.order = shuffled(len(self.shards.rows), mixed_seed(self.seed, epoch, 0))
            self.row_orders = {}
        for shard in self.order:
            count = self.shards.rows[shard]
            if within >= count:
                within -= count
                continue
            if shard not in self.row_orders:
                self.row_orders = {shard: shuffled(count, mixed_seed(self.seed, epoch, shard + 1))}
            x, y = self.shards.arrays(self.shards.paths[shard])
            row = self.row_orders[shard][within]
            return x[row], y[row]
        raise AssertionError("expected a place in one of the shards")
