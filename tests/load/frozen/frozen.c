/* Frozen at version 1.0 with its own copy of the header: never to be changed again. Whatever
 * attnrt becomes, it must load and run this. It began as tests/third_party_c/plugin/naive.c. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin_v1_0.h"

static struct attnrt_instance { int nothing; /* no options, no threads: one serves all */ } only;
struct attnrt_op {
  attnrt_layer_class layer;
};
struct attnrt_schedule {
  attnrt_batch batch; /* its arrays live as long as the schedule */
};

static attnrt_status fail(attnrt_error* error, attnrt_status status, const char* text) {
  if (error != NULL && error->text != NULL) {
    snprintf(error->text, (size_t)error->capacity, "%s", text);
  }
  return status;
}

/* Copies a growable struct; a field that this header does not know must be zero. */
static int take(void* to, size_t known, const void* from) {
  const unsigned char* bytes = from;
  uint32_t given;
  memcpy(&given, from, sizeof given);
  for (size_t i = known; i < given; ++i) {
    if (bytes[i] != 0) return 0;
  }
  memset(to, 0, known);
  memcpy(to, from, given < known ? given : known);
  return 1;
}
#define TAKE(copy, from, error) \
  if (!take(&(copy), sizeof(copy), (from))) return fail(error, ATTNRT_UNSUPPORTED, "a newer " #from)

static attnrt_status naive_open(const attnrt_host* host, const attnrt_device* given,
                                attnrt_instance** out, attnrt_error* error) {
  attnrt_device device;
  (void)host;
  TAKE(device, given, error);
  if (device.option_count != 0) {
    return fail(error, ATTNRT_UNSUPPORTED, "there are no options");
  }
  *out = &only;
  return ATTNRT_OK;
}

static void naive_close(attnrt_instance* instance) {
  (void)instance;
}

static attnrt_status naive_prepare(attnrt_instance* instance, const char* kernel,
                                   const attnrt_layer_class* given, attnrt_op** out,
                                   attnrt_error* error) {
  const uint64_t known_features = ATTNRT_FEATURE_CAUSAL | ATTNRT_FEATURE_LSE;
  attnrt_layer_class layer;
  (void)instance, (void)kernel; /* the layer class says it all */
  TAKE(layer, given, error);
  if (layer.op < ATTNRT_OP_APPEND || layer.op > ATTNRT_OP_MIXED ||
      layer.q_dtype != ATTNRT_DTYPE_F32 || strcmp(layer.cache_format, "f32") != 0 ||
      layer.cache_kind != ATTNRT_CACHE_SEPARATE || (layer.features & ~known_features) != 0) {
    return fail(error, ATTNRT_UNSUPPORTED, "a value beyond the manifest");
  }
  if (layer.softmax_scale == 0) layer.softmax_scale = 1.0f / sqrtf((float)layer.head_dim_qk);
  attnrt_op* op = malloc(sizeof *op);
  if (op == NULL) return fail(error, ATTNRT_OUT_OF_MEMORY, "no memory for an op");
  op->layer = layer;
  *out = op;
  return ATTNRT_OK;
}

static void naive_release_op(attnrt_op* op) {
  free(op);
}

/* Nothing: the running softmax lives in the output row. */
static attnrt_status naive_workspace(attnrt_op* op, const attnrt_bounds* given,
                                     attnrt_workspace_sizes* out, attnrt_error* error) {
  attnrt_bounds bounds;
  (void)op;
  TAKE(bounds, given, error);
  out->state = out->scratch = out->staging = (attnrt_area){0, 1};
  return ATTNRT_OK;
}

static attnrt_status naive_schedule(attnrt_op* op, const attnrt_batch* given,
                                    const attnrt_workspace* given_workspace, void* stream,
                                    attnrt_schedule** out, attnrt_error* error) {
  attnrt_batch batch;
  attnrt_workspace workspace;
  (void)op, (void)stream;
  TAKE(batch, given, error);
  TAKE(workspace, given_workspace, error);
  attnrt_schedule* schedule = malloc(sizeof *schedule);
  if (schedule == NULL) return fail(error, ATTNRT_OUT_OF_MEMORY, "no memory for a schedule");
  schedule->batch = batch;
  *out = schedule;
  return ATTNRT_OK;
}

static void naive_release_schedule(attnrt_schedule* schedule) {
  free(schedule);
}

static float factor(attnrt_scale scale) {
  return scale.count == 0 ? 1.0f : scale.data[0];
}

/* The row of a token and a head, in one side of the cache. */
static float* cache_row(const attnrt_cache_side* side, int64_t block, int64_t token, int64_t head) {
  return (float*)(void*)((char*)side->data + block * side->block_stride +
                         token * side->token_stride + head * side->head_stride);
}

static const float* row(const attnrt_tensor* tensor, int64_t token, int64_t head) {
  return (const float*)tensor->data + token * tensor->stride[0] + head * tensor->stride[1];
}

static attnrt_status naive_append(attnrt_op* op, const attnrt_append_args* given,
                                  attnrt_error* error) {
  attnrt_append_args args;
  TAKE(args, given, error);
  const attnrt_cache_view* cache = &args.cache;
  for (int32_t t = 0; t < args.tokens; ++t) {
    const int64_t slot = args.slot_mapping.host[t];
    if (slot < 0) continue;
    const int64_t block = slot / cache->block_size, token = slot % cache->block_size;
    for (int32_t h = 0; h < cache->heads; ++h) {
      float* k = cache_row(&cache->k, block, token, h);
      float* v = cache_row(&cache->v, block, token, h);
      for (int32_t i = 0; i < op->layer.head_dim_qk; ++i) {
        k[i] = row(&args.k, t, h)[i] / factor(cache->k_scale);
      }
      for (int32_t i = 0; i < op->layer.head_dim_v; ++i) {
        v[i] = row(&args.v, t, h)[i] / factor(cache->v_scale);
      }
    }
  }
  return ATTNRT_OK;
}

/* One query against keys 0 … visible - 1, with the softmax taken as the keys come. Returns lse. */
static float attend_row(const attnrt_layer_class* layer, const attnrt_cache_view* cache,
                        const int32_t* blocks, int64_t visible, int32_t kv_head, const float* q,
                        float* out) {
  float largest = -INFINITY, sum = 0;
  memset(out, 0, sizeof(float) * (size_t)layer->head_dim_v);
  for (int64_t j = 0; j < visible; ++j) {
    const int64_t block = blocks[j / cache->block_size], token = j % cache->block_size;
    const float* k = cache_row(&cache->k, block, token, kv_head);
    const float* v = cache_row(&cache->v, block, token, kv_head);
    float score = 0;
    for (int32_t i = 0; i < layer->head_dim_qk; ++i) score += q[i] * k[i];
    score *= layer->softmax_scale * factor(cache->k_scale);
    if (score == -INFINITY) continue; /* weight 0, and no infinity to be subtracted from itself */
    const float old_weight = score > largest ? expf(largest - score) : 1.0f;
    if (score > largest) largest = score;
    const float weight = expf(score - largest);
    sum = sum * old_weight + weight;
    for (int32_t i = 0; i < layer->head_dim_v; ++i) out[i] = out[i] * old_weight + weight * v[i];
  }
  if (sum == 0) return -INFINITY;
  const float scale = factor(cache->v_scale) / sum;
  for (int32_t i = 0; i < layer->head_dim_v; ++i) out[i] *= scale;
  return largest + logf(sum);
}

static attnrt_status naive_attend(attnrt_op* op, attnrt_schedule* schedule,
                                  const attnrt_attend_args* given, attnrt_error* error) {
  attnrt_attend_args args;
  TAKE(args, given, error);
  const attnrt_layer_class* layer = &op->layer;
  const attnrt_batch* batch = &schedule->batch;
  const int32_t group = layer->q_heads / layer->kv_heads;
  for (int32_t s = 0; s < batch->sequences; ++s) {
    const int32_t first = batch->q_start.host[s], end = batch->q_start.host[s + 1];
    const int32_t* blocks = batch->block_table.host + s * batch->block_table_stride;
    for (int32_t t = first; t < end; ++t) {
      const int64_t visible = (int64_t)batch->kv_len.host[s] - (end - first) + (t - first) + 1;
      for (int32_t h = 0; h < layer->q_heads; ++h) {
        const float lse = attend_row(layer, &args.cache, blocks, visible, h / group,
                                     row(&args.q, t, h), (float*)row(&args.out, t, h));
        if (args.lse.data != NULL) *(float*)row(&args.lse, t, h) = lse;
      }
    }
  }
  return ATTNRT_OK;
}

ATTNRT_EXPORT attnrt_status attnrt_plugin_entry_v1(const attnrt_host* host,
                                                   const attnrt_plugin** out, attnrt_error* error) {
  static const attnrt_plugin table = {
      .struct_size = sizeof table,
      .abi_minor = ATTNRT_ABI_MINOR,
      .open = naive_open,
      .close = naive_close,
      .prepare = naive_prepare,
      .release_op = naive_release_op,
      .workspace = naive_workspace,
      .schedule = naive_schedule,
      .release_schedule = naive_release_schedule,
      .append = naive_append,
      .attend = naive_attend,
  };
  (void)host, (void)error;
  *out = &table;
  return ATTNRT_OK;
}
