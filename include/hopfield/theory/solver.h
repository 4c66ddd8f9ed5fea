#ifndef HOPFIELD_THEORY_SOLVER_H_
#define HOPFIELD_THEORY_SOLVER_H_

#include <cstdint>
#include <string>

namespace hopfield::theory {

/// What every solver of equations says of its answer.
struct SolverReport {
  bool converged = false;
  std::int64_t iterations = 0;  ///< evaluations of the equations
  double residual = 0;          ///< how far the answer is from solving them
  std::string message;          ///< why there is no answer, or what to know about it; may be empty
};

}  // namespace hopfield::theory

#endif  // HOPFIELD_THEORY_SOLVER_H_
