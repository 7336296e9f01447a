#include "model/gguf.h"

#include "base/text.h"
#include "model/ggml_types.h"
#include "model/header_cursor.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <set>

namespace rbee::model {
namespace {

// The largest real models have 2,000 tensors and 60 keys.
constexpr std::uint64_t most_keys = 100'000;
constexpr std::uint64_t most_tensors = 100'000;
constexpr std::uint64_t longest_text_bytes = 1u << 20;   // chat templates reach 20 kB
constexpr std::uint64_t longest_tensor_name_bytes = 63;  // GGML_MAX_NAME - 1: the engine takes no more
constexpr std::uint64_t longest_kept_array = 4096;       // one number for each layer, and to spare
constexpr int deepest_array = 2;
constexpr std::uint64_t default_alignment = 32;  // where general.alignment is not given
// Bytes of the smallest key (length, type, one byte) and tensor (length, dims, type, offset).
constexpr std::uint64_t least_key_bytes = 13;
constexpr std::uint64_t least_tensor_bytes = 24;

enum class ValueType : std::uint32_t {
  u8 = 0,
  i8,
  u16,
  i16,
  u32,
  i32,
  f32,
  boolean,
  text,
  array,
  u64,
  i64,
  f64,
};

// Of a number; 0 for text, arrays and unknown ones.
std::uint64_t value_bytes(ValueType type) {
  switch (type) {
    case ValueType::u8:
    case ValueType::i8:
    case ValueType::boolean: return 1;
    case ValueType::u16:
    case ValueType::i16: return 2;
    case ValueType::u32:
    case ValueType::i32:
    case ValueType::f32: return 4;
    case ValueType::u64:
    case ValueType::i64:
    case ValueType::f64: return 8;
    case ValueType::text:
    case ValueType::array: return 0;
  }
  return 0;
}

bool is_float(ValueType type) { return type == ValueType::f32 || type == ValueType::f64; }

double read_float(HeaderCursor& cursor, ValueType type) {
  return type == ValueType::f32 ? static_cast<double>(cursor.number<float>()) : cursor.number<double>();
}

std::int64_t read_integer(HeaderCursor& cursor, ValueType type) {
  switch (type) {
    case ValueType::u8:
    case ValueType::boolean: return cursor.number<std::uint8_t>();
    case ValueType::i8: return cursor.number<std::int8_t>();
    case ValueType::u16: return cursor.number<std::uint16_t>();
    case ValueType::i16: return cursor.number<std::int16_t>();
    case ValueType::u32: return cursor.number<std::uint32_t>();
    case ValueType::i32: return cursor.number<std::int32_t>();
    // Above the range of int64 it saturates: no count, length or size of a model comes near.
    case ValueType::u64: {
      constexpr std::uint64_t most = std::numeric_limits<std::int64_t>::max();
      return static_cast<std::int64_t>(std::min(cursor.number<std::uint64_t>(), most));
    }
    default: return cursor.number<std::int64_t>();
  }
}

// A product that does not fit is no size of anything: nothing.
std::optional<std::uint64_t> product(std::uint64_t a, std::uint64_t b) {
  if (b != 0 && a > std::numeric_limits<std::int64_t>::max() / b) return std::nullopt;
  return a * b;
}

std::uint64_t padded(std::uint64_t value, std::uint64_t alignment) {
  return (value + alignment - 1) & ~(alignment - 1);
}

class Reader {
 public:
  explicit Reader(const ByteSource& source) : source_(source), cursor_(source) {}

  Result<GgufHeader> run() {
    read_magic_and_version();
    const auto tensor_count = cursor_.number<std::uint64_t>();
    const auto key_count = cursor_.number<std::uint64_t>();
    check_count(key_count, most_keys, least_key_bytes, "keys");
    check_count(tensor_count, most_tensors, least_tensor_bytes, "tensors");
    for (std::uint64_t i = 0; i < key_count && !cursor_.failed(); ++i) read_key();
    for (std::uint64_t i = 0; i < tensor_count && !cursor_.failed(); ++i) read_tensor();
    if (!cursor_.failed()) place_tensors();
    if (cursor_.failed()) return *cursor_.error();
    summarize();
    return std::move(header_);
  }

