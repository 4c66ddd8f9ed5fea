#!/usr/bin/env python3
"""Times hopfield beside its rivals and the machine's limits, and compares with the goals.

Every case runs in rounds; in each round every contender is timed once with every number of threads, one after the other, so that
whatever slows the machine down meets all of them. A contender counts with the number of threads that suits it best (by the median). A ratio
is taken within each round: the speed of ours over that of the rival, or over the limit; the table shows the median and the range of the middle half.
"""
import argparse
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

LEAST_SECONDS = 0.05  # of one timing; one call at least
SETTLE_SECONDS = 0.05  # before it: threads of the contender before wait busily for some time (OpenBLAS: 2^26 cycles)
DATA = Path(os.environ.get("HOPFIELD_DATA", Path(__file__).resolve().parents[3] / "shared" / "data")).resolve()


@dataclass
class Row:
    """`ours` of `case` against `rival`, compared by `unit` (flops, bytes, or call) a second."""
    case: str
    rival: str
    goal: float | None
    unit: str = "call"
    ours: str = "hopfield"
    needs: str = ""  # a CPU flag without which the row says nothing

    @property
    def name(self):
        return f"{self.case}:{self.ours}/{self.rival}" if self.ours != "hopfield" else f"{self.case}:{self.rival}"


def forward(states, *rows):
    stored = 1_000_000 if states < 1024 else 65_536
    return [Row(f"forward/f32/d64/S{stored}/T{states}", *row) for row in rows]


BF16_ONE = "forward/bf16/d64/S1000000/T1"
BF16_NARROW = "forward/bf16/d64/S262144/T256"
BF16_WIDE = "forward/bf16/d512/S65536/T256"
LAYERS = ("B32/L16/S64", "B32/L64/S64", "B32/L128/S512", "B32/L16/S4096", "B8/L512/S4096")
ROWS = [
    *forward(1, ("read", 0.9, "bytes"), ("sdpa", 2.5), ("plain", 2.0), ("numpy", None)),
    *forward(16, ("sdpa", 2.8), ("plain", None), ("numpy", None)),
    *forward(64, ("gemm", 0.8, "flops"), ("sdpa", 1.4), ("plain", None)),
    *forward(256, ("gemm", 0.8, "flops"), ("sdpa", 1.4)),
    *forward(1024, ("gemm", 0.85, "flops"), ("sdpa", 1.2), ("plain", None)),
    *forward(4096, ("gemm", 0.85, "flops"), ("sdpa", 1.2)),
    Row(BF16_ONE, "hopfield-f32", 1.8),
    Row(BF16_ONE, "sdpa", None),
    Row(BF16_NARROW, "hopfield-f32", 1.3),
    Row(BF16_NARROW, "sdpa", 1.5),
    Row(BF16_NARROW, "gemm", None, "flops"),
    Row(BF16_WIDE, "hopfield-f32", 1.3),
    Row(BF16_WIDE, "sdpa", 4.0, needs="amx_bf16"),
    Row(BF16_WIDE, "sdpa", None),
    Row(BF16_WIDE, "gemm", None, "flops"),
    *[Row(f"layer/{shape}", "sdpa", 1.3) for shape in LAYERS],
    *[Row(f"layer/{shape}", "plain", None) for shape in LAYERS[:4]],
    *[Row(f"layer/{shape}", "reference", 5.0) for shape in LAYERS],
    *[Row(f"updates/k{k}", "plain", None) for k in (1, 3, 10)],
    *[Row(f"updates/k{k}", "reference", 8.0) for k in (1, 3, 10)],
    Row("bags/256-small", "padded-sdpa", 3.0),
    Row("bags/256-small", "reference", 8.0),
    Row("bags/64-long", "padded-sdpa", 3.0),
    *[Row(f"mil/step/{sizes}", rival, goal) for sizes, goal in (("elephant", 5.0), ("log-normal", 3.0))
      for rival in ("padded-plain", "padded-sdpa")],
    Row("lookup/forward", "repeated-table", 10.0),
    Row("lookup/forward", "reference", 10.0),
    Row("lookup/backward", "repeated-table", 7.0),
    Row("lookup/backward", "reference", 7.0),
    *[Row("separations/S100000/T16", "softmax", 0.4, ours=ours) for ours in ("sparsemax", "entmax15", "top32")],
    Row("energy/S100000/T64", "state", 0.95, ours="energy-and-gradient"),
    Row("search/S1000000/T1", "faiss", 1.0),
    Row("search/S200000/T256", "faiss", 1.0),
    Row("memory-file/1GiB", "read", 0.9, "bytes"),
    Row("memory-file/S10000000", "read", 0.9, "bytes"),
]
# Names of rows that are not one contender against another.
SMALL = "small/S100/d32/T1:2us"
THREADS_CASE = "forward/f32/d64/S1000000/T256"
THREADS = THREADS_CASE + ":one-thread"
PEAK = ("peak/S1000000/T4096:forward-64MiB", "peak/S1000000/T4096:backward-64MiB")
MEMORY_OF_UPDATES = "implicit/many-updates:memory-of-few"
START = "program:start-30ms"
ANSWER = "program:first-answer-50ms"
SHAPE_CLASSES = {  # the worst rate over the best
    "shape:d16-d32": lambda d, dv: dv == 0 and d <= 32,
    "shape:d64-d1000": lambda d, dv: dv == 0 and d >= 64,
    "shape:dv": lambda d, dv: dv > 0,
}
PRUNING = {  # (case, beta, states) of bench_pruning: goal
    **{(f"MNIST, noise {noise}", beta, states): 5.0
       for noise in ("0.2", "0.5") for beta in ("retrieving", "4x-retrieving") for states in (1, 64)},
    **{(case, "low", states): 0.91 for case in ("MNIST, noise 1.0", "random, d = 64, noise 0.2") for states in (1, 64)},
    **{("1000 clusters, noise 0.1", "retrieving", states): 0.91 for states in (1, 64)},
}


