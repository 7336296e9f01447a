"""An engine that costs little, what stands in front of it, and who asks: for the benches beside others."""
import getpass
import json
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / "build" / "release"
MODEL = ROOT / "models" / "demo" / "rbee-demo-q8_0.gguf"
PATH = "/v1/chat/completions"
QUESTION = {"model": "fake", "messages": [{"role": "user", "content": "Say a kilobyte."}]}
WHOLE = QUESTION | {"answer_bytes": 1024}
STREAM = QUESTION | {"stream": True, "chunks": 200, "pause_us": 5000}
# More than ever run at once, so that nobody queues.
SLOTS = 64
LONGEST_START_S = 60

# As its manual recommends for this: no log, upstreams kept alive.
NGINX_COMMON = """
user {user};
worker_processes auto;
pid {folder}/{name}.pid;
error_log {folder}/{name}.log warn;
daemon off;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  tcp_nodelay on;
  keepalive_requests 100000000;
  client_body_temp_path {folder}/{name}-body; proxy_temp_path {folder}/{name}-proxy;
  fastcgi_temp_path {folder}/{name}-f; uwsgi_temp_path {folder}/{name}-u; scgi_temp_path {folder}/{name}-s;
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  {body}
}}
"""


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def wait_for(what: str, is_so) -> None:
    end = time.monotonic() + LONGEST_START_S
    while not is_so():
        if time.monotonic() > end:
            raise RuntimeError(f"waited in vain until {what}")
        time.sleep(0.02)


def family(pid: int) -> list[int]:
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]


def cpu_seconds(pids: list[int]) -> float:
    total = 0
    for pid in pids:
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


# nginx does not repeat a POST: one that meets a kept connection at the moment of its end (the clients of the
# run before have left) is a 502. Such a run is made again. rbee has one try: an error of its own is a defect.
TRIES_OF_OTHERS = 3


class Way:
    """An address to ask, and the processes between it and the engine."""

    def __init__(self, name: str, address: str, pids: list[int], whole_path: str = PATH,
                 stream_path: str = PATH, headers: tuple[str, ...] = (), tries: int = 1):
        self.name, self.address, self.pids = name, address, pids
        self.whole_path, self.stream_path, self.headers = whole_path, stream_path, headers
        self.tries = tries

    def ask(self, path: str, body: str, at_once: int, seconds: float) -> dict:
        """`body`: JSON, or @FILE."""
        command = [str(BUILD / "load"), self.address, path, "--body", body, "--connections", str(at_once),
                   "--seconds", str(seconds)]
        for header in self.headers:
            command += ["--header", header]
        for left in reversed(range(self.tries)):
            before = cpu_seconds(self.pids)
            said = json.loads(subprocess.run(command, capture_output=True, text=True).stdout)
            if not said["errors"]:
                return said | {"between_cpu_s": cpu_seconds(self.pids) - before}
            print(f"{self.name}: {said['errors']}; {left} more tries", file=sys.stderr)
        raise RuntimeError(f"{self.name}: {said['errors']}")

    def whole(self, at_once: int, seconds: float, body: str = json.dumps(WHOLE)) -> dict[str, float]:
        said = self.ask(self.whole_path, body, at_once, seconds)
        return {"per_second": said["per_second"], "cpu_us": 1e6 * said["between_cpu_s"] / said["requests"]}

    def streams(self, at_once: int, seconds: float) -> dict[str, float]:
        said = self.ask(self.stream_path, json.dumps(STREAM), at_once, seconds)
        return {"cpu_us": 1e6 * said["between_cpu_s"] / said["chunks"], "gap_ms": said["gap"]["p99"]}


class Bench:
    def __init__(self, folder: str):
        self.folder = pathlib.Path(folder)
        self.processes: list[subprocess.Popen] = []

    def __enter__(self) -> "Bench":
        return self

    def __exit__(self, *_failure: object) -> None:
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            process.wait(LONGEST_START_S)

    def start(self, command: list, **more: object) -> subprocess.Popen:
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen([str(word) for word in command], text=True, **(options | more))
        self.processes.append(process)
        return process

    def nginx(self, name: str, body: str) -> list[int]:
        """Its processes. `body` goes into its http block."""
        file = self.folder / f"{name}.conf"
        file.write_text(NGINX_COMMON.format(folder=self.folder, name=name, user=getpass.getuser(), body=body))
        process = self.start(["nginx", "-p", self.folder, "-c", file])
        wait_for(f"nginx ({name}) is up", lambda: len(family(process.pid)) > 1)
        return family(process.pid)

    def fake_pack(self) -> str:
        """A folder with the engine under the name of a real one."""
        pack = self.folder / "fake"
        pack.mkdir()
        shutil.copy(BUILD / "fake_engine", pack / "llama-server")
        return str(pack)

    def home(self, name: str) -> None:
        (self.folder / name).mkdir()
        (self.folder / name / "rbee.toml").write_text(f"[models.fake]\nslots = {SLOTS}\ncontext = 512\n")

    def rbee(self, program: str, home: str, *words: str) -> str:
        done = subprocess.run([program, *words], env=self.environment(home), capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"rbee {' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout.strip()

    def environment(self, home: str) -> dict:
        return os.environ | {"RBEE_HOME": str(self.folder / home), "RBEE_ENGINES": str(self.folder / "packs")}


def in_turns(ways: list[Way], rounds: int, ask) -> list[list[dict[str, float]]]:
    """Of each round what was measured of each way, in the ways' order; asked in the other order each time."""
    got = []
    for turn in range(rounds):
        each = {way.name: ask(way) for way in (ways if turn % 2 == 0 else ways[::-1])}
        got.append([each[way.name] for way in ways])
    return got


def compare(got: list[list[dict[str, float]]], what: str, unit: str, other: int = 1) -> tuple[float, str]:
    """The median ratio of the first way to another, and both figures in words."""
    ours, theirs = (statistics.median(each[i][what] for each in got) for i in (0, other))
    ratio = statistics.median(each[0][what] / each[other][what] for each in got)
    return ratio, f"[{ours:.4g} {unit} beside {theirs:.4g}]"