 private:
  void read_magic_and_version();
  void check_count(std::uint64_t count, std::uint64_t most, std::uint64_t least_bytes, std::string_view what);
  void read_key();
  void read_array(const std::string& key);
  void skip_array(ValueType type, std::uint64_t count, int depth);
  void read_tensor();
  void read_dims(Tensor& tensor, std::uint32_t dims);
  void size_tensor(Tensor& tensor);
  void place_tensors();
  void summarize();
  [[nodiscard]] std::string main_type() const;
  [[nodiscard]] std::uint32_t small_number(std::string_view key) const;

  const ByteSource& source_;
  HeaderCursor cursor_;
  GgufHeader header_;
  std::set<std::string> tensor_names_;
};

std::string describe_begin(std::string_view bytes) {
  const auto printable = [](char c) { return c >= 0x20 && c < 0x7f; };
  if (std::all_of(bytes.begin(), bytes.end(), printable)) return cat("'", bytes, "'");
  std::string out = "the bytes";
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out += {' ', "0123456789abcdef"[byte >> 4], "0123456789abcdef"[byte & 15]};
  }
  return out;
}

void Reader::read_magic_and_version() {
  if (source_.size() == 0) return cursor_.fail("is empty");
  const auto begin = source_.read(0, static_cast<std::size_t>(std::min<std::uint64_t>(4, source_.size())));
  if (begin && *begin != "GGUF")
    return cursor_.fail(cat("is no GGUF file: it begins with ", describe_begin(*begin)));
  cursor_.skip(4);
  header_.version = cursor_.number<std::uint32_t>();
  if (cursor_.failed() || header_.version == 2 || header_.version == 3) return;
  // A version is a small number: with its low half empty, its bytes stand the other way round.
  if ((header_.version & 0xffff) == 0) return cursor_.fail("is written for big-endian machines");
  cursor_.fail(cat("has GGUF version ", header_.version, "; 2 and 3 are known"));
}

void Reader::check_count(std::uint64_t count, std::uint64_t most, std::uint64_t least_bytes,
                         std::string_view what) {
  if (cursor_.failed()) return;
  if (count > most) return cursor_.fail(cat("is damaged: it says it has ", count, " ", what));
  cursor_.has_room_for(count, least_bytes);
}

void Reader::read_key() {
  std::string key = cursor_.text("key", longest_text_bytes);
  const auto type = static_cast<ValueType>(cursor_.number<std::uint32_t>());
  if (cursor_.failed()) return;
  if (header_.metadata.contains(key))
    return cursor_.fail(cat("is damaged: the key '", key, "' stands in it twice"));
  if (type == ValueType::array) return read_array(key);
  MetaValue value;
  if (type == ValueType::text) {
    value = cursor_.text("value", longest_text_bytes);
  } else if (is_float(type)) {
    value = read_float(cursor_, type);
  } else if (type == ValueType::boolean) {
    value = cursor_.number<std::uint8_t>() != 0;
  } else if (value_bytes(type) != 0) {
    value = read_integer(cursor_, type);
  } else {
    return cursor_.fail(
        cat("is damaged: the key '", key, "' has the unknown type ", static_cast<std::uint32_t>(type)));
  }
  header_.metadata.emplace(std::move(key), std::move(value));
}

void Reader::read_array(const std::string& key) {
  const auto type = static_cast<ValueType>(cursor_.number<std::uint32_t>());
  const auto count = cursor_.number<std::uint64_t>();
  if (cursor_.failed()) return;
  if (key == "tokenizer.ggml.tokens") header_.vocabulary = count;
  if (value_bytes(type) == 0 || count > longest_kept_array) return skip_array(type, count, 1);
  if (!cursor_.has_room_for(count, value_bytes(type))) return;
  if (is_float(type)) {
    std::vector<double> numbers(static_cast<std::size_t>(count));
    for (double& one : numbers) one = read_float(cursor_, type);
    header_.metadata.emplace(key, std::move(numbers));
    return;
  }
  std::vector<std::int64_t> numbers(static_cast<std::size_t>(count));
  for (std::int64_t& one : numbers) one = read_integer(cursor_, type);
  header_.metadata.emplace(key, std::move(numbers));
}

// NOLINTNEXTLINE(misc-no-recursion): at most deepest_array deep
void Reader::skip_array(ValueType type, std::uint64_t count, int depth) {
  if (const std::uint64_t size = value_bytes(type); size != 0) {
    if (cursor_.has_room_for(count, size)) cursor_.skip(count * size);
    return;
  }
  if (type != ValueType::text && type != ValueType::array) {
    return cursor_.fail(cat("is damaged: an array of the unknown type ", static_cast<std::uint32_t>(type)));
  }
  // Each text has at least its length of 8 bytes, each array its type and count.
  if (!cursor_.has_room_for(count, type == ValueType::text ? 8 : 12)) return;
  for (std::uint64_t i = 0; i < count && !cursor_.failed(); ++i) {
    if (type == ValueType::text) {
      cursor_.skip_text();
      continue;
    }
    if (depth == deepest_array) return cursor_.fail(cat("has arrays nested deeper than ", deepest_array));
    const auto inner_type = static_cast<ValueType>(cursor_.number<std::uint32_t>());
    const auto inner_count = cursor_.number<std::uint64_t>();
    if (!cursor_.failed()) skip_array(inner_type, inner_count, depth + 1);
  }
}

void Reader::read_tensor() {
  Tensor tensor;
  tensor.name = cursor_.text("tensor name", longest_tensor_name_bytes);
  const auto dims = cursor_.number<std::uint32_t>();
  if (cursor_.failed()) return;
  if (dims > tensor.dims.size()) {
    return cursor_.fail(cat("is damaged: tensor '", tensor.name, "' has ", dims, " dimensions"));
  }
  read_dims(tensor, dims);
  tensor.type = cursor_.number<std::uint32_t>();
  tensor.offset = cursor_.number<std::uint64_t>();
  if (cursor_.failed()) return;
  size_tensor(tensor);
  if (!tensor_names_.insert(tensor.name).second) {
    return cursor_.fail(cat("is damaged: tensor '", tensor.name, "' stands in it twice"));
  }
  header_.tensors.push_back(std::move(tensor));
}

void Reader::read_dims(Tensor& tensor, std::uint32_t dims) {
  tensor.elements = 1;
  for (std::uint32_t i = 0; i < dims; ++i) {
    tensor.dims[i] = cursor_.number<std::uint64_t>();
    const std::optional<std::uint64_t> elements = product(tensor.elements, tensor.dims[i]);
    if (!elements || tensor.dims[i] > std::numeric_limits<std::int64_t>::max()) {
      return cursor_.fail(
          cat("is damaged: tensor '", tensor.name, "' has more elements than any memory holds"));
    }
    tensor.elements = *elements;
  }
}

void Reader::size_tensor(Tensor& tensor) {
  const GgmlType* type = ggml_type(tensor.type);
  if (type == nullptr) {
    return cursor_.fail(
        cat("has tensor '", tensor.name, "' of type ", tensor.type, ", which this version does not know"));
  }
  if (tensor.dims[0] % type->block_elements != 0) {
    return cursor_.fail(cat("is damaged: a row of tensor '", tensor.name, "' has ", tensor.dims[0],
                            " elements, no multiple of the ", type->block_elements, " of ", type->name));
  }
  const std::optional<std::uint64_t> bytes =
      product(tensor.elements / type->block_elements, type->block_bytes);
  if (!bytes) return cursor_.fail(cat("is damaged: tensor '", tensor.name, "' is larger than any memory"));
  tensor.bytes = *bytes;
}

// The engine takes only files whose tensors lie one after the other, each padded to the alignment.
void Reader::place_tensors() {
  constexpr std::uint64_t largest_alignment = 1u << 20;
  const std::int64_t said = header_.integer("general.alignment").value_or(default_alignment);
  const auto alignment = static_cast<std::uint64_t>(said);
  if (said <= 0 || alignment > largest_alignment || !std::has_single_bit(alignment)) {
    return cursor_.fail(cat("is damaged: its alignment is ", said, ", which is no power of two up to a MiB"));
  }
  header_.tensor_data_offset = padded(cursor_.position(), alignment);
  std::uint64_t next = 0;
  for (const Tensor& tensor : header_.tensors) {
    if (tensor.offset != next) {
      return cursor_.fail(
          cat("is damaged: tensor '", tensor.name, "' begins at ", tensor.offset, " instead of ", next));
    }
    // No sum can overflow: each tensor before this one ends within the file, and this one has under 2^63
    // bytes.
    const std::uint64_t end = header_.tensor_data_offset + tensor.offset + tensor.bytes;
    if (end > source_.size()) {
      return cursor_.fail(
          cat("is cut: tensor '", tensor.name, "' ends at byte ", end, ", the file has ", source_.size()));
    }
    next = padded(tensor.offset + tensor.bytes, alignment);
  }
}

std::uint32_t Reader::small_number(std::string_view key) const {
  const std::int64_t value = header_.integer(key).value_or(0);
  return value < 0 || value > std::numeric_limits<std::uint32_t>::max() ? 0
                                                                        : static_cast<std::uint32_t>(value);
}

std::string Reader::main_type() const {
  std::map<std::uint32_t, std::uint64_t> bytes_by_type;
  for (const Tensor& tensor : header_.tensors) bytes_by_type[tensor.type] += tensor.bytes;
  const auto most = std::max_element(bytes_by_type.begin(), bytes_by_type.end(),
                                     [](const auto& a, const auto& b) { return a.second < b.second; });
  return most == bytes_by_type.end() ? std::string() : std::string(ggml_type(most->first)->name);
}

void Reader::summarize() {
  header_.architecture = header_.text("general.architecture").value_or("");
  header_.name = header_.text("general.name").value_or("");
  header_.quant = file_type_name(header_.integer("general.file_type").value_or(-1));
  if (header_.quant.empty()) header_.quant = main_type();
  header_.context_train = small_number(header_.own("context_length"));
  header_.block_count = small_number(header_.own("block_count"));
  for (const Tensor& tensor : header_.tensors) {
    header_.params += tensor.elements;
    header_.tensor_bytes += tensor.bytes;
  }
}

}  // namespace

