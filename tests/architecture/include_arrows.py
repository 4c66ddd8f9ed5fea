"""Fails when an #include points upward. usage: include_arrows.py SOURCE_DIR

Each folder of src/ (and its mirror below include/hopfield/) may include itself and the folders listed
for it; the order is that of the layout in docs/layout.md. Apps do not include each other.
"""
import pathlib
import re
import sys

# Folder -> the folders directly below it; what those may include is included, too.
BELOW = {
    "base": [],
    "kernels": ["base"],
    "memory": ["kernels"],
    "theory": ["memory"],
    "store": ["base"],
    "collective": ["memory"],
    "report": ["base"],
    "torch/ops": ["memory"],
    "torch/nn": ["torch/ops"],
    "torch/train": ["torch/nn", "store"],
    "torch/dist": ["collective", "torch/ops"],
    "apps": ["torch/train", "store", "report", "theory"],
    "cli": ["apps", "theory", "store", "report", "memory"],
}
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')


def reach(layer):
    seen, todo = set(), [layer]
    while todo:
        current = todo.pop()
        if current not in seen:
            seen.add(current)
            todo.extend(BELOW[current])
    return seen


def layer_of(parts):
    """Layer and, for apps, the app's name, from the parts of a path below src/ or hopfield/."""
    if parts[0] == "torch":
        name = "/".join(parts[:2])
        return (name, None) if name in BELOW else ("torch", None)
    if parts[0] == "apps":
        return ("apps", parts[1] if len(parts) > 2 else None)
    return (parts[0], None)


def check(root):
    errors, files = [], 0
    for top in (root / "src", root / "include" / "hopfield"):
        for path in sorted(top.rglob("*")):
            if path.suffix not in (".h", ".cc", ".cu") or path.name == "pch.h":
                continue
            files += 1
            layer, app = layer_of(path.relative_to(top).parts)
            if layer not in BELOW:
                errors.append(f"{path}: folder '{layer}' is not in the layout")
                continue
            allowed = reach(layer)
            for number, line in enumerate(path.read_text().splitlines(), 1):
                match = INCLUDE.match(line)
                if not match:
                    continue
                target = match.group(1)
                if target.startswith("hopfield/"):
                    parts = target.split("/")[1:]
                elif (root / "src" / target).exists():
                    parts = target.split("/")
                else:
                    if re.match(r"(torch|ATen|c10)/", target) and not (
                            layer.startswith("torch") or layer in ("apps", "cli")):
                        errors.append(f"{path}:{number}: {target} brings torch into the core")
                    continue
                other, other_app = layer_of(parts)
                if len(parts) == 1:
                    continue
                if other not in BELOW or other not in allowed:
                    errors.append(f"{path}:{number}: {layer} must not include {target}")
                elif other == "apps" and layer == "apps" and other_app != app:
                    errors.append(f"{path}:{number}: app {app} must not include app {other_app}")
    return errors, files


def self_test(tmp):
    """The checker must see an upward arrow when there is one."""
    for folder, text in (("src/base", '#include "hopfield/memory/retrieve.h"\n'),
                         ("src/memory", '#include "hopfield/base/error.h"\n'),
                         ("src/apps/mil", '#include "hopfield/apps/heads/model.h"\n'),
                         ("src/store", "#include <ATen/ATen.h>\n")):
        (tmp / folder).mkdir(parents=True)
        (tmp / folder / "a.cc").write_text(text)
    errors, _ = check(tmp)
    return len(errors) == 3


if __name__ == "__main__":
    import tempfile
    with tempfile.TemporaryDirectory() as folder:
        if not self_test(pathlib.Path(folder)):
            sys.exit("include_arrows: the checker misses planted upward arrows")
    found, count = check(pathlib.Path(sys.argv[1]))
    print("\n".join(found) or f"{count} files, no upward include")
    sys.exit(1 if found or count == 0 else 0)
