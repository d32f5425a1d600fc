// Numbers and what is computed of them, by the same operations in the same order on a device and on a processor.
#pragma once
#include "device.h"

// bfloat16: the upper half of a float32.
struct bf16 {
  u16 bits;
};

DEVICE float of_bits(u32 bits) { return __builtin_bit_cast(float, bits); }
DEVICE u32 bits_of(float value) { return __builtin_bit_cast(u32, value); }

DEVICE double of_long_bits(u64 bits) { return __builtin_bit_cast(double, bits); }
DEVICE u64 long_bits_of(double value) { return __builtin_bit_cast(u64, value); }

DEVICE float widen(float value) { return value; }
DEVICE float widen(bf16 value) { return of_bits((u32)value.bits << 16); }

// To the nearest, ties to even; numbers that are no numbers stay such.
DEVICE u32 round_bits(float value) {
  const u32 bits = bits_of(value);
  return (bits & 0x7fffffff) > 0x7f800000 ? 0x7fc0 : (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
}

DEVICE void narrow(float value, float &to) { to = value; }
DEVICE void narrow(float value, bf16 &to) { to.bits = (u16)round_bits(value); }

// Four float32 as they lie in memory.
struct Piece {
  u32x4 raw;
  DEVICE_METHOD float operator[](int i) const { return of_bits(raw.x[i]); }
};

// e to the x: 2 to the nearest whole number, times a polynomial of what remains (Cephes' expf); 1.2 units in the last place. 0 below -87.
DEVICE float exponential(float x) {
  if (!(x > -87.0f))
    return x == x ? 0.0f : x;
  x = x < 88.0f ? x : 88.0f;
  const float whole = __builtin_rintf(x * 1.44269504088896341f);
  const float rest = __builtin_fmaf(whole, 2.12194440e-4f, __builtin_fmaf(whole, -0.693359375f, x));
  float sum = 1.9875691500e-4f;
  sum = __builtin_fmaf(sum, rest, 1.3981999507e-3f);
  sum = __builtin_fmaf(sum, rest, 8.3334519073e-3f);
  sum = __builtin_fmaf(sum, rest, 4.1665795894e-2f);
  sum = __builtin_fmaf(sum, rest, 1.6666665459e-1f);
  sum = __builtin_fmaf(sum, rest, 5.0000001201e-1f);
  sum = __builtin_fmaf(sum, rest * rest, rest + 1.0f);
  return sum * of_bits((u32)((int)whole + 127) << 23);
}

DEVICE float sigmoid(float x) { return 1.0f / (1.0f + exponential(-x)); }

DEVICE float hyperbolic_tangent(float x) {
  const float size = x < 0 ? -x : x;
  const float half = exponential(-2.0f * size);
  // Near 0 the difference would lose its digits: x - x³/3 + 2x⁵/15 - 17x⁷/315.
  const float square = x * x;
  if (size < 0.15f)
    return x * __builtin_fmaf(square, __builtin_fmaf(square, __builtin_fmaf(square, -0.053968254f, 0.133333333f), -0.333333333f), 1.0f);
  const float value = (1.0f - half) / (1.0f + half);
  return x < 0 ? -value : value;
}

// Abramowitz and Stegun 7.1.26: within 1.5e-7.
DEVICE float error_function(float x) {
  const float size = x < 0 ? -x : x;
  const float t = 1.0f / __builtin_fmaf(0.3275911f, size, 1.0f);
  float sum = 1.061405429f;
  sum = __builtin_fmaf(sum, t, -1.453152027f);
  sum = __builtin_fmaf(sum, t, 1.421413741f);
  sum = __builtin_fmaf(sum, t, -0.284496736f);
  sum = __builtin_fmaf(sum, t, 0.254829592f);
  const float value = 1.0f - sum * t * exponential(-size * size);
  return x < 0 ? -value : value;
}

// The MLP's non-linearities, by the numbers that CudaNetwork gives them.
DEVICE float activate(float x, u32 kind) {
  switch (kind) {
  case 1: return x * sigmoid(1.702f * x);                                                                    // quick_gelu
  case 2: return 0.5f * x * (1.0f + error_function(x * 0.70710678f));                                        // gelu
  case 3: return 0.5f * x * (1.0f + hyperbolic_tangent(0.79788456f * __builtin_fmaf(0.044715f * x * x, x, x))); // gelu_new
  case 4: return x > 0 ? x : 0;                                                                              // relu
  case 5: return x * sigmoid(x);                                                                             // silu
  case 6: return hyperbolic_tangent(x);                                                                      // tanh
  default: return x;
  }
}

// Sum and greatest of all lanes of a warp, in one order.
DEVICE float warp_sum(float value) {
  for (u32 mask = 16; mask > 0; mask /= 2)
    value += shuffle_xor(value, mask);
  return value;
}

DEVICE float warp_max(float value) {
  for (u32 mask = 16; mask > 0; mask /= 2) {
    const float other = shuffle_xor(value, mask);
    value = value > other ? value : other;
  }
  return value;
}
