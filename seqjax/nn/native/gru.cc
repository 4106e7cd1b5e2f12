// A gated recurrent unit over time on a CPU, and its gradient; `seqjax.nn.native.gru` says what is computed.
//
// XLA runs a scan as one small kernel after another. Here six lanes at a time go through a series with their states and
// the weights in the nearest caches. Inputs are multiplied by blocks of times. The gradient keeps no gates: it makes
// them again from the states, whose products are then not bound to an order in time, and walks back through a block.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "xla/ffi/api/ffi.h"

namespace {

namespace ffi = xla::ffi;
using F32 = ffi::Buffer<ffi::F32>;
using Pred = ffi::Buffer<ffi::PRED>;
using Dims = ffi::Span<const std::int64_t>;

constexpr int kWidth = 8;   // numbers in a vector
constexpr int kLanes = 6;   // lanes that go together: six rows of two vectors fill sixteen registers
constexpr int kTimes = 24;  // times that are multiplied together
typedef float Vector __attribute__((vector_size(4 * kWidth), aligned(4), may_alias));
typedef std::int32_t Integers __attribute__((vector_size(4 * kWidth)));

inline Vector& at(float* x) { return *reinterpret_cast<Vector*>(x); }
inline const Vector& at(const float* x) { return *reinterpret_cast<const Vector*>(x); }

// e^x - 1 = 2^n (e^r - 1) + 2^n - 1 with x = n log 2 + r: right to a few units in the last place, near 0 too.
inline Vector expm1(Vector x) {
  x = x > 87.0f ? Vector{} + 87.0f : x;
  x = x < -87.0f ? Vector{} - 87.0f : x;
  const Vector n = (x * 1.44269504f + 12582912.0f) - 12582912.0f;  // to the nearest whole number
  const Vector r = x - n * 0.693359375f + n * 2.12194440e-4f;
  Vector e = Vector{} + 1.0f / 5040;
  for (float factor : {1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f}) e = e * r + factor;
  Integers power = (__builtin_convertvector(n, Integers) + 127) << 23;
  const Vector scale = reinterpret_cast<Vector&>(power);
  return scale * (e * r) + (scale - 1.0f);
}

inline Vector sigmoid(Vector x) { return 1.0f / (2.0f + expm1(-x)); }

inline Vector tanh(Vector x) {
  const Vector e = expm1(x + x);
  return e / (e + 2.0f);
}

// A matrix: where it begins, from one row to the next, from one column to the next.
struct Left {
  const float* begin;
  int row, column;
};

// out += a w for kRows rows and kVectors vectors of columns.
template <int kRows, int kVectors>
inline void block(Left a, int inner, const float* w, int w_row, float* out, int out_row) {
  Vector sum[kRows][kVectors], row[kVectors];
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) sum[i][j] = at(out + i * out_row + j * kWidth);
  for (int k = 0; k < inner; ++k) {
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) row[j] = at(w + k * w_row + j * kWidth);
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
      const float x = a.begin[i * a.row + k * a.column];
#pragma GCC unroll 8
      for (int j = 0; j < kVectors; ++j) sum[i][j] += x * row[j];
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) at(out + i * out_row + j * kWidth) = sum[i][j];
}

template <int kRows>
void band(Left a, int inner, const float* w, int w_row, int columns, float* out, int out_row) {
  int j = 0;
  for (; j + 2 * kWidth <= columns; j += 2 * kWidth) block<kRows, 2>(a, inner, w + j, w_row, out + j, out_row);
  if (j < columns) block<kRows, 1>(a, inner, w + j, w_row, out + j, out_row);
}

