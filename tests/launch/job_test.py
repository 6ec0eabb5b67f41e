"""Tests of launch/job.sh through the job scripts, with launchers and a Slurm of our own that tell how they were called."""
import os
import pathlib
import signal
import subprocess
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Tells its words and environment; runs for $WAITS seconds or until SIGUSR2 (the second one if it is $DEAF), then ends with $CODE.
LAUNCHER = r"""#!/bin/bash
{ printf 'word %s\n' "$(basename "$0")" "$@"; env; } >"$TOLD.new" && mv "$TOLD.new" "$TOLD"
trap 'echo USR2 >>"$SIGNALS"; [[ -n ${DEAF-} && $(wc -l <"$SIGNALS") -lt 2 ]] || exit "${CODE:-75}"' USR2
trap 'echo TERM >>"$SIGNALS"; exit 1' TERM  # as mpirun does
for ((i = 0; i < ${WAITS:-0} * 20; ++i)); do sleep 0.05; done
exit "${CODE:-0}"
"""
# Slurm's commands: each call is a line of $CALLS.
SCONTROL = r"""#!/bin/bash
echo "scontrol $*" >>"$CALLS"
if [[ -s ${AWAY-} ]]; then sed -i 1d "$AWAY"; exit 1; fi
case $1 in
  show) printf 'JobId=%s JobName=train\n   JobState=%s Reason=%s\n   PreemptTime=%s TimeLimit=02:00:00\n   NumNodes=2-8 Features=%s\n' \
          "$3" "${STATE:-RUNNING}" "${REASON:-None}" "${PREEMPTED:-None}" "${FEATURES:-(null)}"
        printf '   MinMemoryNode=8G TresPerNode=gres:gpu:2 TresPerJob=%s OverSubscribe=NO\n   StdOut=/my logs/train-7.log\n' \
          "${JOB_GPUS:-gres:gpu:8}" ;;
  requeue) [[ ${REQUEUE:-0} == 0 ]] || { echo "Requested operation is presently disabled" >&2; exit 1; } ;;
  write) printf '#!/bin/bash\n#SBATCH --dependency=afterok:3\n#SBATCH --nodes=1\n' >"$4" ;;
esac
"""
SQUEUE = r"""#!/bin/bash
echo "squeue $*" >>"$CALLS"
printf '8 afterok:7(unfulfilled)\n9 afterok:77(unfulfilled)\n'
"""
SBATCH = '#!/bin/bash\necho "sbatch $*" >>"$CALLS"\nfor script; do [[ ! -f $script ]] || cp "$script" "$CALLS.script"; done\nenv | grep -q OMP_NUM_THREADS && exit 1\n[[ -z ${SBATCH_FAILS-} ]] && echo 81\n'


