/* attnrt plugin ABI, major version 1.
 *
 * A plugin is a shared object that exports two symbols and no more:
 *   attnrt_plugin_manifest   data: its manifest (header below, then YAML text), section .attnrt_manifest
 *   attnrt_plugin_entry_v1   code: hands over the function table
 * Everything that a plugin supports stands in its manifest; this ABI has no way to ask a plugin
 * whether it supports something. C++ authors include <attnrt/plugin.hpp>, a thin wrapper.
 *
 * GROWTH. Structs that begin with `struct_size` may get new fields at their end. The writer sets
 * struct_size to its own sizeof and zeroes the rest. The reader uses min(own, given) bytes and, if
 * a byte beyond what it knows is not zero, answers ATTNRT_UNSUPPORTED: a field that it cannot obey
 * is never ignored. Zero in a new field means "as before". Structs without struct_size are frozen.
 * Tables of functions (attnrt_host, attnrt_plugin, attnrt_device_service) differ in one point: what
 * the reader does not know at their end it does not call, so it is ignored. A function that is null,
 * or that lies beyond the given struct_size, does not exist.
 * Enumerations cross as fixed-width integers; an unknown value is ATTNRT_UNSUPPORTED.
 *
 * OWNERSHIP. The caller owns all memory that it passes, and keeps it valid until the work ordered
 * on the stream is done; nothing is freed by the other side. Handles are released by the function
 * named release_* or close, in reverse order of creation. `out` parameters are written on success
 * only, unless they say otherwise.
 *
 * ERRORS. Functions return an attnrt_status; the text goes to the caller's attnrt_error. No
 * exception, abort or exit crosses this boundary in either direction.
 *
 * THREADS. Tables are immutable and shared. An instance, and every op and schedule that comes from
 * it, is used by one thread at a time; different instances by many at once. A stream is the only
 * order between asynchronous calls. Plugins are never unloaded.
 *
 * NUMBERS. Query i of a sequence stands at position kv_len - q_len + i.
 *   score = softmax_scale * (q . k), then c * tanh(score / c) for soft cap c, then
 *   + slope * (k_pos - q_pos) for ALiBi, then the mask.
 * Causal: keys at or before the query. Window W: the query's own position and the W - 1 before it;
 * it hides older keys only, whatever the mask, so it also bounds prefix_lm's and tree_mask's.
 * prefix_lm: keys below the sequence's prefix length are seen by all its queries. tree_mask: the
 * last q_len keys are masked by bits, older keys are all visible. cross: every query sees all kv_len
 * keys, which belong to another sequence; positions have no meaning. A sink is a logit per query
 * head that joins the softmax's denominator. lse is the natural logarithm of the sum of exponentials
 * of the scaled, capped, biased scores of the visible keys, with the sink. A query without a
 * visible key: out 0, lse -inf (with a sink: out 0, lse = sink).
 */
#ifndef ATTNRT_PLUGIN_H_
#define ATTNRT_PLUGIN_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ATTNRT_ABI_MAJOR 1
#define ATTNRT_ABI_MINOR 1

#if defined(__GNUC__) || defined(__clang__)
#define ATTNRT_EXPORT __attribute__((visibility("default")))
#else
#define ATTNRT_EXPORT
#endif

/* ---- The manifest in the binary ------------------------------------------------------------- */

#define ATTNRT_MANIFEST_SECTION ".attnrt_manifest"
#define ATTNRT_MANIFEST_SYMBOL "attnrt_plugin_manifest"
#define ATTNRT_MANIFEST_MAGIC "ATTNRTMF" /* 8 bytes, no terminating zero in the file */
#define ATTNRT_MANIFEST_VERSION 1
#define ATTNRT_MANIFEST_MAX_BYTES 65536 /* of text */
#define ATTNRT_ENTRY_SYMBOL "attnrt_plugin_entry_v1"

/* First bytes of the section; `bytes` of UTF-8 text follow at once. Little-endian. Frozen. */
typedef struct attnrt_manifest_header {
  char magic[8];
  uint32_t version;
  uint32_t bytes;
} attnrt_manifest_header;

/* ---- Status and errors ---------------------------------------------------------------------- */

