// The README's option tables are those the programs print, to the letter.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "lockstep/config/options.hpp"
#include "lockstep/core/files.hpp"

namespace lockstep {
namespace {

TEST(Readme, CarriesEveryOptionTable) {
  const char* source = std::getenv("LOCKSTEP_SOURCE_DIR");
  if (source == nullptr) GTEST_SKIP() << "LOCKSTEP_SOURCE_DIR is not set; ctest sets it";
  const std::string readme = read_file(std::filesystem::path(source) / "README.md");
  for (const CommandRow& command : command_table()) {
    EXPECT_NE(readme.find(markdown_table(command.command)), std::string::npos)
        << "README.md: put in what lockstep " << command.name << " --help-markdown prints";
  }
}

}  // namespace
}  // namespace lockstep
