# What the job scripts of slurm/ share: the site, the program, starting ranks, warnings, going on after a stop. Sourced
# inside a Slurm job, with `root` set to the project.
#
#   run_job train|preprocess|evaluate [its options ...]
#
# Slurm warns the script (SIGUSR2, asked for by --signal=B:USR2@120) before the time limit and, where the site says so, at
# a preemption. A training then ends after its step with everything saved (exit code 75), a packing keeps what is packed;
# the job requeues itself, or submits itself again where requeueing is not allowed, and goes on with whatever nodes it gets.
source "$root/launch/common.sh"

# --- warnings ---------------------------------------------------------------------------------------------------------
# First of all: what comes while modules are loaded counts, too.
warned=false     # Slurm wants this start to end, and there shall be another
terminated=false # processes were sent SIGTERM, after which mpirun ends with 1
next_start=      # how it has been arranged
launcher_pid= reminder_pid= command=
on_warning() {
  warned=true
  say "Slurm's warning: stopping, to go on in another start of this job"
  ask_ranks_to_stop
}
# The end: of a preempted job, which still runs, or of one that ran out of time, whose script may be killed before the ranks
# have ended; an evaluation would run out of it again. Else it was cancelled, which is final.
on_end() {
  warned=false terminated=true
  if [[ $(job_field JobState) == RUNNING ]]; then
    warned=true
  elif [[ $(job_field Reason) == TimeLimit && -n $command && $command != evaluate ]]; then
    warned=true
    arrange_next_start
  fi
  ask_ranks_to_stop
}
trap on_warning USR2
trap on_end TERM

job_field() {  # NAME: of Slurm's record of this job
  scontrol show job "$SLURM_JOB_ID" 2>/dev/null | tr ' ' '\n' | sed -n "s/^$1=//p" | head -1 || true
}

# Ranks of a training stop after their step. They are asked until they do: a signal finds nobody before they have begun.
# A packing is ended at once: what is packed stays, whenever it ends.
ask_ranks_to_stop() {
  [[ -n $launcher_pid ]] || return 0
  if [[ $command == train ]]; then
    kill -USR2 "$launcher_pid" 2>/dev/null || true
    [[ -n $reminder_pid ]] || remind_ranks
  elif [[ $command == preprocess ]]; then
    terminated=true
    kill -TERM "$launcher_pid" 2>/dev/null || true
  fi
}
remind_ranks() {
  (
    trap - USR2 TERM
    while sleep 10 && kill -USR2 "$launcher_pid"; do :; done 2>/dev/null
  ) >/dev/null &
  reminder_pid=$!
}

# --- the site ---------------------------------------------------------------------------------------------------------
site=${LOCKSTEP_SITE:-$root/launch/site.sh}
[[ -z ${LOCKSTEP_SITE:-} || -r $site ]] || fail "there is no such site file" "LOCKSTEP_SITE=$site" "name one that every node can read"
launcher=${LOCKSTEP_LAUNCHER:-}  # what was said for this job wins over the site
site_modules() { :; }
# Scripts of module systems read variables that nobody has set.
set +eu
[[ ! -r $site ]] || source "$site"
site_modules
set -eu
# Where jobs are submitted with --export=NONE, srun would start ranks and mpirun's daemons without the modules.
export SLURM_EXPORT_ENV=ALL

# --- ranks ------------------------------------------------------------------------------------------------------------
# By nodes, which may be others in each start: SLURM_NTASKS stays what was asked for first. A rank a node where nothing is
# said; mpirun counts its places by SLURM_TASKS_PER_NODE, which then has as many as fit on a node that is this job's alone.
if [[ -v SLURM_NTASKS_PER_NODE ]]; then
  ranks=$((SLURM_NTASKS_PER_NODE * SLURM_JOB_NUM_NODES))
  ((ranks <= ${SLURM_NTASKS:-ranks})) || ranks=$SLURM_NTASKS
elif [[ -v SLURM_NTASKS ]]; then
  ranks=$SLURM_NTASKS
else
  ranks=${SLURM_JOB_NUM_NODES:-1}
  export SLURM_TASKS_PER_NODE="1(x$ranks)"
fi
# Of the first node; "4(x2),3" are 4, 4 and 3.
ranks_here=${SLURM_TASKS_PER_NODE:-1}
ranks_here=${ranks_here%%[(,]*}
source "$root/launch/env.sh"

# srun of 22.05 to 23.02 reads this instead of SLURM_CPUS_PER_TASK. mpirun starts one daemon a node by srun, with a task for all
# its ranks.
set_step_cores() {
  [[ -v SLURM_CPUS_PER_TASK ]] || return 0
  if [[ $launcher == srun ]]; then
    default SRUN_CPUS_PER_TASK "$SLURM_CPUS_PER_TASK"
  elif [[ ${SLURM_TASKS_PER_NODE:-1} != *,* ]]; then
    default SRUN_CPUS_PER_TASK $((SLURM_CPUS_PER_TASK * ranks_here))
  fi
}

launcher=${launcher:-${LOCKSTEP_LAUNCHER:-mpirun}}
launch_words() {
  case $launcher in
    mpirun) launch=(mpirun -np "$ranks") ;;
    # -K: a rank that dies takes the others with it, which would wait for it else.
    srun) launch=(srun --mpi=pmix -K -n "$ranks") ;;
    *) usage_fail "LOCKSTEP_LAUNCHER is '$launcher'" "environment" "say mpirun or srun" ;;
  esac
  command -v "${launch[0]}" >/dev/null ||
    fail "${launch[0]} is missing" "PATH of $(hostname)" "load Open MPI's module in site_modules of $site"
}

