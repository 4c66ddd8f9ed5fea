// parity_hflayers DIR...: holds our layers against golden cases of the reference package. One line
// a case, a closing line "N passed, M failed"; exit status 1 on any failure, or when a folder has
// no case.

#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>
#include <vector>

#include <c10/util/Exception.h>

#include "golden_case.h"

namespace {

using hopfield::testing::GoldenCase;
using hopfield::testing::Verdict;

Verdict run_file(const std::string& path, std::string& id) {
  Verdict verdict;
  try {
    const GoldenCase golden = GoldenCase::read(path);
    id = golden.id;
    const std::string kind = golden.text("kind");
    if (kind == "init") return run_init_case(golden);
    if (kind == "dataset") return run_dataset_case(golden);
    if (kind.empty()) return run_module_case(golden);
    verdict.fail("expected kind \"init\", \"dataset\" or none, got \"" + kind + "\"");
  } catch (const c10::Error& error) {
    verdict.fail(error.what_without_backtrace());
  } catch (const std::exception& error) {
    verdict.fail(error.what());
  }
  return verdict;
}

std::vector<std::string> case_files(const std::string& folder) {
  std::vector<std::string> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (entry.path().extension() == ".safetensors") files.push_back(entry.path().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(
        stderr,
        "usage: parity_hflayers DIR...\nruns every golden case (*.safetensors) of the folders\n");
    return 2;
  }
  int passed = 0, failed = 0, default_equal = 0, default_apart = 0;
  for (int i = 1; i < argc; ++i) {
    const std::vector<std::string> files = case_files(argv[i]);
    if (files.empty()) {
      std::printf("FAIL %s: expected a folder with cases (*.safetensors), found none\n", argv[i]);
      ++failed;
    }
    for (const std::string& file : files) {
      std::string id = std::filesystem::path(file).stem().string();
      const Verdict verdict = run_file(file, id);
      std::printf("%s %s: %s\n", verdict.passed ? "ok  " : "FAIL", id.c_str(),
                  verdict.note.c_str());
      std::fflush(stdout);
      ++(verdict.passed ? passed : failed);
      default_equal += verdict.default_compared ? 1 : 0;
      default_apart += verdict.default_apart ? 1 : 0;
    }
  }
  std::printf(
      "default mode against the reference's own output: compared in %d cases, differs by design in "
      "%d\n",
      default_equal, default_apart);
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}
