"""A sequencer whose law lacks one check is convicted of the first step that shows it.

No list of frauds names these: each is whatever the broken law makes of an action that the law as
it is refuses, or books otherwise. `tests.attacks.mutant_laws` makes the batches.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.attacks.mutant_laws import STORIES

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def outcomes():
    """What each mutant law came to, told in a process where the law is interpreted."""
    command = [sys.executable, "-m", "tests.attacks.mutant_laws"]
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", STORIES)
def test_a_batch_by_a_law_that_lacks_this_check_is_convicted(name, outcomes):
    _, _, convicted = outcomes[name]
    assert convicted