// out += a w: a [rows, inner], w [inner, columns], columns a multiple of kWidth.
void multiply(Left a, int rows, int inner, const float* w, int w_row, int columns, float* out, int out_row) {
  int i = 0;
  const auto next = [&](int count) {
    Left from = {a.begin + i * a.row, a.row, a.column};
    float* to = out + i * out_row;
    i += count;
    return std::pair(from, to);
  };
  while (i + 6 <= rows) {
    const auto [from, to] = next(6);
    band<6>(from, inner, w, w_row, columns, to, out_row);
  }
  while (i + 2 <= rows) {
    const auto [from, to] = next(2);
    band<2>(from, inner, w, w_row, columns, to, out_row);
  }
  if (i < rows) {
    const auto [from, to] = next(1);
    band<1>(from, inner, w, w_row, columns, to, out_row);
  }
}

// Sizes: P is H up to whole vectors, so that each gate begins at one; inputs == 0 means x is [time, 3 H], W and all.
struct Shape {
  int time, inputs, hidden;
  bool keep;
  int P = (hidden + kWidth - 1) / kWidth * kWidth, gates = 3 * P, row = inputs ? inputs : 3 * hidden;
  int I = (inputs + kWidth - 1) / kWidth * kWidth;
};

// Three gates of H numbers each into three of P, or back.
inline void spread(const float* from, float* to, const Shape& s) {
  for (int part = 0; part < 3; ++part) std::memcpy(to + part * s.P, from + part * s.hidden, sizeof(float) * s.hidden);
}
inline void gather(const float* from, float* to, const Shape& s) {
  for (int part = 0; part < 3; ++part) std::memcpy(to + part * s.hidden, from + part * s.P, sizeof(float) * s.hidden);
}

// One set of weights, padded, and what of it the gradient needs transposed.
struct Weights {
  Weights(const float* w, const float* b, const float* u, const Shape& s)
      : kernel(s.inputs * s.gates), bias(s.gates), recurrent(s.hidden * s.gates), kernel_t(s.gates * s.I),
        recurrent_t(s.gates * s.P) {
    spread(b, bias.data(), s);
    for (int k = 0; k < s.inputs; ++k) spread(w + k * 3 * s.hidden, &kernel[k * s.gates], s);
    for (int k = 0; k < s.hidden; ++k) spread(u + k * 3 * s.hidden, &recurrent[k * s.gates], s);
    for (int g = 0; g < s.gates; ++g) {
      for (int k = 0; k < s.inputs; ++k) kernel_t[g * s.I + k] = kernel[k * s.gates + g];
      for (int k = 0; k < s.hidden; ++k) recurrent_t[g * s.P + k] = recurrent[k * s.gates + g];
    }
  }
  std::vector<float> kernel, bias, recurrent, kernel_t, recurrent_t;
};

// What one lane reads and, in the gradient, writes.
struct Lane {
  const float *x, *start, *weight, *kernel, *bias, *recurrent;
  const bool* fresh;
  const float *states, *d_states;
  float *out, *d_x, *d_kernel, *d_bias, *d_recurrent, *d_start, *d_weight;
};

// out = x W + b of so many times.
void project(const float* x, int times, const Weights& u, const Shape& s, float* out) {
  for (int t = 0; t < times; ++t) {
    float* row = out + t * s.gates;
    std::copy(u.bias.begin(), u.bias.end(), row);
    if (!s.inputs)
      for (int part = 0; part < 3; ++part)
        for (int i = 0; i < s.hidden; ++i) row[part * s.P + i] += x[(t * 3 + part) * s.hidden + i];
  }
  if (s.inputs) multiply({x, s.row, 1}, times, s.inputs, u.kernel.data(), s.gates, s.gates, out, s.gates);
}

struct Forward {
  explicit Forward(const Shape& s) : s(s), h(kLanes * s.P), rh(kLanes * s.P), g(kLanes * kTimes * s.gates) {}

  void operator()(const Lane* lane, int lanes, const Weights& u) {
    for (int l = 0; l < lanes; ++l) std::memcpy(&h[l * s.P], lane[l].start, sizeof(float) * s.hidden);
    for (int begin = 0; begin < s.time; begin += kTimes) {
      const int times = std::min(kTimes, s.time - begin);
      for (int l = 0; l < lanes; ++l) project(lane[l].x + begin * s.row, times, u, s, &g[l * kTimes * s.gates]);
      for (int t = 0; t < times; ++t) step(lane, lanes, u, begin + t, &g[t * s.gates]);
    }
  }

