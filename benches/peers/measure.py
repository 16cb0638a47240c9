"""Everything that this folder compares, in one go, as Markdown: about twenty minutes on two idle cores.

    python measure.py --data tinyshakespeare.txt > measured.md

What it prints on the way goes to the standard error. With --quick each part takes its shortest time: to see that
everything runs, not to measure.
"""
import argparse
import contextlib
import datetime
import json
import pathlib
import platform
import subprocess
import sys
import time
import kernels
import peers
import sampling
import steps
import training
from configs import CONFIGS


def first_line(command):
    return subprocess.run(command, stdout=subprocess.PIPE, text=True).stdout.splitlines()[0]


def machine(threads):
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    processor = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    date = datetime.date.today()
    rust = " ".join(first_line(["rustc", "--version"]).split()[:2])
    commit = first_line(["git", "-C", str(peers.HERE), "rev-parse", "--short", "HEAD"])
    load = pathlib.Path("/proc/loadavg").read_text().split()[0]
    return (
        f"{processor}, {threads} threads; {date.day} {date:%B %Y}; {rust}, Python {platform.python_version()}; "
        f"commit {commit}; load when it began {load}"
    )


def of_steps(arguments):
    chosen = argparse.Namespace(rounds=None, seconds=None, peers=arguments.peers, dtype="f32")
    if arguments.quick:
        chosen.rounds, chosen.seconds = 1, 0.1
    rows = [steps.row(config, steps.measure(config, chosen, arguments.threads)) for config in arguments.configs]
    return (
        "A training step; × is the median of the rounds' ratios of tokens per second, in brackets the peer's ms and MiB:\n\n"
        + steps.table(rows)
    )


def of_kernels(arguments):
    rows, line = kernels.both(["tiny", "64"] if arguments.quick else arguments.configs + ["cube"])
    return f"f32 matrix products at every role's shape, forward and backward:\n\n{steps.table(rows)}\n\n{line}"


def of_training(arguments):
    found = training.measure(arguments.data, arguments.run, arguments.threads, 50 if arguments.quick else 2000)
    ours, theirs = found["ours"], found["theirs"]
    return (
        f"{found['updates']} updates of the character model: {ours['seconds']:.1f} s, validation loss {ours['val_loss']:.4f}; "
        f"PyTorch as nanoGPT trains it {theirs['seconds']:.1f} s, {theirs['val_loss']:.4f}: **{found['ratio']:.2f} ×**"
    )


def of_sampling(arguments):
    if not (arguments.run / "config.json").exists():
        peers.train(arguments.data, arguments.run, arguments.threads, sampling.UPDATES)
    if arguments.quick:
        sampling.SAMPLES, sampling.ROUNDS, sampling.TOKENS = 1, 1, 100
    return sampling.sentence(sampling.measure(arguments.run, arguments.threads))


def of_context(arguments):
    command = ["bench", "char", "--batch_size", 1, "--block_size", "256,1024,4096", "--seconds", 0.1, "--json"]
    rows = json.loads(peers.ours([*command, "--threads", arguments.threads], arguments.threads))
    cells = (f"{row['block_size']}: {row['peak_rss_mib']:.0f} MiB, {row['median_ms']:.1f} ms" for row in rows)
    quadratic = 4 * 4096 * 4096 * 4 / 2**20
    return (
        f"`char` with one window of another context, peak memory and step: {'; '.join(cells)} "
        f"(one layer's n × n matrices at 4096 would take {quadratic:.0f} MiB)"
    )


def of_micro(arguments):
    row = json.loads(peers.ours(["bench", "micro", "--seconds", 0.1 if arguments.quick else 4, "--json"], 1))[0]
    return (
        f"`micro`: 1000 updates in {row['median_ms'] * 1e3:.1f} ms (fastest {row['min_ms'] * 1e3:.1f}); "
        f"an op beside its arithmetic, forward and back: {row['overhead_ns_per_op']:.0f} ns"
    )


PARTS = {
    "steps": of_steps,
    "kernels": of_kernels,
    "training": of_training,
    "sampling": of_sampling,
    "context": of_context,
    "micro": of_micro,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, help="tinyshakespeare.txt, for training and sampling")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peers", default="torch,compiled,jax,candle")
    parser.add_argument("--configs", nargs="+", default=list(CONFIGS), choices=CONFIGS)
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=PARTS)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    if {"training", "sampling"} & set(arguments.parts) and arguments.data is None:
        parser.error("training and sampling need --data tinyshakespeare.txt; or choose other --parts")
    arguments.run = peers.HERE.parents[1] / "target/peers-char"
    begun = time.monotonic()
    print(machine(arguments.threads), flush=True)
    for part, measure in PARTS.items():
        if part in arguments.parts:
            with contextlib.redirect_stdout(sys.stderr):
                section = measure(arguments)
                print(f"== {part} done after {time.monotonic() - begun:.0f} s", flush=True)
            print(f"\n{section}", flush=True) # at once: a run that is ended early keeps what it has


if __name__ == "__main__":
    main()
