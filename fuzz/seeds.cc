// Writes a few sound files for each target, so that no binary files need to be kept and all are of
// the present format. usage: fuzz_seeds FOLDER
#include <zlib.h>

#include <bit>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>
#include <vector>

#include "cli/partial_file.h"
#include "hopfield/base/error.h"
#include "hopfield/store/memory_writer.h"
#include "hopfield/store/npy.h"
#include "hopfield/store/safetensors.h"

namespace {

using namespace hopfield;  // NOLINT: a small program

store::PatternSource two_patterns() {
  store::PatternSource source;
  source.num_patterns = 2;
  source.depth = 3;
  source.rows = [](std::int64_t first, std::int64_t count) {
    return std::vector<double>(static_cast<std::size_t>(3 * count),
                               0.5 + static_cast<double>(first));
  };
  return source;
}

void write_seeds(const std::string& root) {
  std::filesystem::remove_all(root);
  const auto folder = [&root](const std::string& target) {
    std::filesystem::create_directories(root + "/" + target);
    return root + "/" + target + "/";
  };
  const std::vector<float> floats = {1, -2.5f, 3e30f, 0, 5, 6};
  const std::vector<std::int64_t> integers = {-1, 0, 1, 1'000'000'000'000};
  const std::int64_t matrix[] = {2, 3}, row[] = {4};
  store::write_npy<float>(folder("npy") + "matrix", floats, matrix);
  store::write_npy<std::int64_t>(folder("npy") + "row", integers, row);

  const std::vector<store::TensorData> tensors = {
      store::tensor_data<float>("a", {2, 3}, floats),
      store::tensor_data<std::int64_t>("b", {4}, integers)};
  store::write_safetensors(folder("safetensors") + "two", tensors, {{"key", "value"}});
  store::write_safetensors(folder("safetensors") + "none", {}, {});

  const std::string table = "a,\"b \"\"c\"\"\"\n1,2\n-3e5,\"4\"\r\n";
  atomic_write_file(folder("csv") + "table", table);
  atomic_write_file(folder("csv") + "tabs", std::string_view("a\tb\n1\t2\n"));
  const gzFile packed = ::gzopen((folder("csv") + "packed").c_str(), "wb");
  const bool written =
      packed != nullptr && ::gzwrite(packed, table.data(), static_cast<unsigned>(table.size())) > 0;
  require(written && ::gzclose(packed) == Z_OK, "seeds", "expected to write a gzip file");

  const std::string pictures("\0\0\x08\x02\0\0\0\2\0\0\0\3abcdef", 18);
  atomic_write_file(folder("idx") + "pictures", pictures);

  const std::vector<std::string> ids = {"x", "y"};
  store::CreateMemoryOptions options;
  options.ids = ids;
  const std::string named = folder("memory") + "named", changed = folder("memory") + "changed";
  store::create_memory(named, two_patterns(), options);
  store::create_memory(changed, two_patterns());
  store::MemoryWriter writer(changed);
  writer.add(two_patterns(), ids);
  writer.forget({ids.data(), 1});
  writer.update({ids.data() + 1, 1}, [] {
    store::PatternSource one = two_patterns();
    one.num_patterns = 1;
    return one;
  }());

  const store::PatternSource values = two_patterns();
  const std::vector<std::string> texts = {R"({"a":[1,"x"]})", "{}"};
  options.attached.values = &values;
  options.attached.metadata = texts;
  const std::string rich = folder("memory") + "rich", grown = folder("memory") + "grown";
  store::create_memory(rich, two_patterns(), options);
  store::create_memory(grown, two_patterns(), options);
  const std::vector<std::string> more = {"z", "w"};
  store::MemoryWriter(grown).add(two_patterns(), more, options.attached);
  store::MemoryWriter(grown).attach(more, options.attached);

  store::CreateMemoryOptions coded = options;
  coded.dtype = DType::kI8;
  store::create_memory(folder("memory") + "coded", two_patterns(), coded);
  coded.exact.reset();
  const std::string codes = folder("memory") + "codes";
  store::create_memory(codes, two_patterns(), coded);
  store::MemoryWriter(codes).add(two_patterns(), more, options.attached);

  // For memory_log: two patterns of depth 2 are there. Forget pattern 1; update pattern 0; add "n".
  const auto put = [](std::string& to, const auto& numbers) {
    to.append(reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof numbers[0]);
  };
  using Numbers = std::vector<std::int64_t>;
  using Floats = std::vector<float>;
  std::string log = {0, 2, 2};
  put(log, Numbers{1, 1});
  log += {3, 3};
  put(log, Numbers{1, 0});
  put(log, Floats{7, 7});
  log += {1, 6};
  put(log, Numbers{1, 2, 0, 1, 'n'});
  put(log, Floats{8, 9});
  atomic_write_file(folder("memory_log") + "all", log);
  atomic_write_file(folder("memory_log") + "forget", std::string_view(log).substr(0, 19));
  // With values: metadata "{}" for pattern 0; then "n" with pattern, value and metadata.
  const std::int64_t braces = '{' + 256 * '}';
  std::string with = {1, 5, 6};
  put(with, Numbers{1, 4, 0, 0, 2, braces});
  with += {4, 11};
  put(with, Numbers{1, 7, 2, 0, 1, 'n'});
  put(with, Floats{8, 9, 5, 0});
  put(with, Numbers{0, 2, braces});
  atomic_write_file(folder("memory_log") + "with", with);

  // With codes and exact rows: two codes, zeros, a scale, zeros, a row for pattern 0.
  std::string codes_log = {2, 3, 5};
  put(codes_log, Numbers{1, 0, 127 + 256 * 129});
  put(codes_log, Floats{0.5f, 0, 63.5f, -63.5f});
  atomic_write_file(folder("memory_log") + "codes", codes_log);

  // Two blocks of patterns, the second of one pattern: with names and without.
  std::vector<float> rows(static_cast<std::size_t>(AssociateOptions().block_size + 1), 0.25f);
  const PatternView stored = pattern_view(rows.data(), std::ssize(rows), 1);
  for (const bool with_names : {false, true}) {
    cli::Partial partial;
    partial.path = folder("partial") + (with_names ? "named" : "numbered");
    partial.what = "state";
    partial.similarity = with_names ? "distance" : "dot";
    partial.beta = "2";
    partial.memory = "seed";
    for (std::int64_t i = 0; i < stored.rows; ++i) cli::add_row(partial.rows, i);
    if (with_names) partial.top_ids = {"a", "b"};
    SearchOptions search;
    search.num_top = 2;
    search.executor = &serial_executor();
    cli::write_partial(partial,
                       ask_shard(stored, {}, pattern_view(floats.data(), 1, 1), 2, search));
  }

  const std::vector<float> vectors = {std::bit_cast<float>(2), 1, 2, std::bit_cast<float>(2), 3, 4};
  std::string fvecs;
  put(fvecs, vectors);
  atomic_write_file(folder("fvecs") + "two", fvecs);
  // For metadata: a predicate, then lines of JSON.
  atomic_write_file(folder("metadata") + "all",
                    std::string_view("not (a.\"b c\" == \"x\\n\" or n in [1, -2.5e3, null]) and "
                                     "has(a)\n{\"a\":{\"b c\":\"x\"},\"n\":[{}]}\n{\"n\":1}\n"));
}

}  // namespace

int main(int argc, char** argv) {
  try {
    write_seeds(argc > 1 ? argv[1] : "seeds");
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