typedef int32_t attnrt_status;
enum {
  ATTNRT_OK = 0,
  ATTNRT_INVALID_ARGUMENT = 1, /* the caller broke the contract; the text says which sentence */
  ATTNRT_UNSUPPORTED = 2,      /* a value or field that this plugin does not know */
  ATTNRT_OUT_OF_MEMORY = 3,
  ATTNRT_UNAVAILABLE = 4, /* driver, device or library is missing or too old */
  ATTNRT_DEVICE_ERROR = 5,
  ATTNRT_INTERNAL = 6
};

/* The caller's buffer for an error's text, always zero-terminated after a failure. May be null,
 * and then no text is wanted. Frozen. */
typedef struct attnrt_error {
  char* text;
  uint64_t capacity; /* bytes, with the terminating zero */
} attnrt_error;

/* ---- Enumerations --------------------------------------------------------------------------- */

/* Element types of dense tensors. Formats of caches are not among them: they cross by name. */
enum {
  ATTNRT_DTYPE_F64 = 1,
  ATTNRT_DTYPE_F32 = 2,
  ATTNRT_DTYPE_F16 = 3,
  ATTNRT_DTYPE_BF16 = 4,
  ATTNRT_DTYPE_FP8_E4M3 = 5,
  ATTNRT_DTYPE_FP8_E5M2 = 6,
  ATTNRT_DTYPE_FP8_E4M3FNUZ = 7
};

enum {
  ATTNRT_DEVICE_CPU = 1,
  ATTNRT_DEVICE_CUDA = 2,
  ATTNRT_DEVICE_ROCM = 3,
  ATTNRT_DEVICE_XPU = 4,
  ATTNRT_DEVICE_SIMT = 5 /* CUDA kernels run on the CPU for tests; host memory */
};

enum {
  ATTNRT_OP_APPEND = 1,
  ATTNRT_OP_PREFILL = 2,
  ATTNRT_OP_DECODE = 3,
  ATTNRT_OP_MIXED = 4,
  ATTNRT_OP_MERGE = 5
};

enum { ATTNRT_LAYOUT_NHD = 1, ATTNRT_LAYOUT_HND = 2 };

enum { ATTNRT_CACHE_SEPARATE = 1, ATTNRT_CACHE_LATENT = 2 };

/* Bits of attnrt_layer_class.features, named as in manifests. */
#define ATTNRT_FEATURE_CAUSAL (UINT64_C(1) << 0)
#define ATTNRT_FEATURE_NON_CAUSAL (UINT64_C(1) << 1)
#define ATTNRT_FEATURE_CROSS (UINT64_C(1) << 2)
#define ATTNRT_FEATURE_TREE_MASK (UINT64_C(1) << 3)
#define ATTNRT_FEATURE_PREFIX_LM (UINT64_C(1) << 4)
#define ATTNRT_FEATURE_WINDOW (UINT64_C(1) << 5)
#define ATTNRT_FEATURE_SINKS (UINT64_C(1) << 6)
#define ATTNRT_FEATURE_SOFTCAP (UINT64_C(1) << 7)
#define ATTNRT_FEATURE_ALIBI (UINT64_C(1) << 8)
#define ATTNRT_FEATURE_LSE (UINT64_C(1) << 9)
#define ATTNRT_FEATURE_PER_HEAD_SCALES (UINT64_C(1) << 10)
#define ATTNRT_FEATURE_BATCH_INVARIANT (UINT64_C(1) << 11)
#define ATTNRT_FEATURE_GRAPH (UINT64_C(1) << 12)
#define ATTNRT_FEATURE_DEVICE_LENGTHS (UINT64_C(1) << 13)
#define ATTNRT_FEATURE_SPARSE (UINT64_C(1) << 14) /* reserved: no parameters in version 1.0 */

enum { ATTNRT_LOG_DEBUG = 1, ATTNRT_LOG_INFO = 2, ATTNRT_LOG_WARN = 3, ATTNRT_LOG_ERROR = 4 };

/* ---- Host services, device, options ---------------------------------------------------------- */

/* What the host lends. Valid as long as the instance that got it; the entry's: as long as the
 * process. */
