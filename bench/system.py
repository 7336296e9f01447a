"""A real `rbee up --demo` in a folder of its own, and what /proc says of it."""
import json
import os
import pathlib
import subprocess
import time

from stream import get_json

LONGEST_START_S = 120


ROOT = pathlib.Path(__file__).resolve().parent.parent


def random_model(file: pathlib.Path, *sizes: str) -> None:
    """Makes a model of random weights (tools/make_model.py) where it is not there yet."""
    if file.exists():
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run([str(ROOT / "tools" / "make_model.py"), str(file), *sizes], check=True)


class System:
    def __init__(self, program: str, home: str, more: dict[str, str] | None = None):
        self.program, self.home = program, home
        self.environment = os.environ | {"RBEE_HOME": home} | (more or {})
        # What is measured here is not to meet a benchmark of rbee's own.
        pathlib.Path(home, "rbee.toml").write_text('[keeper]\nbenchmark = "never"\n', encoding="utf-8")

    def __enter__(self) -> "System":
        command = [self.program, "up", "--port", "0", "--demo", "--json"]
        self.process = subprocess.Popen(command, text=True, env=self.environment, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE)
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("`rbee up` did not start")
        self.address = json.loads(line)["address"]
        self.demo_model = self.wait_for_models()
        return self

    def __exit__(self, *_failure: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def wait_for_models(self) -> str:
        end = time.monotonic() + LONGEST_START_S
        while time.monotonic() < end:
            models = get_json(self.address, "/v1/models")["data"]
            if models and get_json(self.address, "/api/v1/workers")["workers"]:
                return models[0]["id"]
            time.sleep(0.05)
        raise RuntimeError("the demo model did not appear")

    def command(self, *words: str) -> None:
        subprocess.run([self.program, *words], env=self.environment, check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL)

    def engine_socket(self, model: str) -> str:
        """Of the engine that serves `model`: the one a direct client would have to know."""
        report = get_json(str(pathlib.Path(self.home) / "hive" / "hive.sock"), "/report")
        ids = {file["id"] for file in report["models"] if model in (file["id"], file["name"])}
        return next(e["socket"] for e in report["engines"] if e["model"] in ids and e["state"] == "ready")

    def cpu_seconds(self) -> float:
        """Of all threads, to the nanosecond: /proc/PID/stat counts in steps of 10 ms."""
        tasks = pathlib.Path(f"/proc/{self.process.pid}/task")
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir()) / 1e9

    def cpu_seconds_while_idle(self, seconds: int) -> float:
        time.sleep(2)  # what the last request left to do is not idling
        before = self.cpu_seconds()
        time.sleep(seconds)
        return self.cpu_seconds() - before

    def pss_bytes(self) -> int:
        rollup = pathlib.Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        return 1024 * next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))

    def forget_peak_rss(self) -> None:
        """From now on peak_rss_bytes() tells of what follows: a hive's start measures the memory's speed, for
        which it takes 256 MiB for a moment."""
        pathlib.Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def peak_rss_bytes(self) -> int:
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return 1024 * next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))
