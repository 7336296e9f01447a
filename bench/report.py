"""The goals of a benchmark: each met or missed, with its ratio."""


class Report:
    def __init__(self) -> None:
        self.rows: list[tuple[str, str, str, str, str]] = []

    def goal(self, what: str, got: float, limit: float, unit: str = "", more: str = "") -> None:
        self._add(what, (got, limit, unit), got <= limit, "at most", more)

    def at_least(self, what: str, got: float, limit: float, unit: str = "", more: str = "") -> None:
        self._add(what, (got, limit, unit), got >= limit, "at least", more)

    def _add(self, what: str, measured: tuple[float, float, str], is_met: bool, bound: str,
             more: str) -> None:
        got, limit, unit = measured
        verdict, ratio = "met" if is_met else "missed", f"{got / limit:.2f}"
        is_text, limit_text = f"{got:.3g} {unit}".strip(), f"{limit:.3g} {unit}".strip()
        sign = "<=" if bound == "at most" else ">="
        self.rows.append((what, is_text, f"{sign} {limit_text}", ratio, verdict))
        line = f"{verdict:6} {what}: {is_text} of {bound} {limit_text} (ratio {ratio}) {more}"
        print(line.rstrip(), flush=True)

    def figure(self, what: str, text: str) -> None:
        self.rows.append((what, text, "-", "-", "-"))
        print(f"       {what}: {text}", flush=True)

    def markdown(self) -> str:
        lines = ["| what | measured | goal | ratio | |", "|---|---|---|---|---|"]
        return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in self.rows])

    def missed(self) -> bool:
        return any(row[4] == "missed" for row in self.rows)
