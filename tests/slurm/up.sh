#!/bin/bash
# up.sh - start a private Slurm mini-cluster (no systemd) in one directory.
#   up.sh [-m netns|host] [-n NODES] [-c CPUS] [-M MB] [-r RATE] [-d DIR]
#     netns (root): every node = own net+uts+pid+mount namespace, veth to a bridge, own IP,
#                   hostname, /proc and /dev/shm.  No port collisions with anything else.
#     host        : several slurmd on 127.0.0.1 with different ports (also works unprivileged).
#   -r RATE       : netns only, e.g. 1gbit: tbf shaping of every node's veth, both directions.
# Prints DIR; afterwards:  . DIR/env.sh ; on ctl sinfo ; on node2 hostname ; down.sh DIR
set -eu
MODE=netns NODES=4 CPUS=2 MEM=2048 RATE= DIR=
while getopts m:n:c:M:r:d: o; do case $o in
  m) MODE=$OPTARG;; n) NODES=$OPTARG;; c) CPUS=$OPTARG;; M) MEM=$OPTARG;; r) RATE=$OPTARG;; d) DIR=$OPTARG;;
  *) exit 2;; esac; done
[ "$(id -u)" = 0 ] || MODE=host
HERE=$(cd "$(dirname "$0")" && pwd)
export PATH=$PATH:/usr/sbin:/sbin
for t in munged slurmctld slurmd sinfo; do command -v $t >/dev/null || { echo "up.sh: $t not installed" >&2; exit 77; }; done
DIR=${DIR:-$(mktemp -d /tmp/slurm-mini.XXXXXX)}; mkdir -p "$DIR"; DIR=$(cd "$DIR" && pwd)
[ ! -e "$DIR/env.sh" ] || { echo "up.sh: $DIR already in use (down.sh it first)" >&2; exit 1; }
chmod 755 "$DIR"; mkdir -p "$DIR"/{run,log,state,etc,ns,bin,spool}
for i in $(seq 1 $NODES); do mkdir -p "$DIR/spool/node$i" "$DIR/tmp/node$i"; chmod 1777 "$DIR/tmp/node$i"; done
BASE=${SLURM_MINI_PORT:-$((20000 + ($$ % 2000) * 6))}     # host mode; below ip_local_port_range
ME=$(id -un); COMM=

if [ $MODE = netns ]; then
  CTLHOST="ctl(10.77.0.254)"; CTLPORT=6817
  NODELINE="NodeName=DEFAULT CPUs=$CPUS RealMemory=$MEM Port=6818"$'\n'
  HOSTS="127.0.0.1 localhost"$'\n'"10.77.0.254 ctl"$'\n'
  for i in $(seq 1 $NODES); do NODELINE+="NodeName=node$i NodeAddr=10.77.0.$i"$'\n'; HOSTS+="10.77.0.$i node$i"$'\n'; done
  printf %s "$HOSTS" > "$DIR/etc/hosts"
else
  CTLHOST="$(hostname)(127.0.0.1)"; CTLPORT=$BASE
  COMM="CommunicationParameters=NoCtldInAddrAny,NoInAddrAny"    # listen on 127.0.0.1 only
  NODELINE="NodeName=node[1-$NODES] NodeHostname=localhost NodeAddr=127.0.0.1 Port=$((BASE+1))-$((BASE+NODES)) CPUs=$CPUS RealMemory=$MEM"
