"""How a peer takes its turns: what every `step.py` here has in common (and candle's `main.rs` does as well).

Arguments: layers heads width context vocabulary batch threads. When its step is warm, the program prints who it is. Then
it runs steps for as many seconds as each line of its input says, and answers with what a step took.
"""
import json
import pathlib
import statistics
import sys
import time


def peak_rss_mib():
    """The most memory that this process has held."""
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def sizes():
    """[layers, heads, width, context, vocabulary, batch, threads]"""
    if len(sys.argv) != 8:
        sys.exit(__doc__)
    return [int(word) for word in sys.argv[1:]]


def take_turns(who, step):
    for _ in range(4):
        step()
    print(json.dumps({"who": who}), flush=True)
    for line in sys.stdin:
        step()  # while the others had their turn the caches have become theirs
        times, end = [], time.perf_counter() + float(line)
        while len(times) < 3 or time.perf_counter() < end:
            begun = time.perf_counter()
            step()
            times.append((time.perf_counter() - begun) * 1e3)
        print(json.dumps({
            "median_ms": statistics.median(times),
            "min_ms": min(times),
            "peak_rss_mib": peak_rss_mib(),
        }), flush=True)
