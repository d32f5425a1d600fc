// Colours drawn from logits, by the operations of Sampler and ColourWeight (src/Engine/Sampling) in an order that gives the same bits: weights are whole
// numbers, whose sums do not depend on their order.
#include "numbers.h"

static constexpr u32 most_colours = 2048; // as CudaLayout.MostDrawnColours
static constexpr u32 draw_words = 12;     // as CudaStep.DrawWords

// 1 / n! from 13 on.
static constexpr double taylor[] = {1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880, 1.0 / 40320, 1.0 / 5040,
                                    1.0 / 720,        1.0 / 120,       1.0 / 24,       1.0 / 6,       1.0 / 2,      1.0,          1.0};

// e^x as a whole number of 2^-50, x up to 0: ColourWeight.Of.
DEVICE u64 colour_weight(double x) {
  x = x > -40.0 ? x : -40.0;
  const double shifted = __builtin_fma(x, 1.4426950408889634, 6755399441055744.0);
  const double whole = shifted - 6755399441055744.0;
  const double rest = __builtin_fma(whole, -1.90821492927058770002e-10, __builtin_fma(whole, -0.693147180369123816490, x));
  double sum = taylor[0];
#pragma unroll
  for (u32 i = 1; i < sizeof taylor / sizeof taylor[0]; i++)
    sum = __builtin_fma(sum, rest, taylor[i]);
  const double power = of_long_bits((long_bits_of(shifted) << 52) + ((u64)(1023 + 50) << 52));
  return long_bits_of(sum * power + 4503599627370496.0) & (((u64)1 << 52) - 1);
}

// Whole numbers whose order is that of the values; -0 comes before 0.
DEVICE int order_of(float value) {
  const int bits = (int)bits_of(value);
  return bits ^ ((bits >> 31) & 0x7fffffff);
}

DEVICE float of_order(int order) { return of_bits((u32)(order ^ ((order >> 31) & 0x7fffffff))); }

DEVICE bool is_finite(float value) { return (bits_of(value) & 0x7f800000) != 0x7f800000; }

// Sum of all lanes, each below 2^58.
DEVICE u64 lanes_sum(u64 value) {
  constexpr u32 bits = 26, mask = (1 << bits) - 1;
  const u64 lower = lanes_sum((u32)value & mask), middle = lanes_sum((u32)(value >> bits) & mask), upper = lanes_sum((u32)(value >> (2 * bits)));
  return lower + (middle << bits) + (upper << (2 * bits));
}

// 53 bits of Philox4x32-10, keyed by the seed, counted by position and sample.
DEVICE u64 uniform(u32 position, u32 sample, u32 k0, u32 k1) {
  u32 c0 = position, c1 = sample, c2 = 0, c3 = 0;
  for (u32 round = 0; round < 10; round++) {
    const u64 first = (u64)0xD2511F53 * c0, second = (u64)0xCD9E8D57 * c2;
    c0 = (u32)(second >> 32) ^ c1 ^ k0, c1 = (u32)second;
    c2 = (u32)(first >> 32) ^ c3 ^ k1, c3 = (u32)first;
    k0 += 0x9E3779B9, k1 += 0xBB67AE85;
  }
  return ((u64)c1 << 32 | c0) >> 11;
}

// The greatest order such that what a function of it gives is at most a bound; it grows with the order, and is at most that at the least. Sign first, then bit by bit.
template <class Function> DEVICE int greatest_order(u64 most, Function function) {
  int bound = function(0) <= most ? 0 : (int)0x80000000;
  for (int bit = 30; bit >= 0; bit--) {
    const int higher = bound | (1 << bit);
    bound = function(higher) <= most ? higher : bound;
  }
  return bound;
}

// A row's colours, of which each lane has every 32nd.
struct Colours {
  int *orders; // of the scores
  u64 *weights;
  u32 lane, count;

  template <class Predicate> DEVICE_METHOD u32 how_many(Predicate predicate) const {
    u32 own = 0;
    for (u32 i = lane; i < count; i += 32)
      own += predicate(i) ? 1 : 0;
    return lanes_sum(own);
  }

  template <class Predicate> DEVICE_METHOD u64 sum_where(Predicate predicate) const {
    u64 own = 0;
    for (u32 i = lane; i < count; i += 32)
      own += predicate(i) ? weights[i] : 0;
    return lanes_sum(own);
  }

  template <class Predicate> DEVICE_METHOD void drop(Predicate predicate) const {
    for (u32 i = lane; i < count; i += 32)
      weights[i] = predicate(i) ? 0 : weights[i];
  }

  // Top-k: what is less than the k-th greatest.
  DEVICE_METHOD void keep_top(u32 rank) const {
    // As many as count - k may be below it.
    const int bound = greatest_order(count - rank, [&](int order) { return (u64)how_many([&](u32 i) { return orders[i] < order; }); });
    drop([&](u32 i) { return orders[i] < bound; });
  }

