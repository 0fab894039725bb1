"""Entrain's speed as figures: `tools/bench` builds the programs and runs this. Each figure is a function in one of the modules below; a new one needs
the decorator `measures` and nothing else. Every ratio is measured side by side in one run."""
import argparse
import json
import sys
from pathlib import Path

import harness
import ngspice_engine  # noqa: F401  (registers its figures)
import phase_over_circuit  # noqa: F401
import phase_engine  # noqa: F401  (registers its figures)


def wanted(names, everything):
    known = [name for m in harness.MEASUREMENTS for name in m.names]
    unknown = [name for name in names if name not in known]
    if unknown:
        sys.exit(f"bench: there is no figure {', '.join(unknown)} (expected {', '.join(known)})")
    for m in harness.MEASUREMENTS:
        chosen = [name for name in m.names if name in names or (not names and (everything or not m.long))]
        if chosen:
            yield m, chosen


def measure(measurement, chosen):
    for name in chosen if measurement.by_name else chosen[:1]:
        harness.say(f"measuring {name if measurement.by_name else ', '.join(chosen)} ({harness.load_average()})")
        figures = measurement.run(name) if measurement.by_name else measurement.run()
        yield from ((n, f) for n, f in figures.items() if n in chosen)


def main():
    parser = argparse.ArgumentParser(prog="tools/bench", description="Measures Entrain's speed, prints a table and writes bench.json.")
    parser.add_argument("--out", type=Path, default=Path("bench.json"))
    parser.add_argument("--list", action="store_true", help="say what the figures are")
    parser.add_argument("--all", action="store_true", help="long ones too")
    parser.add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args()
    if options.list:
        for m in harness.MEASUREMENTS:
            print(f"{', '.join(m.names)}{' (long)' if m.long else ''}\n    {m.text}")
        return 0

    harness.SCRATCH.mkdir(parents=True, exist_ok=True)
    written, failed = {}, False
    print(f"{'figure':<24} {'value':>10}  {'unit':<8} {'better':<7} note")
    for measurement, chosen in wanted(options.names, options.all):
        try:
            for name, figure in measure(measurement, chosen):
                written[name] = vars(figure)
                print(f"{name:<24} {figure.value:>10.4g}  {figure.unit:<8} {figure.better:<7} {figure.note}", flush=True)
                options.out.write_text(json.dumps(written, indent=2) + "\n")
        except RuntimeError as error:
            failed = True
            harness.say(f"{', '.join(chosen)} failed: {error}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
