"""Our training step and the peers' in turn: the ratios round by round, and their medians.

A step is forward, loss, backward, clipping of the gradient's norm and AdamW, on random tokens, at f32 or (--dtype bf16)
with the operands of products rounded to bfloat16: ours, PyTorch's under autocast, and ours at f32 beside them. Every program is
warm before the first round, and each takes its turn in every round, so that a busy moment of the machine hits them all.
"""
import argparse
import statistics
import peers
from configs import CONFIGS

SECONDS = {"tiny": 1, "char": 1.5, "baby": 4, "gpt2": 6}  # of a turn, and
ROUNDS = {"tiny": 7, "char": 7, "baby": 3, "gpt2": 3}


def flags(parser):
    parser.add_argument("--rounds", type=int, help="rounds for each configuration [default: 7 for the small, 3 for the large]")
    parser.add_argument("--seconds", type=float, help="length of a turn [default: 1 to 6, by configuration]")
    parser.add_argument("--peers", default="torch,compiled,jax,candle", help="which, of torch, compiled, jax, candle")
    parser.add_argument("--dtype", choices=["f32", "bf16"], default="f32", help="what products are computed from [default: f32]")


def measure(config, arguments, threads):
    """The rounds of one configuration; {who: [what each turn found]}, ours first."""
    seconds, rounds = arguments.seconds or SECONDS[config], arguments.rounds or ROUNDS[config]
    sizes = CONFIGS[config]
    dtype = arguments.dtype
    others = [peers.Step(name, sizes, threads, dtype) for name in arguments.peers.split(",")]
    turns = {}
    for number in range(1, rounds + 1):
        ours = peers.our_step(config, threads, seconds, dtype)
        turns.setdefault("ours", []).append(ours)
        line = f"{config} round {number}: ours {ours['median_ms']:.2f} ms"
        if threads > 1:
            alone = peers.our_step(config, 1, seconds, dtype)
            turns.setdefault("ours on 1 thread", []).append(alone)
            line += f", on 1 thread {alone['median_ms']:.2f}"
        if dtype != "f32":
            turns.setdefault("ours at f32", []).append(peers.our_step(config, threads, seconds))
            line += f", at f32 {turns['ours at f32'][-1]['median_ms']:.2f}"
        for other in others:
            theirs = other.turn(seconds)
            turns.setdefault(other.who, []).append(theirs)
            line += f"; {other.who} {theirs['median_ms']:.2f} ({theirs['median_ms'] / ours['median_ms']:.2f} ×)"
        print(line, flush=True)
    for other in others:
        other.end()
    return turns


def median(turns, field="median_ms"):
    return statistics.median(turn[field] for turn in turns)


def ratio(ours, theirs):
    """How many times as fast we are: the median of the rounds' ratios."""
    return statistics.median(b["median_ms"] / a["median_ms"] for a, b in zip(ours, theirs))


def row(config, turns):
    """A row of the table, as {column: text}."""
    _, _, _, context, _, batch = CONFIGS[config]
    ours = turns["ours"]
    cells = {
        "configuration": config,
        "ms a step (fastest)": f"{median(ours):.3g} ({min(turn['min_ms'] for turn in ours):.3g})",
        "tokens/s": f"{batch * context / median(ours) * 1e3:,.0f}".replace(",", " "),
        "of the peak": f"{100 * median(ours, 'peak_share'):.0f} %",
    }
    for who, theirs in turns.items():
        if who == "ours on 1 thread":
            cells["2 threads : 1"] = f"{ratio(ours, theirs):.2f} ×"
        elif who != "ours":
            cells[f"× {who} (ms, MiB)"] = (
                f"**{ratio(ours, theirs):.2f}** ({median(theirs):.3g}, {median(theirs, 'peak_rss_mib'):.0f})"
            )
    memory = f"{median(ours, 'peak_rss_mib'):.0f} MiB"
    return cells | {"memory": memory}


def table(rows):
    """Rows of {column: text} as a table in Markdown."""
    columns = list(rows[0])
    lines = [columns, ["---"] * len(columns)] + [[cells.get(column, "") for column in columns] for cells in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("configs", nargs="*", default=["tiny", "char"], help=f"of {', '.join(CONFIGS)}")
    parser.add_argument("--threads", type=int, default=2)
    flags(parser)
    arguments = parser.parse_args()
    for config in set(arguments.configs) - set(CONFIGS):
        parser.error(f"{config} is none of {', '.join(CONFIGS)}")
    print(table([row(config, measure(config, arguments, arguments.threads)) for config in arguments.configs]))


if __name__ == "__main__":
    main()
