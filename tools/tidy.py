#!/usr/bin/env python3
"""The rules of form that no compiler checks: sizes, banned calls with what to use instead, links in docs.

usage: tidy.py    prints `FILE:LINE: why`, ends with 1 where something is wrong.
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LONGEST_LINE = 110
LONGEST_FILE = 600
CODE = {".h", ".cpp", ".mm", ".py", ".mjs", ".cmake"}
CPP = {".h", ".cpp", ".mm"}
# Pages with wide tables and texts that are compared, not read.
LONG_LINES = {"docs/cli.md", "docs/admin-api.md", "docs/hive-api.md"}

# (what, in which files, but not in these, what to use instead). Exceptions may only become fewer.
BANNED = [
    (r"\b(steady|system|high_resolution)_clock::now\b", "src/", ("src/base/clock.cpp",),
     "a Clock that is passed in"),
    (r"\bstd::this_thread::sleep|\bsleep_for\(std::|\bnanosleep\(|::u?sleep\(", "src/", (),
     "net::sleep_for or a Timer"),
    (r"\bstd::rand\b|\brandom_device\b|\bsrand\(", "src/", ("src/base/random.cpp",), "base/random.h"),
    (r"\bgetenv\(", "src/", ("src/cli/environment.cpp",), "src/cli/environment.h"),
    (r"^\s*#\s*if(def)?\b.*__(linux|APPLE)__", "src/", (), "a file named *_linux.cpp or *_macos.cpp"),
    (r"\bstd::w?regex\b", "src/", (), "a parser of a few lines"),
    (r"\b(while|if|switch|for)\s*\([^)]*\bco_(await|yield)\b", "src/", (),
     "a named variable first: GCC 12 (HACKING.md)"),
    (r"\?[^;:]*\bco_await\b|\bco_await\b[^;]*\?[^;]*:[^;]*;", "src/", (),
     "an if: GCC 12 (HACKING.md)"),
    (r"\bstd::(cout|cerr)\b", "src/", ("src/cli/",), "base/log.h, or cli's output"),
    (r"\busing namespace std;", "src/", (), "names with std::"),
    ("FIX" + "ME", "", (), "a sentence about what is so, or the repair"),
]
NAMES = re.compile(r"(^|[_/])(utils?|manager|helpers?)[_.]")
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)(#[^)]*)?\)")


def tracked_files() -> list[str]:
    """What is or would be committed; every file where this is no git checkout."""
    command = ["git", "ls-files", "-co", "--exclude-standard", "-z"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True)
    if listing.returncode == 0:
        names = listing.stdout.decode().split("\0")
        return sorted(n for n in names if n and (ROOT / n).is_file() and not n.startswith("shared/"))
    skipped = {"build", "node_modules", ".git", "shared", "__pycache__"}
    files = (p.relative_to(ROOT) for p in ROOT.rglob("*") if p.is_file())
    return sorted(p.as_posix() for p in files if not skipped & set(p.parts))


def without_comment(line: str) -> str:
    at = line.find("//")
    return line if at < 0 or "://" in line else line[:at]


def check_code(name: str, lines: list[str]) -> list[str]:
    found = []
    if len(lines) > LONGEST_FILE:
        found.append(f"{name}:{len(lines)}: the file has {len(lines)} lines, more than {LONGEST_FILE}")
    if NAMES.search(name):
        found.append(f"{name}:1: the name says nothing: name the file for what it does")
    for number, line in enumerate(lines, 1):
        if "\t" in line:
            found.append(f"{name}:{number}: a tab")
        if line != line.rstrip():
            found.append(f"{name}:{number}: blanks at the end")
        if len(line) > LONGEST_LINE:
            found.append(f"{name}:{number}: {len(line)} columns, more than {LONGEST_LINE}")
    return found


def check_bans(name: str, lines: list[str]) -> list[str]:
    found = []
    bans = [(re.compile(what), instead) for what, where, but, instead in BANNED
            if name.startswith(where) and not name.startswith(but)]
    for number, line in enumerate(lines, 1):
        code = without_comment(line) if pathlib.Path(name).suffix in CPP else line
        found += [f"{name}:{number}: '{match[0].strip()}': use {instead}"
                  for what, instead in bans if (match := what.search(code))]
    return found


def check_page(name: str, lines: list[str]) -> list[str]:
    found = []
    fenced = False
    titles = 0
    for number, line in enumerate(lines, 1):
        if line.startswith("```"):
            fenced = not fenced
        if fenced:
            continue
        titles += line.startswith("# ")
        wide = len(line) > LONGEST_LINE and "|" not in line and name not in LONG_LINES
        if wide and name.startswith("docs/"):
            found.append(f"{name}:{number}: {len(line)} columns, more than {LONGEST_LINE}")
        for target, _ in LINK.findall(line):
            if not (ROOT / name).parent.joinpath(target).exists():
                found.append(f"{name}:{number}: the link to '{target}' leads nowhere")
    # A layer's README is a few lines of text; every other page has one title.
    if titles != 1 and not re.fullmatch(r"src/\w+/README\.md", name):
        found.append(f"{name}:1: {titles} titles (lines that begin with '# '), one is needed")
    return found


def check_folders() -> list[str]:
    folders = sorted(p for p in (ROOT / "src").iterdir() if p.is_dir())
    return [f"src/{p.name}: no README.md" for p in folders if not (p / "README.md").is_file()]


def main() -> int:
    found = check_folders()
    for name in tracked_files():
        suffix = pathlib.Path(name).suffix
        if suffix not in CODE | {".md"} and name not in {"Makefile", "tools/setup", ".ci/run", "bench/run"}:
            continue
        lines = (ROOT / name).read_text(errors="replace").splitlines()
        if suffix == ".md":
            found += check_page(name, lines)
        elif not name.startswith("models/"):
            if name != "Makefile":
                found += check_code(name, lines)
            found += check_bans(name, lines)
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
