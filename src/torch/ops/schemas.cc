// Schemas of the registered ops; torch.ops.hopfield in Python. The kernels are in cpu/, cuda/,
// meta/, autograd/ and autocast/; the argument lists again in signature.h.
#include <torch/library.h>

TORCH_LIBRARY(hopfield, m) {
  m.def(
      "retrieve(Tensor states, Tensor stored, Tensor? projections, Tensor beta, *, "
      "Tensor? stored_offsets=None, Tensor? state_offsets=None, Tensor? hidden_stored=None, "
      "Tensor? mask=None, str similarity='dot', str separation='softmax', int top_k=0, "
      "int[] update_steps_max=[0], float[] update_steps_eps=[0.0001], str criterion='association', "
      "int update_steps_cap=1000, str gradient='unrolled', bool want_energy=False, "
      "bool want_entropy=False, bool want_largest=False, bool want_metastable=False, "
      "float metastable_mass=0.9, int num_top=0, bool want_association=False) -> "
      "(Tensor state, Tensor lse, Tensor energy, Tensor entropy, Tensor largest, "
      "Tensor largest_index, Tensor top, Tensor top_index, Tensor metastable_size, "
      "Tensor association, Tensor steps, Tensor reason, Tensor final_state)");
  m.def(
      "retrieve_backward(Tensor? grad_state, Tensor? grad_lse, Tensor? grad_energy, "
      "Tensor? grad_entropy, Tensor states, Tensor stored, Tensor? projections, Tensor beta, *, "
      "Tensor? stored_offsets, Tensor? state_offsets, Tensor? hidden_stored, Tensor? mask, "
      "str similarity, str separation, int top_k, int[] update_steps_max, "
      "float[] update_steps_eps, str criterion, int update_steps_cap, str gradient, "
      "Tensor state, Tensor lse, Tensor? entropy, Tensor steps, Tensor reason, Tensor? "
      "final_state, bool[5] need) -> "
      "(Tensor states, Tensor stored, Tensor projections, Tensor beta, Tensor mask)");
}
