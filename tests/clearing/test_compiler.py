"""The compiler of the law: traps, refusals, the cache directory and the warm-up.

What differs between the two runs is observed in processes of their own, so that this file shows
the same whichever way it is run itself.
"""

import fcntl
import json
import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from clearing import compiler

ROOT = Path(compiler.__file__).resolve().parent.parent

CASES = """
import json
import numpy as np
from clearing.compiler import checked, kernel_entry, law, law_entry

LOW, HIGH = -2**63, 2**63 - 1

@law
def inner(a, b):
    return a + b
@law_entry
def add(a, b):
    return a + b
@law_entry
def subtract(a, b):
    return a - b
@law_entry
def multiply(a, b):
    return a * b
@law_entry
def divide(a, b):
    return a // b
@law_entry
def negate(a):
    return -a
@law_entry
def absolute(a):
    return abs(a)
@law_entry
def add_in_place(a, b):
    a += b
    return a
@law_entry
def multiply_in_place(a, b):
    a *= b
    return a
@law_entry
def in_helper(a, b):
    return inner(a, b)
@law_entry
def in_loop(array):
    total = 0
    for value in array:
        total += value
    return total
@law_entry
def remainder(a, b):
    return a % b
@law_entry
def outside(array, index):
    return array[index]
@law_entry
def half(a):
    return a / 2
@law_entry
def float_argument(a):
    return a
@law_entry
def mixed(a, b):
    return a + b
@law_entry
def compared(a, b):
    return a < b
@law_entry
def narrow(array):
    return array[0] + 1
@law_entry
def booleans(a):
    return (a > 1) + (a > 2)
@law_entry
def power(a):
    return a ** 2
@law_entry
def total(array):
    return array.sum()
@law_entry
def allocate(a):
    return np.zeros(a, np.int64)[0]
@kernel_entry
def wrap(a, b):
    return a * b + b

def outcome(function, *arguments):
    try:
        with np.errstate(over="ignore"):
            return int(function(*arguments))
    except Exception as error:
        kind = "ArithmeticError" if isinstance(error, ArithmeticError) else type(error).__name__
        return f"{kind}: {error}"

array = np.array([HIGH, 1])
print(json.dumps({
    "add": [outcome(add, HIGH, 1), outcome(add, LOW, -1), outcome(add, HIGH, 0)],
    "subtract": [outcome(subtract, LOW, 1), outcome(subtract, HIGH, -1), outcome(subtract, LOW, 0)],
    "multiply": [outcome(multiply, 2**32, 2**31), outcome(multiply, LOW, -1),
                 outcome(multiply, 2**31, -2**32)],
    "divide": [outcome(divide, LOW, -1), outcome(divide, 1, 0), outcome(divide, -7, 2)],
    "negate": [outcome(negate, LOW), outcome(negate, HIGH)],
    "absolute": [outcome(absolute, LOW), outcome(absolute, -HIGH), outcome(absolute, 3)],
    "add in place": [outcome(add_in_place, HIGH, 1), outcome(add_in_place, HIGH, -1)],
    "multiply in place": [outcome(multiply_in_place, HIGH, 2), outcome(multiply_in_place, -3, 4)],
    "in a helper": [outcome(in_helper, HIGH, 1), outcome(in_helper, 2, 1)],
    "in a loop": [outcome(in_loop, array), outcome(in_loop, array[1:])],
    "remainder": [outcome(remainder, 1, 0), outcome(remainder, LOW, -1), outcome(remainder, -7, 3)],
    "outside": [outcome(outside, array, index) for index in (2, -3, 1)],
    "wrap": [outcome(wrap, np.int64(HIGH), np.int64(3))],
    "half": outcome(half, 3),
    "float argument": outcome(float_argument, 1.5),
    "mixed": outcome(mixed, 1, np.uint64(1)),
    "compared": outcome(compared, 1, np.uint64(1)),
    "narrow": outcome(narrow, np.array([255], np.uint8)),
    "booleans": outcome(booleans, 3),
    "power": outcome(power, 3),
    "total": outcome(total, array),
    "allocate": outcome(allocate, 3),
}))
"""


