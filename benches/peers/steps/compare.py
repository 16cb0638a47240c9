"""Runs our training step and the peers' in turn, several rounds, and prints the ratios round by round and their medians.

Usage: compare.py [CONFIG…] [--rounds N] [--seconds S] [--threads N] [--peers torch,compiled,jax]
"""
import argparse, json, pathlib, statistics, subprocess, sys
from configs import CONFIGS

HERE = pathlib.Path(__file__).resolve().parent
OURS = HERE.parents[2] / "target/release/transformer"
PEERS = {
    "torch": ["torch_step.py", "{config}", "--threads", "{threads}", "--seconds", "{seconds}"],
    "compiled": ["torch_step.py", "{config}", "--compile", "--threads", "{threads}", "--seconds", "{seconds}"],
    "jax": ["jax_step.py", "{config}", "--seconds", "{seconds}"],
}


def run(command):
    done = subprocess.run(command, capture_output=True, text=True, cwd=HERE)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1]) if "bench" not in command else json.loads(done.stdout)[0]


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("configs", nargs="*", default=["tiny", "char"])
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--seconds", type=float, default=8)
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--peers", default="torch,jax")
    arguments = arguments.parse_args()
    if not OURS.exists():
        sys.exit(f"{OURS} is not there: cargo build --release")
    fill = {"threads": str(arguments.threads), "seconds": str(arguments.seconds)}
    for config in arguments.configs:
        if config not in CONFIGS:
            sys.exit(f"{config} is none of {', '.join(CONFIGS)}")
        rates, ratios = {}, {}
        for number in range(arguments.rounds):
            ours = run([OURS, "bench", config, "--json", "--threads", fill["threads"], "--seconds", fill["seconds"]])
            print(f"{config} round {number + 1}: ours {ours['median_ms']:.2f} ms, {100 * ours['peak_share']:.0f} % of the peak")
            for name in arguments.peers.split(","):
                command = [part.format(config=config, **fill) for part in PEERS[name]]
                theirs = run([sys.executable, *command])
                ratio = ours["tokens_per_second"] / theirs["tokens_per_second"]
                ratios.setdefault(theirs["who"], []).append(ratio)
                rates.setdefault(theirs["who"], []).append(theirs["median_ms"])
                print(f"  {theirs['who']}: {theirs['median_ms']:.2f} ms; we are {ratio:.2f} times as fast")
        for who, several in ratios.items():
            print(f"{config}: {statistics.median(several):.2f} × {who} ({statistics.median(rates[who]):.2f} ms)")


main()
