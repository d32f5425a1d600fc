// Three kernels that show whether a device runs what clang made, and how fast. eng/gpu/build-ptx.sh makes probe.ptx of it.
#include "device.h"

// Copies count × 16 bytes.
KERNEL void probe_copy(const u32x4 *source, u32x4 *target, u64 count) {
  const u64 stride = (u64)block_size() * block_count();
  u64 i = (u64)block_x() * block_size() + thread_index();
  for (; i + 3 * stride < count; i += 4 * stride) {
    const u32x4 a = source[i], b = source[i + stride], c = source[i + 2 * stride], d = source[i + 3 * stride];
    target[i] = a;
    target[i + stride] = b;
    target[i + 2 * stride] = c;
    target[i + 3 * stride] = d;
  }
  for (; i < count; i += stride)
    target[i] = source[i];
}

// Each warp writes 8 · repeats · a · b, float32 [16, 8], behind that of the warp before.
// a: bfloat16 [16, 16] by rows; b: bfloat16 [16, 8] by columns.
KERNEL void probe_product(const u32 *a, const u32 *b, float *result, u32 repeats) {
  const u32 lane = thread_index() % 32, group = lane / 4, pair = lane % 4;
  const u32 left[4] = {a[group * 8 + pair], a[(group + 8) * 8 + pair], a[group * 8 + pair + 4], a[(group + 8) * 8 + pair + 4]};
  const u32 right[2] = {b[group * 8 + pair], b[group * 8 + pair + 4]};
  float sums[8][4] = {}; // 8 independent products: one does not wait for another
  for (u32 repeat = 0; repeat < repeats; repeat++)
#pragma unroll
    for (int i = 0; i < 8; i++)
      multiply_bf16(sums[i], left, right);
  float total[4] = {};
#pragma unroll
  for (int i = 0; i < 8; i++)
#pragma unroll
    for (int j = 0; j < 4; j++)
      total[j] += sums[i][j];
  float *tile = result + (u64)(block_x() * (block_size() / 32) + thread_index() / 32) * 128;
  tile[group * 8 + pair * 2] = total[0];
  tile[group * 8 + pair * 2 + 1] = total[1];
  tile[(group + 8) * 8 + pair * 2] = total[2];
  tile[(group + 8) * 8 + pair * 2 + 1] = total[3];
}

// Adds one: so that a graph's nodes can be counted afterwards.
KERNEL void probe_count(u32 *counter) {
  if (block_x() == 0 && thread_index() == 0)
    *counter += 1;
}
