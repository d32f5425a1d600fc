// Keys and values in slots, and attention over them. H heads, D numbers a head, padded to whole pieces of 16 bytes: stride.
// A slot of a layer: [2 (keys, values), H, positions, stride]. Rows of queries, keys, values: [N, 3 (q, k, v), H, stride] in row_stride numbers.
#include "numbers.h"

static constexpr u32 split = 256;      // keys of one block: fixed, so that a row's sums do not depend on its batch
static constexpr u32 attention_warps = 4;        // of a block
static constexpr u32 ahead = 4;           // keys that a lane's loads are ahead
static constexpr u32 most_numbers = 256;  // of a head

// Writes each row's keys and values into its slot. Grid: N × 2 × H blocks along x.
template <class T>
DEVICE void keep(const T *rows, const u32 *slots, const u32 *positions, T *layer, u32 heads, u32 stride, u32 capacity, u32 row_stride) {
  const u32 part = block_x() % (2 * heads), row = block_x() / (2 * heads);
  const T *from = rows + (u64)row * row_stride + (u64)(heads + part) * stride;
  T *to = layer + (((u64)slots[row] * 2 * heads + part) * capacity + positions[row]) * stride;
  for (u32 i = thread_index(); i < stride / Piece<T>::count; i += block_size())
    store16(to + i * Piece<T>::count, load16(from + i * Piece<T>::count));
}

// Copies positions 0 … length - 1 from one slot to another, in all layers. Grid: pieces × (layers · 2 · H); sizes in numbers of 4 bytes.
KERNEL void copy_prefix(u32 *cache, u64 layer_words, u32 source, u32 target, u32 parts, u32 part_words, u32 length_words) {
  const u32 layer = block_y() / parts, part = block_y() % parts;
  u32 *base = cache + layer * layer_words;
  const u32 *from = base + ((u64)source * parts + part) * part_words;
  u32 *to = base + ((u64)target * parts + part) * part_words;
  for (u32 i = (block_x() * block_size() + thread_index()) * 4; i < length_words; i += block_count() * block_size() * 4)
    store16(to + i, load16(from + i));
}

// One row's query of one head over one run of keys: the greatest score, the sum of exponentials, and their mix of values.
// parts: float32 [N, H, splits, stride], then behind all of them [N, H, splits, 2]. Grid: H × N × splits.
// group: lanes that share a key, a power of two; a lane has pieces group apart.
template <class T>
DEVICE void attend(const T *rows, const T *layer, const u32 *slots, const u32 *positions, float *mixes, float *sizes, u32 heads, u32 stride, u32 capacity, u32 row_stride, u32 group, u32 scale) {
  SHARED float scores[split];
  SHARED float gathered[attention_warps][most_numbers];
  SHARED float bounds[2][attention_warps];
  constexpr u32 count = Piece<T>::count, most = Piece<T>::most;
  const u32 head = block_x(), row = block_y(), first = block_z() * split, length = positions[row] + 1;
  if (first >= length)
    return;
  const u32 keys = length - first < split ? length - first : split;
  const u32 lane = thread_index() % 32, warp = thread_index() / 32, own = lane % group, key_of_warp = lane / group, at_once = 32 / group, step = attention_warps * at_once;
  const u32 pieces = stride / count;
  const T *query = rows + (u64)row * row_stride + (u64)head * stride;
  const T *key = layer + (((u64)slots[row] * 2 * heads + head) * capacity + first) * stride;
  const T *value = key + (u64)heads * capacity * stride;

  Piece<T> asked[most];
#pragma unroll
  for (u32 i = 0; i < most; i++)
    asked[i].raw = own + i * group < pieces ? load16(query + (own + i * group) * count) : u32x4{};
  float greatest = -3.0e38f;
  for (u32 base = warp * at_once; base < keys; base += step * ahead) {
    Piece<T> piece[ahead][most];
#pragma unroll
    for (u32 k = 0; k < ahead; k++)
#pragma unroll
      for (u32 i = 0; i < most; i++) {
        const u32 index = base + k * step + key_of_warp;
        piece[k][i].raw = index < keys && own + i * group < pieces ? load16(key + (u64)index * stride + (own + i * group) * count) : u32x4{};
      }
#pragma unroll
    for (u32 k = 0; k < ahead; k++) {
      const u32 index = base + k * step + key_of_warp;
      float score = 0;
#pragma unroll
      for (u32 i = 0; i < most; i++)
#pragma unroll
        for (u32 j = 0; j < count; j++)
          score = __builtin_fmaf(asked[i][j], piece[k][i][j], score);
      for (u32 mask = group / 2; mask > 0; mask /= 2)
        score += shuffle_xor(score, mask);
      score *= of_bits(scale);
      if (index < keys) {
        greatest = score > greatest ? score : greatest;
        if (own == 0)
          scores[index] = score;
      }
    }
  }
  greatest = warp_max(greatest);
  if (lane == 0)
    bounds[0][warp] = greatest;
  barrier();
  for (u32 i = 0; i < attention_warps; i++)
    greatest = bounds[0][i] > greatest ? bounds[0][i] : greatest;
  float sum = 0;
  for (u32 i = thread_index(); i < keys; i += attention_warps * 32) {
    scores[i] = exponential(scores[i] - greatest);
    sum += scores[i];
  }
  sum = warp_sum(sum);
  if (lane == 0)
    bounds[1][warp] = sum;
  barrier();

  float mixed[most][count];
#pragma unroll
  for (u32 i = 0; i < most; i++)
#pragma unroll
    for (u32 j = 0; j < count; j++)
      mixed[i][j] = 0;
  for (u32 base = warp * at_once; base < keys; base += step * ahead) {
    Piece<T> piece[ahead][most];
#pragma unroll
    for (u32 k = 0; k < ahead; k++)
#pragma unroll
      for (u32 i = 0; i < most; i++) {
        const u32 index = base + k * step + key_of_warp;
        piece[k][i].raw = index < keys && own + i * group < pieces ? load16(value + (u64)index * stride + (own + i * group) * count) : u32x4{};
      }
#pragma unroll
    for (u32 k = 0; k < ahead; k++) {
      const u32 index = base + k * step + key_of_warp;
      const float weight = index < keys ? scores[index] : 0;
#pragma unroll
      for (u32 i = 0; i < most; i++)
#pragma unroll
        for (u32 j = 0; j < count; j++)
          mixed[i][j] = __builtin_fmaf(weight, piece[k][i][j], mixed[i][j]);
    }
  }
#pragma unroll
  for (u32 i = 0; i < most; i++)
#pragma unroll
    for (u32 j = 0; j < count; j++) {
      for (u32 mask = group; mask < 32; mask *= 2)
        mixed[i][j] += shuffle_xor(mixed[i][j], mask);
      if (key_of_warp == 0 && own + i * group < pieces)
        gathered[warp][(own + i * group) * count + j] = mixed[i][j];
    }
  barrier();
  const u64 place = ((u64)row * heads + head) * ((capacity + split - 1) / split) + block_z();
  for (u32 i = thread_index(); i < stride; i += attention_warps * 32) {
    float total = 0;
    for (u32 j = 0; j < attention_warps; j++)
      total += gathered[j][i];
    mixes[place * stride + i] = total;
  }
  if (thread_index() == 0) {
    float total = 0;
    for (u32 i = 0; i < attention_warps; i++)
      total += bounds[1][i];
    sizes[place * 2] = greatest;
    sizes[place * 2 + 1] = total;
  }
}

