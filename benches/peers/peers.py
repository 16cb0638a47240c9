"""Starts our program and the peers', all of them on the same processors with the same number of threads."""
import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
OURS = HERE.parents[1] / "target/fast/transformer"
BUILT = {"candle": HERE / "candle/target/release/candle-peer"}
STEPS = {
    "torch": [sys.executable, HERE / "pytorch/step.py"],
    "compiled": [sys.executable, HERE / "pytorch/step.py"],
    "jax": [sys.executable, HERE / "jax/step.py"],
    "candle": [BUILT["candle"]],
}


def environment(threads):
    """What tells each library how many threads to take; OpenBLAS shall choose its kernels by itself."""
    names = ["OMP", "MKL", "OPENBLAS", "RAYON", "MATMUL"]
    found = {name: value for name, value in os.environ.items() if name != "OPENBLAS_CORETYPE"}
    return found | {f"{name}_NUM_THREADS": str(threads) for name in names}


def limits(threads):
    """Arguments of Popen and run: `threads` threads, and no more processors than that."""
    processors = sorted(os.sched_getaffinity(0))[:threads]
    return {"env": environment(threads), "preexec_fn": lambda: os.sched_setaffinity(0, processors), "text": True}


def run(command, threads):
    """Runs a program to its end and returns what it printed."""
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, **limits(threads))
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: ended with {done.returncode}")
    return done.stdout


def ours(arguments, threads):
    if not OURS.exists():
        sys.exit(f"{OURS} is not there: cargo build --profile fast")
    return run([OURS, *arguments], threads)


def train(text, run, threads, updates):
    """Trains the character model into the directory `run`, and returns what was said."""
    flags = ["--data", text, "--max_iters", updates, "--out_dir", run, "--overwrite", "--threads", threads]
    return ours(["train", "--preset", "char", *flags], threads)


def our_step(config, threads, seconds, dtype="f32"):
    """One turn of ours: a row of `transformer bench --json`."""
    arguments = ["bench", config, "--json", "--dtype", dtype, "--threads", str(threads), "--seconds", str(seconds)]
    return json.loads(ours(arguments, threads))[0]


class Step:
    """A peer's program, which waits for its turns."""

    def __init__(self, name, sizes, threads, dtype="f32"):
        if name in BUILT and not BUILT[name].exists():
            sys.exit(f"{BUILT[name]} is not there: cargo build --release in {HERE / name}")
        command = [*STEPS[name], *sizes, threads] + (["--compile"] if name == "compiled" else [])
        if dtype == "bf16":
            if "pytorch" not in str(STEPS[name][-1]):
                sys.exit(f"{name} has no step at bf16 here: --peers torch,compiled")
            command.append("--bf16")
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.command = [str(word) for word in command]
        self.program = subprocess.Popen(self.command, **pipes, **limits(threads))
        self.who = self.answer()["who"]

    def turn(self, seconds):
        self.program.stdin.write(f"{seconds}\n")
        self.program.stdin.flush()
        return self.answer()

    def answer(self):
        line = self.program.stdout.readline()
        if not line:
            sys.exit(f"{' '.join(self.command)}: ended with {self.program.wait()}")
        return json.loads(line)

    def end(self):
        self.program.stdin.close()
        self.program.wait()
