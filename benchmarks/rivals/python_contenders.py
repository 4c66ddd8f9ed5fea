"""Rivals that are called from Python: FAISS (top-k), NumPy (plain composition), the reference layers.

Speaks the same protocol as bench_worker (see worker.cc): one request a line, one JSON answer a line. Each rival is there only
where its package is installed; data have the same sizes and distribution as in bench_worker.
"""
import importlib.util
import json
import os
import sys
import time


def search(stored, states):
    import faiss
    import numpy
    random = numpy.random.default_rng(1)
    patterns = random.standard_normal((stored, 64), dtype=numpy.float32)
    cues = random.standard_normal((states, 64), dtype=numpy.float32)
    index = faiss.IndexFlatIP(64)
    index.add(patterns)
    return {"faiss": lambda: index.search(cues, 10)}, faiss.omp_set_num_threads


def plain(stored, states):
    import numpy
    random = numpy.random.default_rng(1)
    x = random.standard_normal((stored, 64), dtype=numpy.float32)
    xi = random.standard_normal((states, 64), dtype=numpy.float32)

    def update():
        scores = xi @ x.T
        scores *= numpy.float32(0.125)
        scores -= scores.max(axis=1, keepdims=True)
        numpy.exp(scores, out=scores)
        scores /= scores.sum(axis=1, keepdims=True)
        return scores @ x

    # NumPy's products run on as many threads as its library was started with.
    return {"numpy": update}, lambda threads: None


def timed(layer, inputs, leaves):
    """Calls of a reference layer: forward, and backward to its parameters and `leaves` where there are leaves."""
    import torch
    layer.eval()
    if not leaves:
        return {"reference": torch.no_grad()(lambda: layer(inputs))}, torch.set_num_threads
    gradient = torch.randn_like(layer(inputs))
    return {"reference": lambda: torch.autograd.grad([layer(inputs)], leaves, [gradient], allow_unused=True)}, torch.set_num_threads


def reference_lookup(backward):
    import torch
    import hflayers
    layer = hflayers.HopfieldLayer(input_size=64, num_heads=8, quantity=1000)
    return timed(layer, torch.randn(32, 16, 64), list(layer.parameters()) if backward else [])


def reference_association(batch, states, stored, updates=0, backward=True):
    """The association alone. Heads are further samples here: the layer without projections would give every head all components."""
    import torch
    import hflayers
    without = {f"normalize_{what}{affine}": False for affine in ("", "_affine")
               for what in ("stored_pattern", "state_pattern", "pattern_projection", "hopfield_space")}
    layer = hflayers.Hopfield(input_size=64, num_heads=1, scaling=0.125, update_steps_max=updates, update_steps_eps=1e-30,
                              state_pattern_as_static=True, stored_pattern_as_static=True, pattern_projection_as_static=True,
                              disable_out_projection=True, **without)
    k, q, v = (torch.randn(8 * batch, length, 64, requires_grad=backward) for length in (stored, states, stored))
    return timed(layer, (k, q, v) if backward else (k, q, k), [q, k, v] if backward else [])


CASES = {
    "forward/f32/d64/S1000000/T1": ("numpy", lambda: plain(1_000_000, 1)),
    "forward/f32/d64/S1000000/T16": ("numpy", lambda: plain(1_000_000, 16)),
    "search/S1000000/T1": ("faiss", lambda: search(1_000_000, 1)),
    "search/S200000/T256": ("faiss", lambda: search(200_000, 256)),
    "lookup/forward": ("hflayers", lambda: reference_lookup(False)),
    "lookup/backward": ("hflayers", lambda: reference_lookup(True)),
    "layer/B32/L16/S64": ("hflayers", lambda: reference_association(32, 16, 64)),
    "layer/B32/L64/S64": ("hflayers", lambda: reference_association(32, 64, 64)),
    "layer/B32/L128/S512": ("hflayers", lambda: reference_association(32, 128, 512)),
    "layer/B32/L16/S4096": ("hflayers", lambda: reference_association(32, 16, 4096)),
    "layer/B8/L512/S4096": ("hflayers", lambda: reference_association(8, 512, 4096)),
    "updates/k1": ("hflayers", lambda: reference_association(1, 512, 4096, updates=1, backward=False)),
    "updates/k3": ("hflayers", lambda: reference_association(1, 512, 4096, updates=3, backward=False)),
    "updates/k10": ("hflayers", lambda: reference_association(1, 512, 4096, updates=10, backward=False)),
    # Padded to the longest bag; a mask would only add to its work.
    "bags/256-small": ("hflayers", lambda: reference_association(256, 1, 40)),
}


def mean_seconds(call, least):
    calls, elapsed = 0, 0.0
    while elapsed < least:
        start = time.perf_counter()
        call()
        elapsed += time.perf_counter() - start
        calls += 1
    return elapsed / calls


def machine():
    found = {"python": sys.version.split()[0]}
    for package in ("numpy", "faiss", "hflayers"):
        if importlib.util.find_spec(package):
            found[package] = getattr(__import__(package), "__version__", "installed")
    return found


def main():
    contenders, set_threads = {}, None
    for line in sys.stdin:
        words = line.split()
        try:
            if words[0] == "machine":
                answer = machine()
            elif words[0] == "open":
                contenders = {}
                package, make = CASES.get(words[1], (None, None))
                if package and importlib.util.find_spec(package):
                    contenders, set_threads = make()
                    for call in contenders.values():
                        call()
                answer = list(contenders)
            else:
                set_threads(int(words[2]))
                answer = mean_seconds(contenders[words[1]], float(words[3]))
        except Exception as error:  # told to the one who asked
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    main()