fi
cat > "$DIR/etc/slurm.conf" <<EOF
ClusterName=mini
SlurmctldHost=$CTLHOST
SlurmctldPort=$CTLPORT
SlurmUser=$ME
SlurmdUser=$ME
AuthType=auth/munge
# cred_expire also = how long a requeued job waits before it may start again (default 120 s!)
AuthInfo=socket=$DIR/run/munge.socket,cred_expire=10
CredType=cred/munge
StateSaveLocation=$DIR/state
SlurmdSpoolDir=$DIR/spool/%n
# per-node: srun --mpi=pmix makes TmpFS/spmix_appdir_*, which collides when the "hosts" share /tmp
TmpFS=$DIR/tmp/%n
SlurmctldPidFile=$DIR/run/slurmctld.own-pid
SlurmdPidFile=$DIR/run/slurmd.%n.own-pid
SlurmctldLogFile=$DIR/log/slurmctld.log
SlurmdLogFile=$DIR/log/slurmd.%n.log
SlurmctldDebug=info
SlurmdDebug=info
# no cgroups, no binding, any number of fake CPUs on one real machine
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
$COMM
PropagateResourceLimits=NONE
MpiDefault=none
# history without slurmdbd: one line per finished job
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc=$DIR/log/jobcomp.txt
# quick reactions (defaults in brackets)
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,bf_interval=1
KillWait=3
SlurmdTimeout=10
SlurmctldTimeout=10
MessageTimeout=5
TCPTimeout=2
InactiveLimit=0
MinJobAge=3600
UnkillableStepTimeout=60
ReturnToService=2
JobRequeue=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
# preempted jobs get their own --signal (e.g. B:USR1) at the start of GraceTime, too
${SLURM_MINI_PREEMPT-SlurmctldParameters=preempt_send_user_signal}
$NODELINE
PartitionName=main Nodes=ALL Default=YES MaxTime=60 DefaultTime=10 PriorityTier=1 PreemptMode=REQUEUE GraceTime=10
PartitionName=high Nodes=ALL MaxTime=60 DefaultTime=10 PriorityTier=10 PreemptMode=OFF
EOF
cat > "$DIR/env.sh" <<EOF
export SLURM_MINI_DIR=$DIR SLURM_MINI_MODE=$MODE SLURM_MINI_NODES=$NODES SLURM_CONF=$DIR/etc/slurm.conf
export PATH=$DIR/bin:\$PATH
EOF
. "$DIR/env.sh"
d(){ SLURM_MINI_DAEMON=$DIR "$@"; }     # mark our daemons for down.sh

# on NODE CMD...: run a command as if logged in on that host (ctl, node1, ...)
cat > "$DIR/bin/on" <<'EOF'
#!/bin/bash
h=$1; shift
[ "$SLURM_MINI_MODE" = netns ] || exec "$@"
p=$(cat "$SLURM_MINI_DIR/run/$h.init") || { echo "on: $h is not up" >&2; exit 1; }
exec nsenter -t "$p" -n -u -m -p --wd="$PWD" "$@"
EOF
# node NODE down|up : crash (power loss) / start one node;  node NODE cut|heal : its link
cp "$HERE/node.sh" "$DIR/bin/node"; chmod 755 "$DIR/bin/on" "$DIR/bin/node"

# munge: one daemon for all "hosts" (a unix socket crosses net namespaces)
(umask 077; head -c 128 /dev/urandom > "$DIR/etc/munge.key")
d munged --key-file="$DIR/etc/munge.key" --socket="$DIR/run/munge.socket" --pid-file="$DIR/run/munged.pid" \
  --log-file="$DIR/log/munged.log" --seed-file="$DIR/run/munged.seed" --num-threads=2 $([ "$(id -u)" = 0 ] || echo --force)

trap 'rc=$?; [ $rc = 0 ] || { echo "up.sh failed; logs:" >&2; tail -n 5 "$DIR"/log/* >&2; "$HERE/down.sh" "$DIR" >&2; }' EXIT
if [ $MODE = netns ]; then
  node ctl start
  on ctl ip link add br0 type bridge forward_delay 0
  on ctl ip addr add 10.77.0.254/24 dev br0; on ctl ip link set br0 up
  for i in $(seq 1 $NODES); do SLURM_MINI_RATE=$RATE node node$i start; done
else
  SLURM_MINI_DAEMON=$DIR setsid slurmctld -D > "$DIR/log/slurmctld.out" 2>&1 < /dev/null & echo $! > "$DIR/run/slurmctld.pid"
  for i in $(seq 1 $NODES); do node node$i start; done
fi
for t in $(seq 1 150); do    # 15 s
  n=$(on ctl sinfo -h -N -t idle -p main -o %N 2>/dev/null | wc -l) || n=0
  [ "$n" = "$NODES" ] && break; sleep 0.1
done
[ "$n" = "$NODES" ] || { echo "up.sh: only $n of $NODES nodes idle" >&2; exit 1; }
echo "$DIR"
