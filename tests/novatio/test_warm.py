"""Warming up: afterwards no call has to wait for the compiler."""

import json
import os
import subprocess
import sys

# Formulas are for people at a terminal, who may wait; steps have their own way to the actions.
LEFT_OUT = ("clearing.formulas.", "clearing.step.run_actions")


def run(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )


def test_every_kernel_of_node_replica_and_court_is_compiled_and_each_stage_says_so():
    done = run(
        "import json, novatio.warm as warm\n"
        "assert warm.main() == 0\n"
        "print(json.dumps(warm.uncompiled()))",
        NUMBA_DISABLE_JIT="0",
    )
    assert done.returncode == 0, done.stderr
    left = [name for name in json.loads(done.stdout) if not name.startswith(LEFT_OUT)]
    assert left == []
    lines = done.stderr.splitlines()
    assert "minutes at first" in lines[0]
    stages = [line for line in lines if line.startswith("[warm ")]
    assert [line[:10] for line in stages] == [f"[warm {number}/6]" for number in range(1, 7)]
    assert all("at first" in line for line in stages)
    assert "ready in" in lines[-1]


def test_a_kernel_is_named_when_the_compiler_begins_with_it_but_not_what_it_calls():
    done = run(
        "from clearing._backend import numba\n"
        "import novatio.warm as warm\n"
        "inner = numba.njit(lambda x: x + 1)\n"
        "@numba.njit\n"
        "def outer(x):\n"
        "    return inner(x)\n"
        "with numba.core.event.install_listener('numba:compile', warm._Teller()):\n"
        "    outer(1)\n"
        "    outer(2)\n",
        NUMBA_DISABLE_JIT="0",
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines() == ["      compiling __main__.outer"]


def test_without_a_compiler_there_is_nothing_to_warm():
    done = run("import novatio.warm as warm; raise SystemExit(warm.main())", NUMBA_DISABLE_JIT="1")
    assert done.returncode == 0, done.stderr
    assert "NUMBA_DISABLE_JIT" in done.stderr
