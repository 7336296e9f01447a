// RoomStore: room of coroutine frames, read buffers, heads and the like that ended, for the next ones of the
// same size.
//
// A request takes some forty frames of a dozen sizes, one after the other; an allocator for everything takes
// ten times as long over each. A loop has one, and it is used by what runs on that loop's thread: all room
// comes from operator new, so whatever was taken here may be freed elsewhere.
#pragma once

#include <array>
#include <cstddef>
#include <new>

namespace rbee::net {

class RoomStore {
 public:
  // What a short answer is read into. Larger frames are those of what happens once.
  static constexpr std::size_t largest_kept_bytes = 4352;
  // Of each size: as many as requests are in the same step on one loop, as a rule. What ten thousand streams
  // leave behind goes back.
  static constexpr std::size_t most_of_each = 32;

  RoomStore() = default;
  ~RoomStore() {
    for (Size& size : sizes_) {
      while (size.kept > 0) ::operator delete(take_first(size));
    }
  }
  RoomStore(const RoomStore&) = delete;
  RoomStore& operator=(const RoomStore&) = delete;

  [[nodiscard]] void* take(std::size_t bytes) {
    Size* size = size_of(bytes);
    if (size == nullptr || size->kept == 0) return ::operator new(rounded(bytes));
    return take_first(*size);
  }
  void give(void* room, std::size_t bytes) noexcept {
    Size* size = size_of(bytes);
    if (size == nullptr || size->kept == most_of_each) return ::operator delete(room);
    size->first = ::new (room) Room{size->first};
    ++size->kept;
  }

  // By the store of the loop that runs on this thread, or without one.
  [[nodiscard]] static void* take_here(std::size_t bytes) {
    return here != nullptr ? here->take(bytes) : ::operator new(rounded(bytes));
  }
  static void give_here(void* room, std::size_t bytes) noexcept {
    here != nullptr ? here->give(room, bytes) : ::operator delete(room);
  }

  // This thread uses that store for as long as one of these lives.
  class Use {
   public:
    explicit Use(RoomStore& store) : before_(here) { here = &store; }
    ~Use() { here = before_; }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

   private:
    RoomStore* before_;
  };

 private:
  static inline constinit thread_local RoomStore* here = nullptr;
  struct Room {
    Room* next;
  };
  struct Size {
    Room* first = nullptr;
    std::size_t kept = 0;
  };
  static constexpr std::size_t step_bytes = 16;  // as malloc counts
  [[nodiscard]] static std::size_t rounded(std::size_t bytes) {
    return (bytes + step_bytes - 1) / step_bytes * step_bytes;
  }
  [[nodiscard]] Size* size_of(std::size_t bytes) {
    return bytes <= largest_kept_bytes ? &sizes_[rounded(bytes) / step_bytes] : nullptr;
  }
  [[nodiscard]] static void* take_first(Size& size) {
    Room* const room = size.first;
    size.first = room->next;
    --size.kept;
    return room;
  }

  std::array<Size, largest_kept_bytes / step_bytes + 1> sizes_ = {};
};

// For containers and shared objects that come and go with each request.
template <class T>
struct RoomAllocator {
  using value_type = T;
  RoomAllocator() = default;
  template <class U>
  RoomAllocator(const RoomAllocator<U>&) noexcept {}  // NOLINT(google-explicit-constructor): as allocators do
  [[nodiscard]] T* allocate(std::size_t count) {
    return static_cast<T*>(RoomStore::take_here(count * sizeof(T)));
  }
  void deallocate(T* room, std::size_t count) noexcept { RoomStore::give_here(room, count * sizeof(T)); }
  [[nodiscard]] bool operator==(const RoomAllocator&) const = default;
};

// Base of a class whose objects do.
struct InRoom {
  static void* operator new(std::size_t bytes) { return RoomStore::take_here(bytes); }
  static void operator delete(void* object, std::size_t bytes) noexcept {
    RoomStore::give_here(object, bytes);
  }
};

}  // namespace rbee::net
