# The environment of the ranks: each variable once, with its reason. Sourced by launch/train_local.sh and by the jobs of
# slurm/, after common.sh, with `ranks_here` set: the ranks of this machine.
#
# What is set already, by the user, a module or launch/site.sh, is kept. Networks are the site's: nothing here chooses an
# interface or a transport.

defaults_set=()
default() {
  [[ ! -v $1 ]] || return 0
  export "$1=$2"
  defaults_set+=("$1")
}

# --- cores ------------------------------------------------------------------------------------------------------------
cores=$(usable_cores)
# Threads of the mathematics. Libraries would else take all cores for every rank.
default OMP_NUM_THREADS $((cores > ranks_here ? cores / ranks_here : 1))
# Open MPI binds each rank to a single core, which its loader's threads then share with its mathematics. Slurm, a container
# or taskset have narrowed the mask already; ranks divide what is left (release 4's name, then release 5's).
default OMPI_MCA_hwloc_base_binding_policy none
default PRTE_MCA_hwloc_default_binding_policy none
# A waiting rank spins, on a core that another one needs.
((ranks_here <= cores)) || default OMPI_MCA_mpi_yield_when_idle 1

# --- memory -----------------------------------------------------------------------------------------------------------
# Blocks of many megabytes come and go with every step. glibc returns them to the kernel each time, and the page faults
# then cost more than the mathematics: these thresholds, 8 and 16 GiB, let it keep them.
default MALLOC_MMAP_THRESHOLD_ 8589934592
default MALLOC_TRIM_THRESHOLD_ 17179869184

# --- processes --------------------------------------------------------------------------------------------------------
if ((EUID == 0)); then  # containers; mpirun refuses root unless told twice
  default OMPI_ALLOW_RUN_AS_ROOT 1
  default OMPI_ALLOW_RUN_AS_ROOT_CONFIRM 1
fi

# --- GPUs -------------------------------------------------------------------------------------------------------------
# The numbers that Slurm and nvidia-smi give them; CUDA's own order is that of their speed.
default CUDA_DEVICE_ORDER PCI_BUS_ID
# NCCL says why it fails, and nothing else.
default NCCL_DEBUG WARN
