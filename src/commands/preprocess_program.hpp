// The program lockstep-preprocess, which lies beside this one: where it is, and a run of it as a child.
//
// A program of its own, since OpenCV's codecs bring 139 libraries and 50 MB that a trainer has no use for. Internal to
// src/commands.
#pragma once
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

std::filesystem::path preprocess_program();

/// Runs it with these words as a process of its own, no rank of this run: its environment is without the launcher's
/// variables. One rank calls it; `said` gets each line of its messages as it comes. Returns when it has ended. Errors:
/// it cannot be started; its own, as it says them.
void run_preprocess(const std::vector<std::string>& words, const std::function<void(std::string_view)>& said);

}  // namespace lockstep
