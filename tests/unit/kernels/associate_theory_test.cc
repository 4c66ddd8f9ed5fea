// Check values of the theory, computed independently of this code: "theory" below is the project's
// theory sheet for arXiv:2008.02217 (sections 1.7, 1.9 and 4), float64, 1e-6 relative or better.

#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "support/simple_associate.h"

namespace hopfield::test {
namespace {

double norm(const std::vector<double>& x) {
  return std::sqrt(std::inner_product(x.begin(), x.end(), x.begin(), 0.0));
}

std::vector<double> update(const Memory<double>& memory, const std::vector<double>& xi,
                           const std::string& target) {
  Memory<double> at = memory;
  at.states = xi;
  return associate_all<double>(at.view(), target).state;
}

/// J u by the backward pass: the update's Jacobian is symmetric.
std::vector<double> jacobian_times(const Memory<double>& memory, const std::vector<double>& u,
                                   const std::string& target) {
  const Associations in = memory.view();
  const auto r = associate_all<double>(in, target);
  AssociateSaved<double> saved;
  saved.state = pattern_view(r.state.data(), 1, memory.depth);
  saved.lse = r.lse;
  AssociateCotangents<double> g;
  g.state = pattern_view(u.data(), 1, memory.depth);
  std::vector<double> product(u.size());
  AssociateGradients<double> d;
  d.states = mutable_view(product.data(), 1, memory.depth);
  AssociateOptions options;
  options.target = target;
  associate_backward(in, saved, g, d, options);
  return product;
}

double largest_eigenvalue(const Memory<double>& memory, const std::string& target) {
  std::vector<double> u(static_cast<std::size_t>(memory.depth), 1);
  double eigenvalue = 0;
  for (int i = 0; i < 600; ++i) {
    const std::vector<double> v = jacobian_times(memory, u, target);
    eigenvalue = norm(v) / norm(u);
    for (std::size_t k = 0; k < u.size(); ++k) u[k] = v[k] / norm(v);
  }
  return eigenvalue;
}

/// A column of the table in theory 1.9.
struct Column {
  std::int64_t depth, stored;
  double beta, largest_norm, energy0, energy1, energy_end, read_out, jacobian_norm;
  int steps;
  double end_norm, end_largest, end_jacobian;
  std::int64_t metastable0, metastable_end;
};

constexpr Column kColumns[] = {
    {6, 5, 1, 1.8027213570, 2.8695648946, 1.6436452667, 1.2458523266, 0.5902365298, 1.0254516619,
     31, 1.3130265787, 0.4547420522, 0.4188783594, 3, 3},
    {6, 5, 0.35, 1.8027213570, 3.2209490565, 1.5275757104, 1.4780230943, 0.1085388149, 0.3859702247,
     24, 0.6376485055, 0.2447274279, 0.3656188904, 5, 5},
    {8, 12, 0.25, 2.9426038642, 5.9428672097, 4.3919987165, 4.3085857050, 0.1065785715,
     0.3403124496, 22, 0.2296385351, 0.0869942993, 0.3586468493, 10, 11}};

Memory<double> table_memory(const Column& c) {
  Memory<double> m;
  m.depth = c.depth;
  m.beta = {c.beta};
  for (int i = 1; i <= c.stored; ++i) {
    for (int k = 1; k <= c.depth; ++k) {
      m.stored.push_back(std::cos(0.7 * k * i) + 0.3 * std::sin(1.3 * k + 2.1 * i));
    }
  }
  for (int k = 1; k <= c.depth; ++k) m.states.push_back(std::sin(0.9 * k));
  return m;
}

TEST(Theory, TableOfSection19) {
  for (const std::string& target : associate_targets()) {
    for (const Column& c : kColumns) {
      SCOPED_TRACE(target + ", d = " + std::to_string(c.depth) +
                   ", beta = " + std::to_string(c.beta));
      Memory<double> m = table_memory(c);
      const auto start = associate_all<double>(m.view(), target);
      EXPECT_NEAR(start.energy[0], c.energy0, 1e-9);
      EXPECT_EQ(start.metastable_size[0], c.metastable0);
      double read_out = 0;
      for (int k = 1; k <= c.depth; ++k) {
        read_out += std::cos(0.4 * k) * start.state[static_cast<std::size_t>(k - 1)];
      }
      EXPECT_NEAR(read_out, c.read_out, 1e-9);
      EXPECT_NEAR(largest_eigenvalue(m, target), c.jacobian_norm, 1e-8);

      std::vector<double> xi = m.states;
      int steps = 0;
      for (double moved = 1; moved >= 1e-10; ++steps) {
        ASSERT_LT(steps, 1000);
        const std::vector<double> next = update(m, xi, target);
        std::vector<double> step(next.size());
        for (std::size_t k = 0; k < step.size(); ++k) step[k] = next[k] - xi[k];
        moved = norm(step);
        xi = next;
        if (steps == 0) {
          m.states = xi;
          EXPECT_NEAR(associate_all<double>(m.view(), target).energy[0], c.energy1, 1e-9);
        }
      }
      EXPECT_EQ(steps, c.steps);
      EXPECT_NEAR(norm(xi), c.end_norm, 1e-9);
      m.states = xi;
      const auto end = associate_all<double>(m.view(), target);
      EXPECT_NEAR(end.energy[0], c.energy_end, 1e-9);
      EXPECT_NEAR(end.largest[0], c.end_largest, 1e-9);
      EXPECT_EQ(end.metastable_size[0], c.metastable_end);
      EXPECT_NEAR(largest_eigenvalue(m, target), c.end_jacobian, 1e-8);

      const auto partials = associate_partials<double>(m.view());
      EXPECT_NEAR(std::sqrt(partials[0].max_square_norm[0]), c.largest_norm, 1e-9);
    }
  }
}

// Theory 1.7 (a): of the pair x, -x the fixed points are s x with s = tanh(beta |x|^2 s).
TEST(Theory, AntipodalPairOfSection17) {
  for (const auto& [b, s] : {std::pair{1.352, 0.78740967}, std::pair{2.535, 0.98664469}}) {
    Memory<double> m;
    m.depth = 2;
    m.stored = {0.6, 0.8, -0.6, -0.8};
    m.beta = {b};
    std::vector<double> xi = {0.5, 0.9};
    for (int i = 0; i < 400; ++i) xi = update(m, xi, "");
    EXPECT_NEAR(xi[0], 0.6 * s, 1e-7);
    EXPECT_NEAR(xi[1], 0.8 * s, 1e-7);
  }
}

Memory<double> orthonormal(std::int64_t n, double beta) {
  Memory<double> m;
  m.depth = n;
  m.beta = {beta};
  m.stored.assign(static_cast<std::size_t>(n * n), 0);
  for (std::int64_t i = 0; i < n; ++i) m.stored[static_cast<std::size_t>(i * n + i)] = 1;
  return m;
}

// Theory 1.7 (b): N orthonormal patterns. At B_c the retrieval state has p_1 = (N - 1) / N and the
// energy of the uniform state; a little below B_s it is lost; the uniform state is a minimum up to
// N.
TEST(Theory, OrthogonalPatternsOfSection17) {
  const auto settle = [](const Memory<double>& m, std::vector<double> xi) {
    for (int i = 0; i < 3000; ++i) xi = update(m, xi, "");
    return xi;
  };
  for (const auto& [n, b_s, b_c] :
       {std::tuple{3, 2.745644, 2.772589}, std::tuple{8, 4.249799, 4.540457},
        std::tuple{64, 6.924585, 8.419919}}) {
    const auto size = static_cast<std::size_t>(n);
    std::vector<double> first(size, 0);
    first[0] = 1;
    const std::vector<double> mean(size, 1.0 / n);

    Memory<double> at_c = orthonormal(n, 2.0 * (n - 1) * std::log(n - 1) / (n - 2));
    EXPECT_NEAR(at_c.beta[0], b_c, 1e-6);
    at_c.states = settle(at_c, first);
    at_c.states.insert(at_c.states.end(), mean.begin(), mean.end());
    const auto r = associate_all<double>(at_c.view());
    EXPECT_NEAR(r.largest[0], (n - 1.0) / n, 1e-9) << n;
    EXPECT_NEAR(r.energy[0], r.energy[1], 1e-9) << n;

    EXPECT_LT(settle(orthonormal(n, b_s - 0.01), first)[0], 0.5) << n;
    EXPECT_GT(settle(orthonormal(n, b_s + 0.01), first)[0], 0.5) << n;

    std::vector<double> nudged = mean;
    nudged[0] += 1e-5;
    EXPECT_NEAR(settle(orthonormal(n, 0.95 * n), nudged)[0], 1.0 / n, 1e-6) << n;
    EXPECT_GT(settle(orthonormal(n, 1.05 * n), nudged)[0], 0.5) << n;
  }
}

/// Scores t as such: d = 1, the state 1, the patterns t.
Memory<double> scores(std::vector<double> t, Separation separation) {
  Memory<double> m;
  m.depth = 1;
  m.stored = std::move(t);
  m.states = {1};
  m.separation = separation;
  return m;
}

// Theory 4: the example t = (1, 0.5, 0.2, -0.3), good to 5e-8 as printed there.
TEST(Theory, EntmaxExamplesOfSection4) {
  const std::vector<double> t = {1, 0.5, 0.2, -0.3};
  const auto expect = [&](Separation separation, const std::vector<double>& p, double conjugate) {
    for (const std::string& target : associate_targets()) {
      const auto r = associate_all<double>(scores(t, separation).view(), target);
      for (std::size_t i = 0; i < p.size(); ++i)
        EXPECT_NEAR(r.association[i], p[i], 6e-9) << target;
      EXPECT_NEAR(r.lse[0], conjugate, 1e-7) << target;
    }
  };
  // The conjugates follow by hand: <p, t> - Omega(p).
  expect(Separation::kSparsemax, {0.75, 0.25, 0, 0}, 0.875 - (0.625 - 1) / 2);
  const std::vector<double> p = {0.58657187, 0.26613197, 0.13386803, 0.01342813};
  double linear = 0, power = 0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    linear += p[i] * t[i];
    power += std::pow(p[i], 1.5);
  }
  expect(Separation::kEntmax15, p, linear - (power - 1) / 0.75);
}

// Theory 4, margin: exactly one pattern iff the top gap is at least 1 / (a - 1), 1 for sparsemax
// and 2 for 1.5-entmax.
TEST(Theory, MarginOfSection4) {
  const auto support = [](double gap, Separation separation) {
    const auto r = associate_all<double>(scores({gap, 0, -0.1}, separation).view(), "", 0, 1.0);
    return r.metastable_size[0];
  };
  EXPECT_EQ(support(1.0, Separation::kSparsemax), 1);
  EXPECT_EQ(support(0.999, Separation::kSparsemax), 2);
  EXPECT_EQ(support(2.0, Separation::kEntmax15), 1);
  EXPECT_EQ(support(1.999, Separation::kEntmax15), 2);
}

// Theory 4, Fenchel-Young energies: dE <= -|step|^2 / 2 for the sparse separations too.
TEST(Theory, SparseEnergiesDescendToo) {
  for (const Separation separation :
       {Separation::kSoftmax, Separation::kSparsemax, Separation::kEntmax15}) {
    Memory<double> m = table_memory(kColumns[0]);
    m.separation = separation;
    for (int i = 0; i < 30; ++i) {
      const auto before = associate_all<double>(m.view());
      Memory<double> next = m;
      next.states = before.state;
      const auto after = associate_all<double>(next.view());
      double step = 0;
      for (std::size_t k = 0; k < m.states.size(); ++k) {
        step += (next.states[k] - m.states[k]) * (next.states[k] - m.states[k]);
      }
      EXPECT_LE(after.energy[0], before.energy[0] - step / 2 + 1e-12);
      m = next;
    }
  }
}

}  // namespace
}  // namespace hopfield::test