 private:
  void step(const Lane* lane, int lanes, const Weights& u, int t, float* gate) {
    const int P = s.P, next = kTimes * s.gates;
    for (int l = 0; l < lanes; ++l)
      if (lane[l].fresh[t]) std::fill_n(&h[l * P], P, 0.0f);
    multiply({h.data(), P, 1}, lanes, s.hidden, u.recurrent.data(), s.gates, 2 * P, gate, next);
    for (int l = 0; l < lanes; ++l)
      for (int i = 0; i < P; i += kWidth) {
        at(&rh[l * P + i]) = sigmoid(at(gate + l * next + i)) * at(&h[l * P + i]);
        at(gate + l * next + P + i) = sigmoid(at(gate + l * next + P + i));
      }
    multiply({rh.data(), P, 1}, lanes, s.hidden, u.recurrent.data() + 2 * P, s.gates, P, gate + 2 * P, next);
    for (int l = 0; l < lanes; ++l) {
      float* state = &h[l * P];
      for (int i = 0; i < P; i += kWidth) {
        const Vector c = tanh(at(gate + l * next + 2 * P + i)), z = at(gate + l * next + P + i);
        at(state + i) += lane[l].weight[t] * (s.keep ? 1.0f - z : z) * (c - at(state + i));
      }
      std::memcpy(lane[l].out + t * s.hidden, state, sizeof(float) * s.hidden);
    }
  }

  const Shape s;
  std::vector<float> h, rh, g;
};

struct Backward {
  explicit Backward(const Shape& s)
      : s(s), d(kLanes * s.P), d_rh(kLanes * s.P), h(kLanes * kTimes * s.P), rh(h.size()), g(kLanes * kTimes * s.gates),
        d_g(g.size()), d_x(kTimes * s.I), d_w(kLanes * (s.inputs + s.hidden + 1) * s.gates) {}

  void operator()(const Lane* lane, int lanes, const Weights& u) {
    std::fill(d.begin(), d.end(), 0.0f);
    std::fill(d_w.begin(), d_w.end(), 0.0f);
    for (int begin = (s.time - 1) / kTimes * kTimes; begin >= 0; begin -= kTimes) {
      const int times = std::min(kTimes, s.time - begin);
      for (int l = 0; l < lanes; ++l) again(lane[l], l, begin, times, u);
      for (int t = times; t-- > 0;) step(lane, lanes, u, begin + t, t);
      for (int l = 0; l < lanes; ++l) products(lane[l], l, begin, times, u);
    }
    for (int l = 0; l < lanes; ++l) {
      std::memcpy(lane[l].d_start, &d[l * s.P], sizeof(float) * s.hidden);
      const float* from = sums(l);
      for (int k = 0; k < s.inputs; ++k, from += s.gates) gather(from, lane[l].d_kernel + k * 3 * s.hidden, s);
      for (int k = 0; k < s.hidden; ++k, from += s.gates) gather(from, lane[l].d_recurrent + k * 3 * s.hidden, s);
      gather(from, lane[l].d_bias, s);
    }
  }

 private:
  float* sums(int l) { return &d_w[l * (s.inputs + s.hidden + 1) * s.gates]; }

  // The states before a block of times, and the gates.
  void again(const Lane& lane, int l, int begin, int times, const Weights& u) {
    const int P = s.P;
    float *before = &h[l * kTimes * P], *reset = &rh[l * kTimes * P], *gate = &g[l * kTimes * s.gates];
    for (int t = 0; t < times; ++t) {
      const float* from = begin + t ? lane.states + (begin + t - 1) * s.hidden : lane.start;
      if (lane.fresh[begin + t]) std::fill_n(before + t * P, P, 0.0f);
      else std::memcpy(before + t * P, from, sizeof(float) * s.hidden);
    }
    project(lane.x + begin * s.row, times, u, s, gate);
    multiply({before, P, 1}, times, s.hidden, u.recurrent.data(), s.gates, 2 * P, gate, s.gates);
    for (int t = 0; t < times; ++t)
      for (int i = 0; i < P; i += kWidth) {
        float *r = gate + t * s.gates + i, *z = r + P;
        at(r) = sigmoid(at(r));
        at(z) = sigmoid(at(z));
        at(reset + t * P + i) = at(r) * at(before + t * P + i);
      }
    multiply({reset, P, 1}, times, s.hidden, u.recurrent.data() + 2 * P, s.gates, P, gate + 2 * P, s.gates);
    for (int t = 0; t < times; ++t)
      for (int i = 2 * P; i < s.gates; i += kWidth) at(gate + t * s.gates + i) = tanh(at(gate + t * s.gates + i));
  }

