// What has been read from a connection and not yet used.
//
// Bytes are never filled with zeros, and a buffer that is empty begins at its front again, so that a stream
// of small chunks goes on touching the same few cache lines. What a burst took is given back when small reads
// follow.
#pragma once

#include "net/room_store.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <string_view>

namespace rbee::net {

struct GiveBackRoom {
  std::size_t bytes = 0;
  void operator()(char* room) const { RoomStore::give_here(room, bytes); }
};

class ReadBuffer {
 public:
  // So many bytes behind what is unread may be read, whatever they are: a parser that looks at 64 at once
  // needs no copy for that.
  static constexpr std::size_t readable_behind = 64;
  [[nodiscard]] std::string_view unread() const { return {data_.get() + begin_, end_ - begin_}; }
  // Room for `bytes` behind what is unread, which may move: views of it end here. Room that is far too large
  // is given back first.
  [[nodiscard]] char* prepare(std::size_t bytes) {
    if (begin_ == end_ && capacity_ > most_spare * bytes) *this = {};
    if (begin_ > 0) {
      std::memmove(data_.get(), data_.get() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
    }
    if (capacity_ - end_ < bytes) grow(end_ + bytes);
    return data_.get() + end_;
  }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  // Nothing is unread; the room stays.
  void clear() { begin_ = end_ = 0; }
  // So many bytes of the room were filled.
  void commit(std::size_t bytes) { end_ += bytes; }
  // The room is given back where nothing in it is unread: what follows may be long in coming.
  void rest() {
    if (begin_ == end_) *this = {};
  }
  // The first `bytes` are used; views of them hold until the next prepare().
  void consume(std::size_t bytes) { begin_ += bytes; }

 private:
  static constexpr std::size_t most_spare = 4;

  void grow(std::size_t needed) {
    const std::size_t larger = std::max(needed, 2 * capacity_);
    Room moved = room_of(larger + readable_behind);
    if (end_ > 0) std::memcpy(moved.get(), data_.get(), end_);
    data_ = std::move(moved);
    capacity_ = larger;
  }

  using Room = std::unique_ptr<char, GiveBackRoom>;
  [[nodiscard]] static Room room_of(std::size_t bytes) {
    return {static_cast<char*>(RoomStore::take_here(bytes)), GiveBackRoom{bytes}};
  }

  Room data_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace rbee::net