  // Top-p: the least, lower colours first among equal ones, as long as they weigh no more than a bound together; the last of all stays.
  DEVICE_METHOD void cut(u64 most, int greatest) const {
    int edge = greatest_order(most, [&](int order) { return sum_where([&](u32 i) { return orders[i] < order; }); });
    edge = edge < greatest ? edge : greatest;
    const u64 below = sum_where([&](u32 i) { return orders[i] < edge; });
    drop([&](u32 i) { return orders[i] < edge; });

    // What is equal weighs the same.
    u32 equal = how_many([&](u32 i) { return orders[i] == edge; });
    const u64 all = sum_where([&](u32 i) { return orders[i] == edge; });
    if (all == 0 || equal == 0)
      return;
    const u64 fitting = (most - below) / (all / equal);
    equal -= edge == greatest ? 1 : 0;
    const u32 dropped = fitting < equal ? (u32)fitting : equal;
    if (dropped == 0)
      return;
    u32 end = 0; // the greatest colour with at most so many equal ones before it
    for (u32 bit = most_colours; bit > 0; bit /= 2)
      if (how_many([&](u32 i) { return orders[i] == edge && i < (end | bit); }) <= dropped)
        end |= bit;
    drop([&](u32 i) { return orders[i] == edge && i < end; });
  }

  // The first colour up to which all weigh more than the target together.
  DEVICE_METHOD u32 pick(u64 target) const {
    for (u32 first = 0;; first += 32) {
      const u64 own = first + lane < count ? weights[first + lane] : 0;
      const u64 sum = lanes_sum(own);
      if (target >= sum && first + 32 < count) {
        target -= sum;
        continue;
      }
      u32 lanes = 0; // the most of them that weigh no more than the target
      for (u32 bit = 16; bit > 0; bit /= 2)
        if (lanes_sum(lane < (lanes | bit) ? own : (u64)0) <= target)
          lanes |= bit;
      return first + lanes;
    }
  }
};

// The upper 64 of the product's 117 bits behind the first 53: of a number below 2^53 and another.
DEVICE u64 share(u64 uniform, u64 total) {
  const u64 low = (uniform & 0xffffffff) * (total & 0xffffffff);
  const u64 cross = (uniform >> 32) * (total & 0xffffffff) + (low >> 32), other = (uniform & 0xffffffff) * (total >> 32) + (cross & 0xffffffff);
  const u64 high = (uniform >> 32) * (total >> 32) + (cross >> 32) + (other >> 32);
  return high << 11 | ((other << 32 | (low & 0xffffffff)) >> 53);
}

DEVICE double double_at(const u32 *words) { return of_long_bits((u64)words[1] << 32 | words[0]); }

// Draws a colour for each of a list of rows of logits: a warp a row. drawn: the colour, or all bits where the logits are not finite.
// draws, 12 words each: row of logits, raster position, sample, top-k (0: all), seed (2), temperature as float32, whether the most likely colour is taken,
// temperature (2), 1 - top-p (2).
KERNEL void draw(const float *logits, const u32 *draws, u32 *drawn, u32 colours, u32 stride) {
  SHARED int orders[most_colours];
  SHARED u64 weights[most_colours];
  const u32 lane = thread_index();
  const u32 *own = draws + (u64)block_x() * draw_words;
  const float *row = logits + (u64)own[0] * stride;

  int best = (int)0x80000000;
  u32 broken = 0, place = colours;
  for (u32 i = lane; i < colours; i += 32) {
    const int order = order_of(row[i]);
    if (order > best || place == colours)
      best = order, place = i;
    broken |= row[i] != row[i];
  }
  const int most = lanes_greatest(best);
  place = lanes_least(best == most ? place : colours);
  const float greatest = of_order(most);
  if (lanes_sum(broken) != 0 || !is_finite(greatest))
    place = 0xffffffff;
  else if (!own[7]) {
    // As Hugging Face divides, in float32; where that would overflow, logits stand for what they would be divided to.
    const float divisor = of_bits(own[6]);
    const bool overflows = !is_finite(greatest / divisor), is_plain = overflows || divisor == 1.0f;
    const double top = (double)(is_plain ? greatest : greatest / divisor), scale = overflows ? double_at(own + 8) : 1.0;
    const Colours all{orders, weights, lane, colours};
    for (u32 i = lane; i < colours; i += 32) {
      const float score = is_plain ? row[i] : row[i] / divisor;
      const double depth = (double)score - top;
      orders[i] = order_of(score + 0.0f);
      weights[i] = colour_weight(scale == 1.0 ? depth : depth / scale);
    }
    if (own[3] > 0 && own[3] < colours)
      all.keep_top(own[3]);
    const double rest = double_at(own + 10);
    if (rest > 0)
      all.cut((u64)(rest * (double)all.sum_where([](u32) { return true; })), order_of((float)top + 0.0f));
    place = all.pick(share(uniform(own[1], own[2], own[4], own[5]), all.sum_where([](u32) { return true; })));
  }
  if (lane == 0)
    drawn[block_x()] = place;
}
