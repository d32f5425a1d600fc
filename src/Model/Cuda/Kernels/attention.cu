// Keys and values in slots, and attention over them. H heads, D numbers a head, padded to whole pieces of 16 bytes: stride. P positions, padded to whole blocks of 32: capacity.
// A slot of a layer: keys [H, P, stride], then values: in float32 the same; in bfloat16 [H, P / 32, stride, 32], so that a lane reads eight keys' numbers at once as tensor
// cores want them. Rows of queries, keys, values: [N, 3 (q, k, v), H, stride] in row_stride numbers.
#include "numbers.h"

static constexpr u32 split = 256;         // keys of one block: fixed, so that a row's sums do not depend on its batch
static constexpr u32 attention_warps = 4; // of a block
static constexpr u32 value_keys = 32;     // whose values lie together
static constexpr float nothing = -3.0e38f;

// Writes each row's keys and values into its slot. Grid: N × 2 × H blocks along x.
KERNEL void keep_f32(const float *rows, const u32 *slots, const u32 *positions, float *layer, u32 heads, u32 stride, u32 capacity, u32 row_stride) {
  const u32 part = block_x() % (2 * heads), row = block_x() / (2 * heads);
  const float *from = rows + (u64)row * row_stride + (u64)(heads + part) * stride;
  float *to = layer + (((u64)slots[row] * 2 * heads + part) * capacity + positions[row]) * stride;
  for (u32 i = thread_index(); i < stride / 4; i += block_size())
    store16(to + i * 4, load16(from + i * 4));
}

KERNEL void keep_bf16(const bf16 *rows, const u32 *slots, const u32 *positions, bf16 *layer, u32 heads, u32 stride, u32 capacity, u32 row_stride) {
  const u32 part = block_x() % (2 * heads), row = block_x() / (2 * heads), position = positions[row];
  const bf16 *from = rows + (u64)row * row_stride + (u64)(heads + part) * stride;
  bf16 *to = layer + ((u64)slots[row] * 2 * heads + part) * capacity * stride;
  if (part < heads) {
    for (u32 i = thread_index(); i < stride / 8; i += block_size())
      store16(to + (u64)position * stride + i * 8, load16(from + i * 8));
    return;
  }
  to += (u64)(position / value_keys) * stride * value_keys + position % value_keys;
  for (u32 i = thread_index(); i < stride; i += block_size())
    to[i * value_keys] = from[i];
}

// Copies what lies before a position from one slot to another, in all layers. Grid: pieces × (layers · 2 · H); sizes in numbers of 4 bytes.
KERNEL void copy_prefix(u32 *cache, u64 layer_words, u32 source, u32 target, u32 parts, u32 part_words, u32 length_words) {
  const u32 layer = block_y() / parts, part = block_y() % parts;
  u32 *base = cache + layer * layer_words;
  const u32 *from = base + ((u64)source * parts + part) * part_words;
  u32 *to = base + ((u64)target * parts + part) * part_words;
  for (u32 i = (block_x() * block_size() + thread_index()) * 4; i < length_words; i += block_count() * block_size() * 4)
    store16(to + i, load16(from + i));
}

// What a block finds about its run of keys, for one row and head: the greatest score, the sum of exponentials, and their mix of values.
// mixes: float32 [N, H, splits, stride]; sizes: float32 [N, H, splits, 2].
struct Runs {
  float *mixes, *sizes;
  u32 heads, stride, capacity;

  DEVICE_METHOD u64 place(u32 row, u32 head, u32 run) const { return ((u64)row * heads + head) * ((capacity + split - 1) / split) + run; }
};

static constexpr u32 ahead = 4;          // keys that a lane's loads are ahead
static constexpr u32 most_pieces = 2;    // of a lane
static constexpr u32 most_numbers = 256; // of a head

// How the lanes of a block share a run's keys in float32: as many lanes as a group has share one, each has pieces a group apart.
struct Sharing {
  u32 group, pieces, keys, stride;

  DEVICE_METHOD u32 own() const { return thread_index() % group; }
  DEVICE_METHOD u32 step() const { return attention_warps * 32 / group; }
  DEVICE_METHOD u32 key(u32 base, u32 k) const { return base + k * step() + thread_index() % 32 / group; }
  DEVICE_METHOD u32 base() const { return thread_index() / 32 * (32 / group); }

  // The next keys, or values; 0 behind the last.
  DEVICE_METHOD void load(Piece (&piece)[ahead][most_pieces], const float *from, u32 base) const {
#pragma unroll
    for (u32 k = 0; k < ahead; k++)
#pragma unroll
      for (u32 i = 0; i < most_pieces; i++)
        piece[k][i].raw = key(base, k) < keys && own() + i * group < pieces ? load16(from + (u64)key(base, k) * stride + (own() + i * group) * 4) : u32x4{};
  }
};

