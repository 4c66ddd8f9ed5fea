#ifndef HOPFIELD_STORE_MEMORY_WRITER_H_
#define HOPFIELD_STORE_MEMORY_WRITER_H_

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "hopfield/base/os.h"
#include "hopfield/store/memory_file.h"

namespace hopfield::store {

/// Changes a memory. When a call returns, its change is whole and outlives a killed program and a
/// loss of power; a call that throws before it writes changes nothing. While the writer lives no
/// other can change the memory; readers that open it see all changes made so far.
///
/// Errors   kInvalidArgument for ids that are not there and sizes that do not fit; kCorruptData for
///          numbers and ids as create_memory, and for a damaged memory; kIo if the file refuses or
///          another program changes it. After a kIo of a change, that change may or may not be
///          stored, all earlier ones are, and the writer takes no more: open the memory again.
/// Threads  one at a time.
class MemoryWriter {
 public:
  explicit MemoryWriter(const std::string& path);
  /// With `file` standing for the file of that path, so that tests can let the disk fail.
  MemoryWriter(const std::string& path, std::unique_ptr<ChangeableFile> file);
  MemoryWriter(MemoryWriter&&) noexcept;
  MemoryWriter& operator=(MemoryWriter&&) noexcept;
  ~MemoryWriter();

  /// Adds patterns behind the others; `ids` has one for each, or none: then they are numbered on
  /// from where the memory stopped. A memory with values wants a value of its dv for each, one
  /// without takes none (kCorruptData); without metadata they have "{}". Holds all of them in
  /// memory. Returns their ids.
  std::vector<std::string> add(const PatternSource& source, std::span<const std::string> ids = {},
                               const Attachments& attached = {});

  /// Forgets the patterns of these ids; their space is free after compact_memory.
  void forget(std::span<const std::string> ids);

  /// source's row i takes the place of the pattern ids[i], which keeps id and place, and value and
  /// metadata unless new ones are attached.
  void update(std::span<const std::string> ids, const PatternSource& source,
              const Attachments& attached = {});

  /// The same for value, metadata or both; the patterns stay.
  void attach(std::span<const std::string> ids, const Attachments& attached);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Writes a memory anew without its log and without what was forgotten: then it is one plain
/// safetensors file, mapped when opened. The old file is there until the new one is complete; all
/// checksums are compared first. Errors: as MemoryWriter, with nothing changed; kCancelled.
void compact_memory(const std::string& path, const std::function<bool()>& cancelled = {});

struct MergeOptions {
  /// Memories that have an id in common: false refuses them; true appends "-2", "-3", ... to the
  /// ids of later ones until they differ, or numbers all patterns anew if none of the memories has
  /// ids.
  bool rename = false;
  IfExists if_exists = IfExists::kRefuse;
  std::function<bool()> cancelled;  ///< asked between blocks; may be empty
};

/// Writes the patterns of all `inputs`, with values and metadata, in that order, as one new memory.
/// Errors: kCorruptData for memories of which depth or dtype of patterns or values differ, equal
/// ids, and damage; kIo; kCancelled.
void merge_memories(const std::string& output, std::span<const std::string> inputs,
                    const MergeOptions& options = {});

}  // namespace hopfield::store

#endif  // HOPFIELD_STORE_MEMORY_WRITER_H_