def run(path, cache, interpreted=False):
    environment = {**os.environ, "NOVATIO_CACHE_DIR": str(cache), "PYTHONPATH": str(ROOT)}
    environment.pop("NUMBA_DISABLE_JIT", None)
    if interpreted:
        environment["NUMBA_DISABLE_JIT"] = "1"
    done = subprocess.run(
        [sys.executable, str(path)], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    home = tmp_path_factory.mktemp("cases")
    (home / "cases.py").write_text(CASES)
    return {
        mode: json.loads(run(home / "cases.py", home / "cache", mode == "interpreted"))
        for mode in ("compiled", "interpreted")
    }


MODES = pytest.mark.parametrize("mode", ["compiled", "interpreted"])


@MODES
@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("add", [None, None, 2**63 - 1]),
        ("subtract", [None, None, -(2**63)]),
        ("multiply", [None, None, -(2**63)]),
        ("divide", [None, None, -4]),
        ("negate", [None, -(2**63) + 1]),
        ("absolute", [None, 2**63 - 1, 3]),
        ("add in place", [None, 2**63 - 2]),
        ("multiply in place", [None, -12]),
        ("in a helper", [None, 3]),
        ("in a loop", [None, 1]),
        ("remainder", [None, 0, 2]),
    ],
)
def test_int64_overflow_raises_and_everything_else_is_exact(outcomes, mode, case, expected):
    for seen, wanted in zip(outcomes[mode][case], expected, strict=True):
        if wanted is None:
            assert str(seen).startswith("ArithmeticError")
        else:
            assert seen == wanted


@MODES
def test_an_index_outside_an_array_raises(outcomes, mode):
    above, below, inside = outcomes[mode]["outside"]
    assert above.startswith("IndexError") and below.startswith("IndexError")
    assert inside == 1


@MODES
def test_kernels_wrap(outcomes, mode):
    assert outcomes[mode]["wrap"] == [((2**63 - 1) * 3 + 3 + 2**63) % 2**64 - 2**63]


@pytest.mark.parametrize(
    ("case", "function", "text"),
    [
        ("half", "half", "float64"),
        ("float argument", "float_argument", "float64"),
        ("mixed", "mixed", "uint64"),
        ("compared", "compared", "uint64"),
        ("narrow", "narrow", "uint8"),
        ("booleans", "booleans", "bool"),
        ("power", "power", "**"),
        ("total", "total", "sum"),
    ],
)
def test_what_the_law_may_not_contain_is_named_with_function_and_line(
    outcomes, case, function, text
):
    message = outcomes["compiled"][case]
    definition = CASES[: CASES.index(f"def {function}(")].count("\n") + 1
    # The decorator's line stands for the arguments, the body's for what it does.
    places = [f"cases.py:{definition + offset}:" for offset in (-1, 0, 1)]
    assert message.startswith("TypingError")
    assert f"law function {function}" in message and text in message
    assert any(place in message for place in places)


def test_a_law_that_allocates_does_not_compile(outcomes):
    message = outcomes["compiled"]["allocate"]
    assert message.startswith("TypingError") and "zeros" in message


@pytest.fixture
def package(tmp_path):
    home = tmp_path / "rules"
    home.mkdir()
    (home / "__init__.py").write_text("")
    (home / "helper.py").write_text("CONSTANT = 1\n")
    (home / "entry.py").write_text(
        textwrap.dedent(
            """
            from clearing.compiler import law_entry
            from rules.helper import CONSTANT
            @law_entry
            def answer(a):
                return a + CONSTANT
            """
        )
    )
    (tmp_path / "main.py").write_text(
        "from rules.entry import answer\n"
        "print(answer(1), sum(getattr(answer, 'stats').cache_hits.values()))\n"
    )
    return tmp_path


def test_a_change_in_another_file_is_noticed_and_no_change_is_a_hit(package):
    cache = package / "cache"
    assert run(package / "main.py", cache) == "2 0\n"
    assert run(package / "main.py", cache) == "2 1\n"
    (package / "rules" / "helper.py").write_text("CONSTANT = 5\n")
    assert run(package / "main.py", cache) == "6 0\n"
    assert len(list((cache / "kernels").iterdir())) == 2


