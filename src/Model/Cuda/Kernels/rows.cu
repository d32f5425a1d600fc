// What happens to each row of a step by itself. Rows are the step's tokens, N of them; E is n_embd. The residual stream is float32 [N, stride].
#include "numbers.h"

static constexpr u32 row_warps = 4; // of a block

// residual[row] = token embedding + position embedding. Grid: N blocks.
template <class T>
DEVICE void embed(const T *colours, const T *places, const u32 *tokens, const u32 *positions, float *residual, u32 width, u32 stride) {
  const u32 row = block_x();
  const T *colour = colours + (u64)tokens[row] * width, *place = places + (u64)positions[row] * width;
  for (u32 i = thread_index(); i < stride; i += block_size())
    residual[(u64)row * stride + i] = i < width ? widen(colour[i]) + widen(place[i]) : 0.0f;
}

// to[row] = x / √(mean(x²) + ε) · gain of the row that the table names, or of the same row without a table. A warp a row; columns behind E become 0.
template <class T>
DEVICE void norm(const float *residual, const u32 *table, const float *gain, T *to, u32 count, u32 width, u32 stride, u32 target_stride, u32 epsilon) {
  const u32 row = block_x() * row_warps + thread_index() / 32, lane = thread_index() % 32;
  const bool is_row = row < count;
  const float *from = residual + (u64)(is_row ? (table ? table[row] : row) : 0) * stride;
  float sum = 0;
  for (u32 i = lane; i < width; i += 32)
    sum = __builtin_fmaf(from[i], from[i], sum);
  sum = warp_sum(sum);
  const float scale = 1.0f / __builtin_sqrtf(sum / (float)width + of_bits(epsilon));
  if (is_row)
    for (u32 i = lane; i < target_stride; i += 32)
      narrow(i < width ? from[i] * scale * gain[i] : 0.0f, to[(u64)row * target_stride + i]);
}

KERNEL void embed_f32(const float *colours, const float *places, const u32 *tokens, const u32 *positions, float *residual, u32 width, u32 stride) {
  embed(colours, places, tokens, positions, residual, width, stride);
}

KERNEL void embed_bf16(const bf16 *colours, const bf16 *places, const u32 *tokens, const u32 *positions, float *residual, u32 width, u32 stride) {
  embed(colours, places, tokens, positions, residual, width, stride);
}

KERNEL void norm_f32(const float *residual, const u32 *table, const float *gain, float *to, u32 count, u32 width, u32 stride, u32 target_stride, u32 epsilon) {
  norm(residual, table, gain, to, count, width, stride, target_stride, epsilon);
}

KERNEL void norm_bf16(const float *residual, const u32 *table, const float *gain, bf16 *to, u32 count, u32 width, u32 stride, u32 target_stride, u32 epsilon) {
  norm(residual, table, gain, to, count, width, stride, target_stride, epsilon);
}

// sums[sum] += each of a run of rows, one after the other, in float64: a sum does not depend on how its sequence was cut into chunks.
// runs: first row, rows. Grid: E / 128 × sums.
KERNEL void pool(const float *rows, const u32 *runs, double *sums, u32 width, u32 stride) {
  const u32 column = block_x() * block_size() + thread_index();
  if (column >= width)
    return;
  const u32 first = runs[2 * block_y()], count = runs[2 * block_y() + 1];
  double sum = sums[(u64)block_y() * width + column];
  for (u32 row = first; row < first + count; row++)
    sum += (double)rows[(u64)row * stride + column];
  sums[(u64)block_y() * width + column] = sum;
}

// What a log-probability is made of, two numbers a row: the target's logit less the greatest, and the sum of all exponentials less the greatest. A warp a row.
KERNEL void likelihood(const float *logits, const u32 *targets, float *result, u32 count, u32 colours, u32 stride) {
  const u32 row = block_x() * row_warps + thread_index() / 32, lane = thread_index() % 32;
  const bool is_row = row < count;
  const float *own = logits + (u64)(is_row ? row : 0) * stride;
  float greatest = own[0];
  for (u32 i = lane; i < colours; i += 32)
    greatest = own[i] > greatest ? own[i] : greatest;
  greatest = warp_max(greatest);
  float sum = 0;
  for (u32 i = lane; i < colours; i += 32)
    sum += exponential(own[i] - greatest);
  sum = warp_sum(sum);
  if (is_row && lane == 0) {
    result[2 * row] = own[targets[row]] - greatest;
    result[2 * row + 1] = sum;
  }
}