  // One time back: d from the state after it to the state before.
  void step(const Lane* lane, int lanes, const Weights& u, int now, int t) {
    const int P = s.P, next = kTimes * s.gates;
    float* out = &d_g[t * s.gates];
    for (int l = 0; l < lanes; ++l) {
      const float *gate = &g[l * next + t * s.gates], *before = &h[(l * kTimes + t) * P], w = lane[l].weight[now];
      float *grad = &d[l * P], *to = out + l * next;
      for (int i = 0; i < s.hidden; ++i) grad[i] += lane[l].d_states[now * s.hidden + i];
      Vector sum{};
      for (int i = 0; i < P; i += kWidth) {
        const Vector z = at(gate + P + i), c = at(gate + 2 * P + i), write = s.keep ? 1.0f - z : z, dh = at(grad + i);
        const Vector way = dh * (c - at(before + i));
        sum += write * way;
        at(to + P + i) = (s.keep ? -w : w) * way * z * (1.0f - z);
        at(to + 2 * P + i) = w * write * dh * (1.0f - c * c);
        at(grad + i) = dh * (1.0f - w * write);
      }
      lane[l].d_weight[now] = 0.0f;
      for (int i = 0; i < kWidth; ++i) lane[l].d_weight[now] += sum[i];
    }
    std::fill(d_rh.begin(), d_rh.end(), 0.0f);
    multiply({out + 2 * P, next, 1}, lanes, s.hidden, &u.recurrent_t[2 * P * P], P, P, d_rh.data(), P);
    for (int l = 0; l < lanes; ++l)
      for (int i = 0; i < P; i += kWidth) {
        const Vector r = at(&g[l * next + t * s.gates + i]), back = at(&d_rh[l * P + i]);
        at(out + l * next + i) = back * at(&h[(l * kTimes + t) * P + i]) * r * (1.0f - r);
        at(&d[l * P + i]) += back * r;
      }
    multiply({out, next, 1}, lanes, 2 * P, u.recurrent_t.data(), P, P, d.data(), P);
    for (int l = 0; l < lanes; ++l)
      if (lane[l].fresh[now]) std::fill_n(&d[l * P], P, 0.0f);
  }

  // What a block of times adds to the gradients of inputs and weights.
  void products(const Lane& lane, int l, int begin, int times, const Weights& u) {
    const int P = s.P;
    const float* grad = &d_g[l * kTimes * s.gates];
    float *kernel = sums(l), *recurrent = kernel + s.inputs * s.gates, *bias = recurrent + s.hidden * s.gates;
    if (s.inputs) {
      std::fill(d_x.begin(), d_x.end(), 0.0f);
      multiply({grad, s.gates, 1}, times, s.gates, u.kernel_t.data(), s.I, s.I, d_x.data(), s.I);
      for (int t = 0; t < times; ++t)
        std::memcpy(lane.d_x + (begin + t) * s.row, &d_x[t * s.I], sizeof(float) * s.inputs);
      multiply({lane.x + begin * s.row, 1, s.row}, s.inputs, times, grad, s.gates, s.gates, kernel, s.gates);
    } else {
      for (int t = 0; t < times; ++t) gather(grad + t * s.gates, lane.d_x + (begin + t) * s.row, s);
    }
    multiply({&h[l * kTimes * P], 1, P}, s.hidden, times, grad, s.gates, 2 * P, recurrent, s.gates);
    multiply({&rh[l * kTimes * P], 1, P}, s.hidden, times, grad + 2 * P, s.gates, P, recurrent + 2 * P, s.gates);
    for (int t = 0; t < times; ++t)
      for (int i = 0; i < s.gates; i += kWidth) at(bias + i) += at(grad + t * s.gates + i);
  }

