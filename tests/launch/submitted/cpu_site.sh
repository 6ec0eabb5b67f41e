# A cluster of CPUs: nodes of two sockets.
site_modules() { module load gcc/12 openmpi/4.1; }
site_partition=normal
site_account=vision
site_time=12:00:00
site_ranks=2
site_cpus=32
