"""Compiles every public header by itself. usage: headers_alone.py SOURCE_DIR COMPILER [TORCH_INCLUDE ...]

Without torch folders, headers of the torch layer and the apps are left out.
"""
import concurrent.futures
import os
import pathlib
import subprocess
import sys
import tempfile

root, compiler, torch = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
headers = sorted((root / "include").rglob("*.h"))
if not torch:
    headers = [h for h in headers if not {"torch", "apps"} & set(h.relative_to(root / "include").parts)]


def compile_alone(header):
    name = header.relative_to(root / "include")
    with tempfile.NamedTemporaryFile("w", suffix=".cc") as source:
        source.write(f'#include "{name}"\n#include "{name}"\n')  # twice: guards work
        source.flush()
        command = [compiler, "-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-I",
                   str(root / "include")] + [flag for t in torch for flag in ("-isystem", t)]
        done = subprocess.run(command + [source.name], capture_output=True, text=True)
    text = header.read_text()
    if "torch/torch.h" in text:
        return name, "includes torch/torch.h"
    return name, done.stderr[:2000] if done.returncode else ""


with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    failed = [(n, e) for n, e in pool.map(compile_alone, headers) if e]
for name, error in failed:
    print(f"{name}: {error}")
print(f"{len(headers)} headers, {len(failed)} do not compile alone")
sys.exit(1 if failed or not headers else 0)
