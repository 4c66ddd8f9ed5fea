#include <cstdio>
#include <vector>

#include "hopfield/memory/retrieve.h"

int main() {
  const std::vector<float> stored = {1, 1,  -1, -1, 1, -1,
                                     1, -1, -1, -1, 1, 1};  // 3 patterns of depth 4
  const std::vector<float> cue = {1, -1, 1, 0};
  const std::vector<double> beta = {4};
  const std::vector<std::int64_t> steps = {3};

  hopfield::Associations in;
  in.stored = hopfield::pattern_view(stored.data(), 3, 4);
  in.states = hopfield::pattern_view(cue.data(), 1, 4);
  in.beta = beta;
  std::vector<float> recalled(4), weight(1);
  std::vector<std::int64_t> index(1);
  hopfield::AssociateOutputs<float> out;
  out.state = hopfield::mutable_view(recalled.data(), 1, 4);
  out.largest = weight;
  out.largest_index = index;
  hopfield::UpdateOptions update;
  update.update_steps_max = steps;
  hopfield::retrieve<float>(in, update, out);
  std::printf("recalled pattern %d with weight %.3f: %g %g %g %g\n", static_cast<int>(index[0]),
              static_cast<double>(weight[0]), static_cast<double>(recalled[0]),
              static_cast<double>(recalled[1]), static_cast<double>(recalled[2]),
              static_cast<double>(recalled[3]));
  return index[0] == 1 && weight[0] > 0.99F ? 0 : 1;
}