  const Shape s;
  std::vector<float> d, d_rh, h, rh, g, d_g, d_x, d_w;
};

// Where every lane's part of an operand begins; of its leading axes, those that vmap has added have size 1.
struct Lanes {
  Lanes(Dims lead, Dims dims) : offsets(1, 0) {
    std::int64_t size = 1;
    for (std::size_t axis = dims.size(); axis-- > lead.size();) size *= dims[axis];
    for (std::size_t axis = 0; axis < lead.size(); ++axis) {
      std::vector<std::int64_t> next;
      for (std::int64_t offset : offsets)
        for (std::int64_t i = 0; i < lead[axis]; ++i)
          next.push_back(dims[axis] == 1 ? offset : offset * dims[axis] + i);
      offsets.swap(next);
    }
    for (std::int64_t& offset : offsets) offset *= size;
  }
  template <typename T>
  T* of(T* begin, std::size_t lane) const {
    return begin + offsets[lane];
  }
  std::vector<std::int64_t> offsets;
};

struct Tile {
  std::vector<Lane> lanes;
  std::shared_ptr<const Weights> weights;
};

// Runs the tiles on this thread and, as far as they are free, those of the pool.
template <typename Work>
void run(std::vector<Tile> tiles, const Shape& s, ffi::ThreadPool& pool) {
  struct Shared {
    std::vector<Tile> tiles;
    std::atomic<std::size_t> next{0}, done{0};
  };
  auto shared = std::make_shared<Shared>();
  const std::size_t count = tiles.size();
  shared->tiles = std::move(tiles);
  auto work = [shared, s, count] {
    std::size_t i = shared->next++;
    if (i >= count) return;
    for (Work one(s); i < count; i = shared->next++) {
      const Tile& tile = shared->tiles[i];
      one(tile.lanes.data(), tile.lanes.size(), *tile.weights);
      ++shared->done;
    }
  };
  const std::int64_t helpers = std::min<std::int64_t>(pool.num_threads(), count) - 1;
  for (std::int64_t i = 0; i < helpers; ++i) pool.Schedule(decltype(work)(work));
  work();
  while (shared->done < count) std::this_thread::yield();  // a tile that a helper has begun
}

// Tiles of lanes that have the same weights.
std::vector<Tile> tiled(const std::vector<Lane>& lanes, const Shape& s) {
  std::vector<Tile> tiles;
  const auto same = [](const Lane& a, const Lane& b) {
    return a.kernel == b.kernel && a.bias == b.bias && a.recurrent == b.recurrent;
  };
  for (const Lane& lane : lanes) {
    const bool known = !tiles.empty() && same(tiles.back().lanes[0], lane);
    if (known && tiles.back().lanes.size() < kLanes) {
      tiles.back().lanes.push_back(lane);
      continue;
    }
    auto weights = known ? tiles.back().weights : std::make_shared<Weights>(lane.kernel, lane.bias, lane.recurrent, s);
    tiles.push_back({{lane}, weights});
  }
  return tiles;
}