class Job(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name).resolve()
        (self.folder / "build/bin").mkdir(parents=True)
        self.add_program("build/bin/lockstep", "#!/bin/bash\n")
        (self.folder / "bin").mkdir()
        for name, text in {"mpirun": LAUNCHER, "srun": LAUNCHER, "scontrol": SCONTROL, "squeue": SQUEUE, "sbatch": SBATCH}.items():
            self.add_program(f"bin/{name}", text)
        self.told, self.signals, self.calls = (self.folder / name for name in ("told", "signals", "calls"))
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("OMP", "MALLOC", "SLURM", "LOCKSTEP"))}
        self.environment = kept | {
            "PATH": f"{self.folder}/bin:{os.environ['PATH']}", "TOLD": str(self.told), "SIGNALS": str(self.signals),
            "CALLS": str(self.calls), "LOCKSTEP_ROOT": str(ROOT), "LOCKSTEP_BUILD": str(self.folder / "build"),
            "SLURM_JOB_ID": "7", "SLURM_JOB_NODELIST": "node[1-3]",
            "SLURM_JOB_NUM_NODES": "3", "SLURM_TASKS_PER_NODE": "2(x3)", "SLURM_NTASKS_PER_NODE": "2", "SLURM_NTASKS": "6",
            "SLURM_CPUS_PER_TASK": "4", "SLURM_JOB_PARTITION": "main", "SLURM_JOB_NAME": "train", "SLURM_SUBMIT_DIR": "/"}

    def add_program(self, name, text):
        (self.folder / name).write_text(text)
        (self.folder / name).chmod(0o755)

    def start(self, script, *words, **environment):
        return subprocess.Popen(["bash", ROOT / f"slurm/{script}.sbatch", *words], env=self.environment | environment, cwd=self.folder,
                                text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def end(self, process):
        said = process.communicate(timeout=30)[0]
        return process.returncode, said

    def job(self, script, *words, **environment):
        return self.end(self.start(script, *words, **environment))

    def words(self):
        return [line[5:] for line in self.told.read_text().splitlines() if line.startswith("word ")]

    def told_environment(self):
        return dict(line.split("=", 1) for line in self.told.read_text().splitlines() if "=" in line)

    def called(self, name):
        lines = self.calls.read_text().splitlines() if self.calls.exists() else []
        return [line for line in lines if line.startswith(name)]

    def make_run(self, step=0, starts=()):
        run = self.folder / "run"
        (run / f"checkpoints/step-{step:08}").mkdir(parents=True)
        (run / "run.json").write_text("{}")
        if starts:
            (run / "starts.txt").write_text("".join(f"{start} job 7\n" for start in starts))
        return run

    def wait_until(self, reached):
        end = time.monotonic() + 20
        while not reached() and time.monotonic() < end:
            time.sleep(0.02)
        self.assertTrue(reached())

    def wait_for(self, path):
        self.wait_until(path.exists)

    def warned(self, script, *words, after="USR2", **environment):
        """A job that gets a signal once its ranks run."""
        process = self.start(script, *words, **({"WAITS": "15"} | environment))
        self.wait_for(self.told)
        process.send_signal(getattr(signal, f"SIG{after}"))
        return self.end(process)


class Ranks(Job):
    def test_as_many_as_nodes_have_tasks(self):
        code, said = self.job("train", "--data", "a set", "--run", "run", SLURM_NTASKS="9")  # of an earlier start
        self.assertEqual(code, 0, said)
        self.assertEqual(self.words(), ["mpirun", "-np", "6", f"{self.folder}/build/bin/lockstep", "train", "--data", "a set", "--run", "run"])
        self.assertIn("job 7 on node[1-3]: 6 ranks by mpirun, start 1", said)
        for gone in ("SLURM_NTASKS_PER_NODE", "SLURM_NTASKS"):
            del self.environment[gone]
        self.job("evaluate", "--run", "run", SLURM_TASKS_PER_NODE="16(x3)")
        self.assertEqual(self.words()[:3], ["mpirun", "-np", "3"])
        self.assertEqual(self.told_environment()["SLURM_TASKS_PER_NODE"], "1(x3)", "else mpirun puts all of them on the first node")
        self.job("evaluate", SLURM_NTASKS="5")
        self.assertEqual(self.words()[:3], ["mpirun", "-np", "5"])

    def test_by_srun(self):
        self.job("train", LOCKSTEP_LAUNCHER="srun")
        self.assertEqual(self.words()[:5], ["srun", "--mpi=pmix", "-K", "-n", "6"])
        self.assertEqual(self.job("train", LOCKSTEP_LAUNCHER="ssh")[0], 2)
        site = self.folder / "site.sh"
        site.write_text("export LOCKSTEP_LAUNCHER=srun\n")
        self.job("train", LOCKSTEP_SITE=str(site))
        self.assertEqual(self.words()[0], "srun")
        self.job("train", LOCKSTEP_SITE=str(site), LOCKSTEP_LAUNCHER="mpirun")
        self.assertEqual(self.words()[0], "mpirun", "said for this job")

    def test_steps_get_the_cores_of_their_tasks(self):
        """A daemon of mpirun is one task that holds all ranks of its node."""
        self.job("train")
        self.assertEqual(self.told_environment()["SRUN_CPUS_PER_TASK"], "8")
        self.job("train", LOCKSTEP_LAUNCHER="srun")
        self.assertEqual(self.told_environment()["SRUN_CPUS_PER_TASK"], "4")
        self.job("train", SLURM_TASKS_PER_NODE="2(x2),1")
        self.assertNotIn("SRUN_CPUS_PER_TASK", self.told_environment())

    def test_no_transport_is_chosen_and_what_the_site_set_stays(self):
        self.job("train", OMPI_MCA_btl="ofi,self", OMP_NUM_THREADS="3")
        told = self.told_environment()
        self.assertEqual((told["OMPI_MCA_btl"], told["OMP_NUM_THREADS"]), ("ofi,self", "3"))
        self.job("train")
        told = self.told_environment()
        self.assertFalse([name for name in told if name.startswith("OMPI_MCA_") and any(word in name for word in ("btl", "pml", "mtl", "tcp"))])
        self.assertNotIn("NCCL_SOCKET_IFNAME", told)
        self.job("train", SLURM_EXPORT_ENV="NONE")
        self.assertEqual(self.told_environment()["SLURM_EXPORT_ENV"], "ALL", "srun starts mpirun's daemons")

    def test_the_site_is_read_first(self):
        site = self.folder / "site.sh"
        site.write_text('site_modules() { echo "modules $undefined"; false; PATH=$PATH:/of/modules; }\nexport OMPI_MCA_btl_tcp_if_include=ib0\n')
        code, said = self.job("train", LOCKSTEP_SITE=str(site))
        self.assertEqual(code, 0, said)
        self.assertIn("modules", said)
        told = self.told_environment()
        self.assertTrue(told["PATH"].endswith(":/of/modules"))
        self.assertEqual(told["OMPI_MCA_btl_tcp_if_include"], "ib0")

    def test_what_is_missing_is_named(self):
        code, said = self.job("train", LOCKSTEP_BUILD="/nowhere")
        self.assertEqual(code, 1)
        self.assertIn("the program is not built · /nowhere/bin/lockstep · run launch/quickstart.sh, or name the build folder", said)
        code, said = self.job("train", LOCKSTEP_SITE="/nowhere.sh")
        self.assertEqual(code, 1)
        self.assertIn("there is no such site file · LOCKSTEP_SITE=/nowhere.sh", said)
        code, said = self.job("train", LOCKSTEP_ROOT="/nowhere")
        self.assertEqual(code, 2)
        self.assertIn("no lockstep project · /nowhere · submit from", said)

    def test_a_failure_is_the_jobs_and_says_what_follows(self):
        code, said = self.job("train", CODE="71")
        self.assertEqual(code, 71)
        self.assertIn("ended with 71: jobs that wait for this one to succeed will not start", said)
        self.assertEqual(self.called("scontrol requeue"), [])


class GoingOn(Job):
    def test_another_start_resumes_the_run(self):
        self.make_run(step=12)
        self.job("train", "--data", "d", "--run=run", SLURM_RESTART_COUNT="1")
        self.assertEqual(self.words()[4:], ["train", "--resume", "run"])
        self.assertTrue((self.folder / "run/starts.txt").read_text().startswith("12 job 7, start 2, "))

    def test_a_first_start_does_not(self):
        self.make_run()
        self.job("train", "--data", "d", "--run", "run")
        self.assertEqual(self.words()[4:], ["train", "--data", "d", "--run", "run"], "the program says that the folder is there")

    def test_a_start_before_the_folder_was_there_begins(self):
        self.job("train", "--data", "d", "--run", "run", SLURM_RESTART_COUNT="1")
        self.assertEqual(self.words()[4:], ["train", "--data", "d", "--run", "run"])

    def test_a_warning_ends_the_training_and_requeues_the_job(self):
        code, said = self.warned("train", "--run", "run")
        self.assertEqual((code, self.signals.read_text().split()), (75, ["USR2"]))
        self.assertEqual(self.called("scontrol requeue"), ["scontrol requeue 7"])
        self.assertIn("requeued", said)

    def test_a_warning_before_the_ranks_can_hear_it_requeues_too(self):
        self.assertEqual(self.warned("train", CODE="140")[0], 75)  # 128 + SIGUSR2
        self.assertEqual(self.called("scontrol requeue"), ["scontrol requeue 7"])

    def test_an_error_after_a_warning_is_an_error(self):
        self.assertEqual(self.warned("train", CODE="1")[0], 1)
        self.assertEqual(self.called("scontrol requeue"), [])

    def test_a_stop_that_slurm_did_not_ask_for_is_final(self):
        code, said = self.job("train", CODE="75")
        self.assertEqual(code, 75)
        self.assertEqual(self.called("scontrol requeue"), [])

    def test_the_end_of_a_preempted_job_is_a_warning_that_of_a_cancelled_one_is_not(self):
        self.assertEqual(self.warned("train", after="TERM")[0], 75)
        self.assertEqual(self.called("scontrol requeue"), ["scontrol requeue 7"])
        self.calls.unlink()
        self.told.unlink()
        self.assertEqual(self.warned("train", after="TERM", STATE="CANCELLED")[0], 75)
        self.assertEqual(self.called("scontrol requeue"), [])
        for script, code, waits in (("train", "1", "15"), ("evaluate", "1", "1"), ("evaluate", "205", "1")):
            self.calls.unlink()
            self.told.unlink()
            self.assertEqual(self.warned(script, after="TERM", CODE=code, WAITS=waits)[0], 75)
            self.assertEqual(self.called("scontrol requeue"), ["scontrol requeue 7"])

    def test_a_job_that_ran_out_of_time_goes_on_from_its_last_checkpoint(self):
        over = {"after": "TERM", "STATE": "COMPLETING", "REASON": "TimeLimit"}
        for code in ("137", "1"):
            self.assertEqual(self.warned("train", CODE=code, **over)[0], 75)
            self.assertEqual(self.called("scontrol requeue"), ["scontrol requeue 7"], "once")
            self.calls.unlink()
            self.told.unlink()
        process = self.start("train", WAITS="15", DEAF="1", STATE="COMPLETING", REASON="TimeLimit")
        self.wait_for(self.told)
        process.send_signal(signal.SIGTERM)
        self.wait_for(self.calls)
        self.wait_until(lambda: self.called("scontrol requeue"))  # before Slurm loses its patience with ranks that do not end
        process.kill()
        process.communicate()

    def test_an_evaluation_that_ran_out_of_time_would_again(self):
        self.assertEqual(self.warned("evaluate", after="TERM", STATE="COMPLETING", REASON="TimeLimit", CODE="1", WAITS="1")[0], 1)
        self.assertEqual(self.called("scontrol requeue"), [])

    def test_ranks_are_reminded(self):
        """A signal before mpirun has started them goes nowhere."""
        process = self.start("train", WAITS="15", DEAF="1")
        self.wait_for(self.told)
        process.send_signal(signal.SIGUSR2)
        self.wait_until(lambda: self.signals.exists() and self.signals.read_text().split() == ["USR2", "USR2"])
        self.assertEqual(self.end(process)[0], 75)

    def test_a_controller_that_is_away_for_a_moment(self):
        away = self.folder / "away"
        away.write_text("requeue\nshow\n")  # calls that get no answer
        code, said = self.warned("train", AWAY=str(away))
        self.assertEqual((code, len(self.called("scontrol requeue"))), (75, 2), said)

    def test_what_was_said_beside_resume_is_said_again(self):
        self.make_run(step=12)
        self.job("train", "--resume", "run", "--epochs", "40", SLURM_RESTART_COUNT="1")
        self.assertEqual(self.words()[4:], ["train", "--resume", "run", "--epochs", "40"])

    def test_a_preemption_that_nobody_told_of(self):
        self.assertEqual(self.job("train", CODE="205", PREEMPTED="2026-11-22T10:00:00")[0], 75)
        self.assertEqual(self.called("scontrol requeue"), ["scontrol requeue 7"])
        self.calls.unlink()
        self.assertEqual(self.job("train", CODE="205")[0], 205)
        self.assertEqual(self.called("scontrol requeue"), [])
        self.assertEqual(self.job("evaluate", CODE="205", PREEMPTED="2026-11-22T10:00:00")[0], 75)
        self.assertEqual(self.called("scontrol requeue"), ["scontrol requeue 7"])

    def test_a_warning_while_modules_are_loaded(self):
        site = self.folder / "site.sh"
        site.write_text("site_modules() { kill -USR2 $$; sleep 0.1; }\n")
        self.assertEqual(self.job("train", LOCKSTEP_SITE=str(site))[0], 75)
        self.assertFalse(self.told.exists())
        self.assertEqual(self.called("scontrol requeue"), ["scontrol requeue 7"])

    def test_the_folder_may_stand_in_the_config_file(self):
        self.make_run(step=4)
        (self.folder / "c.ini").write_text("[data]\n run = run \r\n")
        self.job("train", "--config", "c.ini", SLURM_RESTART_COUNT="1")
        self.assertEqual(self.words()[4:], ["train", "--resume", "run"])

    def test_a_packing_without_progress_ends(self):
        data = self.folder / "data"
        data.mkdir()
        words = ("preprocess", "--output", "data")
        for count, refused in ((0, False), (0, False), (0, True)):
            code, said = self.job(*words, SLURM_RESTART_COUNT="1", CODE="71")
            self.assertEqual("no progress in 3 starts" in said, refused, said)
        (data / "shard.h5").touch()
        self.assertEqual(self.job(*words, SLURM_RESTART_COUNT="4")[0], 0)
        self.assertFalse((self.folder / "data.starts").exists())
        self.assertEqual([path.name for path in data.iterdir()], ["shard.h5"], "the data set is the packing's alone")

    def test_a_packing_is_ended_at_once_and_gone_on_with(self):
        code, _ = self.warned("preprocess", "--output", "data")
        self.assertEqual((code, self.signals.read_text().split()), (75, ["TERM"]))
        self.assertEqual(self.called("scontrol requeue"), ["scontrol requeue 7"])

    def test_without_requeueing_it_is_submitted_again_and_so_are_who_wait(self):
        code, said = self.warned("train", "--run", "a run", REQUEUE="1", SLURM_JOB_ACCOUNT="us", SLURM_JOB_QOS="long", FEATURES="h100")
        self.assertEqual(code, 75, said)
        submitted, = self.called("sbatch")
        for words in ("--partition main", "--nodes 2-8", "--time 02:00:00", "--account us", "--gres gpu:2", "--ntasks-per-node 2",
                      "--cpus-per-task 4", "--qos long", "--constraint h100", "--mem 8G", "--exclusive", "--output /my logs/train-7.log", "--gpus 8", "LOCKSTEP_SUBMITTED_AGAIN=7", "--run a run"):
            self.assertIn(words, submitted)
        self.assertEqual((self.folder / "calls.script").read_text(), "#!/bin/bash\n#SBATCH --nodes=1\n", "what it waited for is done")
        self.assertEqual(self.called("scontrol update"), ["scontrol update JobId=8 Dependency=afterok:81"])
        self.assertIn("it can't be requeued: Requested operation is presently disabled", said)
        self.calls.unlink()
        self.told.unlink()
        del self.environment["SLURM_NTASKS_PER_NODE"]
        self.warned("train", "--run", "a run", REQUEUE="1", JOB_GPUS="(null)")
        self.assertIn("--ntasks 6", self.called("sbatch")[0])
        self.assertNotIn("--gpus", self.called("sbatch")[0])
        self.make_run(step=3)
        self.job("train", "--run", "run", LOCKSTEP_SUBMITTED_AGAIN="1")
        self.assertEqual(self.words()[4:], ["train", "--resume", "run"])

    def test_where_neither_is_possible_the_way_on_is_said(self):
        code, said = self.warned("train", REQUEUE="1", SBATCH_FAILS="1")
        self.assertEqual(code, 75)
        self.assertIn("can be neither requeued nor submitted again · job 7 · submit it by hand", said)

    def test_three_starts_without_progress_are_enough(self):
        for step, starts, refused in ((0, (0, 0), True), (0, (0,), False), (5, (5, 5), False), (5, (5, 5, 5), True), (6, (5, 5, 5), False),
                                      (5, (0, 0, 5, 5), False)):
            with self.subTest(step=step, starts=starts):
                for path in sorted(self.folder.glob("run/**/*"), reverse=True) + [self.folder / "run"]:
                    if path.exists():
                        path.rmdir() if path.is_dir() else path.unlink()
                self.told.unlink(missing_ok=True)
                self.make_run(step, starts)
                code, said = self.job("train", "--run", "run", SLURM_RESTART_COUNT="3")
                self.assertEqual(code, 1 if refused else 0, said)
                self.assertEqual(self.told.exists(), not refused)
                if refused:
                    self.assertIn(f"no progress in 3 starts: the run is still at step {step} · run/starts.txt · see the log", said)


if __name__ == "__main__":
    unittest.main(verbosity=2)
