// Rows times weights. A block computes a tile of rows and outputs; its 8 warps share the inputs, each takes an eighth of them, and their sums are added in
// the order of the warps. So each output is summed in one order, whatever the tile's size and the number of rows: a row's bits do not depend on its batch.
#include "numbers.h"

static constexpr u32 product_warps = 8; // of a block

// What becomes of a product.
enum End : u32 {
  end_store, // to[row] = activate(sum + bias), in the rows' type
  end_add,   // to[row] += sum + bias, float32
  end_write  // to[row] = sum, float32
};

template <class T>
DEVICE void finish(float sum, const float *bias, void *to, u64 place, u32 output, u32 end, u32 activation) {
  if (end == end_write) {
    ((float *)to)[place] = sum;
    return;
  }
  sum += bias[output];
  if (end == end_add)
    ((float *)to)[place] += sum;
  else
    narrow(activate(sum, activation), ((T *)to)[place]);
}

// rows: bfloat16 [count, row_stride], row_stride at least 32 · steps. weights: [outputs / 8][steps][32 lanes][8 numbers], a lane's numbers being inputs
// 8 · (lane % 4) and on of output lane / 4: so that lanes load 16 bytes of rows and of weights at a time. Grid: outputs / (8 · N) × rows / (16 · M).
template <int M, int N>
DEVICE void product(const bf16 *rows, const u32 *weights, const float *bias, void *to, u32 count, u32 row_stride, u32 steps, u32 outputs, u32 target_stride, u32 end, u32 activation) {
  SHARED float tile[M * 16][N * 8];
  const u32 lane = thread_index() % 32, warp = thread_index() / 32, group = lane / 4, pair = lane % 4;
  const u32 first_row = block_y() * M * 16, first_output = block_x() * N * 8;
  const bf16 *lower[M], *upper[M];
  for (int m = 0; m < M; m++) {
    const u32 low = first_row + m * 16 + group, high = low + 8;
    lower[m] = rows + (u64)(low < count ? low : count - 1) * row_stride + pair * 8;
    upper[m] = rows + (u64)(high < count ? high : count - 1) * row_stride + pair * 8;
  }
  const u32 *own = weights + ((u64)(first_output / 8) * steps * 32 + lane) * 4;
  float sums[M][N][4] = {};
  const u32 begin = warp * steps / product_warps, last = (warp + 1) * steps / product_warps;
  u32x4 low[M], high[M], w[N];
#pragma unroll
  for (int m = 0; m < M; m++)
    low[m] = load16(lower[m] + begin * 32), high[m] = load16(upper[m] + begin * 32);
#pragma unroll
  for (int n = 0; n < N; n++)
    w[n] = load16(own + ((u64)n * steps + begin) * 128);
  for (u32 step = begin; step < last; step++) {
    // The next step's numbers are on their way while this one's are multiplied; behind the last, the last once more.
    const u32 next = step + 1 < last ? step + 1 : step;
    u32x4 next_low[M], next_high[M], next_w[N];
#pragma unroll
    for (int m = 0; m < M; m++)
      next_low[m] = load16(lower[m] + next * 32), next_high[m] = load16(upper[m] + next * 32);
#pragma unroll
    for (int n = 0; n < N; n++)
      next_w[n] = load16(own + ((u64)n * steps + next) * 128);
#pragma unroll
    for (int n = 0; n < N; n++) {
      const u32 first[2] = {w[n].x[0], w[n].x[1]}, second[2] = {w[n].x[2], w[n].x[3]};
#pragma unroll
      for (int m = 0; m < M; m++) {
        const u32 left[4] = {low[m].x[0], high[m].x[0], low[m].x[1], high[m].x[1]};
        multiply_bf16(sums[m][n], left, first);
        const u32 right[4] = {low[m].x[2], high[m].x[2], low[m].x[3], high[m].x[3]};
        multiply_bf16(sums[m][n], right, second);
      }
      w[n] = next_w[n];
    }
#pragma unroll
    for (int m = 0; m < M; m++)
      low[m] = next_low[m], high[m] = next_high[m];
  }
  for (u32 turn = 0; turn < product_warps; turn++) {
    if (warp == turn)
#pragma unroll
      for (int m = 0; m < M; m++)
#pragma unroll
        for (int n = 0; n < N; n++)
#pragma unroll
          for (int i = 0; i < 4; i++) {
            float &place = tile[m * 16 + group + i / 2 * 8][n * 8 + pair * 2 + i % 2];
            place = turn == 0 ? sums[m][n][i] : place + sums[m][n][i];
          }
    barrier();
  }
  for (u32 i = thread_index(); i < M * 16 * N * 8; i += product_warps * 32) {
    const u32 row = first_row + i / (N * 8), output = first_output + i % (N * 8);
    if (row < count && output < outputs)
      finish<bf16>(tile[i / (N * 8)][i % (N * 8)], bias, to, (u64)row * target_stride + output, output, end, activation);
  }
}

