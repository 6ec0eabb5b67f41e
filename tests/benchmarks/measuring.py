"""What the scripts that measure beside other programs share."""
import datetime
import json
import os
import pathlib
import platform
import subprocess


def run(words, timeout=1800, **settings):
    """A command's output; `settings` are added to its environment. The script ends with what it said if it fails."""
    done = subprocess.run([str(word) for word in words], text=True, capture_output=True, timeout=timeout,
                          env={**os.environ, **settings})
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, words))}\nended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def machine(workers):
    names = [line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
    return f"{workers} of {os.cpu_count()} cores, {names[0] if names else platform.machine()}, load {os.getloadavg()[0]:.1f} at the start"


def write_result(name, result, output=None):
    """Into `output`, else into results/ beside this script, with today's date."""
    date = datetime.date.today().isoformat()
    output = output or pathlib.Path(__file__).parent / "results" / f"{date}-{name}.json"
    output.parent.mkdir(exist_ok=True)
    output.write_text(json.dumps(dict(date=date, **result), indent=1, ensure_ascii=False) + "\n")
    print(f"written to {output}")
