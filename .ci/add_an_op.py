#!/usr/bin/env python3
"""Follows "How to add an op" of CONTRIBUTING.md word for word in a scratch copy of the repository, and runs its test.

Each code block of that section (```rs: a new file, ```diff: lines to insert) belongs to the last file that the text has
named before it.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys


def section(text):
    start = text.index("## How to add an op")
    return text[start : text.index("\n## ", start + 1)]


def steps(text):
    """(file, kind, block) for every block that changes a file, in order."""
    file = None
    for match in re.finditer(r"`(autograd/\S+\.rs)`|^```(rs|diff)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        named, kind, block = match.groups()
        if named:
            file = named
        else:
            yield file, kind, block


def insert(text, diff):
    """The text with the lines marked + inserted behind the line before them."""
    context, added = None, []
    for line in diff.splitlines():
        if line.startswith("+"):
            added.append(line[1:])
        else:
            context = line[1:]
    if text.splitlines().count(context) != 1:
        sys.exit(f"CONTRIBUTING.md: the line {context!r} is not there exactly once")
    return text.replace(context + "\n", "\n".join([context, *added]) + "\n")


def run(command, folder):
    result = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return result.returncode, result.stdout


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    todo = list(steps(section((root / "CONTRIBUTING.md").read_text())))
    if len(todo) != 5:
        sys.exit(f"CONTRIBUTING.md: five blocks change a file, not {len(todo)}")
    target = pathlib.Path(os.environ.setdefault("CARGO_TARGET_DIR", str(root / "target")))
    # Built three times and run for seconds: unoptimised is faster.
    os.environ |= {"CARGO_PROFILE_TEST_OPT_LEVEL": "0", "CARGO_PROFILE_TEST_DEBUG": "0"}
    copy = target / "add_an_op"
    shutil.rmtree(copy, ignore_errors=True)
    files = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=True)
    for name in filter(None, files.stdout.split("\0")):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / name, copy / name)
    test = ["cargo", "test", "-p", "autograd", "--test", "gradients"]
    for number, (file, kind, block) in enumerate(todo):
        path = copy / file
        if kind == "rs" and path.exists():
            sys.exit(f"CONTRIBUTING.md: {file} is there already")
        path.write_text(block if kind == "rs" else insert(path.read_text(), block))
        if number == 1:  # the op is in the crate and has no test yet
            code, output = run([*test, "every_op"], copy)
            if code == 0 or "the op `logaddexp` has no property test" not in output:
                sys.exit(f"{output}\nan op without a test was not refused")
    code, output = run(["cargo", "fmt", "--check"], copy)
    if code != 0:
        sys.exit(f"{output}\nthe walk-through is not formatted")
    code, output = run(test, copy)
    proven = "logaddexp::the_logarithm_of_two_powers_has_the_right_gradient_however_they_broadcast ... ok"
    if code != 0 or proven not in output:
        sys.exit(f"{output}\nthe walk-through does not work")
    rule = copy / "autograd/src/ops/logaddexp.rs"
    rule.write_text(rule.read_text().replace("(x - y).exp()", "(y - x).exp()"))
    code, output = run([*test, "logaddexp"], copy)
    if code == 0 or "the vjp does not match the forward rule" not in output:
        sys.exit(f"{output}\nthe planted bug was not found")
    shutil.rmtree(copy)
    print("the walk-through works: refused without a test, proven with it, and a planted bug is found")


if __name__ == "__main__":
    main()