typedef struct attnrt_host {
  uint32_t struct_size;
  uint32_t abi_minor; /* of the host */
  void* ctx;          /* passed back to every function below */
  /* Any thread. Text is UTF-8, zero-terminated, valid during the call only. */
  void (*log)(void* ctx, int32_t level, const char* text);
  /* Runs fn(arg, i) for every i in [0, n), possibly at once on several threads, and returns when
   * all are done. Null: the plugin uses threads of its own. Never called from inside fn. */
  void (*parallel_for)(void* ctx, int64_t n, void (*fn)(void* arg, int64_t i), void* arg);
  /* How many threads parallel_for uses at the most, or, where it is null, how many the plugin may
   * start; 0: the plugin decides. */
  int32_t threads;
  int32_t reserved;
  /* Host memory for the plugin's own small tables; null on failure. Thread-safe. */
  void* (*allocate)(void* ctx, uint64_t bytes, uint64_t alignment);
  void (*release)(void* ctx, void* memory);
} attnrt_host;

/* A setting of the operator's for one plugin, from YAML (plugins: options: NAME: {key: value}).
 * A plugin refuses `open` for a key or value that it does not know. Frozen. */
typedef struct attnrt_option {
  const char* key;
  const char* value;
} attnrt_option;

typedef struct attnrt_device {
  uint32_t struct_size;
  int32_t kind;    /* ATTNRT_DEVICE_* */
  int32_t ordinal; /* of the device among its kind */
  int32_t sm;      /* CUDA, SIMT: 90 for SM 9.0; else 0 */
  const char* gfx; /* ROCm: "gfx942"; else null */
  const attnrt_option* options;
  uint64_t option_count;
} attnrt_device;

/* ---- Tensors ---------------------------------------------------------------------------------- */

#define ATTNRT_MAX_RANK 4

/* A dense tensor on the op's device. Strides are in elements, the last axis is contiguous.
 * data may be null only where a parameter says that it is optional. Data and strides are multiples
 * of an element's bytes; nothing more may be counted on, unless the kernel's manifest says so:
 * `tensors: [packed]`, rows stand one behind the other (lse and a merge's parts too), and
 * `alignment: N`, data and strides in bytes are multiples of N (but for lse, whose rows are
 * values). What a manifest does not list is ATTNRT_UNSUPPORTED. Frozen. */
typedef struct attnrt_tensor {
  void* data;
  int32_t dtype; /* ATTNRT_DTYPE_* */
  int32_t rank;
  int64_t shape[ATTNRT_MAX_RANK];
  int64_t stride[ATTNRT_MAX_RANK];
} attnrt_tensor;

/* Factors of a quantised tensor: real = stored * scale. count is 1, or the number of heads (needs
 * the feature per_head_scales); 0 with data null means 1.0. host is data[0] where the caller knows
 * it and count is 1, else NaN. Frozen. */
typedef struct attnrt_scale {
  const float* data; /* device */
  int32_t count;
  float host;
} attnrt_scale;

/* Where the rows of one side (K or V) of a paged cache stand. The row of (block b, token t, head h)
 * begins at data + b * block_stride + t * token_stride + h * head_stride, all in bytes, and holds
 * what the format puts there. Formats with scales of their own find them at
 * scales + b * scale_block_stride + t * scale_token_stride + h * scale_head_stride
 * (in line behind the row, behind the page's rows, or anywhere else). Strides are taken as
 * given: padding and other tensors' bytes may lie between. Pointers and strides of a side are
 * multiples of the bytes that its elements and scales have (4 with scales in f32); nothing more may
 * be counted on, unless the kernel's manifest says so: `pages: [packed]`, a page's rows stand one
 * behind the other as the layout says, scales as the format puts them there, and block_stride is a
 * whole number of the side's pages; `alignment: N`, data and its strides are multiples of N. What a
 * manifest does not list is ATTNRT_UNSUPPORTED. nvfp4_swizzled and nvfp4_4over6 permute the scales
 * of V within four tokens: kernels/codec/nvfp4_swizzled.h gives the row and the byte in it; the rows
 * themselves are addressed with the same strides.
 * Frozen. */
typedef struct attnrt_cache_side {
  void* data;
  int64_t block_stride;
  int64_t token_stride;
  int64_t head_stride;
  void* scales;
  int64_t scale_block_stride;
  int64_t scale_token_stride;
  int64_t scale_head_stride;
} attnrt_cache_side;

/* A layer's paged cache. latent: v.data is null and V is the first head_dim_v elements of each row
 * of K. Frozen. */