// The runs of one row and head become one. Grid: H × N. Columns behind the last head become 0.
template <class T>
DEVICE void merge(const float *mixes, const float *sizes, const u32 *positions, T *to, u32 heads, u32 stride, u32 capacity, u32 target_stride) {
  const u32 head = block_x(), row = block_y(), splits = (positions[row] + split) / split;
  const u64 place = ((u64)row * heads + head) * ((capacity + split - 1) / split);
  float greatest = sizes[place * 2];
  for (u32 i = 1; i < splits; i++)
    greatest = sizes[(place + i) * 2] > greatest ? sizes[(place + i) * 2] : greatest;
  float sum = 0;
  for (u32 i = 0; i < splits; i++)
    sum = __builtin_fmaf(exponential(sizes[(place + i) * 2] - greatest), sizes[(place + i) * 2 + 1], sum);
  for (u32 i = thread_index(); i < stride; i += block_size()) {
    float mixed = 0;
    for (u32 j = 0; j < splits; j++)
      mixed = __builtin_fmaf(exponential(sizes[(place + j) * 2] - greatest), mixes[(place + j) * stride + i], mixed);
    narrow(mixed / sum, to[(u64)row * target_stride + head * stride + i]);
  }
  if (head == heads - 1)
    for (u32 i = heads * stride + thread_index(); i < target_stride; i += block_size())
      narrow(0.0f, to[(u64)row * target_stride + i]);
}

KERNEL void keep_f32(const float *rows, const u32 *slots, const u32 *positions, float *layer, u32 heads, u32 stride, u32 capacity, u32 row_stride) {
  keep(rows, slots, positions, layer, heads, stride, capacity, row_stride);
}

KERNEL void keep_bf16(const bf16 *rows, const u32 *slots, const u32 *positions, bf16 *layer, u32 heads, u32 stride, u32 capacity, u32 row_stride) {
  keep(rows, slots, positions, layer, heads, stride, capacity, row_stride);
}

KERNEL void attend_f32(const float *rows, const float *layer, const u32 *slots, const u32 *positions, float *mixes, float *sizes, u32 heads, u32 stride, u32 capacity, u32 row_stride, u32 group, u32 scale) {
  attend(rows, layer, slots, positions, mixes, sizes, heads, stride, capacity, row_stride, group, scale);
}

KERNEL void attend_bf16(const bf16 *rows, const bf16 *layer, const u32 *slots, const u32 *positions, float *mixes, float *sizes, u32 heads, u32 stride, u32 capacity, u32 row_stride, u32 group, u32 scale) {
  attend(rows, layer, slots, positions, mixes, sizes, heads, stride, capacity, row_stride, group, scale);
}

KERNEL void merge_f32(const float *mixes, const float *sizes, const u32 *positions, float *to, u32 heads, u32 stride, u32 capacity, u32 target_stride) {
  merge(mixes, sizes, positions, to, heads, stride, capacity, target_stride);
}

KERNEL void merge_bf16(const float *mixes, const float *sizes, const u32 *positions, bf16 *to, u32 heads, u32 stride, u32 capacity, u32 target_stride) {
  merge(mixes, sizes, positions, to, heads, stride, capacity, target_stride);
}
