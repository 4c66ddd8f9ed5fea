#include "hopfield/store/safetensors.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "unit/store/temp_folder.h"

namespace hopfield::store {
namespace {

using test::TempFolder;

std::string with_length(const std::string& header, std::uint64_t length) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(length >> (8 * i));
  return bytes + header;
}

/// A file with this header, the right length in front and `body_bytes` zeros behind.
std::string file_of(const std::string& header, std::size_t body_bytes) {
  return with_length(header, header.size()) + std::string(body_bytes, '\0');
}

SafetensorsFile parse(const std::string& bytes) {
  return SafetensorsFile(std::as_bytes(std::span<const char>(bytes.data(), bytes.size())), "test");
}

const std::map<std::string, std::string> kMetadata = {{"note", "a \"quoted\" text\n"},
                                                      {"sum", "00000000"}};

std::string write_sample(const TempFolder& folder) {
  const std::vector<float> f32 = {1.5f, -2.0f, 0.1f, 3e38f, 0.0f, -0.0f};
  const std::vector<std::int64_t> i64 = {-5, std::numeric_limits<std::int64_t>::max()};
  const std::vector<std::uint8_t> flags = {1, 0, 1};
  const std::vector<TensorData> tensors = {
      tensor_data<float>("weights", {2, 3}, f32),
      tensor_data<std::int64_t>("counts", {2}, i64),
      {"flags", TensorType::kBool, {3}, std::as_bytes(std::span<const std::uint8_t>(flags))},
      {"none", TensorType::kF64, {0, 7}, {}},
  };
  const std::string path = folder / "sample.safetensors";
  write_safetensors(path, tensors, kMetadata, {IfExists::kReplace, "sum"});
  return path;
}

TEST(Safetensors, RoundTripKeepsEverything) {
  const TempFolder folder;
  const SafetensorsFile file(write_sample(folder));
  EXPECT_EQ(file.metadata().at("note"), kMetadata.at("note"));
  EXPECT_TRUE(header_checksum_matches(file, "sum"));
  ASSERT_EQ(file.tensors().size(), 4u);
  EXPECT_EQ(file.read<float>("weights"),
            (std::vector<float>{1.5f, -2.0f, 0.1f, 3e38f, 0.0f, -0.0f}));
  EXPECT_EQ(file.at("weights").shape, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(file.read<std::int64_t>("counts"),
            (std::vector<std::int64_t>{-5, std::numeric_limits<std::int64_t>::max()}));
  EXPECT_EQ(file.at("flags").type, TensorType::kBool);
  EXPECT_EQ(file.read<std::uint8_t>("flags"), (std::vector<std::uint8_t>{1, 0, 1}));
  EXPECT_EQ(file.read<double>("none").size(), 0u);
  EXPECT_EQ(file.at("weights").offset % 64, 0u);
  EXPECT_EQ(file.find("absent"), nullptr);
}

TEST(Safetensors, EveryTypeRoundTrips) {
  const TempFolder folder;
  const std::vector<double> f64 = {0.1, -1e300};
  const std::vector<BF16> bf16 = {to_bf16(1.5f), to_bf16(-3.0f)};
  const std::vector<F16> f16 = {to_f16(0.25f), to_f16(65504.0f)};
  const std::vector<std::int32_t> i32 = {-7, 8};
  const std::vector<std::uint8_t> u8 = {0, 255};
  const std::vector<TensorData> tensors = {
      tensor_data<double>("f64", {2}, f64),     tensor_data<BF16>("bf16", {2}, bf16),
      tensor_data<F16>("f16", {2}, f16),        tensor_data<std::int32_t>("i32", {2}, i32),
      tensor_data<std::uint8_t>("u8", {2}, u8),
  };
  write_safetensors(folder / "t", tensors, {});
  const SafetensorsFile file(folder / "t");
  EXPECT_EQ(file.read<double>("f64"), f64);
  EXPECT_EQ(file.read<float>("bf16"), (std::vector<float>{1.5f, -3.0f}));
  EXPECT_EQ(file.read<BF16>("bf16")[1].bits, bf16[1].bits);
  EXPECT_EQ(file.read<double>("f16"), (std::vector<double>{0.25, 65504.0}));
  EXPECT_EQ(file.read<std::int64_t>("i32"), (std::vector<std::int64_t>{-7, 8}));
  EXPECT_EQ(file.read<std::int32_t>("u8"), (std::vector<std::int32_t>{0, 255}));
  EXPECT_ERROR(file.read<float>("f64"), kCorruptData,
               "tensor 'f64': expected numbers that fit F32");
  EXPECT_ERROR(file.read<std::uint8_t>("i32"), kCorruptData, "got I32");
  EXPECT_ERROR(file.read<F16>("bf16"), kCorruptData, "got BF16");
  EXPECT_ERROR(file.at("weight"), kCorruptData, "expected a tensor 'weight', got only 'f64'");
}

TEST(Safetensors, TheSameInputGivesTheSameBytes) {
  const TempFolder folder;
  const std::string first = TempFolder::read(write_sample(folder));
  EXPECT_EQ(first, TempFolder::read(write_sample(folder)));
  EXPECT_EQ(folder.num_entries(), 1u);
}

TEST(Safetensors, MisalignedOrderIsSortedBySize) {
  const TempFolder folder;
  const std::vector<std::uint8_t> bytes = {1, 2, 3};
  const std::vector<double> doubles = {4.0};
  const std::vector<TensorData> tensors = {tensor_data<std::uint8_t>("a", {3}, bytes),
                                           tensor_data<double>("b", {1}, doubles)};
  write_safetensors(folder / "t", tensors, {});
  const SafetensorsFile file(folder / "t");
  EXPECT_EQ(file.tensors()[0].name, "b");
  EXPECT_EQ(file.read<std::uint8_t>("a"), bytes);
  EXPECT_EQ(file.read<double>("b"), doubles);
}

TEST(Safetensors, ReadsMisalignedTensors) {
  const float value = 2.5f;
  std::string bytes = file_of(
      R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"F32","shape":[],"data_offsets":[1,5]}})",
      1);
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
  for (std::size_t shift = 0; shift < 4; ++shift) {
    const std::string moved = std::string(shift, '?') + bytes;
    const SafetensorsFile file(
        std::as_bytes(std::span<const char>(moved.data() + shift, bytes.size())), "test");
    EXPECT_EQ(file.read<float>("b"), std::vector<float>{value});
  }
}

