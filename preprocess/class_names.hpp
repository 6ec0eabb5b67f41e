// Readable names for classes that go by a code, such as ImageNet's synsets: --class-names FILE.
//
// One line a class, code first: "n01440764 tench", "n01440764,tench, Tinca tinca" or with a tab; of tab, comma and
// blank a tab wins if the line has one, else the first of the two separates. Or JSON: {"n01440764": "tench"}, or
// ImageNet's class index {"0": ["n01440764", "tench"]}. Of names that list synonyms with commas the first is taken.
// Empty lines and codes that the data set does not have are passed over. The order of the classes stays that of their
// codes: it is ImageNet's, which trained weights follow. Where one name belongs to several classes of the set (ImageNet
// has two cranes), the code is put behind it: "crane (n02012849)". Errors: neither format, a line without a name, a
// code with two names, classes without a name (listed), not UTF-8.
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

/// The names of `classes`, all different. `file` is named in errors.
std::vector<std::string> renamed(const std::vector<std::string>& classes, const ClassNames& names,
                                 const std::string& file);

}  // namespace lockstep::preprocess