typedef struct attnrt_cache_view {
  attnrt_cache_side k;
  attnrt_cache_side v;
  int64_t blocks;     /* ids 0 … blocks-1 are valid */
  int32_t block_size; /* tokens a block */
  int32_t heads;      /* KV heads */
  attnrt_scale k_scale;
  attnrt_scale v_scale;
} attnrt_cache_view;

/* ---- What a plugin is asked to prepare --------------------------------------------------------- */

/* Everything about a layer and an op that does not change from batch to batch; layers that agree
 * in all of it share one op. */
typedef struct attnrt_layer_class {
  uint32_t struct_size;
  int32_t op;            /* ATTNRT_OP_* */
  int32_t q_heads;       /* a multiple of kv_heads */
  int32_t kv_heads;
  int32_t head_dim_qk;
  int32_t head_dim_v;
  int32_t q_dtype;       /* of q; of k and v for append; ATTNRT_DTYPE_* */
  int32_t out_dtype;
  const char* cache_format; /* canonical name, e.g. "fp8_e4m3"; empty for merge */
  int32_t block_size;
  int32_t layout;        /* ATTNRT_LAYOUT_*: which of token and head stride is larger; a hint for
                            loop order, addresses always come from the view's strides */
  int32_t cache_kind;    /* ATTNRT_CACHE_* */
  float softmax_scale;   /* multiplies q . k; 0 means 1 / sqrt(head_dim_qk) */
  uint64_t features;     /* ATTNRT_FEATURE_*: all that calls may use; exactly one mask among them */
  int32_t window;        /* keys, with feature window; else 0 */
  float softcap;         /* c, with feature softcap; else 0 */
} attnrt_layer_class;

/* Upper bounds of the batches to come; all at least 1. */
typedef struct attnrt_bounds {
  uint32_t struct_size;
  int32_t sequences;
  int32_t tokens; /* query tokens of one batch, all sequences together */
  int32_t q_len;  /* of one sequence */
  int64_t kv_len; /* of one sequence */
} attnrt_bounds;

/* One area of memory that an op wants from the caller. Frozen. */
typedef struct attnrt_area {
  uint64_t bytes;     /* may be 0 */
  uint64_t alignment; /* a power of two */
} attnrt_area;

/* What an op needs; sizes never fall as bounds grow. */
typedef struct attnrt_workspace_sizes {
  uint32_t struct_size;
  attnrt_area state;   /* device; zeroed once by the caller; owned by one schedule */
  attnrt_area scratch; /* device; undefined at entry; shared by everything on one stream */
  attnrt_area staging; /* host (pinned for CUDA); not reused before the stream has passed it */
} attnrt_workspace_sizes;

typedef struct attnrt_workspace {
  uint32_t struct_size;
  void* state;
  void* scratch;
  void* staging;
  uint64_t state_bytes;
  uint64_t scratch_bytes;
  uint64_t staging_bytes;
} attnrt_workspace;

/* An array that lives on the device and, where the host knows it too, also there. On host devices
 * both pointers are equal. host null needs the feature device_lengths. Frozen. */
typedef struct attnrt_i32_array {
  const int32_t* device;
  const int32_t* host;
} attnrt_i32_array;
typedef struct attnrt_i64_array {
  const int64_t* device;
  const int64_t* host;
} attnrt_i64_array;
typedef struct attnrt_u8_array {
  const uint8_t* device;
  const uint8_t* host;
} attnrt_u8_array;

/* One step of one cache group: n sequences with their query tokens packed one after the other.
 * Entries of the block table beyond kv_len, or wholly outside the window, are never read. The arrays
 * stay valid until the schedule made of them is released or rescheduled; the struct itself need
 * only live during the call. */
