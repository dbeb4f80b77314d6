"""Finds the tools of clang in the version that the project is checked with."""
import re
import shutil
import subprocess

VERSION = 14  # others break some lines differently and find other mistakes


def find(tool):
    """The path of, for example, clang-format, or None."""
    for name in (f"{tool}-{VERSION}", tool):
        program = shutil.which(name)
        said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout if program else ""
        if re.search(rf"version {VERSION}\.", said):
            return program
    return None
