// The cpu plugin through its ABI: attend alone, over pages that are not warm.
//
// A case walks over several layers' caches, at least 256 MiB together, through a shuffled block
// table. Rates: KV bytes read (bytes_per_second) for decode, 4 · head_dim operations a visible pair
// for prefill. shared_blocks: sequences that begin with the same 4096 keys in the same blocks; a
// rate as if each read them alone. Environment: ATTNRT_BENCH_ISA and ATTNRT_BENCH_THREADS are the
// plugin's options.
#include <benchmark/benchmark.h>
#include <dlfcn.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <numeric>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "attnrt/plugin.h"

namespace {

// ATTNRT_BENCH_COLD_MB=0 leaves one layer's cache, warm where it fits: the arithmetic alone.
int64_t cold_bytes() {
  const char* mib = std::getenv("ATTNRT_BENCH_COLD_MB");
  return int64_t{mib == nullptr ? 256 : std::atoi(mib)} << 20;
}
constexpr int32_t kBlock = 16;

struct Shape {
  const char* format;
  int32_t element;  // bytes a value
  int32_t q_heads, kv_heads, head_dim;
  int32_t batch, q_len, kv_len;
  int32_t shared = 0;  // keys at the front, in the same blocks for all sequences
};

// Zeroed memory in huge pages where the system has them.
class Memory {
 public:
  explicit Memory(int64_t bytes) : bytes_(static_cast<size_t>(bytes + 64)) {
    data_ = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data_ == MAP_FAILED) throw std::bad_alloc();
    madvise(data_, bytes_, MADV_HUGEPAGE);
  }
  ~Memory() { munmap(data_, bytes_); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  uint8_t* get() const { return static_cast<uint8_t*>(data_); }

 private:
  size_t bytes_;
  void* data_;
};

void must(attnrt_status status, const char* text) {
  if (status != ATTNRT_OK) throw std::runtime_error(text);
}

// The plugin of this build, opened once.
class Plugin {
 public:
  static Plugin& get() {
    static Plugin plugin;
    return plugin;
  }
  const attnrt_plugin* table = nullptr;
  attnrt_instance* instance = nullptr;

 private:
  Plugin() {
    const auto self = std::filesystem::read_symlink("/proc/self/exe");
    const auto path = self.parent_path().parent_path() / "plugins" / "cpu.so";
    void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) throw std::runtime_error(dlerror());
    const auto entry = reinterpret_cast<attnrt_plugin_entry>(dlsym(library, ATTNRT_ENTRY_SYMBOL));
    char text[256] = "no entry point";
    attnrt_error error{text, sizeof(text)};
    attnrt_host host{};
    host.struct_size = sizeof(host);
    if (entry == nullptr) throw std::runtime_error(text);
    must(entry(&host, &table, &error), text);
    std::vector<attnrt_option> options;
    if (const char* isa = std::getenv("ATTNRT_BENCH_ISA")) options.push_back({"isa", isa});
    if (const char* n = std::getenv("ATTNRT_BENCH_THREADS")) options.push_back({"threads", n});
    attnrt_device device{sizeof(device), ATTNRT_DEVICE_CPU, 0, 0, nullptr,
                         options.data(), options.size()};
    must(table->open(&host, &device, &instance, &error), text);
    char line[128] = "";
    table->describe(instance, line, sizeof(line));
    benchmark::AddCustomContext("cpu plugin", line);
  }
};

// Everything that one shape needs, ready to attend.
class Case {
 public:
  explicit Case(const Shape& s)
      : shape_(s),
        row_blocks_((s.kv_len + kBlock - 1) / kBlock),
        blocks_(int64_t{s.batch} * row_blocks_ - int64_t{s.batch - 1} * (s.shared / kBlock)),
        row_(int64_t{s.head_dim} * s.element + (is_int8() ? 4 : 0)),
        page_(row_ * s.kv_heads * kBlock),
        layers_(std::max<int64_t>(1, cold_bytes() / (2 * page_ * blocks_))),
        cache_(2 * page_ * blocks_ * layers_),
        q_(int64_t{s.batch} * s.q_len * s.q_heads * s.head_dim * 2),
        out_(int64_t{s.batch} * s.q_len * s.q_heads * s.head_dim * 2) {
    fill();
    prepare();
  }
  ~Case() {
    const attnrt_plugin& p = *Plugin::get().table;
    p.release_schedule(schedule_);
    p.release_op(op_);
  }
  Case(const Case&) = delete;
  Case& operator=(const Case&) = delete;

