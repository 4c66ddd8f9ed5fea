"""Times FAISS's exhaustive search beside bench_pruning. usage: pruning_beside_faiss.py BENCH_PRUNING DATA_DIR

Runs bench_pruning DATA_DIR, then IndexFlatL2 with k = 1 on the same patterns and cues, and prints for every row at the
retrieving beta how many times as fast as FAISS the pruned association is. FAISS gives the nearest pattern only; the association
also gives the state. Needs faiss-cpu and NumPy.
"""
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import faiss
import numpy as np

ROUNDS = 5


def seconds_a_state(index, cues, batch):
    """Median over the rounds, of cues in batches of 1 (every eighth) or all."""
    times = []
    for _ in range(ROUNDS):
        chosen = cues[::8] if batch == 1 else cues
        start = time.perf_counter()
        for first in range(0, len(chosen), batch):
            index.search(chosen[first:first + batch], 1)
        times.append((time.perf_counter() - start) / len(chosen))
    return float(np.median(times))


def main(program, data):
    with tempfile.TemporaryDirectory() as folder:
        results = pathlib.Path(folder) / "results.json"
        subprocess.run([program, data, results, folder], check=True)
        rows = [row for row in json.loads(results.read_text()) if row["beta_kind"] != "low"]
        print(f"\nFAISS {faiss.__version__}, {faiss.omp_get_max_threads()} threads")
        for row in rows:
            path = str(pathlib.Path(folder) / row["case"])
            index = faiss.IndexFlatL2(row["depth"])
            index.add(np.load(path + ".patterns.npy"))
            flat = seconds_a_state(index, np.load(path + ".cues.npy"), row["states"])
            print(f"{row['case']:32} beta {row['beta']:7.4g} T {row['states']:3}  FAISS {1e6 * flat:8.0f} us a state, "
                  f"pruned {1e6 * row['seconds_a_state']:8.0f} us: {flat / row['seconds_a_state']:.2f} times as fast")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
