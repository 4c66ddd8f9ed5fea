"""Fails when a C++ file differs from what clang-format makes of it. usage: formatted.py SOURCE_DIR [CLANG_FORMAT]"""
import pathlib
import shutil
import subprocess
import sys

root = pathlib.Path(sys.argv[1])
tool = sys.argv[2] if len(sys.argv) > 2 else "clang-format"
if not shutil.which(tool):
    print(f"skipped: {tool} is not installed")
    sys.exit(77)
files = [str(p) for top in ("include", "src", "tests", "benchmarks", "examples", "fuzz")
         for p in sorted((root / top).rglob("*")) if p.suffix in (".h", ".cc", ".cu")]
done = subprocess.run([tool, "--dry-run", "--Werror", *files], capture_output=True, text=True)
bad = sorted({line.split(":")[0] for line in done.stderr.splitlines() if "clang-format-violations" in line})
print("\n".join(bad) or f"{len(files)} files are formatted")
if bad:
    print("remedy: make format")
sys.exit(1 if done.returncode else 0)
