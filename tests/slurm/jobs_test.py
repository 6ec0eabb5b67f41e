"""The job scripts on a real Slurm of four hosts: the same results on 1, 2 and 4 nodes, time limits, preemption, chains."""
import os
import pathlib
import random
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))
import support
from cluster import Cluster
from support import ROOT, SystemTest, files_below, read_json, read_log, write_ppm

ENDLESS = 100000
NETWORK = ("--filters", "8,16", "--kernels", 3, "--dense", 16, "--batch", 30, "--threads", 1)


def losses(run):
    """Of every step, the last word on each."""
    return {line["step"]: line["loss"] for line in read_log(run) if line["event"] == "step"}


def end_soon(run):
    """Lets a run of endless epochs end when it goes on. Returns its last epoch."""
    end = max(line.get("epoch", 0) for line in read_log(run)) + 3
    config = run / "config.ini"
    config.write_text(config.read_text().replace(f"epochs = {ENDLESS}\n", f"epochs = {end}\n"))
    return end


class OnACluster(SystemTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster = Cluster()
        cls.addClassCleanup(cls.cluster.stop)
        cls.data = cls.make_data(cls.shared / "data", images=240, side=32)

    def submit(self, script, *words, **more):
        return self.cluster.submit(script, *words, folder=self.folder, **more)

    def assert_same_curve(self, run, expected):
        found, whole = losses(run), losses(expected)
        self.assertEqual(sorted(found), sorted(whole))
        for step, loss in whole.items():
            self.assertAlmostEqual(found[step], loss, delta=1e-4 * loss, msg=f"step {step}")


class AnyNumberOfNodes(OnACluster):
    def trained(self, nodes, launcher, config, *words):
        name = f"{pathlib.Path(config).stem}-{nodes}-{launcher}"
        job = self.submit("train", "--config", ROOT / config, "--data", self.data, "--run", name, "--threads", 1, "--log-every", 1,
                          *words, resources=(f"--nodes={nodes}",), LOCKSTEP_LAUNCHER=launcher)
        log = self.cluster.wait(job)
        self.assertIn(f"{nodes} ranks by {launcher}", log)
        run = self.folder / name
        self.assertEqual(read_json(run / "run.json")["ranks"], nodes, log)
        return run

    def test_the_custom_network_learns_the_same_on_1_2_and_4_nodes(self):
        words = ("configs/custom_cnn.ini", "--batch", 24, "--max-steps", 5)
        alone = self.trained(1, "mpirun", *words)
        self.assertEqual(len(losses(alone)), 5)
        for nodes, launcher in ((2, "mpirun"), (4, "mpirun"), (1, "srun"), (4, "srun")):
            with self.subTest(nodes=nodes, launcher=launcher):
                self.assert_same_curve(self.trained(nodes, launcher, *words), alone)

    def test_resnet50_with_half_of_it_frozen_runs_on_1_2_and_4_nodes(self):
        words = ("configs/resnet50_freeze.ini", "--side", 32, "--batch", 8, "--max-steps", 2, "--allow-random-frozen", "--eval-split",
                 "none", "--no-tensorboard")
        for nodes, launcher in ((1, "mpirun"), (2, "srun"), (4, "mpirun")):
            with self.subTest(nodes=nodes, launcher=launcher):
                self.assertEqual(len(losses(self.trained(nodes, launcher, *words))), 2)

    def test_packing_makes_the_same_data_set(self):
        draw = random.Random(1)
        for number in range(90):
            colour = tuple(draw.randrange(256) for _ in range(3))
            write_ppm(self.folder / f"images/{('apple', 'pear', 'plum')[number % 3]}/{number}.ppm", 40, 30 + number % 7, colour)
        expected = None
        for nodes, launcher in ((1, "mpirun"), (2, "mpirun"), (4, "srun")):
            output = self.folder / f"data-{nodes}"
            self.cluster.wait(self.submit("preprocess", "--source", "class-folders", "--input", "images", "--output", output.name, "--side",
                                          24, resources=(f"--nodes={nodes}", "--ntasks-per-node=2"), LOCKSTEP_LAUNCHER=launcher))
            found = {name: (output / name).read_bytes() for name in files_below(output)}
            expected = expected or found
            self.assertEqual(sorted(found), sorted(expected))
            for name, content in expected.items():
                self.assertEqual(found[name], content, f"{name} on {nodes} nodes")

    def test_evaluation_finds_the_same_metrics(self):
        run, expected = self.make_run(self.data, self.folder / "run"), None
        for nodes, launcher in ((1, "mpirun"), (2, "srun"), (4, "mpirun")):
            self.cluster.wait(self.submit("evaluate", "--run", "run", "--split", "test", resources=(f"--nodes={nodes}",),
                                          LOCKSTEP_LAUNCHER=launcher))
            found = [(run / name).read_bytes() for name in ("metrics.json", "predictions.h5")]
            expected = expected or found
            self.assertEqual(found, expected, f"{nodes} nodes")

    def test_the_project_is_where_it_was_submitted_from(self):
        """Slurm runs a copy of the script; without LOCKSTEP_ROOT the folder of the submission counts."""
        job = self.cluster.submit("evaluate", "--run", "nowhere", folder=ROOT, resources=(f"--output={self.folder}/job.log",), LOCKSTEP_ROOT="")
        self.assertEqual(self.cluster.wait_until_ended(job), "FAILED")
        self.assertIn("no such run", (self.folder / "job.log").read_text())
        job = self.submit("evaluate", "--run", "nowhere", LOCKSTEP_ROOT="")
        self.assertEqual(self.cluster.wait_until_ended(job), "FAILED")
        self.assertIn(f"no lockstep project · {self.folder} · submit from", (self.folder / f"evaluate-{job}.log").read_text())


class GoingOn(OnACluster):
    """A training that is stopped by Slurm, on other nodes afterwards, beside one that never was.

    Plain gradient descent at a low rate: the order in which ranks add up, which differs, does not grow in hundreds of steps.
    """
    learning = (*NETWORK, "--optimiser", "sgd", "--momentum", 0, "--lr", 1e-3, "--log-every", 1, "--no-tensorboard")
    epochs = 30

    def setUp(self):
        super().setUp()
        self.run = self.folder / "run"
        self.addCleanup(self.cluster.wait_until_idle)

    def words(self, epochs=epochs):
        return ("--data", self.data, *self.learning, "--epochs", epochs, "--run", "run")

    def whole(self, epochs=epochs, ranks=0):
        whole = self.shared / f"whole-{epochs}-{ranks}"
        if not whole.exists():
            self.make_run(self.data, whole, *self.learning, "--epochs", epochs, ranks=ranks)
        return whole

    def steps(self):
        return len(losses(self.run)) if (self.run / "log.jsonl").exists() else 0

    def wait_for_steps(self, job, steps):
        self.cluster.wait_for(job, lambda _: self.steps() >= steps)

    def block(self, nodes, partition, seconds=600):
        """A job that takes so many nodes and keeps them."""
        job = self.cluster.done("sbatch", "--parsable", "--time=10", f"--nodes={nodes}", f"--partition={partition}", "--exclusive", "--output=/dev/null",
                                "--wrap", f"sleep {seconds}", folder=self.folder).strip()
        self.addCleanup(self.cluster.run, "scancel", job, folder="/")
        return job

    def assert_went_on(self, job, log, before, after, epochs=epochs, whole_by=0):
        self.assert_same_curve(self.run, self.whole(epochs, whole_by))
        starts = [line["ranks"] for line in read_log(self.run) if line["event"] in ("started", "resumed")]
        self.assertEqual(starts, [before, after], log)
        self.assertEqual([log.count(f"start {number}") for number in (1, 2, 3)], [1, 1, 0], "one log, appended to")
        self.assertEqual(self.cluster.job(job)["Restarts"], "1")

    def test_a_time_limit_is_followed_by_another_start_on_more_nodes(self):
        blocker = self.block(3, "main")
        self.cluster.wait_for(blocker, lambda job: job["JobState"] == "RUNNING")
        job = self.submit("train", *self.words(ENDLESS), resources=("--nodes=1-2", "--time=2", "--signal=B:USR2@115"))
        self.cluster.wait_for(job, lambda job: job["JobState"] == "PENDING" and self.steps() > 0, 150)
        self.cluster.done("scancel", blocker)
        end = end_soon(self.run)  # Slurm looks at its clock twice a minute: the run was to be long enough
        log = self.cluster.wait(job)
        self.assertIn("Slurm's warning", log)
        self.assert_went_on(job, log, 1, 2, end)

    def test_a_preemption_is_followed_by_another_start_on_fewer_nodes(self):
        job = self.submit("train", *self.words(), resources=("--nodes=2-4",))
        self.wait_for_steps(job, 3)
        self.block(2, "high")
        self.cluster.wait_for(job, lambda job: job["JobState"] == "PENDING")
        log = self.cluster.wait(job)
        self.assert_went_on(job, log, 4, 2)

    def test_where_requeueing_is_not_allowed_it_is_submitted_again(self):
        job = self.submit("train", *self.words(), resources=("--nodes=2", "--no-requeue"))
        follower = self.cluster.done("sbatch", "--parsable", "--time=1", f"--dependency=afterok:{job}", "--output=/dev/null", "--wrap", "true",
                                     folder=self.folder).strip()
        self.wait_for_steps(job, 3)
        self.cluster.done("scancel", "--signal=USR2", "--batch", job)
        self.assertEqual(self.cluster.wait_until_ended(job), "FAILED")
        log = (self.folder / f"train-{job}.log").read_text()
        self.assertIn("submitted again as job", log)
        again = log.split("submitted again as job ")[1].split()[0]
        self.cluster.wait(again)
        self.cluster.wait(follower)
        self.assert_same_curve(self.run, self.whole())

    def test_a_cancelled_job_stays_cancelled_and_can_be_gone_on_with(self):
        job = self.submit("train", *self.words(), resources=("--nodes=2",))
        self.wait_for_steps(job, 3)
        self.cluster.done("scancel", job)
        self.assertEqual(self.cluster.wait_until_ended(job), "CANCELLED")
        self.cluster.wait_for(job, lambda job: job["JobState"] == "CANCELLED" and not job.get("NodeList", "").endswith("+"))
        time.sleep(1)
        self.assertEqual(self.cluster.job(job)["JobState"], "CANCELLED")
        self.cluster.wait(self.submit("train", "--resume", "run", resources=("--nodes=4",)))
        self.assert_same_curve(self.run, self.whole())

    def test_out_of_time_without_a_warning_is_followed_by_another_start(self):
        job = self.submit("train", *self.words(ENDLESS), resources=("--nodes=2", "--time=1", "--signal=B:URG@10"))  # nobody listens to that one
        self.cluster.wait_for(job, lambda job: job["JobState"] == "PENDING" and self.steps() > 0, 150)
        end = end_soon(self.run)
        log = self.cluster.wait(job)
        self.assertNotIn("Slurm's warning", log)
        self.assert_went_on(job, log, 2, 2, end, whole_by=2)  # in thousands of steps the order does grow

    def test_a_packing_that_is_warned_goes_on_in_another_start(self):
        words = ("preprocess", "--source", "generated", "--images", 30000, "--side", 32, "--shard-mib", 1)
        packed = self.folder / "packed"
        job = self.submit(*words, "--output", packed, resources=("--nodes=2", "--ntasks-per-node=1"))
        first = self.cluster.wait_for(job, lambda _: len(list(packed.rglob("*.h5"))) > 2)["BatchHost"]
        self.cluster.done("scontrol", "update", f"NodeName={first}", "State=DRAIN", "Reason=test")
        self.addCleanup(self.cluster.done, "scontrol", "update", f"NodeName={first}", "State=RESUME")
        self.cluster.done("scancel", "--signal=USR2", "--batch", job)
        log = self.cluster.wait(job)
        self.assertIn("going on with an unfinished packing", log)
        self.assertNotIn("waiting up to", log, "what a start before has claimed is void, on whatever host")
        self.assertNotEqual(self.cluster.job(job)["BatchHost"], first)
        self.assertEqual(self.cluster.job(job)["Restarts"], "1")
        self.done(*words, "--output", self.folder / "whole")
        self.assertEqual(files_below(packed), files_below(self.folder / "whole"))
        for name in files_below(packed):
            self.assertEqual((packed / name).read_bytes(), (self.folder / "whole" / name).read_bytes(), name)

    def test_a_preemption_by_srun(self):
        """-K kills the ranks that are still ending when the first one has; what counts is the checkpoint."""
        job = self.submit("train", *self.words(), resources=("--nodes=3",), LOCKSTEP_LAUNCHER="srun")
        self.wait_for_steps(job, 3)
        blocker = self.block(2, "high")
        self.cluster.wait_for(job, lambda job: job["JobState"] == "PENDING")
        self.cluster.done("scancel", blocker)
        self.assert_went_on(job, self.cluster.wait(job), 3, 3)


class Untold(SystemTest):
    """A site that does not tell a job's script of a preemption, which is Slurm's default: the last checkpoint is what is left."""

    def test_a_preempted_job_goes_on_from_its_last_checkpoint(self):
        cluster = Cluster(SLURM_MINI_PREEMPT="")
        self.addCleanup(cluster.stop)
        data, run = self.make_data(self.folder / "data", images=240, side=32), self.folder / "run"
        job = cluster.submit("train", "--data", data, "--run", "run", *GoingOn.learning, "--epochs", ENDLESS, folder=self.folder, resources=("--nodes=2",))
        cluster.wait_for(job, lambda _: (run / "log.jsonl").exists() and len(losses(run)) > 10)
        cluster.done("sbatch", "--parsable", "--nodes=4", "--exclusive", "--partition=high", "--time=1", "--output=/dev/null", "--wrap", "sleep 2", folder="/")
        cluster.wait_for(job, lambda job: job["JobState"] == "PENDING")
        end = end_soon(run)
        self.assertIn("start 2", cluster.wait(job))
        whole = self.make_run(data, self.folder / "whole", *GoingOn.learning, "--epochs", end)
        self.assertEqual(sorted(losses(run)), sorted(losses(whole)))
        for step, loss in losses(whole).items():
            self.assertAlmostEqual(losses(run)[step], loss, delta=1e-4 * loss)


class Chains(OnACluster):
    def chain(self, *words):
        said = self.cluster.done(ROOT / "launch/submit", "--time", 10, "--cpus", 1, "--ranks", 1, *words, folder=self.folder)
        return [line.split()[1].rstrip(":") for line in said.splitlines() if line.startswith("job ")], said

    def test_three_jobs_one_after_the_other(self):
        jobs, said = self.chain("--nodes", 2, "preprocess", "--source", "generated", "--images", 120, "--side", 16, "--output", "a set", "then",
                                "--nodes", 4, "train", "--data", "a set", "--run", "run", *NETWORK, "--epochs", 1, "then",
                                "--nodes", 1, "evaluate", "--run", "run", "--split", "test")
        self.assertEqual(len(jobs), 3)
        logs = [self.cluster.wait(job) for job in jobs]
        for log, words in zip(logs, ("packed", "4 ranks by mpirun", "accuracy")):
            self.assertIn(words, log)
        self.assertIn("test", read_json(self.folder / "run/metrics.json")["splits"])
        self.assertIn(f"tail -F preprocess-{jobs[0]}.log", said)

    def test_a_link_that_fails_stops_the_rest_with_a_message(self):
        jobs, _ = self.chain("train", "--data", self.data, "--run", "run", *NETWORK, "--epochs", 1, "--filters", "0", "then",
                             "evaluate", "--run", "run", "then", "evaluate", "--run", "run", "--split", "test")
        self.assertEqual(self.cluster.wait_until_ended(jobs[0]), "FAILED")
        log = (self.folder / f"train-{jobs[0]}.log").read_text()
        self.assertIn("jobs that wait for this one to succeed will not start", log)
        for job in jobs[1:]:
            self.assertEqual(self.cluster.wait_until_ended(job), "CANCELLED")
        self.assertFalse((self.folder / f"evaluate-{jobs[1]}.log").exists())


if __name__ == "__main__":
    support.main()
