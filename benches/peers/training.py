"""The whole run: 2000 updates of nanoGPT's character model on tinyshakespeare, ours and PyTorch's one after the other.

Times are those of the whole commands, but for PyTorch's evaluation at the end, which nanoGPT does not make. Losses are
those of the last weights on the whole validation part, in windows side by side.
"""
import argparse
import json
import pathlib
import re
import sys
import time
import peers


def measure(text, run, threads, updates=2000):
    """{what: figure}; the run is left in `run`."""
    begun = time.perf_counter()
    said = peers.train(text, run, threads, updates)
    ours = {"seconds": time.perf_counter() - begun}
    ours["val_loss"] = float(re.search(r"validation loss ([0-9.]+) nats a character, on all", said).group(1))
    print(f"training: ours {ours['seconds']:.1f} s, validation loss {ours['val_loss']:.4f}", flush=True)
    begun = time.perf_counter()
    found = peers.run([sys.executable, peers.HERE / "pytorch/train.py", text, threads, updates], threads)
    theirs = json.loads(found)
    whole = time.perf_counter() - begun
    print(f"training: PyTorch {theirs['seconds']:.1f} s (whole command {whole:.1f}), validation loss {theirs['val_loss']:.4f}")
    ratio = theirs["seconds"] / ours["seconds"]
    return {"ours": ours, "theirs": theirs, "ratio": ratio, "updates": updates}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=pathlib.Path, required=True, help="tinyshakespeare.txt")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--max_iters", type=int, default=2000)
    arguments = parser.parse_args()
    run = peers.HERE.parents[1] / "target/peers-char"
    found = measure(arguments.data, run, arguments.threads, arguments.max_iters)
    print(f"{found['ratio']:.2f} times as fast")


if __name__ == "__main__":
    main()