// The lanes as far as both directions read them; `states` are of the full shape [*lanes, time, hidden].
struct Operands {
  Operands(Dims states, bool keep, F32& x, F32& kernel, F32& bias, F32& recurrent, F32& start, F32& weight, Pred& fresh)
      : lead(states.begin(), states.size() - 2),
        s{int(states[states.size() - 2]), int(kernel.dimensions().end()[-2]), int(states.back()), keep} {
    const Lanes lx(lead, x.dimensions()), lk(lead, kernel.dimensions()), lb(lead, bias.dimensions()),
        lr(lead, recurrent.dimensions()), ls(lead, start.dimensions()), lw(lead, weight.dimensions()),
        lf(lead, fresh.dimensions());
    for (std::size_t i = 0; i < lx.offsets.size(); ++i) {
      Lane lane = {};
      lane.x = lx.of(x.typed_data(), i);
      lane.kernel = lk.of(kernel.typed_data(), i);
      lane.bias = lb.of(bias.typed_data(), i);
      lane.recurrent = lr.of(recurrent.typed_data(), i);
      lane.start = ls.of(start.typed_data(), i);
      lane.weight = lw.of(weight.typed_data(), i);
      lane.fresh = lf.of(fresh.typed_data(), i);
      lanes.push_back(lane);
    }
  }
  void set(float* Lane::*field, ffi::Result<F32>& result) {
    const Lanes places(lead, result->dimensions());
    for (std::size_t i = 0; i < lanes.size(); ++i) lanes[i].*field = places.of(result->typed_data(), i);
  }
  void set(const float* Lane::*field, F32& operand) {
    const Lanes places(lead, operand.dimensions());
    for (std::size_t i = 0; i < lanes.size(); ++i) lanes[i].*field = places.of(operand.typed_data(), i);
  }
  Dims lead;
  Shape s;
  std::vector<Lane> lanes;
};

ffi::Error Read(ffi::ThreadPool pool, F32 x, F32 kernel, F32 bias, F32 recurrent, F32 start, F32 weight, Pred fresh,
                ffi::Result<F32> states, bool keep) {
  Operands all(states->dimensions(), keep, x, kernel, bias, recurrent, start, weight, fresh);
  all.set(&Lane::out, states);
  run<Forward>(tiled(all.lanes, all.s), all.s, pool);
  return ffi::Error::Success();
}

ffi::Error Gradient(ffi::ThreadPool pool, F32 x, F32 kernel, F32 bias, F32 recurrent, F32 start, F32 weight, Pred fresh,
                    F32 states, F32 d_states, ffi::Result<F32> d_x, ffi::Result<F32> d_kernel, ffi::Result<F32> d_bias,
                    ffi::Result<F32> d_recurrent, ffi::Result<F32> d_start, ffi::Result<F32> d_weight, bool keep) {
  Dims lead = d_weight->dimensions();  // of the full shape: [*lanes, time]
  std::vector<std::int64_t> full(lead.begin(), lead.end());
  full.push_back(states.dimensions().back());
  Operands all(Dims(full.data(), full.size()), keep, x, kernel, bias, recurrent, start, weight, fresh);
  all.set(&Lane::states, states);
  all.set(&Lane::d_states, d_states);
  all.set(&Lane::d_x, d_x);
  all.set(&Lane::d_kernel, d_kernel);
  all.set(&Lane::d_bias, d_bias);
  all.set(&Lane::d_recurrent, d_recurrent);
  all.set(&Lane::d_start, d_start);
  all.set(&Lane::d_weight, d_weight);
  run<Backward>(tiled(all.lanes, all.s), all.s, pool);
  return ffi::Error::Success();
}

}  // namespace

XLA_FFI_DEFINE_HANDLER_SYMBOL(
    GruRead, Read,
    ffi::Ffi::Bind().Ctx<ffi::ThreadPool>()
        .Arg<F32>().Arg<F32>().Arg<F32>().Arg<F32>().Arg<F32>().Arg<F32>().Arg<Pred>().Ret<F32>().Attr<bool>("keep"));
XLA_FFI_DEFINE_HANDLER_SYMBOL(
    GruGradient, Gradient,
    ffi::Ffi::Bind().Ctx<ffi::ThreadPool>()
        .Arg<F32>().Arg<F32>().Arg<F32>().Arg<F32>().Arg<F32>().Arg<F32>().Arg<Pred>().Arg<F32>().Arg<F32>()
        .Ret<F32>().Ret<F32>().Ret<F32>().Ret<F32>().Ret<F32>().Ret<F32>().Attr<bool>("keep"));
