// Libraries that are no CUDA part of this program: one of another version, one without the symbol that is looked up.
#ifdef LOCKSTEP_STRANGER_HAS_ENTRY
struct Entry {
  const char* version;
  void* (*open)(int);
};

extern "C" const Entry* lockstep_accelerator_entry() {
  static const Entry entry{"lockstep 0.0.1 with LibTorch 1.2.3", nullptr};
  return &entry;
}
#else
extern "C" int lockstep_is_not_here() { return 1; }
#endif
