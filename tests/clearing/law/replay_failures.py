"""One random crisis, for comparing the compiled and the interpreted law.

python -m tests.clearing.law.replay_failures SEED STEPS
"""

import json
import random
import sys
from collections import Counter
from hashlib import sha256

from tests.clearing.law.replay import all_leaves, digests_of
from tests.support.crisis import Crisis


def run(seed, steps):
    """Return how often each code occurred, and digests of state and leaves after the crisis."""
    crisis, chance = Crisis(), random.Random(seed)
    for place in range(3):
        crisis.trade(place, place + 3, 90, place != 1)
    for _ in range(3 * steps):
        crisis.step(chance)
    state = crisis.world.state
    return {
        "codes": [int(code) for code in crisis.codes],
        "counts": {str(int(code)): n for code, n in sorted(Counter(crisis.codes).items())},
        "state": digests_of(state),
        "leaves": [sha256(leaf.tobytes()).hexdigest() for leaf in all_leaves(state)],
    }


if __name__ == "__main__":
    json.dump(run(int(sys.argv[1]), int(sys.argv[2])), sys.stdout)
