// Shape classes, and which device a profile speaks of.
#include "attnrt/profile.hpp"

#include <bit>

#include "format/nearest.hpp"

namespace attnrt {
namespace {

std::string planned(Device device) {
  device.ordinal = -1;
  return to_string(device);
}

}  // namespace

std::optional<ShapeClass> shape_class(const Request& request) {
  if (request.op == Op::kAppend || request.op == Op::kMerge) return std::nullopt;
  ShapeClass shape;
  shape.op = request.op == Op::kPrefill ? Op::kPrefill : Op::kDecode;
  shape.query_tokens = shape.op == Op::kPrefill ? 0 : 1;
  if (request.op == Op::kDecode && request.query_tokens > 1) {
    shape.query_tokens =
        static_cast<int32_t>(std::bit_ceil(static_cast<uint32_t>(request.query_tokens)));
  }
  shape.q = request.q;
  shape.kv = request.kv;
  shape.cache = request.cache;
  shape.head_dim = request.head_dim;
  shape.group = request.kv_heads > 0 ? request.q_heads / request.kv_heads : 0;
  return shape;
}

const ProfileEntry* Profile::find(const ShapeClass& shape) const {
  for (const ProfileEntry& entry : entries) {
    if (entry.shape == shape) return &entry;
  }
  return nullptr;
}

bool measured_on(const Profile& profile, const Device& device) {
  const Device& own = profile.device;
  return own.kind == device.kind && own.sm == device.sm && own.gfx == device.gfx &&
         own.cpu_features == device.cpu_features;
}

Status check(const Profile& profile, const Device& device, const HostFacts& host) {
  constexpr const char* kRemedy = "measure on this device with attnrt bench --profile-out";
  if (!measured_on(profile, device)) {
    return Error{ErrorCode::kInvalid, profile.origin, "a profile of " + planned(device),
                 "one of " + planned(profile.device), kRemedy};
  }
  const bool here = device.kind == DeviceKind::kCpu && device.ordinal >= 0;
  if (here && profile.machine != host.cpu_name) {
    return Error{ErrorCode::kInvalid, profile.origin,
                 "a profile of this machine, " + in_quotes(host.cpu_name),
                 "one of " + in_quotes(profile.machine), kRemedy};
  }
  return Done{};
}

}  // namespace attnrt