def test_a_frozen_entry_refuses_another_type(tmp_path):
    script = tmp_path / "warmed.py"
    script.write_text(
        textwrap.dedent(
            """
            import numpy as np
            from clearing.compiler import law_entry, warm
            @law_entry
            def first(array):
                return array[0]
            said = []
            warm([(first, (np.zeros(1, np.int64),))], said.append)
            warm([(first, (np.zeros(1, np.int64),))])
            print(said, first(np.array([3])), len(first.overloads))
            try:
                first(np.zeros((2, 2), np.int64)[:, 0])
            except TypeError as error:
                print(type(error).__name__)
            """
        )
    )
    assert run(script, tmp_path / "cache") == ("['compiling __main__.first'] 3 1\nTypeError\n")


FRAGMENTS = """
    import numpy as np
    from typing import NamedTuple
    from clearing.compiler import by_reference, kernel, law, law_entry

    @by_reference
    class Pair(NamedTuple):
        left: object
        right: object

    @kernel
    def rough(pair, literal):
        return pair.left[0] << literal
    @law
    def pruned(pair, wanted):
        # One branch is gone when `wanted` is known, and with it the only call so far.
        if wanted:
            return rough(pair, 1)
        return 0
    @law
    def deep(pair):
        pair.right[0] += pruned(pair, False) + rough(pair, 1)
        return pair.right[0]
    @law_entry
    def first(pair):
        return deep(pair) + deep(pair)
    @law_entry
    def second(pair, rounds):
        total = 0
        for _ in range(rounds):
            total += deep(pair) + pruned(pair, True)
        return total

    def pair(left, right):
        return Pair(np.array([left]), np.array([right]))

    print(first(pair(3, 1)), second(pair(3, 1), 3), second(pair(0, 2**62), 1))
    try:
        first(pair(1, 2**63 - 2))
    except ArithmeticError:
        print("overflow")
    for wrong in (Pair(np.array([1]), 2), (np.array([1]), np.array([1]))):
        try:
            first(wrong)
        except Exception as error:
            print(type(error).__name__)
"""


def test_entries_share_helpers_and_read_named_tuples_by_reference(tmp_path):
    script = tmp_path / "shared.py"
    script.write_text(textwrap.dedent(FRAGMENTS))
    compiled = run(script, tmp_path / "cache")
    assert compiled.splitlines()[:2] == ["20 57 4611686018427387904", "overflow"]
    assert compiled.splitlines()[2:] == ["TypingError", "TypingError"]
    assert run(script, tmp_path / "cache") == compiled
    assert run(script, tmp_path, interpreted=True).splitlines()[:2] == compiled.splitlines()[:2]


def test_the_warm_lock_keeps_a_second_holder_out(tmp_path, monkeypatch):
    monkeypatch.setenv("NOVATIO_CACHE_DIR", str(tmp_path))
    entered = threading.Event()

    def second():
        with compiler.warm_lock():
            entered.set()

    with compiler.warm_lock():
        other = threading.Thread(target=second)
        other.start()
        with open(tmp_path / "warm.lock") as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert not entered.is_set()
    other.join()
    assert entered.is_set()


def test_the_cache_home_follows_the_environment(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    monkeypatch.delenv("NOVATIO_CACHE_DIR", raising=False)
    assert compiler.cache_home() == Path("/elsewhere/novatio")
    monkeypatch.setenv("NOVATIO_CACHE_DIR", "/chosen")
    assert compiler.cache_home() == Path("/chosen")
    monkeypatch.delenv("NOVATIO_CACHE_DIR")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert compiler.cache_home() == Path.home() / ".cache" / "novatio"


def test_old_cache_directories_go_and_the_newest_stay(tmp_path):
    for age in range(compiler.DIGESTS_KEPT + 3):
        directory = tmp_path / f"digest{age:02}"
        directory.mkdir()
        (directory / "code").write_text("")
        os.utime(directory, (2_000_000_000 - age, 1_000_000_000 - age))
    compiler._prune(tmp_path)
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert kept == [f"digest{age:02}" for age in range(compiler.DIGESTS_KEPT)]


def test_a_directory_used_today_stays_however_many_there_are(tmp_path):
    for index in range(compiler.DIGESTS_KEPT + 3):
        (tmp_path / f"digest{index}").mkdir()
    compiler._prune(tmp_path)
    assert len(list(tmp_path.iterdir())) == compiler.DIGESTS_KEPT + 3