// Attention in float32, without tensor cores. Grid: H × N × splits. group: lanes that share a key, a power of two.
KERNEL void attend_f32(const float *rows, const float *layer, const u32 *slots, const u32 *positions, float *mixes, float *sizes, u32 heads, u32 stride, u32 capacity, u32 row_stride, u32 group, u32 scale) {
  SHARED float scores[split];
  SHARED float gathered[attention_warps][most_numbers];
  SHARED float bounds[2][attention_warps];
  const u32 head = block_x(), row = block_y(), first = block_z() * split, length = positions[row] + 1;
  if (first >= length)
    return;
  const Sharing sharing{group, stride / 4, length - first < split ? length - first : split, stride};
  const u32 lane = thread_index() % 32, warp = thread_index() / 32, own = sharing.own();
  const float *query = rows + (u64)row * row_stride + (u64)head * stride;
  const float *key = layer + (((u64)slots[row] * 2 * heads + head) * capacity + first) * stride;
  const float *value = key + (u64)heads * capacity * stride;

  Piece asked[most_pieces], piece[ahead][most_pieces];
#pragma unroll
  for (u32 i = 0; i < most_pieces; i++)
    asked[i].raw = own + i * group < sharing.pieces ? load16(query + (own + i * group) * 4) : u32x4{};
  float greatest = nothing;
  for (u32 base = sharing.base(); base < sharing.keys; base += sharing.step() * ahead) {
    sharing.load(piece, key, base);
#pragma unroll
    for (u32 k = 0; k < ahead; k++) {
      float score = 0;
#pragma unroll
      for (u32 i = 0; i < most_pieces; i++)
#pragma unroll
        for (u32 j = 0; j < 4; j++)
          score = __builtin_fmaf(asked[i][j], piece[k][i][j], score);
      for (u32 mask = group / 2; mask > 0; mask /= 2)
        score += shuffle_xor(score, mask);
      score *= of_bits(scale);
      if (sharing.key(base, k) < sharing.keys) {
        greatest = score > greatest ? score : greatest;
        if (own == 0)
          scores[sharing.key(base, k)] = score;
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
  for (u32 i = thread_index(); i < sharing.keys; i += attention_warps * 32) {
    scores[i] = exponential(scores[i] - greatest);
    sum += scores[i];
  }
  sum = warp_sum(sum);
  if (lane == 0)
    bounds[1][warp] = sum;
  barrier();

  float mixed[most_pieces][4] = {};
  for (u32 base = sharing.base(); base < sharing.keys; base += sharing.step() * ahead) {
    sharing.load(piece, value, base);
#pragma unroll
    for (u32 k = 0; k < ahead; k++) {
      const float weight = sharing.key(base, k) < sharing.keys ? scores[sharing.key(base, k)] : 0;
#pragma unroll
      for (u32 i = 0; i < most_pieces; i++)
#pragma unroll
        for (u32 j = 0; j < 4; j++)
          mixed[i][j] = __builtin_fmaf(weight, piece[k][i][j], mixed[i][j]);
    }
  }
#pragma unroll
  for (u32 i = 0; i < most_pieces; i++)
#pragma unroll
    for (u32 j = 0; j < 4; j++) {
      for (u32 mask = group; mask < 32; mask *= 2)
        mixed[i][j] += shuffle_xor(mixed[i][j], mask);
      if (lane < group && own + i * group < sharing.pieces)
        gathered[warp][(own + i * group) * 4 + j] = mixed[i][j];
    }
  barrier();
  const Runs runs{mixes, sizes, heads, stride, capacity};
  const u64 place = runs.place(row, head, block_z());
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

// Attention in bfloat16 by tensor cores, for prompts and single tokens alike: up to 16 rows of one sequence, at neighbouring positions, share the keys that they read. A row's
// bits do not depend on which rows it shares them with: a key that is behind it weighs exactly 0. Each of 4 warps has 64 keys of the block's run, in two halves of 32, a half in
// four tiles of 8. A tile's column c is key 8 · (c / 2) + 2 · tile + c % 2 of its half: so a lane's weights are those of the eight values that it loads at once.
// tiles: first row, rows. Grid: H × tiles × splits. S: steps of 32 numbers of a head, at least D / 32.
template <int S>
DEVICE void attend(const bf16 *rows, const bf16 *layer, const u32 *tiles, const u32 *slots, const u32 *positions, float *mixes, float *sizes, u32 heads, u32 stride, u32 capacity, u32 row_stride, u32 scale) {
  constexpr u32 tile_rows = 16, columns = 4 * S, at_once = S > 4 ? 2 : 4; // columns of 8 numbers; key tiles whose loads are ahead together
  SHARED float gathered[tile_rows][32 * S];
  SHARED float bounds[2][attention_warps][tile_rows];
  const u32 head = block_x(), first_row = tiles[2 * block_y()], count = tiles[2 * block_y() + 1], first = block_z() * split;
  const u32 start = positions[first_row], last = start + count - 1;
  if (first > last)
    return;
  const u32 lane = thread_index() % 32, warp = thread_index() / 32, group = lane / 4, pair = lane % 4, pieces = stride / 8;
  const bf16 *keys = layer + ((u64)slots[first_row] * 2 * heads + head) * capacity * stride, *values = keys + (u64)heads * capacity * stride;
  const bf16 *query = rows + (u64)head * stride + pair * 8;
  const u32 low_row = first_row + (group < count ? group : 0), high_row = first_row + (group + 8 < count ? group + 8 : 0);

  u32x4 low[S], high[S];
#pragma unroll
  for (u32 s = 0; s < S; s++) {
    low[s] = s * 4 + pair < pieces ? load16(query + (u64)low_row * row_stride + s * 32) : u32x4{};
    high[s] = s * 4 + pair < pieces ? load16(query + (u64)high_row * row_stride + s * 32) : u32x4{};
  }
  float scores[2][4][4] = {};
#pragma unroll
  for (u32 half = 0; half < 2; half++) {
    const u32 base = first + warp * 64 + half * 32;
    if (base <= last)
#pragma unroll
      for (u32 from = 0; from < 4; from += at_once) {
        u32x4 piece[at_once][S];
#pragma unroll
        for (u32 t = 0; t < at_once; t++)
#pragma unroll
          for (u32 s = 0; s < S; s++) {
            const u32 key = base + group / 2 * 8 + (from + t) * 2 + group % 2;
            piece[t][s] = key <= last && s * 4 + pair < pieces ? load16(keys + (u64)key * stride + s * 32 + pair * 8) : u32x4{};
          }
#pragma unroll
        for (u32 t = 0; t < at_once; t++)
#pragma unroll
          for (u32 s = 0; s < S; s++) {
            const u32 left[4] = {low[s].x[0], high[s].x[0], low[s].x[1], high[s].x[1]}, first_half[2] = {piece[t][s].x[0], piece[t][s].x[1]};
            multiply_bf16(scores[half][from + t], left, first_half);
            const u32 right[4] = {low[s].x[2], high[s].x[2], low[s].x[3], high[s].x[3]}, second_half[2] = {piece[t][s].x[2], piece[t][s].x[3]};
            multiply_bf16(scores[half][from + t], right, second_half);
          }
      }
  }

  // Each lane has numbers of two rows: group and 8 behind it.
  float greatest[2] = {nothing, nothing};
#pragma unroll
  for (u32 half = 0; half < 2; half++)
#pragma unroll
    for (u32 t = 0; t < 4; t++)
#pragma unroll
      for (u32 i = 0; i < 4; i++) {
        const u32 key = first + warp * 64 + half * 32 + pair * 8 + t * 2 + i % 2;
        float &score = scores[half][t][i];
        score = key <= start + group + i / 2 * 8 ? score * of_bits(scale) : nothing;
        greatest[i / 2] = score > greatest[i / 2] ? score : greatest[i / 2];
      }
#pragma unroll
  for (u32 side = 0; side < 2; side++) {
    for (u32 mask = 1; mask < 4; mask *= 2) {
      const float other = shuffle_xor(greatest[side], mask);
      greatest[side] = other > greatest[side] ? other : greatest[side];
    }
    if (pair == 0)
      bounds[0][warp][group + side * 8] = greatest[side];
  }
  barrier();
#pragma unroll
  for (u32 side = 0; side < 2; side++)
    for (u32 i = 0; i < attention_warps; i++)
      greatest[side] = bounds[0][i][group + side * 8] > greatest[side] ? bounds[0][i][group + side * 8] : greatest[side];

  // Weights in bfloat16, two by two; what they are divided by in the end is the sum of just these.
  float sums[2] = {};
  u32 weights[2][4][2];
#pragma unroll
  for (u32 half = 0; half < 2; half++)
#pragma unroll
    for (u32 t = 0; t < 4; t++)
#pragma unroll
      for (u32 side = 0; side < 2; side++) {
        float one[2];
#pragma unroll
        for (u32 i = 0; i < 2; i++) {
          const float score = scores[half][t][side * 2 + i];
          one[i] = score > nothing || score != score ? exponential(score - greatest[side]) : 0;
        }
        const u32 both = pack_bf16(one[0], one[1]);
        weights[half][t][side] = both;
        sums[side] += of_bits(both << 16);
        sums[side] += of_bits(both & 0xffff0000);
      }
#pragma unroll
  for (u32 side = 0; side < 2; side++) {
    for (u32 mask = 1; mask < 4; mask *= 2)
      sums[side] += shuffle_xor(sums[side], mask);
    if (pair == 0)
      bounds[1][warp][group + side * 8] = sums[side];
  }

  float mixed[columns][4] = {};
#pragma unroll
  for (u32 half = 0; half < 2; half++) {
    const u32 base = first + warp * 64 + half * 32;
    if (base <= last) {
      const bf16 *from = values + (u64)base * stride + pair * 8;
      u32 written[4]; // keys behind the last were never written: their values count as 0
#pragma unroll
      for (u32 i = 0; i < 4; i++) {
        const u32 key = base + pair * 8 + i * 2;
        written[i] = key > last ? 0 : key == last ? 0xffff : 0xffffffff;
      }
#pragma unroll
      for (u32 begin = 0; begin < columns; begin += at_once * 2) {
        u32x4 piece[at_once * 2];
#pragma unroll
        for (u32 n = 0; n < at_once * 2; n++) {
          const u32 number = (begin + n) * 8 + group;
          piece[n] = begin + n < columns && number < stride ? load16(from + number * value_keys) : u32x4{};
        }
#pragma unroll
        for (u32 n = 0; n < at_once * 2; n++)
          if (begin + n < columns) {
            const u32 left[4] = {weights[half][0][0], weights[half][0][1], weights[half][1][0], weights[half][1][1]};
            const u32 first_half[2] = {piece[n].x[0] & written[0], piece[n].x[1] & written[1]};
            multiply_bf16(mixed[begin + n], left, first_half);
            const u32 right[4] = {weights[half][2][0], weights[half][2][1], weights[half][3][0], weights[half][3][1]};
            const u32 second_half[2] = {piece[n].x[2] & written[2], piece[n].x[3] & written[3]};
            multiply_bf16(mixed[begin + n], right, second_half);
          }
      }
    }
  }
  for (u32 turn = 0; turn < attention_warps; turn++) {
    if (warp == turn)
#pragma unroll
      for (u32 n = 0; n < columns; n++)
#pragma unroll
        for (u32 i = 0; i < 4; i++) {
          float &place = gathered[group + i / 2 * 8][n * 8 + pair * 2 + i % 2];
          place = turn == 0 ? mixed[n][i] : place + mixed[n][i];
        }
    barrier();
  }
  const Runs runs{mixes, sizes, heads, stride, capacity};
  for (u32 i = thread_index(); i < count * stride; i += attention_warps * 32)
    mixes[runs.place(first_row + i / stride, head, block_z()) * stride + i % stride] = gathered[i / stride][i % stride];
  for (u32 row = thread_index(); row < count; row += attention_warps * 32) {
    const u64 place = runs.place(first_row + row, head, block_z());
    float most = nothing, total = 0;
    for (u32 i = 0; i < attention_warps; i++) {
      most = bounds[0][i][row] > most ? bounds[0][i][row] : most;
      total += bounds[1][i][row];
    }
    sizes[place * 2] = most;
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

#define ATTEND_BF16(S)                                                                                                                                     \
  KERNEL void attend_bf16_##S(const bf16 *rows, const bf16 *layer, const u32 *tiles, const u32 *slots, const u32 *positions, float *mixes, float *sizes,    \
                              u32 heads, u32 stride, u32 capacity, u32 row_stride, u32 scale) {                                                             \
    attend<S>(rows, layer, tiles, slots, positions, mixes, sizes, heads, stride, capacity, row_stride, scale);                                              \
  }

ATTEND_BF16(2)
ATTEND_BF16(3)
ATTEND_BF16(4)
ATTEND_BF16(8)

KERNEL void merge_f32(const float *mixes, const float *sizes, const u32 *positions, float *to, u32 heads, u32 stride, u32 capacity, u32 target_stride) {
  merge(mixes, sizes, positions, to, heads, stride, capacity, target_stride);
}

KERNEL void merge_bf16(const float *mixes, const float *sizes, const u32 *positions, bf16 *to, u32 heads, u32 stride, u32 capacity, u32 target_stride) {
  merge(mixes, sizes, positions, to, heads, stride, capacity, target_stride);
}