  void attend() {
    uint8_t* base = cache_.get() + 2 * page_ * blocks_ * (next_++ % layers_);
    args_.cache.k = side(base);
    args_.cache.v = side(base + page_ * blocks_);
    must(Plugin::get().table->attend(op_, schedule_, &args_, &error_), text_);
  }
  int64_t kv_bytes() const {
    return int64_t{2} * row_ * shape_.kv_heads * shape_.kv_len * shape_.batch;
  }

 private:
  bool is_int8() const { return std::strcmp(shape_.format, "int8_per_token_head") == 0; }

  // Numbers near 1 in every format: bytes of which no exponent is extreme.
  void fill() {
    std::mt19937 random(1);
    const auto small = [&] { return static_cast<uint8_t>(0x30 | (random() & 0x0F)); };
    const int64_t bytes = 2 * page_ * blocks_ * layers_;
    for (int64_t i = 0; i < bytes; ++i)
      cache_.get()[i] = static_cast<uint8_t>(0x30 | (i * 7 & 0x8F));
    for (int64_t i = 0; i < int64_t{shape_.batch} * shape_.q_len * shape_.q_heads * shape_.head_dim;
         ++i) {
      q_.get()[2 * i] = small();
      q_.get()[2 * i + 1] = 0x3C;
    }
    table_.resize(static_cast<size_t>(blocks_));
    std::iota(table_.begin(), table_.end(), 0);
    std::shuffle(table_.begin(), table_.end(), random);
    for (int32_t n = 1; n < shape_.batch; ++n) {
      const std::vector<int32_t> shared(table_.begin(), table_.begin() + shape_.shared / kBlock);
      table_.insert(table_.begin() + n * row_blocks_, shared.begin(), shared.end());
    }
    for (int32_t n = 0; n <= shape_.batch; ++n) q_start_.push_back(n * shape_.q_len);
    kv_len_.assign(static_cast<size_t>(shape_.batch), shape_.kv_len);
  }

  attnrt_cache_side side(uint8_t* data) const {
    const int64_t token = row_ * shape_.kv_heads;
    attnrt_cache_side s{data, page_, token, row_, nullptr, 0, 0, 0};
    if (is_int8()) {
      s.scales = data + shape_.head_dim;
      s.scale_block_stride = page_;
      s.scale_token_stride = token;
      s.scale_head_stride = row_;
    }
    return s;
  }

  attnrt_tensor tensor(uint8_t* data) const {
    const int64_t token = int64_t{shape_.q_heads} * shape_.head_dim;
    return {data,
            ATTNRT_DTYPE_BF16,
            3,
            {int64_t{shape_.batch} * shape_.q_len, shape_.q_heads, shape_.head_dim, 0},
            {token, shape_.head_dim, 1, 0}};
  }

  void prepare() {
    const attnrt_plugin& p = *Plugin::get().table;
    attnrt_layer_class c{};
    c.struct_size = sizeof(c);
    c.op = shape_.q_len == 1 ? ATTNRT_OP_DECODE : ATTNRT_OP_PREFILL;
    c.q_heads = shape_.q_heads;
    c.kv_heads = shape_.kv_heads;
    c.head_dim_qk = c.head_dim_v = shape_.head_dim;
    c.q_dtype = c.out_dtype = ATTNRT_DTYPE_BF16;
    c.cache_format = shape_.format;
    c.block_size = kBlock;
    c.layout = ATTNRT_LAYOUT_NHD;
    c.cache_kind = ATTNRT_CACHE_SEPARATE;
    c.features = ATTNRT_FEATURE_CAUSAL;
    must(p.prepare(Plugin::get().instance, "attend", &c, &op_, &error_), text_);

    const attnrt_bounds bounds{sizeof(bounds), shape_.batch, shape_.batch * shape_.q_len,
                               shape_.q_len, shape_.kv_len};
    attnrt_workspace_sizes sizes{};
    sizes.struct_size = sizeof(sizes);
    must(p.workspace(op_, &bounds, &sizes, &error_), text_);
    scratch_.resize(sizes.scratch.bytes + 64);
    auto* scratch = scratch_.data() + (64 - reinterpret_cast<uintptr_t>(scratch_.data()) % 64);
    attnrt_batch b{};
    b.struct_size = sizeof(b);
    b.sequences = shape_.batch;
    b.tokens = shape_.batch * shape_.q_len;
    b.max_q_len = shape_.q_len;
    b.max_kv_len = shape_.kv_len;
    b.q_start = {q_start_.data(), q_start_.data()};
    b.kv_len = {kv_len_.data(), kv_len_.data()};
    b.block_table = {table_.data(), table_.data()};
    b.block_table_stride = row_blocks_;
    const attnrt_workspace workspace{sizeof(workspace),   nullptr, scratch, nullptr, 0,
                                     sizes.scratch.bytes, 0};
    must(p.schedule(op_, &b, &workspace, nullptr, &schedule_, &error_), text_);

    args_.struct_size = sizeof(args_);
    args_.q = tensor(q_.get());
    args_.out = tensor(out_.get());
    args_.cache.blocks = blocks_;
    args_.cache.block_size = kBlock;
    args_.cache.heads = shape_.kv_heads;
    args_.scratch = scratch;
  }

