// FlashInfer's division of a batch among blocks.
#include <flashinfer/attention/scheduler.cuh>
#include <string>

#include "hopper.hpp"

namespace attnrt::flashinfer {
namespace {

Plan to_plan(const ::flashinfer::PrefillPlanInfo& i) {
  Plan p{};
  p.blocks = i.padded_batch_size;
  p.tile_rows = i.cta_tile_q;
  p.request_indices = i.request_indices_offset;
  p.q_tiles = i.qo_tile_indices_offset;
  p.kv_tiles = i.kv_tile_indices_offset;
  p.part_begin = i.merge_indptr_offset;
  p.request_parts = i.o_indptr_offset;
  p.chunk_keys = i.kv_chunk_size_ptr_offset;
  p.block_used = i.block_valid_mask_offset;
  p.tokens = i.total_num_rows_offset;
  p.part_out = i.v_offset;
  p.part_lse = i.s_offset;
  p.split = i.split_kv;
  p.graph = i.enable_cuda_graph;
  return p;
}

HopperPlan to_plan(const ::flashinfer::PrefillPlanSM90Info& i) {
  return {i.qo_tile_indices_offset, i.qo_indptr_offset,  i.kv_indptr_offset,
          i.qo_len_offset,          i.kv_len_offset,     i.head_indices_offset,
          i.batch_indices_offset,   i.work_indptr_offset};
}

// FlashInfer throws where it was handed too little, and what it finds wrong.
template <class Info, class Body, class OurPlan>
const char* planned(OurPlan& plan, Body body) {
  thread_local std::string text;
  try {
    Info info;
    const cudaError_t error = body(info);
    if (error != cudaSuccess) {
      cudaGetLastError();
      return cudaGetErrorString(error);
    }
    plan = to_plan(info);
    return nullptr;
  } catch (const std::exception& e) {
    text = e.what();
    return text.c_str();
  }
}

}  // namespace

const char* plan_attend(const PlanInput& in, const PlanMemory& memory, void* stream, Plan& plan) {
  return planned<::flashinfer::PrefillPlanInfo>(plan, [&](auto& info) {
    return ::flashinfer::PrefillPlan<int32_t>(
        memory.scratch, memory.scratch_bytes, memory.ints, memory.staging, memory.int_bytes, info,
        const_cast<int32_t*>(in.q_begin), const_cast<int32_t*>(in.page_begin),
        static_cast<uint32_t>(in.tokens), static_cast<uint32_t>(in.requests),
        static_cast<uint32_t>(in.q_heads), static_cast<uint32_t>(in.kv_heads),
        static_cast<uint32_t>(in.head_dim), static_cast<uint32_t>(in.head_dim),
        static_cast<uint32_t>(in.block_size), in.graph, /*sizeof_dtype_o=*/2,
        /*window_left=*/in.window - 1, /*fixed_split_size=*/-1, /*disable_split_kv=*/false,
        /*num_colocated_ctas=*/0, /*uniform_q_len=*/-1, static_cast<cudaStream_t>(stream),
        static_cast<uint32_t>(in.stored_bytes));
  });
}

// For PrefillSM90Plan the number of rows only decides whether all heads share one plan, for which
// another kernel would have to be compiled; requests decide it too, and those are checked.
const char* plan_hopper(const PlanInput& in, const int32_t* kv_len, const PlanMemory& memory,
                        void* stream, HopperPlan& plan) {
  if (in.requests > kHopperMostRequests) return "more requests than one plan for each head takes";
  return planned<::flashinfer::PrefillPlanSM90Info>(plan, [&](auto& info) {
    return ::flashinfer::PrefillSM90Plan<int32_t>(
        memory.scratch, memory.scratch_bytes, memory.ints, memory.staging, memory.int_bytes, info,
        const_cast<int32_t*>(in.q_begin), const_cast<int32_t*>(in.page_begin),
        const_cast<int32_t*>(kv_len), /*total_num_rows=*/1, static_cast<uint32_t>(in.requests),
        static_cast<uint32_t>(in.q_heads), static_cast<uint32_t>(in.kv_heads),
        static_cast<uint32_t>(in.head_dim), static_cast<uint32_t>(in.head_dim),
        static_cast<uint32_t>(in.block_size), /*causal=*/true, /*enable_cuda_graph=*/false,
        /*sizeof_dtype_o=*/2, static_cast<cudaStream_t>(stream));
  });
}

}  // namespace attnrt::flashinfer
