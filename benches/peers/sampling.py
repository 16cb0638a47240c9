"""500 characters from the character model, by our `sample` and by PyTorch as nanoGPT's sample.py writes, in turn.

Both have the same weights, those of a run of `transformer train`; at temperature 0 both must write the same text. Two
things are compared: writing alone (of ours the whole command for ten samples, its start included; of PyTorch the loop
alone, warm), and the whole command for one sample (of PyTorch with its start and the loading of the model). Ours writes
once more with `--stride 32`, half of the context: then the window moves only every 32 characters, and the text is another.
"""
import argparse
import json
import pathlib
import statistics
import sys
import time
import peers

TOKENS, SAMPLES, STRIDE, ROUNDS = 500, 10, 32, 3


def ours(run, threads, *flags):
    """What our `sample` wrote, and its seconds."""
    begun = time.perf_counter()
    wrote = peers.ours(["sample", "--from", run, "--max_new_tokens", TOKENS, "--threads", threads, *flags], threads)
    return wrote, time.perf_counter() - begun


def theirs(run, threads, times):
    """What PyTorch found, and the seconds of the whole command."""
    begun = time.perf_counter()
    script = peers.HERE / "pytorch/sample.py"
    found = json.loads(peers.run([sys.executable, script, run, TOKENS, times, threads], threads))
    return found, time.perf_counter() - begun


def measure(run, threads):
    """{what: figure} for a run of the character model."""
    wrote, _ = ours(run, threads, "--num_samples", "1", "--temperature", "0")
    text = theirs(run, threads, 0)[0]["text"]
    same = wrote[: TOKENS + 1] == text
    print("at temperature 0 both write the same text" if same else f"they differ: {wrote!r} and {text!r}")
    rounds = []
    for _ in range(ROUNDS):
        _, one = ours(run, threads, "--num_samples", "1")
        _, several = ours(run, threads, "--num_samples", SAMPLES)
        _, in_strides = ours(run, threads, "--num_samples", SAMPLES, "--stride", STRIDE)
        found, command = theirs(run, threads, 3)
        first, *warm = found["seconds"]
        rounds.append({
            "ours": SAMPLES * TOKENS / several,
            "ours in strides": SAMPLES * TOKENS / in_strides,
            "theirs": TOKENS / min(warm),
            "our command": one,
            "their command": command - sum(warm),
        })
        print(f"sampling: {({name: round(figure, 2) for name, figure in rounds[-1].items()})}", flush=True)

    def median(figure):
        return statistics.median(figure(a_round) for a_round in rounds)

    return {
        "same": same,
        "ours": median(lambda a_round: a_round["ours"]),
        "theirs": median(lambda a_round: a_round["theirs"]),
        "ratio": median(lambda a_round: a_round["ours"] / a_round["theirs"]),
        "ours in strides": median(lambda a_round: a_round["ours in strides"]),
        "ratio in strides": median(lambda a_round: a_round["ours in strides"] / a_round["theirs"]),
        "our command": median(lambda a_round: a_round["our command"]),
        "their command": median(lambda a_round: a_round["their command"]),
        "command ratio": median(lambda a_round: a_round["their command"] / a_round["our command"]),
    }


def sentence(found):
    text = "the same text" if found["same"] else "NOT the same text"
    return (
        f"{TOKENS} characters from the character model: {found['ours']:.0f} characters/s, PyTorch as nanoGPT samples "
        f"{found['theirs']:.0f}: **{found['ratio']:.1f} ×**; with `--stride {STRIDE}` {found['ours in strides']:.0f}: "
        f"**{found['ratio in strides']:.1f} ×**; the whole command {found['our command']:.2f} s and "
        f"{found['their command']:.2f} s: **{found['command ratio']:.1f} ×**; at temperature 0 both write {text}"
    )


# How fast a model writes does not depend on how well: it has learned a little.
UPDATES = 200


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=pathlib.Path, required=True, help="tinyshakespeare.txt, or another text in English")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    run = peers.HERE.parents[1] / "target/peers-char"
    peers.train(arguments.data, run, arguments.threads, UPDATES)
    print(sentence(measure(run, arguments.threads)))


if __name__ == "__main__":
    main()