typedef struct attnrt_batch {
  uint32_t struct_size;
  int32_t sequences;             /* n, may be 0 */
  int32_t tokens;                /* q_start[n] */
  int32_t max_q_len;             /* upper bounds for this batch */
  int64_t max_kv_len;
  attnrt_i32_array q_start;      /* [n + 1], ascending, q_start[0] = 0 */
  attnrt_i32_array kv_len;       /* [n], after this step's append; 0 is allowed */
  attnrt_i32_array block_table;  /* [n, block_table_stride]: block ids */
  int64_t block_table_stride;    /* entries a row */
  attnrt_i64_array slot_mapping; /* [tokens], append only: block * block_size + offset; -1 skips */
  attnrt_i32_array prefix_len;   /* [n], with prefix_lm */
  attnrt_u8_array tree_mask;     /* with tree_mask: per sequence q_len rows of q_len bits, least
                                    significant bit first, each row begins at a byte;
                                    bit j of row i: query i sees key kv_len - q_len + j */
  attnrt_i64_array tree_offset;  /* [n], with tree_mask: byte offset of a sequence's rows */
  int32_t shared_prefix_len;     /* hint: the first so many tokens of all sequences lie in the
                                    same blocks; 0: unknown */
  int32_t reserved;
} attnrt_batch;

/* ---- Calls --------------------------------------------------------------------------------------- */

typedef struct attnrt_instance attnrt_instance;
typedef struct attnrt_op attnrt_op;
typedef struct attnrt_schedule attnrt_schedule;

typedef struct attnrt_append_args {
  uint32_t struct_size;
  int32_t tokens;                /* rows of k and v to store */
  attnrt_tensor k;               /* [tokens, kv_heads, head_dim_qk] */
  attnrt_tensor v;               /* [tokens, kv_heads, head_dim_v]; latent: data null */
  attnrt_i64_array slot_mapping; /* [tokens]; slots < 0 are skipped; no slot stands twice */
  attnrt_cache_view cache;       /* k_scale, v_scale: stored = real / scale */
  uint64_t* nan_count;           /* device, optional: grows by the number of NaN inputs that the
                                    format could not store */
  void* stream;
} attnrt_append_args;

typedef struct attnrt_attend_args {
  uint32_t struct_size;
  uint32_t reserved;
  attnrt_tensor q;           /* [tokens, q_heads, head_dim_qk] */
  attnrt_tensor out;         /* [tokens, q_heads, head_dim_v] */
  attnrt_tensor lse;         /* f32 [tokens, q_heads], with feature lse; data null: not wanted */
  attnrt_cache_view cache;
  attnrt_scale q_scale;      /* of an 8-bit q */
  attnrt_scale out_scale;    /* of an 8-bit out: stored = real / scale */
  const float* sinks;        /* device f32 [q_heads], with feature sinks; else null */
  const float* alibi_slopes; /* device f32 [q_heads], with feature alibi; else null */
  void* scratch;             /* the workspace's scratch area, as large as for this op's bounds */
  void* stream;
} attnrt_attend_args;

/* out = sum_i exp(lse_i - lse) out_i, lse = log sum_i exp(lse_i). A part of weight 0 contributes
 * nothing even if it holds NaN; all parts -inf gives out 0, lse -inf. */
typedef struct attnrt_merge_args {
  uint32_t struct_size;
  int32_t parts;                  /* at least 1 */
  const attnrt_tensor* part_out;  /* [parts] of f32 [tokens, q_heads, head_dim_v] */
  const attnrt_tensor* part_lse;  /* [parts] of f32 [tokens, q_heads] */
  attnrt_tensor out;              /* [tokens, q_heads, head_dim_v] of out_dtype */
  attnrt_tensor lse;              /* f32 [tokens, q_heads]; data null: not wanted */
  attnrt_scale out_scale;
  void* stream;
} attnrt_merge_args;

/* Memory, order and time on a device that is not the host; the session uses it where the engine
 * gives no memory of its own. */