# --- going on ---------------------------------------------------------------------------------------------------------
# option_value NAME WORD...: the value of the last --NAME among the words; empty if there is none.
option_value() {
  local name=--$1 value=
  shift
  while (($#)); do
    case $1 in
      "$name") value=${2-} ;;
      "$name"=*) value=${1#*=} ;;
    esac
    shift
  done
  printf '%s' "$value"
}

# The folder of a training: said, or in its config file.
run_of() {  # WORD...
  local run config
  run=$(option_value run "$@")
  [[ -n $run ]] || run=$(option_value resume "$@")
  config=$(option_value config "$@")
  [[ -n $run || ! -r $config ]] || run=$(sed -n 's/^[[:space:]]*run[[:space:]]*=[[:space:]]*\(.*[^[:space:]]\)[[:space:]]*$/\1/p' "$config" | tail -1)
  printf '%s' "$run"
}

newest_step() {  # of the checkpoints of a run
  local newest
  newest=$(ls "$1/checkpoints" 2>/dev/null | sed -n 's/^step-\([0-9]*\).*/\1/p' | sort -n | tail -1)
  printf '%s' "$((10#${newest:-0}))"
}
packed_shards() { find "$1" -name '*.h5' 2>/dev/null | wc -l; }

# refuse_without_progress FILE PROGRESS WHAT HINT: a line of FILE for each start but the first, with how far the work was then.
# The first one began at 0.
refuse_without_progress() {
  local starts=$1 progress=$2 in_vain
  in_vain=$({ echo 0; [[ ! -f $starts ]] || cut -d' ' -f1 "$starts"; } | tac |
    awk -v now="$progress" '$1 != now { exit } { n++ } END { print n + 0 }')
  ((in_vain < 3)) || fail "no progress in $in_vain starts: $3" "$starts" "see the log of the job; $4, then remove this file and submit again"
  printf '%s job %s, start %s, %s\n' "$progress" "$SLURM_JOB_ID" "$((${SLURM_RESTART_COUNT:-0} + 1))" "$(date -Is)" >>"$starts"
}

# Submits this job's script once more, for where requeueing is not allowed, and hands on who waits for it.
submit_again() {
  local script next name value waiting
  local words=(--parsable --partition "$SLURM_JOB_PARTITION" --nodes "$(job_field NumNodes)" --job-name "$SLURM_JOB_NAME"
    --time "$(job_field TimeLimit)" --output "$(scontrol show job "$SLURM_JOB_ID" | sed -n 's/^ *StdOut=//p')" --export "ALL,LOCKSTEP_SUBMITTED_AGAIN=$SLURM_JOB_ID")
  [[ ! -v SLURM_JOB_ACCOUNT ]] || words+=(--account "$SLURM_JOB_ACCOUNT")
  [[ ! -v SLURM_JOB_QOS ]] || words+=(--qos "$SLURM_JOB_QOS")
  [[ ! -v SLURM_JOB_RESERVATION ]] || words+=(--reservation "$SLURM_JOB_RESERVATION")
  if [[ -v SLURM_NTASKS_PER_NODE ]]; then
    words+=(--ntasks-per-node "$SLURM_NTASKS_PER_NODE")
  elif [[ -v SLURM_NTASKS ]]; then
    words+=(--ntasks "$SLURM_NTASKS")
  fi
  [[ ! -v SLURM_CPUS_PER_TASK ]] || words+=(--cpus-per-task "$SLURM_CPUS_PER_TASK")
  [[ $(job_field OverSubscribe) != NO ]] || words+=(--exclusive)
  for name in Features=constraint MinMemoryNode=mem MinMemoryCPU=mem-per-cpu TresPerNode=gres TresPerJob=gpus; do
    value=$(job_field "${name%=*}")
    value=${value#gres[:/]}
    [[ $name != TresPerJob=* ]] || value=${value#gpu:}
    [[ -z $value || $value == "(null)" || $value == 0 ]] || words+=("--${name#*=}" "$value")
  done
  # The next job chooses its own defaults, for its own nodes.
  unset "${defaults_set[@]}" SLURM_TASKS_PER_NODE SLURM_EXPORT_ENV
  script=$(mktemp)
  # What this job waited for is done, and may be forgotten by now, which counts as never satisfied.
  scontrol write batch_script "$SLURM_JOB_ID" "$script" >/dev/null && sed -i '/^#SBATCH --dependency=/d' "$script" &&
    next=$(sbatch "${words[@]}" "$script" "${job_words[@]}") || { rm -f "$script"; return 1; }
  rm -f "$script"
  next=${next%%;*}
  say "submitted again as job $next"
  for waiting in $(squeue --noheader --me --format '%i %E' | awk -v id="$SLURM_JOB_ID" '$2 ~ ("afterok:" id "([^0-9]|$)") { print $1 }'); do
    scontrol update JobId="$waiting" Dependency="afterok:$next" && say "job $waiting now waits for job $next"
  done
}

arrange_next_start() {
  local refusal state= code try
  [[ -z $next_start ]] || return 0
  for try in 1 2 3 4; do
    refusal=$(scontrol requeue "$SLURM_JOB_ID" 2>&1) && code=0 || code=$?
    ((code == 0)) || state=$(job_field JobState)
    # Requeueing ends what runs, this call of scontrol with it.
    if ((code == 0)) || [[ $code -gt 128 && $state != RUNNING && -n $state ]]; then
      next_start=requeued
      say "requeued"
      return 0  # a bare one in a trap would return what the trap interrupted
    fi
    [[ -z $state && $try != 4 ]] || break
    say "Slurm's controller does not answer; trying again"
    sleep 5
  done
  say "it can't be requeued: $refusal"
  if [[ $state == RUNNING ]] && submit_again; then next_start=submitted; fi
}

go_on_later() {
  arrange_next_start
  [[ -n $next_start ]] ||
    fail "the job can be neither requeued nor submitted again" "job $SLURM_JOB_ID" "submit it by hand: it goes on from here" 75
  exit 75
}

# Codes with which another start can go on. 75: stopped with everything saved. Others: the signal came before anyone listened
# (140), or what was killed in the end (137, 143, 205 of mpirun, its 1 after SIGTERM) has its last checkpoint. Errors come back
# in every start.
can_go_on() {
  case $1 in
    0 | 2 | 70) false ;;
    1) $terminated ;;
  esac
}

# Where jobs are preempted without telling their scripts, only the ranks have been asked to end.
was_preempted() {
  local when
  when=$(job_field PreemptTime)
  [[ -n $when && $when != None && $when != Unknown && $(job_field JobState) == RUNNING ]]
}

# --- the job ----------------------------------------------------------------------------------------------------------
restarted() { ((${SLURM_RESTART_COUNT:-0} > 0)) || [[ -v LOCKSTEP_SUBMITTED_AGAIN ]]; }

run_job() {
  command=$1
  shift
  job_words=("$@")
  local words=("$@") code=0 program run= output= starts=
  program=$(find_program "${LOCKSTEP_BUILD:-}" "run launch/quickstart.sh, or name the build folder: launch/submit --build-dir, or LOCKSTEP_BUILD")
  if [[ $command == train ]]; then
    run=$(run_of "$@")
    if [[ -n $run && -f $run/run.json ]]; then
      # Its folder has all other options, but for those said beside --resume if this job was stopped before they were kept.
      ! restarted || [[ -n $(option_value resume "$@") ]] || words=(--resume "$run")
      refuse_without_progress "$run/starts.txt" "$(newest_step "$run")" "the run is still at step $(newest_step "$run")" \
        "save more often (--checkpoint-every 10minutes) or give more time"
    fi
  elif [[ $command == preprocess ]] && restarted; then
    output=$(option_value output "$@")
    starts=${output%/}.starts
    [[ -z $output ]] || refuse_without_progress "$starts" "$(packed_shards "$output")" "the packing still has $(packed_shards "$output") shards" \
      "give more time or nodes"
  fi
  local launch
  launch_words
  set_step_cores
  ! $warned || go_on_later
  say "job $SLURM_JOB_ID on $SLURM_JOB_NODELIST: $ranks ranks by $launcher, start $((${SLURM_RESTART_COUNT:-0} + 1))"
  "${launch[@]}" "$program" "$command" "${words[@]}" &
  launcher_pid=$!
  ! $warned || ask_ranks_to_stop
  while true; do  # a signal ends `wait` early
    wait "$launcher_pid" && code=0 || code=$?
    kill -0 "$launcher_pid" 2>/dev/null || break
  done
  # It may have been a signal that ended the last `wait`: the launcher's own code is what counts.
  ((code <= 128)) || { wait "$launcher_pid" && code=0 || code=$?; }
  launcher_pid=
  [[ -z $reminder_pid ]] || kill "$reminder_pid" 2>/dev/null || true
  if can_go_on "$code" && { $warned || was_preempted; }; then go_on_later; fi
  if ((code == 0)); then
    [[ -z $starts ]] || rm -f "$starts"
  else
    say "lockstep $command ended with $code: jobs that wait for this one to succeed will not start"
  fi
  exit "$code"
}
