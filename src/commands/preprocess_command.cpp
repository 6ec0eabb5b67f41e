#include <unistd.h>

#include "commands/preprocess_program.hpp"
#include "lockstep/commands/commands.hpp"

namespace lockstep {

// Exec before MPI starts: under mpirun the new program takes this one's place among the ranks.
Exit preprocess_command(const std::vector<std::string>& words) {
  const std::filesystem::path program = preprocess_program();
  std::vector<char*> arguments{const_cast<char*>(program.c_str())};
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  ::execv(program.c_str(), arguments.data());
  throw Error("cannot start the packing program", program.string(),
              "it belongs beside the program lockstep: build or install both", Exit::failed);
}

}  // namespace lockstep