typedef struct attnrt_device_service {
  uint32_t struct_size;
  uint32_t reserved;
  attnrt_status (*allocate)(attnrt_instance*, uint64_t bytes, void** out, attnrt_error*);
  attnrt_status (*release)(attnrt_instance*, void* memory, attnrt_error*);
  attnrt_status (*allocate_pinned)(attnrt_instance*, uint64_t bytes, void** out, attnrt_error*);
  attnrt_status (*release_pinned)(attnrt_instance*, void* memory, attnrt_error*);
  /* Either side of a copy may be host or device memory. Ordered on the stream. */
  attnrt_status (*copy)(attnrt_instance*, void* to, const void* from, uint64_t bytes, void* stream,
                        attnrt_error*);
  attnrt_status (*zero)(attnrt_instance*, void* memory, uint64_t bytes, void* stream,
                        attnrt_error*);
  attnrt_status (*create_stream)(attnrt_instance*, void** out, attnrt_error*);
  attnrt_status (*destroy_stream)(attnrt_instance*, void* stream, attnrt_error*);
  attnrt_status (*create_event)(attnrt_instance*, void** out, attnrt_error*);
  attnrt_status (*destroy_event)(attnrt_instance*, void* event, attnrt_error*);
  attnrt_status (*record_event)(attnrt_instance*, void* event, void* stream, attnrt_error*);
  attnrt_status (*wait_event)(attnrt_instance*, void* event, void* stream, attnrt_error*);
  attnrt_status (*elapsed_ms)(attnrt_instance*, void* from, void* to, float* out, attnrt_error*);
  attnrt_status (*synchronize)(attnrt_instance*, void* stream, attnrt_error*);
  /* Since 1.1, all four or none. What is ordered on the stream (never null) until end_capture is kept
   * as a graph instead of done; launch_graph does it, with the same pointers and parameters, as often
   * as it is called. Whatever end_capture answers, the stream captures no more. */
  attnrt_status (*begin_capture)(attnrt_instance*, void* stream, attnrt_error*);
  attnrt_status (*end_capture)(attnrt_instance*, void* stream, void** out, attnrt_error*);
  attnrt_status (*launch_graph)(attnrt_instance*, void* graph, void* stream, attnrt_error*);
  attnrt_status (*destroy_graph)(attnrt_instance*, void* graph, attnrt_error*);
} attnrt_device_service;

/* The plugin's functions. Which ones must exist follows from the manifest's ops: open, close,
 * prepare, release_op and workspace always; append for append; schedule, release_schedule and attend
 * for prefill, decode and mixed; merge for merge; reschedule for the feature graph; device_service
 * for every device that is not the host. append, attend and merge neither allocate nor wait. */
typedef struct attnrt_plugin {
  uint32_t struct_size;
  uint32_t abi_minor; /* of the header that the plugin was built with */

  /* May refuse for what no manifest can know (driver, memory, an unknown option). */
  attnrt_status (*open)(const attnrt_host* host, const attnrt_device* device,
                        attnrt_instance** out, attnrt_error* error);
  void (*close)(attnrt_instance*);

  /* kernel: the manifest's name of the kernel that the selector chose. */
  attnrt_status (*prepare)(attnrt_instance*, const char* kernel, const attnrt_layer_class*,
                           attnrt_op** out, attnrt_error*);
  void (*release_op)(attnrt_op*);

  attnrt_status (*workspace)(attnrt_op*, const attnrt_bounds*, attnrt_workspace_sizes* out,
                             attnrt_error*);

  /* Divides one batch's work. The workspace must be as large as for bounds that hold the batch;
   * its state and staging belong to the schedule until it is released. */
  attnrt_status (*schedule)(attnrt_op*, const attnrt_batch*, const attnrt_workspace*, void* stream,
                            attnrt_schedule** out, attnrt_error*);
  /* The same memory and launches for another batch within the bounds. Optional; feature graph. */
  attnrt_status (*reschedule)(attnrt_schedule*, const attnrt_batch*, void* stream, attnrt_error*);
  void (*release_schedule)(attnrt_schedule*);

  attnrt_status (*append)(attnrt_op*, const attnrt_append_args*, attnrt_error*);
  attnrt_status (*attend)(attnrt_op*, attnrt_schedule*, const attnrt_attend_args*, attnrt_error*);
  attnrt_status (*merge)(attnrt_op*, const attnrt_merge_args*, attnrt_error*);

  const attnrt_device_service* (*device_service)(attnrt_instance*);
  /* One line for people: what is in use, e.g. "avx512, 2 threads". Optional. Writes at most
   * capacity bytes with the terminating zero. */
  attnrt_status (*describe)(attnrt_instance*, char* text, uint64_t capacity);
} attnrt_plugin;

/* Type of attnrt_plugin_entry_v1. The table lives as long as the process. */
typedef attnrt_status (*attnrt_plugin_entry)(const attnrt_host* host, const attnrt_plugin** out,
                                             attnrt_error* error);

#ifdef __cplusplus
}
#endif

#endif /* ATTNRT_PLUGIN_H_ */
