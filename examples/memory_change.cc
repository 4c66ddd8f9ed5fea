// Changes a memory: the commands add, update, forget and compact. Needs no LibTorch.
//
//   usage: memory_change FILE.safetensors
//
// Prints
//   created:   100 patterns, 0 changes, 0 tombstones
//   added:     103 patterns, 1 changes, 0 tombstones; ids 100 to 102
//   updated:   103 patterns, 2 changes, 0 tombstones
//   forgotten: 101 patterns, 3 changes, 2 tombstones
//   compacted: 101 patterns, 0 changes, 0 tombstones
//   pattern 7 is gone, 8 stands at place 7, the next new one will be 103
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

#include "hopfield/store/memory_file.h"
#include "hopfield/store/memory_writer.h"
#include "random_patterns.h"

namespace {

constexpr std::int64_t kPatterns = 100, kDepth = 32;

/// A reader sees the memory as it is when it is opened.
void look(const std::string& path, const char* what, const std::string& more = "") {
  const hopfield::store::MemoryFile memory(path);
  std::printf("%-10s %lld patterns, %lld changes, %lld tombstones%s\n", what,
              static_cast<long long>(memory.num_patterns()),
              static_cast<long long>(memory.num_changes()),
              static_cast<long long>(memory.tombstones()), more.c_str());
}

/// When one of the writer's calls returns, its change is on the disk, whole.
void change(const std::string& path) {
  const std::vector<float> more = random_patterns(4, kDepth, 2);
  hopfield::store::MemoryWriter writer(path);  // while it lives, no other program may change it
  const std::vector<std::string> ids = writer.add(rows_of(more, kDepth, 0, 3));
  look(path, "added:", "; ids " + ids.front() + " to " + ids.back());
  const std::vector<std::string> changed = {"8"};
  writer.update(changed, rows_of(more, kDepth, 3, 4));  // pattern 8 keeps its name and place
  look(path, "updated:");
  const std::vector<std::string> unwanted = {"7", "100"};
  writer.forget(unwanted);
  look(path, "forgotten:");
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::string path = argc > 1 ? argv[1] : "change.safetensors";
    const std::vector<float> numbers = random_patterns(kPatterns, kDepth, 1);
    hopfield::store::CreateMemoryOptions options;
    options.if_exists = hopfield::IfExists::kReplace;
    hopfield::store::create_memory(path, rows_of(numbers, kDepth, 0, kPatterns), options);
    look(path, "created:");
    change(path);
    hopfield::store::compact_memory(path);  // now it is one plain safetensors file again
    look(path, "compacted:");
    const hopfield::store::MemoryFile memory(path);
    if (memory.find("7")) throw std::runtime_error("pattern 7 was forgotten and is still there");
    std::printf("pattern 7 is gone, 8 stands at place %lld, the next new one will be %lld\n",
                static_cast<long long>(memory.find("8").value()),
                static_cast<long long>(memory.next_number()));
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return EXIT_FAILURE;
  }
}