def pruning_name(case, beta, states):
    return f"pruning/{case.replace(', ', '/').replace(' = ', '').replace(' ', '-')}/{beta}/T{states}:brute-force"


MIL_RUN = "mil/elephant-10-folds-160-epochs:30s"
SPECIAL = [SMALL, THREADS, *PEAK, MEMORY_OF_UPDATES, START, ANSWER, MIL_RUN, *SHAPE_CLASSES, *(pruning_name(*key) for key in PRUNING)]


class Worker:
    """A process that answers requests, see worker.cc."""

    def __init__(self, command, folder):
        environment = {**os.environ, "HOPFIELD_BENCH_FOLDER": str(folder)}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)

    def ask(self, *words):
        self.process.stdin.write(" ".join(str(word) for word in words) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"bench: {self.process.args[0]} ended at: {' '.join(str(w) for w in words)}")
        answer = json.loads(line)
        if isinstance(answer, dict) and "error" in answer:
            raise SystemExit(f"bench: {' '.join(str(w) for w in words)}: {answer['error']}")
        return answer

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Bench:
    def __init__(self, arguments, folder):
        self.arguments = arguments
        self.folder = folder
        self.cores = len(os.sched_getaffinity(0))
        self.thread_counts = sorted({1, self.cores})
        self.bin = Path(arguments.build) / "bin"
        self.ours = self.worker()
        self.python = Worker([sys.executable, str(Path(__file__).with_name("python_contenders.py"))], folder)
        self.flags = set()
        info = Path("/proc/cpuinfo")
        if info.exists():
            found = re.search(r"^flags\s*:(.*)$", info.read_text(), re.M)
            self.flags = set(found.group(1).split()) if found else set()
        self.rows = []
        self.limits = {}  # of the machine: giga a second, the best that any case saw

    def worker(self):
        return Worker([str(self.bin / "bench_worker")], self.folder)

    # ------------------------------------------------------------ measuring

    def time_case(self, case, wanted):
        """{(contender, threads): [seconds a call, one a round]}, {contender: work}."""
        entries = {entry["name"]: entry for entry in self.ours.ask("open", case)}
        python = self.python.ask("open", case)
        owners = {**{name: self.python for name in python}, **{name: self.ours for name in entries}}
        missing = [name for name in wanted if name not in owners]
        pairs = [(name, threads) for name in wanted if name in owners for threads in self.thread_counts]
        seconds = {pair: [] for pair in pairs}
        for round_number in range(self.arguments.rounds):
            for name, threads in pairs:
                time.sleep(SETTLE_SECONDS)
                seconds[name, threads].append(owners[name].ask("time", name, threads, LEAST_SECONDS))
            # A number of threads that was far behind twice need not be timed again.
            if round_number == 1 and case != THREADS_CASE:
                fastest = {pair: min(seconds[pair]) for pair in pairs}
                best = {name: min(fastest[n, t] for n, t in pairs if n == name) for name, _ in pairs}
                pairs = [(n, t) for n, t in pairs if fastest[n, t] <= 1.5 * best[n]]
        seconds = {pair: times for pair, times in seconds.items() if pair in pairs}
        work = {name: {"flops": entry["flops"], "bytes": entry["bytes"], "call": 1} for name, entry in entries.items()}
        self.ours.ask("open", "small/S100/d32/T1")  # lets go of the memory
        return seconds, work, missing

    @staticmethod
    def best(seconds, name):
        """Threads and times with the number of threads that suits best."""
        return min(((t, times) for (n, t), times in seconds.items() if n == name), key=lambda pair: statistics.median(pair[1]))

    def compare(self, case, rows):
        wanted = list(dict.fromkeys(name for row in rows for name in (row.ours, row.rival)))
        seconds, work, missing = self.time_case(case, wanted)
        for row in rows:
            if row.rival in missing:
                self.skip(row.name, f"{row.rival} is not installed")
                continue
            if row.needs and row.needs not in self.flags:
                self.skip(row.name, f"this CPU has no {row.needs}")
                continue
            our_threads, ours = self.best(seconds, row.ours)
            their_threads, theirs = self.best(seconds, row.rival)
            unit = row.unit
            if unit != "call":
                limit = f"{row.rival} {'bf16' if 'bf16' in case else 'f32'}, {'GFLOP/s' if unit == 'flops' else 'GB/s'}"
                rate = work[row.rival][unit] / statistics.median(theirs) / 1e9
                self.limits[limit] = max(self.limits.get(limit, 0), rate)
            scale = work[row.ours][unit] / work[row.rival][unit] if row.rival in work else 1
            self.add(row.name, [scale * t / o for o, t in zip(ours, theirs)], row.goal,
                     ours_seconds=statistics.median(ours), rival_seconds=statistics.median(theirs),
                     ours_threads=our_threads, rival_threads=their_threads)
        if case == THREADS_CASE and self.wants(THREADS) and self.cores > 1:
            one, two = seconds.get(("hopfield", 1)), seconds.get(("hopfield", self.cores))
            if one and two:
                self.add(THREADS, [a / b for a, b in zip(one, two)], 1.8 / 2 * self.cores,
                         ours_seconds=statistics.median(two), rival_seconds=statistics.median(one))

    def shapes(self):
        """Rates over heads and depths; each class's worst over its best."""
        rates = {}
        for case in self.ours.ask("cases"):
            found = re.fullmatch(r"shape/f32/d(\d+)/S(\d+)/T(\d+)(?:/H(\d+))?(?:/dv(\d+))?", case)
            if not found:
                continue
            seconds, work, _ = self.time_case(case, ["hopfield"])
            _, times = self.best(seconds, "hopfield")
            rates[case] = (int(found[1]), int(found[5] or 0), [work["hopfield"]["flops"] / t for t in times])
        for name, belongs in SHAPE_CLASSES.items():
            members = {case: rate for case, (d, dv, rate) in rates.items() if belongs(d, dv)}
            ordered = sorted(members, key=lambda case: statistics.median(members[case]))
            self.add(name, [a / b for a, b in zip(members[ordered[0]], members[ordered[-1]])], 0.6,
                     worst=ordered[0], best=ordered[-1],
                     gflops={case: statistics.median(rate) / 1e9 for case, rate in members.items()})

    def small(self):
        seconds, _, _ = self.time_case("small/S100/d32/T1", ["hopfield"])
        _, times = self.best(seconds, "hopfield")
        self.add(SMALL, [2e-6 / t for t in times], 1.0, ours_seconds=statistics.median(times), rival_seconds=2e-6)

    def peak(self, case, contender):
        """Growth of the peak resident size by one call, in a fresh process: nothing is warm."""
        worker = self.worker()
        worker.ask("open", case)
        grown = worker.ask("peak", contender, self.cores)
        worker.close()
        return max(grown, 1)

    def peaks(self):
        for name in PEAK:
            if self.wants(name):
                case, what = name.split(":")
                grown = self.peak(case, what.split("-")[0])
                self.add(name, [64 * 2**20 / grown], 1.0, grown_bytes=grown)
        if self.wants(MEMORY_OF_UPDATES):
            few, many = (self.peak(f"implicit/{count}-updates", "hopfield") for count in ("few", "many"))
            self.add(MEMORY_OF_UPDATES, [few / many], 0.95, grown_bytes=[few, many])

    def run_seconds(self, *command):
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self.folder)
        return time.perf_counter() - start

    def program(self):
        """The program's start, and what a recall from 1 GiB in the page cache takes beyond it."""
        import numpy
        hopfield = str((self.bin / "hopfield").resolve())
        self.ours.ask("open", "memory-file/1GiB")
        self.ours.ask("open", "small/S100/d32/T1")
        numpy.save(self.folder / "cue.npy", numpy.random.default_rng(3).standard_normal((1, 64), dtype=numpy.float32))
        recall = ("memory", "recall", str(2**22) + ".safetensors", "--cue", "cue.npy", "--beta", "0.125", "--updates", "1")
        starts, answers = [], []
        self.run_seconds(hopfield, *recall)
        for _ in range(max(self.arguments.rounds, 9)):
            starts.append(self.run_seconds(hopfield, "--version"))
            answers.append(self.run_seconds(hopfield, *recall) - starts[-1])
        if self.wants(START):
            self.add(START, [0.030 / s for s in starts], 1.0, ours_seconds=statistics.median(starts), rival_seconds=0.030)
        if self.wants(ANSWER):
            self.add(ANSWER, [0.050 / s for s in answers], 1.0, ours_seconds=statistics.median(answers), rival_seconds=0.050)

    def pruning(self):
        """associate_pruned beside associate, both with all threads: what bench_pruning measured."""
        wanted = {key: pruning_name(*key) for key in PRUNING if self.wants(pruning_name(*key))}
        if not (DATA / "mnist").is_dir():
            for name in wanted.values():
                self.skip(name, f"no mnist/ in {DATA}; HOPFIELD_DATA names its folder")
            return
        out = self.folder / "pruning.json"
        self.run_seconds(str((self.bin / "bench_pruning").resolve()), str(DATA), str(out))
        for row in json.loads(out.read_text()):
            key = (row["case"], row["beta_kind"], row["states"])
            if key in wanted:
                self.add(wanted[key], row["ratios"], PRUNING[key], ours_seconds=row["seconds_a_state"] * row["states"],
                         rival_seconds=row["seconds_a_state"] * row["states"] * row["ratio"],
                         left_out=row["left_out"], bound=row["bound"], error=row["error"])

    def mil_run(self):
        """One repetition of 10 folds of one setting by the program, every epoch made."""
        data, folds = DATA / "mil" / "elephant.csv.gz", DATA / "mil" / "elephant_folds.csv"
        if not (data.exists() and folds.exists()):
            self.skip(MIL_RUN, f"no mil/ in {DATA}; HOPFIELD_DATA names its folder")
            return
        command = (str((self.bin / "hopfield").resolve()), "mil", "cv", str(data), "--folds", str(folds), "--repetitions", "skl0",
                   "--baselines", "none", "--epochs", "160", "--patience", "0")
        seconds = [self.run_seconds(*command) for _ in range(self.arguments.rounds)]
        self.add(MIL_RUN, [30 / s for s in seconds], 1.0, ours_seconds=statistics.median(seconds), rival_seconds=30)

    # ------------------------------------------------------------ telling

    def wants(self, name):
        return not self.arguments.rows or any(part in name for part in self.arguments.rows)

    def add(self, name, ratios, goal, **details):
        ratio = statistics.median(ratios)
        low, high = (statistics.quantiles(ratios, n=4)[::2] if len(ratios) > 1 else (ratio, ratio))
        case, rival = name.split(":", 1)
        row = {"name": name, "case": case, "rival": rival, "ratio": ratio, "spread": [low, high], "goal": goal,
               "met": None if goal is None else ratio >= goal, **details}
        self.rows.append(row)
        verdict = "" if goal is None else "met" if row["met"] else "MISSED"
        ours, theirs = details.get("ours_seconds"), details.get("rival_seconds")
        times = f"{ours * 1e3:10.3f} {theirs * 1e3:10.3f}" if ours else " " * 21
        print(f"{name:58} {ratio:7.2f} {low:7.2f} {high:7.2f} {goal if goal is not None else '-':>6} {verdict:7}{times}", flush=True)

    def skip(self, name, why):
        self.rows.append({"name": name, "skipped": why})
        print(f"{name:58} skipped: {why}", flush=True)

    def machine(self):
        model = re.search(r"^model name\s*:\s*(.*)$", Path("/proc/cpuinfo").read_text(), re.M)
        features = [flag for flag in ("avx2", "avx512f", "avx512_bf16", "avx512_fp16", "amx_bf16") if flag in self.flags]
        return {"cpu": model.group(1) if model else platform.processor(), "cores": self.cores, "features": features,
                "system": platform.platform(), **self.ours.ask("machine"), **self.python.ask("machine")}

    def run(self):
        start = time.time()
        machine = self.machine()
        for key, value in machine.items():
            print(f"{key}: {' '.join(value) if isinstance(value, list) else value}")
        print(f"\n{'case:rival or limit':58} {'ratio':>7} {'quarter':>7} {'3/4':>7} {'goal':>6} {'':7}{'ours ms':>10} {'rival ms':>10}")
        cases = dict.fromkeys(row.case for row in ROWS)
        for case in cases:
            rows = [row for row in ROWS if row.case == case and (self.wants(row.name) or (case == THREADS_CASE and self.wants(THREADS)))]
            if rows:
                self.compare(case, rows)
        for names, measure in (((SMALL,), self.small), (SHAPE_CLASSES, self.shapes), ((START, ANSWER), self.program), ((*PEAK, MEMORY_OF_UPDATES), self.peaks),
                               ([pruning_name(*key) for key in PRUNING], self.pruning), ((MIL_RUN,), self.mil_run)):
            if any(self.wants(name) for name in names):
                measure()
        for limit, rate in self.limits.items():
            print(f"limit: {limit}: {rate:.1f}")
        minutes = (time.time() - start) / 60
        judged = [row for row in self.rows if row.get("met") is not None]
        lost = [row["name"] for row in judged if not row["met"]]
        print(f"\n{len(judged) - len(lost)} of {len(judged)} goals met, {minutes:.1f} minutes")
        if lost:
            print("missed:", *lost, sep="\n  ")
        return {"machine": machine, "limits": self.limits, "rounds": self.arguments.rounds, "minutes": minutes, "rows": self.rows}


