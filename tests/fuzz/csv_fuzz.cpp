// CSV tables: any text must parse or be refused; what parses has as many fields in each row as columns.
#include "fuzz/target.hpp"
#include "lockstep/core/csv.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lockstep;
  return fuzz::run([&] {
    const CsvTable table = parse_csv(fuzz::text_of({data, size}), "fuzz.csv");
    for (const CsvRow& row : table.rows) {
      if (row.fields.size() != table.columns.size()) std::abort();
    }
  });
}