std::string GgufHeader::own(std::string_view key) const { return cat(architecture, ".", key); }

std::optional<std::string> GgufHeader::text(std::string_view key) const {
  const auto at = metadata.find(key);
  if (at == metadata.end()) return std::nullopt;
  const auto* value = std::get_if<std::string>(&at->second);
  return value == nullptr ? std::nullopt : std::optional(*value);
}

std::optional<std::int64_t> GgufHeader::integer(std::string_view key) const {
  const auto at = metadata.find(key);
  if (at == metadata.end()) return std::nullopt;
  if (const auto* number = std::get_if<std::int64_t>(&at->second)) return *number;
  if (const auto* flag = std::get_if<bool>(&at->second)) return *flag ? 1 : 0;
  return std::nullopt;
}

std::optional<std::int64_t> GgufHeader::integer_of_layer(std::string_view key, std::size_t layer) const {
  const auto at = metadata.find(key);
  if (at == metadata.end()) return std::nullopt;
  if (const auto* numbers = std::get_if<std::vector<std::int64_t>>(&at->second)) {
    return layer < numbers->size() ? std::optional((*numbers)[layer]) : std::nullopt;
  }
  return integer(key);
}

const Tensor* GgufHeader::find_tensor(std::string_view tensor_name) const {
  for (const Tensor& tensor : tensors) {
    if (tensor.name == tensor_name) return &tensor;
  }
  return nullptr;
}

Result<GgufHeader> read_gguf(const ByteSource& source) { return Reader(source).run(); }

}  // namespace rbee::model