TEST(Safetensors, WriterTakesPiecesAndLateMetadata) {
  const TempFolder folder;
  SafetensorsWriter writer(folder / "t", {{"x", TensorType::kU8, {4}, 0, 0}},
                           {{"crc", "________"}});
  const std::vector<std::uint8_t> bytes = {9, 8, 7, 6};
  const auto raw = std::as_bytes(std::span<const std::uint8_t>(bytes));
  writer.append(raw.first(1));
  EXPECT_ERROR(writer.commit(), kInvalidArgument, "expected 4 bytes of tensors, got 1");
  writer.append(raw.subspan(1));
  EXPECT_ERROR(writer.append(raw.first(1)), kInvalidArgument, "got more");
  writer.replace_metadata("crc", crc32_text(crc32(raw)));
  EXPECT_FALSE(path_exists(folder / "t"));
  writer.commit();
  const SafetensorsFile file(folder / "t");
  EXPECT_EQ(file.read<std::uint8_t>("x"), bytes);
  EXPECT_EQ(file.metadata().at("crc"), "f47df2dc") << "zlib.crc32(bytes([9, 8, 7, 6])) of Python";
}

TEST(Safetensors, WriterFillsTensorsInTurn) {
  const TempFolder folder;
  SafetensorsWriter writer(
      folder / "t", {{"x", TensorType::kU8, {4}, 0, 0}, {"y", TensorType::kU8, {2}, 0, 0}}, {});
  const std::vector<std::uint8_t> bytes = {9, 8, 7, 6};
  const auto raw = std::as_bytes(std::span<const std::uint8_t>(bytes));
  writer.append("y", raw.first(1));
  writer.append("x", raw.first(3));
  writer.append("y", raw.subspan(1, 1));
  EXPECT_ERROR(writer.append("y", raw.first(1)), kInvalidArgument,
               "tensor 'y': expected 2 bytes, got more");
  EXPECT_ERROR(writer.append("z", raw), kInvalidArgument, "name of a tensor, got 'z'");
  EXPECT_ERROR(writer.commit(), kInvalidArgument, "expected 6 bytes of tensors, got 5");
  writer.append(raw.subspan(3));
  writer.commit();
  const SafetensorsFile file(folder / "t");
  EXPECT_EQ(file.read<std::uint8_t>("x"), bytes);
  EXPECT_EQ(file.read<std::uint8_t>("y"), (std::vector<std::uint8_t>{9, 8}));
}