def markdown(results):
    """The table of docs/performance.md."""
    lines = ["| case: rival or limit | ratio | middle half | goal | |", "|---|---|---|---|---|"]
    for row in results["rows"]:
        if "skipped" in row:
            lines.append(f"| {row['name']} | - | - | - | skipped: {row['skipped']} |")
            continue
        low, high = row["spread"]
        verdict = "" if row["met"] is None else "met" if row["met"] else "**missed**"
        lines.append(f"| {row['name']} | {row['ratio']:.2f} | {low:.2f} to {high:.2f} | {'-' if row['goal'] is None else row['goal']} | {verdict} |")
    return "\n".join(lines) + "\n"


def write_whole(path, text):
    """Under its name complete or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(file.name, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="*", help="parts of row names, see --list (default: all)")
    parser.add_argument("--build", default="build", help="the build folder")
    parser.add_argument("--rounds", type=int, default=5, help="at least 5 for numbers that are told to others")
    parser.add_argument("--out", default=None, help="JSON (default: BUILD/bench/results.json)")
    parser.add_argument("--list", action="store_true", help="print the names of all rows")
    arguments = parser.parse_args()
    names = [*(row.name for row in ROWS), *SPECIAL]
    if arguments.list:
        print(*names, sep="\n")
        return
    for part in arguments.rows:
        if not any(part in name for name in names):
            parser.error(f"no row's name holds '{part}'; --list shows them")
    folder = Path(tempfile.mkdtemp(prefix="hopfield-bench-"))
    try:
        results = Bench(arguments, folder).run()
    finally:
        shutil.rmtree(folder)
    out = Path(arguments.out or Path(arguments.build) / "bench" / "results.json")
    write_whole(out, json.dumps(results, indent=1) + "\n")
    write_whole(out.with_suffix(".md"), markdown(results))
    print(f"written: {out} and {out.with_suffix('.md')}")


if __name__ == "__main__":
    main()
