"""Our f32 matrix product beside gemm, faer, matrixmultiply, PyTorch's MKL and numpy's OpenBLAS, at every role's shape.

Give words to choose: a case is measured if its name, as "char up forward" or "cube 256", contains one of them.
"""
import argparse
import importlib.util
import json
import pathlib
import statistics
import peers

PROGRAM = peers.HERE / "kernels/target/release/kernel-peers"
ROUNDS = 5  # of processes, on several threads
BEHIND = 0.97  # more than 3 % behind counts as behind


def folder(package):
    found = importlib.util.find_spec(package)
    return pathlib.Path(found.origin).parent if found else None


def libraries():
    """The arguments that name MKL and OpenBLAS, where PyTorch and numpy are installed."""
    torch, numpy = folder("torch"), folder("numpy")
    found = {
        "--mkl": sorted(torch.glob("lib/libtorch_cpu.so")) if torch else [],
        "--openblas": sorted(numpy.parent.glob("numpy.libs/libscipy_openblas64_*.so")) if numpy else [],
    }
    for flag, files in found.items():
        if not files:
            print(f"without {flag[2:]}: not installed")
    return [word for flag, files in found.items() if files for word in (flag, files[0])]


def measure(words, threads):
    """(peak rate in GFLOP/s, the cases) on so many threads."""
    if not PROGRAM.exists():
        raise SystemExit(f"{PROGRAM} is not there: cargo build --release in {peers.HERE / 'kernels'}")
    there = libraries()
    return program(threads, there, *words) if threads == 1 else apart(words, threads, there)


def program(threads, *arguments):
    lines = peers.run([PROGRAM, "--threads", threads, *arguments[0], *arguments[1:]], threads).splitlines()
    first, *cases = map(json.loads, lines)
    return first["peak"], cases


def apart(words, threads, there):
    """On several threads each has a process of its own, and all of them take turns: in one process the threads of one
    library look for work for some milliseconds while those of the next ought to have the processors."""
    names = ["ours", "gemm", "faer", "matrixmultiply"]
    names += [name for name, flag in [("MKL", "--mkl"), ("OpenBLAS", "--openblas")] if flag in there]
    rounds, peak = [], 0
    for _ in range(ROUNDS):
        found = {}
        for name in names:
            rate, cases = program(threads, library(name, there), "--who", name, *words)
            found[name], peak = cases, max(peak, rate)
        rounds.append(found)
    together = []
    for i, case in enumerate(rounds[0]["ours"]):
        rates = {name: [a_round[name][i]["median"][name] for a_round in rounds] for name in names}
        ratios = {name: [ours / theirs for ours, theirs in zip(rates["ours"], rates[name])] for name in names}
        case["median"] = {name: statistics.median(rates[name]) for name in names}
        case["best"] = {name: max(a_round[name][i]["best"][name] for a_round in rounds) for name in names}
        case["ratio"] = {name: statistics.median(ratios[name]) for name in names}
        together.append(case)
    return peak, together


def library(name, there):
    """The arguments that load what `name` needs, and nothing else."""
    flag = {"MKL": "--mkl", "OpenBLAS": "--openblas"}.get(name)
    return [flag, there[there.index(flag) + 1]] if flag else []


def best_of_others(case):
    """The peer that is hardest to beat, and how many times as fast we are."""
    return min(((who, ratio) for who, ratio in case["ratio"].items() if who != "ours"), key=lambda pair: pair[1])


def show(peak, cases):
    who = sorted(cases[0]["median"], key=lambda name: name != "ours")
    head = f"{'median (best) GFLOP/s':<29}{'m×k×n':>16} " + "".join(f"{name[:12]:>13}" for name in who)
    print(f"\n{cases[0]['threads']} thread(s), peak {peak:.1f} GFLOP/s\n{head}  of peak  ours : the best other")
    for case in cases:
        rates = (f"{case['median'][name]:.0f} ({case['best'][name]:.0f})" for name in who)
        rival, ratio = best_of_others(case)
        name = f"{case['config']} {case['role']} {case['direction']}"
        print(
            f"{name:<29}{case['m']}×{case['k']}×{case['n']:<6}".ljust(46)
            + "".join(f"{rate:>13}" for rate in rates)
            + f"  {100 * case['median']['ours'] / peak:5.0f} %   {ratio:.3f} {rival}{'  BEHIND' if ratio < BEHIND else ''}"
        )


def summary(runs):
    """Rows of {column: text}: for each configuration and number of threads, how we stand at its shapes."""
    rows = []
    for peak, cases in runs:
        for config in dict.fromkeys(case["config"] for case in cases):
            of_config = [case for case in cases if case["config"] == config]
            ratios = [best_of_others(case)[1] for case in of_config]
            worst = min(of_config, key=lambda case: best_of_others(case)[1])
            shares = [case["median"]["ours"] / peak for case in of_config]
            rows.append({
                "shapes of": config,
                "threads": str(cases[0]["threads"]),
                "ours : the best other, median": f"{statistics.median(ratios):.2f}",
                "ahead": f"{sum(ratio > 1 for ratio in ratios)} of {len(ratios)}",
                "more than 3 % behind": str(sum(ratio < BEHIND for ratio in ratios)),
                "worst": f"{min(ratios):.2f} ({worst['role']} {worst['direction']}, {best_of_others(worst)[0]})",
                "of the peak, median (range)": f"{100 * statistics.median(shares):.0f} % "
                                               f"({100 * min(shares):.0f}–{100 * max(shares):.0f})",
            })
    return rows


def scaling(one, two):
    """How much faster two threads are at shapes above 10 MFLOP: (least, median, number of shapes)."""
    large = [(a, b) for a, b in zip(one, two) if 2 * a["m"] * a["k"] * a["n"] > 10e6]
    gains = [b["median"]["ours"] / a["median"]["ours"] for a, b in large]
    return (min(gains), statistics.median(gains), len(gains)) if gains else None


def both(words):
    """Measures on one thread and on two, shows every case, and returns the rows of the summary and a line."""
    runs = [measure(words, threads) for threads in (1, 2)]
    for run in runs:
        show(*run)
    gains = scaling(runs[0][1], runs[1][1])
    line = (
        f"two threads over one, at the {gains[2]} shapes above 10 MFLOP: median {gains[1]:.2f}, least {gains[0]:.2f}"
        if gains else ""
    )
    return summary(runs), line


def main():
    from steps import table

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*")
    rows, line = both(parser.parse_args().words)
    print(f"\n{table(rows)}\n\n{line}")


if __name__ == "__main__":
    main()
