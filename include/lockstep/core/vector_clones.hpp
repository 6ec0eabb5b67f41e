// LOCKSTEP_VECTOR before a function: compiled for AVX-512, AVX2 and plain x86-64, the best one chosen when the program
// is loaded, so that one binary serves all nodes. Not under sanitizers: they are not running yet when the choice is
// made.
#pragma once

#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define LOCKSTEP_VECTOR __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define LOCKSTEP_VECTOR
#endif
