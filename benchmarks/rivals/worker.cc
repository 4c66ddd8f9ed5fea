// Times calls on request, one line of standard input a request, one line of JSON an answer:
//   cases                         names of all cases
//   open CASE                     contenders with flops and bytes, and the results' differences
//   time CONTENDER THREADS MIN    seconds a call, the mean over at least MIN seconds
//   peak CONTENDER THREADS        growth of the peak resident size by one call, bytes
//   machine                       what this program runs on
// A failure is answered by {"error": "..."}.

#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <torch/version.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "benchmarks/rivals/cases.h"
#include "hopfield/base/version.h"
#include "hopfield/kernels/associate.h"

namespace hopfield::bench {
namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Resident size in bytes, the largest so far or the present one; Linux only.
double resident(const char* key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(key)) return std::stod(line.substr(line.find(':') + 1)) * 1024;
  }
  return 0;
}

class Worker {
 public:
  Worker() {
    add_forward_cases(cases_);
    add_layer_cases(cases_);
    add_core_cases(cases_);
    add_memory_cases(cases_);
    add_mil_cases(cases_);
  }

  Json answer(const std::string& line) {
    std::istringstream words(line);
    std::string request, name;
    words >> request;
    if (request == "machine") return machine();
    if (request == "cases") {
      Json names = Json::array();
      for (const Case& c : cases_) names.push_back(c.name);
      return names;
    }
    if (!(words >> name)) throw std::invalid_argument("expected a name after " + request);
    if (request == "open") return open(name);
    int threads = 0;
    if (!(words >> threads)) throw std::invalid_argument("expected a number of threads: " + line);
    at::set_num_threads(threads);
    if (request == "peak") return peak(contender(name));
    double least = 0;
    if (request == "time" && words >> least) return time(contender(name), least);
    throw std::invalid_argument("expected a request, got " + line);
  }

 private:
  static Json machine() {
    return {{"hopfield", version()},
            {"torch", TORCH_VERSION},
            {"target", associate_targets().front()},
            {"threads", at::get_num_threads()}};
  }

  Json open(const std::string& name) {
    const auto found =
        std::find_if(cases_.begin(), cases_.end(), [&](const Case& c) { return c.name == name; });
    if (found == cases_.end()) throw std::invalid_argument("no case " + name);
    contenders_.clear();
    contenders_ = found->open();
    Json answer = Json::array();
    at::Tensor first;
    for (const Contender& c : contenders_) {
      Json entry = {{"name", c.name}, {"flops", c.flops}, {"bytes", c.bytes}};
      const at::Tensor result = found->first_call ? c.call() : at::Tensor();
      if (!first.defined()) {
        first = result;
      } else if (result.defined() && first.defined()) {
        const double scale = first.abs().max().to(at::kDouble).item<double>();
        const double difference =
            (result.to(at::kDouble) - first.to(at::kDouble)).abs().max().item<double>() / scale;
        entry["difference"] = difference;
        if (!(difference <= found->tolerance)) {
          throw std::runtime_error(name + ": " + c.name + " differs by " +
                                   std::to_string(difference));
        }
      }
      answer.push_back(entry);
    }
    return answer;
  }

  const Contender& contender(const std::string& name) const {
    for (const Contender& c : contenders_) {
      if (c.name == name) return c;
    }
    throw std::invalid_argument("no contender " + name);
  }

  static Json time(const Contender& c, double least) {
    std::int64_t calls = 0;
    double elapsed = 0;
    // Looking at the clock takes as long as a part of a tiny call: groups grow with what is left.
    for (std::int64_t group = 1; elapsed < least;) {
      const auto start = Clock::now();
      for (std::int64_t i = 0; i < group; ++i) c.call();
      elapsed += seconds_since(start);
      calls += group;
      const double left = (least - elapsed) / (elapsed / static_cast<double>(calls));
      group = std::clamp<std::int64_t>(static_cast<std::int64_t>(left / 4), 1, 1024);
    }
    return elapsed / static_cast<double>(calls);
  }

  static Json peak(const Contender& c) {
    std::ofstream("/proc/self/clear_refs") << "5\n";  // the peak starts again from here
    const double before = resident("VmRSS");
    const at::Tensor result = c.call();
    return resident("VmHWM") - before;
  }

  std::vector<Case> cases_;
  std::vector<Contender> contenders_;
};

}  // namespace
}  // namespace hopfield::bench

int main() {
  hopfield::bench::Worker worker;
  for (std::string line; std::getline(std::cin, line);) {
    nlohmann::ordered_json answer;
    try {
      answer = worker.answer(line);
    } catch (const std::exception& error) {
      answer = {{"error", error.what()}};
    }
    std::cout << answer.dump() << std::endl;
  }
  return 0;
}
