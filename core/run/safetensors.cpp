#include "run/safetensors.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

namespace attnrt::runtime {
namespace {

using Json = nlohmann::json;

constexpr uint64_t kMostHeaderBytes = uint64_t{100} << 20;  // what the format itself allows
constexpr size_t kLengthBytes = 8;
static_assert(std::endian::native == std::endian::little, "data is little-endian, used as it is");

Error malformed(const std::string& where, std::string expected, std::string found) {
  return Error{ErrorCode::kInvalid, where, std::move(expected), std::move(found),
               "record or download the file again"};
}

// Bytes of an element; 0: no dtype of the format.
int64_t dtype_bytes(std::string_view dtype) {
  static const std::map<std::string_view, int64_t> kBytes{
      {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E4M3", 1}, {"F8_E5M2", 1},
      {"U16", 2},  {"I16", 2}, {"F16", 2}, {"BF16", 2},    {"U32", 4},
      {"I32", 4},  {"F32", 4}, {"U64", 8}, {"I64", 8},     {"F64", 8}};
  const auto found = kBytes.find(dtype);
  return found == kBytes.end() ? 0 : found->second;
}

constexpr int kMaxDepth = 4;  // a tensor's shape is at depth 2

// Parses the header; keys that stand twice are an error, which the library would let pass. So is
// nesting that no header has: the library prints values by recursion.
Result<Json> parse_header(std::string_view text, const std::string& origin) {
  std::set<std::string> names;
  std::string twice;
  bool deep = false;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& value) {
    if (depth > kMaxDepth) {
      deep = true;
      return false;  // dropped
    }
    if (event == Json::parse_event_t::key && depth == 1) {
      const bool is_new = names.insert(value.get<std::string>()).second;
      if (!is_new && twice.empty()) twice = value.get<std::string>();
    }
    return true;
  };
  try {
    Json header = Json::parse(text.begin(), text.end(), watch);
    if (deep) return malformed(origin, "a header of tensors and texts", "deep nesting");
    if (!twice.empty()) return malformed(origin, "each tensor once", "'" + twice + "' twice");
    if (!header.is_object()) {
      return malformed(origin, "a JSON object as header", header.type_name());
    }
    return header;
  } catch (const Json::exception& e) {
    return malformed(origin, "a header in JSON", e.what());
  }
}

bool is_natural(const Json& value) {
  return value.is_number_unsigned() && value.get<uint64_t>() <= uint64_t{1} << 62;
}

bool is_naturals(const Json& value) {
  return value.is_array() && std::all_of(value.begin(), value.end(), is_natural);
}

Result<StoredTensor> read_tensor(const std::string& where, const Json& entry,
                                 std::span<const uint8_t> data) {
  if (!entry.is_object() || !entry.contains("dtype") || !entry["dtype"].is_string() ||
      !entry.contains("shape") || !is_naturals(entry["shape"]) || !entry.contains("data_offsets") ||
      !is_naturals(entry["data_offsets"]) || entry["data_offsets"].size() != 2) {
    return malformed(where, "{dtype: text, shape: [numbers], data_offsets: [begin, end]}",
                     entry.dump().substr(0, 100));
  }
  StoredTensor tensor;
  tensor.dtype = entry["dtype"].get<std::string>();
  const int64_t element = dtype_bytes(tensor.dtype);
  if (element == 0) return malformed(where, "a dtype of the format", "'" + tensor.dtype + "'");
  int64_t bytes = element;
  for (const Json& size : entry["shape"]) {
    tensor.shape.push_back(size.get<int64_t>());
    if (__builtin_mul_overflow(bytes, tensor.shape.back(), &bytes)) {
      return malformed(where, "a shape of less than 2^63 bytes", entry["shape"].dump());
    }
  }
  const auto begin = entry["data_offsets"][0].get<uint64_t>();
  const auto end = entry["data_offsets"][1].get<uint64_t>();
  if (begin > end || end > data.size()) {
    return malformed(where, "offsets within the " + std::to_string(data.size()) + " bytes of data",
                     entry["data_offsets"].dump() + "; is the file complete?");
  }
  if (end - begin != static_cast<uint64_t>(bytes)) {
    return malformed(where, std::to_string(bytes) + " bytes for its shape and dtype",
                     std::to_string(end - begin));
  }
  tensor.bytes = data.subspan(begin, end - begin);
  if (reinterpret_cast<uintptr_t>(tensor.bytes.data()) % static_cast<uintptr_t>(element) != 0) {
    return malformed(where, "data aligned to its elements", "offset " + std::to_string(begin));
  }
  return tensor;
}

}  // namespace

Result<Safetensors> Safetensors::parse(std::span<const uint8_t> file, const std::string& origin) {
  if (file.size() < kLengthBytes) {
    return malformed(origin, "a safetensors file", std::to_string(file.size()) + " bytes");
  }
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, file.data(), kLengthBytes);
  if (header_bytes > kMostHeaderBytes || header_bytes > file.size() - kLengthBytes) {
    return malformed(origin, "a header within the file's " + std::to_string(file.size()) + " bytes",
                     "one of " + std::to_string(header_bytes));
  }
  const auto* text = reinterpret_cast<const char*>(file.data() + kLengthBytes);
  Result<Json> header = parse_header({text, header_bytes}, origin);
  if (!header) return header.error();
  const std::span<const uint8_t> data = file.subspan(kLengthBytes + header_bytes);

  Safetensors result;
  result.origin_ = origin;
  for (const auto& [name, entry] : header->items()) {
    if (name == "__metadata__") {
      if (!entry.is_object())
        return malformed(origin + ", __metadata__", "an object", entry.dump());
      for (const auto& [key, value] : entry.items()) {
        if (!value.is_string()) {
          return malformed(origin + ", __metadata__." + key, "text", value.dump().substr(0, 100));
        }
        result.metadata_[key] = value.get<std::string>();
      }
      continue;
    }
    Result<StoredTensor> tensor = read_tensor(origin + ", tensor '" + name + "'", entry, data);
    if (!tensor) return tensor.error();
    result.tensors_[name] = std::move(*tensor);
  }
  return result;
}

Result<Safetensors> Safetensors::open(const std::string& path) {
  const auto failed = [&](const std::string& what) {
    return Error{ErrorCode::kInvalid, path, "a safetensors file", what,
                 "tools/quickstart.sh records the models' tensors"};
  };
  // Not blocking: a FIFO must not hang the caller.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return failed(std::strerror(errno));
  struct stat info {};
  const bool regular = fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
  const auto size = static_cast<size_t>(info.st_size);
  void* mapped =
      regular && size > 0 ? mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
  ::close(fd);
  if (!regular) return failed("not a regular file");
  if (size == 0) return failed("an empty file");
  if (mapped == MAP_FAILED) return failed(std::strerror(errno));
  std::shared_ptr<const uint8_t> mapping(
      static_cast<const uint8_t*>(mapped),
      [size](const uint8_t* begin) { munmap(const_cast<uint8_t*>(begin), size); });
  Result<Safetensors> result = parse({mapping.get(), size}, path);
  if (result) result->mapping_ = std::move(mapping);
  return result;
}

const StoredTensor* Safetensors::find(std::string_view name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second;
}

}  // namespace attnrt::runtime
