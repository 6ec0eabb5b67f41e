// Which files may be images by their names, and what an image is called without its extension.
//
// Shared by those who look for images and those who join tables by their names. Pure functions; thread-safe.
#pragma once
#include <filesystem>
#include <string>

namespace lockstep {

/// Whether the extension is one that images carry (those included that decoding refuses by name) or there is none: then
/// the content decides.
bool may_be_image(const std::filesystem::path& file);

/// "a/1.jpg" → "a/1"; paths without such an extension come back as they are.
std::string without_image_extension(const std::string& path);

}  // namespace lockstep