// The same in float32, without tensor cores. weights: [32 · steps][weight_stride]. Grid: outputs / 32 × rows / M.
template <int M>
DEVICE void product(const float *rows, const float *weights, const float *bias, void *to, u32 count, u32 row_stride, u32 steps, u32 outputs, u32 target_stride, u32 end, u32 activation, u32 weight_stride) {
  SHARED float tile[M][32];
  const u32 lane = thread_index() % 32, warp = thread_index() / 32;
  const u32 first_row = block_y() * M, output = block_x() * 32 + lane;
  float sums[M] = {};
  const u32 last = (warp + 1) * steps / product_warps * 32;
  for (u32 input = warp * steps / product_warps * 32; input < last; input += 4) {
    float w[4];
#pragma unroll
    for (int i = 0; i < 4; i++)
      w[i] = weights[(u64)(input + i) * weight_stride + output];
#pragma unroll
    for (int m = 0; m < M; m++) {
      const u32 row = first_row + m < count ? first_row + m : count - 1;
      const Piece x{load16(rows + (u64)row * row_stride + input)};
#pragma unroll
      for (int i = 0; i < 4; i++)
        sums[m] = __builtin_fmaf(x[i], w[i], sums[m]);
    }
  }
  for (u32 turn = 0; turn < product_warps; turn++) {
    if (warp == turn)
#pragma unroll
      for (int m = 0; m < M; m++)
        tile[m][lane] = turn == 0 ? sums[m] : tile[m][lane] + sums[m];
    barrier();
  }
  for (u32 m = warp; m < M; m += product_warps)
    if (first_row + m < count && output < outputs)
      finish<float>(tile[m][lane], bias, to, (u64)(first_row + m) * target_stride + output, output, end, activation);
}

#define PRODUCT_BF16(M, N)                                                                                                                            \
  KERNEL void product_bf16_##M##x##N(const bf16 *rows, const u32 *weights, const float *bias, void *to, u32 count, u32 row_stride, u32 steps,          \
                                     u32 outputs, u32 target_stride, u32 end, u32 activation) {                                                       \
    product<M, N>(rows, weights, bias, to, count, row_stride, steps, outputs, target_stride, end, activation);                                        \
  }

#define PRODUCT_F32(M)                                                                                                                                \
  KERNEL void product_f32_##M(const float *rows, const float *weights, const float *bias, void *to, u32 count, u32 row_stride, u32 steps, u32 outputs, \
                              u32 target_stride, u32 end, u32 activation, u32 weight_stride) {                                                        \
    product<M>(rows, weights, bias, to, count, row_stride, steps, outputs, target_stride, end, activation, weight_stride);                            \
  }

PRODUCT_BF16(1, 2)
PRODUCT_BF16(2, 4)
PRODUCT_BF16(4, 4)
PRODUCT_F32(1)
PRODUCT_F32(8)
