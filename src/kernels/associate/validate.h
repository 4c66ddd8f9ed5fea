#ifndef HOPFIELD_KERNELS_ASSOCIATE_VALIDATE_H_
#define HOPFIELD_KERNELS_ASSOCIATE_VALIDATE_H_

// Everything that is checked before a thread starts or an output is written.

#include <string>
#include <string_view>

#include "hopfield/kernels/associate.h"

namespace hopfield::internal {

/// "[3, 1, 64]"
std::string shape_text(std::int64_t rows, std::int64_t heads, std::int64_t depth);

/// T must be the accumulation type of the inputs.
template <class T>
void validate_type(const AssociationShape& shape, std::string_view op);

void validate_options(const AssociateOptions& options, std::string_view op);

template <class T>
void validate_outputs(const Associations& in, const AssociationShape& shape,
                      const AssociateOutputs<T>& out, std::string_view op);

template <class T>
void validate_backward(const Associations& in, const AssociationShape& shape,
                       const AssociateSaved<T>& saved, const AssociateCotangents<T>& cotangents,
                       const AssociateGradients<T>& gradients);

/// Softmax and one bag.
void validate_partial_inputs(const Associations& in, const AssociationShape& shape,
                             std::string_view op);

/// The vectors have the sizes that rows, heads and depth say.
template <class T>
void validate_partials(const Partials<T>& partials, std::string_view op, std::string_view name);

template <class T>
void validate_finish(const Partials<T>& partials, const Associations& in,
                     const AssociateOutputs<T>& out);

}  // namespace hopfield::internal

#endif  // HOPFIELD_KERNELS_ASSOCIATE_VALIDATE_H_
