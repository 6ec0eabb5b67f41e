"""A real Slurm on this machine for as long as a test runs: a controller and nodes, each a host of its own.

up.sh starts it (as root every node has its own name, address, processes and /dev/shm; else all share this host's), down.sh
ends it and all that its jobs left. A script is skipped where Slurm is not installed or such hosts can't be made.
"""
import os
import pathlib
import re
import subprocess
import sys
import time

import support
from support import PROGRAM, ROOT, SKIPPED

HERE = pathlib.Path(__file__).resolve().parent
ENDED = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "PREEMPTED", "BOOT_FAIL", "OUT_OF_MEMORY", "DEADLINE"}


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(SKIPPED)


class Cluster:
    def __init__(self, nodes=4, cores=2, **settings):
        if os.geteuid() != 0:
            skip("hosts of their own on one machine take root")
        hosts = subprocess.run(["unshare", "-n", "-u", "-m", "-p", "--fork", "--mount-proc", "true"], capture_output=True, text=True)
        if hosts.returncode != 0:
            skip(f"this machine makes no hosts of their own: {hosts.stderr.strip()}")
        started = subprocess.run([HERE / "up.sh", "-n", str(nodes), "-c", str(cores)], text=True, capture_output=True, timeout=120,
                                 env=os.environ | settings)
        if started.returncode == 77:
            skip(f"Slurm is not installed ({started.stderr.strip()}): launch/setup.sh --tests installs it")
        if started.returncode != 0:
            raise AssertionError(f"no Slurm could be started:\n{started.stdout}{started.stderr}")
        self.folder = pathlib.Path(started.stdout.strip().splitlines()[-1])
        settings = dict(line.removeprefix("export ").split("=", 1) for word in
                        (self.folder / "env.sh").read_text().splitlines() for line in word.split(" ") if "=" in line)
        settings["PATH"] = f"{self.folder}/bin:{os.environ['PATH']}:/usr/sbin:/sbin"
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM", "SBATCH", "OMPI", "OMP"))}
        self.environment = kept | settings | {"LOCKSTEP_ROOT": str(ROOT), "LOCKSTEP_BUILD": str(PROGRAM.parent.parent)}

    def stop(self):
        subprocess.run([HERE / "down.sh", self.folder], capture_output=True, timeout=60)

    def run(self, *words, folder, **environment):
        """A command on the login host, which is the controller's."""
        return subprocess.run([str(word) for word in (self.folder / "bin/on", "ctl", *words)], cwd=folder, text=True,
                              env=self.environment | environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)

    def done(self, *words, folder="/", **environment):
        result = self.run(*words, folder=folder, **environment)
        if result.returncode != 0:
            raise AssertionError(f"{' '.join(map(str, words))} ended with {result.returncode}:\n{result.stdout}{result.stderr}")
        return result.stdout

    def submit(self, script, *words, folder, resources=(), **environment):
        """The number of a job of slurm/`script`.sbatch: ten minutes at most, a core a rank."""
        return self.done("sbatch", "--parsable", "--time=10", "--cpus-per-task=1", *resources,
                         ROOT / f"slurm/{script}.sbatch", *words, folder=folder, **environment).strip()

    def job(self, number):
        """What Slurm says of a job, name by name; the last start's where there were several."""
        return dict(re.findall(r"(\w+)=(\S*)", self.done("scontrol", "show", "job", number)))

    def wait_for(self, number, reached, seconds=120):
        end = time.monotonic() + seconds
        while True:
            job = self.job(number)
            if reached(job):
                return job
            if job["JobState"] in ENDED or time.monotonic() > end:
                log = pathlib.Path(job["StdOut"]) if "StdOut" in job else None
                raise AssertionError(f"job {number} is {job['JobState']} ({job['Reason']}) after waiting; its log:\n"
                                     f"{log.read_text() if log and log.exists() else ''}")
            time.sleep(0.1)

    def wait(self, number, seconds=180):
        """Until it has ended well; its log."""
        job = self.wait_for(number, lambda job: job["JobState"] == "COMPLETED", seconds)
        return pathlib.Path(job["StdOut"]).read_text()

    def wait_until_idle(self, seconds=60):
        """A job has left its nodes only a while after it ended."""
        end = time.monotonic() + seconds
        while "node" in self.done("sinfo", "--noheader", "--Node", "--states=alloc,comp,mix", "--format=%N") and time.monotonic() < end:
            time.sleep(0.1)

    def wait_until_ended(self, number, seconds=120):
        return self.wait_for(number, lambda job: job["JobState"] in ENDED, seconds)["JobState"]
