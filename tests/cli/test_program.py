"""The program as such: help, version, mistakes on the command line, start time's precondition."""

import os
import shutil
import subprocess
import unittest

from support import PROGRAM, ProgramTest


class Program(ProgramTest):
    def test_version(self):
        self.expect(0, "--version", output=r"^hopfield \d+\.\d+\.\d+\n$")

    def test_help_lists_every_noun_and_the_exit_statuses(self):
        text = self.expect(0, "--help").stdout
        for word in ("memory", "mil", "demo", "--version", "Exit status: 0 ok", "130 interrupted"):
            self.assertIn(word, text)

    def test_help_of_nouns_and_commands_shows_the_whole_name_and_fits_a_terminal(self):
        for command in (["memory"], ["memory", "create"], ["memory", "recall"], ["memory", "stat"],
                        ["memory", "verify"]):
            text = self.expect(0, *command, "--help").stdout
            self.assertIn("Usage: hopfield " + " ".join(command), text)
            for line in text.splitlines():
                self.assertLessEqual(len(line), 100, line)

    def test_mistyped_words_get_a_guess(self):
        for arguments, message in [
            (["memry"], r"unknown command 'memry'; did you mean 'memory'\?"),
            (["mill"], r"unknown command 'mill'; did you mean 'mil'\?"),
            (["xyzzy"], r"unknown command 'xyzzy'\n"),
            (["--vesion"], r"unknown option '--vesion'; did you mean '--version'\?"),
            (["memory", "recal"], r"unknown command 'recal'; did you mean 'recall'\?"),
            (["memory", "recal", "m", "--cue", "c"], r"unknown command 'recal'; did you mean 'recall'\?"),
            (["memory", "recall", "--betta", "2"], r"unknown option '--betta'; did you mean '--beta'\?"),
            (["memory", "recall", "m", "--cue", "c", "--tpo=3"], r"unknown option '--tpo'; did you mean '--top'\?"),
            (["memory", "stat", "m", "extra"], r"unexpected argument 'extra'"),
            ([], r"expected a command, got none; there are: memory, theory, reproduce, mil, demo"),
            (["memory"], r"expected a command, got none; there are: create, .*recall, .*verify"),
            (["memory", "create"], r"patterns is required"),
            (["memory", "recall", "m"], r"--cue is required"),
            (["memory", "recall", "m", "--cue"], r"--cue: 1 required FILE missing"),
        ]:
            with self.subTest(arguments):
                self.expect(2, *arguments, error="hopfield: error: " + message)
                self.expect(2, *arguments, error=r"Try 'hopfield[a-z ]* --help'\.\n$")

    def test_never_loads_libtorch(self):
        if shutil.which("ldd") is None:
            self.skipTest("no ldd")
        libraries = subprocess.run(["ldd", PROGRAM], capture_output=True, text=True, check=True).stdout
        names = " ".join(line.split()[0] for line in libraries.splitlines())  # without their folders
        self.assertIn("libhopfield_core", names)
        self.assertNotIn("torch", names)
        self.assertNotIn("c10", names)

    def test_without_the_torch_program_says_so(self):
        """A copy of the program alone in a folder."""
        copy = self.folder / "hopfield"
        shutil.copy(PROGRAM, copy)
        library = subprocess.run(["ldd", PROGRAM], capture_output=True, text=True).stdout
        folders = {os.path.dirname(line.split()[2]) for line in library.splitlines()
                   if "libhopfield_core" in line}
        environment = dict(os.environ, LD_LIBRARY_PATH=":".join(folders))
        result = subprocess.run([copy, "mil", "cv"], capture_output=True, text=True, env=environment)
        self.assertEqual(result.returncode, 1)
        self.assertIn("hopfield: error: [hopfield mil] expected the program hopfield-torch", result.stderr)
        self.assertIn("HOPFIELD_TORCH=ON", result.stderr)

    def test_a_full_standard_output_is_an_error(self):
        if not os.path.exists("/dev/full"):
            self.skipTest("no /dev/full")
        self.write_npy("p.npy", [1, 0, 0, 1], [2, 2])
        self.expect(0, "memory", "create", "p.npy", "-o", "m.safetensors")
        with open("/dev/full", "w") as full:
            self.expect(1, "memory", "stat", "m.safetensors", stdout=full,
                        error="cannot write the standard output")


if __name__ == "__main__":
    unittest.main()
