# A cluster of nodes with four GPUs.
site_modules() { module load gcc/12 openmpi/5.0 cuda/12.8; }
site_partition=gpu
site_constraint=h100
site_time=1-00:00:00
site_gpus=4
site_cpus=12
export NCCL_SOCKET_IFNAME=ib0
export LOCKSTEP_LAUNCHER=srun
