/* The layout of every struct of the ABI since version 1.0, on 64-bit machines. A line here never
 * changes; a struct that grows gets new lines, and its size may only become larger. */
#ifndef ATTNRT_TESTS_LOAD_ABI_LAYOUT_H_
#define ATTNRT_TESTS_LOAD_ABI_LAYOUT_H_

#include <attnrt/plugin.h>

#ifdef __cplusplus
#define ABI_ASSERT static_assert
#else
#define ABI_ASSERT _Static_assert
#endif

#define ABI_FROZEN(type, bytes) ABI_ASSERT(sizeof(type) == (bytes), #type " is frozen")
/* Growable: it must end where its last field ends, else a later field could hide in the padding. */
#define ABI_GROWS(type, last, bytes)                        \
  ABI_ASSERT(sizeof(type) >= (bytes), #type " only grows"); \
  ABI_ASSERT(offsetof(type, last) + sizeof(((type*)0)->last) == (bytes), #type " grew in place")
#define ABI_FIELD(type, field, offset, bytes)                                   \
  ABI_ASSERT(offsetof(type, field) == (offset), #type "." #field " has moved"); \
  ABI_ASSERT(sizeof(((type*)0)->field) == (bytes), #type "." #field " has changed size")

ABI_FROZEN(attnrt_manifest_header, 16);
ABI_FIELD(attnrt_manifest_header, magic, 0, 8);
ABI_FIELD(attnrt_manifest_header, version, 8, 4);
ABI_FIELD(attnrt_manifest_header, bytes, 12, 4);

ABI_FROZEN(attnrt_error, 16);
ABI_FIELD(attnrt_error, text, 0, 8);
ABI_FIELD(attnrt_error, capacity, 8, 8);

ABI_GROWS(attnrt_host, release, 56);
ABI_FIELD(attnrt_host, struct_size, 0, 4);
ABI_FIELD(attnrt_host, abi_minor, 4, 4);
ABI_FIELD(attnrt_host, ctx, 8, 8);
ABI_FIELD(attnrt_host, log, 16, 8);
ABI_FIELD(attnrt_host, parallel_for, 24, 8);
ABI_FIELD(attnrt_host, threads, 32, 4);
ABI_FIELD(attnrt_host, reserved, 36, 4);
ABI_FIELD(attnrt_host, allocate, 40, 8);
ABI_FIELD(attnrt_host, release, 48, 8);

ABI_FROZEN(attnrt_option, 16);
ABI_FIELD(attnrt_option, key, 0, 8);
ABI_FIELD(attnrt_option, value, 8, 8);

ABI_GROWS(attnrt_device, option_count, 40);
ABI_FIELD(attnrt_device, struct_size, 0, 4);
ABI_FIELD(attnrt_device, kind, 4, 4);
ABI_FIELD(attnrt_device, ordinal, 8, 4);
ABI_FIELD(attnrt_device, sm, 12, 4);
ABI_FIELD(attnrt_device, gfx, 16, 8);
ABI_FIELD(attnrt_device, options, 24, 8);
ABI_FIELD(attnrt_device, option_count, 32, 8);

ABI_FROZEN(attnrt_tensor, 80);
ABI_FIELD(attnrt_tensor, data, 0, 8);
ABI_FIELD(attnrt_tensor, dtype, 8, 4);
ABI_FIELD(attnrt_tensor, rank, 12, 4);
ABI_FIELD(attnrt_tensor, shape, 16, 32);
ABI_FIELD(attnrt_tensor, stride, 48, 32);

ABI_FROZEN(attnrt_scale, 16);
ABI_FIELD(attnrt_scale, data, 0, 8);
ABI_FIELD(attnrt_scale, count, 8, 4);
ABI_FIELD(attnrt_scale, host, 12, 4);

ABI_FROZEN(attnrt_cache_side, 64);
ABI_FIELD(attnrt_cache_side, data, 0, 8);
ABI_FIELD(attnrt_cache_side, block_stride, 8, 8);
ABI_FIELD(attnrt_cache_side, token_stride, 16, 8);
ABI_FIELD(attnrt_cache_side, head_stride, 24, 8);
ABI_FIELD(attnrt_cache_side, scales, 32, 8);
ABI_FIELD(attnrt_cache_side, scale_block_stride, 40, 8);
ABI_FIELD(attnrt_cache_side, scale_token_stride, 48, 8);
ABI_FIELD(attnrt_cache_side, scale_head_stride, 56, 8);

ABI_FROZEN(attnrt_cache_view, 176);
ABI_FIELD(attnrt_cache_view, k, 0, 64);
ABI_FIELD(attnrt_cache_view, v, 64, 64);
ABI_FIELD(attnrt_cache_view, blocks, 128, 8);
ABI_FIELD(attnrt_cache_view, block_size, 136, 4);
ABI_FIELD(attnrt_cache_view, heads, 140, 4);
ABI_FIELD(attnrt_cache_view, k_scale, 144, 16);
ABI_FIELD(attnrt_cache_view, v_scale, 160, 16);

ABI_GROWS(attnrt_layer_class, softcap, 72);
ABI_FIELD(attnrt_layer_class, struct_size, 0, 4);
ABI_FIELD(attnrt_layer_class, op, 4, 4);
ABI_FIELD(attnrt_layer_class, q_heads, 8, 4);
ABI_FIELD(attnrt_layer_class, kv_heads, 12, 4);
ABI_FIELD(attnrt_layer_class, head_dim_qk, 16, 4);
ABI_FIELD(attnrt_layer_class, head_dim_v, 20, 4);
ABI_FIELD(attnrt_layer_class, q_dtype, 24, 4);
ABI_FIELD(attnrt_layer_class, out_dtype, 28, 4);
ABI_FIELD(attnrt_layer_class, cache_format, 32, 8);
ABI_FIELD(attnrt_layer_class, block_size, 40, 4);
ABI_FIELD(attnrt_layer_class, layout, 44, 4);
ABI_FIELD(attnrt_layer_class, cache_kind, 48, 4);
ABI_FIELD(attnrt_layer_class, softmax_scale, 52, 4);
ABI_FIELD(attnrt_layer_class, features, 56, 8);
ABI_FIELD(attnrt_layer_class, window, 64, 4);
ABI_FIELD(attnrt_layer_class, softcap, 68, 4);

ABI_GROWS(attnrt_bounds, kv_len, 24);
ABI_FIELD(attnrt_bounds, struct_size, 0, 4);
ABI_FIELD(attnrt_bounds, sequences, 4, 4);
ABI_FIELD(attnrt_bounds, tokens, 8, 4);
ABI_FIELD(attnrt_bounds, q_len, 12, 4);
ABI_FIELD(attnrt_bounds, kv_len, 16, 8);

ABI_FROZEN(attnrt_area, 16);
ABI_FIELD(attnrt_area, bytes, 0, 8);
ABI_FIELD(attnrt_area, alignment, 8, 8);

ABI_GROWS(attnrt_workspace_sizes, staging, 56);
ABI_FIELD(attnrt_workspace_sizes, struct_size, 0, 4);
ABI_FIELD(attnrt_workspace_sizes, state, 8, 16);
ABI_FIELD(attnrt_workspace_sizes, scratch, 24, 16);
ABI_FIELD(attnrt_workspace_sizes, staging, 40, 16);

ABI_GROWS(attnrt_workspace, staging_bytes, 56);
ABI_FIELD(attnrt_workspace, struct_size, 0, 4);
ABI_FIELD(attnrt_workspace, state, 8, 8);
ABI_FIELD(attnrt_workspace, scratch, 16, 8);
ABI_FIELD(attnrt_workspace, staging, 24, 8);
ABI_FIELD(attnrt_workspace, state_bytes, 32, 8);
ABI_FIELD(attnrt_workspace, scratch_bytes, 40, 8);
ABI_FIELD(attnrt_workspace, staging_bytes, 48, 8);

ABI_FROZEN(attnrt_i32_array, 16);
ABI_FIELD(attnrt_i32_array, device, 0, 8);
ABI_FIELD(attnrt_i32_array, host, 8, 8);

ABI_FROZEN(attnrt_i64_array, 16);
ABI_FIELD(attnrt_i64_array, device, 0, 8);
ABI_FIELD(attnrt_i64_array, host, 8, 8);

ABI_FROZEN(attnrt_u8_array, 16);
ABI_FIELD(attnrt_u8_array, device, 0, 8);
ABI_FIELD(attnrt_u8_array, host, 8, 8);

ABI_GROWS(attnrt_batch, reserved, 152);
ABI_FIELD(attnrt_batch, struct_size, 0, 4);
ABI_FIELD(attnrt_batch, sequences, 4, 4);
ABI_FIELD(attnrt_batch, tokens, 8, 4);
ABI_FIELD(attnrt_batch, max_q_len, 12, 4);
ABI_FIELD(attnrt_batch, max_kv_len, 16, 8);
ABI_FIELD(attnrt_batch, q_start, 24, 16);
ABI_FIELD(attnrt_batch, kv_len, 40, 16);
ABI_FIELD(attnrt_batch, block_table, 56, 16);
ABI_FIELD(attnrt_batch, block_table_stride, 72, 8);
ABI_FIELD(attnrt_batch, slot_mapping, 80, 16);
ABI_FIELD(attnrt_batch, prefix_len, 96, 16);
ABI_FIELD(attnrt_batch, tree_mask, 112, 16);
ABI_FIELD(attnrt_batch, tree_offset, 128, 16);
ABI_FIELD(attnrt_batch, shared_prefix_len, 144, 4);
ABI_FIELD(attnrt_batch, reserved, 148, 4);

ABI_GROWS(attnrt_append_args, stream, 376);
ABI_FIELD(attnrt_append_args, struct_size, 0, 4);
ABI_FIELD(attnrt_append_args, tokens, 4, 4);
ABI_FIELD(attnrt_append_args, k, 8, 80);
ABI_FIELD(attnrt_append_args, v, 88, 80);
ABI_FIELD(attnrt_append_args, slot_mapping, 168, 16);
ABI_FIELD(attnrt_append_args, cache, 184, 176);
ABI_FIELD(attnrt_append_args, nan_count, 360, 8);
ABI_FIELD(attnrt_append_args, stream, 368, 8);

ABI_GROWS(attnrt_attend_args, stream, 488);
ABI_FIELD(attnrt_attend_args, struct_size, 0, 4);
ABI_FIELD(attnrt_attend_args, reserved, 4, 4);
ABI_FIELD(attnrt_attend_args, q, 8, 80);
ABI_FIELD(attnrt_attend_args, out, 88, 80);
ABI_FIELD(attnrt_attend_args, lse, 168, 80);
ABI_FIELD(attnrt_attend_args, cache, 248, 176);
ABI_FIELD(attnrt_attend_args, q_scale, 424, 16);
ABI_FIELD(attnrt_attend_args, out_scale, 440, 16);
ABI_FIELD(attnrt_attend_args, sinks, 456, 8);
ABI_FIELD(attnrt_attend_args, alibi_slopes, 464, 8);
ABI_FIELD(attnrt_attend_args, scratch, 472, 8);
ABI_FIELD(attnrt_attend_args, stream, 480, 8);

ABI_GROWS(attnrt_merge_args, stream, 208);
ABI_FIELD(attnrt_merge_args, struct_size, 0, 4);
ABI_FIELD(attnrt_merge_args, parts, 4, 4);
ABI_FIELD(attnrt_merge_args, part_out, 8, 8);
ABI_FIELD(attnrt_merge_args, part_lse, 16, 8);
ABI_FIELD(attnrt_merge_args, out, 24, 80);
ABI_FIELD(attnrt_merge_args, lse, 104, 80);
ABI_FIELD(attnrt_merge_args, out_scale, 184, 16);
ABI_FIELD(attnrt_merge_args, stream, 200, 8);

ABI_GROWS(attnrt_device_service, synchronize, 120);
ABI_FIELD(attnrt_device_service, struct_size, 0, 4);
ABI_FIELD(attnrt_device_service, reserved, 4, 4);
ABI_FIELD(attnrt_device_service, allocate, 8, 8);
ABI_FIELD(attnrt_device_service, release, 16, 8);
ABI_FIELD(attnrt_device_service, allocate_pinned, 24, 8);
ABI_FIELD(attnrt_device_service, release_pinned, 32, 8);
ABI_FIELD(attnrt_device_service, copy, 40, 8);
ABI_FIELD(attnrt_device_service, zero, 48, 8);
ABI_FIELD(attnrt_device_service, create_stream, 56, 8);
ABI_FIELD(attnrt_device_service, destroy_stream, 64, 8);
ABI_FIELD(attnrt_device_service, create_event, 72, 8);
ABI_FIELD(attnrt_device_service, destroy_event, 80, 8);
ABI_FIELD(attnrt_device_service, record_event, 88, 8);
ABI_FIELD(attnrt_device_service, wait_event, 96, 8);
ABI_FIELD(attnrt_device_service, elapsed_ms, 104, 8);
ABI_FIELD(attnrt_device_service, synchronize, 112, 8);
/* 1.1 */
ABI_GROWS(attnrt_device_service, destroy_graph, 152);
ABI_FIELD(attnrt_device_service, begin_capture, 120, 8);
ABI_FIELD(attnrt_device_service, end_capture, 128, 8);
ABI_FIELD(attnrt_device_service, launch_graph, 136, 8);
ABI_FIELD(attnrt_device_service, destroy_graph, 144, 8);

ABI_GROWS(attnrt_plugin, describe, 112);
ABI_FIELD(attnrt_plugin, struct_size, 0, 4);
ABI_FIELD(attnrt_plugin, abi_minor, 4, 4);
ABI_FIELD(attnrt_plugin, open, 8, 8);
ABI_FIELD(attnrt_plugin, close, 16, 8);
ABI_FIELD(attnrt_plugin, prepare, 24, 8);
ABI_FIELD(attnrt_plugin, release_op, 32, 8);
ABI_FIELD(attnrt_plugin, workspace, 40, 8);
ABI_FIELD(attnrt_plugin, schedule, 48, 8);
ABI_FIELD(attnrt_plugin, reschedule, 56, 8);
ABI_FIELD(attnrt_plugin, release_schedule, 64, 8);
ABI_FIELD(attnrt_plugin, append, 72, 8);
ABI_FIELD(attnrt_plugin, attend, 80, 8);
ABI_FIELD(attnrt_plugin, merge, 88, 8);
ABI_FIELD(attnrt_plugin, device_service, 96, 8);
ABI_FIELD(attnrt_plugin, describe, 104, 8);

#define ABI_VALUE(name, value) ABI_ASSERT((name) == (value), #name " has changed")
ABI_VALUE(ATTNRT_OK, 0);
ABI_VALUE(ATTNRT_INVALID_ARGUMENT, 1);
ABI_VALUE(ATTNRT_UNSUPPORTED, 2);
ABI_VALUE(ATTNRT_OUT_OF_MEMORY, 3);
ABI_VALUE(ATTNRT_UNAVAILABLE, 4);
ABI_VALUE(ATTNRT_DEVICE_ERROR, 5);
ABI_VALUE(ATTNRT_INTERNAL, 6);
ABI_VALUE(ATTNRT_DTYPE_F64, 1);
ABI_VALUE(ATTNRT_DTYPE_F32, 2);
ABI_VALUE(ATTNRT_DTYPE_F16, 3);
ABI_VALUE(ATTNRT_DTYPE_BF16, 4);
ABI_VALUE(ATTNRT_DTYPE_FP8_E4M3, 5);
ABI_VALUE(ATTNRT_DTYPE_FP8_E5M2, 6);
ABI_VALUE(ATTNRT_DTYPE_FP8_E4M3FNUZ, 7);
ABI_VALUE(ATTNRT_DEVICE_CPU, 1);
ABI_VALUE(ATTNRT_DEVICE_CUDA, 2);
ABI_VALUE(ATTNRT_DEVICE_ROCM, 3);
ABI_VALUE(ATTNRT_DEVICE_XPU, 4);
ABI_VALUE(ATTNRT_DEVICE_SIMT, 5);
ABI_VALUE(ATTNRT_OP_APPEND, 1);
ABI_VALUE(ATTNRT_OP_PREFILL, 2);
ABI_VALUE(ATTNRT_OP_DECODE, 3);
ABI_VALUE(ATTNRT_OP_MIXED, 4);
ABI_VALUE(ATTNRT_OP_MERGE, 5);
ABI_VALUE(ATTNRT_LAYOUT_NHD, 1);
ABI_VALUE(ATTNRT_LAYOUT_HND, 2);
ABI_VALUE(ATTNRT_CACHE_SEPARATE, 1);
ABI_VALUE(ATTNRT_CACHE_LATENT, 2);
ABI_VALUE(ATTNRT_LOG_DEBUG, 1);
ABI_VALUE(ATTNRT_LOG_INFO, 2);
ABI_VALUE(ATTNRT_LOG_WARN, 3);
ABI_VALUE(ATTNRT_LOG_ERROR, 4);
ABI_VALUE(ATTNRT_FEATURE_CAUSAL, UINT64_C(1) << 0);
ABI_VALUE(ATTNRT_FEATURE_NON_CAUSAL, UINT64_C(1) << 1);
ABI_VALUE(ATTNRT_FEATURE_CROSS, UINT64_C(1) << 2);
ABI_VALUE(ATTNRT_FEATURE_TREE_MASK, UINT64_C(1) << 3);
ABI_VALUE(ATTNRT_FEATURE_PREFIX_LM, UINT64_C(1) << 4);
ABI_VALUE(ATTNRT_FEATURE_WINDOW, UINT64_C(1) << 5);
ABI_VALUE(ATTNRT_FEATURE_SINKS, UINT64_C(1) << 6);
ABI_VALUE(ATTNRT_FEATURE_SOFTCAP, UINT64_C(1) << 7);
ABI_VALUE(ATTNRT_FEATURE_ALIBI, UINT64_C(1) << 8);
ABI_VALUE(ATTNRT_FEATURE_LSE, UINT64_C(1) << 9);
ABI_VALUE(ATTNRT_FEATURE_PER_HEAD_SCALES, UINT64_C(1) << 10);
ABI_VALUE(ATTNRT_FEATURE_BATCH_INVARIANT, UINT64_C(1) << 11);
ABI_VALUE(ATTNRT_FEATURE_GRAPH, UINT64_C(1) << 12);
ABI_VALUE(ATTNRT_FEATURE_DEVICE_LENGTHS, UINT64_C(1) << 13);
ABI_VALUE(ATTNRT_FEATURE_SPARSE, UINT64_C(1) << 14);
ABI_VALUE(ATTNRT_ABI_MAJOR, 1);
ABI_VALUE(ATTNRT_MANIFEST_VERSION, 1);
ABI_VALUE(ATTNRT_MANIFEST_MAX_BYTES, 65536);
ABI_VALUE(ATTNRT_MAX_RANK, 4);

#endif
