// Readable names for classes that go by a code, such as ImageNet's synsets: --class-names FILE.
//
// Lines, code first:  "n01440764 tench", "n01440764,tench, Tinca tinca" or with a tab. A tab separates if the line has
//                     one, else the first comma or blank. Empty lines are skipped.
// JSON:               {"n01440764": "tench"}, ImageNet's class index {"0": ["n01440764", "tench"]}, or a list, whose
//                     codes are 0, 1, …: ["cat", "dog"].
//
// Of names that list synonyms with commas the first is taken. Codes that the data set does not have are passed over.
// The order of the classes stays that of their codes: it is ImageNet's, which trained weights follow. Where one name
// belongs to several classes of the set (ImageNet has two cranes), the code is put behind it: "crane (n02012849)".
// Errors: neither format, a line without a name, a code with two names, classes without a name (listed), not UTF-8.
#pragma once
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep::preprocess {

using ClassNames = std::map<std::string, std::string>;  // code → name

ClassNames read_class_names(const std::filesystem::path& file);
/// `file` is named in errors.
ClassNames parse_class_names(std::string_view text, const std::string& file);

/// For classes that are paths, such as "animals/cat": a class without a name of its own gets that of its last part
/// ("cat"), if no other class ends in it.
ClassNames with_names_of_last_parts(ClassNames names, const std::vector<std::string>& classes);

/// The names of `classes`, all different. `file` is named in errors.
std::vector<std::string> renamed(const std::vector<std::string>& classes, const ClassNames& names,
                                 const std::string& file);

}  // namespace lockstep::preprocess
