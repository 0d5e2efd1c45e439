#include "bench/plot/drawing.hpp"

#if ATTNRT_HAS_PNG
#include <png.h>
#endif

namespace attnrt::bench {

Status check_png(const std::string& where) {
  if (ATTNRT_HAS_PNG) return Done{};
  return Error{ErrorCode::kInvalid, where, "a build with PNG", "one without libpng",
               "install libpng-dev and build again, or write HTML"};
}

Status write_png(const Drawing& drawing, const std::string& file) {
  if (Status s = check_png(file); !s.ok()) return s;
#if ATTNRT_HAS_PNG
  const std::vector<uint8_t> rgb = rasterise(drawing);
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.format = PNG_FORMAT_RGB;
  image.width = static_cast<png_uint_32>(drawing.width);
  image.height = static_cast<png_uint_32>(drawing.height);
  if (png_image_write_to_file(&image, file.c_str(), 0, rgb.data(), 0, nullptr) == 0) {
    return Error{ErrorCode::kInternal, file, "a file that can be written", image.message,
                 "name another, or make its folder"};
  }
#else
  static_cast<void>(drawing);
#endif
  return Done{};
}

}  // namespace attnrt::bench
