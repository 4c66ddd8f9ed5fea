"""docs/howto/memory.md: the five commands at its start, run on the same real data, print what the page says."""

import os
import pathlib
import re
import shlex
import subprocess
import sys
import unittest

from support import ProgramTest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/howto/memory.md"


def python_with_digits():
    """A Python that has scikit-learn, whose package holds the pictures: that of the set-up, or this one."""
    for python in (ROOT / ".venv/bin/python", sys.executable):
        if os.access(python, os.X_OK) and not subprocess.run([python, "-c", "import sklearn.datasets"], capture_output=True).returncode:
            return python
    return None


class FiveCommands(ProgramTest):
    @unittest.skipUnless(python_with_digits(), "no Python with scikit-learn")
    def test_print_what_the_page_says(self):
        section = re.search(r"\n## Five commands\n(.*?)\n## ", PAGE.read_text(), re.S).group(1)
        data, session = re.findall(r"```\n(.*?)```", section, re.S)
        python, option, program = shlex.split(data)
        self.assertEqual((python, option), (".venv/bin/python", "-c"))
        subprocess.run([python_with_digits(), "-c", program], cwd=self.folder, check=True)
        self.assertEqual(self.names(), ["cues.npy", "held-back.npy", "patterns.npy"])
        commands = re.findall(r"^\$ (hopfield .*)\n((?:(?!\$ ).*\n)*)", session, re.M)
        self.assertEqual(len(commands), 5)
        for command, printed in commands:
            self.assertEqual(self.expect(0, *shlex.split(command)[1:]).stdout, printed, command)


if __name__ == "__main__":
    unittest.main()
