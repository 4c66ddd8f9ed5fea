"""What the tests of the program share: running it, and NPY and safetensors files by hand, so that nothing
beyond Python's standard library is needed."""

import ast
import json
import math
import os
import pathlib
import re
import shlex
import struct
import subprocess
import tempfile
import time
import unittest

PROGRAM = os.environ["HOPFIELD_PROGRAM"]

_CODES = {"<f4": "f", "<f8": "d", "<i8": "q", "<i4": "i", "|u1": "B"}


def npy_bytes(values, shape, descr="<f4"):
    """An NPY file of a flat list of numbers."""
    text = "(" + "".join(f"{n}," for n in shape) + ")"
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {text}}}"
    header = header + " " * (-(10 + len(header) + 1) % 64) + "\n"
    return (b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode()
            + struct.pack(f"<{len(values)}{_CODES[descr]}", *values))


def read_npy(path):
    """(shape, flat list of numbers)"""
    data = pathlib.Path(path).read_bytes()
    assert data[:8] == b"\x93NUMPY\x01\x00", data[:8]
    (length,) = struct.unpack("<H", data[8:10])
    header = ast.literal_eval(data[10:10 + length].decode())
    assert not header["fortran_order"]
    code = _CODES[header["descr"]]
    count = math.prod(header["shape"])
    return header["shape"], list(struct.unpack(f"<{count}{code}", data[10 + length:]))


def read_safetensors(path):
    """(metadata, {name: (dtype, shape, bytes)}) as any reader of the format sees it."""
    data = pathlib.Path(path).read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + length])
    body = data[8 + length:]
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        first, end = entry["data_offsets"]
        tensors[name] = (entry["dtype"], entry["shape"], body[first:end])
    return metadata, tensors


def wait_until_it_handles(process, sign, seconds=60):
    """Returns once the program has set up its own handler of the signal; before, the signal would just end it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        caught = int(re.search(r"SigCgt:\s*([0-9a-f]+)", status).group(1), 16)
        if caught >> (sign - 1) & 1:
            return
        time.sleep(0.01)
    raise AssertionError(f"no handler of signal {sign} after {seconds} s; exit status {process.poll()}")


class ProgramTest(unittest.TestCase):
    """A test in a folder of its own; `self.run_program` starts the program there."""

    maxDiff = None

    def setUp(self):
        holder = tempfile.TemporaryDirectory(prefix="hopfield-test-")
        self.addCleanup(holder.cleanup)
        self.folder = pathlib.Path(holder.name)

    def write(self, name, content):
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def write_npy(self, name, values, shape, descr="<f4"):
        return self.write(name, npy_bytes(values, shape, descr))

    def names(self):
        return sorted(path.name for path in self.folder.iterdir())

    def run_program(self, *arguments, **options):
        options.setdefault("cwd", self.folder)
        options.setdefault("timeout", 300)
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        return subprocess.run([PROGRAM, *map(str, arguments)], text=True, **options)

    def expect(self, status, *arguments, error=None, output=None, **options):
        """Runs; checks the exit status and that the streams match the regular expressions. A failure must say
        so on standard error in the documented form, success must not."""
        result = self.run_program(*arguments, **options)
        shown = f"{shlex.join(map(str, arguments))}\n{result.stdout}{result.stderr}"
        self.assertEqual(result.returncode, status, shown)
        if error is not None:
            self.assertRegex(result.stderr, re.compile(error, re.S), shown)
            self.assertTrue(result.stderr.startswith("hopfield: "), shown)
        elif status == 0:
            self.assertEqual(result.stderr, "", shown)
        if output is not None:
            self.assertRegex(result.stdout, re.compile(output, re.S), shown)
        return result

    def examples_of(self, *command):
        """The command lines at the end of a command's --help, without the program's name."""
        text = self.expect(0, *command, "--help").stdout
        _, found, examples = text.partition("Example")
        self.assertTrue(found, f"{command}: --help shows no example")
        lines = [line.strip() for line in examples.splitlines()[1:] if line.strip()]
        self.assertTrue(lines)
        for line in lines:
            self.assertTrue(line.startswith("hopfield "), line)
        return [shlex.split(line)[1:] for line in lines]
