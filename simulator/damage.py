"""What can become of a node's disks while it is down, each tried on copies of them.

Whoever starts a node on damaged disks must find all that was promised, or be refused. A disk whose
witness is whole gives away every loss; where the witness went with it, the base layer does, as soon
as a batch was posted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from node.errors import StorageError
from simulator.broken import InvariantBroken
from simulator.disk import SimDisk

if TYPE_CHECKING:
    from simulator.world import World


class Disks(NamedTuple):
    """The disk of the log and the one of its witness."""

    log: SimDisk
    witness: SimDisk

    def twins(self) -> Disks:
        """Return independent disks that a reader cannot tell from these."""
        return Disks(self.log.twin(), self.witness.twin())

    def restart(self, power_loss: bool) -> None:
        """Forget the process; with `power_loss` also the caches."""
        for disk in self:
            disk.restart(power_loss=power_loss)


Damage = Callable[["Damages", Disks], str]


class Damages:
    """Damages copies of a node's disks and has a node started on them."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._chance = world.chance("damage")
        self.backup: SimDisk | None = None

    def happen(self, disks: Disks) -> None:
        """Try every kind that happens now."""
        for kind, damage in DAMAGES.items():
            if self._world.faults.happens(kind, self._world.now):
                self.check(kind, damage, disks)

    def check(self, kind: str, damage: Damage, disks: Disks) -> None:
        """Damage copies: whoever opens them must find all that was promised, or be refused."""
        twins = disks.twins()
        text = damage(self, twins)
        try:
            log = self._world.node.open(twins, self._world.base.layer).log
            self._world.invariants.on_restart(log)
        except StorageError as error:
            self._world.note("node", f"{kind}: {text}: refused by {type(error).__name__}")
            return
        except InvariantBroken as error:
            raise InvariantBroken("I16", f"{kind}: {text}: served, and {error}") from error
        self._world.note("node", f"{kind}: {text}: harmless")

    # What can happen. Each says what it did.

    def flip_bit(self, disks: Disks) -> str:
        """Flip one bit of one file of the log."""
        name, size = self._any_file(disks.log)
        offset = self._chance.randrange(max(size, 1))
        disks.log.flip_bit(name, offset, self._chance.randrange(8))
        return f"{name} at byte {offset}"

    def cut(self, disks: Disks) -> str:
        """Cut one file of the log short."""
        name, size = self._any_file(disks.log)
        length = self._chance.randrange(max(size, 1))
        disks.log.cut(name, length)
        return f"{name} to {length} bytes"

    def lose_segment(self, disks: Disks) -> str:
        """Delete one file of the log."""
        name, _ = self._any_file(disks.log)
        disks.log.delete(name)
        return name

    def empty(self, disks: Disks) -> str:
        """Delete every file of the log."""
        return _empty(disks.log)

    def restore(self, disks: Disks) -> str:
        """Put a copy in the log's place that was made when the process was last started."""
        if self.backup is None:
            return "nothing"
        _empty(disks.log)
        for name in self.backup.names():
            disks.log.replace(name, self.backup.read(name, 0, self.backup.size(name)))
        return f"{len(self.backup.names())} files of the last start"

    def empty_all(self, disks: Disks) -> str:
        """Delete every file of the log and of the witness, if the base layer has something left."""
        if self._world.base.chain.court.heads().tip_number == 0:
            return "nothing"
        return f"{_empty(disks.log)}, witness {_empty(disks.witness)}"

    def flip_witness_bit(self, disks: Disks) -> str:
        """Flip one bit of the witness."""
        name, size = self._any_file(disks.witness)
        offset = self._chance.randrange(size)
        disks.witness.flip_bit(name, offset, self._chance.randrange(8))
        return f"{name} at byte {offset}"

    def _any_file(self, disk: SimDisk) -> tuple[str, int]:
        name = self._chance.choice(disk.names())
        return name, disk.size(name)


def _empty(disk: SimDisk) -> str:
    names = disk.names()
    for name in names:
        disk.delete(name)
    return f"{len(names)} files"


DAMAGES: dict[str, Damage] = {
    "log-bit-flipped": Damages.flip_bit,
    "log-cut-short": Damages.cut,
    "log-segment-lost": Damages.lose_segment,
    "log-emptied": Damages.empty,
    "log-restored-from-an-old-copy": Damages.restore,
    "log-and-witness-lost": Damages.empty_all,
    "witness-bit-flipped": Damages.flip_witness_bit,
}
