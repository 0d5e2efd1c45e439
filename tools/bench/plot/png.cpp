#include "bench/plot/drawing.hpp"

#if ATTNRT_HAS_PNG
#include <png.h>
#endif

namespace attnrt::bench {

#if ATTNRT_HAS_PNG
Status write_png(const Drawing& drawing, const std::string& file) {
  const std::vector<uint8_t> rgb = rasterise(drawing);
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.format = PNG_FORMAT_RGB;
  image.width = static_cast<png_uint_32>(drawing.width);
  image.height = static_cast<png_uint_32>(drawing.height);
  if (png_image_write_to_file(&image, file.c_str(), 0, rgb.data(), 0, nullptr) != 0) return Done{};
  return Error{ErrorCode::kInternal, file, "a file that can be written", image.message,
               "name another, or make its folder"};
}
#else
Status write_png(const Drawing&, const std::string& file) {
  return Error{ErrorCode::kInvalid, file, "a build with PNG", "one without libpng",
               "install libpng-dev and build again, or write HTML"};
}
#endif

}  // namespace attnrt::bench