TEST(Safetensors, WriterRefusesNonsense) {
  const TempFolder folder;
  const auto write = [&](std::vector<TensorEntry> entries,
                         std::map<std::string, std::string> metadata) {
    SafetensorsWriter writer(folder / "t", std::move(entries), std::move(metadata));
  };
  EXPECT_ERROR(write({{"", TensorType::kU8, {1}, 0, 0}}, {}), kInvalidArgument, "tensor name");
  EXPECT_ERROR(write({{"__metadata__", TensorType::kU8, {1}, 0, 0}}, {}), kInvalidArgument, "name");
  EXPECT_ERROR(write({{"a", TensorType::kU8, {1}, 0, 0}, {"a", TensorType::kU8, {1}, 0, 0}}, {}),
               kInvalidArgument, "'a' twice");
  EXPECT_ERROR(write({{"a", TensorType::kF32, {-1}, 0, 0}}, {}), kInvalidArgument, "[-1]");
  EXPECT_ERROR(write({{"a", TensorType::kF32, {1LL << 40, 1LL << 40}, 0, 0}}, {}), kInvalidArgument,
               "64 bits");
  EXPECT_ERROR(write({{"a\xff", TensorType::kU8, {1}, 0, 0}}, {}), kInvalidArgument, "UTF-8");
  EXPECT_ERROR(write({}, {{"key", "\xc3"}}), kInvalidArgument, "UTF-8");
  EXPECT_EQ(folder.num_entries(), 0u);
}

TEST(Safetensors, TruncationAtEveryByteIsFound) {
  const TempFolder folder;
  const std::string whole = TempFolder::read(write_sample(folder));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_ERROR(parse(whole.substr(0, size)), kCorruptData, "");
  }
  EXPECT_ERROR(parse(whole + "x"), kCorruptData, "bytes of tensors");
}

TEST(Safetensors, EveryFlippedBitOfTheHeaderIsFound) {
  const TempFolder folder;
  const std::string whole = TempFolder::read(write_sample(folder));
  std::size_t header_end = 8 + parse(whole).header().size();
  for (std::size_t i = 0; i < header_end; ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = whole;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
      bool found = false;
      try {
        found = !header_checksum_matches(parse(damaged), "sum");
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kCorruptData) << error.what();
        found = true;
      }
      EXPECT_TRUE(found) << "byte " << i << ", bit " << bit;
    }
  }
}

struct Hostile {
  const char* header;
  std::size_t body_bytes;
  const char* message;
};

