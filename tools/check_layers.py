#!/usr/bin/env python3
"""Checks that every #include goes only where docs/architecture.md allows it.

usage: check_layers.py [SRC]    prints `FILE:LINE: why`, ends with 1 where something is wrong.
"""
import pathlib
import re
import sys

# The same table as LINK in CMakeLists.txt, with what each layer gets through another.
MAY_INCLUDE = {
    "base": set(),
    "domain": {"base"},
    "net": {"base"},
    "model": {"base", "domain", "net"},
    "device": {"base", "domain"},
    "engine": {"base", "domain", "net"},
    "rhai": {"base"},
    "routing": {"base", "domain", "rhai"},
    "sim": {"base", "domain", "routing"},
    "hive": {"base", "domain", "net", "model", "device", "engine"},
    "keeper": {"base", "domain", "net", "model", "routing"},
    "cli": {"base", "domain", "net", "model", "device", "engine", "rhai", "routing", "sim", "hive", "keeper"},
}

# Libraries that one place wraps: (how the include begins, which files may have it, what to use instead).
WRAPPED = [
    (("boost/asio", "boost/beast"), re.compile(r"^net/([^/]+\.cpp|asio_\w+\.h)$"), "src/net/*.h"),
    # domain/fields.h and device/facts_json.h are private to their layers, and their templates read JSON.
    (("nlohmann/json.hpp",), re.compile(r"\.cpp$|^(domain/fields|device/facts_json)\.h$"),
     '"base/json.h" in a header'),
    (("iostream",), re.compile(r"\.cpp$"), "<ostream> or <string> in a header"),
    (("spdlog/",), re.compile(r"^base/[^/]+\.cpp$"), '"base/log.h"'),
    (("SQLiteCpp/", "sqlite3.h"), re.compile(r"^keeper/"), "keeper's state"),
    (("curl/",), re.compile(r"^model/[^/]+\.(cpp|h)$"), "model/web.h"),
    (("CLI/", "toml++/"), re.compile(r"^cli/"), "src/cli"),
]

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def check_include(name: str, layer: str, quote: str, path: str) -> str | None:
    if quote == '"':
        target, slash, _ = path.partition("/")
        if not slash:
            return f'"{path}" must be named from src/, as "{layer}/{path}"'
        if target != layer and target not in MAY_INCLUDE[layer]:
            return f"{layer}/ may not include {target}/ (see docs/architecture.md)"
        return None
    for prefixes, allowed, instead in WRAPPED:
        if path.startswith(prefixes) and not allowed.search(name):
            return f"<{path}> does not belong here: use {instead}"
    return None


def check_tree(src: pathlib.Path) -> list[str]:
    found = []
    for folder in sorted(p for p in src.iterdir() if p.is_dir()):
        if folder.name not in MAY_INCLUDE:
            found.append(f"{folder}: a layer that tools/check_layers.py does not know")
            continue
        for file in sorted(folder.rglob("*")):
            if file.suffix not in {".h", ".cpp", ".mm"}:
                continue
            name = file.relative_to(src).as_posix()
            for number, line in enumerate(file.read_text().splitlines(), 1):
                match = INCLUDE.match(line)
                why = match and check_include(name, folder.name, match[1], match[2])
                if why:
                    found.append(f"{file}:{number}: {why}")
    return found


def main() -> int:
    default = pathlib.Path(__file__).resolve().parent.parent / "src"
    found = check_tree(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default)
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
