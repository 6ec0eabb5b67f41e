// Small weight files of every format that is read; those that we don't write are put together here.
#include <ATen/ops/arange.h>
#include <ATen/ops/ones.h>
#include <hdf5.h>

#include <cstring>
#include <vector>

#include "fuzz/seeds.hpp"
#include "lockstep/weights/safetensors.hpp"
#include "lockstep/weights/torch_file.hpp"
#include "weights/pickle_writer.hpp"

namespace lockstep::fuzz {
namespace {

using namespace std::string_literals;
namespace fs = std::filesystem;

WeightFile small_weights() {
  WeightFile weights;
  weights.tensors = {{"conv.weight", at::arange(24, at::kFloat).reshape({2, 3, 2, 2})},
                     {"count", at::ones({}, at::kLong)},
                     {"half", at::ones({3}, at::kHalf)},
                     {"none", at::ones({0, 4}, at::kByte)}};
  weights.metadata = {{"input_mean", "0.5"}};
  return weights;
}

/// Zip's records of 32 bits that follow a signature, at this distance, put to 0.
std::string without_checksums(std::string zip) {
  for (const auto& [signature, distance] : {std::pair{"PK\x03\x04"s, 14}, std::pair{"PK\x01\x02"s, 16}}) {
    for (std::size_t at = zip.find(signature); at != std::string::npos; at = zip.find(signature, at + 1))
      std::memset(zip.data() + at + distance, 0, 4);
  }
  return zip;
}

template <typename Number>
std::string raw(Number value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

/// A state dict of two tensors, as torch.save pickles it.
std::string pickled_tensors() {
  PickleWriter pickle;
  pickle.begin_dictionary();
  pickle.add_tensor("a.weight", "torch.FloatStorage", "0", 6, {2, 3});
  pickle.add_tensor("b", "torch.LongStorage", "1", 1, {});
  return pickle.finish();
}

std::string legacy_file() {
  const std::string magic = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."s,
                    protocol = "\x80\x02M\xe9\x03."s, machine = "\x80\x02}X\x0d\0\0\0little_endian\x88s."s;
  const std::string keys =
      "\x80\x02](X\x01\0\0\0"
      "0X\x01\0\0\0"
      "1e."s;
  return magic + protocol + machine + pickled_tensors() + keys + raw(std::int64_t{6}) + std::string(24, 'x') +
         raw(std::int64_t{1}) + std::string(8, 'y');
}

void add_attribute(hid_t object, const char* name, const std::vector<std::string>& texts, bool variable) {
  const hid_t type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, variable ? H5T_VARIABLE : 40);
  const hsize_t count = texts.size();
  const hid_t space = H5Screate_simple(1, &count, nullptr);
  const hid_t attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
  std::vector<const char*> pointers;
  std::string fixed;
  for (const std::string& text : texts) {
    pointers.push_back(text.c_str());
    fixed += text + std::string(40 - text.size(), '\0');
  }
  H5Awrite(attribute, type, variable ? static_cast<const void*>(pointers.data()) : fixed.data());
  H5Aclose(attribute);
  H5Sclose(space);
  H5Tclose(type);
}

void add_layer(hid_t file, const std::string& name, bool variable) {
  const hid_t links = H5Pcreate(H5P_LINK_CREATE);
  H5Pset_create_intermediate_group(links, 1);
  const hid_t group = H5Gcreate2(file, name.c_str(), links, H5P_DEFAULT, H5P_DEFAULT);
  add_attribute(group, "weight_names", {"kernel:0", "bias:0"}, variable);
  const std::vector<hsize_t> sizes{1, 1, 3, 1};
  const float values[3] = {1, 2, 3};
  for (const bool is_kernel : {true, false}) {
    const hid_t space =
        is_kernel ? H5Screate_simple(4, sizes.data(), nullptr) : H5Screate_simple(1, &sizes[2], nullptr);
    const hid_t data = H5Dcreate2(group, is_kernel ? "kernel:0" : "bias:0", H5T_IEEE_F32LE, space, H5P_DEFAULT,
                                  H5P_DEFAULT, H5P_DEFAULT);
    H5Dwrite(data, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
    H5Dclose(data);
    H5Sclose(space);
  }
  H5Gclose(group);
  H5Pclose(links);
}

/// SqueezeNet's layers with tiny kernels, or its first two.
std::string keras_file(const fs::path& path, bool whole, bool variable, bool newest) {
  std::vector<std::string> names{"conv1"};
  for (int number = 2; number <= (whole ? 9 : 2); ++number) {
    for (const char* part : {"squeeze1x1", "expand1x1", "expand3x3"}) {
      if (whole || part[0] == 's') names.push_back("fire" + std::to_string(number) + "/" + part);
    }
  }
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  if (newest) H5Pset_libver_bounds(access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access);
  for (const std::string& name : names) add_layer(file, name, variable);
  add_attribute(file, "layer_names", names, variable);
  add_attribute(file, "backend", {"tensorflow"}, variable);
  H5Fclose(file);
  H5Pclose(access);
  const std::string bytes = read_file(path);
  fs::remove(path);
  return bytes;
}

}  // namespace

void add_weights(Seeds& seeds) {
  const WeightFile weights = small_weights();
  write_safetensors(seeds.scratch("w"), weights);
  seeds.add("safetensors", read_file(seeds.scratch("w")));
  write_torch_zip(seeds.scratch("w"), weights);
  const std::string zip = read_file(seeds.scratch("w"));
  fs::remove(seeds.scratch("w"));
  seeds.add("torch_zip", zip);
  seeds.add("torch_zip", without_checksums(zip));
  seeds.add("torch_legacy", legacy_file());
  seeds.add("pickle", pickled_tensors());
  seeds.add("pickle",
            "\x80\x04\x95\x10\0\0\0\0\0\0\0}\x94(\x8c\nstate_dict\x94}\x8c\x05"
            "epochK\x03u."s);
  for (const bool variable : {true, false}) {
    for (const bool newest : {true, false}) {
      const std::string whole = keras_file(seeds.scratch("w.h5"), true, variable, newest);
      const std::string part = keras_file(seeds.scratch("w.h5"), false, variable, newest);
      seeds.add("keras", "\0"s + whole);
      for (const char asked : {'\0', '\1', '\2', '\3'}) seeds.add("keras", asked + part);
    }
  }
}

}  // namespace lockstep::fuzz
