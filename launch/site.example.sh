# What is particular about this cluster: copy it to launch/site.sh and change it. Read by launch/submit on the login node and
# by every job; nothing of it is needed where the defaults fit.

# Modules with Open MPI, and CUDA for GPUs, as they were when lockstep was built. Run in jobs only.
site_modules() {
  module purge
  module load gcc/12 openmpi/4.1 cuda/12.8
}

# Where launch/submit sends jobs that do not say it themselves.
site_partition=gpu
site_account=my-project
site_time=08:00:00
site_nodes=1
site_gpus=4               # of a node, a rank each; 0: CPUs
site_ranks=4              # of a node, without GPUs
site_cpus=12              # of a rank
site_constraint=          # such as a100
site_qos=

# The network between nodes, where the libraries choose the wrong one (ip -br address shows the names).
#export OMPI_MCA_btl_tcp_if_include=ib0 OMPI_MCA_oob_tcp_if_include=ib0
#export NCCL_SOCKET_IFNAME=ib0

# srun instead of mpirun, where the site's Open MPI was built with PMIx and its users are told so.
#export LOCKSTEP_LAUNCHER=srun