TEST(Safetensors, HostileHeadersAreRefused) {
  const std::vector<Hostile> cases = {
      {"", 0, "JSON object"},
      {"null", 0, "JSON object"},
      {" {}", 0, "JSON object"},
      {"{", 0, "got something else"},
      {"{}}", 0, "got something else"},
      {"{}\x01", 0, "got something else"},
      {R"({"a":1})", 0, "got a number"},
      {R"({"a":[]})", 0, "got a list"},
      {R"({"a":{}})", 0, "one is missing"},
      {R"({"a":{"dtype":"F32","shape":[1]}})", 4, "one is missing"},
      {R"({"a":{"dtype":"F33","shape":[1],"data_offsets":[0,4]}})", 4, "got 'F33'"},
      {R"({"a":{"dtype":7,"shape":[1],"data_offsets":[0,4]}})", 4, "got a number"},
      {R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4, "got a negative number"},
      {R"({"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}})", 4, "got a fraction"},
      {R"({"a":{"dtype":"F32","shape":[[1]],"data_offsets":[0,4]}})", 4, "got a list"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}})", 4, "got 1"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}})", 8, "got more"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", 4, "ascending"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}})", 4, "got 'x'"},
      {R"({"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4, "twice"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}})", 4, "inside the file"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", 8, "start at byte 0"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4, "expected 8 bytes"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 5, "expected 4 bytes"},
      // sizes whose product wraps to the right length
      {R"({"a":{"dtype":"F32","shape":[4611686018427387905],"data_offsets":[0,4]}})", 4,
       "fits 64 bits"},
      {R"({"a":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", 0,
       "fits 64 bits"},
      {R"({"a":{"dtype":"U8","shape":[9223372036854775808],"data_offsets":[0,0]}})", 0,
       "below 2^63"},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[18446744073709551615,18446744073709551615]}})",
       1, "inside the file"},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[1,18446744073709551615]}})", 4,
       "inside the file"},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,99999999999999999999]}})", 4,
       "got a fraction"},
      {R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
       3, "may not overlap"},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}})",
       3, "leave gaps"},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
       2, "'a' twice"},
      {R"({"__metadata__":{"k":"v"},"__metadata__":{}})", 0, "got two"},
      {R"({"__metadata__":{"k":"v","k":"w"}})", 0, "twice"},
      {R"({"__metadata__":{"k":1}})", 0, "got a number"},
      {R"({"__metadata__":{"k":{}}})", 0, "got an object"},
      {R"({"__metadata__":[]})", 0, "got a list"},
      {"{\"\xff\":{}}", 0, "got something else"},
  };
  for (const Hostile& hostile : cases) {
    SCOPED_TRACE(hostile.header);
    EXPECT_ERROR(parse(file_of(hostile.header, hostile.body_bytes)), kCorruptData, hostile.message);
  }
}

TEST(Safetensors, HostileLengthsAreRefusedWithoutMemory) {
  for (const std::uint64_t length :
       {std::uint64_t{100'000'001}, std::uint64_t{1} << 40, ~std::uint64_t{0}, ~std::uint64_t{7}}) {
    EXPECT_ERROR(parse(with_length("{}", length)), kCorruptData, "at most");
  }
  EXPECT_ERROR(parse(with_length("{}", 3)), kCorruptData, "truncated");
  // A million opening brackets must not recurse.
  EXPECT_ERROR(parse(file_of("{\"a\":" + std::string(1'000'000, '['), 0)), kCorruptData, "list");
  EXPECT_ERROR(parse(file_of("{" + std::string(1'000'000, '{'), 0)), kCorruptData, "");
}

TEST(Safetensors, AnEmptyFileIsLegal) {
  EXPECT_TRUE(parse(file_of("{}", 0)).tensors().empty());
  EXPECT_TRUE(parse(file_of("{}   ", 0)).tensors().empty());
}

TEST(Safetensors, ManyTensorsAreFoundByName) {
  std::string header = "{";
  for (int i = 0; i < 20000; ++i) {
    header += (i > 0 ? ",\"t" : "\"t") + std::to_string(i) +
              R"(":{"dtype":"U8","shape":[1],"data_offsets":[)" + std::to_string(i) + "," +
              std::to_string(i + 1) + "]}";
  }
  const std::string bytes = file_of(header + "}", 20000);
  const SafetensorsFile file = parse(bytes);
  for (int i = 0; i < 20000; i += 7) {
    const std::string name = "t" + std::to_string(i);
    ASSERT_NE(file.find(name), nullptr);
    EXPECT_EQ(file.find(name)->offset, 8 + header.size() + 1 + static_cast<std::size_t>(i));
  }
}

}  // namespace
}  // namespace hopfield::store
