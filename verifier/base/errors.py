"""How the simulated base layer, its file and its service fail: the environment's fault, not a
caller's. Every text says what was expected, what it was, and what to do next."""

from __future__ import annotations

from verifier.errors import VerifierError


class BlockUnknown(VerifierError):
    """A read was pinned to a block that is not, or no longer, on the chain."""

    def __init__(self, block: str, reason: str) -> None:
        self.block = block
        self.reason = reason
        super().__init__(
            f"base layer: expected block {block} to be canonical and retained, was: {reason}. "
            "Next: read the head again and pin to one of its blocks."
        )


class ReorgTooDeep(VerifierError):
    """A reorganisation would undo a finalised block."""

    def __init__(self, depth: int, depth_max: int) -> None:
        self.depth = depth
        self.depth_max = depth_max
        super().__init__(
            f"base layer: expected a reorg depth of 1 to {depth_max}, was {depth}; what is "
            "finalised stays. Next: choose a smaller depth, or mine more blocks first."
        )


class ChainFileCorrupt(VerifierError):
    """The file of the simulated chain holds bytes that were never written to it."""

    def __init__(self, path: str, offset: int, expected: str, was: str) -> None:
        self.path = path
        self.offset = offset
        super().__init__(
            f"base layer file {path} at byte {offset}: expected {expected}, was {was}. "
            "Next: restore the file from a copy; nothing of it was changed."
        )


class BaseLayerUnavailable(VerifierError):
    """The service did not answer in time, or answered with what cannot be its answer."""

    def __init__(self, method: str, reason: str) -> None:
        self.method = method
        super().__init__(
            f"base layer: expected an answer of {method}, was: {reason}. "
            "Next: check that the service runs at this address, then repeat; every call may be."
        )
