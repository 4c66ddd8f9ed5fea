"""Runs an example and compares what it prints with the lines after "// Prints" at the top of its source.
usage: prints_what_it_says.py SOURCE PROGRAM [ARGUMENT...]"""
import difflib
import pathlib
import subprocess
import sys

source, *command = sys.argv[1:]
_, found, rest = pathlib.Path(source).read_text().partition("\n// Prints\n")
expected = []
for line in rest.splitlines():
    if not line.startswith("//   "):
        break
    expected.append(line[len("//   "):])
if not expected:
    sys.exit(f"{source}: expected lines '//   ...' after '// Prints'")
done = subprocess.run(command, capture_output=True, text=True)
printed = done.stdout.splitlines()
print("\n".join(difflib.unified_diff(expected, printed, "says", "prints", lineterm="")))
print(done.stderr, end="")
sys.exit(done.returncode or int(printed != expected))