  Shape shape_;
  int64_t row_blocks_, blocks_, row_, page_, layers_;
  Memory cache_, q_, out_;
  std::vector<uint8_t> scratch_;
  std::vector<int32_t> table_, q_start_, kv_len_;
  attnrt_op* op_ = nullptr;
  attnrt_schedule* schedule_ = nullptr;
  attnrt_attend_args args_{};
  int64_t next_ = 0;
  char text_[256] = "";
  attnrt_error error_{text_, sizeof(text_)};
};

void run(benchmark::State& state, const Shape& shape) {
  Case c(shape);
  c.attend();  // wakes the threads
  for (auto _ : state) c.attend();
  const double rounds = static_cast<double>(state.iterations());
  if (shape.q_len == 1) {
    state.SetBytesProcessed(state.iterations() * c.kv_bytes());
    return;
  }
  // Causal: query i of q_len sees kv_len - q_len + i + 1 keys.
  const double pairs = shape.q_len * (shape.kv_len - 0.5 * (shape.q_len - 1));
  state.counters["flop"] =
      benchmark::Counter(4.0 * shape.head_dim * pairs * shape.q_heads * shape.batch * rounds,
                         benchmark::Counter::kIsRate);
}

void add(const char* model, int32_t q_heads, int32_t kv_heads, int32_t head_dim) {
  struct Stored {
    const char* format;
    int32_t element;
  };
  const Stored formats[] = {{"bf16", 2},     {"f16", 2},      {"f32", 4},
                            {"fp8_e4m3", 1}, {"fp8_e5m2", 1}, {"int8_per_token_head", 1}};
  const int32_t shapes[][3] = {{1, 1, 512},   {1, 1, 4096},    {1, 1, 16384},
                               {8, 1, 4096},  {8, 1, 16384},   {1, 128, 128},
                               {1, 512, 512}, {1, 2048, 2048}, {1, 512, 4096}};
  for (const Stored& f : formats) {
    for (const auto& [batch, q_len, kv_len] : shapes) {
      const Shape s{f.format, f.element, q_heads, kv_heads, head_dim, batch, q_len, kv_len};
      const std::string name = std::string(model) + "/" + f.format +
                               (q_len == 1 ? "/decode/" : "/prefill/") + std::to_string(batch) +
                               "x" + std::to_string(q_len) + "/kv" + std::to_string(kv_len);
      benchmark::RegisterBenchmark(name.c_str(), [s](benchmark::State& state) { run(state, s); })
          ->UseRealTime()
          ->Unit(benchmark::kMicrosecond);
    }
  }
}

void add_shared(const char* format, int32_t element) {
  for (const int32_t shared : {0, 4096}) {
    const Shape s{format, element, 32, 8, 128, 32, 1, 4096 + 128, shared};
    const std::string name = std::string("llama/") + format +
                             (shared == 0 ? "/own_blocks" : "/shared_blocks") + "/32x1/kv4224";
    benchmark::RegisterBenchmark(name.c_str(), [s](benchmark::State& state) { run(state, s); })
        ->UseRealTime()
        ->Unit(benchmark::kMicrosecond);
  }
}

const bool kRegistered = [] {
  add("llama", 32, 8, 128);
  add("gemma", 4, 1, 256);
  add_shared("bf16", 2);
  add_shared("fp8_e4m3", 1);
  return true;
}();

}  // namespace
